//! Amazon CloudWatch: asks for figures of many gateways, gets whole answers.
//!
//! An answer is whole or nothing: unless every statistic of a gateway came back marked
//! Complete, over all pages, the gateway has no answer but an [`AwsError`], and its
//! neighbours in the same request keep theirs. All statistics of a gateway travel in one
//! request, because only there five statistics of one metric are billed as one metric.
//!
//! One way of asking serves all: minutes, quarter-hours, the evidence of a diagnosis and
//! the self-check are lists of queries in the request and points in the answer.

mod chat;
mod figures;
mod healthy;
mod minutes;
mod quarter_hours;
mod rate_limiter;
mod request;
mod results;
mod self_check;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::operation::get_metric_data::GetMetricDataOutput;
use aws_sdk_cloudwatch::types::{MetricDataQuery, MetricDataResult, ScanBy};
use aws_smithy_types::DateTime;
use futures::StreamExt;
use futures::future::BoxFuture;
use tokio::sync::Semaphore;
use tracing::warn;

pub use chat::{Chat, REGION as CHAT_REGION, Reached};
pub use rate_limiter::RateLimiter;
use request::{Query, Wanted, batches, billed_metrics, points_of, spelled};
use results::{Lack, Points, Remarks, Results};

use super::{Answer, Answers, Ask, Healthy, Means, MetricSource, QuarterHours, SelfCheck, Stretch};
use crate::edge::aws::{AwsError, ErrorKind, Pages, Skew, Usage, region_of};
use crate::edge::time::Stopwatch;
use nearmiss_core::diagnose::evidence::Figures;
use nearmiss_core::gateway::Gateway;
use nearmiss_core::series::history::QuarterHour;
use nearmiss_core::series::snapshot::Snapshot;
use nearmiss_core::time::Minute;

/// The IAM action of everything here.
pub const ACTION: &str = "cloudwatch:GetMetricData";

/// What is said of figures that did not come in time, wherever they were on their way: one
/// trouble is one message.
const LATE: &str = "no whole answer within the deadline";
/// `GetMetricData` takes at most this many queries.
const MAX_QUERIES: usize = 500;
/// Requests under way at once, per account and Region.
const CONCURRENCY: usize = 8;
/// Points that are asked for at once, per account and Region, in thousands: a point takes
/// some fifty bytes while an answer is read.
const ROOM: u32 = 120;
const THOUSAND: usize = 1_000;
/// What a request takes of that at the least.
#[allow(clippy::cast_possible_truncation)]
const LEAST_ROOM: u32 = ROOM / CONCURRENCY as u32;
/// An answer may have this many pages, and one more for each [`POINTS_OF_A_PAGE`] that were
/// asked for: CloudWatch may split an answer as it likes, and bills each page.
const LEAST_PAGES: usize = 10;
/// See [`LEAST_PAGES`].
const POINTS_OF_A_PAGE: usize = 1_000;
/// At most this many different remarks of CloudWatch are written to the log.
const MAX_REMARKS: usize = 20;

/// The error that figures from this Region did not come in time.
#[must_use]
pub fn late(region: &str) -> AwsError {
    AwsError::incomplete(ACTION, region, LATE)
}

/// CloudWatch, seen from one account and Region.
#[derive(Debug, Clone)]
pub struct CloudWatch {
    client: Client,
    region: String,
    limiter: Arc<RateLimiter>,
    linked: Option<String>,
    logged: Arc<Mutex<HashSet<String>>>,
    /// Room for the answers that are under way, in [`THOUSAND`]s of points.
    room: Arc<Semaphore>,
}

impl CloudWatch {
    /// A client for the account and Region of this configuration, which keeps to this rate
    /// limiter and reports to `skew` what time it is there. As a monitoring account it
    /// reads the metrics of the account that is `linked` to it (cross-account
    /// observability).
    #[must_use]
    pub fn new(
        config: &SdkConfig,
        limiter: Arc<RateLimiter>,
        linked: Option<String>,
        skew: &Skew,
    ) -> Self {
        let of_client = aws_sdk_cloudwatch::config::Builder::from(config);
        let client = Client::from_conf(of_client.interceptor(skew.clone()).build());
        Self {
            client,
            region: region_of(config),
            limiter,
            linked,
            logged: Arc::default(),
            room: Arc::new(Semaphore::new(ROOM as usize)),
        }
    }

