//! What a gateway was like, quarter-hour by quarter-hour, for the last fourteen days.
//!
//! CloudWatch computes a percentile of a quarter-hour exactly when it is asked for
//! `Period=900`, which no sum of minutes can do; and fourteen days of quarter-hours fit in
//! memory where minutes would not, packed day by day. A quarter-hour is unknown (never read),
//! idle (CloudWatch said that there was no request) or measured: the three are never mixed.
//! Entering a quarter-hour again replaces it, so that late data and a backfill need no care.

mod packed;

use std::collections::VecDeque;
use std::ops::Range;

use crate::number::ratio;
use crate::series::window::SlowEnd;
use crate::time::Minute;
use packed::{OpenDay, PackedDay};

/// How many quarter-hours are kept: fourteen days.
pub const QUARTER_HOURS: usize = 1344;
/// Quarter-hours in a day.
pub const DAY: i64 = 96;
/// Seconds in a quarter-hour: CloudWatch's `Period`.
pub const PERIOD: f64 = 900.0;
/// How long a day that is over is still kept beside the newest one, quarter-hours: what looks
/// back looks back six hours.
const KEPT_HERE: i64 = 28;
/// Seconds after which the load balancer gives up connecting to a target; fixed by AWS.
pub const CONNECT_TIMEOUT: f64 = 10.0;

/// Fifteen minutes of UTC, counted from the Unix epoch, aligned as
/// CloudWatch aligns datapoints of `Period=900`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuarterHour(pub i64);

impl QuarterHour {
    /// The quarter-hour that contains this minute.
    #[must_use]
    pub fn containing(minute: Minute) -> Self {
        Self(minute.0.div_euclid(15))
    }

    /// Its first minute.
    #[must_use]
    pub fn start(self) -> Minute {
        Minute(self.0.saturating_mul(15))
    }

    /// The first minute after it.
    #[must_use]
    pub fn end(self) -> Minute {
        self.start().plus(15)
    }

    /// This quarter-hour plus `quarter_hours`, which may be negative.
    #[must_use]
    pub fn plus(self, quarter_hours: i64) -> Self {
        Self(self.0.saturating_add(quarter_hours))
    }
}

/// What CloudWatch said of one quarter-hour: statistics of `Period=900`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct QuarterHourStats {
    /// Answered requests (`SampleCount` of the latency).
    pub samples: f64,
    /// The sum of their latencies, seconds.
    pub sum: Option<f64>,
    /// Their median, seconds.
    pub p50: Option<f64>,
    /// Their 99th percentile, seconds.
    pub p99: Option<f64>,
    /// Their maximum, seconds.
    pub maximum: Option<f64>,
    /// Answered later than `near * timeout`; `None` where it was not asked, or
    /// asked for another timeout.
    pub near_misses: Option<f64>,
    /// 504s.
    pub timeouts: f64,
    /// Connections to targets that failed; `None` where it was not asked.
    pub connection_errors: Option<f64>,
    /// The timeout for which near misses were counted, seconds.
    pub timeout: f64,
}

impl QuarterHourStats {
    /// Answered requests plus 504s.
    #[must_use]
    pub fn requests(&self) -> f64 {
        self.samples + self.timeouts
    }

    /// 504s of requests that reached a target and got no answer in time; a
    /// failed connection ends in 504 too, but says nothing of slowness.
    #[must_use]
    pub fn slow_timeouts(&self) -> f64 {
        (self.timeouts - self.connection_errors.unwrap_or(0.0)).max(0.0)
    }

    /// Near misses, where they were counted for this timeout.
    #[must_use]
    pub fn near_misses_of(&self, timeout: f64) -> Option<f64> {
        self.near_misses.filter(|_| (self.timeout - timeout).abs() < 0.001 * timeout)
    }

    /// Near misses and 504s of slow answers; `None` where near misses are unknown.
    #[must_use]
    pub fn at_risk(&self) -> Option<f64> {
        Some(self.near_misses? + self.slow_timeouts())
    }

