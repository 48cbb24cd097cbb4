//! Amazon CloudWatch: asks for minutes of many gateways, gets snapshots.
//!
//! A snapshot is whole or nothing: unless every statistic of a gateway came
//! back marked Complete, over all pages, the gateway has no snapshot but a
//! [`Fault`], and its neighbours in the same request keep theirs. All
//! statistics of a gateway travel in one request, because five statistics of
//! one metric are billed as one metric only there.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::operation::get_metric_data::GetMetricDataOutput;
use aws_sdk_cloudwatch::types::{
    Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy, StatusCode,
};
use aws_smithy_types::DateTime;
use futures::StreamExt;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tracing::warn;

use super::aws::{Fault, Problem, Skew, Usage, region_of};
use super::time::Stopwatch;
use crate::analysis::gateway::{Detail, Gateway, Kind, Row};
use crate::analysis::histogram;
use crate::analysis::signal::{Minute, Signal, Snapshot, TargetGroup};
use crate::analysis::tier::Tier;
use crate::config::Quotas;

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
    pace: Arc<Pace>,
    linked: Option<String>,
}

/// Keeps below the quotas of an account in a Region, which others use too.
#[derive(Debug)]
pub struct Pace {
    requests: DefaultDirectRateLimiter,
    datapoints: DefaultDirectRateLimiter,
    most_datapoints: NonZeroU32,
}

impl Pace {
    /// For these quotas.
    #[must_use]
    pub fn of(quotas: &Quotas) -> Self {
        let limiter = |per_second| RateLimiter::direct(Quota::per_second(per_second));
        Self {
            requests: limiter(quotas.requests_per_second),
            datapoints: limiter(quotas.datapoints_per_second),
            most_datapoints: quotas.datapoints_per_second,
        }
    }

    /// Waits until a request for so many minutes of so many statistics may go.
    /// CloudWatch counts what a request could return, not what it does; one that
    /// could return more than a second's worth waits for a whole second.
    async fn admit(&self, queries: usize, minutes: i64) {
        let minutes = usize::try_from(minutes).unwrap_or(0);
        let datapoints = u32::try_from(queries * minutes).unwrap_or(u32::MAX);
        let datapoints = NonZeroU32::new(datapoints).unwrap_or(NonZeroU32::MIN);
        self.requests.until_ready().await;
        // More than fits is impossible: it is capped at what fits.
        let _ = self.datapoints.until_n_ready(datapoints.min(self.most_datapoints)).await;
    }
}

/// Which minutes of which gateway.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Which gateway.
    pub gateway: Arc<Gateway>,
    /// The first minute that is needed; more may be answered.
    pub from: Minute,
    /// Which of its signals.
    pub tier: Tier,
    /// The dimension values of its target groups, where they are asked for too.
    pub target_groups: Vec<String>,
}

impl Ask {
    /// How many queries it takes.
    fn queries(&self) -> usize {
        let Gateway { kind, detail, .. } = *self.gateway;
        let groups = self.target_groups.len() * kind.target_group_rows().len();
        kind.rows_for(self.tier, detail).count() + groups
    }
}

/// One gateway's minutes, or why there are none.
pub type Answer = Result<Snapshot, Arc<Fault>>;

impl CloudWatch {
    /// A client for the account and Region of this configuration, which keeps
    /// to this pace and tells `skew` what time it is there. As a monitoring
    /// account it reads the metrics of the account that is `linked` to it
    /// (cross-account observability).
    #[must_use]
    pub fn new(config: &SdkConfig, pace: Arc<Pace>, linked: Option<String>, skew: &Skew) -> Self {
        let of_client = aws_sdk_cloudwatch::config::Builder::from(config);
        let client = Client::from_conf(of_client.interceptor(skew.clone()).build());
        Self { client, region: region_of(config), pace, linked }
    }

