//! The network of an account: VPCs, subnets, route tables, and who has which address.
//!
//! Each account has one VPC with a public subnet (load balancers) and a private one
//! (targets) per zone; where targets live in a peered VPC, there is that as well.
//! An address follows from a running number, so that no two are the same.

use crate::scenario::host::Kind;
use crate::scenario::script::{Shown, What};
use crate::wire::document::Value;
use crate::world::World;
use crate::world::{Balancer, ZONES};

/// Addresses in a subnet, and the first one that is given away.
const SIZE: usize = 8_192;
const FIRST: usize = 10;

/// What a subnet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tier {
    /// Nodes of load balancers.
    Public,
    /// Targets.
    Private,
    /// Targets in the peered VPC.
    Peer,
}

/// One subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subnet {
    pub(crate) id: String,
    pub(crate) tier: Tier,
    /// Zone index.
    pub(crate) zone: usize,
    pub(crate) cidr: String,
}

/// The network of one account.
#[derive(Clone, Copy)]
pub(crate) struct Network<'a> {
    pub(crate) world: &'a World,
    account: &'a str,
}

impl<'a> Network<'a> {
    /// The network of an account.
    pub(crate) fn of(world: &'a World, account: &'a str) -> Self {
        Self { world, account }
    }

    /// The VPC load balancers are in, or the peered one.
    pub(crate) fn vpc(&self, peer: bool) -> String {
        // The name of the setup's own VPC is older than the others.
        let own = self.account == self.world.setup.account;
        let name = if own { "" } else { self.account };
        self.world.short("vpc", &format!("{name}{}", if peer { "peer" } else { "" }))
    }

    /// The VPC a subnet of this tier is in.
    pub(crate) fn vpc_of(&self, tier: Tier) -> String {
        self.vpc(tier == Tier::Peer)
    }

    /// The connection between the two VPCs.
    fn peering(&self) -> String {
        self.world.short("pcx", self.account)
    }

    /// Whether any targets live in the peered VPC.
    pub(crate) fn has_peer(&self) -> bool {
        let mut own = self.world.balancers.iter().filter(|one| one.account == self.account);
        own.any(|one| one.source.plan.host.kind == Kind::Peered)
    }

