//! The time of day that comes closer to the timeout day by day: a nightly job
//! whose data grows.
//!
//! For each hour of the day the slowest answers of each day are a series with
//! one point a day, free of the daily curve; a robust line through them (the
//! seasonal slope of Hirsch, Slack and Smith, 1982) says in how many days it
//! reaches the timeout.

use crate::number::statistics::{median, rising, theil_sen};
use crate::series::forecast::{Forecast, last_step};
use crate::series::history::{DAY, Known, QuarterHour, QuarterHours};

/// Days that it takes to see a trend.
const DAYS: usize = 7;
/// Kendall's score above which a rise may be no chance.
const SCORE: f64 = 2.3;
/// How many times its scatter it must have grown: with the score, less than one
/// chance in a thousand, because every hour of the day is tested.
const CLEAR: f64 = 5.0;
/// The share of the timeout that a job must last before it is looked at.
const LONG: f64 = 0.5;
/// The share of the timeout by which it must have grown.
const GROWTH: f64 = 0.08;
/// How many times closer than a step a line must be: a fortnight has few points.
const SURELY: f64 = 1.2;
/// Two standard deviations, in median deviations.
const TWO_SIGMA: f64 = 3.0;
/// Near misses and 504s from which on it is a job, and not a stray request.
const SEVERAL: f64 = 4.0;
/// From this many requests in a quarter-hour on its p99 is a percentile.
const PERCENTILE: f64 = 100.0;
/// Slower than this share of the timeout, and answered: whoever waits, waits longer.
const ABOVE: f64 = 1.05;
/// How much earlier or later than the day before a run may be slowest, seconds.
const MOVED: f64 = 3600.0;
/// How far ahead it looks, days.
const HORIZON: f64 = 14.0;

/// One time of day, and where it leads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recurrence {
    /// The newest quarter-hour in which it was slowest.
    pub at: QuarterHour,
    /// How long its slowest answers take now (the line's last value), seconds.
    pub now: f64,
    /// How much longer they take each day, seconds.
    pub per_day: f64,
    /// How many days this rests on.
    pub days: usize,
    /// When they reach the timeout, from the end of that quarter-hour; `None` once
    /// they have.
    pub forecast: Option<Forecast>,
}

/// The time of day that reaches the timeout first.
#[must_use]
pub fn find(history: &QuarterHours, timeout: f64, running: QuarterHour) -> Option<Recurrence> {
    let lately = (1..=2 * DAY + 12).map(|age| history.quarter_hour(running.plus(-age)));
    let is_slow = |known: Known| match known {
        Known::Measured(s) => s.at_risk().is_some_and(|n| n > 0.0) || s.p99 >= Some(LONG * timeout),
        Known::Unknown | Known::Idle => false,
    };
    // Nearly every gateway ends here.
    if !lately.into_iter().any(is_slow) {
        return None;
    }
    let mut past = Past::of(history, timeout, running);
    let found = (0..24).filter_map(|hour| grows(&mut past, timeout, hour));
    let left = |found: &Recurrence| found.forecast.map_or(0.0, |forecast| forecast.mid);
    found.min_by(|a, b| left(a).total_cmp(&left(b)))
}

/// One day of one hour.
#[derive(Clone, Copy)]
struct Day {
    /// How many days ago, not positive.
    ago: f64,
    /// The quarter-hour with the slowest answer.
    at: QuarterHour,
    /// The slowest answer, seconds; 504s count as the timeout.
    slowest: f64,
    /// Whether more than a stray request was slow.
    is_job: bool,
}

/// One hour of the day, widened by an hour to either side against changes of the clock.
fn grows(past: &mut Past<'_>, timeout: f64, hour: usize) -> Option<Recurrence> {
    let mut of = |age: usize| past.day(hour, age);
    if ![of(0), of(1)].iter().flatten().any(Day::is_job) {
        return None;
    }
    let days: Vec<Day> = (0..14).rev().filter_map(of).collect();
    let last = days.last()?;
    let jobs = days.iter().rev().take(3).all(Day::is_job);
    if days.len() < DAYS || !jobs || last.slowest < LONG * timeout || last.ago < -1.0 {
        return None;
    }
    let points: Vec<(f64, f64)> = days.iter().map(|day| (day.ago, day.slowest)).collect();
    // What became slower from one day to the next has not grown.
    let points = &points[last_step(&points, SURELY)..];
    let values: Vec<f64> = points.iter().map(|(_, slowest)| *slowest).collect();
    if values.len() < DAYS {
        return None;
    }
    let line = theil_sen(points)?;
    let growth = line.slope * (last.ago - points.first()?.0);
    let mut off: Vec<f64> = points.iter().map(|(x, y)| (y - line.at(*x)).abs()).collect();
    let scatter = median(&mut off)?;
    let clear = growth > (GROWTH * timeout).max(CLEAR * scatter);
    if !clear || rising(&values)? <= SCORE {
        return None;
    }
    let now = line.at(last.ago);
    let left = line.reaches(timeout)? - last.ago;
    let found = left <= HORIZON && now < ABOVE * timeout;
    found.then(|| Recurrence {
        at: last.at,
        now,
        per_day: line.slope,
        days: points.len(),
        forecast: when(left, scatter / line.slope),
    })
}

