//! Who is told, when not, and what else is sent: `[sink.sns]`, `[[route]]`,
//! `[[maintenance]]`, `[digest]`, `[watcher]`.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::settings::names::{RoleArn, TopicArn};
use crate::settings::schedule::{Schedule, Zone, by_the_hour, by_the_minute, by_the_minute_if_any};
use nearmiss_core::alerting::{Matcher, Receiver, Repeat, Route, Window};
use nearmiss_core::detect::{Rule, Severity};
use nearmiss_core::gateway::Kind;
use nearmiss_core::number::quantity::Span;
use nearmiss_core::pattern::{Pattern, Tags};
use nearmiss_core::time::Minute;

/// A topic, and how to publish to it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// The topic.
    pub topic_arn: TopicArn,
    /// A role to publish with, where the topic is another account's.
    #[serde(default)]
    pub role_arn: Option<RoleArn>,
    /// The role's external id.
    #[serde(default)]
    pub external_id: Option<String>,
    /// Whether messages carry attributes for filter policies. Every subscriber then
    /// gets the JSON for programs: SNS takes attributes or a text for each protocol.
    #[serde(default)]
    pub attributes: bool,
    /// The configuration of Amazon Q Developer in chat applications whose channel
    /// the messages must reach.
    #[serde(default)]
    pub chat_configuration: Option<String>,
}

impl Topic {
    /// Why its settings cannot work together, if they cannot.
    #[must_use]
    pub fn contradiction(&self) -> Option<String> {
        let is_for_programs = self.attributes || self.receiver().is_for_programs();
        let name = self.chat_configuration.as_ref().filter(|_| is_for_programs)?;
        Some(format!(
            "expected no chat_configuration, found \"{name}\": a FIFO topic, or one with attributes, reaches no chat channel"
        ))
    }

    /// Who receives what is published there.
    #[must_use]
    pub fn receiver(&self) -> Receiver {
        Receiver::topic(self.topic_arn.as_str())
    }
}

/// `[sink]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sinks {
    /// Amazon SNS. Without it, what no route takes goes to the log alone.
    pub sns: Option<Topic>,
}

/// `[[route]]`: alerts that go to a topic of their own.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawRoute")]
pub struct RouteTo {
    /// Which alerts.
    pub route: Route,
    /// Where to.
    pub topic: Topic,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRoute {
    gateway: Option<Pattern>,
    kind: Option<Kind>,
    #[serde(default)]
    tags: Tags,
    #[serde(default)]
    rules: BTreeSet<Rule>,
    #[serde(default = "info")]
    severity: Severity,
    topic_arn: TopicArn,
    role_arn: Option<RoleArn>,
    external_id: Option<String>,
    #[serde(default)]
    attributes: bool,
    chat_configuration: Option<String>,
    repeat_interval: Option<Repeat>,
    #[serde(default, rename = "continue")]
    goes_on: bool,
}

fn info() -> Severity {
    Severity::Info
}

impl TryFrom<RawRoute> for RouteTo {
    type Error = String;

    fn try_from(raw: RawRoute) -> Result<Self, String> {
        let RawRoute { gateway, kind, tags, rules, topic_arn, role_arn, external_id, .. } = raw;
        let topic = Topic {
            topic_arn,
            role_arn,
            external_id,
            attributes: raw.attributes,
            chat_configuration: raw.chat_configuration,
        };
        let route = Route {
            matcher: Matcher { gateway, kind, tags, rules },
            at_least: raw.severity,
            receiver: topic.receiver(),
            repeat: raw.repeat_interval,
            goes_on: raw.goes_on,
        };
        Ok(Self { route, topic })
    }
}

/// `[[maintenance]]`: hours in which alerts are kept back.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawMaintenance")]
pub struct Maintenance {
    /// Which alerts.
    pub matcher: Matcher,
    /// When it begins.
    pub schedule: Schedule,
    /// In whose time.
    pub timezone: Zone,
    /// How long it lasts.
    pub duration: Span,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMaintenance {
    #[serde(deserialize_with = "by_the_minute")]
    schedule: Schedule,
    #[serde(default)]
    timezone: Zone,
    #[serde(deserialize_with = "super::a_minute_or_more")]
    duration: Span,
    gateway: Option<Pattern>,
    kind: Option<Kind>,
    #[serde(default)]
    tags: Tags,
    #[serde(default)]
    rules: BTreeSet<Rule>,
}

/// No maintenance lasts longer: what is to be quiet for longer is a silence.
const LONGEST_MAINTENANCE: u64 = 7 * 86_400;

impl TryFrom<RawMaintenance> for Maintenance {
    type Error = String;

