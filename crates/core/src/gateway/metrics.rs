//! Where CloudWatch keeps each signal of each kind of gateway.

use crate::gateway::Gateway;
use crate::gateway::bounds;
use crate::gateway::polling::PollRate;
use crate::gateway::signal::Signal;
use crate::number::milliseconds;

/// One signal of one kind of gateway in CloudWatch's words.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Our name.
    pub signal: Signal,
    /// CloudWatch's `MetricName`.
    pub metric: &'static str,
    /// CloudWatch's `Stat`.
    pub stat: Stat,
    /// The least tier that needs it.
    pub tier: PollRate,
}

/// A statistic, possibly one that depends on the gateway's timeout.
#[derive(Debug, Clone, Copy)]
pub enum Stat {
    /// As it stands.
    Fixed(&'static str),
    /// `TC(f*T:T)`: the count of samples above `f*T` and up to `T`. CloudWatch
    /// takes the lower bound as exclusive and the upper as inclusive. Where the
    /// load balancer itself waits longer than `T`, there is no upper bound: what
    /// comes after `T` is late for whoever set it, and leaves a sample.
    CountNearTimeout,
    /// `TC(:b)`: the count of samples up to the bucket bound of this number.
    CountWithin(u8),
}

impl Stat {
    /// How CloudWatch spells it for this gateway.
    #[must_use]
    pub fn spelled_for(self, gateway: &Gateway) -> String {
        match self {
            Self::Fixed(stat) => stat.to_owned(),
            Self::CountWithin(bound) => {
                format!("TC(:{})", bounds::bound_seconds(bound, gateway.timeout.seconds))
            }
            Self::CountNearTimeout => {
                let near = milliseconds(gateway.near_seconds());
                let until = if gateway.timeout.is_below_the_load_balancers() {
                    String::new()
                } else {
                    milliseconds(gateway.timeout.seconds).to_string()
                };
                format!("TC({near}:{until})")
            }
        }
    }
}

pub(super) const LATENCY: &str = "TargetResponseTime";

const fn always(signal: Signal, metric: &'static str, stat: Stat) -> Row {
    Row { signal, metric, stat, tier: PollRate::Slow }
}

const fn fast_only(signal: Signal, metric: &'static str, stat: Stat) -> Row {
    Row { signal, metric, stat, tier: PollRate::Fast }
}

pub(super) const ALB: &[Row] = &[
    always(Signal::P50, LATENCY, Stat::Fixed("p50")),
    always(Signal::P99, LATENCY, Stat::Fixed("p99")),
    always(Signal::Maximum, LATENCY, Stat::Fixed("Maximum")),
    always(Signal::Samples, LATENCY, Stat::Fixed("SampleCount")),
    always(Signal::NearMisses, LATENCY, Stat::CountNearTimeout),
    always(Signal::Timeouts, "HTTPCode_ELB_504_Count", Stat::Fixed("Sum")),
    fast_only(Signal::ConnectionErrors, "TargetConnectionErrorCount", Stat::Fixed("Sum")),
    fast_only(Signal::TlsErrors, "TargetTLSNegotiationErrorCount", Stat::Fixed("Sum")),
    fast_only(Signal::RequestCount, "RequestCount", Stat::Fixed("Sum")),
];

pub(super) const ALB_QUARTERS: &[Row] = &[
    ALB[0],
    ALB[1],
    ALB[2],
    ALB[3],
    always(Signal::Sum, LATENCY, Stat::Fixed("Sum")),
    ALB[4],
    ALB[5],
    ALB[6],
    ALB[7],
];

const fn within(bound: u8) -> Row {
    always(Signal::Within(bound), LATENCY, Stat::CountWithin(bound))
}

/// Fifteen statistics of the latency are three metrics; one more would be four.
pub(super) const ALB_HISTOGRAM: &[Row] = &[
    ALB[0],
    ALB[1],
    ALB[2],
    ALB[3],
    always(Signal::Sum, LATENCY, Stat::Fixed("Sum")),
    within(0),
    within(1),
    within(2),
    within(3),
    within(4),
    within(5),
    within(6),
    within(7),
    within(8),
    within(9),
    ALB[5],
    ALB[6],
    ALB[7],
    ALB[8],
];
