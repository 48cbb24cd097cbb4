//! Answers come close to the timeout: the warning before the first 504.
//!
//! Counted, not estimated: CloudWatch counts the answers that took longer than
//! `near * timeout` exactly, 504s are added, and the count is compared with what is usual at
//! this time of day. So a nightly job that always takes 50 s does not fire, and neither does
//! one slow request in a quiet night: few requests are judged by what they prove (Wilson
//! 1927), never by a percentile. Three of a hundred prove more than eight of a million, where
//! there were none in many days.

use serde::{Deserialize, Serialize};

use crate::detect::rule::{Nature, RuleSpec};
use crate::detect::words::{Over, of_requests, traffic_words, usual_count};
use crate::detect::{Case, Evaluation, Rule, Severity};
use crate::gateway::kind::Words;
use crate::number::quantity::{count, percent, seconds};
use crate::number::statistics::{beyond_chance, chance, wilson_lower};
use crate::series::baseline::Baseline;
use crate::series::window::Window;

/// What is true of the rule.
pub(super) const SPEC: RuleSpec = RuleSpec {
    name: "near_miss",
    headline: "requests come close to the timeout",
    value: "the requests at risk in its window",
    nature: Nature::Lateness,
    quiet_factor: 1,
    next_steps: |steps| steps.of_slow_requests(),
};

/// Fires when more requests came close to the timeout than is usual at this time of day,
/// and proved to be more than one in a thousand within 15 or 60 minutes; of few requests
/// three within an hour, if that is more than one in two hundred.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NearMiss {
    /// Whether it is used.
    pub enabled: bool,
}

impl Default for NearMiss {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// Requests at risk beyond what chance explains.
const MARGIN: f64 = 4.0;
/// The factor by which fifteen minutes must exceed the most that is usual; also what chance
/// makes of that, because the most is a count like any other.
const ABOVE_QUARTER: f64 = 1.5;
/// The same for an hour.
const ABOVE_HOUR: f64 = 1.25;
/// The share of the requests that must be proven to be at risk: what an objective of
/// 99.9 % allows to fail.
const SHARE: f64 = 0.001;
/// Even this few requests at risk within an hour are enough where they prove a larger share,
/// and the probability of them by chance is less than this.
const FEWEST: f64 = 3.0;
const SHARE_OF_FEW: f64 = 0.005;
const CHANCE_OF_FEW: f64 = 1e-4;
/// From this many requests on a share speaks for itself.
const MANY: f64 = 1_000.0;
/// Slow requests that are cut at the timeout have neighbours that just made it;
/// at least this share of those at risk must have been answered.
const ANSWERED: f64 = 0.1;

impl NearMiss {
    /// The evaluation of the last 15 and 60 minutes.
    #[must_use]
    pub fn judge(&self, case: Case<'_>) -> Evaluation {
        let usual = &case.outlook.usual;
        let most = usual.usual_at_risk();
        let quarter_hour = (beyond_chance(usual.mean_at_risk) + MARGIN)
            .max(ABOVE_QUARTER * most)
            .max(beyond_chance(most))
            .max(usual.most_at_risk_in_two);
        let most = usual.most_at_risk_in_five;
        let most_in_hour = (ABOVE_HOUR * most).max(beyond_chance(most));
        let hour = (beyond_chance(4.0 * usual.mean_at_risk) + MARGIN).max(most_in_hour);
        let of_few = if most > 0.0 { most_in_hour } else { FEWEST - 1.0 };
        let (quarter_of, hour_of) = (case.window.newest(15), case.window.newest(60));
        let value = (quarter_of.requests() > 0.0).then(|| quarter_of.at_risk());
        // An hour that was bad, and is no longer, is over.
        let goes_on = quarter_of.near_misses() > 0.0;
        let (minutes, recent, limit) = if goes_on && breaches(quarter_of, quarter_hour, SHARE) {
            (15, quarter_of, quarter_hour)
        } else if goes_on && breaches(hour_of, hour, SHARE) {
            (60, hour_of, hour)
        } else if goes_on && breaches(hour_of, of_few, SHARE_OF_FEW) && is_no_chance(hour_of, usual)
        {
            (60, hour_of, of_few)
        } else {
            return Evaluation::ok(Rule::NearMiss, value, quarter_hour);
        };
        Evaluation::ok(Rule::NearMiss, Some(recent.at_risk()), limit)
            .breaching(Severity::Warning, why(case, recent, minutes))
    }
}

fn breaches(recent: Window<'_>, limit: f64, share: f64) -> bool {
    let at_risk = recent.at_risk();
    at_risk > limit
        && recent.near_misses() >= ANSWERED * at_risk
        && wilson_lower(at_risk, recent.requests()) > share
}

/// Whether chance would hardly bring so many at risk, given what was seen at this time of
/// day.
fn is_no_chance(recent: Window<'_>, usual: &Baseline) -> bool {
    let (seen, among) = (usual.seen_at_risk, usual.seen_requests);
    usual.is_known() && chance(recent.at_risk(), recent.requests(), seen, among) < CHANCE_OF_FEW
}

/// A share in percent; of few requests also what they prove.
fn share(near: f64, requests: f64) -> String {
    let observed = percent(near / requests);
    if requests >= MANY {
        observed
    } else {
        format!("{observed}, and surely {} or more", percent(wilson_lower(near, requests)))
    }
}

fn why(case: Case<'_>, recent: Window<'_>, minutes: u32) -> String {
    let Words { ended, timeouts, .. } = case.words();
    let (gateway, usual) = (case.gateway, &case.outlook.usual);
    let near = recent.near_misses();
    let (mean, most) = if minutes > 15 {
        (Over(4.0 * usual.mean_at_risk, 60), Over(usual.most_at_risk_in_five, 75))
    } else {
        (Over(usual.mean_at_risk, 15), Over(usual.usual_at_risk(), 15))
    };
    format!(
        "{} ({}) took more than {} ({} of the {} timeout) and were just answered; {} {ended}. {} {}",
        of_requests(near, recent),
        share(near, recent.requests()),
        seconds(gateway.near_seconds()),
        percent(gateway.near),
        seconds(gateway.timeout.seconds),
        count(recent.slow_timeouts()),
        usual_count(case, &format!("near misses and {timeouts}"), mean, most),
        traffic_words(case, minutes),
    )
}
