//! Targets that are not there, or fail their health checks.
//!
//! "Unhealthy" and "not registered" are two things: with targets of which none is
//! healthy, the load balancer sends requests to all of them (it fails open); without
//! any, it answers 503.

use crate::number::quantity::count;

use crate::diagnose::cause::Cause;
use crate::diagnose::evidence::{Target, TargetGroup};
use crate::diagnose::facts::Facts;
use crate::diagnose::facts::only_service;
use crate::diagnose::finding::{Finding, Fix};
use crate::diagnose::health_check::{check, reason, setting};
use crate::diagnose::series::{groups_in_use, real};
use crate::diagnose::{fix, words};
use crate::gateway::evidence::Measure;

/// An unhealthy target with its group.
type Sick<'a> = (&'a TargetGroup, &'a Target);

fn sick<'a>(facts: &Facts<'a>) -> Vec<Sick<'a>> {
    let groups = groups_in_use(facts.evidence);
    let with = groups.filter_map(|group| Some((group, group.targets.as_ref().ok()?)));
    let targets =
        with.flat_map(|(group, targets)| targets.iter().map(move |target| (group, target)));
    targets.filter(|(_, target)| target.state == "unhealthy").collect()
}

/// Groups in use whose registered targets are all unhealthy.
fn dead_groups<'a>(facts: &Facts<'a>) -> Vec<&'a TargetGroup> {
    let is_dead = |group: &&TargetGroup| {
        let targets = group.targets.as_deref().unwrap_or_default();
        let mut used = targets.iter().filter(|t| t.state != "unused" && t.state != "draining");
        used.clone().next().is_some() && used.all(|target| target.state == "unhealthy")
    };
    groups_in_use(facts.evidence).filter(is_dead).collect()
}

/// No target is healthy, so that all of them get requests.
pub fn fail_open(facts: &Facts) -> Option<Finding> {
    let failing = facts.excess(Measure::Elb504) + facts.excess(Measure::Elb502);
    let routed = facts.now(Measure::FailOpen).unwrap_or(0.0) > 0.0;
    let none_healthy = facts.state(Measure::Healthy) == Some(0.0)
        && facts.targets() >= 1.0
        && failing + facts.state(Measure::Unhealthy).unwrap_or(0.0) > 0.0;
    let dead = dead_groups(facts);
    let score: f64 = match (routed || none_healthy, !dead.is_empty()) {
        (true, true) => 0.93,
        (true, false) if facts.evidence.target_groups.is_err() => 0.85,
        (true, false) => 0.66,
        (false, true) => 0.74,
        (false, false) => return None,
    };
    let score = if failing > 0.0 { score } else { score - 0.1 };
    let score = if may_be_effect(facts) { score.min(0.59) } else { score };
    let names: Vec<String> = dead.iter().map(|group| group.name.clone()).collect();
    let groups = match names.as_slice() {
        [] => String::new(),
        names => format!("All targets are unhealthy in {}.", words::list(names)),
    };
    let service = only_service(facts).map(fix::new_deployment);
    let sick = sick(facts);
    let finding = Finding::new(
        Cause::FailOpen,
        score,
        "No target is healthy, so requests go to all of them (fail-open)",
        format!("{}. Until one target is healthy, all of them get requests.", advice(&sick)),
    );
    Some(
        finding
            .because([groups, words::metric(facts, Measure::FailOpen), words::health(facts)])
            .because(reasons(&sick))
            .because([words::errors(facts, Measure::Elb504), words::errors(facts, Measure::Elb502)])
            .fixed_by(
                service.or_else(|| sick.first().and_then(|(group, target)| setting(group, target))),
            ),
    )
}

/// Whether connections fail and the network may be why: health checks fail with it.
fn may_be_effect(facts: &Facts) -> bool {
    let obstacles = &facts.obstacles;
    let layers = [&obstacles.security_groups, &obstacles.acls, &obstacles.routes];
    let is_open = layers.iter().any(|layer| !layer.is_known || !layer.obstacles.is_empty());
    let errors = facts.excess(Measure::ConnectionErrors);
    (errors > 0.0 && facts.part(errors) > 0.5 && is_open)
        || !facts.knows(Measure::ConnectionErrors) && is_open
}

/// Some targets fail their health checks, others do not.
pub fn unhealthy_targets(facts: &Facts) -> Option<Finding> {
    let sick = sick(facts);
    let figures = facts.state(Measure::Unhealthy).unwrap_or(0.0);
    let is_known = sick.iter().any(|(_, target)| !target.reason.is_empty());
    let unread = groups_in_use(facts.evidence).any(|group| group.targets.is_err())
        || facts.evidence.target_groups.is_err();
    let score = match (is_known, figures >= 1.0) {
        (true, true) => 0.92,
        (true, false) if facts.knows(Measure::Unhealthy) => 0.62,
        (true, false) => 0.8,
        (false, true) if unread => 0.72,
        (false, true) if !sick.is_empty() => 0.7,
        (false, false) if !sick.is_empty() => 0.6,
        (false, _) => return None,
    };
    let symptom = facts.excess(Measure::Elb504) + facts.excess(Measure::Elb502);
    let queues = facts.delay().is_some();
    let none_left = facts.state(Measure::Healthy) == Some(0.0) || !dead_groups(facts).is_empty();
    let score = match facts.as_share(symptom) {
        _ if none_left => score - 0.35,
        _ if facts.excess(Measure::ConnectionErrors) > 0.0 => score - 0.42,
        _ if sick.iter().any(is_by_check) && queues => score + 0.02,
        share if share > 0.005 => score - 0.35,
        _ if symptom > 0.0 || queues => score - 0.1,
        _ => score,
    };
    let number = if sick.is_empty() { figures } else { real(sick.len()) };
    let title = format!(
        "{} of {} targets fail their health checks",
        count(number),
        count(facts.targets().max(number))
    );
    let finding = Finding::new(
        Cause::UnhealthyTargets,
        score,
        title,
        format!("{}. Until then the others carry all requests.", advice(&sick)),
    );
    Some(
        finding
            .because([words::health(facts)])
            .because(reasons(&sick))
            .because([words::level(facts, Measure::P50, "The median")])
            .fixed_by(sick.first().and_then(|(group, target)| setting(group, target))),
    )
}

