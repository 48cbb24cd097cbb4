//! What to do, the most telling step first.

use crate::EpisodeNotification;
use crate::alerting::told::Reason;
use crate::detect::Rule;
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
    of_rule(notice.rule(), &near, &timeout)
}

fn of_rule(rule: Rule, near: &str, timeout: &str) -> Vec<String> {
    match rule {
        Rule::NearMiss | Rule::Drift => vec![
            format!("Find the slow requests: in the access log, target_processing_time above {near}. Is it one URL, one target, or all?"),
            "Look at what they wait for: database, lock, downstream service, or a queue in front of busy workers.".into(),
            format!("If the work is meant to take that long, make it asynchronous, or raise the idle timeout above {timeout} - and first every timeout outside it (client, CDN)."),
        ],
        Rule::Saturation => vec![
            "Add targets or workers before the traffic peaks: a full queue turns into 504s within minutes.".into(),
            "Check that no target was lost: HealthyHostCount of each target group.".into(),
            "If the traffic is normal, look for what holds the workers: a slow query, a lock, a downstream service.".into(),
        ],
        Rule::RecurringJob => vec![
            "Find the job or report that runs at this hour, and how its data grows.".into(),
            format!("Split it, make it asynchronous, or raise the idle timeout above {timeout} in time."),
        ],
        Rule::Unreachable => vec![
            "Check security groups and network ACLs between load balancer and targets, in both directions.".into(),
            "Check for targets that died or were deregistered, and for a full connection backlog.".into(),
        ],
        Rule::Blackout => vec![
            "Check the targets now: HealthyHostCount, their processes, and what all of them depend on.".into(),
            "If they look healthy, look for a lock or a dead dependency that all requests wait for.".into(),
        ],
        Rule::AtLimit | Rule::BurnRate => vec![
            "Compare with TargetConnectionErrorCount: if it matches, the targets are unreachable (security group, network ACL, dead target), not slow.".into(),
            format!("If not, find what takes longer than {timeout}: in the access log, elb_status_code 504 with target_status_code \"-\"."),
            "At normal traffic add capacity or remove the slow work before the next peak: it will not just bring more 504s.".into(),
        ],
    }
}

/// Why it happened, where a cause was found.
pub fn found(notice: &EpisodeNotification) -> Option<&Diagnosis> {
    notice.diagnosis.as_deref().filter(|diagnosis| !diagnosis.findings.is_empty())
}
