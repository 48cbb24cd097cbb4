//! When to speak: episodes, and what of them was said.
//!
//! An episode belongs to one gateway; rules attach to it and its severity only
//! rises. [`advance`] folds one more minute into a gateway's episodes, and
//! [`Desk::due`](super::notify::Desk::due) says whether somebody must be told. What
//! was delivered is part of the record, so that an alert that could not be sent is
//! simply decided again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Notice;
use super::baseline::Baseline;
use super::detector::{Rule, Severity, State, Verdict};
use super::forecast::Forecast;
use super::gateway::Gateway;
use super::ledger::Totals;
use super::notify::{Receiver, Told};
use super::signal::Minute;
use super::window::{Reading, Window};

/// How many episodes of one gateway may wait to be told. Each lasts an hour at
/// the least unless `resolve_after` is shorter, so that this is over a day without a
/// receiver.
pub const MOST_EPISODES: usize = 32;
/// The newest minutes whose near misses and 504s belong to an episode that begins.
const RECENT: u32 = 15;
/// The share of the timeout above which the slowest answers forbid an end.
const STILL_SLOW: f64 = 0.6;
/// The factor up to which they are as usual.
const AS_USUAL: f64 = 1.25;

/// One stretch of trouble of one gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    /// The same for the same trouble, whoever computes it: gateway and start.
    pub id: String,
    /// The first minute with a near miss or a 504 in the quarter of an hour in
    /// which the first rule fired; without one, the minute in which it fired.
    pub began: Minute,
    /// The last minute with a near miss or a 504 while a rule was breaching, or in
    /// which a forecast held.
    pub last_breach: Minute,
    /// The worst severity so far.
    pub severity: Severity,
    /// Each rule that fired, and when it first did.
    pub rules: BTreeMap<Rule, Minute>,
    /// What the worst verdict said, last time.
    pub evidence: Evidence,
    /// Minutes with requests and without a breach, since the last breach.
    pub quiet_minutes: u32,
    /// The last of those minutes, once there were enough of them.
    pub ended: Option<Minute>,
    /// It ended because its gateway is no longer watched, and not because it
    /// recovered.
    #[serde(default)]
    pub abandoned: bool,
    /// Somebody said that it is meant to be so: it stays an example of what is usual.
    #[serde(default)]
    pub benign: bool,
    /// Requests since it began.
    pub requests: u64,
    /// Near misses since it began.
    pub near_misses: u64,
    /// 504s since it began.
    pub timeouts: u64,
}

/// What a detector found, to be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Which detector.
    pub rule: Rule,
    /// In words.
    pub why: String,
    /// The figure that was compared.
    pub value: Option<f64>,
    /// What it was compared with.
    pub threshold: f64,
    /// When the timeout is reached, from the end of that minute, where the
    /// detector can tell.
    #[serde(default)]
    pub forecast: Option<Forecast>,
}

/// An episode, and what its receivers know of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Whose it is, as it was last: it can be told when the gateway is gone.
    pub gateway: Gateway,
    /// What happened.
    pub episode: Episode,
    /// Who took what of it.
    pub told: BTreeMap<Receiver, Told>,
    /// Whether it was open at a moment at which nothing kept it quiet.
    #[serde(default)]
    pub audible: bool,
}

/// Why somebody is told something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It began.
    Firing,
    /// It became worse.
    Escalated,
    /// It goes on.
    Reminder,
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
            Self::Reminder => "reminder",
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

    /// An episode that this verdict on this window begins. The window's bad
    /// minutes belong to it, but for those of the episode before.
    fn starting(
        gateway: &Gateway,
        window: Window<'_>,
        verdict: &Verdict,
        before: Option<&Self>,
    ) -> Option<Self> {
        let readings = window.readings();
        let last = readings.last()?;
        let over = before.and_then(|before| before.ended);
        let is_new = |r: &Reading| over.is_none_or(|over| r.minute > over);
        let is_bad = |r: &Reading| r.near_misses + r.timeouts > 0.0 && is_new(r);
        let first = match readings.iter().position(is_bad) {
            Some(first) if !verdict.rule.is_forecast() => first,
            _ => readings.len() - 1,
        };
        let began = readings.get(first)?.minute;
        let mut episode = Self {
            id: format!("{}@{began}", gateway.id.key()),
            began,
            last_breach: last.minute,
            severity: verdict.severity,
            rules: BTreeMap::new(),
            evidence: Evidence::of(verdict),
            quiet_minutes: 0,
            ended: None,
            abandoned: false,
            benign: false,
            requests: 0,
            near_misses: 0,
            timeouts: 0,
        };
        let before = readings.len() - 1; // the last minute is counted as every later one is
        readings[first.min(before)..before].iter().for_each(|reading| episode.count(reading));
        Some(episode)
    }

    /// Ends it without a recovery: nobody looks any more.
    pub fn abandon(&mut self) {
        if self.is_open() {
            self.ended = Some(self.last_breach);
            self.abandoned = true;
        }
    }

    /// Whether it goes on in this minute, or did.
    #[must_use]
    pub fn covers(&self, minute: Minute) -> bool {
        self.began <= minute && self.ended.is_none_or(|over| minute <= over)
    }

    /// Adds requests of its minutes that were told late.
    pub fn count_more(&mut self, more: Totals) {
        self.requests = self.requests.saturating_add(more.requests);
        self.near_misses = self.near_misses.saturating_add(more.near_misses);
        self.timeouts = self.timeouts.saturating_add(more.timeouts);
    }

    /// Takes over what was found late of the same trouble. It stays the same episode.
    pub fn raise(&mut self, found: &Self) {
        if found.severity > self.severity {
            self.severity = found.severity;
            self.evidence.clone_from(&found.evidence);
        }
        for (rule, since) in &found.rules {
            let first = self.rules.entry(*rule).or_insert(*since);
            *first = (*first).min(*since);
        }
        if found.began < self.began {
            self.began = found.began;
            self.requests = self.requests.max(found.requests);
            self.near_misses = self.near_misses.max(found.near_misses);
            self.timeouts = self.timeouts.max(found.timeouts);
        }
        self.last_breach = self.last_breach.max(found.last_breach);
        if found.is_open() {
            self.quiet_minutes = self.quiet_minutes.min(found.quiet_minutes);
        }
    }

    /// Begins after this minute, as an episode of its own.
    pub fn begin_after(&mut self, over: Minute) {
        let key = self.id.rsplit_once('@').map_or(self.id.as_str(), |(key, _)| key);
        self.began = self.began.max(over.plus(1));
        self.id = format!("{key}@{}", self.began);
    }

    fn count(&mut self, reading: &Reading) {
        self.requests = self.requests.saturating_add(whole(reading.requests()));
        self.near_misses = self.near_misses.saturating_add(whole(reading.near_misses));
        self.timeouts = self.timeouts.saturating_add(whole(reading.timeouts));
    }

    fn breach(&mut self, reading: &Reading, verdict: &Verdict) {
        self.rules.entry(verdict.rule).or_insert(reading.minute);
        if verdict.severity >= self.severity {
            self.severity = verdict.severity;
            self.evidence = Evidence::of(verdict);
        }
        self.quiet_minutes = 0;
        if reading.near_misses + reading.timeouts > 0.0 || verdict.rule.is_forecast() {
            self.last_breach = reading.minute;
        }
    }

    fn quiet(&mut self, minute: Minute, resolve_after: u32, is_slow: bool) {
        self.quiet_minutes += 1;
        let quiet_time = self.rules.keys().map(|rule| rule.quiet_time(resolve_after)).max();
        let long_enough = self.quiet_minutes >= quiet_time.unwrap_or(resolve_after);
        self.ended = (long_enough && !is_slow).then_some(minute);
    }
}

