//! What chat configurations get of the messages, and what `CloudWatch` counts of it.
//!
//! Every configuration subscribes to every standard topic of the account by
//! https, so all of them get the same and count the same. FIFO topics do not
//! deliver by https. A message becomes an event when it is accepted: what counts
//! is known at once, by AWS's now, and never changes.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value as Json;

use crate::catalog::Chat;
use crate::names::is_fifo;
use crate::services::sns::chat;
use crate::services::sns::published::Published;
use crate::world::World;

/// The only region the metrics are in.
pub(crate) const REGION: &str = "us-east-1";
/// Events in one second; the service takes no more.
const MAX_PER_SECOND: u64 = 10;

/// One message on its way to the chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    /// AWS's now when it was published, epoch seconds.
    at: i64,
    /// Epoch second it was signed in.
    second: i64,
    /// Whether it is a custom notification.
    supported: bool,
    /// Whether the chat takes it.
    delivered: bool,
    throttled: bool,
}

/// All of them, in order.
#[derive(Default)]
pub(crate) struct ChatEvents {
    events: Vec<Event>,
    /// Events by the second they were signed in.
    seconds: BTreeMap<i64, u64>,
}

impl Event {
    fn counts(self, what: Chat) -> bool {
        let processed = self.supported && !self.throttled;
        match what {
            Chat::Throttled => self.throttled,
            Chat::Unsupported => !self.supported && !self.throttled,
            Chat::Processed => processed,
            Chat::Delivered => processed && self.delivered,
            Chat::Failed => processed && !self.delivered,
        }
    }
}

impl ChatEvents {
    /// Takes a further event; beyond ten in a second they are throttled unseen.
    pub(crate) fn push(&mut self, event: Event) {
        let count = self.seconds.entry(event.second).or_default();
        *count += 1;
        self.events.push(Event { throttled: *count > MAX_PER_SECOND, ..event });
    }

    /// How many events count for a metric by epoch minute, as far as they happened `until`
    /// that epoch second.
    pub(crate) fn minutes(
        &self,
        what: Chat,
        window: Range<i64>,
        until: Option<i64>,
    ) -> BTreeMap<i64, u64> {
        let mut counts = BTreeMap::new();
        for event in self.events.iter().filter(|event| event.counts(what)) {
            let minute = event.at.div_euclid(60);
            if window.contains(&minute) && until.is_none_or(|until| event.at <= until) {
                *counts.entry(minute).or_default() += 1;
            }
        }
        counts
    }
}

/// The event a message becomes; none for other topics, or where no time is known.
pub(crate) fn event(world: &World, message: &Published) -> Option<Event> {
    let (at, second) = message.accepted_at.zip(message.signed_at)?;
    let own = world.topics().any(|topic| topic == message.topic_arn);
    if !own || is_fifo(&message.topic_arn) {
        return None;
    }
    let minute = world.scenario_minute(at);
    let failing = world.setup.faults.sns.chat_failing.iter().any(|span| span.holds(minute));
    let supported = chat::supported(&by_https(message));
    Some(Event { at, second, supported, delivered: !failing, throttled: false })
}

/// What a subscriber by https gets of a message.
fn by_https(message: &Published) -> String {
    if message.structure.is_none() {
        return message.message.clone();
    }
    let read: Json = serde_json::from_str(&message.message).unwrap_or_default();
    let text = |key: &str| read.get(key).and_then(Json::as_str);
    text("https").or_else(|| text("default")).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Chat; 5] =
        [Chat::Processed, Chat::Throttled, Chat::Unsupported, Chat::Delivered, Chat::Failed];

    fn event(at: i64, supported: bool, delivered: bool) -> Event {
        Event { at, second: at, supported, delivered, throttled: false }
    }

    fn counts(chat: &ChatEvents, until: Option<i64>) -> [u64; 5] {
        ALL.map(|what| chat.minutes(what, 0..100, until).values().sum())
    }

    #[test]
    fn every_event_counts_for_what_became_of_it() {
        let mut chat = ChatEvents::default();
        chat.push(event(60, true, true));
        chat.push(event(119, true, false));
        chat.push(event(120, false, true));
        assert_eq!(counts(&chat, None), [2, 0, 1, 1, 1]);
        assert_eq!(counts(&chat, Some(119)), [2, 0, 0, 1, 1]);
        assert_eq!(chat.minutes(Chat::Processed, 1..2, None), BTreeMap::from([(1, 2)]));
        assert_eq!(chat.minutes(Chat::Processed, 2..9, None), BTreeMap::new());
    }

    #[test]
    fn the_eleventh_event_of_a_second_is_throttled_whatever_it_is() {
        let mut chat = ChatEvents::default();
        for at in [500, 501] {
            for number in 0..12 {
                chat.push(event(at, number % 2 == 0, true));
            }
        }
        assert_eq!(counts(&chat, None), [10, 4, 10, 10, 0]);
    }

    #[test]
    fn a_subscriber_by_https_gets_its_own_part_or_the_default() {
        let mut message = Published { message: "{}".to_owned(), ..Published::default() };
        assert_eq!(by_https(&message), "{}");
        message.structure = Some("json".to_owned());
        for (text, want) in [
            (r#"{"default":"d","https":"h","http":"p"}"#, "h"),
            (r#"{"default":"d","https":{"version":"1.0"}}"#, "d"),
            (r#"{"default":"d","email":"e"}"#, "d"),
        ] {
            text.clone_into(&mut message.message);
            assert_eq!(by_https(&message), want);
        }
    }
}
