//! Reading and assessing: minute after minute of every gateway, until the present.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use futures::future::BoxFuture;
use futures::stream::{self, Stream};
use futures::{FutureExt, StreamExt};
use tracing::info;

use super::clock::agreed;
use super::plan::{Fetched, asks};
use super::recent::Recent;
use super::timeouts::TimeoutReaders;
use super::{Daemon, Event, allotment, seconds};
use crate::config::Config;
use crate::edge::aws::{AwsError, Skew, Usage};
use crate::edge::time::Deadline;
use crate::inventory::AccountRegion;
use crate::source::cloudwatch;
use crate::source::{Answer, Ask};
use crate::store::GatewayStates;
use nearmiss_core::detect::outlook::History;
use nearmiss_core::gateway::Gateway;
use nearmiss_core::gateway::polling::PollRate;
use nearmiss_core::late::Rules;
use nearmiss_core::notification::Component;
use nearmiss_core::series::history::Mark;
use nearmiss_core::series::snapshot::Snapshot;
use nearmiss_core::state::GatewayState;
use nearmiss_core::time::Minute;
use nearmiss_core::{Report, assess};

/// Pieces of an account that are asked for at once: while one is assessed, the next is on
/// its way.
const PIECES_AT_ONCE: usize = 2;

/// What is watched, and what was read of it.
#[derive(Debug)]
pub(super) struct Poller {
    pub(super) accounts: Vec<AccountRegion>,
    /// Their timeouts that are being read.
    pub(super) timeouts: TimeoutReaders,
    /// What the newest minute of each gateway showed, without its episodes, which the state
    /// has; gateways without data have no entry.
    pub(super) reports: HashMap<String, Report>,
    /// Fourteen days of each gateway.
    pub(super) histories: HashMap<String, History>,
    /// The newest minutes as they were last read, an hour or so.
    pub(super) recent: Recent,
    /// The gateways whose minutes the latest poll got.
    pub(super) reading: HashSet<String>,
}

/// The time of a poll by AWS's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Present {
    /// Seconds since the Unix epoch.
    pub(super) now: i64,
    /// The end of the minutes that are read, exclusive.
    pub(super) end: Minute,
    /// The first minute that CloudWatch may still add to.
    pub(super) settled: Minute,
}

impl Poller {
    pub(super) async fn of_config(config: &Config, base: &SdkConfig) -> Self {
        Self {
            accounts: AccountRegion::of_config(config, base).await,
            timeouts: TimeoutReaders::default(),
            reports: HashMap::new(),
            histories: HashMap::new(),
            recent: Recent::default(),
            reading: HashSet::new(),
        }
    }

    /// Continues with another config. What was read of gateways that are still watched
    /// stays.
    pub(super) async fn follow(&mut self, config: &Config, base: &SdkConfig) {
        let accounts = Box::pin(AccountRegion::of_config(config, base)).await;
        let mut before = std::mem::replace(&mut self.accounts, accounts);
        self.accounts.iter_mut().for_each(|account| account.take_over(&mut before));
    }

    /// Every gateway, account after account.
    pub(super) fn gateways(&self) -> impl Iterator<Item = &Arc<Gateway>> {
        self.accounts.iter().flat_map(|account| &account.gateways)
    }

    /// Their keys.
    pub(super) fn watched(&self) -> HashSet<String> {
        self.gateways().map(|gateway| gateway.id.key()).collect()
    }

    /// Seconds that this machine's clock is ahead of AWS's, as last heard.
    pub(super) fn clock_skew(&self) -> Option<i64> {
        agreed(self.clock_skews().into_iter().map(|(_, skew)| skew).collect())
    }

    /// The same for each account Region.
    pub(super) fn clock_skews(&self) -> Vec<(&str, i64)> {
        let skews: Vec<&Skew> = self.accounts.iter().map(|account| &account.skew).collect();
        let heard = self.accounts.iter().zip(Skew::newest(&skews));
        heard.filter_map(|(account, skew)| Some((account.region.as_str(), skew?))).collect()
    }

