//! One gateway over some days: what was counted, and how close each day came.
//!
//! Percentiles are never averaged. Of each day the quarter-hour with the highest effective
//! p99 is taken, and of those the one in the middle: every figure here is one that
//! CloudWatch computed over the requests of one quarter-hour, and it can be named with its
//! time.

use crate::capacity::limits::Limits;
use crate::capacity::period::Period;
use crate::number::ratio;
use crate::series::history::{Known, QuarterHour, QuarterHourStats, QuarterHours};

/// Requests from which on a quarter-hour's p99 is more than its slowest answer.
pub const ENOUGH: f64 = 100.0;
/// Near misses and slow 504s from which on a quarter-hour counts, however few its requests.
const SEVERAL: f64 = 4.0;
/// The share of a quarter-hour's requests that these must be for it to have come close.
const SEVERAL_SHARE: f64 = 0.001;
/// The share of the timeout above which a gateway came close.
const CLOSE: f64 = 0.5;
/// The share of 504s from which on a p99 is a lower bound.
const CENSORED: f64 = 0.01;
/// Quarter-hours that may be unknown in a period that is known: three hours, as the newest
/// quarter-hours of a gateway that is polled slowly are read late.
const LATE: u32 = 12;
/// A quarter-hour that came close.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// Which quarter-hour.
    pub at: QuarterHour,
    /// Its effective p99, seconds.
    pub p99: f64,
    /// Its requests.
    pub requests: f64,
    /// Whether 1 % or more ended in 504: the p99 is at least this, and not known better.
    pub at_least: bool,
}

impl Peak {
    /// The effective p99 of a quarter-hour; `None` when nothing was answered late or at all.
    fn of(at: QuarterHour, summary: &QuarterHourStats, limit: f64) -> Option<Self> {
        let p99 = summary.effective_p99(limit).filter(|p99| p99.is_finite())?;
        let late = summary.slow_timeouts();
        let share = ratio(late, summary.samples + late).unwrap_or(0.0);
        Some(Self { at, p99, requests: summary.requests(), at_least: share >= CENSORED })
    }

    /// The slower of two; of two alike the first.
    fn slower(self, other: Self) -> Self {
        if other.p99 > self.p99 { other } else { self }
    }

    /// Whether it is its slowest answer rather than a percentile.
    pub fn is_of_few(&self) -> bool {
        self.requests < ENOUGH
    }
}

/// An hour of UTC.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hour {
    /// Its first quarter-hour.
    pub at: QuarterHour,
    /// Its requests.
    pub requests: f64,
    /// Its quarter-hour with the highest effective p99.
    pub closest: Option<Peak>,
}

impl Hour {
    /// The hour that contains this quarter-hour, with nothing in it.
    pub fn containing(quarter_hour: QuarterHour) -> Self {
        let at = QuarterHour(quarter_hour.0.div_euclid(4).saturating_mul(4));
        Self { at, requests: 0.0, closest: None }
    }

    /// What this gateway had in it.
    pub fn read(self, history: &QuarterHours, limits: &Limits) -> Self {
        let mut hour = Self::containing(self.at);
        for quarter_hour in (0..4).map(|i| self.at.plus(i)) {
            if let Known::Measured(summary) = history.quarter_hour(quarter_hour) {
                hour.add(
                    &summary,
                    Peak::of(quarter_hour, &summary, limits.in_force(quarter_hour, &summary)),
                );
            }
        }
        hour
    }

    fn add(&mut self, summary: &QuarterHourStats, peak: Option<Peak>) {
        self.requests += summary.requests();
        self.closest = match (self.closest, peak) {
            (Some(a), Some(b)) => Some(a.slower(b)),
            (a, b) => a.or(b),
        };
    }
}

/// What a gateway was like over some days.
#[derive(Debug, Clone, PartialEq)]
pub struct Week {
    /// Quarter-hours that it has.
    pub quarter_hours: u32,
    /// Of these, known: idle or measured.
    pub known: u32,
    /// Of these, with requests.
    pub measured: u32,
    /// Requests of the known quarter-hours.
    pub requests: f64,
    /// Near misses, each counted for the timeout of its time.
    pub near_misses: f64,
    /// Quarter-hours with requests whose near misses are not known.
    pub near_unknown: u32,
    /// Whether near misses were counted for another timeout than the present one.
    pub near_of_another: bool,
    /// 504s.
    pub timeouts: f64,
    /// Of these, failed connections.
    pub unreachable: f64,
    /// The closest quarter-hour of each day, oldest first.
    pub peaks: Vec<Option<Peak>>,
    /// Its hours with requests, oldest first.
    pub hours: Vec<Hour>,
    /// Whether near misses and slow 504s were several in a quarter-hour, and over 0.1 %.
    burst: bool,
}

