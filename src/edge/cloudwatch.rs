//! Amazon CloudWatch: asks for minutes of many gateways, gets snapshots.
//!
//! A snapshot is whole or nothing: unless every statistic of a gateway came
//! back marked Complete, over all pages, the gateway has no snapshot but a
//! [`Fault`], and its neighbours in the same request keep theirs. All
//! statistics of a gateway travel in one request, because five statistics of
//! one metric are billed as one metric only there.

use std::collections::HashMap;
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::operation::get_metric_data::GetMetricDataOutput;
use aws_sdk_cloudwatch::types::{
    Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy, StatusCode,
};
use aws_smithy_types::DateTime;
use futures::StreamExt;
use tracing::warn;

use super::aws::{Fault, Usage, region_of};
use crate::analysis::gateway::{Gateway, Row};
use crate::analysis::signal::{Minute, Snapshot};

/// The IAM action of everything here.
pub const ACTION: &str = "cloudwatch:GetMetricData";

/// `GetMetricData` takes so many queries.
const MOST_QUERIES: usize = 500;
/// And bills so many statistics of one metric in one request as one metric.
const STATISTICS_PER_METRIC: usize = 5;
/// Requests under way at once, per account and Region.
const CONCURRENCY: usize = 8;
/// More pages than this is an answer without an end.
const MOST_PAGES: usize = 200;

/// CloudWatch, seen from one account and Region.
#[derive(Debug, Clone)]
pub struct CloudWatch {
    client: Client,
    region: String,
}

/// Which minutes of which gateway.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Which gateway.
    pub gateway: Arc<Gateway>,
    /// The first minute that is needed; more may be answered.
    pub from: Minute,
}

/// One gateway's minutes, or why there are none.
pub type Answer = Result<Snapshot, Arc<Fault>>;

impl CloudWatch {
    /// A client for the account and Region of this configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config), region: region_of(config) }
    }

    /// The minutes of each gateway up to before `end`, in the order of the asks.
    pub async fn fetch(&self, asks: &[Ask], end: Minute) -> (Vec<Answer>, Usage) {
        let batches = asks.chunk_by(|a, b| a.gateway.kind == b.gateway.kind).flat_map(|same| {
            let queries = same.first().map_or(1, |ask| ask.gateway.kind.rows().len());
            same.chunks(MOST_QUERIES / queries)
        });
        let requests = batches.map(|batch| self.fetch_batch(batch, end));
        let mut answers = Vec::with_capacity(asks.len());
        let mut usage = Usage::default();
        let mut done = futures::stream::iter(requests).buffered(CONCURRENCY);
        while let Some((batch, used)) = done.next().await {
            answers.extend(batch);
            usage.add(used);
        }
        (answers, usage)
    }

    async fn fetch_batch(&self, batch: &[Ask], end: Minute) -> (Vec<Answer>, Usage) {
        let first = batch.iter().map(|ask| ask.from).min().unwrap_or(end);
        let queries: Vec<_> =
            batch.iter().enumerate().flat_map(|(i, a)| queries(i, &a.gateway)).collect();
        let mut usage = Usage::default();
        match self.pages(&queries, first, end, &mut usage).await {
            Ok(results) => {
                let results = Results::of(results);
                let answer = |(index, ask): (usize, &Ask)| {
                    results
                        .snapshot(index, &ask.gateway, first, end)
                        .map_err(|said| Arc::new(Fault::incomplete(ACTION, &self.region, said)))
                };
                (batch.iter().enumerate().map(answer).collect(), usage)
            }
            Err(fault) => {
                let fault = Arc::new(fault);
                (batch.iter().map(|_| Err(Arc::clone(&fault))).collect(), usage)
            }
        }
    }

    async fn pages(
        &self,
        queries: &[MetricDataQuery],
        first: Minute,
        end: Minute,
        usage: &mut Usage,
    ) -> Result<Vec<MetricDataResult>, Fault> {
        let mut results = Vec::with_capacity(queries.len());
        let mut token = None;
        for _ in 0..MOST_PAGES {
            let page = self.page(queries, first, end, token, usage).await?;
            for message in page.messages() {
                warn!(
                    region = self.region,
                    code = message.code().unwrap_or_default(),
                    "CloudWatch says: {}",
                    message.value().unwrap_or_default()
                );
            }
            token = page.next_token().map(str::to_owned);
            results.extend(page.metric_data_results.unwrap_or_default());
            if token.is_none() {
                return Ok(results);
            }
        }
        let said = format!("the answer has more than {MOST_PAGES} pages");
        Err(Fault::incomplete(ACTION, &self.region, said))
    }

    async fn page(
        &self,
        queries: &[MetricDataQuery],
        first: Minute,
        end: Minute,
        token: Option<String>,
        usage: &mut Usage,
    ) -> Result<GetMetricDataOutput, Fault> {
        let answer = self
            .client
            .get_metric_data()
            .set_metric_data_queries(Some(queries.to_vec()))
            .start_time(DateTime::from_secs(first.start()))
            .end_time(DateTime::from_secs(end.start()))
            .scan_by(ScanBy::TimestampAscending)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| Fault::of(ACTION, &self.region, &error));
        usage.call(ACTION, answer.as_ref().err().map(|fault| fault.problem));
        if answer.is_ok() {
            usage.billed_metrics += billed_metrics(queries);
        }
        answer
    }
}

