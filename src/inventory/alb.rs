//! Application Load Balancers, by Elastic Load Balancing.
//!
//! Dimensions come from here and not from CloudWatch's list of metrics, which leaves out
//! every counter that was never above zero - such as the 504s of a healthy load balancer.

use std::collections::{BTreeMap, HashMap};

use aws_config::SdkConfig;
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::{LoadBalancerTypeEnum, TagDescription};

use futures::future::BoxFuture;

use super::{Actions, Inventory, Listed, TagsByArn, TargetGroupsByArn};
use crate::config::GatewayArn;
use crate::edge::aws::{AwsError, Pages, Skew, Usage, plain, region_of};
use nearmiss_core::gateway::{Identity, Kind};

const DESCRIBE: &str = "elasticloadbalancing:DescribeLoadBalancers";
const ATTRIBUTES: &str = "elasticloadbalancing:DescribeLoadBalancerAttributes";
const TAGS: &str = "elasticloadbalancing:DescribeTags";
const TARGET_GROUPS: &str = "elasticloadbalancing:DescribeTargetGroups";

pub(super) const ACTIONS: Actions = Actions {
    list: DESCRIBE,
    timeout: ATTRIBUTES,
    tags: TAGS,
    tags_per_call: ARNS_PER_CALL,
    target_groups: Some(TARGET_GROUPS),
};

/// `DescribeTags` takes at most this many ARNs.
const ARNS_PER_CALL: usize = 20;
/// AWS allows 50 tags, and adds some of its own.
const MAX_TAGS: usize = 100;
/// A page has at most this many load balancers or target groups.
const PAGE: i32 = 400;
/// An account has at most this many pages in a Region: 100,000 load balancers.
const MAX_PAGES: usize = 250;
/// A load balancer has at most this many pages of target groups: a listener has 100 rules.
const MAX_GROUP_PAGES: usize = 25;
/// At most this many target groups of a load balancer are read.
const MAX_GROUPS: usize = 1_000;

/// Elastic Load Balancing, seen from one account and Region.
#[derive(Debug)]
pub(super) struct Elb {
    client: Client,
    region: String,
}

impl Elb {
    /// A client for the account and Region of this configuration, which reports to `skew`
    /// what time it is there.
    pub(super) fn new(config: &SdkConfig, skew: &Skew) -> Self {
        let of_client = aws_sdk_elasticloadbalancingv2::config::Builder::from(config);
        let client = Client::from_conf(of_client.interceptor(skew.clone()).build());
        Self { client, region: region_of(config) }
    }

