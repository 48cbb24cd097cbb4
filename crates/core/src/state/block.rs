//! Half-hours of counted minutes, as sums.
//!
//! What CloudWatch adds hours later is found by comparing sums: a metric that comes late,
//! one zone's part of it, a whole minute, in any order. Forty bytes keep thirty minutes, so
//! that four hours of a hundred thousand gateways fit in a process. Only which minute a
//! request belongs to is not kept: what is new of a half-hour is counted where most of its
//! trouble is.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::gateway::Gateway;
use crate::series::histogram::Buckets;
use crate::series::snapshot::Snapshot;
use crate::series::totals::Totals;
use crate::state::counted::Counted;
use crate::time::Minute;

/// A block has at most this many minutes.
const MAX_MINUTES: i64 = 30;

/// Counted minutes in a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub(super) struct Block {
    pub(super) from: Minute,
    /// The first minute after it.
    pub(super) until: Minute,
    /// The timeout that made a near miss, seconds.
    timeout: f64,
    /// Its minutes with requests.
    active: u8,
    totals: Totals,
    buckets: Option<Box<Buckets>>,
}

/// First minute, minutes, timeout, active minutes, requests, near misses, 504s.
pub(super) type Written = (Minute, u8, f64, u8, u64, u64, u64);

impl From<Written> for Block {
    fn from(written: Written) -> Self {
        let (from, minutes, timeout, active, requests, near_misses, timeouts) = written;
        let totals = Totals { requests, near_misses, timeouts };
        Self { from, until: from.plus(minutes.into()), timeout, active, totals, buckets: None }
    }
}

impl From<Block> for Written {
    fn from(block: Block) -> Self {
        let Block { from, until, timeout, active, totals, .. } = block;
        let Totals { requests, near_misses, timeouts } = totals;
        let minutes = u8::try_from(until.since(from)).unwrap_or(0);
        (from, minutes, timeout, active, requests, near_misses, timeouts)
    }
}

/// What CloudWatch has added to a block.
pub(super) struct More {
    pub(super) totals: Totals,
    /// How many more of its minutes have requests.
    pub(super) active: u64,
    /// The same by latency, where it is known.
    pub(super) buckets: Option<Buckets>,
    /// Its minute with the most 504s, or else near misses, or requests.
    pub(super) worst: Minute,
}

/// Adds a counted minute to the newest block, or begins one with it.
pub(super) fn append(blocks: &mut VecDeque<Block>, counted: Counted) {
    let Counted { minute, timeout, totals, buckets, .. } = counted;
    let active = u8::from(totals.requests > 0);
    let goes_on = |block: &&mut Block| {
        block.until == minute
            && minute.since(block.from) < MAX_MINUTES
            && block.timeout.total_cmp(&timeout).is_eq()
    };
    if let Some(block) = blocks.back_mut().filter(goes_on) {
        block.until = minute.plus(1);
        block.active = block.active.saturating_add(active);
        block.totals.add(totals);
        block.buckets = block.buckets.take().zip(buckets).map(|(mut all, one)| {
            all.add(&one);
            all
        });
    } else {
        blocks.push_back(Block {
            from: minute,
            until: minute.plus(1),
            timeout,
            active,
            totals,
            buckets,
        });
    }
}

impl Block {
    /// Whether a snapshot has all of it.
    pub(super) fn is_in(&self, snapshot: &Snapshot) -> bool {
        snapshot.first() <= self.from && self.until <= snapshot.end()
    }

    /// Its minutes, oldest first.
    pub(super) fn minutes(&self) -> impl Iterator<Item = Minute> + use<> {
        (self.from.0..self.until.0).map(Minute)
    }

    /// What CloudWatch has added to it; near misses are compared only while the timeout
    /// is the same.
    pub(super) fn compare(&mut self, gateway: &Gateway, snapshot: &Snapshot) -> Option<More> {
        let same_timeout = self.timeout.total_cmp(&gateway.timeout.seconds).is_eq();
        let (mut now, mut active, mut worst) =
            (Totals::default(), 0u8, (Totals::default(), self.from));
        for reading in self.minutes().filter_map(|minute| snapshot.reading(minute)) {
            let mut one = Totals::of(&reading);
            if !same_timeout {
                one.near_misses = 0;
            }
            now.add(one);
            active += u8::from(one.requests > 0);
            let rank = |of: Totals| (of.timeouts, of.near_misses, of.requests);
            if rank(one) > rank(worst.0) {
                worst = (one, reading.minute);
            }
        }
        let totals = now.beyond(self.totals);
        if totals.is_nothing() {
            return None;
        }
        let more_active = active.saturating_sub(self.active);
        self.totals = now.or(self.totals);
        self.active = self.active.max(active);
        let buckets = self.compare_buckets(snapshot, totals);
        Some(More { totals, active: more_active.into(), buckets, worst: worst.1 })
    }

    /// What is more by latency. Where nothing was counted before there was nothing.
    fn compare_buckets(&mut self, snapshot: &Snapshot, more: Totals) -> Option<Buckets> {
        let mut now = Buckets::default();
        for minute in self.minutes() {
            now.add(&snapshot.buckets(minute)?);
        }
        let was_empty = self.totals.requests == more.requests;
        let before = self.buckets.as_deref().copied();
        let before = before.or(was_empty.then(Buckets::default))?;
        self.buckets = Some(Box::new(now));
        Some(now.beyond(&before))
    }
}
