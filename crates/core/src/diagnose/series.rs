//! Rows of figures: of the whole gateway, and the few sums and levels that the checks
//! need of them.
//!
//! CloudWatch has some metrics for the load balancer only and others for target groups
//! only; here they become one row for each measure, over the target groups that are in
//! use. A group that gets no requests cannot be why requests fail.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::number::statistics::median;

use crate::diagnose::evidence::{Evidence, Scope, TargetGroup};
use crate::gateway::evidence::Measure;

/// Figures by minute; `None` is a minute without one.
pub type Row = Vec<Option<f64>>;

/// No count of a minute and no latency is larger; keeps sums finite.
const MOST: f64 = 1e12;
/// A target group without a request for this many minutes is not in use.
const IN_USE_MINUTES: usize = 60;

/// What AWS counts for target groups only.
const OF_GROUPS: [Measure; 6] = [
    Measure::Healthy,
    Measure::Unhealthy,
    Measure::Anomalous,
    Measure::FailOpen,
    Measure::LambdaUserErrors,
    Measure::LambdaInternalErrors,
];
const LATENCIES: [Measure; 4] = [Measure::P50, Measure::P90, Measure::P99, Measure::Maximum];
const COUNTERS: [Measure; 12] = [
    Measure::Requests,
    Measure::Samples,
    Measure::Sum,
    Measure::NearMisses,
    Measure::Elb504,
    Measure::Elb502,
    Measure::Elb503,
    Measure::Elb4xx,
    Measure::Target5xx,
    Measure::ConnectionErrors,
    Measure::TlsErrors,
    Measure::Rejected,
];

/// A count as a number to calculate with.
#[must_use]
pub fn real(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

/// The rows of the whole gateway, of what was asked for.
#[must_use]
pub fn rows(evidence: &Evidence) -> BTreeMap<Measure, Row> {
    let mut rows = BTreeMap::new();
    for measure in COUNTERS {
        let row = whole(evidence, measure).or_else(|| of_groups(evidence, measure));
        rows.extend(row.map(|row| (measure, row)));
    }
    for measure in OF_GROUPS {
        let row = of_groups(evidence, measure).or_else(|| whole(evidence, measure));
        rows.extend(row.map(|row| (measure, row)));
    }
    for measure in LATENCIES {
        let row = whole(evidence, measure).or_else(|| of_one_group(evidence, measure));
        rows.extend(row.map(|row| (measure, row)));
    }
    rows
}

fn bounded(row: &[Option<f64>]) -> Row {
    row.iter().map(|cell| cell.map(|value| value.min(MOST))).collect()
}

fn whole(evidence: &Evidence, measure: Measure) -> Option<Row> {
    evidence.figures.row(&Scope::All, measure).map(bounded)
}

/// The sum over the target groups that are in use; a minute without a figure of any of
/// them has none.
fn of_groups(evidence: &Evidence, measure: Measure) -> Option<Row> {
    let mut sum: Option<Row> = None;
    for row in group_rows(evidence, measure) {
        let sum = sum.get_or_insert_with(|| vec![None; row.len()]);
        for (total, cell) in sum.iter_mut().zip(row) {
            *total = match (*total, cell) {
                (Some(total), Some(value)) => Some((total + value).min(MOST)),
                (total, value) => total.or(value),
            };
        }
    }
    sum
}

fn of_one_group(evidence: &Evidence, measure: Measure) -> Option<Row> {
    let mut rows = group_rows(evidence, measure);
    rows.next().filter(|_| rows.next().is_none())
}

fn group_rows(evidence: &Evidence, measure: Measure) -> impl Iterator<Item = Row> {
    let names = evidence.figures.scopes().filter(|scope| match scope {
        Scope::TargetGroup(name) => is_in_use(evidence, name),
        _ => false,
    });
    names.filter_map(move |scope| evidence.figures.row(scope, measure).map(bounded))
}

/// Whether requests may go to a target group: a rule forwards to it, as far as known,
/// and it had some, unless no group had.
#[must_use]
pub fn is_in_use(evidence: &Evidence, name: &str) -> bool {
    let groups = evidence.target_groups.as_deref().unwrap_or_default();
    let receives = groups.iter().find(|group| group.name == name).and_then(|group| group.receives);
    receives != Some(false) && had_requests(evidence, name)
}

fn had_requests(evidence: &Evidence, name: &str) -> bool {
    let recent = |scope: &Scope| {
        let row = evidence.figures.row(scope, Measure::Requests)?;
        Some(row.iter().rev().take(IN_USE_MINUTES).flatten().any(|count| *count > 0.0))
    };
    let own = recent(&Scope::TargetGroup(name.to_owned())).unwrap_or(true);
    own || recent(&Scope::All) == Some(false)
}

/// How many target groups have figures of their own.
#[must_use]
pub fn groups_with_figures(evidence: &Evidence) -> usize {
    let scopes = evidence.figures.scopes();
    scopes.filter(|scope| matches!(scope, Scope::TargetGroup(_))).count()
}

/// Whether sums over target groups are sums over all of them.
#[must_use]
pub fn has_all_groups(evidence: &Evidence) -> bool {
    let groups = evidence.target_groups.as_deref().unwrap_or_default();
    evidence.left_out == 0 && groups_with_figures(evidence) >= groups.len()
}

/// The target groups that are in use; none where they could not be read.
pub fn groups_in_use(evidence: &Evidence) -> impl Iterator<Item = &TargetGroup> {
    let groups = evidence.target_groups.as_deref().unwrap_or_default();
    groups.iter().filter(|group| is_in_use(evidence, &group.name))
}

/// The cells of these minutes, as far as there are any.
#[must_use]
pub fn slice<'a>(row: &'a [Option<f64>], range: &Range<usize>) -> &'a [Option<f64>] {
    let end = range.end.min(row.len());
    row.get(range.start.min(end)..end).unwrap_or_default()
}

/// The sum of what is there.
#[must_use]
pub fn sum(row: &[Option<f64>]) -> f64 {
    row.iter().flatten().sum()
}

/// The median of what is there.
#[must_use]
pub fn middle(row: &[Option<f64>]) -> Option<f64> {
    median(&mut row.iter().flatten().copied().collect::<Vec<_>>())
}

/// The lower quartile of what is there.
#[must_use]
pub fn quartile(row: &[Option<f64>]) -> Option<f64> {
    let mut values: Vec<f64> = row.iter().flatten().copied().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 4).copied()
}

/// The largest of what is there.
#[must_use]
pub fn largest(row: &[Option<f64>]) -> Option<f64> {
    row.iter().flatten().copied().max_by(f64::total_cmp)
}

/// The highest median of this many minutes in a row: what a level came to, without what
/// single minutes say.
#[must_use]
pub fn peak(row: &[Option<f64>], minutes: usize) -> Option<f64> {
    if row.len() <= minutes {
        return middle(row);
    }
    let levels = row.windows(minutes).filter_map(middle);
    levels.max_by(f64::total_cmp)
}

/// The highest mean of this many minutes in a row; an absent minute is a zero.
#[must_use]
pub fn peak_mean(row: &[Option<f64>], minutes: usize) -> Option<f64> {
    let mean = |part: &[Option<f64>]| sum(part) / real(part.len().max(1));
    match row.len() {
        0 => None,
        length if length <= minutes => Some(mean(row)),
        _ => row.windows(minutes).map(mean).max_by(f64::total_cmp),
    }
}
