//! The analysis: what a minute of a gateway means, and whether to speak.
//!
//! Pure: no IO, no clock, no log, and nothing that can fail. Missing data is a
//! value. [`assess`] is the only door: everything before it fetches a
//! [`Snapshot`], everything after it acts on a [`Report`].

pub mod alert;
pub mod detector;
pub mod gateway;
pub mod histogram;
pub mod ledger;
pub mod message;
pub mod quantity;
pub mod signal;
pub mod tier;

use std::sync::Arc;

use alert::{Episode, Reason, Record};
use detector::{Detectors, LONGEST_WINDOW, Rule, Verdict};
use gateway::Gateway;
use signal::{Minute, Reading, Snapshot, TargetGroup};
use tier::Tier;

/// A minute without requests is shown only after so many of them.
const SHOWN_MINUTES: usize = 3;

/// Everything there is to know about one gateway at the end of one minute.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Which gateway.
    pub gateway: Arc<Gateway>,
    /// What the minute was like.
    pub reading: Reading,
    /// The newest minute with requests, of the last three: what to show. The
    /// very newest one may still be on its way to CloudWatch.
    pub shown: Reading,
    /// What each detector says of the window that ends with it.
    pub verdicts: Vec<Verdict>,
    /// The gateway's episodes, this minute included.
    pub records: Vec<Record>,
    /// What its target groups were like, last time; empty while it is calm.
    pub target_groups: Vec<TargetGroup>,
    /// How closely it is to be watched from here on.
    pub tier: Tier,
}

/// One thing to tell people.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Which gateway.
    pub gateway: Arc<Gateway>,
    /// The minute that gave rise to it.
    pub at: Minute,
    /// Why it is told.
    pub reason: Reason,
    /// What it is about.
    pub episode: Episode,
}

/// Assesses one minute of one gateway: the detectors look at the window that
/// ends with it, and the episodes move on by it. `None` when the snapshot does
/// not reach that minute, or when the minute may yet get data: after traffic, that
/// is; a window without any is judged as it is.
#[must_use]
pub fn assess(
    gateway: &Arc<Gateway>,
    detectors: &Detectors,
    resolve_after: u32,
    records: Vec<Record>,
    snapshot: &Snapshot,
    minute: Minute,
) -> Option<Report> {
    let reading = snapshot.reading(minute)?;
    if snapshot.last_active().is_some() && snapshot.may_be_late(minute, snapshot.end()) {
        return None;
    }
    let window = snapshot.window(minute, LONGEST_WINDOW);
    let mut newest = window.readings().iter().rev().take(SHOWN_MINUTES);
    let shown = *newest.find(|r| r.requests() > 0.0).unwrap_or(&reading);
    let verdicts = detectors.judge(gateway, &window);
    let records = alert::advance(records, &gateway.id, &window, &verdicts, resolve_after);
    let tier = Tier::of(gateway, &records, &window);
    let target_groups = snapshot.target_groups.clone();
    let gateway = Arc::clone(gateway);
    Some(Report { gateway, reading, shown, verdicts, records, target_groups, tier })
}

impl Report {
    /// The gateway's open episode.
    #[must_use]
    pub fn open_episode(&self) -> Option<&Episode> {
        self.records.last().map(|r| &r.episode).filter(|episode| episode.is_open())
    }

    /// `1 - p99 / T`: how much of the timeout the slowest percent of the
    /// requests leaves. Zero or below means that the p99 is at the timeout or
    /// past it. `None` when nothing was measured.
    #[must_use]
    pub fn headroom(&self) -> Option<f64> {
        let timeout = self.gateway.timeout.seconds;
        self.shown.effective_p99(timeout).map(|p99| 1.0 - p99 / timeout)
    }

    /// What must be told, oldest first.
    #[must_use]
    pub fn notices(&self) -> Vec<Notice> {
        let records = self.records.iter();
        let notice = |record: &Record| {
            Some(Notice {
                gateway: Arc::clone(&self.gateway),
                at: self.reading.minute,
                reason: record.decide()?,
                episode: record.episode.clone(),
            })
        };
        records.filter_map(notice).collect()
    }
}

impl Notice {
    /// The rule that matters most in it.
    #[must_use]
    pub fn rule(&self) -> Rule {
        self.episode.evidence.rule
    }

    /// The evidence, or at the end the whole episode, in words.
    #[must_use]
    pub fn why(&self) -> String {
        match self.reason {
            Reason::Firing | Reason::Escalated => self.episode.evidence.why.clone(),
            Reason::Resolved => message::summary(&self.episode),
        }
    }
}
