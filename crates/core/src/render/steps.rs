//! What to do, the most telling step first.

use crate::EpisodeNotification;
use crate::alerting::told::Reason;
use crate::detect::Rule;
use crate::diagnose::Diagnosis;
use crate::gateway::kind::Words;
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
    of_rule(notice.rule(), &notice.gateway.id.kind.spec().words, &near, &timeout)
}

fn of_rule(rule: Rule, words: &Words, near: &str, timeout: &str) -> Vec<String> {
    let limit = words.timeout;
    match rule {
        Rule::NearMiss | Rule::Drift => vec![
            format!("Find the slow requests: {} {near}. Is it one URL, one target, or all?", words.find_slow),
            "Look at what they wait for: database, lock, downstream service, or a queue in front of busy workers.".into(),
            format!("If the work is meant to take that long, make it asynchronous, or raise the {limit} above {timeout} - and first every timeout outside it (client, CDN)."),
        ],
        Rule::Saturation => vec![
            "Add targets or workers before the traffic peaks: a full queue turns into 504s within minutes.".into(),
            words.capacity.into(),
            "If the traffic is normal, look for what holds the workers: a slow query, a lock, a downstream service.".into(),
        ],
        Rule::RecurringJob => vec![
            "Find the job or report that runs at this hour, and how its data grows.".into(),
            format!("Split it, make it asynchronous, or raise the {limit} above {timeout} in time."),
        ],
        Rule::Unreachable => words.unreachable.map(str::to_owned).to_vec(),
        Rule::Blackout => vec![
            words.blackout.into(),
            "If they look healthy, look for a lock or a dead dependency that all requests wait for.".into(),
        ],
        Rule::AtLimit | Rule::BurnRate => vec![
            words.slow_or_unreachable.into(),
            format!("If not, find what takes longer than {timeout}: {}.", words.find_timeouts),
            "At normal traffic add capacity or remove the slow work before the next peak: it will not just bring more 504s.".into(),
        ],
    }
}

/// Why it happened, where a cause was found.
pub fn found(notice: &EpisodeNotification) -> Option<&Diagnosis> {
    notice.diagnosis.as_deref().filter(|diagnosis| !diagnosis.findings.is_empty())
}
