//! When a growing figure reaches its limit: always a range, never a point.
//!
//! What jumps has no trend, and what grows has not grown before it began to: a rise is
//! looked for after the last step, and from where a level turns into a line. Two robust
//! lines are drawn through it, one through the figures and one through their logarithms.
//! What grows steadily lies on the first, what grows by a factor on the second. The
//! estimate is their mean, in which each counts by how close the figures are to it
//! (Bayesian model averaging); the range reaches from the earliest of both to the latest.

use serde::{Deserialize, Serialize};

use crate::number::statistics::{Line, median, rising, slopes, theil_sen};

/// Seconds until something is reached: `low <= mid <= high`, all finite and not negative.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// The earliest that is likely, seconds.
    pub low: f64,
    /// The best estimate, seconds.
    pub mid: f64,
    /// The latest that is likely, seconds.
    pub high: f64,
}

impl Forecast {
    /// A range; what is negative is now. `None` when a figure is not finite.
    #[must_use]
    pub fn between(low: f64, mid: f64, high: f64) -> Option<Self> {
        if !(low.is_finite() && mid.is_finite() && high.is_finite()) {
            return None;
        }
        let mid = mid.max(0.0);
        Some(Self { low: low.clamp(0.0, mid), mid, high: high.max(mid) })
    }

    /// The same, seen `seconds` later.
    #[must_use]
    pub fn after(self, seconds: f64) -> Self {
        let later = |value: f64| (value - seconds).max(0.0);
        Self { low: later(self.low), mid: later(self.mid), high: later(self.high) }
    }
}

/// A score of Kendall above which a rise is no chance: 1 %, two-sided.
const SCORE: f64 = 2.58;
/// How many times closer than a step a line must be: to a noisy step among few points both
/// are close.
const SURELY: f64 = 1.2;
/// A rise through fewer points than this is none.
const FEWEST: usize = 6;
/// Fewer points than this are no level: one may be an outlier.
const LEVEL: usize = 2;
/// The steps of a quarter-hour, seconds.
const STEP: f64 = 900.0;
/// The line's newest points, which say where it stands now.
const NEWEST: usize = 4;
/// Standard deviations for the steepest slope of a range: 5 % are steeper.
const STEEPER: f64 = 1.645;
/// The same for the flattest: 2.5 % are flatter. A rise is first seen where chance makes it
/// look steeper than it is, so that forecasts err to the early side.
const FLATTER: f64 = 1.96;
/// The least factor by which a range goes to either side of the estimate; fifteen minutes
/// come on top.
const DOUBT: f64 = 1.25;
/// How sharply the fit decides between the two lines, of what would be right if each
/// quarter-hour stood for itself.
const SHARPNESS: f64 = 0.5;

/// A significant rise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// Where the line began, in the figure's unit.
    pub from: f64,
    /// Where it is now.
    pub to: f64,
    /// How long ago it began, quarter-hours.
    pub quarter_hours: f64,
    /// When it reaches the limit, seconds from the end of the newest quarter-hour.
    pub forecast: Forecast,
}

/// What is to be reached.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// Where the estimate is headed.
    pub at: f64,
    /// Where the range begins: what the limit is about may come before it is reached.
    pub from: f64,
}

/// The rise of a figure by quarter-hour (oldest first, the last is the newest), when it is
/// significant, at least by the factor `rise`, and reaches the limit. Quarter-hours without
/// a figure leave a gap.
#[must_use]
pub fn trend(quarter_hours: &[Option<f64>], limit: Limit, rise: f64) -> Option<Trend> {
    let last = index(quarter_hours.len().checked_sub(1)?);
    let points: Vec<(f64, f64)> = quarter_hours
        .iter()
        .enumerate()
        .filter_map(|(i, value)| Some((index(i), value.filter(|v| *v > 0.0)?)))
        .collect();
    if points.len() * 4 < quarter_hours.len() * 3 {
        return None;
    }
    let points = &points[onset(&points)..];
    let values: Vec<f64> = points.iter().map(|(_, y)| *y).collect();
    if points.len() < FEWEST || rising(&values)? <= SCORE {
        return None;
    }
    let first = points.first()?.0;
    let laws = [Law::of(points, &BY_FACTOR)?, Law::of(points, &STEADY)?];
    let (from, to) = (laws[0].at(first), laws[0].at(last));
    if to < rise * from {
        return None;
    }
    let arrivals = [laws[0].arrival(limit, last)?, laws[1].arrival(limit, last)?];
    let weight = laws[0].weight / (laws[0].weight + laws[1].weight);
    let [fast, slow] = arrivals.map(|arrival| arrival.mid.max(60.0));
    let mid = fast.powf(weight) * slow.powf(1.0 - weight);
    let low = arrivals[0].low.min(arrivals[1].low).min(mid / DOUBT);
    let high = arrivals[0].high.max(arrivals[1].high).max(mid * DOUBT);
    let forecast = Forecast::between(low - STEP, mid, high + STEP)?;
    Some(Trend { from, to, quarter_hours: last - first, forecast })
}

