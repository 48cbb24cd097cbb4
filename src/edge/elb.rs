//! Elastic Load Balancing: which load balancers there are, and when they give up.
//!
//! Dimensions come from here and not from CloudWatch's list of metrics, which
//! leaves out every counter that was never above zero - such as the 504s of a
//! load balancer that is still well.

use std::collections::{BTreeMap, HashMap};

use aws_config::SdkConfig;
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::LoadBalancerTypeEnum;
use futures::StreamExt;

use super::aws::{Fault, Usage, region_of};
use crate::config::LoadBalancerArn;

/// The IAM actions of the calls here.
pub const DESCRIBE: &str = "elasticloadbalancing:DescribeLoadBalancers";
/// See [`DESCRIBE`].
pub const ATTRIBUTES: &str = "elasticloadbalancing:DescribeLoadBalancerAttributes";
/// See [`DESCRIBE`].
pub const TAGS: &str = "elasticloadbalancing:DescribeTags";

/// `DescribeTags` takes so many ARNs.
const ARNS_PER_CALL: usize = 20;
/// Calls under way at once, per account and Region.
const CONCURRENCY: usize = 8;

/// Elastic Load Balancing, seen from one account and Region.
#[derive(Debug, Clone)]
pub struct Elb {
    client: Client,
    region: String,
}

/// An Application Load Balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Its ARN, taken apart.
    pub arn: LoadBalancerArn,
}

impl Elb {
    /// A client for the account and Region of this configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config), region: region_of(config) }
    }

    /// Every Application Load Balancer there is.
    ///
    /// # Errors
    /// When one of the pages does not come.
    pub async fn list(&self, usage: &mut Usage) -> Result<Vec<Found>, Fault> {
        let mut pages =
            self.client.describe_load_balancers().page_size(400).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Fault::of(DESCRIBE, &self.region, &error));
            usage.call(DESCRIBE, page.as_ref().err().map(|fault| fault.problem));
            let page = page?;
            let albs = page
                .load_balancers()
                .iter()
                .filter(|lb| lb.r#type() == Some(&LoadBalancerTypeEnum::Application));
            found.extend(albs.filter_map(|lb| {
                let arn = LoadBalancerArn::parse(lb.load_balancer_arn()?).ok()?;
                Some(Found { name: lb.load_balancer_name()?.to_owned(), arn })
            }));
        }
        Ok(found)
    }

    /// The tags of each of these load balancers, by ARN.
    ///
    /// # Errors
    /// When one of the calls fails.
    pub async fn tags(
        &self,
        arns: &[String],
        usage: &mut Usage,
    ) -> Result<HashMap<String, BTreeMap<String, String>>, Fault> {
        let mut tags = HashMap::new();
        for chunk in arns.chunks(ARNS_PER_CALL) {
            let answer =
                self.client.describe_tags().set_resource_arns(Some(chunk.to_vec())).send().await;
            let answer = answer.map_err(|error| Fault::of(TAGS, &self.region, &error));
            usage.call(TAGS, answer.as_ref().err().map(|fault| fault.problem));
            for one in answer?.tag_descriptions.unwrap_or_default() {
                let pairs = one.tags().iter();
                let pairs = pairs.filter_map(|t| {
                    Some((t.key()?.to_owned(), t.value().unwrap_or_default().to_owned()))
                });
                tags.insert(one.resource_arn().unwrap_or_default().to_owned(), pairs.collect());
            }
        }
        Ok(tags)
    }

    /// The idle timeout of each of these load balancers, seconds, in their order.
    pub async fn idle_timeouts(
        &self,
        arns: &[String],
        usage: &mut Usage,
    ) -> Vec<Result<f64, Fault>> {
        let calls = arns.iter().map(|arn| self.idle_timeout(arn));
        let answers: Vec<_> = futures::stream::iter(calls).buffered(CONCURRENCY).collect().await;
        for answer in &answers {
            usage.call(ATTRIBUTES, answer.as_ref().err().map(|fault| fault.problem));
        }
        answers
    }

    async fn idle_timeout(&self, arn: &str) -> Result<f64, Fault> {
        let answer =
            self.client.describe_load_balancer_attributes().load_balancer_arn(arn).send().await;
        let answer = answer.map_err(|error| Fault::of(ATTRIBUTES, &self.region, &error))?;
        let mut attributes = answer.attributes().iter();
        let value = attributes.find(|a| a.key() == Some("idle_timeout.timeout_seconds"));
        let seconds = value.and_then(|a| a.value()?.parse::<f64>().ok());
        seconds.filter(|s| *s > 0.0).ok_or_else(|| {
            Fault::incomplete(
                ATTRIBUTES,
                &self.region,
                format!("no idle_timeout.timeout_seconds for {arn}"),
            )
        })
    }
}
