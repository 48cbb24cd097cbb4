//! EC2: describing instances, interfaces and the network around them.
//!
//! All operations work the same way: list everything, keep what ids and filters name, cut
//! out a page. What differs is in a table.

pub(crate) mod filter;
pub(crate) mod view;

use crate::rng::hash_bytes;
use crate::services::Call;
use crate::services::ec2::filter::{Filters, texts};
use crate::wire::document::{Failure, Reply, Value};
use crate::wire::input::Input;
use crate::world::World;

/// One operation.
struct Operation {
    name: &'static str,
    /// Field of the answer that holds the list.
    set: &'static str,
    /// Parameter that holds ids, and the field they are compared with.
    ids: (&'static str, &'static str),
    /// What an id begins with, and the code of one that nothing has.
    prefix: &'static str,
    missing: &'static str,
    /// How the refusal calls it.
    noun: &'static str,
    /// The largest page.
    most: i64,
    /// Whether ids and a page size exclude each other.
    either: bool,
    /// Filters and the fields they look at.
    filters: &'static [(&'static str, &'static str)],
    list: fn(&World, &str, i64) -> Vec<Value>,
}

const OPERATION: Operation = Operation {
    name: "",
    set: "",
    ids: ("", ""),
    prefix: "",
    missing: "",
    noun: "",
    most: 1_000,
    either: false,
    filters: &[],
    list: |_, _, _| Vec::new(),
};

