//! The few statistics that the detectors rest on, for at most a few dozen points.
//!
//! All of them are rank-based or counting: they need no model of the latency
//! and survive outliers. What cannot be computed is `None`, never a number.

/// The median; of an even number of values the mean of the middle two. The
/// values are left in another order.
pub fn median(values: &mut [f64]) -> Option<f64> {
    let (middle, odd) = (values.len() / 2, values.len() % 2 == 1);
    if values.is_empty() {
        return None;
    }
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let lower = below.iter().copied().max_by(f64::total_cmp);
    Some(lower.filter(|_| !odd).map_or(*upper, |lower| f64::midpoint(lower, *upper)))
}

/// A count out of a whole, as the lower end of the 95 % interval of its share (Wilson
/// 1927): the least that a few events among few requests prove.
#[must_use]
pub fn wilson_lower(events: f64, of: f64) -> f64 {
    if !(of > 0.0 && events > 0.0) {
        return 0.0;
    }
    let share = (events / of).min(1.0);
    let z = 1.96_f64;
    let centre = share + z * z / (2.0 * of);
    let spread = z * (share * (1.0 - share) / of + z * z / (4.0 * of * of)).sqrt();
    ((centre - spread) / (1.0 + z * z / of)).max(0.0)
}

/// The count that chance alone passes about once in a thousand looks, for
/// events that usually number `mean`: `mean + 3 sqrt(mean + 1)` (the normal
/// limit of Poisson's law, with one event added because a mean is itself a guess).
#[must_use]
pub fn beyond_chance(mean: f64) -> f64 {
    let mean = mean.max(0.0);
    mean + 3.0 * (mean + 1.0).sqrt()
}

/// How improbable it is that chance brings `events` or more among `of` requests, when
/// `seen` events were among `among` requests before: the predictive probability of a
/// Poisson rate that is itself a guess (Jeffreys' prior; a negative binomial law). One
/// where nothing is known.
#[must_use]
pub fn chance(events: f64, of: f64, seen: f64, among: f64) -> f64 {
    if !(of > 0.0 && among > 0.0) {
        return 1.0;
    }
    let shape = seen.max(0.0) + 0.5;
    let part = of / (of + among);
    let mut term = (1.0 - part).powf(shape);
    let mut below = 0.0;
    let mut k = 0.0;
    while k < events {
        below += term;
        term *= part * (shape + k) / (k + 1.0);
        k += 1.0;
    }
    // Where the sum has lost its digits, the first term left out is nearly all of it.
    (1.0 - below).max(term).min(1.0)
}

/// The standard normal deviate that is exceeded with this probability, up to one half
/// (Abramowitz and Stegun, 1964, 26.2.23: off by less than 0.00045).
#[must_use]
pub fn normal_score(exceeded: f64) -> f64 {
    let t = (-2.0 * exceeded.clamp(1e-300, 0.5).ln()).sqrt();
    let above = (0.010_328 * t + 0.802_853) * t + 2.515_517;
    let below = ((0.001_308 * t + 0.189_269) * t + 1.432_788) * t + 1.0;
    t - above / below
}

/// A straight line through `(index, value)` points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// Change of the value from one index to the next.
    pub slope: f64,
    /// The value at index zero.
    pub intercept: f64,
}

impl Line {
    /// The line's value at an index.
    #[must_use]
    pub fn at(self, index: f64) -> f64 {
        self.intercept + self.slope * index
    }

    /// The index at which the rising line reaches `level`; `None` when it does not rise.
    #[must_use]
    pub fn reaches(self, level: f64) -> Option<f64> {
        let index = (level - self.intercept) / self.slope;
        (self.slope > 0.0 && index.is_finite()).then_some(index)
    }
}

