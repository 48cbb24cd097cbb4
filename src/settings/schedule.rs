//! When to do something: cron expressions, by the clock of a place.
//!
//! They are read by the parser that tokio-cron-scheduler uses, so that what is accepted
//! here ticks there. Time zones are handled here: an expression ticks by the calendar, and
//! each of its times is looked up in the place's own. A time that the clock skips is the
//! next instant that exists; one that comes twice is the first of the two, or both where
//! the expression says every hour.

use std::time::Duration;

use chrono::offset::LocalResult;
use chrono::{DateTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use croner::parser::{CronParser, Seconds, Year};
use croner::{Cron, Direction};
use serde::{Deserialize, Deserializer};

/// A cron expression with six fields, seconds first, that matches again and again.
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
        let end = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let ticks = parse_cron(&self.0).ok().map(|cron| {
            cron.iter_from(DateTime::UNIX_EPOCH, Direction::Forward)
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

    /// Its ticks from `from` to before `to` (seconds since the Unix epoch), by the clock of
    /// a time zone, oldest first; only the newest if there are many.
    #[must_use]
    pub fn between(&self, from: i64, to: i64, zone: Zone) -> Vec<i64> {
        let Ok(cron) = parse_cron(&self.0) else { return Vec::new() };
        let at = |seconds: i64| DateTime::from_timestamp(seconds.clamp(0, YEAR_9000), 0);
        let local = |seconds| at(seconds).unwrap_or_default().with_timezone(&zone.0).naive_local();
        // A skipped time is older than the instant that it means, by a day where a day is
        // skipped; one that comes twice is later than what the clock shows after it.
        let (first, last) = (local(from) - TimeDelta::hours(25), local(to) + TimeDelta::hours(4));
        let every_hour = says_every_hour(&cron);
        let calendar = cron.iter_from(last.and_utc(), Direction::Backward);
        let calendar = calendar.map(|time| time.naive_utc()).take_while(|time| *time >= first);
        let instants = calendar.flat_map(|time| instants(time, zone, every_hour));
        let mut ticks: Vec<i64> =
            instants.filter(|tick| (from..to).contains(tick)).take(MAX_TICKS).collect();
        ticks.sort_unstable();
        ticks.dedup();
        ticks
    }

    /// How long it is from this time (seconds since the Unix epoch) to the next
    /// tick, by UTC.
    #[must_use]
    pub fn pause_after(&self, now: i64) -> Duration {
        let now = DateTime::from_timestamp(now, 0).unwrap_or_default();
        let next = parse_cron(&self.0).ok().and_then(|cron| cron.iter_after(now).next());
        next.and_then(|next| (next - now).to_std().ok()).unwrap_or_default()
    }
}

/// The instants at which the calendar of a place shows this time, latest first.
fn instants(time: NaiveDateTime, zone: Zone, every_hour: bool) -> impl Iterator<Item = i64> {
    let (one, other) = match zone.0.from_local_datetime(&time) {
        LocalResult::Single(there) => (Some(there.timestamp()), None),
        LocalResult::Ambiguous(first, second) => {
            (every_hour.then_some(second.timestamp()), Some(first.timestamp()))
        }
        LocalResult::None => (after_gap(time, zone), None),
    };
    one.into_iter().chain(other)
}

/// The first instant after a time that the clock of a place skips.
fn after_gap(time: NaiveDateTime, zone: Zone) -> Option<i64> {
    // By the offset before the change, the skipped time is an instant after the change, and
    // by the offset after it, one before it: the change lies between the two.
    let day = TimeDelta::days(2);
    let offset = |at: NaiveDateTime| zone.0.offset_from_utc_datetime(&at).fix().local_minus_utc();
    let (before, after) = (offset(time - day), offset(time + day));
    let as_utc = time.and_utc().timestamp();
    let (mut early, mut late) = (as_utc - i64::from(after), as_utc - i64::from(before));
    let is_before = |at: i64| {
        let at = DateTime::from_timestamp(at, 0)?;
        Some(at.with_timezone(&zone.0).naive_local() < time)
    };
    while late - early > 1 {
        let middle = early.midpoint(late);
        if is_before(middle)? { early = middle } else { late = middle }
    }
    Some(late)
}

/// Whether an expression goes by the hour and not by certain hours of the day.
fn says_every_hour(cron: &Cron) -> bool {
    (0..24).all(|hour| cron.pattern.hour_match(hour).unwrap_or(false))
}

/// The latest time that is supported, seconds since the Unix epoch.
const YEAR_9000: i64 = 221_845_392_000;
/// At most this many ticks are computed.
const MAX_TICKS: usize = 2_000;
/// What is expected, in errors.
const EXPECTED: &str = "expected a cron expression with six fields, seconds first (such as \"0 * * * * *\" for every minute)";
/// The longest expression, in bytes.
const MAX_BYTES: usize = 200;

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

fn parse_cron(text: &str) -> Result<Cron, croner::errors::CronError> {
    CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Disallowed)
        .dom_and_dow(true)
        .build()
        .parse(text)
}

impl TryFrom<String> for Schedule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.len() > MAX_BYTES {
            return Err(format!(
                "expected a cron expression of at most {MAX_BYTES} bytes, found {}",
                text.len()
            ));
        }
        if text.split_whitespace().count() == 7 {
            return Err(format!(
                "expected a cron expression with six fields, found \"{text}\" with a year: a schedule must come true again and again (`nearmiss silence add` is for one occasion)"
            ));
        }
        let fields = text.split_whitespace().count();
        if fields != 6 && !text.contains('@') {
            return Err(format!("{EXPECTED}, found \"{text}\", which has {fields}"));
        }
        let cron = parse_cron(&text)
            .map_err(|problem| format!("{EXPECTED}, found \"{text}\": {problem}"))?;
        match cron.find_next_occurrence(&DateTime::<Utc>::UNIX_EPOCH, false) {
            Ok(_) => Ok(Self(text)),
            Err(_) => Err(format!(
                "expected a cron expression that comes true, found \"{text}\": no such day"
            )),
        }
    }
}

