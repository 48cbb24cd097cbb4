//! The analysis: what a minute of a gateway means, and whether to speak.
//!
//! Pure: no IO, no clock, no log, and nothing that can fail. Missing data is a
//! value. [`assess`] is the only door: everything before it fetches a
//! [`Snapshot`], everything after it acts on a [`Report`].

pub mod alert;
pub mod detector;
pub mod gateway;
pub mod ledger;
pub mod message;
pub mod quantity;
pub mod signal;

use std::sync::Arc;

use alert::{Episode, Reason, Record};
use detector::{Detectors, LONGEST_WINDOW, Rule, State, Verdict};
use gateway::Gateway;
use signal::{Minute, Reading, Snapshot};

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
    /// The rule that matters most in it.
    pub rule: Rule,
    /// The evidence, in words.
    pub why: String,
    /// The figure and the threshold of that rule, when it is breaching.
    pub figures: Option<(f64, f64)>,
}

/// Assesses one minute of one gateway: the detectors look at the window that
/// ends with it, and the episodes move on by it. `None` when the snapshot does
/// not reach that minute.
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
    let window = snapshot.window(minute, LONGEST_WINDOW);
    let mut newest = window.readings().iter().rev().take(SHOWN_MINUTES);
    let shown = *newest.find(|r| r.requests() > 0.0).unwrap_or(&reading);
    let verdicts = detectors.judge(gateway, &window);
    let records = alert::advance(records, &gateway.id, &reading, &verdicts, resolve_after);
    Some(Report { gateway: Arc::clone(gateway), reading, shown, verdicts, records })
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
        records.filter_map(|r| Some(self.notice(&r.episode, r.decide()?))).collect()
    }

    fn notice(&self, episode: &Episode, reason: Reason) -> Notice {
        let verdict = self.worst_verdict().filter(|_| reason != Reason::Resolved);
        let last_rule = episode.rules.keys().next_back().copied().unwrap_or(Rule::NearMiss);
        Notice {
            gateway: Arc::clone(&self.gateway),
            at: self.reading.minute,
            reason,
            episode: episode.clone(),
            rule: verdict.map_or(last_rule, |v| v.rule),
            why: verdict.map_or_else(|| message::summary(episode), |v| v.why.clone()),
            figures: verdict.and_then(|v| Some((v.value?, v.threshold))),
        }
    }

    fn worst_verdict(&self) -> Option<&Verdict> {
        let breaching = self.verdicts.iter().filter(|v| v.state == State::Breaching);
        breaching.max_by_key(|v| (v.severity, v.rule))
    }
}
