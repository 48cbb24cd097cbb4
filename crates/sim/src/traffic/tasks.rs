//! The tasks of an ECS service in the course of a script.
//!
//! A slot is what a task is replaced in. When it is follows from the steps alone:
//! deployments take slot after slot, and tasks that die are replaced at once. A
//! task is known by its slot and the minute it was born.

use crate::rng::hash;
use crate::scenario::script::What;
use crate::traffic::scene::dead;
use crate::traffic::scene::{ROLL_SLOT, SeededScript, rolled};

/// Minutes looked back for deployments and deaths.
const PAST: i64 = 600;
/// Minutes for which ECS shows stopped tasks.
pub(crate) const SHOWN: i64 = 60;

/// Why a task was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// By the deployment that began in this epoch minute.
    Deployed(i64),
    /// It was killed for lack of memory.
    Killed,
}

/// A slot whose task was replaced in an epoch minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Replacement {
    pub(crate) slot: usize,
    pub(crate) at: i64,
    pub(crate) why: Why,
}

/// One task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) slot: usize,
    /// Epoch minute in which it was started, if that is not long ago.
    pub(crate) born: Option<i64>,
    /// What replaced it, if it is no longer the one of its slot.
    pub(crate) replaced: Option<Replacement>,
}

impl Task {
    /// A number that belongs to this task alone.
    pub(crate) fn mark(&self, stream: u64) -> u64 {
        hash(&[stream, 60, self.slot as u64, self.born.unwrap_or(0) as u64])
    }
}

/// A rolling deployment, in epoch minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deployment {
    pub(crate) from: i64,
    /// When the last slot was replaced; later than asked for while it goes on.
    pub(crate) until: i64,
}

impl SeededScript {
    /// Every replacement until an epoch minute, oldest first.
    pub(crate) fn replacements(&self, targets: usize, minute: i64) -> Vec<Replacement> {
        let first = (minute - PAST).max(self.start - PAST);
        let mut found = Vec::new();
        for at in first..=minute {
            for (what, since) in self.scene(at, true).steps() {
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
    pub(crate) fn deployments(&self, targets: usize, minute: i64) -> Vec<Deployment> {
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
    pub(crate) fn tasks(&self, targets: usize, minute: i64) -> Vec<Task> {
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
