//! What CloudWatch said about one gateway, in our words and in SI units.
//!
//! A [`Snapshot`] is a dense table, minute by signal, because the detectors
//! always look at consecutive minutes and because "no value" must be a value
//! of its own: absence is never a zero here.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::window::Reading;

/// One minute of UTC, counted from the Unix epoch: it covers the seconds from
/// `60 * m` (inclusive) to `60 * (m + 1)` (exclusive), as CloudWatch's
/// one-minute datapoints do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Minute(pub i64);

impl Minute {
    /// The minute that contains this time (seconds since the Unix epoch).
    #[must_use]
    pub fn containing(unix_seconds: i64) -> Self {
        Self(unix_seconds.div_euclid(60))
    }

    /// Its first second, since the Unix epoch.
    #[must_use]
    pub fn start(self) -> i64 {
        self.0.saturating_mul(60)
    }

    /// The first second after it, since the Unix epoch.
    #[must_use]
    pub fn end(self) -> i64 {
        self.start().saturating_add(60)
    }

    /// This minute plus `minutes`, which may be negative.
    #[must_use]
    pub fn plus(self, minutes: i64) -> Self {
        Self(self.0.saturating_add(minutes))
    }

    /// How many minutes lie between `earlier` and this one.
    #[must_use]
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Its start as UTC, or the epoch when the year cannot be written down.
    #[must_use]
    pub fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.start(), 0).unwrap_or_default()
    }
}

/// ISO 8601 to the minute, as people and machines both read it: `2026-01-05T09:13Z`.
impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.utc().format("%Y-%m-%dT%H:%MZ"))
    }
}

/// One figure that a gateway has in each minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Median time until the target began to answer, in seconds.
    P50,
    /// 99th percentile of the same, over the requests that were answered.
    P99,
    /// Maximum of the same.
    Maximum,
    /// Requests that were answered (each leaves one latency sample).
    Samples,
    /// Requests answered later than `near * timeout` and no later than the timeout.
    NearMisses,
    /// Requests that the gateway gave up on: 504.
    Timeouts,
    /// Connections to a target that could not be made.
    ConnectionErrors,
    /// TLS handshakes with a target that failed.
    TlsErrors,
    /// Requests for which a target was chosen, whatever became of them.
    RequestCount,
    /// Targets that pass their health checks.
    HealthyHosts,
}

impl Signal {
    /// Every signal, in the order of a snapshot's columns.
    pub const ALL: [Self; 10] = [
        Self::P50,
        Self::P99,
        Self::Maximum,
        Self::Samples,
        Self::NearMisses,
        Self::Timeouts,
        Self::ConnectionErrors,
        Self::TlsErrors,
        Self::RequestCount,
        Self::HealthyHosts,
    ];

    /// What an absent datapoint of this signal means, once CloudWatch has said
    /// that its answer is complete.
    #[must_use]
    pub fn missing(self) -> Missing {
        match self {
            Self::P50 | Self::P99 | Self::Maximum | Self::HealthyHosts => Missing::Absent,
            Self::Samples
            | Self::NearMisses
            | Self::Timeouts
            | Self::ConnectionErrors
            | Self::TlsErrors
            | Self::RequestCount => Missing::Zero,
        }
    }

    fn column(self) -> usize {
        self as usize
    }
}

/// What an absent datapoint means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// A counter that is only reported when it is not zero.
    Zero,
    /// A measurement without anything to measure.
    Absent,
}

/// An empty minute is held back until a later minute has data, or
/// for so long.
const HELD_BACK_MINUTES: i64 = 10;

/// Consecutive minutes of one gateway, as CloudWatch described them in answers
/// that were complete for every signal. There is no partial snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    first: Minute,
    rows: Vec<[Option<f64>; Signal::ALL.len()]>,
}

impl Snapshot {
    /// A snapshot of the minutes from `first` to before `end`, where nothing
    /// happened yet: counters are zero, measurements are absent, and so is what
    /// was not `asked` for.
    #[must_use]
    pub fn quiet(first: Minute, end: Minute, asked: &[Signal]) -> Self {
        let row = Signal::ALL.map(|signal| match signal.missing() {
            Missing::Zero if asked.contains(&signal) => Some(0.0),
            Missing::Zero | Missing::Absent => None,
        });
        let length = usize::try_from(end.since(first)).unwrap_or(0);
        Self { first, rows: vec![row; length] }
    }

