//! The newest minutes of each gateway as they were last read: kept from one poll to the next,
//! and saved, so that a restart asks CloudWatch only for what was missed.
//!
//! They are saved every few minutes, each gateway at its own time: a poll reads fifteen
//! minutes again, so that what was saved less long ago is as good as what was in memory.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::Daemon;
use crate::edge::aws;
use crate::store::RecentMinutes;
use nearmiss_core::gateway::polling::PollRate;
use nearmiss_core::gateway::{Detail, Gateway};
use nearmiss_core::series::snapshot::KeptSnapshot;
use nearmiss_core::time::Minute;

/// The minutes of a gateway are saved at least every this many minutes.
const SAVED_EVERY: i64 = 5;
/// The minutes of at most this many gateways are saved at once: some megabytes.
const SAVED_TOGETHER: usize = 2000;
/// How many gateways' minutes are read from the store at once.
const READ_TOGETHER: usize = 250;
/// After this many unread minutes the rate at which a gateway was polled says nothing any more:
/// it may have begun to need a closer look meanwhile.
const RESUMED_MINUTES: i64 = 15;
/// Bytes of a record before the minutes.
const HEAD: usize = 19;

/// The newest minutes of all gateways, by their keys.
#[derive(Debug, Default)]
pub(super) struct Recent {
    kept: HashMap<String, Kept>,
    /// The rates of gateways that were not read since the start.
    rates: HashMap<String, PollRate>,
}

/// Those of one gateway.
#[derive(Debug)]
struct Kept {
    snapshot: KeptSnapshot,
    /// How its near misses were counted, and at which rate it is polled.
    head: [u8; HEAD],
    /// The end of what is saved, and that it is to be saved again.
    saved: Option<Minute>,
    is_due: bool,
}

impl Recent {
    pub(super) fn get(&self, key: &str) -> Option<&KeptSnapshot> {
        self.kept.get(key).map(|kept| &kept.snapshot)
    }

    /// Enters what was read of a gateway, and at which rate it is polled from now on.
    pub(super) fn enter(&mut self, gateway: &Gateway, rate: PollRate, snapshot: KeptSnapshot) {
        let key = gateway.id.key();
        let (_, end) = snapshot.span();
        let head = head(gateway, rate);
        let before = self.kept.get(&key);
        let its_turn = (end.0 + PollRate::turn(&key)).rem_euclid(SAVED_EVERY) == 0;
        let is_due = before.is_none_or(|before| {
            let is_old = before.saved.is_none_or(|saved| end.since(saved) >= SAVED_EVERY);
            before.is_due || before.head != head || its_turn || is_old
        });
        let saved = before.and_then(|before| before.saved);
        self.kept.insert(key, Kept { snapshot, head, saved, is_due });
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.kept.remove(key);
        self.rates.remove(key);
    }

    /// Forgets those that are not watched any more.
    pub(super) fn retain(&mut self, watched: &HashSet<String>) {
        self.kept.retain(|key, _| watched.contains(key));
        self.rates.retain(|key, _| watched.contains(key));
    }

    /// Goes on with what was saved of a gateway, unless its near misses are counted in another
    /// way now.
    pub(super) fn resume(&mut self, gateway: &Gateway, record: &[u8]) {
        let Some((saved, minutes)) = record.split_first_chunk::<HEAD>() else { return };
        let all = [PollRate::Slow, PollRate::Fast];
        let Some(rate) = all.into_iter().find(|rate| head(gateway, *rate) == *saved) else {
            return;
        };
        if let Some(snapshot) = KeptSnapshot::of_record(minutes) {
            let (key, (_, end)) = (gateway.id.key(), snapshot.span());
            self.rates.insert(key.clone(), rate);
            let kept = Kept { snapshot, head: *saved, saved: Some(end), is_due: false };
            self.kept.insert(key, kept);
        }
    }

    /// At which rate a gateway is polled that has this many unread minutes and no report: new
    /// ones are, and those whose last answer failed. Then nothing says that it has nothing
    /// unusual, unless that was known shortly before a restart.
    pub(super) fn rate(&self, key: &str, unread: i64) -> PollRate {
        let known = self.rates.get(key).filter(|_| unread <= RESUMED_MINUTES);
        known.copied().unwrap_or(PollRate::Fast)
    }

    /// Forgets at which rate these were polled.
    pub(super) fn have_failed(&mut self, failed: &BTreeSet<String>) {
        self.rates.retain(|key, _| !failed.contains(key));
    }

    /// What is to be saved, of no more gateways than make some megabytes.
    pub(super) fn unsaved(&self) -> Vec<RecentMinutes> {
        let due = self.kept.iter().filter(|(_, kept)| kept.is_due).take(SAVED_TOGETHER);
        let record = |kept: &Kept| [&kept.head[..], &kept.snapshot.record()].concat();
        due.map(|(key, kept)| RecentMinutes { gateway: key.clone(), record: record(kept) })
            .collect()
    }

    /// Notes that these are saved.
    pub(super) fn are_saved(&mut self, saved: &[RecentMinutes]) {
        for RecentMinutes { gateway, .. } in saved {
            if let Some(kept) = self.kept.get_mut(gateway) {
                (kept.saved, kept.is_due) = (Some(kept.snapshot.span().1), false);
            }
        }
    }

    /// Whether there is something to save.
    pub(super) fn is_unsaved(&self) -> bool {
        self.kept.values().any(|kept| kept.is_due)
    }
}

impl Daemon {
    /// Goes on with what was saved of gateways of which nothing is known here.
    pub(super) async fn resume(&mut self) {
        let is_new = |gateway: &&Arc<Gateway>| self.poller.recent.get(&gateway.id.key()).is_none();
        let new: Vec<Arc<Gateway>> = self.poller.gateways().filter(is_new).cloned().collect();
        for gateways in new.chunks(READ_TOGETHER) {
            let keys: Vec<String> = gateways.iter().map(|gateway| gateway.id.key()).collect();
            let found = self.store.recent(&keys).await;
            let trouble = found.as_ref().err().map(|error| {
                format!("{}: minutes of before are read from CloudWatch again", aws::chain(error))
            });
            self.self_watch.say("recent minutes", trouble);
            let found = found.unwrap_or_default();
            let records: HashMap<&str, &[u8]> =
                found.iter().map(|one| (one.gateway.as_str(), one.record.as_slice())).collect();
            for (gateway, key) in gateways.iter().zip(&keys) {
                if let Some(record) = records.get(key.as_str()) {
                    self.poller.recent.resume(gateway, record);
                }
            }
        }
    }
}

/// How near misses of a gateway are counted.
pub(super) fn bounds(gateway: &Gateway) -> (f64, bool, f64, bool) {
    let Gateway { timeout, near, detail, .. } = gateway;
    let is_estimated = *detail == Detail::Percentiles;
    (timeout.seconds, timeout.is_below_the_gateways_own(), *near, is_estimated)
}

/// The first bytes of a record: at which rate a gateway is polled, and how its near misses are
/// counted.
fn head(gateway: &Gateway, rate: PollRate) -> [u8; HEAD] {
    let (seconds, is_below, near, is_estimated) = bounds(gateway);
    let mut head = [0; HEAD];
    head[0] = match rate {
        PollRate::Slow => 0,
        PollRate::Fast => 1,
    };
    head[1] = is_below.into();
    head[2..10].copy_from_slice(&seconds.to_le_bytes());
    head[10..18].copy_from_slice(&near.to_le_bytes());
    head[18] = is_estimated.into();
    head
}
