//! Requests end in 504, more than is usual: the gateway is at its limit.
//!
//! A 504 at normal traffic says that the capacity, not the load, has changed; so
//! the verdict always says how the traffic compares. A lone 504 is the
//! background of any large service and stays silent. Where bursts of 504s come on
//! most days it is one lasting condition, and not one more alert each day.

use serde::{Deserialize, Serialize};

use super::words::{of_requests, traffic_words, usual_count};
use super::{Case, Rule, Severity, Verdict};
use crate::analysis::history::{DAY, Quarter};
use crate::analysis::quantity::{count, percent, seconds};
use crate::analysis::statistics::beyond_chance;
use crate::analysis::window::Window;

/// Fires when at least six requests, and more than is usual, ended in 504 within
/// half an hour, or within five minutes three and more than one in a thousand; and
/// as long as bursts of 504s come on most days. Critical when within five minutes
/// at least ten requests, and one in a hundred, ended in 504.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AtLimit {
    /// Whether it is used.
    pub enabled: bool,
}

impl Default for AtLimit {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// Fewer 504s than this are lone ones.
const FEWEST: f64 = 3.0;
/// 504s within half an hour beyond what chance explains.
const MARGIN: f64 = 2.0;
/// The share of the requests that a burst within five minutes must pass.
const SHARE: f64 = 0.001;
/// From this share and so many on a burst hurts users now.
const CRITICAL_SHARE: f64 = 0.01;
const CRITICAL_COUNT: f64 = 10.0;
/// On so many of the last seven days there must have been a burst to call it lasting.
const LASTING_DAYS: u32 = 3;
/// A lasting condition is over when no burst came for so long, quarters: 36 hours.
const LASTING: i64 = DAY + DAY / 2;

impl AtLimit {
    /// The verdict on the last 5 and 30 minutes, and on the last seven days.
    #[must_use]
    pub fn judge(&self, case: Case<'_>) -> Verdict {
        let usual = &case.outlook.usual;
        let (burst, half_hour) = (case.window.newest(5), case.window.newest(30));
        let in_half_hour =
            (beyond_chance(2.0 * usual.mean_timeouts) + MARGIN).max(usual.most_timeouts_in_three);
        let value = (half_hour.requests() > 0.0).then(|| half_hour.slow_timeouts());
        let quiet = Verdict::quiet(Rule::AtLimit, value, in_half_hour);
        let sudden = burst.slow_timeouts() >= FEWEST
            && burst.slow_timeouts() > SHARE * burst.requests()
            && burst.slow_timeouts() > usual.most_timeouts;
        if sudden {
            let hurts = burst.slow_timeouts() >= CRITICAL_COUNT
                && burst.slow_timeouts() >= CRITICAL_SHARE * burst.requests();
            let severity = if hurts { Severity::Critical } else { Severity::Warning };
            return quiet.breaching(severity, why(case, burst, 5));
        }
        if half_hour.slow_timeouts() > in_half_hour {
            return quiet.breaching(Severity::Warning, why(case, half_hour, 30));
        }
        match case.outlook.burst_days {
            (days, Some(newest)) if days >= LASTING_DAYS && is_fresh(case, newest) => {
                quiet.breaching(Severity::Warning, lasting(case, days))
            }
            _ => quiet,
        }
    }
}

fn is_fresh(case: Case<'_>, newest: Quarter) -> bool {
    let last = case.window.readings().last();
    last.is_some_and(|r| Quarter::containing(r.minute).0.saturating_sub(newest.0) <= LASTING)
}

fn lasting(case: Case<'_>, days: u32) -> String {
    format!(
        "On {days} of the last 7 days requests ended in 504 in bursts, up to {} in 15 min. That is no spike but a limit: this stays open until 36 h pass without one.",
        count(case.outlook.worst_burst)
    )
}

fn why(case: Case<'_>, recent: Window<'_>, minutes: u32) -> String {
    let usual = &case.outlook.usual;
    let quarters = f64::from(minutes) / 15.0;
    format!(
        "{} ({}) ended in 504. {} {} {}",
        of_requests(recent.timeouts(), recent),
        percent(recent.timeout_share().unwrap_or_default()),
        cause(case, recent),
        usual_count(case, quarters * usual.mean_timeouts, usual.most_timeouts_in_three),
        traffic_words(case, minutes),
    )
}

/// What the rest of the window says about the 504s. The p99 of the answered
/// requests is used as it was observed: here the point is that it is blind.
pub(super) fn cause(case: Case<'_>, recent: Window<'_>) -> String {
    let (near, timeouts) = (recent.near_misses(), recent.slow_timeouts());
    let timeout = case.gateway.timeout.seconds;
    if near >= 0.1 * timeouts {
        return format!(
            "{} more were answered in the last {} before the {} timeout: the targets are too slow.",
            count(near),
            seconds(timeout - case.gateway.near_seconds()),
            seconds(timeout),
        );
    }
    let Some(p99) = recent.readings().iter().filter_map(|r| r.p99).reduce(f64::max) else {
        return "No target answered any request.".to_owned();
    };
    if p99 >= case.gateway.near_seconds() {
        return format!("The answered requests are slow as well (p99 {}).", seconds(p99));
    }
    let unreachable = match recent.connection_errors() {
        Some(_) => "",
        None => "the targets may be unreachable (connect timeout, 10 s), or ",
    };
    format!(
        "Requests that were answered are not slow (slowest p99 of a minute {}): {unreachable}some requests hang.",
        seconds(p99)
    )
}
