//! Requests begin to queue: the targets fill up.
//!
//! A queue shows in the median long before it shows in the p99: every request
//! waits. So the median and the number of requests in flight (Little 1961) are
//! compared with what is usual at this time of day. Where slow answers have become
//! slower by the same factor as fast ones nobody waits: the work takes longer, which is
//! the business of `drift` and `near_miss`. How long it takes until the
//! targets are full can only be said where it is known how many requests each
//! can work on; without that there is no forecast, because a p99 that queues
//! cannot be extrapolated.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::detect::compared::{Compared, Slower, slower};
use crate::detect::rule::{Nature, RuleSpec};
use crate::detect::words::{in_about, traffic_words};
use crate::detect::{Case, Evaluation, Rule, Severity, at_least};
use crate::number::quantity::{Span, count, percent, seconds};
use crate::series::forecast::{Forecast, Limit, trend};
use crate::series::history::Known;

/// What is true of the rule.
pub(super) const SPEC: RuleSpec = RuleSpec {
    name: "saturation",
    headline: "requests begin to queue",
    value: "the factor by which the median and the requests in flight exceed what is usual",
    nature: Nature::Forecast,
    quiet_factor: 1,
    next_steps: |steps| {
        vec![
            format!("Add targets or workers before the traffic peaks: a full queue turns into {} within minutes.", steps.words.timeouts),
            steps.words.capacity.into(),
            "If the traffic is normal, look for what holds the workers: a slow query, a lock, a downstream service.".into(),
        ]
    },
};

/// Fires when median and concurrency of quarter-hours pass what is usual because requests
/// wait, or, with `workers_per_target`, when the targets are nearly full or may be within
/// `horizon`: the early end of the forecast counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Saturation {
    /// Whether it is used.
    pub enabled: bool,
    /// How many requests a target works on at a time, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers_per_target: Option<NonZeroU32>,
    /// How far ahead it warns when `workers_per_target` is known.
    pub horizon: Span,
    /// The requests that a quarter-hour must have for its median to count.
    pub min_requests: NonZeroU32,
}

impl Default for Saturation {
    fn default() -> Self {
        let horizon = Span::seconds(4 * 3600);
        Self { enabled: true, workers_per_target: None, horizon, min_requests: at_least(150) }
    }
}

/// The factor by which the median and the concurrency must pass what is usual.
const ABOVE_USUAL: f64 = 1.25;
/// The factors for the newest quarter-hour and the two before it: a queue grows; what
/// comes and goes within half an hour is none.
const GROWING: [f64; 3] = [ABOVE_USUAL, 1.15, 1.08];
/// A p99 below this share of the timeout is far from it.
const FAR: f64 = 0.1;
/// With fewer requests in flight than this none waits for another.
const FEWEST: f64 = 1.0;
/// The factor from which on it is a warning.
const FAR_ABOVE: f64 = 1.6;
/// The share of the workers that are busy when the targets are nearly full.
const NEARLY_FULL: f64 = 0.8;
/// The share below which no trend is looked for.
const HALF_FULL: f64 = 0.4;
/// The factor by which the requests in flight must have risen.
const RISE: f64 = 1.2;

impl Saturation {
    /// The evaluation of the newest three quarter-hours.
    #[must_use]
    pub fn judge(&self, case: Case<'_>) -> Evaluation {
        let inflations: Vec<Option<f64>> =
            case.outlook.newest.iter().map(|c| self.inflation(case, c)).collect();
        let quiet =
            Evaluation::ok(Rule::Saturation, inflations.first().copied().flatten(), ABOVE_USUAL);
        if let Some(full) = self.full(case) {
            return full;
        }
        let [Some(now), Some(before), Some(earlier)] = inflations[..] else { return quiet };
        let grows = [now, before, earlier].iter().zip(GROWING).all(|(f, limit)| *f > limit);
        if grows && waits(case) {
            let severity = if now > FAR_ABOVE { Severity::Warning } else { Severity::Info };
            return quiet.breaching(severity, queueing(case));
        }
        quiet
    }

