//! The alarms that others use, by minute.

use std::collections::BTreeMap;

use nearmiss_core::time::Minute;

use crate::replay::DELAY;
use crate::series::{Row, Series};

/// Alarms of this kind that fire closer than this are one episode, minutes.
const MERGE: i64 = 60;

/// The alarms that others use, by minute.
pub fn baselines(series: &Series, start: Minute) -> Vec<(&'static str, Vec<Minute>)> {
    let rows = &series.minutes;
    let n = rows.len();
    let begin = usize::try_from(start.since(series.first)).unwrap_or(0);
    let names = ["504>0", "p99>.8T", "band", "burn", "predlin"];
    let mut fires: Vec<(&'static str, Vec<Minute>)> =
        names.iter().map(|n| (*n, Vec::new())).collect();
    let sums = |from: usize, to: usize| {
        rows[from..=to].iter().fold((0.0, 0.0), |(t, r), row| {
            let timeouts = row.timeouts.unwrap_or(0.0);
            (t + timeouts, r + timeouts + row.samples.unwrap_or(0.0))
        })
    };
    let band = hours(series);
    for i in begin..n {
        let at = series.first.plus(i as i64 + 1 + DELAY);
        let last5 = &rows[i.saturating_sub(4)..=i];
        let three = |f: &dyn Fn(usize, &Row) -> bool| {
            last5.iter().enumerate().filter(|(k, r)| f(i + 1 - last5.len() + k, r)).count() >= 3
        };
        let share = |minutes: usize| {
            let (t, r) = sums(i.saturating_sub(minutes - 1), i);
            if r > 0.0 { t / r } else { 0.0 }
        };
        let hits = [
            rows[i].timeouts.unwrap_or(0.0) > 0.0,
            three(&|_, r| r.p99.is_some_and(|p| p > 0.8 * r.timeout)),
            three(&|k, r| r.p99.zip(band[k]).is_some_and(|(p, (mean, sd))| p > mean + 2.0 * sd)),
            share(5) > 0.0
                && (share(60) > 0.0144 && share(5) > 0.0144
                    || share(360) > 0.006 && share(30) > 0.006),
            predict(&rows[i.saturating_sub(59)..=i]).is_some_and(|p| p > rows[i].timeout),
        ];
        for (hit, fire) in hits.into_iter().zip(&mut fires) {
            if hit {
                fire.1.push(at);
            }
        }
    }
    fires
}

/// Mean and deviation of the p99 at the same hour of the seven days before.
fn hours(series: &Series) -> Vec<Option<(f64, f64)>> {
    let mut sums: BTreeMap<i64, (f64, f64, f64)> = BTreeMap::new();
    for (i, row) in series.minutes.iter().enumerate() {
        if let Some(p99) = row.p99 {
            let cell = sums.entry((series.first.0 + i as i64).div_euclid(60)).or_default();
            *cell = (cell.0 + 1.0, cell.1 + p99, cell.2 + p99 * p99);
        }
    }
    let of = |minute: i64| {
        let days = (1..=7).filter_map(|d| sums.get(&(minute.div_euclid(60) - 24 * d)));
        let (n, s, q) = days.fold((0.0, 0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1, a.2 + b.2));
        (n > 100.0).then(|| (s / n, (q / n - (s / n).powi(2)).max(0.0).sqrt()))
    };
    (0..series.minutes.len()).map(|i| of(series.first.0 + i as i64)).collect()
}

/// `predict_linear(p99[1h], 4h)`.
fn predict(rows: &[Row]) -> Option<f64> {
    let points: Vec<(f64, f64)> =
        rows.iter().enumerate().filter_map(|(i, r)| Some((i as f64, r.p99?))).collect();
    let n = points.len() as f64;
    if n < 30.0 {
        return None;
    }
    let (sx, sy) = points.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
    let (mx, my) = (sx / n, sy / n);
    let (sxy, sxx) = points
        .iter()
        .fold((0.0, 0.0), |(a, b), (x, y)| (a + (x - mx) * (y - my), b + (x - mx).powi(2)));
    Some(my + sxy / sxx * (rows.len() as f64 - 1.0 + 240.0 - mx))
}

pub fn merged(fires: &[Minute]) -> Vec<Minute> {
    let mut starts = Vec::new();
    let mut last: Option<Minute> = None;
    for fire in fires {
        if last.is_none_or(|l| fire.since(l) > MERGE) {
            starts.push(*fire);
        }
        last = Some(*fire);
    }
    starts
}

/// The first minute by which 504s of at least 300 requests in five minutes passed 0.1 %, at
/// least three of them.
pub fn obvious(series: &Series, from: Minute) -> Option<Minute> {
    let begin = usize::try_from(from.since(series.first)).unwrap_or(0).max(4);
    (begin..series.minutes.len()).find_map(|i| {
        let (t, r) = series.minutes[i - 4..=i].iter().fold((0.0, 0.0), |(t, r), row| {
            let timeouts = row.timeouts.unwrap_or(0.0);
            (t + timeouts, r + timeouts + row.samples.unwrap_or(0.0))
        });
        (r >= 300.0 && t >= 3.0 && t > 0.001 * r).then(|| series.first.plus(i as i64 + 1 + DELAY))
    })
}
