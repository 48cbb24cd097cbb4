//! What a gateway was like, quarter of an hour by quarter of an hour, for the
//! last fourteen days.
//!
//! CloudWatch computes a percentile of a quarter exactly when it is asked for
//! `Period=900`, which no sum of minutes can do; and fourteen days of quarters
//! fit in memory where minutes would not. A quarter is unknown (never read),
//! idle (CloudWatch said that there was no request) or measured: the three are
//! never mixed. Entering a quarter again replaces it, so that late data and a
//! backfill need no care.

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::number::ratio;
use crate::series::window::SlowEnd;
use crate::time::Minute;

/// How many quarters are kept: fourteen days.
pub const QUARTERS: usize = 1344;
/// Quarters in a day.
pub const DAY: i64 = 96;
/// Seconds in a quarter: CloudWatch's `Period`.
pub const PERIOD: f64 = 900.0;
/// Seconds after which the load balancer gives up connecting to a target; fixed by AWS.
pub const CONNECT_TIMEOUT: f64 = 10.0;

/// Fifteen minutes of UTC, counted from the Unix epoch, aligned as
/// CloudWatch aligns datapoints of `Period=900`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuarterHour(pub i64);

impl QuarterHour {
    /// The quarter that contains this minute.
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

    /// This quarter plus `quarters`, which may be negative.
    #[must_use]
    pub fn plus(self, quarters: i64) -> Self {
        Self(self.0.saturating_add(quarters))
    }
}

/// What CloudWatch said of one quarter: statistics of `Period=900`.
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

/// What is known of one quarter.
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

/// A quarter in 24 bytes: absent figures are NaN, which no figure is. Requests and
/// their latencies together are sums and may be large; three digits are plenty for
/// what is compared by factors of 1.1 and more, and a count up to 2,048 is exact.
#[derive(Debug, Clone, Copy)]
struct Cell {
    sums: [f32; 2],
    figures: [f16; 7],
    known: bool,
    mark: Mark,
}

const UNKNOWN: Cell =
    Cell { sums: [f32::NAN; 2], figures: [f16::NAN; 7], known: false, mark: Mark::Usual };

impl Cell {
    fn of(summary: &QuarterHourStats, mark: Mark) -> Self {
        let sane = |value: Option<f64>| value.filter(|v| v.is_finite() && *v >= 0.0);
        #[allow(clippy::cast_possible_truncation)] // 7 digits are plenty
        let sum = |value: Option<f64>| sane(value).map_or(f32::NAN, |v| v.min(1e30) as f32);
        let most = f16::MAX.to_f64();
        let figure = |value| sane(value).map_or(f16::NAN, |v| f16::from_f64(v.min(most)));
        let figures = [
            figure(summary.p50),
            figure(summary.p99),
            figure(summary.maximum),
            figure(summary.near_misses),
            figure(Some(summary.timeouts)),
            figure(summary.connection_errors),
            figure(Some(summary.timeout)),
        ];
        Self { sums: [sum(Some(summary.samples)), sum(summary.sum)], figures, known: true, mark }
    }

    fn read(&self) -> Known {
        let [samples, sum] = self.sums.map(|sum| (!sum.is_nan()).then_some(f64::from(sum)));
        let mut figures = [0.0_f32; 7];
        self.figures.convert_to_f32_slice(&mut figures);
        let [p50, p99, maximum, near, timeouts, connections, timeout] =
            figures.map(|figure| (!figure.is_nan()).then_some(f64::from(figure)));
        let summary = QuarterHourStats {
            samples: samples.unwrap_or(0.0),
            sum,
            p50,
            p99,
            maximum,
            near_misses: near,
            timeouts: timeouts.unwrap_or(0.0),
            connection_errors: connections,
            timeout: timeout.unwrap_or(0.0),
        };
        match self.known {
            false => Known::Unknown,
            true if summary.requests() <= 0.0 => Known::Idle,
            true => Known::Measured(summary),
        }
    }
}

/// The last fourteen days of one gateway.
#[derive(Debug, Clone)]
pub struct QuarterHours {
    /// By quarter modulo its length; empty until something is entered.
    ring: Vec<Cell>,
    /// The newest quarter that was entered.
    newest: Option<QuarterHour>,
    /// Where in the ring that one is: looking back from it needs no division.
    head: usize,
    /// How often it has changed.
    changes: u64,
}

impl Default for QuarterHours {
    fn default() -> Self {
        Self::new()
    }
}

