//! What is sent to receivers: of episodes, one or many, of the daemon itself, and reports.

mod group;
mod self_alert;

use std::sync::Arc;

use crate::EpisodeNotification;
use crate::alerting::Receiver;
use crate::capacity::Digest;
pub use group::{GROUP, GROUP_MINUTES, Group, fingerprint, pack};
pub use self_alert::{Component, DeadMansSwitch, SelfAlert, SelfAlertNotification};

/// One thing to notify of.
#[derive(Debug, Clone, PartialEq)]
pub enum Notification {
    /// Of one episode.
    One(EpisodeNotification),
    /// Of many gateways at once.
    Group(Group),
    /// Of the daemon itself.
    SelfAlert(SelfAlertNotification),
    /// That the daemon is alive.
    DeadMansSwitch(DeadMansSwitch),
    /// The capacity report.
    Digest(Arc<Digest>),
    /// Nothing: somebody tries whether messages arrive. The minute, and who asked.
    Test(crate::time::Minute),
}

impl Notification {
    /// The same for the same notification, whoever computes it.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::One(notice) => notice.id(),
            Self::Group(group) => group.id.clone(),
            Self::SelfAlert(own) => own.id.clone(),
            Self::DeadMansSwitch(alive) => format!("alive/{}/{}", alive.host, alive.at),
            Self::Digest(digest) => digest.id(),
            Self::Test(at) => format!("test/{at}"),
        }
    }

    /// What it is about: notifications of one thing must arrive in order.
    #[must_use]
    pub fn about(&self) -> String {
        match self {
            Self::One(notice) => notice.gateway.id.key(),
            Self::Group(_)
            | Self::SelfAlert(_)
            | Self::DeadMansSwitch(_)
            | Self::Digest(_)
            | Self::Test(_) => "nearmiss".to_owned(),
        }
    }
}

/// A notification for a receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// For whom.
    pub receiver: Receiver,
    /// What.
    pub notification: Notification,
}

impl Delivery {
    /// The notices of episodes that it carries.
    #[must_use]
    pub fn notices(&self) -> &[EpisodeNotification] {
        match &self.notification {
            Notification::One(notice) => std::slice::from_ref(notice),
            Notification::Group(group) => &group.notices,
            Notification::SelfAlert(_)
            | Notification::DeadMansSwitch(_)
            | Notification::Digest(_)
            | Notification::Test(_) => &[],
        }
    }
}
