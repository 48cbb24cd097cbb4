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
/// CloudWatch keeps one-minute data for 15 days; what is older than that by the
/// time it is asked for would look empty, so an hour is left.
pub(super) const RETENTION_MINUTES: i64 = (15 * 24 - 1) * 60;

/// What a poll got from CloudWatch, by the keys of gateways.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    pub(super) snapshots: BTreeMap<String, Snapshot>,
    pub(super) failed: BTreeSet<String>,
    pub(super) faults: BTreeMap<String, Arc<Fault>>,
}

impl Fetched {
    pub(super) fn enter(&mut self, gateway: &Gateway, answer: Answer<Snapshot>) {
        match answer {
            Ok(snapshot) => {
                self.snapshots.insert(gateway.id.key(), snapshot);
            }
            Err(fault) => {
                self.failed.insert(gateway.id.key());
                self.faults.insert(fault.to_string(), fault);
            }
        }
    }

    pub(super) fn outcome(&self) -> &'static str {
        match (self.snapshots.is_empty(), self.failed.is_empty()) {
            (_, true) => "ok",
            (false, false) => "partial",
            (true, false) => "failed",
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
            let from = ledger.needs_from(LONGEST_WINDOW).max(kept);
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
