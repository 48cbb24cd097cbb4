//! What is remembered of a gateway from poll to poll - and over restarts.
//!
//! CloudWatch keeps the history; all that must not be forgotten is how far it
//! was read, what was counted, and what people were told. The counters are
//! kept with their position, so that each settled minute is added exactly once,
//! whatever happens in between.

use serde::{Deserialize, Serialize};

use super::Notice;
use super::alert::{Reason, Record, whole};
use super::signal::{Minute, Snapshot};

/// What is remembered of one gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The first minute that is not assessed yet.
    pub unassessed: Minute,
    /// The first minute that is not counted yet.
    pub uncounted: Minute,
    /// What was counted.
    pub totals: Totals,
    /// Episodes that go on, or of which somebody must still be told.
    pub records: Vec<Record>,
}

/// Counts over all settled minutes since a gateway was first seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Requests that were answered or ended in 504.
    pub requests: u64,
    /// Requests that were answered close to the timeout.
    pub near_misses: u64,
    /// Requests that ended in 504.
    pub timeouts: u64,
}

impl Ledger {
    /// A gateway seen for the first time: assessing begins with `minute`, and
    /// counting with the minute after it, so that all counters are exported
    /// once as zero and no increase is hidden before the first scrape.
    #[must_use]
    pub fn starting(minute: Minute) -> Self {
        Self {
            unassessed: minute,
            uncounted: minute.plus(1),
            totals: Totals::default(),
            records: Vec::new(),
        }
    }

    /// The first minute that a snapshot must have to go on from here, when
    /// detectors look at windows of `window` minutes.
    #[must_use]
    pub fn needs_from(&self, window: u32) -> Minute {
        self.unassessed.plus(1 - i64::from(window)).min(self.uncounted)
    }

    /// Enters what was delivered: an episode whose end was told is forgotten.
    pub fn told(&mut self, notice: &Notice) {
        let is_it = |record: &Record| record.episode.id == notice.episode.id;
        if notice.reason == Reason::Resolved {
            self.records.retain(|record| !is_it(record));
        } else if let Some(record) = self.records.iter_mut().find(|record| is_it(record)) {
            record.told = Some(notice.episode.severity);
        }
    }

    /// How many of its episodes somebody must still be told about.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.records.iter().filter(|record| record.decide().is_some()).count()
    }

    /// Counts the minutes up to before `end` that are settled and not counted.
    /// A minute that the snapshot lacks stops the counting: it is not skipped.
    pub fn count(&mut self, snapshot: &Snapshot, end: Minute) {
        while self.uncounted < end
            && let Some(reading) = snapshot.reading(self.uncounted)
        {
            self.totals.requests += whole(reading.requests());
            self.totals.near_misses += whole(reading.near_misses);
            self.totals.timeouts += whole(reading.timeouts);
            self.uncounted = self.uncounted.plus(1);
        }
    }
}
