//! The configuration: TOML in, domain types out, or an error with line and column.
//!
//! A [`Config`] that exists is valid: every check is part of reading, so that
//! no later code has to doubt a value. Checks of single values are `try_from`
//! of the value's type, checks across keys are `try_from` of their table; both
//! keep the place in the file.

mod names;
mod notify;
mod schedule;
mod selection;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::analysis::chain;
use crate::analysis::detector::Detectors;
use crate::analysis::message::Links;
use crate::analysis::notify::{Desk, Receiver, Repeat, Route};
use crate::analysis::quantity::Span;
pub use names::{LoadBalancer, LoadBalancerArn, RoleArn, TopicArn};
pub use notify::{Digests, Maintenance, RouteTo, Sinks, Topic, Watcher};
pub use schedule::{Schedule, Zone};
pub use selection::{Selection, TimeoutSetting};

/// Everything that a config file says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How AWS is asked.
    #[serde(default)]
    pub aws: Aws,
    /// The HTTP listener.
    #[serde(default)]
    pub http: Http,
    /// When and how CloudWatch is asked.
    #[serde(default)]
    pub poll: Poll,
    /// How fast CloudWatch may be asked.
    #[serde(default)]
    pub quota: Quotas,
    /// How often load balancers are looked up.
    #[serde(default)]
    pub discovery: Discovery,
    /// What is watched; never empty.
    #[serde(rename = "gateway", default)]
    pub gateways: Vec<Selection>,
    /// The detectors' parameters.
    #[serde(default)]
    pub detector: Detectors,
    /// When episodes end.
    #[serde(default)]
    pub alert: Alert,
    /// Why episodes began.
    #[serde(default)]
    pub diagnosis: Diagnosing,
    /// Who is told.
    #[serde(default)]
    pub sink: Sinks,
    /// Who is told of certain alerts instead.
    #[serde(rename = "route", default)]
    pub routes: Vec<RouteTo>,
    /// When alerts are kept back.
    #[serde(default)]
    pub maintenance: Vec<Maintenance>,
    /// The capacity report.
    #[serde(default)]
    pub digest: Digests,
    /// What the daemon says of itself.
    #[serde(default)]
    pub watcher: Watcher,
    /// Where messages link to.
    #[serde(default, rename = "link")]
    pub links: Links,
    /// How the running daemon is spoken to.
    #[serde(default)]
    pub control: Control,
    /// What is remembered.
    #[serde(default)]
    pub state: State,
    /// The hops of services, from the client to the database.
    #[serde(rename = "chain", default)]
    pub chains: Vec<chain::Settings>,
}

/// `[aws]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Aws {
    /// A PEM file of the certificates to believe instead of this machine's, in all calls
    /// to AWS; `None` for `AWS_CA_BUNDLE`.
    #[serde(deserialize_with = "a_path")]
    pub ca_bundle: Option<PathBuf>,
}

fn a_path<'de, D: Deserializer<'de>>(value: D) -> Result<Option<PathBuf>, D::Error> {
    let text = String::deserialize(value)?;
    if text.is_empty() {
        return Err(D::Error::custom("expected the path of a PEM file, found \"\""));
    }
    Ok(Some(PathBuf::from(text)))
}

/// `[http]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Where `/metrics`, `/healthz` and `/readyz` are served.
    pub listen: Listen,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: Listen(SocketAddr::from(([127, 0, 0, 1], 9504))) }
    }
}

/// An address and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Listen(pub SocketAddr);

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parsed = text.parse().map(Self);
        parsed.map_err(|_| {
            format!("expected an address and a port (such as \"127.0.0.1:9504\"), found \"{text}\"")
        })
    }
}

/// `[poll]`
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawPoll")]
pub struct Poll {
    /// When to poll: cron with seconds, in UTC.
    pub schedule: Schedule,
    /// How long after its end a minute is first looked at. CloudWatch is still
    /// adding to it then; detectors bear that.
    pub delay: Span,
    /// How long after its end a minute is counted into the `_total` counters.
    /// Not shorter than `delay`.
    pub settle: Span,
    /// After this long a poll is given up, so that it never meets the next one.
    pub deadline: Span,
    /// How often a gateway is asked for that is far from its timeout. Whole
    /// minutes, from 1 to 15.
    pub calm_every: Span,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawPoll {
    schedule: Schedule,
    delay: Span,
    settle: Span,
    deadline: Span,
    calm_every: Span,
}

impl Default for RawPoll {
    fn default() -> Self {
        Self {
            schedule: Schedule::default(),
            delay: Span::seconds(60),
            settle: Span::seconds(120),
            deadline: Span::seconds(50),
            calm_every: Span::seconds(300),
        }
    }
}

impl Default for Poll {
    fn default() -> Self {
        let RawPoll { schedule, delay, settle, deadline, calm_every } = RawPoll::default();
        Self { schedule, delay, settle, deadline, calm_every }
    }
}

impl TryFrom<RawPoll> for Poll {
    type Error = String;

    fn try_from(raw: RawPoll) -> Result<Self, String> {
        let RawPoll { schedule, delay, settle, deadline, calm_every } = raw;
        if settle > Span::seconds(3600) {
            return Err(format!("expected settle up to 1h, found {}", String::from(settle)));
        }
        if settle < delay {
            return Err(format!(
                "expected settle to be at least delay ({}), found {}",
                String::from(delay),
                String::from(settle)
            ));
        }
        let seconds = calm_every.get().as_secs();
        if seconds % 60 != 0 || !(60..=900).contains(&seconds) {
            return Err(format!(
                "expected calm_every in whole minutes from 1m to 15m, found {}",
                String::from(calm_every)
            ));
        }
        Ok(Self { schedule, delay, settle, deadline, calm_every })
    }
}

/// `[quota]`: what the daemon may use of an account's CloudWatch quotas in each
/// Region. AWS allows 50 requests and 180,000 datapoints a second by default.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// `GetMetricData` requests a second.
    pub requests_per_second: NonZeroU32,
    /// Datapoints a second that requests could return.
    pub datapoints_per_second: NonZeroU32,
}

