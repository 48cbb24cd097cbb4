//! The configuration: TOML in, domain types out, or an error with line and column.
//!
//! A [`Config`] that exists is valid: every check is part of reading, so that
//! no later code has to doubt a value. Checks of single values are `try_from`
//! of the value's type, checks across keys are `try_from` of their table; both
//! keep the place in the file.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use globset::{Glob, GlobMatcher};
use serde::Deserialize;

use crate::analysis::detector::Detectors;
use crate::analysis::gateway::Kind;
use crate::analysis::quantity::{Ratio, Span};

/// Everything that a config file says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
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
    /// Who is told.
    #[serde(default)]
    pub sink: Sinks,
    /// What is remembered.
    #[serde(default)]
    pub state: State,
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
            schedule: Schedule("0 * * * * *".into()),
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

/// A cron expression with a field for seconds, as tokio-cron-scheduler reads it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Schedule(String);

impl Schedule {
    /// The expression.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How often it ticks in a day (the one after the Unix epoch), at most once a
    /// second.
    #[must_use]
    pub fn ticks_per_day(&self) -> u64 {
        let day = chrono::Duration::days(1);
        let end = chrono::DateTime::UNIX_EPOCH + day;
        let ticks = parse_cron(&self.0).ok().map(|cron| {
            cron.iter_from(chrono::DateTime::UNIX_EPOCH, croner::Direction::Forward)
                .take_while(|tick| *tick < end)
                .count()
        });
        ticks.unwrap_or(0) as u64
    }

    /// How long it is from this time (seconds since the Unix epoch) to the next
    /// tick.
    #[must_use]
    pub fn pause_after(&self, now: i64) -> Duration {
        let now = chrono::DateTime::from_timestamp(now, 0).unwrap_or_default();
        let next = parse_cron(&self.0).ok().and_then(|cron| cron.iter_after(now).next());
        next.and_then(|next| (next - now).to_std().ok()).unwrap_or_default()
    }
}

fn parse_cron(text: &str) -> Result<croner::Cron, croner::errors::CronError> {
    croner::parser::CronParser::builder()
        .seconds(croner::parser::Seconds::Required)
        .dom_and_dow(true)
        .build()
        .parse(text)
}

impl TryFrom<String> for Schedule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match parse_cron(&text) {
            Ok(_) => Ok(Self(text)),
            Err(problem) => Err(format!(
                "expected a cron expression with six fields, seconds first (such as \"0 * * * * *\" for every minute), found \"{text}\": {problem}"
            )),
        }
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
}

impl Default for Alert {
    fn default() -> Self {
        Self { resolve_after: Span::seconds(900) }
    }
}

/// `[sink]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sinks {
    /// Amazon SNS. Without it, notifications go to the log alone.
    pub sns: Option<Sns>,
}

/// `[sink.sns]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sns {
    /// The topic.
    pub topic_arn: TopicArn,
    /// A role to publish with, where the topic is another account's.
    #[serde(default)]
    pub role_arn: Option<RoleArn>,
    /// The role's external id.
    #[serde(default)]
    pub external_id: Option<String>,
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

/// `[[gateway]]`: one load balancer, or all that match.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawSelection")]
pub struct Selection {
    /// What kind of gateway.
    pub kind: Kind,
    /// Which ones, by name or identity.
    pub load_balancer: LoadBalancer,
    /// Which ones, by tags: all of these must be there.
    pub tags: BTreeMap<String, String>,
    /// Their Region; `None` for the one of the standard AWS chain.
    pub region: Option<String>,
    /// The role to read them with; `None` for the daemon's own identity.
    pub role_arn: Option<RoleArn>,
    /// The role's external id.
    pub external_id: Option<String>,
    /// Where the timeout comes from.
    pub timeout: TimeoutSetting,
    /// The near ratio.
    pub near: Ratio,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSelection {
    #[serde(default = "alb")]
    kind: Kind,
    load_balancer: Option<LoadBalancer>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    region: Option<String>,
    role_arn: Option<RoleArn>,
    external_id: Option<String>,
    #[serde(default)]
    timeout: TimeoutSetting,
    #[serde(default = "near_default")]
    near: Ratio,
}

fn alb() -> Kind {
    Kind::Alb
}

fn near_default() -> Ratio {
    Ratio::try_from(0.8).unwrap_or_else(|_| unreachable!("0.8 is a ratio"))
}

impl TryFrom<RawSelection> for Selection {
    type Error = String;

