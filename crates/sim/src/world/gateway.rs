//! Gateways that are no Application Load Balancers, and how a scenario's are made.

use std::ops::Range;

use crate::faults::options::CustomMetric;
use crate::rng::{hash, hash_bytes, unit};
use crate::scenario::gateway::{Behind, Custom, Kind};
use crate::scenario::plan::{GatewayPlan, Part, Plan, SLOW_BURN, Scenario, Trouble};
use crate::setup::Setup;
use crate::timeline;
use crate::world::balancer::tags;
use crate::world::source::{Source, Stamp};

/// One gateway.
pub(crate) struct Gateway {
    pub(crate) plan: &'static GatewayPlan,
    pub(crate) name: String,
    /// What AWS calls it by, which is the name for some kinds.
    pub(crate) id: String,
    /// The account that owns it.
    pub(crate) account: String,
    /// Epoch minutes in which it exists.
    pub(crate) life: Range<i64>,
    pub(crate) tags: Vec<(String, String)>,
    /// The traffic of its parts, in their order.
    pub(crate) sources: Vec<Source>,
    /// What a custom metric is called.
    pub(crate) custom: Option<CustomMetric>,
}

impl Gateway {
    /// Each part with its traffic.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&'static Part, &Source)> {
        self.plan.parts.iter().zip(&self.sources)
    }

    /// The largest timeout its requests meet in an epoch minute, seconds.
    pub(crate) fn timeout(&self, minute: i64) -> u32 {
        self.sources.iter().map(|source| source.timeout(minute)).max().unwrap_or(0)
    }
}

impl Part {
    /// The timeout of the gateway for this part where `limit` ends its requests, seconds:
    /// another one if it is the function behind it that gives up.
    pub(crate) fn timeout(&self, limit: u32) -> u32 {
        match self.behind {
            Behind::Function(_, Some(own)) => own,
            _ => limit,
        }
    }
}

/// The gateways of a scenario.
pub(crate) fn gateways(scenario: &Scenario, setup: &Setup) -> Vec<Gateway> {
    let mut all = Vec::new();
    for plan in scenario.gateways {
        all.extend(lives(plan, plan.name, setup, (0, None)));
    }
    let is_function = |plan: &&GatewayPlan| matches!(plan.kind, Kind::Function { .. });
    let functions: Vec<&'static GatewayPlan> =
        scenario.gateways.iter().filter(is_function).collect();
    let usual = functions.len() + functions.last().map_or(0, |last| last.copies);
    let wanted = setup.faults.options.functions.unwrap_or(usual);
    if let Some(last) = functions.last() {
        for index in functions.len()..wanted {
            let name = format!("{}-{index:05}", last.name);
            all.extend(lives(last, &name, setup, (index, Some(copy(last, setup.seed, index)))));
        }
    }
    all
}

/// The plan of a further function: most have few invocations, and one in a hundred burns
/// slowly.
fn copy(of: &GatewayPlan, seed: u64, index: usize) -> Plan {
    let draw = hash(&[seed, 6, index as u64]);
    let usual = of.parts.first().map(|part| part.plan);
    let mut plan = usual.unwrap_or(crate::scenario::plan::BASE);
    if index % 100 == 7 {
        return Plan { rate: 600.0, timeout: 60, trouble: SLOW_BURN, ..plan };
    }
    plan.timeout = [6, 10, 15, 30, 60, 120, 300, 900][(draw % 8) as usize];
    plan.rate = 0.02 * (150.0_f64).powf(unit(draw));
    plan.trouble = Trouble::None;
    plan
}

