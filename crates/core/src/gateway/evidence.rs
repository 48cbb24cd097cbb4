//! Which metric of CloudWatch each figure of a diagnosis is, and of what it has one.

use crate::gateway::metrics::Stat;

/// One figure that `CloudWatch` has for each minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// `RequestCount`: requests for which a target was chosen.
    Requests,
    /// `TargetResponseTime` `SampleCount`: requests that were answered.
    Samples,
    /// `TargetResponseTime` sum, seconds.
    Sum,
    /// `TargetResponseTime` median, seconds.
    P50,
    /// `TargetResponseTime` p90, seconds.
    P90,
    /// `TargetResponseTime` p99, seconds.
    P99,
    /// `TargetResponseTime` maximum, seconds.
    Maximum,
    /// `TargetResponseTime` TC(near * T : T): near misses.
    NearMisses,
    /// `HTTPCode_ELB_504_Count`.
    Elb504,
    /// `HTTPCode_ELB_502_Count`.
    Elb502,
    /// `HTTPCode_ELB_503_Count`.
    Elb503,
    /// `HTTPCode_ELB_4XX_Count`.
    Elb4xx,
    /// `HTTPCode_Target_5XX_Count`: errors that targets answered themselves.
    Target5xx,
    /// `TargetConnectionErrorCount`.
    ConnectionErrors,
    /// `TargetTLSNegotiationErrorCount`.
    TlsErrors,
    /// `RejectedConnectionCount`: the load balancer's own limit.
    Rejected,
    /// `HealthyHostCount`, minimum.
    Healthy,
    /// `UnHealthyHostCount`, maximum.
    Unhealthy,
    /// `AnomalousHostCount`, maximum.
    Anomalous,
    /// `UnhealthyRoutingRequestCount`: requests routed by fail-open.
    FailOpen,
    /// `LambdaUserError`.
    LambdaUserErrors,
    /// `LambdaInternalError`.
    LambdaInternalErrors,
}

/// What a metric is published for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// The load balancer and its zones: what says nothing of a target.
    Balancer,
    /// Each target group alone.
    TargetGroup,
    /// All of these.
    Everywhere,
}

/// One figure: where it comes from, and what an absent datapoint means.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The figure.
    pub measure: Measure,
    /// Its metric.
    pub metric: &'static str,
    /// The statistic of it.
    pub stat: Stat,
    /// Of what it is published.
    pub published: Published,
    /// What an absent datapoint is in a complete answer: zero for what is only
    /// reported when it is not zero.
    pub absent: Option<f64>,
}

const LATENCY: &str = "TargetResponseTime";

const fn counted(measure: Measure, metric: &'static str, published: Published) -> Row {
    Row { measure, metric, stat: Stat::Fixed("Sum"), published, absent: Some(0.0) }
}

const fn latency(measure: Measure, stat: Stat, absent: Option<f64>) -> Row {
    Row { measure, metric: LATENCY, stat, published: Published::Everywhere, absent }
}

const fn hosts(measure: Measure, metric: &'static str, stat: &'static str) -> Row {
    let published = Published::TargetGroup;
    Row { measure, metric, stat: Stat::Fixed(stat), published, absent: None }
}

/// The figures of an Application Load Balancer.
pub const ALB: &[Row] = &[
    latency(Measure::P50, Stat::Fixed("p50"), None),
    latency(Measure::P90, Stat::Fixed("p90"), None),
    latency(Measure::P99, Stat::Fixed("p99"), None),
    latency(Measure::Maximum, Stat::Fixed("Maximum"), None),
    latency(Measure::Samples, Stat::Fixed("SampleCount"), Some(0.0)),
    latency(Measure::Sum, Stat::Fixed("Sum"), Some(0.0)),
    latency(Measure::NearMisses, Stat::CountNearTimeout, Some(0.0)),
    counted(Measure::Requests, "RequestCount", Published::Everywhere),
    counted(Measure::Elb504, "HTTPCode_ELB_504_Count", Published::Balancer),
    counted(Measure::Elb502, "HTTPCode_ELB_502_Count", Published::Balancer),
    counted(Measure::Elb503, "HTTPCode_ELB_503_Count", Published::Balancer),
    counted(Measure::Elb4xx, "HTTPCode_ELB_4XX_Count", Published::Balancer),
    counted(Measure::Target5xx, "HTTPCode_Target_5XX_Count", Published::Everywhere),
    counted(Measure::ConnectionErrors, "TargetConnectionErrorCount", Published::Everywhere),
    counted(Measure::TlsErrors, "TargetTLSNegotiationErrorCount", Published::Everywhere),
    counted(Measure::Rejected, "RejectedConnectionCount", Published::Balancer),
    hosts(Measure::Healthy, "HealthyHostCount", "Minimum"),
    hosts(Measure::Unhealthy, "UnHealthyHostCount", "Maximum"),
    hosts(Measure::Anomalous, "AnomalousHostCount", "Maximum"),
    counted(Measure::FailOpen, "UnhealthyRoutingRequestCount", Published::TargetGroup),
    counted(Measure::LambdaUserErrors, "LambdaUserError", Published::TargetGroup),
    counted(Measure::LambdaInternalErrors, "LambdaInternalError", Published::TargetGroup),
];
