//! Whether network ACLs let requests through to a target, and its answers back.
//!
//! Network ACLs are stateless: four lists decide, two for the request (to the target's
//! port) and two for the answer (to the ephemeral ports from which the load balancer
//! connects, 1024-65535). The entry with the lowest number that fits decides, and
//! within one subnet none is asked.

use std::net::IpAddr;

use crate::diagnose::evidence::{Acl, AclEntry, Evidence};
use crate::diagnose::finding::Fix;
use crate::diagnose::fix::{self, Quoted};
use crate::diagnose::network::address::Block;
use crate::diagnose::network::{Barrier, Node, Passage, Place};

/// The ports from which a load balancer connects.
const EPHEMERAL: (u16, u16) = (1024, 65_535);
const TCP: i32 = 6;
const LAST: u32 = 32_767;

/// First and last port.
type Ports = (u16, u16);

/// One of the four ways.
struct Way<'a> {
    subnet: &'a str,
    is_out: bool,
    other: IpAddr,
    other_subnet: Option<&'a str>,
    ports: (u16, u16),
    what: &'static str,
}

/// Whether the node and the target may talk; `None` where an ACL is not known.
#[must_use]
pub fn passage(evidence: &Evidence, node: &Node, place: &Place<'_>) -> Passage {
    if place.subnet.as_deref() == Some(node.subnet.as_str()) {
        return Some(Ok(()));
    }
    let mut is_known = place.subnet.is_some()
        || crate::diagnose::network::is_in_vpc(evidence, place.address) == Some(false);
    for way in ways(node, place) {
        match judge(evidence, &way) {
            Some(Err(barrier)) => return Some(Err(barrier)),
            Some(Ok(())) => {}
            None => is_known = false,
        }
    }
    is_known.then_some(Ok(()))
}

/// The ways of a request and its answer, of the subnets that are known.
fn ways<'a>(node: &'a Node, place: &'a Place<'_>) -> Vec<Way<'a>> {
    let port = (place.port, place.port);
    let theirs = place.subnet.as_deref();
    let own = Some(node.subnet.as_str());
    let near = |is_out, ports, what| Way {
        subnet: &node.subnet,
        is_out,
        other: place.address,
        other_subnet: theirs,
        ports,
        what,
    };
    let mut ways = vec![near(true, port, "requests"), near(false, EPHEMERAL, "answers")];
    ways.extend(theirs.into_iter().flat_map(|subnet| {
        let far = |is_out, ports, what| Way {
            subnet,
            is_out,
            other: node.address,
            other_subnet: own,
            ports,
            what,
        };
        [far(false, port, "requests"), far(true, EPHEMERAL, "answers")]
    }));
    ways
}

fn judge(evidence: &Evidence, way: &Way<'_>) -> Passage {
    let subnet = evidence.network.subnets.as_ref().ok()?.get(way.subnet)?;
    let id = subnet.acl.as_ref()?;
    let acl = evidence.network.acls.as_ref().ok()?.get(id)?;
    let shut = shut(acl, way);
    if shut.is_empty() {
        return Some(Ok(()));
    }
    let block = block_of(evidence, way);
    let to = if way.is_out { "out to" } else { "in to" };
    let plural = if way.ports.0 == way.ports.1 { "" } else { "s" };
    Some(Err(Barrier {
        because: format!(
            "The network ACL {id} of subnet {} ({}) lets no {} {to} TCP port{plural} {}",
            way.subnet,
            subnet.zone,
            way.what,
            ranges(&shut),
        ),
        fix: Some(allow(id, acl, way, &block)),
    }))
}

/// The block to allow: the VPC's that has the other side, its subnet's, or itself.
fn block_of(evidence: &Evidence, way: &Way<'_>) -> String {
    let has = |block: &&String| Block::parse(block).is_some_and(|b| b.contains(way.other));
    let vpc = evidence.network.vpc_blocks.as_deref().unwrap_or_default().iter().find(has);
    let subnets = evidence.network.subnets.as_ref().ok();
    let subnet = || subnets?.get(way.other_subnet?)?.blocks.iter().find(has);
    let width = if way.other.is_ipv6() { 128 } else { 32 };
    vpc.or_else(subnet).cloned().unwrap_or_else(|| format!("{}/{width}", way.other))
}

/// The ports of a way that are denied, as ranges.
fn shut(acl: &Acl, way: &Way<'_>) -> Vec<(u16, u16)> {
    let mut undecided = vec![way.ports];
    let mut denied = Vec::new();
    for entry in fitting(acl, way) {
        let (first, last) = ports(entry);
        let mut left = Vec::new();
        for range in undecided {
            let (inside, outside) = cut(range, (first, last));
            left.extend(outside);
            denied.extend(inside.filter(|_| !entry.allow));
        }
        undecided = left;
    }
    denied.extend(undecided);
    denied.sort_unstable();
    denied
}

