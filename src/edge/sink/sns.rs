//! Amazon SNS: one Publish per notification, a text for each kind of subscriber.

use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use serde_json::json;

use crate::analysis::message::Message;
use crate::config;
use crate::edge::aws::{Fault, Scope, Usage, scoped};

/// The IAM action of a notification.
pub const PUBLISH: &str = "sns:Publish";
/// The IAM action of the check that sends nothing.
pub const GET_TOPIC: &str = "sns:GetTopicAttributes";

/// A topic, and who publishes to it.
#[derive(Debug)]
pub struct SnsTopic {
    client: Client,
    region: String,
    topic_arn: String,
}

impl SnsTopic {
    /// A client in the topic's own Region.
    pub async fn connect(sns: &config::Sns, base: &SdkConfig) -> Self {
        let scope = Scope {
            region: Some(sns.topic_arn.region().to_owned()),
            role_arn: sns.role_arn.as_ref().map(|role| role.as_str().to_owned()),
            external_id: sns.external_id.clone(),
        };
        Self {
            client: Client::new(&scoped(base, &scope).await),
            region: sns.topic_arn.region().to_owned(),
            topic_arn: sns.topic_arn.as_str().to_owned(),
        }
    }

    /// Publishes one message to all subscribers.
    ///
    /// # Errors
    /// When SNS did not take it.
    pub async fn publish(&self, message: &Message, usage: &mut Usage) -> Result<(), Fault> {
        let request = self
            .client
            .publish()
            .topic_arn(&self.topic_arn)
            .subject(&message.subject)
            .message_structure("json")
            .message(body(message));
        let answer = request.send().await.map_err(|e| Fault::of(PUBLISH, &self.region, &e));
        usage.call(PUBLISH, answer.as_ref().err().map(|fault| fault.problem));
        answer.map(|_| ())
    }

    /// Whether the topic is there and may be read. Sends nothing.
    ///
    /// # Errors
    /// When it is not, or may not.
    pub async fn look(&self) -> Result<(), Fault> {
        let answer = self.client.get_topic_attributes().topic_arn(&self.topic_arn).send().await;
        answer.map(|_| ()).map_err(|error| Fault::of(GET_TOPIC, &self.region, &error))
    }
}

/// One value for each protocol. `https` is what Amazon Q Developer in chat
/// applications subscribes with, and it takes nothing but its own JSON.
fn body(message: &Message) -> String {
    let machine = message.machine.to_string();
    json!({
        "default": message.text,
        "email": message.text,
        "email-json": machine,
        "https": message.chat.to_string(),
        "http": machine,
        "sms": message.sms,
        "sqs": machine,
        "lambda": machine,
        "firehose": machine,
    })
    .to_string()
}
