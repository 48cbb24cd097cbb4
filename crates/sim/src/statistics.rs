//! `CloudWatch` statistics over a set of values.
//!
//! A pool is a sorted list of (value, how often). Latencies, counters (a 1 per
//! event) and gauges all fit it, and pooling several minutes is a merge, so a
//! longer period is never an average of shorter ones.

/// Sorted values with their multiplicity.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Pool {
    values: Vec<(f64, u64)>,
    count: u64,
    /// Whether only number, sum, minimum and maximum were published.
    aggregated: bool,
}

/// One bound of a range, or none.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Range {
    /// lower exclusive, upper inclusive, in the metric's unit.
    Absolute(Option<f64>, Option<f64>),
    /// lower exclusive, upper inclusive, in percent of the values.
    Percent(f64, f64),
}

/// A parsed `Stat`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stat(Kind);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    SampleCount,
    Sum,
    Average,
    Minimum,
    Maximum,
    Percentile(f64),
    TrimmedMean(Range),
    TrimmedCount(Range),
    TrimmedSum(Range),
    WinsorizedMean(Range),
    PercentileRank(Option<f64>, Option<f64>),
}

/// How many of `count` values lie at or below this percentile (nearest rank).
pub(crate) fn rank(count: u64, percent: f64) -> u64 {
    // The tiny step back keeps 29 % of 100 from becoming rank 30.
    let exact = count as f64 * percent / 100.0;
    ((exact - 1e-9).ceil().max(0.0) as u64).min(count)
}

impl Pool {
    /// A pool of values in any order.
    pub(crate) fn new(mut values: Vec<(f64, u64)>) -> Self {
        values.retain(|value| value.1 > 0);
        values.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self::sorted(values)
    }

    fn sorted(values: Vec<(f64, u64)>) -> Self {
        let count = values.iter().map(|value| value.1).sum();
        Self { values, count, aggregated: false }
    }

    /// The same published as a statistic set.
    pub(crate) fn aggregated(self) -> Self {
        Self { aggregated: true, ..self }
    }

    /// Whether the values themselves are known: those of a statistic set are if there is one,
    /// or if all are the same.
    fn known(&self) -> bool {
        !self.aggregated || self.values.len() <= 1
    }

    /// Number of values.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    fn sum(&self) -> f64 {
        self.values.iter().map(|(value, times)| value * *times as f64).sum()
    }

    /// The value at a rank, the smallest for rank 0.
    pub(crate) fn at(&self, rank: u64) -> Option<f64> {
        if self.count == self.values.len() as u64 {
            // Each is there once.
            return self.values.get(rank.max(1) as usize - 1).map(|value| value.0);
        }
        let mut seen = 0;
        for (value, times) in &self.values {
            seen += times;
            if seen >= rank.max(1) {
                return Some(*value);
            }
        }
        None
    }

    /// The values inside a range.
    fn inside(&self, range: Range) -> Self {
        let values = match range {
            Range::Absolute(low, high) => self
                .values
                .iter()
                .filter(|(value, _)| low.is_none_or(|low| *value > low))
                .filter(|(value, _)| high.is_none_or(|high| *value <= high))
                .copied()
                .collect(),
            Range::Percent(low, high) => {
                let count = self.count();
                self.between_ranks(rank(count, low), rank(count, high))
            }
        };
        Self::sorted(values)
    }

    fn between_ranks(&self, after: u64, upto: u64) -> Vec<(f64, u64)> {
        let mut seen = 0;
        let mut kept = Vec::new();
        for (value, times) in &self.values {
            let (from, to) = (seen.max(after), (seen + times).min(upto));
            if to > from {
                kept.push((*value, to - from));
            }
            seen += times;
        }
        kept
    }

    fn average(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum() / count as f64)
    }

    /// Values outside the range are replaced by the nearest value inside it.
    fn winsorized(&self, range: Range) -> Option<f64> {
        let inside = self.inside(range);
        let (first, last) = (inside.values.first()?.0, inside.values.last()?.0);
        let clamped = self.values.iter().map(|(v, n)| (v.clamp(first, last), *n)).collect();
        Self::sorted(clamped).average()
    }
}

