//! The account: load balancers, target groups, targets, zones, tags.
//!
//! Built once from scenario and seed. Identifiers are hashes of seed and name,
//! so they are stable and look like real ones.

use std::collections::HashMap;

use super::rng::{Rng, hash, hash_bytes};
use super::scenario::{Plan, SLOW_BURN, Scenario, Trouble};

/// Zones a load balancer serves, by letter.
pub(super) const ZONES: [char; 3] = ['a', 'b', 'c'];

/// Healthy fleet members share this many traffic streams per idle timeout.
const SHARED_STREAMS: u64 = 16;

/// Everything that exists in the simulated account.
pub(super) struct World {
    pub(super) region: String,
    pub(super) account: String,
    /// Application load balancers.
    pub(super) balancers: Vec<Balancer>,
    /// A network load balancer, if the scenario has one.
    pub(super) network: Option<Balancer>,
    by_dimension: HashMap<String, usize>,
    by_name: HashMap<String, usize>,
}

/// One load balancer.
pub(super) struct Balancer {
    pub(super) name: String,
    pub(super) arn: String,
    /// `app/NAME/16hex`, the `CloudWatch` dimension value.
    pub(super) dimension: String,
    pub(super) hex: String,
    pub(super) groups: Vec<Group>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) plan: Plan,
    /// Address of its traffic; healthy fleet members may share one.
    pub(super) stream: u64,
    /// Minutes by which the seed moves the script of this one.
    pub(super) shift: f64,
}

/// One target group.
pub(super) struct Group {
    pub(super) name: String,
    pub(super) arn: String,
    /// `targetgroup/NAME/16hex`, the `CloudWatch` dimension value.
    pub(super) dimension: String,
    /// (instance id, zone index).
    pub(super) targets: Vec<(String, usize)>,
}

impl World {
    /// Builds the account of a scenario.
    pub(super) fn new(
        scenario: &Scenario,
        seed: u64,
        region: &str,
        account: &str,
        count: Option<usize>,
    ) -> Self {
        let count = count.unwrap_or(scenario.load_balancers);
        let balancers: Vec<Balancer> = (0..count)
            .map(|index| {
                let (name, plan, stream) = member(scenario, seed, index);
                balancer(name, plan, stream, seed, region, account)
            })
            .collect();
        let network = scenario.network.map(|name| {
            let plan = scenario.plans[0];
            network_balancer(name, plan, seed, region, account)
        });
        let index = |key: fn(&Balancer) -> &String| {
            balancers.iter().enumerate().map(|(at, one)| (key(one).clone(), at)).collect()
        };
        Self {
            region: region.to_owned(),
            account: account.to_owned(),
            by_dimension: index(|one| &one.dimension),
            by_name: index(|one| &one.name),
            balancers,
            network,
        }
    }

    /// The load balancer with this `CloudWatch` dimension value.
    pub(super) fn by_dimension(&self, dimension: &str) -> Option<&Balancer> {
        self.balancers.get(*self.by_dimension.get(dimension)?)
    }

    /// The application load balancer of this name.
    pub(super) fn by_name(&self, name: &str) -> Option<&Balancer> {
        self.balancers.get(*self.by_name.get(name)?)
    }

    /// Name of a zone of this region.
    pub(super) fn zone(&self, index: usize) -> String {
        format!("{}{}", self.region, ZONES[index % ZONES.len()])
    }
}

/// Name, plan and traffic stream of one member of a scenario.
fn member(scenario: &Scenario, seed: u64, index: usize) -> (String, Plan, u64) {
    let private = hash(&[seed, 1, index as u64]);
    if scenario.fleet {
        let (plan, shared) = fleet_plan(scenario.plans[0], seed, index);
        return (format!("svc-{index:05}"), plan, shared.unwrap_or(private));
    }
    if let Some(plan) = scenario.plans.get(index) {
        (plan.name.to_owned(), *plan, private)
    } else {
        let mut plan = scenario.plans[scenario.plans.len() - 1];
        plan.rate = plan.rate.min(60.0);
        (format!("{}-{index:05}", plan.name), plan, private)
    }
}

