//! Requests of a script before they meet a target: when they come, what they need.
//!
//! Every minute is drawn from an address of its own, as in [`crate::traffic::request`];
//! only what the queue makes of it depends on the minutes before.

use crate::rng::{Rng, quantile};
use crate::scenario::script::{Class, Script, What, Who};
use crate::sorting::sort;
use crate::traffic::request::{Arrival, Outcome, Request, SECOND, limited, micros};
use crate::traffic::scene::{Scene, SeededScript, swing};
use crate::world::{Source, ZONES};

/// Microseconds in a minute.
pub(crate) const MINUTE: u64 = 60 * SECOND as u64;
/// Share of ordinary requests the application answers with a 5xx of its own.
const OWN_ERRORS: f64 = 0.001;
/// The same share where one request stands for many.
const RARE_ERRORS: f64 = 0.000_1;
/// The load balancer gives up connecting after this long.
pub(crate) const CONNECT_TIMEOUT: u32 = 10 * SECOND;

/// What is special about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    Plain,
    /// The target answers with a 5xx.
    Error,
    /// No connection is established.
    Unreachable,
    /// The body never ends.
    Stalled,
    /// The idle timeout never fires.
    Flowing,
}

/// A request that is about to be made; ordered by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Draft {
    /// Microseconds since the epoch.
    pub(crate) at: u64,
    /// Service time in microseconds at a target of the usual pace.
    pub(crate) service: u32,
    pub(crate) zone: u8,
    pub(crate) fate: Fate,
    /// How often it was made before.
    pub(crate) tries: u8,
    /// Whether it stands for many.
    pub(crate) bundled: bool,
    /// Number of its target group.
    pub(crate) group: u8,
}

/// The requests clients newly make in the scene's minute, in order.
pub(crate) fn drafts(seeded: &SeededScript, source: &Source, scene: &Scene) -> Vec<Draft> {
    let mut rng = Rng::new(&[seeded.stream, 30, scene.minute as u64]);
    let bundled = seeded.script.mix.iter().filter(|class| class.bundled);
    let single = 1.0 - bundled.map(|class| class.share).sum::<f64>();
    let rate = rate(seeded, source, scene);
    let count = rng.poisson(rate * single);
    let medians: Vec<f64> = (0_u64..)
        .zip(seeded.script.mix)
        .map(|(at, class)| class.median * (1.0 + class.spread * swing(seeded.stream, 40 + at)))
        .collect();
    let mut all: Vec<Draft> = (0..count)
        .map(|_| {
            let at = rng.below(60 * SECOND as usize) as u64;
            let class = class(seeded.script.mix, rng.unit() * single);
            one(&mut rng, (seeded.script.mix, class), medians[class], scene, at)
        })
        .collect();
    for (class, median) in medians.iter().enumerate().filter(|one| seeded.script.mix[one.0].bundled)
    {
        bundles(&mut rng, seeded.script, (class, *median), rate, scene, &mut all);
    }
    jobs(seeded, scene, &mut rng, &mut all);
    let begin = scene.minute as u64 * MINUTE;
    let since = |at: u64| u32::try_from(at.saturating_sub(begin)).unwrap_or(u32::MAX);
    sort(&mut all, |one| since(one.at), |one| *one);
    all
}

/// Mean arrivals in a minute.
fn rate(seeded: &SeededScript, source: &Source, scene: &Scene) -> f64 {
    let plan = &source.plan;
    let day = (scene.minute.rem_euclid(1_440) as f64 - 540.0 - seeded.late) / 1_440.0;
    let daily = 1.0 + plan.swing * (std::f64::consts::TAU * day).sin();
    plan.rate * seeded.level * daily * scene.load()
}

/// The class (index) in which the shares add up to what was drawn.
fn class(mix: &[Class], mut draw: f64) -> usize {
    let shares = mix.iter().take_while(|class| {
        draw -= class.share;
        draw >= 0.0
    });
    shares.count().min(mix.len() - 1)
}

/// One request of a class (of a mix, by index), `at` microseconds into the minute.
fn one(
    rng: &mut Rng,
    (mix, index): (&[Class], usize),
    median: f64,
    scene: &Scene,
    at: u64,
) -> Draft {
    let (class, zone) = (&mix[index], rng.below(ZONES.len()) as u8);
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
    let (service, group) = (micros(seconds), class.group);
    let draft = Draft { at, service, zone, fate, tries: 0, bundled: false, group };
    struck(rng, scene, draft)
}

