//! What ECS says: which services register tasks behind a load balancer, their deployments,
//! and which tasks stopped and why.
//!
//! No call leads from a target group to its service, so all are listed, up to a limit.

use std::collections::BTreeSet;

use aws_sdk_ecs::types as aws;
use aws_smithy_types::DateTime;

use super::{TopologyReader, because, text};
use crate::edge::aws::{AwsError, collect, plain};
use nearmiss_core::diagnose::evidence::{Container, Deployment, Service, StoppedTask, TargetGroup};

const CLUSTERS: &str = "ecs:ListClusters";
const SERVICES: &str = "ecs:ListServices";
const SERVICE: &str = "ecs:DescribeServices";
const DEFINITION: &str = "ecs:DescribeTaskDefinition";
const LIST_TASKS: &str = "ecs:ListTasks";
const TASKS: &str = "ecs:DescribeTasks";

/// At most this many clusters, and services of each, are searched.
const MAX_CLUSTERS: usize = 50;
const MAX_SERVICES: usize = 500;
/// The size of a page of a list.
const PAGE: i32 = 100;
/// Services per call, and stopped tasks that are examined.
const PER_CALL: usize = 10;
const MAX_TASKS: i32 = 100;

impl TopologyReader {
    pub(super) async fn read_services(
        &self,
        groups: &[TargetGroup],
    ) -> Result<Vec<Service>, AwsError> {
        let wanted: BTreeSet<&str> = groups.iter().map(|group| group.arn.as_str()).collect();
        let call = (CLUSTERS, self.region.as_str());
        let pages = self.ecs.list_clusters().max_results(PAGE).into_paginator().send();
        let clusters = collect(call, (MAX_CLUSTERS, MAX_CLUSTERS), pages, |page| {
            (page.cluster_arns.unwrap_or_default(), page.next_token)
        });
        let mut found = Vec::new();
        for cluster in &clusters.await? {
            let call = (SERVICES, self.region.as_str());
            let pages = self.ecs.list_services().cluster(cluster).max_results(PAGE);
            let pages = pages.into_paginator().send();
            let services = collect(call, (MAX_SERVICES, MAX_SERVICES), pages, |page| {
                (page.service_arns.unwrap_or_default(), page.next_token)
            });
            for some in services.await?.chunks(PER_CALL) {
                let described = self.ecs.describe_services().cluster(cluster);
                let described = described.set_services(Some(some.to_vec())).send().await;
                let described = described.map_err(|error| self.fault(SERVICE, &error))?;
                for service in described.services().iter().filter(|s| serves(s, &wanted)) {
                    found.push(self.service(cluster, service).await);
                }
            }
        }
        Ok(found)
    }

    async fn service(&self, cluster: &str, service: &aws::Service) -> Service {
        let name = service.service_name().unwrap_or_default();
        let containers = self.containers(service.task_definition().unwrap_or_default()).await;
        let stopped = self.stopped(cluster, name).await;
        Service {
            cluster: last(cluster),
            name: plain(name),
            target_groups: group_arns(service).map(str::to_owned).collect(),
            deployments: service.deployments().iter().map(deployment).collect(),
            containers: containers.map_err(|fault| because("the task definition", &fault)),
            stopped: stopped.map_err(|fault| because("stopped tasks", &fault)),
        }
    }

    async fn containers(&self, definition: &str) -> Result<Vec<Container>, AwsError> {
        let answer = self.ecs.describe_task_definition().task_definition(definition).send().await;
        let answer = answer.map_err(|error| self.fault(DEFINITION, &error))?;
        let all = answer.task_definition().map(aws::TaskDefinition::container_definitions);
        let container = |one: &aws::ContainerDefinition| Container {
            name: text(one.name()),
            stop_timeout: one.stop_timeout().and_then(|s| u32::try_from(s).ok()),
        };
        Ok(all.unwrap_or_default().iter().map(container).collect())
    }

    async fn stopped(&self, cluster: &str, service: &str) -> Result<Vec<StoppedTask>, AwsError> {
        let list = self.ecs.list_tasks().cluster(cluster).service_name(service);
        let list = list.desired_status(aws::DesiredStatus::Stopped).max_results(MAX_TASKS);
        let list = list.send().await.map_err(|error| self.fault(LIST_TASKS, &error))?;
        if list.task_arns().is_empty() {
            return Ok(Vec::new());
        }
        let tasks = self.ecs.describe_tasks().cluster(cluster);
        let tasks = tasks.set_tasks(Some(list.task_arns().to_vec())).send().await;
        let tasks = tasks.map_err(|error| self.fault(TASKS, &error))?;
        Ok(tasks.tasks().iter().map(stopped).collect())
    }
}

fn group_arns(service: &aws::Service) -> impl Iterator<Item = &str> {
    service.load_balancers().iter().filter_map(aws::LoadBalancer::target_group_arn)
}

fn serves(service: &aws::Service, wanted: &BTreeSet<&str>) -> bool {
    group_arns(service).any(|arn| wanted.contains(arn))
}

fn deployment(one: &aws::Deployment) -> Deployment {
    Deployment {
        status: text(one.status()),
        rollout: text(one.rollout_state().map(aws::DeploymentRolloutState::as_str)),
        created: one.created_at().map_or(0, DateTime::secs),
        updated: one.updated_at().map_or(0, DateTime::secs),
    }
}

fn stopped(task: &aws::Task) -> StoppedTask {
    let exit = |one: &aws::Container| (one.exit_code(), text(one.reason()));
    StoppedTask {
        id: last(task.task_arn().unwrap_or_default()),
        stopping: task.stopping_at().map(DateTime::secs),
        stopped: task.stopped_at().map(DateTime::secs),
        code: text(task.stop_code().map(aws::TaskStopCode::as_str)),
        reason: text(task.stopped_reason()),
        exits: task.containers().iter().map(exit).collect(),
    }
}

/// The last part of an ARN.
fn last(arn: &str) -> String {
    plain(arn.rsplit('/').next().unwrap_or(arn))
}