impl Default for Quotas {
    fn default() -> Self {
        let limit = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self { requests_per_second: limit(25), datapoints_per_second: limit(90_000) }
    }
}

/// `[discovery]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Discovery {
    /// How often load balancers, tags and idle timeouts are read again.
    pub refresh: Span,
}

impl Default for Discovery {
    fn default() -> Self {
        Self { refresh: Span::seconds(300) }
    }
}

/// `[alert]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alert {
    /// How long a gateway must be quiet, with traffic, before an episode ends.
    pub resolve_after: Span,
    /// When an episode that goes on is told again.
    pub repeat_interval: Repeat,
}

impl Default for Alert {
    fn default() -> Self {
        Self { resolve_after: Span::seconds(3600), repeat_interval: Repeat::default() }
    }
}

/// `[diagnosis]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Diagnosing {
    /// Whether the reason of an episode is looked for.
    pub enabled: bool,
    /// How long an alert may wait for it.
    pub deadline: Span,
}

impl Default for Diagnosing {
    fn default() -> Self {
        Self { enabled: true, deadline: Span::seconds(10) }
    }
}

/// `[control]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Control {
    /// The Unix socket on which `nearmiss silence` and `acknowledge` are heard.
    pub socket: PathBuf,
}

impl Default for Control {
    fn default() -> Self {
        Self { socket: PathBuf::from("/run/nearmiss/control.sock") }
    }
}

/// `[state]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct State {
    /// Where open episodes and the counters are kept over restarts.
    pub path: PathBuf,
}

impl Default for State {
    fn default() -> Self {
        Self { path: PathBuf::from("/var/lib/nearmiss/state.json") }
    }
}

/// Why a config cannot be used. `Display` is the whole story.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the config file {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file does not say what it should.
    #[error("{}:{line}:{column}: {message}\n{line:>5} | {text}\n      | {:>column$}", path.display(), "^")]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// What was expected and what was found.
        message: String,
        /// The line.
        text: String,
    },
}

impl Config {
    /// Reads a config file.
    ///
    /// # Errors
    /// When it cannot be read, or says something that cannot be used.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Reads the text of a config file; `path` is for messages.
    ///
    /// # Errors
    /// When it says something that cannot be used.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)
            .map_err(|error| invalid(text, path, error.span(), error.message()))?;
        if config.gateways.is_empty() {
            return Err(invalid(text, path, None, "expected at least one [[gateway]], found none"));
        }
        if let Some((arn, message)) = config.contradiction() {
            let at = text.rfind(arn).map(|at| at..at + arn.len());
            return Err(invalid(text, path, at, &message));
        }
        Ok(config)
    }

    /// A topic whose settings cannot work together, and why.
    fn contradiction(&self) -> Option<(&str, String)> {
        let topics: Vec<&Topic> = self.topics().collect();
        topics.iter().enumerate().find_map(|(number, topic)| {
            let arn = topic.topic_arn.as_str();
            let is_other = |known: &&Topic| known.topic_arn == topic.topic_arn && known != topic;
            let twice = topics[..number].iter().any(is_other).then(|| {
                format!(
                    "expected one role_arn, external_id, attributes and chat_configuration for the topic {arn}, found two"
                )
            });
            twice.or_else(|| topic.contradiction()).map(|why| (arn, why))
        })
    }

    /// Every topic that it names, some more than once.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        let routed = self.routes.iter().map(|to| &to.topic);
        self.sink.sns.iter().chain(routed).chain(self.watcher.topic.as_ref())
    }

    /// The configurations of Amazon Q Developer in chat applications that it names.
    #[must_use]
    pub fn chat_configurations(&self) -> BTreeSet<&str> {
        self.topics().filter_map(|topic| topic.chat_configuration.as_deref()).collect()
    }

    /// Where alerts go; nothing is quiet yet.
    #[must_use]
    pub fn desk(&self) -> Desk {
        let routes: Vec<Route> = self.routes.iter().map(|to| to.route.clone()).collect();
        Desk {
            routes,
            fallback: self.sink.sns.as_ref().map_or_else(Receiver::default, Topic::receiver),
            repeat: self.alert.repeat_interval,
            ..Desk::default()
        }
    }

    /// The tags of load balancers that alerts are routed or kept back by.
    #[must_use]
    pub fn asks_for_tags(&self) -> bool {
        let routed = self.routes.iter().map(|to| &to.route.matcher);
        let quiet = self.maintenance.iter().map(|window| &window.matcher);
        routed.chain(quiet).any(|matcher| !matcher.tags.is_empty())
    }
}

fn invalid(text: &str, path: &Path, span: Option<Range<usize>>, message: &str) -> ConfigError {
    let start = span.map_or(0, |span| span.start).min(text.len());
    let before = text.get(..start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    ConfigError::Invalid {
        path: path.to_owned(),
        line,
        column,
        message: message.trim_end().replace('\n', ", "),
        text: text.lines().nth(line - 1).unwrap_or_default().to_owned(),
    }
}
