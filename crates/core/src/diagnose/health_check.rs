//! The reason codes of health checks, and the setting behind each.
//!
//! A code says what the check saw; only its settings and AWS's words for it show whether
//! the target or the check is wrong.

use crate::diagnose::evidence::{HealthCheck, Target, TargetGroup, TargetKind};
use crate::diagnose::finding::Fix;
use crate::diagnose::fix::{self, Quoted};

/// What a reason code means, and the setting behind it.
pub struct Reason {
    /// AWS's code.
    pub code: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What to do.
    pub advice: &'static str,
}

/// The reason codes of `DescribeTargetHealth` for targets that get no requests.
const REASONS: [Reason; 13] = [
    Reason {
        code: "Target.ResponseCodeMismatch",
        meaning: "the health check's path answers with a code outside of the matcher",
        advice: "Ask the health check's path by hand: repair it, or let the matcher have the code that it rightly answers",
    },
    Reason {
        code: "Target.Timeout",
        meaning: "the health check got no answer within its timeout",
        advice: "Time the health check's path: make it cheaper, or give the check a longer timeout, below its interval",
    },
    Reason {
        code: "Target.FailedHealthChecks",
        meaning: "the connection for the health check failed, or its answer was malformed",
        advice: "See whether the target listens at the health check's port and protocol",
    },
    Reason {
        code: "Elb.InternalError",
        meaning: "an internal error of the load balancer",
        advice: "Wait some minutes, then ask AWS Support",
    },
    Reason {
        code: "Elb.RegistrationInProgress",
        meaning: "the target is being registered",
        advice: "Wait for the first health check",
    },
    Reason {
        code: "Elb.InitialHealthChecking",
        meaning: "the first health checks are under way",
        advice: "Wait for interval times healthy threshold",
    },
    Reason {
        code: "Target.NotRegistered",
        meaning: "the target is not registered",
        advice: "Register it",
    },
    Reason {
        code: "Target.NotInUse",
        meaning: "no listener forwards to the target group, or the target's zone is not enabled",
        advice: "Let a listener's rule forward to the group, and enable the target's zone for the load balancer",
    },
    Reason {
        code: "Target.InvalidState",
        meaning: "the instance is stopped or terminated",
        advice: "Start it, or register another",
    },
    Reason {
        code: "Target.IpUnusable",
        meaning: "the address is in use by a load balancer",
        advice: "Register another address",
    },
    Reason {
        code: "Target.DeregistrationInProgress",
        meaning: "the target is being deregistered",
        advice: "Nothing: it drains",
    },
    Reason {
        code: "Target.HealthCheckDisabled",
        meaning: "health checks are switched off",
        advice: "Switch them on",
    },
    Reason { code: "", meaning: "AWS gives no reason", advice: "See the target group's health" },
];

/// What a code means.
pub fn reason(code: &str) -> &'static Reason {
    const UNKNOWN: &Reason = &REASONS[REASONS.len() - 1];
    REASONS.iter().find(|reason| reason.code == code).unwrap_or(UNKNOWN)
}

/// The settings of a check, in words.
pub fn check(check: &HealthCheck) -> String {
    format!(
        "{} {} on port {}, every {} s, timeout {} s, matcher {}",
        check.protocol, check.path, check.port, check.interval, check.timeout, check.matcher
    )
}

/// The health check's setting behind a reason code, changed.
pub fn setting(group: &TargetGroup, target: &Target) -> Option<Fix> {
    let check = &group.health_check;
    match target.reason.as_str() {
        "Target.Timeout" if group.kind != TargetKind::Lambda => {
            let timeout = check.timeout.saturating_mul(2).clamp(5, 120);
            let interval = check.interval.max(timeout.saturating_add(5)).clamp(5, 300);
            Some(health_check(
                group,
                &format!(
                    "--health-check-timeout-seconds {timeout} --health-check-interval-seconds {interval}"
                ),
                &[("timeout", timeout.to_string()), ("interval", interval.to_string())],
            ))
        }
        "Target.ResponseCodeMismatch" => {
            let code = code_in(&target.description).filter(|code| *code < 400)?;
            let current = if check.matcher.is_empty() { "200" } else { &check.matcher };
            let matcher = format!("{current},{code}");
            Some(health_check(
                group,
                &format!("--matcher {}", format!("HttpCode=\"{matcher}\"").shell()),
                &[("matcher", matcher.hcl())],
            ))
        }
        _ => None,
    }
}

/// The code in `Health checks failed with these codes: [301]`.
fn code_in(description: &str) -> Option<u16> {
    let digits = description.split_once('[')?.1.split([']', ',']).next()?;
    digits.trim().parse().ok().filter(|code| (200..500).contains(code))
}

fn health_check(group: &TargetGroup, options: &str, arguments: &[(&str, String)]) -> Fix {
    Fix {
        cli: format!(
            "aws elbv2 modify-target-group --target-group-arn {} {options}",
            group.arn.shell()
        ),
        terraform: fix::nested("aws_lb_target_group", &group.name, &[], "health_check", arguments),
    }
}
