//! Detectors: pure rules over a window of minutes.
//!
//! Each has a file of its own with its parameters, its condition and its
//! words. A verdict is computed anew from the window each time (M datapoints
//! out of N, as CloudWatch alarms count), so there is no state that can drift.

mod near_miss;
mod timeouts;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::gateway::Gateway;
use super::signal::Window;
pub use near_miss::NearMiss;
pub use timeouts::Timeouts;

/// The window that a detector is given, minutes.
pub const LONGEST_WINDOW: u32 = 15;
/// How much of it a detector may judge, minutes: the rest is there to compare
/// the traffic with.
pub const LONGEST_EVALUATION: u32 = 10;

/// Which rule spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Answers come close to the timeout.
    NearMiss,
    /// Requests end in 504.
    Timeouts,
}

impl Rule {
    /// Its name in config, metrics and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NearMiss => "near_miss",
            Self::Timeouts => "timeouts",
        }
    }

    /// What it says in a few words, for a title.
    #[must_use]
    pub fn headline(self) -> &'static str {
        match self {
            Self::NearMiss => "requests come close to the timeout",
            Self::Timeouts => "requests end in 504",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Will hurt users unless somebody acts.
    Warning,
    /// Hurts users now.
    Critical,
}

impl Severity {
    /// Its name in metrics and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a detector sees in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The condition holds.
    Breaching,
    /// There were requests, and the condition does not hold.
    Quiet,
    /// Not one request in the window: nothing can be said.
    Unknown,
}

/// What one detector says at one minute.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Who says it.
    pub rule: Rule,
    /// What it sees.
    pub state: State,
    /// How bad it is when breaching.
    pub severity: Severity,
    /// The figure that was compared; `None` when nothing was measured.
    pub value: Option<f64>,
    /// What it was compared with, in the same unit.
    pub threshold: f64,
    /// The evidence in words, when breaching; else empty.
    pub why: String,
}

/// The parameters of all detectors.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Detectors {
    /// See [`NearMiss`].
    pub near_miss: NearMiss,
    /// See [`Timeouts`].
    pub timeouts: Timeouts,
}

impl Detectors {
    /// Every detector's verdict on the window, in a fixed order.
    #[must_use]
    pub fn judge(&self, gateway: &Gateway, window: &Window) -> Vec<Verdict> {
        vec![self.near_miss.judge(gateway, window), self.timeouts.judge(gateway, window)]
    }
}

/// The traffic of the newest `length` minutes compared with the minutes before
/// them, as a factor; `None` when there was nothing before.
fn traffic(window: &Window, length: u32) -> Option<f64> {
    let before = window.before(length).rate().filter(|rate| *rate > 0.0)?;
    Some(window.newest(length).rate()? / before)
}

/// The traffic in words, with what it means for the capacity.
fn traffic_words(window: &Window, length: u32) -> String {
    let before = window.before(length).minutes();
    match traffic(window, length) {
        None => "There was no traffic before to compare with.".to_owned(),
        Some(factor) if factor > 1.5 => {
            format!("Traffic is {factor:.1}x that of the {before} min before: a spike.")
        }
        Some(factor) if factor < 0.7 => {
            format!("Traffic has fallen to {factor:.1}x that of the {before} min before.")
        }
        Some(factor) => format!(
            "Traffic is normal ({factor:.1}x the {before} min before): a capacity warning, not a spike."
        ),
    }
}

/// A count of minutes that a detector may use.
fn check_window(name: &str, minutes: u32) -> Result<(), String> {
    if (1..=LONGEST_EVALUATION).contains(&minutes) {
        Ok(())
    } else {
        Err(format!(
            "expected {name} between 1 and {LONGEST_EVALUATION} (minutes), found {minutes}"
        ))
    }
}
