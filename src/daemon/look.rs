//! What a poll finds out before it reads any minute: which gateways there are,
//! which target groups belong to those that stir, and what time it is at AWS.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Daemon;
use super::plan::RETENTION_MINUTES;
use super::said::tell_changes;
use crate::analysis::gateway::Gateway;
use crate::analysis::notify::Theme;
use crate::analysis::signal::Minute;
use crate::analysis::tier::Tier;
use crate::discovery;
use crate::edge::aws::Usage;
use crate::edge::exporter::Exporter;

/// A clock that is wrong by no more than this many seconds does no harm: minutes
/// are read only after they have settled.
const CLOCK_TOLERANCE: i64 = 30;

impl Daemon {
    pub(super) async fn look_around(&mut self, now: i64, usage: &mut Usage) {
        self.discover(now, usage).await;
        let reports = &self.reports;
        let mut faults = Vec::new();
        for account in &mut self.accounts {
            let deadline = self.config.poll.deadline.get();
            let stirs = |gateway: &Gateway| {
                reports.get(&gateway.id.key()).is_some_and(|r| r.tier == Tier::Stirring)
            };
            faults.extend(account.find_target_groups(stirs, now, deadline, usage).await);
        }
        if !faults.is_empty() {
            let faults = faults.iter();
            let said = faults
                .map(|fault| format!("{fault}. Target groups are not shown. {}", fault.advice()));
            self.troubles.tell("target groups", said);
        }
    }

    /// Looks for load balancers where it is time to.
    async fn discover(&mut self, now: i64, usage: &mut Usage) {
        let deadline = self.config.poll.deadline;
        let every = self.config.discovery.refresh;
        let due: Vec<bool> = self.accounts.iter().map(|a| a.is_due(now, every)).collect();
        if !due.contains(&true) {
            return;
        }
        let before: Vec<_> = self.accounts.iter().map(|account| account.gateways.clone()).collect();
        let accounts = self.accounts.iter_mut().zip(&due).filter(|(_, due)| **due);
        let refreshes = accounts.map(|(account, _)| account.refresh(now, deadline, every));
        for used in futures::future::join_all(refreshes).await {
            usage.add(used);
        }
        discovery::tell_apart(&mut self.accounts);
        self.forget_the_gone(now);
        for gateway in self.gateways() {
            if let Some(ledger) = self.memory.gateways.get_mut(&gateway.id.key()) {
                ledger.see_timeout(Minute::containing(now), gateway.timeout.seconds);
            }
        }
        for (before, account) in before.iter().zip(&self.accounts) {
            tell_changes(before, &account.gateways);
            // Near misses of the past were counted for another timeout.
            for gateway in changed(before, &account.gateways) {
                self.histories.remove(&gateway.id.key());
                self.recent.remove(&gateway.id.key());
            }
        }
        for (account, _) in self.accounts.iter().zip(due).filter(|(_, due)| *due) {
            let outcome = if account.has_failed() { Err(()) } else { Ok(()) };
            Exporter::outcome(&self.exporter.discoveries, &outcome);
        }
        let troubles = self.accounts.iter().flat_map(|account| &account.troubles);
        let troubles: Vec<String> = troubles.map(ToString::to_string).collect();
        self.trouble(Theme::Discovery, troubles, now);
    }

    /// What is no longer watched leaves the page at once; its ledger is kept as
    /// long as it could come back and go on.
    fn forget_the_gone(&mut self, now: i64) {
        let kept = Minute::containing(now).plus(-RETENTION_MINUTES);
        let watched: HashSet<String> =
            self.gateways().iter().map(|gateway| gateway.id.key()).collect();
        self.memory
            .gateways
            .retain(|key, ledger| ledger.unassessed > kept || watched.contains(key));
        self.reports.retain(|key, _| watched.contains(key));
        self.histories.retain(|key, _| watched.contains(key));
        self.recent.retain(|key, _| watched.contains(key));
    }

    /// Seconds that this machine's clock is ahead of AWS's, where that matters.
    /// Minutes are then read by AWS's clock.
    pub(super) fn clock_error(&mut self, now: i64) -> i64 {
        let known = self.accounts.iter().filter_map(|account| account.skew.seconds());
        let skew = known.max_by_key(|skew| skew.abs());
        self.exporter.clock_skew.set(skew.unwrap_or(0));
        let wrong = skew.filter(|skew| skew.abs() > CLOCK_TOLERANCE);
        let said = wrong.map(|skew| {
            let which = if skew > 0 { "ahead of" } else { "behind" };
            format!(
                "this machine's clock is {} s {which} AWS's, going by the Date header of its answers: minutes are read by AWS's clock. Set this one right (see chronyc tracking, timedatectl)",
                skew.abs()
            )
        });
        self.trouble(Theme::Clock, said, now);
        wrong.unwrap_or(0)
    }
}

/// The gateways whose near misses are counted otherwise than before.
fn changed<'a>(
    before: &'a [Arc<Gateway>],
    after: &'a [Arc<Gateway>],
) -> impl Iterator<Item = &'a Arc<Gateway>> {
    let known: HashMap<_, _> = before.iter().map(|g| (&g.id, (g.timeout, g.near))).collect();
    after.iter().filter(move |g| known.get(&g.id).is_some_and(|old| *old != (g.timeout, g.near)))
}
