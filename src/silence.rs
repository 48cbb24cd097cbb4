//! `nearmiss silence` and `nearmiss acknowledge`: requests to the running daemon.

use std::fmt;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::config::Config;
use crate::edge::control::{self, Answer, Command, ControlError};
use nearmiss_core::alerting::{LONGEST_COMMENT, Matcher, SILENCE_SECONDS, Silence};
use nearmiss_core::detect::{Rule, Severity};
use nearmiss_core::gateway::Kind;
use nearmiss_core::pattern::{Pattern, Tags};

/// A new silence.
#[derive(Debug, Clone, Args)]
pub struct AddArgs {
    /// The gateways' name or a pattern such as 'web-*'
    #[arg(value_parser = pattern)]
    pub gateway: Pattern,
    /// How long, 1m to 90days
    #[arg(long = "for", value_name = "DURATION", value_parser = lasts)]
    pub lasts: Duration,
    /// Only what shows these rules and no other, such as `near_miss`
    #[arg(long = "rule", value_parser = rule)]
    pub rules: Vec<Rule>,
    /// Only gateways of this kind, such as `alb`
    #[arg(long, value_parser = kind)]
    pub kind: Option<Kind>,
    /// Only gateways with this tag; the value may be a pattern
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
    pub tags: Vec<(String, String)>,
    /// Up to this severity: what is worse still notifies
    #[arg(long, default_value = "critical", value_parser = severity)]
    pub severity: Severity,
    /// Why, for those who wonder
    #[arg(long, default_value = "", value_parser = comment)]
    pub comment: String,
    /// Who says so, if not $USER
    #[arg(long)]
    pub by: Option<String>,
}

/// Why it failed.
#[derive(Debug, thiserror::Error)]
pub enum SilenceError {
    /// The daemon could not be asked.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The daemon refused.
    #[error("{0}")]
    Refused(String),
}

/// What the daemon did.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Done(Answer);

/// Has alerts muted for a while.
///
/// # Errors
/// When no daemon runs with this config, or it refuses.
pub async fn add(config: &Config, silence: AddArgs) -> Result<Done, SilenceError> {
    let AddArgs { gateway, lasts, rules, kind, tags, severity, comment, by } = silence;
    let tags = Tags::new(tags).map_err(SilenceError::Refused)?;
    let matcher =
        Matcher { gateway: Some(gateway), kind, tags, rules: rules.into_iter().collect() };
    let seconds = lasts.as_secs();
    // A wrong value in `USER` matters little.
    let user = || std::env::var_os("USER").unwrap_or_default().to_string_lossy().into_owned();
    let by = by.unwrap_or_else(user);
    ask(config, &Command::Silence { matcher, at_most: severity, seconds, by, comment }).await
}

/// The silences in force.
///
/// # Errors
/// When no daemon runs with this config.
pub async fn list(config: &Config) -> Result<Done, SilenceError> {
    ask(config, &Command::Silences).await
}

/// Ends a silence.
///
/// # Errors
/// When no daemon runs with this config, or it has no silence with that id.
pub async fn expire(config: &Config, id: String) -> Result<Done, SilenceError> {
    ask(config, &Command::Expire { id }).await
}

/// Acknowledges what happens to these gateways: it is meant to be so.
///
/// # Errors
/// When the daemon does not run, or has no episode of these gateways.
pub async fn acknowledge(config: &Config, gateway: &Pattern) -> Result<Done, SilenceError> {
    ask(config, &Command::Acknowledge { gateway: gateway.clone() }).await
}

async fn ask(config: &Config, command: &Command) -> Result<Done, SilenceError> {
    match control::ask(&config.control.socket, command).await? {
        Answer::Refused(why) => Err(SilenceError::Refused(why)),
        answer => Ok(Done(answer)),
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = match &self.0 {
            Answer::Silences(silences) if silences.is_empty() => {
                vec!["no silence is in force".to_owned()]
            }
            Answer::Silences(silences) => silences.iter().map(line).collect(),
            Answer::Silenced { silence, advice, .. } => {
                let note = advice.iter().map(|advice| format!("note: {advice}"));
                std::iter::once(line(silence)).chain(note).collect()
            }
            Answer::Acknowledged(gateways) => gateways
                .iter()
                .map(|gateway| format!("{gateway}: benign, and an example of what is usual"))
                .collect(),
            Answer::Report(report) => vec![report.text.clone()],
            Answer::Refused(why) => vec![why.clone()],
        };
        f.write_str(&lines.join("\n"))
    }
}

fn line(silence: &Silence) -> String {
    let Silence { id, matcher, at_most, from, until, by, comment } = silence;
    let by = if by.is_empty() { String::new() } else { format!(" by {by}") };
    let why = if comment.is_empty() { String::new() } else { format!(": {comment}") };
    format!("{id}  {matcher} up to {at_most}, {from} to {until}{by}{why}")
}

/// Reads a pattern.
///
/// # Errors
/// What was expected instead.
pub fn pattern(text: &str) -> Result<Pattern, String> {
    Pattern::try_from(text.to_owned())
}

fn lasts(text: &str) -> Result<Duration, String> {
    let lasts = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if SILENCE_SECONDS.contains(&lasts.as_secs()) {
        return Ok(lasts);
    }
    Err("expected 1m to 90days".to_owned())
}

fn comment(text: &str) -> Result<String, String> {
    match text.chars().count() {
        0..=LONGEST_COMMENT => Ok(text.to_owned()),
        found => Err(format!("expected at most {LONGEST_COMMENT} characters, found {found}")),
    }
}

fn kind(text: &str) -> Result<Kind, String> {
    let known = Kind::ALL.into_iter().find(|kind| kind.name() == text);
    known.ok_or_else(|| format!("expected one of {}", Kind::ALL.map(Kind::name).join(", ")))
}

fn rule(text: &str) -> Result<Rule, String> {
    let known = Rule::ALL.into_iter().find(|rule| rule.name() == text);
    known.ok_or_else(|| {
        let names = Rule::ALL.map(Rule::name).join(", ");
        format!("expected one of {names}")
    })
}

fn severity(text: &str) -> Result<Severity, String> {
    let all = [Severity::Info, Severity::Warning, Severity::Critical];
    let known = all.into_iter().find(|severity| severity.name() == text);
    known.ok_or_else(|| "expected info, warning or critical".to_owned())
}

fn tag(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    let pair = pair.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let pair = pair.ok_or_else(|| format!("expected KEY=VALUE, found \"{text}\""))?;
    Tags::new([pair.clone()])?;
    Ok(pair)
}
