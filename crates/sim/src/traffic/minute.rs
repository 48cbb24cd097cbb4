//! One minute of one load balancer: the requests that ended in it, and the truth.
//!
//! Everything anybody may ask is computed from these requests. A bounded cache
//! keeps recent minutes, because one poll asks for the same minute dozens of
//! times.

use serde::Serialize;

use crate::sorting::sort;
use crate::statistics::{Pool, rank};
use crate::traffic::request::{Outcome, Request, SECOND};

/// What really happened in one minute; counts are requests, times are seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Truth {
    /// Epoch minute.
    pub minute: i64,
    /// Everything a target was chosen for that ended in this minute.
    pub requests: u64,
    /// Answered: leaves a `TargetResponseTime` sample.
    pub samples: u64,
    /// Answered after more than 0.8 and at most 1.0 idle timeouts.
    pub near_misses: u64,
    /// 504s of the load balancer, every kind.
    pub elb_504: u64,
    /// 504s because no connection was established within 10 s.
    pub connect_failures: u64,
    /// 504s because a body stalled; these are samples as well.
    #[serde(skip_serializing_if = "is_default")]
    pub stalled: u64,
    /// 504s because no TLS handshake completed within 10 s.
    #[serde(skip_serializing_if = "is_default")]
    pub handshakes: u64,
    /// 503s: there was no target; these are no `RequestCount`.
    #[serde(skip_serializing_if = "is_default")]
    pub elb_503: u64,
    /// Connections the load balancer did not take.
    #[serde(skip_serializing_if = "is_default")]
    pub rejected: u64,
    /// 460s: clients gave up before the idle timeout, without a sample.
    #[serde(skip_serializing_if = "is_default")]
    pub abandoned: u64,
    /// 502s of the load balancer, every kind.
    pub elb_502: u64,
    /// 502s because nobody listened at the target; these leave no sample.
    #[serde(skip_serializing_if = "is_default")]
    pub closed: u64,
    /// 5xx the targets answered themselves.
    pub target_5xx: u64,
    /// Median of the samples, seconds.
    pub median: Option<f64>,
    /// 99th percentile of the samples (nearest rank), seconds.
    pub p99: Option<f64>,
    /// Largest sample, seconds.
    pub maximum: Option<f64>,
    /// Idle timeout in force, seconds.
    pub idle_timeout: u32,
}

/// The requests that ended in one minute, fastest first.
pub(crate) struct Minute {
    /// Requests, each with how many of the same it stands for.
    requests: Vec<Request>,
    /// The same for requests that stand for `bundle` each.
    bundles: Vec<Request>,
    bundle: u32,
    /// When each of the requests began, if the minute is that in which they did.
    begun: Vec<u32>,
    pub(crate) signs: Signs,
    tally: [u32; 11],
}

/// What a minute of a script shows apart from its requests; bits are targets.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Signs {
    /// Those that fail their health checks.
    pub(crate) unhealthy: u16,
    /// Those that are not registered, or as good as that.
    pub(crate) away: u16,
    /// Those that look unlike the others.
    pub(crate) anomalous: u16,
    /// Whether the targets of a further group fail their health checks.
    pub(crate) backup_down: bool,
    /// Whether the load balancer is at its limit.
    pub(crate) impaired: bool,
    /// Whether `CloudWatch` has no datapoints of it.
    pub(crate) hidden: bool,
}

/// Requests that end in one minute, in any order.
#[derive(Default)]
pub(crate) struct Ended {
    pub(crate) single: Vec<Request>,
    pub(crate) bundled: Vec<Request>,
    /// When each of the single ones began, microseconds into the minute, if this is the
    /// minute in which they began.
    begun: Vec<u32>,
}

impl Ended {
    /// Takes a request that began this many microseconds into the minute.
    pub(crate) fn begin(&mut self, request: Request, at: u32) {
        self.single.push(request);
        self.begun.push(at);
    }

    /// Takes a request, which may stand for many.
    pub(crate) fn push(&mut self, request: Request, bundled: bool) {
        if bundled { self.bundled.push(request) } else { self.single.push(request) }
    }
}

impl Minute {
    /// A minute in which these requests ended; a bundled one stands for `bundle`.
    pub(crate) fn new(ended: Ended, bundle: u32) -> Self {
        let Ended { single: mut requests, bundled: mut bundles, mut begun } = ended;
        if !begun.is_empty() {
            let mut pairs: Vec<(Request, u32)> = requests.into_iter().zip(begun).collect();
            pairs.sort_by_key(|(request, at)| (exact(*request), *at));
            (requests, begun) = pairs.into_iter().unzip();
        }
        let mut tally = [0; 11];
        for (list, times) in [(&mut requests, 1), (&mut bundles, bundle)] {
            sort(list, |r| r.took, |r| exact(*r));
            for request in &*list {
                tally[request.outcome as usize] += times;
            }
            list.shrink_to_fit();
        }
        Self { requests, bundles, bundle, begun, signs: Signs::default(), tally }
    }

    /// A minute of a script.
    pub(crate) fn played(ended: Ended, bundle: u32, signs: Signs) -> Self {
        Self { signs, ..Self::new(ended, bundle) }
    }

