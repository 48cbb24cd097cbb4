//! What is watched: a gateway, and where CloudWatch keeps each of its signals.
//!
//! A kind of gateway is a table: one row for each signal, saying the metric,
//! the statistic and the unit. Adding a kind adds a table, and nothing else
//! in the program knows a metric's name.

pub mod bounds;
pub mod evidence;
pub mod metrics;
pub mod polling;
pub mod signal;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use metrics::{ALB, ALB_HISTOGRAM, ALB_QUARTERS, LATENCY, Row};
use polling::PollRate;

/// A kind of gateway that answers 504 for its targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Application Load Balancer.
    Alb,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 1] = [Self::Alb];

    /// Its name in config and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Alb => "alb",
        }
    }

    /// The CloudWatch namespace of its metrics.
    #[must_use]
    pub fn namespace(self) -> &'static str {
        match self {
            Self::Alb => "AWS/ApplicationELB",
        }
    }

    /// The CloudWatch dimension that names one gateway of this kind.
    #[must_use]
    pub fn dimension(self) -> &'static str {
        match self {
            Self::Alb => "LoadBalancer",
        }
    }

    /// The CloudWatch dimension that names a target group, beside the gateway's.
    #[must_use]
    pub fn target_group_dimension(self) -> &'static str {
        match self {
            Self::Alb => "TargetGroup",
        }
    }

    /// What is read of each target group of a gateway that stirs: the metric and
    /// statistic of the p99, and of the healthy hosts.
    #[must_use]
    pub fn target_group_rows(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Alb => &[(LATENCY, "p99"), ("HealthyHostCount", "Minimum")],
        }
    }

    /// The figures that a diagnosis looks at.
    #[must_use]
    pub fn evidence_rows(self) -> &'static [evidence::Row] {
        match self {
            Self::Alb => evidence::ALB,
        }
    }

    /// What proves that the figures mean what is made of them: samples, samples
    /// up to eleven days, 504s, 502s, and the answers of targets by class.
    #[must_use]
    pub fn proof_rows(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Alb => &[
                (LATENCY, "SampleCount"),
                (LATENCY, "TC(:1000000)"),
                ("HTTPCode_ELB_504_Count", "Sum"),
                ("HTTPCode_ELB_502_Count", "Sum"),
                ("HTTPCode_Target_2XX_Count", "Sum"),
                ("HTTPCode_Target_3XX_Count", "Sum"),
                ("HTTPCode_Target_4XX_Count", "Sum"),
                ("HTTPCode_Target_5XX_Count", "Sum"),
            ],
        }
    }

    /// Where each signal comes from. Rows of one metric stand together: they
    /// must travel in one request to be billed as one metric.
    #[must_use]
    pub fn rows(self, detail: Detail) -> &'static [Row] {
        match (self, detail) {
            (Self::Alb, Detail::Figures) => ALB,
            (Self::Alb, Detail::Histogram) => ALB_HISTOGRAM,
        }
    }

    /// What tells whether targets answered where the latencies are missing: the metric
    /// and statistic.
    #[must_use]
    pub fn answers_row(self) -> (&'static str, &'static str) {
        match self {
            Self::Alb => ("HTTPCode_Target_2XX_Count", "Sum"),
        }
    }

    /// What is read of a quarter of an hour.
    pub fn quarter_rows(self, tier: PollRate) -> impl Iterator<Item = &'static Row> {
        let rows = match self {
            Self::Alb => ALB_QUARTERS,
        };
        rows.iter().filter(move |row| row.tier <= tier)
    }

    /// The rows that a tier needs.
    pub fn rows_for(self, tier: PollRate, detail: Detail) -> impl Iterator<Item = &'static Row> {
        self.rows(detail).iter().filter(move |row| row.tier <= tier)
    }

    /// The metrics that CloudWatch bills for one request of a tier: each once
    /// for every five of its statistics.
    #[must_use]
    pub fn billed_metrics(self, tier: PollRate, detail: Detail) -> u64 {
        billed(self.rows_for(tier, detail))
    }

    /// The metrics that CloudWatch bills for one request of quarters.
    #[must_use]
    pub fn billed_quarter_metrics(self, tier: PollRate) -> u64 {
        billed(self.quarter_rows(tier))
    }
}

fn billed(rows: impl Iterator<Item = &'static Row>) -> u64 {
    let metrics: Vec<&str> = rows.map(|row| row.metric).collect();
    metrics.chunk_by(|a, b| a == b).map(|statistics| statistics.len().div_ceil(5) as u64).sum()
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
}

/// The name within a dimension value of Elastic Load Balancing: `web` of
/// `app/web/50dc6c495c0c9188` and of `targetgroup/web/81e9c6a0d23bf938`.
#[must_use]
pub fn name_within(dimension: &str) -> &str {
    dimension.split('/').nth(1).unwrap_or(dimension)
}

/// Which gateway, for people and for metric labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The load balancer's name.
    pub name: String,
    /// Its Region.
    pub region: String,
    /// The account that owns it; empty where only a dimension value is known.
    pub account: String,
    /// Its CloudWatch dimension value, such as `app/web/50dc6c495c0c9188`.
    pub dimension: String,
}

