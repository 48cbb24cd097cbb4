//! The slowest answers become slower, and will reach the timeout.
//!
//! A p99 that rises because the work grows (data, a slow endpoint, a leak) can be
//! extrapolated; one that rises because requests queue cannot, and is the
//! business of `saturation`. A rise must be significant (Mann 1945, Kendall
//! 1975, Hamed and Rao 1998), above what is usual at this time of day, and seen in
//! two quarter-hours in a row. The p99 counts 504s as beyond the timeout.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::detect::compared::{Compared, LOOKBACK, Slower, slower};
use crate::detect::rule::{Nature, RuleSpec};
use crate::detect::words::{in_about, traffic_words};
use crate::detect::{Case, Evaluation, Rule, Severity, at_least};
use crate::number::quantity::{Span, count, rough_time, seconds};
use crate::series::baseline::Baseline;
use crate::series::forecast::{Limit, Trend, trend};
use crate::series::history::{Known, QuarterHour, QuarterHourStats};

/// What is true of the rule.
pub(super) const SPEC: RuleSpec = RuleSpec {
    name: "drift",
    headline: "answers become slower and will reach the timeout",
    value: "the p99 in seconds",
    nature: Nature::Forecast,
    quiet_factor: 1,
    next_steps: |steps| steps.of_slow_requests(),
};

/// Fires when the p99 of quarter-hours rises and may reach the timeout within `horizon`: the
/// early end of the forecast counts, as in `saturation`. What is likely may be a few hours
/// later. To wait until that is within the horizon would halve the time that is left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Drift {
    /// Whether it is used.
    pub enabled: bool,
    /// How far ahead it warns, by the earliest that is likely.
    pub horizon: Span,
    /// The requests that a quarter-hour must have for its p99 to count.
    pub min_requests: NonZeroU32,
}

impl Default for Drift {
    fn default() -> Self {
        Self { enabled: true, horizon: Span::seconds(4 * 3600), min_requests: at_least(100) }
    }
}

/// The share of the timeout from which on a p99 is looked at, when what is usual is known.
const LOOKED_AT: f64 = 0.2;
/// The same while it is not.
const LOOKED_AT_LEARNING: f64 = 0.5;
/// The factor by which it must pass the highest that is usual.
const ABOVE_USUAL: f64 = 1.25;
/// The factor by which it must have risen.
const RISE: f64 = 1.3;
/// Minutes and targets differ: the first are past the timeout when the quarter-hour is at this
/// share.
const UNEVEN: f64 = 0.92;
/// A timeout this close is critical, seconds.
const CLOSE: f64 = 3600.0;

impl Drift {
    /// The evaluation of the newest two quarter-hours.
    #[must_use]
    pub fn judge(&self, case: Case<'_>) -> Evaluation {
        let timeout = case.gateway.timeout.seconds;
        let outlook = case.outlook;
        let Some(now) = outlook.newest.first() else {
            return Evaluation::ok(Rule::Drift, None, timeout);
        };
        let p99 = self.p99(&now.summary, timeout);
        let quiet = Evaluation::ok(Rule::Drift, p99, timeout);
        let (Some(p99), Some(found)) = (p99, &outlook.trend) else { return quiet };
        let age = case
            .window
            .readings()
            .last()
            .map_or(0, |r| r.minute.plus(1).since(now.quarter_hour.end()));
        #[allow(clippy::cast_precision_loss)] // an hour at most
        let forecast = found.forecast.after(age as f64 * 60.0);
        let severity = if forecast.mid < CLOSE { Severity::Critical } else { Severity::Warning };
        let why = why(case, found, p99, now.summary.requests(), &in_about(forecast));
        quiet.breaching(severity, why).expecting(forecast)
    }

    /// The rise through the newest of some quarter-hours (six hours and one, oldest first),
    /// where it was there one quarter-hour ago too; what this rule fires on. It changes
    /// only once a quarter-hour. `course` is the p99 that is usual at the time of day of a
    /// quarter-hour: what rises every morning is no trend.
    #[must_use]
    pub fn trend(
        &self,
        newest: &[Compared],
        recent: &[(QuarterHour, Known)],
        timeout: f64,
        course: impl Fn(QuarterHour) -> Option<f64>,
    ) -> Option<Trend> {
        let now = newest.first()?;
        let is_high = |c: &&Compared| self.is_high(&c.summary, &c.usual, timeout);
        let high = newest.iter().take(2).filter(is_high).count();
        if high < 2 || self.p99(&now.summary, timeout)? >= timeout || queues(newest, timeout) {
            return None;
        }
        let usual = course(now.quarter_hour).filter(|usual| *usual > 0.0 && now.usual.is_known());
        let beside_now = |quarter_hour: QuarterHour| match usual {
            Some(usual) => course(quarter_hour).map_or(1.0, |then| usual / then),
            None => 1.0,
        };
        let figures: Vec<(f64, Option<f64>)> = recent
            .iter()
            .map(|(quarter_hour, known)| {
                (beside_now(*quarter_hour), self.known_p99(known, timeout))
            })
            .collect();
        let horizon = self.horizon.get().as_secs_f64();
        let limit = Limit { at: timeout, from: first_failures(&now.summary, timeout) };
        let rise = |figures: &[(f64, Option<f64>)]| {
            let beside: Vec<_> = figures.iter().map(|(by, p99)| p99.map(|p99| p99 * by)).collect();
            trend(&beside, limit, RISE).filter(|trend| trend.forecast.low <= horizon)
        };
        rise(&figures[..figures.len() - 1])?;
        let newest = &figures[figures.len() - LOOKBACK.min(figures.len())..];
        let forecast = rise(newest)?.forecast;
        let observed: Vec<_> = newest.iter().map(|(_, p99)| *p99).collect();
        Some(Trend { forecast, ..trend(&observed, limit, RISE)? })
    }

