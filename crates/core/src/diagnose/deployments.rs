//! When ECS replaced or lost tasks, and whether failures coincide with it.
//!
//! What a deployment cuts, it cuts while tasks stop. Failures that lie within such times
//! far more often than these times last are its doing; others are not.

use crate::time::Minute;

use crate::diagnose::evidence::{Evidence, Service, StoppedTask};
use crate::diagnose::series::{Row, real};

/// ECS remembers stopped tasks for about an hour.
const REMEMBERED: usize = 70;
/// CloudWatch's minutes and ECS's seconds meet with this tolerance, seconds.
const TOLERANCE: i64 = 60;
/// How long old tasks may drain after a deployment's last change, seconds.
const DRAINING: i64 = 120;
/// A deployment is over after this many seconds at the latest.
const LONGEST: i64 = 1_800;

/// A time from and to, seconds since the Unix epoch.
type Time = (i64, i64);

/// How failures coincide with times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coincidence {
    /// The share of the failures within the times.
    pub inside: f64,
    /// The share of the minutes that the times cover.
    pub covered: f64,
}

impl Coincidence {
    /// Whether the failures belong to the times.
    #[must_use]
    pub fn is_close(self) -> bool {
        self.inside >= 0.7 && self.inside > 1.5 * self.covered
    }

    /// Whether they surely do not.
    #[must_use]
    pub fn is_denied(self) -> bool {
        self.covered < 0.8 && (self.inside < 0.4 || self.inside < self.covered + 0.05)
    }
}

/// The times at which tasks stopped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deployments {
    /// Whether ECS was readable, and has something behind this gateway.
    pub is_known: bool,
    /// When deployments stopped tasks.
    pub planned: Vec<Time>,
    /// When tasks were killed or died by themselves.
    pub killed: Vec<Time>,
}

impl Deployments {
    /// The times of the services in the evidence.
    #[must_use]
    pub fn of(evidence: &Evidence) -> Self {
        let services = evidence.services.as_deref().unwrap_or_default();
        let stopped =
            || services.iter().filter_map(|service| service.stopped.as_ref().ok()).flatten();
        let times = |chosen: fn(&StoppedTask) -> bool| {
            stopped().filter(move |task| chosen(task)).filter_map(time).collect::<Vec<_>>()
        };
        let mut planned = times(is_planned);
        planned.extend(services.iter().flat_map(rollouts));
        Self { is_known: !services.is_empty(), planned, killed: times(is_killed) }
    }

    /// How the counts of a row coincide with these times, in the minutes that ECS
    /// remembers; `None` without one of either.
    #[must_use]
    pub fn coincidence(times: &[Time], row: &[Option<f64>], first: Minute) -> Option<Coincidence> {
        let from = row.len().saturating_sub(REMEMBERED);
        let is_inside = |place: usize| {
            let minute = first.plus(i64::try_from(place).unwrap_or(0));
            times.iter().any(|(start, end)| minute.start() < *end && *start < minute.end())
        };
        let (mut inside, mut all, mut covered) = (0.0, 0.0, 0.0);
        for (place, cell) in row.iter().enumerate().skip(from) {
            let weight = if is_inside(place) { 1.0 } else { 0.0 };
            inside += weight * cell.unwrap_or(0.0);
            all += cell.unwrap_or(0.0);
            covered += weight;
        }
        let minutes = real(row.len() - from);
        (all > 0.0 && covered > 0.0)
            .then(|| Coincidence { inside: inside / all, covered: covered / minutes })
    }
}

/// Whether this many counts lie in fewer minutes than chance would spread them over; `None`
/// where there are too few to say.
#[must_use]
pub fn is_bunched(cells: &[Option<f64>]) -> Option<bool> {
    let counts: Row = cells.iter().copied().filter(|cell| cell.is_some_and(|c| c > 0.0)).collect();
    let (events, minutes) = (counts.iter().flatten().sum::<f64>(), real(cells.len()));
    let spread = minutes * (1.0 - (-events / minutes.max(1.0)).exp());
    (events >= 6.0 && minutes >= 10.0).then(|| real(counts.len()) < 0.6 * spread)
}

/// Whether a deployment or scaling stopped the task.
#[must_use]
pub fn is_planned(task: &StoppedTask) -> bool {
    task.code == "ServiceSchedulerInitiated" || task.code == "UserInitiated"
}

/// Whether the task was killed for lack of memory, or by a signal that nobody planned.
#[must_use]
pub fn is_killed(task: &StoppedTask) -> bool {
    let by_signal = task.exits.iter().any(|(code, _)| *code == Some(137));
    is_out_of_memory(task) || (by_signal && !is_planned(task))
}

/// Whether ECS says that the task ran out of memory.
#[must_use]
pub fn is_out_of_memory(task: &StoppedTask) -> bool {
    let says = |text: &String| text.contains("OutOfMemory") || text.contains("out of memory");
    says(&task.reason) || task.exits.iter().any(|(_, reason)| says(reason))
}

fn time(task: &StoppedTask) -> Option<Time> {
    let start = task.stopping.or(task.stopped)?;
    let end = task.stopped.unwrap_or(start).clamp(start, start.saturating_add(LONGEST));
    Some((start.saturating_sub(TOLERANCE), end.saturating_add(TOLERANCE)))
}

/// From its creation until it last changed, and as long as old tasks may take to drain;
/// one that is under way has no end yet.
fn rollouts(service: &Service) -> impl Iterator<Item = Time> {
    service.deployments.iter().map(|deployment| {
        let latest = deployment.created.saturating_add(LONGEST);
        let changed = deployment.updated.saturating_add(DRAINING);
        let end = if deployment.rollout == "IN_PROGRESS" { latest } else { changed };
        let end = end.clamp(deployment.created, latest);
        (deployment.created.saturating_sub(TOLERANCE), end.saturating_add(TOLERANCE))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_belong_to_the_times_in_which_they_lie() {
        let row: Row = (0..60).map(|m| Some(f64::from(u8::from(m == 30 || m == 31)))).collect();
        let at = |start: i64, end: i64| {
            Deployments::coincidence(&[(start * 60, end * 60)], &row, Minute(0)).unwrap()
        };
        assert!(at(29, 33).is_close());
        assert!(at(10, 12).is_denied());
        assert_eq!(Deployments::coincidence(&[], &row, Minute(0)), None);
        assert_eq!(is_bunched(&row), None);
    }

    #[test]
    fn bunched_is_not_spread() {
        let every = |n: usize| (0..60).map(move |m| Some(if m % n == 0 { 3.0 } else { 0.0 }));
        assert_eq!(is_bunched(&every(1).collect::<Vec<_>>()), Some(false));
        assert_eq!(is_bunched(&every(20).collect::<Vec<_>>()), Some(true));
    }
}
