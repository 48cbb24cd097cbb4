//! Elastic Load Balancing: which load balancers there are, and when they give up.
//!
//! Dimensions come from here and not from CloudWatch's list of metrics, which
//! leaves out every counter that was never above zero - such as the 504s of a
//! load balancer that is still well.

use std::collections::{BTreeMap, HashMap};

use aws_config::SdkConfig;
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::{LoadBalancerTypeEnum, TargetGroup};

use super::aws::{Fault, Skew, Usage, region_of};
use crate::config::LoadBalancerArn;

/// The IAM actions of the calls here.
pub const DESCRIBE: &str = "elasticloadbalancing:DescribeLoadBalancers";
/// See [`DESCRIBE`].
pub const ATTRIBUTES: &str = "elasticloadbalancing:DescribeLoadBalancerAttributes";
/// See [`DESCRIBE`].
pub const TAGS: &str = "elasticloadbalancing:DescribeTags";
/// See [`DESCRIBE`].
pub const TARGET_GROUPS: &str = "elasticloadbalancing:DescribeTargetGroups";

/// `DescribeTags` takes so many ARNs.
const ARNS_PER_CALL: usize = 20;

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
    /// A client for the account and Region of this configuration, which tells
    /// `skew` what time it is there.
    #[must_use]
    pub fn new(config: &SdkConfig, skew: &Skew) -> Self {
        let of_client = aws_sdk_elasticloadbalancingv2::config::Builder::from(config);
        let client = Client::from_conf(of_client.interceptor(skew.clone()).build());
        Self { client, region: region_of(config) }
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

    /// The tags of each of these load balancers, by ARN; one that has been
    /// deleted in the meantime has none.
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
            match self.tags_of(chunk, usage).await {
                Ok(some) => tags.extend(some),
                Err(fault) if is_gone(&fault) => {
                    for one in chunk.chunks(1) {
                        match self.tags_of(one, usage).await {
                            Ok(some) => tags.extend(some),
                            Err(fault) if is_gone(&fault) => {}
                            Err(fault) => return Err(fault),
                        }
                    }
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(tags)
    }

    async fn tags_of(
        &self,
        arns: &[String],
        usage: &mut Usage,
    ) -> Result<Vec<(String, BTreeMap<String, String>)>, Fault> {
        let answer =
            self.client.describe_tags().set_resource_arns(Some(arns.to_vec())).send().await;
        let answer = answer.map_err(|error| Fault::of(TAGS, &self.region, &error));
        usage.call(TAGS, answer.as_ref().err().map(|fault| fault.problem));
        let described = answer?.tag_descriptions.unwrap_or_default();
        let tags = described.iter().map(|one| {
            let pairs = one.tags().iter().filter_map(|t| {
                Some((t.key()?.to_owned(), t.value().unwrap_or_default().to_owned()))
            });
            (one.resource_arn().unwrap_or_default().to_owned(), pairs.collect())
        });
        Ok(tags.collect())
    }

    /// The idle timeout of a load balancer, seconds; `None` if it has been
    /// deleted in the meantime.
    ///
    /// # Errors
    /// When the call fails, or does not say it.
    pub async fn idle_timeout(&self, arn: &str) -> Result<Option<f64>, Fault> {
        let answer =
            self.client.describe_load_balancer_attributes().load_balancer_arn(arn).send().await;
        let answer = match answer.map_err(|error| Fault::of(ATTRIBUTES, &self.region, &error)) {
            Err(fault) if is_gone(&fault) => return Ok(None),
            answer => answer?,
        };
        let mut attributes = answer.attributes().iter();
        let value = attributes.find(|a| a.key() == Some("idle_timeout.timeout_seconds"));
        let seconds = value.and_then(|a| a.value()?.parse::<f64>().ok()).filter(|s| *s > 0.0);
        let said = || format!("no idle_timeout.timeout_seconds for {arn}");
        seconds.map(Some).ok_or_else(|| Fault::incomplete(ATTRIBUTES, &self.region, said()))
    }

    /// The CloudWatch dimension values of a load balancer's target groups.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn target_groups(&self, arn: &str) -> Result<Vec<String>, Fault> {
        let pages = self.client.describe_target_groups().load_balancer_arn(arn).into_paginator();
        let groups = pages.items().send().collect::<Result<Vec<_>, _>>().await;
        let groups = groups.map_err(|error| Fault::of(TARGET_GROUPS, &self.region, &error))?;
        let dimension = |group: &TargetGroup| target_group_dimension(group.target_group_arn()?);
        Ok(groups.iter().filter_map(dimension).collect())
    }
}

/// The CloudWatch dimension value of the target group with this ARN.
#[must_use]
pub fn target_group_dimension(arn: &str) -> Option<String> {
    Some(format!("targetgroup{}", arn.split_once(":targetgroup")?.1))
}

fn is_gone(fault: &Fault) -> bool {
    fault.said.starts_with("LoadBalancerNotFound")
}
