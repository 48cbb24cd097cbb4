//! The targets of a group as they are registered in a minute, and where they are.
//!
//! A target of a deployment exists twice for a while: the old task drains and the
//! new one is checked for the first time.

use crate::rng::hash;
use crate::scenario::host::Kind;
use crate::scenario::script::Reason;
use crate::scenario::script::{Closed, Shown, What};
use crate::services::vpc::network::Network;
use crate::traffic::scene::{Scene, SeededScript};
use crate::traffic::target_health::TargetHealth;
use crate::traffic::tasks::Task;
use crate::world::World;
use crate::world::{Balancer, Group};

/// A registered target, or one that is about to be or just was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// What it is registered by.
    pub(crate) id: String,
    /// Its address, unless it is a function.
    pub(crate) address: Option<String>,
    pub(crate) zone: usize,
    pub(crate) slot: usize,
    pub(crate) state: TargetState,
    /// Whether its network interface exists.
    pub(crate) attached: bool,
    /// Whether it bears a security group of its own, which admits checks only.
    pub(crate) apart: bool,
    /// Whether it looks unlike the others.
    pub(crate) anomalous: bool,
    /// The task behind it, if it is one.
    pub(crate) task: Option<Task>,
}

/// The state of a registered target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TargetState {
    Healthy,
    Unhealthy(Reason),
    Draining,
    /// About to be registered.
    Registering,
    /// Registered, and not checked often enough yet.
    Initial,
    Unused,
    /// Health checks are switched off, as they are for functions.
    Unchecked,
}

/// The targets of a group (by number) in an epoch minute.
pub(crate) fn members(world: &World, one: &Balancer, at: usize, minute: i64) -> Vec<Member> {
    let Some(group) = one.groups.get(at) else {
        return Vec::new();
    };
    let maker = Maker { world, one, group, at, minute, scene: world.scene(&one.source, minute) };
    if one.source.plan.host.is_lambda() {
        return vec![maker.function()];
    }
    let count = group.targets.len();
    let fitness = match &maker.scene {
        Some(scene) if at == 0 => scene.fitness(count),
        Some(scene) if scene.shows(|shown| *shown == Shown::BackupDown) => {
            vec![TargetHealth::Unhealthy(Reason::Failed); count]
        }
        _ => vec![TargetHealth::Healthy; count],
    };
    fitness.into_iter().enumerate().flat_map(|(slot, fitness)| maker.slot(slot, fitness)).collect()
}

struct Maker<'a> {
    world: &'a World,
    one: &'a Balancer,
    group: &'a Group,
    /// Number of the group.
    at: usize,
    minute: i64,
    scene: Option<Scene>,
}

impl Maker<'_> {
    fn function(&self) -> Member {
        let World { setup, .. } = self.world;
        let (region, account, name) = (&setup.region, &self.one.account, &self.one.name);
        Member {
            id: format!("arn:aws:lambda:{region}:{account}:function:{name}"),
            address: None,
            attached: false,
            ..self.member(0, None, TargetState::Unchecked)
        }
    }

    /// The targets in one slot.
    fn slot(&self, slot: usize, fitness: TargetHealth) -> Vec<Member> {
        let tasks = self.tasks(slot);
        let last = tasks.last().copied();
        let state = match fitness {
            TargetHealth::Healthy => TargetState::Healthy,
            TargetHealth::Unhealthy(reason) => TargetState::Unhealthy(reason),
            TargetHealth::Unused => TargetState::Unused,
            TargetHealth::Gone => return Vec::new(),
            TargetHealth::Draining => {
                let old = tasks.len().checked_sub(2).map(|at| tasks[at]);
                let old_one = self.member(slot, old.or(last), TargetState::Draining);
                let new = last.filter(|_| old.is_some());
                let new = new.map(|task| self.member(slot, Some(task), self.begun(task)));
                return std::iter::once(old_one).chain(new).collect();
            }
        };
        vec![self.member(slot, last, state)]
    }

    /// How far a new task is.
    fn begun(&self, task: Task) -> TargetState {
        if task.born == Some(self.minute) { TargetState::Registering } else { TargetState::Initial }
    }

    /// The tasks a slot has had.
    fn tasks(&self, slot: usize) -> Vec<Task> {
        if self.one.source.plan.host.kind != Kind::Tasks {
            return Vec::new();
        }
        let Some(seeded) = SeededScript::of(&self.one.source, self.world.start()) else {
            return vec![Task { slot, born: None, replaced: None }];
        };
        let mut tasks = seeded.tasks(self.group.targets.len(), self.minute);
        tasks.retain(|task| task.slot == slot);
        tasks
    }

    fn member(&self, slot: usize, task: Option<Task>, state: TargetState) -> Member {
        let (instance, zone) = &self.group.targets[slot];
        let address = self.address(slot, *zone, task);
        let bit = |bits: u16| self.at == 0 && bits >> slot & 1 == 1;
        let racing = |what: &What| matches!(what, What::Roll { race, .. } if *race > 0.0);
        let raced = state == TargetState::Draining
            && self.scene.as_ref().is_some_and(|scene| scene.has(racing));
        let id = match self.one.source.plan.host.kind {
            Kind::Instances => instance.clone(),
            _ => address.clone(),
        };
        Member {
            id,
            address: Some(address),
            zone: *zone,
            slot,
            state,
            attached: !raced && !bit(self.gone()),
            apart: bit(self.closed()),
            anomalous: bit(self.anomalous()),
            task,
        }
    }

    fn address(&self, slot: usize, zone: usize, task: Option<Task>) -> String {
        let peered = self.one.source.plan.host.kind == Kind::Peered;
        let number = match task.filter(|task| task.born.is_some()) {
            Some(task) => 4_000 + (task.mark(self.one.source.stream) % 4_000) as usize,
            None => self.one.order * 10 + self.at * 5 + slot / 3,
        };
        Network::target(zone, peered, number)
    }

    fn bits(&self, of: impl Fn(&Scene, &Shown, usize) -> u16) -> u16 {
        let Some(scene) = &self.scene else {
            return 0;
        };
        let targets = self.group.targets.len();
        let shown = scene.steps().map(|(what, _)| match what {
            What::Shown(shown) => of(scene, shown, targets),
            _ => 0,
        });
        shown.fold(0, |a, b| a | b)
    }

    fn gone(&self) -> u16 {
        self.bits(|scene, shown, targets| match shown {
            Shown::Gone(who) => scene.bits(*who, targets),
            _ => 0,
        })
    }

    fn closed(&self) -> u16 {
        self.bits(|scene, shown, targets| match shown {
            Shown::Closed(Closed::Targets(who)) => scene.bits(*who, targets),
            _ => 0,
        })
    }

    fn anomalous(&self) -> u16 {
        self.scene.as_ref().map_or(0, |scene| scene.anomalous(self.group.targets.len()))
    }
}

impl Member {
    /// The id of its network interface.
    pub(crate) fn interface(&self, world: &World, one: &Balancer) -> String {
        let address = self.address.as_deref().unwrap_or_default();
        let number = hash(&[one.source.stream, 61, self.slot as u64]);
        world.short("eni", &format!("{address}/{}/{number}", one.arn))
    }
}