impl Identity {
    /// A key that is unique over accounts and Regions, and stable over restarts.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}/{}", self.region, self.account, self.dimension)
    }

    /// The identity of a key; a part that it lacks is empty.
    #[must_use]
    pub fn of_key(key: &str) -> Self {
        let mut parts = key.splitn(3, '/').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        let (region, account, dimension) = (next(), next(), next());
        Self { name: name_within(&dimension).to_owned(), region, account, dimension }
    }

    /// Its ARN, where the account is known.
    #[must_use]
    pub fn arn(&self) -> Option<String> {
        let partition = match self.region.split('-').next() {
            Some("cn") => "aws-cn",
            _ if self.region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        (!self.account.is_empty()).then(|| {
            format!(
                "arn:{partition}:elasticloadbalancing:{}:{}:loadbalancer/{}",
                self.region, self.account, self.dimension
            )
        })
    }
}

/// The limit after which a gateway answers 504, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Timeout {
    /// The limit in force for every comparison, seconds; above zero.
    pub seconds: f64,
    /// What the load balancer itself is set to, seconds, where it was asked.
    pub idle_timeout: Option<f64>,
}

impl Timeout {
    /// Whether the load balancer itself waits longer.
    #[must_use]
    pub fn is_below_the_load_balancers(&self) -> bool {
        self.idle_timeout.is_some_and(|idle| idle > self.seconds)
    }

    /// What the load balancer has, when it is not what the config says.
    #[must_use]
    pub fn mismatch(&self) -> Option<f64> {
        self.idle_timeout.filter(|idle| (idle - self.seconds).abs() > 1e-9)
    }
}

/// One watched gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gateway {
    /// Which one.
    pub id: Identity,
    /// What it is.
    pub kind: Kind,
    /// When it gives up.
    pub timeout: Timeout,
    /// The near ratio `f`, between 0 and 1: an answer later than `f * timeout`
    /// is a near miss.
    pub near: f64,
    /// How much of its latency is read.
    pub detail: Detail,
    /// Its tags, where the config asks for any.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

impl Gateway {
    /// `f * T`, seconds.
    #[must_use]
    pub fn near_seconds(&self) -> f64 {
        self.near * self.timeout.seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics::Stat;
    use signal::Signal;

    /// A gateway for tests.
    fn gateway(timeout: f64, near: f64) -> Gateway {
        Gateway {
            id: Identity {
                name: "web".into(),
                region: "eu-central-1".into(),
                account: "111122223333".into(),
                dimension: "app/web/50dc6c495c0c9188".into(),
            },
            kind: Kind::Alb,
            timeout: Timeout { seconds: timeout, idle_timeout: None },
            near,
            detail: Detail::Figures,
            tags: BTreeMap::new(),
        }
    }

    #[test]
    fn bounds_are_spelled_as_cloudwatch_reads_them() {
        for (timeout, near, spelled) in [
            (60.0, 0.8, "TC(48:60)"),
            (35.0, 0.8, "TC(28:35)"),
            (1.0, 0.8, "TC(0.8:1)"),
            (0.1, 0.333, "TC(0.033:0.1)"),
            (4000.0, 0.95, "TC(3800:4000)"),
        ] {
            assert_eq!(Stat::CountNearTimeout.spelled_for(&gateway(timeout, near)), spelled);
        }
    }

    #[test]
    fn every_kind_has_a_row_for_every_signal() {
        let rows = Kind::Alb.rows(Detail::Figures);
        for signal in Signal::ALL {
            // Healthy hosts are kept per target group, never per load balancer.
            let expected = usize::from(signal != Signal::HealthyHosts);
            assert_eq!(rows.iter().filter(|r| r.signal == signal).count(), expected, "{signal:?}");
        }
    }

    #[test]
    fn rows_of_one_metric_stand_together() {
        for detail in [Detail::Figures, Detail::Histogram] {
            let mut seen: Vec<&str> = Kind::Alb.rows(detail).iter().map(|r| r.metric).collect();
            seen.dedup();
            let runs = seen.len();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(runs, seen.len());
        }
    }

    #[test]
    fn a_slowly_polled_gateway_costs_two_metrics_a_request_and_a_fast_polled_one_five() {
        for (detail, slow, fast) in [(Detail::Figures, 2, 5), (Detail::Histogram, 4, 7)] {
            assert_eq!(Kind::Alb.billed_metrics(PollRate::Slow, detail), slow);
            assert_eq!(Kind::Alb.billed_metrics(PollRate::Fast, detail), fast);
        }
    }

    #[test]
    fn a_key_says_whose_it_is() {
        let id = gateway(60.0, 0.8).id;
        assert_eq!(Identity::of_key(&id.key()), id);
        let odd = Identity::of_key("eu-central-1//web");
        assert_eq!((odd.name.as_str(), odd.account.as_str()), ("web", ""));
        assert_eq!(Identity::of_key("").key(), "//");
    }

    #[test]
    fn an_arn_is_made_of_the_identity() {
        assert_eq!(
            gateway(60.0, 0.8).id.arn().as_deref(),
            Some(
                "arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/web/50dc6c495c0c9188"
            )
        );
    }
}