impl Week {
    /// What a history says of a period.
    pub fn of(history: &QuarterHours, limits: &Limits, period: Period) -> Self {
        let mut week = Self {
            quarter_hours: period.length(),
            known: 0,
            measured: 0,
            requests: 0.0,
            near_misses: 0.0,
            near_unknown: 0,
            near_of_another: false,
            timeouts: 0.0,
            unreachable: 0.0,
            peaks: Vec::new(),
            hours: Vec::new(),
            burst: false,
        };
        for day in period.days() {
            let peak = week.add_day(history, limits, day);
            week.peaks.push(peak);
        }
        week
    }

    /// Counts a day, and finds its closest quarter-hour: of those with enough requests or
    /// several that were late; on a day without any of these, of all.
    fn add_day(&mut self, history: &QuarterHours, limits: &Limits, day: Period) -> Option<Peak> {
        let (mut best, mut weak): (Option<Peak>, Option<Peak>) = (None, None);
        for quarter_hour in day.quarter_hours() {
            let summary = match history.quarter_hour(quarter_hour) {
                Known::Unknown => continue,
                Known::Idle => {
                    self.known += 1;
                    continue;
                }
                Known::Measured(summary) => summary,
            };
            self.known += 1;
            let late = self.add(&summary, limits);
            let peak = Peak::of(quarter_hour, &summary, limits.in_force(quarter_hour, &summary));
            self.add_to_hour(quarter_hour, &summary, peak);
            let counts = summary.requests() >= ENOUGH || late >= SEVERAL;
            let place = if counts { &mut best } else { &mut weak };
            *place = match (*place, peak) {
                (Some(a), Some(b)) => Some(a.slower(b)),
                (a, b) => a.or(b),
            };
        }
        best.or(weak)
    }

    /// Counts a quarter-hour; returns its near misses and slow 504s.
    fn add(&mut self, summary: &QuarterHourStats, limits: &Limits) -> f64 {
        let late = summary.near_misses.unwrap_or(0.0) + summary.slow_timeouts();
        self.measured += 1;
        self.requests += summary.requests();
        self.timeouts += summary.timeouts;
        self.unreachable += summary.timeouts - summary.slow_timeouts();
        self.burst |= late >= SEVERAL && late > SEVERAL_SHARE * summary.requests();
        match summary.near_misses {
            Some(near) => {
                self.near_misses += near;
                self.near_of_another |= near > 0.0 && limits.is_another(summary);
            }
            None => self.near_unknown += 1,
        }
        late
    }

    fn add_to_hour(
        &mut self,
        quarter_hour: QuarterHour,
        summary: &QuarterHourStats,
        peak: Option<Peak>,
    ) {
        let empty = Hour::containing(quarter_hour);
        if self.hours.last().is_none_or(|hour| hour.at != empty.at) {
            self.hours.push(empty);
        }
        if let Some(hour) = self.hours.last_mut() {
            hour.add(summary, peak);
        }
    }

    /// The closest quarter-hour of the day in the middle, of the days from the least close
    /// to the closest; of an even number the closer of the two. It is what a usual day's
    /// peak is like: one bad afternoon does not move it, and a job that runs once a day is
    /// in it.
    pub fn typical(&self) -> Option<Peak> {
        let mut peaks: Vec<Peak> = self.peaks.iter().flatten().copied().collect();
        peaks.sort_by(|a, b| a.p99.total_cmp(&b.p99));
        peaks.get(peaks.len() / 2).copied()
    }

    /// The closest quarter-hour of all.
    pub fn highest(&self) -> Option<Peak> {
        self.peaks.iter().flatten().copied().reduce(Peak::slower)
    }

    /// Near misses; `None` where no quarter-hour with requests was asked for them.
    pub fn near_misses(&self) -> Option<f64> {
        (self.near_unknown < self.measured || self.measured == 0).then_some(self.near_misses)
    }

    /// The hour with the most requests; of several the first.
    pub fn busiest(&self) -> Option<Hour> {
        let busier = |a: Hour, b: Hour| if b.requests > a.requests { b } else { a };
        self.hours.iter().copied().reduce(busier)
    }

    /// Whether a quarter-hour's effective p99 passed half the timeout, or near misses
    /// and slow 504s were several in a quarter-hour and over 0.1 %.
    pub fn came_close(&self, timeout: f64) -> bool {
        self.burst || self.highest().is_some_and(|peak| peak.p99 > CLOSE * timeout)
    }

    /// Whether all of it is known, except for up to three hours.
    pub fn is_whole(&self) -> bool {
        self.known > 0 && self.known + LATE.min(self.quarter_hours / 8) >= self.quarter_hours
    }

    /// How many days' worth of quarter-hours are known.
    pub fn known_days(&self) -> f64 {
        f64::from(self.known) / 96.0
    }
}
