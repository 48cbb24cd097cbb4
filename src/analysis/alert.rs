//! When to speak: episodes, and what of them was said.
//!
//! An episode belongs to one gateway; rules attach to it and its severity only
//! rises. [`advance`] folds one more minute into a gateway's episodes, and
//! [`Record::decide`] is the one place that says whether somebody must be told.
//! Both are pure. What was delivered is part of the record, so that an alert
//! that could not be sent is simply decided again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::detector::{Rule, Severity, State, Verdict};
use super::gateway::Identity;
use super::signal::{Minute, Reading};

/// How many episodes of one gateway may wait to be told. Each lasts a quarter
/// of an hour at the least, so that this is over two days without a receiver.
pub const MOST_EPISODES: usize = 200;

/// One stretch of trouble of one gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// The same for the same trouble, whoever computes it: gateway and start.
    pub id: String,
    /// The minute in which the first rule fired.
    pub began: Minute,
    /// The last minute with a near miss or a 504 while a rule was breaching.
    pub last_breach: Minute,
    /// The worst severity so far.
    pub severity: Severity,
    /// Each rule that fired, and when it first did.
    pub rules: BTreeMap<Rule, Minute>,
    /// Minutes with requests and without a breach, since the last breach.
    pub quiet_minutes: u32,
    /// The last of those minutes, once there were enough of them.
    pub ended: Option<Minute>,
    /// Requests since it began.
    pub requests: u64,
    /// Near misses since it began.
    pub near_misses: u64,
    /// 504s since it began.
    pub timeouts: u64,
}

/// An episode, and what its receivers know of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What happened.
    pub episode: Episode,
    /// The worst severity that was delivered; `None` while nothing was.
    pub told: Option<Severity>,
}

/// Why somebody is told something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It began.
    Firing,
    /// It became worse.
    Escalated,
    /// It is over.
    Resolved,
}

impl Reason {
    /// Its name in metrics and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Escalated => "escalated",
            Self::Resolved => "resolved",
        }
    }
}

impl Episode {
    /// Whether it still goes on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.ended.is_none()
    }

    fn starting(gateway: &Identity, minute: Minute, severity: Severity) -> Self {
        Self {
            id: format!("{}@{minute}", gateway.key()),
            began: minute,
            last_breach: minute,
            severity,
            rules: BTreeMap::new(),
            quiet_minutes: 0,
            ended: None,
            requests: 0,
            near_misses: 0,
            timeouts: 0,
        }
    }

    fn count(&mut self, reading: &Reading) {
        self.requests += whole(reading.requests());
        self.near_misses += whole(reading.near_misses);
        self.timeouts += whole(reading.timeouts);
    }

    fn breach(&mut self, reading: &Reading, verdict: &Verdict) {
        self.rules.entry(verdict.rule).or_insert(reading.minute);
        self.severity = self.severity.max(verdict.severity);
        self.quiet_minutes = 0;
        if reading.near_misses + reading.timeouts > 0.0 {
            self.last_breach = reading.minute;
        }
    }

    fn quiet(&mut self, minute: Minute, resolve_after: u32) {
        self.quiet_minutes += 1;
        self.ended = (self.quiet_minutes >= resolve_after).then_some(minute);
    }
}

impl Record {
    /// Whether somebody must be told about this episode now, and why. An
    /// episode that began and ended before anything could be delivered is told
    /// as [`Reason::Resolved`], with its times.
    #[must_use]
    pub fn decide(&self) -> Option<Reason> {
        match (self.episode.ended, self.told) {
            (Some(_), _) => Some(Reason::Resolved),
            (None, None) => Some(Reason::Firing),
            (None, Some(told)) => (self.episode.severity > told).then_some(Reason::Escalated),
        }
    }
}

/// The episodes of a gateway after one more minute: at most the last of them is
/// open, the others wait to be told. `resolve_after` is how many minutes must
/// be quiet before one ends; minutes without requests do not count, because
/// silence is no recovery.
#[must_use]
pub fn advance(
    mut records: Vec<Record>,
    gateway: &Identity,
    reading: &Reading,
    verdicts: &[Verdict],
    resolve_after: u32,
) -> Vec<Record> {
    let minute = reading.minute;
    let breaching = || verdicts.iter().filter(|v| v.state == State::Breaching);
    let worst = breaching().map(|v| v.severity).max();
    if let Some(severity) = worst
        && !records.last().is_some_and(|r| r.episode.is_open())
    {
        let episode = Episode::starting(gateway, minute, severity);
        records.push(Record { episode, told: None });
        let excess = records.len().saturating_sub(MOST_EPISODES);
        records.drain(..excess);
    }
    if let Some(Record { episode, .. }) = records.last_mut().filter(|r| r.episode.is_open()) {
        episode.count(reading);
        for verdict in breaching() {
            episode.breach(reading, verdict);
        }
        if worst.is_none() && reading.requests() > 0.0 {
            episode.quiet(minute, resolve_after);
        }
    }
    records
}

/// A count that CloudWatch sent as a floating-point number. Casting saturates,
/// and what is no number is zero.
#[must_use]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates, see above
pub fn whole(count: f64) -> u64 {
    count.round() as u64
}
