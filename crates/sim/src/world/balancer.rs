//! One load balancer with its target groups, and how a scenario's are made.
//!
//! Identifiers are hashes of seed and name, so they are stable and look like real
//! ones. A load balancer that is deleted and created again is two of the same name
//! with a life each.

use std::ops::Range;

use crate::rng::{hash, hash_bytes};
use crate::scenario::plan::{Plan, SLOW_BURN, Scenario, Trouble};
use crate::setup::Setup;
use crate::timeline;
use crate::world::source::Source;

/// Zones a load balancer serves, by letter.
pub(crate) const ZONES: [char; 3] = ['a', 'b', 'c'];

/// Fleet members with the same plan share this many traffic streams per idle timeout.
const SHARED_STREAMS: u64 = 16;

/// One load balancer.
pub(crate) struct Balancer {
    pub(crate) name: String,
    /// Running number among all that ever exist.
    pub(crate) order: usize,
    pub(crate) arn: String,
    /// `app/NAME/16hex`, the `CloudWatch` dimension value.
    pub(crate) dimension: String,
    pub(crate) hex: String,
    /// The account that owns it.
    pub(crate) account: String,
    /// Epoch minutes in which it exists.
    pub(crate) life: Range<i64>,
    pub(crate) groups: Vec<Group>,
    pub(crate) tags: Vec<(String, String)>,
    /// Its traffic; fleet members may share a stream.
    pub(crate) source: Source,
}

/// One target group.
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) arn: String,
    /// `targetgroup/NAME/16hex`, the `CloudWatch` dimension value.
    pub(crate) dimension: String,
    pub(crate) tags: Vec<(String, String)>,
    /// (instance id, zone index).
    pub(crate) targets: Vec<(String, usize)>,
}

/// Name, plan and traffic stream of one member of a scenario.
fn member(scenario: &Scenario, seed: u64, index: usize) -> (String, Plan, u64) {
    let mut private = hash(&[seed, 1, index as u64]);
    if matches!(scenario.plans[0].trouble, Trouble::Script(_) | Trouble::OneOf(_)) {
        // Long ones must not share their luck; the short ones always did.
        private = hash_bytes(private, scenario.name.as_bytes());
    }
    if scenario.fleet {
        let (plan, shared) = fleet_plan(scenario.plans[0], seed, index);
        return (format!("svc-{index:05}"), plan, shared.unwrap_or(private));
    }
    if let Some(plan) = scenario.plans.get(index) {
        let turn = seed.wrapping_add(hash_bytes(0, scenario.name.as_bytes()) % 16);
        (plan.name.to_owned(), picked(*plan, turn), private)
    } else {
        let mut plan = scenario.plans[scenario.plans.len() - 1];
        plan.rate = plan.rate.min(60.0);
        if matches!(plan.trouble, Trouble::Script(_) | Trouble::OneOf(_)) {
            plan.trouble = Trouble::None;
        }
        (format!("{}-{index:05}", plan.name), plan, private)
    }
}

/// The plan a seed picks where it has the choice: one seed after another, each in turn.
fn picked(plan: Plan, turn: u64) -> Plan {
    match plan.trouble {
        Trouble::OneOf(plans) => plans[(turn % plans.len() as u64) as usize],
        _ => plan,
    }
}

/// Plan of a fleet member, and its stream if it shares one. In a healthy fleet one member in
/// fifty burns slowly; a trouble of the plan is everyone's, and so is its idle timeout.
fn fleet_plan(base: Plan, seed: u64, index: usize) -> (Plan, Option<u64>) {
    let draw = hash(&[seed, 2, index as u64]);
    let is_healthy = matches!(base.trouble, Trouble::None);
    let sick = index % 50 == 7 && is_healthy;
    let timeouts: [u32; 8] =
        if sick { [60, 60, 60, 120, 60, 30, 60, 120] } else { [60, 60, 30, 120, 300, 60, 30, 120] };
    let mut plan = base;
    if is_healthy {
        plan.timeout = timeouts[(draw % 8) as usize];
    }
    plan.targets = 2;
    plan.groups = 1;
    if sick {
        plan.rate = 600.0;
        plan.trouble = SLOW_BURN;
        return (plan, None);
    }
    let class = (draw >> 8) % SHARED_STREAMS;
    plan.rate = 30.0 + 4.0 * class as f64;
    (plan, Some(hash(&[seed, 3, u64::from(plan.timeout), class])))
}

