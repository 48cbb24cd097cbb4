//! Simple Notification Service: publishing, with the checks of the real one.
//!
//! Accepted messages are kept in order for outside observers, see
//! [`crate::services::sns::log`]; what goes wrong here on purpose is in [`crate::faults::sns`].

pub(crate) mod chat;
pub(crate) mod chat_events;
pub(crate) mod log;
pub(crate) mod mrkdwn;
pub(crate) mod published;
pub(crate) mod rules;

use std::sync::Mutex;

use crate::faults::sns::{Fate, internal};
use crate::names::{is_fifo, topic_arn};
use crate::parallel::lock;
use crate::services::Call;
use crate::services::sns::log::{Messages, Receipt};
use crate::services::sns::published::Published;
use crate::services::sns::rules::{
    attributes, check_fifo, check_structure, invalid, valid_subject,
};
use crate::wire::document::{Failure, Reply, Value};
use crate::wire::input::Input;
use crate::world::World;

/// Bytes of a message with its attributes.
const MAX_BYTES: usize = 262_144;

/// Answers an operation of this service.
pub(crate) fn answer(
    world: &World,
    messages: &Mutex<Messages>,
    call: &Call,
    input: Input,
) -> Reply {
    match call.operation.as_str() {
        "Publish" => publish(world, messages, call, input),
        "GetTopicAttributes" => topic_attributes(world, call, input),
        "ListTopics" => {
            let topics = world.topics().filter(|_| !call.foreign);
            let topic = |arn| Value::record([("TopicArn", Value::Text(arn))]);
            Ok(Value::record([("Topics", Value::List(topics.map(topic).collect()))]))
        }
        other => Err(Failure::unknown_operation("sns", other)),
    }
}

/// Whether this answer is to be cut; asked once for every call.
pub(crate) fn is_cut(messages: &Mutex<Messages>, number: u64) -> bool {
    lock(messages).cut.remove(&number)
}

/// Refuses topics that do not exist where the call is signed for; `parameter` named it.
fn existing(world: &World, call: &Call, parameter: &str, arn: &str) -> Result<(), Failure> {
    // https://github.com/boto/boto3/issues/646: no word about the region.
    let here = |parts: &crate::names::TopicArn| parts.region == call.region;
    if !topic_arn(arn).is_some_and(|parts| here(&parts)) {
        return Err(invalid(parameter));
    }
    let foreign = world.setup.foreign_topics.iter().any(|topic| topic == arn);
    if !foreign && !world.topics().any(|topic| topic == arn) {
        return Err(Failure::new(404, "NotFound", "Topic does not exist"));
    }
    Ok(())
}

/// SNS's refusal of an action on one topic, because of this kind of policy.
fn denied(call: &Call, arn: &str, policy: &str) -> Failure {
    let Call { caller, operation, .. } = call;
    let message = format!(
        "User: {caller} is not authorized to perform: SNS:{operation} on resource: {arn} \
         because no {policy}-based policy allows the SNS:{operation} action"
    );
    Failure::new(403, "AuthorizationError", message)
}

fn topic_attributes(world: &World, call: &Call, input: Input) -> Reply {
    let arn = input
        .text("TopicArn")?
        .ok_or_else(|| invalid("TopicArn Reason: no value for required parameter"))?;
    existing(world, call, "TopicArn", arn)?;
    if world.setup.foreign_topics.iter().any(|topic| topic == arn) {
        return Err(denied(call, arn, "resource"));
    }
    let mut attributes = vec![
        ("TopicArn", arn),
        ("Owner", world.setup.account.as_str()),
        ("DisplayName", ""),
        ("SubscriptionsConfirmed", "1"),
        ("SubscriptionsPending", "0"),
        ("SubscriptionsDeleted", "0"),
    ];
    if is_fifo(arn) {
        attributes.extend([("FifoTopic", "true"), ("ContentBasedDeduplication", "false")]);
    }
    if world.setup.faults.sns.kms.is_some() {
        attributes.push(("KmsMasterKeyId", "alias/nearmiss"));
    }
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let attributes = attributes.into_iter().map(owned).collect();
    Ok(Value::record([("Attributes", Value::Map(attributes))]))
}

