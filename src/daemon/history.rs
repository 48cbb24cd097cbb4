//! The daemon's reading of history: quarter-hours, fourteen days back.
//!
//! The detectors compare with them. They are read after everything else in a poll, in the
//! time that is left, so that a daemon that starts warns of 504s and near misses long
//! before it knows what is usual. They are saved, so that a start asks CloudWatch only for
//! what was missed: reading all of it for ten thousand gateways costs a dollar.

use std::collections::HashMap;
use std::sync::Arc;

use futures::FutureExt;
use futures::stream::StreamExt;
use tracing::info;

use super::plan::{Fetched, pieces};
use super::poller::{Poller, side_by_side};
use super::{Daemon, allotment, seconds};
use crate::edge::aws::{self, Usage};
use crate::edge::time::Deadline;
use crate::inventory::AccountRegion;
use crate::source::{self, Answer, Stretch};
use crate::store::{Figures, GatewayStates, HistoryDay};
use nearmiss_core::detect::outlook::History;
use nearmiss_core::gateway::Gateway;
use nearmiss_core::gateway::polling::PollRate;
use nearmiss_core::series::history::{Mark, QUARTER_HOURS, QuarterHour, QuarterHours};
use nearmiss_core::state::{self, Former, GatewayState};
use nearmiss_core::time::Minute;

/// Whose quarter-hours are read, and the first one that is another gateway's.
struct Wanted {
    key: String,
    until: QuarterHour,
}

/// At most this many days are saved at once: a few megabytes.
const SAVED_TOGETHER: usize = 5000;
/// History is saved when that of this many gateways was read: as many as are saved at once.
const UNSAVED: usize = 300;
/// History is asked for in pieces of at most this many quarter-hours of gateways.
const PIECE: i64 = 15_000;
/// How many statistics of a quarter-hour are read.
const STATISTICS: u64 = 9;

impl Daemon {
    /// Reads the quarter-hours that ended before `settled` and are not known yet, as many
    /// as the remaining time and the quota allow.
    pub(super) async fn read_history(
        &mut self,
        now: i64,
        settled: Minute,
        deadline: &Deadline,
        usage: &mut Usage,
    ) {
        let end = QuarterHour::containing(settled);
        let left = allotment(deadline);
        let per_second = u64::from(self.config.quota.datapoints_per_second.get());
        let room = per_second.saturating_mul(left.as_secs());
        let mut reads = Vec::new();
        for account in &self.poller.accounts {
            let states = &self.persisted.gateways;
            let stretches = self.poller.stretches(account, states, end, room);
            let waiting = |(_, stretch): &(Wanted, Stretch)| end.0 - stretch.from.0;
            let of_account = pieces(stretches, PIECE, waiting).into_iter().map(|piece| {
                let metrics = Arc::clone(&account.metrics);
                async move {
                    let (wanted, stretches): (Vec<_>, Vec<_>) = piece.into_iter().unzip();
                    let (answers, used) = metrics.quarter_hours(&stretches, end, left).await;
                    (wanted, answers, used)
                }
                .boxed()
            });
            reads.push(of_account.collect());
        }
        let (mut reads, mut read, mut unsaved) = (side_by_side(reads), 0, 0);
        while let Some(Some((wanted, answers, used))) =
            self.serve(now, deadline, reads.next()).await
        {
            usage.add(used);
            read += self.poller.enter_quarter_hours(&wanted, answers);
            // What is saved needs no memory here.
            unsaved += wanted.len();
            if unsaved >= UNSAVED {
                unsaved = 0;
                if self.save(now).await.is_some() {
                    break;
                }
            }
        }
        if read > 0 {
            self.poller.tell_progress(end);
        }
        while self.poller.has_unsaved() && self.save(now).await.is_none() {
            if self.serve(now, deadline, tokio::task::yield_now()).await.is_none() {
                break;
            }
        }
    }

