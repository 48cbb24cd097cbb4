//! Requests end in 504, more than is usual: the gateway is at its limit.
//!
//! A 504 at normal traffic says that the capacity, not the load, has changed; so the
//! evaluation always says how the traffic compares. A lone 504 is the background of any
//! large service and does not fire, and neither do a few of millions.

use serde::{Deserialize, Serialize};

use crate::detect::rule::{Nature, RuleSpec};
use crate::detect::words::{Over, of_requests, traffic_words, usual_count};
use crate::detect::{Case, Evaluation, Rule, Severity};
use crate::gateway::kind::Words;
use crate::gateway::metrics::JUST_BELOW;
use crate::number::quantity::{count, percent, seconds};
use crate::number::ratio;
use crate::number::statistics::{beyond_chance, chance};
use crate::series::baseline::Baseline;
use crate::series::window::Window;

/// What is true of the rule.
pub(super) const SPEC: RuleSpec = RuleSpec {
    name: "at_limit",
    headline: "requests {end}",
    value: "the 504s in half an hour",
    nature: Nature::Failure,
    quiet_factor: 2,
    next_steps: |steps| steps.of_timeouts(),
};

/// Fires when at least six requests, more than is usual and more than one in two thousand
/// ended in 504 within half an hour, or within five minutes at least three and more than
/// one in a thousand. Critical when within five minutes at least ten requests, and one in a
/// hundred, ended in 504.
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
/// Where 504s are usual, the probability of a burst by chance must be less than this.
const CHANCE: f64 = 1e-5;
/// From this share and this many on a burst hurts users now.
const CRITICAL_SHARE: f64 = 0.01;
const CRITICAL_COUNT: f64 = 10.0;
/// The share that any number of 504s must pass, half of what an objective of 99.9 %
/// allows: with less of them the error budget lasts for two months.
pub(super) const LEAST_SHARE: f64 = 0.0005;

impl AtLimit {
    /// The evaluation of the last 5 and 30 minutes.
    #[must_use]
    pub fn judge(&self, case: Case<'_>) -> Evaluation {
        let usual = &case.outlook.usual;
        let (burst, half_hour) = (case.window.newest(5), case.window.newest(30));
        let at_once = FEWEST.max(SHARE * burst.requests()).max(usual.most_timeouts);
        let failed = burst.slow_timeouts();
        let is_more = failed > SHARE * burst.requests() && failed > usual.most_timeouts;
        if failed >= FEWEST && is_more && is_no_chance(burst, usual) {
            let hurts = failed >= CRITICAL_COUNT && failed >= CRITICAL_SHARE * burst.requests();
            let severity = if hurts { Severity::Critical } else { Severity::Warning };
            let usual = (Over(usual.mean_timeouts, 15), Over(usual.most_timeouts, 15));
            return Evaluation::ok(Rule::AtLimit, Some(failed), at_once)
                .breaching(severity, why(case, 5, usual));
        }
        let failed = half_hour.slow_timeouts();
        let limit = (beyond_chance(2.0 * usual.mean_timeouts) + MARGIN)
            .max(usual.most_timeouts_in_three)
            .max(LEAST_SHARE * half_hour.requests());
        let quiet =
            Evaluation::ok(Rule::AtLimit, (half_hour.requests() > 0.0).then_some(failed), limit);
        if failed <= limit {
            return quiet;
        }
        let usual = (Over(2.0 * usual.mean_timeouts, 30), Over(usual.most_timeouts_in_three, 45));
        quiet.breaching(Severity::Warning, why(case, 30, usual))
    }
}

/// Whether chance would hardly bring so many, given what was seen at this time of day.
fn is_no_chance(burst: Window<'_>, usual: &Baseline) -> bool {
    let (seen, among) = (usual.seen_timeouts, usual.seen_requests);
    !usual.is_known()
        || seen <= 0.0
        || chance(burst.slow_timeouts(), burst.requests(), seen, among) < CHANCE
}

fn why(case: Case<'_>, minutes: u32, (mean, most): (Over, Over)) -> String {
    let Words { ended, timeouts, .. } = case.words();
    let recent = case.window.newest(minutes);
    let failed = recent.slow_timeouts();
    let unreachable = recent.timeouts() - failed;
    let others = if unreachable > 0.0 {
        format!(" ({} more because no target could be connected to)", count(unreachable))
    } else {
        String::new()
    };
    format!(
        "{} ({}) {ended}{others}. {} {} {}",
        of_requests(failed, recent),
        percent(ratio(failed, recent.requests()).unwrap_or_default()),
        cause(case, recent),
        usual_count(case, timeouts, mean, most),
        traffic_words(case, minutes),
    )
}

/// A p99 from this share of the timeout on is slow, if it is not usual.
const SLOW: f64 = 0.5;
/// Up to this factor of the highest usual p99 it is as usual.
const AS_USUAL: f64 = 1.25;

/// What the rest of the window says about the 504s. The p99 of the answered
/// requests is used as it was observed: here the point is that it is blind.
pub(super) fn cause(case: Case<'_>, recent: Window<'_>) -> String {
    let (near, timeouts) = (recent.near_misses(), recent.slow_timeouts());
    let timeout = case.gateway.timeout.seconds;
    if near > 0.0 && near >= 0.1 * timeouts {
        return format!(
            "Near misses in the same time: {} (answered in the last {} before the {} timeout): {}.",
            count(near),
            seconds(timeout - case.gateway.near_seconds()),
            seconds(timeout),
            case.words().too_slow,
        );
    }
    let Some(p99) = recent.readings().iter().filter_map(|r| r.p99).reduce(f64::max) else {
        return "No target answered any request.".to_owned();
    };
    // Where timeouts leave samples, such a p99 is theirs.
    if p99 > timeout - JUST_BELOW && timeouts > 0.0 {
        return "Hardly any request came close to the timeout and was still answered.".to_owned();
    }
    let usual = case.outlook.usual.p99.filter(|_| case.outlook.usual.is_known());
    let is_usual = usual.is_some_and(|usual| p99 <= AS_USUAL * usual);
    if !is_usual && (usual.is_some() || p99 >= SLOW * timeout) {
        let usual = usual.map_or(String::new(), |p99| format!("; usual: up to {}", seconds(p99)));
        return format!(
            "The answered requests are slow as well (slowest p99 of a minute {}{usual}).",
            seconds(p99)
        );
    }
    let unreachable = match recent.connection_errors() {
        Some(_) => "",
        None => "the targets may be unreachable (connect timeout, 10 s), or ",
    };
    let slow = if is_usual { "no slower than usual" } else { "far from the timeout" };
    format!(
        "Requests that were answered are {slow} (slowest p99 of a minute {}): {unreachable}some requests hang.",
        seconds(p99)
    )
}
