//! Targets cannot be connected to: 504s after ten seconds, not after the timeout.

use serde::{Deserialize, Serialize};

use crate::detect::at_limit::LEAST_SHARE;
use crate::detect::rule::{Nature, RuleSpec};
use crate::detect::words::{of_requests, traffic_words};
use crate::detect::{Case, Evaluation, Rule, Severity};
use crate::number::quantity::{count, percent};
use crate::series::window::Reading;

/// What is true of the rule.
pub(super) const SPEC: RuleSpec = RuleSpec {
    name: "unreachable",
    headline: "targets cannot be reached",
    value: "the failed connections",
    nature: Nature::Outage,
    quiet_factor: 1,
    next_steps: |steps| steps.words.unreachable.map(str::to_owned).to_vec(),
};

/// Fires when connections or TLS handshakes with targets failed, and at least three
/// requests and one in two thousand ended in 504 for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Unreachable {
    /// Whether it is used.
    pub enabled: bool,
}

impl Default for Unreachable {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// Fewer failed connections than this in 15 minutes are an accident.
const FEWEST: f64 = 3.0;
/// From this share of the requests on it is critical.
const CRITICAL: f64 = 0.01;

impl Unreachable {
    /// The evaluation of the last 15 minutes.
    #[must_use]
    pub fn judge(&self, case: Case<'_>) -> Evaluation {
        let recent = case.window.newest(15);
        let errors = recent.readings().iter().filter_map(Reading::unreachable).reduce(|a, b| a + b);
        let fewest = FEWEST.max(LEAST_SHARE * recent.requests());
        let quiet = Evaluation::ok(Rule::Unreachable, errors, fewest);
        let Some(failed) = errors.map(|e| e.min(recent.timeouts())).filter(|f| *f >= fewest) else {
            return quiet;
        };
        let critical = failed >= CRITICAL * recent.requests();
        let severity = if critical { Severity::Critical } else { Severity::Warning };
        let what = match (recent.connection_errors(), recent.tls_errors()) {
            (Some(connections), Some(tls)) if tls > connections => {
                format!("{} TLS handshakes with targets failed", count(tls))
            }
            _ => format!("{} connections to targets failed", count(errors.unwrap_or_default())),
        };
        let why = format!(
            "{} ({}) {}, and {what} in the same time (limit 10 s): the targets are unreachable, not slow. {}",
            of_requests(recent.timeouts(), recent),
            percent(recent.timeout_share().unwrap_or_default()),
            case.words().ended,
            traffic_words(case, 15),
        );
        quiet.breaching(severity, why)
    }
}
