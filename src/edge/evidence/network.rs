//! What EC2 says about the network between a load balancer and its targets.
//!
//! Interfaces come first, because they lead to everything else: they have the subnets and
//! security groups of the load balancer's nodes and of the targets. Nothing is asked twice,
//! and each of the six questions fails alone.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types as aws;

use tokio::time::Instant;

use super::{TopologyReader, text};
use crate::edge::aws::AwsError;
use nearmiss_core::diagnose::evidence::{
    Acl, AclEntry, Interface, LoadBalancer, Network, Permission, Route, SecurityGroup, Subnet,
    TargetGroup, TargetKind,
};

const INTERFACES: &str = "ec2:DescribeNetworkInterfaces";
const GROUPS: &str = "ec2:DescribeSecurityGroups";
const SUBNETS: &str = "ec2:DescribeSubnets";
const ACLS: &str = "ec2:DescribeNetworkAcls";
const ROUTES: &str = "ec2:DescribeRouteTables";
const VPCS: &str = "ec2:DescribeVpcs";

/// A filter takes at most this many values.
const PER_FILTER: usize = 200;
/// A page has at most this many things: a security group or a route table may be long.
const PAGE: i32 = 100;

type Ids = BTreeSet<String>;

impl TopologyReader {
    pub(super) async fn read_network(
        &self,
        balancer: Option<&LoadBalancer>,
        groups: &mut [TargetGroup],
        end: Instant,
    ) -> Network {
        let interfaces = self.interfaces(balancer, groups);
        let interfaces = self.by(end, "network interfaces", interfaces).await;
        if let Ok(interfaces) = &interfaces {
            enter_addresses(groups, interfaces);
        }
        let known = interfaces.as_deref().unwrap_or_default();
        let vpcs = vpcs(balancer, groups);
        let mut subnets: Ids = known.iter().map(|one| one.subnet.clone()).collect();
        subnets.extend(balancer.into_iter().flat_map(|one| &one.zones).map(|z| z.subnet.clone()));
        let mut ids: Ids = known.iter().flat_map(|one| one.security_groups.clone()).collect();
        ids.extend(balancer.into_iter().flat_map(|one| one.security_groups.clone()));
        let (security_groups, acls, tables, vpc_blocks) = futures::join!(
            self.by(end, "security groups", self.security_groups(&ids)),
            self.by(end, "network ACLs", self.acls(&vpcs)),
            self.by(end, "route tables", self.route_tables(&vpcs)),
            self.by(end, "VPCs", self.vpc_blocks(&vpcs)),
        );
        let mut subnets = self.by(end, "subnets", self.subnets(&subnets)).await;
        if let Ok(subnets) = &mut subnets {
            associate(subnets, acls.as_ref().ok(), tables.as_ref().ok());
        }
        Network {
            security_groups,
            subnets,
            acls: acls.map(|found| found.by_id),
            route_tables: tables.map(|found| found.by_id),
            vpc_blocks,
            interfaces,
        }
    }

    /// The interfaces of the load balancer's nodes and those of the targets.
    async fn interfaces(
        &self,
        balancer: Option<&LoadBalancer>,
        groups: &[TargetGroup],
    ) -> Result<Vec<Interface>, AwsError> {
        let tail = balancer.and_then(|one| Some(one.arn.split_once(":loadbalancer/")?.1));
        let nodes: Vec<String> = tail.into_iter().map(|tail| format!("ELB {tail}")).collect();
        let (mut instances, mut addresses) = (Vec::new(), Vec::new());
        for group in groups {
            let ids = group.targets.iter().flatten().map(|target| target.id.clone());
            match group.kind {
                TargetKind::Instance => instances.extend(ids),
                TargetKind::Ip => addresses.extend(ids),
                TargetKind::Lambda | TargetKind::LoadBalancer => {}
            }
        }
        let wanted = [
            ("description", nodes),
            ("attachment.instance-id", instances),
            ("addresses.private-ip-address", addresses),
        ];
        let mut found: BTreeMap<String, Interface> = BTreeMap::new();
        for (filter, values) in wanted {
            for some in values.chunks(PER_FILTER) {
                for one in self.filtered(filter, some).await? {
                    found.insert(one.id.clone(), one);
                }
            }
        }
        Ok(found.into_values().collect())
    }

    async fn filtered(&self, name: &str, values: &[String]) -> Result<Vec<Interface>, AwsError> {
        let pages = self.ec2.describe_network_interfaces().filters(filter(name, values));
        let pages = pages.max_results(PAGE).into_paginator().send();
        let found = self
            .all(INTERFACES, pages, |p| (p.network_interfaces.unwrap_or_default(), p.next_token));
        Ok(found.await?.iter().map(interface).collect())
    }

