//! What a poll does with what it got before it assesses the present: it counts, it looks
//! whether CloudWatch is late, and it assesses again what came late.

use std::sync::Arc;

use tracing::warn;

use super::plan::{Fetched, backfills};
use super::poller::Present;
use super::{Daemon, allotment};
use crate::discovery::AccountRegion;
use crate::edge::aws::Usage;
use crate::edge::time::Deadline;
use nearmiss_core::gateway::Gateway;
use nearmiss_core::late::{Amended, Rules, assess_again};
use nearmiss_core::series::history::{Mark, QuarterHour};
use nearmiss_core::series::snapshot::Snapshot;
use nearmiss_core::series::totals::Totals;
use nearmiss_core::state::{self, GatewayState, Lateness, RETENTION_MINUTES, Tally};
use nearmiss_core::time::Minute;

/// What CloudWatch adds sooner does not change what is usual.
const REVISED_MINUTES: i64 = 10;
/// After so many gateways people are answered.
const TOGETHER: usize = 100;

impl Daemon {
    /// Counts what was read of every gateway, and finds out which minutes can be
    /// assessed, until the deadline; what is left then is read again by the next poll.
    pub(super) async fn receive(
        &mut self,
        fetched: &mut Fetched,
        present: Present,
        deadline: &Deadline,
    ) {
        let Present { now, end, settled } = present;
        self.go_on_from(fetched, end);
        self.recall_histories(fetched).await;
        let is_late = |account: &AccountRegion| self.tally(account.gateways.iter(), end).is_late();
        let of_one = |account: &AccountRegion| {
            let present = state::Present { end, settled, is_late: is_late(account) };
            account.gateways.iter().map(|one| (Arc::clone(one), present)).collect::<Vec<_>>()
        };
        let gateways: Vec<_> = self.poller.accounts.iter().flat_map(of_one).collect();
        for (number, (gateway, present)) in gateways.into_iter().enumerate() {
            let key = gateway.id.key();
            let Some(mut snapshot) = fetched.snapshots.remove(&key) else { continue };
            if let Some(ready) = self.receive_one(&gateway, &key, &mut snapshot, present) {
                fetched.ready.insert(key.clone(), ready);
            }
            fetched.snapshots.insert(key, snapshot);
            if number % TOGETHER == 0
                && self.serve(now, deadline, tokio::task::yield_now()).await.is_none()
            {
                break;
            }
        }
    }

    /// Positions: of new gateways, of those that lag behind what CloudWatch keeps, and of
    /// those that lie in the future. What is no longer watched is forgotten once it could
    /// not go on any more. Without an answer nothing says that the present is right.
    fn go_on_from(&mut self, fetched: &Fetched, end: Minute) {
        if fetched.snapshots.is_empty() {
            return;
        }
        let kept = end.plus(-RETENTION_MINUTES);
        let watched = self.poller.watched();
        let ledgers = &mut self.memory.gateways;
        ledgers.retain(|key, one| one.assess_watermark > kept || watched.contains(key));
        let (mut lost, mut ahead) = (0, 0u64);
        for key in fetched.snapshots.keys() {
            let start = || GatewayState::starting(end.plus(-1));
            let ledger = ledgers.get_or_insert_with(key, start);
            ahead += u64::from(ledger.put_right(end));
            lost += ledger.skip_to(kept);
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

    fn receive_one(
        &mut self,
        gateway: &Arc<Gateway>,
        key: &str,
        snapshot: &mut Snapshot,
        present: state::Present,
    ) -> Option<Minute> {
        self.history_of(key);
        let history = self.poller.histories.get_mut(key)?;
        let ledger = self.memory.gateways.get_mut(key)?;
        let drift = &self.config.detector.drift;
        let expects_silence =
            || history.outlook(gateway, drift, present.end.plus(-1)).usual.expects_silence();
        let received = ledger.receive(gateway, snapshot, present, expects_silence);
        self.amend(gateway, key, snapshot, &received.late, present.end);
        Some(received.ready)
    }

    /// Assesses again what came late.
    fn amend(
        &mut self,
        gateway: &Arc<Gateway>,
        key: &str,
        snapshot: &Snapshot,
        late: &[(Minute, Totals)],
        end: Minute,
    ) {
        let histories = self.poller.histories.get_mut(key);
        let Some((ledger, history)) = self.memory.gateways.get_mut(key).zip(histories) else {
            return;
        };
        let assessed = ledger.assess_watermark;
        if late.iter().all(|(minute, _)| *minute >= assessed) {
            return;
        }
        let is_old = |minute: &Minute| end.since(*minute) > REVISED_MINUTES;
        for minute in late.iter().map(|(minute, _)| *minute).filter(is_old) {
            history.forget(QuarterHour::containing(minute));
        }
        let resolve_after = self.config.alert.resolve_after.minutes();
        let rules = Rules {
            detectors: &self.config.detector,
            resolve_after: u32::try_from(resolve_after).unwrap_or(u32::MAX),
        };
        let records = std::mem::take(&mut ledger.records);
        let Amended { records, incidents } =
            assess_again(gateway, rules, records, snapshot, history, late, assessed);
        ledger.records = records;
        for (from, to) in incidents {
            history.mark(from, to, Mark::Incident);
            ledger.enter_incident(from, to);
        }
    }

    /// Reads minutes again that stayed empty where there should have been requests, when
    /// there is data after them.
    pub(super) async fn backfill(
        &mut self,
        Present { now, end, settled }: Present,
        deadline: &Deadline,
        usage: &mut Usage,
    ) {
        let left = allotment(deadline);
        let mut reads = Vec::new();
        for account in &self.poller.accounts {
            for (until, asks) in backfills(account, &mut self.memory.gateways, end) {
                let cloudwatch = account.cloudwatch.clone();
                reads.push(async move {
                    let (answers, used) = cloudwatch.minutes(&asks, until, left).await;
                    (asks, answers, used)
                });
            }
        }
        let answers = self.serve(now, deadline, futures::future::join_all(reads)).await;
        let present = state::Present { end, settled, is_late: false };
        for (asks, answers, used) in answers.into_iter().flatten() {
            usage.add(used);
            for (ask, answer) in asks.iter().zip(answers) {
                // What failed is read again the next time.
                let Ok(snapshot) = answer else { continue };
                let key = ask.gateway.id.key();
                let Some(ledger) = self.memory.gateways.get_mut(&key) else { continue };
                let late = ledger.fill(&ask.gateway, &snapshot, present);
                self.amend(&ask.gateway, &key, &snapshot, &late, end);
            }
        }
    }

    fn tally<'a>(&self, gateways: impl Iterator<Item = &'a Arc<Gateway>>, end: Minute) -> Tally {
        Tally::of(gateways.filter_map(|one| self.memory.gateways.get(&one.id.key())), end)
    }

    /// Whether CloudWatch has data of no gateway that has traffic.
    pub(super) fn is_blind(&self, end: Minute) -> bool {
        self.tally(self.poller.gateways(), end).is_blind()
    }

    /// With which accounts CloudWatch is late, a line each.
    pub(super) fn lateness(&self, end: Minute) -> Vec<String> {
        let said = |account: &AccountRegion| {
            let ledger = |gateway: &Arc<Gateway>| self.memory.gateways.get(&gateway.id.key());
            let both = account.gateways.iter().filter_map(|one| Some((one.as_ref(), ledger(one)?)));
            Some(Lateness::of(both, end)?.said(&account.region))
        };
        self.poller.accounts.iter().filter_map(said).collect()
    }
}
