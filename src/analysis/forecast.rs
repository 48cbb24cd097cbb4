//! When a growing figure reaches its limit: always a range, never a point.
//!
//! Two robust lines are drawn through the newest quarters, one through the
//! figures and one through their logarithms. What grows steadily lies on the
//! first, what grows by a factor on the second; most real growth lies between,
//! so that a geometric mean of both is the estimate and their spread the range.

use serde::{Deserialize, Serialize};

use super::statistics::{Line, median, rising, theil_sen};

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

    /// What two forecasts of the same say together: the middle between them, and
    /// the range of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let middle = |a: f64, b: f64| (a.max(60.0) * b.max(60.0)).sqrt();
        let (low, high) = (self.low.min(other.low), self.high.max(other.high));
        let mid = middle(self.mid, other.mid).clamp(low, high);
        Self { low, mid, high }
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
/// How much of the estimate is growth by a factor; the rest is steady growth.
const BY_FACTOR: f64 = 0.7;
/// The range is widened by this factor, and by a quarter, to either side.
const DOUBT: f64 = 1.4;
/// The steps of a quarter, seconds.
const STEP: f64 = 900.0;

/// A significant rise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// Where the line began, in the figure's unit.
    pub from: f64,
    /// Where it is now.
    pub to: f64,
    /// Over how many quarters.
    pub quarters: usize,
    /// When it reaches the limit, seconds from the end of the newest quarter.
    pub forecast: Forecast,
}

/// The rise of a figure by quarter (oldest first, the last is the newest), when
/// it is significant, at least by the factor `rise`, and reaches `limit`.
/// Quarters without a figure leave a gap.
#[must_use]
pub fn trend(quarters: &[Option<f64>], limit: f64, rise: f64) -> Option<Trend> {
    let last = index(quarters.len().checked_sub(1)?);
    let points: Vec<(f64, f64)> = quarters
        .iter()
        .enumerate()
        .filter_map(|(i, value)| Some((index(i), value.filter(|v| *v > 0.0)?)))
        .collect();
    let values: Vec<f64> = points.iter().map(|(_, y)| *y).collect();
    if points.len() * 4 < quarters.len() * 3 || rising(&values)? <= SCORE {
        return None;
    }
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (*x, y.ln())).collect();
    let (linear, log) = (lately(theil_sen(&points)?, &points)?, lately(theil_sen(&logs)?, &logs)?);
    let (from, to) = (log.at(points.first()?.0).exp(), log.at(last).exp());
    if to < rise * from {
        return None;
    }
    let left =
        |line: Line, limit: f64| Some(((line.reaches(limit)? - last) * STEP - STEP / 2.0).max(0.0));
    let (slow, fast) = (left(linear, limit)?, left(log, limit.ln())?);
    let mid = slow.max(60.0).powf(1.0 - BY_FACTOR) * fast.max(60.0).powf(BY_FACTOR);
    let mid = mid.clamp(slow.min(fast), slow.max(fast));
    let forecast =
        Forecast::between(slow.min(fast) / DOUBT - STEP, mid, slow.max(fast) * DOUBT + STEP)?;
    Some(Trend { from, to, quarters: quarters.len(), forecast })
}

/// The line through the newest four points, with its slope: where growth gets
/// faster, the middle of the stretch lies below its ends.
fn lately(line: Line, points: &[(f64, f64)]) -> Option<Line> {
    let newest = &points[points.len().saturating_sub(4)..];
    let mut levels: Vec<f64> = newest.iter().map(|(x, y)| y - line.slope * x).collect();
    Some(Line { intercept: median(&mut levels)?, ..line })
}

#[allow(clippy::cast_precision_loss)] // dozens
fn index(i: usize) -> f64 {
    i as f64
}
