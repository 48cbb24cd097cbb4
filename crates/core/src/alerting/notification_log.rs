//! What a receiver was notified of.

use serde::{Deserialize, Serialize};

use crate::detect::Severity;
use crate::time::Minute;

/// Why somebody is notified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It began.
    Firing,
    /// It became worse.
    Escalated,
    /// It goes on.
    Reminder,
    /// It is over.
    Resolved,
}

impl Reason {
    /// Its name in metrics and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Escalated => "escalated",
            Self::Reminder => "reminder",
            Self::Resolved => "resolved",
        }
    }
}

/// What one receiver has taken of an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationLogEntry {
    /// The worst severity that it was notified of.
    pub severity: Severity,
    /// When it was notified first.
    pub first: Minute,
    /// When it was notified last.
    pub last: Minute,
    /// How many times it was reminded.
    #[serde(default)]
    pub reminders: u32,
    /// How many times it was notified that it came back worse.
    #[serde(default)]
    pub worse: u32,
    /// Whether it was notified that the episode is over.
    #[serde(default)]
    pub over: bool,
}

impl NotificationLogEntry {
    /// What a receiver was notified of once it has taken notifications of this severity,
    /// whatever they are about.
    #[must_use]
    pub fn after_any(
        before: Option<Self>,
        reason: Reason,
        severity: Severity,
        now: Minute,
    ) -> Self {
        let first = before.map_or(now, |notified| notified.first);
        let reminders = before.map_or(0, |notified| notified.reminders);
        let reminders = reminders + u32::from(reason == Reason::Reminder);
        Self { severity, first, last: now, reminders, worse: 0, over: reason == Reason::Resolved }
    }
}