    /// The points of each query of each wanted gateway, in their order, in steps of
    /// `period` seconds up to before `end` (Unix seconds).
    ///
    /// What fails is asked again in smaller requests, so that one gateway's trouble affects
    /// no other, as long as `deadline` allows; what was received by then is kept. Where
    /// several requests fail, each as a whole and none because of what was asked,
    /// CloudWatch is down, and smaller ones would fail as well.
    async fn read(
        &self,
        wanted: &[Wanted],
        period: i64,
        end: i64,
        deadline: Duration,
    ) -> (Vec<Answer<Vec<Points>>>, Usage) {
        let watch = Stopwatch::start();
        let too_late = Arc::new(late(&self.region));
        let mut answers: Vec<_> = wanted.iter().map(|_| Err(Arc::clone(&too_late))).collect();
        let mut open: Vec<usize> = (0..wanted.len()).collect();
        let mut usage = Usage::default();
        let mut failed = Vec::new();
        for queries in [MAX_QUERIES, MAX_QUERIES / 10, 1] {
            let batches = batches(&open, wanted, queries, period, end);
            if batches == failed {
                continue; // the same requests, and each failed as a whole
            }
            let mut requests = Vec::with_capacity(batches.len());
            for batch in &batches {
                let batch: Vec<&Wanted> = batch.iter().map(|index| &wanted[*index]).collect();
                requests.push(self.read_within(batch, period, end, (watch, deadline)));
            }
            let mut done = futures::stream::iter(requests).buffered(CONCURRENCY);
            let mut each = batches.iter();
            let (mut some_came, mut is_down) = (false, batches.len() > 1);
            while let (Some((got, used)), Some(batch)) = (done.next().await, each.next()) {
                usage.add(used);
                some_came |= got.is_ok();
                is_down &= got.as_ref().is_err_and(|fault| fault.problem != ErrorKind::Refused);
                let got = got.unwrap_or_else(|fault| of_all(fault, batch));
                for (index, answer) in batch.iter().zip(got) {
                    answers[*index] = answer;
                }
            }
            drop(done);
            open.retain(|index| {
                answers[*index].as_ref().is_err_and(|fault| fault.is_about_what_was_asked())
            });
            if open.is_empty() || is_down || watch.elapsed() >= deadline {
                break;
            }
            failed = if some_came { Vec::new() } else { batches };
        }
        (answers, usage)
    }

    async fn read_within(
        &self,
        batch: Vec<&Wanted>,
        period: i64,
        end: i64,
        (watch, deadline): (Stopwatch, Duration),
    ) -> (Result<Vec<Answer<Vec<Points>>>, AwsError>, Usage) {
        let mut usage = Usage::default();
        let left = deadline.saturating_sub(watch.elapsed());
        let points = points_of(&batch, period, end) / THOUSAND;
        let takes = u32::try_from(points).unwrap_or(ROOM).clamp(LEAST_ROOM, ROOM);
        let read = async {
            let _room = self.room.acquire_many(takes).await;
            self.read_batch(&batch, period, end, &mut usage).await
        };
        let read = tokio::time::timeout(left, read).await;
        let too_late = |_| Err(late(&self.region));
        (read.unwrap_or_else(too_late), usage)
    }

    async fn read_batch(
        &self,
        batch: &[&Wanted],
        period: i64,
        end: i64,
        usage: &mut Usage,
    ) -> Result<Vec<Answer<Vec<Points>>>, AwsError> {
        let first = batch.iter().map(|wanted| wanted.from).min().unwrap_or(end);
        let (pages, remarks) = self.pages(batch, period, (first, end), usage).await?;
        let mut results = Results::of(batch, pages, &remarks);
        let answer = |(index, wanted): (usize, &&Wanted)| {
            let points = results.take(index, wanted, (first - period, end));
            points.map_err(|Lack { problem, said }| {
                Arc::new(AwsError::saying(ACTION, &self.region, problem, said))
            })
        };
        Ok(batch.iter().enumerate().map(answer).collect())
    }

    fn incomplete(&self, said: impl AsRef<str>) -> AwsError {
        AwsError::incomplete(ACTION, &self.region, said)
    }

