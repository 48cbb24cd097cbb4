//! The same analysis over history: when nearmiss would have notified, and of what.
//!
//! Minute by minute, as each would have been known then: the detectors see the minutes up
//! to that one, and the quarter-hours that were over and published. Nothing differs from
//! the daemon but the clock: the data is read the same way, and the same [`assess()`] and
//! the same rules decide whom to notify.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::config::Config;
use crate::edge::aws::{AwsError, Usage};
use crate::edge::time::Clock;
use crate::inventory::{AccountRegion, Trouble};
use crate::source::{Ask, MetricSource, QuarterHours, Stretch};
use nearmiss_core::alerting::Router;
use nearmiss_core::alerting::notification_log::Reason;
use nearmiss_core::detect::outlook::History;
use nearmiss_core::detect::{LONGEST_WINDOW, Rule, Severity};
use nearmiss_core::gateway::Gateway;
use nearmiss_core::gateway::polling::PollRate;
use nearmiss_core::late::Rules;
use nearmiss_core::render;
use nearmiss_core::series::history::{Mark, QUARTER_HOURS, QuarterHour};
use nearmiss_core::series::snapshot::Snapshot;
use nearmiss_core::state::GatewayState;
use nearmiss_core::time::Minute;
use nearmiss_core::{EpisodeNotification, assess};

/// Minutes are read in stretches of three days.
const STRETCH_MINUTES: i64 = 3 * 24 * 60;
/// How many minutes after its end a quarter-hour is known.
const PUBLISHED_AFTER: i64 = 3;
/// How long reading one stretch of one gateway may take.
const PATIENCE: Duration = Duration::from_mins(5);
/// The longest period, in days.
const MAX_DAYS: i64 = 100;
/// How long CloudWatch keeps one-minute data.
const RETENTION_SECONDS: i64 = 15 * 24 * 3600;

/// The period of a backtest.
#[derive(Debug, Clone, Copy)]
pub struct Period {
    from: Minute,
    to: Minute,
}

/// Why a period cannot be replayed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// It ends before it begins.
    #[error("--to must be later than --from, but {to} is not later than {from}")]
    Reversed {
        /// The beginning.
        from: String,
        /// The end.
        to: String,
    },
    /// It is longer than data is kept anywhere.
    #[error(
        "expected at most {MAX_DAYS} days from --from to --to, found {days}: CloudWatch keeps one-minute data for 15"
    )]
    Long {
        /// How many days.
        days: i64,
    },
    /// It has not happened yet.
    #[error("--to is {to}, which is in the future: now is {now}")]
    Future {
        /// The end.
        to: String,
        /// The present.
        now: String,
    },
}

impl Period {
    /// From one time to another, Unix seconds, in whole minutes.
    ///
    /// # Errors
    /// When it is reversed, or reaches into the future.
    pub fn between(from: i64, to: i64, clock: Clock) -> Result<Self, PeriodError> {
        let now = clock.now();
        if to <= from {
            return Err(PeriodError::Reversed { from: time(from), to: time(to) });
        }
        if to > now {
            return Err(PeriodError::Future { to: time(to), now: time(now) });
        }
        let days = (to - from).div_euclid(86_400);
        if days > MAX_DAYS {
            return Err(PeriodError::Long { days });
        }
        Ok(Self { from: Minute::containing(from), to: Minute::containing(to) })
    }

    /// A warning about the period, where it is older than what CloudWatch keeps.
    #[must_use]
    pub fn caution(&self, clock: Clock) -> Option<String> {
        let kept = clock.now() - RETENTION_SECONDS;
        (self.from.start() < kept).then(|| {
            format!(
                "{} is more than 15 days ago: CloudWatch keeps one-minute data no longer, and minutes without data say nothing",
                time(self.from.start())
            )
        })
    }

    /// How many minutes it has.
    #[must_use]
    pub fn minutes(&self) -> u64 {
        u64::try_from(self.to.since(self.from)).unwrap_or(0)
    }
}

