//! Groups: when many gateways begin, end or worsen at once, one message says so.
//!
//! People get one message instead of fifty; programs, which subscribe to FIFO
//! topics, get each of them. Nobody waits for a group to fill: the first nine are
//! told singly, and what comes within five minutes after is told together.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::{Delivery, Notification};
use crate::EpisodeNotification;
use crate::alerting::Receiver;
use crate::alerting::told::Reason;
use crate::time::Minute;

/// So many gateways of one reason are one message.
pub const GROUP: usize = 10;
/// Within so many minutes.
pub const GROUP_MINUTES: i64 = 5;

/// The same news of many gateways.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The same for the same members, whoever computes it.
    pub id: String,
    /// What they have in common.
    pub reason: Reason,
    /// The newest minute that gave rise to it.
    pub at: Minute,
    /// The members, the worst first, then by name; each of another gateway's episode.
    pub notices: Vec<EpisodeNotification>,
    /// How many others began in the five minutes before, and were told already.
    pub earlier: usize,
}

impl Group {
    fn of(reason: Reason, mut notices: Vec<EpisodeNotification>, earlier: usize) -> Self {
        notices.sort_by(|a, b| {
            let severity = b.episode.severity.cmp(&a.episode.severity);
            severity.then_with(|| a.gateway.id.cmp(&b.gateway.id))
        });
        let mut ids: Vec<String> = notices.iter().map(EpisodeNotification::id).collect();
        ids.sort_unstable();
        let at = notices.iter().map(|notice| notice.at).max().unwrap_or(Minute(0));
        Self {
            id: format!("group/{}/{}", reason.name(), &fingerprint(ids)[..32]),
            reason,
            at,
            notices,
            earlier,
        }
    }
}

/// What is due, packed for each receiver. `earlier` says how many gateways a
/// receiver was told to be firing in the last [`GROUP_MINUTES`].
#[must_use]
pub fn pack(
    due: Vec<(Receiver, EpisodeNotification)>,
    earlier: impl Fn(&Receiver) -> usize,
) -> BTreeMap<Receiver, Vec<Delivery>> {
    let mut sorted: BTreeMap<Receiver, Vec<EpisodeNotification>> = BTreeMap::new();
    for (receiver, notice) in due {
        sorted.entry(receiver).or_default().push(notice);
    }
    let mut packed = BTreeMap::new();
    for (receiver, notices) in sorted {
        let before = earlier(&receiver);
        let news = if receiver.is_for_programs() { singly(notices) } else { news(notices, before) };
        let parcel = |news| Delivery { receiver: receiver.clone(), news };
        packed.insert(receiver.clone(), news.into_iter().map(parcel).collect());
    }
    packed
}

/// One receiver's news: ends before beginnings, as one episode's end stands before the
/// next one's beginning, and each reason that many have as a group.
fn news(notices: Vec<EpisodeNotification>, earlier: usize) -> Vec<Notification> {
    let (ended, mut rest): (Vec<_>, Vec<_>) =
        notices.into_iter().partition(|notice| notice.reason == Reason::Resolved);
    let mut news = if is_many(&ended, 0) {
        vec![Notification::Group(Group::of(Reason::Resolved, ended, 0))]
    } else {
        singly(ended)
    };
    for reason in [Reason::Firing, Reason::Escalated, Reason::Reminder] {
        let earlier = if reason == Reason::Firing { earlier } else { 0 };
        let (members, others): (Vec<_>, Vec<_>) =
            rest.iter().cloned().partition(|notice| notice.reason == reason);
        if is_many(&members, earlier) {
            news.push(Notification::Group(Group::of(reason, members, earlier)));
            rest = others;
        }
    }
    news.extend(singly(rest));
    news
}

/// Whether so many gateways are a group, beside those that were told earlier.
fn is_many(notices: &[EpisodeNotification], earlier: usize) -> bool {
    let gateways: BTreeSet<_> = notices.iter().map(|notice| &notice.gateway.id).collect();
    gateways.len() > 1 && gateways.len() + earlier >= GROUP
}

fn singly(notices: Vec<EpisodeNotification>) -> Vec<Notification> {
    notices.into_iter().map(Notification::One).collect()
}

/// A hash of texts in their order, as 64 hexadecimal digits. SHA-256, because it
/// must be the same in every version of the program.
#[must_use]
pub fn fingerprint(texts: impl IntoIterator<Item = String>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
