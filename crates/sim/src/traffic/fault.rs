//! What strikes a request once its target is known.
//!
//! Whether it does is hashed from the request's own time, so that a script with
//! strikes draws the same requests as one without.

use crate::rng::{hash, unit};
use crate::scenario::script::{Fault, What};
use crate::traffic::draft::{CONNECT_TIMEOUT, Draft};
use crate::traffic::request::Outcome;
use crate::traffic::scene::{ROLL_SLOT, Scene, rolled, swing};

/// Relative difference of shares between seeds, either way.
const SPREAD: f64 = 0.2;

/// Where a request is, for those who strike it.
#[derive(Clone, Copy)]
pub(crate) struct FaultDraw {
    /// Address of the script's draws.
    pub(crate) stream: u64,
    /// How many requests there are, relative to the usual number.
    pub(crate) crowd: f64,
    pub(crate) targets: usize,
}

impl FaultDraw {
    /// The first fault that strikes a request to this target.
    pub(crate) fn struck(self, scene: &Scene, draft: &Draft, target: usize) -> Option<Fault> {
        scene.steps().enumerate().find_map(|(index, (what, _))| {
            let What::Strike(who, share, fault) = *what else {
                return None;
            };
            let quiet = if fault == Fault::Stale { self.crowd.max(0.05).powi(-2) } else { 1.0 };
            let level = 1.0 + SPREAD * swing(self.stream, 50 + index as u64);
            let share = if share < 1.0 { share * level * quiet } else { share };
            let meant = scene.meant(who, draft.zone, target, self.targets);
            (meant && self.draw(draft, index as u64) < share).then_some(fault)
        })
    }

    /// The target of a deployment that gets a last request though it has gone.
    pub(crate) fn raced(self, scene: &Scene, draft: &Draft) -> Option<usize> {
        scene.steps().find_map(|(what, since)| match what {
            What::Roll { race, .. } if since % ROLL_SLOT == 0 && self.draw(draft, 99) < *race => {
                Some(rolled(since, self.targets))
            }
            _ => None,
        })
    }

    /// How a request ends that a fault ends at once, and after how many microseconds.
    pub(crate) fn ending(self, fault: Fault, draft: &Draft) -> Option<(Outcome, u32)> {
        let part = self.draw(draft, 98);
        let within = |least: u32, width: f64| least + (part * width) as u32;
        match fault {
            Fault::Unreachable => Some((Outcome::Unreachable, within(CONNECT_TIMEOUT, 3_000.0))),
            Fault::Handshake => Some((Outcome::Handshake, within(CONNECT_TIMEOUT, 6_000.0))),
            Fault::Stale => Some((Outcome::Reset, within(800, 4_000.0))),
            Fault::Refused => Some((Outcome::Refused, within(300, 1_000.0))),
            Fault::Rejected => Some((Outcome::Rejected, 0)),
            Fault::Closed => Some((Outcome::Closed, within(300, 1_000.0))),
            Fault::Hang | Fault::Error => None,
        }
    }

    fn draw(self, draft: &Draft, kind: u64) -> f64 {
        let tries = u64::from(draft.tries);
        unit(hash(&[self.stream, 31, draft.at, u64::from(draft.zone), kind, tries]))
    }
}
