//! One notification of an episode.

use std::sync::Arc;

use crate::alerting::episode::{Episode, TrackedEpisode};
use crate::alerting::notification_log::Reason;
use crate::detect::Rule;
use crate::diagnose::Diagnosis;
use crate::gateway::Gateway;
use crate::time::Minute;

/// One notification of an episode.
#[derive(Debug, Clone, PartialEq)]
pub struct EpisodeNotification {
    /// Which gateway.
    pub gateway: Arc<Gateway>,
    /// The newest minute that was assessed: what is said is as of then.
    pub at: Minute,
    /// The minute in which it is sent.
    pub notified: Minute,
    /// Whether CloudWatch may still add to the minutes in which it was seen.
    pub provisional: bool,
    /// Why it is sent.
    pub reason: Reason,
    /// What it is about.
    pub episode: Episode,
    /// How many times its receiver was reminded of it before.
    pub reminders: u32,
    /// Why it happened, as far as it was found out.
    pub diagnosis: Option<Arc<Diagnosis>>,
}

impl EpisodeNotification {
    /// The notification of a record, at the end of this minute.
    #[must_use]
    pub fn of(record: &TrackedEpisode, reason: Reason, at: Minute) -> Self {
        Self {
            gateway: Arc::new(record.gateway.clone()),
            at,
            notified: at,
            provisional: false,
            reason,
            episode: record.episode.clone(),
            reminders: record
                .notified
                .values()
                .map(|notified| notified.reminders)
                .max()
                .unwrap_or(0),
            diagnosis: None,
        }
    }

    /// The same for the same notification, whoever computes it, so that a receiver can
    /// recognise a second copy.
    #[must_use]
    pub fn id(&self) -> String {
        let Self { episode, reason, reminders, .. } = self;
        let worse = episode.returns.map_or(0, |returns| returns.worse);
        match reason {
            Reason::Reminder => format!("{}/reminder/{}", episode.id, reminders + 1),
            Reason::Escalated if worse > 0 => {
                format!("{}/escalated/{}/{worse}", episode.id, episode.severity)
            }
            _ => format!("{}/{}/{}", episode.id, reason.name(), episode.severity),
        }
    }

    /// The rule that matters most in it.
    #[must_use]
    pub fn rule(&self) -> Rule {
        self.episode.evidence.rule
    }
}
