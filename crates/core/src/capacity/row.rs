//! Where one gateway stands: this week beside the one before, and where it leads.

use serde::Serialize;

use crate::alerting::episode::Episode;
use crate::capacity::Facts;
use crate::capacity::limits::{Changed, Limits};
use crate::capacity::period::Period;
use crate::capacity::week::{Peak, Week};
use crate::detect::{Rule, State};
use crate::gateway::Identity;
use crate::number::statistics::{median, rising, theil_sen};
use crate::series::forecast::{Forecast, last_step};
use crate::series::history::{DAY, Known, QuarterHour, QuarterHours};
use crate::time::Minute;

/// Days of each week that must have a peak for the two to be compared.
const COMPARED_DAYS: usize = 4;
/// The share of the timeout by which a peak must have moved.
const MOVED: f64 = 0.05;
/// The share of what it was by which it must have moved.
const MOVED_BY: f64 = 0.1;
/// The share of all pairs of a day of one week and a day of the other that must
/// have moved the same way.
const PAIRS: f64 = 5.0 / 6.0;
/// Days that are looked at for growth.
const GROWTH_DAYS: usize = 14;
/// Of these, days that must have a peak.
const KNOWN_PEAKS: usize = 10;
/// The share of the timeout by which a peak must have grown over them.
const GROWTH: f64 = 0.1;
/// How many times its scatter it must have grown.
const CLEAR: f64 = 3.0;
/// A score of Kendall above which a rise is no chance: 1 %, two-sided.
const SCORE: f64 = 2.58;
/// Growth that takes longer than four weeks is not reported: two weeks do not show it.
const GROWTH_HORIZON: f64 = 28.0 * 86_400.0;
/// A forecast ends here, seconds: a year.
const HORIZON: f64 = 366.0 * 86_400.0;
/// Silent from this many quarter-hours without requests on: three days, longer than a
/// weekend.
const SILENT: i64 = 3 * DAY;
/// How many healthy targets must have been added or removed: half a one, and a tenth of them.
const TARGETS: (f64, f64) = (0.5, 0.1);

/// Whether a usual day's peak has moved since the week before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Closer to the timeout.
    Up,
    /// Further from it.
    Down,
    /// Neither.
    Same,
    /// Too few days are known, or 504s cut them off at another timeout.
    Unknown,
}

/// When a gateway is expected to reach its timeout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// Which rule says so; `None` for the growth of the daily peaks.
    pub rule: Option<Rule>,
    /// From the end of the period.
    pub left: Forecast,
}

/// Requests of a gateway, as far as CloudWatch has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Data {
    /// There were some.
    Measured,
    /// What is known of the period has none.
    Idle,
    /// Nothing of the period is known.
    Unknown,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// Its timeout.
    Timeout(Changed),
    /// The mean number of its healthy targets: then, now.
    Healthy(f64, f64),
    /// Its first requests came within the period.
    New(Minute),
    /// Its last requests: when they ended, and whether all since is known to be idle.
    Silent(Minute, bool),
}

/// Stretches of trouble within the period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trouble {
    /// How many.
    pub stretches: u32,
    /// How long they were together, minutes.
    pub minutes: i64,
}

/// One gateway in the report.
#[derive(Debug, Clone, PartialEq)]
pub struct CapacityRow {
    /// What it is called in the report.
    pub label: String,
    /// Which one.
    pub id: Identity,
    /// Its timeouts.
    pub limits: Limits,
    /// Its near ratio.
    pub near: f64,
    /// The period.
    pub now: Week,
    /// The same number of days before.
    pub before: Week,
    /// Whether there were requests.
    pub data: Data,
    /// Whether it has no data at present.
    pub without_data: bool,
    /// Whether its peak has moved.
    pub direction: Direction,
    /// When it reaches its timeout.
    pub expected: Option<Expected>,
    /// Its open episode.
    pub episode: Option<Episode>,
    /// Its trouble.
    pub trouble: Trouble,
    /// What changed.
    pub changes: Vec<Change>,
}

