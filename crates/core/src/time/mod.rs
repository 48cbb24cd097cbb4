//! Time in minutes of UTC, as CloudWatch counts it.

pub mod minute_set;

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One minute of UTC, counted from the Unix epoch: it covers the seconds from
/// `60 * m` (inclusive) to `60 * (m + 1)` (exclusive), as CloudWatch's
/// one-minute datapoints do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Minute(pub i64);

/// What is read from a file lies between 1970 and the year 9999.
impl TryFrom<i64> for Minute {
    type Error = String;

    fn try_from(minute: i64) -> Result<Self, String> {
        if (0..=Self::LAST.0).contains(&minute) {
            Ok(Self(minute))
        } else {
            Err(format!("expected a minute since 1970 and before the year 10000, found {minute}"))
        }
    }
}

impl From<Minute> for i64 {
    fn from(minute: Minute) -> Self {
        minute.0
    }
}

impl Minute {
    /// The last one of the year 9999.
    const LAST: Self = Self(4_223_371_679);

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
