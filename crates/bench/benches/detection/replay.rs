//! A series minute by minute, as it would have been known then.

use std::collections::BTreeMap;
use std::sync::Arc;

use nearmiss_core::alerting::Router;
use nearmiss_core::alerting::episode::TrackedEpisode;
use nearmiss_core::alerting::notification_log::Reason;
use nearmiss_core::detect::outlook::History;
use nearmiss_core::detect::{Detectors, Rule, Severity, State};
use nearmiss_core::gateway::polling::PollRate;
use nearmiss_core::gateway::signal::Signal;
use nearmiss_core::gateway::{Detail, Gateway, Identity, Kind, Timeout};
use nearmiss_core::series::forecast::Forecast;
use nearmiss_core::series::history::{Mark, QuarterHour, QuarterHourStats};
use nearmiss_core::series::snapshot::Snapshot;
use nearmiss_core::time::Minute;
use nearmiss_core::{Report, assess};

use crate::series::Series;

/// Minutes until CloudWatch shows a minute.
pub const DELAY: i64 = 3;
/// Minutes that must be quiet.
const RESOLVE_AFTER: u32 = 60;

/// How to replay.
pub struct Options {
    pub every_minute: bool,
    pub cold: bool,
    pub verbose: bool,
    pub workers: Option<std::num::NonZeroU32>,
}

pub fn gateway(timeout: f64) -> Arc<Gateway> {
    Arc::new(Gateway {
        id: Identity::new(Kind::Alb, "eu-central-1", "", "app/site/1"),
        timeout: Timeout { seconds: timeout, at_aws: None },
        near: 0.8,
        detail: Detail::Figures,
        tags: BTreeMap::new(),
    })
}

fn enter(history: &mut History, series: &Series, quarter_hour: i64) {
    let Some(row) = series.quarter_hours.get(&quarter_hour) else { return };
    let summary = QuarterHourStats {
        samples: row.samples.unwrap_or(0.0),
        sum: row.sum,
        p50: row.p50,
        p99: row.p99,
        maximum: row.max,
        near_misses: Some(row.near.unwrap_or(0.0)),
        timeouts: row.timeouts.unwrap_or(0.0),
        connection_errors: Some(row.conn.unwrap_or(0.0) + row.tls.unwrap_or(0.0)),
        timeout: row.timeout,
    };
    history.enter(QuarterHour(quarter_hour), &summary);
}

fn snapshot(series: &Series, from: Minute, end: Minute, rate: PollRate) -> Snapshot {
    use Signal::{
        ConnectionErrors, HealthyHosts, Maximum, NearMisses, P50, P99, RequestCount, Samples,
        Timeouts, TlsErrors,
    };
    let all = [
        ConnectionErrors,
        HealthyHosts,
        Maximum,
        NearMisses,
        P50,
        P99,
        RequestCount,
        Samples,
        Timeouts,
        TlsErrors,
    ];
    let calm = [Maximum, NearMisses, P50, P99, Samples, Timeouts];
    let asked: &[Signal] = if rate == PollRate::Slow { &calm } else { &all };
    let mut snapshot = Snapshot::quiet(from, end, asked);
    for m in from.0..end.0 {
        let Some(row) =
            usize::try_from(m - series.first.0).ok().and_then(|i| series.minutes.get(i))
        else {
            continue;
        };
        for (signal, value) in [
            (Samples, row.samples),
            (P50, row.p50),
            (P99, row.p99),
            (Maximum, row.max),
            (NearMisses, row.near),
            (Timeouts, row.timeouts),
            (ConnectionErrors, row.conn),
            (TlsErrors, row.tls),
            (RequestCount, row.requests),
            (HealthyHosts, row.healthy),
        ] {
            if let Some(value) = value
                && asked.contains(&signal)
            {
                snapshot.record(signal, Minute(m), value);
            }
        }
    }
    snapshot
}

/// A message.
pub struct Alert {
    /// The minute in which it was sent.
    pub at: Minute,
    pub reason: Reason,
    pub rule: Rule,
    pub episode: String,
    /// Whether the episode came back.
    pub comes_back: bool,
    pub why: String,
}