impl CapacityRow {
    /// What these facts say of a period.
    pub fn of(facts: &Facts<'_>, label: String, period: Period) -> Self {
        let limits = Limits::of(facts);
        let now = Week::of(facts.history, &limits, period);
        let before = Week::of(facts.history, &limits, period.before());
        let data = match (now.measured, now.known) {
            (0, 0) => Data::Unknown,
            (0, _) => Data::Idle,
            _ => Data::Measured,
        };
        let episodes = facts.state.iter().flat_map(|state| &state.records);
        Self {
            label,
            id: facts.gateway.id.clone(),
            near: facts.gateway.near,
            without_data: facts.without_data || data == Data::Unknown,
            direction: direction(&now, &before, limits.now),
            expected: notified(facts).or_else(|| growth(&now, &before, limits.now, period.end)),
            episode: episodes.map(|record| &record.episode).rfind(|e| e.is_open()).cloned(),
            trouble: trouble(facts, period),
            changes: changes(facts, &limits, period),
            data,
            limits,
            now,
            before,
        }
    }

    /// Whether it came close to its timeout.
    pub fn came_close(&self) -> bool {
        self.now.came_close(self.limits.now)
    }

    /// A figure as a share of the timeout.
    pub fn share(&self, peak: Peak) -> f64 {
        peak.p99 / self.limits.now
    }

    /// The share of the timeout that a usual day's peak takes.
    pub fn usage(&self) -> Option<f64> {
        self.now.typical().map(|peak| self.share(peak)).filter(|usage| usage.is_finite())
    }
}

/// See [`Direction`]: the figures must differ, and nearly every day of one week
/// from nearly every day of the other.
fn direction(now: &Week, before: &Week, timeout: f64) -> Direction {
    let days = |week: &Week| week.peaks.iter().flatten().map(|p| p.p99).collect::<Vec<_>>();
    let (after, earlier) = (days(now), days(before));
    let (Some(new), Some(old)) = (now.typical(), before.typical()) else {
        return Direction::Unknown;
    };
    let cut = |peak: Peak| peak.at_least && peak.p99 < (1.0 - MOVED) * timeout;
    if after.len().min(earlier.len()) < COMPARED_DAYS || cut(new) || cut(old) {
        return Direction::Unknown;
    }
    let least = (MOVED * timeout).max(MOVED_BY * old.p99);
    let pairs = || after.iter().flat_map(|a| earlier.iter().map(move |b| (*a, *b)));
    let (mut up, mut down, mut all) = (0u32, 0u32, 0u32);
    for (a, b) in pairs() {
        up += u32::from(a > b);
        down += u32::from(a < b);
        all += 1;
    }
    let most = PAIRS * f64::from(all);
    match new.p99 - old.p99 {
        moved if moved >= least && f64::from(up) >= most => Direction::Up,
        moved if -moved >= least && f64::from(down) >= most => Direction::Down,
        _ => Direction::Same,
    }
}

/// The soonest forecast of the rules that fire.
fn notified(facts: &Facts<'_>) -> Option<Expected> {
    let speaking = facts.evaluations.iter().filter(|verdict| verdict.state == State::Breaching);
    let forecasts = speaking.filter_map(|verdict| {
        let left = capped(verdict.forecast?, HORIZON)?;
        Some(Expected { rule: Some(verdict.rule), left })
    });
    forecasts.min_by(|a, b| a.left.mid.total_cmp(&b.left.mid).then(a.rule.cmp(&b.rule)))
}

