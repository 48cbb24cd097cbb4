//! Where a gateway stands: which minutes to read next, and which ones again.
//!
//! CloudWatch bills requests and not minutes, so that reading further back in a request
//! that is made anyway costs nothing but datapoints of a quota. Every poll reads fifteen
//! minutes again, and three times an hour the last four hours, each gateway at its own
//! time. What was empty for longer is read again when there is data after it, more and more
//! rarely, until CloudWatch forgets it: that takes requests of its own.

use crate::detect::LONGEST_WINDOW;
use crate::state::GatewayState;
use crate::state::limits::{LATE_MINUTES, RETENTION_MINUTES};
use crate::time::Minute;

/// How many minutes each poll reads again, because CloudWatch may have added to them; the
/// older ones of a window are remembered.
const READ_AGAIN: i64 = 15;
/// Once in this many minutes a poll reads as far back as anything may come late.
const FURTHER_BACK_EVERY: i64 = 20;
/// How long each poll reads missing minutes again.
const SOUGHT_MINUTES: i64 = 60;
/// At most this many minutes of a gateway are read at once; a longer gap is closed stretch
/// by stretch.
const MAX_MINUTES: i64 = 180;
/// A position may be this many minutes past the present: what time it is at AWS is not
/// known to the second.
const TOLERATED_MINUTES: i64 = 5;
/// A position that was wrong goes back by no more than this.
const MAX_MINUTES_BACK: i64 = 24 * 60;

/// How far minutes that stayed empty are read again.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Backfill {
    /// When that was begun last.
    begun: Option<Minute>,
    /// The first minute that is still to be read this time.
    next: Option<Minute>,
}

impl GatewayState {
    /// The first minute that a snapshot must have to go on from here, when
    /// detectors look at windows of `window` minutes.
    #[must_use]
    pub fn needs_from(&self, window: u32) -> Minute {
        self.assess_watermark.min(self.count_watermark).plus(1 - i64::from(window))
    }

    /// The first minute that is kept from one poll to the next: the window of the first one
    /// that is read again.
    #[must_use]
    pub fn remembers_from(&self) -> Minute {
        self.needs_from(LONGEST_WINDOW).plus(-READ_AGAIN)
    }

    /// Which minutes the next request asks for at a poll of the minutes before `end`: from
    /// the first to before the second. `recent` are those that are remembered from the last
    /// one; `turn` sets apart the times at which gateways are read further back.
    #[must_use]
    pub fn next_stretch(
        &self,
        recent: Option<(Minute, Minute)>,
        turn: i64,
        end: Minute,
    ) -> (Minute, Minute) {
        let kept = end.plus(-RETENTION_MINUTES);
        let until = end.min(self.unread().max(kept).plus(MAX_MINUTES));
        let whole = self.needs_from(LONGEST_WINDOW);
        let again = self.reads_again_from(turn, until);
        let is_known = recent.is_some_and(|(first, last)| first <= whole && last >= again);
        // Those that were saved some minutes before a restart go on from where they end.
        let known = recent.filter(|_| is_known).map(|(_, last)| last.plus(1 - READ_AGAIN));
        let from = known.unwrap_or(whole).min(again);
        (from.max(kept), until)
    }

    /// The first minute that is read again.
    fn reads_again_from(&self, turn: i64, end: Minute) -> Minute {
        let position = self.assess_watermark.min(self.count_watermark);
        let again = position.plus(1 - READ_AGAIN);
        let slot = |minute: Minute| (minute.0.saturating_add(turn)).div_euclid(FURTHER_BACK_EVERY);
        let is_turn = self.read.is_some_and(|read| slot(read) != slot(end));
        let further = is_turn.then(|| end.plus(-LATE_MINUTES));
        let sought = end.plus(-SOUGHT_MINUTES);
        let late = self.late.ranges().find(|(_, until)| *until > sought);
        let late = late.map(|(first, _)| first.max(sought));
        // What comes late is assessed with the hour before it.
        let window = i64::from(LONGEST_WINDOW) - 1;
        let first = late.into_iter().chain(further).min().map(|first| first.plus(-window));
        first.map_or(again, |first| first.min(again))
    }

    /// Whether there are minutes that may need to be read again.
    #[must_use]
    pub fn may_backfill(&self) -> bool {
        !self.empty.is_empty()
    }