/// The gateways that bear a name, one after the other. Of a copy there are its number and its
/// plan.
fn lives(
    plan: &'static GatewayPlan,
    name: &str,
    setup: &Setup,
    (index, copy): (usize, Option<Plan>),
) -> Vec<Gateway> {
    let start = setup.start / 60;
    let owner = match index % (setup.linked.len() + 1) {
        0 => &setup.account,
        linked => &setup.linked[linked - 1],
    };
    let timeouts = timeline::timeouts(&setup.changes, name, start);
    let idle = timeline::idle(&setup.changes, name, start);
    let source = |(at, part): (usize, &Part)| {
        let mut source = source(setup.seed, (name, at), part, copy);
        source.timeouts.clone_from(&timeouts);
        source.idle.clone_from(&idle);
        if let Kind::Function { .. } = plan.kind {
            source.stamp = Stamp::Start;
        }
        source
    };
    let mut lives = timeline::lives(&setup.changes, name, start);
    if let (Some(minute), [life]) = (plan.deleted.filter(|_| copy.is_none()), &mut lives[..]) {
        life.end = life.end.min(start + minute);
    }
    let made = |(turn, life): (usize, Range<i64>)| Gateway {
        plan,
        name: name.to_owned(),
        id: id(plan, setup.seed, &format!("{owner}/{name}"), turn),
        account: owner.clone(),
        life,
        tags: tags([("env", "prod"), ("service", name), ("team", team(setup.seed, name))]),
        sources: plan.parts.iter().enumerate().map(source).collect(),
        custom: custom(plan, setup),
    };
    lives.into_iter().enumerate().map(made).collect()
}

fn team(seed: u64, name: &str) -> &'static str {
    ["payments", "shop", "platform", "search"][(hash_bytes(seed, name.as_bytes()) % 4) as usize]
}

/// The traffic of a part, which belongs to a gateway of this name and has this number.
fn source(seed: u64, (name, at): (&str, usize), part: &Part, copy: Option<Plan>) -> Source {
    let own = hash_bytes(hash(&[seed, 5, at as u64]), name.as_bytes());
    let stream = match part.stream {
        "" => own,
        shared => hash_bytes(hash(&[seed, 7]), shared.as_bytes()),
    };
    Source { key: hash(&[own, 8]), ..Source::new(seed, copy.unwrap_or(part.plan), stream) }
}

fn custom(plan: &GatewayPlan, setup: &Setup) -> Option<CustomMetric> {
    let Kind::Custom(own) = plan.kind else {
        return None;
    };
    let Custom { namespace, metric, dimensions, unit, sets } = *own;
    let usual = || CustomMetric {
        namespace: namespace.to_owned(),
        metric: metric.to_owned(),
        unit: unit.to_owned(),
        sets,
        dimensions: tags(dimensions.iter().copied()),
    };
    Some(setup.faults.options.custom.clone().unwrap_or_else(usual))
}

/// The id of a gateway: `turn` others of its name were there before.
fn id(plan: &GatewayPlan, seed: u64, name: &str, turn: usize) -> String {
    // Namesakes are told apart by what is in them.
    let parts = plan.parts.iter().map(|part| part.name).collect::<Vec<_>>().join(",");
    let namesake = matches!(plan.kind, Kind::Rest(api) if api.namesake);
    let number = hash_bytes(seed, format!("{name}/{parts}/{turn}/{namesake}").as_bytes());
    let last = name.rsplit('/').next().unwrap_or(name);
    match plan.kind {
        Kind::Rest(_) | Kind::Http(_) | Kind::Socket(_) => letters(number, 10),
        Kind::Distribution { .. } => format!("E{}", letters(number, 13).to_uppercase()),
        Kind::Lattice => format!("svc-0{number:016x}"),
        Kind::Function { .. } | Kind::Classic { .. } | Kind::Connect { .. } | Kind::Custom(_) => {
            last.to_owned()
        }
    }
}

/// So many lower-case letters and digits out of a number.
fn letters(mut number: u64, count: usize) -> String {
    let known = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let letter = |_| {
        let letter = char::from(known[(number % 36) as usize]);
        number = hash(&[number]);
        letter
    };
    (0..count).map(letter).collect()
}
