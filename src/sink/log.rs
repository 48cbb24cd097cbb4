//! The log: every notification that was accepted is a line in it, whoever its receiver is.

use tracing::{info, warn};

use nearmiss_core::EpisodeNotification;
use nearmiss_core::alerting::notification_log::Reason;
use nearmiss_core::notification::{Delivery, Notification};
use nearmiss_core::render;

/// Writes what a receiver accepted.
pub(super) fn write(delivery: &Delivery) {
    let receiver = delivery.receiver.id.as_str();
    match &delivery.notification {
        Notification::One(notice) => one(receiver, notice),
        Notification::Group(group) => {
            let (reason, gateways) = (group.reason.name(), group.notices.len());
            info!(receiver, reason, gateways, "many gateways in one message");
            group.notices.iter().for_each(|notice| one(receiver, notice));
        }
        Notification::SelfAlert(own) => {
            let theme = own.theme.name();
            info!(receiver, theme, reason = own.reason.name(), "told of the daemon's own trouble");
        }
        Notification::DeadMansSwitch(_) => info!(receiver, "told that the daemon is alive"),
        Notification::Digest(_) => info!(receiver, "told the capacity report"),
        Notification::Test(_) => info!(receiver, "told a test message"),
    }
}

fn one(receiver: &str, notice: &EpisodeNotification) {
    let gateway = &notice.gateway.id.name;
    let (rule, severity, why) = (notice.rule(), notice.episode.severity, render::why(notice));
    let (reason, at) = (notice.reason.name(), notice.at);
    match notice.reason {
        Reason::Firing | Reason::Escalated | Reason::Reminder => {
            warn!(receiver, gateway, %rule, %severity, reason, %at, "{why}");
        }
        Reason::Resolved => info!(receiver, gateway, %rule, %severity, reason, %at, "{why}"),
    }
}
