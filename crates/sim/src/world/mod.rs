//! Everything that exists in the simulated AWS, and what it was set up with.
//!
//! Built once and never changed: whoever has a `&World` can compute any answer that
//! depends neither on requests nor on earlier calls.

mod balancer;
mod gateway;
mod source;

use std::collections::HashMap;

use crate::rng::hash_bytes;
use crate::scenario::gateway::Kind;
use crate::scenario::plan::Scenario;
use crate::setup::Setup;

pub(crate) use balancer::{Balancer, Group, ZONES};
pub(crate) use gateway::Gateway;
pub(crate) use source::{Source, Stamp};

/// Everything that exists in the simulated account.
pub(crate) struct World {
    pub(crate) setup: Setup,
    pub(crate) scenario: &'static Scenario,
    /// Application load balancers.
    pub(crate) balancers: Vec<Balancer>,
    /// A network load balancer, if the scenario has one.
    pub(crate) network: Option<Balancer>,
    /// All other gateways.
    pub(crate) gateways: Vec<Gateway>,
    /// Those of a name or an id.
    called: HashMap<String, Vec<usize>>,
    by_dimension: HashMap<String, usize>,
    /// All lives of a name, oldest first.
    by_name: HashMap<String, Vec<usize>>,
}

impl World {
    /// Builds the accounts of a scenario.
    pub(crate) fn new(scenario: &'static Scenario, setup: Setup) -> Self {
        let count = setup.load_balancers.unwrap_or(scenario.load_balancers);
        let count = if scenario.plans.is_empty() { 0 } else { count };
        let mut balancers = Vec::with_capacity(count);
        for index in 0..count {
            balancers.extend(balancer::incarnations(scenario, &setup, index));
        }
        let mut network =
            scenario.network.map(|name| balancer::network_balancer(name, scenario, &setup));
        for (order, one) in balancers.iter_mut().chain(&mut network).enumerate() {
            one.order = order;
        }
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, one) in balancers.iter().enumerate() {
            by_name.entry(one.name.clone()).or_default().push(at);
        }
        let gateways = gateway::gateways(scenario, &setup);
        let mut called: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, one) in gateways.iter().enumerate() {
            called.entry(one.name.clone()).or_default().push(at);
            if one.id != one.name {
                called.entry(one.id.clone()).or_default().push(at);
            }
        }
        let dimensions = balancers.iter().enumerate();
        Self {
            gateways,
            called,
            by_dimension: dimensions.map(|(at, one)| (one.dimension.clone(), at)).collect(),
            by_name,
            balancers,
            network,
            scenario,
            setup,
        }
    }

    /// The load balancer with this `CloudWatch` dimension value.
    pub(crate) fn by_dimension(&self, dimension: &str) -> Option<&Balancer> {
        self.balancers.get(*self.by_dimension.get(dimension)?)
    }

    /// The application load balancer of this name in an epoch minute; if none
    /// exists then, the oldest one of this name.
    pub(crate) fn by_name(&self, name: &str, minute: i64) -> Option<&Balancer> {
        let lives = self.by_name.get(name)?;
        let alive = lives.iter().find(|at| self.balancers[**at].life.contains(&minute));
        self.balancers.get(*alive.or(lives.first())?)
    }

    /// Whether there are gateways of a kind.
    pub(crate) fn has(&self, of: impl Fn(Kind) -> bool) -> bool {
        self.gateways.iter().any(|one| of(one.plan.kind))
    }

    /// The gateways of this name or id, all lives of each.
    pub(crate) fn called(&self, name: &str) -> impl Iterator<Item = &Gateway> {
        let known = self.called.get(name).into_iter().flatten();
        known.filter_map(|at| self.gateways.get(*at))
    }

    /// Name of a zone of this region.
    pub(crate) fn zone(&self, index: usize) -> String {
        format!("{}{}", self.setup.region, ZONES[index % ZONES.len()])
    }

    /// Epoch minute of the scenario's minute 0.
    pub(crate) fn start(&self) -> i64 {
        self.setup.start / 60
    }

    /// The scripted epoch minutes.
    pub(crate) fn script(&self) -> std::ops::Range<i64> {
        self.start()..self.start() + self.scenario.minutes
    }

    /// Whether an account shares its metrics with the setup's own.
    pub(crate) fn linked(&self, account: &str) -> bool {
        self.setup.linked.iter().any(|one| one == account)
    }

    /// The epoch minute of a call made at AWS's `now`; without a time it is the scenario's
    /// first.
    pub(crate) fn minute(&self, now: Option<i64>) -> i64 {
        now.unwrap_or(self.setup.start).div_euclid(60)
    }

    /// An identifier such as `subnet-0123456789abcdef0` that belongs to a name.
    pub(crate) fn short(&self, kind: &str, what: &str) -> String {
        let name = format!("{kind}{what}");
        format!("{kind}-0{:016x}", hash_bytes(self.setup.seed, name.as_bytes()))
    }

    /// The minute of the scenario at this epoch second.
    pub(crate) fn scenario_minute(&self, now: i64) -> i64 {
        (now - self.setup.start).div_euclid(60)
    }

    /// ARNs of the topics of this account, which exist only in the simulated region.
    pub(crate) fn topics(&self) -> impl Iterator<Item = String> {
        let begin = format!("arn:aws:sns:{}:{}", self.setup.region, self.setup.account);
        self.setup.topics.iter().map(move |name| format!("{begin}:{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::find;
    use crate::scenario::plan::Trouble;
    use crate::timeline;

    fn world(seed: u64, count: usize) -> World {
        let fleet = find("fleet").unwrap_or(&crate::library::scenarios()[0]);
        World::new(fleet, Setup { load_balancers: Some(count), ..Setup::of("fleet", seed) })
    }

    #[test]
    fn one_fleet_member_in_fifty_is_sick() {
        let world = world(3, 500);
        let sick = world
            .balancers
            .iter()
            .filter(|one| matches!(one.source.plan.trouble, Trouble::Growing { .. }))
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
        assert_eq!(world.by_name(&one.name, 0).map(|b| &b.arn), Some(&one.arn));
        assert!(world.by_name("nobody", 0).is_none());
    }

    #[test]
    fn a_recreated_balancer_is_another_one_of_the_same_name() {
        let change = timeline::Change::read("recreate", "svc-00003:10").expect("readable");
        let setup = Setup {
            load_balancers: Some(6),
            changes: vec![change],
            linked: vec!["222222222222".to_owned()],
            ..Setup::of("fleet", 1)
        };
        let fleet = find("fleet").expect("exists");
        let world = World::new(fleet, setup);
        assert_eq!(world.balancers.len(), 7);
        let at = |minute| world.by_name("svc-00003", world.start() + minute).expect("known");
        assert_ne!((&at(9).arn, &at(9).groups[0].arn), (&at(10).arn, &at(10).groups[0].arn));
        assert_eq!(at(9).source.stream, at(10).source.stream);
        assert!(at(9).arn.contains(":222222222222:"));
        assert!(world.balancers[0].arn.contains(&world.setup.account));
    }

    #[test]
    fn the_timeout_in_force_is_the_last_one_set() {
        let mut one = world(1, 1).balancers.swap_remove(0);
        one.source.timeouts = vec![(10, 90), (20, 30)];
        let base = one.source.plan.timeout;
        assert_eq!([9, 10, 19, 20].map(|at| one.source.timeout(at)), [base, 90, 90, 30]);
        assert_eq!(one.source.longest_timeout(), base.max(90));
    }
}
