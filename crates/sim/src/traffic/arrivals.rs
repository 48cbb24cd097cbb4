//! What arrives in a minute, without any queueing between the requests.
//!
//! Each minute's arrivals are drawn from an address of their own, so any minute
//! can be made without the ones before it. Only the overload story and the scripts
//! carry queues from minute to minute; they are played once, see [`super::queue`]
//! and [`super::stage`].

use crate::rng::{Rng, hash};
use crate::scenario::plan::{Plan, Trouble, along};
use crate::traffic::draft;
use crate::traffic::request::{Arrival, Outcome, Request, SECOND, limited, micros};
use crate::traffic::scene::SeededScript;
use crate::world::{Source, ZONES};

/// The load balancer gives up connecting after this long.
const CONNECT_TIMEOUT: u32 = 10 * SECOND;

/// Share of ordinary requests the application answers with a 5xx of its own.
const OWN_ERRORS: f64 = 0.001;

/// The arrivals of one epoch minute without any queueing between them.
pub(crate) fn arrivals(source: &Source, start: i64, minute: i64) -> Vec<Arrival> {
    let plan = &source.plan;
    if let Some(seeded) = SeededScript::of(source, start) {
        return draft::idle(&seeded, source, minute);
    }
    if let Trouble::Sparse { block } = plan.trouble {
        return sparse(source, block, minute);
    }
    let mut rng = Rng::new(&[source.stream, 10, minute as u64]);
    let timeout = source.timeout(minute);
    let since = minute - start;
    let count = rng.poisson(rate(plan, since, minute));
    (0..count)
        .map(|_| {
            let at = rng.below(60 * SECOND as usize) as u32;
            let offset = since as f64 + f64::from(at) / (60.0 * f64::from(SECOND));
            let request = one(&mut rng, source, since, offset);
            Arrival { at, request: limited(request, timeout), bundled: false }
        })
        .collect()
}

/// Mean arrivals in a minute.
fn rate(plan: &Plan, since: i64, minute: i64) -> f64 {
    let day = (minute.rem_euclid(1_440) - 540) as f64 / 1_440.0;
    let daily = plan.rate * (1.0 + plan.swing * (std::f64::consts::TAU * day).sin());
    match plan.trouble {
        Trouble::Overload { load, .. } => daily * along(load, since as f64),
        _ => daily,
    }
}

/// One request arriving `offset` minutes after the start, as long as it takes.
fn one(rng: &mut Rng, source: &Source, since: i64, offset: f64) -> Request {
    let plan = &source.plan;
    let group = usize::from(plan.groups > 1 && rng.unit() < 0.3);
    let targets = source.targets();
    let mut request = Request {
        took: 0,
        outcome: Outcome::Answered,
        group: group as u8,
        zone: rng.below(ZONES.len()) as u8,
        target: rng.below(targets) as u8,
    };
    let struck = |rng: &mut Rng, from: i64, until: i64, share: f64| {
        (from..until).contains(&since) && rng.unit() < share
    };
    match plan.trouble {
        Trouble::Growing { share, sigma, knots, repaired } if rng.unit() < share => {
            let moved = offset - source.shift;
            let at = if moved < repaired { moved } else { f64::MIN };
            let median = along(knots, at) * f64::from(plan.timeout);
            request.group = 0;
            request.target = request.target.min(source.targets() as u8 - 1);
            request.took = micros(rng.lognormal(median, sigma));
        }
        Trouble::Unreachable { from, until, share } if struck(rng, from, until, share) => {
            request.outcome = Outcome::Unreachable;
            request.took = CONNECT_TIMEOUT + rng.below(3_000) as u32;
        }
        Trouble::Hanging { from, until, share } if struck(rng, from, until, share) => {
            request.took = u32::MAX;
        }
        Trouble::Resets { from, until, share } if struck(rng, from, until, share) => {
            request.outcome = Outcome::Reset;
            request.took = micros(rng.lognormal(0.02, 1.0));
        }
        Trouble::Overload { service, .. } => request.took = micros(rng.lognormal(service, 0.5)),
        _ => ordinary(rng, &mut request, plan.timeout),
    }
    request
}

/// The everyday mix: mostly quick, some medium, a few reports.
fn ordinary(rng: &mut Rng, request: &mut Request, timeout: u32) {
    let draw = rng.unit();
    let (median, sigma) = if draw < 0.88 {
        (0.12, 0.6)
    } else if draw < 0.98 {
        (0.8, 0.4)
    } else {
        (0.045 * f64::from(timeout), 0.25)
    };
    request.took = micros(rng.lognormal(median, sigma));
    if rng.unit() < OWN_ERRORS {
        request.outcome = Outcome::TargetError;
    }
}

/// A few requests, and in every block of minutes a single very slow one.
fn sparse(source: &Source, block: i64, minute: i64) -> Vec<Arrival> {
    let mut rng = Rng::new(&[source.stream, 11, minute as u64]);
    let timeout = source.plan.timeout;
    let count = rng.poisson(source.plan.rate).min(6);
    let targets = source.targets();
    // Only the first third of a block is drawn from, which keeps slow ones apart.
    let third = (block as u64 / 3).max(1);
    let slow = hash(&[source.stream, 12, minute.div_euclid(block) as u64]) % third;
    let special = minute.rem_euclid(block) as u64 == slow;
    (0..count.max(u32::from(special)))
        .map(|index| {
            let (median, sigma) = if rng.unit() < 0.06 { (8.0, 0.3) } else { (0.2, 0.5) };
            let took = if special && index == 0 {
                (0.81 + 0.06 * rng.unit()) * f64::from(timeout)
            } else {
                rng.lognormal(median, sigma)
            };
            let request = Request {
                took: micros(took),
                outcome: Outcome::Answered,
                group: 0,
                zone: rng.below(ZONES.len()) as u8,
                target: rng.below(targets) as u8,
            };
            let at = rng.below(60 * SECOND as usize) as u32;
            let request = limited(request, source.timeout(minute));
            Arrival { at, request, bundled: false }
        })
        .collect()
}
