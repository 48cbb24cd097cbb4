//! The analysis: what a minute of a gateway means, and whether to speak.
//!
//! Pure: no IO, no clock, no log, and nothing that can fail. Missing data is a
//! value. [`assess`] is the only door: everything before it fetches a
//! [`Snapshot`], everything after it acts on a [`Report`].

pub mod alert;
pub mod answer;
pub mod arrival;
pub mod baseline;
pub mod capacity;
pub mod chain;
pub mod detector;
pub mod diagnosis;
pub mod forecast;
pub mod gateway;
pub mod histogram;
pub mod history;
pub mod late;
pub mod ledger;
pub mod message;
pub mod minute_set;
pub mod notify;
pub mod outlook;
pub mod pattern;
pub mod quantity;
pub mod recurrence;
pub mod signal;
pub mod statistics;
pub mod suggestion;
pub mod tier;
pub mod window;

use std::sync::Arc;

use alert::{Episode, Reason, Record};
use detector::{Case, Detectors, LONGEST_WINDOW, Rule, State, Verdict};
use diagnosis::Diagnosis;
use gateway::Gateway;
use history::History;
use signal::{Minute, Snapshot, TargetGroup};
use tier::Tier;
use window::{Reading, Window};

/// A minute without requests is shown only after so many of them.
const SHOWN_MINUTES: usize = 3;

/// Everything there is to know about one gateway at the end of one minute.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Which gateway.
    pub gateway: Arc<Gateway>,
    /// What the minute was like.
    pub reading: Reading,
    /// Whether CloudWatch may still add to it.
    pub provisional: bool,
    /// The newest minute with requests, of the last three: what to show. The
    /// very newest one may still be on its way to CloudWatch.
    pub shown: Reading,
    /// What each detector says of the window that ends with it.
    pub verdicts: Vec<Verdict>,
    /// The gateway's episodes, this minute included.
    pub records: Vec<Record>,
    /// What its target groups were like, last time; empty while it is calm.
    pub target_groups: Vec<TargetGroup>,
    /// Why its open episode began, as far as it was found out.
    pub diagnosis: Option<Arc<Diagnosis>>,
    /// How closely it is to be watched from here on.
    pub tier: Tier,
    /// Until when too little is known of its usual days for the rules that
    /// compare with them; `None` once enough is known.
    pub learning_until: Option<Minute>,
}

/// One thing to tell people.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Which gateway.
    pub gateway: Arc<Gateway>,
    /// The newest minute that was assessed: what is said is as of then.
    pub at: Minute,
    /// The minute in which it is told.
    pub told: Minute,
    /// Whether CloudWatch may still add to the minutes that it was seen in.
    pub provisional: bool,
    /// Why it is told.
    pub reason: Reason,
    /// What it is about.
    pub episode: Episode,
    /// How many times its receiver was reminded of it before.
    pub reminders: u32,
    /// Why it happened, as far as it was found out.
    pub diagnosis: Option<Arc<Diagnosis>>,
}

/// Assesses one minute of one gateway: the detectors look at the hour that ends
/// with it and at the quarters before it, and the episodes move on by it. `None`
/// when the snapshot does not reach that minute. Of which minutes anything can be
/// said yet, [`Ledger::receive`](ledger::Ledger::receive) tells.
///
/// The history is only read; it is `&mut` for the outlook that it keeps.
#[must_use]
pub fn assess(
    gateway: &Arc<Gateway>,
    detectors: &Detectors,
    resolve_after: u32,
    records: Vec<Record>,
    snapshot: &Snapshot,
    history: &mut History,
    minute: Minute,
) -> Option<Report> {
    let readings = snapshot.readings(minute, LONGEST_WINDOW);
    let window = Window::over(&readings);
    let reading = *readings.last().filter(|reading| reading.minute == minute)?;
    let mut newest = readings.iter().rev().take(SHOWN_MINUTES);
    let shown = *newest.find(|r| r.requests() > 0.0).unwrap_or(&reading);
    let outlook = history.outlook(gateway, &detectors.drift, minute);
    let verdicts = detectors.judge(Case { gateway, window, outlook });
    let records =
        alert::advance(records, gateway, window, &outlook.usual, &verdicts, resolve_after);
    let tier = Tier::of(gateway, &records, window, &outlook.usual);
    let learning_until = outlook.learning_until;
    let target_groups = snapshot.target_groups.clone();
    let gateway = Arc::clone(gateway);
    Some(Report {
        provisional: false,
        diagnosis: None,
        gateway,
        reading,
        shown,
        verdicts,
        records,
        target_groups,
        tier,
        learning_until,
    })
}

impl Report {
    /// The gateway's open episode.
    #[must_use]
    pub fn open_episode(&self) -> Option<&Episode> {
        self.records.last().map(|r| &r.episode).filter(|episode| episode.is_open())
    }

    /// The first and the last minute of the trouble that this minute belongs to:
    /// no example of what is usual, to be given to [`History::mark`]. `None` while
    /// no rule says that requests fail: near misses and forecasts are told once
    /// and then known, or a new nightly job would be told every night.
    #[must_use]
    pub fn incident(&self) -> Option<(Minute, Minute)> {
        let breaches = |v: &Verdict| v.state == State::Breaching && v.rule.is_failure();
        let episode = self.open_episode().filter(|episode| !episode.benign)?;
        self.verdicts.iter().any(breaches).then_some(())?;
        Some((episode.came(), self.reading.minute))
    }

    /// `1 - p99 / T`: how much of the timeout the slowest percent of the
    /// requests leaves. Zero or below means that the p99 is at the timeout or
    /// past it. `None` when nothing was measured.
    #[must_use]
    pub fn headroom(&self) -> Option<f64> {
        let timeout = self.gateway.timeout.seconds;
        self.shown.effective_p99(timeout).map(|p99| 1.0 - p99 / timeout)
    }
}

impl Notice {
    /// What is to be told of a record, at the end of this minute.
    #[must_use]
    pub fn of(record: &Record, reason: Reason, at: Minute) -> Self {
        Self {
            gateway: Arc::new(record.gateway.clone()),
            at,
            told: at,
            provisional: false,
            reason,
            episode: record.episode.clone(),
            reminders: record.told.values().map(|told| told.reminders).max().unwrap_or(0),
            diagnosis: None,
        }
    }

    /// The same for the same news, whoever computes it, so that a receiver can
    /// recognise a second copy.
    #[must_use]
    pub fn id(&self) -> String {
        let Self { episode, reason, reminders, .. } = self;
        let worse = episode.returns.map_or(0, |returns| returns.worse);
        match reason {
            Reason::Reminder => format!("{}/reminder/{}", episode.id, reminders + 1),
            Reason::Escalated if worse > 0 => {
                format!("{}/escalated/{}/{worse}", episode.id, episode.severity)
            }
            _ => format!("{}/{}/{}", episode.id, reason.name(), episode.severity),
        }
    }

    /// The rule that matters most in it.
    #[must_use]
    pub fn rule(&self) -> Rule {
        self.episode.evidence.rule
    }

    /// The evidence, or at the end the whole episode, in words.
    #[must_use]
    pub fn why(&self) -> String {
        match self.reason {
            Reason::Firing | Reason::Escalated | Reason::Reminder => {
                self.episode.evidence.why.clone()
            }
            Reason::Resolved => message::summary(&self.episode),
        }
    }
}
