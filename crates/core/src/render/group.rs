//! The same notification of many gateways, as one message.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::EpisodeNotification;
use crate::alerting::notification_log::Reason;
use crate::detect::{Rule, Severity};
use crate::gateway::Kind;
use crate::notification::Group;
use crate::render::console::{self, Curve};
use crate::render::link::{Links, Placeholder};
use crate::render::notice::{cause, lasted, milliseconds};
use crate::render::words::{LISTED, List, MACHINE, MessageContent, RESOLVED, number, things};
use crate::render::{escape, fit};
use crate::time::Minute;

/// At most this many members are in the machine form, and in at most this many bytes.
const MEMBERS: usize = 500;
const MEMBERS_BYTES: usize = MACHINE * 2 / 3;
/// A graph shows the 504s of at most this many gateways, the worst first.
const CURVES: usize = 5;
/// And this many minutes before and after.
const AROUND: i64 = 60;

/// What all members, or most of them, have in common.
struct Common<'a> {
    region: Option<&'a str>,
    account: Option<&'a str>,
    /// Of the most members, and whether of all.
    rule: Rule,
    has_one_rule: bool,
    /// Of the most among the worst members.
    worst_rule: Rule,
    cause: Option<&'a str>,
    severity: Severity,
    began: Minute,
    last_began: Minute,
    abandoned: usize,
}

/// The words of a group.
pub fn words(group: &Group, links: &Links) -> MessageContent {
    let common = Common::of(group);
    let mut words = MessageContent::new("group", group.reason.name(), common.severity);
    words.id.clone_from(&group.id);
    words.thread.clone_from(&group.id);
    words.at = Some(group.at);
    words.gateway = "many".into();
    words.rule = common.rule.name();
    if group.reason == Reason::Resolved {
        words.emoji = RESOLVED;
    }
    words.title = title(group, &common);
    words.paragraphs = vec![what(group, &common)];
    words.list = List {
        lines: group.notices.iter().take(LISTED).map(|notice| line(notice, &common)).collect(),
        total: group.notices.len(),
    };
    words.next_steps = next_steps(group);
    words.facts = facts(group, &common);
    words.at_a_glance = common.place().chain([group.at.to_string()]).collect();
    words.links = links.of(graph(group, &common), |placeholder| value(group, &common, placeholder));
    words.context = vec![
        ("gateways", group.notices.len().to_string()),
        ("region", common.region.unwrap_or_default().to_owned()),
        ("account", common.account.unwrap_or_default().to_owned()),
    ];
    words.resources = group.notices.iter().filter_map(|n| n.gateway.id.arn()).take(5).collect();
    words.machine = machine(group, &common);
    words
}

impl<'a> Common<'a> {
    fn of(group: &'a Group) -> Self {
        let notices = &group.notices;
        let severity = notices.iter().map(|n| n.episode.severity).max().unwrap_or(Severity::Info);
        let rules = counted(notices.iter().map(EpisodeNotification::rule));
        let worst = notices.iter().filter(|notice| notice.episode.severity == severity);
        let worst_rules = counted(worst.map(EpisodeNotification::rule));
        let began = || notices.iter().map(|notice| notice.episode.began);
        Self {
            region: same(notices.iter().map(|notice| notice.gateway.id.region.as_str())),
            account: same(notices.iter().map(|notice| notice.gateway.id.account.as_str())),
            rule: commonest(&rules),
            has_one_rule: rules.len() == 1,
            worst_rule: commonest(&worst_rules),
            cause: same(notices.iter().map(|notice| cause(notice).unwrap_or_default())),
            severity,
            began: began().min().unwrap_or(group.at),
            last_began: began().max().unwrap_or(group.at),
            abandoned: notices.iter().filter(|notice| notice.episode.abandoned).count(),
        }
    }

    /// The Region and the account, where they are the same for all.
    fn place(&self) -> impl Iterator<Item = String> {
        let region = self.region.map(ToOwned::to_owned);
        region.into_iter().chain(self.account.map(|account| format!("account {account}")))
    }
}

/// The value that all have, unless it is empty.
fn same<'a>(mut values: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let first = values.next().filter(|first| !first.is_empty())?;
    values.all(|value| value == first).then_some(first)
}

fn counted<T: Ord>(values: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    counts
}

/// The later rule where two are equally common: it matters more.
fn commonest(rules: &BTreeMap<Rule, usize>) -> Rule {
    let most = rules.iter().max_by_key(|(rule, count)| (**count, **rule));
    most.map_or(Rule::NearMiss, |(rule, _)| *rule)
}

fn title(group: &Group, common: &Common<'_>) -> String {
    let gateways = things(group.notices.len(), "gateway");
    let severity = common.severity.name().to_uppercase();
    let (tag, said) = match group.reason {
        Reason::Firing | Reason::Escalated => (severity.as_str(), ""),
        Reason::Reminder => (severity.as_str(), "still: "),
        Reason::Resolved if common.abandoned == group.notices.len() => {
            ("CLOSED", "no longer watched; last seen: ")
        }
        Reason::Resolved => ("RESOLVED", "over: "),
    };
    let other = if common.has_one_rule { "" } else { ", and other trouble" };
    let place: Vec<String> = common.place().map(|place| escape::name(&place)).collect();
    let place = if place.is_empty() { String::new() } else { format!(" ({})", place.join(", ")) };
    let first = group.notices.first().map_or(Kind::default(), |notice| notice.gateway.id.kind);
    let headline = common.worst_rule.headline(&first.spec().words);
    format!("[{tag}] {gateways}: {said}{headline}{other}{place}")
}

