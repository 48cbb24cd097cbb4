//! Answers come close to the timeout: the warning before the first 504.
//!
//! Counted, not estimated: CloudWatch counts the answers that took longer than
//! `near * timeout` exactly, 504s are added, and the count is compared with what
//! is usual at this time of day. So a nightly job that always takes 50 s is
//! silent, and so is one slow request in a quiet night: few requests are judged
//! by what they prove (Wilson 1927), never by a percentile.

use serde::{Deserialize, Serialize};

use super::words::{of_requests, traffic_words, usual_count};
use super::{Case, Rule, Severity, Verdict};
use crate::analysis::quantity::{count, percent, seconds};
use crate::analysis::statistics::{beyond_chance, wilson_lower};
use crate::analysis::window::Window;

/// Fires when, within 15 or 60 minutes, more requests came close to the timeout
/// than is usual at this time of day, and proved to be more than one in two thousand.
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
/// The factor by which a quarter of an hour must pass the most that is usual.
const ABOVE_QUARTER: f64 = 1.5;
/// The same for an hour.
const ABOVE_HOUR: f64 = 1.25;
/// The share of the requests that must be proven to be at risk.
const SHARE: f64 = 0.0005;
/// From so many requests on a share speaks for itself.
const MANY: f64 = 1_000.0;
/// Slow requests that are cut at the timeout have neighbours that just made it;
/// at least this share of those at risk must have been answered.
const ANSWERED: f64 = 0.1;

impl NearMiss {
    /// The verdict on the last 15 and 60 minutes.
    #[must_use]
    pub fn judge(&self, case: Case<'_>) -> Verdict {
        let usual = &case.outlook.usual;
        let quarter = (beyond_chance(usual.mean_at_risk) + MARGIN)
            .max(ABOVE_QUARTER * usual.usual_at_risk())
            .max(usual.most_at_risk_in_two);
        let hour = (beyond_chance(4.0 * usual.mean_at_risk) + MARGIN)
            .max(ABOVE_HOUR * usual.most_at_risk_in_five);
        let spans = [(15, quarter, 1.0), (60, hour, 4.0)];
        let recent = case.window.newest(15);
        // An hour that was bad, and is no longer, is over.
        let goes_on = recent.near_misses() > 0.0;
        let found = spans.into_iter().filter(|_| goes_on).find_map(|(minutes, limit, quarters)| {
            let recent = case.window.newest(minutes);
            breaches(recent, limit).then_some((recent, minutes, limit, quarters))
        });
        let value = (recent.requests() > 0.0).then(|| recent.at_risk());
        match found {
            None => Verdict::quiet(Rule::NearMiss, value, quarter),
            Some((recent, minutes, limit, quarters)) => {
                Verdict::quiet(Rule::NearMiss, Some(recent.at_risk()), limit)
                    .breaching(Severity::Warning, why(case, recent, minutes, quarters))
            }
        }
    }
}

fn breaches(recent: Window<'_>, limit: f64) -> bool {
    let at_risk = recent.at_risk();
    at_risk > limit
        && recent.near_misses() >= ANSWERED * at_risk
        && wilson_lower(at_risk, recent.requests()) > SHARE
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

fn why(case: Case<'_>, recent: Window<'_>, minutes: u32, quarters: f64) -> String {
    let (gateway, usual) = (case.gateway, &case.outlook.usual);
    let near = recent.near_misses();
    let most = if quarters > 1.0 { usual.most_at_risk_in_five } else { usual.usual_at_risk() };
    format!(
        "{} ({}) took more than {} ({} of the {} timeout) and were just answered; {} ended in 504. {} {}",
        of_requests(near, recent),
        share(near, recent.requests()),
        seconds(gateway.near_seconds()),
        percent(gateway.near),
        seconds(gateway.timeout.seconds),
        count(recent.slow_timeouts()),
        usual_count(case, quarters * usual.mean_at_risk, most),
        traffic_words(case, minutes),
    )
}
