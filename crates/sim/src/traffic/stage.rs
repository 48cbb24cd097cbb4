//! Where a script is played: targets with queues, impatient clients, minutes.
//!
//! Queues remember, so minutes are played in order, once, as far as somebody asked, and
//! kept at eight bytes a request. Requests go round robin over the targets that are up;
//! each has a number of workers, first come, first served. A request that was given up is
//! still worked on: targets do not notice.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use crate::scenario::script::{Fault, Shown, What};
use crate::traffic::draft::{Draft, Fate, MINUTE, drafts};
use crate::traffic::fault::FaultDraw;
use crate::traffic::minute::{Ended, Minute, Signs};
use crate::traffic::request::{Outcome, Request, SECOND, micros};
use crate::traffic::scene::{Scene, SeededScript};
use crate::world::{Source, Stamp};

/// Minutes played before the first one, so that it finds requests under way.
const WARM: i64 = 10;

/// A source's script as far as it was played.
pub(crate) struct Stage {
    seeded: SeededScript,
    /// Epoch minute that is played next.
    next: i64,
    /// Epoch minutes that are kept.
    kept: Range<i64>,
    /// Per target, when each worker is free (microseconds since the epoch).
    free: Vec<BinaryHeap<Reverse<u64>>>,
    /// Requests clients will make again.
    again: BinaryHeap<Reverse<Draft>>,
    turn: usize,
    /// Ended requests of `next` and the minutes after it.
    open: VecDeque<Ended>,
    done: Vec<Arc<Minute>>,
}

/// What holds for every request of a minute.
struct Now {
    scene: Scene,
    timeout: u32,
    /// Seconds until clients give up.
    patience: Option<u32>,
    retries: u8,
    /// How often an event is handled again.
    redelivered: u8,
    down: u16,
    aim: FaultDraw,
}

impl Stage {
    /// An empty stage for these epoch minutes.
    pub(crate) fn new(seeded: SeededScript, source: &Source, minutes: Range<i64>) -> Self {
        Self {
            seeded,
            next: minutes.start - WARM,
            kept: minutes,
            free: free(&seeded, source),
            again: BinaryHeap::new(),
            turn: 0,
            open: VecDeque::new(),
            done: Vec::new(),
        }
    }

    /// The requests that ended in a scripted epoch minute.
    pub(crate) fn of(&mut self, source: &Source, minute: i64) -> Option<Arc<Minute>> {
        while self.next <= minute.min(self.kept.end - 1) {
            self.play(source);
        }
        let at = usize::try_from(minute - self.kept.start).ok()?;
        self.done.get(at).map(Arc::clone)
    }

    /// Plays the next minute.
    fn play(&mut self, source: &Source) {
        let mut now = self.now(source);
        if now.scene.has(|what| matches!(what, What::Restart)) {
            self.free = free(&self.seeded, source);
            self.again.clear();
        }
        let end = (self.next as u64 + 1) * MINUTE;
        let all = drafts(&self.seeded, source, &now.scene);
        now.aim.crowd = all.len() as f64 / (source.plan.rate * self.seeded.level);
        for draft in all {
            self.repeat(source, &now, draft.at);
            self.serve(source, &now, draft);
        }
        self.repeat(source, &now, end);
        let ended = self.open.pop_front().unwrap_or_default();
        if self.next >= self.kept.start {
            let signs = signs(&now.scene, self.free.len());
            let bundle = self.seeded.script.bundle;
            self.done.push(Arc::new(Minute::played(ended, bundle, signs)));
        }
        self.next += 1;
    }

    fn now(&self, source: &Source) -> Now {
        let scene = self.seeded.scene(self.next, true);
        let mut now = Now {
            timeout: scene.timeout(source.timeout(self.next)),
            patience: None,
            retries: 0,
            redelivered: 0,
            down: scene.down(self.free.len()),
            aim: FaultDraw { stream: self.seeded.stream, crowd: 1.0, targets: self.free.len() },
            scene,
        };
        for (what, _) in now.scene.steps() {
            match what {
                What::Patience(seconds) => now.patience = Some(*seconds),
                What::Retries(times) => now.retries = *times,
                What::Redeliver(times) => now.redelivered = *times,
                _ => {}
            }
        }
        now
    }

    /// Serves what is made again until `end`.
    fn repeat(&mut self, source: &Source, now: &Now, end: u64) {
        while self.again.peek().is_some_and(|first| first.0.at < end) {
            if let Some(Reverse(draft)) = self.again.pop() {
                self.serve(source, now, draft);
            }
        }
    }