    /// The minute with about this share of its requests, drawn by the number of each.
    pub(crate) fn thinned(&self, share: f64, draw: impl Fn(u64) -> f64) -> Self {
        let mut ended = Ended::default();
        for (at, request) in (0_u64..).zip(self.requests.iter().chain(&self.bundles)) {
            if draw(at) < share {
                match self.begun.get(at as usize) {
                    Some(begun) => ended.begin(*request, *begun),
                    None => ended.push(*request, at >= self.requests.len() as u64),
                }
            }
        }
        Self { signs: self.signs, ..Self::new(ended, self.bundle) }
    }

    /// Whether each of its requests began in it and was over this many microseconds after
    /// the minute began.
    pub(crate) fn over(&self, after: u64) -> bool {
        self.ends().all(|(_, _, end)| end <= after)
    }

    /// The minute as far as its requests, which began in it, were over this many microseconds
    /// after it began.
    pub(crate) fn until(&self, after: u64) -> Self {
        let mut ended = Ended::default();
        for (request, at, _) in self.ends().filter(|(_, _, end)| *end <= after) {
            ended.begin(request, at);
        }
        Self { signs: self.signs, ..Self::new(ended, self.bundle) }
    }

    /// The requests that began in the minute, when they did, and when they were over, in
    /// microseconds after the minute began.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (Request, u32, u64)> {
        let begun = self.requests.iter().zip(&self.begun);
        begun.map(|(one, at)| (*one, *at, u64::from(*at) + u64::from(one.took)))
    }

    /// Every request, with how many of the same it stands for.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (Request, u64)> {
        let single = self.requests.iter().map(|request| (*request, 1));
        single.chain(self.bundles.iter().map(|request| (*request, u64::from(self.bundle))))
    }

    /// The minute as far as its requests went to one target group.
    pub(crate) fn of_group(&self, group: usize) -> Self {
        let mut ended = Ended::default();
        for (at, request) in self.requests.iter().chain(&self.bundles).enumerate() {
            if usize::from(request.group) == group {
                ended.push(*request, at >= self.requests.len());
            }
        }
        Self { signs: self.signs, ..Self::new(ended, self.bundle) }
    }

    /// How many requests ended.
    pub(crate) fn ended(&self) -> u64 {
        self.tally.iter().map(|count| u64::from(*count)).sum()
    }

    /// What it takes to keep the minute, in requests.
    pub(crate) fn weight(&self) -> usize {
        self.requests.len() + self.bundles.len() + 16
    }

    /// How many requests ended this way.
    pub(crate) fn count(&self, outcome: Outcome) -> u64 {
        u64::from(self.tally[outcome as usize])
    }

    /// 504s of every kind.
    pub(crate) fn timed_out(&self) -> u64 {
        let kinds = [Outcome::Unreachable, Outcome::TimedOut, Outcome::Stalled, Outcome::Handshake];
        kinds.into_iter().map(|kind| self.count(kind)).sum()
    }

    /// Samples with how often each comes; in order, unless there are bundles.
    pub(crate) fn samples(&self) -> impl Iterator<Item = (Request, u64)> {
        self.requests().filter(|(request, _)| request.outcome.sampled())
    }

    /// The ground truth of this minute.
    pub(crate) fn truth(&self, minute: i64, timeout: u32) -> Truth {
        let samples =
            Pool::new(self.samples().map(|(one, times)| (seconds(one.took), times)).collect());
        let at = |percent: f64| samples.at(rank(samples.count(), percent));
        let (low, high) = (u64::from(timeout) * 800_000, u64::from(timeout) * 1_000_000);
        let near = |(request, times): (Request, u64)| {
            let took = u64::from(request.took);
            if took > low && took <= high { times } else { 0 }
        };
        let no_target = self.count(Outcome::Refused) + self.count(Outcome::Rejected);
        Truth {
            minute,
            requests: self.ended() - no_target,
            samples: samples.count(),
            near_misses: self.samples().map(near).sum(),
            elb_504: self.timed_out(),
            connect_failures: self.count(Outcome::Unreachable),
            stalled: self.count(Outcome::Stalled),
            handshakes: self.count(Outcome::Handshake),
            elb_503: self.count(Outcome::Refused),
            rejected: self.count(Outcome::Rejected),
            abandoned: self.count(Outcome::Abandoned),
            elb_502: self.count(Outcome::Reset) + self.count(Outcome::Closed),
            closed: self.count(Outcome::Closed),
            target_5xx: self.count(Outcome::TargetError),
            median: at(50.0),
            p99: at(99.0),
            maximum: at(100.0),
            idle_timeout: timeout,
        }
    }
}

/// For counts that only some scenarios have.
fn is_default<T: Default + PartialEq>(count: &T) -> bool {
    *count == T::default()
}

/// A number that puts requests in an order that does not depend on anything else.
fn exact(r: Request) -> u64 {
    let rest = [r.outcome as u8, r.group, r.zone, r.target];
    u64::from(r.took) << 32 | u64::from(u32::from_be_bytes(rest))
}

/// Microseconds as seconds.
pub(crate) fn seconds(micros: u32) -> f64 {
    f64::from(micros) / f64::from(SECOND)
}
