//! The statistics that CloudWatch is asked for, as it spells them.

use crate::gateway::Gateway;
use crate::gateway::bounds;
use crate::gateway::polling::PollRate;
use crate::gateway::signal::Signal;
use crate::number::milliseconds;

/// One signal in CloudWatch's words.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// This program's name for it.
    pub signal: Signal,
    /// CloudWatch's `MetricName`.
    pub metric: &'static str,
    /// CloudWatch's `Stat`.
    pub stat: Stat,
    /// The lowest poll rate that needs it.
    pub rate: PollRate,
}

/// A statistic, possibly one that depends on the gateway's timeout.
#[derive(Debug, Clone, Copy)]
pub enum Stat {
    /// A number of things.
    Count(&'static str),
    /// A percentile, a maximum or a sum of latencies, in the unit of the metric.
    Latency(&'static str),
    /// `TC(f*T:T)`: the count of samples above `f*T` and up to `T`. CloudWatch
    /// takes the lower bound as exclusive and the upper as inclusive. Where the
    /// gateway itself waits longer than `T`, there is no upper bound: what
    /// comes after `T` is late for whoever set it, and leaves a sample.
    CountNearTimeout,
    /// `TC(T:)`: the count of samples that timeouts left. They may lie a thousandth of a
    /// second below.
    CountAtTimeout,
    /// `TC(:b)`: the count of samples up to the bucket bound of this number.
    CountWithin(u8),
}

/// The unit of a latency metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Thousandths of a second.
    Milliseconds,
}

impl Unit {
    /// How many of it a second has.
    #[must_use]
    pub fn per_second(self) -> f64 {
        match self {
            Self::Seconds => 1.0,
            Self::Milliseconds => 1_000.0,
        }
    }
}

/// What a request that timed out leaves among the latencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// No sample: requests are samples and timeouts together.
    NoSample,
    /// A sample at the timeout: it is one of the samples, and no near miss.
    SampleAtTimeout,
}

/// The upper bound of near misses lies this far below a timeout that leaves a sample, s.
pub const JUST_BELOW: f64 = 0.001;

impl Stat {
    /// The sum of a counter.
    pub const SUM: Self = Self::Count("Sum");

    /// How CloudWatch spells it for this gateway.
    #[must_use]
    pub fn spelled_for(self, gateway: &Gateway) -> String {
        let spec = gateway.id.kind.spec();
        let scaled = |seconds: f64| milliseconds(seconds * spec.latency.unit.per_second());
        let timeout = gateway.timeout.seconds;
        let last = match spec.timeouts.leave {
            Leave::NoSample => timeout,
            Leave::SampleAtTimeout => timeout - JUST_BELOW,
        };
        match self {
            Self::Count(stat) | Self::Latency(stat) => stat.to_owned(),
            Self::CountAtTimeout => format!("TC({}:)", scaled(timeout - JUST_BELOW)),
            Self::CountWithin(bound) => {
                format!("TC(:{})", scaled(bounds::bound_seconds(bound, timeout).min(last)))
            }
            Self::CountNearTimeout => {
                let near = scaled(gateway.near_seconds());
                if gateway.timeout.is_below_the_gateways_own() {
                    return format!("TC({near}:)");
                }
                format!("TC({near}:{})", scaled(last))
            }
        }
    }

    /// What CloudWatch's values are divided by to be seconds or a number of things, where
    /// the latency has this unit.
    #[must_use]
    pub fn per_unit(self, unit: Unit) -> f64 {
        match self {
            Self::Latency(_) => unit.per_second(),
            Self::Count(_)
            | Self::CountNearTimeout
            | Self::CountAtTimeout
            | Self::CountWithin(_) => 1.0,
        }
    }
}

/// The latencies of some requests, as far as percentiles say, seconds.
#[derive(Debug, Clone, Copy)]
pub struct Percentiles {
    /// How many requests.
    pub samples: f64,
    /// Their median.
    pub p50: Option<f64>,
    /// Their 99th percentile.
    pub p99: Option<f64>,
    /// The latency of the slowest.
    pub maximum: Option<f64>,
}

impl Percentiles {
    /// How many of the requests took longer than `limit` seconds, at the least: of those
    /// above a percentile all did, and the slowest is one.
    #[must_use]
    pub fn above(&self, limit: f64) -> f64 {
        let is_above = |figure: Option<f64>| figure.is_some_and(|figure| figure > limit);
        let share = match () {
            () if is_above(self.p50) => 0.5,
            () if is_above(self.p99) => 0.01,
            () if is_above(self.maximum) => 0.0,
            () => return 0.0,
        };
        (self.samples * share).floor().max(1.0).min(self.samples)
    }

    /// How many of the requests took longer than `limit` seconds, at the most.
    fn above_at_most(&self, limit: f64) -> f64 {
        let is_within = |figure: Option<f64>| figure.is_none_or(|figure| figure <= limit);
        let share = match () {
            () if is_within(self.maximum) => return 0.0,
            () if is_within(self.p99) => 0.01,
            () if is_within(self.p50) => 0.5,
            () => 1.0,
        };
        (self.samples * share).ceil()
    }

    /// How many of the requests were near misses, at the least, and how many left a sample at
    /// the timeout: as many as `failed`, as far as these percentiles allow that, and at the
    /// least where nobody counted what failed. `near` and `timeout` are seconds.
    #[must_use]
    pub fn near_and_timed_out(&self, near: f64, timeout: f64, failed: Option<f64>) -> (f64, f64) {
        let limit = timeout - JUST_BELOW;
        let timed_out = failed.unwrap_or(0.0).min(self.above_at_most(limit)).max(self.above(limit));
        ((self.above(near) - timed_out).max(0.0), timed_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_show_at_least_how_many_were_late() {
        let of = |p50, p99, maximum| {
            let [p50, p99, maximum] = [p50, p99, maximum].map(Some);
            Percentiles { samples: 1_000.0, p50, p99, maximum }
        };
        assert_eq!(of(0.1, 0.2, 0.3).near_and_timed_out(2.4, 3.0, None), (0.0, 0.0));
        assert_eq!(of(0.1, 0.2, 2.5).near_and_timed_out(2.4, 3.0, None), (1.0, 0.0));
        assert_eq!(of(0.1, 2.5, 3.0).near_and_timed_out(2.4, 3.0, None), (9.0, 1.0));
        assert_eq!(of(2.5, 3.0, 3.0).near_and_timed_out(2.4, 3.0, None), (490.0, 10.0));
        assert_eq!(of(3.0, 3.0, 3.0).near_and_timed_out(2.4, 3.0, None), (0.0, 500.0));
        let failed =
            |p50, p99, failed| of(p50, p99, 3.0).near_and_timed_out(2.4, 3.0, Some(failed));
        assert_eq!(failed(0.1, 3.0, 30.0), (0.0, 30.0), "as many as failed");
        assert_eq!(failed(0.1, 0.2, 30.0), (0.0, 10.0), "the p99 says that there were fewer");
        assert_eq!(failed(0.1, 3.0, 2.0), (0.0, 10.0), "as many as the percentiles show");
        assert_eq!(failed(3.0, 3.0, 1_000.0), (0.0, 1_000.0), "all");
        let few = Percentiles { samples: 2.0, ..of(0.1, 2.5, 2.5) };
        assert_eq!(few.near_and_timed_out(2.4, 3.0, None), (1.0, 0.0));
        let none = Percentiles { samples: 0.0, p50: None, p99: None, maximum: None };
        assert_eq!(none.near_and_timed_out(2.4, 3.0, None), (0.0, 0.0));
    }
}
