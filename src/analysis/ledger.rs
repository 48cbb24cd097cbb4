//! What is remembered of a gateway from poll to poll - and over restarts.
//!
//! CloudWatch keeps the history; all that must not be forgotten is how far it
//! was read, what was counted, and what people were told. The counters are
//! kept with their position, so that each settled minute is added exactly once,
//! whatever happens in between.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Notice;
use super::alert::{Record, whole};
use super::gateway::{Detail, Gateway};
use super::histogram::{Buckets, Histogram};
use super::notify::{Desk, Due, Receiver, Subject};
use super::signal::{Minute, Snapshot};
use super::window::Reading;

/// Counted minutes are compared with what CloudWatch says of them later, as
/// long as the detectors read them anyway.
const REMEMBERED_MINUTES: usize = 15;

/// Trouble is remembered for fourteen days, as long as anything is compared with
/// them, and no more than so many stretches of it.
const INCIDENT_MINUTES: i64 = 14 * 24 * 60;
const MOST_INCIDENTS: usize = 200;
/// And so many timeouts that it had.
const MOST_TIMEOUTS: usize = 20;

/// What is remembered of one gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// The first minute that is not assessed yet.
    pub unassessed: Minute,
    /// The first minute that is not counted yet.
    pub uncounted: Minute,
    /// What was counted.
    pub totals: Totals,
    /// The same by latency, where it is read.
    #[serde(default)]
    pub histogram: Option<Histogram>,
    /// How the minutes came to be counted, or not.
    #[serde(default)]
    pub minutes: Minutes,
    /// The newest minute that had data.
    #[serde(default)]
    pub newest_data: Option<Minute>,
    /// Episodes that go on, or of which somebody must still be told.
    pub records: Vec<Record>,
    /// Stretches of trouble of the last fourteen days, oldest first: no examples
    /// of what is usual.
    #[serde(default)]
    incidents: VecDeque<(Minute, Minute)>,
    /// Since when it had which timeout, seconds, oldest first.
    #[serde(default)]
    timeouts: Vec<(Minute, f64)>,
    /// The end of what was read last. It is past `unassessed` while minutes are
    /// held back that may be late: those need no reading of their own.
    #[serde(skip)]
    read: Option<Minute>,
    /// The newest counted minutes, oldest first.
    #[serde(default)]
    remembered: VecDeque<Counted>,
}

/// A minute as it was counted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Counted {
    #[serde(rename = "m")]
    minute: Minute,
    /// The timeout that made a near miss, seconds.
    #[serde(rename = "t")]
    timeout: f64,
    #[serde(flatten)]
    totals: Totals,
    /// What CloudWatch said of it last, where that is less.
    #[serde(skip)]
    seen: Option<Totals>,
    #[serde(skip)]
    buckets: Option<Buckets>,
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

impl Totals {
    fn of(reading: &Reading) -> Self {
        Self {
            requests: whole(reading.requests()),
            near_misses: whole(reading.near_misses),
            timeouts: whole(reading.timeouts),
        }
    }

    fn add(&mut self, more: Self) {
        self.requests = self.requests.saturating_add(more.requests);
        self.near_misses = self.near_misses.saturating_add(more.near_misses);
        self.timeouts = self.timeouts.saturating_add(more.timeouts);
    }

