//! What is usual at a time of day, from the same time on the days before.
//!
//! "The same time" is an hour to either side, so that a change of the clocks shifts a
//! nightly job within it. Quarter-hours inside an incident are no example of what is usual.
//! Of many days the second highest is what is usual at the most, so that one bad day
//! teaches nothing - but what the same weekday had is taken in full, once there are two
//! weeks: Sunday's job is usual on Sundays.

use crate::number::statistics::median;
use crate::series::history::{DAY, Known, QuarterHour, QuarterHourStats, QuarterHours};

/// Days from which on a usual value is trusted.
pub const KNOWN_DAYS: i64 = 3;
/// The days that are looked at.
const DAYS: i64 = 14;
/// The same time of day, quarter-hours to either side, for the usual maximum.
const AROUND: i64 = 4;
/// An hour that ends in this quarter-hour begins this many quarter-hours before the earliest of
/// them.
const BEFORE: i64 = AROUND + 4;
/// All quarter-hours that are looked at on one day.
const LOOKED_AT: usize = 13;
/// Those of them, from this one on, with which fifteen minutes are compared.
const FIFTEEN_MINUTES: usize = 3;
/// The same, for means and medians.
const NEAR: i64 = 1;
/// Fewer requests than this in a quarter-hour are hardly any.
const FEW_REQUESTS: f64 = 15.0;
/// From this many days on one of them is left out as an exception.
const ROBUST_DAYS: usize = 5;

/// What a gateway is like at one time of day. Of counts the most per time is
/// over every day; `None` means that no day is known.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Baseline {
    /// Days that are known at this time.
    pub days: u32,
    /// Near misses and slow 504s in a quarter-hour: the mean.
    pub mean_at_risk: f64,
    /// Near misses and slow 504s, and slow 504s alone, in all of these quarter-hours.
    pub seen_at_risk: f64,
    /// See [`seen_at_risk`](Self::seen_at_risk).
    pub seen_timeouts: f64,
    /// The requests among which they were.
    pub seen_requests: f64,
    /// The most near misses and slow 504s in a quarter-hour; `None` where no day is known.
    pub most_at_risk: Option<f64>,
    /// The most near misses and slow 504s in two quarter-hours in a row.
    pub most_at_risk_in_two: f64,
    /// The most near misses and slow 504s in five quarter-hours in a row.
    pub most_at_risk_in_five: f64,
    /// Slow 504s in a quarter-hour: the mean.
    pub mean_timeouts: f64,
    /// The most slow 504s in a quarter-hour.
    pub most_timeouts: f64,
    /// The most slow 504s in three quarter-hours in a row, which contain any half hour.
    pub most_timeouts_in_three: f64,
    /// The highest p99 of a quarter-hour, seconds.
    pub p99: Option<f64>,
    /// The median of the p99s, seconds.
    pub typical_p99: Option<f64>,
    /// The median of the medians, seconds.
    pub p50: Option<f64>,
    /// The most requests in flight.
    pub in_flight: Option<f64>,
    /// Requests in a quarter-hour: the median.
    pub requests: Option<f64>,
}

impl Baseline {
    /// What is usual in this quarter-hour, from the days before it, but not before
    /// `first`, when the gateway first had a request: the quiet before is no
    /// example. Near misses count only where they were counted for the same timeout.
    #[must_use]
    pub fn of(
        history: &QuarterHours,
        timeout: f64,
        first: QuarterHour,
        quarter_hour: QuarterHour,
    ) -> Self {
        let among = |exclude| Self::from_days(history, timeout, first, quarter_hour, exclude);
        let usual = among(Exclude::Incidents);
        if usual.days > 0 { usual } else { among(Exclude::Nothing).without_counts() }
    }

