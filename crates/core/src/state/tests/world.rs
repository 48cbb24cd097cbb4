//! A gateway, a CloudWatch that reports it late, and a daemon that polls: no HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::alerting::Router;
use crate::alerting::notification_log::Reason;
use crate::assess;
use crate::detect::outlook::History;
use crate::detect::{Detectors, Severity};
use crate::gateway::signal::Signal;
use crate::gateway::{Detail, Gateway, Identity, Kind, Timeout};
use crate::late::{Amended, Rules, assess_again};
use crate::series::snapshot::Snapshot;
use crate::series::totals::Totals;
use crate::state::{GatewayState, Present, Received, Tally};
use crate::time::Minute;

/// What the simulated time is counted from: a Monday in 2026, 09:00.
pub(super) const START: i64 = 29_460_060;
/// How long after its end a minute is looked at.
const DELAY: i64 = 1;
/// It has settled one later.
const SETTLE: i64 = 2;

pub(super) fn gateway() -> Arc<Gateway> {
    Arc::new(Gateway {
        id: Identity::new(Kind::Alb, "eu-central-1", "111122223333", "app/web/50dc6c495c0c9188"),
        timeout: Timeout { seconds: 60.0, at_aws: Some(60.0) },
        near: 0.8,
        detail: Detail::Figures,
        tags: BTreeMap::new(),
    })
}

/// What happened in a minute, and when CloudWatch reports it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Truth {
    pub samples: u32,
    pub near: u32,
    pub timeouts: u32,
    /// Minutes after its end at which the latencies are there.
    pub latencies_after: i64,
    /// The same of the 504s.
    pub timeouts_after: i64,
    /// How many of the samples are there until then.
    pub early: u32,
}

/// What happens from `START` on, minute by minute; nothing before and after.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub truth: Vec<Truth>,
    /// Requests a minute that are refused at once where nobody is answered.
    pub refused: u32,
    /// Whether the counts of requests and of answers come with the latencies.
    pub counts_are_late: bool,
}

impl World {
    pub fn of(truth: Vec<Truth>) -> Self {
        Self { truth, refused: 0, counts_are_late: false }
    }

    /// The same traffic in every minute.
    pub fn steady(minutes: usize, samples: u32) -> Self {
        Self::of(vec![Truth { samples, ..Truth::default() }; minutes])
    }

    /// CloudWatch reports nothing of these minutes until `wait` minutes after the last.
    pub fn silent(mut self, minutes: std::ops::Range<usize>, wait: i64) -> Self {
        for minute in minutes.clone() {
            let after = i64::try_from(minutes.end - 1 - minute).unwrap() + wait;
            self.truth[minute].latencies_after = after;
            self.truth[minute].timeouts_after = after;
        }
        self
    }

    /// How many requests of each of these minutes end in 504.
    pub fn failing(mut self, minutes: std::ops::Range<usize>, timeouts: u32) -> Self {
        self.truth[minutes].iter_mut().for_each(|truth| truth.timeouts = timeouts);
        self
    }

    /// Nobody is answered in these minutes.
    pub fn unanswered(mut self, minutes: std::ops::Range<usize>) -> Self {
        self.truth[minutes].iter_mut().for_each(|truth| (truth.samples, truth.near) = (0, 0));
        self
    }

    fn at(&self, minute: Minute) -> Truth {
        let index = usize::try_from(minute.0 - START).ok();
        index.and_then(|index| self.truth.get(index)).copied().unwrap_or_default()
    }

