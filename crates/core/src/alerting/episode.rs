//! When to notify: episodes, and what receivers were notified of.
//!
//! An episode belongs to one gateway; rules attach to it and its severity only rises.
//! [`advance`] folds one more minute into a gateway's episodes, and
//! [`Router::due`](crate::alerting::Router::due) says whether somebody must be notified.
//! What was delivered is part of the record, so that an alert that could not be sent is
//! simply decided again.
//!
//! Trouble that comes back within a day (a stampede every few hours, a peak every
//! day) is one condition and one ticket: from the second time on its episode stays
//! open until a day has passed without it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::alerting::ReceiverId;
use crate::alerting::notification_log::{NotificationLogEntry, Reason};
use crate::detect::{Evaluation, Rule, Severity, State};
use crate::gateway::Gateway;
use crate::number::whole;
use crate::series::baseline::Baseline;
use crate::series::forecast::Forecast;
use crate::series::totals::Totals;
use crate::series::window::{Reading, Window};
use crate::time::Minute;

/// How many episodes of one gateway are kept, most of them because somebody is still to be
/// notified. Each lasts at least an hour unless `resolve_after` is shorter, and trouble
/// that comes back is one episode, so that these cover more than a day without a receiver.
pub const MAX_EPISODES: usize = 24;
/// The newest minutes whose near misses and 504s belong to an episode that begins.
const RECENT: u32 = 15;
/// The share of the timeout above which the slowest answers forbid an end.
const STILL_SLOW: f64 = 0.6;
/// Up to this factor of what is usual they count as usual.
const AS_USUAL: f64 = 1.25;
/// Trouble that comes again within this many minutes has come back: a day, and two hours
/// because what happens daily does not happen to the minute.
pub const COMES_BACK: i64 = 26 * 60;
/// The same for trouble that had come back before: what happens on weekdays leaves
/// out a weekend.
pub const COMES_BACK_AGAIN: i64 = COMES_BACK + 2 * 24 * 60;
/// The factor by which one time must exceed all before it to be notified as worse.
const WORSE: u64 = 4;
/// Fewer 504s than this are no measure of how bad a time was.
const FEW: u64 = 10;

/// One stretch of trouble of one gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    /// The same for the same trouble, whoever computes it: gateway and start.
    pub id: String,
    /// The first minute with a near miss or a 504 in the fifteen minutes in which the first
    /// rule fired; without one, the minute in which it fired.
    pub began: Minute,
    /// The last minute with a near miss or a 504 while a rule was breaching, or in which a
    /// rule that forecasts was breaching.
    pub last_breach: Minute,
    /// The worst severity so far.
    pub severity: Severity,
    /// Each rule that fired, and when it first did.
    pub rules: BTreeMap<Rule, Minute>,
    /// What the worst evaluation of the last breach said.
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
    /// How it came back, where it did: such an episode stays open between its times.
    #[serde(default)]
    pub returns: Option<Returns>,
}

/// Trouble that came back, the episodes before included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returns {
    /// How many times it came, the first included.
    pub times: u32,
    /// When it came first.
    pub first: Minute,
    /// When it came last.
    pub began: Minute,
    /// Whether the last time is over.
    pub over: bool,
    /// 504s of the last time so far.
    pub timeouts: u64,
    /// The most 504s of a time before it.
    pub most_timeouts: u64,
    /// How many times it came back so much worse that receivers must be notified, though
    /// its severity is the same.
    pub worse: u32,
    /// Whether the last time is one of them.
    pub is_worse: bool,
}

/// What a detector found, for the notification.
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
    /// When the timeout is reached, from the end of that minute, where the detector can say
    /// so.
    #[serde(default)]
    pub forecast: Option<Forecast>,
}

/// An episode, and what its receivers were notified of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrackedEpisode {
    /// Whose it is, as it was last: receivers can be notified when the gateway is gone.
    pub gateway: Gateway,
    /// What happened.
    pub episode: Episode,
    /// Which receiver accepted which notification of it.
    #[serde(rename = "told")]
    pub notified: BTreeMap<ReceiverId, NotificationLogEntry>,
    /// Whether it was open at a moment at which nothing muted it.
    #[serde(default)]
    pub audible: bool,
}

