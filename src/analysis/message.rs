//! A notice as words: for a chat channel, a mailbox, a phone and a program.
//!
//! The chat form is the custom-notification JSON of Amazon Q Developer in chat
//! applications (AWS Chatbot), which drops anything else without a word. All
//! lengths are bounded here, so that no name of a load balancer can make a
//! message that Amazon SNS refuses.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Notice;
use super::alert::{Episode, Reason};
use super::detector::Rule;
use super::diagnosis::Diagnosis;
use super::quantity::{count, seconds};

/// SNS takes fewer than 100 characters.
const SUBJECT_LENGTH: usize = 99;
/// Slack cuts a header off after this many characters.
const TITLE_LENGTH: usize = 150;
/// Slack takes 3,000 characters in a section; escaping may lengthen the text.
const DESCRIPTION_LENGTH: usize = 2_500;
/// One SMS in the GSM alphabet.
const SMS_LENGTH: usize = 140;
/// No name or evidence is longer; AWS's names have at most 64 characters.
const WORDS_LENGTH: usize = 4_000;

/// The name of the machine-readable form; its number rises when a field
/// changes its meaning or goes.
pub const SCHEMA: &str = "nearmiss.notification/1";

/// One notice in every form.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// One line of printable ASCII, at most 99 characters.
    pub subject: String,
    /// Plain text with line breaks.
    pub text: String,
    /// One line.
    pub sms: String,
    /// What Amazon Q Developer in chat applications takes.
    pub chat: Value,
    /// What programs take; see [`SCHEMA`].
    pub machine: Value,
}

impl Message {
    /// The notice in words.
    #[must_use]
    pub fn of(notice: &Notice) -> Self {
        let notice = &bounded(notice);
        let title = title(notice);
        Self {
            subject: shortened(&ascii(&title), SUBJECT_LENGTH, "..."),
            text: text(notice, &title),
            sms: shortened(&ascii(&format!("{title}. {}", notice.why())), SMS_LENGTH, "..."),
            chat: chat(notice, &title),
            machine: machine(notice),
        }
    }
}

/// The same notice with names and evidence of a length that fits everywhere.
fn bounded(notice: &Notice) -> Notice {
    let mut notice = notice.clone();
    let mut gateway = (*notice.gateway).clone();
    for text in [
        &mut gateway.id.name,
        &mut gateway.id.dimension,
        &mut notice.episode.evidence.why,
        &mut notice.episode.id,
    ] {
        *text = shortened(text, WORDS_LENGTH, "…");
    }
    notice.gateway = Arc::new(gateway);
    notice
}

/// An episode that is over, in figures.
#[must_use]
pub fn summary(episode: &Episode) -> String {
    let minutes = episode.last_breach.since(episode.began) + 1;
    let end = if episode.abandoned {
        "Then the load balancer was deleted, or the config no longer selects it.".to_owned()
    } else {
        format!("The last {} min with requests were quiet.", episode.quiet_minutes)
    };
    format!(
        "It lasted {minutes} min, from {} to {}; the worst was {}. Since it began, {} of {} requests were near misses and {} ended in 504. {end}",
        episode.began,
        episode.last_breach,
        episode.severity,
        count_of(episode.near_misses),
        count_of(episode.requests),
        count_of(episode.timeouts),
    )
}

