//! The configuration: TOML in, valid types out, or an error with line and column.
//!
//! A [`Config`] that exists is valid: every check is part of reading, so no later code has
//! to doubt a value. Checks of single values are `try_from` of the value's type, checks
//! across keys are `try_from` of their table; both keep the place in the file.

mod notify;
mod selection;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};

pub use crate::settings::metrics::{Dropped, Metrics, TagLabels};
pub use crate::settings::names::{GatewayArn, RoleArn, Selector};
pub use crate::settings::schedule::{Schedule, Zone};
pub use crate::settings::{Aws, Quotas};
use crate::sink::{self, Target};
use nearmiss_core::alerting::{Receiver, Repeat, Route, Router};
use nearmiss_core::chain;
use nearmiss_core::detect::Detectors;
use nearmiss_core::late::Rules;
use nearmiss_core::number::quantity::Span;
use nearmiss_core::render::Links;
pub use notify::{Digests, Maintenance, RouteTo, Watcher};
pub use selection::{Exclusion, Selection, TimeoutSetting};

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
    /// What is on the metrics page besides the figures.
    #[serde(default)]
    pub metrics: Metrics,
    /// When and how CloudWatch is asked.
    #[serde(default)]
    pub poll: Poll,
    /// How fast CloudWatch may be asked.
    #[serde(default)]
    pub quota: Quotas,
    /// How often gateways are listed.
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
    /// Whether and for how long the causes of episodes are looked for.
    #[serde(default)]
    pub diagnosis: Diagnosing,
    /// Where notifications go. Without it, what no route takes goes to the log alone.
    #[serde(default, deserialize_with = "sink::one")]
    pub sink: Option<Target>,
    /// Where certain alerts go instead.
    #[serde(rename = "route", default)]
    pub routes: Vec<RouteTo>,
    /// When alerts are muted.
    #[serde(default)]
    pub maintenance: Vec<Maintenance>,
    /// The capacity report.
    #[serde(default)]
    pub digest: Digests,
    /// What the daemon alerts on about itself.
    #[serde(default)]
    pub watcher: Watcher,
    /// Where messages link to.
    #[serde(default, rename = "link")]
    pub links: Links,
    /// How commands reach the running daemon.
    #[serde(default)]
    pub control: Control,
    /// Where the state is kept.
    #[serde(default)]
    pub state: State,
    /// The hops of services, from the client to the database.
    #[serde(rename = "chain", default)]
    pub chains: Vec<chain::Settings>,
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
    /// How long after its end a minute is first assessed. CloudWatch is still adding to it
    /// then; the detectors allow for that.
    pub delay: Span,
    /// How long after its end a minute is counted into the `_total` counters.
    /// Not shorter than `delay`.
    pub settle: Span,
    /// When a poll is given up, counted from its tick, so that it never overlaps the next
    /// one.
    pub deadline: Span,
    /// How often a gateway that is polled slowly is read. Whole minutes, from 1 to 15.
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
        if !(Span::seconds(1)..=Span::seconds(600)).contains(&deadline) {
            return Err(format!(
                "expected a deadline from 1s to 10m, found {}",
                String::from(deadline)
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

/// Reads a duration of at least a minute.
fn a_minute_or_more<'de, D: Deserializer<'de>>(from: D) -> Result<Span, D::Error> {
    let span = Span::deserialize(from)?;
    if span < Span::seconds(60) {
        let found = String::from(span);
        return Err(serde::de::Error::custom(format!("expected at least 1m, found {found}")));
    }
    Ok(span)
}

/// Reads a path, which is not empty.
fn path<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
    let path = PathBuf::deserialize(from)?;
    if path.as_os_str().is_empty() {
        return Err(serde::de::Error::custom("expected a path, found \"\""));
    }
    Ok(path)
}

/// `[discovery]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Discovery {
    /// How often gateways, tags and timeouts are read again.
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
    /// How long a gateway must have traffic and no breach before an episode ends. At least
    /// a minute.
    #[serde(deserialize_with = "a_minute_or_more")]
    pub resolve_after: Span,
    /// When a receiver is reminded of an episode that goes on.
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
    /// Whether the cause of an episode is looked for.
    pub enabled: bool,
    /// How long an alert may wait for its cause.
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
    /// The Unix socket on which the daemon takes `nearmiss silence` and `acknowledge`.
    #[serde(deserialize_with = "path")]
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
    /// The file in which open episodes and the counters are kept over restarts.
    #[serde(deserialize_with = "path")]
    pub path: PathBuf,
}

impl Default for State {
    fn default() -> Self {
        Self { path: PathBuf::from("/var/lib/nearmiss/state.json") }
    }
}

/// Why a config cannot be used. `Display` is the complete message.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the config file {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file does not say what it should.
    #[error("{}:{line}:{column}: {message}\n{line:>5} | {text}\n      | {:>mark$}", path.display(), "^")]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// What was expected and what was found.
        message: String,
        /// The line, or the part of it that matters.
        text: String,
        /// The column of that part at which the fault is.
        mark: usize,
    },
}

