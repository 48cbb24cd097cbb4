//! What a diagnosis may look at: the figures around an incident, and how the load
//! balancer, its targets and the network between them are set up.
//!
//! All of it is a value, and every part may be missing: [`Checked`] says why, and
//! what would have to be granted. What is not known is never assumed.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use crate::gateway::evidence::Measure;
use crate::time::Minute;

/// Why something was not looked at, and what would help.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NotChecked {
    /// What was not looked at, such as `network ACLs`.
    pub what: String,
    /// Why, such as `ec2:DescribeNetworkAcls is denied`.
    pub because: String,
    /// What to do about it, such as `grant ec2:DescribeNetworkAcls`.
    pub remedy: String,
}

/// Something that was looked at, or why it was not.
pub type Checked<T> = Result<T, NotChecked>;

/// Everything that a diagnosis has to go by.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The gateway's name, for texts.
    pub gateway: String,
    /// The timeout that requests must not reach, seconds: T.
    pub timeout: f64,
    /// The timeout that the config demands, seconds; `None` where the load balancer's own
    /// counts.
    pub configured_timeout: Option<f64>,
    /// The share of the timeout from which on an answer is a near miss.
    pub near: f64,
    /// When the incident began, as far as known.
    pub began: Option<Minute>,
    /// The figures, up to the moment that is looked at.
    pub figures: Figures,
    /// The load balancer.
    pub load_balancer: Checked<LoadBalancer>,
    /// Its target groups, as far as they were read.
    pub target_groups: Checked<Vec<TargetGroup>>,
    /// How many more target groups it has: there is a limit.
    pub left_out: usize,
    /// The network between it and its targets.
    pub network: Network,
    /// The ECS services behind it.
    pub services: Checked<Vec<Service>>,
    /// The Lambda functions behind it.
    pub functions: Checked<Vec<Function>>,
}

/// What a figure is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The whole load balancer.
    All,
    /// One target group, by name.
    TargetGroup(String),
    /// The load balancer's nodes in one Availability Zone, by name.
    Zone(String),
}

/// Figures by minute: counters are zero where `CloudWatch` said nothing in a
/// complete answer, measurements are absent, and so is what was not asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figures {
    first: i64,
    length: usize,
    rows: BTreeMap<(Scope, Measure), Vec<Option<f64>>>,
}

impl Figures {
    /// A table of the minutes from `first` to before `end`, without any figure.
    #[must_use]
    pub fn between(first: Minute, end: Minute) -> Self {
        let length = usize::try_from(end.since(first)).unwrap_or(0);
        Self { first: first.0, length, rows: BTreeMap::new() }
    }

    /// Enters that a figure was asked for; an absent minute is `absent`.
    pub fn ask(&mut self, scope: Scope, measure: Measure, absent: Option<f64>) {
        self.rows.entry((scope, measure)).or_insert_with(|| vec![absent; self.length]);
    }

    /// Enters one figure; what lies outside or is no figure is left out.
    pub fn record(&mut self, scope: &Scope, measure: Measure, minute: Minute, value: f64) {
        let place = usize::try_from(minute.0.saturating_sub(self.first)).ok();
        let row = self.rows.get_mut(&(scope.clone(), measure));
        if let (Some(row), Some(place)) = (row, place)
            && value.is_finite()
            && value >= 0.0
            && let Some(cell) = row.get_mut(place)
        {
            *cell = Some(value);
        }
    }

    /// The first minute.
    #[must_use]
    pub fn first(&self) -> Minute {
        Minute(self.first)
    }

    /// The minute after the last one: the moment that is looked at.
    #[must_use]
    pub fn end(&self) -> Minute {
        Minute(self.first).plus(i64::try_from(self.length).unwrap_or(i64::MAX))
    }

    /// The scopes that were asked for, in order.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        let mut last = None;
        self.rows
            .keys()
            .map(|(scope, _)| scope)
            .filter(move |scope| last.replace(*scope) != Some(*scope))
    }

    /// A figure by minute, oldest first; `None` where it was not asked for.
    #[must_use]
    pub fn row(&self, scope: &Scope, measure: Measure) -> Option<&[Option<f64>]> {
        self.rows.get(&(scope.clone(), measure)).map(Vec::as_slice)
    }
}

