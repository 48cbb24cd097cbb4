//! Who lets whom through: security groups and network ACLs.
//!
//! Every load balancer has a group, its targets have one that admits it, and where
//! the story needs it some targets have another one. Every subnet has an ACL.

use crate::scenario::script::{Acl, Closed, Shown, What};
use crate::services::vpc::network::{Network, Subnet, Tier};
use crate::wire::document::Value;
use crate::world::World;
use crate::world::{Balancer, ZONES};

/// Which of the groups of a load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupRole {
    /// That of its nodes.
    Balancer,
    /// That of its targets.
    Targets,
    /// That of targets set apart, which admits checks only.
    Apart,
}

/// Id of a group.
pub(crate) fn group_id(world: &World, one: &Balancer, role: GroupRole) -> String {
    match role {
        GroupRole::Balancer => world.short("sg", &one.name),
        role => world.short("sg", &format!("{}/{role:?}", one.name)),
    }
}

/// Name of a group.
pub(crate) fn group_name(one: &Balancer, role: GroupRole) -> String {
    let suffix = match role {
        GroupRole::Balancer => "alb",
        GroupRole::Targets => "app",
        GroupRole::Apart => "app-internal",
    };
    format!("{}-{suffix}", one.name)
}

/// The groups of a load balancer as EC2 describes them in an epoch minute.
pub(crate) fn groups(world: &World, one: &Balancer, minute: i64) -> Vec<Value> {
    let mut all = vec![group(world, one, GroupRole::Balancer, vec![https_for_all()])];
    if one.groups.is_empty() || one.source.plan.host.is_lambda() {
        return all;
    }
    all.push(group(world, one, GroupRole::Targets, admitted(world, one, minute)));
    let apart = |what: &What| matches!(what, What::Shown(Shown::Closed(Closed::Targets(_))));
    if world.scene(&one.source, minute).is_some_and(|scene| scene.has(apart)) {
        all.push(group(world, one, GroupRole::Apart, checks(world, one)));
    }
    all
}

fn group(world: &World, one: &Balancer, role: GroupRole, ingress: Vec<Value>) -> Value {
    let network = Network::of(world, &one.account);
    let id = group_id(world, one, role);
    let (region, account) = (&world.setup.region, one.account.as_str());
    let peer = role != GroupRole::Balancer
        && one.source.plan.host.kind == crate::scenario::host::Kind::Peered;
    let out = permission("-1", None, &[("0.0.0.0/0", "")], &[]);
    Value::record([
        ("ownerId", account.into()),
        ("groupId", id.as_str().into()),
        ("groupName", group_name(one, role).into()),
        ("groupDescription", group_name(one, role).into()),
        ("vpcId", network.vpc(peer).into()),
        ("securityGroupArn", format!("arn:aws:ec2:{region}:{account}:security-group/{id}").into()),
        ("ipPermissions", Value::List(ingress)),
        ("ipPermissionsEgress", Value::List(vec![out])),
        ("tagSet", Value::List(Vec::new())),
    ])
}

fn https_for_all() -> Value {
    permission("tcp", Some(443), &[("0.0.0.0/0", "")], &[])
}

/// What the group of the targets admits.
fn admitted(world: &World, one: &Balancer, minute: i64) -> Vec<Value> {
    let Some(port) = one.source.plan.host.port() else {
        return Vec::new();
    };
    let scene = world.scene(&one.source, minute);
    let closed = |like: Closed| {
        let scene = scene.as_ref();
        scene.is_some_and(|scene| scene.shows(|shown| *shown == Shown::Closed(like)))
    };
    if closed(Closed::All) {
        return Vec::new();
    }
    let mut all = if closed(Closed::Zone) {
        let shut = scene.as_ref().map(crate::traffic::scene::Scene::zone);
        let open: Vec<usize> = (0..ZONES.len()).filter(|zone| Some(*zone) != shut).collect();
        vec![from_subnets(world, one, port, &open)]
    } else if one.source.plan.host.kind == crate::scenario::host::Kind::Peered {
        vec![from_subnets(world, one, port, &[0, 1, 2])]
    } else {
        let balancer = group_id(world, one, GroupRole::Balancer);
        vec![permission("tcp", Some(port), &[], &[(&balancer, &one.account)])]
    };
    all.extend(checks(world, one));
    all
}

/// The rule for health checks on a port of their own.
fn checks(world: &World, one: &Balancer) -> Vec<Value> {
    let balancer = group_id(world, one, GroupRole::Balancer);
    let port = one.source.plan.host.check.port.into_iter();
    port.map(|port| permission("tcp", Some(port), &[], &[(&balancer, &one.account)])).collect()
}

