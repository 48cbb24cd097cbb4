//! What is remembered of a gateway from poll to poll, and over restarts.
//!
//! CloudWatch keeps the history; all that must not be forgotten is how far it was read,
//! what was counted, and what receivers were notified of. The counters are kept with their
//! position, so that each settled minute is added exactly once, whatever happens in
//! between.

mod account;
mod block;
mod counted;
mod counting;
mod limits;
mod position;
mod record;
mod succession;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::EpisodeNotification;
use crate::alerting::episode::TrackedEpisode;
use crate::alerting::{Due, Receiver, ReceiverId, Router, Subject};
use crate::series::arrival::Silence;
use crate::series::histogram::Histogram;
use crate::series::totals::Totals;
use crate::time::Minute;
use crate::time::minute_set::MinuteSet;
pub use account::{Lateness, Tally};
use block::Block;
use counted::Counted;
pub use counting::{Present, Received};
pub use limits::RETENTION_MINUTES;
use position::Backfill;
pub use record::RecordError;
pub use succession::{Former, Succession, succeed};

/// Trouble is remembered for fourteen days, as long as anything is compared with them, and
/// at most this many stretches of it.
const INCIDENT_MINUTES: i64 = 14 * 24 * 60;
const MAX_INCIDENTS: usize = 200;
/// And at most this many timeouts that it had.
const MAX_TIMEOUTS: usize = 20;

/// What is remembered of one gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GatewayState {
    /// The first minute that is not assessed yet.
    #[serde(rename = "unassessed")]
    pub assess_watermark: Minute,
    /// The first minute that is not counted yet.
    #[serde(rename = "uncounted")]
    pub count_watermark: Minute,
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
    /// Episodes that go on, or of which somebody must still be notified.
    pub records: Vec<TrackedEpisode>,
    /// Stretches of trouble of the last fourteen days, oldest first: no examples
    /// of what is usual.
    #[serde(default)]
    incidents: VecDeque<(Minute, Minute)>,
    /// Since when it had which timeout, seconds, oldest first.
    #[serde(default)]
    timeouts: Vec<(Minute, f64)>,
    /// The end of what was read last. It is past `assess_watermark` while minutes that may
    /// be late are waited for: those need no reading of their own.
    #[serde(default)]
    read: Option<Minute>,
    /// The newest counted minutes, oldest first.
    #[serde(default)]
    remembered: VecDeque<Counted>,
    /// The counted minutes before those, some hours of them, oldest first.
    #[serde(default)]
    blocks: VecDeque<Block>,
    /// Minutes that were passed over because later ones had data: neither idle nor
    /// counted with requests yet.
    #[serde(default, skip_serializing_if = "MinuteSet::is_empty")]
    late: MinuteSet,
    /// Minutes that were counted as idle although there should have been requests.
    #[serde(default, skip_serializing_if = "MinuteSet::is_empty")]
    empty: MinuteSet,
    /// Since when the latencies of a steady traffic are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    silence: Option<Silence>,
    /// When minutes were last counted that were old by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    counted_late: Option<Minute>,
    /// Whether answers by their status codes are needed to say what is missing.
    #[serde(skip)]
    asks_for_answers: bool,
    /// How far `empty` is read again.
    #[serde(skip)]
    backfill: Backfill,
    /// Since when its gateway is not found any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gone: Option<Minute>,
    /// What its gateway was before it was deleted and created again, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    former: Vec<Former>,
}

/// What became of the minutes since a gateway was first seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minutes {
    /// Counted, with requests.
    pub settled: u64,
    /// Counted, and CloudWatch said that there was no request.
    pub idle: u64,
    /// Counted as idle, and CloudWatch had requests of them later.
    #[serde(default)]
    pub recovered: u64,
    /// Never read: CloudWatch no longer had them.
    pub lost: u64,
    /// Changed by CloudWatch after they were counted.
    pub revised: u64,
}

impl GatewayState {
    /// A gateway seen for the first time: assessing begins with `minute`, and
    /// counting with the minute after it, so that all counters are exported
    /// once as zero and no increase is hidden before the first scrape.
    #[must_use]
    pub fn starting(minute: Minute) -> Self {
        Self {
            assess_watermark: minute,
            count_watermark: minute.plus(1),
            totals: Totals::default(),
            histogram: None,
            minutes: Minutes::default(),
            newest_data: None,
            records: Vec::new(),
            incidents: VecDeque::new(),
            timeouts: Vec::new(),
            read: None,
            remembered: VecDeque::new(),
            blocks: VecDeque::new(),
            late: MinuteSet::default(),
            empty: MinuteSet::default(),
            silence: None,
            counted_late: None,
            asks_for_answers: false,
            backfill: Backfill::default(),
            gone: None,
            former: Vec::new(),
        }
    }

    /// Notes the timeout that it has at `now`, seconds.
    pub fn see_timeout(&mut self, now: Minute, seconds: f64) {
        if !self.has_timeout(seconds) {
            let since = if self.timeouts.is_empty() { Minute(0) } else { now };
            self.timeouts.push((since, seconds));
            let surplus = self.timeouts.len().saturating_sub(MAX_TIMEOUTS);
            self.timeouts.drain(..surplus);
        }
    }

    /// Whether this is the timeout that it was known to have last, seconds.
    #[must_use]
    pub fn has_timeout(&self, seconds: f64) -> bool {
        self.timeouts.last().is_some_and(|(_, last)| (last - seconds).abs() <= f64::EPSILON)
    }

    /// Since when it had which timeout, seconds, oldest first.
    #[must_use]
    pub fn timeouts(&self) -> &[(Minute, f64)] {
        &self.timeouts
    }

    /// Notes which of its episodes are not muted at the end of minute `now`, and forgets
    /// those of which nobody needs to be notified any more.
    pub fn update_audible(&mut self, router: &Router, now: Minute) {
        for record in self.records.iter_mut().filter(|r| r.episode.goes_on() && !r.audible) {
            record.audible = !router.mute.mutes(Subject::of(record), now);
        }
        self.records.retain(|record| router.due(record, now) != Due::Done);
    }

    /// Its notifications that are due and to whom, oldest first.
    #[must_use]
    pub fn due(&self, router: &Router, now: Minute) -> Vec<(Receiver, EpisodeNotification)> {
        let mut due = Vec::new();
        for record in &self.records {
            let Due::Notify(receivers) = router.due(record, now) else { continue };
            for (receiver, reason) in receivers {
                let mut notice =
                    EpisodeNotification::of(record, reason, self.assess_watermark.plus(-1));
                notice.notified = now;
                notice.reminders =
                    record.notified.get(&receiver.id).map_or(0, |notified| notified.reminders);
                notice.provisional = self.provisional() > 0;
                due.push((receiver, notice));
            }
        }
        due
    }

    /// Enters what a receiver took.
    pub fn notified(&mut self, notice: &EpisodeNotification, receiver: &ReceiverId, now: Minute) {
        let is_it = |record: &&mut TrackedEpisode| record.episode.id == notice.episode.id;
        if let Some(record) = self.records.iter_mut().find(is_it) {
            record.enter(receiver, notice.reason, &notice.episode, now);
        }
    }

    /// The episodes of which a receiver was first notified since this minute.
    #[must_use]
    pub fn notified_since(&self, receiver: &ReceiverId, since: Minute) -> usize {
        let is_new = |record: &&TrackedEpisode| {
            record
                .notified
                .get(receiver)
                .is_some_and(|notified| notified.first >= since && !notified.over)
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
        while self.incidents.len() > MAX_INCIDENTS
            || self.incidents.front().is_some_and(|first| first.1 < kept)
        {
            self.incidents.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
