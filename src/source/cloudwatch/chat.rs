//! Whether messages reach the chat channel: the metrics of Amazon Q Developer in chat
//! applications.
//!
//! It keeps its metrics in us-east-1 alone, wherever its topics are, in the namespace
//! `AWS/Chatbot` by the name of the configuration. A message that it took from SNS and
//! could not show is counted there and nowhere else.

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;

use super::request::{Query, Wanted};
use super::{CloudWatch, RateLimiter};
use crate::config::Quotas;
use crate::edge::aws::{Scope, Skew, Usage, scoped};
use crate::source::Answer;

/// Where the metrics are.
pub const REGION: &str = "us-east-1";
/// The metrics, and what each says about messages.
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
    cloudwatch: CloudWatch,
    configuration: String,
}

/// How many messages had which outcome, in the order of `METRICS`.
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

    /// What did not reach it, and the way out: one line each.
    pub fn troubles(&self) -> impl Iterator<Item = String> + use<> {
        let counts = self.0.into_iter().zip(METRICS).skip(1);
        let lost = counts.filter(|(count, _)| *count > 0.0);
        lost.map(|(count, (metric, what))| {
            format!("{count:.0} messages of the last hour {what} ({metric})")
        })
    }
}

impl Chat {
    /// A client in the one Region that has the metrics.
    pub async fn connect(configuration: &str, base: &SdkConfig) -> Self {
        let scope = Scope { region: Some(REGION.to_owned()), role_arn: None, external_id: None };
        let config = scoped(base, &scope).await;
        let limiter = Arc::new(RateLimiter::of(&Quotas::default()));
        let cloudwatch = CloudWatch::new(&config, limiter, None, &Skew::default());
        Self { cloudwatch, configuration: configuration.to_owned() }
    }

    /// The configuration's name.
    #[must_use]
    pub fn configuration(&self) -> &str {
        &self.configuration
    }

    /// The outcomes of the messages between two times (seconds since the Unix epoch).
    ///
    /// # Errors
    /// When CloudWatch does not answer, not completely, or not in time.
    pub async fn look(
        &self,
        from: i64,
        until: i64,
        deadline: Duration,
        usage: &mut Usage,
    ) -> Answer<Reached> {
        let minute = |time: i64| time - time.rem_euclid(60);
        let queries = METRICS.iter().map(|(metric, _)| Query::plain(metric, "Sum")).collect();
        let dimension = ("ConfigurationName", self.configuration.clone());
        let wanted = [Wanted::about("AWS/Chatbot", dimension, minute(from), queries)];
        let (answers, used) = self.cloudwatch.read(&wanted, 60, minute(until), deadline).await;
        usage.add(used);
        let points = answers.into_iter().next().unwrap_or_else(|| Ok(Vec::new()))?;
        let mut reached = Reached::default();
        for (count, points) in reached.0.iter_mut().zip(points) {
            *count = points.iter().map(|(_, value)| value).sum();
        }
        Ok(reached)
    }
}
