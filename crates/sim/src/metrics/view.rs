//! Which minutes `CloudWatch` has at one moment, and how much of them.
//!
//! AWS publishes a minute some time after its end, sometimes first with too few
//! requests, and now and then with an outage in between. All of that is a pure
//! function of minute and AWS's now. A minute reported low lacks some of its
//! requests, so every statistic of every metric agrees about it, and no count is
//! ever revised downward.

use std::ops::Range;
use std::sync::Arc;

use crate::faults::Faults;
use crate::faults::late::Subject;
use crate::rng::{hash, hash_bytes, unit};
use crate::traffic::minute::{Ended, Minute};
use crate::traffic::minutes::Minutes;
use crate::traffic::request::SECOND;
use crate::world::{Balancer, Gateway, Source, Stamp, World};

/// Seconds after its end at which a minute reported low is complete.
const REVISED: i64 = 150;
/// The same for late revisions.
const REVISED_LATE: i64 = 420;

/// How much of a minute is there.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Missing,
    /// This share of its requests.
    Low(f64),
    Whole,
}

impl Faults {
    /// The stage of a minute of the scenario, `now` seconds after the scenario's
    /// start; `draw` belongs to the load balancer's minute, and is made if it matters.
    fn stage(&self, minute: i64, now: i64, draw: impl Fn() -> u64, subject: Subject) -> Stage {
        let age = now - (minute + 1) * 60;
        let least = self.publish.or(self.clock.map(|_| 0));
        if now < self.late_points.appears(minute, least, subject) {
            return Stage::Missing;
        }
        if self.late_points.partly.iter().any(|one| one.holds(minute, age, subject)) {
            return Stage::Low(0.2 + 0.6 * unit(hash(&[draw(), 3])));
        }
        if self.revise <= 0.0 && self.revise_late <= 0.0 {
            return Stage::Whole;
        }
        let draw = draw();
        let chance = unit(draw);
        let late = chance < self.revise_late && age < REVISED_LATE;
        // The two shares are taken from both ends, so that they rarely meet.
        let soon = 1.0 - chance <= self.revise && age < REVISED;
        if late || soon { Stage::Low(0.2 + 0.6 * unit(hash(&[draw, 1]))) } else { Stage::Whole }
    }
}

/// Whose requests are looked at.
#[derive(Clone, Copy)]
pub(crate) struct Owner<'a> {
    name: &'a str,
    /// What chance goes by.
    mark: &'a str,
    /// Epoch minutes in which it exists.
    life: &'a Range<i64>,
    source: &'a Source,
}

impl<'a> From<&'a Balancer> for Owner<'a> {
    fn from(one: &'a Balancer) -> Self {
        Self { name: &one.name, mark: &one.dimension, life: &one.life, source: &one.source }
    }
}

impl<'a> Owner<'a> {
    /// A part of a gateway, which has this traffic.
    pub(crate) fn part(one: &'a Gateway, source: &'a Source) -> Self {
        Self { name: &one.name, mark: &one.id, life: &one.life, source }
    }
}

/// What can be seen at one moment; `now` in epoch seconds by AWS's clock.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) world: &'a World,
    minutes: &'a Minutes,
    now: Option<i64>,
}

impl<'a> View<'a> {
    /// Everything that arrived until `now`; without it nothing is held back.
    pub(crate) fn at(world: &'a World, minutes: &'a Minutes, now: Option<i64>) -> Self {
        Self { world, minutes, now }
    }

    /// What really ended at a load balancer of this name in an epoch minute, and
    /// the idle timeout in seconds; nothing while there was none of this name.
    pub(crate) fn really(&self, name: &str, minute: i64) -> Option<(Arc<Minute>, u32)> {
        let all = Self { now: None, ..*self };
        let one = self.world.by_name(name, minute)?;
        let requests = all.minute(one.into(), "", minute);
        let requests = requests.unwrap_or_else(|| Arc::new(Minute::new(Ended::default(), 1)));
        Some((requests, self.world.timeout(&one.source, minute)))
    }

    /// What really happened to a part (by number) of a gateway of this name or id in an epoch
    /// minute, and the timeout in seconds; nothing if there is none.
    pub(crate) fn really_of(
        &self,
        name: &str,
        part: usize,
        minute: i64,
    ) -> Option<(Arc<Minute>, u32)> {
        let all = Self { now: None, ..*self };
        let alive = self.world.called(name).find(|one| one.life.contains(&minute));
        let one = alive.or_else(|| self.world.called(name).next())?;
        let source = one.sources.get(part)?;
        let requests = all.minute(Owner::part(one, source), "", minute);
        let requests = requests.unwrap_or_else(|| Arc::new(Minute::new(Ended::default(), 1)));
        Some((requests, self.world.timeout(source, minute)))
    }

    /// Whether there are points of a metric of no load balancer in an epoch minute.
    pub(crate) fn holds(&self, metric: &str, minute: i64) -> bool {
        let setup = &self.world.setup;
        let subject = Subject { metric, balancer: None };
        let stage = |now: i64| {
            let (minute, now) = (minute - self.world.start(), now - setup.start);
            setup.faults.stage(minute, now, || u64::MAX / 2, subject)
        };
        self.now.is_none_or(|now| stage(now) != Stage::Missing)
    }

