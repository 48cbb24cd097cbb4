//! What Elastic Load Balancing says: the load balancer, where it forwards to, and the
//! health of its targets.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticloadbalancingv2::types as aws;
use futures::stream::StreamExt;

use super::{TopologyReader, because, text};
use crate::edge::aws::AwsError;
use nearmiss_core::diagnose::evidence::{
    Checked, HealthCheck, LoadBalancer, Target, TargetGroup, TargetGroups, TargetKind, Zone,
};

pub(super) const DESCRIBE: &str = "elasticloadbalancing:DescribeLoadBalancers";
pub(super) const ATTRIBUTES: &str = "elasticloadbalancing:DescribeLoadBalancerAttributes";
pub(super) const GROUPS: &str = "elasticloadbalancing:DescribeTargetGroups";
pub(super) const GROUP_ATTRIBUTES: &str = "elasticloadbalancing:DescribeTargetGroupAttributes";
pub(super) const HEALTH: &str = "elasticloadbalancing:DescribeTargetHealth";
pub(super) const LISTENERS: &str = "elasticloadbalancing:DescribeListeners";
pub(super) const RULES: &str = "elasticloadbalancing:DescribeRules";

/// Calls under way at once.
const CONCURRENCY: usize = 4;
/// A page has at most this many things.
const PAGE: i32 = 400;
/// A load balancer may have hundreds of target groups; at most this many have their targets
/// read.
const MAX_GROUPS: usize = 100;

impl TopologyReader {
    pub(super) async fn read_balancer(&self, arn: &str) -> Result<LoadBalancer, AwsError> {
        let described = self.elb.describe_load_balancers().load_balancer_arns(arn).send().await;
        let described = described.map_err(|error| self.fault(DESCRIBE, &error))?;
        let gone = || AwsError::incomplete(DESCRIBE, &self.region, format!("{arn} is not there"));
        let one = described.load_balancers().first().ok_or_else(gone)?;
        let zone = |zone: &aws::AvailabilityZone| Zone {
            name: text(zone.zone_name()),
            subnet: text(zone.subnet_id()),
        };
        Ok(LoadBalancer {
            name: text(one.load_balancer_name()),
            arn: arn.to_owned(),
            state: text(one.state().and_then(|s| s.code()).map(aws::LoadBalancerStateEnum::as_str)),
            vpc: text(one.vpc_id()),
            security_groups: one.security_groups().to_vec(),
            zones: one.availability_zones().iter().map(zone).collect(),
            attributes: self.attributes(arn).await,
        })
    }

    async fn attributes(&self, arn: &str) -> Checked<BTreeMap<String, String>> {
        let answer = self.elb.describe_load_balancer_attributes().load_balancer_arn(arn);
        let answer = answer.send().await.map_err(|error| self.fault(ATTRIBUTES, &error));
        let answer = answer.map_err(|fault| because("the load balancer's attributes", &fault))?;
        let pair = |a: &aws::LoadBalancerAttribute| Some((text(a.key()), text(Some(a.value()?))));
        Ok(answer.attributes().iter().filter_map(pair).collect())
    }

    pub(super) async fn read_groups(&self, arn: &str) -> Result<TargetGroups, AwsError> {
        let pages = self.elb.describe_target_groups().load_balancer_arn(arn);
        let pages = pages.page_size(PAGE).into_paginator().send();
        let groups =
            self.all(GROUPS, pages, |p| (p.target_groups.unwrap_or_default(), p.next_marker));
        let mut groups = groups.await?;
        let receiving = self.receiving(arn).await.ok();
        let receiving = receiving.as_ref();
        let arn = |group: &aws::TargetGroup| text(group.target_group_arn());
        groups.sort_by_key(|group| receiving.is_some_and(|those| !those.contains(&arn(group))));
        let left_out = groups.len().saturating_sub(MAX_GROUPS);
        let each = groups.into_iter().take(MAX_GROUPS);
        let read = each.map(|group| async move { self.group(&group, receiving).await });
        let read = futures::stream::iter(read).buffered(CONCURRENCY).collect().await;
        Ok(TargetGroups { read, left_out })
    }

    /// ARNs of the target groups that a rule forwards to with a weight above zero.
    async fn receiving(&self, arn: &str) -> Result<BTreeSet<String>, AwsError> {
        let pages = self.elb.describe_listeners().load_balancer_arn(arn);
        let pages = pages.page_size(PAGE).into_paginator().send();
        let listeners =
            self.all(LISTENERS, pages, |p| (p.listeners.unwrap_or_default(), p.next_marker));
        let mut found = BTreeSet::new();
        for listener in listeners.await?.iter().filter_map(aws::Listener::listener_arn) {
            let pages = self.elb.describe_rules().listener_arn(listener);
            let pages = pages.page_size(PAGE).into_paginator().send();
            let rules = self.all(RULES, pages, |p| (p.rules.unwrap_or_default(), p.next_marker));
            let rules = rules.await?;
            found.extend(rules.iter().flat_map(aws::Rule::actions).flat_map(forwards));
        }
        Ok(found)
    }

