//! ECS: one cluster with a service for every load balancer whose targets are tasks.
//!
//! Everything is read only, with the limits of the real service: ten services and
//! a hundred tasks per call, and pages of ten services unless asked otherwise.

pub(crate) mod connect;
pub(crate) mod service;
pub(crate) mod tasks;
pub(crate) mod view;

use crate::scenario::host::Kind;
use crate::services::Call;
use crate::services::ecs::service::Service;
use crate::wire::document::{Failure, Reply, Value};
use crate::wire::input::Input;
use crate::world::World;

/// Name of the cluster.
const CLUSTER: &str = "prod";
/// Services and tasks per call.
const MAX_SERVICES: usize = 10;
const MAX_TASKS: usize = 100;

/// Answers an operation of this service.
pub(crate) fn answer(world: &World, call: &Call, input: Input) -> Reply {
    match call.operation.as_str() {
        "ListClusters" => list_clusters(world, call, input),
        "ListServices" => list_services(world, call, input),
        "DescribeServices" => describe_services(world, call, input),
        "DescribeTaskDefinition" => describe_definition(world, call, input),
        "ListTasks" => list_tasks(world, call, input),
        "DescribeTasks" => describe_tasks(world, call, input),
        other => Err(Failure::unknown_operation("ecs", other)),
    }
}

/// The services of the caller's account at the time of the call.
fn services<'a>(world: &'a World, call: &Call) -> Vec<Service<'a>> {
    let minute = world.minute(call.now);
    let all = world.balancers.iter().filter(|_| !call.foreign);
    let own = all.filter(|one| one.account == call.account && one.life.contains(&minute));
    let own = own.filter(|one| one.source.plan.host.kind == Kind::Tasks);
    own.map(|one| Service::new(world, one, minute)).collect()
}

/// ARN of the cluster.
pub(crate) fn cluster(world: &World, account: &str) -> String {
    format!("arn:aws:ecs:{}:{account}:cluster/{CLUSTER}", world.setup.region)
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(400, "InvalidParameterException", message)
}

/// The services of the cluster that is asked about, by name or ARN.
fn of_cluster<'a>(
    world: &'a World,
    call: &Call,
    input: Input,
) -> Result<Vec<Service<'a>>, Failure> {
    let asked = input.text("cluster")?.unwrap_or("default");
    let all = services(world, call);
    let known = asked == CLUSTER || asked == cluster(world, &call.account);
    if (all.is_empty() && connect::all(world, call).is_empty()) || !known {
        return Err(Failure::new(400, "ClusterNotFoundException", "Cluster not found."));
    }
    Ok(all)
}

/// Cuts a page of texts out of a list.
fn page(input: Input, name: &'static str, all: &[String], usual: i64) -> Reply {
    let size = input.integer("maxResults")?.unwrap_or(usual);
    if !(1..=100).contains(&size) {
        return Err(invalid("maxResults must be between 1 and 100"));
    }
    let from = match input.text("nextToken")? {
        None => 0,
        Some(token) => token
            .strip_prefix(name)
            .and_then(|rest| rest.parse::<usize>().ok())
            .filter(|from| *from < all.len())
            .ok_or_else(|| invalid("Invalid token"))?,
    };
    let until = (from + size as usize).min(all.len());
    let next = (until < all.len()).then(|| ("nextToken", format!("{name}{until}").into()));
    Ok(Value::record([(name, Value::list(all[from..until].iter().map(String::as_str)))]).with(next))
}

fn list_clusters(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["maxResults", "nextToken"])?;
    let any = !services(world, call).is_empty() || !connect::all(world, call).is_empty();
    let arns: Vec<String> = any.then(|| cluster(world, &call.account)).into_iter().collect();
    page(input, "clusterArns", &arns, 100)
}

fn list_services(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["cluster", "maxResults", "nextToken", "launchType", "schedulingStrategy"])?;
    let fargate = input.text("launchType")?.is_none_or(|kind| kind == "FARGATE");
    let replica = input.text("schedulingStrategy")?.is_none_or(|kind| kind == "REPLICA");
    let all = of_cluster(world, call, input)?;
    let called = connect::all(world, call).into_iter().map(|one| connect::arn(world, one));
    let arns = all.iter().map(Service::arn).chain(called).filter(|_| fargate && replica);
    let arns: Vec<String> = arns.collect();
    page(input, "serviceArns", &arns, 10)
}