impl Episode {
    /// Whether it is not over yet.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.ended.is_none()
    }

    /// Whether it is open and goes on, and does not merely wait for its return.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.is_open() && self.returns.is_none_or(|returns| !returns.over)
    }

    /// When it began, or came back last.
    #[must_use]
    pub fn came(&self) -> Minute {
        self.returns.map_or(self.began, |returns| returns.began)
    }

    /// How many minutes after its last breach the same trouble has come back rather
    /// than begun again.
    #[must_use]
    pub fn comes_back_within(&self) -> i64 {
        if self.returns.is_some() { COMES_BACK_AGAIN } else { COMES_BACK }
    }

    /// An episode that begins with this evaluation of this window. The window's bad minutes
    /// belong to it, except those of the episode before.
    fn starting(
        gateway: &Gateway,
        window: Window<'_>,
        verdict: &Evaluation,
        before: Option<&TrackedEpisode>,
    ) -> Option<Self> {
        let readings = window.readings();
        let last = readings.last()?;
        let first = onset(readings, verdict.rule, before.and_then(|b| b.episode.ended))?;
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
            returns: before.and_then(|before| Returns::of(before, verdict.rule, began)),
        };
        // The last minute is counted as every later one is.
        readings[first..readings.len() - 1].iter().for_each(|reading| episode.count(reading));
        Some(episode)
    }

    /// Ends it without a recovery: nobody watches any more.
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

    /// Adds requests of its minutes that CloudWatch reported late.
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
        if let Some(returns) = self.returns.as_mut().filter(|returns| !returns.over) {
            returns.timeouts = returns.timeouts.saturating_add(whole(reading.timeouts));
        }
    }

    /// Enters an evaluation that breaches at the end of this window.
    fn breach(&mut self, window: Window<'_>, verdict: &Evaluation) {
        let Some(reading) = window.readings().last() else { return };
        if let Some(returns) = self.returns.as_mut().filter(|returns| returns.over) {
            let first = onset(window.readings(), verdict.rule, Some(self.last_breach));
            returns.begin(&window.readings()[first.unwrap_or_default()..]);
        }
        let is_as_bad = verdict.severity >= self.severity;
        let is_new = !self.rules.keys().any(|rule| rule.is_like(verdict.rule));
        if let Some(returns) = self.returns.as_mut().filter(|_| is_as_bad) {
            returns.compare(is_new && !self.rules.is_empty());
        }
        self.rules.entry(verdict.rule).or_insert(reading.minute);
        if is_as_bad {
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
        let is_over = long_enough && !is_slow;
        let has_returned = self.returns.is_some();
        if let Some(returns) = &mut self.returns {
            returns.over = is_over;
        }
        let stays_away = minute.since(self.last_breach) >= COMES_BACK;
        self.ended = (is_over && (!has_returned || stays_away)).then_some(minute);
    }
}

/// The first of these minutes that belongs to trouble that this rule found at the end
/// of them: the first with a near miss or a 504 after `over`, or else the last of all.
/// What is forecast begins when it is found.
fn onset(readings: &[Reading], rule: Rule, over: Option<Minute>) -> Option<usize> {
    let last = readings.len().checked_sub(1)?;
    let is_new = |r: &Reading| over.is_none_or(|over| r.minute > over);
    let is_bad = |r: &Reading| r.near_misses + r.timeouts > 0.0 && is_new(r);
    let first = readings.iter().position(is_bad).filter(|_| !rule.is_forecast());
    Some(first.unwrap_or(last))
}

impl Returns {
    /// Trouble of this rule that begins in this minute, if it is that of the episode before
    /// and somebody was notified of it: the same kind within a day.
    fn of(before: &TrackedEpisode, rule: Rule, began: Minute) -> Option<Self> {
        let TrackedEpisode { episode, notified, audible, .. } = before;
        let is_same = episode.rules.keys().any(|known| known.is_like(rule));
        let is_known = (*audible || !notified.is_empty()) && !episode.benign && !episode.abandoned;
        if !is_same || !is_known || began.since(episode.last_breach) > episode.comes_back_within() {
            return None;
        }
        let now = Self {
            times: 2,
            first: episode.began,
            began,
            over: false,
            timeouts: 0,
            most_timeouts: episode.timeouts,
            worse: 0,
            is_worse: false,
        };
        let Some(before) = episode.returns else { return Some(now) };
        let most_timeouts = before.most_timeouts.max(before.timeouts);
        let times = before.times.saturating_add(1);
        Some(Self { times, first: before.first, most_timeouts, ..now })
    }