impl Config {
    /// Reads a config file.
    ///
    /// # Errors
    /// When it cannot be read, or says something that cannot be used.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let fault = |source| ConfigError::Read { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(fault)?;
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(fault)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(fault(io::Error::other("it is larger than 1 MiB")));
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) => Self::parse(text, path),
            Err(problem) => {
                let text = String::from_utf8_lossy(&bytes);
                let at = problem.valid_up_to();
                let found = bytes.get(at).copied().unwrap_or_default();
                let message = format!("expected UTF-8, found the byte 0x{found:02x}");
                Err(invalid(&text, path, Some(at..at), &message))
            }
        }
    }

    /// Reads a config file again, while other work goes on: only a regular file is sure not
    /// to block its reader.
    ///
    /// # Errors
    /// As [`load`](Self::load), and when it is something else by now.
    pub fn load_again(path: &Path) -> Result<Self, ConfigError> {
        match std::fs::metadata(path) {
            Ok(file) if !file.is_file() => Err(ConfigError::Read {
                path: path.to_owned(),
                source: io::Error::other(
                    "it is no regular file, which is all that can be read again",
                ),
            }),
            _ => Self::load(path),
        }
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
        if let Some((receiver, message)) = config.contradiction() {
            let address = receiver.id.as_str();
            let at = text.rfind(address).map(|at| at..at + address.len());
            return Err(invalid(text, path, at, &message));
        }
        Ok(config)
    }

    /// A receiver whose settings contradict each other, and why.
    fn contradiction(&self) -> Option<(Receiver, String)> {
        let targets: Vec<&Target> = self.targets().collect();
        targets.iter().enumerate().find_map(|(number, target)| {
            let receiver = target.receiver();
            let is_other = |known: &&Target| known.receiver() == receiver && known != target;
            let found_two = targets[..number].iter().any(is_other).then(|| target.found_two());
            found_two.or_else(|| target.contradiction()).map(|why| (receiver, why))
        })
    }

    /// Every receiver that it names, some more than once.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        let routed = self.routes.iter().map(|to| &to.target);
        self.sink.iter().chain(routed).chain(self.watcher.target.as_ref())
    }

    /// Who is notified of what no route takes.
    #[must_use]
    pub fn fallback(&self) -> Receiver {
        self.sink.as_ref().map_or_else(Receiver::log, |target| target.receiver())
    }

    /// The configurations of Amazon Q Developer in chat applications that it names.
    #[must_use]
    pub fn chat_configurations(&self) -> BTreeSet<&str> {
        self.targets().filter_map(|target| target.chat_configuration()).collect()
    }

    /// How gateways are assessed.
    #[must_use]
    pub fn rules(&self) -> Rules<'_> {
        let resolve_after = u32::try_from(self.alert.resolve_after.minutes()).unwrap_or(u32::MAX);
        Rules { detectors: &self.detector, resolve_after }
    }

    /// The router for its alerts; nothing is muted yet.
    #[must_use]
    pub fn router(&self) -> Router {
        let routes: Vec<Route> = self.routes.iter().map(|to| to.route.clone()).collect();
        let repeat = self.alert.repeat_interval;
        Router { routes, fallback: self.fallback(), repeat, ..Router::default() }
    }

    /// Whether alerts are routed or muted by the tags of gateways, or tags are labels: then
    /// the tags of all gateways are read.
    #[must_use]
    pub fn asks_for_tags(&self) -> bool {
        let routed = self.routes.iter().map(|to| &to.route.matcher);
        let muted = self.maintenance.iter().map(|window| &window.matcher);
        let by_tags = routed.chain(muted).any(|matcher| !matcher.tags.is_empty());
        by_tags || !self.metrics.tag_labels.is_empty()
    }

    /// Whether tags of some gateway are read, so that a silence can match them.
    #[must_use]
    pub fn reads_tags(&self) -> bool {
        self.asks_for_tags() || self.gateways.iter().any(Selection::needs_tags)
    }
}

/// The largest config file, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// The most characters of a line that are shown, and of the message about it.
const MAX_SHOWN: usize = 160;
const MAX_SAID: usize = 600;

fn invalid(text: &str, path: &Path, span: Option<Range<usize>>, message: &str) -> ConfigError {
    let start = span.map_or(0, |span| span.start).min(text.len());
    let before = text.get(..start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    let whole = text.lines().nth(line - 1).unwrap_or_default();
    let message = said(&message.trim_end().replace('\n', ", "), whole);
    let (shown, mark) = shown(whole, column);
    ConfigError::Invalid { path: path.to_owned(), line, column, message, text: shown, mark }
}

/// A part of a line that is not too long, and the column in it to point at.
fn shown(line: &str, column: usize) -> (String, usize) {
    let skipped = column.saturating_sub(MAX_SHOWN / 2);
    if line.chars().count() <= MAX_SHOWN {
        return (line.to_owned(), column);
    }
    let part: String = line.chars().skip(skipped).take(MAX_SHOWN).collect();
    (part, column - skipped)
}

/// The parser's message, in the words of all other errors: what was expected.
fn said(message: &str, line: &str) -> String {
    let line = line.trim();
    let table = line.split(']').next().unwrap_or_default().trim_start_matches('[').trim();
    let said = match message {
        _ if message.starts_with("invalid type: map") && line.starts_with("[[") => {
            format!("expected [{table}], because there is only one, found [[{table}]]")
        }
        _ if message == "invalid type: map, expected a sequence" && line.starts_with('[') => {
            format!("expected [[{table}]], because there may be several, found [{table}]")
        }
        "duplicate key" => "expected each key once, found a duplicate key".to_owned(),
        _ => match message.strip_prefix("missing field ") {
            Some(field) => format!("expected {field}, which is missing"),
            None if message.contains("expected") => message.to_owned(),
            None => format!("expected TOML: {message}"),
        },
    };
    if said.chars().count() <= MAX_SAID {
        return said;
    }
    let all: Vec<char> = said.chars().collect();
    let (first, last) = (&all[..MAX_SAID / 2], &all[all.len() - MAX_SAID / 2..]);
    format!("{} ... {}", String::from_iter(first), String::from_iter(last))
}
