//! Forecasts beside the truth, at the two moments at which people are notified of them.

use nearmiss_core::series::forecast::Forecast;
use nearmiss_core::time::Minute;

use crate::targets::Targets;

/// Where the median of estimate/truth must lie.
const MEDIAN: (f64, f64) = (0.7, 1.4);
/// The share of the truths that the ranges must cover.
const COVERED: f64 = 0.85;

/// A forecast, and how long it took.
#[derive(Clone, Copy)]
struct One {
    ratio: f64,
    /// From the forecast to what it is of, hours.
    lead: f64,
    is_covered: bool,
}

/// Forecasts of one kind: to a p99 at the timeout, and to the incident.
#[derive(Default)]
struct Kind {
    to_timeout: Vec<One>,
    to_incident: Vec<One>,
}

/// When `drift` first says something, and when it first says less than an hour.
#[derive(Default)]
pub struct Moments {
    first: Kind,
    close: Kind,
}

impl Moments {
    /// Adds what was said at a minute, unless it was over or nearly so by then.
    pub fn add(
        &mut self,
        is_close: bool,
        at: Minute,
        forecast: Forecast,
        at_timeout: Option<Minute>,
        incident: Option<Minute>,
    ) {
        let one = |truth: Option<Minute>| {
            let left = truth?.since(at) as f64 * 60.0;
            let is_covered = (forecast.low..=forecast.high).contains(&left);
            let (ratio, lead) = (forecast.mid / left, left / 3600.0);
            (left > 300.0).then_some(One { ratio, lead, is_covered })
        };
        let kind = if is_close { &mut self.close } else { &mut self.first };
        kind.to_timeout.extend(one(at_timeout));
        kind.to_incident.extend(one(incident));
    }

    /// Adds what others have seen.
    pub fn append(&mut self, other: Self) {
        for (kind, more) in [(&mut self.first, other.first), (&mut self.close, other.close)] {
            kind.to_timeout.extend(more.to_timeout);
            kind.to_incident.extend(more.to_incident);
        }
    }

    pub fn print(&self, of: &str) {
        for (what, ones) in self.kinds() {
            println!("drift, {of}, {what}: {}", summary(ones));
        }
    }

    /// The median must be near 1, and the range cover nearly all.
    pub fn judge(&self, targets: &mut Targets) {
        for (what, ones) in self.kinds() {
            let median = (!ones.is_empty()).then(|| part(ones, |one| one.ratio, 5));
            let ratio = format!("drift, {what}, median est/true");
            targets.at_least(&ratio, median, MEDIAN.0);
            targets.at_most(&ratio, median, MEDIAN.1);
            targets.at_least(&format!("drift, {what}, share covered"), covered(ones), COVERED);
        }
    }

    fn kinds(&self) -> [(&'static str, &[One]); 4] {
        let Self { first, close } = self;
        [
            ("first message, to the p99 at the timeout", &first.to_timeout),
            ("first message, to the incident", &first.to_incident),
            ("first below an hour, to the p99 at the timeout", &close.to_timeout),
            ("first below an hour, to the incident", &close.to_incident),
        ]
    }
}

/// This many tenths of them are less.
fn part(ones: &[One], figure: impl Fn(&One) -> f64, tenths: usize) -> f64 {
    let mut figures: Vec<f64> = ones.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() * tenths / 10).copied().unwrap_or(f64::NAN)
}

/// The share whose range contains the truth; `None` of none.
fn covered(ones: &[One]) -> Option<f64> {
    let covered = ones.iter().filter(|one| one.is_covered).count();
    (!ones.is_empty()).then(|| covered as f64 / ones.len() as f64)
}

/// `n 120, median est/true 0.97 [0.31, 1.82], range covers 88 %, median told 3.1 h before`.
fn summary(ones: &[One]) -> String {
    let ratio = |tenths| part(ones, |one| one.ratio, tenths);
    format!(
        "n {}, median est/true {:.2} [{:.2}, {:.2}], range covers {:.0} %, median told {:.1} h before",
        ones.len(),
        ratio(5),
        ratio(1),
        ratio(9),
        100.0 * covered(ones).unwrap_or(f64::NAN),
        part(ones, |one| one.lead, 5),
    )
}