/// The load balancer itself.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadBalancer {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// `active`, `active_impaired`, `provisioning` or `failed`.
    pub state: String,
    /// Its VPC.
    pub vpc: String,
    /// Its security groups.
    pub security_groups: Vec<String>,
    /// Its zones and subnets.
    pub zones: Vec<Zone>,
    /// Its attributes by key, such as `idle_timeout.timeout_seconds`.
    pub attributes: Checked<BTreeMap<String, String>>,
}

impl LoadBalancer {
    /// An attribute, where it is known.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.as_ref().ok()?.get(key).map(String::as_str)
    }
}

/// One zone of a load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Zone {
    /// Such as `eu-central-1a`.
    pub name: String,
    /// Its subnet.
    pub subnet: String,
}

/// What kind of targets a group has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// EC2 instances, by id.
    Instance,
    /// Addresses.
    Ip,
    /// A Lambda function.
    Lambda,
    /// Another load balancer.
    LoadBalancer,
}

/// A target group.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetGroup {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// What is in it.
    pub kind: TargetKind,
    /// `HTTP` or `HTTPS`; empty for Lambda.
    pub protocol: String,
    /// The port that targets are reached at, unless a target says another.
    pub port: Option<u16>,
    /// Its VPC.
    pub vpc: Option<String>,
    /// How it checks their health.
    pub health_check: HealthCheck,
    /// Its attributes by key, such as `deregistration_delay.timeout_seconds`.
    pub attributes: Checked<BTreeMap<String, String>>,
    /// Whether a listener's rule forwards to it with a weight above zero; `None`
    /// where listeners could not be read.
    pub receives: Option<bool>,
    /// Its targets.
    pub targets: Checked<Vec<Target>>,
}

impl TargetGroup {
    /// An attribute, where it is known.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.as_ref().ok()?.get(key).map(String::as_str)
    }
}

/// The target groups of a load balancer, up to a limit.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetGroups {
    /// Those that were read.
    pub read: Vec<TargetGroup>,
    /// How many there are besides.
    pub left_out: usize,
}

/// A target group's health check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HealthCheck {
    /// Whether it is on.
    pub enabled: bool,
    /// `HTTP`, `HTTPS`.
    pub protocol: String,
    /// `traffic-port` or a port.
    pub port: String,
    /// Such as `/healthz`.
    pub path: String,
    /// Seconds between two checks.
    pub interval: u32,
    /// Seconds that it waits.
    pub timeout: u32,
    /// Successes that make healthy.
    pub healthy_threshold: u32,
    /// Failures that make unhealthy.
    pub unhealthy_threshold: u32,
    /// The codes that count as success, such as `200-299`.
    pub matcher: String,
}

/// One target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// Instance id, address or function ARN.
    pub id: String,
    /// Its port.
    pub port: Option<u16>,
    /// Its zone; `all` for addresses outside the VPC.
    pub zone: Option<String>,
    /// `healthy`, `unhealthy`, `draining`, `initial`, `unused`, `unavailable`.
    pub state: String,
    /// Such as `Target.Timeout`; empty when healthy.
    pub reason: String,
    /// AWS's words for it.
    pub description: String,
    /// Whether anomaly detection calls it anomalous; `None` where it was not said.
    pub anomalous: Option<bool>,
    /// Its private address, where the network knows it.
    pub address: Option<IpAddr>,
}

/// The network between a load balancer and its targets.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// Security groups of the load balancer and of its targets, by id.
    pub security_groups: Checked<BTreeMap<String, SecurityGroup>>,
    /// Their subnets, by id.
    pub subnets: Checked<BTreeMap<String, Subnet>>,
    /// The network ACLs of these subnets, by id.
    pub acls: Checked<BTreeMap<String, Acl>>,
    /// The route tables of these subnets, by id.
    pub route_tables: Checked<BTreeMap<String, Vec<Route>>>,
    /// The VPC's address blocks, such as `10.0.0.0/16`.
    pub vpc_blocks: Checked<Vec<String>>,
    /// Network interfaces of the load balancer's nodes and at targets' addresses.
    pub interfaces: Checked<Vec<Interface>>,
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interface {
    /// Its id.
    pub id: String,
    /// Its private addresses.
    pub addresses: Vec<String>,
    /// Its subnet.
    pub subnet: String,
    /// Its security groups.
    pub security_groups: Vec<String>,
    /// `in-use` or `available` (attached to nothing).
    pub status: String,
    /// The instance that it belongs to.
    pub instance: Option<String>,
    /// Whether it is one of the load balancer's nodes.
    pub is_node: bool,
}