    /// Enters one datapoint. What lies outside the snapshot, or is no
    /// measurement (negative, infinite, not a number), is left out: CloudWatch
    /// may answer more than was asked, and a count below zero is no count.
    pub fn record(&mut self, signal: Signal, minute: Minute, value: f64) {
        let Ok(row) = usize::try_from(minute.since(self.first)) else { return };
        if !(value.is_finite() && value >= 0.0) {
            return;
        }
        if let Some(row) = self.rows.get_mut(row) {
            row[signal.column()] = Some(value);
        }
    }

    /// The first minute.
    #[must_use]
    pub fn first(&self) -> Minute {
        self.first
    }

    /// The minute after the last one.
    #[must_use]
    pub fn end(&self) -> Minute {
        self.first.plus(i64::try_from(self.rows.len()).unwrap_or(i64::MAX))
    }

    /// The newest minute with a request.
    #[must_use]
    pub fn last_active(&self) -> Option<Minute> {
        let is_active = |row: &[Option<f64>; Signal::ALL.len()]| {
            [Signal::Samples, Signal::Timeouts, Signal::RequestCount]
                .iter()
                .any(|signal| row[signal.column()].is_some_and(|count| count > 0.0))
        };
        let row = self.rows.iter().rposition(is_active)?;
        Some(self.first.plus(i64::try_from(row).ok()?))
    }

    /// Whether this minute may yet get data: it and all after it are empty, and
    /// it is only a short time past. An answer that is complete and empty looks
    /// the same when CloudWatch lags.
    #[must_use]
    pub fn may_be_late(&self, minute: Minute, now: Minute) -> bool {
        let active = self.last_active();
        active.is_none_or(|active| active < minute) && now.since(minute) <= HELD_BACK_MINUTES
    }

    /// What is known of one minute; `None` outside the snapshot.
    #[must_use]
    pub fn reading(&self, minute: Minute) -> Option<Reading> {
        let row = self.rows.get(usize::try_from(minute.since(self.first)).ok()?)?;
        Some(reading(minute, row))
    }

    /// The `length` minutes that end with `last`, oldest first; fewer where the
    /// snapshot begins later.
    #[must_use]
    pub fn readings(&self, last: Minute, length: u32) -> Vec<Reading> {
        let row = |minute: Minute| usize::try_from(minute.since(self.first)).unwrap_or(0);
        let first = last.plus(1 - i64::from(length)).max(self.first);
        let rows = self.rows.get(row(first)..row(last.plus(1)).min(self.rows.len()));
        let minutes = (first.0..).map(Minute);
        rows.unwrap_or_default().iter().zip(minutes).map(|(row, m)| reading(m, row)).collect()
    }
}

/// A row of a snapshot by name.
fn reading(minute: Minute, row: &[Option<f64>; Signal::ALL.len()]) -> Reading {
    let count = |signal: Signal| row[signal.column()].unwrap_or(0.0);
    Reading {
        minute,
        p50: row[Signal::P50.column()],
        p99: row[Signal::P99.column()],
        maximum: row[Signal::Maximum.column()],
        samples: count(Signal::Samples),
        near_misses: count(Signal::NearMisses),
        timeouts: count(Signal::Timeouts),
        connection_errors: row[Signal::ConnectionErrors.column()],
        tls_errors: row[Signal::TlsErrors.column()],
        request_count: row[Signal::RequestCount.column()],
        healthy_hosts: row[Signal::HealthyHosts.column()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absence_is_zero_for_counters_and_nothing_for_measurements() {
        let snapshot = Snapshot::quiet(Minute(10), Minute(12), &[Signal::Samples]);
        let reading = snapshot.reading(Minute(11)).unwrap();
        assert_eq!((reading.samples, reading.p99), (0.0, None));
        assert_eq!(snapshot.reading(Minute(12)), None);
    }

    #[test]
    fn what_is_outside_or_absurd_is_left_out() {
        let mut snapshot = Snapshot::quiet(Minute(10), Minute(12), &[Signal::Samples]);
        for (minute, value) in
            [(9, 1.0), (12, 1.0), (10, -1.0), (10, f64::NAN), (11, f64::INFINITY)]
        {
            snapshot.record(Signal::Timeouts, Minute(minute), value);
        }
        assert_eq!(snapshot, Snapshot::quiet(Minute(10), Minute(12), &[Signal::Samples]));
    }

    #[test]
    fn a_minute_reads_as_utc() {
        assert_eq!(Minute::containing(1_767_605_639).to_string(), "2026-01-05T09:33Z");
        assert_eq!(Minute(i64::MAX).to_string(), "1970-01-01T00:00Z");
    }
}
