//! Application Load Balancers.

use super::{
    Dated, Forms, KindSpec, Latency, SelfCheckMetrics, TargetGroupMetrics, Timeouts, Topology,
    Words,
};
use crate::gateway::evidence::{self, Measure, Published};
use crate::gateway::metrics::{Leave, Row, Stat, Unit};
use crate::gateway::polling::PollRate;
use crate::gateway::signal::Signal;

const LATENCY: &str = "TargetResponseTime";
const TIMEOUTS: &str = "HTTPCode_ELB_504_Count";

pub(super) const SPEC: KindSpec = KindSpec {
    name: "alb",
    words: Words {
        key: "load_balancer",
        title: "Application Load Balancer",
        one: "load balancer",
        several: "load balancers",
        label: "Load balancer",
        timeout: "idle timeout",
        end: "end in 504",
        ended: "ended in 504",
        timeouts: "504s",
        find_slow: "in the access log, target_processing_time above",
        find_timeouts: "in the access log, elb_status_code 504 with target_status_code \"-\"",
        which_are_slow: "Is it one URL, one target, or all?",
        too_slow: "the targets are too slow",
        capacity: "Check that no target was lost: HealthyHostCount of each target group.",
        blackout: "Check the targets now: HealthyHostCount, their processes, and what all of them depend on.",
        unreachable: [
            "Check security groups and network ACLs between load balancer and targets, in both directions.",
            "Check for targets that died or were deregistered, and for a full connection backlog.",
        ],
        slow_or_unreachable: "Compare with TargetConnectionErrorCount: if it matches, the targets are unreachable (security group, network ACL, dead target), not slow.",
    },
    namespace: "AWS/ApplicationELB",
    dimensions: &["LoadBalancer"],
    forms: Forms {
        arn_service: "elasticloadbalancing",
        arn_resource: "loadbalancer/",
        dimension: "app/web/50dc6c495c0c9188",
        is_dimension,
        is_no_name: |text| text.contains('/'),
        name: second_part,
        lasting: |dimension| dimension.rsplit_once('/').map(|(lasting, _)| lasting),
    },
    latency: Latency { metric: LATENCY, unit: Unit::Seconds, has_bounds: true },
    timeouts: Timeouts { metric: TIMEOUTS, stat: Stat::SUM, leave: Leave::NoSample },
    counters: &[
        fast_only(Signal::ConnectionErrors, "TargetConnectionErrorCount"),
        fast_only(Signal::TlsErrors, "TargetTLSNegotiationErrorCount"),
        fast_only(Signal::RequestCount, "RequestCount"),
    ],
    answers: ("HTTPCode_Target_2XX_Count", Stat::SUM),
    dated: Dated::AtItsEnd,
    self_check: Some(SelfCheckMetrics {
        within: "TC(:1000000)", // eleven days
        unclear: &["HTTPCode_ELB_502_Count"],
        answered: &[
            "HTTPCode_Target_2XX_Count",
            "HTTPCode_Target_3XX_Count",
            "HTTPCode_Target_4XX_Count",
            "HTTPCode_Target_5XX_Count",
        ],
    }),
    target_groups: Some(TargetGroupMetrics {
        dimension: "TargetGroup",
        name: second_part,
        p99: (LATENCY, "p99"),
        healthy: ("HealthyHostCount", "Minimum"),
    }),
    evidence: EVIDENCE,
    topology: Topology::LoadBalancer,
};

/// `app/NAME/ID`.
fn is_dimension(text: &str) -> bool {
    match text.split('/').collect::<Vec<_>>()[..] {
        ["app", name, id] => !name.is_empty() && !id.is_empty(),
        _ => false,
    }
}

/// `web` of `app/web/50dc6c495c0c9188` and of `targetgroup/web/81e9c6a0d23bf938`.
fn second_part(dimension: &str) -> &str {
    dimension.split('/').nth(1).unwrap_or(dimension)
}

const fn fast_only(signal: Signal, metric: &'static str) -> Row {
    Row { signal, metric, stat: Stat::SUM, rate: PollRate::Fast }
}

const fn counted(measure: Measure, metric: &'static str, published: Published) -> evidence::Row {
    evidence::Row { measure, metric, stat: Stat::SUM, published, absent: Some(0.0) }
}

const fn latency(measure: Measure, stat: Stat, absent: Option<f64>) -> evidence::Row {
    evidence::Row { measure, metric: LATENCY, stat, published: Published::Everywhere, absent }
}

const fn hosts(measure: Measure, metric: &'static str, stat: &'static str) -> evidence::Row {
    let published = Published::TargetGroup;
    evidence::Row { measure, metric, stat: Stat::Count(stat), published, absent: None }
}

const EVIDENCE: &[evidence::Row] = &[
    latency(Measure::P50, Stat::Latency("p50"), None),
    latency(Measure::P90, Stat::Latency("p90"), None),
    latency(Measure::P99, Stat::Latency("p99"), None),
    latency(Measure::Maximum, Stat::Latency("Maximum"), None),
    latency(Measure::Samples, Stat::Count("SampleCount"), Some(0.0)),
    latency(Measure::Sum, Stat::Latency("Sum"), Some(0.0)),
    latency(Measure::NearMisses, Stat::CountNearTimeout, Some(0.0)),
    counted(Measure::Requests, "RequestCount", Published::Everywhere),
    counted(Measure::Elb504, TIMEOUTS, Published::Balancer),
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
