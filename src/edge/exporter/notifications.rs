//! What the daemon counts about its notifications.

use prometheus::{IntCounterVec, IntGauge, Registry};

use super::super::aws::ErrorKind;
use super::{counters, gauge};
use crate::metrics::process;
use nearmiss_core::alerting::Receiver;

/// What was sent, and what waits.
#[derive(Debug)]
pub struct Notifications {
    sent: IntCounterVec,
    /// Notifications that their receiver has not accepted yet.
    pub pending: IntGauge,
    /// For how long the oldest of them has waited, seconds.
    pub oldest_pending: IntGauge,
    /// Episodes that a silence or a maintenance window mutes.
    pub muted: IntGauge,
    /// Silences in force.
    pub silences: IntGauge,
    /// When the capacity report was last delivered, seconds since the Unix epoch.
    pub digest_sent: IntGauge,
}

impl Notifications {
    /// Everything at zero for these receivers.
    pub(super) fn new<'a>(
        registry: &Registry,
        receivers: impl Iterator<Item = &'a Receiver>,
    ) -> Result<Self, prometheus::Error> {
        let notifications = Self {
            sent: counters(registry, &process::NOTIFICATIONS)?,
            pending: gauge(registry, &process::PENDING)?,
            oldest_pending: gauge(registry, &process::OLDEST_PENDING)?,
            muted: gauge(registry, &process::MUTED)?,
            silences: gauge(registry, &process::SILENCES)?,
            digest_sent: gauge(registry, &process::DIGEST_SENT)?,
        };
        notifications.know(receivers);
        Ok(notifications)
    }

    /// Exports the counters of these receivers from the start.
    pub fn know<'a>(&self, receivers: impl Iterator<Item = &'a Receiver>) {
        for receiver in receivers {
            for outcome in ["delivered", "throttled", "refused", "failed"] {
                let _ = self.sent.with_label_values(&[&receiver.label, outcome]);
            }
        }
    }

    /// Counts a notification, and whether its receiver accepted it.
    pub fn sent(&self, receiver: &Receiver, problem: Option<ErrorKind>) {
        let outcome = match problem {
            None => "delivered",
            Some(ErrorKind::Throttled) => "throttled",
            Some(
                ErrorKind::Refused | ErrorKind::Denied | ErrorKind::Credentials | ErrorKind::Clock,
            ) => "refused",
            Some(_) => "failed",
        };
        self.sent.with_label_values(&[&receiver.label, outcome]).inc();
    }
}
