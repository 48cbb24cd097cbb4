//! Whether everybody waits, and whether for so long that the timeout is near.
//!
//! A queue is in front of all requests, so that the median rises, and as far as the
//! slowest do. By Little's law the requests in flight are the arrivals times the time that
//! each takes: a queue is more of them than usual, and more than a few. Both are seen
//! before the first near miss.

use crate::diagnose::facts::Facts;
use crate::diagnose::series::{Row, middle, peak, quartile, slice};
use crate::gateway::evidence::Measure;

/// A queue has at least this many times the usual requests in flight, and at least this
/// many.
const TIMES_IN_FLIGHT: f64 = 4.0;
const LEAST_IN_FLIGHT: f64 = 10.0;
/// A level counts when it lasts for this many minutes.
const WAVE: usize = 5;
/// The timeout is near when the slowest requests take this share of it.
const NEAR: f64 = 0.5;
/// A wait is new when half of the requests never before waited for this share of it.
const NEW: f64 = 0.75;

impl Facts<'_> {
    /// How much longer the median request waits, seconds; `None` where it does not.
    #[must_use]
    pub fn delay(&self) -> Option<f64> {
        let usual = self.undisturbed(Measure::P50)?;
        let rise = |measure| Some(self.came_to(measure)? - self.undisturbed(measure)?);
        let median = rise(Measure::P50)?;
        let slowest = rise(Measure::P99).or_else(|| rise(Measure::Maximum))?;
        let least = (0.02 * self.idle).max(usual);
        let is_blackout = self.share(Measure::Elb504) > 0.5 && self.unanswered() > 0.0;
        // A part of the requests cannot move the median by this much, however slow it is.
        let is_everybody = median > (4.0 * usual).max(0.1 * self.idle);
        let waits = median > 0.3 * slowest || is_everybody || is_blackout;
        (median > least && waits).then_some(median)
    }

    /// What a latency is when nobody waits: not above the lower quartile of all the minutes
    /// before, because trouble that comes in waves makes an hour look usual.
    fn undisturbed(&self, measure: Measure) -> Option<f64> {
        let before = slice(self.row(measure), &(0..self.split.now.start));
        match (self.usual(measure), quartile(before)) {
            (Some(usual), Some(quick)) => Some(usual.min(quick)),
            (usual, _) => usual,
        }
    }

    /// Whether all requests wait and come close to the timeout, though none has nearly
    /// reached it yet.
    #[must_use]
    pub fn is_queue_near_timeout(&self) -> bool {
        let everybody = self.delay().is_some_and(|delay| delay > 0.1 * self.idle);
        let slowest = self.came_to(Measure::P99).or_else(|| self.came_to(Measure::Maximum));
        let is_near = slowest.is_some_and(|slowest| slowest >= NEAR * self.idle);
        everybody && is_near && self.is_longer_than_ever() && self.is_crowded()
    }

    /// Whether the median came higher than in all hours before: a queue grows, and waves
    /// of slow minutes that came before and went are usual.
    fn is_longer_than_ever(&self) -> bool {
        let before = slice(self.row(Measure::P50), &(0..self.split.now.start));
        let most = peak(before, WAVE).unwrap_or(0.0);
        self.came_to(Measure::P50).is_some_and(|now| most < NEW * now)
    }

    /// Whether far more requests than usual are in flight.
    fn is_crowded(&self) -> bool {
        let in_flight = |cell: &Option<f64>| cell.map(|seconds| seconds / 60.0);
        let row: Row = self.row(Measure::Sum).iter().map(in_flight).collect();
        let usual = middle(slice(&row, &self.split.usual)).unwrap_or(0.0);
        let now = peak(slice(&row, &self.split.now), WAVE).unwrap_or(0.0);
        now >= (TIMES_IN_FLIGHT * usual).max(LEAST_IN_FLIGHT)
    }

    /// The minute from which on the median shows the queue of the newest minutes.
    #[must_use]
    pub fn queue_begins(&self) -> Option<usize> {
        let bar = self.usual(Measure::P50)? + 0.1 * self.idle;
        let is_above = |cell: &Option<f64>| cell.is_some_and(|median| median > bar);
        let row = self.row(Measure::P50);
        let first = slice(row, &self.split.now).iter().position(is_above)?;
        let earlier = slice(row, &(0..self.split.now.start + first));
        Some(earlier.iter().rposition(|cell| !is_above(cell)).map_or(0, |place| place + 1))
    }
}