/// Publishes, and notes how the attempt ended whatever the publisher learns of it.
fn publish(world: &World, messages: &Mutex<Messages>, call: &Call, input: Input) -> Reply {
    let attempt = lock(messages).attempt();
    let taken = match refused(world, call, attempt) {
        Some(failure) => Err(failure),
        None => checked(world, call, input)
            .and_then(|message| accept(world, messages, attempt, message)),
    };
    let mut messages = lock(messages);
    let receipt = match taken {
        Ok(receipt) => receipt,
        Err(failure) => {
            messages.count(&failure.code);
            return Err(failure);
        }
    };
    let kind = if receipt.duplicate { "duplicate" } else { "accepted" };
    match world.setup.faults.sns.fate(world.setup.seed, attempt) {
        Fate::Whole => {
            messages.count(kind);
            Ok(receipt.value())
        }
        Fate::Lost => {
            messages.count(&format!("{kind}_lost"));
            Err(internal())
        }
        Fate::Cut => {
            messages.count(&format!("{kind}_cut"));
            messages.cut.insert(call.number);
            Ok(receipt.value())
        }
    }
}

/// The refusal of an attempt, whatever it brings.
fn refused(world: &World, call: &Call, attempt: u64) -> Option<Failure> {
    let faults = &world.setup.faults;
    if attempt <= faults.sns_down {
        return Some(Failure::new(500, "InternalError", "Service is temporarily unavailable"));
    }
    let minute = call.now.map(|now| world.scenario_minute(now));
    faults.sns.of_attempt(world.setup.seed, attempt, minute)
}

/// Takes a message, and passes it on to the chat configurations if it is a new one.
fn accept(
    world: &World,
    messages: &Mutex<Messages>,
    attempt: u64,
    message: Published,
) -> Result<Receipt, Failure> {
    let message = Published { attempt, ..message };
    let event = chat_events::event(world, &message);
    let mut messages = lock(messages);
    let receipt = messages.accept(world.setup.seed, message)?;
    if let Some(event) = event.filter(|_| !receipt.duplicate) {
        messages.chat.push(event);
    }
    Ok(receipt)
}

/// The message a call brings, if nothing is wrong with it or its topic.
fn checked(world: &World, call: &Call, input: Input) -> Result<Published, Failure> {
    let (parameter, arn) = match (input.text("TopicArn")?, input.text("TargetArn")?) {
        (Some(arn), _) => ("TopicArn", arn),
        (None, Some(arn)) => ("TargetArn", arn),
        (None, None) => {
            let what = "TopicArn or TargetArn Reason: no value for required parameter";
            return Err(invalid(what));
        }
    };
    existing(world, call, parameter, arn)?;
    let name = topic_arn(arn).map_or("", |parts| parts.name);
    if world.setup.faults.sns.deny.iter().any(|denied| denied == name) {
        return Err(denied(call, arn, "identity"));
    }
    let message = message(call, input, arn)?;
    match world.setup.faults.sns.encryption() {
        Some(failure) => Err(failure),
        None => Ok(message),
    }
}

/// The message a call brings to a topic, if it fits.
fn message(call: &Call, input: Input, arn: &str) -> Result<Published, Failure> {
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
    Ok(Published {
        topic_arn: arn.to_owned(),
        subject: subject.map(str::to_owned),
        message: message.to_owned(),
        structure: structure.map(str::to_owned),
        attributes,
        message_id: String::new(),
        group_id: group.map(str::to_owned),
        deduplication_id: deduplication.map(str::to_owned),
        signed_at: call.signed_at,
        accepted_at: call.now,
        sequence_number: None,
        attempt: 0,
    })
}
