//! Requests, and no answer to any: no sample is an alarm, not "no data".
//!
//! When everything times out, the latency has no samples at all and every
//! graph of it is empty.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::detect::rule::{Nature, RuleSpec};
use crate::detect::words::traffic_words;
use crate::detect::{Case, Evaluation, Rule, Severity, at_least};
use crate::number::quantity::count;
use crate::series::window::Reading;

/// What is true of the rule.
pub(super) const SPEC: RuleSpec = RuleSpec {
    name: "blackout",
    headline: "no target answers",
    value: "the requests of three minutes",
    nature: Nature::Outage,
    quiet_factor: 1,
    next_steps: |steps| {
        vec![
            steps.words.blackout.into(),
            "If they look healthy, look for a lock or a dead dependency that all requests wait for.".into(),
        ]
    },
};

/// Fires when in two of the last three minutes targets were chosen for at least
/// `min_requests` requests, and none was answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Blackout {
    /// Whether it is used.
    pub enabled: bool,
    /// The requests that a minute must have.
    pub min_requests: NonZeroU32,
}

impl Default for Blackout {
    fn default() -> Self {
        Self { enabled: true, min_requests: at_least(10) }
    }
}

/// M of the last three minutes.
const MINUTES: usize = 2;

impl Blackout {
    /// The evaluation of the last three minutes.
    #[must_use]
    pub fn judge(&self, case: Case<'_>) -> Evaluation {
        let recent = case.window.newest(3);
        let fewest = f64::from(self.min_requests.get());
        let dark = recent.readings().iter().filter(|r| r.samples <= 0.0 && asked(r) >= fewest);
        let requests: f64 = recent.readings().iter().map(asked).sum();
        let quiet = Evaluation::ok(Rule::Blackout, (requests > 0.0).then_some(requests), fewest);
        if dark.count() < MINUTES {
            return quiet;
        }
        let why = format!(
            "{} requests in {} min, and in most of these minutes not one answer; {} {} so far. {}",
            count(requests),
            recent.minutes(),
            count(recent.timeouts()),
            case.words().ended,
            traffic_words(case, 3),
        );
        quiet.breaching(Severity::Critical, why)
    }
}

/// Requests for which a target was chosen: counted, or at least the 504s.
fn asked(reading: &Reading) -> f64 {
    reading.request_count.unwrap_or(0.0).max(reading.requests())
}
