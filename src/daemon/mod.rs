//! The daemon: tick, fetch, assess, record, send, save.
//!
//! One loop owns everything. Each poll does the same: it reads every minute
//! since the last one that was read, and assesses them one after the other in
//! the order of time, so that a late poll, a missed tick or a restart makes no
//! difference to what is found - only to when.

mod history;
mod look;
mod plan;
mod proof;
mod said;
mod why;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::analysis::gateway::Gateway;
use crate::analysis::history::{History, Mark};
use crate::analysis::signal::{Minute, Snapshot};
use crate::analysis::{Report, assess};
use crate::config::Config;
use crate::discovery::Account;
use crate::edge::aws::{self, Usage};
use crate::edge::exporter::{Exporter, Series};
use crate::edge::http::{self, Page};
use crate::edge::sink::Sink;
use crate::edge::state::{Ledgers, StateError, StateFile};
use crate::edge::time::{Clock, Stopwatch, Ticks};
use plan::{Fetched, asks};
use said::{Delivery, Troubles};

/// Minutes older than this are read to catch up; what happened in them is told
/// once the present is reached, as it stands then.
const RECENT_MINUTES: i64 = 15;
/// Data counts as stale this long after the next poll was due.
const STALE_AFTER: Duration = Duration::from_mins(5);
/// How often systemd is told that the loop goes on; a poll in between is bounded
/// by its deadline.
const HEARTBEAT: Duration = Duration::from_secs(20);

