//! What a poll does with what it got before it assesses the present: it counts, it looks
//! whether CloudWatch is late, and it assesses again what came late.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::Daemon;
use super::plan::{Fetched, backfills};
use crate::analysis::gateway::Gateway;
use crate::analysis::history::{Mark, Quarter};
use crate::analysis::late::{Amended, Rules, assess_again};
use crate::analysis::ledger::{Lateness, Ledger, Present, RETENTION_MINUTES, Tally, Totals};
use crate::analysis::signal::{Minute, Snapshot};
use crate::edge::aws::Usage;

/// What CloudWatch adds sooner does not change what is usual.
const REVISED_MINUTES: i64 = 10;

impl Daemon {
    /// Counts what was read of every gateway up to before `end`, which is the present by
    /// AWS's clock, and finds out which minutes can be assessed.
    pub(super) fn receive(&mut self, fetched: &mut Fetched, end: Minute) {
        self.go_on_from(fetched, end);
        let settled = fetched.settled;
        let accounts: Vec<(bool, Vec<Arc<Gateway>>)> = self
            .accounts
            .iter()
            .map(|account| (self.tally(&account.gateways, end).is_late(), account.gateways.clone()))
            .collect();
        for (is_late, gateways) in accounts {
            let present = Present { end, settled, is_late };
            for gateway in gateways {
                let key = gateway.id.key();
                let Some(mut snapshot) = fetched.snapshots.remove(&key) else { continue };
                if let Some(ready) = self.receive_one(&gateway, &key, &mut snapshot, present) {
                    fetched.ready.insert(key.clone(), ready);
                }
                fetched.snapshots.insert(key, snapshot);
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
        let watched: HashSet<String> = self.gateways().iter().map(|one| one.id.key()).collect();
        let ledgers = &mut self.memory.gateways;
        ledgers.retain(|key, ledger| ledger.unassessed > kept || watched.contains(key));
        let (mut lost, mut ahead) = (0, 0u64);
        for key in fetched.snapshots.keys() {
            let start = || Ledger::starting(end.plus(-1));
            let ledger = self.memory.gateways.entry(key.clone()).or_insert_with(start);
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
        present: Present,
    ) -> Option<Minute> {
        self.history_of(key);
        let history = self.histories.get_mut(key)?;
        let ledger = self.memory.gateways.get_mut(key)?;
        let drift = &self.config.detector.drift;
        let expects_silence =
            || history.outlook(gateway, drift, present.end.plus(-1)).usual.expects_silence();
        let received = ledger.receive(gateway, snapshot, present, expects_silence);
        self.amend(gateway, key, snapshot, &received.late, present);
        Some(received.ready)
    }

    /// Assesses again what came late.
    fn amend(
        &mut self,
        gateway: &Arc<Gateway>,
        key: &str,
        snapshot: &Snapshot,
        late: &[(Minute, Totals)],
        present: Present,
    ) {
        let histories = self.histories.get_mut(key);
        let Some((ledger, history)) = self.memory.gateways.get_mut(key).zip(histories) else {
            return;
        };
        let assessed = ledger.unassessed;
        if late.iter().all(|(minute, _)| *minute >= assessed) {
            return;
        }
        let old = |minute: &Minute| present.end.since(*minute) > REVISED_MINUTES;
        for minute in late.iter().map(|(minute, _)| *minute).filter(old) {
            history.forget(Quarter::containing(minute));
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
    /// there is data after them. It is done last, with what is `left` of the time.
    pub(super) async fn backfill(&mut self, settled: Minute, left: Duration, usage: &mut Usage) {
        let mut plans = Vec::new();
        for account in &self.accounts {
            let asks = backfills(account, &mut self.memory.gateways, settled);
            plans.extend(asks.into_iter().map(|(until, asks)| (account, until, asks)));
        }
        let reads = plans
            .iter()
            .map(|(account, until, asks)| account.cloudwatch.minutes(asks, *until, left));
        let answers = futures::future::join_all(reads).await;
        let mut got = Vec::new();
        for ((_, _, asks), (answers, used)) in plans.into_iter().zip(answers) {
            usage.add(used);
            // What failed is read again the next time.
            let answers = asks.into_iter().zip(answers);
            got.extend(answers.filter_map(|(ask, answer)| Some((ask.gateway, answer.ok()?))));
        }
        let present = Present { end: settled, settled, is_late: false };
        for (gateway, snapshot) in got {
            let key = gateway.id.key();
            let Some(ledger) = self.memory.gateways.get_mut(&key) else { continue };
            let late = ledger.fill(&gateway, &snapshot, present);
            self.amend(&gateway, &key, &snapshot, &late, present);
        }
    }

    fn tally(&self, gateways: &[Arc<Gateway>], end: Minute) -> Tally {
        let ledgers = gateways.iter().filter_map(|one| self.memory.gateways.get(&one.id.key()));
        Tally::of(ledgers, end)
    }

    /// Whether CloudWatch has data of no gateway that has traffic.
    pub(super) fn is_blind(&self, end: Minute) -> bool {
        self.tally(&self.gateways(), end).is_blind()
    }

    /// With which accounts CloudWatch is late, a line each.
    pub(super) fn lateness(&self, end: Minute) -> Vec<String> {
        let said = |account: &crate::discovery::Account| {
            let ledger = |gateway: &Arc<Gateway>| self.memory.gateways.get(&gateway.id.key());
            let both = account.gateways.iter().filter_map(|one| Some((one.as_ref(), ledger(one)?)));
            Some(Lateness::of(both, end)?.said(&account.region))
        };
        self.accounts.iter().filter_map(said).collect()
    }
}
