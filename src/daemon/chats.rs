//! Once an hour: do messages reach the chat channel?

use std::collections::BTreeSet;

use aws_config::SdkConfig;

use super::Daemon;
use crate::analysis::notify::Theme;
use crate::edge::aws::Usage;
use crate::edge::cloudwatch::Chat;

/// How often it is asked, seconds.
const EVERY: i64 = 3_600;
/// Its metrics are there after so long, seconds.
const LATE: i64 = 300;
/// No more is asked at once, seconds.
const MOST: i64 = 86_400;

/// The channels, and until when it was asked (seconds since the Unix epoch).
#[derive(Debug)]
pub(super) struct Chats {
    all: Vec<Chat>,
    until: Option<i64>,
}

impl Chats {
    pub(super) async fn connect(configurations: BTreeSet<&str>, base: &SdkConfig) -> Self {
        let mut all = Vec::new();
        for configuration in configurations {
            all.push(Chat::connect(configuration, base).await);
        }
        Self { all, until: None }
    }
}

impl Daemon {
    /// Says what did not reach a channel. That CloudWatch could not be asked is said
    /// too: otherwise silence would look like success.
    pub(super) async fn look_at_chats(&mut self, now: i64, usage: &mut Usage) {
        if self.chats.all.is_empty() {
            self.trouble(Theme::Chat, None, now);
            return;
        }
        let until = now - LATE;
        let from = self.chats.until.unwrap_or(until - EVERY);
        if (0..EVERY).contains(&(until - from)) && self.chats.until.is_some() {
            return;
        }
        self.chats.until = Some(until);
        let from = from.clamp(until - MOST, until - 60);
        let deadline = self.config.poll.deadline.get();
        let (mut lines, mut has_messages) = (Vec::new(), false);
        for chat in &self.chats.all {
            let name = chat.configuration();
            match chat.look(from, until, deadline, usage).await {
                Ok(reached) => {
                    has_messages |= reached.has_messages();
                    lines.extend(reached.troubles().map(|trouble| format!("{name}: {trouble}")));
                }
                Err(fault) => lines.push(format!("{name}: {fault}. {}", fault.advice())),
            }
        }
        // Nothing was sent: that proves no recovery.
        if has_messages || !lines.is_empty() {
            self.trouble(Theme::Chat, lines, now);
        }
    }
}