    /// Which minutes need a request of their own to be read again, at a poll of the minutes
    /// before `end`: a stretch of those that were empty, from its first minute to before
    /// the second. All of them are due when there is data after them, and again each time
    /// they are twice as long ago.
    pub fn backfill(&mut self, end: Minute) -> Option<(Minute, Minute)> {
        let closed = |(_, until): &(Minute, Minute)| {
            *until < self.count_watermark && !self.late.contains(*until)
        };
        let newest = self.empty.ranges().rfind(closed)?.1;
        if self.backfill.next.is_none() {
            let age = |at: Minute| at.since(newest).max(0).checked_ilog2();
            if self.backfill.begun.is_some_and(|begun| age(begun) == age(end)) {
                return None;
            }
            self.backfill.begun = Some(end);
        }
        let from = self.backfill.next.unwrap_or(Minute(i64::MIN));
        let left = self.empty.ranges().filter(closed).find(|(_, until)| *until > from);
        let stretch = left.map(|(first, until)| {
            let first = first.max(from);
            (first, until.min(first.plus(MAX_MINUTES)))
        });
        self.backfill.next = stretch.map(|(_, until)| until);
        stretch
    }

    /// Whether answers by their status codes are to be read too.
    #[must_use]
    pub fn asks_for_answers(&self) -> bool {
        self.asks_for_answers
    }

    /// The first minute that was not read yet.
    #[must_use]
    pub fn unread(&self) -> Minute {
        self.read.map_or(self.assess_watermark, |read| read.max(self.assess_watermark))
    }

    /// How many minutes were assessed and are not counted yet, because CloudWatch
    /// may still add to them.
    #[must_use]
    pub fn provisional(&self) -> u64 {
        u64::try_from(self.assess_watermark.since(self.count_watermark)).unwrap_or(0)
    }

    /// How many minutes were read and are waited for, because they are empty and
    /// may be late.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        let held_back = u64::try_from(self.unread().since(self.assess_watermark)).unwrap_or(0);
        held_back + self.late.minutes()
    }

    /// How many minutes were passed over and are neither counted nor idle yet.
    #[must_use]
    pub fn passed_over(&self) -> u64 {
        self.late.minutes()
    }

    /// Since when the latencies of a steady traffic are missing, where they are.
    #[must_use]
    pub fn silent_since(&self) -> Option<Minute> {
        self.silence.map(|silence| silence.since)
    }

    /// When minutes were last counted that were old by then: counters jumped.
    #[must_use]
    pub fn counted_late(&self) -> Option<Minute> {
        self.counted_late
    }

    /// Goes on at `kept` where CloudWatch has nothing older. Returns how many
    /// minutes are lost by that.
    pub fn skip_to(&mut self, kept: Minute) -> u64 {
        let lost = u64::try_from(kept.since(self.count_watermark)).unwrap_or(0);
        self.minutes.lost = self.minutes.lost.saturating_add(lost);
        self.assess_watermark = self.assess_watermark.max(kept);
        self.count_watermark = self.count_watermark.max(kept);
        lost
    }

    /// Whether its position lies in the future, where `end` is the present.
    #[must_use]
    pub fn is_ahead_of(&self, end: Minute) -> bool {
        self.assess_watermark.max(self.count_watermark) > end.plus(TOLERATED_MINUTES)
    }

    /// Corrects a position that lies in the future, where `end` is the present by AWS's
    /// clock: a clock was wrong when it was saved. Goes on after the newest minute that had
    /// data; what was counted after it was empty, so that nothing is counted twice. Returns
    /// whether there was anything to correct.
    pub fn put_right(&mut self, end: Minute) -> bool {
        if !self.is_ahead_of(end) {
            return false;
        }
        self.newest_data = self.newest_data.filter(|data| *data < end);
        let known = self.newest_data.map(|data| data.plus(1).max(end.plus(-MAX_MINUTES_BACK)));
        let position = known.unwrap_or(end);
        self.assess_watermark = self.assess_watermark.min(known.unwrap_or(end.plus(-1)));
        self.count_watermark = self.count_watermark.min(position);
        self.read = None;
        self.silence = None;
        self.counted_late = self.counted_late.filter(|at| *at <= end);
        self.remembered.retain(|counted| counted.minute < position);
        self.blocks.retain(|block| block.until <= position);
        self.late = self.late.take_before(position);
        self.empty = self.empty.take_before(position);
        self.incidents.retain(|(from, _)| *from < end);
        for (since, _) in &mut self.timeouts {
            *since = (*since).min(end);
        }
        for notified in self.records.iter_mut().flat_map(|record| record.notified.values_mut()) {
            (notified.first, notified.last) = (notified.first.min(end), notified.last.min(end));
        }
        true
    }
}