    fn try_from(raw: RawSelection) -> Result<Self, String> {
        if raw.load_balancer.is_none() && raw.tags.is_empty() {
            return Err("expected load_balancer = \"...\" (an ARN, a name or a pattern) or tags = { key = \"value\" }, found neither".into());
        }
        if raw.external_id.is_some() && raw.role_arn.is_none() {
            return Err("expected role_arn beside external_id: it is the role's condition".into());
        }
        if raw.near.get() > 0.99 {
            return Err(format!("expected near up to 0.99, found {}", raw.near.get()));
        }
        let load_balancer = raw.load_balancer.unwrap_or(LoadBalancer::any()?);
        let region = match (&load_balancer, raw.region) {
            (LoadBalancer::Arn(arn), Some(region)) if arn.region != region => {
                return Err(format!(
                    "expected region = \"{}\", which is the ARN's, or none, found \"{region}\"",
                    arn.region
                ));
            }
            (LoadBalancer::Arn(arn), _) => Some(arn.region.clone()),
            (_, region) => region,
        };
        Ok(Self {
            kind: raw.kind,
            load_balancer,
            tags: raw.tags,
            region,
            role_arn: raw.role_arn,
            external_id: raw.external_id,
            timeout: raw.timeout,
            near: raw.near,
        })
    }
}

impl Selection {
    /// Whether everything about it stands in the config, so that Elastic Load
    /// Balancing need not be asked: the dimension value, and the timeout.
    #[must_use]
    pub fn is_explicit(&self) -> bool {
        let known = matches!(self.load_balancer, LoadBalancer::Arn(_) | LoadBalancer::Dimension(_));
        known && self.tags.is_empty() && matches!(self.timeout, TimeoutSetting::Fixed(_))
    }
}

/// As a person would name it.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "load_balancer \"{}\"", self.load_balancer)?;
        for (key, value) in &self.tags {
            write!(f, ", tag {key}={value}")?;
        }
        Ok(())
    }
}

/// How `load_balancer` names what it means.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub enum LoadBalancer {
    /// An ARN.
    Arn(LoadBalancerArn),
    /// A CloudWatch dimension value: `app/web/50dc6c495c0c9188`.
    Dimension(String),
    /// A name, or a pattern with `*`, `?`, `[...]` or `{a,b}`.
    Name(GlobMatcher),
}

impl LoadBalancer {
    fn any() -> Result<Self, String> {
        Self::try_from("*".to_owned())
    }

    /// Whether a load balancer with this name and dimension value is meant.
    #[must_use]
    pub fn matches(&self, name: &str, dimension: &str) -> bool {
        match self {
            Self::Arn(arn) => arn.dimension == dimension,
            Self::Dimension(value) => value == dimension,
            Self::Name(pattern) => pattern.is_match(name),
        }
    }
}

impl TryFrom<String> for LoadBalancer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.starts_with("arn:") {
            return LoadBalancerArn::parse(&text).map(Self::Arn);
        }
        if text.contains('/') {
            return dimension(&text).map(|value| Self::Dimension(value.to_owned()));
        }
        match Glob::new(&text) {
            Ok(glob) if !text.is_empty() => Ok(Self::Name(glob.compile_matcher())),
            Ok(_) => Err("expected a name, a pattern or an ARN, found \"\"".into()),
            Err(problem) => Err(format!(
                "expected a name or a pattern such as \"web-*\", found \"{text}\": {problem}"
            )),
        }
    }
}