    /// [`typical_p99`](Self::typical_p99) of another quarter-hour, and nothing else of it.
    #[must_use]
    pub fn typical_p99_at(
        history: &QuarterHours,
        timeout: f64,
        first: QuarterHour,
        quarter_hour: QuarterHour,
    ) -> Option<f64> {
        let days = (1..=DAYS).map(|day| quarter_hour.plus(-day * DAY));
        let near = days.flat_map(|day| (-NEAR..=NEAR).map(move |offset| day.plus(offset)));
        let p99 = |quarter_hour: QuarterHour| match history.quarter_hour(quarter_hour) {
            Known::Measured(s) if !history.is_incident(quarter_hour) => s.effective_p99(timeout),
            _ => None,
        };
        let mut p99s: Vec<f64> = near.filter(|q| *q >= first).filter_map(p99).collect();
        median(&mut p99s)
    }

    /// The same where every day had an incident at this time: how fast and how busy it
    /// is then is all there is to compare with, but what failed is never usual.
    fn without_counts(self) -> Self {
        Self {
            mean_at_risk: 0.0,
            seen_at_risk: 0.0,
            seen_timeouts: 0.0,
            seen_requests: 0.0,
            most_at_risk: None,
            most_at_risk_in_two: 0.0,
            most_at_risk_in_five: 0.0,
            mean_timeouts: 0.0,
            most_timeouts: 0.0,
            most_timeouts_in_three: 0.0,
            ..self
        }
    }

    fn from_days(
        history: &QuarterHours,
        timeout: f64,
        first: QuarterHour,
        quarter_hour: QuarterHour,
        exclude: Exclude,
    ) -> Self {
        let mut gathered = Gathered::default();
        for day in 1..=DAYS {
            let same_time = quarter_hour.plus(-day * DAY);
            let at = |offset: i64| {
                let quarter_hour = same_time.plus(offset);
                let excluded = exclude == Exclude::Incidents && history.is_incident(quarter_hour);
                if excluded || quarter_hour < first {
                    Known::Unknown
                } else {
                    history.quarter_hour(quarter_hour)
                }
            };
            gathered.add(day, timeout, at);
        }
        gathered.baseline()
    }

    /// Whether enough days are known to compare with.
    #[must_use]
    pub fn is_known(&self) -> bool {
        i64::from(self.days) >= KNOWN_DAYS
    }

    /// Whether there are hardly any requests at this time of most days, so that it is no
    /// surprise when there are none.
    #[must_use]
    pub fn expects_silence(&self) -> bool {
        self.is_known() && self.requests.is_some_and(|requests| requests < FEW_REQUESTS)
    }

