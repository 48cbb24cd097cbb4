//! The report for people: what is in it, in which order. The most urgent comes
//! first, and every list is bounded.

use crate::capacity::row::{CapacityRow, Trouble};
use crate::capacity::week::Week;
use crate::capacity::write::Block;
use crate::capacity::{Bill, Digest, advice, words};
use crate::number::quantity::{count, percent, seconds};
use crate::number::ratio;

/// Gateways in the table.
const SHOWN: usize = 20;
/// Lines of any other list.
const LINES: usize = 10;
/// Gateways for which the report says what to do.
pub const ADVISED: usize = 3;
/// What a CloudWatch alarm costs in a month of thirty days, US dollars.
const ALARM: f64 = 0.10;
/// What a star means.
const FEW: &str = "* Fewer than 100 requests: about the slowest answer, not a percentile.";
/// What a plus means.
const OF_ANOTHER: &str = "+ Some were counted for the timeout of their time, not the present one.";

/// The whole report.
pub fn blocks(digest: &Digest) -> Vec<Block> {
    let mut blocks = vec![Block::Title(digest.title()), Block::Line(digest.headline())];
    blocks.extend(busiest(digest).map(Block::Line));
    blocks.extend(trouble(digest).map(Block::Line));
    blocks.extend(ranking(digest));
    blocks.extend(listed("What to do", Block::Steps, steps(digest)));
    blocks.extend(listed("Forecasts", Block::List, bounded(forecasts(digest))));
    blocks.extend(listed("Open episodes", Block::List, bounded(episodes(digest))));
    let changes = digest.changes.iter().map(|(label, change)| words::change(label, change));
    blocks.extend(listed("What changed", Block::List, bounded(changes.collect())));
    blocks.extend(listed("What is not known", Block::List, gaps(digest)));
    blocks.extend(listed("What nearmiss cost", Block::List, cost(digest)));
    blocks.push(Block::Line(format!("nearmiss on {}, at {}", digest.host, digest.end)));
    blocks
}

/// The busiest hour of all gateways, and how close it came.
pub fn busiest(digest: &Digest) -> Option<String> {
    let busiest = digest.fleet.busiest.as_ref()?;
    let closest = match &busiest.closest {
        Some((label, peak, share)) => {
            format!(
                "{label} came closest in it, with a p99 of {} ({} of its timeout)",
                words::p99(*peak),
                percent(*share)
            )
        }
        None => "no latency is known of it".to_owned(),
    };
    let requests = count(busiest.requests);
    Some(format!(
        "The busiest hour began at {}: {requests} requests; {closest}.",
        busiest.at.start()
    ))
}

/// How long requests failed.
fn trouble(digest: &Digest) -> Option<String> {
    let Trouble { stretches, minutes } = digest.fleet.trouble;
    let unit = if stretches == 1 { "stretch" } else { "stretches" };
    #[allow(clippy::cast_precision_loss)] // for people
    let minutes = count(minutes as f64);
    let stretches = count(f64::from(stretches));
    (minutes != "0")
        .then(|| format!("Requests failed in {stretches} {unit} of {minutes} min in all."))
}

/// What to do about the first three gateways.
pub fn steps(digest: &Digest) -> Vec<String> {
    let line = |s: &CapacityRow| format!("{}: {}.", s.label, advice::of(s, digest.end));
    let steps: Vec<String> = digest.close.iter().take(ADVISED).map(line).collect();
    if steps.is_empty() && digest.fleet.measured > 0 {
        return vec!["Nothing: no gateway came close to its timeout.".to_owned()];
    }
    steps
}

/// Who reaches the timeout when, the soonest first.
pub fn forecasts(digest: &Digest) -> Vec<String> {
    let line = |s: &CapacityRow| Some(words::expected(s, &s.expected?, digest.end));
    digest.expected.iter().filter_map(line).collect()
}

/// The open episodes, the worst first.
pub fn episodes(digest: &Digest) -> Vec<String> {
    digest.open.iter().map(words::episode).collect()
}

/// What is not known, in a few lines.
pub fn gaps(digest: &Digest) -> Vec<String> {
    let mut lines = Vec::new();
    let missing = &digest.without_data;
    if !missing.is_empty() {
        let names = some(missing.iter().cloned());
        lines.push(format!("{} without data: {names}", words::gateways(missing.len())));
    }
    let all = digest.days();
    let days = |known: &f64| format!("{} of {}", rounded(*known), words::days(all));
    let partly = digest.partly.iter().map(|(label, known)| format!("{label} ({})", days(known)));
    if !digest.partly.is_empty() {
        lines.push(format!("Only a part is known, and counted, of {}", some(partly)));
    }
    if digest.fleet.near_unknown > 0 {
        let gateways = words::gateways(digest.fleet.near_unknown);
        lines.push(format!("Near misses were not counted all the time for {gateways}"));
    }
    lines
}

