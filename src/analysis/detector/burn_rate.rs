//! 504s use up the error budget (Site Reliability Workbook, chapter 5).
//!
//! A burn rate is the share of failed requests divided by the share that the
//! objective allows. It must be high over a long window, so that it matters, and
//! over a short one, so that it still goes on. Every 504 counts, whatever its
//! cause: the budget does not ask.

use serde::{Deserialize, Serialize};

use super::at_limit::cause;
use super::words::{of_requests, traffic_words};
use super::{Case, Rule, Severity, Verdict};
use crate::analysis::history::{Known, PERIOD, Quarter};
use crate::analysis::quantity::{Ratio, percent, rough_time};
use crate::analysis::window::Window;

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
}

/// 504s of requests.
#[derive(Clone, Copy)]
struct Failed {
    timeouts: f64,
    requests: f64,
}

impl Failed {
    fn of(window: Window<'_>) -> Self {
        Self { timeouts: window.timeouts(), requests: window.requests() }
    }

    fn share(self) -> f64 {
        if self.requests > 0.0 { self.timeouts / self.requests } else { 0.0 }
    }
}

impl BurnRate {
    /// The verdict on the last 5 and 60 minutes, and on the last 30 minutes and 6 hours.
    #[must_use]
    pub fn judge(&self, case: Case<'_>) -> Verdict {
        let allowed = 1.0 - self.objective.get();
        let hour = Failed::of(case.window);
        let newest = |minutes: u32| Failed::of(case.window.newest(minutes));
        let pairs = [
            Pair { rate: 14.4, fewest: 5.0, long: hour, short: newest(5) },
            Pair { rate: 6.0, fewest: 10.0, long: six_hours(case, hour), short: newest(30) },
        ];
        let burns = |pair: &&Pair| {
            pair.long.timeouts >= pair.fewest
                && pair.long.share() > pair.rate * allowed
                && pair.short.share() > pair.rate * allowed
        };
        let value = (hour.requests > 0.0).then(|| hour.share() / allowed);
        match pairs.iter().find(burns) {
            None => Verdict::quiet(Rule::BurnRate, value, pairs[0].rate),
            Some(pair) => {
                Verdict::quiet(Rule::BurnRate, Some(pair.long.share() / allowed), pair.rate)
                    .breaching(Severity::Critical, self.why(case, pair))
            }
        }
    }

    fn why(&self, case: Case<'_>, pair: &Pair) -> String {
        let recent = case.window.newest(5);
        let share = pair.short.share();
        let allowed = 1.0 - self.objective.get();
        let gone = rough_time(30.0 * 86_400.0 * allowed / share.max(1e-9));
        format!(
            "{} ({}) ended in 504, {:.0}x what the objective of {} allows: its budget for 30 days is gone in {gone} at this rate. {} {}",
            of_requests(recent.timeouts(), recent),
            percent(share),
            share / allowed,
            objective(self.objective),
            cause(case, recent),
            traffic_words(case, 5),
        )
    }
}

/// The objective in percent, with all its nines.
fn objective(objective: Ratio) -> String {
    format!("{} %", (objective.get() * 1e8).round() / 1e6)
}

/// The last hour by minute, and the five hours before by quarter. The quarter in
/// which the hour begins is in part of both ends and left out.
fn six_hours(case: Case<'_>, hour: Failed) -> Failed {
    let Some(first) = case.window.readings().first() else { return hour };
    #[allow(clippy::cast_possible_truncation)] // 24
    let quarters = (6.0 * 3600.0 / PERIOD) as i64;
    let last = Quarter::containing(first.minute);
    let before =
        case.outlook.recent.iter().filter(|(quarter, _)| {
            *quarter < last && last.0.saturating_sub(quarter.0) <= quarters - 4
        });
    before.fold(hour, |sum, (_, known)| match known {
        Known::Measured(summary) => Failed {
            timeouts: sum.timeouts + summary.timeouts,
            requests: sum.requests + summary.requests(),
        },
        Known::Unknown | Known::Idle => sum,
    })
}