    /// The minutes of each gateway up to before `end`, in the order of the asks.
    ///
    /// What fails is asked again in smaller requests, so that one gateway's
    /// trouble stays its own, as long as `deadline` allows; what was got by then
    /// is kept.
    pub async fn fetch(
        &self,
        asks: &[Ask],
        end: Minute,
        deadline: Duration,
    ) -> (Vec<Answer>, Usage) {
        let watch = Stopwatch::start();
        let late = Arc::new(self.incomplete("not asked within the deadline".to_owned()));
        let mut answers: Vec<Answer> = asks.iter().map(|_| Err(Arc::clone(&late))).collect();
        let mut open: Vec<usize> = (0..asks.len()).collect();
        let mut usage = Usage::default();
        for queries in [MOST_QUERIES, MOST_QUERIES / 10, 1] {
            let batches = batches(&open, asks, queries);
            let requests = batches.iter().map(|batch| {
                let asks: Vec<&Ask> = batch.iter().map(|index| &asks[*index]).collect();
                self.fetch_within(asks, end, deadline.saturating_sub(watch.elapsed()))
            });
            let mut done = futures::stream::iter(requests).buffered(CONCURRENCY);
            let mut each = batches.iter();
            while let (Some((got, used)), Some(batch)) = (done.next().await, each.next()) {
                usage.add(used);
                for (index, answer) in batch.iter().zip(got) {
                    answers[*index] = answer;
                }
            }
            open.retain(|index| {
                answers[*index].as_ref().is_err_and(|fault| is_worth_another_try(fault))
            });
            if open.is_empty() || watch.elapsed() >= deadline {
                break;
            }
        }
        (answers, usage)
    }

    async fn fetch_within(
        &self,
        batch: Vec<&Ask>,
        end: Minute,
        left: Duration,
    ) -> (Vec<Answer>, Usage) {
        if let Ok(done) = tokio::time::timeout(left, self.fetch_batch(&batch, end)).await {
            return done;
        }
        let fault = Arc::new(self.incomplete("no whole answer within the deadline".to_owned()));
        (batch.iter().map(|_| Err(Arc::clone(&fault))).collect(), Usage::default())
    }

    fn incomplete(&self, said: String) -> Fault {
        Fault::incomplete(ACTION, &self.region, said)
    }

    async fn fetch_batch(&self, batch: &[&Ask], end: Minute) -> (Vec<Answer>, Usage) {
        let first = batch.iter().map(|ask| ask.from).min().unwrap_or(end);
        let queries: Vec<_> =
            batch.iter().enumerate().flat_map(|(index, ask)| self.queries(index, ask)).collect();
        let mut usage = Usage::default();
        match self.pages(&queries, first, end, &mut usage).await {
            Ok(results) => {
                let results = Results::of(results);
                let answer = |(index, ask): (usize, &&Ask)| {
                    let snapshot = results.snapshot(index, ask, first, end);
                    snapshot.map_err(|said| Arc::new(self.incomplete(said)))
                };
                (batch.iter().enumerate().map(answer).collect(), usage)
            }
            Err(fault) => {
                let fault = Arc::new(fault);
                (batch.iter().map(|_| Err(Arc::clone(&fault))).collect(), usage)
            }
        }
    }

