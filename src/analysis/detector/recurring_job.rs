//! A time of day comes closer to the timeout day by day: the nightly job that grows.

use serde::{Deserialize, Serialize};

use super::words::in_about;
use super::{Case, Rule, Severity, Verdict};
use crate::analysis::quantity::seconds;

/// Fires when the slowest answers of an hour of the day grow and reach the
/// timeout within 14 days; how is said in [`recurrence`](crate::analysis::recurrence).
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

/// Closer than this it is a warning, seconds.
const CLOSE: f64 = 86_400.0;

impl RecurringJob {
    /// The verdict on the last 14 days.
    #[must_use]
    pub fn judge(&self, case: Case<'_>) -> Verdict {
        let timeout = case.gateway.timeout.seconds;
        let Some(found) = &case.outlook.recurrence else {
            let known = case.outlook.learning_until.is_none().then_some(0.0);
            return Verdict::quiet(Rule::RecurringJob, known, timeout);
        };
        let end = case.window.readings().last().map_or(found.at.end(), |r| r.minute.plus(1));
        #[allow(clippy::cast_precision_loss)] // two weeks at most
        let forecast = found.forecast.after(end.since(found.at.end()) as f64 * 60.0);
        let severity = if forecast.mid < CLOSE { Severity::Warning } else { Severity::Info };
        let why = format!(
            "At about {} the slowest requests take {}, {} more each day (last {} d). They reach the {} timeout {}.",
            found.at.start().utc().format("%H:%M UTC"),
            seconds(found.now),
            seconds(found.per_day),
            found.days,
            seconds(timeout),
            in_about(forecast),
        );
        Verdict::quiet(Rule::RecurringJob, Some(found.now), timeout)
            .breaching(severity, why)
            .expecting(forecast)
    }
}