/// The forecast for a line that has `left` days to go, with a `scatter` of this many days;
/// `None` once it is there. What comes once a day reaches the timeout in one of its runs
/// and not between two of them, and first in one that is slow for its day.
fn when(left: f64, scatter: f64) -> Option<Forecast> {
    const DAY: f64 = 86_400.0;
    let run = |days: f64| days.ceil().max(1.0) * DAY;
    let slow = TWO_SIGMA * scatter;
    let first = left - slow;
    let doubt = slow.max(0.3 * left).max(1.0);
    let forecast =
        Forecast::between(run(first - doubt) - MOVED, run(first), run(left + doubt) + MOVED)?;
    (left > 0.0).then_some(forecast)
}

impl Day {
    fn is_job(&self) -> bool {
        self.is_job
    }
}

/// What one hour was like.
#[derive(Clone, Copy)]
struct Hour {
    /// The slowest answer, seconds, and its quarter-hour.
    slowest: Option<(f64, QuarterHour)>,
    /// Near misses and slow 504s.
    at_risk: f64,
    /// Whether enough were slow that the p99 was.
    is_job: bool,
}

/// The hours of the last fourteen days, each summed up once: three hours of the
/// day share it.
struct Past<'a> {
    history: &'a QuarterHours,
    timeout: f64,
    newest: QuarterHour,
    hours: Vec<Option<Hour>>,
}

impl<'a> Past<'a> {
    fn of(history: &'a QuarterHours, timeout: f64, running: QuarterHour) -> Self {
        Self { history, timeout, newest: running.plus(-1), hours: vec![None; 15 * 24] }
    }

    /// The three hours that end `hour` hours ago, `age` days before.
    fn day(&mut self, hour: usize, age: usize) -> Option<Day> {
        let back = age * 24 + hour;
        let hours = [self.hour(back), self.hour(back + 1), self.hour(back + 2)];
        let slowest = hours.iter().filter_map(|hour| hour.slowest).reduce(slower)?;
        let at_risk: f64 = hours.iter().map(|hour| hour.at_risk).sum();
        let is_job = at_risk >= SEVERAL || hours.iter().any(|hour| hour.is_job);
        #[allow(clippy::cast_precision_loss)] // two weeks
        Some(Day { ago: -(age as f64), at: slowest.1, slowest: slowest.0, is_job })
    }

    fn hour(&mut self, back: usize) -> Hour {
        let (history, timeout) = (self.history, self.timeout);
        #[allow(clippy::cast_possible_wrap)] // two weeks
        let end = self.newest.plus(-4 * back as i64);
        let sum_up =
            || Hour::of(history, timeout, (0..4).map(|quarter_hour| end.plus(-quarter_hour)));
        match self.hours.get_mut(back) {
            Some(hour) => *hour.get_or_insert_with(sum_up),
            None => sum_up(),
        }
    }
}

/// The slower of two answers; of two alike the first.
fn slower(a: (f64, QuarterHour), b: (f64, QuarterHour)) -> (f64, QuarterHour) {
    if b.0 > a.0 { b } else { a }
}

impl Hour {
    fn of(
        history: &QuarterHours,
        timeout: f64,
        quarter_hours: impl Iterator<Item = QuarterHour>,
    ) -> Self {
        let mut hour = Self { slowest: None, at_risk: 0.0, is_job: false };
        for quarter_hour in quarter_hours {
            let Known::Measured(summary) = history.quarter_hour(quarter_hour) else { continue };
            hour.at_risk += summary.at_risk().unwrap_or(0.0);
            let many_slow = summary.p99.is_some_and(|p99| p99 >= LONG * timeout);
            hour.is_job |= many_slow && summary.samples >= PERCENTILE;
            let reached = (summary.slow_timeouts() >= 1.0).then_some(timeout);
            let slowest = summary.maximum.into_iter().chain(reached).reduce(f64::max);
            let slowest = slowest.map(|slowest| (slowest, quarter_hour));
            hour.slowest = hour.slowest.into_iter().chain(slowest).reduce(slower);
        }
        hour
    }
}