/// Whether the target answers, and only its health check is wrong.
fn is_by_check((_, target): &Sick<'_>) -> bool {
    target.reason == "Target.ResponseCodeMismatch"
}

/// Whether targets fail their health checks for a reason that lies in the check as
/// often as in the target.
#[must_use]
pub fn fails_checks(facts: &Facts) -> bool {
    let sick = sick(facts);
    sick.iter().any(|sick| is_by_check(sick) || sick.1.reason == "Target.Timeout")
}

fn advice(sick: &[Sick<'_>]) -> &'static str {
    reason(sick.first().map_or("", |(_, target)| target.reason.as_str())).advice
}

/// The reasons with their targets, each once.
fn reasons(sick: &[Sick<'_>]) -> Vec<String> {
    let mut codes: Vec<&str> = sick.iter().map(|(_, target)| target.reason.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    let said = |code: &str| {
        let its: Vec<&Sick<'_>> = sick.iter().filter(|(_, target)| target.reason == code).collect();
        let names: Vec<String> = its.iter().map(|(_, target)| target.id.clone()).collect();
        let (group, target) = its.first()?;
        let words = if target.description.is_empty() {
            String::new()
        } else {
            format!(" (\"{}\")", target.description)
        };
        let code = if code.is_empty() { "No reason code" } else { code };
        Some(format!(
            "{code}: {}{words}: {}. The check of {} is {}.",
            reason(&target.reason).meaning,
            words::list(&names),
            group.name,
            check(&group.health_check)
        ))
    };
    codes.into_iter().filter_map(said).collect()
}

/// Nothing is registered that could get a request: 503.
pub fn no_registered_target(facts: &Facts) -> Option<Finding> {
    let errors = facts.excess(Measure::Elb503);
    if errors <= 0.0 {
        return None;
    }
    let empty: Vec<&TargetGroup> = empty_groups(facts);
    let hosts = |measure| facts.state(measure);
    let none_seen =
        hosts(Measure::Healthy).unwrap_or(0.0) + hosts(Measure::Unhealthy).unwrap_or(0.0) < 1.0;
    let unread = facts
        .evidence
        .target_groups
        .as_ref()
        .map_or(true, |groups| groups.iter().any(|group| group.targets.is_err()))
        || facts.evidence.left_out > 0;
    let score = match (empty.is_empty(), none_seen, unread) {
        (false, ..) => 0.95,
        (true, true, true) => 0.8,
        (true, true, false) => 0.55,
        (true, false, true) => 0.5,
        (true, false, false) => 0.4,
    };
    let names: Vec<String> = empty.iter().map(|group| group.name.clone()).collect();
    let (title, groups) = match names.as_slice() {
        [] => ("No target was registered that could get requests".to_owned(), String::new()),
        names => (
            format!("No target is registered in {} that could get requests", words::list(names)),
            format!("No target, or only unused ones: {}.", words::list(names)),
        ),
    };
    let finding = Finding::new(
        Cause::NoRegisteredTarget,
        score * (0.5 + facts.part(errors)).min(1.0),
        title,
        "Register targets; see who took them out (CloudTrail: DeregisterTargets), and whether the service that registers them runs.",
    );
    Some(
        finding
            .because([words::errors(facts, Measure::Elb503), groups])
            .because(unused(&empty))
            .fixed_by(refill(facts)),
    )
}

/// Groups that may receive requests and have no target for them. Requests without a
/// target are not counted, so that these groups look as if not in use.
fn empty_groups<'a>(facts: &Facts<'a>) -> Vec<&'a TargetGroup> {
    let is_empty = |group: &&TargetGroup| {
        let targets = group.targets.as_ref().map(Vec::as_slice);
        group.receives != Some(false)
            && targets.is_ok_and(|targets| {
                targets.iter().all(|t| t.state == "unused" || t.state == "draining")
            })
    };
    facts.evidence.target_groups.as_deref().unwrap_or_default().iter().filter(is_empty).collect()
}

fn unused(groups: &[&TargetGroup]) -> Option<String> {
    let mut targets = groups.iter().filter_map(|group| group.targets.as_ref().ok()).flatten();
    let target = targets.next()?;
    Some(format!("{}: {} ({}).", target.reason, reason(&target.reason).meaning, target.id))
}

fn refill(facts: &Facts) -> Option<Fix> {
    let services = facts.evidence.services.as_ref().ok()?;
    let service = services.first().filter(|_| services.len() == 1)?;
    Some(fix::desired_count(service, facts.usual(Measure::Healthy).unwrap_or(2.0).max(2.0)))
}