    /// What CloudWatch answers at the beginning of minute `now`.
    pub fn snapshot(&self, from: Minute, end: Minute, now: i64, asked: &[Signal]) -> Snapshot {
        let mut snapshot = Snapshot::quiet(from, end, asked);
        for minute in (from.0..end.0).map(Minute) {
            let truth = self.at(minute);
            let Truth { samples, near, timeouts, latencies_after, timeouts_after, early } = truth;
            snapshot.record(Signal::Samples, minute, f64::from(early));
            let came = (samples + timeouts).max(self.refused);
            let counts_after = if self.counts_are_late { latencies_after } else { 0 };
            for (signal, count, after) in [
                (Signal::Samples, samples, latencies_after),
                (Signal::NearMisses, near, latencies_after),
                (Signal::P99, samples.min(3), latencies_after),
                (Signal::Timeouts, timeouts, timeouts_after),
                (Signal::Within(9), samples, latencies_after),
                (Signal::Sum, samples, latencies_after),
                (Signal::RequestCount, came, counts_after),
                (Signal::Answers, samples, counts_after),
            ] {
                if count > 0 && now - (minute.0 + 1) >= after {
                    snapshot.record(signal, minute, f64::from(count));
                }
            }
        }
        snapshot
    }

    /// All of the minutes from `START + from` to before `end`.
    pub fn sum(&self, from: i64, end: Minute) -> Totals {
        (START + from..end.0).map(Minute).fold(Totals::default(), |sum, minute| {
            let Truth { samples, near, timeouts, .. } = self.at(minute);
            Totals {
                requests: sum.requests + u64::from(samples + timeouts),
                near_misses: sum.near_misses + u64::from(near),
                timeouts: sum.timeouts + u64::from(timeouts),
            }
        })
    }
}

/// A daemon with one gateway.
pub(super) struct Poller {
    pub gateway: Arc<Gateway>,
    pub state: Option<GatewayState>,
    pub history: History,
    recent: Option<Snapshot>,
    /// Whether it only counts.
    pub only_counts: bool,
    /// Whether it reads everything with each poll.
    pub stirs: bool,
    /// Other gateways of its account that have data.
    pub others: usize,
    /// Minutes that were read, and requests.
    pub rows: i64,
    pub requests: u64,
    /// What was notified, as it happened: since when it was, why, and how bad it is.
    pub notified: Vec<(i64, Reason, Severity)>,
}

impl Poller {
    pub fn new() -> Self {
        Self {
            gateway: gateway(),
            state: None,
            history: History::new(),
            recent: None,
            only_counts: false,
            stirs: false,
            others: 0,
            rows: 0,
            requests: 0,
            notified: Vec::new(),
        }
    }

    pub fn state(&self) -> &GatewayState {
        self.state.as_ref().unwrap()
    }