    /// The requests published for a metric of a gateway in an epoch minute, if there are
    /// points.
    pub(crate) fn minute(&self, owner: Owner, metric: &str, minute: i64) -> Option<Arc<Minute>> {
        if !owner.life.contains(&minute)
            || minute < self.world.start().saturating_sub(self.world.setup.recorded)
        {
            return None;
        }
        let setup = &self.world.setup;
        let draw = || {
            let own = hash_bytes(setup.seed, owner.mark.as_bytes());
            hash(&[own, 104, minute as u64])
        };
        let subject = Subject { metric, balancer: Some(owner.name) };
        let stage = self.now.map_or(Stage::Whole, |now| {
            let (minute, now) = (minute - self.world.start(), now - setup.start);
            setup.faults.stage(minute, now, draw, subject)
        });
        match stage {
            Stage::Missing => None,
            Stage::Whole => Some(self.over(owner.source, minute)),
            Stage::Low(share) => {
                let whole = self.over(owner.source, minute);
                let draw = draw();
                let own = |at: u64| unit(hash(&[draw, 2, at]));
                Some(Arc::new(whole.thinned(share, own)))
            }
        }
    }

    /// The requests of an epoch minute. Those that are stamped with their start are known only
    /// once they are over, and as much later as points are.
    fn over(&self, source: &Source, minute: i64) -> Arc<Minute> {
        let whole = self.minutes.of(source, minute);
        let faults = &self.world.setup.faults;
        let late = faults.publish.or(faults.clock.map(|_| 0));
        let (Stamp::Start, Some(now), Some(late)) = (source.stamp, self.now, late) else {
            return whole;
        };
        let after = (now - late - minute * 60).max(0).unsigned_abs() * u64::from(SECOND);
        if whole.over(after) { whole } else { Arc::new(whole.until(after)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::late::{Gap, Late, Partly};
    use crate::traffic::minute::Signs;
    use crate::traffic::request::{Outcome, Request};

    const SUBJECT: Subject = Subject { metric: "RequestCount", balancer: Some("web") };

    impl Faults {
        fn at(&self, minute: i64, now: i64, draw: u64) -> Stage {
            self.stage(minute, now, || draw, SUBJECT)
        }
    }

    #[test]
    fn without_a_fault_nothing_is_held_back_and_a_clock_hides_the_future() {
        assert_eq!(Faults::default().at(5, 0, 1), Stage::Whole);
        let clock = Faults { clock: Some(0), ..Faults::default() };
        assert_eq!(clock.at(5, 359, 1), Stage::Missing);
        assert_eq!(clock.at(5, 360, 1), Stage::Whole);
        let publish = Faults { publish: Some(90), ..Faults::default() };
        assert_eq!(publish.at(5, 449, 1), Stage::Missing);
        assert_eq!(publish.at(5, 450, 1), Stage::Whole);
    }

    #[test]
    fn a_minute_reported_low_keeps_the_state_of_its_targets() {
        let signs = Signs { unhealthy: 0b101, ..Signs::default() };
        let request = Request { took: 1, outcome: Outcome::Answered, group: 0, zone: 0, target: 0 };
        let mut ended = Ended::default();
        (0..14).for_each(|at| ended.push(request, at >= 10));
        let half = Minute::played(ended, 100, signs).thinned(0.5, |at| (at % 2) as f64);
        assert_eq!((half.ended(), half.signs.unhealthy), (5 + 2 * 100, 0b101));
    }

    #[test]
    fn an_outage_ends_for_all_its_minutes_at_once() {
        let gap = Gap::read("20-25").expect("valid");
        let late_points = Box::new(Late { gaps: vec![gap], ..Late::default() });
        let faults = Faults { late_points, ..Faults::default() };
        for minute in 20..=25 {
            assert_eq!(faults.at(minute, 36 * 60 - 1, 1), Stage::Missing);
            assert_eq!(faults.at(minute, 36 * 60, 1), Stage::Whole);
        }
        assert_eq!(faults.at(19, 0, 1), Stage::Whole);
    }

    #[test]
    fn a_minute_published_in_part_is_whole_after_so_many_seconds() {
        let partly = vec![Partly::read("20-25:90").expect("valid")];
        let late_points = Box::new(Late { partly, ..Late::default() });
        let faults = Faults { publish: Some(30), late_points, ..Faults::default() };
        let at = |age: i64| faults.at(20, 21 * 60 + age, 7);
        assert_eq!((at(29), at(90)), (Stage::Missing, Stage::Whole));
        assert!(matches!(at(30), Stage::Low(share) if (0.2..0.8).contains(&share)));
        assert_eq!(at(30), at(89));
        assert_eq!(faults.at(26, 27 * 60 + 30, 7), Stage::Whole);
    }

    #[test]
    fn the_share_of_low_minutes_is_as_asked_and_ends_in_time() {
        let faults = Faults { revise: 0.2, revise_late: 0.1, ..Faults::default() };
        let low = |age: i64| {
            let draws = (0..10_000).map(|n| hash(&[n]));
            draws.filter(|draw| faults.at(0, 60 + age, *draw) != Stage::Whole).count()
        };
        assert!((2_800..3_200).contains(&low(149)));
        assert!((850..1_150).contains(&low(150)));
        assert_eq!(low(420), 0);
    }
}
