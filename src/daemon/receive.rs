//! What a poll does with what it got before it assesses the present: it counts, it
//! determines whether CloudWatch is late, and it assesses again what came late.

use std::sync::Arc;

use tracing::warn;

use super::plan::{Fetched, backfills};
use super::poller::{Poller, Present, reading};
use super::{Daemon, allotment};
use crate::edge::aws::Usage;
use crate::edge::time::Deadline;
use crate::inventory::AccountRegion;
use crate::store::GatewayStates;
use nearmiss_core::gateway::Gateway;
use nearmiss_core::late::{Amended, Rules, assess_again};
use nearmiss_core::series::history::{Mark, QuarterHour};
use nearmiss_core::series::snapshot::Snapshot;
use nearmiss_core::series::totals::Totals;
use nearmiss_core::state::{self, GatewayState, Lateness, RETENTION_MINUTES, Tally};
use nearmiss_core::time::Minute;

/// What CloudWatch adds sooner than this does not change what is usual.
const REVISED_MINUTES: i64 = 10;
/// Commands are answered after every this many gateways.
const TOGETHER: usize = 100;

impl Daemon {
    /// Counts what was read of these gateways, and finds out which minutes can be assessed,
    /// until the deadline; what is left then is read again by the next poll.
    pub(super) async fn receive(
        &mut self,
        gateways: &[Arc<Gateway>],
        fetched: &mut Fetched,
        (Present { now, end, settled }, is_late): (Present, bool),
        deadline: &Deadline,
    ) {
        go_on_from(&mut self.persisted.gateways, fetched, end);
        let present = state::Present { end, settled, is_late };
        self.recall_histories(gateways, fetched, present).await;
        let mut revised = Vec::new();
        for (number, gateway) in gateways.iter().enumerate() {
            let present = present.later_by(gateway.extra_delay());
            let states = &mut self.persisted.gateways;
            let late = self.poller.receive(states, self.config.rules(), gateway, fetched, present);
            if !late.is_empty() {
                revised.push((gateway, late));
            }
            if number % TOGETHER == 0
                && self.serve(now, deadline, tokio::task::yield_now()).await.is_none()
            {
                break;
            }
        }
        let keys: Vec<String> = revised.iter().map(|(gateway, _)| gateway.id.key()).collect();
        self.bring_back(&keys).await;
        for (gateway, late) in revised {
            let (states, rules) = (&mut self.persisted.gateways, self.config.rules());
            let Some(snapshot) = fetched.snapshots.get(&gateway.id.key()) else { continue };
            self.poller.amend(states, rules, gateway, snapshot, &late, end);
        }
    }

    /// Reads minutes again that stayed empty where there should have been requests, once
    /// there is data after them.
    pub(super) async fn backfill(
        &mut self,
        Present { now, end, settled }: Present,
        deadline: &Deadline,
        usage: &mut Usage,
    ) {
        let left = allotment(deadline);
        let states = &mut self.persisted.gateways;
        let of_account =
            |(number, account)| reading(number, account, backfills(account, states, end), left);
        let reads = self.poller.accounts.iter().enumerate().flat_map(of_account);
        let (asked, reads): (Vec<_>, Vec<_>) = reads.unzip();
        let answers = self.serve(now, deadline, futures::future::join_all(reads)).await;
        let present = state::Present { end, settled, is_late: false };
        for (asked, (answers, used)) in asked.iter().zip(answers.into_iter().flatten()) {
            usage.add(used);
            for (gateway, answer) in asked.gateways.iter().zip(answers) {
                // What failed is read again next time.
                let Ok(snapshot) = answer else { continue };
                let key = gateway.id.key();
                let states = &mut self.persisted.gateways;
                let Some(state) = states.get_mut(&key) else { continue };
                let late = state.fill(gateway, &snapshot, present);
                self.bring_back(&[key]).await;
                let (states, rules) = (&mut self.persisted.gateways, self.config.rules());
                self.poller.amend(states, rules, gateway, &snapshot, &late, end);
            }
        }
    }

    /// Whether CloudWatch is late, for each account.
    pub(super) fn lateness_of_accounts(&self, end: Minute) -> Vec<bool> {
        let accounts = self.poller.accounts.iter();
        accounts.map(|account| self.tally(account.gateways.iter(), end).is_late()).collect()
    }