impl fmt::Display for LoadBalancer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arn(arn) => f.write_str(&arn.text),
            Self::Dimension(value) => f.write_str(value),
            Self::Name(pattern) => f.write_str(pattern.glob().glob()),
        }
    }
}

/// `app/<name>/<id>`, or why not.
fn dimension(text: &str) -> Result<&str, String> {
    match text.split('/').collect::<Vec<_>>()[..] {
        ["app", name, id] if !name.is_empty() && !id.is_empty() => Ok(text),
        _ => Err(format!(
            "expected the dimension value of an Application Load Balancer (such as \"app/web/50dc6c495c0c9188\"), found \"{text}\""
        )),
    }
}

/// The ARN of an Application Load Balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadBalancerArn {
    /// As written.
    pub text: String,
    /// Its Region.
    pub region: String,
    /// Its account.
    pub account: String,
    /// Its CloudWatch dimension value.
    pub dimension: String,
}

impl LoadBalancerArn {
    /// Reads `arn:aws:elasticloadbalancing:REGION:ACCOUNT:loadbalancer/app/NAME/ID`.
    ///
    /// # Errors
    /// What was expected and what was found instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let tail = parts.get(5).and_then(|tail| tail.strip_prefix("loadbalancer/"));
        match (&parts[..], tail.map(dimension)) {
            (["arn", _, "elasticloadbalancing", region, account, _], Some(Ok(dimension)))
                if !region.is_empty() && !account.is_empty() =>
            {
                Ok(Self {
                    text: text.to_owned(),
                    region: (*region).to_owned(),
                    account: (*account).to_owned(),
                    dimension: dimension.to_owned(),
                })
            }
            _ => Err(format!(
                "expected an ARN such as \"arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/web/50dc6c495c0c9188\", found \"{text}\""
            )),
        }
    }
}

/// `timeout`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum TimeoutSetting {
    /// The load balancer's own idle timeout, followed when it changes.
    #[default]
    Auto,
    /// This one, whatever the load balancer says.
    Fixed(Span),
}

impl TryFrom<String> for TimeoutSetting {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        match Span::try_from(text) {
            Ok(span) if span.get().as_secs() == 0 => {
                Err("expected a timeout of at least 1s".into())
            }
            Ok(span) => Ok(Self::Fixed(span)),
            Err(problem) => Err(format!("{problem}; or \"auto\"")),
        }
    }
}

/// The ARN of an SNS topic.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TopicArn {
    text: String,
    region: String,
}

impl TopicArn {
    /// The ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The Region that it must be published in.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }
}

impl TryFrom<String> for TopicArn {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split(':').collect::<Vec<_>>()[..] {
            ["arn", _, "sns", region, account, name]
                if !region.is_empty() && !account.is_empty() =>
            {
                if name.strip_suffix(".fifo").is_some() {
                    return Err(format!(
                        "expected a standard topic, found the FIFO topic \"{text}\": those reach neither chat channels nor mailboxes"
                    ));
                }
                if name.is_empty() {
                    return Err(format!("expected a topic's name at the end, found \"{text}\""));
                }
                let region = region.to_owned();
                Ok(Self { text, region })
            }
            _ => Err(format!(
                "expected a topic's ARN (such as \"arn:aws:sns:eu-central-1:111122223333:nearmiss\"), found \"{text}\""
            )),
        }
    }
}

/// The ARN of an IAM role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct RoleArn(String);

impl RoleArn {
    /// The ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RoleArn {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split(':').collect::<Vec<_>>()[..] {
            ["arn", _, "iam", "", account, role]
                if !account.is_empty() && role.starts_with("role/") =>
            {
                Ok(Self(text))
            }
            _ => Err(format!(
                "expected a role's ARN (such as \"arn:aws:iam::111122223333:role/nearmiss\"), found \"{text}\""
            )),
        }
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
        Ok(config)
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
