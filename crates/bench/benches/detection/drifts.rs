//! Drifts that no scenario has, by the hundred: how good a forecast is when it is first
//! made, and when it first says less than an hour.
//!
//! A class of requests grows slower until its p99 is at the timeout: by a factor, steadily,
//! faster and faster, or slower and slower, within two hours to two days, among 200 to
//! 30,000 requests in a quarter-hour. What is not slow is not drawn one by one.
//!
//! Steps are drawn in the same way: within a minute the class is slower, and stays so.

use nearmiss_core::detect::outlook::History;
use nearmiss_core::detect::{Case, Detectors, Severity, State};
use nearmiss_core::gateway::signal::Signal;
use nearmiss_core::number::statistics::normal_score;
use nearmiss_core::series::forecast::Forecast;
use nearmiss_core::series::history::{DAY, QuarterHour, QuarterHourStats};
use nearmiss_core::series::snapshot::Snapshot;
use nearmiss_core::series::window::Window;
use nearmiss_core::time::Minute;

use crate::chance::Chance;
use crate::moments::Moments;
use crate::replay::gateway;

/// When the first quarter-hour begins.
const FIRST: Minute = Minute(29_464_320);
/// Quarter-hours after the p99 is at the timeout.
const AFTER: i64 = 8;
/// Quarter-hours after a step: as long as it can be taken for a drift, and some.
const AFTER_STEP: f64 = 32.0;
/// Quarter-hours before the drift.
const BEFORE: i64 = 8 * DAY;

/// One drift.
struct Drift {
    timeout: f64,
    /// The p99 before, seconds.
    usual: f64,
    /// The p99 at the end, seconds: that of a drift is at the timeout.
    end: f64,
    /// From the beginning to the end, quarter-hours.
    takes: f64,
    /// How the p99 goes from the usual one to that at the end within 0 to 1.
    course: fn(f64, f64, f64) -> f64,
    /// The share of the slow class, and the sigma of its lognormal law.
    share: f64,
    sigma: f64,
    requests: f64,
    swing: f64,
}

impl Drift {
    fn drawn(chance: &mut Chance) -> Self {
        let by_factor = |from: f64, to: f64, x: f64| from * (to / from).powf(x);
        let steady = |from: f64, to: f64, x: f64| from + (to - from) * x;
        let faster = |from: f64, to: f64, x: f64| from + (to - from) * x * x;
        let slower = |from: f64, to: f64, x: f64| from + (to - from) * x.sqrt();
        let courses: [fn(f64, f64, f64) -> f64; 4] = [by_factor, steady, faster, slower];
        let timeout = [30.0, 60.0, 60.0, 60.0, 120.0][chance.below(5)];
        Self {
            timeout,
            usual: timeout * chance.between(0.05, 0.35),
            end: timeout,
            takes: 4.0 * chance.by_factor(2.0, 48.0),
            course: courses[[0, 0, 0, 0, 0, 1, 1, 2, 2, 3][chance.below(10)]],
            share: 0.015 + 0.085 * chance.uniform() * chance.uniform(),
            sigma: chance.between(0.2, 0.7),
            requests: chance.by_factor(200.0, 30_000.0),
            swing: chance.between(0.0, 0.6),
        }
    }

    /// A step to at least one and a half times the p99, and below the timeout.
    fn step(chance: &mut Chance) -> Self {
        let drawn = Self::drawn(chance);
        let end = chance.by_factor(1.5 * drawn.usual, 0.8 * drawn.timeout);
        Self { end, takes: AFTER_STEP, course: |_, end, _| end, ..drawn }
    }

    /// The p99 this many quarter-hours after the beginning.
    fn p99(&self, after: f64) -> f64 {
        if after < 0.0 {
            return self.usual;
        }
        (self.course)(self.usual, self.end, after / self.takes)
    }

