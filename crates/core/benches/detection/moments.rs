//! Forecasts beside the truth, at the two moments at which people hear of them.

use nearmiss_core::forecast::Forecast;
use nearmiss_core::signal::Minute;

/// A forecast, and how long it took.
#[derive(Clone, Copy)]
struct One {
    ratio: f64,
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
            (left > 300.0).then_some(One { ratio: forecast.mid / left, is_covered })
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

    pub fn print(&mut self, of: &str) {
        for (name, kind) in
            [("first message", &mut self.first), ("first below an hour", &mut self.close)]
        {
            for (truth, ones) in
                [("p99 at the timeout", &mut kind.to_timeout), ("incident", &mut kind.to_incident)]
            {
                println!("drift, {of}, {name}, to the {truth}: {}", summary(ones));
            }
        }
    }
}

/// `n 120, median est/true 0.97 [0.31, 1.82], range covers 88 %`.
fn summary(ones: &mut [One]) -> String {
    ones.sort_by(|a, b| a.ratio.total_cmp(&b.ratio));
    let at = |part: usize| ones.get(ones.len() * part / 10).map_or(f64::NAN, |one| one.ratio);
    let covered = ones.iter().filter(|one| one.is_covered).count();
    format!(
        "n {}, median est/true {:.2} [{:.2}, {:.2}], range covers {:.0} %",
        ones.len(),
        at(5),
        at(1),
        at(9),
        100.0 * covered as f64 / ones.len().max(1) as f64
    )
}