/// One notification that would have been sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Said {
    /// When: the end of the minute that caused it, plus the time until that is read
    /// (`[poll] delay`).
    pub at: String,
    /// Of which gateway.
    pub gateway: String,
    /// By which rule.
    pub rule: Rule,
    /// Its severity.
    pub severity: Severity,
    /// Why it would have been sent then.
    pub reason: Reason,
    /// Of which episode.
    pub episode: String,
    /// When the timeout would be reached, seconds from the minute of `at`.
    pub eta_seconds: Option<nearmiss_core::series::forecast::Forecast>,
    /// The figure that was compared.
    pub value: Option<f64>,
    /// What it was compared with.
    pub threshold: f64,
    /// In words.
    pub text: String,
}

/// The result as a whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Gateways that were replayed.
    pub gateways: u64,
    /// Minutes that were assessed, over all gateways.
    pub minutes: u64,
    /// Of these, minutes with requests.
    pub minutes_with_requests: u64,
    /// Episodes that began.
    pub episodes: u64,
    /// Metrics that CloudWatch bills for the backtest.
    pub billed_metrics: u64,
    /// What they cost.
    pub dollars: f64,
}

/// A backtest of everything that a config watches.
#[derive(Debug)]
pub struct Backtest<'a> {
    /// What to watch, and how.
    pub config: &'a Config,
    /// Which minutes to replay.
    pub period: Period,
    /// Dollars per 1,000 metrics requested.
    pub price_per_1000: f64,
}

impl Backtest<'_> {
    /// Runs it. `tell` is called with each notification, gateway by gateway; `progress`
    /// with how many minutes are done, of how many.
    ///
    /// What could not be found out or read is returned beside the summary.
    pub async fn run(
        &self,
        base: &SdkConfig,
        clock: Clock,
        mut tell: impl FnMut(&Said),
        mut progress: impl FnMut(u64, u64),
    ) -> (Summary, Vec<String>) {
        let mut troubles = Vec::new();
        let mut usage = Usage::default();
        let mut accounts = AccountRegion::of_config(self.config, base).await;
        let deadline = self.config.poll.deadline;
        for account in &mut accounts {
            usage.add(account.refresh(clock.now(), deadline, deadline).await);
            troubles.extend(account.troubles.iter().map(Trouble::to_string));
        }
        let gateways = accounts.iter().map(|account| account.gateways.len() as u64).sum::<u64>();
        let all = gateways * self.period.minutes();
        let mut summary = Summary { gateways, ..Summary::default() };
        for account in &accounts {
            for gateway in &account.gateways {
                let done = summary.minutes;
                let mut replay = Replay::of(self, gateway, account.metrics.as_ref());
                let mut step = |minutes: u64| progress(done + minutes, all);
                if let Err(fault) = replay.run(&mut usage, &mut tell, &mut step).await {
                    troubles.push(format!("{}: {fault}. {}", gateway.id.name, fault.advice()));
                }
                summary.minutes += replay.minutes;
                summary.minutes_with_requests += replay.minutes_with_requests;
                summary.episodes += replay.episodes;
            }
        }
        summary.billed_metrics = usage.billed_metrics;
        #[allow(clippy::cast_precision_loss)] // for people
        let billed = usage.billed_metrics as f64;
        summary.dollars = billed * self.price_per_1000 / 1000.0;
        (summary, troubles)
    }
}

/// The replay of one gateway.
struct Replay<'a> {
    backtest: &'a Backtest<'a>,
    gateway: &'a Arc<Gateway>,
    metrics: &'a dyn MetricSource,
    state: GatewayState,
    router: Router,
    history: History,
    /// Quarter-hours that are not known yet at the minute of the replay.
    to_come: VecDeque<(QuarterHour, nearmiss_core::series::history::QuarterHourStats)>,
    minutes: u64,
    minutes_with_requests: u64,
    episodes: u64,
}

impl<'a> Replay<'a> {
    fn of(
        backtest: &'a Backtest<'a>,
        gateway: &'a Arc<Gateway>,
        metrics: &'a dyn MetricSource,
    ) -> Self {
        Self {
            backtest,
            gateway,
            metrics,
            state: GatewayState::starting(backtest.period.from),
            router: Router::plain(),
            history: History::new(),
            to_come: VecDeque::new(),
            minutes: 0,
            minutes_with_requests: 0,
            episodes: 0,
        }
    }

