//! The causes: one row of a table for each, from which names, words, sources and
//! the documentation follow.
//!
//! A cause is added here, as a variant and a row, and in `checks.rs` with
//! the function that looks for it.

use serde::Serialize;

/// What makes a load balancer answer 502, 503 or 504, or is about to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A part of the requests grows slower until it passes the idle timeout.
    SlowTarget,
    /// Traffic above the capacity of the targets.
    QueueingTraffic,
    /// Too few healthy targets for normal traffic.
    QueueingCapacity,
    /// One target that accepts requests and does not answer.
    BadTarget,
    /// A part of the requests that became slow at once.
    SlowSubset,
    /// A part of the requests that is never answered.
    Hang,
    /// A security group that does not admit the load balancer.
    ConnectSecurityGroup,
    /// A network ACL that stops requests or answers.
    ConnectNetworkAcl,
    /// A route that is missing or leads nowhere.
    ConnectRoute,
    /// A registered address behind which nothing lives.
    ConnectDeadTarget,
    /// A target that got last requests after it had gone, in a deployment.
    DeployRace,
    /// TLS handshakes with targets that take too long.
    TlsHandshake,
    /// Answers that are shorter than they announce.
    ContentLength,
    /// The Lambda service did not answer in time.
    LambdaService,
    /// No healthy target, so that all get requests.
    FailOpen,
    /// An idle timeout below what requests need.
    IdleTimeoutLowered,
    /// The load balancer itself is at its limit.
    LoadBalancerLimit,
    /// Targets that close idle connections before the load balancer does.
    KeepAlive,
    /// A deregistration delay below the longest requests.
    DeregistrationDelay,
    /// Tasks that are killed in the middle of requests.
    TaskKilled,
    /// Containers that are killed before they could finish.
    EcsStopTimeout,
    /// A Lambda function that reaches its own timeout.
    LambdaTimeout,
    /// Nothing is registered that could get a request.
    NoRegisteredTarget,
    /// Some targets fail their health checks.
    UnhealthyTargets,
}

/// What is known of a cause.
struct Row {
    cause: Cause,
    name: &'static str,
    /// One sentence without a full stop.
    meaning: &'static str,
    /// What would show it, and nothing else.
    telltale: &'static str,
    source: &'static str,
}

const TROUBLESHOOTING: &str = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html";
const METRICS: &str = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html";
const ATTRIBUTES: &str = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html";
const HEALTH: &str = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html";
const GROUP_ATTRIBUTES: &str = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html";
const LAMBDA: &str =
    "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html";
const ECS_PARAMETERS: &str =
    "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html";
const ECS_STOPPED: &str =
    "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html";