    fn tally<'a>(&self, gateways: impl Iterator<Item = &'a Arc<Gateway>>, end: Minute) -> Tally {
        let states = &self.persisted.gateways;
        let both = gateways.filter_map(|one| Some((one.as_ref(), states.get(&one.id.key())?)));
        Tally::of(both, end)
    }

    /// Whether CloudWatch has no data of any gateway that has traffic.
    pub(super) fn is_blind(&self, end: Minute) -> bool {
        self.tally(self.poller.gateways(), end).is_blind()
    }

    /// In which accounts CloudWatch is late, one line each.
    pub(super) fn lateness(&self, end: Minute) -> Vec<String> {
        let said = |account: &AccountRegion| {
            let state = |gateway: &Arc<Gateway>| self.persisted.gateways.get(&gateway.id.key());
            let both = account.gateways.iter().filter_map(|one| Some((one.as_ref(), state(one)?)));
            Some(Lateness::of(both, end)?.said(&account.region))
        };
        self.poller.accounts.iter().filter_map(said).collect()
    }
}

/// Sets the watermarks of what was read: of new gateways, of those that lag behind what
/// CloudWatch keeps, and of those that lie in the future. Without an answer nothing shows
/// that the present is right.
pub(super) fn go_on_from(states: &mut GatewayStates, fetched: &Fetched, end: Minute) {
    let kept = end.plus(-RETENTION_MINUTES);
    let (mut lost, mut ahead) = (0, 0u64);
    for (key, snapshot) in &fetched.snapshots {
        let start = || GatewayState::starting(snapshot.end().plus(-1));
        let state = states.get_or_insert_with(key, start);
        ahead += u64::from(state.put_right(snapshot.end()));
        lost += state.skip_to(kept);
    }
    if lost > 0 {
        warn!(minutes = lost, up_to = %kept, "CloudWatch no longer has these minutes: they are lost");
    }
    if ahead > 0 {
        warn!(
            gateways = ahead,
            present = %end,
            "positions lay in the future: the state was saved under a clock that was ahead. Reading goes on after the newest minute that had data"
        );
    }
}

impl Poller {
    /// What is no longer watched is forgotten once it could not be continued.
    pub(super) fn forget_the_lost(&self, states: &mut GatewayStates, end: Minute) {
        let kept = end.plus(-RETENTION_MINUTES);
        let watched = self.watched();
        states.retain(|key, state| state.assess_watermark > kept || watched.contains(key));
    }

    /// Counts what was read of a gateway, and finds out which minutes can be assessed. Returns
    /// what came late.
    pub(super) fn receive(
        &mut self,
        states: &mut GatewayStates,
        rules: Rules<'_>,
        gateway: &Arc<Gateway>,
        fetched: &mut Fetched,
        present: state::Present,
    ) -> Vec<(Minute, Totals)> {
        let key = gateway.id.key();
        let Some(snapshot) = fetched.snapshots.get_mut(&key) else { return Vec::new() };
        let Some(history) = self.history_of(states, &key) else { return Vec::new() };
        let Some(state) = states.get_mut(&key) else { return Vec::new() };
        let drift = &rules.detectors.drift;
        let newest = present.end.plus(-1);
        let expects_silence = || history.outlook(gateway, drift, newest).usual.expects_silence();
        let received = state.receive(gateway, snapshot, present, expects_silence);
        fetched.ready.insert(key, received.ready);
        received.late
    }

    /// Assesses again what came late. All days of the history are here.
    pub(super) fn amend(
        &mut self,
        states: &mut GatewayStates,
        rules: Rules<'_>,
        gateway: &Arc<Gateway>,
        snapshot: &Snapshot,
        late: &[(Minute, Totals)],
        end: Minute,
    ) {
        let key = gateway.id.key();
        let Some(history) = self.history_of(states, &key) else { return };
        let Some(state) = states.get_mut(&key) else { return };
        let assessed = state.assess_watermark;
        if late.iter().all(|(minute, _)| *minute >= assessed) {
            return;
        }
        let is_old = |minute: &Minute| end.since(*minute) > REVISED_MINUTES;
        for minute in late.iter().map(|(minute, _)| *minute).filter(is_old) {
            history.forget(QuarterHour::containing(minute));
        }
        let records = std::mem::take(&mut state.records);
        let Amended { records, incidents } =
            assess_again(gateway, rules, records, snapshot, history, late, assessed);
        state.records = records;
        for (from, to) in incidents {
            history.mark(from, to, Mark::Incident);
            state.enter_incident(from, to);
        }
    }
}