    /// The 99th percentile over all requests, 504s included, seconds: see
    /// [`Reading::effective_p99`](crate::series::window::Reading::effective_p99).
    #[must_use]
    pub fn effective_p99(&self, timeout: f64) -> Option<f64> {
        let Self { samples, p99, maximum, .. } = *self;
        let near_misses = self.near_misses_of(timeout).unwrap_or(0.0);
        let timeouts = self.slow_timeouts();
        SlowEnd { samples, near_misses, timeouts, p99, maximum }.p99_of_all(timeout)
    }

    /// The mean number of requests that were being worked on (Little 1961):
    /// the time spent in the targets per second. A 504 spent the whole timeout
    /// there, a failed connection ten seconds.
    #[must_use]
    pub fn in_flight(&self, timeout: f64) -> Option<f64> {
        let failed = self.connection_errors.unwrap_or(0.0).min(self.timeouts);
        let busy = self.sum? + timeout * self.slow_timeouts() + CONNECT_TIMEOUT * failed;
        ratio(busy, PERIOD)
    }
}

/// What is known of one quarter-hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Known {
    /// It was never read.
    Unknown,
    /// CloudWatch said that there was no request.
    Idle,
    /// There were requests.
    Measured(QuarterHourStats),
}

/// Whether a stretch of time may serve as an example of what is usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It may.
    Usual,
    /// Trouble: last week's outage must not hide this week's.
    Incident,
    /// Trouble that somebody said is meant to be so; no later [`Mark::Incident`] changes that.
    Benign,
}

/// A day of UTC.
#[derive(Debug, Clone)]
struct Day {
    packed: PackedDay,
    /// The same, while many of its quarter-hours are read.
    unpacked: Option<Box<OpenDay>>,
    /// Whether it is as it was when it was last saved.
    is_saved: bool,
    /// Whether only the store has it. All of its quarter-hours are known.
    is_away: bool,
}

impl Default for Day {
    /// Nothing is known of it.
    fn default() -> Self {
        Self { packed: PackedDay::default(), unpacked: None, is_saved: true, is_away: false }
    }
}

impl Day {
    fn saved(packed: PackedDay) -> Self {
        Self { packed, ..Self::default() }
    }

    fn known(&self, quarter_hour: usize) -> Known {
        match &self.unpacked {
            Some(open) => open.known(quarter_hour),
            None => self.packed.known(quarter_hour),
        }
    }

    fn status(&self, quarter_hour: usize) -> (bool, Mark) {
        match &self.unpacked {
            Some(open) => open.status(quarter_hour),
            None => self.packed.status(quarter_hour),
        }
    }
}

/// The last fourteen days of one gateway.
#[derive(Debug, Clone, Default)]
pub struct QuarterHours {
    /// Days in a row, up to that of the newest quarter-hour.
    days: VecDeque<Day>,
    /// The day that is being changed, counted from the Unix epoch.
    open: Option<(i64, Box<OpenDay>)>,
    /// The newest quarter-hour that was entered.
    newest: Option<QuarterHour>,
    /// How often it has changed.
    changes: u64,
    /// The quarter-hours that were found known, one after the other, and at which change.
    scanned: Option<(u64, Range<QuarterHour>)>,
}