    /// Recalls the saved days of those of these gateways that have a snapshot and are new here,
    /// or whose outlook is to be made. Where near misses were counted for another timeout, the
    /// history is read again.
    pub(super) async fn recall_histories(
        &mut self,
        gateways: &[Arc<Gateway>],
        fetched: &Fetched,
        present: state::Present,
    ) {
        let histories = &self.poller.histories;
        let drift = &self.config.rules().detectors.drift;
        let newest = present.end.plus(-1);
        let (mut new, mut lacking) = (HashMap::new(), Vec::new());
        for gateway in gateways {
            let key = gateway.id.key();
            let Some(snapshot) = fetched.snapshots.get(&key) else { continue };
            let Some(history) = histories.get(&key) else {
                new.insert(key, gateway.timeout.seconds);
                continue;
            };
            let state = self.persisted.gateways.get(&key);
            let first = state.map_or(snapshot.first(), |state| state.assess_watermark);
            let last = newest.min(snapshot.end().plus(-1));
            if [first, last, newest].into_iter().any(|at| history.lacks_days(gateway, drift, at)) {
                lacking.push(key);
            }
        }
        self.bring_back(&lacking).await;
        let keys: Vec<String> = new.keys().cloned().collect();
        let found = self.saved_days(&keys).await.unwrap_or_default();
        for days in found.chunk_by(|one, next| one.gateway == next.gateway) {
            let Some(HistoryDay { gateway: key, .. }) = days.first() else { continue };
            let saved = days.iter().map(|one| (one.day, one.record.as_slice()));
            let history = History::from(QuarterHours::of_saved(saved));
            let fits =
                |now: &f64| history.timeout().is_none_or(|then| (then - now).abs() < 0.001 * now);
            if new.get(key).is_some_and(fits) {
                self.poller.keep_history(&self.persisted.gateways, key, history);
            }
        }
    }

    /// Brings back the days of these gateways that were left to the store.
    pub(super) async fn bring_back(&mut self, keys: &[String]) {
        let is_away = |key: &&String| self.poller.histories.get(*key).is_some_and(|h| h.is_away());
        let keys: Vec<String> = keys.iter().filter(is_away).cloned().collect();
        // What could not be read stays away, and what was usual so far is usual still.
        let Some(found) = self.saved_days(&keys).await else { return };
        for key in &keys {
            let Some(history) = self.poller.histories.get_mut(key) else { continue };
            let first = found.partition_point(|one| one.gateway < *key);
            let days = found.iter().skip(first).take_while(|one| one.gateway == *key);
            history.bring_back(days.map(|one| (one.day, one.record.as_slice())));
        }
    }

    /// What the store has of the history of these gateways, sorted by gateway; `None` if it
    /// cannot be read.
    async fn saved_days(&mut self, keys: &[String]) -> Option<Vec<HistoryDay>> {
        if keys.is_empty() {
            return Some(Vec::new());
        }
        let found = self.store.days(keys).await;
        let trouble = found
            .as_ref()
            .err()
            .map(|error| format!("{}: what is usual is not up to date", aws::chain(error)));
        self.self_watch.say("history", trouble);
        let mut found = found.ok()?;
        found.sort_by(|one, other| one.gateway.cmp(&other.gateway));
        Some(found)
    }

    /// What `look` makes of the daemon while all days of all gateways are here.
    pub(super) async fn with_all_days<T>(&mut self, look: impl FnOnce(&Self) -> T) -> T {
        let histories = self.poller.histories.iter();
        let away: Vec<String> = histories
            .filter(|(_, history)| history.is_away())
            .map(|(key, _)| key.clone())
            .collect();
        self.bring_back(&away).await;
        let found = look(self);
        for key in &away {
            if let Some(history) = self.poller.histories.get_mut(key) {
                history.put_away();
            }
        }
        found
    }

    /// Whether the history of some gateway is not completely read yet.
    pub(super) fn is_reading_history(&self, now: i64) -> bool {
        let end = QuarterHour::containing(Minute::containing(
            now - seconds(self.config.poll.settle.get()),
        ));
        let is_short = |history: &History| {
            first_unknown(history, end)
                .is_some_and(|from| end.0 - from.0 > PollRate::SLOW_QUARTER_HOURS)
        };
        let Poller { reports, histories, .. } = &self.poller;
        reports.keys().any(|key| histories.get(key).is_none_or(is_short))
    }
}

impl Poller {
    /// The history of a gateway, with the incidents that its state records.
    pub(super) fn history_of(&mut self, states: &GatewayStates, key: &str) -> Option<&mut History> {
        if !self.histories.contains_key(key) {
            self.keep_history(states, key, History::new());
        }
        self.histories.get_mut(key)
    }

    /// Continues with a history, in which the incidents that the state records are marked.
    fn keep_history(&mut self, states: &GatewayStates, key: &str, mut history: History) {
        for (from, to) in states.get(key).into_iter().flat_map(GatewayState::incidents) {
            history.mark(from, to, Mark::Incident);
        }
        self.histories.insert(key.to_owned(), history);
    }