    /// It comes back once more, in these minutes.
    fn begin(&mut self, readings: &[Reading]) {
        let most_timeouts = self.most_timeouts.max(self.timeouts);
        let times = self.times.saturating_add(1);
        let began = readings.first().map_or(self.began, |first| first.minute);
        let timeouts = readings.iter().map(|reading| whole(reading.timeouts)).sum();
        let is_worse = false;
        *self = Self { times, began, over: false, timeouts, most_timeouts, is_worse, ..*self };
    }

    /// Notes, once each time, whether it is of a new kind or much worse than ever before.
    fn compare(&mut self, is_new: bool) {
        let is_worse = self.timeouts > WORSE.saturating_mul(self.most_timeouts.max(FEW));
        if (is_new || is_worse) && !self.is_worse {
            self.is_worse = true;
            self.worse = self.worse.saturating_add(1);
        }
    }
}

impl Evidence {
    fn of(verdict: &Evaluation) -> Self {
        let Evaluation { rule, value, threshold, ref why, forecast, .. } = *verdict;
        Self { rule, why: why.clone(), value, threshold, forecast }
    }
}

impl NotificationLogEntry {
    /// What a receiver was notified of once it has taken this.
    #[must_use]
    pub fn after(before: Option<Self>, reason: Reason, episode: &Episode, now: Minute) -> Self {
        let worse = episode.returns.map_or(0, |returns| returns.worse);
        Self { worse, ..Self::after_any(before, reason, episode.severity, now) }
    }
}

impl TrackedEpisode {
    /// An episode of which nobody was notified.
    #[must_use]
    pub fn unnotified(gateway: &Gateway, episode: Episode) -> Self {
        Self { gateway: gateway.clone(), episode, notified: BTreeMap::new(), audible: false }
    }

    /// Enters what a receiver took of it.
    pub fn enter(&mut self, receiver: &ReceiverId, reason: Reason, episode: &Episode, now: Minute) {
        let before = self.notified.get(receiver).copied();
        let notified = NotificationLogEntry::after(before, reason, episode, now);
        self.notified.insert(receiver.clone(), notified);
    }
}

