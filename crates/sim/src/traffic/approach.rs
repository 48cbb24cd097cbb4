//! When a gateway, or a target group of a load balancer, first came near its timeout and when
//! it first reached it: the truth a watcher of it is judged by.

use serde::Serialize;

use crate::scenario::gateway::Kind;
use crate::scenario::plan::Trouble;
use crate::traffic::minute::Minute;
use crate::traffic::minutes::Minutes;
use crate::traffic::request::{Outcome, Request, SECOND};
use crate::traffic::scene::SeededScript;
use crate::world::{Source, World};

/// How a part of a gateway approached its timeout in the course of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approach {
    /// Name of the gateway or load balancer.
    pub gateway: String,
    /// What AWS calls it by: an id, or the dimension of the load balancer.
    pub id: String,
    /// `target_group`, `function`, `rest_api`, `http_api`, `websocket_api`, `distribution`,
    /// `classic`, `lattice`, `connect` or `custom`.
    pub kind: &'static str,
    /// Name of the target group, method and path, alias or origin; may be empty.
    pub part: String,
    /// What its requests are given up after when the scenario begins, seconds.
    pub timeout: u32,
    /// What goes wrong in standard words, if it does any harm here.
    pub cause: Option<&'static str>,
    /// Epoch minute in which that begins.
    pub fault_start: Option<i64>,
    /// First epoch minute of the script with a request that was answered after more than 0.8
    /// and at most 1.0 timeouts.
    pub first_near_miss: Option<i64>,
    /// First epoch minute of the script with a request that was given up.
    pub first_timeout: Option<i64>,
    /// Requests in the script.
    pub requests: u64,
    /// Those that were answered after more than 0.8 and at most 1.0 timeouts.
    pub near_misses: u64,
    /// Those that were given up.
    pub timeouts: u64,
    /// Those that were turned away.
    pub rejected: u64,
}

/// The approaches of all gateways, part by part, behind those of all target groups.
pub(crate) fn all(world: &World, minutes: &Minutes) -> Vec<Approach> {
    let mut found = Vec::new();
    for one in &world.balancers {
        for (at, group) in one.groups.iter().enumerate() {
            let approach = of(world, minutes, &one.source, (&one.life, Some(at)));
            found.push(Approach {
                gateway: one.name.clone(),
                id: one.dimension.clone(),
                kind: "target_group",
                part: group.name.clone(),
                ..approach
            });
        }
    }
    for one in &world.gateways {
        for (part, source) in one.parts() {
            found.push(Approach {
                gateway: one.name.clone(),
                id: one.id.clone(),
                kind: word(one.plan.kind),
                part: part.name.to_owned(),
                ..of(world, minutes, source, (&one.life, None))
            });
        }
    }
    found
}

/// The word for a kind of gateway.
pub(crate) fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Function { .. } => "function",
        Kind::Rest(_) => "rest_api",
        Kind::Http(_) => "http_api",
        Kind::Socket(_) => "websocket_api",
        Kind::Distribution { .. } => "distribution",
        Kind::Classic { .. } => "classic",
        Kind::Lattice => "lattice",
        Kind::Connect { .. } => "connect",
        Kind::Custom(_) => "custom",
    }
}

/// The approach of a source, or of the requests to one target group of it, while it lives.
fn of(
    world: &World,
    minutes: &Minutes,
    source: &Source,
    (life, group): (&std::ops::Range<i64>, Option<usize>),
) -> Approach {
    let script = match source.plan.trouble {
        Trouble::Script(script) => SeededScript::of(source, world.start()).map(|one| (script, one)),
        _ => None,
    };
    let growing = matches!(source.plan.trouble, Trouble::Growing { .. });
    let mut found = Approach {
        gateway: String::new(),
        id: String::new(),
        kind: "",
        part: String::new(),
        timeout: world.timeout(source, world.start()),
        cause: match script {
            Some((script, _)) => script.cause,
            None => growing.then_some("slow_endpoint"),
        },
        fault_start: match script {
            Some((script, seeded)) => script.cause.map(|_| seeded.pivot),
            None => growing.then(|| world.start()),
        },
        first_near_miss: None,
        first_timeout: None,
        requests: 0,
        near_misses: 0,
        timeouts: 0,
        rejected: 0,
    };
    for at in world.script().filter(|at| life.contains(at)) {
        let minute = minutes.of(source, at);
        found.add(&minute, (at, world.timeout(source, at)), group);
    }
    if found.near_misses + found.timeouts + found.rejected == 0 {
        (found.cause, found.fault_start) = (None, None);
    }
    found
}

impl Approach {
    /// Counts the requests of an epoch minute with its timeout, as far as they went to a group.
    fn add(&mut self, minute: &Minute, (at, timeout): (i64, u32), group: Option<usize>) {
        let (low, high) = (u64::from(timeout) * 800_000, u64::from(timeout) * u64::from(SECOND));
        let here = |one: &(Request, u64)| group.is_none_or(|to| usize::from(one.0.group) == to);
        for (request, times) in minute.requests().filter(here) {
            let took = u64::from(request.took);
            self.requests += times;
            if request.outcome.is_504() {
                self.timeouts += times;
                self.first_timeout.get_or_insert(at);
            } else if request.outcome.sampled() && took > low && took <= high {
                self.near_misses += times;
                self.first_near_miss.get_or_insert(at);
            } else if request.outcome == Outcome::Rejected {
                self.rejected += times;
            }
        }
    }
}