/// Why the daemon cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The HTTP address is taken, or not ours.
    #[error("cannot listen on {address}: set [http] listen to a free address")]
    Listen {
        /// Which address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The state file cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The scheduler cannot start.
    #[error("cannot start the scheduler")]
    Schedule(#[from] tokio_cron_scheduler::JobSchedulerError),
    /// Two metrics have one name.
    #[error("cannot register the metrics")]
    Metrics(#[from] prometheus::Error),
}

/// A daemon that is ready to run.
#[derive(Debug)]
pub struct Daemon {
    config: Config,
    accounts: Vec<Account>,
    sink: Sink,
    exporter: Exporter,
    state: StateFile,
    ledgers: Ledgers,
    reports: HashMap<String, Report>,
    histories: HashMap<String, History>,
    /// The newest minutes as they were read last, an hour or so.
    recent: HashMap<String, Snapshot>,
    /// The last reports of gateways that are no longer watched, until the end
    /// of their episodes is told.
    departed: HashMap<String, Report>,
    /// What was found out of open episodes, by gateway.
    asked: HashMap<String, why::Asked>,
    troubles: Troubles,
    listener: Option<TcpListener>,
    pages: watch::Sender<Arc<Page>>,
    fresh_until: Option<i64>,
}

impl Daemon {
    /// Binds the listener and reads the state; asks AWS for nothing yet.
    ///
    /// # Errors
    /// When it could not run: the address is taken, the state is unreadable.
    pub async fn start(config: Config, base: &SdkConfig) -> Result<Self, StartError> {
        let address = config.http.listen.0;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| StartError::Listen { address, source })?;
        let state = StateFile::new(&config.state.path);
        let ledgers = state.load()?;
        let sink = Sink::from_config(&config.sink, base).await;
        Ok(Self {
            accounts: Account::of_config(&config, base).await,
            exporter: Exporter::new(sink.name())?,
            sink,
            state,
            ledgers,
            reports: HashMap::new(),
            histories: HashMap::new(),
            recent: HashMap::new(),
            departed: HashMap::new(),
            asked: HashMap::new(),
            troubles: Troubles::default(),
            listener: Some(listener),
            pages: watch::channel(Arc::default()).0,
            fresh_until: None,
            config,
        })
    }

    /// Where `/metrics` is.
    #[must_use]
    pub fn address(&self) -> Option<std::net::SocketAddr> {
        self.listener.as_ref().and_then(http::address)
    }

    /// Polls until `stop`. `watch` sees the reports of each minute, after what
    /// they gave rise to was sent.
    ///
    /// # Errors
    /// When the scheduler cannot start.
    pub async fn run(
        mut self,
        clock: Clock,
        stop: CancellationToken,
        mut watch: impl FnMut(&[Report]),
    ) -> Result<(), StartError> {
        let mut ticks = Ticks::start(&self.config.poll.schedule).await?;
        self.publish(clock.now());
        if let Some(listener) = self.listener.take() {
            let address = http::address(&listener).map(tracing::field::display);
            info!(address, "nearmiss is running");
            tokio::spawn(http::serve(listener, self.pages(), clock, stop.clone()));
        }
        tell_systemd(&[NotifyState::Ready]);
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = heartbeat.tick() => {
                    tell_systemd(&[NotifyState::Watchdog]);
                    continue;
                }
                () = ticks.next() => {}
            }
            self.poll(clock.now(), &mut watch).await;
        }
        tell_systemd(&[NotifyState::Stopping]);
        ticks.stop().await;
        info!("nearmiss has stopped");
        Ok(())
    }

    /// The latest page, as `/metrics` serves it.
    #[must_use]
    pub fn page(&self) -> Arc<Page> {
        Arc::clone(&self.pages.borrow())
    }

    /// The latest page whenever there is a new one, for a listener.
    #[must_use]
    pub fn pages(&self) -> watch::Receiver<Arc<Page>> {
        self.pages.subscribe()
    }

    /// One poll at `now` (seconds since the Unix epoch): everything up to then
    /// is read, assessed, told, saved and published.
    pub async fn poll(&mut self, now: i64, watch: &mut impl FnMut(&[Report])) {
        let stopwatch = Stopwatch::start();
        let settled = Box::pin(self.read_and_tell(now, watch)).await;
        self.save();
        self.exporter.poll_duration.observe(stopwatch.elapsed().as_secs_f64());
        self.publish(now);
        let left = self.config.poll.deadline.get().saturating_sub(stopwatch.elapsed());
        let mut usage = Usage::default();
        self.read_history(settled, left, &mut usage).await;
        self.exporter.record(&usage);
    }

    /// Returns the end of the minutes that have settled.
    async fn read_and_tell(&mut self, now: i64, watch: &mut impl FnMut(&[Report])) -> Minute {
        let mut usage = Usage::default();
        self.look_around(now, &mut usage).await;
        let theirs = now - self.clock_error();
        let poll = &self.config.poll;
        let end = Minute::containing(theirs - seconds(poll.delay.get()));
        let settled = Minute::containing(theirs - seconds(poll.settle.get()));
        let fetched = self.catch_up(end, settled, &mut usage, watch).await;
        self.prove(end, &mut usage).await;
        let outcome = if self.gateways().is_empty() { "failed" } else { fetched.outcome() };
        self.exporter.polls.with_label_values(&[outcome]).inc();
        if outcome != "failed" {
            self.fresh_until = Some(self.patience(now));
        }
        self.troubles.tell(
            "poll",
            fetched.faults.values().map(|fault| {
                format!("{fault}. The gateways concerned are without data. {}", fault.advice())
            }),
        );
        self.exporter.record(&usage);
        settled
    }

    /// Reads and assesses stretch after stretch until the present is reached,
    /// the deadline is, or something fails. Returns the last stretch.
    async fn catch_up(
        &mut self,
        end: Minute,
        settled: Minute,
        usage: &mut Usage,
        watch: &mut impl FnMut(&[Report]),
    ) -> Fetched {
        let stopwatch = Stopwatch::start();
        let deadline = self.config.poll.deadline.get();
        loop {
            let left = deadline.saturating_sub(stopwatch.elapsed());
            let mut fetched = self.fetch(end, settled, left, usage).await;
            self.assess_all(&fetched, end, usage, watch).await;
            for gateway in self.gateways() {
                let key = gateway.id.key();
                let snapshot = fetched.snapshots.get(&key);
                if let Some((snapshot, ledger)) = snapshot.zip(self.ledgers.get_mut(&key)) {
                    ledger.count(&gateway, snapshot, settled);
                }
            }
            // Not what is assessed: minutes that may be late are held back.
            let read = fetched.snapshots.values().map(Snapshot::end).min();
            self.recent.extend(std::mem::take(&mut fetched.snapshots));
            let behind = end.since(read.unwrap_or(end));
            if behind <= 0 || !fetched.failed.is_empty() || stopwatch.elapsed() >= deadline {
                return fetched;
            }
            info!(minutes = behind, "catching up with what was missed");
        }
    }

    /// Reads what is missing of every gateway, each account on its own.
    async fn fetch(
        &mut self,
        end: Minute,
        settled: Minute,
        deadline: Duration,
        usage: &mut Usage,
    ) -> Fetched {
        let mut fetched = Fetched::nothing(settled);
        let mut plans = Vec::new();
        let calm_every = self.config.poll.calm_every.minutes();
        for account in &self.accounts {
            let asks =
                asks(account, &mut self.ledgers, &self.reports, &self.recent, calm_every, end);
            for (until, asks) in asks {
                plans.push((account, until, asks));
            }
        }
        let calls = plans
            .iter()
            .map(|(account, until, asks)| account.cloudwatch.minutes(asks, *until, deadline));
        let answers = futures::future::join_all(calls).await;
        for ((_, _, asks), (answers, used)) in plans.iter().zip(answers) {
            usage.add(used);
            for (ask, answer) in asks.iter().zip(answers) {
                fetched.enter(&ask.gateway, answer, &self.recent);
            }
        }
        fetched
    }

    /// Minute by minute over all gateways, as time went.
    async fn assess_all(
        &mut self,
        fetched: &Fetched,
        end: Minute,
        usage: &mut Usage,
        watch: &mut impl FnMut(&[Report]),
    ) {
        self.reports.retain(|key, _| !fetched.failed.contains(key));
        let gateways = self.gateways();
        let mut due: BTreeMap<Minute, Vec<&Arc<Gateway>>> = BTreeMap::new();
        for gateway in &gateways {
            let key = gateway.id.key();
            let snapshot = fetched.snapshots.get(&key);
            let (Some(snapshot), Some(ledger)) = (snapshot, self.ledgers.get(&key)) else {
                continue;
            };
            for minute in ledger.unassessed.0..snapshot.end().0 {
                due.entry(Minute(minute)).or_default().push(gateway);
            }
        }
        let mut delivery = Delivery::default();
        self.close_departed(&mut delivery, usage).await;
        for (minute, gateways) in due {
            let recent = end.since(minute) <= RECENT_MINUTES;
            let mut reports: Vec<Report> = gateways
                .into_iter()
                .filter_map(|gateway| self.assess_one(gateway, &gateway.id.key(), fetched, minute))
                .collect();
            if recent {
                self.explain(&mut reports, usage).await;
                for report in &reports {
                    self.deliver(&report.gateway.id.key(), report, &mut delivery, usage).await;
                }
            }
            watch(&reports);
            for report in reports {
                self.reports.insert(report.gateway.id.key(), report);
            }
        }
        self.troubles.tell("delivery", delivery.failed);
    }

    /// Tells the end of episodes whose gateway is gone.
    async fn close_departed(&mut self, delivery: &mut Delivery, usage: &mut Usage) {
        for (key, mut report) in std::mem::take(&mut self.departed) {
            let Some(ledger) = self.ledgers.get_mut(&key) else { continue };
            ledger.records.iter_mut().for_each(|record| record.episode.abandon());
            report.records.clone_from(&ledger.records);
            self.deliver(&key, &report, delivery, usage).await;
            if self.ledgers.get(&key).is_some_and(|ledger| !ledger.records.is_empty()) {
                self.departed.insert(key, report);
            }
        }
    }

    fn gateways(&self) -> Vec<Arc<Gateway>> {
        self.accounts.iter().flat_map(|account| account.gateways.iter().cloned()).collect()
    }

    fn assess_one(
        &mut self,
        gateway: &Arc<Gateway>,
        key: &str,
        fetched: &Fetched,
        minute: Minute,
    ) -> Option<Report> {
        let snapshot = fetched.snapshots.get(key)?;
        self.history_of(key);
        let history = self.histories.get_mut(key)?;
        let ledger = self.ledgers.get_mut(key).filter(|ledger| ledger.unassessed == minute)?;
        let quiet = self.config.alert.resolve_after.minutes();
        let quiet = u32::try_from(quiet).unwrap_or(u32::MAX);
        let records = ledger.records.clone();
        let detectors = &self.config.detector;
        let mut report = assess(gateway, detectors, quiet, records, snapshot, history, minute)?;
        report.provisional = minute >= fetched.settled;
        if let Some((from, to)) = report.incident() {
            history.mark(from, to, Mark::Incident);
            ledger.enter_incident(from, to);
        }
        ledger.records.clone_from(&report.records);
        ledger.unassessed = minute.plus(1);
        Some(report)
    }

    /// Sends what a report says must be told, and remembers at once what was
    /// taken: between the two, a crash would tell it twice. What was not taken
    /// is decided again by the next poll.
    async fn deliver(
        &mut self,
        key: &str,
        report: &Report,
        delivery: &mut Delivery,
        usage: &mut Usage,
    ) {
        for notice in report.notices() {
            if delivery.given_up {
                return;
            }
            let sent = self.sink.send(&notice, usage).await;
            let outcome = if sent.is_ok() { "delivered" } else { "failed" };
            self.exporter.notifications.with_label_values(&[self.sink.name(), outcome]).inc();
            match sent {
                Ok(()) => {
                    if let Some(ledger) = self.ledgers.get_mut(key) {
                        ledger.told(&notice);
                    }
                    self.save();
                }
                Err(fault) => delivery.enter(&notice, &fault),
            }
        }
    }

    fn save(&mut self) {
        let saved = self.state.save(&self.ledgers);
        Exporter::outcome(&self.exporter.state_saves, &saved);
        self.troubles.tell("state", saved.err().map(|error| aws::chain(&error)));
    }

    /// Until when the next poll must have ended.
    fn patience(&self, now: i64) -> i64 {
        now + seconds(STALE_AFTER + self.config.poll.schedule.pause_after(now))
    }

    /// Renders the page. After the state was saved: a counter that was seen in
    /// a scrape must not fall back when the daemon is killed and starts again.
    fn publish(&self, now: i64) {
        let gateways = self.gateways();
        let series: Vec<Series> = gateways
            .iter()
            .filter_map(|gateway| {
                let key = gateway.id.key();
                let ledger = self.ledgers.get(&key)?;
                Some(Series { gateway, report: self.reports.get(&key), ledger })
            })
            .collect();
        let pending: usize = series.iter().map(|s| s.ledger.pending()).sum();
        self.exporter.pending.set(i64::try_from(pending).unwrap_or(i64::MAX));
        let metrics = self.exporter.render(&series);
        self.pages.send_replace(Arc::new(Page {
            gzip: http::gzip(metrics.as_bytes()),
            metrics: metrics.into(),
            fresh_until: self.fresh_until,
            alive_until: Some(self.patience(now)),
        }));
    }
}

fn tell_systemd(state: &[NotifyState]) {
    // Without systemd there is nobody to tell, and that is fine.
    let _ = sd_notify::notify(state);
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
