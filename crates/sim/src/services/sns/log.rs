//! What the topics accepted, and how every attempt to publish ended.
//!
//! Apart from [`crate::services::sns`] because the log alone decides what is a duplicate:
//! the five minutes of a FIFO topic's deduplication run on AWS's now, begin with
//! the first message and are not prolonged by its duplicates.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::LAG;
use crate::names::is_fifo;
use crate::rng::hash;
use crate::rng::uuid;
use crate::services::sns::chat_events::ChatEvents;
use crate::services::sns::published::Published;
use crate::wire::document::{Failure, Value};

/// Messages kept; after that publishing fails loudly instead of forgetting.
const MAX_KEPT: usize = 100_000;
/// Seconds during which a deduplication id counts as seen.
const DEDUPLICATION: i64 = 300;
/// Where sequence numbers begin: they have twenty digits.
const FIRST_SEQUENCE: u64 = 10_000_000_000_000_000_000;

/// The log of the topics.
#[derive(Default)]
pub(crate) struct Messages {
    pub(crate) accepted: Vec<Published>,
    /// `Publish` calls so far that reached SNS, accepted or not.
    pub(crate) attempts: u64,
    /// The same by how they ended.
    pub(crate) outcomes: BTreeMap<String, u64>,
    /// Numbers of the calls whose answers will be cut.
    pub(crate) cut: BTreeSet<u64>,
    /// What the chat configurations got.
    pub(crate) chat: ChatEvents,
}

/// What a publisher gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) message_id: String,
    pub(crate) sequence_number: Option<String>,
    /// Whether the message was accepted before.
    pub(crate) duplicate: bool,
}

impl Receipt {
    /// The answer to the publisher.
    pub(crate) fn value(&self) -> Value {
        let mut fields = vec![("MessageId", Value::text(self.message_id.as_str()))];
        let number = self.sequence_number.as_deref();
        fields.extend(number.map(|number| ("SequenceNumber", Value::text(number))));
        Value::Record(fields)
    }
}

impl Messages {
    /// The number of a new attempt.
    pub(crate) fn attempt(&mut self) -> u64 {
        self.attempts += 1;
        self.attempts
    }

    /// Notes how an attempt ended.
    pub(crate) fn count(&mut self, outcome: &str) {
        *self.outcomes.entry(outcome.to_owned()).or_default() += 1;
    }

    /// Takes a message that lacks its numbers, unless it was seen a moment ago.
    pub(crate) fn accept(&mut self, seed: u64, mut message: Published) -> Result<Receipt, Failure> {
        if let Some(seen) = self.seen(&message) {
            return Ok(Receipt {
                message_id: seen.message_id.clone(),
                sequence_number: seen.sequence_number.clone(),
                duplicate: true,
            });
        }
        if self.accepted.len() >= MAX_KEPT {
            let text = format!("this simulator keeps at most {MAX_KEPT} messages");
            return Err(Failure::new(400, "SimFull", text));
        }
        let number = self.accepted.len() as u64;
        message.message_id = uuid(hash(&[seed, 200, number]), hash(&[seed, 201, number]));
        message.sequence_number = is_fifo(&message.topic_arn).then(|| sequence(seed, number));
        let receipt = Receipt {
            message_id: message.message_id.clone(),
            sequence_number: message.sequence_number.clone(),
            duplicate: false,
        };
        self.accepted.push(message);
        Ok(receipt)
    }

    /// The message with the same deduplication id in the same topic of the last five minutes.
    fn seen(&self, message: &Published) -> Option<&Published> {
        message.deduplication_id.as_ref()?;
        let recent = |old: &Published| {
            let age = old.accepted_at.zip(message.accepted_at).map(|(old, now)| now - old);
            age.is_none_or(|age| (-LAG..DEDUPLICATION).contains(&age))
        };
        self.accepted.iter().rev().find(|old| {
            old.topic_arn == message.topic_arn
                && old.deduplication_id == message.deduplication_id
                && recent(old)
        })
    }
}

/// A large number that grows from message to message, but not by one.
fn sequence(seed: u64, number: u64) -> String {
    let step = hash(&[seed, 202, number]) % 1_000;
    format!("{:020}", FIRST_SEQUENCE + number * 1_000 + step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(topic: &str, id: &str, at: Option<i64>) -> Published {
        Published {
            topic_arn: topic.to_owned(),
            message: "m".to_owned(),
            deduplication_id: Some(id.to_owned()),
            accepted_at: at,
            ..Published::default()
        }
    }

    #[test]
    fn a_duplicate_is_answered_with_the_first_ids_for_five_minutes_from_the_first() {
        let mut log = Messages::default();
        let mut at = |topic, id, at| log.accept(1, message(topic, id, at)).expect("accepted");
        let first = at("a.fifo", "x", Some(1_000));
        let other = at("a.fifo", "y", Some(1_001));
        for time in [Some(1_000), Some(1_200), Some(1_299), Some(900), None] {
            assert_eq!(at("a.fifo", "x", time), Receipt { duplicate: true, ..first.clone() });
        }
        assert!(!at("b.fifo", "x", Some(1_001)).duplicate);
        let again = at("a.fifo", "x", Some(1_300));
        assert!(!again.duplicate && again.message_id != first.message_id);
        assert!(again.sequence_number > other.sequence_number);
        assert!(other.sequence_number > first.sequence_number);
        assert_eq!(log.accepted.len(), 4);
    }

    #[test]
    fn sequence_numbers_have_twenty_digits_and_leave_gaps() {
        let numbers: Vec<String> = (0..1_000).map(|number| sequence(5, number)).collect();
        assert!(numbers.iter().all(|number| number.len() == 20));
        assert!(numbers.is_sorted_by(|a, b| a < b));
        let value = |at: usize| numbers[at].parse::<u64>().unwrap_or(0);
        assert!((1..1_000).any(|at| value(at) - value(at - 1) != 1_000));
    }
}