/// What was asked for and is not there.
fn failures(lost: Vec<String>) -> (&'static str, Value) {
    let failure = |arn: String| Value::record([("arn", arn.into()), ("reason", "MISSING".into())]);
    ("failures", Value::List(lost.into_iter().map(failure).collect()))
}

fn describe_services(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["cluster", "services", "include"])?;
    let asked = input.texts("services")?;
    if asked.is_empty() {
        return Err(invalid("Services cannot be empty."));
    }
    if asked.len() > MAX_SERVICES {
        return Err(invalid("services can have at most 10 items."));
    }
    let all = of_cluster(world, call, input)?;
    let (called, minute) = (connect::all(world, call), world.minute(call.now));
    let (mut found, mut lost) = (Vec::new(), Vec::new());
    for name in asked {
        let is =
            |one: &&&crate::world::Gateway| one.name == name || connect::arn(world, one) == name;
        if let Some(one) = called.iter().find(is) {
            found.push(connect::value(world, one, minute));
            continue;
        }
        match all.iter().find(|one| one.is(name)) {
            Some(one) => found.push(view::service(one)),
            None if name.starts_with("arn:") => lost.push(name.to_owned()),
            None => {
                let base = cluster(world, &call.account).replace(":cluster/", ":service/");
                lost.push(format!("{base}/{name}"));
            }
        }
    }
    Ok(Value::record([("services", Value::List(found)), failures(lost)]))
}

fn describe_definition(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["taskDefinition", "include"])?;
    let asked = input.required("taskDefinition")?;
    let name = asked.rsplit_once(":task-definition/").map_or(asked, |(_, name)| name);
    let (family, revision) = match name.split_once(':') {
        Some((family, revision)) => (family, revision.parse().ok()),
        None => (name, None),
    };
    let all = services(world, call);
    let one = all.iter().find(|one| one.name() == family);
    let known = one.and_then(|one| {
        let revision = if name.contains(':') { revision? } else { one.revision() };
        (1..=one.revision()).contains(&revision).then_some((one, revision))
    });
    let Some((one, revision)) = known else {
        return Err(Failure::new(400, "ClientException", "Unable to describe task definition."));
    };
    let definition = view::definition(one, revision);
    Ok(Value::record([("taskDefinition", definition), ("tags", Value::List(Vec::new()))]))
}

fn list_tasks(world: &World, call: &Call, input: Input) -> Reply {
    let known = [
        "cluster",
        "maxResults",
        "nextToken",
        "serviceName",
        "family",
        "desiredStatus",
        "launchType",
    ];
    input.only(&known)?;
    let stopped = match input.text("desiredStatus")? {
        None | Some("RUNNING") => false,
        Some("STOPPED") => true,
        Some("PENDING") => return page(input, "taskArns", &[], 100),
        Some(_) => return Err(invalid("desiredStatus must be RUNNING, PENDING or STOPPED")),
    };
    let mut all = of_cluster(world, call, input)?;
    if let Some(name) = input.text("serviceName")? {
        all.retain(|one| one.is(name));
        if all.is_empty() {
            return Err(Failure::new(400, "ServiceNotFoundException", "Service not found."));
        }
    }
    if let Some(family) = input.text("family")? {
        all.retain(|one| one.name() == family);
    }
    let arns: Vec<String> = all
        .iter()
        .flat_map(|one| {
            let tasks = one.tasks.iter().filter(|task| task.replaced.is_some() == stopped);
            tasks.map(|task| one.task_arn(task)).collect::<Vec<_>>()
        })
        .collect();
    page(input, "taskArns", &arns, 100)
}

fn describe_tasks(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["cluster", "tasks", "include"])?;
    let asked = input.texts("tasks")?;
    if asked.is_empty() {
        return Err(invalid("Tasks cannot be empty."));
    }
    if asked.len() > MAX_TASKS {
        return Err(invalid("tasks can have at most 100 items."));
    }
    let all = of_cluster(world, call, input)?;
    let (mut found, mut lost) = (Vec::new(), Vec::new());
    for name in asked {
        let mut tasks = all.iter().flat_map(|one| one.tasks.iter().map(move |task| (one, task)));
        let fits = |arn: &str| arn == name || arn.rsplit('/').next() == Some(name);
        match tasks.find(|(one, task)| fits(&one.task_arn(task))) {
            Some((one, task)) => found.push(tasks::task(one, task)),
            None => lost.push(name.to_owned()),
        }
    }
    Ok(Value::record([("tasks", Value::List(found)), failures(lost)]))
}