/// The episodes of a gateway after one more minute: at most the last of them is open, the
/// others wait for their notifications. `resolve_after` is how many minutes must be quiet
/// before one ends (some rules ask for more, see [`Rule::quiet_time`]), and the slowest
/// answers must be below 60 % of the timeout or as usual; minutes without requests do not
/// count, because silence is no recovery. One that came back ends once it has stayed away
/// for [`COMES_BACK`] too.
#[must_use]
pub fn advance(
    mut records: Vec<TrackedEpisode>,
    gateway: &Gateway,
    window: Window<'_>,
    usual: &Baseline,
    evaluations: &[Evaluation],
    resolve_after: u32,
) -> Vec<TrackedEpisode> {
    let Some(reading) = window.readings().last() else { return records };
    let breaching = || evaluations.iter().filter(|v| v.state == State::Breaching);
    let worst = breaching().max_by_key(|v| (v.severity, v.rule));
    if let Some(verdict) = worst
        && !records.last().is_some_and(|r| r.episode.is_open())
    {
        let episode = Episode::starting(gateway, window.newest(RECENT), verdict, records.last());
        records.extend(episode.map(|episode| TrackedEpisode::unnotified(gateway, episode)));
        let excess = records.len().saturating_sub(MAX_EPISODES);
        records.drain(..excess);
    }
    if let Some(record) = records.last_mut().filter(|r| r.episode.is_open()) {
        record.gateway.clone_from(gateway);
        let episode = &mut record.episode;
        episode.count(reading);
        for verdict in breaching() {
            episode.breach(window.newest(RECENT), verdict);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EpisodeNotification;
    use crate::alerting::{Matcher, Router, Silence};
    use crate::gateway::{Detail, Identity, Kind, Timeout};

    /// A Monday, 00:00.
    const MONDAY: Minute = Minute(29_459_520);
    const HOUR: i64 = 60;
    const DAY: i64 = 24 * HOUR;

    /// What happens in a minute: the rule that breaches, how bad it is, and 504s.
    type Trouble = (Rule, Severity, f64);

    fn gateway() -> Gateway {
        Gateway {
            id: Identity::new(Kind::Alb, "eu-central-1", "", "app/web/1"),
            timeout: Timeout { seconds: 60.0, at_aws: None },
            near: 0.8,
            detail: Detail::Figures,
            tags: BTreeMap::new(),
        }
    }

    fn reading(minute: Minute, timeouts: f64) -> Reading {
        Reading {
            minute,
            p50: Some(0.3),
            p99: Some(4.0),
            maximum: Some(9.0),
            samples: 300.0,
            near_misses: 0.0,
            timeouts,
            connection_errors: None,
            tls_errors: None,
            request_count: None,
            healthy_hosts: None,
        }
    }

    fn verdict((rule, severity, value): Trouble) -> Evaluation {
        Evaluation {
            rule,
            state: State::Breaching,
            severity,
            value: Some(value),
            threshold: 5.0,
            why: format!("{rule}"),
            forecast: None,
        }
    }

    /// The notifications of some days from Monday on, each with its minute after that, and
    /// the records at the end.
    fn notified(
        router: &Router,
        minutes: i64,
        trouble: impl Fn(i64) -> Option<Trouble>,
    ) -> (Vec<(i64, EpisodeNotification)>, Vec<TrackedEpisode>) {
        let (gateway, mut readings) = (gateway(), Vec::new());
        let (mut records, mut notified) = (Vec::new(), Vec::new());
        for minute in 0..minutes {
            let (now, trouble) = (MONDAY.plus(minute), trouble(minute));
            readings.push(reading(now, trouble.map_or(0.0, |(_, _, timeouts)| timeouts)));
            let window = Window::over(&readings).newest(60);
            let evaluations: Vec<Evaluation> = trouble.map(verdict).into_iter().collect();
            let usual = Baseline::default();
            records = advance(records, &gateway, window, &usual, &evaluations, 60);
            notified.extend(
                router.replay(&mut records, now).into_iter().map(|notice| (minute, notice)),
            );
        }
        (notified, records)
    }

    /// The reasons of notifications, and on which day they came.
    fn reasons(notified: &[(i64, EpisodeNotification)]) -> Vec<(i64, Reason)> {
        notified.iter().map(|(minute, notice)| (minute / DAY, notice.reason)).collect()
    }

    /// 504s for 20 minutes, once in this many minutes.
    fn every(minutes: i64) -> impl Fn(i64) -> Option<Trouble> {
        move |minute| (minute % minutes < 20).then_some((Rule::AtLimit, Severity::Warning, 2.0))
    }

    #[test]
    fn what_comes_back_is_one_ticket_from_the_second_time_on() {
        use Reason::{Firing, Reminder, Resolved};
        for hours in [3, 6, 12] {
            let (notified, records) = notified(&Router::default(), 4 * DAY, every(hours * HOUR));
            let expected = [
                (0, Firing),
                (0, Resolved),
                (0, Firing),
                (1, Reminder),
                (2, Reminder),
                (3, Reminder),
            ];
            assert_eq!(reasons(&notified), expected, "every {hours} h");
            let returns = records.last().unwrap().episode.returns.unwrap();
            assert_eq!(i64::from(returns.times), 4 * 24 / hours, "{returns:?}");
        }
        let (notified, _) = notified(&Router::default(), 4 * DAY, every(DAY));
        let expected = [(0, Firing), (0, Resolved), (1, Firing), (2, Reminder), (3, Reminder)];
        assert_eq!(reasons(&notified), expected, "every day");
    }

    #[test]
    fn it_is_over_when_a_day_has_passed_without_it() {
        let (notified, records) = notified(&Router::default(), 4 * DAY, |minute| {
            every(6 * HOUR)(minute).filter(|_| minute < DAY)
        });
        let (minute, last) = notified.last().unwrap();
        assert_eq!(last.reason, Reason::Resolved);
        assert_eq!(*minute, 18 * HOUR + 19 + COMES_BACK);
        assert!(records.iter().all(|record| !record.episode.is_open()));
    }

    #[test]
    fn what_happens_on_weekdays_is_the_same_on_monday() {
        let (notified, _) = notified(&Router::default(), 9 * DAY, |minute| {
            let is_weekday = (minute / DAY) % 7 < 5;
            every(DAY)(minute).filter(|_| is_weekday)
        });
        let on_monday = notified.iter().filter(|(minute, _)| *minute / DAY == 7);
        let times: Vec<u32> =
            on_monday.map(|(_, notice)| notice.episode.returns.unwrap().times).collect();
        assert_eq!(times, [6], "it is told once, and stays open");
    }

    #[test]
    fn two_incidents_on_two_days_are_two_and_not_a_third() {
        let (notified, records) = notified(&Router::default(), 5 * DAY, |minute| {
            let bad = (670..715).contains(&minute) || (DAY + 980..DAY + 1020).contains(&minute);
            bad.then_some((Rule::BurnRate, Severity::Critical, 30.0))
        });
        let expected = [
            (670, Reason::Firing),
            (714 + 60, Reason::Resolved),
            (DAY + 980, Reason::Firing),
            (DAY + 1019 + 60, Reason::Resolved),
        ];
        let found: Vec<(i64, Reason)> =
            notified.iter().map(|(minute, notice)| (*minute, notice.reason)).collect();
        assert_eq!(found, expected);
        assert!(records.is_empty(), "and are forgotten");
    }

    #[test]
    fn worse_is_told_at_the_same_severity_once_each_time() {
        let critical = |rule, timeouts| Some((rule, Severity::Critical, timeouts));
        let (notified, _) = notified(&Router::default(), 2 * DAY, |minute| match minute {
            _ if minute % (6 * HOUR) >= 20 => None,
            _ if minute / (6 * HOUR) == 3 => critical(Rule::AtLimit, 40.0),
            _ if minute / (6 * HOUR) == 5 => critical(Rule::Blackout, 1.0),
            _ => critical(Rule::AtLimit, 2.0),
        });
        let worse: Vec<(i64, Rule)> = notified
            .iter()
            .filter(|(_, notice)| notice.reason == Reason::Escalated)
            .map(|(minute, notice)| (minute / (6 * HOUR), notice.rule()))
            .collect();
        assert_eq!(worse, [(3, Rule::AtLimit), (5, Rule::Blackout)]);
        let mut ids: Vec<String> = notified.iter().map(|(_, notice)| notice.id()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), notified.len(), "each has an id of its own");
    }

    #[test]
    fn a_severity_that_rises_is_told_whenever_it_does() {
        let (notified, _) = notified(&Router::default(), DAY, |minute| {
            let severity = if minute < 12 * HOUR { Severity::Warning } else { Severity::Critical };
            (minute % (6 * HOUR) < 20).then_some((Rule::AtLimit, severity, 2.0))
        });
        let escalated = notified.iter().filter(|(_, notice)| notice.reason == Reason::Escalated);
        assert_eq!(escalated.map(|(minute, _)| *minute).collect::<Vec<_>>(), [12 * HOUR]);
    }

    #[test]
    fn another_kind_of_trouble_begins_anew() {
        let (notified, _) = notified(&Router::default(), DAY, |minute| {
            let rule = if minute < 6 * HOUR { Rule::Unreachable } else { Rule::AtLimit };
            (minute % (6 * HOUR) < 20 && minute < 7 * HOUR).then_some((
                rule,
                Severity::Warning,
                2.0,
            ))
        });
        assert!(notified.iter().all(|(_, notice)| notice.episode.returns.is_none()));
        assert_eq!(notified.len(), 4, "two that begin and end");
    }

    #[test]
    fn what_comes_and_goes_within_quiet_times_is_not_told_between_them() {
        let silence = |from: i64| Silence {
            id: from.to_string(),
            matcher: Matcher::default(),
            at_most: Severity::Critical,
            from: MONDAY.plus(from - 5),
            until: MONDAY.plus(from + 3 * HOUR),
            by: String::new(),
            comment: String::new(),
        };
        let mut router = Router::default();
        router.mute.silences = (0..12).map(|i| silence(i * 6 * HOUR)).collect();
        // Somebody was notified of the first time.
        router.mute.silences.remove(0);
        let (notified, records) = notified(&router, 3 * DAY - HOUR, every(6 * HOUR));
        assert_eq!(reasons(&notified), [(0, Reason::Firing), (0, Reason::Resolved)]);
        let record = records.last().unwrap();
        assert!(record.episode.is_open() && !record.episode.goes_on());
    }

    #[test]
    fn only_its_times_are_an_incident_and_only_they_stir() {
        let (_, records) = notified(&Router::default(), DAY, every(6 * HOUR));
        let episode = &records.last().unwrap().episode;
        assert_eq!(episode.came(), MONDAY.plus(18 * HOUR));
        assert!(episode.is_open() && !episode.goes_on());
    }
}
