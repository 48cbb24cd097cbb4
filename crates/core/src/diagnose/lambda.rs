//! Lambda functions as targets.
//!
//! The load balancer waits until the function answers or times out: a function that
//! reaches its timeout is 502, with `LambdaUserError`. A 504 is the Lambda service's,
//! which did not take the request in time.

use crate::number::quantity::{count, seconds};

use crate::diagnose::cause::Cause;
use crate::diagnose::evidence::{Function, TargetGroup, TargetKind};
use crate::diagnose::facts::Facts;
use crate::diagnose::finding::{Finding, Fix};
use crate::diagnose::fix::{self, Quoted};
use crate::diagnose::series::groups_in_use;
use crate::diagnose::words;
use crate::gateway::evidence::Measure;

/// A function runs no longer than this, seconds.
const LONGEST: f64 = 900.0;

fn groups<'a>(facts: &Facts<'a>) -> Vec<&'a TargetGroup> {
    groups_in_use(facts.evidence).filter(|group| group.kind == TargetKind::Lambda).collect()
}

/// The Lambda service did not answer in time.
pub fn service(facts: &Facts) -> Option<Finding> {
    let unanswered = facts.unanswered();
    if unanswered <= 0.0 {
        return None;
    }
    let internal = facts.now(Measure::LambdaInternalErrors).unwrap_or(0.0);
    let fits = internal >= 0.3 * unanswered;
    let is_mixed = !groups(facts).is_empty();
    let unread = facts.evidence.target_groups.is_err();
    let score = match (facts.is_lambda_only(), fits) {
        (true, _) => 0.94,
        (false, true) if is_mixed => 0.9,
        (false, true) => 0.8,
        (false, false) if is_mixed => 0.4,
        (false, false) if unread && internal > 0.0 => 0.5,
        (false, false) => return None,
    };
    let names: Vec<String> = groups(facts).iter().map(|group| group.name.clone()).collect();
    let targets = match names.as_slice() {
        [] => String::new(),
        names => format!("The targets are Lambda functions ({}).", words::list(names)),
    };
    let finding = Finding::new(
        Cause::LambdaService,
        score * (0.5 + facts.part(unanswered)).min(1.0),
        "The Lambda service did not take requests in time",
        "See the AWS Health Dashboard and the function's concurrency (Throttles, ConcurrentExecutions); for functions in a VPC also free addresses in its subnets. The function's own timeout is not it: that is 502.",
    );
    Some(finding.because([
        words::errors(facts, Measure::Elb504),
        targets,
        words::metric(facts, Measure::LambdaInternalErrors),
    ]))
}

/// The function reaches its own timeout.
pub fn timeout(facts: &Facts) -> Option<Finding> {
    let closed = facts.closed();
    let user = facts.now(Measure::LambdaUserErrors).unwrap_or(0.0);
    let has_lambda = !groups(facts).is_empty() || facts.evidence.target_groups.is_err();
    if closed <= 0.0 || (user <= 0.0 && !facts.is_lambda_only()) || !has_lambda {
        return None;
    }
    let fits = user >= 0.4 * closed;
    let function = function(facts);
    let reaches = function.is_some_and(|function| reaches(facts, f64::from(function.timeout)));
    let score = match (fits, reaches, facts.is_lambda_only()) {
        (true, true, _) => 0.93,
        (true, false, true) => 0.78,
        (true, false, false) => 0.72,
        (false, _, true) => 0.62,
        (false, _, false) => 0.45,
    };
    let limit = function.map(|function| f64::from(function.timeout));
    let title = match limit {
        Some(limit) => format!("The Lambda function reaches its timeout of {}", seconds(limit)),
        None => "The Lambda function fails, probably at its own timeout".to_owned(),
    };
    let advice = "See what the function waits for (its log says Task timed out), then give it a longer timeout. Other failures of the function (throttling, a malformed answer) are 502 too.";
    let finding = Finding::new(
        Cause::LambdaTimeout,
        score * (0.5 + facts.part(closed)).min(1.0),
        title,
        advice,
    );
    Some(
        finding
            .because([
                words::errors(facts, Measure::Elb502),
                words::metric(facts, Measure::LambdaUserErrors),
                slowest(facts, limit),
            ])
            .fixed_by(function.map(longer)),
    )
}

/// The function behind the load balancer, where it is one; the one with the shortest
/// timeout of several.
fn function<'a>(facts: &Facts<'a>) -> Option<&'a Function> {
    let functions = facts.evidence.functions.as_ref().ok()?;
    functions.iter().filter(|function| function.timeout > 0).min_by_key(|function| function.timeout)
}

/// Whether the slowest answers come close to the timeout.
fn reaches(facts: &Facts, limit: f64) -> bool {
    let slowest = facts.came_to(Measure::Maximum).or_else(|| facts.came_to(Measure::P99));
    slowest.is_none_or(|slowest| slowest >= 0.6 * limit)
}

fn slowest(facts: &Facts, limit: Option<f64>) -> String {
    match (facts.longest(), limit) {
        (Some(longest), Some(limit)) => {
            format!(
                "The slowest answer took {}; the function may run {}.",
                seconds(longest),
                seconds(limit)
            )
        }
        _ => String::new(),
    }
}

fn longer(function: &Function) -> Fix {
    let timeout = count_seconds((f64::from(function.timeout) * 2.0).min(LONGEST));
    Fix {
        cli: format!(
            "aws lambda update-function-configuration --function-name {} --timeout {timeout}",
            function.name.shell()
        ),
        terraform: fix::resource("aws_lambda_function", &function.name, &[("timeout", timeout)]),
    }
}

fn count_seconds(value: f64) -> String {
    count(value).replace(',', "")
}