/// All that is known, in the order of [`Cause::ALL`].
const TABLE: [Row; 24] = [
    Row {
        cause: Cause::SlowTarget,
        name: "slow_target",
        meaning: "A part of the requests takes longer and longer, up to the idle timeout",
        telltale: "the slowest requests grow over many minutes, and near misses come before 504s",
        source: TROUBLESHOOTING,
    },
    Row {
        cause: Cause::QueueingTraffic,
        name: "queueing_traffic",
        meaning: "More requests come than the targets can answer, so that all of them wait",
        telltale: "RequestCount rises before the median does",
        source: METRICS,
    },
    Row {
        cause: Cause::QueueingCapacity,
        name: "queueing_capacity",
        meaning: "Healthy targets were lost, and those left cannot answer the usual traffic",
        telltale: "HealthyHostCount falls before the median rises, at normal traffic",
        source: HEALTH,
    },
    Row {
        cause: Cause::BadTarget,
        name: "bad_target",
        meaning: "One target accepts requests and (nearly) never answers",
        telltale: "target:port in the access logs is the same for all 504s, and AnomalousHostCount is 1",
        source: METRICS,
    },
    Row {
        cause: Cause::SlowSubset,
        name: "slow_subset",
        meaning: "A part of the requests became slow at once, close to the idle timeout",
        telltale: "the slowest requests step up within minutes and then stay, and the median does not move",
        source: METRICS,
    },
    Row {
        cause: Cause::Hang,
        name: "hang",
        meaning: "A part of the requests is never answered, on all targets",
        telltale: "504s leave no TargetResponseTime sample and come from all targets",
        source: TROUBLESHOOTING,
    },
    Row {
        cause: Cause::ConnectSecurityGroup,
        name: "connect_security_group",
        meaning: "A security group does not let the load balancer reach its targets",
        telltale: "no rule of the targets' security groups admits the load balancer (ec2:DescribeSecurityGroups)",
        source: TROUBLESHOOTING,
    },
    Row {
        cause: Cause::ConnectNetworkAcl,
        name: "connect_network_acl",
        meaning: "A network ACL stops requests to targets, or their answers to ports 1024-65535",
        telltale: "the failures are those of one subnet or zone, and its network ACL denies (ec2:DescribeNetworkAcls)",
        source: TROUBLESHOOTING,
    },
    Row {
        cause: Cause::ConnectRoute,
        name: "connect_route",
        meaning: "A route between load balancer and targets is missing or leads nowhere",
        telltale: "a route table has no working route to the targets (ec2:DescribeRouteTables)",
        source: TROUBLESHOOTING,
    },
    Row {
        cause: Cause::ConnectDeadTarget,
        name: "connect_dead_target",
        meaning: "A registered target does not accept connections: nothing lives at its address",
        telltale: "all failures are those of one target:port, and no network interface has its address (ec2:DescribeNetworkInterfaces)",
        source: TROUBLESHOOTING,
    },
    Row {
        cause: Cause::DeployRace,
        name: "deploy_race",
        meaning: "In a deployment, targets get last requests after they have gone",
        telltale: "the failures come with deployments only, from targets that are draining",
        source: GROUP_ATTRIBUTES,
    },
    Row {
        cause: Cause::TlsHandshake,
        name: "tls_handshake",
        meaning: "TLS handshakes with targets fail or take longer than 10 s",
        telltale: "TargetTLSNegotiationErrorCount goes with the 504s",
        source: TROUBLESHOOTING,
    },
    Row {
        cause: Cause::ContentLength,
        name: "content_length",
        meaning: "Content-Length is larger than the body, and the load balancer waits for the rest",
        telltale: "504s leave a small TargetResponseTime, and the access logs show their target_status_code",
        source: TROUBLESHOOTING,
    },
    Row {
        cause: Cause::LambdaService,
        name: "lambda_service",
        meaning: "The Lambda service did not answer before the connection timeout",
        telltale: "the 504s have a Lambda target group, and error_reason LambdaConnectionTimeout in the access logs",
        source: TROUBLESHOOTING,
    },
    Row {
        cause: Cause::FailOpen,
        name: "fail_open",
        meaning: "No target is healthy, so that the load balancer sends requests to all of them",
        telltale: "HealthyHostCount is 0 and UnhealthyRoutingRequestCount is not",
        source: HEALTH,
    },
    Row {
        cause: Cause::IdleTimeoutLowered,
        name: "idle_timeout_lowered",
        meaning: "The idle timeout is shorter than requests need, which were answered before",
        telltale: "requests above the idle timeout were answered before, and CloudTrail has ModifyLoadBalancerAttributes",
        source: ATTRIBUTES,
    },
    Row {
        cause: Cause::LoadBalancerLimit,
        name: "load_balancer_limit",
        meaning: "The load balancer itself is at its limit",
        telltale: "RejectedConnectionCount is above 0, or its state is active_impaired",
        source: METRICS,
    },
    Row {
        cause: Cause::KeepAlive,
        name: "keep_alive",
        meaning: "Targets close idle connections before the load balancer does",
        telltale: "502s come without deployments, more often per request in quiet minutes",
        source: TROUBLESHOOTING,
    },
    Row {
        cause: Cause::DeregistrationDelay,
        name: "deregistration_delay",
        meaning: "The deregistration delay is shorter than the longest requests, and cuts them",
        telltale: "502s come with deregistrations only, and the delay is below the longest requests",
        source: TROUBLESHOOTING,
    },
    Row {
        cause: Cause::TaskKilled,
        name: "task_killed",
        meaning: "Tasks are killed in the middle of requests, such as for lack of memory",
        telltale: "stopped tasks say OutOfMemory or exit code 137 outside of deployments (ecs:DescribeTasks)",
        source: ECS_STOPPED,
    },
    Row {
        cause: Cause::EcsStopTimeout,
        name: "ecs_stop_timeout",
        meaning: "Containers are killed (stopTimeout) before their last requests are answered",
        telltale: "tasks that a deployment stopped have exit code 137 (ecs:DescribeTasks)",
        source: ECS_PARAMETERS,
    },
    Row {
        cause: Cause::LambdaTimeout,
        name: "lambda_timeout",
        meaning: "The Lambda function reaches its own timeout",
        telltale: "LambdaUserError goes with the 502s, and the function's log says Task timed out",
        source: LAMBDA,
    },
    Row {
        cause: Cause::NoRegisteredTarget,
        name: "no_registered_target",
        meaning: "No target is registered, or all are unused",
        telltale: "the target group is empty (elasticloadbalancing:DescribeTargetHealth)",
        source: TROUBLESHOOTING,
    },
    Row {
        cause: Cause::UnhealthyTargets,
        name: "unhealthy_targets",
        meaning: "Some targets fail their health checks, and get no requests",
        telltale: "the reason codes of DescribeTargetHealth",
        source: HEALTH,
    },
];

impl Cause {
    /// Every cause.
    pub const ALL: [Self; TABLE.len()] = {
        let mut all = [Self::SlowTarget; TABLE.len()];
        let mut index = 0;
        while index < TABLE.len() {
            all[index] = TABLE[index].cause;
            index += 1;
        }
        all
    };

    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// Its name in configs, metrics and JSON, such as `slow_target`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What it is, in one sentence without a full stop.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        self.row().meaning
    }

    /// What would show it, as the end of "it is this if ...".
    #[must_use]
    pub fn telltale(self) -> &'static str {
        self.row().telltale
    }

    /// Where AWS describes it.
    #[must_use]
    pub fn source(self) -> &'static str {
        self.row().source
    }
}

/// The causes as a table in markdown.
#[must_use]
pub fn markdown_table() -> String {
    let mut text =
        "| Cause | What it is | What shows it | Source |\n|---|---|---|---|\n".to_owned();
    for row in &TABLE {
        let host = "https://docs.aws.amazon.com/";
        let label = row.source.strip_prefix(host).unwrap_or(row.source);
        let page = label.rsplit('/').next().unwrap_or(label).trim_end_matches(".html");
        text.push_str(&format!(
            "| `{}` | {}. | {} | [{page}]({}) |\n",
            row.name, row.meaning, row.telltale, row.source
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for cause in Cause::ALL {
            assert_eq!(cause.row().cause, cause);
            assert_eq!(serde_json::to_value(cause).unwrap(), cause.name());
        }
    }

    #[test]
    fn the_table_reads_as_markdown() {
        insta::assert_snapshot!(markdown_table());
    }
}
