//! What a minute of a gateway means: the only way into the analysis.

use std::sync::Arc;

use crate::alerting::episode::{self, Episode, TrackedEpisode};
use crate::detect::outlook::History;
use crate::detect::{Case, Detectors, Evaluation, LONGEST_WINDOW, State};
use crate::diagnose::Diagnosis;
use crate::gateway::Gateway;
use crate::gateway::polling::PollRate;
use crate::poll_rate::poll_rate;
use crate::series::snapshot::{Snapshot, TargetGroup};
use crate::series::window::{Reading, Window};
use crate::time::Minute;

/// A minute without requests is shown only after this many of them.
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
    pub evaluations: Vec<Evaluation>,
    /// The gateway's episodes, this minute included.
    pub records: Vec<TrackedEpisode>,
    /// What its target groups were like, last time; empty while it is polled slowly.
    pub target_groups: Vec<TargetGroup>,
    /// Why its open episode began, as far as it was found out.
    pub diagnosis: Option<Arc<Diagnosis>>,
    /// At which rate it is to be polled from here on.
    pub rate: PollRate,
    /// Until when too little is known of its usual days for the rules that
    /// compare with them; `None` once enough is known.
    pub learning_until: Option<Minute>,
}

/// Assesses one minute of one gateway: the detectors look at the hour that ends with it and
/// at the quarter-hours before it, and the episodes move on by it. `None` when the snapshot
/// does not reach that minute.
/// [`GatewayState::receive`](crate::state::GatewayState::receive) says of which minutes
/// anything can be said yet.
///
/// The history is only read; it is `&mut` for the outlook that it keeps.
#[must_use]
pub fn assess(
    gateway: &Arc<Gateway>,
    detectors: &Detectors,
    resolve_after: u32,
    records: Vec<TrackedEpisode>,
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
    let evaluations = detectors.judge(Case { gateway, window, outlook });
    let records =
        episode::advance(records, gateway, window, &outlook.usual, &evaluations, resolve_after);
    let rate = poll_rate(gateway, &records, window, &outlook.usual);
    let learning_until = outlook.learning_until;
    let target_groups = snapshot.target_groups.clone();
    let gateway = Arc::clone(gateway);
    Some(Report {
        provisional: false,
        diagnosis: None,
        gateway,
        reading,
        shown,
        evaluations,
        records,
        target_groups,
        rate,
        learning_until,
    })
}

impl Report {
    /// The gateway's open episode.
    #[must_use]
    pub fn open_episode(&self) -> Option<&Episode> {
        self.records.last().map(|r| &r.episode).filter(|episode| episode.is_open())
    }

    /// The first and the last minute of the trouble that this minute belongs to: no example of
    /// what is usual, to be given to [`mark`](crate::series::history::QuarterHours::mark).
    /// `None` while no rule says that requests fail: near misses and forecasts notify once and
    /// then are usual, or a new nightly job would notify every night.
    #[must_use]
    pub fn incident(&self) -> Option<(Minute, Minute)> {
        let breaches = |v: &Evaluation| v.state == State::Breaching && v.rule.is_failure();
        let episode = self.open_episode().filter(|episode| !episode.benign)?;
        self.evaluations.iter().any(breaches).then_some(())?;
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
