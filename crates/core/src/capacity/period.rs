//! Whole days.

use crate::series::history::{DAY, QuarterHour};
use crate::time::Minute;

/// The most days that a history has.
const MAX_DAYS: u32 = 14;

/// Some whole days, in quarter-hours; the end is not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first quarter-hour.
    pub from: QuarterHour,
    /// The first quarter-hour after it.
    pub end: QuarterHour,
}

impl Period {
    /// The `days` (1 to 14) that end with the last quarter-hour that is over at `end`.
    pub fn ending(end: Minute, days: u32) -> Self {
        let end = QuarterHour::containing(end);
        Self { from: end.plus(-DAY * i64::from(days.clamp(1, MAX_DAYS))), end }
    }

    /// As long, just before it.
    pub fn before(self) -> Self {
        Self { from: self.from.plus(self.from.0.saturating_sub(self.end.0)), end: self.from }
    }

    /// How many quarter-hours it has.
    pub fn length(self) -> u32 {
        u32::try_from(self.end.0.saturating_sub(self.from.0)).unwrap_or(0)
    }

    /// Its days, oldest first.
    pub fn days(self) -> impl Iterator<Item = Self> {
        let days = i64::from(self.length()) / DAY;
        (0..days).map(move |day| {
            let from = self.from.plus(day * DAY);
            Self { from, end: from.plus(DAY) }
        })
    }

    pub fn quarter_hours(self) -> impl Iterator<Item = QuarterHour> {
        (self.from.0..self.end.0).map(QuarterHour)
    }
}
