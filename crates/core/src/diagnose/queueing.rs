//! Requests that wait for each other: too many of them, or too few targets.
//!
//! Waiting is in front of every request alike, so that the median grows by as many
//! seconds as the slowest (which a slow endpoint does not do). Where nearly all time
//! out, no median is left, and the share of 504s says it.

use crate::number::quantity::{count, seconds};

use crate::diagnose::cause::Cause;
use crate::diagnose::facts::{Facts, only_service};
use crate::diagnose::finding::{Finding, Fix};
use crate::diagnose::{fix, words};
use crate::gateway::evidence::Measure;

/// From this ratio on traffic is more than usual.
const MORE: f64 = 1.25;
/// Below this ratio healthy targets are fewer than usual.
const FEWER: f64 = 0.8;

/// 504s and near misses of requests that waited.
fn late(facts: &Facts) -> f64 {
    facts.unanswered() + facts.excess(Measure::NearMisses)
}

/// How surely requests wait, and long enough that some time out or nearly do, or soon will.
fn symptom(facts: &Facts) -> Option<f64> {
    if facts.is_lambda_only() {
        return None;
    }
    if late(facts) <= 0.0 {
        return (has_reason(facts) && facts.is_queue_near_timeout()).then_some(0.75);
    }
    match facts.delay() {
        Some(_) => Some(1.0),
        None if facts.as_share(facts.unanswered()) > 0.6 => Some(0.8),
        None => None,
    }
}

/// Whether there is more traffic than usual, or fewer targets.
fn has_reason(facts: &Facts) -> bool {
    let lost = facts.healthy().is_some_and(|(usual, worst)| worst < FEWER * usual);
    lost || facts.traffic_ratio().is_some_and(|ratio| ratio >= MORE)
}

/// Traffic above the capacity.
pub fn traffic(facts: &Facts) -> Option<Finding> {
    let symptom = symptom(facts)?;
    let (usual, now) = facts.traffic()?;
    let ratio = now / usual;
    let score = match ratio {
        r if r >= 1.6 => 0.93,
        r if r >= MORE => 0.88,
        r if r >= 1.1 => 0.5,
        _ => 0.3,
    };
    let lost = facts.healthy().is_some_and(|(usual, worst)| worst < FEWER * usual);
    let score = if lost && ratio < 1.6 { score - 0.15 } else { score };
    let title = format!("Requests wait for each other at {} times the usual traffic", times(ratio));
    let evidence = format!(
        "{} requests/s, usually {} requests/s ({} times).",
        rate(now),
        rate(usual),
        times(ratio)
    );
    let finding = Finding::new(
        Cause::QueueingTraffic,
        score * symptom,
        title,
        "Add targets now; then let scaling follow requests per target (ALBRequestCountPerTarget), which rises before the CPU does.",
    );
    let wanted = targets(facts).map(|targets| (targets * ratio.clamp(1.25, 10.0)).ceil());
    Some(finding.because([evidence]).because(waits(facts)).fixed_by(more(facts, wanted)))
}

/// Too few healthy targets for the usual traffic.
pub fn capacity(facts: &Facts) -> Option<Finding> {
    let symptom = symptom(facts)?;
    let (usual, worst) = facts.healthy()?;
    let ratio = facts.traffic_ratio().unwrap_or(1.0);
    if worst >= usual * 0.95 {
        return None;
    }
    let score = match (worst < FEWER * usual, ratio < MORE) {
        (true, true) => 0.93,
        (true, false) if ratio < 1.6 => 0.78,
        (false, true) => 0.7,
        _ => 0.45,
    };
    let score = if worst < 1.0 { score - 0.2 } else { score };
    let by_check = facts.unanswered() <= 0.0 && crate::diagnose::registration::fails_checks(facts);
    let score = if by_check { score - 0.15 } else { score };
    let title = format!(
        "{} healthy targets are left of {}, and requests wait for each other",
        count(worst),
        count(usual)
    );
    let evidence = format!(
        "{} healthy targets, usually {}; traffic is {} times the usual.",
        count(worst),
        count(usual),
        times(ratio)
    );
    let finding = Finding::new(
        Cause::QueueingCapacity,
        score * symptom,
        title,
        "Bring the lost targets back, or add others; see why they left (the target group's health history, Auto Scaling's or ECS's events).",
    );
    Some(
        finding.because([evidence]).because(waits(facts)).fixed_by(more(facts, Some(usual.ceil()))),
    )
}

fn waits(facts: &Facts) -> Vec<String> {
    let both = facts.delay().map(|delay| {
        format!(
            "The median rose by {}, about as much as the slowest requests: all wait.",
            seconds(delay)
        )
    });
    let yet = (facts.now(Measure::NearMisses) == Some(0.0) && late(facts) <= 0.0)
        .then(|| format!("No request came near the idle timeout of {} yet.", seconds(facts.idle)));
    vec![
        yet.unwrap_or_default(),
        both.unwrap_or_default(),
        words::level(facts, Measure::P50, "The median"),
        words::level(facts, Measure::P99, "p99"),
        words::errors(facts, Measure::Elb504),
        words::near_misses(facts),
    ]
}

fn targets(facts: &Facts) -> Option<f64> {
    facts.usual(Measure::Healthy).filter(|healthy| *healthy >= 1.0)
}

/// More tasks, where an ECS service is all that is behind the load balancer.
fn more(facts: &Facts, wanted: Option<f64>) -> Option<Fix> {
    Some(fix::desired_count(only_service(facts)?, wanted?))
}

fn rate(value: f64) -> String {
    if value >= 10.0 { count(value) } else { format!("{value:.1}") }
}

fn times(ratio: f64) -> String {
    if ratio >= 10.0 { count(ratio) } else { format!("{ratio:.1}") }
}
