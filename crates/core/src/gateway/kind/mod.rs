//! What sets one kind of gateway apart: a table for each kind.
//!
//! A [`KindSpec`] is everything that is true of one kind alone: how CloudWatch and AWS
//! name it, where its figures are, what a timeout leaves behind. Queries, keys, labels,
//! links and the least IAM policy follow from it. A new kind is a table beside `alb.rs`,
//! its lines in [`Kind`], and an inventory that says which gateways of it there are.

mod alb;
mod lambda;

use serde::{Deserialize, Serialize};

use super::bounds::BOUNDS;
use super::evidence;
use super::metrics::{Leave, Row, Stat, Unit};
use super::polling::PollRate;
use super::signal::Signal;

/// A kind of gateway that gives up waiting for what is behind it.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Application Load Balancer.
    #[default]
    Alb,
    /// AWS Lambda function.
    Lambda,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Alb, Self::Lambda];

    /// What is true of it alone.
    #[must_use]
    pub fn spec(self) -> &'static KindSpec {
        match self {
            Self::Alb => &alb::SPEC,
            Self::Lambda => &lambda::SPEC,
        }
    }

    /// Its name in config, metrics and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// Whether a diagnosis looks for causes.
    #[must_use]
    pub fn has_causes(self) -> bool {
        self.spec().topology != Topology::Unknown
    }
}

/// What is true of one kind of gateway alone.
#[derive(Debug)]
pub struct KindSpec {
    /// Its name in config, metrics and messages.
    pub name: &'static str,
    /// What people call it.
    pub words: Words,
    /// The CloudWatch namespace of its metrics.
    pub namespace: &'static str,
    /// The CloudWatch dimensions by which one is told from another.
    pub dimensions: &'static [&'static str],
    /// How the values of its dimensions and its ARN are written.
    pub forms: Forms,
    /// The metric of its latency.
    pub latency: Latency,
    /// The metric that counts its timeouts.
    pub timeouts: Timeouts,
    /// Its other counters.
    pub counters: &'static [Row],
    /// What shows whether requests were answered where the latencies are missing.
    pub answers: (&'static str, Stat),
    /// When CloudWatch dates a request.
    pub dated: Dated,
    /// What the self-check confirms its figures by.
    pub self_check: Option<SelfCheckMetrics>,
    /// What is behind it that CloudWatch has figures of.
    pub target_groups: Option<TargetGroupMetrics>,
    /// The figures that a diagnosis looks at.
    pub evidence: &'static [evidence::Row],
    /// What a diagnosis can find out of how it is set up; the causes that apply follow
    /// from it.
    pub topology: Topology,
}