/// The load balancers that bear the name of one member, one after the other.
pub(crate) fn incarnations(scenario: &Scenario, setup: &Setup, index: usize) -> Vec<Balancer> {
    let (name, mut plan, mut stream) = member(scenario, setup.seed, index);
    plan.groups = setup.target_groups.unwrap_or(plan.groups);
    let start = setup.start / 60;
    let timeouts = timeline::timeouts(&setup.changes, &name, start);
    if !timeouts.is_empty() {
        // Shared traffic is kept by stream; a timeout of its own needs its own.
        stream = hash(&[setup.seed, 1, index as u64]);
    }
    let idle = timeline::idle(&setup.changes, &name, start);
    let owner = match index % (setup.linked.len() + 1) {
        0 => &setup.account,
        linked => &setup.linked[linked - 1],
    };
    let lives = timeline::lives(&setup.changes, &name, start).into_iter().enumerate();
    lives
        .map(|(turn, life)| {
            let maker = Maker { seed: setup.seed, region: &setup.region, account: owner, turn };
            let mut one = Balancer { life, ..maker.balancer(&name, plan, stream) };
            one.source.timeouts.clone_from(&timeouts);
            one.source.idle.clone_from(&idle);
            one
        })
        .collect()
}

pub(crate) fn network_balancer(name: &str, scenario: &Scenario, setup: &Setup) -> Balancer {
    let Setup { seed, region, account, .. } = setup;
    let maker = Maker { seed: *seed, region, account, turn: 0 };
    let mut one = maker.balancer(name, scenario.plans[0], 0);
    one.dimension = format!("net/{name}/{}", one.hex);
    one.arn = maker.arn(&format!("loadbalancer/{}", one.dimension));
    one.groups.clear();
    one
}

/// Makes the things of one account.
struct Maker<'a> {
    seed: u64,
    region: &'a str,
    account: &'a str,
    /// How many of the same name there were before.
    turn: usize,
}

impl Maker<'_> {
    fn arn(&self, resource: &str) -> String {
        format!("arn:aws:elasticloadbalancing:{}:{}:{resource}", self.region, self.account)
    }

    fn hex16(&self, kind: &str, name: &str) -> String {
        let turn = if self.turn == 0 { String::new() } else { format!("/{}", self.turn) };
        format!("{:016x}", hash_bytes(self.seed, format!("{kind}/{name}{turn}").as_bytes()))
    }

    fn balancer(&self, name: &str, plan: Plan, stream: u64) -> Balancer {
        let hex = self.hex16("app", name);
        let dimension = format!("app/{name}/{hex}");
        let teams = ["payments", "shop", "platform", "search"];
        let team = teams[(hash_bytes(self.seed, name.as_bytes()) % 4) as usize];
        let tags = match plan.host.services {
            [] => tags([("env", "prod"), ("team", team), ("service", name)]),
            _ => kubernetes("LoadBalancer"),
        };
        Balancer {
            order: 0,
            arn: self.arn(&format!("loadbalancer/{dimension}")),
            dimension,
            hex,
            account: self.account.to_owned(),
            life: i64::MIN..i64::MAX,
            groups: (0..plan.groups).map(|at| self.group(name, at, &plan, &tags)).collect(),
            tags,
            name: name.to_owned(),
            source: Source::new(self.seed, plan, stream),
        }
    }

    fn group(&self, balancer: &str, at: usize, plan: &Plan, tags: &[(String, String)]) -> Group {
        if let Some((space, service)) = plan.host.services.get(at) {
            return self.kubernetes_group(balancer, space, service, plan.targets);
        }
        // A target group name has at most 32 characters, like a load balancer's.
        let suffix = match at {
            0 => "main".to_owned(),
            1 => "aux".to_owned(),
            more => format!("a{more}"),
        };
        let name: String = format!("{}-{suffix}", balancer.chars().take(26).collect::<String>());
        self.group_named(name, tags.to_vec(), plan.targets)
    }

    /// A target group as the AWS Load Balancer Controller makes it for a service of an
    /// ingress: its name keeps eight letters of the namespace and eight of the service.
    fn kubernetes_group(&self, balancer: &str, space: &str, name: &str, targets: usize) -> Group {
        let short = |text: &str| -> String {
            text.chars().filter(char::is_ascii_alphanumeric).take(8).collect()
        };
        let hex = self.hex16("k8s", &format!("{balancer}/{space}/{name}"));
        let named = format!("k8s-{}-{}-{}", short(space), short(name), &hex[..10]);
        let mut tags = kubernetes(&format!("{space}/{space}-{name}:http"));
        tags.push(("service.k8s.aws/stack".to_owned(), format!("{space}/{name}")));
        self.group_named(named, tags, targets)
    }

    fn group_named(&self, name: String, tags: Vec<(String, String)>, targets: usize) -> Group {
        let dimension = format!("targetgroup/{name}/{}", self.hex16("targetgroup", &name));
        let targets = (0..targets)
            .map(|target| {
                let id = hash_bytes(self.seed, format!("{name}/{target}").as_bytes());
                (format!("i-0{id:016x}"), target % ZONES.len())
            })
            .collect();
        Group { arn: self.arn(&dimension), name, dimension, tags, targets }
    }
}

/// Tags of these keys and values.
pub(crate) fn tags<'a>(
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<(String, String)> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// The tags of a resource of the AWS Load Balancer Controller.
fn kubernetes(resource: &str) -> Vec<(String, String)> {
    tags([
        ("elbv2.k8s.aws/cluster", "prod"),
        ("ingress.k8s.aws/stack", "shop"),
        ("ingress.k8s.aws/resource", resource),
    ])
}