/// What one request with these queries is billed as: each metric once for every
/// five of its statistics.
fn billed_metrics(queries: &[MetricDataQuery]) -> u64 {
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

fn queries(index: usize, gateway: &Gateway) -> impl Iterator<Item = MetricDataQuery> {
    gateway.kind.rows().iter().map(move |row| {
        let dimension = Dimension::builder()
            .name(gateway.kind.dimension())
            .value(&gateway.id.dimension)
            .build();
        let metric = Metric::builder()
            .namespace(gateway.kind.namespace())
            .metric_name(row.metric)
            .dimensions(dimension)
            .build();
        let stat = MetricStat::builder()
            .metric(metric)
            .period(60)
            .stat(row.stat.spelled_for(gateway))
            .build();
        MetricDataQuery::builder().id(query_id(index, row)).metric_stat(stat).build()
    })
}

fn query_id(index: usize, row: &Row) -> String {
    format!("g{index}_{}", row.signal as usize)
}

/// The results of one request, pages merged by id.
struct Results(HashMap<String, Merged>);

#[derive(Default)]
struct Merged {
    points: Vec<(Minute, f64)>,
    status: Option<StatusCode>,
    messages: String,
}

impl Results {
    fn of(pages: Vec<MetricDataResult>) -> Self {
        let mut merged: HashMap<String, Merged> = HashMap::with_capacity(pages.len());
        for mut result in pages {
            let one = merged.entry(result.id.take().unwrap_or_default()).or_default();
            let minutes = result.timestamps().iter().map(|t| Minute::containing(t.secs()));
            one.points.extend(minutes.zip(result.values().iter().copied()));
            for message in result.messages() {
                one.messages.push_str(": ");
                one.messages.push_str(message.value().unwrap_or_default());
            }
            one.status = result.status_code.take();
        }
        Self(merged)
    }

    /// The whole snapshot of a gateway, or what is missing from it.
    fn snapshot(
        &self,
        index: usize,
        gateway: &Gateway,
        first: Minute,
        end: Minute,
    ) -> Result<Snapshot, String> {
        let mut snapshot = Snapshot::quiet(first, end);
        for row in gateway.kind.rows() {
            for (minute, value) in self.complete(index, row)? {
                snapshot.record(row.signal, *minute, *value);
            }
        }
        Ok(snapshot)
    }

    fn complete(&self, index: usize, row: &Row) -> Result<&[(Minute, f64)], String> {
        match self.0.get(&query_id(index, row)) {
            None => Err(format!("no result for {}", row.metric)),
            Some(Merged { status: Some(StatusCode::Complete), points, .. }) => Ok(points),
            Some(Merged { status, messages, .. }) => Err(format!(
                "the result for {} is {}{messages}",
                row.metric,
                status.as_ref().map_or("without a status", StatusCode::as_str)
            )),
        }
    }
}
