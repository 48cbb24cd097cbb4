//! Once an hour: do messages reach the chat channel?

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;

use super::{Daemon, allotment};
use crate::edge::aws::Usage;
use crate::edge::time::Deadline;
use crate::source::cloudwatch::Chat;
use nearmiss_core::notification::Component;

/// How often CloudWatch is asked, seconds.
const EVERY: i64 = 3_600;
/// How long after its minute a metric of the channel is complete, seconds.
const LATE: i64 = 300;
/// At most this many seconds are asked for at once.
const MOST: i64 = 86_400;

/// The channels, and up to when each was read (seconds since the Unix epoch).
#[derive(Debug, Default)]
pub(super) struct Chats {
    all: Arc<[Chat]>,
    until: Option<i64>,
}

impl Chats {
    pub(super) async fn connect(configurations: BTreeSet<&str>, base: &SdkConfig) -> Self {
        let mut all = Vec::new();
        for configuration in configurations {
            all.push(Chat::connect(configuration, base).await);
        }
        Self { all: all.into(), until: None }
    }
}

impl Daemon {
    /// Logs what did not reach a channel, and also that CloudWatch could not be asked:
    /// otherwise its silence would look like success.
    pub(super) async fn look_at_chats(&mut self, now: i64, deadline: &Deadline, usage: &mut Usage) {
        let chats = &mut self.self_watch.chats;
        if chats.all.is_empty() {
            self.trouble(Component::Chat, None, now);
            return;
        }
        let until = now - LATE;
        let from = chats.until.unwrap_or(until - EVERY);
        if (0..EVERY).contains(&(until - from)) && chats.until.is_some() {
            return;
        }
        chats.until = Some(until);
        let from = from.clamp(until - MOST, until - 60);
        let looks = look(Arc::clone(&chats.all), (from, until), allotment(deadline));
        let Some((lines, has_messages, used)) = self.serve(now, deadline, looks).await else {
            return;
        };
        usage.add(used);
        // Nothing was sent: that does not show that the channel works again.
        if has_messages || !lines.is_empty() {
            self.trouble(Component::Chat, lines, now);
        }
    }
}

/// What did not reach the channels between two times, and whether anything was sent.
async fn look(
    chats: Arc<[Chat]>,
    (from, until): (i64, i64),
    deadline: Duration,
) -> (Vec<String>, bool, Usage) {
    let looks = chats.iter().map(|chat| async move {
        let mut used = Usage::default();
        (chat.configuration(), chat.look(from, until, deadline, &mut used).await, used)
    });
    let (mut lines, mut has_messages, mut usage) = (Vec::new(), false, Usage::default());
    for (name, looked, used) in futures::future::join_all(looks).await {
        usage.add(used);
        match looked {
            Ok(reached) => {
                has_messages |= reached.has_messages();
                lines.extend(reached.troubles().map(|trouble| format!("{name}: {trouble}")));
            }
            Err(fault) => lines.push(format!("{name}: {fault}. {}", fault.advice())),
        }
    }
    (lines, has_messages, usage)
}