    async fn security_groups(
        &self,
        ids: &Ids,
    ) -> Result<BTreeMap<String, SecurityGroup>, AwsError> {
        let mut found = BTreeMap::new();
        for some in chunks(ids) {
            // A filter skips what has been deleted; a list of ids would be refused for it.
            let pages = self.ec2.describe_security_groups().filters(filter("group-id", &some));
            let pages = pages.max_results(PAGE).into_paginator().send();
            let all =
                self.all(GROUPS, pages, |p| (p.security_groups.unwrap_or_default(), p.next_token));
            let all = all.await?;
            found.extend(all.iter().map(|one| (text(one.group_id()), security_group(one))));
        }
        Ok(found)
    }

    async fn subnets(&self, ids: &Ids) -> Result<BTreeMap<String, Subnet>, AwsError> {
        let mut found = BTreeMap::new();
        for some in chunks(ids) {
            let pages = self.ec2.describe_subnets().filters(filter("subnet-id", &some));
            let pages = pages.max_results(PAGE).into_paginator().send();
            let all = self.all(SUBNETS, pages, |p| (p.subnets.unwrap_or_default(), p.next_token));
            let all = all.await?;
            found.extend(all.iter().map(|one| (text(one.subnet_id()), subnet(one))));
        }
        Ok(found)
    }

    async fn acls(&self, vpcs: &Ids) -> Result<Associated<Acl>, AwsError> {
        let mut found = Associated::default();
        for some in chunks(vpcs) {
            let pages = self.ec2.describe_network_acls().filters(filter("vpc-id", &some));
            let pages = pages.max_results(PAGE).into_paginator().send();
            let all = self.all(ACLS, pages, |p| (p.network_acls.unwrap_or_default(), p.next_token));
            for one in all.await? {
                let id = text(one.network_acl_id());
                let subnets = one.associations().iter().filter_map(|a| a.subnet_id());
                found.of_subnet.extend(subnets.map(|subnet| (subnet.to_owned(), id.clone())));
                let entries = one.entries().iter().map(acl_entry).collect();
                found.by_id.insert(id, Acl { entries });
            }
        }
        Ok(found)
    }

    async fn route_tables(&self, vpcs: &Ids) -> Result<Associated<Vec<Route>>, AwsError> {
        let mut found = Associated::default();
        for some in chunks(vpcs) {
            let pages = self.ec2.describe_route_tables().filters(filter("vpc-id", &some));
            let pages = pages.max_results(PAGE).into_paginator().send();
            let all =
                self.all(ROUTES, pages, |p| (p.route_tables.unwrap_or_default(), p.next_token));
            for one in all.await? {
                let id = text(one.route_table_id());
                for association in one.associations() {
                    match association.subnet_id() {
                        Some(subnet) => {
                            found.of_subnet.insert(subnet.to_owned(), id.clone());
                        }
                        None if association.main() == Some(true) => found.main = Some(id.clone()),
                        None => {}
                    }
                }
                found.by_id.insert(id, one.routes().iter().map(route).collect());
            }
        }
        Ok(found)
    }

    async fn vpc_blocks(&self, vpcs: &Ids) -> Result<Vec<String>, AwsError> {
        let mut found = Vec::new();
        for some in chunks(vpcs) {
            let pages = self.ec2.describe_vpcs().filters(filter("vpc-id", &some));
            let pages = pages.max_results(PAGE).into_paginator().send();
            let all = self.all(VPCS, pages, |p| (p.vpcs.unwrap_or_default(), p.next_token));
            for one in all.await? {
                let four = one.cidr_block_association_set().iter().filter_map(|a| a.cidr_block());
                found.extend(four.map(str::to_owned));
                let six = one.ipv6_cidr_block_association_set().iter();
                found.extend(six.filter_map(|a| a.ipv6_cidr_block()).map(str::to_owned));
                if one.cidr_block_association_set().is_empty() {
                    found.extend(one.cidr_block().map(str::to_owned));
                }
            }
        }
        Ok(found)
    }
}

/// Things of a VPC, and which subnet has which.
struct Associated<T> {
    by_id: BTreeMap<String, T>,
    of_subnet: BTreeMap<String, String>,
    /// What subnets without one of their own have.
    main: Option<String>,
}

impl<T> Default for Associated<T> {
    fn default() -> Self {
        Self { by_id: BTreeMap::new(), of_subnet: BTreeMap::new(), main: None }
    }
}

impl<T> Associated<T> {
    fn of(&self, subnet: &str) -> Option<String> {
        self.of_subnet.get(subnet).or(self.main.as_ref()).cloned()
    }
}

fn associate(
    subnets: &mut BTreeMap<String, Subnet>,
    acls: Option<&Associated<Acl>>,
    tables: Option<&Associated<Vec<Route>>>,
) {
    for (id, subnet) in subnets {
        subnet.acl = acls.and_then(|found| found.of(id));
        subnet.route_table = tables.and_then(|found| found.of(id));
    }
}

