//! Who is notified, when alerts are muted, and what else is sent: `[[route]]`,
//! `[[maintenance]]`, `[digest]`, `[watcher]`. The tables of `[sink]` are the sinks' own.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::settings::names::RoleArn;
use crate::settings::schedule::{Schedule, Zone, by_the_hour, by_the_minute, by_the_minute_if_any};
use crate::sink::{self, InlineTopic, Target, TopicArn};
use nearmiss_core::alerting::{Matcher, Repeat, Route, Window};
use nearmiss_core::detect::{Rule, Severity};
use nearmiss_core::gateway::Kind;
use nearmiss_core::number::quantity::Span;
use nearmiss_core::pattern::{Pattern, Tags};
use nearmiss_core::time::Minute;

/// `[[route]]`: alerts that go to a receiver of their own.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawRoute")]
pub struct RouteTo {
    /// Which alerts.
    pub route: Route,
    /// The receiver.
    pub target: Target,
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
    topic_arn: Option<TopicArn>,
    role_arn: Option<RoleArn>,
    external_id: Option<String>,
    #[serde(default)]
    attributes: bool,
    chat_configuration: Option<String>,
    #[serde(default, deserialize_with = "sink::one")]
    sink: Option<Target>,
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
        let RawRoute { gateway, kind, tags, rules, sink, .. } = raw;
        let missing = || "missing field `topic_arn`".to_owned();
        if raw.topic_arn.is_none() && sink.is_none() {
            return Err(missing());
        }
        let topic = InlineTopic {
            topic_arn: raw.topic_arn,
            role_arn: raw.role_arn,
            external_id: raw.external_id,
            attributes: raw.attributes,
            chat_configuration: raw.chat_configuration,
        };
        let target = sink::named(topic, sink)?.ok_or_else(missing)?;
        let route = Route {
            matcher: Matcher { gateway, kind, tags, rules },
            at_least: raw.severity,
            receiver: target.receiver(),
            repeat: raw.repeat_interval,
            goes_on: raw.goes_on,
        };
        Ok(Self { route, target })
    }
}

/// `[[maintenance]]`: hours in which alerts are muted.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawMaintenance")]
pub struct Maintenance {
    /// Which alerts.
    pub matcher: Matcher,
    /// When it begins.
    pub schedule: Schedule,
    /// In which time zone.
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

/// The longest maintenance window: what is to be muted for longer is a silence.
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
    /// Its occurrences that overlap the last day before `now`, or this minute.
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
    /// In which time zone.
    pub timezone: Zone,
}

impl Default for Digests {
    /// Monday at nine.
    fn default() -> Self {
        Self { enabled: true, schedule: Schedule::monday_at_nine(), timezone: Zone::default() }
    }
}

/// `[watcher]`: what the daemon alerts on about itself, and whom it notifies.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawWatcher")]
pub struct Watcher {
    /// How long trouble must last before it alerts.
    pub after: Span,
    /// How often it sends a reminder of that.
    pub repeat_interval: Repeat,
    /// When it sends that it is alive; never without this.
    pub alive_schedule: Option<Schedule>,
    /// In which time zone.
    pub timezone: Zone,
    /// Whom it notifies, if not the receiver of everything else.
    pub target: Option<Target>,
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
    #[serde(deserialize_with = "sink::one")]
    sink: Option<Target>,
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
            sink: None,
        }
    }
}

impl Default for Watcher {
    fn default() -> Self {
        let RawWatcher { after, repeat_interval, timezone, .. } = RawWatcher::default();
        Self { after, repeat_interval, alive_schedule: None, timezone, target: None }
    }
}

impl TryFrom<RawWatcher> for Watcher {
    type Error = String;

    fn try_from(raw: RawWatcher) -> Result<Self, String> {
        let RawWatcher { after, repeat_interval, alive_schedule, timezone, .. } = raw;
        let topic = InlineTopic {
            topic_arn: raw.topic_arn,
            role_arn: raw.role_arn,
            external_id: raw.external_id,
            attributes: raw.attributes,
            chat_configuration: raw.chat_configuration,
        };
        let target = sink::named(topic, raw.sink)?;
        Ok(Self { after, repeat_interval, alive_schedule, timezone, target })
    }
}