/// Plan of a fleet member, and its stream if it shares one.
fn fleet_plan(base: Plan, seed: u64, index: usize) -> (Plan, Option<u64>) {
    let draw = hash(&[seed, 2, index as u64]);
    let sick = index % 50 == 7;
    let timeouts: [u32; 8] =
        if sick { [60, 60, 60, 120, 60, 30, 60, 120] } else { [60, 60, 30, 120, 300, 60, 30, 120] };
    let mut plan = base;
    plan.timeout = timeouts[(draw % 8) as usize];
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

fn hex16(seed: u64, kind: &str, name: &str) -> String {
    format!("{:016x}", hash_bytes(seed, format!("{kind}/{name}").as_bytes()))
}

fn balancer(
    name: String,
    plan: Plan,
    stream: u64,
    seed: u64,
    region: &str,
    account: &str,
) -> Balancer {
    let hex = hex16(seed, "app", &name);
    let dimension = format!("app/{name}/{hex}");
    let groups =
        (0..plan.groups).map(|at| group(&name, at, plan.targets, seed, region, account)).collect();
    let teams = ["payments", "shop", "platform", "search"];
    let team = teams[(hash_bytes(seed, name.as_bytes()) % 4) as usize];
    let shift = match plan.trouble {
        Trouble::Growing { .. } => Rng::new(&[seed, 4, stream]).unit() * 2.0 - 1.0,
        _ => 0.0,
    };
    Balancer {
        arn: format!("arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/{dimension}"),
        dimension,
        hex,
        groups,
        tags: vec![
            ("env".to_owned(), "prod".to_owned()),
            ("team".to_owned(), team.to_owned()),
            ("service".to_owned(), name.clone()),
        ],
        name,
        plan,
        stream,
        shift,
    }
}

fn network_balancer(name: &str, plan: Plan, seed: u64, region: &str, account: &str) -> Balancer {
    let mut one = balancer(name.to_owned(), plan, 0, seed, region, account);
    one.dimension = format!("net/{name}/{}", one.hex);
    one.arn =
        format!("arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/{}", one.dimension);
    one.groups.clear();
    one
}

fn group(
    balancer: &str,
    at: usize,
    targets: usize,
    seed: u64,
    region: &str,
    account: &str,
) -> Group {
    // A target group name has at most 32 characters, like a load balancer's.
    let suffix = if at == 0 { "main" } else { "aux" };
    let name: String = format!("{}-{suffix}", balancer.chars().take(26).collect::<String>());
    let hex = hex16(seed, "targetgroup", &name);
    let dimension = format!("targetgroup/{name}/{hex}");
    let targets = (0..targets)
        .map(|target| {
            let id = hash_bytes(seed, format!("{name}/{target}").as_bytes());
            (format!("i-0{id:016x}"), target % ZONES.len())
        })
        .collect();
    Group {
        arn: format!("arn:aws:elasticloadbalancing:{region}:{account}:{dimension}"),
        name,
        dimension,
        targets,
    }
}

#[cfg(test)]
mod tests {
    use super::super::scenario::find;
    use super::*;

    fn world(seed: u64, count: usize) -> World {
        let fleet = find("fleet").unwrap_or(&super::super::scenario::scenarios()[0]);
        World::new(fleet, seed, "eu-central-1", "123456789012", Some(count))
    }

    #[test]
    fn one_fleet_member_in_fifty_is_sick() {
        let world = world(3, 500);
        let sick = world
            .balancers
            .iter()
            .filter(|one| matches!(one.plan.trouble, Trouble::Growing { .. }))
            .count();
        assert_eq!(sick, 10);
    }

    #[test]
    fn identifiers_depend_on_the_seed_and_are_unique() {
        let (a, b) = (world(1, 300), world(2, 300));
        assert_ne!(a.balancers[0].arn, b.balancers[0].arn);
        let mut hexes: Vec<_> = a.balancers.iter().map(|one| &one.hex).collect();
        hexes.sort();
        hexes.dedup();
        assert_eq!(hexes.len(), 300);
    }

    #[test]
    fn a_balancer_is_found_by_dimension_and_by_name() {
        let world = world(1, 20);
        let one = &world.balancers[11];
        assert_eq!(world.by_dimension(&one.dimension).map(|b| &b.arn), Some(&one.arn));
        assert_eq!(world.by_name(&one.name).map(|b| &b.arn), Some(&one.arn));
        assert!(world.by_name("nobody").is_none());
    }
}