/// Enters the addresses of instances; targets that are addresses need no lookup.
fn enter_addresses(groups: &mut [TargetGroup], interfaces: &[Interface]) {
    for target in groups.iter_mut().flat_map(|group| group.targets.iter_mut().flatten()) {
        let mut own = interfaces.iter().filter(|one| one.instance.as_ref() == Some(&target.id));
        let address = own.find_map(|one| one.addresses.first()?.parse().ok());
        target.address = target.address.or(address);
    }
}

fn vpcs(balancer: Option<&LoadBalancer>, groups: &[TargetGroup]) -> Ids {
    let of_groups = groups.iter().filter_map(|group| group.vpc.clone());
    of_groups.chain(balancer.map(|one| one.vpc.clone())).filter(|id| !id.is_empty()).collect()
}

fn interface(one: &aws::NetworkInterface) -> Interface {
    let addresses = one.private_ip_addresses().iter().filter_map(|a| a.private_ip_address());
    let six = one.ipv6_addresses().iter().filter_map(|a| a.ipv6_address());
    Interface {
        id: text(one.network_interface_id()),
        addresses: addresses.chain(six).map(str::to_owned).collect(),
        subnet: text(one.subnet_id()),
        security_groups: one.groups().iter().map(|group| text(group.group_id())).collect(),
        status: text(one.status().map(aws::NetworkInterfaceStatus::as_str)),
        instance: one.attachment().and_then(|a| a.instance_id()).map(str::to_owned),
        is_node: one.description().is_some_and(|text| text.starts_with("ELB ")),
    }
}

fn security_group(one: &aws::SecurityGroup) -> SecurityGroup {
    SecurityGroup {
        name: text(one.group_name()),
        ingress: one.ip_permissions().iter().map(permission).collect(),
        egress: one.ip_permissions_egress().iter().map(permission).collect(),
    }
}

fn permission(one: &aws::IpPermission) -> Permission {
    let four = one.ip_ranges().iter().filter_map(|range| range.cidr_ip());
    let six = one.ipv6_ranges().iter().filter_map(|range| range.cidr_ipv6());
    let groups = one.user_id_group_pairs().iter().filter_map(|pair| pair.group_id());
    Permission {
        protocol: text(one.ip_protocol()),
        ports: ports(one.from_port(), one.to_port()),
        blocks: four.chain(six).map(str::to_owned).collect(),
        groups: groups.map(str::to_owned).collect(),
        has_prefix_list: !one.prefix_list_ids().is_empty(),
    }
}

fn subnet(one: &aws::Subnet) -> Subnet {
    let six = one.ipv6_cidr_block_association_set().iter().filter_map(|a| a.ipv6_cidr_block());
    Subnet {
        zone: text(one.availability_zone()),
        blocks: one.cidr_block().into_iter().chain(six).map(str::to_owned).collect(),
        acl: None,
        route_table: None,
    }
}

fn acl_entry(one: &aws::NetworkAclEntry) -> AclEntry {
    let range = one.port_range();
    AclEntry {
        number: one.rule_number().and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        egress: one.egress() == Some(true),
        allow: one.rule_action() == Some(&aws::RuleAction::Allow),
        protocol: one.protocol().and_then(|p| p.parse().ok()).unwrap_or(-1),
        ports: range.and_then(|range| ports(range.from(), range.to())),
        block: text(one.cidr_block().or(one.ipv6_cidr_block())),
    }
}

fn route(one: &aws::Route) -> Route {
    let targets = [
        one.gateway_id(),
        one.vpc_peering_connection_id(),
        one.transit_gateway_id(),
        one.nat_gateway_id(),
        one.network_interface_id(),
        one.instance_id(),
    ];
    let destination = one.destination_cidr_block().or(one.destination_ipv6_cidr_block());
    Route {
        destination: text(destination.or(one.destination_prefix_list_id())),
        target: text(targets.into_iter().flatten().next()),
        is_blackhole: one.state() == Some(&aws::RouteState::Blackhole),
    }
}

fn ports(from: Option<i32>, to: Option<i32>) -> Option<(u16, u16)> {
    Some((u16::try_from(from?).ok()?, u16::try_from(to?).ok()?))
}

fn filter(name: &str, values: &[String]) -> aws::Filter {
    aws::Filter::builder().name(name).set_values(Some(values.to_vec())).build()
}

fn chunks(ids: &Ids) -> Vec<Vec<String>> {
    let ids: Vec<String> = ids.iter().filter(|id| !id.is_empty()).cloned().collect();
    ids.chunks(PER_FILTER).map(<[String]>::to_vec).collect()
}