/// A security group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SecurityGroup {
    /// Its name.
    pub name: String,
    /// What may come in.
    pub ingress: Vec<Permission>,
    /// What may go out.
    pub egress: Vec<Permission>,
}

/// What a security group admits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Permission {
    /// `tcp`, or `-1` for everything.
    pub protocol: String,
    /// First and last port; `None` for all.
    pub ports: Option<(u16, u16)>,
    /// From (or to) these blocks, IPv4 and IPv6.
    pub blocks: Vec<String>,
    /// From (or to) these security groups.
    pub groups: Vec<String>,
    /// Whether it names a prefix list, of which the addresses are not known here.
    pub has_prefix_list: bool,
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subnet {
    /// Its zone.
    pub zone: String,
    /// Its address blocks, IPv4 and IPv6.
    pub blocks: Vec<String>,
    /// Its network ACL.
    pub acl: Option<String>,
    /// Its route table: its own, or the VPC's main one.
    pub route_table: Option<String>,
}

/// A network ACL: the entry with the lowest number that fits decides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Acl {
    /// Its entries, by number.
    pub entries: Vec<AclEntry>,
}

/// One entry of a network ACL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AclEntry {
    /// Its number; 32767 is the last, which denies.
    pub number: u32,
    /// Whether it is about what leaves the subnet.
    pub egress: bool,
    /// Whether it allows.
    pub allow: bool,
    /// The protocol's number: 6 is TCP; -1 is all.
    pub protocol: i32,
    /// First and last port; `None` for all.
    pub ports: Option<(u16, u16)>,
    /// Its address block, IPv4 or IPv6.
    pub block: String,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Route {
    /// Its address block, or a prefix list's id.
    pub destination: String,
    /// Such as `local`, `pcx-1`, `tgw-1`, `nat-1`.
    pub target: String,
    /// Whether its target is gone: `blackhole`.
    pub is_blackhole: bool,
}

/// An ECS service.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Its cluster's name.
    pub cluster: String,
    /// Its name.
    pub name: String,
    /// ARNs of the target groups that it registers its tasks in.
    pub target_groups: Vec<String>,
    /// Its deployments, newest first.
    pub deployments: Vec<Deployment>,
    /// The containers of its task definition.
    pub containers: Checked<Vec<Container>>,
    /// Its tasks that stopped recently (ECS remembers about an hour).
    pub stopped: Checked<Vec<StoppedTask>>,
}

/// One deployment of an ECS service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deployment {
    /// `PRIMARY`, `ACTIVE`, `INACTIVE`.
    pub status: String,
    /// `IN_PROGRESS`, `COMPLETED`, `FAILED`.
    pub rollout: String,
    /// When it was created, seconds since the Unix epoch.
    pub created: i64,
    /// When it last changed, likewise.
    pub updated: i64,
}

/// A container of a task definition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Seconds from SIGTERM to SIGKILL; `None` is ECS's default of 30 s.
    pub stop_timeout: Option<u32>,
}

/// A task that stopped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoppedTask {
    /// The end of its ARN.
    pub id: String,
    /// When ECS began to stop it, seconds since the Unix epoch.
    pub stopping: Option<i64>,
    /// When it had stopped, likewise.
    pub stopped: Option<i64>,
    /// Such as `EssentialContainerExited`, `ServiceSchedulerInitiated`.
    pub code: String,
    /// ECS's words for it.
    pub reason: String,
    /// Its containers: exit code (137 is SIGKILL, 143 SIGTERM) and reason.
    pub exits: Vec<(Option<i32>, String)>,
}

/// A Lambda function.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its timeout, seconds.
    pub timeout: u32,
}
