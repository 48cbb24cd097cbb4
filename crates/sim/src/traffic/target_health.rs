//! The state of every target in a minute, as AWS would describe it.
//!
//! One answer serves all that ask: who gets requests, what the host counts say,
//! and what `DescribeTargetHealth` shows. They can therefore never disagree.

use crate::scenario::script::Reason;
use crate::scenario::script::{Shown, What, Who};
use crate::traffic::scene::dead;
use crate::traffic::scene::{ROLL_DOWN, ROLL_SLOT, Scene, rolled};
use crate::world::ZONES;

/// Minutes a task that died is missing.
pub(crate) const DEAD: i64 = 2;

/// The state of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TargetHealth {
    Healthy,
    Unhealthy(Reason),
    /// Deregistered; what it works on is still waited for.
    Draining,
    /// Deregistered, and nothing is waited for any more.
    Gone,
    /// Registered, but not running.
    Unused,
}

impl Scene {
    /// The zone (index) this seed picks.
    pub(crate) fn zone(&self) -> usize {
        (self.pick >> 16) as usize % ZONES.len()
    }

    /// Bits of the targets that are meant.
    pub(crate) fn bits(&self, who: Who, targets: usize) -> u16 {
        let first = self.pick as usize;
        let one = |at: usize| 1_u16 << (at % targets.max(1));
        match who {
            Who::All => all(targets),
            Who::Target(at) => one(at),
            Who::Nth(at) => one(first % targets.max(1) + at),
            Who::Pick(count) => {
                (0..count).map(|at| one(first % targets.max(1) + at)).fold(0, |a, b| a | b)
            }
            Who::TargetZone => {
                let here = (0..targets).filter(|at| at % ZONES.len() == self.zone());
                here.map(one).fold(0, |a, b| a | b)
            }
            Who::Class(_) | Who::Jobs | Who::Zone(_) | Who::NodeZone => 0,
        }
    }

    /// Whether a request through this node's zone to this target is meant.
    pub(crate) fn meant(&self, who: Who, zone: u8, target: usize, targets: usize) -> bool {
        match who {
            Who::NodeZone => usize::from(zone) == self.zone(),
            Who::Zone(one) => one == zone,
            who => self.bits(who, targets) >> target & 1 == 1,
        }
    }

    /// The state of every target of the first group.
    pub(crate) fn fitness(&self, targets: usize) -> Vec<TargetHealth> {
        let mut states = vec![TargetHealth::Healthy; targets];
        for (what, since) in self.steps() {
            let (bits, state) = self.impaired(what, since, targets);
            for (at, slot) in states.iter_mut().enumerate() {
                if bits >> at & 1 == 1 {
                    *slot = state;
                }
            }
        }
        states
    }

    /// The targets (bits) a step concerns, and the state it puts them in.
    fn impaired(&self, what: &What, since: i64, targets: usize) -> (u16, TargetHealth) {
        match what {
            What::FailOpen => (all(targets), TargetHealth::Unhealthy(Reason::Failed)),
            What::Sick(who, reason) => (self.bits(*who, targets), TargetHealth::Unhealthy(*reason)),
            What::Up(steps) => {
                let step = steps.iter().rev().find(|step| step.0 <= since);
                let up = step.map_or(targets, |step| step.1).min(targets);
                let scaled = self.shows(|shown| matches!(shown, Shown::ScaledIn));
                let state = if scaled {
                    TargetHealth::Gone
                } else {
                    TargetHealth::Unhealthy(Reason::Timeout)
                };
                (all(targets) & !all(up), state)
            }
            What::Roll { .. } if since % ROLL_SLOT < ROLL_DOWN => {
                (1 << rolled(since, targets), TargetHealth::Draining)
            }
            What::Die { every } if since % every < DEAD => {
                (1 << dead(since, *every, targets), TargetHealth::Draining)
            }
            What::Shown(Shown::Emptied) => (all(targets), TargetHealth::Gone),
            What::Shown(Shown::Unused) => (all(targets), TargetHealth::Unused),
            _ => (0, TargetHealth::Healthy),
        }
    }

    /// Whether something like this is shown.
    pub(crate) fn shows(&self, like: impl Fn(&Shown) -> bool) -> bool {
        self.has(|what| matches!(what, What::Shown(shown) if like(shown)))
    }

    /// Bits of the targets in a state like this.
    pub(crate) fn those(&self, targets: usize, like: impl Fn(TargetHealth) -> bool) -> u16 {
        let states = self.fitness(targets).into_iter().enumerate();
        states.filter(|(_, state)| like(*state)).fold(0, |bits, (at, _)| bits | 1 << at)
    }

    /// Bits of the targets that get no requests: those that are not healthy,
    /// unless none is.
    pub(crate) fn down(&self, targets: usize) -> u16 {
        let down = self.those(targets, |state| state != TargetHealth::Healthy);
        if down == all(targets) { 0 } else { down }
    }

    /// Bits of the targets that fail their health checks.
    pub(crate) fn unhealthy(&self, targets: usize) -> u16 {
        self.those(targets, |state| matches!(state, TargetHealth::Unhealthy(_)))
    }

    /// Bits of the targets that are not registered, or as good as that.
    pub(crate) fn away(&self, targets: usize) -> u16 {
        let here = |state| matches!(state, TargetHealth::Healthy | TargetHealth::Unhealthy(_));
        self.those(targets, |state| !here(state))
    }

    /// Bits of the targets that look unlike the others.
    pub(crate) fn anomalous(&self, targets: usize) -> u16 {
        let bits = self.steps().map(|(what, _)| match what {
            What::Shown(Shown::Anomalous(who)) => self.bits(*who, targets),
            _ => 0,
        });
        bits.fold(0, |a, b| a | b)
    }
}

/// Bits of this many targets.
pub(crate) fn all(targets: usize) -> u16 {
    ((1_u32 << targets) - 1) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(what: &'static What, since: i64) -> Scene {
        Scene::test(100, what, since)
    }

    #[test]
    fn a_rolling_deployment_takes_one_target_after_another() {
        let roll = &What::Roll { cut: Some(0.0), race: 0.0, slow: 4.0 };
        assert_eq!(scene(roll, 0).down(4), 0b0001);
        assert_eq!(scene(roll, 3).down(4), 0);
        assert_eq!(scene(roll, 6).down(4), 0b0010);
        assert_eq!((scene(roll, 6).unhealthy(4), scene(roll, 6).away(4)), (0, 0b0010));
    }

    #[test]
    fn lost_targets_are_down_and_a_fail_open_only_looks_like_it() {
        let up = &What::Up(&[(0, 3), (60, 1)]);
        assert_eq!(scene(up, 59).down(4), 0b1000);
        assert_eq!(scene(up, 60).down(4), 0b1110);
        let open = scene(&What::FailOpen, 0);
        assert_eq!((open.down(4), open.unhealthy(4)), (0, 0b1111));
    }

    #[test]
    fn picked_targets_and_zones_are_those_of_the_seed() {
        let mut scene = scene(&What::Restart, 0);
        scene.pick = 3 | 2 << 16;
        assert_eq!(scene.bits(Who::Pick(2), 4), 0b1001);
        assert_eq!(scene.bits(Who::Nth(1), 4), 0b0001);
        assert_eq!(scene.bits(Who::TargetZone, 6), 0b10_0100);
        assert!(scene.meant(Who::NodeZone, 2, 0, 4) && !scene.meant(Who::NodeZone, 1, 0, 4));
    }
}
