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
const JUST_BELOW: f64 = 0.001;

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
            Self::Count(_) | Self::CountNearTimeout | Self::CountWithin(_) => 1.0,
        }
    }
}