    fn try_from(raw: RawMaintenance) -> Result<Self, String> {
        let RawMaintenance { schedule, timezone, duration, gateway, kind, tags, rules } = raw;
        if duration > Span::seconds(LONGEST_MAINTENANCE) {
            return Err(format!(
                "expected a duration up to 7days, found {}: use `nearmiss silence` for longer",
                String::from(duration)
            ));
        }
        let matcher = Matcher { gateway, kind, tags, rules };
        Ok(Self { matcher, schedule, timezone, duration })
    }
}

impl Maintenance {
    /// Its occurrences that touch the last day before `now`, or this minute.
    #[must_use]
    pub fn windows(&self, now: Minute) -> Vec<Window> {
        let lasts = self.duration.minutes();
        let from = now.plus(-lasts - 24 * 60).start();
        let starts = self.schedule.between(from, now.end(), self.timezone);
        let window = |start: i64| {
            let from = Minute::containing(start);
            Window { matcher: self.matcher.clone(), from, until: from.plus(lasts) }
        };
        starts.into_iter().map(window).collect()
    }
}

/// `[digest]`: the capacity report.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Digests {
    /// Whether it is sent.
    pub enabled: bool,
    /// When.
    #[serde(deserialize_with = "by_the_hour")]
    pub schedule: Schedule,
    /// In whose time.
    pub timezone: Zone,
}

impl Default for Digests {
    /// Monday at nine.
    fn default() -> Self {
        Self { enabled: true, schedule: Schedule::monday_at_nine(), timezone: Zone::default() }
    }
}

/// `[watcher]`: what the daemon says of itself, and to whom.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawWatcher")]
pub struct Watcher {
    /// How long it must be in trouble before it says so.
    pub after: Span,
    /// How often it says so again.
    pub repeat_interval: Repeat,
    /// When it says that it is alive; not at all without it.
    pub alive_schedule: Option<Schedule>,
    /// In whose time.
    pub timezone: Zone,
    /// Whom it tells, if not whom everything else is told.
    pub topic: Option<Topic>,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawWatcher {
    after: Span,
    repeat_interval: Repeat,
    #[serde(deserialize_with = "by_the_minute_if_any")]
    alive_schedule: Option<Schedule>,
    timezone: Zone,
    topic_arn: Option<TopicArn>,
    role_arn: Option<RoleArn>,
    external_id: Option<String>,
    attributes: bool,
    chat_configuration: Option<String>,
}

impl Default for RawWatcher {
    fn default() -> Self {
        Self {
            after: Span::seconds(900),
            repeat_interval: Repeat::default(),
            alive_schedule: None,
            timezone: Zone::default(),
            topic_arn: None,
            role_arn: None,
            external_id: None,
            attributes: false,
            chat_configuration: None,
        }
    }
}

impl Default for Watcher {
    fn default() -> Self {
        let RawWatcher { after, repeat_interval, timezone, .. } = RawWatcher::default();
        Self { after, repeat_interval, alive_schedule: None, timezone, topic: None }
    }
}

impl TryFrom<RawWatcher> for Watcher {
    type Error = String;

    fn try_from(raw: RawWatcher) -> Result<Self, String> {
        let RawWatcher { after, repeat_interval, alive_schedule, timezone, .. } = raw;
        let topic = match raw.topic_arn {
            Some(topic_arn) => Some(Topic {
                topic_arn,
                role_arn: raw.role_arn,
                external_id: raw.external_id,
                attributes: raw.attributes,
                chat_configuration: raw.chat_configuration,
            }),
            None if raw.role_arn.is_some()
                || raw.external_id.is_some()
                || raw.attributes
                || raw.chat_configuration.is_some() =>
            {
                return Err(
                    "expected topic_arn beside role_arn, external_id, attributes and chat_configuration: whom to tell"
                        .into(),
                );
            }
            None => None,
        };
        Ok(Self { after, repeat_interval, alive_schedule, timezone, topic })
    }
}
