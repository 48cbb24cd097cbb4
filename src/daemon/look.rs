//! What a poll finds out before it reads any minute: which gateways there are,
//! which target groups belong to those that stir, and what time it is at AWS.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tracing::info;

use super::Daemon;
use super::plan::{agreed, clock_error, clock_troubles};
use super::said::tell_changes;
use crate::analysis::gateway::Gateway;
use crate::analysis::ledger::succeed;
use crate::analysis::notify::Theme;
use crate::analysis::signal::Minute;
use crate::analysis::tier::Tier;
use crate::discovery::{self, Account};
use crate::edge::aws::Usage;
use crate::edge::exporter::Exporter;

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
        let minute = Minute::containing(self.by_aws(now));
        self.hand_on(minute);
        self.forget_the_gone();
        for gateway in self.gateways() {
            if let Some(ledger) = self.memory.gateways.get_mut(&gateway.id.key()) {
                ledger.see_timeout(minute, gateway.timeout.seconds);
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
        self.trouble(Theme::Discovery, troubles, self.by_aws(now));
    }

    /// What is remembered of a load balancer that was deleted goes on with the one that
    /// was made in its place.
    fn hand_on(&mut self, minute: Minute) {
        let gateways = self.gateways();
        let watched = gateways.iter().map(AsRef::as_ref);
        for (old, new) in succeed(&mut self.memory.gateways, watched, minute) {
            if let Some(history) = self.histories.remove(&old) {
                self.histories.insert(new.clone(), history);
            }
            if let Some(asked) = self.asked.remove(&old) {
                self.asked.insert(new.clone(), asked);
            }
            info!(
                was = old,
                is = new,
                "a load balancer was deleted and made anew under its name: its episode, its counters and what is usual go on"
            );
        }
    }

    /// What is no longer watched leaves the page at once.
    fn forget_the_gone(&mut self) {
        let watched: HashSet<String> =
            self.gateways().iter().map(|gateway| gateway.id.key()).collect();
        self.reports.retain(|key, _| watched.contains(key));
        self.histories.retain(|key, _| watched.contains(key));
        self.recent.retain(|key, _| watched.contains(key));
    }

    /// What time it is at AWS when this machine's clock says `now`, as far as AWS has
    /// said it.
    pub(super) fn by_aws(&self, now: i64) -> i64 {
        let skews = self.accounts.iter().filter_map(|account| account.skew.seconds());
        now.saturating_sub(clock_error(agreed(skews.collect())))
    }

    /// Says what is wrong with the clocks. Minutes are read by AWS's.
    pub(super) fn note_clock(&mut self, now: i64) {
        let of = |account: &Account| Some((account.region.clone(), account.skew.seconds()?));
        let skews: Vec<(String, i64)> = self.accounts.iter().filter_map(of).collect();
        let agreed = agreed(skews.iter().map(|(_, skew)| *skew).collect());
        self.exporter.clock_skew.set(agreed.unwrap_or(0));
        self.trouble(Theme::Clock, clock_troubles(&skews), now);
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
