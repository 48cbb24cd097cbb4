//! Whether routes lead from the load balancer's subnets to a target and back.
//!
//! The most specific route decides. Inside the VPC the local route is always there;
//! outside of it (peered VPCs, on-premises addresses) both sides need one, and a
//! default route to the internet is none for a private address.

use std::net::IpAddr;

use crate::diagnose::evidence::{Evidence, Route};
use crate::diagnose::finding::Fix;
use crate::diagnose::fix::{self, Quoted};
use crate::diagnose::network::address::{Block, is_private};
use crate::diagnose::network::{Barrier, Node, Passage, Place, is_in_vpc};

/// Whether packets find their way both ways; `None` where that is not known.
#[must_use]
pub fn passage(evidence: &Evidence, node: &Node, place: &Place<'_>) -> Passage {
    let is_inside = is_in_vpc(evidence, place.address)?;
    let there = leads(evidence, &node.subnet, place.address, is_inside);
    let back = match &place.subnet {
        Some(subnet) => leads(evidence, subnet, node.address, is_inside),
        None => Some(Ok(())),
    };
    match (there, back) {
        (Some(Err(barrier)), _) | (_, Some(Err(barrier))) => Some(Err(barrier)),
        (Some(Ok(())), Some(Ok(()))) => Some(Ok(())),
        _ => None,
    }
}

fn leads(evidence: &Evidence, subnet: &str, to: IpAddr, is_inside: bool) -> Passage {
    let tables = evidence.network.route_tables.as_ref().ok();
    let of = evidence.network.subnets.as_ref().ok().and_then(|subnets| subnets.get(subnet));
    let id = of.and_then(|subnet| subnet.route_table.as_ref());
    let Some((id, routes)) = id.and_then(|id| Some((id, tables?.get(id)?))) else {
        return is_inside.then_some(Ok(()));
    };
    let best = most_specific(routes, to);
    let unknown = routes.iter().any(|route| Block::parse(&route.destination).is_none());
    let problem = match best {
        Some(route) if route.is_blackhole => {
            format!("sends {} to {}, which is gone (blackhole)", route.destination, route.target)
        }
        Some(route) if is_private(to) && is_internet(&route.target) && !is_inside => {
            if unknown {
                return None;
            }
            format!("has only the default route to {} for {}", route.target, network_of(to))
        }
        Some(_) => return Some(Ok(())),
        None if is_inside => return Some(Ok(())),
        None if unknown => return None,
        None => format!("has no route to {}", network_of(to)),
    };
    let destination =
        best.filter(|route| route.is_blackhole).map(|route| route.destination.clone());
    Some(Err(Barrier {
        because: format!("Route table {id} of subnet {subnet} {problem}"),
        fix: repair(evidence, id, to, destination),
    }))
}

fn most_specific(routes: &[Route], to: IpAddr) -> Option<&Route> {
    let fitting = routes.iter().filter_map(|route| {
        let block = Block::parse(&route.destination)?;
        block.contains(to).then_some((block.prefix(), route))
    });
    fitting.max_by_key(|(prefix, _)| *prefix).map(|(_, route)| route)
}

fn is_internet(target: &str) -> bool {
    ["igw-", "nat-", "eigw-"].iter().any(|kind| target.starts_with(kind))
}

/// The address with its neighbours: what one would write a route for.
fn network_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// The route that another table has, where there is one: a new target is not guessed.
fn repair(evidence: &Evidence, id: &str, to: IpAddr, dead: Option<String>) -> Option<Fix> {
    let tables = evidence.network.route_tables.as_ref().ok()?;
    let others = tables.iter().filter(|(other, _)| other.as_str() != id);
    let mut working = others.filter_map(|(_, routes)| most_specific(routes, to));
    let model = working.find(|route| !route.is_blackhole && !is_internet(&route.target))?;
    let (option, argument) = option_for(&model.target)?;
    let verb = if dead.is_some() { "replace-route" } else { "create-route" };
    let destination = dead.unwrap_or_else(|| model.destination.clone());
    let v6 = if to.is_ipv6() { "ipv6-" } else { "" };
    Some(Fix {
        cli: format!(
            "aws ec2 {verb} --route-table-id {} --destination-{v6}cidr-block {} {option} {}",
            id.shell(),
            destination.shell(),
            model.target.shell()
        ),
        terraform: fix::resource(
            "aws_route",
            "to_targets",
            &[
                ("route_table_id", id.hcl()),
                (
                    if to.is_ipv6() {
                        "destination_ipv6_cidr_block"
                    } else {
                        "destination_cidr_block"
                    },
                    destination.hcl(),
                ),
                (argument, model.target.hcl()),
            ],
        ),
    })
}

fn option_for(target: &str) -> Option<(&'static str, &'static str)> {
    let kinds = [
        ("pcx-", "--vpc-peering-connection-id", "vpc_peering_connection_id"),
        ("tgw-", "--transit-gateway-id", "transit_gateway_id"),
        ("vgw-", "--gateway-id", "gateway_id"),
        ("eni-", "--network-interface-id", "network_interface_id"),
    ];
    let found = kinds.iter().find(|(prefix, ..)| target.starts_with(prefix));
    found.map(|(_, option, argument)| (*option, *argument))
}
