//! Groups: when many gateways begin, end or worsen at once, one message says so.
//!
//! People get one message instead of fifty; a receiver that keeps each gateway's order,
//! as a FIFO topic does for programs, gets each of them. Nobody waits for a group to
//! fill: the first nine are sent singly, and what comes within five minutes after is
//! sent together.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::{Delivery, Notification};
use crate::EpisodeNotification;
use crate::alerting::notification_log::Reason;
use crate::alerting::{Receiver, ReceiverId};
use crate::time::Minute;

/// This many gateways of one reason are one message.
pub const GROUP: usize = 10;
/// Within this many minutes.
pub const GROUP_MINUTES: i64 = 5;

/// Many gateways that notify for the same reason.
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
    /// How many others began in the five minutes before, and were notified already.
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

/// What is due, packed for each receiver. `earlier` says of how many gateways a receiver
/// was notified as firing in the last [`GROUP_MINUTES`].
#[must_use]
pub fn pack(
    due: Vec<(Receiver, EpisodeNotification)>,
    earlier: impl Fn(&ReceiverId) -> usize,
) -> BTreeMap<ReceiverId, Vec<Delivery>> {
    let mut sorted: BTreeMap<ReceiverId, (Receiver, Vec<EpisodeNotification>)> = BTreeMap::new();
    for (receiver, notice) in due {
        let (_, notices) =
            sorted.entry(receiver.id.clone()).or_insert_with(|| (receiver, Vec::new()));
        notices.push(notice);
    }
    let packed = |(id, (receiver, notices)): (ReceiverId, (Receiver, Vec<_>))| {
        let notifications =
            if receiver.takes_groups() { grouped(notices, earlier(&id)) } else { singly(notices) };
        let delivery = |notification| Delivery { receiver: receiver.clone(), notification };
        (id, notifications.into_iter().map(delivery).collect())
    };
    sorted.into_iter().map(packed).collect()
}

/// One receiver's notifications: ends before beginnings, as one episode's end comes before the
/// next one's beginning, and each reason that many have as a group.
fn grouped(notices: Vec<EpisodeNotification>, earlier: usize) -> Vec<Notification> {
    let (ended, mut rest): (Vec<_>, Vec<_>) =
        notices.into_iter().partition(|notice| notice.reason == Reason::Resolved);
    let mut grouped = if is_many(&ended, 0) {
        vec![Notification::Group(Group::of(Reason::Resolved, ended, 0))]
    } else {
        singly(ended)
    };
    for reason in [Reason::Firing, Reason::Escalated, Reason::Reminder] {
        let earlier = if reason == Reason::Firing { earlier } else { 0 };
        let (members, others): (Vec<_>, Vec<_>) =
            rest.iter().cloned().partition(|notice| notice.reason == reason);
        if is_many(&members, earlier) {
            grouped.push(Notification::Group(Group::of(reason, members, earlier)));
            rest = others;
        }
    }
    grouped.extend(singly(rest));
    grouped
}

/// Whether these are enough gateways for a group, beside those that notified earlier.
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
