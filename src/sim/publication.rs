//! Which minutes `CloudWatch` has at one moment, and how much of them.
//!
//! AWS publishes a minute some time after its end, sometimes first with too few
//! requests, and now and then with an outage in between. All of that is a pure
//! function of minute and AWS's now. A minute reported low lacks some of its
//! requests, so every statistic of every metric agrees about it, and no count is
//! ever revised downward.

use std::sync::Arc;

use super::faults::Faults;
use super::minute::Minute;
use super::rng::{hash, hash_bytes, unit};
use super::state::State;
use super::timeline::Span;
use super::world::Balancer;

/// Seconds after its end at which a minute reported low is complete.
const REVISED: i64 = 150;
/// The same for late revisions.
const REVISED_LATE: i64 = 420;
/// Minutes after the end of an outage at which its points appear.
const CAUGHT_UP: i64 = 10;

/// An outage of the publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The minutes without points.
    pub span: Span,
    /// Minutes after the end of the span at which the points appear.
    pub wait: i64,
}

impl Gap {
    /// Reads `FROM-TO` or `FROM-TO:MINUTES`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (span, wait) = match text.split_once(':') {
            None => (text, CAUGHT_UP),
            Some((span, wait)) => (span, wait.parse().ok()?),
        };
        let span = Span::read(span)?;
        (0..=1_000_000).contains(&wait).then_some(Self { span, wait })
    }
}

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
    /// start; `draw` belongs to the load balancer's minute.
    fn stage(&self, minute: i64, now: i64, draw: u64) -> Stage {
        let age = now - (minute + 1) * 60;
        let least = self.publish.or(self.clock.map(|_| 0)).unwrap_or(i64::MIN);
        let held =
            |gap: &Gap| gap.span.holds(minute) && now < (gap.span.to + 1) * 60 + gap.wait * 60;
        if age < least || self.gaps.iter().any(held) {
            return Stage::Missing;
        }
        let chance = unit(draw);
        let late = chance < self.revise_late && age < REVISED_LATE;
        // The two shares are taken from both ends, so that they rarely meet.
        let soon = 1.0 - chance <= self.revise && age < REVISED;
        if late || soon { Stage::Low(0.2 + 0.6 * unit(hash(&[draw, 1]))) } else { Stage::Whole }
    }
}

/// What can be seen at one moment; `now` in epoch seconds by AWS's clock.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    state: &'a State,
    now: Option<i64>,
}

impl<'a> View<'a> {
    /// Everything that arrived until `now`; without it nothing is held back.
    pub(super) fn at(state: &'a State, now: Option<i64>) -> Self {
        Self { state, now }
    }

    /// Whether there are points of an epoch minute at all.
    pub(super) fn holds(&self, minute: i64) -> bool {
        let setup = &self.state.setup;
        let stage = |now: i64| {
            setup.faults.stage(minute - self.state.start(), now - setup.start, u64::MAX / 2)
        };
        self.now.is_none_or(|now| stage(now) != Stage::Missing)
    }

    /// The requests published for a load balancer's epoch minute, if there are points.
    pub(super) fn minute(&self, balancer: &Balancer, minute: i64) -> Option<Arc<Minute>> {
        if !balancer.life.contains(&minute)
            || minute < self.state.start().saturating_sub(self.state.setup.recorded)
        {
            return None;
        }
        let setup = &self.state.setup;
        let own = hash_bytes(setup.seed, balancer.dimension.as_bytes());
        let draw = hash(&[own, 104, minute as u64]);
        let stage = self.now.map_or(Stage::Whole, |now| {
            setup.faults.stage(minute - self.state.start(), now - setup.start, draw)
        });
        match stage {
            Stage::Missing => None,
            Stage::Whole => Some(self.state.minutes.of(balancer, minute)),
            Stage::Low(share) => {
                let whole = self.state.minutes.of(balancer, minute);
                let own = |at: u64| unit(hash(&[draw, 2, at]));
                Some(Arc::new(whole.thinned(share, own)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_fault_nothing_is_held_back_and_a_clock_hides_the_future() {
        assert_eq!(Faults::default().stage(5, 0, 1), Stage::Whole);
        let clock = Faults { clock: Some(0), ..Faults::default() };
        assert_eq!(clock.stage(5, 359, 1), Stage::Missing);
        assert_eq!(clock.stage(5, 360, 1), Stage::Whole);
        let publish = Faults { publish: Some(90), ..Faults::default() };
        assert_eq!(publish.stage(5, 449, 1), Stage::Missing);
        assert_eq!(publish.stage(5, 450, 1), Stage::Whole);
    }

    #[test]
    fn an_outage_ends_for_all_its_minutes_at_once() {
        let gap = Gap::read("20-25").expect("valid");
        let faults = Faults { gaps: vec![gap], ..Faults::default() };
        for minute in 20..=25 {
            assert_eq!(faults.stage(minute, 36 * 60 - 1, 1), Stage::Missing);
            assert_eq!(faults.stage(minute, 36 * 60, 1), Stage::Whole);
        }
        assert_eq!(faults.stage(19, 0, 1), Stage::Whole);
        assert_eq!(Gap::read("1-2:3").map(|gap| gap.wait), Some(3));
        assert!(Gap::read("1-2:-3").is_none());
    }

    #[test]
    fn the_share_of_low_minutes_is_as_asked_and_ends_in_time() {
        let faults = Faults { revise: 0.2, revise_late: 0.1, ..Faults::default() };
        let low = |age: i64| {
            let draws = (0..10_000).map(|n| hash(&[n]));
            draws.filter(|draw| faults.stage(0, 60 + age, *draw) != Stage::Whole).count()
        };
        assert!((2_800..3_200).contains(&low(149)));
        assert!((850..1_150).contains(&low(150)));
        assert_eq!(low(420), 0);
    }
}