    /// The results of all pages, and what CloudWatch remarks on them.
    async fn pages(
        &self,
        batch: &[&Wanted],
        period: i64,
        (first, end): (i64, i64),
        usage: &mut Usage,
    ) -> Result<(Vec<MetricDataResult>, Remarks), AwsError> {
        let asked: usize = batch.iter().map(|wanted| wanted.queries.len()).sum();
        let points = points_of(batch, period, end);
        let billed: u64 = batch.iter().map(|wanted| billed_metrics(&wanted.queries)).sum();
        let mut results = Vec::with_capacity(asked);
        let mut remarks = Remarks::default();
        let mut pages = Pages::at_most(LEAST_PAGES + points / POINTS_OF_A_PAGE);
        let mut token = None;
        loop {
            self.limiter.admit(points).await;
            let queries = spelled(batch, period, self.linked.as_deref());
            let page = self.page(queries, (first, end), token, usage).await?;
            usage.billed_metrics += billed;
            page.messages().iter().for_each(|message| remarks.add(message));
            let next = pages.turn(page.next_token());
            let found = page.metric_data_results.unwrap_or_default();
            if found.len() > asked {
                let found = found.len();
                return Err(self.incomplete(format!("{found} results for {asked} queries")));
            }
            results.extend(found);
            token = next.map_err(|said| self.incomplete(said))?;
            if token.is_none() {
                self.log(&remarks);
                return Ok((results, remarks));
            }
        }
    }

    /// Remarks of CloudWatch that are new: one line each, and never the same again.
    fn log(&self, remarks: &Remarks) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let text = remarks.to_string();
        if !text.is_empty() && logged.len() < MAX_REMARKS && logged.insert(text.clone()) {
            warn!(region = self.region, "CloudWatch says: {text}");
        }
    }

    async fn page(
        &self,
        queries: Vec<MetricDataQuery>,
        (first, end): (i64, i64),
        token: Option<String>,
        usage: &mut Usage,
    ) -> Result<GetMetricDataOutput, AwsError> {
        let answer = self
            .client
            .get_metric_data()
            .set_metric_data_queries(Some(queries))
            .start_time(DateTime::from_secs(first))
            .end_time(DateTime::from_secs(end))
            .scan_by(ScanBy::TimestampAscending)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| AwsError::of(ACTION, &self.region, &error));
        usage.call(ACTION, answer.as_ref().err().map(|fault| fault.problem));
        answer
    }
}

impl MetricSource for CloudWatch {
    fn minutes<'a>(
        &'a self,
        asks: &'a [Ask],
        end: Minute,
        deadline: Duration,
    ) -> Answers<'a, Snapshot> {
        Box::pin(minutes::read(self, asks, end, deadline))
    }

    fn quarter_hours<'a>(
        &'a self,
        stretches: &'a [Stretch],
        end: QuarterHour,
        deadline: Duration,
    ) -> Answers<'a, QuarterHours> {
        Box::pin(quarter_hours::read(self, stretches, end, deadline))
    }

    fn healthy<'a>(
        &'a self,
        asks: &'a [Healthy],
        between: &'a [Minute],
        deadline: Duration,
    ) -> Answers<'a, Means> {
        Box::pin(healthy::read(self, asks, between, deadline))
    }

    fn figures<'a>(
        &'a self,
        gateway: &'a Gateway,
        parts: (&'a [String], &'a [String]),
        minutes: (Minute, Minute),
        deadline: Duration,
        usage: &'a mut Usage,
    ) -> BoxFuture<'a, Answer<Figures>> {
        Box::pin(self.read_figures(gateway, parts, minutes, deadline, usage))
    }

    fn has_bounds<'a>(
        &'a self,
        gateway: &'a Gateway,
        end: Minute,
        deadline: Duration,
        usage: &'a mut Usage,
    ) -> BoxFuture<'a, Answer<Option<bool>>> {
        Box::pin(self.try_bounds(gateway, end, deadline, usage))
    }

    fn self_check<'a>(
        &'a self,
        gateway: &'a Gateway,
        minutes: (Minute, Minute),
        deadline: Duration,
        usage: &'a mut Usage,
    ) -> BoxFuture<'a, Answer<SelfCheck>> {
        Box::pin(self.check(gateway, minutes, deadline, usage))
    }
}

/// A request that failed as a whole, as the answer to each gateway in it.
fn of_all<T>(fault: AwsError, batch: &[usize]) -> Vec<Answer<T>> {
    let fault = Arc::new(fault);
    batch.iter().map(|_| Err(Arc::clone(&fault))).collect()
}
