//! Counting: each request once, whenever CloudWatch reports it.
//!
//! Minutes are counted in order, and a minute is never taken out again. What CloudWatch
//! adds to one later is added: for fifteen minutes minute by minute, for some hours by
//! half-hours ([`block`]), and for as long as CloudWatch keeps minutes where there should
//! have been requests and were none, as ranges. So a gateway takes a few hundred bytes,
//! whatever its traffic.

use crate::gateway::{Detail, Gateway};
use crate::number::whole;
use crate::series::arrival::{Arrivals, Silence};
use crate::series::histogram::Histogram;
use crate::series::snapshot::Snapshot;
use crate::series::totals::Totals;
use crate::series::window::Reading;
use crate::state::counted::Counted;
use crate::state::limits::{LATE_MINUTES, RETENTION_MINUTES};
use crate::state::{GatewayState, block};
use crate::time::Minute;

/// Counted minutes are compared with what CloudWatch says of them later, as long as
/// they are read with every poll anyway.
const REMEMBERED_MINUTES: usize = 15;
/// How long they are waited for where only some of an account's gateways are without: then
/// the traffic itself has probably ended, because somebody moved it.
const MOVED_MINUTES: i64 = 60;
/// How long an empty minute after other traffic is waited for.
const HELD_BACK_MINUTES: i64 = 10;
/// CloudWatch is often this late, which is not worth mentioning.
const USUAL_DELAY_MINUTES: i64 = 5;
/// What is counted later than this after it should have settled was late: the longest
/// `calm_every` and a little more.
const COUNTED_SOON_MINUTES: i64 = 20;
/// A gateway without a request for this long does not wait for any.
const BUSY_MINUTES: i64 = 24 * 60;

/// When a snapshot is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Present {
    /// The first minute that is not over, or too new to be asked for.
    pub end: Minute,
    /// The first minute that CloudWatch may still add to.
    pub settled: Minute,
    /// Whether CloudWatch is late with most of the account's traffic.
    pub is_late: bool,
}

impl Present {
    /// The same for a gateway whose minutes are complete some minutes later than those of
    /// others.
    #[must_use]
    pub fn later_by(self, minutes: i64) -> Self {
        Self { end: self.end.plus(-minutes), settled: self.settled.plus(-minutes), ..self }
    }
}

/// What a snapshot brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The first minute of which nothing can be said yet: it is neither assessed nor
    /// counted.
    pub ready: Minute,
    /// What came of minutes that were counted before: those that were assessed must be
    /// assessed again.
    pub late: Vec<(Minute, Totals)>,
}

/// What an empty minute is counted as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// There were no requests.
    Idle,
    /// There should have been requests, and they are waited for.
    Late,
    /// There should have been requests, and they are no longer waited for.
    GivenUp,
}

impl Totals {
    pub(super) fn of(reading: &Reading) -> Self {
        Self {
            requests: whole(reading.requests()),
            near_misses: whole(reading.near_misses),
            timeouts: whole(reading.timeouts),
        }
    }

    pub(super) fn add(&mut self, more: Self) {
        self.requests = self.requests.saturating_add(more.requests);
        self.near_misses = self.near_misses.saturating_add(more.near_misses);
        self.timeouts = self.timeouts.saturating_add(more.timeouts);
    }

    /// How much more of each than there was.
    pub(super) fn beyond(self, before: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(before.requests),
            near_misses: self.near_misses.saturating_sub(before.near_misses),
            timeouts: self.timeouts.saturating_sub(before.timeouts),
        }
    }

    /// The larger of each.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            requests: self.requests.max(other.requests),
            near_misses: self.near_misses.max(other.near_misses),
            timeouts: self.timeouts.max(other.timeouts),
        }
    }

    pub(super) fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

impl GatewayState {
    /// Counts what a snapshot brings: minutes that have settled and are not counted
    /// yet, and what came late of those that are. `expects_silence` says whether there
    /// are no requests at this time of other days either; it is asked only where there were
    /// some.
    ///
    /// A minute that the snapshot lacks stops the counting, and so does one of which
    /// nothing can be said yet: neither is skipped. A histogram whose bounds are new
    /// counts from the next time on, so that it is exported once as zero.
    pub fn receive(
        &mut self,
        gateway: &Gateway,
        snapshot: &mut Snapshot,
        present: Present,
        expects_silence: impl FnOnce() -> bool,
    ) -> Received {
        let mut arrivals = snapshot.arrivals(self.silence);
        let (waits, given_up) = self.waits(&mut arrivals, present, expects_silence);
        let ready = arrivals.undecided.max(present.end.plus(-waits)).min(snapshot.end());
        self.asks_for_answers = arrivals.asks_for_answers;
        snapshot.awaits(arrivals.awaited);
        let bounds_are_new = self.forget_old_bounds(gateway);
        let late = self.fill(gateway, snapshot, present);
        if snapshot.first() <= self.assess_watermark.min(self.count_watermark) {
            self.read = self.read.max(Some(snapshot.end()));
        }
        self.newest_data = snapshot.last_active().max(self.newest_data);
        if bounds_are_new {
            self.histogram = Some(Histogram::starting(gateway.timeout.seconds));
        } else {
            let until = ready.min(present.settled);
            while self.count_watermark < until
                && let Some(reading) = snapshot.reading(self.count_watermark)
            {
                let fate = self.fate(snapshot, reading.minute, given_up, present);
                self.add(gateway, snapshot, &reading, fate, present);
            }
        }
        self.forget_before(present.end);
        Received { ready, late }
    }

