//! Requests of a tale before they meet a target: when they come, what they need.
//!
//! Every minute is drawn from an address of its own, as in [`super::traffic`];
//! only what the queue makes of it depends on the minutes before.

use super::rng::Rng;
use super::scene::{Scene, Telling, swing};
use super::tale::{Class, What, Who};
use super::traffic::{Arrival, Outcome, Request, SECOND, limited, micros};
use super::world::{Balancer, ZONES};

/// Microseconds in a minute.
pub(super) const MINUTE: u64 = 60 * SECOND as u64;
/// Share of ordinary requests the application answers with a 5xx of its own.
const OWN_ERRORS: f64 = 0.001;
/// The load balancer gives up connecting after this long.
pub(super) const CONNECT_TIMEOUT: u32 = 10 * SECOND;

/// What is special about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    Plain,
    /// The target answers with a 5xx.
    Error,
    /// No connection comes about.
    Unreachable,
    /// The body never ends.
    Stalled,
    /// The idle timeout never strikes.
    Flowing,
}

/// A request that is about to be made; ordered by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Draft {
    /// Microseconds since the epoch.
    pub(super) at: u64,
    /// Service time in microseconds at a target of the usual pace.
    pub(super) service: u32,
    pub(super) zone: u8,
    pub(super) fate: Fate,
    /// How often it was made before.
    pub(super) tries: u8,
}

/// The requests clients newly make in the scene's minute, in order.
pub(super) fn drafts(telling: &Telling, balancer: &Balancer, scene: &Scene) -> Vec<Draft> {
    let mut rng = Rng::new(&[telling.stream, 30, scene.minute as u64]);
    let count = rng.poisson(rate(telling, balancer, scene));
    let medians: Vec<f64> = (0_u64..)
        .zip(telling.tale.mix)
        .map(|(at, class)| class.median * (1.0 + class.spread * swing(telling.stream, 40 + at)))
        .collect();
    let mut all: Vec<Draft> = (0..count)
        .map(|_| {
            let at = rng.below(60 * SECOND as usize) as u64;
            one(&mut rng, telling.tale.mix, &medians, scene, at)
        })
        .collect();
    jobs(telling, scene, &mut rng, &mut all);
    all.sort_unstable();
    all
}

/// Mean arrivals in a minute.
fn rate(telling: &Telling, balancer: &Balancer, scene: &Scene) -> f64 {
    let plan = &balancer.plan;
    let day = (scene.minute.rem_euclid(1_440) as f64 - 540.0 - telling.late) / 1_440.0;
    let daily = 1.0 + plan.swing * (std::f64::consts::TAU * day).sin();
    plan.rate * telling.level * daily * scene.load()
}

/// One request of the mix, `at` microseconds into the minute.
fn one(rng: &mut Rng, mix: &[Class], medians: &[f64], scene: &Scene, at: u64) -> Draft {
    let mut draw = rng.unit();
    let shares = mix.iter().take_while(|class| {
        draw -= class.share;
        draw >= 0.0
    });
    let index = shares.count().min(mix.len() - 1);
    let (class, median, zone) = (&mix[index], medians[index], rng.below(ZONES.len()) as u8);
    let part = at as f64 / MINUTE as f64;
    let slow = scene.slow(part, &[Who::All, Who::Class(index), Who::Zone(zone)]);
    let usual = if class.normal {
        median + class.sigma * rng.normal()
    } else {
        rng.lognormal(median, class.sigma)
    };
    let seconds = (usual * slow).clamp(0.001, class.most);
    let fate = match class.flowing {
        true => Fate::Flowing,
        false if rng.unit() < OWN_ERRORS => Fate::Error,
        false => Fate::Plain,
    };
    let at = scene.minute as u64 * MINUTE + at;
    let draft = Draft { at, service: micros(seconds), zone, fate, tries: 0 };
    struck(rng, scene, draft)
}

/// The draft after the acts that strike a share of the requests.
fn struck(rng: &mut Rng, scene: &Scene, mut draft: Draft) -> Draft {
    for (what, _) in scene.acts() {
        match what {
            What::Hang(share, seconds) if rng.unit() < *share => draft.service = micros(*seconds),
            What::Wait(share, seconds) if rng.unit() < *share => {
                draft.service = draft.service.saturating_add(micros(*seconds));
            }
            What::Unreachable(share) if rng.unit() < *share => {
                draft.fate = Fate::Unreachable;
                draft.service = CONNECT_TIMEOUT + rng.below(3_000) as u32;
            }
            What::Stall(share) if rng.unit() < *share => draft.fate = Fate::Stalled,
            _ => {}
        }
    }
    draft
}

/// Adds the requests of scheduled jobs.
fn jobs(telling: &Telling, scene: &Scene, rng: &mut Rng, all: &mut Vec<Draft>) {
    for (what, since) in scene.acts() {
        let What::Job { count, spacing, seconds, sigma } = *what else {
            continue;
        };
        let usual = seconds * (1.0 + 0.02 * swing(telling.stream, 39));
        let first = (since as f64 * 60.0 / spacing).ceil() as u32;
        for number in first..count {
            let into = f64::from(number) * spacing - since as f64 * 60.0;
            if into >= 60.0 {
                break;
            }
            let slow = scene.slow(into / 60.0, &[Who::All, Who::Jobs]);
            all.push(Draft {
                at: scene.minute as u64 * MINUTE + u64::from(micros(into)),
                service: micros(rng.lognormal(usual * slow, sigma)),
                zone: rng.below(ZONES.len()) as u8,
                fate: Fate::Plain,
                tries: 0,
            });
        }
    }
}

/// The arrivals of a minute outside the script, where nobody waits.
pub(super) fn idle(telling: &Telling, balancer: &Balancer, minute: i64) -> Vec<Arrival> {
    let scene = telling.scene(minute, false);
    let timeout = scene.timeout(balancer.timeout(minute));
    let targets = balancer.plan.targets.max(1);
    let arrival = |(turn, draft): (usize, Draft)| {
        let mut request = Request {
            took: draft.service,
            outcome: Outcome::Answered,
            group: 0,
            zone: draft.zone,
            target: (turn % targets) as u8,
        };
        match draft.fate {
            Fate::Error => request.outcome = Outcome::TargetError,
            Fate::Flowing => {}
            _ => request = limited(request, timeout),
        }
        Arrival { at: (draft.at % MINUTE) as u32, request }
    };
    drafts(telling, balancer, &scene).into_iter().enumerate().map(arrival).collect()
}
