//! What a poll finds out before it reads any minute: which gateways there are, which target
//! groups belong to those that are polled fast, and what time it is at AWS.

use std::collections::HashMap;
use std::sync::Arc;

use futures::FutureExt;
use tracing::info;

use super::changes::tell_changes;
use super::poller::Poller;
use super::recent::bounds;
use super::{DISCOVERY_SHARE, Daemon, allotment};
use crate::edge::aws::Usage;
use crate::edge::exporter::Exporter;
use crate::edge::time::Deadline;
use crate::inventory;
use nearmiss_core::gateway::Gateway;
use nearmiss_core::gateway::polling::PollRate;
use nearmiss_core::notification::Component;
use nearmiss_core::number::quantity::Span;
use nearmiss_core::time::Minute;

impl Daemon {
    /// Lists the gateways where it is time to, and reads timeouts.
    pub(super) async fn discover(&mut self, now: i64, deadline: &Deadline, usage: &mut Usage) {
        let accounts = self.poller.accounts.iter();
        let before: Vec<_> = accounts.map(|account| account.gateways.clone()).collect();
        let listed = self.list(now, deadline, usage).await;
        let have_changed = self.read_timeouts(now, deadline, usage).await;
        for number in &listed {
            let has_failed = self.poller.accounts[*number].has_failed();
            let outcome = if has_failed { Err(()) } else { Ok(()) };
            Exporter::outcome(&self.publisher.exporter.discoveries, &outcome);
        }
        if have_changed || !listed.is_empty() {
            inventory::tell_apart(&mut self.poller.accounts);
            self.follow_changes(&before, now).await;
        }
        let troubles = self.poller.accounts.iter().flat_map(|account| &account.troubles);
        let troubles: Vec<String> = troubles.map(ToString::to_string).collect();
        self.trouble(Component::Discovery, troubles, now);
    }

    /// Lists the gateways where it is time to. Returns the numbers of those accounts.
    async fn list(&mut self, now: i64, deadline: &Deadline, usage: &mut Usage) -> Vec<usize> {
        let every = self.config.discovery.refresh;
        let left = Span::seconds(allotment(deadline).as_secs());
        let accounts = self.poller.accounts.iter().enumerate();
        let looks: Vec<_> = accounts
            .filter(|(_, account)| account.is_due(now, every))
            .map(|(number, account)| {
                let mut account = account.clone();
                async move {
                    let used = account.list(now, left).await;
                    (number, account, used)
                }
            })
            .collect();
        if looks.is_empty() {
            return Vec::new();
        }
        let found = self.serve(now, deadline, futures::future::join_all(looks)).await;
        let mut listed = Vec::new();
        for (number, account, used) in found.into_iter().flatten() {
            usage.add(used);
            self.poller.accounts[number] = account;
            listed.push(number);
        }
        listed
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
        self.resume().await;
    }

    /// Finds the target groups of the gateways that are polled fast: as many as there is
    /// time for, which leaves time for what comes after.
    pub(super) async fn find_target_groups(
        &mut self,
        now: i64,
        deadline: &Deadline,
        usage: &mut Usage,
    ) {
        let deadline = &deadline.within(deadline.left() / DISCOVERY_SHARE);
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
        self.poller.recent.retain(&watched);
    }
}

/// The gateways whose near misses are counted with other bounds than before.
fn changed<'a>(
    before: &'a [Arc<Gateway>],
    after: &'a [Arc<Gateway>],
) -> impl Iterator<Item = &'a Arc<Gateway>> {
    let known: HashMap<_, _> = before.iter().map(|one| (&one.id, bounds(one))).collect();
    after.iter().filter(move |one| known.get(&one.id).is_some_and(|old| *old != bounds(one)))
}
