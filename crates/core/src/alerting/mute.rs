//! What mutes: silences, which somebody set, and maintenance windows, which the config
//! plans.
//!
//! What they mute is not lost. Receivers are notified of an episode that outlives them when
//! they end, and of the end of one that they were notified of before. Nobody is ever
//! notified of what began and ended while it was muted.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::alerting::matcher::{Matcher, Subject};
use crate::detect::Severity;
use crate::time::Minute;

/// At most this many silences may be in force at once.
pub const MAX_SILENCES: usize = 1000;
/// How long a silence may last, seconds.
pub const SILENCE_SECONDS: RangeInclusive<u64> = 60..=90 * 86_400;
/// The longest comment of a silence, in characters.
pub const LONGEST_COMMENT: usize = 1000;
/// How long one that is over is remembered: an episode that ended within it is muted, even
/// if that is found out later.
pub const KEPT_MINUTES: i64 = 24 * 60;

/// A silence: alerts that somebody does not want to be notified of for a while.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Silence {
    /// Which one, for `silence expire`.
    pub id: String,
    /// Which alerts.
    #[serde(flatten)]
    pub matcher: Matcher,
    /// Of at most this severity: what is worse notifies.
    pub at_most: Severity,
    /// From this minute on.
    pub from: Minute,
    /// The first minute at which it is no longer in force.
    pub until: Minute,
    /// Who set it.
    #[serde(default)]
    pub by: String,
    /// Why.
    #[serde(default)]
    pub comment: String,
}

impl Silence {
    /// Whether it mutes an alert at this minute.
    #[must_use]
    pub fn mutes(&self, subject: Subject<'_>, minute: Minute) -> bool {
        (self.from..self.until).contains(&minute)
            && subject.episode.severity <= self.at_most
            && self.matcher.covers(subject)
    }
}

/// One occurrence of a maintenance window.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Which alerts.
    pub matcher: Matcher,
    /// Its first minute.
    pub from: Minute,
    /// The first minute after it.
    pub until: Minute,
}

/// All silences and maintenance windows around the present.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mute {
    /// Those that somebody set.
    pub silences: Vec<Silence>,
    /// Those that the config plans.
    pub windows: Vec<Window>,
}

impl Mute {
    /// Whether an alert is muted at this minute.
    #[must_use]
    pub fn mutes(&self, subject: Subject<'_>, minute: Minute) -> bool {
        let in_window = |window: &Window| {
            (window.from..window.until).contains(&minute) && window.matcher.covers(subject)
        };
        self.silences.iter().any(|silence| silence.mutes(subject, minute))
            || self.windows.iter().any(in_window)
    }
}
