//! Notifications as words: for a chat channel, a mailbox, a phone and a program.
//!
//! Each kind of notification becomes a `MessageContent`: what is to be said, as it is. One
//! place then makes the forms of it, so that every limit and every escape exists once,
//! whatever the notification, and no name of a gateway can make a message that Amazon SNS
//! refuses or that Slack reads as anything but a name.

mod chat;
mod console;
mod dead_mans_switch;
mod digest;
mod escape;
mod fit;
mod group;
mod link;
mod notice;
mod self_alert;
mod steps;
mod trial;
mod words;

use serde_json::{Value, json};

use crate::notification::Notification;
pub use link::{Links, Placeholder, Template};
pub use notice::why;
pub use steps::next_steps;

/// The name of the machine-readable form; its number rises when a field
/// changes its meaning or goes.
pub const SCHEMA: &str = "nearmiss.notification/1";

/// One notification in every form.
///
/// Text, SMS, chat and five copies of the machine form are together, as one message
/// with a value for each protocol, shorter than the 262,144 bytes that SNS takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// One line of printable ASCII, at most 99 characters.
    pub subject: String,
    /// Plain text with line breaks, for mail.
    pub text: String,
    /// One line of ASCII, at most 140 characters.
    pub sms: String,
    /// What Amazon Q Developer in chat applications takes.
    pub chat: Value,
    /// What programs take; see [`SCHEMA`].
    pub machine: Value,
    /// What filter policies of subscriptions can ask for: name and value, no value
    /// empty.
    pub attributes: Vec<(&'static str, String)>,
}

impl Message {
    /// The notification in words.
    #[must_use]
    pub fn of(news: &Notification, links: &Links) -> Self {
        let words = match news {
            Notification::One(notice) => notice::words(notice, links),
            Notification::Group(group) => group::words(group, links),
            Notification::SelfAlert(notice) => self_alert::words(notice, links),
            Notification::DeadMansSwitch(alive) => dead_mans_switch::words(alive),
            Notification::Digest(digest) => digest::words(digest),
            Notification::Test(minute) => trial::words(*minute),
        };
        let words = words.escaped();
        Self {
            subject: words.subject(),
            text: words.text(),
            sms: words.sms(),
            chat: chat::chat(&words),
            machine: words.machine(),
            attributes: words.attributes(),
        }
    }

    /// One value for each protocol, as SNS takes them with `MessageStructure=json`.
    /// `https` is what Amazon Q Developer in chat applications subscribes with, and it
    /// takes nothing but its own JSON.
    #[must_use]
    pub fn per_protocol(&self) -> String {
        let machine = self.machine.to_string();
        json!({
            "default": self.text,
            "email": self.text,
            "email-json": machine,
            "https": self.chat.to_string(),
            "http": machine,
            "sms": self.sms,
            "sqs": machine,
            "lambda": machine,
            "firehose": machine,
        })
        .to_string()
    }
}
