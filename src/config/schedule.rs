//! When to do something: cron expressions.
//!
//! They are read by the parser that tokio-cron-scheduler uses, with the same
//! settings, so that what is accepted here ticks there.

use std::time::Duration;

use serde::Deserialize;

/// A cron expression with a field for seconds, as tokio-cron-scheduler reads it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Schedule(String);

impl Default for Schedule {
    /// Every minute.
    fn default() -> Self {
        Self("0 * * * * *".into())
    }
}

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
