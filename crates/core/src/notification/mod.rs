//! What is sent to receivers: of episodes, one or many, of the daemon itself, and reports.

mod group;
mod own;

use std::sync::Arc;

use crate::Notice;
use crate::alerting::Receiver;
use crate::capacity::Digest;
pub use group::{GROUP, GROUP_MINUTES, Group, fingerprint, pack};
pub use own::{Alive, Own, OwnNotice, Theme};

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
    Test(crate::time::Minute),
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
