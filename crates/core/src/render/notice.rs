//! Notifications of one episode.

use serde_json::{Value, json};

use crate::EpisodeNotification;
use crate::alerting::episode::{COMES_BACK, Episode, Returns};
use crate::alerting::notification_log::Reason;
use crate::detect::Severity;
use crate::diagnose::Diagnosis;
use crate::diagnose::cause::Cause;
use crate::gateway::Detail;
use crate::number::quantity::seconds;
use crate::render::console::{self, Curve};
use crate::render::escape;
use crate::render::link::{Links, Placeholder};
use crate::render::steps::{found, next_steps};
use crate::render::words::{MessageContent, RESOLVED, Why, emoji, length, number};

/// From this many minutes on a notification says that it is late.
const LATE: i64 = 30;
/// What a graph shows before and after, minutes.
const AROUND: i64 = 60;

/// The words of a notification of an episode.
pub fn words(notice: &EpisodeNotification, links: &Links) -> MessageContent {
    let EpisodeNotification { gateway, episode, reason, .. } = notice;
    let id = &gateway.id;
    let mut words = MessageContent::new("episode", reason.name(), episode.severity);
    words.id = notice.id();
    words.thread.clone_from(&episode.id);
    words.at = Some(notice.at);
    words.gateway = escape::name(&id.name);
    words.rule = notice.rule().name();
    words.emoji = match reason {
        Reason::Resolved if episode.abandoned => emoji(Severity::Info),
        Reason::Resolved => RESOLVED,
        _ => words.emoji,
    };
    words.title = title(notice);
    words.paragraphs = std::iter::once(why(notice)).chain(going_on(notice)).collect();
    words.why = found(notice).map(diagnosed);
    words.next_steps = next_steps(notice);
    words.facts = facts(notice);
    words.at_a_glance = vec![
        id.region.clone(),
        notice.notified.to_string(),
        format!("timeout {}", timeout_words(notice)),
    ];
    words.links = links.of(graph(notice), |placeholder| Some(value(notice, placeholder)));
    words.context = context(notice);
    words.resources = vec![id.arn().unwrap_or_else(|| id.dimension.clone())];
    words.machine = machine(notice);
    words
}

/// The evidence, or at the end the whole episode, in words.
#[must_use]
pub fn why(notice: &EpisodeNotification) -> String {
    match notice.reason {
        Reason::Firing | Reason::Escalated | Reason::Reminder => {
            notice.episode.evidence.why.clone() + estimated(notice)
        }
        Reason::Resolved => summary(notice) + estimated(notice),
    }
}

/// That near misses were not counted, where that is so.
fn estimated(notice: &EpisodeNotification) -> &'static str {
    match notice.gateway.detail {
        Detail::Percentiles => {
            " CloudWatch counts nothing between bounds here: there were at least as many near misses as percentiles show."
        }
        Detail::Figures | Detail::Histogram => "",
    }
}

/// An episode that is over, in figures.
fn summary(notice: &EpisodeNotification) -> String {
    let episode = &notice.episode;
    let end = if episode.abandoned {
        let one = notice.gateway.id.kind.spec().words.one;
        format!("Then the {one} was deleted, or the config no longer selects it.")
    } else {
        format!("The last {} min with requests were quiet.", number(episode.quiet_minutes))
    };
    let times = episode.returns.map_or(String::new(), |returns| format!(" {}", times(&returns)));
    format!(
        "It lasted {}, from {} to {}; the worst was {}.{times} {}. {end}",
        lasted(episode),
        episode.began,
        episode.last_breach,
        episode.severity,
        counts(notice),
    )
}

/// How long an episode that is over has lasted.
pub fn lasted(episode: &Episode) -> String {
    length(episode.last_breach.since(episode.began).saturating_add(1))
}

fn counts(notice: &EpisodeNotification) -> String {
    let episode = &notice.episode;
    format!(
        "Since it began, {} of {} requests were near misses and {} {}",
        number(episode.near_misses),
        number(episode.requests),
        number(episode.timeouts),
        notice.gateway.id.kind.spec().words.ended,
    )
}

/// Seconds since the Unix epoch in milliseconds, as Grafana counts.
pub fn milliseconds(seconds: i64) -> String {
    seconds.saturating_mul(1_000).to_string()
}

fn title(notice: &EpisodeNotification) -> String {
    let EpisodeNotification { episode, reason, .. } = notice;
    let name = escape::name(&notice.gateway.id.name);
    let headline = notice.rule().headline(&notice.gateway.id.kind.spec().words);
    let severity = episode.severity.name().to_uppercase();
    match reason {
        Reason::Firing | Reason::Escalated => format!("[{severity}] {name}: {headline}"),
        Reason::Reminder => {
            format!("[{severity}] {name}: still, after {}: {headline}", age(notice))
        }
        Reason::Resolved if episode.abandoned => {
            format!("[CLOSED] {name}: no longer watched; last seen: {headline}")
        }
        Reason::Resolved => {
            format!("[RESOLVED] {name}: over after {}: {headline}", lasted(episode))
        }
    }
}

/// How long an open episode goes on.
fn age(notice: &EpisodeNotification) -> String {
    length(notice.notified.since(notice.episode.began))
}