    async fn run(
        &mut self,
        usage: &mut Usage,
        tell: &mut impl FnMut(&Said),
        progress: &mut impl FnMut(u64),
    ) -> Result<(), Arc<AwsError>> {
        let Period { from, to } = self.backtest.period;
        self.to_come = self.quarter_hours(usage).await?.into();
        let mut next = from;
        while next < to {
            let end = to.min(next.plus(STRETCH_MINUTES));
            let snapshot = self.snapshot(next, end, usage).await?;
            for minute in (next.0..end.0).map(Minute) {
                self.minute(&snapshot, minute, tell);
            }
            next = end;
            progress(self.minutes);
        }
        Ok(())
    }

    /// Every quarter-hour from fourteen days before the period to its end.
    async fn quarter_hours(&self, usage: &mut Usage) -> Result<QuarterHours, Arc<AwsError>> {
        let Period { from, to } = self.backtest.period;
        let first = QuarterHour::containing(from).plus(-i64::try_from(QUARTER_HOURS).unwrap_or(0));
        let gateway = Arc::clone(self.gateway);
        let stretch = Stretch { gateway, from: first, rate: PollRate::Fast };
        let end = QuarterHour::containing(to);
        let (answers, used) = self.metrics.quarter_hours(&[stretch], end, PATIENCE).await;
        usage.add(used);
        answers.into_iter().next().unwrap_or_else(|| Ok(Vec::new()))
    }

    async fn snapshot(
        &self,
        next: Minute,
        end: Minute,
        usage: &mut Usage,
    ) -> Result<Snapshot, Arc<AwsError>> {
        let ask = Ask {
            gateway: Arc::clone(self.gateway),
            former: None,
            from: next.plus(1 - i64::from(LONGEST_WINDOW)),
            rate: PollRate::Fast,
            answers: false,
            target_groups: Vec::new(),
        };
        let (answers, used) = self.metrics.minutes(&[ask], end, PATIENCE).await;
        usage.add(used);
        answers.into_iter().next().unwrap_or_else(|| Ok(Snapshot::quiet(next, end, &[])))
    }

    fn minute(&mut self, snapshot: &Snapshot, minute: Minute, tell: &mut impl FnMut(&Said)) {
        let published =
            |quarter_hour: &QuarterHour| quarter_hour.end().plus(PUBLISHED_AFTER) <= minute.plus(1);
        while let Some((quarter_hour, summary)) = self.to_come.pop_front_if(|(q, _)| published(q)) {
            self.history.enter(quarter_hour, &summary);
        }
        let config = self.backtest.config;
        let Rules { detectors, resolve_after } = config.rules();
        let records = self.state.records.clone();
        let history = &mut self.history;
        self.minutes += 1;
        let Some(report) =
            assess(self.gateway, detectors, resolve_after, records, snapshot, history, minute)
        else {
            return;
        };
        self.minutes_with_requests += u64::from(report.reading.requests() > 0.0);
        if let Some((from, to)) = report.incident() {
            self.history.mark(from, to, Mark::Incident);
        }
        self.state.records = report.records;
        for notice in self.router.replay(&mut self.state.records, minute) {
            self.episodes += u64::from(notice.reason == Reason::Firing);
            tell(&self.said(&notice));
        }
    }

    fn said(&self, notice: &EpisodeNotification) -> Said {
        let EpisodeNotification { reason, episode, .. } = notice;
        let evidence = &episode.evidence;
        let delay = self.backtest.config.poll.delay.get().as_secs();
        let at = notice.at.end() + i64::try_from(delay).unwrap_or(0);
        Said {
            at: time(at),
            gateway: self.gateway.id.name.clone(),
            rule: notice.rule(),
            severity: episode.severity,
            reason: *reason,
            episode: episode.id.clone(),
            eta_seconds: evidence.forecast.filter(|_| *reason != Reason::Resolved),
            value: evidence.value,
            threshold: evidence.threshold,
            text: render::why(notice),
        }
    }
}

/// ISO 8601 to the second.
fn time(unix_seconds: i64) -> String {
    let time = DateTime::<Utc>::from_timestamp(unix_seconds, 0).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
