//! Detectors: pure rules over the last hour's minutes and the last fourteen
//! days' quarter-hours.
//!
//! Each has a file of its own with its parameters, its condition and its words. An
//! evaluation is computed anew each time (M datapoints out of N, as CloudWatch alarms
//! count), so there is no state that can drift. A 504 enters every count as an answer past
//! the timeout; a failed connection does not.

mod at_limit;
mod blackout;
mod burn_rate;
pub mod compared;
mod drift;
mod near_miss;
pub mod outlook;
mod recurring_job;
pub mod rule;
mod saturation;
mod unreachable;
mod words;

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::detect::outlook::Past;
use crate::detect::rule::{Nature, RuleSpec};
use crate::gateway::Gateway;
use crate::gateway::kind::Words;
use crate::series::forecast::Forecast;
use crate::series::window::Window;
pub use at_limit::AtLimit;
pub use blackout::Blackout;
pub use burn_rate::BurnRate;
pub use drift::Drift;
pub use near_miss::NearMiss;
pub use recurring_job::RecurringJob;
pub use saturation::Saturation;
pub use unreachable::Unreachable;

/// The window that a detector is given, minutes.
pub const LONGEST_WINDOW: u32 = 60;

/// Which rule fired. When severities are equal, the later in this order matters more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A time of day comes closer to the timeout day by day.
    RecurringJob,
    /// Requests begin to queue.
    Saturation,
    /// Answers come close to the timeout.
    NearMiss,
    /// The slowest answers become slower and will reach the timeout.
    Drift,
    /// Requests end in 504, more than usual.
    AtLimit,
    /// 504s use up the error budget.
    BurnRate,
    /// Targets cannot be connected to.
    Unreachable,
    /// Requests, and no answer to any.
    Blackout,
}

impl Rule {
    /// Every rule, in the order of the evaluations.
    pub const ALL: [Self; 8] = [
        Self::RecurringJob,
        Self::Saturation,
        Self::NearMiss,
        Self::Drift,
        Self::AtLimit,
        Self::BurnRate,
        Self::Unreachable,
        Self::Blackout,
    ];

    /// What is true of it alone.
    #[must_use]
    pub fn spec(self) -> &'static RuleSpec {
        match self {
            Self::RecurringJob => &recurring_job::SPEC,
            Self::Saturation => &saturation::SPEC,
            Self::NearMiss => &near_miss::SPEC,
            Self::Drift => &drift::SPEC,
            Self::AtLimit => &at_limit::SPEC,
            Self::BurnRate => &burn_rate::SPEC,
            Self::Unreachable => &unreachable::SPEC,
            Self::Blackout => &blackout::SPEC,
        }
    }

    /// Its name in config, metrics and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// What it says of a kind of gateway in a few words, for a title.
    #[must_use]
    pub fn headline(self, words: &Words) -> String {
        let headline = self.spec().headline.replace("{end}", words.end);
        headline.replace("{timeouts}", words.timeouts)
    }

    /// How many minutes must be quiet before an episode with this rule may end. `usual`
    /// is the configured time.
    #[must_use]
    pub fn quiet_time(self, usual: u32) -> u32 {
        usual.saturating_mul(self.spec().quiet_factor)
    }

    /// Whether it says that requests fail.
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(self.spec().nature, Nature::Failure | Nature::Outage)
    }

    /// Whether another rule finds the same kind of trouble: answers that are late, targets
    /// that cannot be reached, or no answer at all.
    #[must_use]
    pub fn is_like(self, other: Self) -> bool {
        let is_apart = |rule: Self| rule.spec().nature == Nature::Outage;
        self == other || !is_apart(self) && !is_apart(other)
    }

    /// Whether it judges where things lead, rather than what happens in a minute.
    #[must_use]
    pub fn is_forecast(self) -> bool {
        self.spec().nature == Nature::Forecast
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Will hurt users unless somebody acts.
    Warning,
    /// Hurts users now.
    Critical,
}

impl Severity {
    /// Its name in metrics and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an evaluation of a detector comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The condition holds.
    Breaching,
    /// There were requests, and the condition does not hold.
    Ok,
    /// Not one request, or too little is known to compare with: nothing can be said.
    InsufficientData,
}

/// One evaluation of a detector, at one minute.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Whose evaluation it is.
    pub rule: Rule,
    /// What it comes to.
    pub state: State,
    /// How bad it is when breaching.
    pub severity: Severity,
    /// The figure that was compared; `None` when nothing was measured.
    pub value: Option<f64>,
    /// What it was compared with, in the same unit.
    pub threshold: f64,
    /// The evidence in words, when breaching; else empty.
    pub why: String,
    /// When the timeout is reached, counted from the end of the minute, where the rule can
    /// say so.
    pub forecast: Option<Forecast>,
}

impl Evaluation {
    /// The condition does not hold.
    fn ok(rule: Rule, value: Option<f64>, threshold: f64) -> Self {
        let state = if value.is_some() { State::Ok } else { State::InsufficientData };
        let why = String::new();
        Self { rule, state, severity: Severity::Info, value, threshold, why, forecast: None }
    }

    /// It holds, and why.
    fn breaching(self, severity: Severity, why: String) -> Self {
        Self { state: State::Breaching, severity, why, ..self }
    }

    fn expecting(self, forecast: Forecast) -> Self {
        Self { forecast: Some(forecast), ..self }
    }
}

/// What a detector judges.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// Whose minutes.
    pub gateway: &'a Gateway,
    /// The last hour.
    pub window: Window<'a>,
    /// What the last fourteen days say.
    pub outlook: Past<'a>,
}

impl Case<'_> {
    /// What people call the gateway, and what it does.
    fn words(&self) -> &'static Words {
        &self.gateway.id.kind.spec().words
    }
}

/// The parameters of all detectors.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Detectors {
    /// See [`NearMiss`].
    pub near_miss: NearMiss,
    /// See [`Drift`].
    pub drift: Drift,
    /// See [`Saturation`].
    pub saturation: Saturation,
    /// See [`AtLimit`].
    pub at_limit: AtLimit,
    /// See [`BurnRate`].
    pub burn_rate: BurnRate,
    /// See [`RecurringJob`].
    pub recurring_job: RecurringJob,
    /// See [`Unreachable`].
    pub unreachable: Unreachable,
    /// See [`Blackout`].
    pub blackout: Blackout,
}

impl Detectors {
    /// The evaluation of every detector that is enabled, in a fixed order.
    #[must_use]
    pub fn judge(&self, case: Case<'_>) -> Vec<Evaluation> {
        let mut evaluations = Vec::with_capacity(Rule::ALL.len());
        let mut add = |enabled: bool, judge: &dyn Fn() -> Evaluation| {
            if enabled {
                evaluations.push(judge());
            }
        };
        add(self.recurring_job.enabled, &|| self.recurring_job.judge(case));
        add(self.saturation.enabled, &|| self.saturation.judge(case));
        add(self.near_miss.enabled, &|| self.near_miss.judge(case));
        add(self.drift.enabled, &|| self.drift.judge(case));
        add(self.at_limit.enabled, &|| self.at_limit.judge(case));
        add(self.burn_rate.enabled, &|| self.burn_rate.judge(case));
        add(self.unreachable.enabled, &|| self.unreachable.judge(case));
        add(self.blackout.enabled, &|| self.blackout.judge(case));
        evaluations
    }
}

/// A default that is not zero.
fn at_least(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)
}
