//! A time of day comes closer to the timeout day by day: the nightly job that grows.

use serde::{Deserialize, Serialize};

use crate::detect::rule::{Nature, RuleSpec, Steps};
use crate::detect::words::in_about;
use crate::detect::{Case, Evaluation, Rule, Severity};
use crate::number::quantity::seconds;

/// What is true of the rule.
pub(super) const SPEC: RuleSpec = RuleSpec {
    name: "recurring_job",
    headline: "a recurring job comes closer to the timeout",
    value: "the slowest requests in seconds",
    nature: Nature::Forecast,
    quiet_factor: 2,
    next_steps: |steps| {
        let Steps { words, timeout, .. } = steps;
        vec![
            "Find the job or report that runs at this hour, and how its data grows.".into(),
            format!(
                "Split it, make it asynchronous, or raise the {} above {timeout} in time.",
                words.timeout
            ),
        ]
    },
};

/// Fires when the slowest answers of an hour of the day grow and reach the timeout within
/// 14 days; a warning when the next run may be the first to do so. See
/// [`recurrence`](crate::series::recurrence).
/// said in [`recurrence`](crate::series::recurrence).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecurringJob {
    /// Whether it is used.
    pub enabled: bool,
}

impl Default for RecurringJob {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// A warning when the earliest is closer than this, seconds.
const CLOSE: f64 = 86_400.0;

impl RecurringJob {
    /// The evaluation of the last 14 days.
    #[must_use]
    pub fn judge(&self, case: Case<'_>) -> Evaluation {
        let timeout = case.gateway.timeout.seconds;
        let Some(found) = &case.outlook.recurrence else {
            let known = case.outlook.learning_until.is_none().then_some(0.0);
            return Evaluation::ok(Rule::RecurringJob, known, timeout);
        };
        let end = case.window.readings().last().map_or(found.at.end(), |r| r.minute.plus(1));
        #[allow(clippy::cast_precision_loss)] // two weeks at most
        let age = end.since(found.at.end()) as f64 * 60.0;
        let forecast = found.forecast.map(|forecast| forecast.after(age)).filter(|f| f.mid > 0.0);
        let close = forecast.is_none_or(|forecast| forecast.low < CLOSE);
        let severity = if close { Severity::Warning } else { Severity::Info };
        let when = match forecast {
            Some(forecast) => {
                format!("They reach the {} timeout {}.", seconds(timeout), in_about(forecast))
            }
            None => format!("The first of them reach the {} timeout now.", seconds(timeout)),
        };
        let why = format!(
            "At about {} the slowest requests take {}, {} more each day (last {} d). {when}",
            found.at.start().utc().format("%H:%M UTC"),
            seconds(found.now),
            seconds(found.per_day),
            found.days,
        );
        let verdict = Evaluation::ok(Rule::RecurringJob, Some(found.now), timeout);
        Evaluation { forecast, ..verdict.breaching(severity, why) }
    }
}