    /// The p99 of a quarter-hour, where it has enough requests for one.
    fn p99(&self, summary: &QuarterHourStats, timeout: f64) -> Option<f64> {
        let enough = summary.requests() >= f64::from(self.min_requests.get());
        summary.effective_p99(timeout).filter(|_| enough)
    }

    fn known_p99(&self, known: &Known, timeout: f64) -> Option<f64> {
        match known {
            Known::Measured(summary) => self.p99(summary, timeout),
            Known::Unknown | Known::Idle => None,
        }
    }

    /// Whether a quarter-hour is worth a look: high, and higher than usual.
    fn is_high(&self, summary: &QuarterHourStats, usual: &Baseline, timeout: f64) -> bool {
        let Some(p99) = self.p99(summary, timeout) else { return false };
        let looked_at = if usual.is_known() { LOOKED_AT } else { LOOKED_AT_LEARNING };
        p99 >= looked_at * timeout && usual.p99.is_none_or(|most| p99 > ABOVE_USUAL * most)
    }
}

/// Whether requests wait: a p99 that queues cannot be extrapolated.
fn queues(newest: &[Compared], timeout: f64) -> bool {
    let is_slower = |c: &Compared| {
        let usual = c.usual.p50.filter(|_| c.usual.is_known());
        c.summary.p50.zip(usual).is_some_and(|(p50, usual)| p50 > ABOVE_USUAL * usual)
    };
    let by_work = slower(newest, timeout) == Some(Slower::Work);
    newest.iter().take(2).any(|c| is_slower(c) && (!by_work || c.is_busier()))
}

/// The p99 of a quarter-hour at which 1 % of the requests of some five minutes, and at
/// least three, end in 504: before the quarter-hour as a whole has 1 %, and the sooner
/// the fewer requests five minutes have. Chance brings `k` events once in a dozen
/// looks where `(sqrt(k) - 0.85)^2` are expected (the square root of a Poisson
/// count has a deviation of 1/2); how far that smaller share lies beyond the
/// p99 is read off the power law through the p99 and the maximum.
fn first_failures(summary: &QuarterHourStats, timeout: f64) -> f64 {
    let requests = summary.requests();
    let in_five_minutes = requests / 3.0;
    let events = (0.01 * in_five_minutes).max(3.0);
    let share = ((events.sqrt() - 0.85).powi(2) / in_five_minutes).min(0.01);
    let beyond = (0.01 / share).ln() / (0.01 * requests).ln().max(1.0);
    let spread = match (summary.p99, summary.maximum) {
        (Some(p99), Some(maximum)) if p99 > 0.0 => (maximum / p99).max(1.0).powf(beyond.min(1.0)),
        _ => 1.0,
    };
    let limit = UNEVEN * timeout / spread.min(2.0);
    if limit.is_finite() { limit } else { timeout }
}

fn why(case: Case<'_>, trend: &Trend, p99: f64, requests: f64, when: &str) -> String {
    let usual = match case.outlook.newest.first().and_then(|c| c.usual.p99) {
        Some(p99) => format!("usual at this time: up to {}", seconds(p99)),
        None => "what is usual is not known yet".to_owned(),
    };
    let over = rough_time(trend.quarter_hours * 900.0);
    format!(
        "The p99 rose from {} to {} in {over} (now {} of {} requests in 15 min; {usual}). It reaches the {} timeout {when}. {}",
        seconds(trend.from),
        seconds(trend.to),
        seconds(p99),
        count(requests),
        seconds(case.gateway.timeout.seconds),
        traffic_words(case, 15),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::forecast::Forecast;

    /// The trend of a p99 that grows by 3 % a quarter-hour to 34 s, of 60.
    fn found(horizon: f64) -> Option<Trend> {
        let drift = Drift {
            horizon: Span::try_from(format!("{horizon:.0}s")).unwrap(),
            ..Drift::default()
        };
        let grows =
            |i: i32| 34.0 * 1.03_f64.powi(i - 24) * (1.0 + 0.03 * (f64::from(i) * 2.4).sin());
        let summary = |i: i32| QuarterHourStats {
            samples: 10_000.0,
            sum: Some(5_000.0),
            p50: Some(0.3),
            p99: Some(grows(i)),
            maximum: Some(1.1 * grows(i)),
            near_misses: Some(0.0),
            timeouts: 0.0,
            connection_errors: Some(0.0),
            timeout: 60.0,
        };
        let quarter_hour = |i: i32| QuarterHour(i64::from(i));
        let recent: Vec<_> =
            (0..=24).map(|i| (quarter_hour(i), Known::Measured(summary(i)))).collect();
        let compared = |i: i32| Compared {
            quarter_hour: quarter_hour(i),
            summary: summary(i),
            usual: Baseline::default(),
        };
        drift.trend(&[24, 23, 22].map(compared), &recent, 60.0, |_| None)
    }

    #[test]
    fn the_early_end_must_be_within_the_horizon_and_not_the_middle() {
        let Forecast { low, mid, .. } = found(1e6).unwrap().forecast;
        // A quarter-hour ago it looked further away.
        let within = f64::midpoint(low, mid);
        assert_eq!(found(within).map(|trend| trend.forecast.mid), Some(mid));
        assert_eq!(found(low - 60.0), None);
    }
}
