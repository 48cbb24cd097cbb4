//! The tasks of an ECS service in the course of a tale.
//!
//! A slot is what a task is replaced in. When it is follows from the acts alone:
//! deployments take slot after slot, and tasks that die are replaced at once. A
//! task is known by its slot and the minute it was born.

use super::fitness::dead;
use super::rng::hash;
use super::scene::{ROLL_SLOT, Telling, rolled};
use super::tale::What;

/// Minutes looked back for deployments and deaths.
const PAST: i64 = 600;
/// Minutes for which ECS shows stopped tasks.
pub(super) const SHOWN: i64 = 60;

/// Why a task was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// By the deployment that began in this epoch minute.
    Deployed(i64),
    /// It was killed for lack of memory.
    Killed,
}

/// A slot whose task was replaced in an epoch minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Replacement {
    pub(super) slot: usize,
    pub(super) at: i64,
    pub(super) why: Why,
}

/// One task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) slot: usize,
    /// Epoch minute in which it was started, if that is not long ago.
    pub(super) born: Option<i64>,
    /// What replaced it, if it is no longer the one of its slot.
    pub(super) replaced: Option<Replacement>,
}

impl Task {
    /// A number that belongs to this task alone.
    pub(super) fn mark(&self, stream: u64) -> u64 {
        hash(&[stream, 60, self.slot as u64, self.born.unwrap_or(0) as u64])
    }
}

/// A rolling deployment, in epoch minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deployment {
    pub(super) from: i64,
    /// When the last slot was replaced; later than asked for while it goes on.
    pub(super) until: i64,
}

impl Telling {
    /// Every replacement until an epoch minute, oldest first.
    pub(super) fn replacements(&self, targets: usize, minute: i64) -> Vec<Replacement> {
        let first = (minute - PAST).max(self.start - PAST);
        let mut found = Vec::new();
        for at in first..=minute {
            for (what, since) in self.scene(at, true).acts() {
                let (slot, why) = match what {
                    What::Roll { .. } if since % ROLL_SLOT == 0 => {
                        (rolled(since, targets), Why::Deployed(at - since))
                    }
                    What::Die { every } if since % every == 0 => {
                        (dead(since, *every, targets), Why::Killed)
                    }
                    _ => continue,
                };
                found.push(Replacement { slot, at, why });
            }
        }
        found
    }

    /// The deployments that began until an epoch minute, oldest first.
    pub(super) fn deployments(&self, targets: usize, minute: i64) -> Vec<Deployment> {
        let mut found: Vec<Deployment> = Vec::new();
        for one in self.replacements(targets, minute) {
            let Why::Deployed(from) = one.why else {
                continue;
            };
            if found.last().is_none_or(|last| last.from != from) {
                let until = from + targets as i64 * ROLL_SLOT;
                found.push(Deployment { from, until });
            }
        }
        found
    }

    /// Every task until an epoch minute, those of a slot in their order.
    pub(super) fn tasks(&self, targets: usize, minute: i64) -> Vec<Task> {
        let replacements = self.replacements(targets, minute);
        let mut tasks = Vec::new();
        for slot in 0..targets {
            let mut born = None;
            for one in replacements.iter().filter(|one| one.slot == slot) {
                tasks.push(Task { slot, born, replaced: Some(*one) });
                born = Some(one.at);
            }
            tasks.push(Task { slot, born, replaced: None });
        }
        tasks
    }
}
