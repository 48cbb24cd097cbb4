//! Whether packets get from the load balancer's nodes to each target and back, by how
//! security groups, network ACLs and routes are set up.
//!
//! Each layer judges pairs of a node and a target: open, shut, or not known. What is
//! not known (a prefix list, a part that was not read) is never taken for shut.
//! Obstacles are grouped by the rule that makes them, with the targets and zones that
//! they touch, because an obstacle explains no more than these.

pub mod acl;
pub mod address;
pub mod route;
pub mod security_group;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::diagnose::evidence::{Evidence, Interface, Subnet, Target, TargetGroup, TargetKind};
use crate::diagnose::finding::Fix;
use crate::diagnose::series::{groups_in_use, real};
use address::{Block, any_contains};

/// At most this many targets are looked at: enough to see a pattern.
const MAX_TARGETS: usize = 300;
/// At most this many nodes.
const MAX_NODES: usize = 24;

/// An address from which the load balancer connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its address.
    pub address: IpAddr,
    /// Its subnet.
    pub subnet: String,
    /// Its zone.
    pub zone: String,
}

/// A target with an address.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    /// Its address.
    pub address: IpAddr,
    /// The port at which it is reached.
    pub port: u16,
    /// Its subnet, where known.
    pub subnet: Option<String>,
    /// Its network interface, where known.
    pub interface: Option<&'a Interface>,
    /// The target.
    pub target: &'a Target,
    /// Its group.
    pub group: &'a TargetGroup,
}

/// Why a pair cannot talk, and how to open the way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Barrier {
    /// What shuts it, in one sentence without a full stop.
    pub because: String,
    /// What would open it.
    pub fix: Option<Fix>,
}

/// Whether a pair can talk; `None` where it is not known.
pub type Passage = Option<Result<(), Barrier>>;

/// One barrier and what it touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// What shuts the way.
    pub barrier: Barrier,
    /// The targets, such as `10.0.1.5:8080`.
    pub targets: BTreeSet<String>,
    /// The zones of the load balancer's nodes.
    pub zones: BTreeSet<String>,
}

/// What one layer of the network has in the way.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layer {
    /// What was found, the one with the most targets first.
    pub obstacles: Vec<Obstacle>,
    /// The share of the known pairs that cannot talk.
    pub share: f64,
    /// Whether every pair is known.
    pub is_known: bool,
}

/// What stands in the way, by layer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Obstacles {
    /// Security groups.
    pub security_groups: Layer,
    /// Network ACLs.
    pub acls: Layer,
    /// Routes.
    pub routes: Layer,
    /// Registered targets without a network interface, of those that get requests;
    /// `None` where it is not known.
    pub dead: Option<Vec<String>>,
    /// The same of those that are draining.
    pub gone: Vec<String>,
}

impl Obstacles {
    /// What the evidence says.
    #[must_use]
    pub fn of(evidence: &Evidence) -> Self {
        let (nodes, places) = (nodes(evidence), places(evidence));
        Self {
            security_groups: layer(&nodes, &places, |n, p| security_group::passage(evidence, n, p)),
            acls: layer(&nodes, &places, |n, p| acl::passage(evidence, n, p)),
            routes: layer(&nodes, &places, |n, p| route::passage(evidence, n, p)),
            dead: dead(evidence, &places),
            gone: without_interface(evidence, &places, is_draining),
        }
    }
}

impl Place<'_> {
    /// Such as `10.0.1.5:8080`.
    #[must_use]
    pub fn label(&self) -> String {
        label(&self.target.id, self.port)
    }
}

/// A target as `id:port`, an IPv6 address in brackets.
#[must_use]
pub fn label(id: &str, port: u16) -> String {
    if id.contains(':') { format!("[{id}]:{port}") } else { format!("{id}:{port}") }
}