    /// The block of addresses of a VPC.
    pub(crate) fn block(peer: bool) -> &'static str {
        if peer { "10.20.0.0/16" } else { "10.0.0.0/16" }
    }

    /// Every subnet.
    pub(crate) fn subnets(&self) -> Vec<Subnet> {
        let tiers: &[Tier] = if self.has_peer() {
            &[Tier::Public, Tier::Private, Tier::Peer]
        } else {
            &[Tier::Public, Tier::Private]
        };
        let zones = |tier: &Tier| (0..ZONES.len()).map(|zone| self.subnet(*tier, zone)).collect();
        tiers.iter().flat_map(|tier| -> Vec<Subnet> { zones(tier) }).collect()
    }

    /// The subnet of a tier in a zone.
    pub(crate) fn subnet(&self, tier: Tier, zone: usize) -> Subnet {
        let (second, third) = origin(tier, zone);
        let name = self.world.zone(zone);
        let own = self.account == self.world.setup.account;
        let id = match tier {
            Tier::Public if own => self.world.short("subnet", &name),
            tier => self.world.short("subnet", &format!("{name}{tier:?}{}", self.account)),
        };
        Subnet { id, tier, zone, cidr: format!("10.{second}.{third}.0/19") }
    }

    /// The address of a load balancer's node.
    pub(crate) fn node(zone: usize, number: usize) -> String {
        address(Tier::Public, zone, number)
    }

    /// The address of a target.
    pub(crate) fn target(zone: usize, peer: bool, number: usize) -> String {
        address(if peer { Tier::Peer } else { Tier::Private }, zone, number)
    }

    /// The load balancers of the account whose script shows something like this in
    /// an epoch minute, with the zone it concerns.
    pub(crate) fn shown(&self, minute: i64, like: impl Fn(&Shown) -> bool) -> Vec<usize> {
        let own = |one: &&Balancer| one.account == self.account;
        let all = self.world.balancers.iter().filter(own);
        all.filter_map(|one| self.world.scene(&one.source, minute))
            .filter(|scene| scene.has(|what| matches!(what, What::Shown(shown) if like(shown))))
            .map(|scene| scene.zone())
            .collect()
    }

    /// Every route table, as EC2 describes it.
    pub(crate) fn route_tables(&self, minute: i64) -> Vec<Value> {
        let mut tables = vec![self.table(None, minute)];
        tables.extend(self.subnets().iter().map(|subnet| self.table(Some(subnet), minute)));
        tables
    }

    /// The table of a subnet, or the main one.
    fn table(&self, subnet: Option<&Subnet>, minute: i64) -> Value {
        let id = self.world.short("rtb", subnet.map_or(self.account, |subnet| &subnet.id));
        let mut association = vec![
            ("routeTableAssociationId", self.world.short("rtbassoc", &id).into()),
            ("routeTableId", id.as_str().into()),
            ("main", subnet.is_none().into()),
        ];
        association.extend(subnet.map(|subnet| ("subnetId", subnet.id.as_str().into())));
        let state = Value::record([("state", "associated".into())]);
        association.push(("associationState", state));
        let tier = subnet.map_or(Tier::Private, |subnet| subnet.tier);
        let routes =
            subnet.map_or_else(|| vec![local(false)], |subnet| self.routes(subnet, minute));
        Value::record([
            ("routeTableId", id.into()),
            ("vpcId", self.vpc_of(tier).into()),
            ("ownerId", self.account.into()),
            ("routeSet", Value::List(routes)),
            ("associationSet", Value::List(vec![Value::Record(association)])),
            ("propagatingVgwSet", Value::List(Vec::new())),
            ("tagSet", Value::List(Vec::new())),
        ])
    }

    fn routes(&self, subnet: &Subnet, minute: i64) -> Vec<Value> {
        let peer = subnet.tier == Tier::Peer;
        let mut routes = vec![local(peer)];
        let out = match subnet.tier {
            Tier::Public => ("gatewayId", self.world.short("igw", self.account)),
            tier => {
                let place = format!("{}{}", self.vpc_of(tier), subnet.zone);
                ("natGatewayId", self.world.short("nat", &place))
            }
        };
        routes.push(route("0.0.0.0/0", (out.0, out.1.into()), "active"));
        if self.has_peer() {
            let lost = |blackhole: bool| {
                let unrouted = |one: &Shown| *one == Shown::Unrouted { blackhole };
                subnet.tier == Tier::Public && self.shown(minute, unrouted).contains(&subnet.zone)
            };
            let way = ("vpcPeeringConnectionId", self.peering().into());
            let state = if lost(true) { "blackhole" } else { "active" };
            routes.extend((!lost(false)).then(|| route(Self::block(!peer), way, state)));
        }
        routes
    }
}

fn local(peer: bool) -> Value {
    let way = ("gatewayId", "local".into());
    let route = route(Network::block(peer), way, "active");
    match route {
        Value::Record(mut fields) => {
            fields.retain(|field| field.0 != "origin");
            fields.push(("origin", "CreateRouteTable".into()));
            Value::Record(fields)
        }
        other => other,
    }
}

fn route(to: &str, way: (&'static str, Value), state: &str) -> Value {
    Value::record([
        ("destinationCidrBlock", to.into()),
        way,
        ("state", state.into()),
        ("origin", "CreateRoute".into()),
    ])
}

/// Second and third part of the first address of a subnet.
fn origin(tier: Tier, zone: usize) -> (usize, usize) {
    match tier {
        Tier::Public => (0, zone * 32),
        Tier::Private => (0, (ZONES.len() + zone) * 32),
        Tier::Peer => (20, zone * 32),
    }
}

fn address(tier: Tier, zone: usize, number: usize) -> String {
    let (second, third) = origin(tier, zone);
    let host = FIRST + number % (SIZE - FIRST - 2);
    format!("10.{second}.{}.{}", third + host / 256, host % 256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_in_their_subnets() {
        assert_eq!(address(Tier::Public, 1, 0), "10.0.32.10");
        assert_eq!(address(Tier::Private, 2, 300), "10.0.161.54");
        assert_eq!(address(Tier::Peer, 0, SIZE - FIRST - 3), "10.20.31.253");
    }
}
