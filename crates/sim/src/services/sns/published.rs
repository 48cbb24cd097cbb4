//! A message a topic accepted, as outside observers see it.

use std::collections::BTreeMap;

use serde::Serialize;

/// An SNS message the simulator accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Published {
    /// ARN of the topic.
    pub topic_arn: String,
    /// The subject, if given.
    pub subject: Option<String>,
    /// The message as sent; with structure `json` an object as text.
    pub message: String,
    /// `MessageStructure`, if given.
    pub structure: Option<String>,
    /// Message attributes; binary ones in base64.
    pub attributes: BTreeMap<String, String>,
    /// The id the publisher got.
    pub message_id: String,
    /// `MessageGroupId`, if given.
    pub group_id: Option<String>,
    /// `MessageDeduplicationId`, if given.
    pub deduplication_id: Option<String>,
    /// Unix seconds of the signature, if readable.
    pub signed_at: Option<i64>,
    /// Unix seconds of AWS's now when it was accepted, if known.
    pub accepted_at: Option<i64>,
    /// `SequenceNumber` of a message to a FIFO topic.
    pub sequence_number: Option<String>,
    /// Running number of the `Publish` call that brought it, from 1 on; calls that were
    /// refused and duplicates have numbers of their own.
    pub attempt: u64,
}
