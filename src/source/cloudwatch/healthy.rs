//! Healthy targets of gateways over weeks, for the capacity report.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{CloudWatch, Points, Query, Usage, Wanted};
use crate::source::{Answer, Healthy, Means};
use nearmiss_core::gateway::kind::TargetGroupMetrics;
use nearmiss_core::time::Minute;

/// Seconds in an hour.
const PERIOD: i64 = 3600;

/// The healthy targets of each gateway, on average, from one minute to the next of
/// `between`: the mean over the hours in which every target group is known, of the fewest
/// that each had.
pub(super) async fn read(
    cloudwatch: &CloudWatch,
    asks: &[Healthy],
    between: &[Minute],
    deadline: Duration,
) -> (Vec<Answer<Means>>, Usage) {
    let (Some(from), Some(end)) = (between.first(), between.last()) else {
        return (asks.iter().map(|_| Ok(Vec::new())).collect(), Usage::default());
    };
    let hour = |minute: &Minute| minute.start().div_euclid(PERIOD) * PERIOD;
    let wanted: Vec<Wanted> = asks.iter().map(|ask| ask.wanted(hour(from))).collect();
    let (answers, usage) = cloudwatch.read(&wanted, PERIOD, hour(end), deadline).await;
    let means = |points: Vec<Points>| {
        let hours = hours(&points);
        between.windows(2).map(|pair| mean(&hours, hour(&pair[0])..hour(&pair[1]))).collect()
    };
    (answers.into_iter().map(|answer| answer.map(means)).collect(), usage)
}

impl Healthy {
    fn wanted(&self, from: i64) -> Wanted {
        let metrics = self.gateway.id.kind.spec().target_groups.iter().cycle();
        let of_group = |(group, metrics): (&String, &TargetGroupMetrics)| {
            let (metric, stat) = metrics.healthy;
            Query { target_group: Some(group.clone()), ..Query::plain(metric, stat) }
        };
        let queries = self.target_groups.iter().zip(metrics).map(of_group).collect();
        Wanted::of(&self.gateway, from, queries)
    }
}

/// The hours in which all target groups are known, and their healthy targets in total.
fn hours(groups: &[Points]) -> BTreeMap<i64, f64> {
    let mut hours: BTreeMap<i64, (usize, f64)> = BTreeMap::new();
    for (at, healthy) in groups.iter().flatten().filter(|(_, healthy)| healthy.is_finite()) {
        let (known, sum) = hours.entry(*at).or_default();
        *known += 1;
        *sum += healthy;
    }
    let whole = hours.into_iter().filter(|(_, (known, _))| *known == groups.len());
    whole.map(|(at, (_, sum))| (at, sum)).collect()
}

#[allow(clippy::cast_precision_loss)] // some hundred hours
fn mean(hours: &BTreeMap<i64, f64>, within: std::ops::Range<i64>) -> Option<f64> {
    let known: Vec<f64> = hours.range(within).map(|(_, healthy)| *healthy).collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_counts_where_every_group_is_known() {
        let groups = [vec![(0, 2.0), (3600, 4.0), (7200, 4.0)], vec![(0, 1.0), (3600, f64::NAN)]];
        assert_eq!(hours(&groups), [(0, 3.0)].into());
        assert_eq!(mean(&hours(&groups[..1]), 0..7200), Some(3.0));
        assert_eq!(mean(&hours(&groups), 3600..7200), None);
    }
}