/// What to do about a rule, most telling step first.
#[must_use]
pub fn next_steps(notice: &Notice) -> Vec<String> {
    let near = seconds(notice.gateway.near_seconds());
    let timeout = seconds(notice.gateway.timeout.seconds);
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
    match notice.rule() {
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
fn found(notice: &Notice) -> Option<&Diagnosis> {
    notice.diagnosis.as_deref().filter(|diagnosis| !diagnosis.findings.is_empty())
}

fn title(notice: &Notice) -> String {
    let name = &notice.gateway.id.name;
    match notice.reason {
        Reason::Firing | Reason::Escalated => {
            let severity = notice.episode.severity.name().to_uppercase();
            format!("[{severity}] {name}: {}", notice.rule().headline())
        }
        Reason::Resolved if notice.episode.abandoned => {
            format!(
                "[CLOSED] {name}: no longer watched, last seen when {}",
                notice.rule().headline()
            )
        }
        Reason::Resolved => format!("[RESOLVED] {name}: {} no more", notice.rule().headline()),
    }
}

fn text(notice: &Notice, title: &str) -> String {
    let id = &notice.gateway.id;
    let mut lines = vec![title.to_owned(), String::new(), notice.why(), String::new()];
    if let Some(found) = found(notice) {
        lines.extend(["Why".to_owned(), found.headline()]);
        lines.extend(found.findings.first().into_iter().flat_map(|first| first.evidence.clone()));
        lines.push(String::new());
    }
    lines.push("Next steps".into());
    lines.extend(next_steps(notice).iter().enumerate().map(|(i, s)| format!("{}. {s}", i + 1)));
    lines.push(String::new());
    lines.push(format!("Load balancer  {} ({})", id.name, id.dimension));
    lines.push(format!("Region         {}", id.region));
    if !id.account.is_empty() {
        lines.push(format!("Account        {}", id.account));
    }
    lines.push(format!("Timeout        {}", timeout_words(notice)));
    let provisional = if notice.provisional { " (provisional: counts may still rise)" } else { "" };
    lines.push(format!("Minute         {}{provisional}", notice.at));
    lines.push(format!("Episode        {}", notice.episode.id));
    lines.join("\n")
}

fn timeout_words(notice: &Notice) -> String {
    let timeout = notice.gateway.timeout;
    let near = seconds(notice.gateway.near_seconds());
    match timeout.mismatch() {
        Some(idle) => format!(
            "{} by the config, but the load balancer's idle timeout is {}; near from {near}",
            seconds(timeout.seconds),
            seconds(idle)
        ),
        None => format!("{}; near from {near}", seconds(timeout.seconds)),
    }
}

fn chat(notice: &Notice, title: &str) -> Value {
    let id = &notice.gateway.id;
    let found = found(notice).map(|found| format!("\n*Why:* {}", slack(&found.headline())));
    let description = format!(
        "{}{}\n_{} · {} · timeout {}_",
        slack(&notice.why()),
        found.unwrap_or_default(),
        slack(&id.region),
        notice.at,
        slack(&timeout_words(notice)),
    );
    let steps: Vec<String> = next_steps(notice).iter().map(|s| slack(s)).collect();
    json!({
        "version": "1.0",
        "source": "custom",
        "id": notification_id(notice),
        "content": {
            "textType": "client-markdown",
            "title": shortened(&format!("{} {}", emoji(notice), slack(title)), TITLE_LENGTH, "…"),
            "description": shortened(&description, DESCRIPTION_LENGTH, "…"),
            "nextSteps": steps,
            "keywords": [notice.rule().name(), notice.episode.severity.name(), slack(&id.name)],
        },
        "metadata": {
            "threadId": notice.episode.id,
            "summary": shortened(&slack(title), TITLE_LENGTH, "…"),
            "eventType": format!("nearmiss.{}", notice.reason.name()),
            "relatedResources": [id.arn().unwrap_or_else(|| id.dimension.clone())],
            "additionalContext": {
                "gateway": id.name,
                "region": id.region,
                "severity": notice.episode.severity.name(),
                "rule": notice.rule().name(),
            },
        },
    })
}

fn machine(notice: &Notice) -> Value {
    let Notice { gateway, episode, .. } = notice;
    json!({
        "schema": SCHEMA,
        "id": notification_id(notice),
        "at": notice.at.to_string(),
        "provisional": notice.provisional,
        "reason": notice.reason.name(),
        "severity": episode.severity.name(),
        "rule": notice.rule().name(),
        "gateway": gateway.id,
        "timeout_seconds": gateway.timeout.seconds,
        "near_seconds": gateway.near_seconds(),
        "value": episode.evidence.value,
        "threshold": episode.evidence.threshold,
        "forecast_seconds": episode.evidence.forecast,
        "text": notice.why(),
        "next_steps": next_steps(notice),
        "causes": found(notice).map(|found| &found.findings),
        "episode": {
            "id": episode.id,
            "began": episode.began.to_string(),
            "ended": episode.ended.map(|minute| minute.to_string()),
            "requests": episode.requests,
            "near_misses": episode.near_misses,
            "timeouts": episode.timeouts,
            "rules": episode.rules.keys().map(|rule| rule.name()).collect::<Vec<_>>(),
        },
    })
}

/// The same for the same news, whoever computes it, so that a receiver can
/// recognise a second copy.
fn notification_id(notice: &Notice) -> String {
    format!("{}/{}/{}", notice.episode.id, notice.reason.name(), notice.episode.severity)
}

fn emoji(notice: &Notice) -> &'static str {
    use super::detector::Severity::{Critical, Info, Warning};
    match (notice.reason, notice.episode.severity) {
        (Reason::Resolved, _) => ":white_check_mark:",
        (_, Critical) => ":rotating_light:",
        (_, Warning) => ":warning:",
        (_, Info) => ":information_source:",
    }
}

#[allow(clippy::cast_precision_loss)] // for people; exact up to 2^53
fn count_of(number: u64) -> String {
    count(number as f64)
}

/// Text that Slack shows as it is: its three special characters escaped, and
/// no mention of a person or channel.
fn slack(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    escaped.replace('@', "@\u{200b}")
}

/// Printable ASCII on one line.
fn ascii(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

/// At most `length` characters, the last of them `mark` when it was longer.
fn shortened(text: &str, length: usize, mark: &str) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    let keep = length.saturating_sub(mark.chars().count());
    text.chars().take(keep).chain(mark.chars()).collect()
}