/// Reads a schedule that ticks once a minute at the most.
///
/// # Errors
/// When it is no such schedule.
pub fn by_the_minute<'de, D: Deserializer<'de>>(from: D) -> Result<Schedule, D::Error> {
    let schedule = Schedule::deserialize(from)?;
    is_one(&schedule, |cron, value| cron.pattern.second_match(value).unwrap_or(false))
        .then_some(schedule.clone())
        .ok_or_else(|| too_often(&schedule, "a minute", "the first field (seconds)"))
}

/// The same for a schedule that may be left out.
///
/// # Errors
/// When it is no such schedule.
pub fn by_the_minute_if_any<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Schedule>, D::Error> {
    by_the_minute(from).map(Some)
}

/// Reads a schedule that ticks once an hour at the most.
///
/// # Errors
/// When it is no such schedule.
pub fn by_the_hour<'de, D: Deserializer<'de>>(from: D) -> Result<Schedule, D::Error> {
    let schedule = by_the_minute(from)?;
    is_one(&schedule, |cron, value| cron.pattern.minute_match(value).unwrap_or(false))
        .then_some(schedule.clone())
        .ok_or_else(|| too_often(&schedule, "an hour", "the second field (minutes)"))
}

/// Whether only one value of a field matches.
fn is_one(schedule: &Schedule, fits: impl Fn(&Cron, u32) -> bool) -> bool {
    let cron = parse_cron(schedule.as_str());
    cron.is_ok_and(|cron| (0..60).filter(|value| fits(&cron, *value)).count() == 1)
}