fn layer(
    nodes: &[Node],
    places: &[Place<'_>],
    passage: impl Fn(&Node, &Place<'_>) -> Passage,
) -> Layer {
    let mut found: BTreeMap<Barrier, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    let (mut known, mut shut, mut unknown) = (0, 0, 0);
    let pairs = places.iter().flat_map(|place| nodes.iter().map(move |node| (node, place)));
    for (node, place) in pairs.filter(|(n, p)| n.address.is_ipv4() == p.address.is_ipv4()) {
        match passage(node, place) {
            None => unknown += 1,
            Some(Ok(())) => known += 1,
            Some(Err(barrier)) => {
                (known, shut) = (known + 1, shut + 1);
                let (targets, zones) = found.entry(barrier).or_default();
                targets.insert(place.label());
                zones.insert(node.zone.clone());
            }
        }
    }
    let obstacle = |(barrier, (targets, zones))| Obstacle { barrier, targets, zones };
    let mut obstacles: Vec<Obstacle> = found.into_iter().map(obstacle).collect();
    obstacles.sort_by_key(|obstacle| std::cmp::Reverse(obstacle.targets.len()));
    let share = if known > 0 { real(shut) / real(known) } else { 0.0 };
    Layer { obstacles, share, is_known: known > 0 && unknown == 0 }
}

/// The nodes' addresses, or both ends of their subnets where these are all that is known.
#[must_use]
pub fn nodes(evidence: &Evidence) -> Vec<Node> {
    let interfaces = evidence.network.interfaces.as_deref().unwrap_or_default();
    let of_interface = |interface: &Interface| {
        let zone = zone_of(evidence, &interface.subnet);
        let addresses = interface.addresses.iter().filter_map(|address| address.parse().ok());
        let node = |address| Node { address, subnet: interface.subnet.clone(), zone: zone.clone() };
        addresses.map(node).collect::<Vec<_>>()
    };
    let known: Vec<Node> =
        interfaces.iter().filter(|interface| interface.is_node).flat_map(of_interface).collect();
    let mut nodes = if known.is_empty() { subnet_ends(evidence) } else { known };
    nodes.truncate(MAX_NODES);
    nodes
}

fn zone_of(evidence: &Evidence, subnet: &str) -> String {
    let zones = evidence.load_balancer.as_ref().map(|balancer| balancer.zones.as_slice());
    let named = zones.unwrap_or_default().iter().find(|zone| zone.subnet == subnet);
    let subnets = evidence.network.subnets.as_ref().ok();
    let found = subnets.and_then(|subnets| subnets.get(subnet)).map(|subnet| subnet.zone.clone());
    named.map(|zone| zone.name.clone()).or(found).unwrap_or_default()
}

fn subnet_ends(evidence: &Evidence) -> Vec<Node> {
    let (Ok(balancer), Ok(subnets)) = (&evidence.load_balancer, &evidence.network.subnets) else {
        return Vec::new();
    };
    let ends = |subnet: &Subnet| {
        subnet
            .blocks
            .iter()
            .filter_map(|b| Block::parse(b))
            .flat_map(Block::ends)
            .collect::<Vec<_>>()
    };
    let mut nodes = Vec::new();
    for zone in &balancer.zones {
        let ends = subnets.get(&zone.subnet).map(ends).unwrap_or_default();
        nodes.extend(ends.into_iter().map(|address| Node {
            address,
            subnet: zone.subnet.clone(),
            zone: zone.name.clone(),
        }));
    }
    nodes
}

/// The targets that may get requests, with their addresses.
#[must_use]
pub fn places(evidence: &Evidence) -> Vec<Place<'_>> {
    let groups = groups_in_use(evidence).filter(|group| group.kind != TargetKind::Lambda);
    let targets = groups.flat_map(|group| {
        let targets = group.targets.as_deref().unwrap_or_default();
        targets.iter().map(move |target| (group, target))
    });
    let used = targets.filter(|(_, target)| target.state != "unused");
    used.filter_map(|(group, target)| place(evidence, group, target)).take(MAX_TARGETS).collect()
}

fn place<'a>(
    evidence: &'a Evidence,
    group: &'a TargetGroup,
    target: &'a Target,
) -> Option<Place<'a>> {
    let interfaces = evidence.network.interfaces.as_deref().unwrap_or_default();
    let own = target.address.or_else(|| target.id.parse().ok());
    let has = |interface: &Interface, address: IpAddr| {
        interface.addresses.iter().any(|text| text.parse() == Ok(address))
    };
    let is_its = |interface: &&Interface| match own {
        Some(address) => has(interface, address),
        None => interface.instance.as_deref() == Some(target.id.as_str()),
    };
    let interface = interfaces.iter().filter(|interface| !interface.is_node).find(is_its);
    let first = || interface?.addresses.first()?.parse().ok();
    let address = own.or_else(first)?;
    let subnet = interface.map(|interface| interface.subnet.clone());
    let subnet = subnet.or_else(|| subnet_of(evidence, address));
    Some(Place { address, port: target.port.or(group.port)?, subnet, interface, target, group })
}

fn subnet_of(evidence: &Evidence, address: IpAddr) -> Option<String> {
    let subnets = evidence.network.subnets.as_ref().ok()?;
    let mut found = subnets.iter().filter(|(_, subnet)| any_contains(&subnet.blocks, address));
    found.next().map(|(id, _)| id.clone())
}

/// Whether an address is known to be in the load balancer's VPC, or not to be.
#[must_use]
pub fn is_in_vpc(evidence: &Evidence, address: IpAddr) -> Option<bool> {
    evidence.network.vpc_blocks.as_ref().ok().map(|blocks| any_contains(blocks, address))
}

fn is_draining(target: &Target) -> bool {
    target.state == "draining"
}

fn gets_requests(target: &Target) -> bool {
    matches!(target.state.as_str(), "healthy" | "unhealthy" | "unavailable")
}

/// Targets that get requests and have no network interface.
fn dead(evidence: &Evidence, places: &[Place<'_>]) -> Option<Vec<String>> {
    evidence.network.interfaces.as_ref().ok()?;
    evidence.target_groups.as_ref().ok()?;
    Some(without_interface(evidence, places, gets_requests))
}

fn without_interface(
    evidence: &Evidence,
    places: &[Place<'_>],
    chosen: fn(&Target) -> bool,
) -> Vec<String> {
    if evidence.network.interfaces.is_err() {
        return Vec::new();
    }
    let is_gone = |place: &&Place<'_>| {
        let zone = place.target.zone.as_deref();
        let is_inside =
            zone != Some("all") && is_in_vpc(evidence, place.address).unwrap_or(zone.is_some());
        let is_detached = place.interface.is_some_and(|i| i.status == "available");
        is_detached || (is_inside && place.interface.is_none())
    };
    let places = places.iter().filter(|place| chosen(place.target)).filter(is_gone);
    places.map(Place::label).collect()
}
