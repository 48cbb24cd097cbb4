//! The words of the daemon's own trouble.

use serde_json::json;

use crate::alerting::notification_log::Reason;
use crate::detect::Severity;
use crate::notification::SelfAlertNotification;
use crate::render::link::{Links, Placeholder};
use crate::render::notice::milliseconds;
use crate::render::words::{List, MessageContent, RESOLVED, length};

/// The words of a trouble of the daemon itself.
pub fn words(notice: &SelfAlertNotification, links: &Links) -> MessageContent {
    let SelfAlertNotification { id, theme, reason, since, at, lines, host } = notice;
    let lasted = length(at.since(*since));
    let mut words = MessageContent::new("own", reason.name(), Severity::Warning);
    words.id.clone_from(id);
    words.thread = format!("own/{}", theme.name());
    words.at = Some(*at);
    words.rule = theme.name();
    words.title = match reason {
        Reason::Firing | Reason::Escalated => format!("[WARNING] nearmiss: {}", theme.headline()),
        Reason::Reminder => {
            format!("[WARNING] nearmiss: still, after {lasted}: {}", theme.headline())
        }
        Reason::Resolved => {
            format!("[RESOLVED] nearmiss: over after {lasted}: {}", theme.headline())
        }
    };
    words.paragraphs = vec![match reason {
        Reason::Resolved => format!("It lasted {lasted}, from {since} to {at}."),
        _ => format!("It has gone on since {since} ({lasted})."),
    }];
    words.in_short = lines.first().cloned();
    words.list = List::of(lines.clone());
    words.facts =
        vec![("Host", host.clone()), ("Since", since.to_string()), ("Told", at.to_string())];
    words.at_a_glance = vec![host.clone(), at.to_string()];
    if *reason == Reason::Resolved {
        words.emoji = RESOLVED;
    }
    words.context = vec![("host", host.clone()), ("since", since.to_string())];
    words.links = links.of(None, |placeholder| match placeholder {
        Placeholder::Rule => Some(theme.name().to_owned()),
        Placeholder::Severity => Some(Severity::Warning.name().to_owned()),
        Placeholder::Cause => Some("unknown".to_owned()),
        Placeholder::Began => Some(milliseconds(since.start())),
        Placeholder::Now => Some(milliseconds(at.end())),
        _ => None,
    });
    words.machine =
        json!({"theme": theme.name(), "since": since.to_string(), "host": host, "lines": lines});
    words
}
