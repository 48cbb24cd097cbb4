//! An ECS service at the time of a call: its tasks, deployments and names.
//!
//! Everything follows from the minutes of the script's steps, see [`crate::traffic::tasks`].

use crate::rng::hash;
use crate::services::ecs::cluster;
use crate::traffic::scene::SeededScript;
use crate::traffic::tasks::{Deployment, SHOWN, Task};
use crate::world::Balancer;
use crate::world::World;

/// The first tasks are this many seconds older than the scenario.
const AGE: i64 = 3 * 86_400;
/// Revision of the task definition before the first deployment of a script.
const REVISION: i64 = 41;

/// A service at the time of a call.
pub(crate) struct Service<'a> {
    pub(crate) world: &'a World,
    pub(crate) one: &'a Balancer,
    pub(crate) minute: i64,
    pub(crate) deployments: Vec<Deployment>,
    /// Those that run, and those that stopped not long ago.
    pub(crate) tasks: Vec<Task>,
}

impl<'a> Service<'a> {
    /// The service behind a load balancer in an epoch minute.
    pub(crate) fn new(world: &'a World, one: &'a Balancer, minute: i64) -> Self {
        let targets = one.groups.first().map_or(0, |group| group.targets.len());
        let seeded = SeededScript::of(&one.source, world.start());
        let deployments =
            seeded.map(|seeded| seeded.deployments(targets, minute)).unwrap_or_default();
        let mut tasks = match seeded {
            Some(seeded) => seeded.tasks(targets, minute),
            None => (0..targets).map(|slot| Task { slot, born: None, replaced: None }).collect(),
        };
        tasks.retain(|task| task.replaced.is_none_or(|after| after.at > minute - SHOWN));
        Self { world, one, minute, deployments, tasks }
    }

    pub(crate) fn name(&self) -> &str {
        &self.one.name
    }

    pub(crate) fn arn(&self) -> String {
        let cluster = cluster(self.world, &self.one.account);
        format!("{}/{}", cluster.replace(":cluster/", ":service/"), self.one.name)
    }

    /// Whether this is its name or ARN.
    pub(crate) fn is(&self, name: &str) -> bool {
        name == self.name() || name == self.arn()
    }

    pub(crate) fn task_arn(&self, task: &Task) -> String {
        let cluster = cluster(self.world, &self.one.account).replace(":cluster/", ":task/");
        let mark = task.mark(self.one.source.stream);
        format!("{cluster}/{mark:016x}{:016x}", hash(&[mark, 1]))
    }

    /// The newest revision of the task definition.
    pub(crate) fn revision(&self) -> i64 {
        REVISION + self.deployments.len() as i64
    }

    pub(crate) fn definition_arn(&self, revision: i64) -> String {
        let (region, account) = (&self.world.setup.region, &self.one.account);
        format!("arn:aws:ecs:{region}:{account}:task-definition/{}:{revision}", self.name())
    }

    /// The revision a task was started from.
    pub(crate) fn revision_of(&self, task: &Task) -> i64 {
        let born = task.born.unwrap_or(i64::MIN);
        let before = self.deployments.iter().filter(|one| one.from <= born).count();
        REVISION + before as i64
    }

    /// Id of a deployment; the one before the script has none of its own.
    pub(crate) fn deployment_id(&self, from: Option<i64>) -> String {
        let number = hash(&[self.one.source.stream, 62, from.unwrap_or(0) as u64]);
        format!("ecs-svc/{:019}", number % 10_000_000_000_000_000_000)
    }

    /// When the service, the tasks and the deployment before the script began.
    pub(crate) fn origin(&self) -> i64 {
        self.world.setup.start - AGE
    }
}

/// Seconds a task takes to start.
pub(crate) const STARTS: i64 = 35;

/// The image of a service's containers.
pub(crate) fn image(one: &Service) -> String {
    let (region, account) = (&one.world.setup.region, &one.one.account);
    format!("{account}.dkr.ecr.{region}.amazonaws.com/{}:latest", one.name())
}