impl QuarterHours {
    /// A gateway of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self { ring: Vec::new(), newest: None, head: 0, changes: 0 }
    }

    /// Enters what CloudWatch said of a quarter that is over, or says of it
    /// now; without requests it is idle. What is older than fourteen days before
    /// the newest quarter is left out.
    pub fn enter(&mut self, quarter: QuarterHour, summary: &QuarterHourStats) {
        self.reach(quarter);
        let Some(index) = self.index(quarter) else { return };
        self.changes += 1;
        let cell = &mut self.ring[index];
        *cell = Cell::of(summary, cell.mark);
    }

    /// Forgets what CloudWatch said of a quarter, so that it is read again. What it is an
    /// example of stays.
    pub fn forget(&mut self, quarter: QuarterHour) {
        if let Some(index) = self.index(quarter) {
            let mark = self.ring[index].mark;
            self.ring[index] = Cell { mark, ..UNKNOWN };
            self.changes += 1;
        }
    }

    /// Says of the quarters that share a minute with `from` to `to` (both
    /// included) whether they are examples of what is usual.
    pub fn mark(&mut self, from: Minute, to: Minute, mark: Mark) {
        self.reach(QuarterHour::containing(to));
        let oldest = self.newest.map_or(i64::MAX, |q| q.plus(1 - DAY * 14).0);
        for quarter in QuarterHour::containing(from).0.max(oldest)..=QuarterHour::containing(to).0 {
            let Some(index) = self.index(QuarterHour(quarter)) else { continue };
            let now = &mut self.ring[index].mark;
            if *now != mark && (*now, mark) != (Mark::Benign, Mark::Incident) {
                *now = mark;
                self.changes += 1;
            }
        }
    }

    /// What is known of a quarter.
    #[must_use]
    pub fn quarter(&self, quarter: QuarterHour) -> Known {
        self.index(quarter).map_or(Known::Unknown, |index| self.ring[index].read())
    }

    /// Whether a quarter is marked as an incident.
    #[must_use]
    pub fn is_incident(&self, quarter: QuarterHour) -> bool {
        self.index(quarter).is_some_and(|index| self.ring[index].mark == Mark::Incident)
    }

    /// The quarters that are kept, oldest first; none when nothing was entered.
    pub fn quarters(&self) -> impl Iterator<Item = QuarterHour> + use<> {
        let end = self.newest.map_or(0, |q| q.0.saturating_add(1));
        let length = if self.newest.is_some() { DAY * 14 } else { 0 };
        (end.saturating_sub(length)..end).map(QuarterHour)
    }

    /// The oldest quarter that is kept in which there were requests.
    #[must_use]
    pub fn first_measured(&self) -> Option<QuarterHour> {
        self.quarters().find(|q| matches!(self.quarter(*q), Known::Measured(_)))
    }

    /// The first quarter that is not known, of those from `from` to before
    /// `end`: where to read on. There is no place for what is older than fourteen days
    /// before the newest quarter, and it is not asked for.
    #[must_use]
    pub fn first_unknown(&self, from: QuarterHour, end: QuarterHour) -> Option<QuarterHour> {
        let is_known = |q: &QuarterHour| self.index(*q).is_some_and(|index| self.ring[index].known);
        let kept = self.newest.map_or(from, |newest| newest.plus(1 - DAY * 14));
        (from.max(kept).0..end.0).map(QuarterHour).find(|quarter| !is_known(quarter))
    }

    /// How often it has changed: what was made of it is good for as long as this is the
    /// same.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Bytes that it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.ring.capacity() * size_of::<Cell>()
    }

    /// Makes room for a quarter newer than all.
    fn reach(&mut self, quarter: QuarterHour) {
        if self.ring.is_empty() {
            self.ring = vec![UNKNOWN; QUARTERS];
        }
        let newest = self.newest.unwrap_or(quarter.plus(-1));
        let steps = quarter.0.saturating_sub(newest.0).min(DAY * 14);
        for step in 0..steps {
            let index = slot(quarter.plus(-step));
            self.ring[index] = UNKNOWN;
        }
        let newest = newest.max(quarter);
        self.newest = Some(newest);
        self.head = slot(newest);
    }

    fn index(&self, quarter: QuarterHour) -> Option<usize> {
        let age = self.newest?.0.saturating_sub(quarter.0);
        let age = usize::try_from(age).ok().filter(|age| *age < QUARTERS)?;
        Some(if age <= self.head { self.head - age } else { self.head + QUARTERS - age })
    }
}

/// Where in the ring a quarter has its place.
fn slot(quarter: QuarterHour) -> usize {
    usize::try_from(quarter.0.rem_euclid(DAY * 14)).unwrap_or(0)
}
