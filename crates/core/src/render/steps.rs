//! What to do, the most useful step first.

use crate::EpisodeNotification;
use crate::alerting::notification_log::Reason;
use crate::detect::rule::Steps;
use crate::diagnose::Diagnosis;
use crate::number::quantity::seconds;

/// What to do about an episode: what the cause asks for where it was found, else what
/// the rule does.
#[must_use]
pub fn next_steps(notice: &EpisodeNotification) -> Vec<String> {
    if notice.reason == Reason::Resolved && notice.episode.abandoned {
        return vec![
            "Nothing to do, unless it should still be watched: then look at what the config selects."
                .into(),
        ];
    }
    if notice.reason == Reason::Resolved {
        return vec![
            "Nothing to do now. If it comes back at the same hour, look for a job or a peak."
                .into(),
        ];
    }
    if let Some(found) = found(notice) {
        let other = found.told_apart.clone();
        return [found.next_step()].into_iter().chain(other).collect();
    }
    let near = seconds(notice.gateway.near_seconds());
    let timeout = seconds(notice.gateway.timeout.seconds);
    let words = &notice.gateway.id.kind.spec().words;
    (notice.rule().spec().next_steps)(&Steps { words, near: &near, timeout: &timeout })
}

/// Why it happened, where a cause was found.
pub fn found(notice: &EpisodeNotification) -> Option<&Diagnosis> {
    notice.diagnosis.as_deref().filter(|diagnosis| !diagnosis.findings.is_empty())
}