static OPERATIONS: [Operation; 7] = [
    Operation {
        name: "DescribeInstances",
        set: "reservationSet",
        ids: ("InstanceId", "instanceId"),
        prefix: "i-",
        missing: "InvalidInstanceID.NotFound",
        noun: "instance",
        either: true,
        filters: &[
            ("availability-zone", "placement/availabilityZone"),
            ("instance-id", "instanceId"),
            ("instance-state-code", "instanceState/code"),
            ("instance-state-name", "instanceState/name"),
            ("instance-type", "instanceType"),
            ("instance.group-id", "groupSet/groupId"),
            ("instance.group-name", "groupSet/groupName"),
            ("network-interface.group-id", "networkInterfaceSet/groupSet/groupId"),
            ("network-interface.network-interface-id", "networkInterfaceSet/networkInterfaceId"),
            ("network-interface.subnet-id", "networkInterfaceSet/subnetId"),
            (
                "network-interface.addresses.private-ip-address",
                "networkInterfaceSet/privateIpAddressesSet/privateIpAddress",
            ),
            ("private-dns-name", "privateDnsName"),
            ("private-ip-address", "privateIpAddress"),
            ("subnet-id", "subnetId"),
            ("vpc-id", "vpcId"),
        ],
        list: view::instances,
        ..OPERATION
    },
    Operation {
        name: "DescribeNetworkInterfaces",
        set: "networkInterfaceSet",
        ids: ("NetworkInterfaceId", "networkInterfaceId"),
        prefix: "eni-",
        missing: "InvalidNetworkInterfaceID.NotFound",
        noun: "networkInterface",
        either: true,
        filters: &[
            ("addresses.primary", "privateIpAddressesSet/primary"),
            ("addresses.private-ip-address", "privateIpAddressesSet/privateIpAddress"),
            ("attachment.attachment-id", "attachment/attachmentId"),
            ("attachment.instance-id", "attachment/instanceId"),
            ("attachment.instance-owner-id", "attachment/instanceOwnerId"),
            ("attachment.status", "attachment/status"),
            ("availability-zone", "availabilityZone"),
            ("description", "description"),
            ("group-id", "groupSet/groupId"),
            ("group-name", "groupSet/groupName"),
            ("interface-type", "interfaceType"),
            ("network-interface-id", "networkInterfaceId"),
            ("owner-id", "ownerId"),
            ("private-dns-name", "privateDnsName"),
            ("private-ip-address", "privateIpAddress"),
            ("requester-id", "requesterId"),
            ("requester-managed", "requesterManaged"),
            ("status", "status"),
            ("subnet-id", "subnetId"),
            ("vpc-id", "vpcId"),
        ],
        list: view::interfaces,
        ..OPERATION
    },
    Operation {
        name: "DescribeSecurityGroups",
        set: "securityGroupInfo",
        ids: ("GroupId", "groupId"),
        prefix: "sg-",
        missing: "InvalidGroup.NotFound",
        noun: "security group",
        filters: &[
            ("description", "groupDescription"),
            ("group-id", "groupId"),
            ("group-name", "groupName"),
            ("owner-id", "ownerId"),
            ("vpc-id", "vpcId"),
            ("ip-permission.cidr", "ipPermissions/ipRanges/cidrIp"),
            ("ip-permission.from-port", "ipPermissions/fromPort"),
            ("ip-permission.group-id", "ipPermissions/groups/groupId"),
            ("ip-permission.protocol", "ipPermissions/ipProtocol"),
            ("ip-permission.to-port", "ipPermissions/toPort"),
        ],
        list: view::security_groups,
        ..OPERATION
    },
    Operation {
        name: "DescribeSubnets",
        set: "subnetSet",
        ids: ("SubnetId", "subnetId"),
        prefix: "subnet-",
        missing: "InvalidSubnetID.NotFound",
        noun: "subnet",
        filters: &[
            ("availability-zone", "availabilityZone"),
            ("cidr-block", "cidrBlock"),
            ("owner-id", "ownerId"),
            ("state", "state"),
            ("subnet-id", "subnetId"),
            ("vpc-id", "vpcId"),
        ],
        list: view::subnets,
        ..OPERATION
    },
    Operation {
        name: "DescribeNetworkAcls",
        set: "networkAclSet",
        ids: ("NetworkAclId", "networkAclId"),
        prefix: "acl-",
        missing: "InvalidNetworkAclID.NotFound",
        noun: "networkAcl",
        filters: &[
            ("association.association-id", "associationSet/networkAclAssociationId"),
            ("association.network-acl-id", "associationSet/networkAclId"),
            ("association.subnet-id", "associationSet/subnetId"),
            ("default", "default"),
            ("entry.cidr", "entrySet/cidrBlock"),
            ("entry.egress", "entrySet/egress"),
            ("entry.rule-action", "entrySet/ruleAction"),
            ("network-acl-id", "networkAclId"),
            ("owner-id", "ownerId"),
            ("vpc-id", "vpcId"),
        ],
        list: view::acls,
        ..OPERATION
    },
    Operation {
        name: "DescribeRouteTables",
        set: "routeTableSet",
        ids: ("RouteTableId", "routeTableId"),
        prefix: "rtb-",
        missing: "InvalidRouteTableID.NotFound",
        noun: "routeTable",
        most: 100,
        filters: &[
            ("association.main", "associationSet/main"),
            ("association.route-table-association-id", "associationSet/routeTableAssociationId"),
            ("association.route-table-id", "associationSet/routeTableId"),
            ("association.subnet-id", "associationSet/subnetId"),
            ("owner-id", "ownerId"),
            ("route-table-id", "routeTableId"),
            ("route.destination-cidr-block", "routeSet/destinationCidrBlock"),
            ("route.gateway-id", "routeSet/gatewayId"),
            ("route.nat-gateway-id", "routeSet/natGatewayId"),
            ("route.state", "routeSet/state"),
            ("route.vpc-peering-connection-id", "routeSet/vpcPeeringConnectionId"),
            ("vpc-id", "vpcId"),
        ],
        list: view::route_tables,
        ..OPERATION
    },
    Operation {
        name: "DescribeVpcs",
        set: "vpcSet",
        ids: ("VpcId", "vpcId"),
        prefix: "vpc-",
        missing: "InvalidVpcID.NotFound",
        noun: "vpc",
        filters: &[
            ("cidr", "cidrBlock"),
            ("cidr-block-association.cidr-block", "cidrBlockAssociationSet/cidrBlock"),
            ("is-default", "isDefault"),
            ("owner-id", "ownerId"),
            ("state", "state"),
            ("vpc-id", "vpcId"),
        ],
        list: view::vpcs,
        ..OPERATION
    },
];

