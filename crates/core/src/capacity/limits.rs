//! The timeout that was in force when: p99s are censored by it, and near misses
//! were counted for it.

use crate::capacity::Facts;
use crate::capacity::period::Period;
use crate::series::history::{Known, QuarterHour, QuarterHourStats};
use crate::time::Minute;

/// Timeouts that differ by less are the same: a history keeps three digits.
const SAME: f64 = 0.001;

/// The timeouts of one gateway.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Since when which, seconds, oldest first.
    steps: Vec<(Minute, f64)>,
    /// The present one, seconds.
    pub now: f64,
}

/// A timeout that was changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Changed {
    /// Before, seconds.
    pub from: f64,
    /// After, seconds.
    pub to: f64,
    /// When; `None` where it is only known that it was.
    pub at: Option<Minute>,
}

impl Limits {
    /// What is known of them.
    pub fn of(facts: &Facts<'_>) -> Self {
        let is_sane = |(_, seconds): &&(Minute, f64)| seconds.is_finite() && *seconds > 0.0;
        let mut steps: Vec<(Minute, f64)> =
            facts.timeouts.iter().filter(is_sane).copied().collect();
        steps.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        steps.dedup_by(|later, earlier| same(later.1, earlier.1));
        Self { steps, now: facts.gateway.timeout.seconds }
    }

    /// The timeout in force in a quarter-hour, seconds: as it was handed in where a later
    /// step bounds it, else the one for which its near misses were counted.
    pub fn in_force(&self, quarter_hour: QuarterHour, summary: &QuarterHourStats) -> f64 {
        let begun = self.steps.partition_point(|(since, _)| *since <= quarter_hour.start());
        match begun.checked_sub(1).and_then(|step| self.steps.get(step)) {
            Some((_, seconds)) if begun < self.steps.len() => *seconds,
            _ if summary.timeout > 0.0 && self.is_another(summary) => summary.timeout,
            _ => self.now,
        }
    }

    /// Whether a quarter-hour's near misses were counted for another timeout than the present
    /// one.
    pub fn is_another(&self, summary: &QuarterHourStats) -> bool {
        summary.timeout > 0.0 && !same(summary.timeout, self.now)
    }

    /// The changes within a period, oldest first: those that were handed in, and the
    /// one to the present timeout where the history shows it.
    pub fn changes(&self, facts: &Facts<'_>, period: Period) -> Vec<Changed> {
        let within = |at: Minute| at >= period.from.start() && at < period.end.start();
        let mut changes: Vec<Changed> = self
            .steps
            .windows(2)
            .filter(|pair| within(pair[1].0))
            .map(|pair| Changed { from: pair[0].1, to: pair[1].1, at: Some(pair[1].0) })
            .collect();
        match self.steps.last() {
            Some((_, last)) if same(*last, self.now) => {}
            Some((since, last)) => {
                let seen = self.seen_since(facts, period, Some(*since));
                if seen.is_some() || within(*since) {
                    changes.push(Changed { from: *last, to: self.now, at: seen.map(|s| s.1) });
                }
            }
            None => {
                let seen = self.seen_since(facts, period, None);
                changes.extend(seen.map(|(from, at)| Changed { from, to: self.now, at: Some(at) }));
            }
        }
        changes
    }

    /// The newest quarter-hour of a period that is of the present timeout while the
    /// measured one before it is not: that one's timeout, and when it begins.
    fn seen_since(
        &self,
        facts: &Facts<'_>,
        period: Period,
        after: Option<Minute>,
    ) -> Option<(f64, Minute)> {
        let mut newer: Option<QuarterHour> = None;
        for quarter_hour in (period.from.0.saturating_sub(1)..period.end.0).rev().map(QuarterHour) {
            let Known::Measured(summary) = facts.history.quarter_hour(quarter_hour) else {
                continue;
            };
            if summary.timeout <= 0.0 {
                continue;
            }
            if self.is_another(&summary) {
                let at = newer?.start();
                return after.is_none_or(|after| at >= after).then_some((summary.timeout, at));
            }
            newer = Some(quarter_hour);
        }
        None
    }
}

/// Whether two timeouts are one, as far as a history shows.
pub fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= SAME * a.max(b)
}
