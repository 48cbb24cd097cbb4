//! Receivers, and what is sent to them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::Notice;
use super::super::capacity::Digest;
use super::group::Group;
use super::own::{Alive, OwnNotice};

/// Who is told: the ARN of an SNS topic, or the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Receiver(String);

impl Default for Receiver {
    fn default() -> Self {
        Self("log".to_owned())
    }
}

impl Receiver {
    /// The topic with this ARN.
    #[must_use]
    pub fn topic(arn: &str) -> Self {
        Self(arn.to_owned())
    }

    /// Its name: a topic's ARN, or `log`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether programs alone can subscribe to it: a FIFO topic, which reaches
    /// queues and neither channels nor mailboxes.
    #[must_use]
    #[allow(clippy::case_sensitive_file_extension_comparisons)] // it is no file
    pub fn is_for_programs(&self) -> bool {
        self.0.ends_with(".fifo")
    }
}

/// One thing to tell.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// Of one episode.
    One(Notice),
    /// Of many gateways at once.
    Group(Group),
    /// Of the daemon itself.
    Own(OwnNotice),
    /// That the daemon is alive.
    Alive(Alive),
    /// The capacity report.
    Digest(Arc<Digest>),
    /// Nothing: somebody tries whether messages arrive. The minute, and who asked.
    Test(super::super::signal::Minute),
}

impl News {
    /// The same for the same news, whoever computes it.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::One(notice) => notice.id(),
            Self::Group(group) => group.id.clone(),
            Self::Own(own) => own.id.clone(),
            Self::Alive(alive) => format!("alive/{}/{}", alive.host, alive.at),
            Self::Digest(digest) => digest.id(),
            Self::Test(at) => format!("test/{at}"),
        }
    }

    /// What it is about: news of one thing must arrive in order.
    #[must_use]
    pub fn about(&self) -> String {
        match self {
            Self::One(notice) => notice.gateway.id.key(),
            Self::Group(_) | Self::Own(_) | Self::Alive(_) | Self::Digest(_) | Self::Test(_) => {
                "nearmiss".to_owned()
            }
        }
    }
}

/// News for a receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct Parcel {
    /// For whom.
    pub receiver: Receiver,
    /// What.
    pub news: News,
}

impl Parcel {
    /// The notices of episodes that it carries.
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        match &self.news {
            News::One(notice) => std::slice::from_ref(notice),
            News::Group(group) => &group.notices,
            News::Own(_) | News::Alive(_) | News::Digest(_) | News::Test(_) => &[],
        }
    }
}