/// A way to grow: what makes a straight line of it, the way back, and how likely it is
/// before anything is seen.
struct Growth {
    straight: fn(f64) -> f64,
    back: fn(f64) -> f64,
    prior: f64,
}

const BY_FACTOR: Growth = Growth { straight: f64::ln, back: f64::exp, prior: 0.75 };
const STEADY: Growth = Growth { straight: |y| y, back: |y| y, prior: 0.25 };

/// A growth through some points, with its flattest and its steepest line (Sen, 1968).
struct Law<'a> {
    growth: &'a Growth,
    flat: Line,
    middle: Line,
    steep: Line,
    /// How much it counts, beside another one of the same points.
    weight: f64,
}

impl<'a> Law<'a> {
    fn of(points: &[(f64, f64)], growth: &'a Growth) -> Option<Self> {
        let straight: Vec<(f64, f64)> =
            points.iter().map(|(x, y)| (*x, (growth.straight)(*y))).collect();
        let [flat, middle, steep] = slopes(&straight, FLATTER, STEEPER)?.map(|slope| Line {
            slope,
            intercept: level(&straight[straight.len().saturating_sub(NEWEST)..], slope),
        });
        let expected = |x: f64| (growth.back)(middle.at(x)).max(f64::MIN_POSITIVE);
        let off: f64 = points.iter().map(|(x, y)| (y / expected(*x)).ln().abs()).sum();
        let weight = growth.prior * off.max(1e-9).powf(-SHARPNESS * index(points.len()));
        Some(Self { growth, flat, middle, steep, weight })
    }

    fn at(&self, index: f64) -> f64 {
        (self.growth.back)(self.middle.at(index))
    }

    /// When it reaches the limit, seconds after the quarter-hour `last`; at the latest in a
    /// year. `None` where it does not rise.
    fn arrival(&self, limit: Limit, last: f64) -> Option<Forecast> {
        const YEAR: f64 = 366.0 * 86_400.0;
        let left = |line: Line, limit: f64| {
            let left = line.reaches((self.growth.straight)(limit))? - last;
            Some((left * STEP - STEP / 2.0).clamp(0.0, YEAR))
        };
        let (low, mid) = (left(self.steep, limit.from)?, left(self.middle, limit.at)?);
        Forecast::between(low, mid, left(self.flat, limit.at).unwrap_or(YEAR))
    }
}

/// The median level of points, beside lines of this slope.
fn level(points: &[(f64, f64)], slope: f64) -> f64 {
    let mut levels: Vec<f64> = points.iter().map(|(x, y)| y - slope * x).collect();
    median(&mut levels).unwrap_or(0.0)
}

/// Where a rise begins: after the last step, and where a level turns into a line.
fn onset(points: &[(f64, f64)]) -> usize {
    let begin = last_step(points, SURELY);
    begin + Phases::of(&points[begin..]).map_or(0, |phases| phases.bend.1)
}

/// How many of these points come before the last step: where a jump from one level to
/// another explains them better than any line that leaves a level, unless that is
/// `surely` times as close.
#[must_use]
pub fn last_step(points: &[(f64, f64)], surely: f64) -> usize {
    let mut begin = 0;
    while let Some(phases) = Phases::of(&points[begin..])
        && phases.jump.0 < surely * phases.bend.0
    {
        begin += phases.jump.1;
    }
    begin
}

/// Two phases of some points (Hinkley, 1971, here with absolute residuals of the
/// logarithms): how far they are from the best of each kind, and where it begins.
struct Phases {
    /// A level, and another one.
    jump: (f64, usize),
    /// A level, and a line that leaves it; or a line alone.
    bend: (f64, usize),
}

impl Phases {
    /// `None` of too few points.
    fn of(points: &[(f64, f64)]) -> Option<Self> {
        let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (*x, y.ln())).collect();
        if logs.len() < FEWEST {
            return None;
        }
        let best = |a: (f64, usize), b: (f64, usize)| if b.0 < a.0 { b } else { a };
        let splits = || LEVEL..=logs.len() - LEVEL;
        let jump = |at: usize| (off_level(&logs[..at]) + off_level(&logs[at..]), at);
        let bend = |at: usize| (off_level(&logs[..at]) + off_rise(&logs, at), at - 1);
        let line = (off(&logs, theil_sen(&logs)?), 0);
        let jump = splits().map(jump).reduce(best)?;
        Some(Self { jump, bend: splits().map(bend).fold(line, best) })
    }
}

/// How far points are from a line, together.
fn off(points: &[(f64, f64)], line: Line) -> f64 {
    points.iter().map(|(x, y)| (y - line.at(*x)).abs()).sum()
}

/// How far they are from their level.
fn off_level(points: &[(f64, f64)]) -> f64 {
    off(points, Line { slope: 0.0, intercept: level(points, 0.0) })
}

