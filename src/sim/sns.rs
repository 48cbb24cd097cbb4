//! Simple Notification Service: publishing, with the checks of the real one.
//!
//! Accepted messages are kept in order for outside observers. The five minutes
//! of a FIFO topic's deduplication run on the time the caller signed with.

use super::Published;
use super::document::{Failure, Reply, Value};
use super::input::Input;
use super::minute::lock;
use super::rng::hash;
use super::sns_rules::{attributes, check_fifo, check_structure, invalid, valid_subject};
use super::state::{Call, State};

/// Bytes of a message with its attributes.
const MAX_BYTES: usize = 262_144;
/// Messages kept; after that publishing fails loudly instead of forgetting.
const MAX_KEPT: usize = 100_000;
/// Seconds during which a deduplication id counts as seen.
const DEDUPLICATION: i64 = 300;

/// Answers an operation of this service.
pub(super) fn answer(state: &State, call: &Call, input: Input) -> Reply {
    match call.operation.as_str() {
        "Publish" => publish(state, call, input),
        "GetTopicAttributes" => topic_attributes(state, call, input),
        "ListTopics" => {
            let topics = if call.foreign { Vec::new() } else { state.topics().to_vec() };
            let topic = |arn| Value::Record(vec![("TopicArn", Value::text(arn))]);
            let list = topics.into_iter().map(topic).collect::<Vec<_>>();
            Ok(Value::Record(vec![("Topics", Value::List(list))]))
        }
        other => Err(Failure::unknown_operation("sns", other)),
    }
}

fn existing(state: &State, call: &Call, arn: &str) -> Result<(), Failure> {
    if arn.split(':').count() != 6 || !arn.starts_with("arn:aws:sns:") {
        return Err(invalid("TopicArn"));
    }
    if call.foreign || !state.topics().iter().any(|topic| topic == arn) {
        return Err(Failure::new(404, "NotFound", "Topic does not exist"));
    }
    Ok(())
}

fn topic_attributes(state: &State, call: &Call, input: Input) -> Reply {
    let arn = input
        .text("TopicArn")?
        .ok_or_else(|| invalid("TopicArn Reason: no value for required parameter"))?;
    existing(state, call, arn)?;
    let mut attributes = vec![
        ("TopicArn".to_owned(), arn.to_owned()),
        ("Owner".to_owned(), state.setup.account.clone()),
        ("DisplayName".to_owned(), String::new()),
        ("SubscriptionsConfirmed".to_owned(), "1".to_owned()),
        ("SubscriptionsPending".to_owned(), "0".to_owned()),
        ("SubscriptionsDeleted".to_owned(), "0".to_owned()),
    ];
    if is_fifo(arn) {
        attributes.push(("FifoTopic".to_owned(), "true".to_owned()));
        attributes.push(("ContentBasedDeduplication".to_owned(), "false".to_owned()));
    }
    Ok(Value::Record(vec![("Attributes", Value::Map(attributes))]))
}

fn is_fifo(arn: &str) -> bool {
    arn.rsplit_once('.').is_some_and(|(_, suffix)| suffix == "fifo")
}

fn publish(state: &State, call: &Call, input: Input) -> Reply {
    let attempt = {
        let mut messages = lock(&state.messages);
        messages.attempts += 1;
        messages.attempts
    };
    if attempt <= state.setup.faults.sns_down {
        return Err(Failure::new(500, "InternalError", "Service is temporarily unavailable"));
    }
    let arn = match input.text("TopicArn")? {
        Some(arn) => arn,
        None => input.text("TargetArn")?.ok_or_else(|| {
            invalid("TopicArn or TargetArn Reason: no value for required parameter")
        })?,
    };
    existing(state, call, arn)?;
    let message = input.text("Message")?.unwrap_or_default();
    if message.is_empty() {
        return Err(invalid("Empty message"));
    }
    let subject = input.text("Subject")?;
    if subject.is_some_and(|subject| !valid_subject(subject)) {
        return Err(invalid("Subject"));
    }
    let structure = input.text("MessageStructure")?;
    match structure {
        None => {}
        Some("json") => check_structure(message)?,
        Some(_) => return Err(invalid("MessageStructure")),
    }
    let (attributes, size) = attributes(input)?;
    if message.len() + size > MAX_BYTES {
        return Err(invalid("Message too long"));
    }
    let group = input.text("MessageGroupId")?;
    let deduplication = input.text("MessageDeduplicationId")?;
    check_fifo(is_fifo(arn), group, deduplication)?;
    accept(
        state,
        call.signed_at,
        Published {
            topic_arn: arn.to_owned(),
            subject: subject.map(str::to_owned),
            message: message.to_owned(),
            structure: structure.map(str::to_owned),
            attributes,
            message_id: String::new(),
            group_id: group.map(str::to_owned),
            deduplication_id: deduplication.map(str::to_owned),
            signed_at: call.signed_at,
        },
    )
}

/// Logs the message, unless its deduplication id was seen a moment ago.
fn accept(state: &State, now: Option<i64>, mut message: Published) -> Reply {
    let mut messages = lock(&state.messages);
    let same = |old: &&Published| {
        let recent = old.signed_at.zip(now).is_none_or(|(old, now)| now - old < DEDUPLICATION);
        message.deduplication_id.is_some()
            && old.topic_arn == message.topic_arn
            && old.deduplication_id == message.deduplication_id
            && recent
    };
    let seen = messages.accepted.iter().rev().find(same).map(|old| old.message_id.clone());
    let fifo = is_fifo(&message.topic_arn);
    let number = messages.accepted.len() as u64;
    let id = if let Some(seen) = seen {
        seen
    } else {
        if messages.accepted.len() >= MAX_KEPT {
            let text = format!("this simulator keeps at most {MAX_KEPT} messages");
            return Err(Failure::new(400, "SimFull", text));
        }
        let id =
            uuid(hash(&[state.setup.seed, 200, number]), hash(&[state.setup.seed, 201, number]));
        message.message_id.clone_from(&id);
        messages.accepted.push(message);
        id
    };
    let mut fields = vec![("MessageId", Value::text(id))];
    if fifo {
        fields.push((
            "SequenceNumber",
            Value::text(format!("{:020}", 10_000_000_000_000_000_000 + number)),
        ));
    }
    Ok(Value::Record(fields))
}

/// Sixteen bytes in the usual form of a UUID.
pub(super) fn uuid(a: u64, b: u64) -> String {
    let text = format!("{a:016x}{b:016x}");
    let parts = [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]];
    parts.join("-")
}
