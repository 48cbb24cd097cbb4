//! Amazon SNS: a topic in the config, and one Publish for each notification.
//!
//! SNS sends attributes only with a plain message, and a text for each protocol only
//! without attributes; so a topic has one or the other. FIFO topics reach queues alone, and
//! get attributes and the JSON for programs.
//!
//! The form of an ARN is known here and nowhere else.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Deserialize;

use super::{AwsAccess, Settings, Sink, SinkError};
use crate::edge::aws::{AwsError, Scope, Usage, scoped};
use crate::settings::names::{RoleArn, is_region};
use nearmiss_core::alerting::{Audience, Guarantee, Receiver, ReceiverId};
use nearmiss_core::notification::{Notification, fingerprint};
use nearmiss_core::render::Message;

/// The IAM action of sending a notification.
const PUBLISH: &str = "sns:Publish";
/// The IAM action of the check that sends nothing.
const GET_TOPIC: &str = "sns:GetTopicAttributes";

/// `[sink.sns]`: a topic, and how to publish to it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_field_names)] // a key of the config
pub struct Topic {
    /// The topic.
    pub topic_arn: TopicArn,
    /// A role to publish with, where the topic is another account's.
    #[serde(default)]
    pub role_arn: Option<RoleArn>,
    /// The role's external id.
    #[serde(default)]
    pub external_id: Option<String>,
    /// Whether messages carry attributes for filter policies. Every subscriber then
    /// gets the JSON for programs: SNS takes attributes or a text for each protocol.
    #[serde(default)]
    pub attributes: bool,
    /// The configuration of Amazon Q Developer in chat applications whose channel
    /// the messages must reach.
    #[serde(default)]
    pub chat_configuration: Option<String>,
}

/// The keys of a topic when they are directly in a `[[route]]` or in `[watcher]`.
#[derive(Debug)]
pub struct InlineTopic {
    /// As in [`Topic`], and so are the others.
    pub topic_arn: Option<TopicArn>,
    /// A role to publish with.
    pub role_arn: Option<RoleArn>,
    /// The role's external id.
    pub external_id: Option<String>,
    /// Whether messages carry attributes.
    pub attributes: bool,
    /// The configuration of a chat channel.
    pub chat_configuration: Option<String>,
}

impl InlineTopic {
    /// The topic, if there is one.
    ///
    /// # Errors
    /// When it says how to publish and not where.
    pub fn topic(self) -> Result<Option<Topic>, String> {
        let Self { topic_arn, role_arn, external_id, attributes, chat_configuration } = self;
        let Some(topic_arn) = topic_arn else {
            let says_how = role_arn.is_some()
                || external_id.is_some()
                || attributes
                || chat_configuration.is_some();
            return if says_how {
                Err("expected topic_arn beside role_arn, external_id, attributes and chat_configuration: whom to tell".into())
            } else {
                Ok(None)
            };
        };
        Ok(Some(Topic { topic_arn, role_arn, external_id, attributes, chat_configuration }))
    }
}

/// The ARN of an SNS topic.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TopicArn {
    text: String,
    region: String,
}

impl TopicArn {
    /// The ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The Region in which it must be published.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Its name, at the end of the ARN.
    fn name(&self) -> &str {
        self.text.rsplit(':').next().unwrap_or_default()
    }

    /// Whether it belongs to a FIFO topic.
    #[allow(clippy::case_sensitive_file_extension_comparisons)] // it is no file
    fn is_fifo(&self) -> bool {
        self.text.ends_with(".fifo")
    }
}

impl TryFrom<String> for TopicArn {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split(':').collect::<Vec<_>>()[..] {
            ["arn", _, "sns", region, account, name]
                if is_region(region) && !account.is_empty() =>
            {
                if name.is_empty() || name == ".fifo" {
                    return Err(format!("expected a topic's name at the end, found \"{text}\""));
                }
                let region = region.to_owned();
                Ok(Self { text, region })
            }
            _ => Err(format!(
                "expected a topic's ARN (such as \"arn:aws:sns:eu-central-1:111122223333:nearmiss\"), found \"{text}\""
            )),
        }
    }
}

/// The form of a topic's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A text for each protocol.
    PerProtocol,
    /// The JSON for programs, with attributes.
    Attributes,
    /// The same, in order and once.
    Fifo,
}