/// The median of all slopes between two points, and the median intercept
/// (Theil 1950, Sen 1968): up to 29 % of the points may be wrong. Indices must differ.
#[must_use]
pub fn theil_sen(points: &[(f64, f64)]) -> Option<Line> {
    let slope = median(&mut slopes_between(points))?;
    let mut levels: Vec<f64> = points.iter().map(|(x, y)| y - slope * x).collect();
    let intercept = median(&mut levels)?;
    (slope.is_finite() && intercept.is_finite()).then_some(Line { slope, intercept })
}

/// The slope of [`theil_sen`] between its lower and its upper bound, which lie `flatter` and
/// `steeper` standard deviations of Kendall's score away (Sen, 1968).
#[must_use]
pub fn slopes(points: &[(f64, f64)], flatter: f64, steeper: f64) -> Option<[f64; 3]> {
    let mut slopes = slopes_between(points);
    slopes.sort_unstable_by(f64::total_cmp);
    let (n, all) = (real(points.len()), real(slopes.len()));
    let deviation = (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a rank
    let at = |rank: f64| slopes.get(rank.clamp(0.0, all - 1.0) as usize).copied();
    Some([
        at((all - flatter * deviation) / 2.0)?,
        median(&mut slopes.clone())?,
        at(f64::midpoint(all, steeper * deviation))?,
    ])
}

fn slopes_between(points: &[(f64, f64)]) -> Vec<f64> {
    let mut slopes = Vec::with_capacity(points.len() * points.len().saturating_sub(1) / 2);
    for (later, (x, y)) in points.iter().enumerate() {
        slopes.extend(points[..later].iter().map(|(u, v)| (y - v) / (x - u)));
    }
    slopes
}

/// Whether values in order of time rise: the score of Mann (1945) and Kendall
/// (1975), in standard deviations, with the variance enlarged for
/// autocorrelation as Hamed and Rao (1998) do (first three lags, significant
/// positive ones only). `None` below four values, or when all are the same.
#[must_use]
pub fn rising(values: &[f64]) -> Option<f64> {
    let n = real(values.len());
    if values.len() < 4 {
        return None;
    }
    let pairs = || (1..values.len()).flat_map(|j| (0..j).map(move |i| (i, j)));
    let score: f64 = pairs().map(|(i, j)| sign(values[j] - values[i])).sum();
    let variance = (n * (n - 1.0) * (2.0 * n + 5.0) - ties(values)) / 18.0 * inflation(values);
    let z = (score - sign(score)) / variance.sqrt();
    z.is_finite().then_some(z)
}

/// The sum of `t (t - 1) (2 t + 5)` over groups of `t` equal values.
fn ties(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let groups = sorted.chunk_by(|a, b| a.to_bits() == b.to_bits());
    groups.map(|group| real(group.len())).map(|t| t * (t - 1.0) * (2.0 * t + 5.0)).sum()
}

/// How much autocorrelation of the ranks of the detrended values widens the
/// variance of Kendall's score; at least one.
fn inflation(values: &[f64]) -> f64 {
    let n = real(values.len());
    let points: Vec<(f64, f64)> = values.iter().enumerate().map(|(i, v)| (real(i), *v)).collect();
    let Some(line) = theil_sen(&points) else { return 1.0 };
    let detrended: Vec<f64> = points.iter().map(|(x, y)| y - line.slope * x).collect();
    let mean = f64::midpoint(n, -1.0);
    let ranks: Vec<f64> = detrended
        .iter()
        .map(|v| {
            let below = real(detrended.iter().filter(|other| *other < v).count());
            let same = real(detrended.iter().filter(|other| other.total_cmp(v).is_eq()).count());
            below + (same - 1.0) / 2.0 - mean
        })
        .collect();
    let power: f64 = ranks.iter().map(|r| r * r).sum();
    let lag = |k: usize| {
        let together: f64 = ranks.iter().zip(&ranks[k..]).map(|(a, b)| a * b).sum();
        let rho = together / power;
        let k = real(k);
        if rho > 1.96 / n.sqrt() { (n - k) * (n - k - 1.0) * (n - k - 2.0) * rho } else { 0.0 }
    };
    let sum: f64 = (1..=3).map(lag).sum();
    1.0 + 2.0 / (n * (n - 1.0) * (n - 2.0)) * sum
}

fn sign(value: f64) -> f64 {
    if value > 0.0 {
        1.0
    } else if value < 0.0 {
        -1.0
    } else {
        0.0
    }
}

/// A small count as a number.
#[allow(clippy::cast_precision_loss)] // dozens
fn real(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_agrees_with_the_published_table() {
        for (events, of, lower) in
            [(1.0, 30.0, 0.006), (3.0, 30.0, 0.035), (3.0, 300.0, 0.0034), (5.0, 900.0, 0.0024)]
        {
            let found = wilson_lower(events, of);
            assert!((found - lower).abs() < 0.1 * lower, "{events}/{of}: {found}");
        }
        assert_eq!((wilson_lower(0.0, 30.0), wilson_lower(3.0, 0.0)), (0.0, 0.0));
    }

    #[test]
    fn what_was_never_seen_becomes_improbable_with_what_was_looked_at() {
        // Nothing follows from nothing known.
        assert_eq!(chance(3.0, 120.0, 0.0, 0.0).to_bits(), 1.0_f64.to_bits());
        let after = |among: f64| chance(3.0, 120.0, 0.0, among);
        assert!(after(240.0) > 0.005 && after(5_000.0) < 1e-4, "{}", after(5_000.0));
        assert!(chance(3.0, 120.0, 20.0, 1_200.0) > 0.2, "two are usual");
        // Beside the sum of Poisson's law, where the rate is well known.
        let poisson = 1.0 - (-2.0_f64).exp() * (1.0 + 2.0 + 2.0);
        assert!((chance(3.0, 1.0, 2e6, 1e6) - poisson).abs() < 1e-3);
        assert!(chance(40.0, 1.0, 2e6, 1e6) < 1e-9);
    }

    #[test]
    fn normal_scores_agree_with_the_table() {
        for (exceeded, score) in [(0.5, 0.0), (0.158_655, 1.0), (0.01, 2.326_35), (1e-4, 3.719_02)]
        {
            assert!((normal_score(exceeded) - score).abs() < 5e-4, "{exceeded}");
        }
    }

    #[test]
    fn a_line_survives_outliers() {
        let mut points: Vec<(f64, f64)> =
            (0..10).map(|i| (f64::from(i), 3.0 + 2.0 * f64::from(i))).collect();
        points[4].1 = 1000.0;
        points[7].1 = -50.0;
        let line = theil_sen(&points).unwrap();
        assert!((line.slope - 2.0).abs() < 1e-9 && (line.at(0.0) - 3.0).abs() < 1e-9, "{line:?}");
        assert_eq!(line.reaches(23.0), Some(10.0));
        assert_eq!(Line { slope: 0.0, intercept: 1.0 }.reaches(2.0), None);
    }

    #[test]
    fn a_perfect_rise_scores_as_kendall_says() {
        let values: Vec<f64> = (0..8).map(f64::from).collect();
        // S = 28, Var = 8 * 7 * 21 / 18
        let expected = 27.0 / (8.0 * 7.0 * 21.0 / 18.0_f64).sqrt();
        assert!((rising(&values).unwrap() - expected).abs() < 1e-9);
        assert_eq!(rising(&[1.0; 8]), None);
        assert_eq!(rising(&[1.0, 2.0, 3.0]), None);
    }

    #[test]
    fn slow_waves_are_less_of_a_trend_than_their_score_says() {
        let wave: Vec<f64> = (0..24).map(|i| (f64::from(i) / 24.0 * 6.2).sin() * 9.0).collect();
        assert!(inflation(&wave) > 1.5);
        assert!(rising(&wave).unwrap() < 0.0);
    }

    #[test]
    fn a_median_of_an_even_number_lies_between() {
        assert_eq!(median(&mut [4.0, 1.0]), Some(2.5));
        assert_eq!(median(&mut []), None);
    }
}
