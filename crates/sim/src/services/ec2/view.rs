//! How instances, interfaces, subnets and the like look in EC2's answers.
//!
//! Each function lists everything of its kind an account has in an epoch minute.

use crate::rng::{hash, hash_bytes};
use crate::scenario::host::Kind;
use crate::services::vpc::firewall::{self, GroupRole};
use crate::services::vpc::members::{Member, TargetState, members};
use crate::services::vpc::network::{Network, Tier};
use crate::traffic::tasks::Task;
use crate::wire::document::Value;
use crate::world::World;
use crate::world::{Balancer, ZONES};

/// Everything is this many seconds older than the scenario.
const AGE: i64 = 30 * 86_400;

/// The load balancers an account has in an epoch minute.
fn balancers<'a>(
    world: &'a World,
    account: &'a str,
    minute: i64,
) -> impl Iterator<Item = &'a Balancer> {
    let all = world.balancers.iter().chain(&world.network);
    all.filter(move |one| one.account == account && one.life.contains(&minute))
}

/// The targets of every group of a load balancer.
fn targets(world: &World, one: &Balancer, minute: i64) -> Vec<Member> {
    (0..one.groups.len()).flat_map(|at| members(world, one, at, minute)).collect()
}

/// Instances; those behind a target group.
pub(crate) fn instances(world: &World, account: &str, minute: i64) -> Vec<Value> {
    let hosts = balancers(world, account, minute);
    let hosts = hosts.filter(|one| one.source.plan.host.kind == Kind::Instances);
    hosts.flat_map(|one| registered(world, one, minute)).collect()
}

/// The instances of a load balancer, whether they are registered or not.
fn registered(world: &World, one: &Balancer, minute: i64) -> Vec<Value> {
    let now = targets(world, one, minute);
    let then = targets(world, one, world.start() - 1);
    let here = |id: &String| now.iter().find(|member| member.id == *id);
    let all = then.into_iter().map(|usual| match here(&usual.id) {
        Some(member) => instance(world, one, member),
        None => instance(world, one, &usual),
    });
    all.collect()
}

fn instance(world: &World, one: &Balancer, member: &Member) -> Value {
    let network = Network::of(world, &one.account);
    let subnet = network.subnet(Tier::Private, member.zone);
    let stopped = member.state == TargetState::Unused;
    let (code, name) = if stopped { (80, "stopped") } else { (16, "running") };
    let address = member.address.as_deref().unwrap_or_default();
    let state_of = Value::record([("code", Value::Integer(code)), ("name", name.into())]);
    let zone = Value::record([
        ("availabilityZone", world.zone(member.zone).into()),
        ("tenancy", "default".into()),
    ]);
    let interface = interface(world, one, member);
    Value::record([
        ("instanceId", member.id.as_str().into()),
        ("imageId", world.short("ami", "app").into()),
        ("instanceState", state_of),
        ("privateDnsName", dns(address, &world.setup.region).into()),
        ("instanceType", "m7g.large".into()),
        ("launchTime", Value::Time(world.setup.start - AGE)),
        ("placement", zone),
        ("subnetId", subnet.id.into()),
        ("vpcId", network.vpc(false).into()),
        ("privateIpAddress", address.into()),
        ("architecture", "arm64".into()),
        ("groupSet", Value::List(vec![role(world, one, member)])),
        ("networkInterfaceSet", Value::List(vec![interface])),
        ("tagSet", Value::List(vec![tag("Name", &one.name)])),
    ])
}

fn tag(key: &str, value: &str) -> Value {
    Value::record([("key", key.into()), ("value", value.into())])
}

fn dns(address: &str, region: &str) -> String {
    format!("ip-{}.{region}.compute.internal", address.replace('.', "-"))
}

/// Wraps every instance in a reservation of its own.
pub(crate) fn reserved(instances: Vec<Value>) -> Vec<Value> {
    let reserve = |instance: Value| {
        let id = format!("{instance:?}");
        let number = hash_bytes(5, id.as_bytes());
        let interfaces = instance.field("networkInterfaceSet");
        let owner = interfaces.map(|all| crate::services::ec2::filter::texts(all, "ownerId"));
        let owner = owner.and_then(|all| all.into_iter().next()).unwrap_or_default();
        Value::record([
            ("reservationId", format!("r-0{number:016x}").into()),
            ("ownerId", owner.into()),
            ("groupSet", Value::List(Vec::new())),
            ("instancesSet", Value::List(vec![instance])),
        ])
    };
    instances.into_iter().map(reserve).collect()
}