impl Topic {
    fn form(&self) -> Form {
        match self.attributes {
            _ if self.topic_arn.is_fifo() => Form::Fifo,
            true => Form::Attributes,
            false => Form::PerProtocol,
        }
    }
}

impl Settings for Topic {
    fn receiver(&self) -> Receiver {
        let (audience, guarantee) = match self.form() {
            Form::PerProtocol => (Audience::People, Guarantee::AtLeastOnce),
            Form::Attributes => (Audience::Programs, Guarantee::AtLeastOnce),
            Form::Fifo => (Audience::Programs, Guarantee::OnceInOrder),
        };
        Receiver {
            id: ReceiverId::of(self.topic_arn.as_str()),
            label: self.topic_arn.name().to_owned(),
            audience,
            guarantee,
        }
    }

    fn contradiction(&self) -> Option<String> {
        let is_for_programs = self.receiver().audience == Audience::Programs;
        let name = self.chat_configuration.as_ref().filter(|_| is_for_programs)?;
        Some(format!(
            "expected no chat_configuration, found \"{name}\": a FIFO topic, or one with attributes, reaches no chat channel"
        ))
    }

    fn found_two(&self) -> String {
        let arn = self.topic_arn.as_str();
        format!(
            "expected one role_arn, external_id, attributes and chat_configuration for the topic {arn}, found two"
        )
    }

    fn aws(&self) -> Option<AwsAccess<'_>> {
        Some(AwsAccess {
            region: self.topic_arn.region(),
            role_arn: self.role_arn.as_ref(),
            resource: self.topic_arn.as_str(),
            actions: &[GET_TOPIC, PUBLISH],
        })
    }

    fn chat_configuration(&self) -> Option<&str> {
        self.chat_configuration.as_deref()
    }

    /// A client in the topic's own Region.
    fn connect<'a>(&'a self, base: &'a SdkConfig) -> BoxFuture<'a, Box<dyn Sink>> {
        async move {
            let region = self.topic_arn.region().to_owned();
            let scope = Scope {
                region: Some(region.clone()),
                role_arn: self.role_arn.as_ref().map(|role| role.as_str().to_owned()),
                external_id: self.external_id.clone(),
            };
            let client = Client::new(&scoped(base, &scope).await);
            let topic_arn = self.topic_arn.as_str().to_owned();
            let sink: Box<dyn Sink> =
                Box::new(SnsTopic { client, region, topic_arn, form: self.form() });
            sink
        }
        .boxed()
    }
}

/// A topic, and the client that publishes to it.
#[derive(Debug)]
struct SnsTopic {
    client: Client,
    region: String,
    topic_arn: String,
    form: Form,
}

impl Sink for SnsTopic {
    fn sending(&self) -> &'static str {
        PUBLISH
    }

    fn looking(&self) -> &'static str {
        GET_TOPIC
    }

    /// Publishes one message to all subscribers.
    fn send<'a>(
        &'a self,
        notification: &'a Notification,
        message: &'a Message,
        usage: &'a mut Usage,
    ) -> BoxFuture<'a, Result<(), SinkError>> {
        async move {
            let published = self.publish(notification, message).await;
            usage.call(PUBLISH, published.as_ref().err().map(|fault| fault.problem));
            Ok(published?)
        }
        .boxed()
    }

    fn look(&self) -> BoxFuture<'_, Result<(), SinkError>> {
        async move {
            let answer = self.client.get_topic_attributes().topic_arn(&self.topic_arn).send().await;
            answer.map_err(|error| AwsError::of(GET_TOPIC, &self.region, &error))?;
            Ok(())
        }
        .boxed()
    }
}

impl SnsTopic {
    async fn publish(
        &self,
        notification: &Notification,
        message: &Message,
    ) -> Result<(), AwsError> {
        let request = self.client.publish().topic_arn(&self.topic_arn).subject(&message.subject);
        let request = match self.form {
            Form::PerProtocol => request.message_structure("json").message(message.per_protocol()),
            Form::Attributes | Form::Fifo => request
                .message(message.machine.to_string())
                .set_message_attributes(Some(attributes(message))),
        };
        let request = match self.form {
            Form::Fifo => request
                .message_group_id(&fingerprint([notification.about()])[..32])
                .message_deduplication_id(fingerprint([notification.id()])),
            Form::PerProtocol | Form::Attributes => request,
        };
        let answer = request.send().await.map_err(|e| AwsError::of(PUBLISH, &self.region, &e))?;
        // What SNS accepted has an id; an answer without one is not from SNS.
        match answer.message_id() {
            Some(id) if !id.trim().is_empty() => Ok(()),
            _ => Err(AwsError::incomplete(PUBLISH, &self.region, "the answer has no MessageId")),
        }
    }
}

