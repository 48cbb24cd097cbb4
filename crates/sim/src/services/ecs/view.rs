//! How services and task definitions look in ECS's answers.

use crate::rng::hash;
use crate::services::ecs::cluster;
use crate::services::ecs::service::Service;
use crate::services::ecs::service::{STARTS, image};
use crate::services::vpc::firewall::{GroupRole, group_id};
use crate::services::vpc::network::{Network, Tier};
use crate::traffic::tasks::{Deployment, Task};
use crate::wire::document::Value;
use crate::world::ZONES;

/// A service is this many seconds older than its first tasks.
const AGE: i64 = 30 * 86_400;
/// Events that are shown.
const EVENTS: usize = 100;

/// A service as `DescribeServices` shows it.
pub(crate) fn service(one: &Service) -> Value {
    let running = one.tasks.iter().filter(|task| task.replaced.is_none()).count() as i64;
    let host = &one.one.source.plan.host;
    let group = one.one.groups.first().map_or("", |group| group.arn.as_str());
    let balancer = Value::record([
        ("targetGroupArn", group.into()),
        ("containerName", one.name().into()),
        ("containerPort", Value::Integer(host.port().unwrap_or(0).into())),
    ]);
    let breaker = Value::record([("enable", true.into()), ("rollback", true.into())]);
    let config = Value::record([
        ("deploymentCircuitBreaker", breaker),
        ("maximumPercent", Value::Integer(200)),
        ("minimumHealthyPercent", Value::Integer(100)),
    ]);
    Value::record([
        ("serviceArn", one.arn().into()),
        ("serviceName", one.name().into()),
        ("clusterArn", cluster(one.world, &one.one.account).into()),
        ("loadBalancers", Value::List(vec![balancer])),
        ("serviceRegistries", Value::List(Vec::new())),
        ("status", "ACTIVE".into()),
        ("desiredCount", running.into()),
        ("runningCount", running.into()),
        ("pendingCount", Value::Integer(0)),
        ("launchType", "FARGATE".into()),
        ("platformVersion", "LATEST".into()),
        ("platformFamily", "Linux".into()),
        ("taskDefinition", one.definition_arn(one.revision()).into()),
        ("deploymentConfiguration", config),
        ("deployments", Value::List(deployments(one, running))),
        ("events", Value::List(events(one))),
        ("createdAt", Value::Time(one.origin() - AGE)),
        ("networkConfiguration", network(one)),
        ("healthCheckGracePeriodSeconds", Value::Integer(60)),
        ("schedulingStrategy", "REPLICA".into()),
        ("deploymentController", Value::record([("type", "ECS".into())])),
        ("enableECSManagedTags", true.into()),
        ("propagateTags", "NONE".into()),
        ("enableExecuteCommand", false.into()),
    ])
}

fn network(one: &Service) -> Value {
    let network = Network::of(one.world, &one.one.account);
    let subnets = (0..ZONES.len()).map(|zone| network.subnet(Tier::Private, zone).id);
    let awsvpc = Value::record([
        ("subnets", Value::list(subnets)),
        ("securityGroups", Value::list([group_id(one.world, one.one, GroupRole::Targets)])),
        ("assignPublicIp", "DISABLED".into()),
    ]);
    Value::record([("awsvpcConfiguration", awsvpc)])
}

/// The last deployment, and the one before while the last goes on.
fn deployments(one: &Service, running: i64) -> Vec<Value> {
    let last = one.deployments.last();
    let going_on = last.is_some_and(|last| last.until > one.minute);
    let moved = |task: &&Task| {
        let new = last.is_some_and(|last| task.born.is_some_and(|born| born >= last.from));
        task.replaced.is_none() && (new || !going_on)
    };
    let new = one.tasks.iter().filter(moved).count() as i64;
    let mut all = vec![deployment(one, last, (running, new), !going_on, one.revision())];
    if going_on {
        let before = one.deployments.len().checked_sub(2).map(|at| &one.deployments[at]);
        all.push(deployment(one, before, (0, running - new), true, one.revision() - 1));
    }
    all
}

