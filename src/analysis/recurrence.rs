//! The time of day that comes closer to the timeout day by day: a nightly job
//! whose data grows.
//!
//! For each hour of the day the slowest answers of each day are a series with
//! one point a day, free of the daily curve; a robust line through them (the
//! seasonal slope of Hirsch, Slack and Smith, 1982) says in how many days it
//! reaches the timeout.

use super::forecast::Forecast;
use super::history::{DAY, History, Known, Quarter};
use super::statistics::{median, rising, theil_sen};

/// Days that it takes to tell a trend.
const DAYS: usize = 7;
/// Kendall's score above which a rise is no chance: one in a thousand, because
/// every hour of the day is tested.
const SCORE: f64 = 3.0;
/// The share of the timeout that a job must last before it is looked at.
const LONG: f64 = 0.5;
/// The share of the timeout by which it must have grown.
const GROWTH: f64 = 0.08;
/// How far ahead is told, days.
const HORIZON: f64 = 14.0;

/// One time of day, and where it leads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recurrence {
    /// The newest quarter in which it was slowest.
    pub at: Quarter,
    /// How long its slowest answers take now (the line's last value), seconds.
    pub now: f64,
    /// How much longer they take each day, seconds.
    pub per_day: f64,
    /// How many days this rests on.
    pub days: usize,
    /// When they reach the timeout, from the end of that quarter.
    pub forecast: Forecast,
}

/// The time of day that reaches the timeout first.
#[must_use]
pub fn find(history: &History, timeout: f64, running: Quarter) -> Option<Recurrence> {
    let hours = (0..24).filter_map(|hour| grows(history, timeout, running, hour));
    hours.min_by(|a, b| a.forecast.mid.total_cmp(&b.forecast.mid))
}

/// One hour of the day, widened by an hour to either side against changes of the clock.
fn grows(history: &History, timeout: f64, running: Quarter, hour: i64) -> Option<Recurrence> {
    let newest = running.plus(-1 - hour * 4);
    let days: Vec<(f64, Quarter, f64)> = (0_i32..14)
        .rev()
        .filter_map(|age| {
            let end = newest.plus(-i64::from(age) * DAY);
            let (quarter, slowest) = slowest(history, timeout, end)?;
            Some((-f64::from(age), quarter, slowest))
        })
        .collect();
    let (last_day, at, last) = *days.last()?;
    if days.len() < DAYS || last < LONG * timeout || last_day < -1.0 {
        return None;
    }
    let values: Vec<f64> = days.iter().map(|(_, _, slowest)| *slowest).collect();
    let points: Vec<(f64, f64)> = days.iter().map(|(day, _, slowest)| (*day, *slowest)).collect();
    let line = theil_sen(&points)?;
    let span = last_day - points.first()?.0;
    let mut off: Vec<f64> = points.iter().map(|(x, y)| (y - line.at(*x)).abs()).collect();
    let scatter = median(&mut off)?;
    let steady =
        line.slope * span > (GROWTH * timeout).max(4.0 * scatter) && !is_step(&points, line.slope);
    if !steady || rising(&values)? <= SCORE {
        return None;
    }
    let left = line.reaches(timeout)? - last_day;
    let doubt = (scatter * 1.5 / line.slope).max(0.15 * left.max(0.0)).max(0.5);
    let forecast = Forecast::between(
        (left - doubt) * 86_400.0,
        left.max(0.0) * 86_400.0,
        (left + doubt) * 86_400.0,
    )?;
    (left <= HORIZON).then_some(Recurrence {
        at,
        now: line.at(last_day),
        per_day: line.slope,
        days: days.len(),
        forecast,
    })
}

/// A single step is no growth: both halves must rise on their own.
fn is_step(points: &[(f64, f64)], slope: f64) -> bool {
    let (early, late) = points.split_at(points.len() / 2);
    [early, late]
        .into_iter()
        .any(|half| theil_sen(half).is_none_or(|line| line.slope < 0.25 * slope))
}

/// The slowest answer in the three hours that end with a quarter. A 504 counts as the timeout.
fn slowest(history: &History, timeout: f64, end: Quarter) -> Option<(Quarter, f64)> {
    let quarters = (0..12).map(|age| end.plus(-age));
    let measured = quarters.filter_map(|quarter| match history.quarter(quarter) {
        Known::Measured(summary) => {
            let reached = (summary.slow_timeouts() >= 3.0).then_some(timeout);
            let slowest = summary.maximum.into_iter().chain(reached).reduce(f64::max)?;
            Some((quarter, slowest))
        }
        Known::Unknown | Known::Idle => None,
    });
    measured.max_by(|a, b| a.1.total_cmp(&b.1))
}
