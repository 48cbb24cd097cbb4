//! Which steps of a script are on in a minute, and what follows for requests.
//!
//! A scene is looked up once per minute, so that healthy minutes, which are
//! nearly all, cost nothing per request.

use crate::rng::{hash, unit};
use crate::scenario::plan::{Trouble, along};
use crate::scenario::script::{DAY, Script, Step, What, When, Who};
use crate::world::{Source, World};

/// Minutes one target takes in a rolling deployment, and how many it is down.
pub(crate) const ROLL_SLOT: i64 = 5;
pub(crate) const ROLL_DOWN: i64 = 2;
/// Minutes either way by which a seed moves pivot and daily curve.
const MOVED: f64 = 20.0;

/// A script as it is for one seed.
#[derive(Clone, Copy)]
pub(crate) struct SeededScript {
    pub(crate) script: &'static Script,
    /// Address of all its draws.
    pub(crate) stream: u64,
    /// Epoch minute of the scenario's minute 0.
    pub(crate) start: i64,
    /// Epoch minute of the pivot.
    pub(crate) pivot: i64,
    /// Factor on the load.
    pub(crate) level: f64,
    /// Minutes by which the daily curve is late.
    pub(crate) late: f64,
}

/// The steps that are on in one minute, each with the minutes since it began.
pub(crate) struct Scene {
    pub(crate) minute: i64,
    /// What the seed picks targets and zones by.
    pub(crate) pick: u64,
    on: Vec<(&'static What, i64)>,
}

impl SeededScript {
    /// The source's script for its seed, if it has one.
    pub(crate) fn of(source: &Source, start: i64) -> Option<Self> {
        let Trouble::Script(script) = source.plan.trouble else {
            return None;
        };
        let stream = source.stream;
        let moved = (swing(stream, 20) * MOVED).round() as i64;
        let pivot = start + script.pivot + if script.pivot > 0 { moved } else { 0 };
        let level = 1.0 + script.spread * swing(stream, 21);
        let late = MOVED * swing(stream, 22);
        Some(Self { script, stream, start, pivot, level, late })
    }

    /// What is on in this epoch minute. Outside the script the steps around the
    /// pivot are off: they belong to it.
    pub(crate) fn scene(&self, minute: i64, scripted: bool) -> Scene {
        let steps = self.script.steps.iter().enumerate();
        let on = steps.filter_map(|(index, step)| {
            let since = self.since(step, index as u64, minute)?;
            let told = matches!(step.when, When::Pivot(..) | When::Every { .. });
            let over = !scripted && minute > self.pivot && told;
            (!over).then_some((&step.what, since))
        });
        Scene { minute, pick: hash(&[self.stream, 24]) >> 24, on: on.collect() }
    }

    /// Minutes since the step's episode began, if one is on.
    fn since(&self, step: &Step, index: u64, minute: i64) -> Option<i64> {
        match step.when {
            When::Pivot(from, until) => {
                let since = minute - self.pivot;
                (from..until).contains(&since).then_some(since - from)
            }
            When::Random { every, length } => {
                let block = minute.div_euclid(every);
                let free = (every - length).max(1) as u64;
                let at = hash(&[self.stream, 23, index, block as u64]) % free;
                let since = minute.rem_euclid(every) - at as i64;
                (0..length).contains(&since).then_some(since)
            }
            When::Every { every, length, wobble } => {
                let number = (minute - self.pivot + wobble).div_euclid(every);
                [number, number - 1].into_iter().filter(|number| *number >= 0).find_map(|number| {
                    let draw = swing(hash(&[self.stream, 25, index]), number as u64);
                    let moved = if number == 0 { 0 } else { (draw * wobble as f64) as i64 };
                    let since = minute - self.pivot - number * every - moved;
                    (0..length).contains(&since).then_some(since)
                })
            }
            When::Clock { days, at, length, wobble, within } => {
                let today = minute.div_euclid(DAY);
                [today, today - 1].into_iter().find_map(|day| {
                    let number = day - self.start.div_euclid(DAY);
                    let named = days >> (day + 3).rem_euclid(7) & 1 == 1;
                    let draw = swing(hash(&[self.stream, 24, index]), day as u64);
                    let begin = day * DAY + at + (draw * wobble as f64) as i64;
                    let since = minute - begin;
                    let inside = (within.0..within.1).contains(&number);
                    (named && inside && (0..length).contains(&since)).then_some(since)
                })
            }
        }
    }
}

impl World {
    /// What is on at a load balancer in an epoch minute, if it has a script.
    pub(crate) fn scene(&self, one: &Source, minute: i64) -> Option<Scene> {
        let seeded = SeededScript::of(one, self.start())?;
        Some(seeded.scene(minute, self.script().contains(&minute)))
    }