    /// Sends one request to a target and notes how and when it ends.
    fn serve(&mut self, source: &Source, now: &Now, draft: Draft) {
        let raced = now.aim.raced(&now.scene, &draft).filter(|_| !draft.bundled);
        let target = raced.unwrap_or_else(|| self.choose(now.down));
        let struck = raced.map(|_| Fault::Unreachable);
        let struck = struck.or_else(|| now.aim.struck(&now.scene, &draft, target));
        let struck = struck.filter(|_| !draft.bundled);
        let ending = struck.and_then(|fault| now.aim.ending(fault, &draft));
        let (outcome, lasts, took) = match ending {
            Some((outcome, took)) => (outcome, took, took),
            None => self.outcome(source, now, hit(draft, struck), target),
        };
        let Draft { zone, group, .. } = draft;
        let request = Request { took, outcome, group, zone, target: target as u8 };
        let ended = draft.at + u64::from(lasts);
        let counted = if source.stamp == Stamp::Start { draft.at } else { ended };
        let slot = (counted / MINUTE).saturating_sub(self.next as u64) as usize;
        while self.open.len() <= slot {
            self.open.push_back(Ended::default());
        }
        match source.stamp {
            Stamp::End => self.open[slot].push(request, draft.bundled),
            Stamp::Start => self.open[slot].begin(request, (draft.at % MINUTE) as u32),
        }
        if outcome.is_504() && draft.tries < now.retries {
            let at = ended + u64::from(SECOND);
            self.again.push(Reverse(Draft { at, tries: draft.tries + 1, ..draft }));
        }
        let failed = matches!(outcome, Outcome::TimedOut | Outcome::TargetError);
        if failed && draft.tries < now.redelivered {
            let at = ended + (u64::from(draft.tries) + 1) * MINUTE;
            self.again.push(Reverse(Draft { at, tries: draft.tries + 1, ..draft }));
        }
    }

    /// The next target that is up; all of them if none is.
    fn choose(&mut self, down: u16) -> usize {
        let targets = self.free.len();
        for _ in 0..targets {
            self.turn = (self.turn + 1) % targets;
            if down >> self.turn & 1 == 0 {
                break;
            }
        }
        self.turn
    }

    /// How a request ends, after how long, and how long the metric says it took.
    fn outcome(
        &mut self,
        source: &Source,
        now: &Now,
        draft: Draft,
        target: usize,
    ) -> (Outcome, u32, u32) {
        if draft.fate == Fate::Unreachable {
            return (Outcome::Unreachable, draft.service, draft.service);
        }
        let part = (draft.at % MINUTE) as f64 / MINUTE as f64;
        let slow = now.scene.slow_target(part, target, self.free.len());
        let mut service = (f64::from(draft.service) * slow) as u64;
        if now.scene.has(|what| matches!(what, What::Limit)) {
            let busy = |worker: &Reverse<u64>| worker.0 > draft.at;
            if self.free[target].peek().is_some_and(busy) {
                return (Outcome::Rejected, 0, 0);
            }
            service = service.min(u64::from(now.timeout) * u64::from(SECOND) + 1);
        }
        let took = self.work(now, draft.at, service, target);
        let cut = self.cut(source, draft.at, took, target);
        let took = u32::try_from(took).unwrap_or(u32::MAX);
        if let Some(limit) = function_limit(source).filter(|limit| took > *limit) {
            return (Outcome::Reset, limit, limit);
        }
        let limit = now.timeout.saturating_mul(SECOND);
        let patience = now.patience.map_or(u32::MAX, |seconds| seconds.saturating_mul(SECOND));
        let (outcome, lasts) = match draft.fate {
            Fate::Flowing => (Outcome::Answered, took),
            _ if took > patience && patience < limit => (Outcome::Abandoned, patience),
            _ if took > limit => (Outcome::TimedOut, limit),
            Fate::Stalled => return (Outcome::Stalled, limit.saturating_add(took), took),
            Fate::Error => (Outcome::TargetError, took),
            _ => (Outcome::Answered, took),
        };
        match cut.filter(|cut| *cut < lasts) {
            Some(cut) => (Outcome::Reset, cut, cut),
            None => (outcome, lasts, lasts),
        }
    }