    async fn all(&self, usage: &mut Usage) -> Result<Vec<Listed>, AwsError> {
        let mut pages =
            self.client.describe_load_balancers().page_size(PAGE).into_paginator().send();
        let mut turned = Pages::at_most(MAX_PAGES);
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::of(DESCRIBE, &self.region, &error));
            usage.call(DESCRIBE, page.as_ref().err().map(|fault| fault.problem));
            let page = page?;
            let (there, asked) = (page.load_balancers().len(), PAGE.unsigned_abs() as usize);
            if there > asked {
                let said = format!("a page of {asked} load balancers has {there}");
                return Err(AwsError::incomplete(DESCRIBE, &self.region, said));
            }
            let albs = page
                .load_balancers()
                .iter()
                .filter(|lb| lb.r#type() == Some(&LoadBalancerTypeEnum::Application));
            found.extend(albs.filter_map(|lb| {
                let arn = GatewayArn::parse(lb.load_balancer_arn()?).ok()?;
                let name = lb.load_balancer_name()?;
                let is_plain = plain(name) == name && plain(&arn.text) == arn.text;
                let id = Identity::new(Kind::Alb, &arn.region, &arn.account, &arn.dimension);
                let id = Identity { name: name.to_owned(), ..id };
                is_plain.then_some(Listed { id, arn: arn.text, timeout: None })
            }));
            let next = turned.turn(page.next_marker());
            if next.map_err(|said| AwsError::incomplete(DESCRIBE, &self.region, said))?.is_none() {
                break;
            }
        }
        Ok(found)
    }

    async fn tags_of_all(&self, arns: &[String], usage: &mut Usage) -> Result<TagsByArn, AwsError> {
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
    ) -> Result<Vec<(String, BTreeMap<String, String>)>, AwsError> {
        let answer =
            self.client.describe_tags().set_resource_arns(Some(arns.to_vec())).send().await;
        let answer = answer.map_err(|error| AwsError::of(TAGS, &self.region, &error));
        usage.call(TAGS, answer.as_ref().err().map(|fault| fault.problem));
        let described = answer?.tag_descriptions.unwrap_or_default();
        let asked = |one: &&TagDescription| arns.iter().any(|arn| one.resource_arn() == Some(arn));
        let tags = described.iter().filter(asked).map(|one| {
            let pairs = one.tags().iter().take(MAX_TAGS).filter_map(|tag| {
                Some((plain(tag.key()?), plain(tag.value().unwrap_or_default())))
            });
            (one.resource_arn().unwrap_or_default().to_owned(), pairs.collect())
        });
        Ok(tags.collect())
    }

    async fn idle_timeout(&self, arn: &str) -> Result<Option<f64>, AwsError> {
        let answer =
            self.client.describe_load_balancer_attributes().load_balancer_arn(arn).send().await;
        let answer = match answer.map_err(|error| AwsError::of(ATTRIBUTES, &self.region, &error)) {
            Err(fault) if is_gone(&fault) => return Ok(None),
            answer => answer?,
        };
        let mut attributes = answer.attributes().iter();
        let value = attributes.find(|a| a.key() == Some("idle_timeout.timeout_seconds"));
        let value = value.and_then(|attribute| attribute.value());
        let said = || match value {
            Some(value) => format!("the idle timeout is \"{value}\", which cannot be"),
            None => "no idle_timeout.timeout_seconds in the answer".to_owned(),
        };
        let seconds = value.and_then(idle_seconds);
        seconds.map(Some).ok_or_else(|| AwsError::incomplete(ATTRIBUTES, &self.region, said()))
    }

    /// The target groups of one load balancer, or of all.
    async fn groups(
        &self,
        of: Option<&str>,
        usage: &mut Usage,
    ) -> Result<TargetGroupsByArn, AwsError> {
        let pages = self.client.describe_target_groups().set_load_balancer_arn(of.map(Into::into));
        let mut pages = pages.page_size(PAGE).into_paginator().send();
        let mut turned = Pages::at_most(if of.is_some() { MAX_GROUP_PAGES } else { MAX_PAGES });
        let mut found = TargetGroupsByArn::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::of(TARGET_GROUPS, &self.region, &error));
            usage.call(TARGET_GROUPS, page.as_ref().err().map(|fault| fault.problem));
            let page = page?;
            for group in page.target_groups() {
                let dimension = group.target_group_arn().and_then(target_group_dimension);
                let Some(dimension) = dimension.filter(|one| plain(one) == *one) else { continue };
                for owner in group.load_balancer_arns().iter().filter(|arn| is_asked(of, arn)) {
                    let groups = found.entry(owner.clone()).or_default();
                    if groups.len() < MAX_GROUPS {
                        groups.push(dimension.clone());
                    }
                }
            }
            let next = turned.turn(page.next_marker());
            if next
                .map_err(|said| AwsError::incomplete(TARGET_GROUPS, &self.region, said))?
                .is_none()
            {
                break;
            }
        }
        Ok(found)
    }
}

impl Inventory for Elb {
    fn actions(&self) -> &'static Actions {
        &ACTIONS
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn list<'a>(&'a self, usage: &'a mut Usage) -> BoxFuture<'a, Result<Vec<Listed>, AwsError>> {
        Box::pin(self.all(usage))
    }

    fn timeout<'a>(&'a self, arn: &'a str) -> BoxFuture<'a, Result<Option<f64>, AwsError>> {
        Box::pin(self.idle_timeout(arn))
    }

    fn tags<'a>(
        &'a self,
        arns: &'a [String],
        usage: &'a mut Usage,
    ) -> BoxFuture<'a, Result<TagsByArn, AwsError>> {
        Box::pin(self.tags_of_all(arns, usage))
    }

    fn target_groups<'a>(
        &'a self,
        of: Option<&'a str>,
        usage: &'a mut Usage,
    ) -> BoxFuture<'a, Result<TargetGroupsByArn, AwsError>> {
        Box::pin(self.groups(of, usage))
    }
}

/// A whole number of seconds up to a day: AWS takes 1 to 4,000.
fn idle_seconds(value: &str) -> Option<f64> {
    const DAY: u32 = 86_400;
    let seconds = value.parse::<u32>().ok().filter(|seconds| (1..=DAY).contains(seconds));
    seconds.map(f64::from)
}