    /// How long minutes of which nothing can be said are waited for, and since when they
    /// are given up, if they are. Notes whether the traffic is silent.
    fn waits(
        &mut self,
        arrivals: &mut Arrivals,
        present: Present,
        expects_silence: impl FnOnce() -> bool,
    ) -> (i64, Option<Minute>) {
        let before = self.silence.take();
        let Some(silence) = arrivals.silent else { return (HELD_BACK_MINUTES, None) };
        let age = present.end.since(silence.since);
        let patience = if present.is_late { LATE_MINUTES } else { MOVED_MINUTES };
        if age > patience {
            return (HELD_BACK_MINUTES, Some(silence.since));
        }
        if age > USUAL_DELAY_MINUTES {
            if expects_silence() {
                arrivals.awaited.retain(|(minute, _)| *minute < silence.since);
                return (HELD_BACK_MINUTES, None);
            }
            let since = before.map_or(silence.since, |before| before.since);
            self.silence = Some(Silence { since, ..silence });
        }
        (patience, None)
    }

    /// What a minute without requests is counted as.
    fn fate(
        &self,
        snapshot: &Snapshot,
        minute: Minute,
        given_up: Option<Minute>,
        present: Present,
    ) -> Fate {
        let is_awaited = snapshot.is_awaited(minute);
        let is_given_up = given_up.is_some_and(|since| minute >= since);
        let is_busy = self.newest_data.is_some_and(|data| minute.since(data) < BUSY_MINUTES);
        let may_come = present.end.since(minute) <= LATE_MINUTES;
        let goes_on = || self.empty.ranges().next_back().is_some_and(|(_, end)| end == minute);
        if !is_given_up && may_come && (is_awaited || present.is_late && is_busy) {
            Fate::Late
        } else if is_awaited || goes_on() {
            Fate::GivenUp
        } else {
            Fate::Idle
        }
    }

    fn add(
        &mut self,
        gateway: &Gateway,
        snapshot: &Snapshot,
        reading: &Reading,
        fate: Fate,
        present: Present,
    ) {
        let minute = reading.minute;
        let is_empty = reading.requests() <= 0.0;
        match fate {
            _ if !is_empty => self.minutes.settled += 1,
            Fate::Late => self.late.insert(minute, minute.plus(1)),
            Fate::Idle => self.minutes.idle += 1,
            Fate::GivenUp => {
                self.minutes.idle += 1;
                self.empty.insert(minute, minute.plus(1));
            }
        }
        if !is_empty && is_old(minute, present) {
            self.counted_late = Some(present.end);
        }
        let totals = Totals::of(reading);
        self.totals.add(totals);
        let buckets = snapshot.buckets(minute);
        if let Some((histogram, minute)) = self.histogram.as_mut().zip(buckets) {
            histogram.add(&minute, totals.requests, totals.timeouts);
        }
        self.count_watermark = minute.plus(1);
        let timeout = gateway.timeout.seconds;
        let idle = is_empty && fate != Fate::Late;
        let buckets = buckets.map(Box::new);
        self.remembered.push_back(Counted { minute, timeout, totals, idle, seen: None, buckets });
        if self.remembered.len() > REMEMBERED_MINUTES
            && let Some(counted) = self.remembered.pop_front()
        {
            block::append(&mut self.blocks, counted);
        }
    }

    /// Adds what a snapshot has of minutes that were counted before, and returns it.
    pub fn fill(
        &mut self,
        gateway: &Gateway,
        snapshot: &Snapshot,
        present: Present,
    ) -> Vec<(Minute, Totals)> {
        let mut late = self.fill_empty(snapshot);
        late.extend(self.fill_blocks(gateway, snapshot));
        late.extend(self.revise(gateway, snapshot));
        if late.iter().any(|(minute, _)| is_old(*minute, present)) {
            self.counted_late = Some(present.end);
        }
        late
    }

    /// Adds what came of minutes that were empty for longer than half-hours are compared.
    fn fill_empty(&mut self, snapshot: &Snapshot) -> Vec<(Minute, Totals)> {
        let mut late = Vec::new();
        if self.empty.is_empty() {
            return late;
        }
        let newer = self.remembered.front().map_or(self.count_watermark, |first| first.minute);
        let newer = self.blocks.front().map_or(newer, |first| first.from);
        for minute in snapshot.minutes().take_while(|minute| *minute < newer) {
            let Some(reading) = snapshot.reading(minute).filter(|r| r.requests() > 0.0) else {
                continue;
            };
            if self.empty.remove(minute) {
                let more = Totals::of(&reading);
                self.totals.add(more);
                self.minutes.recovered += 1;
                if let Some((histogram, all)) =
                    self.histogram.as_mut().zip(snapshot.buckets(minute))
                {
                    histogram.add(&all, more.requests, more.timeouts);
                }
                late.push((minute, more));
            }
        }
        late
    }