    /// The most near misses and slow 504s that a quarter-hour usually has; none where
    /// no day is known.
    #[must_use]
    pub fn usual_at_risk(&self) -> f64 {
        self.most_at_risk.unwrap_or(0.0)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Exclude {
    Incidents,
    Nothing,
}

/// The figures of the days, as they are collected.
#[derive(Default)]
struct Gathered {
    days: u32,
    at_risk: Sum,
    timeouts: Sum,
    seen: [f64; 3],
    most: [f64; 5],
    counts_known: bool,
    p99: Highest,
    in_flight: Highest,
    medians: Vec<f64>,
    p99s: Vec<f64>,
    requests: Vec<f64>,
    same_weekday: Vec<f64>,
}

impl Gathered {
    fn add(&mut self, day: i64, timeout: f64, at: impl Fn(i64) -> Known) {
        let (mut risks, mut failures) = ([0.0; LOOKED_AT], [0.0; LOOKED_AT]);
        let (mut p99, mut in_flight) = (None, None);
        let mut known = false;
        for (index, offset) in (-BEFORE..=AROUND).enumerate() {
            let summary = match at(offset) {
                Known::Unknown => continue,
                Known::Idle => None,
                Known::Measured(summary) => Some(summary),
            };
            known = known || offset.abs() <= NEAR;
            let (risk, failed) = summary.map_or((Some(0.0), 0.0), |s| counts(&s, timeout));
            (risks[index], failures[index]) = (risk.unwrap_or(0.0), failed);
            self.counts_known |= risk.is_some();
            if let Some((risk, summary)) = risk.zip(summary) {
                let seen = [risk, failed, summary.requests()];
                self.seen.iter_mut().zip(seen).for_each(|(sum, more)| *sum += more);
            }
            if offset.abs() <= NEAR + 1 {
                self.at_risk.add(risk);
                self.timeouts.add(Some(failed));
            }
            if offset.abs() <= NEAR {
                self.same_time(day, timeout, summary.as_ref());
            }
            let Some(summary) = summary.filter(|_| offset >= -AROUND) else { continue };
            p99 = higher(p99, summary.effective_p99(timeout));
            in_flight = higher(in_flight, summary.in_flight(timeout));
        }
        self.days += u32::from(known);
        self.p99.add(day, p99);
        self.in_flight.add(day, in_flight);
        let (risk, failure) = (&risks[FIFTEEN_MINUTES..], &failures[FIFTEEN_MINUTES..]);
        let most =
            [most(risk, 1), most(risk, 2), most(&risks, 5), most(failure, 1), most(&failures, 3)];
        self.most.iter_mut().zip(most).for_each(|(kept, new)| *kept = kept.max(new));
    }

    fn same_time(&mut self, day: i64, timeout: f64, summary: Option<&QuarterHourStats>) {
        let requests = summary.map_or(0.0, QuarterHourStats::requests);
        self.p99s.extend(summary.and_then(|s| s.effective_p99(timeout)));
        self.medians.extend(summary.and_then(|s| s.p50));
        self.requests.push(requests);
        if day % 7 == 0 {
            self.same_weekday.push(requests);
        }
    }

    fn baseline(mut self) -> Baseline {
        // Two weeks have two of each weekday, three quarter-hours each.
        let two_weeks = self.same_weekday.len() >= 4;
        let requests = if two_weeks { &mut self.same_weekday } else { &mut self.requests };
        let [at_risk, at_risk_in_two, at_risk_in_five, timeouts, timeouts_in_three] = self.most;
        Baseline {
            days: self.days,
            mean_at_risk: self.at_risk.mean(),
            seen_at_risk: self.seen[0],
            seen_timeouts: self.seen[1],
            seen_requests: self.seen[2],
            most_at_risk: self.counts_known.then_some(at_risk),
            most_at_risk_in_two: at_risk_in_two,
            most_at_risk_in_five: at_risk_in_five,
            mean_timeouts: self.timeouts.mean(),
            most_timeouts: timeouts,
            most_timeouts_in_three: timeouts_in_three,
            p99: self.p99.usual(),
            typical_p99: median(&mut self.p99s),
            p50: median(&mut self.medians),
            in_flight: self.in_flight.usual(),
            requests: median(requests),
        }
    }
}

fn counts(summary: &QuarterHourStats, timeout: f64) -> (Option<f64>, f64) {
    let timeouts = summary.slow_timeouts();
    (summary.near_misses_of(timeout).map(|near| near + timeouts), timeouts)
}

/// The largest sum of `length` neighbours.
fn most(values: &[f64], length: usize) -> f64 {
    values.windows(length).map(|run| run.iter().sum()).fold(0.0, f64::max)
}

fn higher(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.into_iter().chain(b).reduce(f64::max)
}

#[derive(Default)]
struct Sum {
    sum: f64,
    number: f64,
}

impl Sum {
    fn add(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.sum += value;
            self.number += 1.0;
        }
    }

    fn mean(&self) -> f64 {
        if self.number > 0.0 { self.sum / self.number } else { 0.0 }
    }
}

/// The highest value of each day.
#[derive(Default)]
struct Highest {
    days: Vec<f64>,
    same_weekday: Option<f64>,
}

impl Highest {
    fn add(&mut self, day: i64, value: Option<f64>) {
        self.days.extend(value);
        if day % 7 == 0 {
            self.same_weekday = higher(self.same_weekday, value);
        }
    }

    /// The highest; of more than five days the second highest, or what the same
    /// weekday had.
    fn usual(mut self) -> Option<f64> {
        self.days.sort_unstable_by(|a, b| b.total_cmp(a));
        let rank = usize::from(self.days.len() > ROBUST_DAYS);
        higher(self.days.get(rank).copied(), self.same_weekday)
    }
}
