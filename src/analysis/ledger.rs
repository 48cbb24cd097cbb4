//! What is remembered of a gateway from poll to poll - and over restarts.
//!
//! CloudWatch keeps the history; all that must not be forgotten is how far it
//! was read, what was counted, and what people were told. The counters are
//! kept with their position, so that each settled minute is added exactly once,
//! whatever happens in between.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Notice;
use super::alert::{Reason, Record, whole};
use super::signal::{Minute, Snapshot};
use super::window::Reading;

/// Counted minutes are compared with what CloudWatch says of them later, as
/// long as the detectors read them anyway.
const REMEMBERED_MINUTES: usize = 15;

/// What is remembered of one gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// The first minute that is not assessed yet.
    pub unassessed: Minute,
    /// The first minute that is not counted yet.
    pub uncounted: Minute,
    /// What was counted.
    pub totals: Totals,
    /// How the minutes came to be counted, or not.
    #[serde(default)]
    pub minutes: Minutes,
    /// The newest minute that had data.
    #[serde(default)]
    pub newest_data: Option<Minute>,
    /// Episodes that go on, or of which somebody must still be told.
    pub records: Vec<Record>,
    /// The end of what was read last. It is past `unassessed` while minutes are
    /// held back that may be late: those need no reading of their own.
    #[serde(skip)]
    read: Option<Minute>,
    /// The newest counted minutes, oldest first: requests and 504s.
    #[serde(skip)]
    remembered: VecDeque<(Minute, u64, u64)>,
}

/// What became of the minutes since a gateway was first seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minutes {
    /// Counted, with requests.
    pub settled: u64,
    /// Counted, and CloudWatch said that there was no request.
    pub idle: u64,
    /// Never read: CloudWatch no longer had them.
    pub lost: u64,
    /// Changed by CloudWatch after they were counted.
    pub revised: u64,
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
            minutes: Minutes::default(),
            newest_data: None,
            records: Vec::new(),
            read: None,
            remembered: VecDeque::new(),
        }
    }

    /// The first minute that a snapshot must have to go on from here, when
    /// detectors look at windows of `window` minutes.
    #[must_use]
    pub fn needs_from(&self, window: u32) -> Minute {
        self.unassessed.plus(1 - i64::from(window)).min(self.uncounted)
    }

    /// The first minute that was not read yet.
    #[must_use]
    pub fn unread(&self) -> Minute {
        self.read.map_or(self.unassessed, |read| read.max(self.unassessed))
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

    /// Counts the minutes up to before `settled` that are not counted yet.
    /// One that the snapshot lacks stops the counting, and so does an empty one
    /// that may be late: neither is skipped.
    pub fn count(&mut self, snapshot: &Snapshot, settled: Minute) {
        self.notice_revisions(snapshot);
        self.read = Some(snapshot.end());
        self.newest_data = snapshot.last_active().max(self.newest_data);
        while self.uncounted < settled
            && let Some(reading) = snapshot.reading(self.uncounted)
            && !snapshot.may_be_late(self.uncounted, settled)
        {
            self.add(&reading);
        }
    }

    fn add(&mut self, reading: &Reading) {
        let idle = reading.requests() <= 0.0;
        *(if idle { &mut self.minutes.idle } else { &mut self.minutes.settled }) += 1;
        let (requests, timeouts) = (whole(reading.requests()), whole(reading.timeouts));
        self.totals.requests = self.totals.requests.saturating_add(requests);
        self.totals.near_misses =
            self.totals.near_misses.saturating_add(whole(reading.near_misses));
        self.totals.timeouts = self.totals.timeouts.saturating_add(timeouts);
        self.uncounted = reading.minute.plus(1);
        self.remembered.push_back((reading.minute, requests, timeouts));
        if self.remembered.len() > REMEMBERED_MINUTES {
            self.remembered.pop_front();
        }
    }

    /// Minutes that CloudWatch changed after they were counted. Near misses are
    /// not compared: their bounds move when the timeout does.
    fn notice_revisions(&mut self, snapshot: &Snapshot) {
        for (minute, requests, timeouts) in &mut self.remembered {
            let Some(reading) = snapshot.reading(*minute) else { continue };
            let now = (whole(reading.requests()), whole(reading.timeouts));
            if now != (*requests, *timeouts) {
                self.minutes.revised += 1;
                (*requests, *timeouts) = now;
            }
        }
    }

    /// Goes on at `kept` where CloudWatch has nothing older. Returns how many
    /// minutes are lost by that.
    pub fn skip_to(&mut self, kept: Minute) -> u64 {
        let lost = u64::try_from(kept.since(self.uncounted)).unwrap_or(0);
        self.minutes.lost += lost;
        self.unassessed = self.unassessed.max(kept);
        self.uncounted = self.uncounted.max(kept);
        lost
    }
}
