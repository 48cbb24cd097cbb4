//! 504s use up the error budget (Site Reliability Workbook, chapter 5).
//!
//! A burn rate is the share of failed requests divided by the share that the objective
//! allows. It must be high over a long window, so that it matters, and over a short one, so
//! that it still goes on. Every 504 counts, whatever its cause: the budget makes no
//! distinction.

use serde::{Deserialize, Serialize};

use crate::detect::at_limit::cause;
use crate::detect::rule::{Nature, RuleSpec};
use crate::detect::words::traffic_words;
use crate::detect::{Case, Evaluation, Rule, Severity};
use crate::number::quantity::{Ratio, count, percent, rough_time, telling};
use crate::number::ratio;
use crate::series::history::{Known, PERIOD, QuarterHour};
use crate::series::window::Window;

/// What is true of the rule.
pub(super) const SPEC: RuleSpec = RuleSpec {
    name: "burn_rate",
    headline: "{timeouts} use up the error budget",
    value: "how many times faster than allowed the error budget is used",
    nature: Nature::Failure,
    quiet_factor: 1,
    next_steps: |steps| steps.of_timeouts(),
};

/// Fires when the error budget of 30 days would be gone in about two or five days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BurnRate {
    /// Whether it is used.
    pub enabled: bool,
    /// The share of the requests that must not end in 504, over 30 days.
    pub objective: Ratio,
}

impl Default for BurnRate {
    fn default() -> Self {
        let objective = Ratio::try_from(0.999).unwrap_or_else(|_| unreachable!("0.999 is a ratio"));
        Self { enabled: true, objective }
    }
}

/// One pair of windows.
struct Pair {
    /// The burn rate that both windows must pass.
    rate: f64,
    /// Fewer 504s than this in the long window are no evidence.
    fewest: f64,
    long: Failed,
    short: Failed,
    /// How long the short window is, minutes.
    minutes: u32,
}

/// 504s of requests over a window.
#[derive(Clone, Copy)]
struct Failed {
    timeouts: f64,
    requests: f64,
    /// How much of the window is known, minutes.
    known: f64,
    /// How long it is, minutes.
    length: f64,
}

impl Failed {
    fn of(window: Window<'_>, minutes: u32) -> Self {
        #[allow(clippy::cast_precision_loss)] // an hour
        let known = window.minutes() as f64;
        let (timeouts, requests) = (window.timeouts(), window.requests());
        Self { timeouts, requests, known, length: f64::from(minutes) }
    }

    fn share(self) -> f64 {
        ratio(self.timeouts, self.requests).unwrap_or_default()
    }

    /// The share that it has for certain: the part of the window that is not known had as
    /// many requests, and none of them failed.
    fn proven(self) -> f64 {
        self.share() * (self.known / self.length).min(1.0)
    }

    /// `12 of 340 requests (3.5 %) in 1 h`.
    fn words(self) -> String {
        format!(
            "{} of {} requests ({}) in {}",
            count(self.timeouts),
            count(self.requests),
            percent(self.share()),
            rough_time(60.0 * self.known)
        )
    }
}

impl BurnRate {
    /// The evaluation of the last 5 and 60 minutes, and of the last 30 minutes and 6 hours.
    #[must_use]
    pub fn judge(&self, case: Case<'_>) -> Evaluation {
        let allowed = 1.0 - self.objective.get();
        let newest = |minutes: u32| Failed::of(case.window.newest(minutes), minutes);
        let hour = newest(60);
        let pairs = [
            Pair { rate: 14.4, fewest: 5.0, long: hour, short: newest(5), minutes: 5 },
            Pair {
                rate: 6.0,
                fewest: 10.0,
                long: six_hours(case, hour),
                short: newest(30),
                minutes: 30,
            },
        ];
        let burns = |pair: &&Pair| {
            pair.long.timeouts >= pair.fewest
                && pair.long.proven() > pair.rate * allowed
                && pair.short.proven() > pair.rate * allowed
        };
        let value = (hour.requests > 0.0).then(|| hour.share() / allowed);
        match pairs.iter().find(burns) {
            None => Evaluation::ok(Rule::BurnRate, value, pairs[0].rate),
            Some(pair) => {
                Evaluation::ok(Rule::BurnRate, Some(pair.long.share() / allowed), pair.rate)
                    .breaching(Severity::Critical, self.why(case, pair))
            }
        }
    }

    fn why(&self, case: Case<'_>, pair: &Pair) -> String {
        let recent = case.window.newest(pair.minutes);
        let share = pair.long.share();
        let allowed = 1.0 - self.objective.get();
        format!(
            "{} {}, {}x what the objective of {} allows, and {}: at the rate of the longer time the budget for 30 days is gone in {}. {} {}",
            pair.long.words(),
            case.words().ended,
            telling(share / allowed),
            objective(self.objective),
            pair.short.words(),
            rough_time(30.0 * 86_400.0 * allowed / share),
            cause(case, recent),
            traffic_words(case, pair.minutes),
        )
    }
}

/// The objective in percent, with all its nines.
fn objective(objective: Ratio) -> String {
    format!("{} %", (objective.get() * 1e8).round() / 1e6)
}

/// The last hour by minute, and the five hours before by quarter-hour. The quarter-hour in
/// which the hour begins is partly in both and is left out.
fn six_hours(case: Case<'_>, hour: Failed) -> Failed {
    let readings = case.window.readings();
    let (Some(first), Some(last)) = (readings.first(), readings.last()) else { return hour };
    let begin = QuarterHour::containing(last.minute.plus(14 - 6 * 60));
    let end = QuarterHour::containing(first.minute);
    (begin.0..end.0).fold(hour, |sum, quarter_hour| {
        let sum = Failed { length: sum.length + PERIOD / 60.0, ..sum };
        let known = sum.known + PERIOD / 60.0;
        match case.outlook.recent(QuarterHour(quarter_hour)) {
            Known::Measured(summary) => Failed {
                timeouts: sum.timeouts + summary.timeouts,
                requests: sum.requests + summary.requests(),
                known,
                ..sum
            },
            Known::Idle => Failed { known, ..sum },
            Known::Unknown => sum,
        }
    })
}
