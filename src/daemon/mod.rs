//! The daemon: tick, fetch, assess, notify, save, publish.
//!
//! One loop owns everything. Each poll does the same: it reads every minute since the last
//! one that was read, and assesses them one after the other in the order of time, so that a
//! late poll, a missed tick or a restart makes no difference to what is found - only to
//! when.
//!
//! A poll waits in one place, `Daemon::serve`: a call to AWS owns all that it needs, so
//! that commands are answered meanwhile, nothing waits past the poll's one [`Deadline`],
//! and a stop ends every wait. What alerts do not depend on (target groups, the self-check,
//! the chat channel, history) comes after publishing, in the time that is left. Timeouts are
//! read all the time, one after the other; a poll enters what came since the last one.

mod changes;
mod chats;
mod clock;
mod commands;
mod diagnose;
mod discovery;
mod history;
mod notifier;
mod plan;
mod poller;
mod publisher;
mod receive;
mod reload;
mod report;
mod self_check;
mod self_watch;
mod timeouts;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::config::Config;
use crate::edge::aws::{self, Usage};
use crate::edge::exporter::Exporter;
use crate::edge::http::Served;
use crate::edge::systemd::{self, State};
use crate::edge::time::{Clock, Deadline, ScheduleError, Stopwatch, Ticks};
use crate::metrics::{Known, Rendered};
use crate::store::{self, PersistedState, ScheduledMessage, StateError, Store};
use commands::Commands;
use nearmiss_core::alerting::Receiver;
use nearmiss_core::gateway::Gateway;
use nearmiss_core::notification::{Component, Delivery};
use nearmiss_core::time::Minute;
use nearmiss_core::{EpisodeNotification, Report};
use notifier::{Ended, Notifier, Queues};
use poller::{Poller, Present};
use publisher::{Deliveries, Publisher};
use reload::Configured;
use self_watch::SelfWatch;

/// How many days the billed metrics are remembered.
const BILLED_DAYS: i64 = 16;
/// The share of a poll's time that listing gateways may take (twice as much where none is
/// known yet), and the share that is reserved for notifying, as divisors.
const DISCOVERY_SHARE: u32 = 3;
const NOTIFYING_SHARE: u32 = 4;
/// No poll gets less time than this, however often polls are due.
const SHORTEST_POLL: Duration = Duration::from_secs(10);
/// How long a message that is on its way is waited for when the daemon is to stop.
const GRACE: Duration = Duration::from_secs(2);

