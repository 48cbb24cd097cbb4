//! What the daemon counts of its messages.

use prometheus::{IntCounterVec, IntGauge, Registry};

use super::super::aws::ErrorKind;
use super::{own_counters, own_gauge};
use nearmiss_core::alerting::Receiver;

/// What is told, and what waits.
#[derive(Debug)]
pub struct Telling {
    notifications: IntCounterVec,
    /// Notifications that their receiver did not take yet.
    pub pending: IntGauge,
    /// Seconds for which the oldest of them waits.
    pub oldest_pending: IntGauge,
    /// Episodes that a silence or maintenance keeps back.
    pub held: IntGauge,
    /// Silences in force.
    pub silences: IntGauge,
    /// When the capacity report was last taken, seconds since the Unix epoch.
    pub digest_sent: IntGauge,
}

impl Telling {
    /// Everything at zero for these receivers.
    pub(super) fn new<'a>(
        registry: &Registry,
        receivers: impl Iterator<Item = &'a Receiver>,
    ) -> Result<Self, prometheus::Error> {
        let counters = |name, help, labels: &[&str]| own_counters(registry, name, help, labels);
        let gauge = |name, help| own_gauge(registry, name, help);
        let telling = Self {
            notifications: counters(
                "nearmiss_notifications_total",
                "Notifications by receiver (the topic's name, or log) and outcome: delivered, throttled, refused (by the receiver or its permissions), failed. What was not delivered is tried again at the next poll.",
                &["receiver", "outcome"],
            )?,
            pending: gauge(
                "nearmiss_notifications_pending",
                "Notifications that were due and could not be delivered yet.",
            )?,
            oldest_pending: gauge(
                "nearmiss_notification_oldest_pending_seconds",
                "How long the oldest notification that was due has waited for its receiver; 0 when none waits.",
            )?,
            held: gauge(
                "nearmiss_notifications_held",
                "Episodes with something to tell that a silence or maintenance window keeps back.",
            )?,
            silences: gauge("nearmiss_silences", "Silences in force.")?,
            digest_sent: gauge(
                "nearmiss_digest_last_sent_timestamp_seconds",
                "Unix time at which the capacity report was last delivered, or the daemon first ran; 0 while it is switched off.",
            )?,
        };
        telling.know(receivers);
        Ok(telling)
    }

    /// Exports the counters of these receivers from the start.
    pub fn know<'a>(&self, receivers: impl Iterator<Item = &'a Receiver>) {
        for receiver in receivers {
            for outcome in ["delivered", "throttled", "refused", "failed"] {
                let _ = self.notifications.with_label_values(&[&receiver.label, outcome]);
            }
        }
    }

    /// Counts a notification, and whether its receiver took it.
    pub fn notified(&self, receiver: &Receiver, problem: Option<ErrorKind>) {
        let outcome = match problem {
            None => "delivered",
            Some(ErrorKind::Throttled) => "throttled",
            Some(
                ErrorKind::Refused | ErrorKind::Denied | ErrorKind::Credentials | ErrorKind::Clock,
            ) => "refused",
            Some(_) => "failed",
        };
        self.notifications.with_label_values(&[&receiver.label, outcome]).inc();
    }
}
