//! An ECS service at the time of a call: its tasks, deployments and names.
//!
//! Everything follows from the minutes of the tale's acts, see [`super::tasks`].

use super::ecs::cluster;
use super::rng::hash;
use super::scene::Telling;
use super::state::State;
use super::tasks::{Deployment, SHOWN, Task};
use super::world::Balancer;

/// The first tasks are this many seconds older than the scenario.
const AGE: i64 = 3 * 86_400;
/// Revision of the task definition before the first deployment of a tale.
const REVISION: i64 = 41;

/// A service at the time of a call.
pub(super) struct Service<'a> {
    pub(super) state: &'a State,
    pub(super) one: &'a Balancer,
    pub(super) minute: i64,
    pub(super) deployments: Vec<Deployment>,
    /// Those that run, and those that stopped not long ago.
    pub(super) tasks: Vec<Task>,
}

impl<'a> Service<'a> {
    /// The service behind a load balancer in an epoch minute.
    pub(super) fn new(state: &'a State, one: &'a Balancer, minute: i64) -> Self {
        let targets = one.groups.first().map_or(0, |group| group.targets.len());
        let telling = Telling::of(one, state.start());
        let deployments =
            telling.map(|telling| telling.deployments(targets, minute)).unwrap_or_default();
        let mut tasks = match telling {
            Some(telling) => telling.tasks(targets, minute),
            None => (0..targets).map(|slot| Task { slot, born: None, replaced: None }).collect(),
        };
        tasks.retain(|task| task.replaced.is_none_or(|after| after.at > minute - SHOWN));
        Self { state, one, minute, deployments, tasks }
    }

    pub(super) fn name(&self) -> &str {
        &self.one.name
    }

    pub(super) fn arn(&self) -> String {
        let cluster = cluster(self.state, &self.one.account);
        format!("{}/{}", cluster.replace(":cluster/", ":service/"), self.one.name)
    }

    /// Whether this is its name or ARN.
    pub(super) fn is(&self, name: &str) -> bool {
        name == self.name() || name == self.arn()
    }

    pub(super) fn task_arn(&self, task: &Task) -> String {
        let cluster = cluster(self.state, &self.one.account).replace(":cluster/", ":task/");
        let mark = task.mark(self.one.stream);
        format!("{cluster}/{mark:016x}{:016x}", hash(&[mark, 1]))
    }

    /// The newest revision of the task definition.
    pub(super) fn revision(&self) -> i64 {
        REVISION + self.deployments.len() as i64
    }

    pub(super) fn definition_arn(&self, revision: i64) -> String {
        let (region, account) = (&self.state.setup.region, &self.one.account);
        format!("arn:aws:ecs:{region}:{account}:task-definition/{}:{revision}", self.name())
    }

    /// The revision a task was started from.
    pub(super) fn revision_of(&self, task: &Task) -> i64 {
        let born = task.born.unwrap_or(i64::MIN);
        let before = self.deployments.iter().filter(|one| one.from <= born).count();
        REVISION + before as i64
    }

    /// Id of a deployment; the one before the tale has none of its own.
    pub(super) fn deployment_id(&self, from: Option<i64>) -> String {
        let number = hash(&[self.one.stream, 62, from.unwrap_or(0) as u64]);
        format!("ecs-svc/{:019}", number % 10_000_000_000_000_000_000)
    }

    /// When the service, the tasks and the deployment before the tale began.
    pub(super) fn origin(&self) -> i64 {
        self.state.setup.start - AGE
    }
}