/// What people call a kind, and what they look at.
#[derive(Debug)]
pub struct Words {
    /// The key of `[[gateway]]` that messages name: `load_balancer`, or `name`, which every
    /// kind takes.
    pub key: &'static str,
    /// AWS's name of the kind: `Application Load Balancer`.
    pub title: &'static str,
    /// One of them in a sentence: `load balancer`.
    pub one: &'static str,
    /// Several of them.
    pub several: &'static str,
    /// The label of its name in a message: `Load balancer`.
    pub label: &'static str,
    /// The limit: `idle timeout`.
    pub timeout: &'static str,
    /// What requests do that pass it: `end in 504`.
    pub end: &'static str,
    /// What they did: `ended in 504`.
    pub ended: &'static str,
    /// Several of them: `504s`.
    pub timeouts: &'static str,
    /// Where requests slower than a limit that follows are found.
    pub find_slow: &'static str,
    /// Where requests that timed out are found.
    pub find_timeouts: &'static str,
    /// What to ask of the slow requests.
    pub which_are_slow: &'static str,
    /// What near misses show: `the targets are too slow`.
    pub too_slow: &'static str,
    /// How to see whether there is less capacity than there was.
    pub capacity: &'static str,
    /// What to look at where no request is answered any more.
    pub blackout: &'static str,
    /// What is between it and what it waits for, to be checked when nothing is reachable.
    pub unreachable: [&'static str; 2],
    /// How to tell a slow target from one that is unreachable.
    pub slow_or_unreachable: &'static str,
}

/// How AWS writes the identity of one gateway.
#[derive(Debug)]
pub struct Forms {
    /// The service in its ARN: `elasticloadbalancing`.
    pub arn_service: &'static str,
    /// What comes before the dimension value in its ARN: `loadbalancer/`.
    pub arn_resource: &'static str,
    /// A dimension value, as an example.
    pub dimension: &'static str,
    /// Whether a text is a whole dimension value of this kind.
    pub is_dimension: fn(&str) -> bool,
    /// Whether a text cannot be a name, so that a dimension value is meant.
    pub is_no_name: fn(&str) -> bool,
    /// The name within a dimension value.
    pub name: fn(&str) -> &str,
    /// The part of a dimension value that stays when a gateway is deleted and created again
    /// under its name; `None` where all of it stays.
    pub lasting: fn(&str) -> Option<&str>,
}

/// The metric of a latency.
#[derive(Debug)]
pub struct Latency {
    /// CloudWatch's `MetricName`.
    pub metric: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// Whether AWS documents that CloudWatch counts samples between bounds of it (`TC`,
    /// `PR`); where it does not, that is tried before anything is built on it.
    pub has_bounds: bool,
}

/// The metric that counts timeouts, or everything that failed.
#[derive(Debug)]
pub struct Timeouts {
    /// CloudWatch's `MetricName`.
    pub metric: &'static str,
    /// The statistic of it that is the number of timeouts; where they leave samples, of all
    /// that failed: there are no more timeouts than that.
    pub stat: Stat,
    /// What a request that timed out leaves among the latencies.
    pub leave: Leave,
}

/// When CloudWatch dates a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dated {
    /// When it was answered: a minute is complete soon after its end.
    AtItsEnd,
    /// When it began: a minute is complete once the timeout has passed after its end.
    AtItsStart,
}

/// The metrics that a self-check adds up: samples, samples up to a very high bound,
/// timeouts, what may or may not leave a sample, and what was answered.
#[derive(Debug)]
pub struct SelfCheckMetrics {
    /// A count of samples that has no upper bound for practical purposes.
    pub within: &'static str,
    /// Counts that may or may not leave a latency sample.
    pub unclear: &'static [&'static str],
    /// Counts of what was answered, which together are the samples.
    pub answered: &'static [&'static str],
}

/// What CloudWatch has of the target groups of a gateway.
#[derive(Debug)]
pub struct TargetGroupMetrics {
    /// The dimension that names one, besides the gateway's own.
    pub dimension: &'static str,
    /// The name within its dimension value.
    pub name: fn(&str) -> &str,
    /// The metric and statistic of its p99, seconds.
    pub p99: (&'static str, &'static str),
    /// The metric and statistic of its healthy targets.
    pub healthy: (&'static str, &'static str),
}

/// What a diagnosis can find out of how a gateway is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// Listeners, target groups, targets and the network between them.
    LoadBalancer,
    /// Nothing: no cause is looked for.
    Unknown,
}

/// How much of the latency is read.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// Percentiles and the count of near misses: one metric.
    #[default]
    Figures,
    /// A histogram instead of the count of near misses, which is the difference
    /// of two of its buckets: three metrics.
    Histogram,
    /// Percentiles alone, where CloudWatch counts nothing between bounds: near misses are
    /// then at least as many as those show.
    Percentiles,
}