fn too_often<E: serde::de::Error>(schedule: &Schedule, unit: &str, field: &str) -> E {
    E::custom(format!(
        "expected a schedule that ticks once {unit} at the most, found \"{}\": set one number in {field}",
        schedule.as_str()
    ))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    fn schedule(text: &str) -> Schedule {
        Schedule::try_from(text.to_owned()).unwrap()
    }

    fn zone(name: &str) -> Zone {
        Zone::try_from(name.to_owned()).unwrap()
    }

    /// Its ticks in the three days around this day, by UTC.
    fn ticks(text: &str, place: &str, day: &str) -> Vec<String> {
        let noon = DateTime::parse_from_rfc3339(&format!("{day}T12:00:00Z")).unwrap().timestamp();
        let half = 36 * 3_600;
        let ticks = schedule(text).between(noon - half, noon + half, zone(place));
        let utc = |tick| DateTime::from_timestamp(tick, 0).unwrap();
        ticks.into_iter().map(|tick| utc(tick).format("%dT%H:%M").to_string()).collect()
    }

    /// A clock that skips half past midnight, an hour, half an hour, a day.
    #[test]
    fn a_time_that_the_clock_skips_is_the_next_instant_that_there_is() {
        for (text, place, day, expected) in [
            // At midnight it becomes one o'clock, which is 04:00 UTC.
            ("0 0 0 * * SUN", "America/Santiago", "2027-09-05", &["05T04:00"][..]),
            (
                "0 30 0 * * *",
                "America/Santiago",
                "2027-09-05",
                &["04T04:30", "05T04:00", "06T03:30"],
            ),
            ("0 0 0 * * SUN", "Asia/Beirut", "2027-03-28", &["27T22:00"]),
            ("0 30 2 * * *", "Europe/Berlin", "2027-03-28", &["27T01:30", "28T01:00", "29T00:30"]),
            // At two it becomes half past two, which is 15:30 UTC of the day before.
            (
                "0 15 2 * * *",
                "Australia/Lord_Howe",
                "2026-10-04",
                &["03T15:30", "04T15:15", "05T15:15"],
            ),
            // There was no 30 December 2011: the 31st began at 10:00 UTC of the 30th.
            ("0 0 2 30 12 *", "Pacific/Apia", "2011-12-30", &["30T10:00"]),
            (
                "0 0 2 * * *",
                "Pacific/Apia",
                "2011-12-30",
                &["29T12:00", "30T10:00", "30T12:00", "31T12:00"],
            ),
            (
                "0 15,45 2 * * *",
                "Europe/Berlin",
                "2027-03-28",
                &["27T01:15", "27T01:45", "28T01:00", "29T00:15", "29T00:45"],
            ),
        ] {
            assert_eq!(ticks(text, place, day), expected, "{text} {place}");
        }
    }

    #[test]
    fn a_time_that_comes_twice_ticks_once() {
        for (text, place, day, expected) in [
            (
                "0 30 2 * * *",
                "Europe/Berlin",
                "2026-10-25",
                &["24T00:30", "25T00:30", "26T01:30"][..],
            ),
            (
                "0 0,30 2 * * *",
                "Europe/Berlin",
                "2026-10-25",
                &["24T00:00", "24T00:30", "25T00:00", "25T00:30", "26T01:00", "26T01:30"],
            ),
            ("0 30 23 * * SAT", "America/Santiago", "2027-04-04", &["04T02:30"]),
            (
                "0 45 1 * * *",
                "Australia/Lord_Howe",
                "2027-04-04",
                &["03T14:45", "04T15:15", "05T15:15"],
            ),
        ] {
            assert_eq!(ticks(text, place, day), expected, "{text} {place}");
        }
    }

    /// Every hour means every hour, also in the night that is an hour longer.
    #[test]
    fn what_ticks_every_hour_ticks_in_both() {
        let berlin = zone("Europe/Berlin");
        let midnight = 1_792_792_800; // 2026-10-24T22:00:00Z, 2026-10-25T00:00 there
        let hourly = schedule("0 15 * * * *").between(midnight, midnight + 25 * 3_600, berlin);
        let expected: Vec<i64> = (0..25).map(|hour| midnight + 900 + 3_600 * hour).collect();
        assert_eq!(hourly, expected);
    }

    /// On 2026-10-25 it is half past two twice in Berlin: at 00:30 and at 01:30 UTC.
    #[test]
    fn an_hour_that_comes_twice_loses_no_tick() {
        let schedule = schedule("0 30 2 * * *");
        let berlin = zone("Europe/Berlin");
        let first = 1_792_888_200; // 2026-10-25T00:30:00Z
        for minutes in 1..=59 {
            let now = first + 60 * minutes;
            let ticks = schedule.between(now - 3_600, now + 1, berlin);
            assert_eq!(ticks, [first], "{minutes} min after it");
        }
    }

    /// Whatever the place and the year, an expression for one time of the day ticks once
    /// for each day of the calendar, or once more early on the next.
    #[test]
    fn each_day_of_each_place_has_its_tick() {
        let schedule = schedule("0 30 0 * * *");
        for place in [
            "Africa/Casablanca",
            "America/Santiago",
            "Antarctica/Troll",
            "Asia/Beirut",
            "Australia/Lord_Howe",
            "Europe/Berlin",
            "Pacific/Chatham",
            "UTC",
        ] {
            let start = 1_767_225_600; // 2026-01-01
            let days = 366;
            let ticks = schedule.between(start, start + days * 86_400, zone(place));
            let missing = days - i64::try_from(ticks.len()).unwrap();
            assert!(missing.abs() <= 1, "{place}: {} ticks", ticks.len());
            let apart = ticks.windows(2).map(|two| two[1] - two[0]);
            let odd: Vec<i64> = apart.filter(|apart| (apart - 86_400).abs() > 3 * 3_600).collect();
            assert!(odd.is_empty(), "{place}: {odd:?}");
        }
    }

    #[test]
    fn times_beyond_all_calendars_are_no_panic() {
        let schedule = schedule("0 0 9 * * MON");
        for (from, to) in [
            (i64::MIN, i64::MAX),
            (i64::MIN, i64::MIN),
            (i64::MAX, i64::MAX),
            (-8_334_601_228_800, 0),
        ] {
            assert!(schedule.between(from, to, zone("Pacific/Apia")).len() <= MAX_TICKS);
            let _ = schedule.pause_after(from);
        }
    }

    fn refused(text: &str) -> String {
        Config::parse(text, Path::new("x")).unwrap_err().to_string()
    }

    #[test]
    fn what_never_comes_true_again_or_too_often_is_refused() {
        let gateway = "[[gateway]]\nload_balancer = \"a\"\n";
        for (text, says) in [
            (
                "[poll]\nschedule = \"0 * * * * * 2020\"",
                "2020\" with a year: a schedule must come true again",
            ),
            ("[poll]\nschedule = \"0 * * * * * 2999\"", "with a year"),
            ("[poll]\nschedule = \"0 0 0 30 2 *\"", "no such day"),
            ("[poll]\nschedule = \"0 0 0 31 4,6,9,11 *\"", "no such day"),
            (
                "[watcher]\nalive_schedule = \"* 0 8 * * *\"",
                "once a minute at the most, found \"* 0 8 * * *\": set one number in the first field",
            ),
            ("[watcher]\nalive_schedule = \"0,1 0 8 * * *\"", "once a minute"),
            ("[digest]\nschedule = \"0 */5 * * * *\"", "once an hour at the most"),
            ("[digest]\nschedule = \"*/7 0 9 * * MON\"", "once a minute"),
            ("[[maintenance]]\nduration = \"1h\"\nschedule = \"* * * * * *\"", "once a minute"),
        ] {
            let said = refused(&format!("{gateway}{text}\n"));
            assert!(said.contains(says) && said.starts_with("x:"), "{text}: {said}");
        }
        let long = format!("{gateway}[poll]\nschedule = \"0 * * * * {}\"\n", "*".repeat(100_000));
        let said = refused(&long);
        assert!(said.contains("at most 200 bytes, found 100010") && said.len() < 1_000, "{said}");
        // The schedule of every test of this program, and of the demo.
        assert!(Schedule::try_from("* * * * * *".to_owned()).is_ok());
    }
}