/// Network interfaces of load balancer nodes and of targets.
pub(crate) fn interfaces(world: &World, account: &str, minute: i64) -> Vec<Value> {
    let all = balancers(world, account, minute).flat_map(|one| {
        let nodes = (0..ZONES.len()).map(move |zone| node(world, one, zone));
        // A stopped instance keeps its interface, and so does a deregistered one.
        let own: Vec<Member> = match one.source.plan.host.kind {
            Kind::Instances => targets(world, one, world.start() - 1),
            _ => targets(world, one, minute),
        };
        let own = own.into_iter().filter(|member| member.attached && member.address.is_some());
        nodes.chain(own.map(move |member| interface(world, one, &member))).collect::<Vec<_>>()
    });
    all.collect()
}

/// The interface of a load balancer's node.
fn node(world: &World, one: &Balancer, zone: usize) -> Value {
    let network = Network::of(world, &one.account);
    let is_network = one.dimension.starts_with("net/");
    let kind = if is_network { "network_load_balancer" } else { "interface" };
    let id = world.short("eni", &format!("{}/{zone}", one.arn));
    let groups = group(world, one, GroupRole::Balancer);
    let described = Described {
        subnet: network.subnet(Tier::Public, zone).id,
        vpc: network.vpc(false),
        zone,
        address: Network::node(zone, one.order),
        description: format!("ELB {}", one.dimension),
        kind,
        requester: Some("amazon-elb"),
        holder: "amazon-elb".to_owned(),
        instance: None,
    };
    described.value(world, one, &id, groups)
}

/// The interface of a target.
fn interface(world: &World, one: &Balancer, member: &Member) -> Value {
    let network = Network::of(world, &one.account);
    let kind = one.source.plan.host.kind;
    let tier = if kind == Kind::Peered { Tier::Peer } else { Tier::Private };
    let id = member.interface(world, one);
    let (description, holder) = match kind {
        Kind::Tasks => (attachment(world, one, member.task), "amazon-ecs".to_owned()),
        Kind::Pods => (format!("aws-K8S-{}", world.short("i", &id)), one.account.clone()),
        _ => (String::new(), one.account.clone()),
    };
    let described = Described {
        subnet: network.subnet(tier, member.zone).id,
        vpc: network.vpc_of(tier),
        zone: member.zone,
        address: member.address.clone().unwrap_or_default(),
        description,
        kind: "interface",
        requester: None,
        holder,
        instance: (kind == Kind::Instances).then(|| member.id.clone()),
    };
    described.value(world, one, &id, role(world, one, member))
}

/// What ECS writes into the interface of a task.
fn attachment(world: &World, one: &Balancer, task: Option<Task>) -> String {
    let mark = task.map_or(0, |task| task.mark(one.source.stream));
    let id = crate::rng::uuid(hash(&[mark, 1]), hash(&[mark, 2]));
    format!("arn:aws:ecs:{}:{}:attachment/{id}", world.setup.region, one.account)
}

fn role(world: &World, one: &Balancer, member: &Member) -> Value {
    group(world, one, if member.apart { GroupRole::Apart } else { GroupRole::Targets })
}

fn group(world: &World, one: &Balancer, role: GroupRole) -> Value {
    Value::record([
        ("groupId", firewall::group_id(world, one, role).into()),
        ("groupName", firewall::group_name(one, role).into()),
    ])
}

/// What differs between interfaces.
struct Described {
    subnet: String,
    vpc: String,
    zone: usize,
    address: String,
    description: String,
    kind: &'static str,
    /// The service that manages it, if one does.
    requester: Option<&'static str>,
    /// Owner of what it is attached to.
    holder: String,
    instance: Option<String>,
}

