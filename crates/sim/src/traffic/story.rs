//! The truth about a whole scenario, in the few numbers a watcher is judged by.
//!
//! The fault's start and cause are what the script says; everything else is
//! counted from the requests themselves.

use serde::Serialize;

use crate::scenario::plan::Trouble;
use crate::scenario::script::{Incident, Step, When};
use crate::traffic::minute::Minute;
use crate::traffic::minutes::Minutes;
use crate::traffic::request::Outcome;
use crate::traffic::scene::SeededScript;
use crate::world::Balancer;
use crate::world::World;

/// Minutes after the repair in which something harmful still belongs to the fault.
const AFTERMATH: i64 = 360;

/// What happens at one load balancer in the course of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Story {
    /// Name of the load balancer.
    pub load_balancer: String,
    /// Whether something harmful happens at all.
    pub harmful: bool,
    /// What goes wrong in standard words, e.g. `slow_endpoint`.
    pub cause: Option<&'static str>,
    /// Epoch minute in which the fault begins.
    pub fault_start: Option<i64>,
    /// The same of what happens once in a long harmless story, if anything does.
    pub event_start: Option<i64>,
    /// Epoch minute in which its cause is gone.
    pub repaired: Option<i64>,
    /// Rule of the incident: `share` (three 504s and more than 1 % of the requests
    /// in five minutes), `count` (five 504s in thirty minutes) or `objective` (five
    /// 504s and more than 0.1 % of the requests in an hour).
    pub rule: &'static str,
    /// First epoch minute the rule holds at, from the fault's start on.
    pub incident_start: Option<i64>,
    /// Epoch minute of the first 504 from the fault's start on.
    pub first_504: Option<i64>,
    /// First epoch minute after which nothing harmful happens any more.
    pub recovered: Option<i64>,
    /// 504s before the fault's start, or in the whole script if there is none.
    pub other_504: u64,
    /// 504s from the fault's start on.
    pub fault_504: u64,
}

/// What the script says: cause, then start and repair in epoch minutes.
struct Planned {
    cause: Option<&'static str>,
    from: Option<i64>,
    repaired: Option<i64>,
    rule: Incident,
}

/// The stories of every load balancer.
pub(crate) fn all(world: &World, minutes: &Minutes) -> Vec<Story> {
    world.balancers.iter().map(|one| story(world, minutes, one)).collect()
}

fn story(world: &World, minutes: &Minutes, balancer: &Balancer) -> Story {
    let planned = planned(world, balancer);
    let range = world.script();
    let timed_out: Vec<(u64, u64)> = range
        .clone()
        .map(|minute| {
            let requests = minutes.of(&balancer.source, minute);
            (failed(&requests), requests.ended())
        })
        .collect();
    let from = planned.from.map_or(0, |from| (from - range.start).max(0) as usize);
    let (before, after) = timed_out.split_at(from.min(timed_out.len()));
    let sum = |part: &[(u64, u64)]| part.iter().map(|minute| minute.0).sum();
    let (mut other_504, mut fault_504) = (sum(before), sum(after));
    if planned.from.is_none() {
        (other_504, fault_504) = (other_504 + fault_504, 0);
    }
    let at = |index: usize| range.start + index as i64;
    let first = after.iter().position(|minute| minute.0 > 0);
    Story {
        load_balancer: balancer.name.clone(),
        harmful: planned.cause.is_some(),
        cause: planned.cause,
        fault_start: planned.from,
        event_start: event(world, balancer),
        repaired: planned.repaired,
        rule: match planned.rule {
            Incident::Share => "share",
            Incident::Count => "count",
            Incident::Objective => "objective",
        },
        incident_start: incident(planned.rule, &timed_out, from).map(at),
        first_504: first.map(|index| at(index + from)).filter(|_| planned.from.is_some()),
        recovered: recovered(world, minutes, balancer, &planned),
        other_504,
        fault_504,
    }
}

/// 504s of a minute.
fn failed(minute: &Minute) -> u64 {
    minute.timed_out()
}

/// The first minute (index) at or after `from` at which the rule holds.
fn incident(rule: Incident, minutes: &[(u64, u64)], from: usize) -> Option<usize> {
    let span = match rule {
        Incident::Share => 5,
        Incident::Count => 30,
        Incident::Objective => 60,
    };
    (from..minutes.len()).find(|index| {
        let window = &minutes[(index + 1_usize).saturating_sub(span)..=*index];
        let failed: u64 = window.iter().map(|minute| minute.0).sum();
        let all: u64 = window.iter().map(|minute| minute.1).sum();
        match rule {
            Incident::Share => failed >= 3 && failed * 100 > all,
            Incident::Count => failed >= 5,
            Incident::Objective => failed >= 5 && failed * 1_000 > all,
        }
    })
}