    /// Adds what came of half-hours.
    fn fill_blocks(&mut self, gateway: &Gateway, snapshot: &Snapshot) -> Vec<(Minute, Totals)> {
        let mut late = Vec::new();
        let mut blocks = std::mem::take(&mut self.blocks);
        for block in blocks.iter_mut().filter(|block| block.is_in(snapshot)) {
            let Some(more) = block.compare(gateway, snapshot) else { continue };
            self.totals.add(more.totals);
            if let Some((histogram, buckets)) = self.histogram.as_mut().zip(more.buckets) {
                histogram.add(&buckets, more.totals.requests, more.totals.timeouts);
            }
            let has_requests =
                |minute: &Minute| snapshot.reading(*minute).is_some_and(|r| r.requests() > 0.0);
            let mut active = more.active;
            for minute in block.minutes().filter(has_requests) {
                let was_late = self.late.remove(minute);
                self.minutes.settled += u64::from(was_late);
                active = active.saturating_sub(u64::from(was_late));
                self.empty.remove(minute);
            }
            self.minutes.recovered += active;
            // It may have become worth a notification anywhere in it.
            late.extend([(block.from, Totals::default()), (more.worst, more.totals)]);
        }
        self.blocks = blocks;
        late
    }

    /// Enters what came of a counted minute, which was counted as idle or not. Returns
    /// whether requests of it were counted before.
    fn enter_late(&mut self, minute: Minute, more: Totals, was_idle: bool) -> bool {
        self.totals.add(more);
        if self.late.remove(minute) {
            self.minutes.settled += 1;
            return false;
        }
        if was_idle {
            self.minutes.recovered += 1;
            self.empty.remove(minute);
        }
        !was_idle
    }

    /// Adds what CloudWatch has added to the newest minutes after they were counted;
    /// what it takes away is only noticed, because a counter does not fall. Near misses
    /// and buckets are compared only while the timeout is the same.
    fn revise(&mut self, gateway: &Gateway, snapshot: &Snapshot) -> Vec<(Minute, Totals)> {
        let mut late = Vec::new();
        let mut remembered = std::mem::take(&mut self.remembered);
        for counted in &mut remembered {
            let minute = counted.minute;
            let Some(reading) = snapshot.reading(minute) else { continue };
            let mut now = Totals::of(&reading);
            let same_bounds = counted.timeout.total_cmp(&gateway.timeout.seconds).is_eq();
            if !same_bounds {
                now.near_misses = counted.totals.near_misses;
            }
            if now == counted.seen.as_deref().copied().unwrap_or(counted.totals) {
                continue;
            }
            counted.seen = Some(Box::new(now));
            let more = now.beyond(counted.totals);
            counted.totals = now.or(counted.totals);
            let was_idle = counted.idle && !more.is_nothing();
            counted.idle &= !was_idle;
            self.minutes.revised += u64::from(self.enter_late(minute, more, was_idle));
            if more.is_nothing() {
                continue;
            }
            late.push((minute, more));
            let buckets = counted.buckets.as_deref_mut().zip(snapshot.buckets(minute));
            if let Some((histogram, (before, after))) = self.histogram.as_mut().zip(buckets)
                && same_bounds
            {
                histogram.add(&after.beyond(before), more.requests, more.timeouts);
                *before = after;
            }
        }
        self.remembered = remembered;
        late
    }

    /// Gives up a histogram that is not asked for or has other bounds. Returns whether
    /// another is wanted.
    fn forget_old_bounds(&mut self, gateway: &Gateway) -> bool {
        let timeout = gateway.timeout.seconds;
        let wanted = gateway.detail == Detail::Histogram;
        let same = |old: &Histogram| wanted && old.timeout.total_cmp(&timeout).is_eq();
        self.histogram = self.histogram.take().filter(same);
        wanted && self.histogram.is_none()
    }

    /// Forgets what is compared no longer, and what CloudWatch no longer has. Minutes that
    /// were waited for until then are idle.
    fn forget_before(&mut self, end: Minute) {
        let late = end.plus(-LATE_MINUTES);
        self.blocks.retain(|block| block.until > late);
        let given_up = self.late.take_before(late);
        self.minutes.idle += given_up.minutes();
        for (from, end) in given_up.ranges() {
            self.empty.insert(from, end);
        }
        self.empty.forget_before(end.plus(-RETENTION_MINUTES));
    }
}

/// Whether a minute is counted later than it would be by itself.
fn is_old(minute: Minute, present: Present) -> bool {
    present.settled.since(minute) > COUNTED_SOON_MINUTES
}