    /// Waits for the worker that is free first; returns waiting plus service time.
    fn work(&mut self, now: &Now, at: u64, service: u64, target: usize) -> u64 {
        let Some(mut worker) = self.free[target].peek_mut() else {
            return paused(now, target, at, service) - at;
        };
        let end = paused(now, target, at.max(worker.0), service);
        worker.0 = end;
        end - at
    }

    /// Microseconds until a deployment cuts off a request that takes this long.
    fn cut(&self, source: &Source, at: u64, took: u64, target: usize) -> Option<u32> {
        let kills = |step: &crate::scenario::script::Step| {
            matches!(step.what, What::Roll { cut: Some(_), .. } | What::Die { .. })
        };
        if !self.seeded.script.steps.iter().any(kills) {
            return None;
        }
        let most = u64::from(source.plan.timeout) * u64::from(SECOND);
        let last = (at + took.min(most)) / MINUTE;
        (at / MINUTE + 1..=last).find_map(|minute| {
            let scene = self.seeded.scene(minute as i64, true);
            let (killed, after) = scene.killed(self.free.len())?;
            (killed == target).then_some((minute * MINUTE - at) as u32 + micros(after))
        })
    }
}

/// What the minute of a scene shows apart from its requests.
fn signs(scene: &Scene, targets: usize) -> Signs {
    Signs {
        unhealthy: scene.unhealthy(targets),
        away: scene.away(targets),
        anomalous: scene.anomalous(targets),
        backup_down: scene.shows(|shown| *shown == Shown::BackupDown),
        impaired: scene.shows(|shown| *shown == Shown::Impaired),
        hidden: scene.has(|what| matches!(what, What::Gap)),
    }
}

/// A draft after a fault that leaves it to its target.
fn hit(mut draft: Draft, fault: Option<Fault>) -> Draft {
    match fault {
        Some(Fault::Hang) => draft.service = u32::MAX,
        Some(Fault::Error) => draft.fate = Fate::Error,
        _ => {}
    }
    draft
}

/// Microseconds after which a function is stopped, if the targets are one.
fn function_limit(source: &Source) -> Option<u32> {
    let host = &source.plan.host;
    host.is_lambda().then(|| host.function_timeout.saturating_mul(SECOND))
}

/// Idle workers of every target; none where nobody ever waits.
fn free(seeded: &SeededScript, source: &Source) -> Vec<BinaryHeap<Reverse<u64>>> {
    let idle: BinaryHeap<_> = (0..seeded.script.workers).map(|_| Reverse(0)).collect();
    vec![idle; source.plan.targets.max(1)]
}

/// When work that could begin now ends at a target that may stop in between.
fn paused(now: &Now, target: usize, begin: u64, service: u64) -> u64 {
    let pause = now.scene.steps().find_map(|(what, since)| match what {
        What::Pause { target: one, every, seconds, growth } if *one == target => {
            Some((since, *every, *seconds, *growth))
        }
        _ => None,
    });
    let Some((since, every, seconds, growth)) = pause else {
        return begin + service;
    };
    let origin = (now.scene.minute - since) as u64 * MINUTE;
    let every = every as u64 * MINUTE;
    let (mut at, mut left) = (begin, service);
    loop {
        let number = at.saturating_sub(origin) / every;
        let stop = origin + number * every;
        let hours = (stop - origin) as f64 / (60 * MINUTE) as f64;
        let resume = stop + ((seconds + growth * hours) * f64::from(SECOND)) as u64;
        at = at.max(resume.min(stop + every));
        let run = left.min(stop + every - at);
        left -= run;
        at += run;
        if left == 0 {
            return at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_rests_while_its_target_stops() {
        let second = u64::from(SECOND);
        let pause: &'static What =
            &What::Pause { target: 1, every: 10, seconds: 20.0, growth: 0.0 };
        let telling_free = |at: u64, service: u64, target| {
            let now = Now {
                scene: Scene::test(100, pause, 0),
                timeout: 60,
                patience: None,
                retries: 0,
                redelivered: 0,
                down: 0,
                aim: FaultDraw { stream: 0, crowd: 1.0, targets: 2 },
            };
            let origin = 100 * MINUTE;
            paused(&now, target, origin + at * second, service * second) - origin
        };
        assert_eq!(telling_free(5, 3, 0), 8 * second);
        assert_eq!(telling_free(5, 3, 1), 23 * second);
        assert_eq!(telling_free(30, 3, 1), 33 * second);
        assert_eq!(telling_free(599, 3, 1), 622 * second);
    }
}
