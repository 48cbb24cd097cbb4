//! The daemon: tick, fetch, assess, record, send, save.
//!
//! One loop owns everything. Each poll does the same: it reads every minute
//! since the last one that was read, and assesses them one after the other in
//! the order of time, so that a late poll, a missed tick or a restart makes no
//! difference to what is found - only to when.

mod chats;
mod digest;
mod history;
mod look;
mod orders;
mod own;
mod plan;
mod proof;
mod reload;
mod said;
mod tell;
mod why;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::analysis::capacity::Digest;
use crate::analysis::gateway::Gateway;
use crate::analysis::history::{History, Mark};
use crate::analysis::notify::{Desk, Receiver, Theme};
use crate::analysis::signal::{Minute, Snapshot};
use crate::analysis::{Report, assess};
use crate::config::Config;
use crate::discovery::Account;
use crate::edge::aws::{self, Usage};
use crate::edge::control::{Asked, Control};
use crate::edge::exporter::{Exporter, Series};
use crate::edge::host;
use crate::edge::http::{self, Page};
use crate::edge::sink::Sinks;
use crate::edge::state::{Memory, Regular, StateError, StateFile};
use crate::edge::time::{Clock, Stopwatch, Ticks};
use chats::Chats;
use plan::{Fetched, asks};
use reload::Origin;
use said::Troubles;

