//! What came late is assessed late: as it would have been in time.
//!
//! Minutes that CloudWatch reports only after later ones were assessed are judged again
//! with what is known now, from the first that changed to the last one assessed. What that
//! shows is added to the episodes and takes nothing back: it can raise one, lengthen it, or
//! be one of its own. No notification is taken back.

use std::sync::Arc;

use crate::alerting::episode::{Episode, MAX_EPISODES, TrackedEpisode};
use crate::detect::Detectors;
use crate::detect::outlook::History;
use crate::gateway::Gateway;
use crate::series::snapshot::Snapshot;
use crate::series::totals::Totals;
use crate::time::Minute;
use crate::{Report, assess};

/// How a gateway is assessed.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The detectors.
    pub detectors: &'a Detectors,
    /// Minutes that must be quiet before an episode ends.
    pub resolve_after: u32,
}

/// What late minutes showed.
#[derive(Debug, Clone, PartialEq)]
pub struct Amended {
    /// The gateway's episodes.
    pub records: Vec<TrackedEpisode>,
    /// Stretches of trouble, first and last minute: see [`Report::incident`].
    pub incidents: Vec<(Minute, Minute)>,
}

/// Assesses the minutes before `end` again, from the first of which something came
/// `late`; see [`GatewayState::receive`](crate::state::GatewayState::receive).
#[must_use]
pub fn assess_again(
    gateway: &Arc<Gateway>,
    rules: Rules<'_>,
    mut records: Vec<TrackedEpisode>,
    snapshot: &Snapshot,
    history: &mut History,
    late: &[(Minute, Totals)],
    end: Minute,
) -> Amended {
    for (minute, more) in late.iter().filter(|(minute, _)| *minute < end) {
        let covers = |record: &&mut TrackedEpisode| record.episode.covers(*minute);
        if let Some(record) = records.iter_mut().rev().find(covers) {
            record.episode.count_more(*more);
        }
    }
    let mut found: Vec<TrackedEpisode> = Vec::new();
    let mut incidents = Vec::new();
    let first = late.iter().map(|(minute, _)| *minute).min().unwrap_or(end);
    for minute in (first.0..end.min(snapshot.end()).0).map(Minute) {
        let Rules { detectors, resolve_after } = rules;
        let before = std::mem::take(&mut found);
        let report = assess(gateway, detectors, resolve_after, before, snapshot, history, minute);
        incidents.extend(report.as_ref().and_then(Report::incident));
        found = report.map_or_else(Vec::new, |report| report.records);
    }
    for record in found {
        amend(&mut records, record);
    }
    Amended { records, incidents }
}

/// Adds an episode that was found late to those that are known.
fn amend(records: &mut Vec<TrackedEpisode>, mut found: TrackedEpisode) {
    let overlaps = |known: &&mut TrackedEpisode| {
        found.episode.covers(known.episode.began) || known.episode.covers(found.episode.began)
    };
    if let Some(known) = records.iter_mut().rev().find(overlaps) {
        match known.episode.ended.filter(|over| found.episode.last_breach > *over) {
            None => return raise(known, &found.episode),
            // Everybody was notified that it was over, and it went on.
            Some(over) => found.episode.begin_after(over),
        }
    }
    let after = records.partition_point(|known| known.episode.began <= found.episode.began);
    records.insert(after, found);
    let excess = records.len().saturating_sub(MAX_EPISODES);
    records.drain(..excess);
}

/// Raises an episode to what was found late of it. Whoever was notified that it is over is
/// notified again if it was worse than that.
fn raise(known: &mut TrackedEpisode, found: &Episode) {
    let is_worse = found.severity > known.episode.severity;
    known.episode.raise(found);
    if is_worse && !known.episode.is_open() {
        known.notified.values_mut().for_each(|notified| notified.over = false);
    }
}
