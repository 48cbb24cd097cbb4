//! The figures of a diagnosis, and for what CloudWatch has them.

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
    /// For what it is published.
    pub published: Published,
    /// What an absent datapoint is in a complete answer: zero for what is only
    /// reported when it is not zero.
    pub absent: Option<f64>,
}
