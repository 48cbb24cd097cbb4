//! `AWS/CloudFront`, in us-east-1 only.
//!
//! Rates are of all requests, also of those answered from the cache. `OriginLatency` lasts
//! from the request to the first byte that is sent, with all attempts: one above the timeout
//! means that an attempt timed out, though the answer came. What several attempts take counts
//! in the minute in which the first one ended. A 504 is kept for a while, so that rates count
//! more of them than there were.

use crate::faults::options::Sampled;
use crate::metrics::gateways::{Seen, Spot, Values, millis};
use crate::rng::{hash, unit};
use crate::traffic::request::{Outcome, Request, SECOND};
use crate::world::Gateway;

/// Requests answered from the cache for each that is not.
const CACHED: u64 = 3;
/// Requests answered with the same error from the cache, for each 504.
const REPEATED: u64 = 1;
/// Share of the requests to origins that are writes, which are tried once.
const WRITES: f64 = 0.1;
/// Share of the further attempts that are answered.
const BETTER: f64 = 0.5;

/// The distribution, whose Region is called Global.
pub(crate) fn spots(one: &Gateway) -> Vec<Spot> {
    vec![Spot::whole([("DistributionId", one.id.as_str()), ("Region", "Global")])]
}

/// How a request ends after all attempts: the status, and milliseconds since it was made.
fn ending(seen: &Seen, request: Request, attempts: u8) -> (u16, f64) {
    let draw = |kind: u64| {
        let own = [u64::from(request.took), u64::from(request.zone), seen.at as u64, kind];
        unit(hash(&own))
    };
    let status = match request.outcome {
        Outcome::Answered | Outcome::Abandoned => 200,
        Outcome::TargetError => 500,
        Outcome::Refused | Outcome::Rejected => 503,
        Outcome::Reset | Outcome::Closed => 502,
        _ => 504,
    };
    if request.outcome != Outcome::TimedOut || draw(80) < WRITES {
        return (status, millis(request.took));
    }
    let limit = seen.limit().saturating_mul(SECOND);
    for attempt in 1..attempts {
        if draw(81 + 2 * u64::from(attempt)) < BETTER {
            let last = draw(82 + 2 * u64::from(attempt)) * 0.9 * f64::from(limit);
            return (200, (f64::from(attempt) * f64::from(limit) + last) / 1_000.0);
        }
    }
    (504, f64::from(attempts.max(1)) * millis(limit))
}

/// The values of a minute of an origin.
pub(crate) fn values(metric: &str, seen: &Seen, monitored: bool, attempts: u8) -> Values {
    let free = ["Requests", "5xxErrorRate", "4xxErrorRate", "TotalErrorRate"];
    if !monitored && !free.contains(&metric) {
        return Values::new();
    }
    let all = seen.count(|_| true);
    let rate = |fits: &dyn Fn(u16) -> bool| {
        let of = |fits: &dyn Fn(u16) -> bool| seen.count(|one| fits(ending(seen, one, attempts).0));
        let kept = if fits(504) { of(&|status| status == 504) * REPEATED } else { 0 };
        let bad = of(fits) + kept.min(all * CACHED);
        vec![(100.0, bad), (0.0, all * (1 + CACHED) - bad)]
    };
    match metric {
        "Requests" => vec![(1.0, all * (1 + CACHED))],
        "5xxErrorRate" | "TotalErrorRate" => rate(&|status| status >= 500),
        "4xxErrorRate" => rate(&|_| false),
        "502ErrorRate" => rate(&|status| status == 502),
        "503ErrorRate" => rate(&|status| status == 503),
        "504ErrorRate" => rate(&|status| status == 504),
        "CacheHitRate" => vec![(100.0, all * CACHED), (0.0, all)],
        "OriginLatency" => {
            let ended = seen.requests().map(|(one, times)| (ending(seen, one, attempts), times));
            let sampled = seen.options().samples(Sampled::CloudFront);
            let kept = ended.filter(|((status, _), _)| *status != 504 || sampled);
            kept.map(|((_, took), times)| (took.round(), times)).collect()
        }
        _ => Values::new(),
    }
}