impl QuarterHours {
    /// A gateway of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was saved of these days (counted from the Unix epoch); what is no day is left
    /// out, and read again.
    #[must_use]
    pub fn of_saved<'a>(days: impl IntoIterator<Item = (i64, &'a [u8])>) -> Self {
        let mut all = Self::default();
        for (day, bytes) in days {
            let Some(packed) = PackedDay::of_bytes(bytes) else { continue };
            let first = day.saturating_mul(DAY);
            let is_known =
                |quarter_hour: &i64| packed.status(in_day(QuarterHour(first + quarter_hour))).0;
            let Some(last) = (0..DAY).rfind(is_known) else { continue };
            all.reach(QuarterHour(first + last));
            let place = all.place(day);
            if let Some(kept) = place.and_then(|place| all.days.get_mut(place)) {
                *kept = Day::saved(packed);
            }
        }
        all.changes += 1;
        all
    }

    /// Leaves the days to the store that are saved and whole and have been over for some hours:
    /// nobody needs them until the next quarter-hour.
    pub fn put_away(&mut self) {
        let over = self.newest.map_or(i64::MIN, |newest| day_of(newest.plus(-KEPT_HERE)));
        for (number, day) in (self.first_day()..).zip(&mut self.days) {
            if number < over && day.is_saved && !day.is_away && day.packed.is_whole() {
                *day = Day { is_away: true, ..Day::default() };
            }
        }
        self.scan();
    }

    /// Looks once for what is not known, until something changes.
    fn scan(&mut self) {
        let is_new = self.scanned.as_ref().is_none_or(|(at, _)| *at != self.changes);
        if let Some(newest) = self.newest.filter(|_| is_new) {
            let (first, end) = (newest.plus(1 - DAY * 14), newest.plus(1));
            let until = self.first_unknown(first, end).unwrap_or(end);
            self.scanned = Some((self.changes, first..until));
        }
    }

    /// Whether some day is only in the store.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.days.iter().any(|day| day.is_away)
    }

    /// Brings back what the store has of the days that were left to it (counted from the Unix
    /// epoch). What it has no longer is unknown, and read again.
    pub fn bring_back<'a>(&mut self, saved: impl IntoIterator<Item = (i64, &'a [u8])>) {
        for (number, bytes) in saved {
            let place = self.place(number);
            let day = place.and_then(|place| self.days.get_mut(place)).filter(|day| day.is_away);
            if let Some((day, packed)) = day.zip(PackedDay::of_bytes(bytes)) {
                *day = Day::saved(packed);
            }
        }
        for day in self.days.iter_mut().filter(|day| day.is_away) {
            *day = Day::default();
            self.changes += 1;
        }
    }

    /// Makes reading of most quarter-hours fast, until [`pack`](Self::pack).
    pub(crate) fn unpack(&mut self) {
        self.seal();
        for day in self.days.iter_mut().filter(|day| !day.packed.bytes().is_empty()) {
            day.unpacked = Some(Box::new(day.packed.open()));
        }
    }

    /// Takes back the memory that [`unpack`](Self::unpack) took.
    pub(crate) fn pack(&mut self) {
        self.days.iter_mut().for_each(|day| day.unpacked = None);
    }

    /// The days that are not saved as they are now, and what to save of them.
    pub fn unsaved(&mut self) -> impl Iterator<Item = (i64, &[u8])> {
        self.seal();
        let days = (self.first_day()..).zip(&self.days);
        days.filter(|(_, day)| !day.is_saved).map(|(number, day)| (number, day.packed.bytes()))
    }

    /// Whether some day is not saved as it is now.
    #[must_use]
    pub fn is_unsaved(&self) -> bool {
        self.open.is_some() || self.days.iter().any(|day| !day.is_saved)
    }

    /// All days are to be saved, because they are another gateway's now.
    pub fn save_again(&mut self) {
        self.days.iter_mut().for_each(|day| day.is_saved = day.is_away);
    }

    /// The timeout for which near misses were counted in the newest quarter-hour with requests,
    /// seconds.
    #[must_use]
    pub fn timeout(&self) -> Option<f64> {
        self.quarter_hours().rev().find_map(|quarter_hour| match self.quarter_hour(quarter_hour) {
            Known::Measured(stats) => Some(stats.timeout),
            Known::Unknown | Known::Idle => None,
        })
    }

    /// All days are saved.
    pub fn saved(&mut self) {
        self.days.iter_mut().for_each(|day| day.is_saved = true);
    }

    /// Packs what was changed. Until then a day takes four kilobytes.
    pub fn seal(&mut self) {
        let Some((day, open)) = self.open.take() else { return };
        let place = self.place(day);
        if let Some(day) = place.and_then(|place| self.days.get_mut(place)) {
            *day = Day { is_saved: false, ..Day::saved(open.pack()) };
        }
    }

    /// Enters what CloudWatch said of a quarter-hour that is over, or says of it
    /// now; without requests it is idle. What is older than fourteen days before
    /// the newest quarter-hour is left out.
    pub fn enter(&mut self, quarter_hour: QuarterHour, summary: &QuarterHourStats) {
        self.reach(quarter_hour);
        self.change(quarter_hour, |day, quarter_hour| day.enter(quarter_hour, Some(summary)));
    }

    /// Forgets what CloudWatch said of a quarter-hour, so that it is read again. What it is an
    /// example of stays.
    pub fn forget(&mut self, quarter_hour: QuarterHour) {
        self.change(quarter_hour, |day, quarter_hour| day.enter(quarter_hour, None));
    }

    /// Says of the quarter-hours that share a minute with `from` to `to` (both
    /// included) whether they are examples of what is usual.
    pub fn mark(&mut self, from: Minute, to: Minute, mark: Mark) {
        self.reach(QuarterHour::containing(to));
        let oldest = self.newest.map_or(i64::MAX, |q| q.plus(1 - DAY * 14).0);
        for quarter_hour in
            QuarterHour::containing(from).0.max(oldest)..=QuarterHour::containing(to).0
        {
            let quarter_hour = QuarterHour(quarter_hour);
            let Some((_, now)) = self.status(quarter_hour) else { continue };
            if now != mark && (now, mark) != (Mark::Benign, Mark::Incident) {
                self.change(quarter_hour, |day, quarter_hour| day.mark(quarter_hour, mark));
            }
        }
    }

    /// What is known of a quarter-hour.
    #[must_use]
    pub fn quarter_hour(&self, quarter_hour: QuarterHour) -> Known {
        let Some(day) = self.day(quarter_hour) else { return Known::Unknown };
        match &self.open {
            Some((number, open)) if *number == day_of(quarter_hour) => {
                open.known(in_day(quarter_hour))
            }
            _ => day.known(in_day(quarter_hour)),
        }
    }

    /// Whether a quarter-hour is marked as an incident.
    #[must_use]
    pub fn is_incident(&self, quarter_hour: QuarterHour) -> bool {
        self.status(quarter_hour).is_some_and(|(_, mark)| mark == Mark::Incident)
    }

    /// The quarter-hours that are kept, oldest first; none when nothing was entered.
    pub fn quarter_hours(&self) -> impl DoubleEndedIterator<Item = QuarterHour> + use<> {
        let end = self.newest.map_or(0, |q| q.0.saturating_add(1));
        let length = if self.newest.is_some() { DAY * 14 } else { 0 };
        (end.saturating_sub(length)..end).map(QuarterHour)
    }

    /// The oldest quarter-hour that is kept in which there were requests.
    #[must_use]
    pub fn first_measured(&self) -> Option<QuarterHour> {
        self.quarter_hours().find(|q| matches!(self.quarter_hour(*q), Known::Measured(_)))
    }

    /// The first quarter-hour that is not known, of those from `from` to before
    /// `end`: where to read on. There is no place for what is older than fourteen days
    /// before the newest quarter-hour, and it is not asked for.
    #[must_use]
    pub fn first_unknown(&self, from: QuarterHour, end: QuarterHour) -> Option<QuarterHour> {
        let kept = self.newest.map_or(from, |newest| newest.plus(1 - DAY * 14));
        let mut quarter_hour = from.max(kept);
        if let Some((at, known)) = &self.scanned
            && *at == self.changes
            && known.contains(&quarter_hour)
        {
            quarter_hour = known.end;
        }
        while quarter_hour < end {
            let is_open = self.open.as_ref().is_some_and(|(day, _)| *day == day_of(quarter_hour));
            let is_whole = |day: &Day| day.is_away || day.packed.is_whole();
            if !is_open && self.day(quarter_hour).is_some_and(is_whole) {
                quarter_hour = QuarterHour((day_of(quarter_hour) + 1) * DAY);
            } else if self.status(quarter_hour).is_some_and(|(is_known, _)| is_known) {
                quarter_hour = quarter_hour.plus(1);
            } else {
                return Some(quarter_hour);
            }
        }
        None
    }

    /// How often it has changed: what was made of it is good for as long as this is the
    /// same.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let days = self.days.capacity() * size_of::<Day>();
        let packed: usize = self.days.iter().map(|day| day.packed.bytes().len()).sum();
        let open = self.open.as_ref().map_or(0, |_| size_of::<OpenDay>());
        size_of::<Self>() + days + packed + open
    }

    /// Makes room for a quarter-hour newer than all.
    fn reach(&mut self, quarter_hour: QuarterHour) {
        let newest = self.newest.unwrap_or(quarter_hour);
        if self.days.is_empty() || quarter_hour.0.saturating_sub(newest.0) >= DAY * 14 {
            self.days.clear();
            self.changes += 1;
            self.open = None;
            self.days.resize(Self::days_kept(quarter_hour), Day::default());
            self.newest = Some(quarter_hour);
            return;
        }
        let newer = newest.max(quarter_hour);
        for _ in day_of(newest)..day_of(newer) {
            self.days.push_back(Day::default());
        }
        self.newest = Some(newer);
        let surplus = self.days.len().saturating_sub(Self::days_kept(newer));
        self.days.drain(..surplus);
    }

    /// How many days of UTC the fourteen days that end with this quarter-hour touch.
    fn days_kept(newest: QuarterHour) -> usize {
        let first = day_of(newest.plus(1 - DAY * 14));
        usize::try_from(day_of(newest) - first + 1).unwrap_or(0)
    }

    fn change(&mut self, quarter_hour: QuarterHour, change: impl FnOnce(&mut OpenDay, usize)) {
        let day = day_of(quarter_hour);
        let Some(place) = self.is_kept(quarter_hour).then(|| self.place(day)).flatten() else {
            return;
        };
        if self.open.as_ref().is_some_and(|(open, _)| *open != day) {
            self.seal();
        }
        // What is away was brought back by whoever has something to change.
        let Some(packed) = self.days.get(place).filter(|d| !d.is_away).map(|d| &d.packed) else {
            return;
        };
        let open = || (day, Box::new(packed.open()));
        change(&mut self.open.get_or_insert_with(open).1, in_day(quarter_hour));
        self.changes += 1;
    }

    fn status(&self, quarter_hour: QuarterHour) -> Option<(bool, Mark)> {
        let day = self.day(quarter_hour)?;
        match &self.open {
            Some((number, open)) if *number == day_of(quarter_hour) => {
                Some(open.status(in_day(quarter_hour)))
            }
            _ => Some(day.status(in_day(quarter_hour))),
        }
    }

    /// The day of a quarter-hour that is kept.
    fn day(&self, quarter_hour: QuarterHour) -> Option<&Day> {
        let place =
            self.is_kept(quarter_hour).then(|| self.place(day_of(quarter_hour))).flatten()?;
        self.days.get(place)
    }

    fn is_kept(&self, quarter_hour: QuarterHour) -> bool {
        let age = self.newest.map(|newest| newest.0.saturating_sub(quarter_hour.0));
        age.is_some_and(|age| (0..DAY * 14).contains(&age))
    }

    /// Where in the row a day has its place.
    fn place(&self, day: i64) -> Option<usize> {
        usize::try_from(day.checked_sub(self.first_day())?).ok()
    }

    fn first_day(&self) -> i64 {
        let length = i64::try_from(self.days.len()).unwrap_or(0);
        self.newest.map_or(0, |newest| day_of(newest) + 1 - length)
    }
}

/// The day of UTC of a quarter-hour, counted from the Unix epoch.
fn day_of(quarter_hour: QuarterHour) -> i64 {
    quarter_hour.0.div_euclid(DAY)
}

/// Which quarter-hour of its day it is.
fn in_day(quarter_hour: QuarterHour) -> usize {
    usize::try_from(quarter_hour.0.rem_euclid(DAY)).unwrap_or(0)
}