impl Stat {
    /// Reads a `Stat` as `CloudWatch` writes it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let kind = match text {
            "SampleCount" => Kind::SampleCount,
            "Sum" => Kind::Sum,
            "Average" => Kind::Average,
            "Minimum" => Kind::Minimum,
            "Maximum" => Kind::Maximum,
            "IQM" => Kind::TrimmedMean(Range::Percent(25.0, 75.0)),
            _ => parse_other(text)?,
        };
        Some(Self(kind))
    }

    /// Whether it is one of the five that every metric has.
    pub(crate) fn is_basic(self) -> bool {
        use Kind::{Average, Maximum, Minimum, SampleCount, Sum};
        matches!(self.0, SampleCount | Sum | Average | Minimum | Maximum)
    }

    /// Whether it leaves values out, or asks which of them are within bounds.
    pub(crate) fn is_trimmed(self) -> bool {
        !self.is_basic() && !self.is_percentile()
    }

    /// Whether it is a percentile.
    pub(crate) fn is_percentile(self) -> bool {
        matches!(self.0, Kind::Percentile(_))
    }

    /// The statistic of a pool; `None` where `CloudWatch` has no datapoint.
    pub(crate) fn of(self, pool: &Pool) -> Option<f64> {
        let count = pool.count();
        if count == 0 || !(pool.known() || self.is_basic()) {
            return None;
        }
        match self.0 {
            Kind::SampleCount => Some(count as f64),
            Kind::Sum => Some(pool.sum()),
            Kind::Average => pool.average(),
            Kind::Minimum => pool.values.first().map(|value| value.0),
            Kind::Maximum => pool.values.last().map(|value| value.0),
            Kind::Percentile(percent) => pool.at(rank(count, percent)),
            Kind::TrimmedMean(range) => pool.inside(range).average(),
            Kind::TrimmedCount(range) => Some(pool.inside(range).count() as f64),
            Kind::TrimmedSum(range) => Some(pool.inside(range).sum()),
            Kind::WinsorizedMean(range) => pool.winsorized(range),
            Kind::PercentileRank(low, high) => {
                let inside = pool.inside(Range::Absolute(low, high)).count();
                Some(100.0 * inside as f64 / count as f64)
            }
        }
    }
}

fn parse_other(text: &str) -> Option<Kind> {
    if let Some(number) = text.strip_prefix('p') {
        return Some(Kind::Percentile(percent(number)?));
    }
    for (short, long, make) in [
        ("tm", "TM", Kind::TrimmedMean as fn(Range) -> Kind),
        ("tc", "TC", Kind::TrimmedCount),
        ("ts", "TS", Kind::TrimmedSum),
        ("wm", "WM", Kind::WinsorizedMean),
    ] {
        if let Some(number) = text.strip_prefix(short) {
            return Some(make(Range::Percent(0.0, percent(number)?)));
        }
        if let Some(rest) = text.strip_prefix(long) {
            return Some(make(parse_range(rest)?));
        }
    }
    match parse_range(text.strip_prefix("PR")?)? {
        Range::Absolute(low, high) => Some(Kind::PercentileRank(low, high)),
        Range::Percent(..) => None,
    }
}

/// `(a:b)`, `(a%:b%)`, either side may be missing but not both.
fn parse_range(text: &str) -> Option<Range> {
    let (low, high) = text.strip_prefix('(')?.strip_suffix(')')?.split_once(':')?;
    if low.is_empty() && high.is_empty() {
        return None;
    }
    let is_percent = |side: &str| side.is_empty() || side.ends_with('%');
    if is_percent(low) && is_percent(high) {
        let side = |side: &str, open: f64| {
            if side.is_empty() { Some(open) } else { percent(side.trim_end_matches('%')) }
        };
        let (low, high) = (side(low, 0.0)?, side(high, 100.0)?);
        return (low < high).then_some(Range::Percent(low, high));
    }
    let side = |side: &str| match side {
        "" => Some(None),
        given => number(given).map(Some),
    };
    let (low, high) = (side(low)?, side(high)?);
    let ordered = low.zip(high).is_none_or(|(low, high)| low < high);
    ordered.then_some(Range::Absolute(low, high))
}

fn percent(text: &str) -> Option<f64> {
    number(text).filter(|value| (0.0..=100.0).contains(value))
}

