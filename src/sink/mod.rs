//! Where notifications go. What no receiver accepted has not been sent.
//!
//! A sink is one file with two types: its [`Settings`], which are a table of the config and
//! know who receives what is sent there, and the [`Sink`] that they connect to. The
//! registry is here: a field of `Sinks`, a variant of [`Target`] and the line that joins
//! them. Nothing else knows which sinks exist.

mod log;
mod sns;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use futures::future::BoxFuture;
use futures::stream::{self, Stream};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::edge::aws::{AwsError, ErrorKind, Usage};
use crate::edge::time::Deadline;
use crate::settings::names::RoleArn;
use nearmiss_core::alerting::{Audience, Receiver, ReceiverId};
use nearmiss_core::notification::{Delivery, Notification};
use nearmiss_core::render::{Links, Message};
pub use sns::{InlineTopic, TopicArn};

/// Channels that people read drop what comes too fast: Amazon Q Developer takes ten
/// messages a second.
const PAUSE: Duration = Duration::from_millis(150);

/// The tables of `[sink]`, and of `sink` in a `[[route]]` or in `[watcher]`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Sinks {
    /// Amazon SNS.
    sns: Option<sns::Topic>,
}

/// Where a config sends notifications: the settings of one of the sinks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A topic of Amazon SNS.
    Sns(sns::Topic),
}

impl From<Sinks> for Vec<Target> {
    fn from(Sinks { sns }: Sinks) -> Self {
        [sns.map(Target::Sns)].into_iter().flatten().collect()
    }
}

impl Deref for Target {
    type Target = dyn Settings;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Sns(topic) => topic,
        }
    }
}

/// What a config says of a sink.
pub trait Settings {
    /// Who receives what is sent there.
    fn receiver(&self) -> Receiver;

    /// Gets ready to send; makes no call yet.
    fn connect<'a>(&'a self, base: &'a SdkConfig) -> BoxFuture<'a, Box<dyn Sink>>;

    /// How these settings contradict each other, if they do.
    fn contradiction(&self) -> Option<String> {
        None
    }

    /// The error that one config has two settings for one receiver.
    fn found_two(&self) -> String {
        format!("expected one way to send to {}, found two", self.receiver().id)
    }

    /// What it needs of AWS; nothing if it is not AWS's.
    fn aws(&self) -> Option<AwsAccess<'_>> {
        None
    }

    /// The configuration of Amazon Q Developer in chat applications whose channel the
    /// messages must reach, if that is to be watched.
    fn chat_configuration(&self) -> Option<&str> {
        None
    }
}

/// What a sink needs of AWS.
#[derive(Debug, Clone, Copy)]
pub struct AwsAccess<'a> {
    /// In which Region.
    pub region: &'a str,
    /// As which role, if not as the daemon itself.
    pub role_arn: Option<&'a RoleArn>,
    /// The ARN of the resource.
    pub resource: &'a str,
    /// The IAM actions that are used on it.
    pub actions: &'static [&'static str],
}

/// Something that takes notifications.
pub trait Sink: fmt::Debug + Send + Sync {
    /// What sending a notification is called, in errors and in `nearmiss check`: an IAM
    /// action where it is AWS's.
    fn sending(&self) -> &'static str;

    /// What [`look`](Self::look) is called.
    fn looking(&self) -> &'static str;

    /// Sends a notification, of which `message` is every form, and adds to `usage` the
    /// calls to AWS that it took.
    ///
    /// # Errors
    /// When it was not accepted.
    fn send<'a>(
        &'a self,
        notification: &'a Notification,
        message: &'a Message,
        usage: &'a mut Usage,
    ) -> BoxFuture<'a, Result<(), SinkError>>;

    /// Whether the receiver is there, as far as can be found out without sending.
    ///
    /// # Errors
    /// When it is not, or that may not be asked.
    fn look(&self) -> BoxFuture<'_, Result<(), SinkError>>;
}

/// A notification that was not accepted.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{said}")]
pub struct SinkError {
    /// What was tried, as the sink calls it.
    pub action: &'static str,
    /// What went wrong, as far as it changes what to do: only after [`ErrorKind::Refused`]
    /// the next one is tried.
    pub kind: ErrorKind,
    /// What was tried and what went wrong: one line.
    pub said: String,
    /// The way out.
    pub advice: String,
}

