//! What a poll finds out before it reads any minute: which gateways there are, which target
//! groups belong to those that are polled fast, and what time it is at AWS.

use std::collections::HashMap;
use std::sync::Arc;

use futures::FutureExt;
use tracing::info;

use super::changes::tell_changes;
use super::poller::Poller;
use super::{Daemon, allotment};
use crate::edge::aws::Usage;
use crate::edge::exporter::Exporter;
use crate::edge::time::Deadline;
use crate::inventory;
use crate::inventory::AccountRegion;
use nearmiss_core::gateway::Gateway;
use nearmiss_core::gateway::polling::PollRate;
use nearmiss_core::notification::Component;
use nearmiss_core::number::quantity::Span;
use nearmiss_core::time::Minute;

impl Daemon {
    /// Lists the gateways where it is time to.
    pub(super) async fn discover(&mut self, now: i64, deadline: &Deadline, usage: &mut Usage) {
        let every = self.config.discovery.refresh;
        let is_due = |account: &&AccountRegion| account.is_due(now, every);
        let left = Span::seconds(allotment(deadline).as_secs());
        let looks: Vec<_> = self
            .poller
            .accounts
            .iter()
            .enumerate()
            .filter(|(_, account)| is_due(account))
            .map(|(index, account)| {
                let mut account = account.clone();
                async move {
                    let used = account.refresh(now, left, every).await;
                    (index, account, used)
                }
            })
            .collect();
        if looks.is_empty() {
            return;
        }
        let Some(found) = self.serve(now, deadline, futures::future::join_all(looks)).await else {
            return;
        };
        let accounts = &mut self.poller.accounts;
        let before: Vec<_> = accounts.iter().map(|account| account.gateways.clone()).collect();
        for (index, account, used) in found {
            usage.add(used);
            let outcome = if account.has_failed() { Err(()) } else { Ok(()) };
            Exporter::outcome(&self.publisher.exporter.discoveries, &outcome);
            accounts[index] = account;
        }
        inventory::tell_apart(accounts);
        self.follow_changes(&before, now).await;
        let troubles = self.poller.accounts.iter().flat_map(|account| &account.troubles);
        let troubles: Vec<String> = troubles.map(ToString::to_string).collect();
        self.trouble(Component::Discovery, troubles, now);
    }

    /// Continues with the gateways that exist now.
    async fn follow_changes(&mut self, before: &[Vec<Arc<Gateway>>], now: i64) {
        let minute = Minute::containing(now);
        self.hand_on(minute).await;
        self.forget_the_gone();
        for gateway in self.poller.gateways() {
            let (key, seconds) = (gateway.id.key(), gateway.timeout.seconds);
            let states = &mut self.persisted.gateways;
            if states.get(&key).is_some_and(|state| !state.has_timeout(seconds))
                && let Some(state) = states.get_mut(&key)
            {
                state.see_timeout(minute, seconds);
            }
        }
        let Poller { accounts, histories, recent, .. } = &mut self.poller;
        for (before, account) in before.iter().zip(accounts) {
            tell_changes(before, &account.gateways);
            // Near misses of the past were counted for another timeout.
            for gateway in changed(before, &account.gateways) {
                histories.remove(&gateway.id.key());
                recent.remove(&gateway.id.key());
            }
        }
    }

    /// Finds the target groups of the gateways that are polled fast.
    pub(super) async fn find_target_groups(
        &mut self,
        now: i64,
        deadline: &Deadline,
        usage: &mut Usage,
    ) {
        let left = allotment(deadline);
        let Poller { accounts, reports, .. } = &self.poller;
        let is_fast = |gateway: &&Arc<Gateway>| {
            reports.get(&gateway.id.key()).is_some_and(|r| r.rate == PollRate::Fast)
        };
        let looks: Vec<_> = accounts
            .iter()
            .enumerate()
            .flat_map(|(index, account)| {
                let searches = account.target_group_searches(is_fast, now, left);
                searches.into_iter().map(move |search| search.map(move |found| (index, found)))
            })
            .collect();
        let found = self.serve(now, deadline, futures::future::join_all(looks)).await;
        let mut faults = Vec::new();
        for (index, (found, used)) in found.into_iter().flatten() {
            usage.add(used);
            faults.extend(self.poller.accounts[index].enter_target_groups(found, now));
        }
        if !faults.is_empty() {
            let faults = faults.iter();
            let said = faults
                .map(|fault| format!("{fault}. Target groups are not shown. {}", fault.advice()));
            self.self_watch.say("target groups", said);
        }
    }

    /// The state of a load balancer that was deleted passes to the one that was created in
    /// its place.
    async fn hand_on(&mut self, minute: Minute) {
        let watched: Vec<&Gateway> = self.poller.gateways().map(AsRef::as_ref).collect();
        for (old, new) in self.persisted.gateways.succeed(&watched, minute) {
            self.bring_back(std::slice::from_ref(&old)).await;
            if let Some(mut history) = self.poller.histories.remove(&old) {
                history.save_again();
                self.poller.histories.insert(new.clone(), history);
            }
            self.notifier.hand_on(&old, &new);
            info!(
                was = old,
                is = new,
                "a load balancer was deleted and made anew under its name: its episode, its counters and what is usual go on"
            );
        }
    }

    /// A gateway that is no longer watched leaves the page at once.
    fn forget_the_gone(&mut self) {
        let watched = self.poller.watched();
        self.poller.reports.retain(|key, _| watched.contains(key));
        self.poller.histories.retain(|key, _| watched.contains(key));
        self.poller.recent.retain(|key, _| watched.contains(key));
    }
}

/// The gateways whose near misses are counted with other bounds than before.
fn changed<'a>(
    before: &'a [Arc<Gateway>],
    after: &'a [Arc<Gateway>],
) -> impl Iterator<Item = &'a Arc<Gateway>> {
    let known: HashMap<_, _> = before.iter().map(|g| (&g.id, (g.timeout, g.near))).collect();
    after.iter().filter(move |g| known.get(&g.id).is_some_and(|old| *old != (g.timeout, g.near)))
}
