//! What is not well set up and is no cause of anything now.
//!
//! A note never makes a healthy gateway a finding: it is what an experienced colleague
//! would mention in passing, with the number that makes it true.

use crate::number::quantity::{count, seconds};

use crate::diagnose::connection;
use crate::diagnose::evidence::{TargetGroup, TargetKind};
use crate::diagnose::facts::Facts;
use crate::diagnose::finding::Finding;
use crate::diagnose::series::groups_in_use;
use crate::gateway::evidence::Measure;

/// At most this many notes about target groups of one kind.
const MOST: usize = 3;

/// The notes on this evidence, without those that a finding has already made.
pub fn notes(facts: &Facts, findings: &[Finding]) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(balancer(facts));
    notes.extend(groups_in_use(facts.evidence).filter_map(check).take(MOST));
    notes.extend(groups_in_use(facts.evidence).filter_map(|g| delay(facts, g)).take(MOST));
    notes.extend(idle_timeout(facts));
    notes.extend(target_errors(facts));
    if !findings.iter().any(|finding| finding.cause.name().starts_with("connect_")) {
        notes.extend(obstacles(facts));
    }
    notes.extend(unused(facts));
    notes
}

fn balancer(facts: &Facts) -> Vec<String> {
    let Ok(balancer) = &facts.evidence.load_balancer else { return Vec::new() };
    let mut notes = Vec::new();
    if balancer.attribute("access_logs.s3.enabled") == Some("false") {
        notes.push("Access logs are off (access_logs.s3.enabled): they alone say which path and which target a 504 had.".to_owned());
    }
    if !facts.is_lambda_only() && facts.evidence.target_groups.is_ok() {
        notes.push(format!(
            "The targets' keep-alive should be longer than the idle timeout of {}; it cannot be read from AWS.",
            seconds(facts.idle)
        ));
    }
    if balancer.state == "active_impaired" {
        notes.push(
            "The load balancer's state is active_impaired: it lacks the resources to scale."
                .to_owned(),
        );
    }
    notes
}

fn check(group: &TargetGroup) -> Option<String> {
    let check = &group.health_check;
    let is_odd = check.enabled && check.interval > 0 && check.timeout >= check.interval;
    is_odd.then(|| {
        format!(
            "The health check of {} waits {} s, no less than its interval of {} s: set the timeout below it.",
            group.name, check.timeout, check.interval
        )
    })
}

/// A delay that is far from the longest requests.
fn delay(facts: &Facts, group: &TargetGroup) -> Option<String> {
    let delay = group.attribute("deregistration_delay.timeout_seconds")?;
    let delay: f64 = delay.parse().ok().filter(|_| group.kind != TargetKind::Lambda)?;
    let longest = facts.longest()?;
    let name = &group.name;
    if delay < longest {
        return Some(format!(
            "The deregistration delay of {name} is {}, and requests took up to {}: a deployment cuts them (502).",
            seconds(delay),
            seconds(longest)
        ));
    }
    (delay >= 120.0 && delay > 4.0 * longest).then(|| {
        format!(
            "The deregistration delay of {name} is {}, and no request took longer than {}: deployments wait for nothing. That is slow, not harmful.",
            seconds(delay),
            seconds(longest)
        )
    })
}

fn idle_timeout(facts: &Facts) -> Option<String> {
    let configured = facts.evidence.configured_timeout?;
    ((facts.idle - configured).abs() > 0.05 * configured).then(|| {
        format!(
            "The idle timeout is {}, and the config says {}.",
            seconds(facts.idle),
            seconds(configured)
        )
    })
}

fn target_errors(facts: &Facts) -> Option<String> {
    let errors = facts.now(Measure::Target5xx).filter(|errors| *errors >= 1.0)?;
    Some(format!(
        "Targets answered {} requests with 5xx themselves since {} (HTTPCode_Target_5XX_Count): that is the application's, see its log.",
        count(errors),
        facts.since()
    ))
}

fn obstacles(facts: &Facts) -> Vec<String> {
    let layers = [&facts.obstacles.security_groups, &facts.obstacles.acls, &facts.obstacles.routes];
    let found = layers.iter().flat_map(|layer| &layer.obstacles).take(MOST);
    let said = |found| format!("{} No connection fails now.", connection::obstacle(found));
    found.map(said).collect()
}

/// Groups with unhealthy targets that get no requests.
fn unused(facts: &Facts) -> Vec<String> {
    let groups = facts.evidence.target_groups.as_deref().unwrap_or_default();
    let is_idle =
        |group: &&TargetGroup| !crate::diagnose::series::is_in_use(facts.evidence, &group.name);
    let is_sick = |group: &&TargetGroup| {
        let targets = group.targets.as_deref().unwrap_or_default();
        targets.iter().any(|target| target.state == "unhealthy")
    };
    let sick = groups.iter().filter(is_idle).filter(is_sick).take(MOST);
    sick.map(|group| format!("{} has unhealthy targets, and gets no requests.", group.name))
        .collect()
}