/// The draft after the steps that strike a share of the requests.
fn struck(rng: &mut Rng, scene: &Scene, mut draft: Draft) -> Draft {
    for (what, _) in scene.steps() {
        if share(what).is_some_and(|share| rng.unit() < share) {
            draft = hit(rng, what, draft);
        }
    }
    draft
}

/// The share of the requests a step strikes, if it does so.
fn share(what: &What) -> Option<f64> {
    match what {
        What::Hang(share, _)
        | What::Wait(share, _)
        | What::Unreachable(share)
        | What::Stall(share) => Some(*share),
        _ => None,
    }
}

/// A draft that such a step strikes.
fn hit(rng: &mut Rng, what: &What, mut draft: Draft) -> Draft {
    match what {
        What::Hang(_, seconds) => draft.service = micros(*seconds),
        What::Wait(_, seconds) => {
            draft.service = draft.service.saturating_add(micros(*seconds));
        }
        What::Unreachable(_) => {
            draft.fate = Fate::Unreachable;
            draft.service = CONNECT_TIMEOUT + rng.below(3_000) as u32;
        }
        What::Stall(_) => draft.fate = Fate::Stalled,
        _ => {}
    }
    draft
}

/// Adds the requests of a bundled class (index, median in seconds). Each bundle stands at a
/// place of its own in the distribution: this many requests have hardly any noise in their
/// percentiles. What is rare is drawn one by one.
fn bundles(
    rng: &mut Rng,
    script: &Script,
    (index, median): (usize, f64),
    rate: f64,
    scene: &Scene,
    all: &mut Vec<Draft>,
) {
    let (class, begin) = (&script.mix[index], scene.minute as u64 * MINUTE);
    let count = f64::from(rng.poisson(rate * class.share));
    let apart = RARE_ERRORS + scene.steps().filter_map(|step| share(step.0)).sum::<f64>();
    let number = (count * (1.0 - apart) / f64::from(script.bundle)).round();
    let draft = |rng: &mut Rng, place: f64| {
        let at = rng.below(60 * SECOND as usize) as u64;
        let slow = scene.slow(at as f64 / MINUTE as f64, &[Who::All, Who::Class(index)]);
        let seconds = median * (class.sigma * quantile(place)).exp() * slow;
        let service = micros(seconds.clamp(0.001, class.most));
        let zone = rng.below(ZONES.len()) as u8;
        let (fate, group) = (Fate::Plain, class.group);
        Draft { at: begin + at, service, zone, fate, tries: 0, bundled: true, group }
    };
    for turn in 0..number as u32 {
        let place = (f64::from(turn) + rng.unit()) / number;
        all.push(draft(rng, place));
    }
    let single = |rng: &mut Rng| {
        let place = rng.unit();
        Draft { bundled: false, ..draft(rng, place) }
    };
    for _ in 0..rng.poisson(count * RARE_ERRORS) {
        all.push(Draft { fate: Fate::Error, ..single(rng) });
    }
    for (what, _) in scene.steps() {
        for _ in 0..rng.poisson(count * share(what).unwrap_or(0.0)) {
            let one = single(rng);
            all.push(hit(rng, what, one));
        }
    }
}

/// Adds the requests of scheduled jobs.
fn jobs(seeded: &SeededScript, scene: &Scene, rng: &mut Rng, all: &mut Vec<Draft>) {
    for (what, since) in scene.steps() {
        let What::Job { count, spacing, seconds, sigma } = *what else {
            continue;
        };
        let usual = seconds * (1.0 + 0.02 * swing(seeded.stream, 39));
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
                bundled: false,
                group: 0,
            });
        }
    }
}

/// The arrivals of a minute outside the script, where nobody waits.
pub(crate) fn idle(seeded: &SeededScript, source: &Source, minute: i64) -> Vec<Arrival> {
    let scene = seeded.scene(minute, false);
    let timeout = scene.timeout(source.timeout(minute));
    let targets = source.plan.targets.max(1);
    let arrival = |(turn, draft): (usize, Draft)| {
        let mut request = Request {
            took: draft.service,
            outcome: Outcome::Answered,
            group: draft.group,
            zone: draft.zone,
            target: (turn % targets) as u8,
        };
        match draft.fate {
            Fate::Error => request.outcome = Outcome::TargetError,
            Fate::Flowing => {}
            _ => request = limited(request, timeout),
        }
        Arrival { at: (draft.at % MINUTE) as u32, request, bundled: draft.bundled }
    };
    drafts(seeded, source, &scene).into_iter().enumerate().map(arrival).collect()
}