    /// What is unknown and due of the gateways of an account, up to this many datapoints. A
    /// load balancer that was created anew has the history of its predecessor.
    fn stretches(
        &self,
        account: &AccountRegion,
        states: &GatewayStates,
        end: QuarterHour,
        room: u64,
    ) -> Vec<(Wanted, Stretch)> {
        let mut stretches = Vec::new();
        let mut datapoints = 0;
        for gateway in &account.gateways {
            let key = gateway.id.key();
            let (Some(history), Some(report)) = (self.histories.get(&key), self.reports.get(&key))
            else {
                continue;
            };
            let Some(from) = first_unknown(history, end) else { continue };
            let waiting = end.0 - from.0;
            if !report.rate.wants_quarter_hours(waiting) {
                continue;
            }
            datapoints += u64::try_from(waiting).unwrap_or(0) * STATISTICS;
            if datapoints > room && !stretches.is_empty() {
                break;
            }
            let is_backfill = waiting > PollRate::SLOW_QUARTER_HOURS;
            let rate = if is_backfill { PollRate::Fast } else { report.rate };
            let mut want = |gateway: Arc<Gateway>, from: QuarterHour, until: QuarterHour| {
                let wanted = Wanted { key: key.clone(), until };
                stretches.push((wanted, Stretch { gateway, from, rate }));
            };
            let state = states.get(&key).into_iter();
            let mut from = from;
            for Former { dimension, until } in state.flat_map(|one| one.former(end.start())) {
                let until = QuarterHour::containing(*until);
                if until > from {
                    let mut former = gateway.as_ref().clone();
                    former.id.dimension.clone_from(dimension);
                    want(Arc::new(former), from, until);
                    from = until;
                }
            }
            want(Arc::clone(gateway), from, end);
        }
        stretches
    }

    /// Enters what CloudWatch said, and returns of how many gateways it is all fourteen days.
    fn enter_quarter_hours(
        &mut self,
        wanted: &[Wanted],
        answers: Vec<Answer<source::QuarterHours>>,
    ) -> u64 {
        let mut whole = 0;
        for (Wanted { key, until }, answer) in wanted.iter().zip(answers) {
            // What failed is still unknown, and is read by the next poll.
            let Ok(quarter_hours) = answer else { continue };
            let Some(history) = self.histories.get_mut(key) else { continue };
            whole += u64::from(quarter_hours.len() >= QUARTER_HOURS);
            for (quarter_hour, summary) in quarter_hours.iter().filter(|(q, _)| q < until) {
                history.enter(*quarter_hour, summary);
            }
            history.seal();
        }
        whole
    }

    /// What is not saved of what was read.
    pub(super) fn unsaved(&mut self) -> Figures {
        Figures { days: self.unsaved_days(), recent: self.recent.unsaved() }
    }

    /// What is not saved of the histories, of no more gateways than make a few megabytes.
    fn unsaved_days(&mut self) -> Vec<HistoryDay> {
        let mut all = Vec::new();
        let unsaved = self.histories.iter_mut().filter(|(_, history)| history.is_unsaved());
        for (key, history) in unsaved {
            let days = history.unsaved().map(|(day, record)| HistoryDay {
                gateway: key.clone(),
                day,
                record: record.to_vec(),
            });
            all.extend(days);
            if all.len() >= SAVED_TOGETHER {
                break;
            }
        }
        all
    }

    /// Notes that these are saved.
    pub(super) fn are_saved(&mut self, saved: &Figures) {
        self.recent.are_saved(&saved.recent);
        for day in &saved.days {
            if let Some(history) = self.histories.get_mut(&day.gateway) {
                history.saved();
                history.put_away();
            }
        }
    }

    fn has_unsaved(&self) -> bool {
        self.recent.is_unsaved() || self.histories.values().any(|history| history.is_unsaved())
    }

    fn tell_progress(&self, end: QuarterHour) {
        let of = self.histories.len();
        let known = |history: &&History| first_unknown(history, end).is_none();
        let read = self.histories.values().filter(known).count();
        let days = 14;
        info!(read, of, days, "history is being read; what is usual is known for these gateways");
    }
}

/// The first of the fourteen days of quarter-hours before `end` that is not known.
fn first_unknown(history: &History, end: QuarterHour) -> Option<QuarterHour> {
    let first = end.plus(-i64::try_from(QUARTER_HOURS).unwrap_or(0));
    history.first_unknown(first, end)
}
