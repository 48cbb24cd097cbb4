//! Lambda functions.

use super::{Dated, Forms, KindSpec, Latency, Timeouts, Topology, Words};
use crate::gateway::metrics::{Leave, Stat, Unit};

pub(super) const SPEC: KindSpec = KindSpec {
    name: "lambda",
    words: Words {
        key: "name",
        title: "AWS Lambda function",
        one: "function",
        several: "functions",
        label: "Function",
        timeout: "timeout",
        find_slow: "in the function's log, REPORT lines with a Duration above",
        find_timeouts: "in the function's log, lines with \"Task timed out\"",
        capacity: "Check that no limit was reached: Throttles and ConcurrentExecutions.",
        blackout: "Check the function now: its last deployment, and what it depends on.",
        unreachable: [
            "Check the security group and the routes of the function's VPC.",
            "Check what the function calls first.",
        ],
        slow_or_unreachable: "Compare Duration with InitDuration: a cold start is not slow work.",
    },
    namespace: "AWS/Lambda",
    dimensions: &["FunctionName"],
    forms: Forms {
        arn_service: "lambda",
        arn_resource: "function:",
        dimension: "checkout",
        is_dimension: |text| !text.contains(['/', ':']),
        is_no_name: |_| false,
        name: |dimension| dimension,
        lasting: |_| None,
    },
    latency: Latency { metric: "Duration", unit: Unit::Milliseconds },
    timeouts: Timeouts { metric: "Errors", leave: Leave::SampleAtTimeout },
    counters: &[],
    answers: ("Invocations", Stat::SUM),
    dated: Dated::AtItsStart,
    self_check: None,
    target_groups: None,
    evidence: &[],
    topology: Topology::Unknown,
};