impl From<AwsError> for SinkError {
    fn from(error: AwsError) -> Self {
        let (action, kind) = (error.action, error.problem);
        Self { action, kind, said: error.to_string(), advice: error.advice() }
    }
}

/// Reads the tables of sinks, of which at most one may be there.
///
/// # Errors
/// When one of them cannot be used, or there are several.
pub fn one<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Target>, D::Error> {
    let mut named: Vec<Target> = Sinks::deserialize(from)?.into();
    match named.len() {
        0 | 1 => Ok(named.pop()),
        number => Err(D::Error::custom(format!(
            "expected one sink, found {number}: name the others in a [[route]]"
        ))),
    }
}

/// What a `[[route]]` or `[watcher]` names: a topic by keys of its own, or any sink by a
/// table.
///
/// # Errors
/// When it names both, or half of a topic.
pub fn named(topic: InlineTopic, sink: Option<Target>) -> Result<Option<Target>, String> {
    match (topic.topic()?.map(Target::Sns), sink) {
        (Some(_), Some(_)) => Err("expected topic_arn or sink, found both".into()),
        (topic, sink) => Ok(topic.or(sink)),
    }
}

/// All receivers that a config names; everything else goes to the log.
#[derive(Debug, Default)]
pub struct Senders {
    sinks: BTreeMap<ReceiverId, Box<dyn Sink>>,
    links: Links,
}

/// The outcome of a delivery.
#[derive(Debug)]
pub struct Sent {
    /// Which one.
    pub delivery: Delivery,
    /// Whether its receiver accepted it.
    pub outcome: Result<(), SinkError>,
    /// The calls to AWS that it took.
    pub usage: Usage,
}

impl Senders {
    /// With these sinks, and links in messages.
    #[must_use]
    pub fn new(sinks: BTreeMap<ReceiverId, Box<dyn Sink>>, links: Links) -> Self {
        Self { sinks, links }
    }

    /// Connects to what a config names.
    pub async fn connect(
        targets: impl Iterator<Item = &Target>,
        links: Links,
        base: &SdkConfig,
    ) -> Self {
        let by_id = targets.map(|target| (target.receiver().id, target));
        let by_id: BTreeMap<ReceiverId, &Target> = by_id.collect();
        let mut sinks = BTreeMap::new();
        for (id, target) in by_id {
            sinks.insert(id, target.connect(base).await);
        }
        Self { sinks, links }
    }

    /// Delivers to one receiver in order, until all is sent, the receiver cannot be
    /// reached, or `deadline` has passed. A refused delivery does not stop the next one.
    /// When the daemon is to stop, no delivery is begun; nor is one begun before the
    /// outcome of the previous one was taken.
    pub fn deliver(
        self: Arc<Self>,
        deliveries: Vec<Delivery>,
        deadline: Deadline,
    ) -> impl Stream<Item = Sent> + Send + 'static {
        let start = (self, deliveries.into_iter(), deadline, true, false);
        stream::unfold(start, |(senders, mut queue, deadline, goes_on, pauses)| async move {
            if pauses && queue.len() > 0 {
                deadline.run(tokio::time::sleep(PAUSE)).await;
            }
            let delivery = queue.next().filter(|_| goes_on && !deadline.is_cut_short())?;
            let mut usage = Usage::default();
            let outcome = senders.send_by(&deadline, &delivery, &mut usage).await;
            let refused = |error: &SinkError| error.kind == ErrorKind::Refused;
            let goes_on = outcome.as_ref().err().is_none_or(refused);
            let pauses = senders.sinks.contains_key(&delivery.receiver.id)
                && delivery.receiver.audience == Audience::People;
            let sent = Sent { delivery, outcome, usage };
            Some((sent, (senders, queue, deadline, goes_on, pauses)))
        })
    }

    /// Sends within a deadline.
    async fn send_by(
        &self,
        deadline: &Deadline,
        delivery: &Delivery,
        usage: &mut Usage,
    ) -> Result<(), SinkError> {
        if let Some(sink) = self.sinks.get(&delivery.receiver.id) {
            let late = deadline.left();
            let message = Message::of(&delivery.notification, &self.links);
            let sent = deadline.run(sink.send(&delivery.notification, &message, usage)).await;
            sent.unwrap_or_else(|| {
                let said = format!("not taken within {} s", late.as_secs());
                Err(AwsError::incomplete(sink.sending(), "", said).into())
            })?;
        }
        log::write(delivery);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