    /// What CloudWatch says of a quarter-hour, this many after the beginning, and whether 1 %
    /// of the requests of some five minutes of it, at least three, timed out.
    fn quarter_hour(
        &self,
        chance: &mut Chance,
        quarter_hour: i64,
        after: f64,
    ) -> (QuarterHourStats, bool) {
        let time = (quarter_hour.rem_euclid(DAY)) as f64 / DAY as f64;
        let busy = 1.0 + self.swing * (time * std::f64::consts::TAU).sin();
        let requests = chance.poisson(self.requests * busy);
        let exceeded = 0.01 / self.share;
        let score =
            if exceeded > 0.5 { -normal_score(1.0 - exceeded) } else { normal_score(exceeded) };
        let (mut answers, mut timeouts, mut is_incident) = (Vec::new(), 0.0, false);
        for part in 0..3 {
            let p99 = self.p99(after + (f64::from(part) + 0.5) / 3.0);
            let median = p99 * (-self.sigma * score).exp();
            let mut failed = 0.0;
            for _ in 0..chance.poisson(self.share * requests / 3.0) as usize {
                let took = median * (self.sigma * chance.normal()).exp();
                if took > self.timeout { failed += 1.0 } else { answers.push(took) }
            }
            is_incident |= failed >= 3.0 && failed > 0.01 * requests / 3.0;
            timeouts += failed;
        }
        answers.sort_by(f64::total_cmp);
        let samples = (requests - timeouts).max(0.0);
        let slower = (0.01 * samples) as usize;
        let p99 = answers.iter().rev().nth(slower).copied().unwrap_or(0.02 * self.timeout);
        let near = answers.iter().filter(|took| **took > 0.8 * self.timeout).count();
        let quick = 0.3 * (samples - answers.len() as f64).max(0.0);
        let summary = QuarterHourStats {
            samples,
            sum: Some(answers.iter().sum::<f64>() + quick),
            p50: Some(0.25),
            p99: Some(p99),
            maximum: answers.last().copied(),
            near_misses: Some(near as f64),
            timeouts,
            connection_errors: Some(0.0),
            timeout: self.timeout,
        };
        (summary, is_incident)
    }

    /// The first forecast, and the first that says less than an hour.
    fn forecasts(&self, chance: &mut Chance, moments: &mut Moments) {
        let begin = QuarterHour::containing(FIRST).plus(BEFORE + chance.below(96) as i64);
        let at_timeout = begin.start().plus((15.0 * self.takes) as i64);
        let Told { first, close, incident } = self.notified(chance, begin, 0.0);
        let incident = incident.unwrap_or(at_timeout).min(at_timeout);
        for (notified, is_close) in [(first, false), (close, true)] {
            let Some((at, forecast)) = notified else { continue };
            moments.add(is_close, at, forecast, Some(at_timeout), Some(incident));
        }
    }

    /// What is notified from a quarter-hour on, in which it begins after a `part` of it.
    fn notified(&self, chance: &mut Chance, begin: QuarterHour, part: f64) -> Told {
        let gateway = gateway(self.timeout);
        let mut history = History::new();
        let mut notified = Told::default();
        let end = begin.plus(self.takes as i64 + AFTER);
        for quarter_hour in (QuarterHour::containing(FIRST).0..end.0).map(QuarterHour) {
            let after = (quarter_hour.0 - begin.0) as f64 - part;
            let (summary, is_incident) = self.quarter_hour(chance, quarter_hour.0, after);
            history.enter(quarter_hour, &summary);
            if is_incident && quarter_hour >= begin {
                notified.incident.get_or_insert(quarter_hour.end());
            }
            let now = quarter_hour.end().plus(2);
            if quarter_hour >= begin
                && let Some((severity, forecast)) = says(&gateway, &mut history, now)
            {
                notified.first.get_or_insert((now, forecast));
                if severity == Severity::Critical {
                    notified.close.get_or_insert((now, forecast));
                }
            }
        }
        notified
    }
}

/// The first forecast, the first that says less than an hour, and when 1 % failed.
#[derive(Default)]
struct Told {
    first: Option<(Minute, Forecast)>,
    close: Option<(Minute, Forecast)>,
    incident: Option<Minute>,
}

/// What the rule says at the end of this minute.
fn says(
    gateway: &std::sync::Arc<nearmiss_core::gateway::Gateway>,
    history: &mut History,
    minute: Minute,
) -> Option<(Severity, Forecast)> {
    let detectors = Detectors::default();
    let mut snapshot = Snapshot::quiet(minute, minute.plus(1), &[Signal::Samples]);
    snapshot.record(Signal::Samples, minute, 10.0);
    let readings = snapshot.readings(minute, 1);
    let outlook = history.outlook(gateway, &detectors.drift, minute);
    let window = Window::over(&readings);
    let verdict = detectors.drift.judge(Case { gateway, window, outlook });
    let forecast = verdict.forecast.filter(|_| verdict.state == State::Breaching)?;
    Some((verdict.severity, forecast))
}

/// This many drifts.
pub fn measure(drifts: usize, seed: u64) -> Moments {
    let mut chance = Chance::new(seed);
    let mut moments = Moments::default();
    for _ in 0..drifts {
        let drift = Drift::drawn(&mut chance);
        drift.forecasts(&mut chance, &mut moments);
    }
    moments
}

/// Of this many steps, those that were called a trend.
pub fn steps_called_trends(steps: usize, seed: u64) -> usize {
    let mut chance = Chance::new(seed ^ 0x57E9);
    let is_called = |_: &usize| {
        let step = Drift::step(&mut chance);
        let begin = QuarterHour::containing(FIRST).plus(BEFORE + chance.below(96) as i64);
        let part = chance.uniform();
        step.notified(&mut chance, begin, part).first.is_some()
    };
    (0..steps).filter(is_called).count()
}