impl Evidence {
    fn of(verdict: &Verdict) -> Self {
        let Verdict { rule, value, threshold, ref why, forecast, .. } = *verdict;
        Self { rule, why: why.clone(), value, threshold, forecast }
    }
}

impl Record {
    /// An episode of which nobody knows.
    #[must_use]
    pub fn untold(gateway: &Gateway, episode: Episode) -> Self {
        Self { gateway: gateway.clone(), episode, told: BTreeMap::new(), audible: false }
    }

    /// Enters what a receiver took of it.
    pub fn enter(&mut self, receiver: &Receiver, notice: &Notice, now: Minute) {
        let before = self.told.get(receiver).copied();
        let told = Told::after(before, notice.reason, notice.episode.severity, now);
        self.told.insert(receiver.clone(), told);
    }
}

/// The episodes of a gateway after one more minute: at most the last of them is
/// open, the others wait to be told. `resolve_after` is how many minutes must
/// be quiet before one ends (some rules ask for more, see [`Rule::quiet_time`]), and
/// the slowest answers must be below 60 % of the timeout or as usual; minutes
/// without requests do not count, because silence is no recovery.
#[must_use]
pub fn advance(
    mut records: Vec<Record>,
    gateway: &Gateway,
    window: Window<'_>,
    usual: &Baseline,
    verdicts: &[Verdict],
    resolve_after: u32,
) -> Vec<Record> {
    let Some(reading) = window.readings().last() else { return records };
    let breaching = || verdicts.iter().filter(|v| v.state == State::Breaching);
    let worst = breaching().max_by_key(|v| (v.severity, v.rule));
    if let Some(verdict) = worst
        && !records.last().is_some_and(|r| r.episode.is_open())
    {
        let before = records.last().map(|record| &record.episode);
        let episode = Episode::starting(gateway, window.newest(RECENT), verdict, before);
        records.extend(episode.map(|episode| Record::untold(gateway, episode)));
        let excess = records.len().saturating_sub(MOST_EPISODES);
        records.drain(..excess);
    }
    if let Some(record) = records.last_mut().filter(|r| r.episode.is_open()) {
        record.gateway.clone_from(gateway);
        let episode = &mut record.episode;
        episode.count(reading);
        for verdict in breaching() {
            episode.breach(reading, verdict);
        }
        if worst.is_none() && reading.requests() > 0.0 {
            let is_slow = is_slow(gateway.timeout.seconds, window, usual);
            episode.quiet(reading.minute, resolve_after, is_slow);
        }
    }
    records
}

/// Whether most of the last minutes are still near the timeout, and not because
/// they always are.
fn is_slow(timeout: f64, window: Window<'_>, usual: &Baseline) -> bool {
    let most = usual.p99.unwrap_or(0.0);
    let limit = (STILL_SLOW * timeout).max(AS_USUAL * most);
    let minutes = window.newest(RECENT).readings().iter();
    let p99s = minutes.filter(|r| r.requests() > 0.0).filter_map(|r| r.effective_p99(timeout));
    let (slow, all) = p99s.fold((0, 0), |(s, n), p99| (s + usize::from(p99 >= limit), n + 1));
    slow * 2 > all
}

/// A count that CloudWatch sent as a floating-point number. Casting saturates,
/// and what is no number is zero.
#[must_use]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates, see above
pub fn whole(count: f64) -> u64 {
    count.round() as u64
}