/// Answers an operation of this service.
pub(crate) fn answer(world: &World, call: &Call, input: Input) -> Reply {
    let found = OPERATIONS.iter().find(|one| one.name == call.operation);
    let Some(operation) = found else {
        return Err(Failure::unknown_operation("ec2", &call.operation));
    };
    let (ids, groups) = (operation.ids.0, operation.name == "DescribeSecurityGroups");
    let known = ["Filter", "NextToken", "MaxResults", "DryRun", ids];
    let names: &[&str] = if groups { &["GroupName"] } else { &[] };
    input.only(&[&known, names].concat())?;
    if input.flag("DryRun")? == Some(true) {
        let message = "Request would have succeeded, but DryRun flag is set.";
        return Err(Failure::new(412, "DryRunOperation", message));
    }
    let all = if call.foreign {
        Vec::new()
    } else {
        (operation.list)(world, &call.account, world.minute(call.now))
    };
    let mut found = operation.named(input, all)?;
    if groups && !input.texts("GroupName")?.is_empty() {
        let names = input.texts("GroupName")?;
        found.retain(|one| texts(one, "groupName").iter().any(|name| names.contains(&&**name)));
    }
    let filters = Filters::read(input, operation.filters)?;
    found.retain(|one| filters.hold(one));
    operation.page(input, found)
}

impl Operation {
    /// What the ids name, in their order; everything without ids.
    fn named(&self, input: Input, all: Vec<Value>) -> Result<Vec<Value>, Failure> {
        let ids = input.texts(self.ids.0)?;
        if ids.is_empty() {
            return Ok(all);
        }
        if self.either && input.integer("MaxResults")?.is_some() {
            let message = format!(
                "The parameter {} cannot be used with the parameter maxResults",
                self.ids.0
            );
            return Err(Failure::new(400, "InvalidParameterCombination", message));
        }
        let find = |id: &&str| {
            let found = all.iter().find(|one| texts(one, self.ids.1).iter().any(|have| have == id));
            found.cloned().ok_or_else(|| self.missing(id))
        };
        ids.iter().map(find).collect()
    }

    fn missing(&self, id: &str) -> Failure {
        let digits = id.strip_prefix(self.prefix);
        let hex =
            |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
        if !digits.is_some_and(hex) {
            let code = self
                .missing
                .replace("NotFound", "Malformed")
                .replace("InvalidGroup.", "InvalidGroupId.");
            return Failure::new(400, &code, format!("Invalid id: \"{id}\""));
        }
        let noun = self.noun;
        Failure::new(400, self.missing, format!("The {noun} ID '{id}' does not exist"))
    }

    /// Cuts out a page. A token belongs to its own parameters.
    fn page(&self, input: Input, found: Vec<Value>) -> Reply {
        let size = input.integer("MaxResults")?;
        if size.is_some_and(|size| !(5..=self.most).contains(&size)) {
            let message = format!(
                "Value ( {} ) for parameter maxResults is invalid. Expecting a value between 5 and {}.",
                size.unwrap_or(0),
                self.most
            );
            return Err(Failure::new(400, "InvalidParameterValue", message));
        }
        let mark = mark(input);
        let from = match input.text("NextToken")? {
            None => 0,
            Some(token) => token
                .strip_prefix(mark.as_str())
                .and_then(|rest| rest.strip_prefix('-')?.parse::<usize>().ok())
                .filter(|from| *from < found.len())
                .ok_or_else(|| Failure::new(400, "InvalidNextToken", "The token is not valid."))?,
        };
        let count = found.len();
        let until = size.map_or(count, |size| (from + size as usize).min(count));
        let page: Vec<Value> = found.into_iter().take(until).skip(from).collect();
        let page = if self.name == "DescribeInstances" { view::reserved(page) } else { page };
        let next = (until < count).then(|| ("nextToken", Value::text(format!("{mark}-{until}"))));
        Ok(Value::record([(self.set, Value::List(page))]).with(next))
    }
}

/// What a token begins with: a hash of everything but the token.
fn mark(input: Input) -> String {
    let mut rest = input.raw().clone();
    if let Some(object) = rest.as_object_mut() {
        object.remove("NextToken");
    }
    format!("{:016x}", hash_bytes(4, rest.to_string().as_bytes()))
}
