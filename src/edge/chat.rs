//! Whether messages reach the chat channel: what Amazon Q Developer in chat
//! applications says of itself.
//!
//! It keeps its metrics in us-east-1 alone, wherever its topics are, in the namespace
//! `AWS/Chatbot` by the name of the configuration. A message that it took from SNS and
//! could not show is counted there and nowhere else.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use aws_smithy_types::DateTime;

use super::aws::{Fault, Scope, Usage, scoped};

/// The IAM action of it.
pub const ACTION: &str = "cloudwatch:GetMetricData";
/// Where the metrics are.
pub const REGION: &str = "us-east-1";
/// The metrics, and what each says of messages.
const METRICS: [(&str, &str); 4] = [
    ("MessageDeliverySuccess", "reached the channel"),
    (
        "MessageDeliveryFailure",
        "did not reach the channel: is Amazon Q invited to it (/invite @Amazon Q), and is the channel still there?",
    ),
    (
        "UnsupportedEvents",
        "were not understood: is raw message delivery off in the subscription, and attributes = false for the topic? Other programs that publish there are counted too",
    ),
    ("EventsThrottled", "were dropped, because more than ten came in a second"),
];

/// One configuration of Amazon Q Developer in chat applications.
#[derive(Debug)]
pub struct Chat {
    client: Client,
    configuration: String,
}

/// How many messages fared how, in the order of [`METRICS`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Reached([f64; 4]);

impl Reached {
    /// Whether there were any messages.
    #[must_use]
    pub fn has_messages(&self) -> bool {
        self.0.iter().any(|count| *count > 0.0)
    }

    /// How many reached the channel.
    #[must_use]
    pub fn delivered(&self) -> f64 {
        self.0[0]
    }

    /// What did not, and the way out: a line each.
    pub fn troubles(&self) -> impl Iterator<Item = String> + use<> {
        let counts = self.0.into_iter().zip(METRICS).skip(1);
        let lost = counts.filter(|(count, _)| *count > 0.0);
        lost.map(|(count, (metric, what))| {
            format!("{count:.0} messages of the last hour {what} ({metric})")
        })
    }
}

impl Chat {
    /// A client in the one Region that knows.
    pub async fn connect(configuration: &str, base: &SdkConfig) -> Self {
        let scope = Scope { region: Some(REGION.to_owned()), role_arn: None, external_id: None };
        let client = Client::new(&scoped(base, &scope).await);
        Self { client, configuration: configuration.to_owned() }
    }

    /// The configuration's name.
    #[must_use]
    pub fn configuration(&self) -> &str {
        &self.configuration
    }

    /// How the messages between two times (seconds since the Unix epoch) fared.
    ///
    /// # Errors
    /// When CloudWatch does not say, or not in time.
    pub async fn look(
        &self,
        from: i64,
        until: i64,
        deadline: Duration,
        usage: &mut Usage,
    ) -> Result<Reached, Fault> {
        let minute = |time: i64| time - time.rem_euclid(60);
        let queries = (0..).zip(METRICS).map(|(number, (metric, _))| self.query(number, metric));
        let request = self
            .client
            .get_metric_data()
            .set_metric_data_queries(Some(queries.collect()))
            .start_time(DateTime::from_secs(minute(from)))
            .end_time(DateTime::from_secs(minute(until)));
        let answer = tokio::time::timeout(deadline, request.send()).await;
        let late = || format!("not done within {} s", deadline.as_secs());
        let answer = answer
            .map_err(|_| Fault::incomplete(ACTION, REGION, late()))
            .and_then(|answer| answer.map_err(|error| Fault::of(ACTION, REGION, &error)));
        usage.call(ACTION, answer.as_ref().err().map(|fault| fault.problem));
        let answer = answer?;
        usage.billed_metrics += METRICS.len() as u64;
        let mut reached = Reached::default();
        for result in answer.metric_data_results() {
            let number = result.id().and_then(|id| id.strip_prefix('m')?.parse::<usize>().ok());
            if let Some(count) = number.and_then(|number| reached.0.get_mut(number)) {
                *count += result.values().iter().sum::<f64>();
            }
        }
        Ok(reached)
    }

    fn query(&self, number: usize, metric: &str) -> MetricDataQuery {
        let dimension =
            Dimension::builder().name("ConfigurationName").value(&self.configuration).build();
        let metric =
            Metric::builder().namespace("AWS/Chatbot").metric_name(metric).dimensions(dimension);
        let stat = MetricStat::builder().metric(metric.build()).period(60).stat("Sum").build();
        MetricDataQuery::builder().id(format!("m{number}")).metric_stat(stat).build()
    }
}