/// Since when it goes on, where it did not begin in the last minutes, and whether it came
/// back.
fn going_on(notice: &EpisodeNotification) -> Option<String> {
    let EpisodeNotification { episode, notified, .. } = notice;
    let (began, age) = (episode.began, age(notice));
    let said = match notice.reason {
        Reason::Firing if notified.since(began) >= LATE => {
            Some(format!("It has gone on since {began} ({age}) and is told here only now."))
        }
        Reason::Firing | Reason::Resolved => None,
        Reason::Escalated => {
            Some(format!("It became worse; it has gone on since {began} ({age})."))
        }
        Reason::Reminder => Some(format!(
            "It has gone on since {began} ({age}), last seen at {}. {}. This is reminder {}.",
            episode.last_breach,
            counts(notice),
            number(u64::from(notice.reminders) + 1),
        )),
    };
    let open = episode.returns.filter(|_| episode.is_open());
    let back = open.map(|returns| {
        let without = length(COMES_BACK);
        format!("{} It stays open until {without} have passed without it.", times(&returns))
    });
    let said: Vec<String> = said.into_iter().chain(back).collect();
    (!said.is_empty()).then(|| said.join(" "))
}

/// How often something came that comes back.
fn times(returns: &Returns) -> String {
    format!("It has come {} times since {}.", number(returns.times), returns.first)
}

fn diagnosed(found: &Diagnosis) -> Why {
    let evidence = found.findings.first().map(|first| first.evidence.clone());
    Why { headline: found.headline(), evidence: evidence.unwrap_or_default() }
}

fn facts(notice: &EpisodeNotification) -> Vec<(&'static str, String)> {
    let id = &notice.gateway.id;
    let provisional = if notice.provisional { " (provisional: counts may still rise)" } else { "" };
    let mut facts = vec![
        (id.kind.spec().words.label, format!("{} ({})", escape::name(&id.name), id.dimension)),
        ("Region", id.region.clone()),
    ];
    if !id.account.is_empty() {
        facts.push(("Account", id.account.clone()));
    }
    facts.extend([
        ("Timeout", timeout_words(notice)),
        ("Told", format!("{}{provisional}", notice.notified)),
        ("Episode", notice.episode.id.clone()),
    ]);
    facts
}

fn timeout_words(notice: &EpisodeNotification) -> String {
    let timeout = notice.gateway.timeout;
    let near = seconds(notice.gateway.near_seconds());
    let words = &notice.gateway.id.kind.spec().words;
    match timeout.mismatch() {
        Some(own) => format!(
            "{} by the config, but the {}'s {} is {}; near from {near}",
            seconds(timeout.seconds),
            words.one,
            words.timeout,
            seconds(own)
        ),
        None => format!("{}; near from {near}", seconds(timeout.seconds)),
    }
}

/// The slowest answers and the 504s, from an hour before.
fn graph(notice: &EpisodeNotification) -> Option<String> {
    let EpisodeNotification { gateway, episode, at, .. } = notice;
    let spec = gateway.id.kind.spec();
    let curve = |metric, statistic, axis| Curve { id: &gateway.id, metric, statistic, axis };
    console::graph(
        &gateway.id.region,
        episode.began.plus(-AROUND),
        at.plus(AROUND),
        &[curve(spec.latency.metric, "p99", "left"), curve(spec.timeouts.metric, "Sum", "right")],
    )
}

fn value(notice: &EpisodeNotification, placeholder: Placeholder) -> String {
    let EpisodeNotification { gateway, episode, notified, .. } = notice;
    match placeholder {
        Placeholder::Gateway => gateway.id.name.clone(),
        Placeholder::Dimension => gateway.id.dimension.clone(),
        Placeholder::Region => gateway.id.region.clone(),
        Placeholder::Account => gateway.id.account.clone(),
        Placeholder::Rule => notice.rule().name().to_owned(),
        Placeholder::Severity => episode.severity.name().to_owned(),
        Placeholder::Cause => cause(notice).unwrap_or("unknown").to_owned(),
        Placeholder::Began => milliseconds(episode.began.start()),
        Placeholder::Now => milliseconds(notified.end()),
    }
}

/// The name of the most probable cause, where one was found.
pub fn cause(notice: &EpisodeNotification) -> Option<&'static str> {
    found(notice)?.cause().map(Cause::name)
}

fn context(notice: &EpisodeNotification) -> Vec<(&'static str, String)> {
    let id = &notice.gateway.id;
    let mut context = vec![
        ("region", id.region.clone()),
        ("account", id.account.clone()),
        ("dimension", if id.dimension == id.name { String::new() } else { id.dimension.clone() }),
        ("began", notice.episode.began.to_string()),
    ];
    context.extend(cause(notice).map(|cause| ("cause", cause.to_owned())));
    context
}

fn machine(notice: &EpisodeNotification) -> Value {
    let EpisodeNotification { gateway, episode, .. } = notice;
    json!({
        "provisional": notice.provisional,
        "gateway": gateway.id,
        "timeout_seconds": gateway.timeout.seconds,
        "near_seconds": gateway.near_seconds(),
        "value": episode.evidence.value,
        "threshold": episode.evidence.threshold,
        "forecast_seconds": episode.evidence.forecast,
        "causes": found(notice).map(|found| &found.findings),
        "reminders": notice.reminders,
        "episode": {
            "id": escape::id(&episode.id),
            "began": episode.began.to_string(),
            "ended": episode.ended.map(|minute| minute.to_string()),
            "times": episode.returns.map_or(1, |returns| returns.times),
            "requests": episode.requests,
            "near_misses": episode.near_misses,
            "timeouts": episode.timeouts,
            "rules": episode.rules.keys().map(|rule| rule.name()).collect::<Vec<_>>(),
        },
    })
}
