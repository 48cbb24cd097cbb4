//! What CloudWatch says of one load balancer over some weeks, and the truth.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use nearmiss_core::time::Minute;
use nearmiss_sim::{Scenario, Setup, Sim};

#[derive(Clone, Copy, Default)]
pub struct Row {
    pub samples: Option<f64>,
    pub sum: Option<f64>,
    pub p50: Option<f64>,
    pub p99: Option<f64>,
    pub max: Option<f64>,
    pub near: Option<f64>,
    pub timeouts: Option<f64>,
    pub conn: Option<f64>,
    pub tls: Option<f64>,
    pub requests: Option<f64>,
    pub healthy: Option<f64>,
    pub timeout: f64,
}

pub struct Series {
    pub name: String,
    pub first: Minute,
    pub minutes: Vec<Row>,
    pub quarter_hours: BTreeMap<i64, Row>,
    pub fault: Option<Minute>,
    pub incident: Option<Minute>,
    pub first_504: Option<Minute>,
    pub recovered: Option<Minute>,
    pub harmful: bool,
}

impl Series {
    /// Whether any request ended in 504.
    pub fn has_504(&self) -> bool {
        self.minutes.iter().any(|row| row.timeouts.is_some_and(|timeouts| timeouts > 0.0))
    }

    /// The end of the first quarter-hour after this minute in which 1 % of the requests
    /// ended in 504 without an answer: their p99 is at the timeout.
    pub fn at_timeout(&self, from: Minute) -> Option<Minute> {
        let begin = usize::try_from(from.since(self.first)).ok()?;
        let of = |rows: &[Row]| {
            rows.iter().fold((0.0, 0.0), |(late, all), row| {
                let timeouts = row.timeouts.unwrap_or(0.0);
                let slow = (timeouts - row.conn.unwrap_or(0.0)).max(0.0);
                (late + slow, all + timeouts + row.samples.unwrap_or(0.0))
            })
        };
        let is_at = |at: &usize| {
            let (late, all) = of(&self.minutes[*at..*at + 15]);
            late > 0.0 && late >= 0.01 * all
        };
        let found = (begin..self.minutes.len().saturating_sub(15)).find(is_at)?;
        Some(self.first.plus(found as i64 + 15))
    }
}

/// A scenario of the simulator that starts on a Monday, over all its days.
pub fn of_scenario(scenario: &Scenario, seed: u64) -> Series {
    const MONDAY: i64 = 1_767_571_200; // 2026-01-05T00:00:00Z
    let name = scenario.name.to_owned();
    let setup = Setup { scenario: name.clone(), seed, start: MONDAY, ..Setup::default() };
    let sim = Sim::new(setup).expect("a scenario of the simulator");
    let story = sim.story().swap_remove(0);
    let row = |minutes: Range<i64>| -> Option<Row> {
        let said = sim.summary(&story.load_balancer, minutes)?;
        Some(Row {
            samples: said.samples,
            sum: said.sum,
            p50: said.p50,
            p99: said.p99,
            max: said.max,
            near: said.near,
            timeouts: said.elb_504,
            conn: said.connection_errors,
            tls: None,
            requests: said.requests,
            healthy: said.healthy,
            timeout: f64::from(said.idle_timeout),
        })
    };
    let (first, end) = (MONDAY / 60, MONDAY / 60 + scenario.minutes);
    let quarter_hours = (first / 15..end / 15).filter_map(|q| Some((q, row(q * 15..q * 15 + 15)?)));
    Series {
        first: Minute(first),
        minutes: (first..end).filter_map(|minute| row(minute..minute + 1)).collect(),
        quarter_hours: quarter_hours.collect(),
        fault: story.fault_start.map(Minute),
        incident: story.incident_start.map(Minute),
        first_504: story.first_504.map(Minute),
        recovered: story.recovered.map(Minute),
        harmful: story.harmful,
        name: format!("{name}-{seed}"),
    }
}

/// A series of `timestamp,value` every five minutes, read as a p99 in seconds
/// with a timeout of 60 s and 1,000 requests a minute, of which a hundredth took
/// longer than the p99. The quarter-hours have the largest of their p99.
pub fn nab(path: &Path) -> Option<Series> {
    let text = std::fs::read_to_string(path).ok()?;
    let mut by_minute: BTreeMap<i64, Row> = BTreeMap::new();
    let mut quarter_hours: BTreeMap<i64, Row> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let (time, value) = line.split_once(',')?;
        let time = chrono::NaiveDateTime::parse_from_str(time, "%Y-%m-%d %H:%M:%S").ok()?;
        let value: f64 = value.parse().ok()?;
        let start = time.and_utc().timestamp().div_euclid(300) * 5;
        let row = |samples: f64| Row {
            samples: Some(samples),
            sum: Some(0.9 * value * samples),
            p50: Some(0.9 * value),
            p99: Some(value),
            max: Some(value),
            near: Some(if value > 48.0 { 0.01 * samples } else { 0.0 }),
            timeouts: Some(if value > 60.0 { 0.01 * samples } else { 0.0 }),
            requests: Some(samples),
            timeout: 60.0,
            ..Row::default()
        };
        by_minute.extend((start..start + 5).map(|minute| (minute, row(1_000.0))));
        let quarter_hour =
            quarter_hours.entry(start.div_euclid(15)).or_insert_with(|| row(15_000.0));
        if quarter_hour.p99 < Some(value) {
            *quarter_hour = row(15_000.0);
        }
    }
    let (first, last) = (*by_minute.keys().next()?, *by_minute.keys().last()?);
    let gap = Row { timeout: 60.0, ..Row::default() };
    let minutes = (first..=last).map(|m| by_minute.get(&m).copied().unwrap_or(gap)).collect();
    Some(Series {
        name: path.file_stem()?.to_str()?.to_owned(),
        first: Minute(first),
        minutes,
        quarter_hours,
        fault: None,
        incident: None,
        first_504: None,
        recovered: None,
        harmful: false,
    })
}