    /// The idle timeout in force at a load balancer in this epoch minute, seconds.
    pub(crate) fn timeout(&self, one: &Source, minute: i64) -> u32 {
        idle_timeout(one, minute, self.start(), self.scenario.minutes)
    }
}

/// The idle timeout in force in an epoch minute, seconds, in a scenario that starts at
/// this epoch minute and lasts `script` minutes.
fn idle_timeout(one: &Source, minute: i64, start: i64, script: i64) -> u32 {
    let usual = one.timeout(minute);
    let scripted = (start..start + script).contains(&minute);
    let seeded = SeededScript::of(one, start).filter(|_| scripted);
    seeded.map_or(usual, |seeded| seeded.scene(minute, true).timeout(usual))
}

impl Scene {
    /// A scene of a single step.
    #[cfg(test)]
    pub(crate) fn test(minute: i64, what: &'static What, since: i64) -> Self {
        Self { minute, pick: 0, on: vec![(what, since)] }
    }

    /// Every step that is on, with the minutes since its episode began.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (&'static What, i64)> {
        self.on.iter().copied()
    }

    /// Whether a step like this is on.
    pub(crate) fn has(&self, like: impl Fn(&What) -> bool) -> bool {
        self.on.iter().any(|(what, _)| like(what))
    }

    /// Factor on the load.
    pub(crate) fn load(&self) -> f64 {
        let factor = |(what, since): &(&What, i64)| match what {
            What::Load(knots) => Some(along(knots, *since as f64)),
            _ => None,
        };
        self.on.iter().filter_map(factor).product()
    }

    /// The idle timeout in force, seconds.
    pub(crate) fn timeout(&self, usual: u32) -> u32 {
        let other = self.on.iter().find_map(|(what, _)| match what {
            What::Timeout(seconds) => Some(*seconds),
            _ => None,
        });
        other.unwrap_or(usual)
    }

    /// Factor on the service time of whoever is among `who`, `part` into the minute.
    pub(crate) fn slow(&self, part: f64, who: &[Who]) -> f64 {
        let factor = |(what, since): &(&What, i64)| match what {
            What::Slow(one, knots) if who.contains(one) => Some(along(knots, *since as f64 + part)),
            _ => None,
        };
        self.on.iter().filter_map(factor).product()
    }

    /// Factor on the service time at a target, for changes that concern targets.
    pub(crate) fn slow_target(&self, part: f64, target: usize, targets: usize) -> f64 {
        let rolling = self.on.iter().find_map(|(what, since)| match what {
            What::Roll { slow, .. } => {
                let here = rolled(*since, targets) == target && since % ROLL_SLOT >= ROLL_DOWN;
                here.then_some(*slow)
            }
            _ => None,
        });
        self.slow(part, &[Who::Target(target)]) * rolling.unwrap_or(1.0)
    }

    /// The target whose work is cut off in this minute, and after how many seconds.
    pub(crate) fn killed(&self, targets: usize) -> Option<(usize, f64)> {
        self.on.iter().find_map(|(what, since)| match what {
            What::Roll { cut: Some(after), .. } if since % ROLL_SLOT == 0 => {
                Some((rolled(*since, targets), *after))
            }
            What::Die { every } if since % every == 0 => Some((dead(*since, *every, targets), 0.0)),
            _ => None,
        })
    }
}

/// The target a rolling deployment is at.
pub(crate) fn rolled(since: i64, targets: usize) -> usize {
    (since / ROLL_SLOT) as usize % targets.max(1)
}

/// A number in [-1, 1) that belongs to an address.
pub(crate) fn swing(stream: u64, kind: u64) -> f64 {
    2.0 * unit(hash(&[stream, kind])) - 1.0
}

/// The target that dies next.
pub(crate) fn dead(since: i64, every: i64, targets: usize) -> usize {
    (since / every) as usize % targets.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::script::CALM;

    fn scene(what: &'static What, since: i64) -> Scene {
        Scene::test(100, what, since)
    }

    #[test]
    fn what_comes_again_does_so_from_the_pivot_on_moved_a_little_each_time() {
        let seeded = SeededScript {
            script: &CALM,
            stream: 5,
            start: 0,
            pivot: 1_000,
            level: 1.0,
            late: 0.0,
        };
        let when = When::Every { every: 180, length: 20, wobble: 6 };
        let step = Step { when, what: What::Restart };
        let on: Vec<i64> = (0..4_600).filter(|at| seeded.since(&step, 0, *at).is_some()).collect();
        let episodes: Vec<&[i64]> = on.chunk_by(|a, b| b - a == 1).collect();
        assert_eq!((episodes.len(), episodes[0][0]), (20, 1_000));
        for (number, episode) in (0..).zip(&episodes) {
            let moved = episode[0] - 1_000 - number * 180;
            assert!(episode.len() == 20 && moved.abs() <= 6, "{number}: {moved}");
            assert_eq!(seeded.since(&step, 0, episode[7]), Some(7));
        }
    }

    #[test]
    fn a_deployment_cuts_off_and_slows_one_target_after_another() {
        let roll = &What::Roll { cut: Some(7.0), race: 0.0, slow: 4.0 };
        assert!((scene(roll, 3).slow_target(0.0, 0, 4) - 4.0).abs() < 1e-12);
        assert_eq!(scene(roll, 5).killed(4), Some((1, 7.0)));
        assert_eq!(scene(roll, 6).killed(4), None);
        assert_eq!(scene(&What::Die { every: 9 }, 18).killed(4), Some((2, 0.0)));
    }
}