/// Minutes older than this are read to catch up; what happened in them is told
/// once the present is reached, as it stands then.
const RECENT_MINUTES: i64 = 15;
/// What was billed is remembered for so many days.
const BILLED_DAYS: i64 = 16;
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
    sinks: Arc<Sinks>,
    desk: Desk,
    exporter: Exporter,
    state: StateFile,
    memory: Memory,
    reports: HashMap<String, Report>,
    histories: HashMap<String, History>,
    /// The newest minutes as they were read last, an hour or so.
    recent: HashMap<String, Snapshot>,
    /// The gateways whose minutes the latest poll got.
    reading: HashSet<String>,
    /// What was found out of open episodes, by gateway.
    asked: HashMap<String, why::Asked>,
    troubles: Troubles,
    /// Who took nothing last time.
    failing: HashSet<Receiver>,
    /// Since when what was not taken waits (seconds since the Unix epoch).
    waiting: HashMap<tell::Waiting, i64>,
    /// The machine that it runs on, for messages.
    host: String,
    /// The capacity report that is being sent, and when it was due.
    digest: Option<(i64, Arc<Digest>)>,
    origin: Origin,
    chats: Chats,
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
        let desk = config.desk();
        let mut memory = state.load()?;
        memory.told_to(&desk.fallback);
        // What it starts with is a config that can be used.
        if let Some(own) = memory.own.get_mut(&Theme::Config) {
            own.ended.get_or_insert(own.since);
        }
        let sinks = Box::pin(Sinks::connect(config.topics(), config.links.clone(), base)).await;
        let chats = Box::pin(Chats::connect(config.chat_configurations(), base)).await;
        let receivers: Vec<Receiver> = desk.known().cloned().collect();
        Ok(Self {
            accounts: Box::pin(Account::of_config(&config, base)).await,
            exporter: Exporter::new(receivers.iter())?,
            sinks: Arc::new(sinks),
            desk,
            state,
            memory,
            reports: HashMap::new(),
            histories: HashMap::new(),
            recent: HashMap::new(),
            reading: HashSet::new(),
            asked: HashMap::new(),
            troubles: Troubles::default(),
            failing: HashSet::new(),
            waiting: HashMap::new(),
            host: host::name(),
            digest: None,
            origin: Origin { path: None, base: base.clone(), identity: None },
            chats,
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

    /// Polls until `stop`. `watch` sees what happens.
    ///
    /// # Errors
    /// When the scheduler cannot start.
    pub async fn run(
        mut self,
        clock: Clock,
        signals: Signals,
        mut watch: impl FnMut(Event<'_>),
    ) -> Result<(), StartError> {
        let Signals { stop, mut reload } = signals;
        let mut ticks = Ticks::start(&self.config.poll.schedule, &clock).await?;
        self.publish(clock.now());
        if let Some(listener) = self.listener.take() {
            let address = http::address(&listener).map(tracing::field::display);
            info!(address, "nearmiss is running");
            tokio::spawn(http::serve(listener, self.pages(), clock, stop.clone()));
        }
        let mut asked = self.listen(&stop).await;
        tell_systemd(&[NotifyState::Ready]);
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = heartbeat.tick() => tell_systemd(&[NotifyState::Watchdog]),
                Some(Asked { command, answer }) = asked.recv() => {
                    // Who asked may be gone, and then nothing is done.
                    if !answer.is_closed() {
                        let _ = answer.send(self.obey(command, clock.now()).await);
                    }
                }
                Some(()) = reload.recv() => {
                    self.read_config_again(clock.now()).await;
                    ticks.stop().await;
                    ticks = Ticks::start(&self.config.poll.schedule, &clock).await?;
                }
                now = ticks.next(&clock) => self.poll(now, &mut watch).await,
            }
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
    pub async fn poll(&mut self, now: i64, watch: &mut impl FnMut(Event<'_>)) {
        let stopwatch = Stopwatch::start();
        let settled = Box::pin(self.read_and_tell(now, watch)).await;
        self.save(now);
        self.exporter.poll_duration.observe(stopwatch.elapsed().as_secs_f64());
        self.publish(now);
        let left = self.config.poll.deadline.get().saturating_sub(stopwatch.elapsed());
        let mut usage = Usage::default();
        self.read_history(settled, left, &mut usage).await;
        self.bill(&usage, now);
    }

    /// Returns the end of the minutes that have settled.
    async fn read_and_tell(&mut self, now: i64, watch: &mut impl FnMut(Event<'_>)) -> Minute {
        let mut usage = Usage::default();
        self.look_around(now, &mut usage).await;
        let theirs = now - self.clock_error(now);
        let poll = &self.config.poll;
        let end = Minute::containing(theirs - seconds(poll.delay.get()));
        let settled = Minute::containing(theirs - seconds(poll.settle.get()));
        let fetched = self.catch_up(end, settled, &mut usage, watch).await;
        self.note_faults(&fetched, now);
        tell_systemd(&[NotifyState::Watchdog]);
        self.tell(now, end, &mut usage).await;
        tell_systemd(&[NotifyState::Watchdog]);
        self.look_at_chats(now, &mut usage).await;
        watch(Event::Told);
        self.prove(end, &mut usage).await;
        let outcome = if self.gateways().is_empty() { "failed" } else { fetched.outcome() };
        self.exporter.polls.with_label_values(&[outcome]).inc();
        if outcome != "failed" {
            self.fresh_until = Some(self.patience(now));
        }
        self.bill(&usage, now);
        settled
    }

    /// Says why gateways are without data.
    fn note_faults(&mut self, fetched: &Fetched, now: i64) {
        let say = |fault: &Arc<aws::Fault>| {
            format!("{fault}. The gateways concerned are without data. {}", fault.advice())
        };
        let is_refusal = |fault: &&Arc<aws::Fault>| fault.problem.is_of_the_identity();
        let (refused, other): (Vec<_>, Vec<_>) = fetched.faults.values().partition(is_refusal);
        self.trouble(Theme::Credentials, refused.into_iter().map(say), now);
        self.trouble(Theme::Data, other.into_iter().map(say), now);
    }

    /// Reads and assesses stretch after stretch until the present is reached,
    /// the deadline is, or something fails. Returns the last stretch.
    async fn catch_up(
        &mut self,
        end: Minute,
        settled: Minute,
        usage: &mut Usage,
        watch: &mut impl FnMut(Event<'_>),
    ) -> Fetched {
        let stopwatch = Stopwatch::start();
        let deadline = self.config.poll.deadline.get();
        loop {
            let left = deadline.saturating_sub(stopwatch.elapsed());
            let mut fetched = self.fetch(end, settled, left, usage).await;
            self.assess_all(&fetched, watch);
            for gateway in self.gateways() {
                let key = gateway.id.key();
                let snapshot = fetched.snapshots.get(&key);
                if let Some((snapshot, ledger)) = snapshot.zip(self.memory.gateways.get_mut(&key)) {
                    ledger.count(&gateway, snapshot, settled);
                }
            }
            // Not what is assessed: minutes that may be late are held back.
            let read = fetched.snapshots.values().map(Snapshot::end).min();
            self.reading = fetched.snapshots.keys().cloned().collect();
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
            let asks = asks(
                account,
                &mut self.memory.gateways,
                &self.reports,
                &self.recent,
                calm_every,
                end,
            );
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
    fn assess_all(&mut self, fetched: &Fetched, watch: &mut impl FnMut(Event<'_>)) {
        self.reports.retain(|key, _| !fetched.failed.contains(key));
        let gateways = self.gateways();
        let mut due: BTreeMap<Minute, Vec<&Arc<Gateway>>> = BTreeMap::new();
        for gateway in &gateways {
            let key = gateway.id.key();
            let snapshot = fetched.snapshots.get(&key);
            let (Some(snapshot), Some(ledger)) = (snapshot, self.memory.gateways.get(&key)) else {
                continue;
            };
            for minute in ledger.unassessed.0..snapshot.end().0 {
                due.entry(Minute(minute)).or_default().push(gateway);
            }
        }
        for (minute, gateways) in due {
            let reports: Vec<Report> = gateways
                .into_iter()
                .filter_map(|gateway| self.assess_one(gateway, &gateway.id.key(), fetched, minute))
                .collect();
            watch(Event::Minute(&reports));
            for report in reports {
                self.reports.insert(report.gateway.id.key(), report);
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
        let ledger =
            self.memory.gateways.get_mut(key).filter(|ledger| ledger.unassessed == minute)?;
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

    /// Returns what went wrong.
    fn save(&mut self, now: i64) -> Option<String> {
        let saved = self.state.save(&self.memory);
        Exporter::outcome(&self.exporter.state_saves, &saved);
        let trouble = saved.err().map(|error| aws::chain(&error));
        self.trouble(Theme::State, trouble.clone(), now);
        trouble
    }

    /// Adds what AWS was asked.
    fn bill(&mut self, usage: &Usage, now: i64) {
        self.exporter.record(usage);
        let today = now.div_euclid(86_400);
        *self.memory.billed.entry(today).or_default() += usage.billed_metrics;
        self.memory.billed.retain(|day, _| *day > today - BILLED_DAYS);
    }

    /// Listens on the control socket; without one, nobody asks.
    async fn listen(&mut self, stop: &CancellationToken) -> mpsc::Receiver<Asked> {
        match Control::listen(&self.config.control.socket).await {
            Ok(control) => control.serve(stop.clone()),
            Err(error) => {
                let why = aws::chain(&error);
                warn!(
                    "{why}: `nearmiss silence` and `acknowledge` will not be heard; set [control] socket to a path in a directory of this user"
                );
                mpsc::channel(1).1
            }
        }
    }

    /// Until when the next poll must have ended.
    fn patience(&self, now: i64) -> i64 {
        now + seconds(STALE_AFTER + self.config.poll.schedule.pause_after(now))
    }

    /// What the page says of deliveries.
    fn publish_deliveries(&self, now: i64) {
        let minute = Minute::containing(now);
        let longest = self.waiting.values().map(|since| now - since).max().unwrap_or(0);
        let telling = &self.exporter.telling;
        telling.pending.set(whole(self.waiting.len()));
        telling.oldest_pending.set(longest);
        telling.held.set(whole(self.held(minute)));
        let in_force = self.memory.silences.iter().filter(|silence| silence.until > minute);
        telling.silences.set(whole(in_force.count()));
        let digest = self.memory.sent.get(&Regular::Digest).filter(|_| self.config.digest.enabled);
        telling.digest_sent.set(digest.copied().unwrap_or(0));
        self.exporter.heartbeat.set(now);
    }

    /// Renders the page. After the state was saved: a counter that was seen in
    /// a scrape must not fall back when the daemon is killed and starts again.
    fn publish(&self, now: i64) {
        let gateways = self.gateways();
        let series: Vec<Series> = gateways
            .iter()
            .filter_map(|gateway| {
                let key = gateway.id.key();
                let ledger = self.memory.gateways.get(&key)?;
                Some(Series { gateway, report: self.reports.get(&key), ledger })
            })
            .collect();
        self.publish_deliveries(now);
        let metrics = self.exporter.render(&series);
        self.pages.send_replace(Arc::new(Page {
            gzip: http::gzip(metrics.as_bytes()),
            metrics: metrics.into(),
            fresh_until: self.fresh_until,
            alive_until: Some(self.patience(now)),
        }));
    }
}

/// What the daemon is told from outside.
#[derive(Debug)]
pub struct Signals {
    /// To end.
    pub stop: CancellationToken,
    /// To read the config again.
    pub reload: mpsc::Receiver<()>,
}

impl From<CancellationToken> for Signals {
    /// Only to end.
    fn from(stop: CancellationToken) -> Self {
        Self { stop, reload: mpsc::channel(1).1 }
    }
}

/// Something that happened, for who watches.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A minute was assessed.
    Minute(&'a [Report]),
    /// What was due was told, or is due again.
    Told,
}

fn tell_systemd(state: &[NotifyState]) {
    // Without systemd there is nobody to tell, and that is fine.
    let _ = sd_notify::notify(state);
}

fn whole(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