/// The entries that are about this way, in the order in which they decide.
fn fitting<'a>(acl: &'a Acl, way: &Way<'_>) -> Vec<&'a AclEntry> {
    let fits = |entry: &&AclEntry| {
        entry.egress == way.is_out
            && (entry.protocol == TCP || entry.protocol == -1)
            && Block::parse(&entry.block).is_some_and(|block| block.contains(way.other))
    };
    let mut entries: Vec<&AclEntry> = acl.entries.iter().filter(fits).collect();
    entries.sort_by_key(|entry| entry.number);
    entries
}

/// An entry for all protocols is for all ports.
fn ports(entry: &AclEntry) -> (u16, u16) {
    let named = entry.ports.filter(|_| entry.protocol != -1);
    named.unwrap_or((0, u16::MAX))
}

/// The part of a range inside another, and the parts outside.
fn cut(range: Ports, by: Ports) -> (Option<Ports>, Vec<Ports>) {
    let inside = (range.0.max(by.0), range.1.min(by.1));
    if inside.0 > inside.1 {
        return (None, vec![range]);
    }
    let mut outside = Vec::new();
    if range.0 < inside.0 {
        outside.push((range.0, inside.0 - 1));
    }
    if inside.1 < range.1 {
        outside.push((inside.1 + 1, range.1));
    }
    (Some(inside), outside)
}

fn ranges(shut: &[(u16, u16)]) -> String {
    let mut merged: Vec<(u16, u16)> = Vec::new();
    for (first, last) in shut {
        match merged.last_mut() {
            Some(before) if before.1.saturating_add(1) >= *first => before.1 = before.1.max(*last),
            _ => merged.push((*first, *last)),
        }
    }
    let said = |(first, last): &(u16, u16)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    merged.iter().map(said).collect::<Vec<_>>().join(", ")
}

/// An entry that allows the way, with a free number before the first that denies it.
fn allow(id: &str, acl: &Acl, way: &Way<'_>, block: &str) -> Fix {
    let denying =
        fitting(acl, way).into_iter().find(|entry| !entry.allow).map_or(LAST, |e| e.number);
    let taken = |number: &u32| {
        acl.entries.iter().any(|entry| entry.egress == way.is_out && entry.number == *number)
    };
    let number = (1..denying.min(101)).rev().find(|number| !taken(number)).unwrap_or(1);
    let (first, last) = way.ports;
    let is_v6 = way.other.is_ipv6();
    Fix {
        cli: format!(
            "aws ec2 create-network-acl-entry --network-acl-id {} --rule-number {number} --protocol tcp --port-range From={first},To={last} {} {} {} --rule-action allow",
            id.shell(),
            if way.is_out { "--egress" } else { "--ingress" },
            if is_v6 { "--ipv6-cidr-block" } else { "--cidr-block" },
            block.shell(),
        ),
        terraform: fix::resource(
            "aws_network_acl_rule",
            if way.is_out { "out_of_subnet" } else { "into_subnet" },
            &[
                ("network_acl_id", id.hcl()),
                ("rule_number", number.to_string()),
                ("egress", way.is_out.to_string()),
                ("protocol", "tcp".hcl()),
                ("rule_action", "allow".hcl()),
                (if is_v6 { "ipv6_cidr_block" } else { "cidr_block" }, block.hcl()),
                ("from_port", first.to_string()),
                ("to_port", last.to_string()),
            ],
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u32, allow: bool, ports: Option<(u16, u16)>, block: &str) -> AclEntry {
        AclEntry { number, egress: true, allow, protocol: TCP, ports, block: block.to_owned() }
    }

    #[test]
    fn the_lowest_number_decides_port_by_port() {
        let any = "0.0.0.0/0";
        for (entries, expected) in [
            (vec![entry(100, true, None, any)], ""),
            (vec![], "1024-65535"),
            (vec![entry(100, true, Some((32_768, 65_535)), any)], "1024-32767"),
            (vec![entry(100, true, None, any), entry(90, false, None, "10.0.0.0/8")], "1024-65535"),
            (vec![entry(100, true, None, any), entry(110, false, None, any)], ""),
            (vec![entry(100, true, None, "10.1.0.0/16")], "1024-65535"),
            (vec![entry(10, false, Some((2000, 2000)), any), entry(20, true, None, any)], "2000"),
        ] {
            let way = Way {
                subnet: "s",
                is_out: true,
                other: "10.0.0.9".parse().unwrap(),
                other_subnet: None,
                ports: EPHEMERAL,
                what: "answers",
            };
            let acl = Acl { entries };
            assert_eq!(ranges(&shut(&acl, &way)), expected, "{acl:?}");
        }
    }
}