    fn queries(&self, index: usize, ask: &Ask) -> Vec<MetricDataQuery> {
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

    fn query(
        &self,
        id: String,
        kind: Kind,
        metric: &str,
        stat: String,
        dimensions: &[(&str, &str)],
    ) -> MetricDataQuery {
        let dimensions =
            dimensions.iter().map(|(name, value)| Dimension::builder().name(*name).value(*value).build());
        let metric = Metric::builder()
            .namespace(kind.namespace())
            .metric_name(metric)
            .set_dimensions(Some(dimensions.collect()))
            .build();
        let stat = MetricStat::builder().metric(metric).period(60).stat(stat).build();
        let query = MetricDataQuery::builder().id(id).metric_stat(stat);
        query.set_account_id(self.linked.clone()).build()
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
        Err(self.incomplete(said))
    }

    async fn page(
        &self,
        queries: &[MetricDataQuery],
        first: Minute,
        end: Minute,
        token: Option<String>,
        usage: &mut Usage,
    ) -> Result<GetMetricDataOutput, Fault> {
        self.pace.admit(queries.len(), end.since(first)).await;
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

/// Asks of one tier in requests of at most so many queries, and at least one
/// gateway each.
fn batches(open: &[usize], asks: &[Ask], queries: usize) -> Vec<Vec<usize>> {
    let mut open = open.to_vec();
    open.sort_by_key(|index| asks[*index].tier);
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut room = 0;
    let mut tier = None;
    for index in open {
        let takes = asks[index].queries();
        match batches.last_mut().filter(|_| takes <= room && tier == Some(asks[index].tier)) {
            Some(batch) => batch.push(index),
            None => {
                batches.push(vec![index]);
                room = queries;
            }
        }
        tier = Some(asks[index].tier);
        room = room.saturating_sub(takes);
    }
    batches
}

/// Whether a smaller request could fare better. Where the identity, the network
/// or the quota is at fault, it could not.
fn is_worth_another_try(fault: &Fault) -> bool {
    matches!(fault.problem, Problem::Refused | Problem::Failed | Problem::Incomplete)
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

fn query_id(index: usize, row: &Row) -> String {
    format!("g{index}_{}", row.signal.number())
}

fn group_query_id(index: usize, group: usize, row: usize) -> String {
    format!("g{index}_t{group}_{row}")
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
        ask: &Ask,
        first: Minute,
        end: Minute,
    ) -> Result<Snapshot, String> {
        let gateway = &ask.gateway;
        let rows = || gateway.kind.rows_for(ask.tier, gateway.detail);
        let mut asked: Vec<Signal> = rows().map(|row| row.signal).collect();
        if gateway.detail == Detail::Histogram {
            asked.push(Signal::NearMisses);
        }
        let mut snapshot = Snapshot::quiet(first, end, &asked);
        for row in rows() {
            for (minute, value) in self.complete(&query_id(index, row), row.metric)? {
                snapshot.record(row.signal, *minute, *value);
            }
        }
        if gateway.detail == Detail::Histogram {
            let until = histogram::bound_at(1.0);
            let until = until.filter(|_| !gateway.timeout.is_below_the_load_balancers());
            let near = histogram::bound_at(gateway.near).ok_or("near is no bucket bound")?;
            snapshot.count_near_misses(near, until);
        }
        let groups = ask.target_groups.iter().enumerate();
        let groups = groups.map(|(number, group)| self.target_group(index, number, group, gateway));
        snapshot.target_groups = groups.collect::<Result<_, _>>()?;
        Ok(snapshot)
    }

    /// The newest figures of a target group.
    fn target_group(
        &self,
        index: usize,
        number: usize,
        dimension: &str,
        gateway: &Gateway,
    ) -> Result<TargetGroup, String> {
        let newest = |row: usize, metric: &str| {
            let points = self.complete(&group_query_id(index, number, row), metric)?;
            let newest = points.iter().max_by_key(|(minute, _)| *minute);
            Ok::<_, String>(newest.map(|(_, value)| *value).filter(|value| value.is_finite()))
        };
        let rows = gateway.kind.target_group_rows();
        let mut figures = rows.iter().enumerate().map(|(row, (metric, _))| newest(row, metric));
        let name = dimension.split('/').nth(1).unwrap_or(dimension).to_owned();
        let mut next = || figures.next().transpose().map(Option::flatten);
        Ok(TargetGroup { name, p99: next()?, healthy_hosts: next()? })
    }

    fn complete(&self, id: &str, metric: &str) -> Result<&[(Minute, f64)], String> {
        match self.0.get(id) {
            None => Err(format!("no result for {metric}")),
            Some(Merged { status: Some(StatusCode::Complete), points, .. }) => Ok(points),
            Some(Merged { status, messages, .. }) => Err(format!(
                "the result for {metric} is {}{messages}",
                status.as_ref().map_or("without a status", StatusCode::as_str)
            )),
        }
    }
}
