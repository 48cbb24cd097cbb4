//! Lambda functions.
//!
//! A timeout leaves a `Duration` of exactly the timeout, and is one of `Errors`, which counts
//! everything that failed. An invocation is dated by its start, so that a minute is complete
//! once the timeout has passed.

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
        end: "time out",
        ended: "timed out",
        timeouts: "timeouts",
        find_slow: "in the function's log, REPORT lines with a Duration above",
        find_timeouts: "in the function's log, REPORT lines with \"Status: timeout\"",
        which_are_slow: "Is it one kind of event, one version, or all?",
        too_slow: "the function is too slow",
        capacity: "Check that no limit was reached: Throttles and ConcurrentExecutions.",
        blackout: "Check the function now: its last deployment, and what it calls.",
        unreachable: [
            "Check the security group and the routes of the function's VPC.",
            "Check the connection timeouts of what the function calls: they should be shorter than its own timeout.",
        ],
        slow_or_unreachable: "Compare the Init Duration in the function's log: a cold start is not slow work.",
    },
    namespace: "AWS/Lambda",
    dimensions: &["FunctionName"],
    forms: Forms {
        arn_service: "lambda",
        arn_resource: "function:",
        dimension: "checkout",
        is_dimension: |text| !text.is_empty() && !text.contains(['/', ':']),
        is_no_name: |_| false,
        name: |dimension| dimension,
        lasting: |_| None,
    },
    latency: Latency { metric: "Duration", unit: Unit::Milliseconds, has_bounds: false },
    timeouts: Timeouts { metric: "Errors", stat: Stat::SUM, leave: Leave::SampleAtTimeout },
    counters: &[],
    answers: ("Invocations", Stat::SUM),
    dated: Dated::AtItsStart,
    self_check: None,
    target_groups: None,
    evidence: &[],
    topology: Topology::Unknown,
};
