//! The report for a chat, below its title: short plain lines, the most urgent first.

use crate::capacity::row::CapacityRow;
use crate::capacity::{Digest, page, words};
use crate::number::quantity::seconds;

/// The most characters; Slack takes 3,000 in a section.
const LENGTH: usize = 2_500;
/// Kept free for the last line.
const LAST: usize = 60;
/// Gateways with a line of their own.
const SHOWN: usize = 5;
/// Lines of any other part.
const LINES: usize = 3;

/// As many lines as fit, and how many do not.
pub fn lines(digest: &Digest) -> String {
    let lines = all(digest);
    let (mut kept, mut length) = (Vec::new(), 0);
    for line in &lines {
        length += line.chars().count() + 1;
        if length + LAST > LENGTH {
            break;
        }
        kept.push(line.clone());
    }
    let parts = [page::forecasts(digest).len(), page::episodes(digest).len(), digest.changes.len()];
    let unsaid: usize = parts.iter().map(|part| part.saturating_sub(LINES)).sum::<usize>()
        + digest.close.len().saturating_sub(SHOWN)
        + (lines.len() - kept.len());
    if unsaid > 0 {
        let lines = if unsaid == 1 { "line" } else { "lines" };
        kept.push(format!("{} more {lines} in the whole report.", words::whole(unsaid)));
    }
    kept.join("\n")
}

fn all(digest: &Digest) -> Vec<String> {
    let mut lines = vec![digest.headline()];
    lines.extend(digest.close.iter().take(SHOWN).map(gateway));
    lines.extend(page::steps(digest).into_iter().map(|step| format!("To do: {step}")));
    let some = |lines: Vec<String>| lines.into_iter().take(LINES);
    lines.extend(some(page::forecasts(digest)).map(|line| format!("Forecast: {line}")));
    lines.extend(some(page::episodes(digest)).map(|line| format!("Open: {line}")));
    let changes = digest.changes.iter().take(LINES);
    lines.extend(
        changes.map(|(label, change)| format!("Changed: {}", words::change(label, change))),
    );
    lines.extend(page::gaps(digest).into_iter().map(|line| format!("Not known: {line}")));
    lines.extend(page::cost(digest).into_iter().take(1).map(|line| format!("Cost: {line}")));
    lines
}

fn gateway(standing: &CapacityRow) -> String {
    let typical = standing.now.typical();
    let peak = typical.map_or("not known".to_owned(), words::p99);
    format!(
        "{}: headroom {} (usual peak {peak} of {}), trend {}",
        standing.label,
        words::headroom(standing, typical),
        seconds(standing.limits.now),
        words::direction(standing.direction),
    )
}