/// How far those from `at` on are from a line that leaves the level of those before it.
fn off_rise(points: &[(f64, f64)], at: usize) -> f64 {
    let (before, after) = points.split_at(at);
    let (from, height) = (points[at - 1].0, level(before, 0.0));
    let mut slopes: Vec<f64> = after.iter().map(|(x, y)| (y - height) / (x - from)).collect();
    let slope = median(&mut slopes).unwrap_or(0.0);
    off(after, Line { slope, intercept: height - slope * from })
}

#[allow(clippy::cast_precision_loss)] // dozens
fn index(i: usize) -> f64 {
    i as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO_60: Limit = Limit { at: 60.0, from: 60.0 };

    fn found(figures: &[f64]) -> Option<Trend> {
        let figures: Vec<Option<f64>> = figures.iter().copied().map(Some).collect();
        trend(&figures, TO_60, 1.3)
    }

    /// A little up and down that is no trend.
    fn noise(i: i32) -> f64 {
        (f64::from(i) * 2.4).sin() * 0.04 + 1.0
    }

    #[test]
    fn a_step_is_no_trend() {
        assert_eq!(found(&[3.9, 3.3, 5.0, 29.4, 29.0, 30.8, 30.8, 32.0]), None);
        for at in 0..=24 {
            for height in [2.0, 5.0, 9.0] {
                let step = |i: i32| noise(i) * if i < at { 6.0 } else { 6.0 * height };
                let steps: Vec<f64> = (0..24).map(step).collect();
                assert_eq!(found(&steps), None, "{height} times as slow from {at} on");
            }
        }
        let stairs = |i: i32| noise(i) * [4.0, 11.0, 34.0][usize::try_from(i / 8).unwrap()];
        assert_eq!(found(&(0..24).map(stairs).collect::<Vec<_>>()), None);
    }

    #[test]
    fn a_noisy_step_is_no_trend() {
        // From 16 to 30 in one quarter-hour, up to a half more or less.
        let steps = [
            [
                14.2, 13.1, 11.8, 23.2, 13.0, 13.0, 17.3, 16.5, 13.6, 11.6, 16.4, 16.8, 19.4, 17.2,
                26.9, 23.7, 32.0, 27.4, 35.2, 30.3, 35.9, 37.8, 18.9, 26.4,
            ],
            [
                14.2, 14.8, 18.0, 13.4, 15.6, 15.4, 15.3, 16.3, 18.2, 18.5, 17.8, 11.5, 20.1, 17.0,
                18.1, 22.8, 32.9, 22.4, 40.1, 42.5, 26.1, 31.4, 22.7, 38.2,
            ],
            [
                10.7, 15.7, 14.0, 10.8, 19.2, 13.0, 22.4, 16.0, 16.6, 14.9, 10.0, 10.0, 15.0, 17.5,
                18.8, 36.1, 19.6, 22.6, 28.3, 30.3, 37.2, 28.3, 36.0, 34.4,
            ],
        ];
        for step in steps {
            assert_eq!(found(&step), None, "{step:?}");
        }
    }

    #[test]
    fn growth_is_a_trend_from_where_it_begins() {
        for began in [0, 4, 10, 16] {
            let by_factor = |i: i32| noise(i) * 8.0 * 1.08_f64.powi((i - began).max(0));
            let steady = |i: i32| noise(i) * (8.0 + 1.3 * f64::from((i - began).max(0)));
            for (name, grows) in
                [("by a factor", &by_factor as &dyn Fn(i32) -> f64), ("steadily", &steady)]
            {
                let figures: Vec<f64> = (0..24).map(grows).collect();
                let trend = found(&figures).unwrap_or_else(|| panic!("{name} from {began} on"));
                let after = trend.quarter_hours - f64::from(23 - began);
                assert!(after.abs() <= 3.0, "{name} from {began} on: {trend:?}");
                let arrives = (24..10_000).find(|i| grows(*i) >= 60.0).unwrap() - 23;
                let truth = f64::from(arrives) * STEP;
                let Forecast { low, mid, high } = trend.forecast;
                assert!(low <= truth && truth <= high, "{name} {began}: {trend:?}, {truth}");
                assert!((0.4..1.7).contains(&(mid / truth)), "{name} {began}: {mid} {truth}");
            }
        }
    }

    #[test]
    fn growth_after_a_step_is_that_after_it() {
        let grows = |i: i32| noise(i) * if i < 10 { 2.0 } else { 12.0 * 1.06_f64.powi(i - 10) };
        let trend = found(&(0..24).map(grows).collect::<Vec<_>>()).unwrap();
        assert!(trend.from > 10.0 && trend.quarter_hours <= 14.0, "{trend:?}");
    }

    #[test]
    fn the_range_begins_where_the_first_failures_are() {
        let figures: Vec<Option<f64>> =
            (0..24).map(|i| Some(noise(i) * 8.0 * 1.06_f64.powi(i))).collect();
        let late = trend(&figures, TO_60, 1.3).unwrap().forecast;
        let early = trend(&figures, Limit { at: 60.0, from: 45.0 }, 1.3).unwrap().forecast;
        assert!(early.low < late.low && early.mid.to_bits() == late.mid.to_bits());
    }
}
