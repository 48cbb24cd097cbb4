//! Whether security groups let the load balancer reach a target.
//!
//! Security groups are stateful: only the way there counts, out of the load balancer's
//! and into the target's. A block that covers the node is as good as naming its group,
//! and one permission of any group is enough.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::diagnose::evidence::{Evidence, Permission, SecurityGroup};
use crate::diagnose::finding::Fix;
use crate::diagnose::fix::{self, Quoted};
use crate::diagnose::network::address::any_contains;
use crate::diagnose::network::{Barrier, Node, Passage, Place};

/// What is on the other side of a permission.
struct Peer<'a> {
    address: IpAddr,
    groups: &'a [String],
}

/// In which direction a permission is looked for.
#[derive(Clone, Copy)]
enum Way {
    Out,
    In,
}

/// Whether the node may reach the target; `None` where the groups are not known.
#[must_use]
pub fn passage(evidence: &Evidence, node: &Node, place: &Place<'_>) -> Passage {
    let groups = evidence.network.security_groups.as_ref().ok()?;
    let own = evidence.load_balancer.as_ref().ok()?.security_groups.as_slice();
    let theirs = place.interface.map(|interface| interface.security_groups.as_slice());
    let to = Peer { address: place.address, groups: theirs.unwrap_or_default() };
    let from = Peer { address: node.address, groups: own };
    let out =
        if own.is_empty() { Some(true) } else { admits(groups, own, Way::Out, &to, place.port) };
    if out == Some(false) {
        return Some(Err(egress(own, theirs, place)));
    }
    let into = admits(groups, theirs?, Way::In, &from, place.port);
    if into == Some(false) {
        return Some(Err(ingress(groups, theirs?, own, node, place.port)));
    }
    (out == Some(true) && into == Some(true)).then_some(Ok(()))
}

/// Whether any of these groups admits the peer; `None` where it cannot be known.
fn admits(
    groups: &BTreeMap<String, SecurityGroup>,
    ids: &[String],
    way: Way,
    peer: &Peer<'_>,
    port: u16,
) -> Option<bool> {
    let known: Vec<&SecurityGroup> = ids.iter().filter_map(|id| groups.get(id)).collect();
    let permissions = known.iter().flat_map(|group| match way {
        Way::Out => &group.egress,
        Way::In => &group.ingress,
    });
    let for_port: Vec<&Permission> = permissions.filter(|p| has_port(p, port)).collect();
    if for_port.iter().any(|permission| names(permission, peer)) {
        return Some(true);
    }
    let is_open = known.len() < ids.len() || ids.is_empty();
    (!is_open && !for_port.iter().any(|permission| permission.has_prefix_list)).then_some(false)
}

fn has_port(permission: &Permission, port: u16) -> bool {
    let any = permission.protocol == "-1";
    let is_tcp =
        any || permission.protocol.eq_ignore_ascii_case("tcp") || permission.protocol == "6";
    is_tcp && (any || permission.ports.is_none_or(|(first, last)| (first..=last).contains(&port)))
}

fn names(permission: &Permission, peer: &Peer<'_>) -> bool {
    any_contains(&permission.blocks, peer.address)
        || permission.groups.iter().any(|group| peer.groups.contains(group))
}

fn ingress(
    groups: &BTreeMap<String, SecurityGroup>,
    theirs: &[String],
    own: &[String],
    node: &Node,
    port: u16,
) -> Barrier {
    let named = |id: &String| match groups.get(id).map(|group| group.name.as_str()) {
        Some(name) if !name.is_empty() => format!("{id} ({name})"),
        _ => id.clone(),
    };
    let group = theirs.iter().map(named).collect::<Vec<_>>().join(", ");
    let source = own.first().cloned().unwrap_or_else(|| node.subnet.clone());
    Barrier {
        because: format!(
            "The targets' security group {group} does not admit the load balancer ({source}) on TCP port {port}, neither by group nor by address"
        ),
        fix: theirs.first().zip(own.first()).map(|(group, source)| admit(group, source, port)),
    }
}

fn admit(group: &str, source: &str, port: u16) -> Fix {
    Fix {
        cli: format!(
            "aws ec2 authorize-security-group-ingress --group-id {} --protocol tcp --port {port} --source-group {}",
            group.shell(),
            source.shell()
        ),
        terraform: fix::resource(
            "aws_vpc_security_group_ingress_rule",
            "from_load_balancer",
            &[
                ("security_group_id", group.hcl()),
                ("referenced_security_group_id", source.hcl()),
                ("ip_protocol", "tcp".hcl()),
                ("from_port", port.to_string()),
                ("to_port", port.to_string()),
            ],
        ),
    }
}

fn egress(own: &[String], theirs: Option<&[String]>, place: &Place<'_>) -> Barrier {
    let port = place.port;
    let group = own.join(", ");
    let theirs = theirs.and_then(|theirs| theirs.first());
    Barrier {
        because: format!(
            "The load balancer's security group {group} lets nothing out to its targets on TCP port {port}"
        ),
        fix: own.first().zip(theirs).map(|(group, target)| Fix {
            cli: format!(
                "aws ec2 authorize-security-group-egress --group-id {} --ip-permissions {}",
                group.shell(),
                format!("IpProtocol=tcp,FromPort={port},ToPort={port},UserIdGroupPairs=[{{GroupId={target}}}]").shell()
            ),
            terraform: fix::resource(
                "aws_vpc_security_group_egress_rule",
                "to_targets",
                &[
                    ("security_group_id", group.hcl()),
                    ("referenced_security_group_id", target.hcl()),
                    ("ip_protocol", "tcp".hcl()),
                    ("from_port", port.to_string()),
                    ("to_port", port.to_string()),
                ],
            ),
        }),
    }
}
