//! Who is notified: what a receiver is known by, and who is behind it.
//!
//! The state remembers receivers by their address alone. Everything else about one (who
//! is behind it, what it guarantees) comes from the config, so that a [`Receiver`] is
//! only ever made by its sink.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a receiver is known by, in the state and in the log: its address at its sink,
/// such as the ARN of an SNS topic, or `log`. No two sinks have an address in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReceiverId(String);

impl ReceiverId {
    /// The receiver with this address.
    #[must_use]
    pub fn of(address: &str) -> Self {
        Self(address.to_owned())
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReceiverId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who is behind a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Somebody may read it: in a channel, a mailbox, the log.
    People,
    /// Programs alone.
    Programs,
}

/// What a receiver does with what it accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarantee {
    /// Passes it on, perhaps twice, perhaps after something that came later.
    AtLeastOnce,
    /// Keeps the notifications of one gateway in order, and drops a second copy of one,
    /// which it recognises by its id. Each is sent singly: a group would belong in no
    /// gateway's order.
    OnceInOrder,
}

/// Somebody who is notified. Its identity is its [`id`](Self::id): what else is known of
/// it makes no second receiver of it.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// What it is known by.
    pub id: ReceiverId,
    /// Its short name, for metrics: the name of a topic, or `log`.
    pub label: String,
    /// Who is behind it.
    pub audience: Audience,
    /// What it does with what it accepted.
    pub guarantee: Guarantee,
}

impl PartialEq for Receiver {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Receiver {}

impl Default for Receiver {
    /// The log.
    fn default() -> Self {
        Self::log()
    }
}

impl Receiver {
    /// The log, which people read.
    #[must_use]
    pub fn log() -> Self {
        Self {
            id: ReceiverId::of("log"),
            label: "log".to_owned(),
            audience: Audience::People,
            guarantee: Guarantee::AtLeastOnce,
        }
    }

    /// Whether it gets the notifications of many gateways as one.
    #[must_use]
    pub fn takes_groups(&self) -> bool {
        self.guarantee == Guarantee::AtLeastOnce
    }
}
