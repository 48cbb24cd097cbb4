//! Reading and assessing: minute after minute of every gateway, until the present.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use futures::FutureExt;
use futures::future::BoxFuture;
use tracing::info;

use super::clock::agreed;
use super::plan::{Fetched, asks};
use super::{Daemon, Event, allotment, seconds};
use crate::config::Config;
use crate::edge::aws::{AwsError, Skew, Usage};
use crate::edge::time::Deadline;
use crate::inventory::AccountRegion;
use crate::source::cloudwatch::ACTION;
use crate::source::{Answer, Ask};
use crate::store::GatewayStates;
use nearmiss_core::detect::outlook::History;
use nearmiss_core::gateway::Gateway;
use nearmiss_core::late::Rules;
use nearmiss_core::notification::Component;
use nearmiss_core::series::history::Mark;
use nearmiss_core::series::snapshot::Snapshot;
use nearmiss_core::state::GatewayState;
use nearmiss_core::time::Minute;
use nearmiss_core::{Report, assess};

/// What is watched, and what was read of it.
#[derive(Debug)]
pub(super) struct Poller {
    pub(super) accounts: Vec<AccountRegion>,
    /// What the newest minute of each gateway showed; gateways without data have no entry.
    pub(super) reports: HashMap<String, Report>,
    /// Fourteen days of each gateway.
    pub(super) histories: HashMap<String, History>,
    /// The newest minutes as they were last read, an hour or so.
    pub(super) recent: HashMap<String, Snapshot>,
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
            reports: HashMap::new(),
            histories: HashMap::new(),
            recent: HashMap::new(),
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
        let mut is_checked = false;
        loop {
            let present = self.present(local);
            let mut fetched = self.fetch(present, deadline, usage).await;
            if !std::mem::replace(&mut is_checked, true) && self.present(local) != present {
                continue;
            }
            self.receive(&mut fetched, present, deadline).await;
            self.assess_all(present.now, &fetched, deadline, watch).await;
            // Other than what is assessed: minutes that may be late are left out.
            let read = fetched.snapshots.values().map(Snapshot::end).min();
            self.poller.reading = fetched.snapshots.keys().cloned().collect();
            self.poller.recent.extend(std::mem::take(&mut fetched.snapshots));
            let behind = present.end.since(read.unwrap_or(present.end));
            if behind <= 0 || !fetched.failed.is_empty() || allotment(deadline).is_zero() {
                return (fetched, present);
            }
            info!(minutes = behind, "catching up with what was missed");
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

    /// Reads what is missing of every gateway, account by account.
    async fn fetch(
        &mut self,
        Present { now, end, settled }: Present,
        deadline: &Deadline,
        usage: &mut Usage,
    ) -> Fetched {
        let mut fetched = Fetched::nothing(settled);
        let calm_every = self.config.poll.calm_every.minutes();
        let reads =
            self.poller.reads(&self.persisted.gateways, calm_every, end, allotment(deadline));
        let (asked, reads): (Vec<_>, Vec<_>) = reads.into_iter().unzip();
        let answers = self.serve(now, deadline, futures::future::join_all(reads)).await;
        let recent = &self.poller.recent;
        let Some(answers) = answers else {
            let said = "not read within the deadline".to_owned();
            let late = Arc::new(AwsError::incomplete(ACTION, "", said));
            for one in asked.iter().flatten() {
                fetched.enter(one, Err(Arc::clone(&late)), recent);
            }
            return fetched;
        };
        for (gateways, (answers, used)) in asked.iter().zip(answers) {
            usage.add(used);
            for (gateway, answer) in gateways.iter().zip(answers) {
                fetched.enter(gateway, answer, recent);
            }
        }
        fetched
    }

    /// Minute by minute over all gateways, in the order of time, until the deadline; what
    /// is left then is read again by the next poll.
    async fn assess_all(
        &mut self,
        now: i64,
        fetched: &Fetched,
        deadline: &Deadline,
        watch: &mut impl FnMut(Event<'_>),
    ) {
        self.poller.reports.retain(|key, _| !fetched.failed.contains(key));
        for (minute, gateways) in self.poller.unassessed(&self.persisted.gateways, fetched) {
            let rules = self.config.rules();
            let states = &mut self.persisted.gateways;
            let of_one = |gateway| self.poller.assess(states, rules, gateway, fetched, minute);
            let reports: Vec<Report> = gateways.iter().filter_map(of_one).collect();
            watch(Event::Minute(&reports));
            for report in reports {
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

/// A request for the minutes of some gateways, and its result.
pub(super) type Read = BoxFuture<'static, (Vec<Answer<Snapshot>>, Usage)>;

impl Poller {
    /// What is to be read of the gateways that are due, each with its gateway.
    pub(super) fn reads(
        &self,
        states: &GatewayStates,
        calm_every: i64,
        end: Minute,
        deadline: Duration,
    ) -> Vec<(Vec<Arc<Gateway>>, Read)> {
        let Self { accounts, reports, recent, .. } = self;
        let of_account = |account: &AccountRegion| {
            let asks = asks(account, states, reports, recent, calm_every, end);
            reading(account, asks, deadline)
        };
        accounts.iter().flat_map(of_account).collect()
    }

    /// The gateways of each minute that was read and can be assessed, in the order of
    /// time.
    fn unassessed(
        &self,
        states: &GatewayStates,
        fetched: &Fetched,
    ) -> BTreeMap<Minute, Vec<Arc<Gateway>>> {
        let mut due: BTreeMap<Minute, Vec<Arc<Gateway>>> = BTreeMap::new();
        for gateway in self.gateways() {
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

/// The requests for what is asked of an account, by the minute up to which it is asked.
pub(super) fn reading(
    account: &AccountRegion,
    asks: BTreeMap<Minute, Vec<Ask>>,
    deadline: Duration,
) -> Vec<(Vec<Arc<Gateway>>, Read)> {
    let of_one = |(until, asks): (Minute, Vec<Ask>)| {
        let gateways = asks.iter().map(|ask| Arc::clone(&ask.gateway)).collect();
        let metrics = Arc::clone(&account.metrics);
        let read = async move { metrics.minutes(&asks, until, deadline).await };
        (gateways, read.boxed())
    };
    asks.into_iter().map(of_one).collect()
}

#[cfg(test)]
mod tests;