/// The CloudWatch dimension value of the target group with this ARN.
#[must_use]
pub fn target_group_dimension(arn: &str) -> Option<String> {
    Some(format!("targetgroup{}", arn.split_once(":targetgroup")?.1))
}

fn is_asked(of: Option<&str>, arn: &str) -> bool {
    of.is_none_or(|asked| asked == arn)
}

fn is_gone(fault: &AwsError) -> bool {
    fault.code().starts_with("LoadBalancerNotFound")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::aws::testing::{Asked, Does, Server, answer, error, sdk};

    #[test]
    fn an_idle_timeout_is_a_number_of_seconds() {
        for (value, seconds) in [
            ("1", Some(1.0)),
            ("60", Some(60.0)),
            ("4000", Some(4000.0)),
            ("0", None),
            ("-1", None),
            ("inf", None),
            ("NaN", None),
            ("1e308", None),
            ("60.5", None),
            ("99999999999", None),
            ("", None),
        ] {
            assert_eq!(idle_seconds(value), seconds, "{value}");
        }
    }

    /// A page of the load balancers with these names, and the marker of the next one.
    fn page(names: &[&str], marker: &str) -> Does {
        let one = |name: &&str| {
            let arn = format!(
                "arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/{name}/50dc6c495c0c9188"
            );
            format!(
                "<member><LoadBalancerArn>{arn}</LoadBalancerArn><LoadBalancerName>{name}</LoadBalancerName><Type>application</Type></member>"
            )
        };
        let members: String = names.iter().map(one).collect();
        let body = format!(
            "<DescribeLoadBalancersResponse><DescribeLoadBalancersResult><LoadBalancers>{members}</LoadBalancers><NextMarker>{marker}</NextMarker></DescribeLoadBalancersResult></DescribeLoadBalancersResponse>"
        );
        Does::Says(answer(200, "text/xml", body))
    }

    async fn list(
        does: impl Fn(Asked) -> Does + Send + Sync + 'static,
    ) -> (Result<Vec<String>, String>, usize) {
        let server = Server::new(does).await;
        let elb = Elb::new(&sdk(server.address).await, &Skew::default());
        let listed = elb.list(&mut Usage::default()).await;
        let names = listed.map(|found| found.into_iter().map(|one| one.id.name).collect());
        (names.map_err(|fault| fault.said), server.requests())
    }

    #[tokio::test]
    async fn a_list_has_an_end() {
        let (found, requests) = list(|asked| match asked.number {
            0 => page(&["a"], "1"),
            _ => page(&["b"], ""),
        })
        .await;
        assert_eq!((found, requests), (Ok(vec!["a".to_owned(), "b".to_owned()]), 2));
        let (found, requests) = list(|_| page(&["a"], "again")).await;
        assert!(found.unwrap_err().contains("leads back"));
        assert_eq!(requests, 2);
        let (found, requests) = list(|asked| page(&["a"], ["x", "y"][asked.number % 2])).await;
        assert!(found.unwrap_err().contains("leads back"), "in a circle");
        assert_eq!(requests, 3);
        let (found, requests) = list(|asked| page(&["a"], &asked.number.to_string())).await;
        assert!(found.unwrap_err().contains("more than the 250 pages"));
        assert_eq!(requests, MAX_PAGES);
    }

    #[tokio::test]
    async fn a_page_is_no_longer_than_asked() {
        let (found, _) = list(|_| page(&["a"; 401], "")).await;
        assert_eq!(found.unwrap_err(), "a page of 400 load balancers has 401");
    }

    #[tokio::test]
    async fn a_name_that_no_load_balancer_has_is_left_out() {
        let (found, _) = list(|_| page(&["a", "b\nFAKE level=error", "c"], "")).await;
        assert_eq!(found, Ok(vec!["a".to_owned(), "c".to_owned()]));
    }

    #[tokio::test]
    async fn what_is_gone_has_no_timeout_and_other_errors_are_told() {
        for (code, gone) in [("LoadBalancerNotFound", true), ("ValidationError", false)] {
            let server = Server::says(error(400, code, "no")).await;
            let elb = Elb::new(&sdk(server.address).await, &Skew::default());
            let timeout = elb.idle_timeout("arn").await;
            assert_eq!(timeout.as_ref().ok(), gone.then_some(&None), "{timeout:?}");
        }
    }
}
