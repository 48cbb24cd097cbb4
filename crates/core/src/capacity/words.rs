//! Words that all forms of the report share.

use crate::capacity::Digest;
use crate::capacity::fleet::Sums;
use crate::capacity::row::{CapacityRow, Change, Direction, Expected};
use crate::capacity::week::Peak;
use crate::gateway::Identity;
use crate::number::quantity::{count, percent, rough_time, seconds};
use crate::time::Minute;

/// The most characters of a name; AWS's have 32.
const NAME: usize = 48;

/// A gateway's name on one line and of a length that fits; its dimension where it has none.
pub fn name(id: &Identity) -> String {
    cut(if id.name.trim().is_empty() { &id.dimension } else { &id.name })
}

/// Its Region and account.
pub fn place(id: &Identity) -> String {
    cut(format!("{} {}", id.region, id.account).trim())
}

/// One line of at most 48 characters.
pub fn cut(text: &str) -> String {
    shortened(text, NAME)
}

/// One line of at most this many characters, the last of them `…` when it was longer.
pub fn shortened(text: &str, length: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut letters = text.chars().map(clean);
    let mut kept: String = letters.by_ref().take(length).collect();
    if letters.next().is_some() {
        kept.pop();
        kept.push('…');
    }
    kept
}

/// See [`Digest::title`].
pub fn title(digest: &Digest) -> String {
    format!(
        "Capacity of {}, {} to {}",
        gateways(digest.fleet.gateways),
        digest.period.from.start(),
        digest.period.end.start()
    )
}

/// See [`Digest::headline`].
pub fn headline(digest: &Digest) -> String {
    let fleet = &digest.fleet;
    if fleet.measured == 0 {
        return format!(
            "No requests were seen in {}: of {}, {} had none and {} no data.",
            days(digest.days()),
            gateways(fleet.gateways),
            fleet.idle,
            fleet.unknown
        );
    }
    let Sums { requests, near_misses, timeouts } = fleet.sums;
    let near = match fleet.near_unknown {
        0 => count(near_misses),
        _ if near_misses <= 0.0 => "not known".to_owned(),
        _ => format!("at least {}", count(near_misses)),
    };
    format!(
        "{} of {} came close to the timeout in {}: requests {}, near misses {near}, 504s {}{}.",
        fleet.close,
        gateways(fleet.gateways),
        days(digest.days()),
        count(requests),
        count(timeouts),
        compared(digest),
    )
}

/// The counts of the days before, over the gateways of which both are known.
fn compared(digest: &Digest) -> String {
    let fleet = &digest.fleet;
    let before = before(digest.days());
    let (then, now) = fleet.compared_sums;
    if fleet.compared == 0 {
        format!("; {before} are not known")
    } else if fleet.compared == fleet.gateways {
        format!(
            " ({before}: requests {}, near misses {}, 504s {})",
            count(then.requests),
            count(then.near_misses),
            count(then.timeouts)
        )
    } else {
        let turned = |a: f64, b: f64| format!("from {} to {}", count(a), count(b));
        format!(
            " (against {before}, over the {} known in both: requests {}, near misses {}, 504s {})",
            gateways(fleet.compared),
            turned(then.requests, now.requests),
            turned(then.near_misses, now.near_misses),
            turned(then.timeouts, now.timeouts)
        )
    }
}

/// `7 days`.
pub fn days(days: u32) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
}

/// `the 7 days before`.
pub fn before(number: u32) -> String {
    format!("the {} before", days(number))
}

/// `1 gateway`, `2,000 gateways`.
pub fn gateways(number: usize) -> String {
    let unit = if number == 1 { "gateway" } else { "gateways" };
    format!("{} {unit}", whole(number))
}

/// A count of things in memory.
#[allow(clippy::cast_precision_loss)] // for people
pub fn whole(number: usize) -> String {
    count(number as f64)
}

/// US dollars: `$4.20`, `$0.047`.
pub fn dollars(value: f64) -> String {
    match value {
        v if v >= 1000.0 => format!("${}", count(v)),
        v if v >= 0.1 || v <= 0.0 => format!("${v:.2}"),
        v => format!("${v:.3}"),
    }
}

/// The p99 of a quarter-hour: `41.3 s`, `at least 60 s`.
pub fn p99(peak: Peak) -> String {
    let least = if peak.at_least { "at least " } else { "" };
    format!("{least}{}", seconds(peak.p99))
}

/// What a peak leaves of the timeout.
pub fn headroom(standing: &CapacityRow, peak: Option<Peak>) -> String {
    let usage = peak.map(|peak| (standing.share(peak), peak.at_least));
    match usage.filter(|(usage, _)| usage.is_finite()) {
        None => "not known".to_owned(),
        Some((usage, _)) if usage >= 1.0 => "none".to_owned(),
        Some((usage, true)) => format!("at most {}", percent(1.0 - usage)),
        Some((usage, false)) => percent(1.0 - usage),
    }
}

/// `up`, `down`, `about the same`.
pub fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "up",
        Direction::Down => "down",
        Direction::Same => "about the same",
        Direction::Unknown => "not known",
    }
}

/// A forecast: who reaches its timeout, and when.
pub fn expected(standing: &CapacityRow, expected: &Expected, end: Minute) -> String {
    let left = expected.left;
    let by = expected.rule.map_or("the growth of its daily peaks", |rule| rule.name());
    format!(
        "{} reaches its {} timeout in about {} ({} to {}), about {} (by {by})",
        standing.label,
        seconds(standing.limits.now),
        rough_time(left.mid),
        rough_time(left.low),
        rough_time(left.high),
        later(end, left.mid),
    )
}

/// The minute that is this many seconds after another.
#[allow(clippy::cast_possible_truncation)] // forecasts end after a year
pub fn later(end: Minute, seconds: f64) -> Minute {
    end.plus((seconds / 60.0).round() as i64)
}

/// An open episode.
pub fn episode(standing: &CapacityRow) -> String {
    let Some(episode) = &standing.episode else { return String::new() };
    let benign = if episode.benign { ", meant to be so" } else { "" };
    format!(
        "{}: {} since {} ({}{benign})",
        standing.label,
        episode.evidence.rule.headline(&standing.id.kind.spec().words),
        episode.began,
        episode.severity,
    )
}

/// A change of one gateway.
pub fn change(label: &str, change: &Change) -> String {
    match change {
        Change::Timeout(changed) => {
            let at = changed.at.map_or("at a time not known".to_owned(), |at| format!("at {at}"));
            let (from, to) = (seconds(changed.from), seconds(changed.to));
            format!("{label}: timeout from {from} to {to} {at}")
        }
        Change::Healthy(then, now) => {
            format!("{label}: healthy targets from {then:.1} to {now:.1} on average")
        }
        Change::New(at) => format!("{label}: new, first requests at {at}"),
        Change::Silent(at, true) => format!("{label}: silent, no requests since {at}"),
        Change::Silent(at, false) => {
            format!("{label}: silent, no requests known since {at}; data is missing")
        }
    }
}
