//! Whether a gateway has something unusual, so that it is polled fast.

use crate::alerting::episode::TrackedEpisode;
use crate::detect::Rule;
use crate::gateway::Gateway;
use crate::gateway::polling::PollRate;
use crate::series::baseline::Baseline;
use crate::series::window::{Reading, Window};

/// While it is not known what is usual: the share of the timeout from which on
/// a p99 is worth a closer look.
const STIRRING_P99: f64 = 0.5;

/// Once it is known: the share below which no p99 is.
const LOOKED_AT: f64 = 0.2;

/// The factor above what is usual that is worth a closer look.
const ABOVE_USUAL: f64 = 1.25;

/// M of the last five minutes that must be above it.
const MINUTES: usize = 3;

/// A median of fewer requests than this in a minute is chance.
const MEDIAN_REQUESTS: f64 = 20.0;

/// A gateway is polled fast while an episode goes on (unless all it knows is that a job grows
/// from day to day; not while one waits for its return), and where the last minutes are above
/// what is usual at this time of day: in near misses and 504s, in the p99 when it is past a
/// fifth of the timeout, or in the median. A gateway that is always slow, or slow every night,
/// is polled slowly.
#[must_use]
pub fn poll_rate(
    gateway: &Gateway,
    records: &[TrackedEpisode],
    window: Window<'_>,
    usual: &Baseline,
) -> PollRate {
    let slow_job =
        |record: &TrackedEpisode| record.episode.rules.keys().all(|r| *r == Rule::RecurringJob);
    let open = records.iter().any(|record| record.episode.goes_on() && !slow_job(record));
    let recent = window.newest(15);
    let at_risk = recent.near_misses() + recent.timeouts();
    let stirs = open
        || at_risk > usual.usual_at_risk()
        || slower(gateway.timeout.seconds, window.newest(5), usual);
    if stirs { PollRate::Fast } else { PollRate::Slow }
}

/// Whether several of these minutes are slower than is usual.
fn slower(timeout: f64, recent: Window<'_>, usual: &Baseline) -> bool {
    let several = |is_slow: &dyn Fn(&Reading) -> bool| {
        recent.readings().iter().filter(|r| is_slow(r)).count() >= MINUTES
    };
    let limit = match usual.p99.filter(|_| usual.is_known()) {
        Some(p99) => (ABOVE_USUAL * p99).max(LOOKED_AT * timeout),
        None => STIRRING_P99 * timeout,
    };
    let median_limit = usual.p50.filter(|_| usual.is_known()).map(|p50| ABOVE_USUAL * p50);
    several(&|r| r.effective_p99(timeout).is_some_and(|p99| p99 > limit))
        || several(&|r| {
            r.samples >= MEDIAN_REQUESTS
                && r.p50.zip(median_limit).is_some_and(|(p50, limit)| p50 > limit)
        })
}