fn attributes(message: &Message) -> HashMap<String, MessageAttributeValue> {
    let pair = |(name, value): &(&'static str, String)| {
        let text = MessageAttributeValue::builder().data_type("String").string_value(value);
        // Building fails only without a type.
        Some(((*name).to_owned(), text.build().ok()?))
    };
    message.attributes.iter().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::aws::ErrorKind;
    use crate::edge::aws::testing::{Server, answer, error, sdk};
    use nearmiss_core::render::Links;
    use nearmiss_core::time::Minute;

    const TOPIC: &str = "arn:aws:sns:eu-central-1:111122223333:nearmiss";

    fn topic(arn: &str, more: &str) -> Topic {
        toml::from_str(&format!("topic_arn = \"{arn}\"\n{more}")).unwrap()
    }

    #[test]
    fn a_topic_knows_who_is_behind_it() {
        let fifo = format!("{TOPIC}.fifo");
        for (topic, audience, guarantee, takes_groups) in [
            (topic(TOPIC, ""), Audience::People, Guarantee::AtLeastOnce, true),
            (topic(TOPIC, "attributes = true"), Audience::Programs, Guarantee::AtLeastOnce, true),
            (topic(&fifo, ""), Audience::Programs, Guarantee::OnceInOrder, false),
            (topic(&fifo, "attributes = true"), Audience::Programs, Guarantee::OnceInOrder, false),
        ] {
            let receiver = topic.receiver();
            assert_eq!(receiver.audience, audience, "{topic:?}");
            assert_eq!(receiver.guarantee, guarantee, "{topic:?}");
            assert_eq!(receiver.takes_groups(), takes_groups, "{topic:?}");
            assert_eq!(receiver.id.as_str(), topic.topic_arn.as_str());
        }
        assert_eq!(topic(TOPIC, "").receiver(), topic(TOPIC, "attributes = true").receiver());
        assert_eq!(topic(&fifo, "").receiver().label, "nearmiss.fifo");
    }

    #[test]
    fn programs_reach_no_chat_channel() {
        let chat = "chat_configuration = \"ops\"";
        assert_eq!(topic(TOPIC, chat).contradiction(), None);
        let fifo = format!("{TOPIC}.fifo");
        for topic in [topic(TOPIC, &format!("attributes = true\n{chat}")), topic(&fifo, chat)] {
            assert!(topic.contradiction().unwrap().contains("found \"ops\""), "{topic:?}");
        }
    }

    async fn publish(bytes: Vec<u8>) -> Result<(), SinkError> {
        let server = Server::says(bytes).await;
        let sink = topic(TOPIC, "").connect(&sdk(server.address).await).await;
        let test = Notification::Test(Minute(0));
        let message = Message::of(&test, &Links::default());
        sink.send(&test, &message, &mut Usage::default()).await
    }

    #[tokio::test]
    async fn only_what_has_an_id_was_delivered() {
        let says = |inner: &str| {
            let body = format!(
                "<PublishResponse><PublishResult>{inner}</PublishResult></PublishResponse>"
            );
            answer(200, "text/xml", body)
        };
        publish(says("<MessageId>1-2</MessageId>")).await.unwrap();
        for without in ["", "<MessageId></MessageId>", "<MessageId> </MessageId>", "<Id>1</Id>"] {
            let fault = publish(says(without)).await.unwrap_err();
            assert_eq!(fault.kind, ErrorKind::Incomplete, "{without}");
            assert!(fault.to_string().contains("no MessageId"), "{fault}");
        }
    }

    #[tokio::test]
    async fn a_key_that_may_not_be_used_is_named() {
        let message = "User: u is not authorized to perform: kms:GenerateDataKey on resource: arn:aws:kms:eu-central-1:111122223333:key/1";
        let fault = publish(error(400, "KMSAccessDenied", message)).await.unwrap_err();
        assert_eq!(fault.kind, ErrorKind::Denied);
        let advice = fault.advice;
        assert!(advice.contains("kms:GenerateDataKey* and kms:Decrypt"), "{advice}");
        assert!(advice.contains("key arn:aws:kms:eu-central-1:111122223333:key/1"), "{advice}");
    }
}