/// Why the daemon cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The HTTP address is in use, or not this machine's.
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
    Schedule(#[from] ScheduleError),
    /// Two metrics have one name.
    #[error("cannot register the metrics")]
    Metrics(#[from] prometheus::Error),
}

/// A daemon that is ready to run.
#[derive(Debug)]
pub struct Daemon {
    config: Configured,
    store: Box<dyn Store>,
    persisted: PersistedState,
    poller: Poller,
    notifier: Notifier,
    publisher: Publisher,
    self_watch: SelfWatch,
    commands: Commands,
}

impl Daemon {
    /// Binds the listener and reads the state; asks AWS for nothing yet.
    ///
    /// # Errors
    /// When it could not run: the address is in use, the state is unreadable.
    pub async fn start(config: Config, base: &SdkConfig) -> Result<Self, StartError> {
        let mut store = store::open(&config.state)?;
        let address = config.http.listen.0;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| StartError::Listen { address, source })?;
        let mut persisted = store.load().await?;
        let notifier = Box::pin(Notifier::of_config(&config, base)).await;
        persisted.attribute_to(&notifier.router.fallback.id);
        // The config it starts with is usable.
        if let Some(own) = persisted.own.get_mut(&Component::Config) {
            own.ended.get_or_insert(own.since);
        }
        let publisher = Publisher::new(Some(listener), notifier.router.known(), &config.metrics)?;
        Ok(Self {
            poller: Box::pin(Poller::of_config(&config, base)).await,
            publisher,
            self_watch: Box::pin(SelfWatch::of_config(&config, base)).await,
            commands: Commands::default(),
            notifier,
            store,
            persisted,
            config: Configured { config, path: None, base: base.clone(), identity: None },
        })
    }

    /// What it remembers over restarts.
    #[must_use]
    pub fn persisted(&self) -> &PersistedState {
        &self.persisted
    }

    /// Where `/metrics` is served.
    #[must_use]
    pub fn address(&self) -> Option<std::net::SocketAddr> {
        self.publisher.address()
    }

    /// Polls until `stop`. `watch` is called with what happens.
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
        self.publish(self.aws_time(clock.now()));
        self.publisher.serve(&stop);
        self.commands.listen(&self.config.control.socket, &stop).await;
        let stop = self.commands.stop.clone();
        self.tell_systemd(State::Ready);
        loop {
            tokio::select! {
                () = stop.asked_for() => break,
                call = self.commands.next() => {
                    self.answer(call, self.aws_time(clock.now())).await;
                }
                Some(()) = reload.recv() => {
                    self.read_config_again(self.aws_time(clock.now())).await;
                    ticks.follow(&self.config.poll.schedule);
                }
                now = ticks.next(&clock) => self.poll(now, &mut watch).await,
                () = self.poller.timeouts.next() => {}
            }
        }
        self.tell_systemd(State::Stopping);
        info!("nearmiss has stopped");
        Ok(())
    }

    /// The latest page as text, as `/metrics` serves it.
    #[must_use]
    pub fn page(&self) -> Rendered {
        self.publisher.page()
    }

    /// What is served, whenever that changes, for a listener.
    #[must_use]
    pub fn served(&self) -> watch::Receiver<Arc<Served>> {
        self.publisher.served()
    }

    /// One poll when this machine's clock says `local` (seconds since the Unix epoch):
    /// everything up to then is read, assessed, notified of, saved and published.
    pub async fn poll(&mut self, local: i64, watch: &mut impl FnMut(Event<'_>)) {
        let stopwatch = Stopwatch::start();
        let span = self.span(local);
        let deadline = Deadline::after(span, self.commands.stop.clone());
        let mut usage = Usage::default();
        let rest = if self.poller.is_new() { 1 } else { 2 } * span / DISCOVERY_SHARE;
        self.discover(self.aws_time(local), &deadline.keeping(rest), &mut usage).await;
        let reading = deadline.keeping(span / NOTIFYING_SHARE);
        let (fetched, present) = self.catch_up(local, &reading, &mut usage, watch).await;
        let now = present.now;
        self.note_clock(now);
        self.note_faults(&fetched, present);
        self.notify(present, &deadline, &mut usage).await;
        watch(Event::Notified);
        let nothing = self.poller.is_new() || self.is_blind(present.end);
        let outcome = if nothing { "failed" } else { fetched.outcome() };
        self.publisher.exporter.polls.with_label_values(&[outcome]).inc();
        if outcome != "failed" {
            self.publisher.is_fresh(self.config.poll.schedule.pause_after(now));
        }
        self.bill(&usage, now);
        self.save(now).await;
        self.publisher.exporter.poll_duration.observe(stopwatch.elapsed().as_secs_f64());
        self.publish(now);
        self.tell_systemd(State::Watchdog);
        self.adorn(present, &deadline).await;
    }

    /// How long the poll at `now` may take: as configured, but less than the time from one
    /// tick to the next.
    fn span(&self, now: i64) -> Duration {
        let poll = &self.config.poll;
        let next = now.saturating_add(seconds(poll.schedule.pause_after(now)));
        let period = poll.schedule.pause_after(next);
        poll.deadline.get().min((period * 9 / 10).max(SHORTEST_POLL))
    }

    /// What no alert depends on.
    async fn adorn(&mut self, Present { now, end, settled }: Present, deadline: &Deadline) {
        let mut usage = Usage::default();
        self.find_target_groups(now, deadline, &mut usage).await;
        self.look_at_chats(now, deadline, &mut usage).await;
        self.check_figures(now, end, deadline, &mut usage).await;
        self.backfill(Present { now, end, settled }, deadline, &mut usage).await;
        self.read_history(now, settled, deadline, &mut usage).await;
        self.await_timeouts(now, deadline).await;
        self.bill(&usage, now);
    }

    /// The result of `work`, or `None` when it is late; meanwhile commands are answered.
    /// `work` owns what it needs, so that they may change the state before it ends.
    async fn serve<T>(
        &mut self,
        now: i64,
        deadline: &Deadline,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut work = pin!(deadline.run(work));
        loop {
            tokio::select! {
                biased;
                call = self.commands.next() => self.answer(call, now).await,
                done = &mut work => return done,
                () = self.poller.timeouts.next() => {}
            }
        }
    }

    /// Sends every notification that is due at `now`.
    async fn notify(&mut self, present: Present, deadline: &Deadline, usage: &mut Usage) {
        let now = present.now;
        let minute = Minute::containing(now);
        self.close_the_gone(minute);
        let due = self.due(present);
        self.explain(now, &due, deadline, usage).await;
        self.make_scheduled_report(now, deadline, usage).await;
        // Somebody may have set a silence in the meantime.
        let mut due = self.due(present);
        self.enter_reasons(&mut due);
        let mut others =
            self.self_watch.due(&mut self.persisted.own, &self.notifier.failing, minute);
        others.extend(self.notifier.report());
        others.extend(self.alive(now));
        let queues = Notifier::pack(due, others, &self.persisted.gateways, minute);
        self.send(queues, now, deadline, usage).await;
    }

    /// Who must be notified of which episodes, as things stand.
    fn due(&mut self, present: Present) -> Vec<(Receiver, EpisodeNotification)> {
        let PersistedState { gateways, silences, .. } = &mut self.persisted;
        self.notifier.due(gateways, silences, &self.poller.reading, present)
    }

    /// Sends, and saves at once what was accepted.
    async fn send(&mut self, queues: Queues, now: i64, deadline: &Deadline, usage: &mut Usage) {
        let deadline = deadline.with_grace(GRACE);
        let mut sending = self.notifier.send(queues, &deadline);
        while let Some(Some(mut sent)) = self.serve(now, &deadline, sending.next()).await {
            usage.add(std::mem::take(&mut sent.usage));
            let problem = sent.outcome.as_ref().err().map(|error| error.kind);
            self.publisher.exporter.notifications.sent(&sent.delivery.receiver, problem);
            if problem.is_none() {
                self_watch::enter(&sent.delivery, &mut self.persisted, now);
            }
            if self.notifier.enter(&mut sending, sent, &mut self.persisted.gateways, now) {
                self.save(now).await;
            }
        }
        let Ended { is_unsaved, refusals } = self.notifier.finish(sending, now);
        if is_unsaved {
            self.save(now).await;
        }
        self.trouble(Component::Delivery, refusals, now);
    }

    /// The message that the daemon is alive, when it is time.
    fn alive(&mut self, now: i64) -> Option<Delivery> {
        let at = self.self_watch.alive_at(&mut self.persisted, now)?;
        let is_known = |one: &&Arc<Gateway>| {
            let key = one.id.key();
            let state = self.persisted.gateways.get(&key);
            state.is_some_and(|state| self.poller.known(state, &key).is_some())
        };
        let gateways = self.poller.gateways().count();
        let known = self.poller.gateways().filter(is_known).count();
        let counts = (gateways, gateways.saturating_sub(known));
        Some(self.self_watch.alive(at, &self.persisted, counts))
    }

    /// Ends the episodes of gateways that have been gone for a while, in accounts whose
    /// gateways were all listed.
    fn close_the_gone(&mut self, minute: Minute) {
        let watched = self.poller.watched();
        let accounts = &self.poller.accounts;
        let is_gone = |key: &String| {
            !watched.contains(key)
                && accounts.iter().all(|one| one.is_complete() || !one.may_have(key))
        };
        let states = &mut self.persisted.gateways;
        let news = states.iter().filter(|(key, state)| is_gone(key) || state.is_missed());
        let news: Vec<(String, bool)> = news.map(|(key, _)| (key.clone(), !is_gone(key))).collect();
        for (key, is_there) in news {
            if let Some(state) = states.get_mut(&key) {
                state.see(is_there, minute);
            }
        }
    }

    /// Notes what is wrong with this component now; nothing means that it is well. What a stop
    /// cuts off is no trouble, and says nothing about the last one; the disk is still needed.
    fn trouble(&mut self, component: Component, lines: impl IntoIterator<Item = String>, now: i64) {
        if component != Component::State && self.commands.stop.is_asked_for() {
            return;
        }
        let minute = Minute::containing(now);
        let is_wrong = self.self_watch.note(component, lines, minute, &mut self.persisted.own);
        self.publisher.exporter.trouble(component, is_wrong);
    }

    /// Notifies systemd; a failure of that is logged once.
    fn tell_systemd(&mut self, state: State) {
        let notified = systemd::notify(state).err();
        let said =
            notified.map(|error| format!("systemd is not told: {error}. Is NOTIFY_SOCKET right?"));
        self.self_watch.say("systemd", said);
    }

    /// Returns what went wrong.
    async fn save(&mut self, now: i64) -> Option<String> {
        let days = self.poller.unsaved_days();
        let saved = self.store.save(&mut self.persisted, &days).await;
        if saved.is_ok() {
            self.poller.are_saved(&days);
        }
        Exporter::outcome(&self.publisher.exporter.state_saves, &saved);
        let trouble = saved.err().map(|error| aws::chain(&error));
        self.trouble(Component::State, trouble.clone(), now);
        trouble
    }

    /// Publishes what is known, after the state was saved.
    fn publish(&self, now: i64) {
        let minute = Minute::containing(now);
        let in_force = self.persisted.silences.iter().filter(|silence| silence.until > minute);
        let digest = self.persisted.sent.get(&ScheduledMessage::Digest);
        let deliveries = Deliveries {
            pending: self.notifier.waiting.len(),
            pending_since: self.notifier.waiting.values().min().copied(),
            muted: self.notifier.muted(&self.persisted.gateways, minute),
            silences: in_force.count(),
            digest_sent: digest.filter(|_| self.config.digest.enabled).copied(),
        };
        let known = self.poller.gateways().map(|gateway| {
            let key = gateway.id.key();
            let state = self.persisted.gateways.get(&key);
            let report = state.and_then(|state| self.poller.known(state, &key));
            Known { gateway, report, state }
        });
        self.publisher.note_deliveries(deliveries, now);
        self.publisher.publish(known, now, self.config.poll.schedule.pause_after(now));
    }

    /// Adds what AWS was asked.
    fn bill(&mut self, usage: &Usage, now: i64) {
        self.publisher.exporter.record(usage);
        let today = now.div_euclid(86_400);
        *self.persisted.billed.entry(today).or_default() += usage.billed_metrics;
        // A day in the future was entered while the clock was wrong.
        self.persisted.billed.retain(|day, _| *day > today - BILLED_DAYS && *day <= today + 1);
    }
}

/// A request to the daemon from outside.
#[derive(Debug)]
pub struct Signals {
    /// To stop.
    pub stop: CancellationToken,
    /// To read the config again.
    pub reload: mpsc::Receiver<()>,
}

impl From<CancellationToken> for Signals {
    /// Only to stop.
    fn from(stop: CancellationToken) -> Self {
        Self { stop, reload: mpsc::channel(1).1 }
    }
}

/// Something that happened, for whoever watches.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A minute was assessed.
    Minute(&'a [Report]),
    /// The notifications that were due were sent, or are due again.
    Notified,
}

/// How long what runs within `deadline` may take: a little less, so that what came in time
/// is there when the deadline comes.
fn allotment(deadline: &Deadline) -> Duration {
    deadline.left().saturating_sub(Duration::from_millis(200))
}

fn whole(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