    /// How much more of each than there was.
    fn beyond(self, before: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(before.requests),
            near_misses: self.near_misses.saturating_sub(before.near_misses),
            timeouts: self.timeouts.saturating_sub(before.timeouts),
        }
    }

    /// The larger of each.
    fn or(self, other: Self) -> Self {
        Self {
            requests: self.requests.max(other.requests),
            near_misses: self.near_misses.max(other.near_misses),
            timeouts: self.timeouts.max(other.timeouts),
        }
    }
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
            histogram: None,
            minutes: Minutes::default(),
            newest_data: None,
            records: Vec::new(),
            incidents: VecDeque::new(),
            timeouts: Vec::new(),
            read: None,
            remembered: VecDeque::new(),
        }
    }

    /// The first minute that a snapshot must have to go on from here, when
    /// detectors look at windows of `window` minutes.
    #[must_use]
    pub fn needs_from(&self, window: u32) -> Minute {
        self.unassessed.min(self.uncounted).plus(1 - i64::from(window))
    }

    /// The first minute that was not read yet.
    #[must_use]
    pub fn unread(&self) -> Minute {
        self.read.map_or(self.unassessed, |read| read.max(self.unassessed))
    }

    /// How many minutes were assessed and are not counted yet, because CloudWatch
    /// may still add to them.
    #[must_use]
    pub fn provisional(&self) -> u64 {
        u64::try_from(self.unassessed.since(self.uncounted)).unwrap_or(0)
    }

    /// How many minutes were read and are held back, because they are empty and
    /// may be late.
    #[must_use]
    pub fn late(&self) -> u64 {
        u64::try_from(self.unread().since(self.unassessed)).unwrap_or(0)
    }

    /// Notes the timeout that it has at `now`, seconds.
    pub fn see_timeout(&mut self, now: Minute, seconds: f64) {
        let last = self.timeouts.last().map(|(_, seconds)| *seconds);
        if last.is_none_or(|last| (last - seconds).abs() > f64::EPSILON) {
            let since = if last.is_none() { Minute(0) } else { now };
            self.timeouts.push((since, seconds));
            let surplus = self.timeouts.len().saturating_sub(MOST_TIMEOUTS);
            self.timeouts.drain(..surplus);
        }
    }

    /// Since when it had which timeout, seconds, oldest first.
    #[must_use]
    pub fn timeouts(&self) -> &[(Minute, f64)] {
        &self.timeouts
    }

    /// Notes which of its episodes can be heard of at the end of minute `now`, and
    /// forgets those of which nobody needs to hear any more.
    pub fn listen(&mut self, desk: &Desk, now: Minute) {
        for record in self.records.iter_mut().filter(|r| r.episode.goes_on() && !r.audible) {
            record.audible = !desk.quiet.keeps_back(Subject::of(record), now);
        }
        self.records.retain(|record| desk.due(record, now) != Due::Done);
    }

    /// What must be told of it and to whom, oldest first.
    #[must_use]
    pub fn due(&self, desk: &Desk, now: Minute) -> Vec<(Receiver, Notice)> {
        let mut due = Vec::new();
        for record in &self.records {
            let Due::Tell(receivers) = desk.due(record, now) else { continue };
            for (receiver, reason) in receivers {
                let mut notice = Notice::of(record, reason, self.unassessed.plus(-1));
                notice.told = now;
                notice.reminders = record.told.get(&receiver).map_or(0, |told| told.reminders);
                notice.provisional = self.provisional() > 0;
                due.push((receiver, notice));
            }
        }
        due
    }

    /// Enters what a receiver took.
    pub fn told(&mut self, notice: &Notice, receiver: &Receiver, now: Minute) {
        let is_it = |record: &&mut Record| record.episode.id == notice.episode.id;
        if let Some(record) = self.records.iter_mut().find(is_it) {
            record.enter(receiver, notice, now);
        }
    }

    /// The episodes that a receiver was first told of since this minute.
    #[must_use]
    pub fn told_since(&self, receiver: &Receiver, since: Minute) -> usize {
        let is_new = |record: &&Record| {
            record.told.get(receiver).is_some_and(|told| told.first >= since && !told.over)
        };
        self.records.iter().filter(is_new).count()
    }

    /// Stretches of trouble, first and last minute, oldest first.
    pub fn incidents(&self) -> impl Iterator<Item = (Minute, Minute)> {
        self.incidents.iter().copied()
    }

    /// What goes on, or else the last trouble, is meant to be so: it is no incident.
    /// Returns its first and last minute.
    pub fn acknowledge(&mut self, now: Minute) -> Option<(Minute, Minute)> {
        let open = self.records.last_mut().filter(|record| record.episode.is_open());
        let (from, to) = match open {
            Some(record) => {
                record.episode.benign = true;
                (record.episode.began, now)
            }
            None => *self.incidents.back()?,
        };
        self.incidents.retain(|(_, end)| *end < from);
        Some((from, to))
    }

    /// Enters a stretch of trouble, or its going on.
    pub fn enter_incident(&mut self, from: Minute, to: Minute) {
        match self.incidents.back_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => self.incidents.push_back((from, to)),
        }
        let kept = to.plus(-INCIDENT_MINUTES);
        while self.incidents.len() > MOST_INCIDENTS
            || self.incidents.front().is_some_and(|first| first.1 < kept)
        {
            self.incidents.pop_front();
        }
    }

    /// Counts the minutes up to before `settled` that are not counted yet.
    /// One that the snapshot lacks stops the counting, and so does an empty one
    /// that may be late: neither is skipped. What CloudWatch adds to a counted
    /// minute later is added too; what it takes away is only noticed, because a
    /// counter does not fall. A histogram whose bounds are new
    /// counts from the next time on, so that it is exported once as zero.
    pub fn count(&mut self, gateway: &Gateway, snapshot: &Snapshot, settled: Minute) {
        self.add_revisions(gateway, snapshot);
        self.read = Some(snapshot.end());
        self.newest_data = snapshot.last_active().max(self.newest_data);
        if self.has_new_bounds(gateway) {
            return;
        }
        while self.uncounted < settled
            && let Some(reading) = snapshot.reading(self.uncounted)
            && !snapshot.may_be_late(self.uncounted, settled)
        {
            self.add(gateway, &reading, snapshot.buckets(reading.minute));
        }
    }

    /// Gives up a histogram that is not asked for or has other bounds, and
    /// starts a new one.
    fn has_new_bounds(&mut self, gateway: &Gateway) -> bool {
        let timeout = gateway.timeout.seconds;
        let wanted = gateway.detail == Detail::Histogram;
        let same = |old: &Histogram| wanted && old.timeout.total_cmp(&timeout).is_eq();
        self.histogram = self.histogram.take().filter(same);
        let new = wanted && self.histogram.is_none();
        if new {
            self.histogram = Some(Histogram::starting(timeout));
        }
        new
    }

    fn add(&mut self, gateway: &Gateway, reading: &Reading, buckets: Option<Buckets>) {
        let idle = reading.requests() <= 0.0;
        *(if idle { &mut self.minutes.idle } else { &mut self.minutes.settled }) += 1;
        let totals = Totals::of(reading);
        self.totals.add(totals);
        if let Some((histogram, minute)) = self.histogram.as_mut().zip(buckets) {
            histogram.add(&minute, totals.requests, reading.timeouts);
        }
        self.uncounted = reading.minute.plus(1);
        let timeout = gateway.timeout.seconds;
        let minute = reading.minute;
        self.remembered.push_back(Counted { minute, timeout, totals, seen: None, buckets });
        if self.remembered.len() > REMEMBERED_MINUTES {
            self.remembered.pop_front();
        }
    }

    /// Adds what CloudWatch has added to minutes after they were counted. Near
    /// misses and buckets are compared only while the timeout is the same.
    fn add_revisions(&mut self, gateway: &Gateway, snapshot: &Snapshot) {
        for counted in &mut self.remembered {
            let Some(reading) = snapshot.reading(counted.minute) else { continue };
            let mut now = Totals::of(&reading);
            let same_bounds = counted.timeout.total_cmp(&gateway.timeout.seconds).is_eq();
            if !same_bounds {
                now.near_misses = counted.totals.near_misses;
            }
            if now == counted.seen.unwrap_or(counted.totals) {
                continue;
            }
            counted.seen = Some(now);
            self.minutes.revised += 1;
            if counted.totals.requests == 0 && now.requests > 0 {
                self.minutes.idle = self.minutes.idle.saturating_sub(1);
                self.minutes.settled += 1;
            }
            let more = now.beyond(counted.totals);
            self.totals.add(more);
            let buckets = counted.buckets.zip(snapshot.buckets(counted.minute));
            if let Some((histogram, (before, after))) = self.histogram.as_mut().zip(buckets)
                && same_bounds
            {
                #[allow(clippy::cast_precision_loss)] // a minute's 504s
                histogram.add(&after.beyond(&before), more.requests, more.timeouts as f64);
                counted.buckets = Some(after);
            }
            counted.totals = now.or(counted.totals);
        }
    }

    /// Goes on at `kept` where CloudWatch has nothing older. Returns how many
    /// minutes are lost by that.
    pub fn skip_to(&mut self, kept: Minute) -> u64 {
        let lost = u64::try_from(kept.since(self.uncounted)).unwrap_or(0);
        self.minutes.lost = self.minutes.lost.saturating_add(lost);
        self.unassessed = self.unassessed.max(kept);
        self.uncounted = self.uncounted.max(kept);
        lost
    }
}
