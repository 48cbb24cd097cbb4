//! The daemon's notifications of its own trouble.
//!
//! It notifies of its own trouble as of an episode: once when it has lasted, again after a
//! while, and when it is over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::alerting::notification_log::{NotificationLogEntry, Reason};
use crate::alerting::{ReceiverId, Repeat};
use crate::detect::Severity;
use crate::time::Minute;

/// What a trouble is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Component {
    /// CloudWatch cannot be read, or its data is old.
    Data,
    /// Credentials are expired or refused.
    Credentials,
    /// Load balancers cannot be looked up.
    Discovery,
    /// Notifications are not taken.
    Delivery,
    /// Messages do not reach the chat channel.
    Chat,
    /// The state cannot be saved.
    State,
    /// A new config cannot be used.
    Config,
    /// The clock is wrong.
    Clock,
}

impl Component {
    /// Every component.
    pub const ALL: [Self; 8] = [
        Self::Data,
        Self::Credentials,
        Self::Discovery,
        Self::Delivery,
        Self::Chat,
        Self::State,
        Self::Config,
        Self::Clock,
    ];

    /// Its name in metrics, logs and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Credentials => "credentials",
            Self::Discovery => "discovery",
            Self::Delivery => "delivery",
            Self::Chat => "chat",
            Self::State => "state",
            Self::Config => "config",
            Self::Clock => "clock",
        }
    }

    /// What it says in a few words, for a title.
    #[must_use]
    pub fn headline(self) -> &'static str {
        match self {
            Self::Data => "gateways are without data",
            Self::Credentials => "AWS refuses the credentials",
            Self::Discovery => "load balancers cannot be looked up",
            Self::Delivery => "alerts are not delivered",
            Self::Chat => "messages do not reach the chat channel",
            Self::State => "the state cannot be saved",
            Self::Config => "the new config cannot be used",
            Self::Clock => "the clock is wrong",
        }
    }
}

/// A trouble of the daemon itself, and who was notified of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SelfAlert {
    /// Since when.
    pub since: Minute,
    /// What is wrong, and the way out: a line each.
    pub lines: Vec<String>,
    /// When it was over.
    pub ended: Option<Minute>,
    /// Which receiver was notified of what.
    #[serde(default, rename = "told")]
    pub notified: BTreeMap<ReceiverId, NotificationLogEntry>,
}

impl SelfAlert {
    /// A trouble that begins.
    #[must_use]
    pub fn starting(now: Minute) -> Self {
        Self { since: now, lines: Vec::new(), ended: None, notified: BTreeMap::new() }
    }

    /// It is there again before everybody was notified that it was over: those who
    /// were are notified anew, if it lasts again.
    pub fn begin_again(&mut self, now: Minute) {
        if self.ended.take().is_some() {
            self.since = now;
            self.notified.retain(|_, notified| !notified.over);
        }
    }

    /// Why a receiver must be notified of it, if it must: when it has lasted `after`
    /// minutes, as often as `repeat` says, and when a trouble of which it was notified is
    /// over.
    #[must_use]
    pub fn due(
        &self,
        receiver: &ReceiverId,
        after: i64,
        repeat: Repeat,
        now: Minute,
    ) -> Option<Reason> {
        match (self.notified.get(receiver), self.ended) {
            (Some(notified), _) if notified.over => None,
            (None, Some(_)) => None,
            (Some(_), Some(_)) => Some(Reason::Resolved),
            (None, None) => (now.since(self.since).abs() >= after).then_some(Reason::Firing),
            (Some(notified), None) => {
                repeat.is_over(now.since(notified.last)).then_some(Reason::Reminder)
            }
        }
    }

    /// By what this notification of a receiver is told from its others of the same trouble.
    #[must_use]
    pub fn step(&self, receiver: &ReceiverId, reason: Reason) -> String {
        let reminders = self.notified.get(receiver).map_or(0, |notified| notified.reminders);
        match reason {
            Reason::Reminder => format!("reminder/{}", reminders + 1),
            _ => reason.name().to_owned(),
        }
    }

    /// Enters that a receiver took it.
    pub fn enter(&mut self, receiver: &ReceiverId, reason: Reason, now: Minute) {
        let before = self.notified.get(receiver).copied();
        let notified = NotificationLogEntry::after_any(before, reason, Severity::Warning, now);
        self.notified.insert(receiver.clone(), notified);
    }

    /// Whether everybody who was notified of it was notified that it is over.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.ended.is_some() && self.notified.values().all(|notified| notified.over)
    }
}

/// A notification of a trouble of the daemon itself.
#[derive(Debug, Clone, PartialEq)]
pub struct SelfAlertNotification {
    /// The same for the same notification.
    pub id: String,
    /// What it is about.
    pub theme: Component,
    /// Why it is sent.
    pub reason: Reason,
    /// Since when.
    pub since: Minute,
    /// When it is sent.
    pub at: Minute,
    /// What is wrong, and the way out: a line each.
    pub lines: Vec<String>,
    /// Which host says so.
    pub host: String,
}

/// That the daemon is alive, once a day for whoever wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadMansSwitch {
    /// When it is sent.
    pub at: Minute,
    /// Which host says so.
    pub host: String,
    /// How many gateways it watches.
    pub gateways: u64,
    /// How many of them it has no data of.
    pub without_data: u64,
    /// How many episodes are open.
    pub open: u64,
    /// How many silences are in force.
    pub silences: u64,
    /// What is wrong with itself at present, a line each.
    pub troubles: Vec<String>,
}
