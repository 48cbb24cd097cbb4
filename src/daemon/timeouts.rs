//! Timeouts are read one after the other while the daemon waits for something else: for AWS,
//! or for the next poll. A poll begins with what was read since the last one, and waits a
//! while for those that it needs.

use std::collections::{BTreeSet, HashMap};
use std::future::pending;
use std::time::Duration;

use futures::FutureExt;
use futures::future::select_all;
use tracing::info;

use super::{Daemon, allotment};
use crate::edge::aws::Usage;
use crate::edge::time::Deadline;
use crate::inventory::{AccountRegion, ReadTimeout, SlowAnswer, TimeoutReader};
use nearmiss_core::Report;
use nearmiss_core::number::quantity::Span;

/// How long a poll waits at its end for calls that are under way.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// The timeouts of all accounts that are being read.
#[derive(Debug, Default)]
pub(super) struct TimeoutReaders {
    /// Each with the number of its account.
    readers: Vec<(usize, TimeoutReader)>,
    /// What was read and is not entered yet.
    read: Vec<(usize, ReadTimeout)>,
    /// The calls that were made for what is entered.
    usage: Usage,
}

impl TimeoutReaders {
    /// Goes on reading until one more is there; if nothing is to be read, for ever. It may
    /// be left alone at any time.
    pub(super) async fn next(&mut self) {
        let busy = self.readers.iter_mut().filter(|(_, reader)| !reader.is_idle());
        let next = busy.map(|(account, reader)| {
            async move { reader.next().await.map(|read| (*account, read)) }.boxed()
        });
        let next: Vec<_> = next.collect();
        if next.is_empty() {
            return pending().await;
        }
        let (read, ..) = select_all(next).await;
        self.read.extend(read);
    }

    /// Goes on reading until there is nothing left that a poll waits for, and makes those of
    /// the other calls that may be made at once.
    async fn until_known(&mut self) {
        while self.readers.iter().any(|(_, reader)| reader.is_awaited()) {
            self.next().await;
        }
        let _ = self.next().now_or_never();
    }

    /// Waits for the calls that are under way, and makes no other.
    async fn until_answered(&mut self) {
        for (account, reader) in &mut self.readers {
            while let Some(read) = reader.next_under_way().await {
                self.read.push((*account, read));
            }
        }
    }

    /// Enters what was read since the last poll, and has those read that are not known or
    /// may have changed. Returns the accounts whose gateways are to follow.
    fn begin(
        &mut self,
        accounts: &mut [AccountRegion],
        slow: &[SlowAnswer],
        now: i64,
        every: Span,
    ) -> BTreeSet<usize> {
        let changed = self.enter(accounts, now);
        if self.readers.is_empty() {
            let of_one = |(number, account): (usize, &AccountRegion)| {
                account.timeout_readers().into_iter().map(move |reader| (number, reader))
            };
            self.readers = accounts.iter().enumerate().flat_map(of_one).collect();
        }
        for (number, reader) in &mut self.readers {
            accounts[*number].queue_timeouts(reader, slow, now, every);
        }
        changed
    }

    /// Enters what was read for at most `span` since then, and lets gateways follow. Returns
    /// whether any has changed.
    fn finish(
        &mut self,
        accounts: &mut [AccountRegion],
        mut changed: BTreeSet<usize>,
        now: i64,
        span: Duration,
    ) -> bool {
        changed.extend(self.enter(accounts, now));
        for (number, reader) in &self.readers {
            accounts[*number].note_stalled(reader, span);
        }
        for (number, account) in accounts.iter_mut().enumerate() {
            if changed.contains(&number) {
                account.follow_timeouts(false);
            } else {
                account.note_troubles(false);
            }
            tell_progress(account);
        }
        !changed.is_empty()
    }

    /// Enters what was read. Returns the numbers of the accounts whose gateways are to
    /// follow.
    fn enter(&mut self, accounts: &mut [AccountRegion], now: i64) -> BTreeSet<usize> {
        let mut changed = BTreeSet::new();
        for (number, read) in self.read.drain(..) {
            if accounts[number].enter_timeout(read, now, &mut self.usage) {
                changed.insert(number);
            }
        }
        changed
    }

    /// Reads nothing more for these accounts, which others take the place of.
    pub(super) fn end(&mut self, accounts: &mut [AccountRegion], now: i64) {
        self.enter(accounts, now);
        self.readers.clear();
    }
}

impl Daemon {
    /// Enters the timeouts that were read since the last poll, and waits for those that are
    /// needed, until the deadline; what is left then is read meanwhile. Returns whether
    /// gateways have changed by that.
    pub(super) async fn read_timeouts(
        &mut self,
        now: i64,
        deadline: &Deadline,
        usage: &mut Usage,
    ) -> bool {
        let every = self.config.discovery.refresh;
        let slow = slow_answers(&self.poller.reports);
        let mut readers = std::mem::take(&mut self.poller.timeouts);
        let changed = readers.begin(&mut self.poller.accounts, &slow, now, every);
        let span = allotment(deadline);
        self.serve(now, deadline, readers.until_known()).await;
        let have_changed = readers.finish(&mut self.poller.accounts, changed, now, span);
        usage.add(std::mem::take(&mut readers.usage));
        self.poller.timeouts = readers;
        have_changed
    }

    /// Waits a moment for the calls that are under way, so that none is left alone over the
    /// end of a poll: an answer says what time it is, and that is to be a time at which
    /// somebody listened.
    pub(super) async fn await_timeouts(&mut self, now: i64, deadline: &Deadline) {
        let deadline = deadline.within(UNDER_WAY);
        let mut readers = std::mem::take(&mut self.poller.timeouts);
        self.serve(now, &deadline, readers.until_answered()).await;
        self.poller.timeouts = readers;
    }
}

/// Says how many timeouts are known, while others are being read.
fn tell_progress(account: &AccountRegion) {
    let (unwatched, all) = account.unwatched();
    if unwatched > 0 && !account.has_failed() {
        info!(
            region = account.region,
            known = all - unwatched,
            of = all,
            "timeouts are being read: each gateway is watched as soon as its own is known"
        );
    }
}

/// The answers of the newest minutes that took longer than the timeout of their gateway.
fn slow_answers(reports: &HashMap<String, Report>) -> Vec<SlowAnswer> {
    let of_one = |report: &Report| {
        let took = report.reading.maximum?;
        let is_slow = took > report.gateway.timeout.at_aws?;
        let arn = report.gateway.id.arn().filter(|_| is_slow)?;
        Some(SlowAnswer { arn, took, until: report.reading.minute.plus(1).start() })
    };
    reports.values().filter_map(of_one).collect()
}

#[cfg(test)]
mod tests;