#[derive(Default)]
pub struct Outcome {
    pub alerts: Vec<Alert>,
    /// What was forecast of jobs at the end of each quarter-hour: when, and what.
    pub jobs: Vec<(Minute, Forecast)>,
    /// What was forecast of a drift after the fault began: first, and first below an hour.
    pub drifts: [Option<(Minute, Forecast)>; 2],
    /// Whether something was called a drift, ever.
    pub drifted: bool,
    pub calm_minutes: usize,
    pub minutes: usize,
    /// How long each assessment took, nanoseconds.
    pub busy: Vec<u32>,
    pub bytes: usize,
    pub open_at_end: bool,
}

impl Outcome {
    /// The first that was sent after this minute.
    pub fn first_after(&self, fault: Minute) -> Option<&Alert> {
        let alerting = |r: Reason| matches!(r, Reason::Firing | Reason::Escalated);
        self.alerts.iter().find(|alert| alert.at > fault && alerting(alert.reason))
    }

    /// How many episodes began in these minutes.
    pub fn firings(&self, within: impl Fn(Minute) -> bool) -> usize {
        let firing = |alert: &&Alert| alert.reason == Reason::Firing && within(alert.at);
        self.alerts.iter().filter(firing).count()
    }
}

#[allow(clippy::disallowed_methods)] // measures itself
pub fn replay(series: &Series, detectors: &Detectors, options: &Options, start: Minute) -> Outcome {
    let end = series.first.plus(series.minutes.len() as i64);
    let mut outcome = Outcome::default();
    let mut history = History::new();
    let mut entered = series.first.0.div_euclid(15);
    let mut read_quarters = |history: &mut History, upto: Minute| {
        while (entered + 1) * 15 <= upto.0 {
            enter(history, series, entered);
            entered += 1;
        }
    };
    read_quarters(&mut history, start);
    let (mut records, mut rate): (Vec<TrackedEpisode>, PollRate) = (Vec::new(), PollRate::Slow);
    let mut unread = start;
    let mut quarters_read = start;
    for known in start.0 + 1..=end.0 {
        let known = Minute(known);
        let tier_now = if options.every_minute { PollRate::Fast } else { rate };
        if !tier_now.is_due(5, "a", unread, known) {
            continue;
        }
        if tier_now == PollRate::Fast || known.since(quarters_read) >= 30 {
            quarters_read = known;
            read_quarters(&mut history, known);
        }
        let snapshot = snapshot(series, unread.plus(-60), known, tier_now);
        let router = Router::default();
        while unread < known {
            let index = usize::try_from(unread.0 - series.first.0).unwrap_or(0);
            let gateway = gateway(series.minutes[index].timeout.max(1.0));
            let began = std::time::Instant::now();
            let report = assess(
                &gateway,
                detectors,
                RESOLVE_AFTER,
                records.clone(),
                &snapshot,
                &mut history,
                unread,
            );
            outcome.busy.push(u32::try_from(began.elapsed().as_nanos()).unwrap_or(u32::MAX));
            let Some(report) = report else { break };
            outcome.minutes += 1;
            outcome.calm_minutes += usize::from(tier_now == PollRate::Slow);
            note(&report, series.fault, &mut outcome, &mut history);
            records = report.records;
            for notice in router.replay(&mut records, unread) {
                outcome.alerts.push(Alert {
                    at: known.plus(DELAY),
                    reason: notice.reason,
                    rule: notice.rule(),
                    comes_back: notice.episode.returns.is_some(),
                    episode: notice.episode.id,
                    why: notice.episode.evidence.why,
                });
            }
            rate = report.rate;
            unread = unread.plus(1);
        }
    }
    outcome.open_at_end = records.iter().any(|record| record.episode.is_open());
    outcome.bytes = history.bytes();
    outcome
}

fn note(report: &Report, fault: Option<Minute>, outcome: &mut Outcome, history: &mut History) {
    let now = report.reading.minute.plus(1);
    for verdict in report.evaluations.iter().filter(|v| v.state == State::Breaching) {
        outcome.drifted |= verdict.rule == Rule::Drift;
        let Some(forecast) = verdict.forecast else { continue };
        match verdict.rule {
            Rule::RecurringJob if now.0 % 15 == 1 => outcome.jobs.push((now, forecast)),
            Rule::Drift if fault.is_some_and(|fault| now > fault) => {
                outcome.drifts[0].get_or_insert((now, forecast));
                if verdict.severity == Severity::Critical {
                    outcome.drifts[1].get_or_insert((now, forecast));
                }
            }
            _ => {}
        }
    }
    if let Some((from, to)) = report.incident() {
        history.mark(from, to, Mark::Incident);
    }
}
