//! What a poll asks of CloudWatch, and what it got.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tracing::warn;

use crate::analysis::Report;
use crate::analysis::detector::LONGEST_WINDOW;
use crate::analysis::gateway::Gateway;
use crate::analysis::ledger::Ledger;
use crate::analysis::signal::{Minute, Snapshot};
use crate::analysis::tier::Tier;
use crate::discovery::Account;
use crate::edge::aws::Fault;
use crate::edge::cloudwatch::{Answer, Ask};
use crate::edge::state::Ledgers;

/// At most so many minutes of a gateway are read at once; a longer gap is closed
/// stretch by stretch.
const MOST_MINUTES: i64 = 180;
/// So many minutes are read again by each poll, because CloudWatch may have added
/// to them; the older ones of a window are remembered.
const READ_AGAIN: u32 = 15;
/// CloudWatch keeps one-minute data for 15 days; what is older than that by the
/// time it is asked for would look empty, so an hour is left.
pub(super) const RETENTION_MINUTES: i64 = (15 * 24 - 1) * 60;

/// What a poll got from CloudWatch, by the keys of gateways.
#[derive(Debug)]
pub(super) struct Fetched {
    /// The first minute that CloudWatch may still add to.
    pub(super) settled: Minute,
    pub(super) snapshots: BTreeMap<String, Snapshot>,
    /// How many gateways were read.
    pub(super) read: usize,
    pub(super) failed: BTreeSet<String>,
    pub(super) faults: BTreeMap<String, Arc<Fault>>,
}

impl Fetched {
    pub(super) fn nothing(settled: Minute) -> Self {
        let (snapshots, failed, faults) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Self { settled, snapshots, read: 0, failed, faults }
    }

    pub(super) fn enter(
        &mut self,
        gateway: &Gateway,
        answer: Answer<Snapshot>,
        recent: &HashMap<String, Snapshot>,
    ) {
        let key = gateway.id.key();
        match answer {
            Ok(snapshot) => {
                let first = snapshot.first().plus(-i64::from(LONGEST_WINDOW));
                let snapshot = match recent.get(&key) {
                    Some(earlier) => snapshot.continuing(earlier, first),
                    None => snapshot,
                };
                self.snapshots.insert(key, snapshot);
                self.read += 1;
            }
            Err(fault) => {
                self.failed.insert(key);
                self.faults.insert(fault.to_string(), fault);
            }
        }
    }

    pub(super) fn outcome(&self) -> &'static str {
        match (self.read, self.failed.is_empty()) {
            (_, true) => "ok",
            (1.., false) => "partial",
            (0, false) => "failed",
        }
    }
}

/// What to ask for, by the minute up to which: gateways that lag behind are
/// read in stretches. One without a report is new, or its last answer failed:
/// then nothing says that it is calm.
pub(super) fn asks(
    account: &Account,
    ledgers: &mut Ledgers,
    reports: &HashMap<String, Report>,
    recent: &HashMap<String, Snapshot>,
    calm_every: i64,
    end: Minute,
) -> BTreeMap<Minute, Vec<Ask>> {
    let mut asks: BTreeMap<Minute, Vec<Ask>> = BTreeMap::new();
    for gateway in &account.gateways {
        let key = gateway.id.key();
        let tier = reports.get(&key).map_or(Tier::Stirring, |report| report.tier);
        let ledger = ledgers.entry(key.clone()).or_insert_with(|| Ledger::starting(end.plus(-1)));
        let kept = end.plus(-RETENTION_MINUTES);
        let lost = ledger.skip_to(kept);
        if lost > 0 {
            warn!(gateway = gateway.id.name, minutes = lost, up_to = %kept, "CloudWatch no longer has these minutes: they are lost");
        }
        if tier.is_due(calm_every, &key, ledger.unread(), end) {
            let until = end.min(ledger.unassessed.plus(MOST_MINUTES));
            let whole = ledger.needs_from(LONGEST_WINDOW);
            let again = ledger.needs_from(READ_AGAIN);
            let is_known = recent.get(&key).is_some_and(|s| s.first() <= whole && s.end() >= again);
            let from = if is_known { again } else { whole }.max(kept);
            let target_groups = match tier {
                Tier::Calm => Vec::new(),
                Tier::Stirring => account.target_groups(gateway).to_vec(),
            };
            let gateway = Arc::clone(gateway);
            asks.entry(until).or_default().push(Ask { gateway, from, tier, target_groups });
        }
    }
    asks
}