/// Where the daily peaks lead, from the robust line through them (Theil, 1950; Sen,
/// 1968), when they rise by more than chance and scatter. At the earliest it is as
/// growth by a factor has it, which gets faster.
fn growth(now: &Week, before: &Week, timeout: f64, end: QuarterHour) -> Option<Expected> {
    let days = before.peaks.iter().chain(&now.peaks).rev().take(GROWTH_DAYS);
    let mut peaks: Vec<Peak> = days.flatten().copied().filter(|peak| peak.p99 > 0.0).collect();
    peaks.reverse();
    let last = peaks.last()?;
    let age = real(end.0.saturating_sub(last.at.0));
    let is_cut = peaks.iter().any(|peak| peak.at_least);
    if is_cut || last.p99 >= timeout || peaks.len() < KNOWN_PEAKS || age > 192.0 {
        return None;
    }
    // Days before the end, so that a line reaches the timeout this many days after it.
    let day = |peak: &Peak| -real(end.0.saturating_sub(peak.at.0)) / 96.0;
    let points: Vec<(f64, f64)> = peaks.iter().map(|peak| (day(peak), peak.p99)).collect();
    // What became slower from one day to the next has not grown.
    let points = &points[last_step(&points, 1.0)..];
    if points.len() < KNOWN_PEAKS {
        return None;
    }
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (*x, y.ln())).collect();
    let values: Vec<f64> = points.iter().map(|(_, p99)| *p99).collect();
    let (line, log) = (theil_sen(points)?, theil_sen(&logs)?);
    let mut off: Vec<f64> = points.iter().map(|(x, y)| (y - line.at(*x)).abs()).collect();
    let scatter = median(&mut off)?;
    let grown = line.slope * (points.last()?.0 - points.first()?.0);
    if grown < (GROWTH * timeout).max(CLEAR * scatter) || rising(&values)? <= SCORE {
        return None;
    }
    let left = line.reaches(timeout)?;
    let doubt = (2.0 * scatter / line.slope).max(0.3 * left).max(0.5);
    let earliest = log.reaches(timeout.ln()).map_or(left - doubt, |log| log.min(left - doubt));
    let seconds = |days: f64| days * 86_400.0;
    let left = Forecast::between(seconds(earliest), seconds(left), seconds(left + doubt))?;
    Some(Expected { rule: None, left: capped(left, GROWTH_HORIZON)? })
}

/// A few quarter-hours as a number.
#[allow(clippy::cast_precision_loss)] // weeks
fn real(quarter_hours: i64) -> f64 {
    quarter_hours as f64
}

/// A forecast within a horizon, and of finite figures; its latest time is at most a year.
fn capped(forecast: Forecast, horizon: f64) -> Option<Forecast> {
    let Forecast { low, mid, high } = Forecast::between(forecast.low, forecast.mid, forecast.high)?;
    (mid <= horizon).then_some(Forecast { low, mid, high: high.min(HORIZON) })
}

fn trouble(facts: &Facts<'_>, period: Period) -> Trouble {
    let (from, end) = (period.from.start(), period.end.start());
    let mut trouble = Trouble::default();
    for (first, last) in facts.state.iter().flat_map(|state| state.incidents()) {
        let minutes = last.plus(1).min(end).since(first.max(from));
        if minutes > 0 {
            trouble.stretches += 1;
            trouble.minutes = trouble.minutes.saturating_add(minutes);
        }
    }
    trouble
}

fn changes(facts: &Facts<'_>, limits: &Limits, period: Period) -> Vec<Change> {
    let mut changes: Vec<Change> =
        limits.changes(facts, period).into_iter().map(Change::Timeout).collect();
    let is_sane = |(then, now): &(f64, f64)| {
        let (count, share) = TARGETS;
        let sane = [*then, *now].iter().all(|n| n.is_finite() && *n >= 0.0);
        sane && (now - then).abs() >= count.max(share * then)
    };
    changes.extend(facts.healthy.filter(is_sane).map(|(then, now)| Change::Healthy(then, now)));
    changes.extend(first_seen(facts.history, period).map(Change::New));
    changes.extend(silent(facts.history, period));
    changes
}

/// When its first requests came, if that was within the period and at least three
/// quarter-hours of the day before are known to have had none.
fn first_seen(history: &QuarterHours, period: Period) -> Option<Minute> {
    let first = history.first_measured()?;
    if first < period.from || first >= period.end {
        return None;
    }
    let idle =
        (1..=DAY).filter(|age| history.quarter_hour(first.plus(-age)) == Known::Idle).count();
    (idle >= 72).then(|| first.start())
}

/// When its last requests ended, if that was three days ago or more, and whether
/// CloudWatch said of all quarter-hours since (up to three hours) that there were none.
fn silent(history: &QuarterHours, period: Period) -> Option<Change> {
    let is_measured = |q: &QuarterHour| matches!(history.quarter_hour(*q), Known::Measured(_));
    let oldest = period.before().from.0;
    let last = (oldest..period.end.0).rev().map(QuarterHour).find(is_measured)?;
    let since = last.plus(1);
    if period.end.0.saturating_sub(since.0) < SILENT {
        return None;
    }
    let after = (since.0..period.end.0).map(QuarterHour);
    let unknown = after.filter(|q| history.quarter_hour(*q) == Known::Unknown).count();
    Some(Change::Silent(since.start(), unknown <= 12))
}
