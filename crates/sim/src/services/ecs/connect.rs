//! Services that others call through Service Connect, each with its timeout if that is
//! written down.

use crate::rng::hash_bytes;
use crate::scenario::gateway::{Kind, Shown};
use crate::services::Call;
use crate::services::ecs::cluster;
use crate::services::gateway_pages::present;
use crate::wire::document::Value;
use crate::world::{Gateway, World};

/// How many seconds older than the scenario the services are.
const AGE: i64 = 100 * 86_400;

/// The services of the caller's account at the time of the call.
pub(crate) fn all<'a>(world: &'a World, call: &Call) -> Vec<&'a Gateway> {
    if call.foreign {
        return Vec::new();
    }
    present(world, call, |kind| matches!(kind, Kind::Connect { .. }))
}

/// ARN of a service.
pub(crate) fn arn(world: &World, one: &Gateway) -> String {
    let cluster = cluster(world, &one.account).replace(":cluster/", ":service/");
    format!("{cluster}/{}", one.name)
}

/// A service as `DescribeServices` shows it.
pub(crate) fn value(world: &World, one: &Gateway, minute: i64) -> Value {
    let created = Value::Time(world.setup.start - AGE);
    let targets = one.sources.first().map_or(1, crate::world::Source::targets) as i64;
    let definition =
        format!("{}:1", arn(world, one).replace(":service/prod/", ":task-definition/"));
    let number = hash_bytes(world.setup.seed, one.name.as_bytes());
    let deployment = Value::record([
        ("id", format!("ecs-svc/{:019}", number % 10_000_000_000_000_000_000).into()),
        ("status", "PRIMARY".into()),
        ("taskDefinition", definition.as_str().into()),
        ("desiredCount", targets.into()),
        ("runningCount", targets.into()),
        ("pendingCount", Value::Integer(0)),
        ("failedTasks", Value::Integer(0)),
        ("createdAt", created.clone()),
        ("updatedAt", created.clone()),
        ("launchType", "FARGATE".into()),
        ("rolloutState", "COMPLETED".into()),
        ("serviceConnectConfiguration", configuration(one, minute)),
    ]);
    Value::record([
        ("serviceArn", arn(world, one).into()),
        ("serviceName", one.name.as_str().into()),
        ("clusterArn", cluster(world, &one.account).into()),
        ("loadBalancers", Value::List(Vec::new())),
        ("serviceRegistries", Value::List(Vec::new())),
        ("status", "ACTIVE".into()),
        ("desiredCount", targets.into()),
        ("runningCount", targets.into()),
        ("pendingCount", Value::Integer(0)),
        ("launchType", "FARGATE".into()),
        ("taskDefinition", definition.into()),
        ("deployments", Value::List(vec![deployment])),
        ("events", Value::List(Vec::new())),
        ("createdAt", created),
        ("schedulingStrategy", "REPLICA".into()),
    ])
}

/// What the service offers; a timeout nobody set is not shown, though there is one.
fn configuration(one: &Gateway, minute: i64) -> Value {
    let shown = match one.plan.kind {
        Kind::Connect { shown } => shown,
        _ => Shown::Nothing,
    };
    let seconds = match shown {
        Shown::Timeout => Some(one.timeout(minute)),
        Shown::Zero => Some(0),
        Shown::Nothing => None,
    };
    let alias =
        Value::record([("port", Value::Integer(8_080)), ("dnsName", one.name.as_str().into())]);
    let service = Value::record([
        ("portName", "http".into()),
        ("discoveryName", one.name.as_str().into()),
        ("clientAliases", Value::List(vec![alias])),
    ]);
    let timeout = seconds.map(|seconds| {
        let idle = ("idleTimeoutSeconds", Value::Integer(300));
        Value::record([idle, ("perRequestTimeoutSeconds", seconds.into())])
    });
    let service = service.with(timeout.map(|timeout| ("timeout", timeout)));
    Value::record([
        ("enabled", true.into()),
        ("namespace", "arn:aws:servicediscovery:::namespace/ns-internal".into()),
        ("services", Value::List(vec![service])),
    ])
}
