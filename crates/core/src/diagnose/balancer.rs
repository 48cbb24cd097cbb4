//! The load balancer itself: its limit, and its idle timeout.
//!
//! A lowered idle timeout shows in the figures even when nobody knows what it was:
//! requests that took longer were answered before, and none is now.

use crate::number::quantity::seconds;

use crate::diagnose::cause::Cause;
use crate::diagnose::facts::Facts;
use crate::diagnose::finding::{Finding, Fix};
use crate::diagnose::fix::{self, Quoted};
use crate::diagnose::series::largest;
use crate::diagnose::words;
use crate::gateway::evidence::Measure;

/// The least capacity that can be reserved, LCUs.
const LEAST_CAPACITY: f64 = 100.0;
/// New connections per second that one LCU is for.
const PER_LCU: f64 = 25.0;

/// The load balancer is at its own limit.
pub fn load_balancer_limit(facts: &Facts) -> Option<Finding> {
    let rejected = facts.excess(Measure::Rejected) > 0.0;
    let balancer = facts.evidence.load_balancer.as_ref().ok();
    let impaired = balancer.is_some_and(|balancer| balancer.state == "active_impaired");
    let codes = [Measure::Elb504, Measure::Elb503, Measure::Elb502];
    let errors: f64 = codes.iter().map(|measure| facts.excess(*measure)).sum();
    let score = match (rejected, impaired, errors > 0.0) {
        (true, true, _) => 0.97,
        (true, false, true) if balancer.is_none() => 0.88,
        (true, false, true) => 0.82,
        (true, false, false) => 0.7,
        (false, true, true) => 0.68,
        (false, true, false) | (false, false, _) => return None,
    };
    let state = balancer.filter(|_| impaired).map(|balancer| {
        format!(
            "The state of {} is active_impaired: it lacks the resources to scale.",
            balancer.name
        )
    });
    let finding = Finding::new(
        Cause::LoadBalancerLimit,
        score,
        "The load balancer itself is at its limit",
        "See that each of its subnets has at least 8 free addresses; reserve capacity (LCUs) before known peaks; ask AWS Support while it is impaired.",
    );
    let figures = codes.map(|measure| words::errors(facts, measure));
    Some(
        finding
            .because([words::metric(facts, Measure::Rejected), state.unwrap_or_default()])
            .because(figures)
            .fixed_by(reserve(facts)),
    )
}

fn reserve(facts: &Facts) -> Option<Fix> {
    let balancer = facts.evidence.load_balancer.as_ref().ok()?;
    let rate = facts.traffic().map_or(0.0, |(usual, now)| usual.max(now));
    let units = (rate / PER_LCU).ceil().clamp(LEAST_CAPACITY, 1_000_000.0);
    Some(Fix {
        cli: format!(
            "aws elbv2 modify-capacity-reservation --load-balancer-arn {} --minimum-load-balancer-capacity CapacityUnits={units:.0}",
            balancer.arn.shell()
        ),
        terraform: fix::nested(
            "aws_lb",
            &balancer.name,
            &[],
            "minimum_load_balancer_capacity",
            &[("capacity_units", format!("{units:.0}"))],
        ),
    })
}

/// The idle timeout is shorter than requests need, which were answered before.
pub fn idle_timeout_lowered(facts: &Facts) -> Option<Finding> {
    if facts.unanswered() <= 0.0 || facts.is_lambda_only() {
        return None;
    }
    let configured = facts.evidence.configured_timeout.unwrap_or(facts.evidence.timeout);
    let differs = facts.idle < 0.95 * configured;
    let cut = cut(facts);
    let score: f64 = match (&cut, differs) {
        (Some(cut), _) if cut.at_idle && differs => 0.97,
        (Some(cut), _) if cut.at_idle => 0.92,
        (Some(_), true) => 0.9,
        (Some(_), false) => 0.5,
        (None, true) => 0.66,
        (None, false) => return None,
    };
    let balancer = facts.evidence.load_balancer.as_ref();
    let is_read = balancer.is_ok_and(|balancer| balancer.attributes.is_ok());
    let score = if is_read { score } else { score.min(0.72) };
    let title = match &cut {
        Some(cut) if !cut.at_idle && !differs => {
            format!("Requests that took up to {} are no longer answered", seconds(cut.before))
        }
        _ => format!("The idle timeout of {} is shorter than requests need", seconds(facts.idle)),
    };
    let needed = cut.as_ref().map_or(configured, |cut| cut.before * 1.25);
    let wanted = if differs { configured } else { (needed / 10.0).ceil() * 10.0 };
    let wanted = wanted.clamp(1.0, 4_000.0);
    let advice = format!(
        "Set it back to {}, and see in CloudTrail who changed it (ModifyLoadBalancerAttributes).",
        seconds(wanted)
    );
    let setting = if differs {
        format!(
            "idle_timeout.timeout_seconds is {}, and {} is configured.",
            seconds(facts.idle),
            seconds(configured)
        )
    } else {
        String::new()
    };
    let figures = cut.map(|cut| {
        format!(
            "Before {}, requests of up to {} were answered; since then of up to {}.",
            facts.since(),
            seconds(cut.before),
            seconds(cut.now)
        )
    });
    let fix = fix::idle_timeout(facts.evidence, wanted);
    let finding = Finding::new(
        Cause::IdleTimeoutLowered,
        score * (0.5 + facts.part(facts.unanswered())).min(1.0),
        title,
        advice,
    );
    Some(
        finding
            .because([setting, figures.unwrap_or_default(), words::errors(facts, Measure::Elb504)])
            .fixed_by(fix),
    )
}

/// The longest answers before and since, where they are cut off.
struct Cut {
    before: f64,
    now: f64,
    /// Whether at the idle timeout that is in force.
    at_idle: bool,
}

fn cut(facts: &Facts) -> Option<Cut> {
    let (before, now) = slowest(facts)?;
    // The minutes around the change belong to neither side.
    let before = before.get(..before.len().saturating_sub(2))?;
    let now = now.get(2.min(now.len().saturating_sub(1))..)?;
    let (was, is) = (largest(before)?, largest(now)?);
    let beyond = before.iter().flatten().filter(|value| **value > 1.1 * facts.idle).count();
    let at_idle = beyond >= 3.max(before.len() / 20) && is <= 1.1 * facts.idle;
    let above = before.iter().flatten().filter(|value| **value > 1.3 * is).count();
    let at_all = above >= 3.max(before.len() / 4) && is > 0.0;
    (at_idle || at_all).then_some(Cut { before: was, now: is, at_idle })
}

type Cells<'a> = (&'a [Option<f64>], &'a [Option<f64>]);

fn slowest<'a>(facts: &'a Facts) -> Option<Cells<'a>> {
    let measure = if facts.knows(Measure::Maximum) { Measure::Maximum } else { Measure::P99 };
    facts.knows(measure).then(|| facts.cells(measure))
}