    /// The lesser of the factors by which the median and the concurrency pass
    /// what is usual.
    fn inflation(&self, case: Case<'_>, compared: &Compared) -> Option<f64> {
        let Compared { summary, usual, .. } = compared;
        let enough = summary.requests() >= f64::from(self.min_requests.get());
        let usual = Some(usual).filter(|usual| usual.is_known() && enough)?;
        let slower = summary.p50? / usual.p50.filter(|p50| *p50 > 0.0)?;
        let fuller = summary.in_flight(case.gateway.timeout.seconds)?
            / usual.in_flight.filter(|in_flight| *in_flight > 0.0)?;
        Some(slower.min(fuller)).filter(|factor| factor.is_finite())
    }

    /// The evaluation where it is known how many requests fit in.
    fn full(&self, case: Case<'_>) -> Option<Evaluation> {
        let timeout = case.gateway.timeout.seconds;
        let healthy = case.window.readings().iter().rev().find_map(|r| r.healthy_hosts)?;
        let healthy = Some(healthy).filter(|hosts| *hosts >= 1.0)?;
        let workers = f64::from(self.workers_per_target?.get()) * healthy;
        let in_flight = |known: Known| match known {
            Known::Measured(summary) => summary.in_flight(timeout),
            Known::Unknown | Known::Idle => None,
        };
        let figures: Vec<_> = case.outlook.lately().map(in_flight).collect();
        let now = figures.last().copied().flatten().filter(|_| workers > 0.0)?;
        if now < HALF_FULL * workers {
            return None;
        }
        let rise = trend(&figures, Limit { at: workers, from: workers }, RISE);
        let forecast = rise.map(|trend| trend.forecast);
        let soon = forecast.filter(|f| f.low <= self.horizon.get().as_secs_f64() && now < workers);
        let quiet = Evaluation::ok(Rule::Saturation, Some(now / workers), NEARLY_FULL);
        let severity = if now >= workers { Severity::Critical } else { Severity::Warning };
        let why = filling(now, workers, healthy, soon, &traffic_words(case, 15));
        let verdict = (now > NEARLY_FULL * workers || soon.is_some())
            .then(|| quiet.breaching(severity, why))?;
        Some(soon.map_or_else(|| verdict.clone(), |soon| verdict.clone().expecting(soon)))
    }
}

/// Whether requests can wait for each other: some are in flight, and it is not the work
/// that takes longer. Some much slower requests are no matter far from the timeout.
fn waits(case: Case<'_>) -> bool {
    let (timeout, newest) = (case.gateway.timeout.seconds, &case.outlook.newest);
    let Some(now) = newest.first().map(|compared| &compared.summary) else { return false };
    let is_far = now.effective_p99(timeout).is_none_or(|p99| p99 < FAR * timeout);
    let may_wait = match slower(newest, timeout) {
        Some(Slower::Work) => false,
        Some(Slower::Some) => !is_far,
        Some(Slower::Queue) | None => true,
    };
    may_wait && now.in_flight(timeout).is_some_and(|in_flight| in_flight >= FEWEST)
}

fn filling(now: f64, workers: f64, healthy: f64, soon: Option<Forecast>, traffic: &str) -> String {
    let full = soon.map_or(String::new(), |soon| format!(" They are full {}.", in_about(soon)));
    format!(
        "{} requests in flight on {} workers of {} healthy targets: {} busy.{full} Then every request waits. {traffic}",
        count(now),
        count(workers),
        count(healthy),
        percent(now / workers),
    )
}

fn queueing(case: Case<'_>) -> String {
    let timeout = case.gateway.timeout.seconds;
    let Some(Compared { summary, usual, .. }) = case.outlook.newest.first() else {
        return String::new();
    };
    let in_flight = |value: Option<f64>| {
        value.map_or("?".to_owned(), |v| if v >= 10.0 { count(v) } else { format!("{v:.1}") })
    };
    format!(
        "The median is {} (usual at this time: {}) over {} requests in 15 min, with {} in flight (usual: at most {}): requests queue. When the targets are full, {} follow within minutes. {}",
        seconds(summary.p50.unwrap_or_default()),
        seconds(usual.p50.unwrap_or_default()),
        count(summary.requests()),
        in_flight(summary.in_flight(timeout)),
        in_flight(usual.in_flight),
        case.words().timeouts,
        traffic_words(case, 15),
    )
}
