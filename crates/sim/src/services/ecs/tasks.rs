//! How tasks look in ECS's answers, and how they ended.

use crate::rng::hash;
use crate::scenario::script::What;
use crate::services::ecs::cluster;
use crate::services::ecs::service::STARTS;
use crate::services::ecs::service::Service;
use crate::services::ecs::service::image;
use crate::services::vpc::members::{Member, members};
use crate::services::vpc::network::{Network, Tier};
use crate::traffic::tasks::{Task, Why};
use crate::wire::document::Value;

/// Seconds a task takes to stop once it is asked to.
const STOPS: i64 = 90;

/// A task as `DescribeTasks` shows it.
pub(crate) fn task(one: &Service, task: &Task) -> Value {
    let arn = one.task_arn(task);
    let host = &one.one.source.plan.host;
    let created = task.born.map_or(one.origin(), |born| born * 60);
    let zone = one.one.groups.first().map_or(0, |group| group.targets[task.slot].1);
    let ending = Ending::of(one, task);
    let (last, desired) = match &ending {
        None => ("RUNNING", "RUNNING"),
        Some(ending) if ending.stopped > one.minute * 60 + 59 => ("DEACTIVATING", "STOPPED"),
        Some(_) => ("STOPPED", "STOPPED"),
    };
    let started = task.born.map_or_else(
        || one.deployment_id(None),
        |born| {
            let last = one.deployments.iter().rfind(|deployed| deployed.from <= born);
            one.deployment_id(last.map(|deployed| deployed.from))
        },
    );
    let over = ending.as_ref().filter(|_| last == "STOPPED");
    let stopped = ending.iter().flat_map(|ending| ending.fields(last == "STOPPED"));
    Value::record([
        ("taskArn", arn.as_str().into()),
        ("clusterArn", cluster(one.world, &one.one.account).into()),
        ("taskDefinitionArn", one.definition_arn(one.revision_of(task)).into()),
        ("group", format!("service:{}", one.name()).into()),
        ("startedBy", started.into()),
        ("availabilityZone", one.world.zone(zone).into()),
        ("lastStatus", last.into()),
        ("desiredStatus", desired.into()),
        ("healthStatus", "UNKNOWN".into()),
        ("launchType", "FARGATE".into()),
        ("cpu", "512".into()),
        ("memory", host.memory.to_string().into()),
        ("connectivity", "CONNECTED".into()),
        ("createdAt", Value::Time(created)),
        ("startedAt", Value::Time(created + STARTS)),
        ("attachments", Value::List(vec![attachment(one, task, zone)])),
        ("containers", Value::List(vec![container(one, &arn, last, over)])),
        ("version", Value::Integer(3)),
    ])
    .with(stopped)
}

/// How a task ended.
struct Ending {
    /// Epoch seconds at which it was asked to stop, and at which it had stopped.
    told: i64,
    stopped: i64,
    code: &'static str,
    reason: String,
    exit: i64,
    /// Why the container ended, if ECS says so.
    why: Option<&'static str>,
}

impl Ending {
    fn of(one: &Service, task: &Task) -> Option<Self> {
        let after = task.replaced?;
        let told = after.at * 60;
        match after.why {
            Why::Killed => Some(Self {
                told,
                stopped: told + 20,
                code: "EssentialContainerExited",
                reason: "Essential container in task exited".to_owned(),
                exit: 137,
                why: Some("OutOfMemoryError: Container killed due to memory usage"),
            }),
            Why::Deployed(from) => {
                let id = one.deployment_id(Some(from));
                let killed = one
                    .one
                    .source
                    .plan
                    .host
                    .stop_timeout
                    .filter(|limit| cut(one, after.at, *limit));
                Some(Self {
                    told,
                    stopped: told + killed.map_or(STOPS, |limit| i64::from(limit) + 2),
                    code: "ServiceSchedulerInitiated",
                    reason: format!("Scaling activity initiated by (deployment {id})"),
                    exit: if killed.is_some() { 137 } else { 0 },
                    why: None,
                })
            }
        }
    }

    fn fields(&self, over: bool) -> Vec<(&'static str, Value)> {
        let mut fields = vec![
            ("stopCode", self.code.into()),
            ("stoppedReason", self.reason.as_str().into()),
            ("stoppingAt", Value::Time(self.told)),
        ];
        if over {
            fields.push(("executionStoppedAt", Value::Time(self.stopped - 1)));
            fields.push(("stoppedAt", Value::Time(self.stopped)));
        }
        fields
    }
}

/// Whether the deployment of a minute cuts tasks off after this many seconds.
fn cut(one: &Service, minute: i64, limit: u32) -> bool {
    let scene = one.world.scene(&one.one.source, minute);
    scene.is_some_and(|scene| {
        scene.has(|what| {
            matches!(what, What::Roll { cut: Some(after), .. } if (*after - f64::from(limit)).abs() < 1e-9)
        })
    })
}

fn attachment(one: &Service, task: &Task, zone: usize) -> Value {
    let network = Network::of(one.world, &one.one.account);
    let own: Vec<Member> =
        members(one.world, one.one, 0, task.replaced.map_or(one.minute, |after| after.at));
    let own = own.into_iter().find(|member| {
        member.task.is_some_and(|other| (other.slot, other.born) == (task.slot, task.born))
    });
    let detail =
        |name: &str, value: String| Value::record([("name", name.into()), ("value", value.into())]);
    let mut details = vec![detail("subnetId", network.subnet(Tier::Private, zone).id)];
    if let Some(member) = own {
        details.push(detail("networkInterfaceId", member.interface(one.world, one.one)));
        details.extend(member.address.map(|address| detail("privateIPv4Address", address)));
    }
    let mark = task.mark(one.one.source.stream);
    let status = if task.replaced.is_some() { "DELETED" } else { "ATTACHED" };
    Value::record([
        ("id", crate::rng::uuid(hash(&[mark, 1]), hash(&[mark, 2])).into()),
        ("type", "ElasticNetworkInterface".into()),
        ("status", status.into()),
        ("details", Value::List(details)),
    ])
}

fn container(one: &Service, arn: &str, status: &str, over: Option<&Ending>) -> Value {
    let exit = over.map(|ending| ("exitCode", Value::Integer(ending.exit)));
    let reason = over.and_then(|ending| ending.why).map(|why| ("reason", why.into()));
    let number = hash(&[one.one.source.stream, 64, crate::rng::hash_bytes(0, arn.as_bytes())]);
    Value::record([
        ("containerArn", format!("{}/{number:016x}", arn.replace(":task/", ":container/")).into()),
        ("taskArn", arn.into()),
        ("name", one.name().into()),
        ("image", image(one).into()),
        ("lastStatus", status.into()),
        ("healthStatus", "UNKNOWN".into()),
        ("cpu", "0".into()),
        ("memory", one.one.source.plan.host.memory.to_string().into()),
    ])
    .with(exit)
    .with(reason)
}
