//! From what is wanted of gateways to the queries of requests.

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};

use nearmiss_core::gateway::Gateway;
use nearmiss_core::gateway::metrics::Stat;

/// CloudWatch bills up to this many statistics of one metric in one request as one metric.
const STATISTICS_PER_METRIC: usize = 5;
/// A request asks for at most this many points. A page has room for 100,800; but each takes
/// some fifty bytes while an answer is read, and more requests cost nothing.
const MAX_POINTS: usize = 30_000;

/// A statistic of a metric.
#[derive(Debug, Clone)]
pub(super) struct Query {
    pub(super) metric: &'static str,
    pub(super) stat: String,
    /// What its values are divided by, so that latencies are in seconds.
    pub(super) per_unit: f64,
    /// The target group whose metric it is; `None` for the whole gateway's.
    pub(super) target_group: Option<String>,
    /// The Availability Zone whose nodes' metric it is.
    pub(super) zone: Option<String>,
}

/// What is wanted of one gateway, or of something else that has a dimension.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    namespace: &'static str,
    /// The dimensions that identify it, and their values.
    dimensions: Vec<(&'static str, String)>,
    target_group_dimension: &'static str,
    pub(super) queries: Vec<Query>,
    /// The start, Unix seconds.
    pub(super) from: i64,
}

impl Query {
    /// A statistic that needs no conversion.
    pub(super) fn plain(metric: &'static str, stat: impl Into<String>) -> Self {
        Self { metric, stat: stat.into(), per_unit: 1.0, target_group: None, zone: None }
    }

    /// A statistic of a gateway's metric, whose values are in seconds or numbers.
    pub(super) fn of(gateway: &Gateway, metric: &'static str, stat: Stat) -> Self {
        let per_unit = stat.per_unit(gateway.id.kind.spec().latency.unit);
        Self { per_unit, ..Self::plain(metric, stat.spelled_for(gateway)) }
    }

    fn is_of_the_metric_of(&self, other: &Self) -> bool {
        self.metric == other.metric
            && self.target_group == other.target_group
            && self.zone == other.zone
    }
}

impl Wanted {
    pub(super) fn of(gateway: &Gateway, from: i64, queries: Vec<Query>) -> Self {
        Self::under(gateway, &gateway.id.dimension, from, queries)
    }

    /// Of a gateway under a dimension value that it had before.
    pub(super) fn under(
        gateway: &Gateway,
        dimension: &str,
        from: i64,
        queries: Vec<Query>,
    ) -> Self {
        let spec = gateway.id.kind.spec();
        let dimensions = spec.dimensions_of(dimension);
        let dimensions = dimensions.map(|(name, value)| (name, value.to_owned())).collect();
        let groups = spec.target_groups.as_ref();
        let target_group_dimension = groups.map_or("", |groups| groups.dimension);
        Self { namespace: spec.namespace, dimensions, target_group_dimension, queries, from }
    }

    /// Of what a dimension identifies in a namespace.
    pub(super) fn about(
        namespace: &'static str,
        dimension: (&'static str, String),
        from: i64,
        queries: Vec<Query>,
    ) -> Self {
        let dimensions = vec![dimension];
        Self { namespace, dimensions, target_group_dimension: "", queries, from }
    }

    /// Adds the queries as CloudWatch takes them; `index` is the gateway's number in the
    /// request.
    fn spell(
        &self,
        index: usize,
        period: i64,
        linked: Option<&str>,
        queries: &mut Vec<MetricDataQuery>,
    ) {
        let period = i32::try_from(period).unwrap_or(i32::MAX);
        let spelled = |(number, query): (usize, &Query)| {
            let dimension =
                |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
            let mut metric = Metric::builder().namespace(self.namespace).metric_name(query.metric);
            for (name, value) in &self.dimensions {
                metric = metric.dimensions(dimension(name, value));
            }
            if let Some(group) = &query.target_group {
                metric = metric.dimensions(dimension(self.target_group_dimension, group));
            }
            if let Some(zone) = &query.zone {
                metric = metric.dimensions(dimension("AvailabilityZone", zone));
            }
            let stat =
                MetricStat::builder().metric(metric.build()).period(period).stat(&query.stat);
            MetricDataQuery::builder()
                .id(query_id(index, number))
                .metric_stat(stat.build())
                .set_account_id(linked.map(str::to_owned))
                .build()
        };
        queries.extend(self.queries.iter().enumerate().map(spelled));
    }
}

pub(super) fn query_id(index: usize, number: usize) -> String {
    format!("g{index}_{number}")
}

/// The gateway's number in the request, and the query's among those of the gateway.
pub(super) fn of_query_id(id: &str) -> Option<(usize, usize)> {
    let (index, number) = id.strip_prefix('g')?.split_once('_')?;
    index.parse().ok().zip(number.parse().ok())
}

/// Requests within these limits of queries and points, with at least one gateway each;
/// gateways that are asked for the same number of queries are grouped together.
pub(super) fn batches(
    open: &[usize],
    wanted: &[Wanted],
    most_queries: usize,
    period: i64,
    end: i64,
) -> Vec<Vec<usize>> {
    let mut open = open.to_vec();
    open.sort_by_key(|index| (wanted[*index].queries.len(), -wanted[*index].from));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let (mut queries, mut first) = (0, end);
    for index in open {
        let one = &wanted[index];
        let reaching = first.min(one.from);
        let steps = usize::try_from((end - reaching) / period).unwrap_or(0);
        let together = queries + one.queries.len();
        let fits = together <= most_queries && together * steps <= MAX_POINTS;
        if let Some(batch) = batches.last_mut().filter(|_| fits) {
            batch.push(index);
            (queries, first) = (together, reaching);
        } else {
            batches.push(vec![index]);
            (queries, first) = (one.queries.len(), one.from);
        }
    }
    batches
}

/// The queries of one request.
pub(super) fn spelled(
    batch: &[&Wanted],
    period: i64,
    linked: Option<&str>,
) -> Vec<MetricDataQuery> {
    let number = batch.iter().map(|wanted| wanted.queries.len()).sum();
    let mut queries = Vec::with_capacity(number);
    for (index, wanted) in batch.iter().enumerate() {
        wanted.spell(index, period, linked, &mut queries);
    }
    queries
}

/// How many points one request asks for, up to before `end`.
pub(super) fn points_of(batch: &[&Wanted], period: i64, end: i64) -> usize {
    let first = batch.iter().map(|wanted| wanted.from).min().unwrap_or(end);
    let queries: usize = batch.iter().map(|wanted| wanted.queries.len()).sum();
    usize::try_from((end - first) / period).unwrap_or(0) * queries
}

/// What these queries of one gateway are billed as in a request: each metric once for every
/// five of its statistics.
pub(super) fn billed_metrics(queries: &[Query]) -> u64 {
    let is_new = |(number, query): &(usize, &Query)| {
        queries.iter().take(*number).all(|before| !query.is_of_the_metric_of(before))
    };
    let statistics = |(_, query): (usize, &Query)| {
        queries.iter().filter(|other| query.is_of_the_metric_of(other)).count()
    };
    let metrics = queries.iter().enumerate().filter(is_new).map(statistics);
    metrics.map(|statistics| statistics.div_ceil(STATISTICS_PER_METRIC) as u64).sum()
}
