//! What to do about a gateway: one line, the most useful first.

use crate::capacity::row::CapacityRow;
use crate::capacity::week::Peak;
use crate::capacity::words::{later, name};
use crate::detect::Rule;
use crate::number::quantity::seconds;
use crate::time::Minute;

/// A share of 504s that is worth work whatever the latency, as one in a thousand.
const MANY: f64 = 0.001;
/// 504s that are more than a stray one or two.
const SEVERAL: f64 = 3.0;
/// The factor above the mean quarter-hour from which on one is busy.
const BUSY: f64 = 1.5;
/// What is expected within a day is for now, seconds.
const SOON: f64 = 86_400.0;
/// The share of the timeout above which a usual day comes close.
const CLOSE: f64 = 0.5;

/// What to do about it, without its name.
pub fn of(standing: &CapacityRow, end: Minute) -> String {
    let timeout = seconds(standing.limits.now);
    let diagnose = if standing.id.kind.has_causes() {
        format!("`nearmiss diagnose {}`", name(&standing.id))
    } else {
        standing.id.kind.spec().words.find_slow.trim_end_matches(" above").to_owned()
    };
    let usage = standing.usage().unwrap_or(0.0);
    let week = &standing.now;
    let slow = week.timeouts - week.unreachable;
    let fails = slow >= SEVERAL && slow > MANY * week.requests;
    if week.unreachable >= SEVERAL && week.unreachable >= week.timeouts / 2.0 {
        return format!(
            "most of its 504s are connections that failed, not slow answers; check its targets, security groups and network ACLs ({diagnose})"
        );
    }
    if usage >= 1.0 {
        return format!(
            "a usual day reaches the {timeout} timeout; find what takes so long ({diagnose}), then remove that work or add targets before the next peak"
        );
    }
    if let Some(expected) = standing.expected {
        let when = match expected.left.low {
            soon if soon < SOON => "now".to_owned(),
            low => format!("before {}", later(end, low)),
        };
        return if expected.rule == Some(Rule::RecurringJob) {
            format!("a job of one time of day grows; split it or make it asynchronous {when}")
        } else {
            format!("act {when}: shorten the slowest work ({diagnose}) or add targets")
        };
    }
    match week.typical() {
        Some(peak) if usage > CLOSE => on_usual_days(standing, peak, &diagnose),
        _ if fails => format!("requests end in 504 though few are slow; see which ({diagnose})"),
        _ => match week.highest() {
            Some(peak) if standing.share(peak) <= CLOSE && week.near_of_another => {
                format!("only its earlier timeout was close; the present {timeout} suffices")
            }
            Some(peak) => format!(
                "one stretch only, at {}; see what happened then, usual days need nothing",
                peak.at.start()
            ),
            None => "nothing to do now".to_owned(),
        },
    }
}

/// Whether its slowest quarter-hour is one of load, or of slow work.
fn on_usual_days(standing: &CapacityRow, peak: Peak, diagnose: &str) -> String {
    let at = peak.at.start().utc().format("%H:%M UTC");
    let mean = standing.now.requests / f64::from(standing.now.measured.max(1));
    let factor = peak.requests / mean;
    if factor >= BUSY {
        format!(
            "its slowest quarter of an hour (about {at}) has {factor:.1} times its mean traffic; add targets before that hour, or shorten the slowest work ({diagnose})"
        )
    } else {
        format!(
            "it is slow at about {at} without more traffic than usual; look for a job or a slow query of that hour ({diagnose})"
        )
    }
}