    /// What is known of a gateway at present: nothing while its data is missing.
    pub(super) fn known(&self, state: &GatewayState, key: &str) -> Option<&Report> {
        self.reports.get(key).filter(|_| state.silent_since().is_none())
    }

    /// Whether no gateway is known yet.
    pub(super) fn is_new(&self) -> bool {
        self.gateways().next().is_none()
    }
}

impl Daemon {
    /// Logs why gateways are without data.
    pub(super) fn note_faults(&mut self, fetched: &Fetched, present: Present) {
        let Present { now, end, .. } = present;
        let say = |fault: &Arc<AwsError>| {
            format!("{fault}. The gateways concerned are without data. {}", fault.advice())
        };
        let is_refusal = |fault: &&Arc<AwsError>| fault.problem.is_of_the_identity();
        let (refused, other): (Vec<_>, Vec<_>) = fetched.faults.values().partition(is_refusal);
        self.trouble(Component::Credentials, refused.into_iter().map(say), now);
        let late = self.lateness(end);
        self.trouble(Component::Data, other.into_iter().map(say).chain(late), now);
    }

    /// Reads, counts and assesses stretch after stretch until the present is reached, the
    /// deadline is, or something fails. Returns the last stretch, and up to which minutes
    /// are read and settled by AWS's clock.
    ///
    /// `local` is what this machine's clock says. Only AWS's answers show whether that is
    /// right, so minutes that were read by a wrong time are read again.
    pub(super) async fn catch_up(
        &mut self,
        local: i64,
        deadline: &Deadline,
        usage: &mut Usage,
        watch: &mut impl FnMut(Event<'_>),
    ) -> (Fetched, Present) {
        // Each account may say that it is another time, and what most of them say counts.
        let (mut present, mut corrections) = (self.present(local), self.poller.accounts.len());
        loop {
            let may_correct = corrections > 0;
            let read = self.read_stretch(local, (present, may_correct), deadline, usage, watch);
            let fetched = match read.await {
                Ok(fetched) => fetched,
                Err(corrected) => {
                    corrections -= 1;
                    present = corrected;
                    continue;
                }
            };
            // Other than what is assessed: minutes that may be late are left out.
            let behind = present.end.since(fetched.end.unwrap_or(present.end));
            if behind <= 0 || !fetched.failed.is_empty() || allotment(deadline).is_zero() {
                return (fetched, present);
            }
            info!(minutes = behind, "catching up with what was missed");
            present = self.present(local);
        }
    }

    /// Reads what is missing of every gateway up to `present`, or a stretch of it, in pieces:
    /// each is counted and assessed when it comes, so that never more than some pieces are
    /// held. The error is what the present is, if an answer says otherwise and that
    /// `may_correct` it.
    async fn read_stretch(
        &mut self,
        local: i64,
        (present, may_correct): (Present, bool),
        deadline: &Deadline,
        usage: &mut Usage,
        watch: &mut impl FnMut(Event<'_>),
    ) -> Result<Fetched, Present> {
        let Present { now, end, settled } = present;
        let mut fetched = Fetched::nothing(settled);
        let calm_every = self.config.poll.calm_every.minutes();
        let reads =
            self.poller.reads(&self.persisted.gateways, calm_every, end, allotment(deadline));
        let late = self.lateness_of_accounts(end);
        let (mut waiting, mut answers) = started(reads);
        self.poller.reading.clear();
        let mut is_first = true;
        while let Some(Some((number, (answers, used)))) =
            self.serve(now, deadline, answers.next()).await
        {
            usage.add(used);
            let Some(Asked { account, gateways }) = waiting.remove(&number) else { continue };
            // Without an answer nothing shows that the present is right.
            if answers.iter().any(Result::is_ok) {
                if may_correct && self.present(local) != present {
                    return Err(self.present(local));
                }
                if std::mem::take(&mut is_first) {
                    self.poller.forget_the_lost(&mut self.persisted.gateways, end);
                }
            }
            let mut piece = Fetched::nothing(settled);
            for (gateway, answer) in gateways.iter().zip(answers) {
                piece.enter(gateway, answer, &self.poller.recent);
            }
            let is_late = late.get(account).is_some_and(|is_late| *is_late);
            self.take(&gateways, &mut piece, (present, is_late), deadline, watch).await;
            fetched.add(piece);
        }
        for Asked { account, gateways } in waiting.values() {
            let region = self.poller.accounts.get(*account).map_or("", |account| &account.region);
            let late = Arc::new(cloudwatch::late(region));
            for gateway in gateways {
                fetched.enter(gateway, Err(Arc::clone(&late)), &self.poller.recent);
            }
        }
        self.poller.reports.retain(|key, _| !fetched.failed.contains(key));
        self.poller.recent.have_failed(&fetched.failed);
        Ok(fetched)
    }

    /// Counts and assesses a piece of what was read.
    async fn take(
        &mut self,
        gateways: &[Arc<Gateway>],
        piece: &mut Fetched,
        (present, is_late): (Present, bool),
        deadline: &Deadline,
        watch: &mut impl FnMut(Event<'_>),
    ) {
        self.receive(gateways, piece, (present, is_late), deadline).await;
        self.assess_all(gateways, present.now, piece, deadline, watch).await;
        for gateway in gateways {
            let key = gateway.id.key();
            let Some(snapshot) = piece.snapshots.remove(&key) else { continue };
            if let Some(history) = self.poller.histories.get_mut(&key) {
                history.put_away();
            }
            let state = self.persisted.gateways.get(&key);
            let needed = state.map_or(snapshot.first(), GatewayState::remembers_from);
            let rate = self.poller.reports.get(&key).map_or(PollRate::Fast, |report| report.rate);
            self.poller.recent.enter(gateway, rate, snapshot.kept(needed));
            self.poller.reading.insert(key);
        }
    }

    /// The present when it is `local` here.
    fn present(&self, local: i64) -> Present {
        let now = self.aws_time(local);
        let poll = &self.config.poll;
        Present {
            now,
            end: Minute::containing(now - seconds(poll.delay.get())),
            settled: Minute::containing(now - seconds(poll.settle.get())),
        }
    }

    /// Minute by minute over these gateways, in the order of time, until the deadline; what
    /// is left then is read again by the next poll.
    async fn assess_all(
        &mut self,
        gateways: &[Arc<Gateway>],
        now: i64,
        fetched: &Fetched,
        deadline: &Deadline,
        watch: &mut impl FnMut(Event<'_>),
    ) {
        for (minute, gateways) in unassessed(gateways, &self.persisted.gateways, fetched) {
            let rules = self.config.rules();
            let states = &mut self.persisted.gateways;
            let of_one = |gateway| self.poller.assess(states, rules, gateway, fetched, minute);
            let reports: Vec<Report> = gateways.iter().filter_map(of_one).collect();
            watch(Event::Minute(&reports));
            for mut report in reports {
                // The state has them.
                report.records = Vec::new();
                self.poller.reports.insert(report.gateway.id.key(), report);
            }
            // Hours of ten thousand gateways take a while, and commands are answered
            // meanwhile.
            if self.serve(now, deadline, tokio::task::yield_now()).await.is_none() {
                break;
            }
        }
    }
}

/// What CloudWatch says of the minutes of some gateways, and the calls it took.
pub(super) type Read = BoxFuture<'static, Answered>;
type Answered = (Vec<Answer<Snapshot>>, Usage);

/// Whose minutes a request is for.
#[derive(Debug)]
pub(super) struct Asked {
    /// Which of the accounts.
    pub(super) account: usize,
    pub(super) gateways: Vec<Arc<Gateway>>,
}

/// Starts these requests, some of each account at once, and says what is waited for.
fn started(
    reads: Vec<(Asked, Read)>,
) -> (HashMap<usize, Asked>, impl Stream<Item = (usize, Answered)>) {
    let mut waiting = HashMap::new();
    let mut accounts: BTreeMap<usize, Vec<_>> = BTreeMap::new();
    for (number, (asked, read)) in reads.into_iter().enumerate() {
        let numbered = read.map(move |answered| (number, answered)).boxed();
        accounts.entry(asked.account).or_default().push(numbered);
        waiting.insert(number, asked);
    }
    (waiting, side_by_side(accounts.into_values()))
}

/// The results of the pieces of several accounts, when they come: some pieces of each are
/// under way at once.
pub(super) fn side_by_side<T: Send + 'static>(
    accounts: impl IntoIterator<Item = Vec<BoxFuture<'static, T>>>,
) -> impl Stream<Item = T> {
    let of_account = |pieces| stream::iter(pieces).buffer_unordered(PIECES_AT_ONCE);
    stream::select_all(accounts.into_iter().map(of_account))
}

impl Poller {
    /// What is to be read of the gateways that are due, in pieces.
    pub(super) fn reads(
        &self,
        states: &GatewayStates,
        calm_every: i64,
        end: Minute,
        deadline: Duration,
    ) -> Vec<(Asked, Read)> {
        let Self { accounts, reports, recent, .. } = self;
        let of_account = |(number, account): (usize, &AccountRegion)| {
            let asks = asks(account, states, reports, recent, calm_every, end);
            reading(number, account, asks, deadline)
        };
        accounts.iter().enumerate().flat_map(of_account).collect()
    }

    /// Assesses one minute of one gateway, if it is the next one.
    fn assess(
        &mut self,
        states: &mut GatewayStates,
        rules: Rules<'_>,
        gateway: &Arc<Gateway>,
        fetched: &Fetched,
        minute: Minute,
    ) -> Option<Report> {
        let key = gateway.id.key();
        let snapshot = fetched.snapshots.get(&key)?;
        let history = self.history_of(states, &key)?;
        let state = states.get_mut(&key).filter(|state| state.assess_watermark == minute)?;
        let Rules { detectors, resolve_after } = rules;
        let records = state.records.clone();
        let mut report =
            assess(gateway, detectors, resolve_after, records, snapshot, history, minute)?;
        report.provisional = minute >= fetched.settled.plus(-gateway.extra_delay());
        if let Some((from, to)) = report.incident() {
            history.mark(from, to, Mark::Incident);
            state.enter_incident(from, to);
        }
        state.records.clone_from(&report.records);
        state.assess_watermark = minute.plus(1);
        Some(report)
    }
}

/// The gateways of each minute that was read and can be assessed, in the order of time.
fn unassessed(
    gateways: &[Arc<Gateway>],
    states: &GatewayStates,
    fetched: &Fetched,
) -> BTreeMap<Minute, Vec<Arc<Gateway>>> {
    let mut due: BTreeMap<Minute, Vec<Arc<Gateway>>> = BTreeMap::new();
    for gateway in gateways {
        let key = gateway.id.key();
        let Some((state, ready)) = states.get(&key).zip(fetched.ready.get(&key)) else {
            continue;
        };
        for minute in state.assess_watermark.0..ready.0 {
            due.entry(Minute(minute)).or_default().push(Arc::clone(gateway));
        }
    }
    due
}

/// The requests for what is asked of an account, piece by piece.
pub(super) fn reading(
    number: usize,
    account: &AccountRegion,
    asks: Vec<(Minute, Vec<Ask>)>,
    deadline: Duration,
) -> Vec<(Asked, Read)> {
    let of_piece = |(until, asks): (Minute, Vec<Ask>)| {
        let gateways = asks.iter().map(|ask| Arc::clone(&ask.gateway)).collect();
        let metrics = Arc::clone(&account.metrics);
        let read = async move { metrics.minutes(&asks, until, deadline).await };
        (Asked { account: number, gateways }, read.boxed())
    };
    asks.into_iter().map(of_piece).collect()
}

#[cfg(test)]
mod tests;