/// The daemon's own bill, beside what it could be compared with.
pub fn cost(digest: &Digest) -> Vec<String> {
    let Some(Bill { billed_metrics, dollars }) = digest.bill else { return Vec::new() };
    let (gateways, days) = (digest.fleet.gateways, digest.days());
    let each = each(dollars, gateways).map(|d| format!(" ({} a gateway)", words::dollars(d)));
    #[allow(clippy::cast_precision_loss)] // for people
    let metrics = count(billed_metrics as f64);
    vec![
        format!(
            "{metrics} metrics asked of CloudWatch in {}: {}{}",
            words::days(days),
            words::dollars(dollars),
            each.unwrap_or_default(),
        ),
        format!(
            "Two CloudWatch alarms for each gateway cost {} in the same time ({} a gateway)",
            words::dollars(alarms(gateways, days)),
            words::dollars(alarms(1, days))
        ),
    ]
}

/// What two alarms for each of these gateways cost in this many days, US dollars.
#[allow(clippy::cast_precision_loss)] // for people
pub fn alarms(gateways: usize, days: u32) -> f64 {
    2.0 * ALARM * gateways as f64 * f64::from(days) / 30.0
}

/// The part of one of this many gateways.
#[allow(clippy::cast_precision_loss)] // for people
pub fn each(dollars: f64, gateways: usize) -> Option<f64> {
    ratio(dollars, gateways as f64)
}

/// Those with the least headroom, and how many are comfortable.
fn ranking(digest: &Digest) -> Vec<Block> {
    let fleet = &digest.fleet;
    let mut blocks = Vec::new();
    let shown: Vec<&CapacityRow> = digest.close.iter().take(SHOWN).collect();
    if !shown.is_empty() {
        let head = [
            "gateway",
            "timeout",
            "usual peak",
            "headroom",
            "before",
            "trend",
            "highest",
            "near misses",
            "504s",
        ];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(shown.iter().map(|standing| row(standing)));
        blocks.extend([Block::Heading("Least headroom"), Block::Table(rows)]);
    }
    let more = digest.close.len() - shown.len();
    let more =
        if more > 0 { format!("{} more came close. ", words::whole(more)) } else { String::new() };
    if fleet.measured > 0 {
        let (comfortable, idle) = (fleet.comfortable(), words::whole(fleet.idle));
        blocks.push(Block::Line(format!(
            "{more}Comfortable: {}. Without requests: {idle}.",
            words::gateways(comfortable)
        )));
    }
    let few = |s: &&CapacityRow| s.now.typical().is_some_and(|peak| peak.is_of_few());
    let notes =
        [(shown.iter().any(few), FEW), (shown.iter().any(|s| s.now.near_of_another), OF_ANOTHER)];
    let notes = notes.into_iter().filter(|(is_needed, _)| *is_needed);
    blocks.extend(notes.map(|(_, note)| Block::Line(note.to_owned())));
    blocks
}

fn row(standing: &CapacityRow) -> Vec<String> {
    let week = &standing.now;
    let typical = week.typical();
    let star = |text: String| {
        if typical.is_some_and(|peak| peak.is_of_few()) { format!("{text}*") } else { text }
    };
    vec![
        standing.label.clone(),
        seconds(standing.limits.now),
        star(typical.map_or("not known".to_owned(), words::p99)),
        words::headroom(standing, typical),
        words::headroom(standing, standing.before.typical()),
        words::direction(standing.direction).to_owned(),
        week.highest().map_or("not known".to_owned(), words::p99),
        near_misses(week),
        timeouts(week),
    ]
}

fn near_misses(week: &Week) -> String {
    match week.near_misses() {
        None => "not known".to_owned(),
        Some(near) => {
            let least = if week.near_unknown > 0 { "at least " } else { "" };
            let mark = if week.near_of_another { "+" } else { "" };
            format!("{least}{}{mark}", count(near))
        }
    }
}

fn timeouts(week: &Week) -> String {
    match ratio(week.timeouts, week.requests) {
        Some(share) if share > 0.0 => format!("{} ({})", count(week.timeouts), percent(share)),
        _ => count(week.timeouts),
    }
}

fn listed(
    heading: &'static str,
    block: fn(Vec<String>) -> Block,
    lines: Vec<String>,
) -> Vec<Block> {
    if lines.is_empty() { Vec::new() } else { vec![Block::Heading(heading), block(lines)] }
}

/// The first ten lines, and how many more there are.
fn bounded(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    if more > 0 {
        lines.push(format!("and {} more", words::whole(more)));
    }
    lines
}

/// The first ten names, and how many more there are.
fn some(names: impl Iterator<Item = String>) -> String {
    bounded(names.collect()).join(", ")
}

/// Days to a tenth.
fn rounded(days: f64) -> String {
    format!("{days:.1}").trim_end_matches(".0").to_owned()
}