fn deployment(
    one: &Service,
    deployed: Option<&Deployment>,
    (desired, running): (i64, i64),
    complete: bool,
    revision: i64,
) -> Value {
    let from = deployed.map_or(one.origin(), |deployed| deployed.from * 60);
    let until = deployed.map_or(from + 300, |deployed| deployed.until * 60);
    let id = one.deployment_id(deployed.map(|deployed| deployed.from));
    let primary = revision == one.revision();
    let (state, reason) = if complete {
        ("COMPLETED", format!("ECS deployment {id} completed."))
    } else {
        ("IN_PROGRESS", format!("ECS deployment {id} in progress."))
    };
    let updated = if complete { until } else { one.minute * 60 };
    Value::record([
        ("id", id.into()),
        ("status", if primary { "PRIMARY" } else { "ACTIVE" }.into()),
        ("taskDefinition", one.definition_arn(revision).into()),
        ("desiredCount", desired.into()),
        ("pendingCount", Value::Integer(0)),
        ("runningCount", running.into()),
        ("failedTasks", Value::Integer(0)),
        ("createdAt", Value::Time(from)),
        ("updatedAt", Value::Time(updated)),
        ("launchType", "FARGATE".into()),
        ("platformVersion", "1.4.0".into()),
        ("platformFamily", "Linux".into()),
        ("networkConfiguration", network(one)),
        ("rolloutState", state.into()),
        ("rolloutStateReason", reason.into()),
    ])
}

/// What the service says of itself, the newest first.
fn events(one: &Service) -> Vec<Value> {
    let name = one.name();
    let group = one.one.groups.first().map_or("", |group| group.arn.as_str());
    let mut told: Vec<(i64, String)> = Vec::new();
    for task in &one.tasks {
        let id = one.task_arn(task).rsplit('/').next().unwrap_or_default().to_owned();
        if let Some(born) = task.born {
            let text = format!("(service {name}) has started 1 tasks: (task {id}).");
            told.push((born * 60 + 2, text));
            let text = format!("(service {name}) registered 1 targets in (target-group {group})");
            told.push((born * 60 + STARTS, text));
        }
        if let Some(after) = task.replaced {
            let text = format!("(service {name}) deregistered 1 targets in (target-group {group})");
            told.push((after.at * 60 + 1, text));
            let text = format!("(service {name}) has begun draining connections on 1 tasks.");
            told.push((after.at * 60 + 3, text));
        }
    }
    for done in one.deployments.iter().filter(|done| done.until <= one.minute) {
        let id = one.deployment_id(Some(done.from));
        told.push((
            done.until * 60,
            format!("(service {name}) (deployment {id}) deployment completed."),
        ));
        told.push((done.until * 60 + 5, format!("(service {name}) has reached a steady state.")));
    }
    told.push((one.origin(), format!("(service {name}) has reached a steady state.")));
    told.sort_by(|a, b| b.cmp(a));
    let event = |(at, text): (i64, String)| {
        let id = crate::rng::uuid(hash(&[one.one.source.stream, 63, at as u64]), at as u64);
        Value::record([("id", id.into()), ("createdAt", Value::Time(at)), ("message", text.into())])
    };
    told.into_iter().filter(|(at, _)| *at <= one.minute * 60 + 59).take(EVENTS).map(event).collect()
}

/// A task definition as `DescribeTaskDefinition` shows it.
pub(crate) fn definition(one: &Service, revision: i64) -> Value {
    let host = &one.one.source.plan.host;
    let port = Value::Integer(host.port().unwrap_or(0).into());
    let mapping = Value::record([
        ("containerPort", port.clone()),
        ("hostPort", port),
        ("protocol", "tcp".into()),
    ]);
    let stop = host.stop_timeout.map(|seconds| ("stopTimeout", seconds.into()));
    let container = Value::record([
        ("name", one.name().into()),
        ("image", image(one).into()),
        ("cpu", Value::Integer(0)),
        ("memory", host.memory.into()),
        ("essential", true.into()),
        ("portMappings", Value::List(vec![mapping])),
        ("environment", Value::List(Vec::new())),
        ("mountPoints", Value::List(Vec::new())),
        ("volumesFrom", Value::List(Vec::new())),
    ])
    .with(stop);
    Value::record([
        ("taskDefinitionArn", one.definition_arn(revision).into()),
        ("containerDefinitions", Value::List(vec![container])),
        ("family", one.name().into()),
        ("networkMode", "awsvpc".into()),
        ("revision", revision.into()),
        ("volumes", Value::List(Vec::new())),
        ("status", "ACTIVE".into()),
        ("placementConstraints", Value::List(Vec::new())),
        ("compatibilities", Value::list(["EC2", "FARGATE"])),
        ("requiresCompatibilities", Value::list(["FARGATE"])),
        ("cpu", "512".into()),
        ("memory", host.memory.to_string().into()),
        ("registeredAt", Value::Time(one.origin())),
    ])
}
