//! Amazon SNS: one Publish for each news.
//!
//! SNS sends attributes only with a plain message, and a text for each protocol
//! only without attributes; so a topic has one or the other. FIFO topics reach
//! queues alone, and get attributes and the JSON for programs.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;

use crate::config::Topic;
use crate::edge::aws::{AwsError, Scope, Usage, scoped};
use nearmiss_core::notification::{Notification, fingerprint};
use nearmiss_core::render::Message;

/// The IAM action of a notification.
pub const PUBLISH: &str = "sns:Publish";
/// The IAM action of the check that sends nothing.
pub const GET_TOPIC: &str = "sns:GetTopicAttributes";

/// How a topic takes messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A text for each protocol.
    PerProtocol,
    /// The JSON for programs, with attributes.
    Attributes,
    /// The same, in order and once.
    Fifo,
}

/// A topic, and who publishes to it.
#[derive(Debug)]
pub struct SnsTopic {
    client: Client,
    region: String,
    topic_arn: String,
    form: Form,
}

impl SnsTopic {
    /// A client in the topic's own Region.
    pub async fn connect(topic: &Topic, base: &SdkConfig) -> Self {
        let scope = Scope {
            region: Some(topic.topic_arn.region().to_owned()),
            role_arn: topic.role_arn.as_ref().map(|role| role.as_str().to_owned()),
            external_id: topic.external_id.clone(),
        };
        let form = match topic.attributes {
            _ if topic.receiver().is_for_programs() => Form::Fifo,
            true => Form::Attributes,
            false => Form::PerProtocol,
        };
        Self {
            client: Client::new(&scoped(base, &scope).await),
            region: topic.topic_arn.region().to_owned(),
            topic_arn: topic.topic_arn.as_str().to_owned(),
            form,
        }
    }

    /// Publishes one message to all subscribers.
    ///
    /// # Errors
    /// When SNS did not take it.
    pub async fn publish(
        &self,
        message: &Message,
        news: &Notification,
        usage: &mut Usage,
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
                .message_group_id(&fingerprint([news.about()])[..32])
                .message_deduplication_id(fingerprint([news.id()])),
            Form::PerProtocol | Form::Attributes => request,
        };
        let answer = request.send().await.map_err(|e| AwsError::of(PUBLISH, &self.region, &e));
        // What SNS took has an id; an answer without one is not SNS's.
        let taken = answer.and_then(|answer| match answer.message_id() {
            Some(id) if !id.trim().is_empty() => Ok(()),
            _ => Err(AwsError::incomplete(PUBLISH, &self.region, "the answer has no MessageId")),
        });
        usage.call(PUBLISH, taken.as_ref().err().map(|fault| fault.problem));
        taken
    }

    /// Whether the topic is there and may be read. Sends nothing.
    ///
    /// # Errors
    /// When it is not, or may not.
    pub async fn look(&self) -> Result<(), AwsError> {
        let answer = self.client.get_topic_attributes().topic_arn(&self.topic_arn).send().await;
        answer.map(|_| ()).map_err(|error| AwsError::of(GET_TOPIC, &self.region, &error))
    }
}

fn attributes(message: &Message) -> HashMap<String, MessageAttributeValue> {
    let pair = |(name, value): &(&'static str, String)| {
        let text = MessageAttributeValue::builder().data_type("String").string_value(value);
        // Only one without a type cannot be built.
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

    async fn publish(bytes: Vec<u8>) -> Result<(), AwsError> {
        let server = Server::says(bytes).await;
        let topic = "topic_arn = \"arn:aws:sns:eu-central-1:111122223333:nearmiss\"";
        let topic: Topic = toml::from_str(topic).unwrap();
        let topic = SnsTopic::connect(&topic, &sdk(server.address).await).await;
        let news = Notification::Test(Minute(0));
        let message = Message::of(&news, &Links::default());
        topic.publish(&message, &news, &mut Usage::default()).await
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
            assert_eq!(fault.problem, ErrorKind::Incomplete, "{without}");
            assert!(fault.said.contains("no MessageId"), "{fault}");
        }
    }

    #[tokio::test]
    async fn a_key_that_may_not_be_used_is_named() {
        let message = "User: u is not authorized to perform: kms:GenerateDataKey on resource: arn:aws:kms:eu-central-1:111122223333:key/1";
        let fault = publish(error(400, "KMSAccessDenied", message)).await.unwrap_err();
        assert_eq!(fault.problem, ErrorKind::Denied);
        let advice = fault.advice();
        assert!(advice.contains("kms:GenerateDataKey* and kms:Decrypt"), "{advice}");
        assert!(advice.contains("key arn:aws:kms:eu-central-1:111122223333:key/1"), "{advice}");
    }
}