/// The statistics of the latency that every gateway is asked for in each minute, the median
/// first.
const ALWAYS: [(Signal, Stat); 4] = [
    (Signal::P50, Stat::Latency("p50")),
    (Signal::P99, Stat::Latency("p99")),
    (Signal::Maximum, Stat::Latency("Maximum")),
    (Signal::Samples, Stat::Count("SampleCount")),
];
const SUM: (Signal, Stat) = (Signal::Sum, Stat::Latency("Sum"));
const AT_TIMEOUT: (Signal, Stat) = (Signal::Timeouts, Stat::CountAtTimeout);
const NEAR_MISSES: (Signal, Stat) = (Signal::NearMisses, Stat::CountNearTimeout);

impl KindSpec {
    /// What is read of each minute at a poll rate. Rows of one metric stand together:
    /// they must travel in one request to be billed as one metric.
    pub fn minute_rows(&self, rate: PollRate, detail: Detail) -> impl Iterator<Item = Row> {
        let (figures, histogram) = match detail {
            Detail::Figures => (Some(NEAR_MISSES), None),
            // Fifteen statistics are three metrics; one more would be four.
            Detail::Histogram => {
                let within =
                    (0u8..).zip(BOUNDS).map(|(n, _)| (Signal::Within(n), Stat::CountWithin(n)));
                (None, Some(std::iter::once(SUM).chain(within)))
            }
            Detail::Percentiles => (None, None),
        };
        let latency = figures.into_iter().chain(histogram.into_iter().flatten());
        self.rows(latency, rate, detail)
    }

    /// What is read of each quarter-hour at a poll rate.
    pub fn quarter_hour_rows(&self, rate: PollRate, detail: Detail) -> impl Iterator<Item = Row> {
        let near = (detail != Detail::Percentiles).then_some(NEAR_MISSES);
        let rows = self.rows([SUM].into_iter().chain(near), rate, detail);
        // Which target was chosen for a request says nothing over this long a time, and what
        // else failed nothing that the minutes do not say.
        rows.filter(|row| !matches!(row.signal, Signal::RequestCount | Signal::Failures))
    }

    fn rows(
        &self,
        latency: impl IntoIterator<Item = (Signal, Stat)>,
        rate: PollRate,
        detail: Detail,
    ) -> impl Iterator<Item = Row> {
        let metric = self.latency.metric;
        let of_latency = move |(signal, stat)| Row { signal, metric, stat, rate: PollRate::Slow };
        let (counted, needed) = match self.timeouts.leave {
            Leave::NoSample => (Signal::Timeouts, PollRate::Slow),
            Leave::SampleAtTimeout => (Signal::Failures, PollRate::Fast),
        };
        let Timeouts { metric, stat, .. } = self.timeouts;
        let counted = Row { signal: counted, metric, stat, rate: needed };
        let is_counted_by_samples =
            counted.signal == Signal::Failures && detail != Detail::Percentiles;
        let at_timeout = is_counted_by_samples.then_some(AT_TIMEOUT);
        // With the median there would be six statistics of one metric: two metrics.
        let always = ALWAYS.into_iter().skip(usize::from(is_counted_by_samples));
        let counters = self.counters.iter().copied();
        let all = always.chain(latency).chain(at_timeout).map(of_latency);
        all.chain([counted]).chain(counters).filter(move |row| row.rate <= rate)
    }

    /// The metrics that CloudWatch bills for one request of minutes: each once for every
    /// five of its statistics.
    #[must_use]
    pub fn billed_metrics(&self, rate: PollRate, detail: Detail) -> u64 {
        billed(self.minute_rows(rate, detail))
    }

    /// The metrics that CloudWatch bills for one request of quarter-hours.
    #[must_use]
    pub fn billed_quarter_hour_metrics(&self, rate: PollRate, detail: Detail) -> u64 {
        billed(self.quarter_hour_rows(rate, detail))
    }

