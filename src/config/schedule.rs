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

    /// Every Monday at nine.
    #[must_use]
    pub fn monday_at_nine() -> Self {
        Self("0 0 9 * * MON".into())
    }

    /// Its ticks from `from` to before `to` (seconds since the Unix epoch), by the
    /// clock of a time zone, oldest first; the newest of them where there are many.
    #[must_use]
    pub fn between(&self, from: i64, to: i64, zone: Zone) -> Vec<i64> {
        let Some(cron) = parse_cron(&self.0).ok() else { return Vec::new() };
        let at = |seconds| chrono::DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        // An hour that comes twice is looked for by its name, so that the search begins
        // after it.
        let end = at(to).with_timezone(&zone.0) + chrono::Duration::hours(2);
        let ticks = cron.iter_from(end, croner::Direction::Backward);
        let ticks = ticks.map(|tick| tick.timestamp()).skip_while(|tick| *tick >= to);
        let ticks = ticks.take_while(|tick| *tick >= from);
        let mut ticks: Vec<i64> = ticks.take(MOST_TICKS).collect();
        ticks.reverse();
        ticks
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

/// So many ticks are looked at, at the most.
const MOST_TICKS: usize = 2_000;

/// A time zone of the IANA database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Zone(chrono_tz::Tz);

impl Default for Zone {
    fn default() -> Self {
        Self(chrono_tz::UTC)
    }
}

impl Zone {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }
}

impl TryFrom<String> for Zone {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let zone = text.parse().map(Self);
        zone.map_err(|_| {
            format!("expected a time zone (such as \"Europe/Berlin\" or \"UTC\"), found \"{text}\"")
        })
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
            Ok(cron)
                if cron.find_next_occurrence(&chrono::DateTime::UNIX_EPOCH, false).is_err() =>
            {
                Err(format!(
                    "expected a cron expression that comes true, found \"{text}\": no such day"
                ))
            }
            Ok(_) => Ok(Self(text)),
            Err(problem) => Err(format!(
                "expected a cron expression with six fields, seconds first (such as \"0 * * * * *\" for every minute), found \"{text}\": {problem}"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On 2026-10-25 it is half past two twice in Berlin: at 00:30 and at 01:30 UTC.
    #[test]
    fn an_hour_that_comes_twice_loses_no_tick() {
        let schedule = Schedule::try_from("0 30 2 * * *".to_owned()).unwrap();
        let berlin = Zone::try_from("Europe/Berlin".to_owned()).unwrap();
        let first = 1_792_888_200; // 2026-10-25T00:30:00Z
        for minutes in 1..=59 {
            let now = first + 60 * minutes;
            let ticks = schedule.between(now - 3_600, now + 1, berlin);
            assert!(ticks.contains(&first), "{minutes} min after it: {ticks:?}");
        }
    }
}