fn what(group: &Group, common: &Common<'_>) -> String {
    let gateways = things(group.notices.len(), "gateway");
    match group.reason {
        Reason::Firing if group.earlier > 0 => format!(
            "{gateways} began to have trouble at about the same time; {} more began in the five minutes before and were told already.",
            number(group.earlier)
        ),
        Reason::Firing => format!("{gateways} began to have trouble at about the same time."),
        Reason::Escalated => {
            format!("The trouble of {gateways} became worse at about the same time.")
        }
        Reason::Reminder => format!("{gateways} still have trouble."),
        Reason::Resolved if common.abandoned > 0 => format!(
            "The trouble of {gateways} is over; {} of them are no longer watched.",
            number(common.abandoned)
        ),
        Reason::Resolved => format!("The trouble of {gateways} is over."),
    }
}

/// `checkout: critical, at_limit`, and where it is unless that is the same for all.
fn line(notice: &EpisodeNotification, common: &Common<'_>) -> String {
    let id = &notice.gateway.id;
    let severity = notice.episode.severity;
    let mut line = format!("{}: {severity}, {}", escape::name(&id.name), notice.rule());
    match notice.reason {
        Reason::Resolved if notice.episode.abandoned => line.push_str(", no longer watched"),
        Reason::Resolved => line.push_str(&format!(", over after {}", lasted(&notice.episode))),
        Reason::Firing | Reason::Escalated | Reason::Reminder => {}
    }
    if common.region.is_none() {
        line.push_str(&format!(", {}", escape::name(&id.region)));
    }
    if common.account.is_none() && !id.account.is_empty() {
        line.push_str(&format!(", account {}", escape::name(&id.account)));
    }
    line
}

fn next_steps(group: &Group) -> Vec<String> {
    if group.reason == Reason::Resolved {
        return vec!["Nothing to do now. If it comes back, look for what they share.".into()];
    }
    let worst = group.notices.first();
    let worst = worst.map(|notice| {
        format!("Then look at each, the worst first: {}.", escape::name(&notice.gateway.id.name))
    });
    let shared = "Look for what they share before you look at each: a database, an Availability Zone, a deployment, a security group.";
    std::iter::once(shared.to_owned()).chain(worst).collect()
}

fn facts(group: &Group, common: &Common<'_>) -> Vec<(&'static str, String)> {
    let severities = counted(group.notices.iter().map(|notice| notice.episode.severity));
    let rules = counted(group.notices.iter().map(EpisodeNotification::rule));
    let severities =
        severities.iter().rev().map(|(severity, n)| format!("{} {severity}", number(*n)));
    let rules = rules.iter().rev().map(|(rule, n)| format!("{} {rule}", number(*n)));
    let mut facts = vec![
        ("Severities", severities.collect::<Vec<_>>().join(", ")),
        ("Rules", rules.collect::<Vec<_>>().join(", ")),
    ];
    facts.extend(common.region.map(|region| ("Region", region.to_owned())));
    facts.extend(common.account.map(|account| ("Account", account.to_owned())));
    let began = if common.began == common.last_began {
        common.began.to_string()
    } else {
        format!("{} to {}", common.began, common.last_began)
    };
    facts.extend([("Began", began), ("Told", group.at.to_string())]);
    facts
}

/// The 504s of the worst, where one console can show them.
fn graph<'a>(group: &'a Group, common: &Common<'_>) -> Option<String> {
    let curve = |notice: &'a EpisodeNotification| Curve {
        id: &notice.gateway.id,
        metric: notice.gateway.id.kind.spec().timeouts.metric,
        statistic: "Sum",
        axis: "left",
    };
    let curves: Vec<Curve<'_>> = group.notices.iter().take(CURVES).map(curve).collect();
    let (from, until) = (common.began.plus(-AROUND), group.at.plus(AROUND));
    console::graph(common.region?, from, until, &curves)
}

/// What is the same for all of them.
fn value(group: &Group, common: &Common<'_>, placeholder: Placeholder) -> Option<String> {
    match placeholder {
        Placeholder::Gateway | Placeholder::Dimension => None,
        Placeholder::Cause => Some(common.cause.unwrap_or("unknown").to_owned()),
        Placeholder::Region => common.region.map(ToOwned::to_owned),
        Placeholder::Account => common.account.map(ToOwned::to_owned),
        Placeholder::Rule => common.has_one_rule.then(|| common.rule.name().to_owned()),
        Placeholder::Severity => Some(common.severity.name().to_owned()),
        Placeholder::Began => Some(milliseconds(common.began.start())),
        Placeholder::Now => Some(milliseconds(group.at.end())),
    }
}

fn machine(group: &Group, common: &Common<'_>) -> Value {
    let members = members(group);
    json!({
        "total": group.notices.len(),
        "earlier": group.earlier,
        "region": common.region,
        "account": common.account,
        "began": common.began.to_string(),
        "listed": members.len(),
        "members": members,
    })
}

/// As many members as there is room for.
fn members(group: &Group) -> Vec<Value> {
    let mut left = MEMBERS_BYTES;
    let member = |notice: &EpisodeNotification| {
        json!({
            "id": escape::id(&notice.id()),
            "gateway": escape::name(&notice.gateway.id.name),
            "severity": notice.episode.severity.name(),
            "rule": notice.rule().name(),
        })
    };
    let fits = |member: &Value| {
        let bytes = fit::bytes(member);
        let fits = bytes <= left;
        left = left.saturating_sub(bytes);
        fits
    };
    group.notices.iter().take(MEMBERS).map(member).take_while(fits).collect()
}