/// A plain decimal with at most ten decimals.
fn number(text: &str) -> Option<f64> {
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let plain = text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    (plain && decimals <= 10).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn stat(text: &str, pool: &Pool) -> Option<f64> {
        Stat::parse(text).and_then(|stat| stat.of(pool))
    }

    fn close(a: Option<f64>, b: f64) -> bool {
        a.is_some_and(|a| (a - b).abs() < 1e-9 * b.abs().max(1.0))
    }

    fn random(seed: u64, size: usize) -> (Vec<f64>, Pool) {
        let mut rng = Rng::new(&[seed]);
        let mut raw: Vec<f64> = (0..size).map(|_| (rng.unit() * 60.0).round()).collect();
        raw.sort_by(f64::total_cmp);
        let pool = Pool::new(raw.iter().rev().map(|value| (*value, 1)).collect());
        (raw, pool)
    }

    #[test]
    fn every_statistic_equals_brute_force_on_random_pools() {
        for seed in 0..50 {
            let (raw, pool) = random(seed, 1 + seed as usize * 7);
            let n = raw.len() as f64;
            let sum: f64 = raw.iter().sum();
            assert!(close(stat("SampleCount", &pool), n));
            assert!(close(stat("Sum", &pool), sum));
            assert!(close(stat("Average", &pool), sum / n));
            let p90 =
                raw.iter().find(|v| raw.iter().filter(|w| w <= v).count() as f64 >= 0.9 * n - 1e-9);
            assert_eq!(stat("p90", &pool).as_ref(), p90);
            let inside: Vec<f64> =
                raw.iter().copied().filter(|v| *v > 20.0 && *v <= 48.0).collect();
            assert!(close(stat("TC(20:48)", &pool), inside.len() as f64));
            assert!(close(stat("TS(20:48)", &pool), inside.iter().sum()));
            assert!(close(stat("PR(20:48)", &pool), 100.0 * inside.len() as f64 / n));
        }
    }

    #[test]
    fn percent_ranges_split_a_pool_without_loss_or_overlap() {
        for seed in 0..50 {
            let (raw, pool) = random(seed, 3 + seed as usize);
            let parts = ["TC(:10%)", "TC(10%:95.5%)", "TC(95.5%:)"];
            let total: f64 = parts.iter().filter_map(|text| stat(text, &pool)).sum();
            assert!(close(Some(total), raw.len() as f64));
            let keep = rank(raw.len() as u64, 90.0) as usize;
            let mean = raw[..keep].iter().sum::<f64>() / keep as f64;
            assert!(close(stat("tm90", &pool), mean));
            assert_eq!(stat("tm90", &pool), stat("TM(:90%)", &pool));
        }
    }

    #[test]
    fn lower_bounds_are_exclusive_and_upper_bounds_inclusive() {
        let pool = Pool::new(vec![(48.0, 1), (48.000_001, 1), (60.0, 1)]);
        assert_eq!(stat("TC(48:60)", &pool), Some(2.0));
        assert_eq!(stat("TC(:48)", &pool), Some(1.0));
        assert_eq!(stat("TC(60:)", &pool), Some(0.0));
        assert_eq!(stat("TM(60:)", &pool), None);
    }

    #[test]
    fn pooling_is_not_averaging() {
        let pool = Pool::new(vec![(1.0, 99), (50.0, 1), (2.0, 900)]);
        assert_eq!(stat("p99.9", &pool), Some(2.0));
        assert_eq!(stat("p99.95", &pool), Some(50.0));
        assert_eq!(stat("p0", &pool), Some(1.0));
        assert_eq!(stat("p100", &pool), Some(50.0));
    }

    #[test]
    fn malformed_statistics_are_refused() {
        for text in [
            "",
            "P99",
            "p",
            "p101",
            "p-1",
            "TC",
            "TC()",
            "TC(:)",
            "TC(1)",
            "TC(2:1)",
            "TC(1:2%)",
            "PR(1%:2%)",
            "sum",
            "TM(1:2",
            "tc",
            "p1e1",
            "TC(0.12345678901:)",
        ] {
            assert!(Stat::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn an_empty_pool_has_no_datapoint() {
        assert_eq!(stat("Sum", &Pool::default()), None);
        assert_eq!(stat("TC(1:2)", &Pool::default()), None);
    }
}