impl Described {
    fn value(self, world: &World, one: &Balancer, id: &str, group: Value) -> Value {
        let name = dns(&self.address, &world.setup.region);
        let instance = self.instance.map(|id| ("instanceId", id.into()));
        let attachment = Value::record([
            ("attachmentId", world.short("eni-attach", id).into()),
            ("instanceOwnerId", self.holder.into()),
            ("deviceIndex", Value::Integer(i64::from(instance.is_none()))),
            ("status", "attached".into()),
            ("attachTime", Value::Time(world.setup.start - AGE)),
            ("deleteOnTermination", instance.is_some().into()),
        ]);
        let address = Value::record([
            ("privateIpAddress", self.address.as_str().into()),
            ("privateDnsName", name.as_str().into()),
            ("primary", true.into()),
        ]);
        let number = hash_bytes(6, id.as_bytes()).to_be_bytes();
        let mac = format!(
            "02:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}",
            number[0], number[1], number[2], number[3], number[4]
        );
        Value::record([
            ("networkInterfaceId", id.into()),
            ("subnetId", self.subnet.into()),
            ("vpcId", self.vpc.into()),
            ("availabilityZone", world.zone(self.zone).into()),
            ("description", self.description.into()),
            ("ownerId", one.account.as_str().into()),
            ("requesterManaged", self.requester.is_some().into()),
            ("status", "in-use".into()),
            ("macAddress", mac.into()),
            ("privateIpAddress", self.address.into()),
            ("privateDnsName", name.into()),
            ("sourceDestCheck", true.into()),
            ("groupSet", Value::List(vec![group])),
            ("attachment", attachment.with(instance)),
            ("tagSet", Value::List(Vec::new())),
            ("privateIpAddressesSet", Value::List(vec![address])),
            ("interfaceType", self.kind.into()),
        ])
        .with(self.requester.map(|requester| ("requesterId", requester.into())))
    }
}

/// Security groups of load balancers and of their targets.
pub(crate) fn security_groups(world: &World, account: &str, minute: i64) -> Vec<Value> {
    balancers(world, account, minute).flat_map(|one| firewall::groups(world, one, minute)).collect()
}

/// Network ACLs.
pub(crate) fn acls(world: &World, account: &str, minute: i64) -> Vec<Value> {
    firewall::acls(Network::of(world, account), account, minute)
}

/// Route tables.
pub(crate) fn route_tables(world: &World, account: &str, minute: i64) -> Vec<Value> {
    Network::of(world, account).route_tables(minute)
}

/// Subnets.
pub(crate) fn subnets(world: &World, account: &str, _minute: i64) -> Vec<Value> {
    let network = Network::of(world, account);
    let subnet = |one: crate::services::vpc::network::Subnet| {
        let region = &world.setup.region;
        let arn = format!("arn:aws:ec2:{region}:{account}:subnet/{}", one.id);
        let name = format!("{:?}-{}", one.tier, ZONES[one.zone]).to_lowercase();
        Value::record([
            ("subnetId", one.id.into()),
            ("subnetArn", arn.into()),
            ("state", "available".into()),
            ("vpcId", network.vpc_of(one.tier).into()),
            ("cidrBlock", one.cidr.into()),
            ("availableIpAddressCount", Value::Integer(8_100)),
            ("availabilityZone", world.zone(one.zone).into()),
            ("availabilityZoneId", format!("euc1-az{}", one.zone + 1).into()),
            ("defaultForAz", false.into()),
            ("mapPublicIpOnLaunch", (one.tier == Tier::Public).into()),
            ("ownerId", account.into()),
            ("tagSet", Value::List(vec![tag("Name", &name)])),
        ])
    };
    network.subnets().into_iter().map(subnet).collect()
}

/// VPCs.
pub(crate) fn vpcs(world: &World, account: &str, _minute: i64) -> Vec<Value> {
    let network = Network::of(world, account);
    let peers: &[bool] = if network.has_peer() { &[false, true] } else { &[false] };
    let vpc = |peer: &bool| {
        let id = network.vpc(*peer);
        let block = Value::record([
            ("cidrBlock", Network::block(*peer).into()),
            ("associationId", world.short("vpc-cidr-assoc", &id).into()),
            ("cidrBlockState", Value::record([("state", "associated".into())])),
        ]);
        Value::record([
            ("vpcId", id.into()),
            ("state", "available".into()),
            ("cidrBlock", Network::block(*peer).into()),
            ("cidrBlockAssociationSet", Value::List(vec![block])),
            ("dhcpOptionsId", world.short("dopt", account).into()),
            ("instanceTenancy", "default".into()),
            ("isDefault", false.into()),
            ("ownerId", account.into()),
            ("tagSet", Value::List(vec![tag("Name", if *peer { "peer" } else { "main" })])),
        ])
    };
    peers.iter().map(vpc).collect()
}