fn from_subnets(world: &World, one: &Balancer, port: u16, zones: &[usize]) -> Value {
    let network = Network::of(world, &one.account);
    let blocks: Vec<String> =
        zones.iter().map(|zone| network.subnet(Tier::Public, *zone).cidr).collect();
    let ranges: Vec<(&str, &str)> =
        blocks.iter().map(|block| (block.as_str(), "load balancer")).collect();
    permission("tcp", Some(port), &ranges, &[])
}

/// One rule: protocol, port, blocks with a description, and groups with their account.
fn permission(
    protocol: &str,
    port: Option<u16>,
    blocks: &[(&str, &str)],
    groups: &[(&str, &str)],
) -> Value {
    let block = |(block, why): &(&str, &str)| {
        let text = (!why.is_empty()).then(|| ("description", Value::text(*why)));
        Value::record([("cidrIp", (*block).into())]).with(text)
    };
    let group = |(id, account): &(&str, &str)| {
        Value::record([("userId", (*account).into()), ("groupId", (*id).into())])
    };
    let ports = port.into_iter().flat_map(|port| {
        let port = Value::Integer(port.into());
        [("fromPort", port.clone()), ("toPort", port)]
    });
    Value::record([("ipProtocol", protocol.into())]).with(ports).with([
        ("groups", Value::List(groups.iter().map(group).collect())),
        ("ipRanges", Value::List(blocks.iter().map(block).collect())),
        ("ipv6Ranges", Value::List(Vec::new())),
        ("prefixListIds", Value::List(Vec::new())),
    ])
}

/// One line of an ACL: number, whether it is about what goes out, ports.
type Line = (i64, bool, Option<(i64, i64)>);

/// Everything passes.
const OPEN: &[Line] = &[(100, false, None), (100, true, None)];
/// Requests come in and nothing goes back.
const NO_WAY_BACK: &[Line] = &[
    (100, false, Some((8_080, 8_080))),
    (110, false, Some((8_443, 8_443))),
    (120, false, Some((9_090, 9_090))),
    (100, true, Some((443, 443))),
];
/// Answers go back to the upper half of the ephemeral ports.
const HALF_WAY_BACK: &[Line] =
    &[(100, false, None), (100, true, Some((443, 443))), (110, true, Some((32_768, 65_535)))];
/// Clients get in, and no answer of a target does.
const NO_ANSWERS: &[Line] =
    &[(100, false, Some((443, 443))), (110, false, Some((80, 80))), (100, true, None)];

/// The ACL of every subnet as EC2 describes it in an epoch minute.
pub(crate) fn acls(network: Network, account: &str, minute: i64) -> Vec<Value> {
    network.subnets().iter().map(|subnet| acl(network, account, subnet, minute)).collect()
}

fn acl(network: Network, account: &str, subnet: &Subnet, minute: i64) -> Value {
    let world = network.world;
    let id = world.short("acl", &subnet.id);
    let association = Value::record([
        ("networkAclAssociationId", world.short("aclassoc", &id).into()),
        ("networkAclId", id.as_str().into()),
        ("subnetId", subnet.id.as_str().into()),
    ]);
    let lines = lines(network, subnet, minute).iter();
    let mut entries: Vec<Value> =
        lines.map(|(number, out, ports)| entry(*number, *out, *ports, "allow")).collect();
    entries.extend([false, true].map(|out| entry(32_767, out, None, "deny")));
    Value::record([
        ("networkAclId", id.into()),
        ("vpcId", network.vpc_of(subnet.tier).into()),
        ("ownerId", account.into()),
        ("default", false.into()),
        ("entrySet", Value::List(entries)),
        ("associationSet", Value::List(vec![association])),
        ("tagSet", Value::List(Vec::new())),
    ])
}

fn lines(network: Network, subnet: &Subnet, minute: i64) -> &'static [Line] {
    let table = [
        (Tier::Private, Acl::TargetsOut, NO_WAY_BACK),
        (Tier::Private, Acl::TargetsHalf, HALF_WAY_BACK),
        (Tier::Public, Acl::BalancerIn, NO_ANSWERS),
    ];
    let found = table.into_iter().find(|(tier, acl, _)| {
        let like = |shown: &Shown| *shown == Shown::Acl(*acl);
        *tier == subnet.tier && network.shown(minute, like).contains(&subnet.zone)
    });
    found.map_or(OPEN, |row| row.2)
}

fn entry(number: i64, out: bool, ports: Option<(i64, i64)>, action: &str) -> Value {
    // All protocols are -1, TCP is 6; only TCP has ports.
    let protocol = if ports.is_some() { "6" } else { "-1" };
    let range = ports
        .map(|(from, to)| ("portRange", Value::record([("from", from.into()), ("to", to.into())])));
    Value::record([
        ("ruleNumber", number.into()),
        ("protocol", protocol.into()),
        ("ruleAction", action.into()),
        ("egress", out.into()),
        ("cidrBlock", "0.0.0.0/0".into()),
    ])
    .with(range)
}