    async fn group(
        &self,
        group: &aws::TargetGroup,
        receiving: Option<&BTreeSet<String>>,
    ) -> TargetGroup {
        let arn = text(group.target_group_arn());
        TargetGroup {
            name: text(group.target_group_name()),
            kind: kind(group.target_type()),
            protocol: text(group.protocol().map(aws::ProtocolEnum::as_str)),
            port: group.port().and_then(|port| u16::try_from(port).ok()),
            vpc: group.vpc_id().map(str::to_owned),
            health_check: health_check(group),
            attributes: self.group_attributes(&arn).await,
            receives: receiving.map(|receiving| receiving.contains(&arn)),
            targets: self.targets(&arn).await,
            arn,
        }
    }

    async fn group_attributes(&self, arn: &str) -> Checked<BTreeMap<String, String>> {
        let answer = self.elb.describe_target_group_attributes().target_group_arn(arn);
        let answer = answer.send().await.map_err(|error| self.fault(GROUP_ATTRIBUTES, &error));
        let answer = answer.map_err(|fault| because("target groups' attributes", &fault))?;
        let pair = |a: &aws::TargetGroupAttribute| Some((text(a.key()), text(Some(a.value()?))));
        Ok(answer.attributes().iter().filter_map(pair).collect())
    }

    async fn targets(&self, arn: &str) -> Checked<Vec<Target>> {
        let include = aws::DescribeTargetHealthInputIncludeEnum::Anomaly;
        let answer = self.elb.describe_target_health().target_group_arn(arn).include(include);
        let answer = answer.send().await.map_err(|error| self.fault(HEALTH, &error));
        let answer = answer.map_err(|fault| because("target health", &fault))?;
        Ok(answer.target_health_descriptions().iter().filter_map(target).collect())
    }
}

/// Where an action forwards to.
fn forwards(action: &aws::Action) -> Vec<String> {
    let weighted = action.forward_config().map(aws::ForwardActionConfig::target_groups);
    let tuples = weighted.unwrap_or_default().iter();
    let weighted = tuples.filter(|tuple| tuple.weight().unwrap_or(1) > 0);
    let mut arns: Vec<String> =
        weighted.filter_map(|tuple| tuple.target_group_arn().map(str::to_owned)).collect();
    if arns.is_empty() {
        arns.extend(action.target_group_arn().map(str::to_owned));
    }
    arns
}

fn target(described: &aws::TargetHealthDescription) -> Option<Target> {
    let (target, health) = (described.target()?, described.target_health()?);
    let result = described.anomaly_detection().and_then(aws::AnomalyDetection::result);
    Some(Target {
        id: text(target.id()),
        port: target.port().and_then(|port| u16::try_from(port).ok()),
        zone: target.availability_zone().map(str::to_owned),
        state: text(health.state().map(aws::TargetHealthStateEnum::as_str)),
        reason: text(health.reason().map(aws::TargetHealthReasonEnum::as_str)),
        description: text(health.description()),
        anomalous: result.map(|result| *result == aws::AnomalyResultEnum::Anomalous),
        address: target.id().and_then(|id| id.parse().ok()),
    })
}

fn kind(kind: Option<&aws::TargetTypeEnum>) -> TargetKind {
    match kind {
        Some(aws::TargetTypeEnum::Ip) => TargetKind::Ip,
        Some(aws::TargetTypeEnum::Lambda) => TargetKind::Lambda,
        Some(aws::TargetTypeEnum::Alb) => TargetKind::LoadBalancer,
        _ => TargetKind::Instance,
    }
}

fn health_check(group: &aws::TargetGroup) -> HealthCheck {
    let number = |value: Option<i32>| value.and_then(|v| u32::try_from(v).ok()).unwrap_or(0);
    HealthCheck {
        enabled: group.health_check_enabled().unwrap_or(true),
        protocol: text(group.health_check_protocol().map(aws::ProtocolEnum::as_str)),
        port: text(group.health_check_port()),
        path: text(group.health_check_path()),
        interval: number(group.health_check_interval_seconds()),
        timeout: number(group.health_check_timeout_seconds()),
        healthy_threshold: number(group.healthy_threshold_count()),
        unhealthy_threshold: number(group.unhealthy_threshold_count()),
        matcher: text(group.matcher().and_then(|m| m.http_code().or(m.grpc_code()))),
    }
}
