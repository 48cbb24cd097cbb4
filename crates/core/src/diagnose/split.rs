//! When the trouble began: the minutes before it are what the ones since are compared
//! with.
//!
//! The split is where the counts of failures, taken as Poisson events by request, most
//! probably changed their rates (the largest likelihood ratio): that needs no
//! threshold, works for one event a minute as for a thousand, and does not see what
//! was there all along.

use std::ops::Range;

/// The least number of minutes to compare with.
const LEAST_BEFORE: usize = 3;
/// A longer silence than this divides two troubles.
const SILENCE: usize = 45;
/// The comparison is with this many minutes.
const COMPARISON: usize = 60;
/// How many minutes of a quiet gateway are looked at.
pub const RECENT: usize = 30;

/// The minutes before the trouble and those since, as places in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Up to an hour before.
    pub before: Range<usize>,
    /// The earlier half of it, or 10 minutes: what was usual, before it announced itself.
    pub usual: Range<usize>,
    /// Since.
    pub now: Range<usize>,
}

impl Split {
    /// The split with `now` from `start` to `end`.
    #[must_use]
    pub fn at(start: usize, end: usize) -> Self {
        let start = start.min(end.saturating_sub(1));
        let before = start.saturating_sub(COMPARISON)..start;
        let half = (before.len() / 2).max(10).min(before.len());
        Self { usual: before.start..before.start + half, before, now: start..end }
    }

    /// The split of a gateway without trouble.
    #[must_use]
    pub fn quiet(end: usize) -> Self {
        Self::at(end.saturating_sub(RECENT), end)
    }
}

/// Where rates of events most probably rose, of several kinds together; `None` where
/// none did. All rows have the length of `exposure`, which is above zero.
#[must_use]
pub fn change(rows: &[Vec<f64>], exposure: &[f64]) -> Option<usize> {
    let exposure = sums(exposure);
    let rows: Vec<Vec<f64>> = rows.iter().map(|row| sums(row)).collect();
    let last = exposure.len().saturating_sub(1);
    let gain = |at: usize| rows.iter().map(|row| evidence_for(row, &exposure, at)).sum::<f64>();
    let splits = (LEAST_BEFORE..last).map(|at| (at, gain(at)));
    let best = splits.fold((0, 0.0), |best, split| if split.1 > best.1 { split } else { best });
    (best.1 > 0.0).then_some(best.0)
}

/// The same, after the last long silence of `is_event`.
#[must_use]
pub fn after_silence(start: usize, end: usize, is_event: impl Fn(usize) -> bool) -> usize {
    let mut begin = start;
    let mut last = start;
    for minute in (start..end).filter(|minute| is_event(*minute)) {
        if minute - last > SILENCE {
            begin = minute;
        }
        last = minute;
    }
    begin
}

/// Sums up to before each place, and the whole.
fn sums(row: &[f64]) -> Vec<f64> {
    let mut total = 0.0;
    let mut sums = vec![0.0];
    sums.extend(row.iter().map(|value| {
        total += value;
        total
    }));
    sums
}

/// The logarithm of the likelihood ratio of two Poisson rates against one; zero where
/// the second is not above the first.
fn evidence_for(row: &[f64], exposure: &[f64], at: usize) -> f64 {
    let total = |sums: &[f64]| sums.last().copied().unwrap_or(0.0);
    let (events, whole) = (total(row), total(exposure));
    let (first, first_exposure) = (row[at], exposure[at]);
    let (second, second_exposure) = (events - first, whole - first_exposure);
    if second * first_exposure <= first * second_exposure {
        return 0.0;
    }
    let term = |events: f64, exposure: f64| {
        if events > 0.0 && exposure > 0.0 { events * (events / exposure).ln() } else { 0.0 }
    };
    let gain = term(first, first_exposure) + term(second, second_exposure) - term(events, whole);
    if gain.is_finite() { gain.max(0.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_change_is_found_and_what_was_always_there_is_not() {
        let exposure = vec![100.0; 100];
        let constant = vec![30.0; 100];
        let step: Vec<f64> = (0..100).map(|m| if m < 70 { 0.0 } else { 1.0 }).collect();
        assert_eq!(change(std::slice::from_ref(&constant), &exposure), None);
        assert_eq!(change(&[constant, step], &exposure), Some(70));
    }

    #[test]
    fn a_long_silence_divides() {
        assert_eq!(after_silence(10, 100, |minute| !(20..=90).contains(&minute)), 91);
        assert_eq!(after_silence(10, 100, |minute| minute % 40 == 10), 10);
    }
}