/// The minute after the last harm the fault did, if it ended within the scripted time.
fn recovered(
    world: &World,
    minutes: &Minutes,
    balancer: &Balancer,
    planned: &Planned,
) -> Option<i64> {
    let (from, repaired) = (planned.from?, planned.repaired?);
    let end = world.script().end;
    if repaired >= end {
        return None;
    }
    let until = end.min(repaired + AFTERMATH);
    let harmed = |minute: &i64| {
        let requests = minutes.of(&balancer.source, *minute);
        let kinds = [Outcome::Reset, Outcome::Closed, Outcome::Abandoned];
        let others: u64 = kinds.into_iter().map(|kind| requests.count(kind)).sum();
        failed(&requests) + others > 0
    };
    // A lone 504 long after the repair is the everyday trickle, so harm ends with the first
    // quiet fifteen minutes.
    let mut last = repaired;
    for minute in (from.max(repaired - 1)..until).filter(harmed) {
        if minute > last + 15 {
            break;
        }
        last = last.max(minute);
    }
    Some(last + 1)
}

/// The minute in which the event of a harmless script begins.
fn event(world: &World, balancer: &Balancer) -> Option<i64> {
    let seeded = SeededScript::of(&balancer.source, world.start())
        .filter(|one| one.script.cause.is_none())?;
    let begin = |step: &Step| match step.when {
        When::Pivot(from, _) if from >= 0 => Some(seeded.pivot + from),
        _ => None,
    };
    seeded.script.steps.iter().filter_map(begin).min()
}

/// What the script says about a load balancer.
fn planned(world: &World, balancer: &Balancer) -> Planned {
    let start = world.start();
    if let (Trouble::Script(script), Some(seeded)) =
        (balancer.source.plan.trouble, SeededScript::of(&balancer.source, start))
    {
        let from = script.cause.map(|_| seeded.pivot);
        let repaired = script.repaired.zip(from).map(|(after, from)| from + after);
        return Planned { cause: script.cause, from, repaired, rule: script.incident };
    }
    let shift = balancer.source.shift.round() as i64;
    let (cause, from, until) = match balancer.source.plan.trouble {
        Trouble::Growing { repaired, .. } => {
            ("slow_endpoint", shift.max(0), repaired as i64 + shift)
        }
        Trouble::Unreachable { from, until, .. } => ("connect_failure", from, until),
        Trouble::Resets { from, until, .. } => ("resets_502", from, until),
        Trouble::Hanging { from, until, .. } => ("hang", from, until),
        Trouble::Overload { load, .. } => {
            let peak = load.iter().rposition(|knot| knot.1 > 1.0);
            let rise = load.windows(2).find(|pair| pair[1].1 > pair[0].1);
            let end = peak.and_then(|at| load.get(at + 1));
            let at = |knot: Option<&(f64, f64)>| knot.map_or(0, |knot| knot.0 as i64);
            ("queueing_traffic", at(rise.map(|pair| &pair[0])), at(end))
        }
        _ => return Planned { cause: None, from: None, repaired: None, rule: Incident::Share },
    };
    let (from, repaired) = (Some(start + from), Some(start + until));
    Planned { cause: Some(cause), from, repaired, rule: Incident::Share }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_needs_a_share_and_a_number() {
        let mut minutes = vec![(0, 100); 40];
        minutes[10].0 = 2;
        assert_eq!(incident(Incident::Share, &minutes, 0), None);
        minutes[12].0 = 4;
        assert_eq!(incident(Incident::Share, &minutes, 0), Some(12));
        assert_eq!(incident(Incident::Share, &minutes, 20), None);
        assert_eq!(incident(Incident::Count, &minutes, 0), Some(12));
        assert_eq!(incident(Incident::Objective, &minutes, 0), Some(12));
        minutes[12].0 = 2;
        assert_eq!(incident(Incident::Count, &minutes, 0), None);
        assert_eq!(incident(Incident::Objective, &vec![(1, 1_000); 60], 0), None);
        assert_eq!(incident(Incident::Objective, &vec![(1, 999); 60], 0), Some(4));
    }
}
