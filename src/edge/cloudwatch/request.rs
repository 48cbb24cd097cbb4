//! From what is wanted of gateways to the queries of requests.

use std::collections::HashMap;

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};

use super::{Ask, CloudWatch};
use crate::analysis::gateway::{Gateway, Kind, Row};

/// CloudWatch bills so many statistics of one metric in one request as one metric.
const STATISTICS_PER_METRIC: usize = 5;

impl Ask {
    /// How many queries it takes.
    pub(super) fn queries(&self) -> usize {
        let Gateway { kind, detail, .. } = *self.gateway;
        let groups = self.target_groups.len() * kind.target_group_rows().len();
        kind.rows_for(self.tier, detail).count() + groups
    }
}

impl CloudWatch {
    pub(super) fn queries(&self, index: usize, ask: &Ask) -> Vec<MetricDataQuery> {
        let gateway = &ask.gateway;
        let kind = gateway.kind;
        let whole = (kind.dimension(), gateway.id.dimension.as_str());
        let rows = kind.rows_for(ask.tier, gateway.detail);
        let mut queries: Vec<_> = rows
            .map(|row| {
                let stat = row.stat.spelled_for(gateway);
                self.query(query_id(index, row), kind, row.metric, stat, &[whole])
            })
            .collect();
        for (number, group) in ask.target_groups.iter().enumerate() {
            let dimensions = [whole, (kind.target_group_dimension(), group.as_str())];
            for (row, (metric, stat)) in kind.target_group_rows().iter().enumerate() {
                let id = group_query_id(index, number, row);
                queries.push(self.query(id, kind, metric, (*stat).to_owned(), &dimensions));
            }
        }
        queries
    }

    pub(super) fn query(
        &self,
        id: String,
        kind: Kind,
        metric: &str,
        stat: String,
        dimensions: &[(&str, &str)],
    ) -> MetricDataQuery {
        let dimensions = dimensions
            .iter()
            .map(|(name, value)| Dimension::builder().name(*name).value(*value).build());
        let metric = Metric::builder()
            .namespace(kind.namespace())
            .metric_name(metric)
            .set_dimensions(Some(dimensions.collect()))
            .build();
        let stat = MetricStat::builder().metric(metric).period(60).stat(stat).build();
        let query = MetricDataQuery::builder().id(id).metric_stat(stat);
        query.set_account_id(self.linked.clone()).build()
    }
}

/// Asks of one tier in requests of at most so many queries, and at least one
/// gateway each.
pub(super) fn batches(open: &[usize], asks: &[Ask], queries: usize) -> Vec<Vec<usize>> {
    let mut open = open.to_vec();
    open.sort_by_key(|index| asks[*index].tier);
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut room = 0;
    let mut tier = None;
    for index in open {
        let takes = asks[index].queries();
        let fits = takes <= room && tier == Some(asks[index].tier);
        if let Some(batch) = batches.last_mut().filter(|_| fits) {
            batch.push(index);
        } else {
            batches.push(vec![index]);
            room = queries;
        }
        tier = Some(asks[index].tier);
        room = room.saturating_sub(takes);
    }
    batches
}

/// What one request with these queries is billed as: each metric once for every
/// five of its statistics.
pub(super) fn billed_metrics(queries: &[MetricDataQuery]) -> u64 {
    let mut statistics: HashMap<_, usize> = HashMap::new();
    for stat in queries.iter().filter_map(MetricDataQuery::metric_stat) {
        let metric = stat.metric();
        let dimensions = metric
            .map(|m| m.dimensions().iter().map(|d| (d.name(), d.value())).collect::<Vec<_>>());
        let key =
            (metric.and_then(Metric::namespace), metric.and_then(Metric::metric_name), dimensions);
        *statistics.entry(key).or_default() += 1;
    }
    statistics.values().map(|n| n.div_ceil(STATISTICS_PER_METRIC) as u64).sum()
}

pub(super) fn query_id(index: usize, row: &Row) -> String {
    format!("g{index}_{}", row.signal.number())
}

pub(super) fn group_query_id(index: usize, group: usize, row: usize) -> String {
    format!("g{index}_t{group}_{row}")
}