    /// The ARN of the gateway with this dimension value.
    #[must_use]
    pub fn arn(&self, region: &str, account: &str, dimension: &str) -> String {
        let partition = match region.split('-').next() {
            Some("cn") => "aws-cn",
            _ if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        let Forms { arn_service, arn_resource, .. } = self.forms;
        format!("arn:{partition}:{arn_service}:{region}:{account}:{arn_resource}{dimension}")
    }

    /// The CloudWatch dimensions of a gateway, by name and value. Where a kind has
    /// several, its dimension value has the values with `/` between them.
    pub fn dimensions_of<'a>(
        &self,
        dimension: &'a str,
    ) -> impl Iterator<Item = (&'static str, &'a str)> + use<'a> {
        let names = self.dimensions;
        names.iter().copied().zip(dimension.splitn(names.len(), '/'))
    }
}

fn billed(rows: impl Iterator<Item = Row>) -> u64 {
    let metrics: Vec<&str> = rows.map(|row| row.metric).collect();
    metrics.chunk_by(|a, b| a == b).map(|statistics| statistics.len().div_ceil(5) as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_row_for_every_signal() {
        for kind in Kind::ALL {
            let rows: Vec<Row> = kind.spec().minute_rows(PollRate::Fast, Detail::Figures).collect();
            for signal in [Signal::P99, Signal::Samples, Signal::NearMisses, Signal::Timeouts] {
                assert_eq!(rows.iter().filter(|r| r.signal == signal).count(), 1, "{signal:?}");
            }
        }
        let rows: Vec<Row> =
            Kind::Alb.spec().minute_rows(PollRate::Fast, Detail::Figures).collect();
        for signal in Signal::ALL {
            // Healthy hosts are kept per target group, never per load balancer.
            let expected = usize::from(signal != Signal::HealthyHosts);
            assert_eq!(rows.iter().filter(|r| r.signal == signal).count(), expected, "{signal:?}");
        }
    }

    #[test]
    fn rows_of_one_metric_stand_together() {
        for (kind, detail) in Kind::ALL
            .into_iter()
            .flat_map(|kind| [Detail::Figures, Detail::Histogram].map(|detail| (kind, detail)))
        {
            let rows = kind.spec().minute_rows(PollRate::Fast, detail);
            let mut seen: Vec<&str> = rows.map(|r| r.metric).collect();
            seen.dedup();
            let runs = seen.len();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(runs, seen.len());
        }
    }

    #[test]
    fn a_slowly_polled_gateway_costs_two_metrics_a_request_and_a_fast_polled_one_five() {
        let spec = Kind::Alb.spec();
        for (detail, slow, fast) in [(Detail::Figures, 2, 5), (Detail::Histogram, 4, 7)] {
            assert_eq!(spec.billed_metrics(PollRate::Slow, detail), slow);
            assert_eq!(spec.billed_metrics(PollRate::Fast, detail), fast);
        }
        assert_eq!(spec.billed_quarter_hour_metrics(PollRate::Slow, Detail::Figures), 3);
        assert_eq!(spec.billed_quarter_hour_metrics(PollRate::Fast, Detail::Figures), 5);
    }

    #[test]
    fn an_arn_is_made_of_the_dimension_value_and_every_partition_has_its_own() {
        let spec = Kind::Alb.spec();
        for (region, arn) in [
            ("eu-central-1", "arn:aws:elasticloadbalancing:eu-central-1:1:loadbalancer/app/w/5"),
            ("cn-north-1", "arn:aws-cn:elasticloadbalancing:cn-north-1:1:loadbalancer/app/w/5"),
            (
                "us-gov-west-1",
                "arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:1:loadbalancer/app/w/5",
            ),
        ] {
            assert_eq!(spec.arn(region, "1", "app/w/5"), arn);
        }
        let dimensions: Vec<_> = spec.dimensions_of("app/w/5").collect();
        assert_eq!(dimensions, [("LoadBalancer", "app/w/5")]);
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = Kind::ALL.map(Kind::name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            let read: Kind = serde_json::from_value(kind.name().into()).unwrap();
            assert_eq!(read, kind, "the config spells it as the metrics do");
        }
    }
}