    /// The state goes through its file.
    pub fn restart(&mut self) {
        self.recent = None;
        let Some(state) = self.state.take() else { return };
        let text = serde_json::to_string(&state).unwrap();
        let (counters, episodes) = (state.counters_record(), state.episodes_record());
        let read = GatewayState::of_records(&counters, Some(&episodes)).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text, "the records say what JSON says");
        self.state = Some(read);
    }

    fn signals(&self) -> Vec<Signal> {
        let mut asked = vec![Signal::P99, Signal::Samples, Signal::NearMisses, Signal::Timeouts];
        let answers = self.state.as_ref().is_some_and(GatewayState::asks_for_answers);
        if self.stirs || answers {
            asked.push(Signal::RequestCount);
        }
        if answers {
            asked.push(Signal::Answers);
        }
        if self.gateway.detail == Detail::Histogram {
            asked.push(Signal::Sum);
            asked.extend((0..10).map(Signal::Within));
        }
        asked
    }

    /// A poll at the beginning of minute `now`.
    pub fn poll(&mut self, world: &World, now: i64) {
        self.poll_up_to(world, now, Minute(now - DELAY));
        self.backfill(world, now);
        self.tell(now);
    }

    /// A poll by a clock that says that `asked` is the first minute that is not over.
    /// The answers say what time it is.
    pub fn poll_up_to(&mut self, world: &World, now: i64, asked: Minute) {
        let end = Minute(now - DELAY);
        for _ in 0..200 {
            let signals = self.signals();
            let mut state =
                self.state.take().unwrap_or_else(|| GatewayState::starting(end.plus(-1)));
            let known = self.recent.as_ref().map(|recent| (recent.first(), recent.end()));
            let new = GatewayState::starting(asked.plus(-1));
            let from = if state.is_ahead_of(asked) { &new } else { &state };
            let (from, until) = from.next_stretch(known, 7, asked);
            self.rows += until.since(from);
            self.requests += 1;
            let mut snapshot = world.snapshot(from, until, now, &signals);
            if let Some(recent) = &self.recent {
                snapshot = snapshot.continuing(recent, from.plus(-60));
            }
            state.put_right(end);
            state.skip_to(end.plus(-crate::state::RETENTION_MINUTES));
            let tally = Tally::of(std::iter::once((self.gateway.as_ref(), &state)), end);
            let tally = Tally { fresh: tally.fresh + self.others, ..tally };
            let present = Present { end, settled: Minute(now - SETTLE), is_late: tally.is_late() };
            let expects = || {
                let outlook = self.history.outlook(&self.gateway, &Detectors::default().drift, end);
                outlook.usual.expects_silence()
            };
            let Received { ready, late } =
                state.receive(&self.gateway, &mut snapshot, present, expects);
            self.amend(&mut state, &snapshot, &late);
            self.assess(&mut state, &snapshot, ready);
            self.state = Some(state);
            self.recent = Some(snapshot);
            if until >= asked && (asked < end || self.state().unread() >= end) {
                break;
            }
        }
    }

    /// Polls at the beginning of each of these minutes after `START`.
    pub fn polls(&mut self, world: &World, minutes: std::ops::Range<i64>) {
        minutes.for_each(|minute| self.poll(world, START + minute));
    }

    fn tell(&mut self, now: i64) {
        let Some(state) = &mut self.state else { return };
        for notice in Router::plain().replay(&mut state.records, Minute(now)) {
            let episode = &notice.episode;
            self.notified.push((episode.began.0 - START, notice.reason, episode.severity));
        }
    }

    /// The worst severity that was notified.
    pub fn worst(&self) -> Option<Severity> {
        self.notified.iter().map(|(_, _, severity)| *severity).max()
    }

    fn assess(&mut self, state: &mut GatewayState, snapshot: &Snapshot, ready: Minute) {
        let detectors = Detectors::default();
        for minute in (state.assess_watermark.0..ready.0).map(Minute) {
            if snapshot.first() > minute {
                return;
            }
            state.assess_watermark = minute.plus(1);
            if !self.only_counts {
                let records = std::mem::take(&mut state.records);
                let history = &mut self.history;
                let report =
                    assess(&self.gateway, &detectors, 60, records, snapshot, history, minute);
                state.records = report.unwrap().records;
            }
        }
    }

    fn amend(&mut self, state: &mut GatewayState, snapshot: &Snapshot, late: &[(Minute, Totals)]) {
        if late.is_empty() || self.only_counts {
            return;
        }
        let records = std::mem::take(&mut state.records);
        let detectors = Detectors::default();
        let rules = Rules { detectors: &detectors, resolve_after: 60 };
        let history = &mut self.history;
        let assessed = state.assess_watermark;
        let Amended { records, .. } =
            assess_again(&self.gateway, rules, records, snapshot, history, late, assessed);
        state.records = records;
    }

    fn backfill(&mut self, world: &World, now: i64) {
        let end = Minute(now - DELAY);
        let Some(mut state) = self.state.take() else { return };
        if let Some((from, until)) = state.backfill(end) {
            self.requests += 1;
            let asked = [Signal::P99, Signal::Samples, Signal::NearMisses, Signal::Timeouts];
            let snapshot = world.snapshot(from.plus(-59), until, now, &asked);
            let present = Present { end, settled: end, is_late: false };
            let late = state.fill(&self.gateway, &snapshot, present);
            self.amend(&mut state, &snapshot, &late);
        }
        self.state = Some(state);
    }
}
