//! How load balancers, target groups and listeners look in answers.
//!
//! Apart from [`super::elb`], which decides what is shown at all.

use super::document::Value;
use super::rng::hash_bytes;
use super::state::State;
use super::world::{Balancer, Group, ZONES};

/// The account's load balancers are 90 days older than the scenario.
const AGE: i64 = 90 * 86_400;

pub(super) fn listener_arn(balancer: &Balancer) -> String {
    let base = balancer.arn.replace(":loadbalancer/", ":listener/");
    format!("{base}/{:016x}", hash_bytes(2, balancer.arn.as_bytes()))
}

pub(super) fn balancer_value(state: &State, one: &Balancer) -> Value {
    let seed = state.setup.seed;
    let short = |kind: &str, what: &str| {
        format!("{kind}-0{:016x}", hash_bytes(seed, format!("{kind}{what}").as_bytes()))
    };
    let zones = (0..ZONES.len()).map(|index| {
        let zone = state.world.zone(index);
        let subnet = short("subnet", &zone);
        Value::Record(vec![
            ("ZoneName", Value::text(zone)),
            ("SubnetId", Value::text(subnet)),
            ("LoadBalancerAddresses", Value::List(Vec::new())),
        ])
    });
    let network = one.dimension.starts_with("net/");
    let kind = if network { "network" } else { "application" };
    let region = &state.world.region;
    let number = hash_bytes(seed, one.hex.as_bytes()) % 2_000_000_000;
    let created = match one.life.start {
        i64::MIN => state.setup.start - AGE,
        minute => minute * 60,
    };
    let dns = if network {
        format!("{}-{}.elb.{region}.amazonaws.com", one.name, one.hex)
    } else {
        format!("{}-{number}.{region}.elb.amazonaws.com", one.name)
    };
    Value::Record(vec![
        ("LoadBalancerArn", Value::text(one.arn.as_str())),
        ("DNSName", Value::text(dns)),
        ("CanonicalHostedZoneId", Value::text("Z215JYRZR1TBD5")),
        ("CreatedTime", Value::Time(created)),
        ("LoadBalancerName", Value::text(one.name.as_str())),
        ("Scheme", Value::text("internet-facing")),
        ("VpcId", Value::text(short("vpc", ""))),
        ("State", Value::Record(vec![("Code", Value::text("active"))])),
        ("Type", Value::text(kind)),
        ("AvailabilityZones", Value::List(zones.collect())),
        ("SecurityGroups", Value::List(vec![Value::text(short("sg", &one.name))])),
        ("IpAddressType", Value::text("ipv4")),
    ])
}

pub(super) fn group_value(state: &State, owner: &Balancer, group: &Group) -> Value {
    let vpc = hash_bytes(state.setup.seed, b"vpc");
    Value::Record(vec![
        ("TargetGroupArn", Value::text(group.arn.as_str())),
        ("TargetGroupName", Value::text(group.name.as_str())),
        ("Protocol", Value::text("HTTP")),
        ("Port", Value::Integer(8080)),
        ("VpcId", Value::text(format!("vpc-0{vpc:016x}"))),
        ("HealthCheckProtocol", Value::text("HTTP")),
        ("HealthCheckPort", Value::text("traffic-port")),
        ("HealthCheckEnabled", Value::Flag(true)),
        ("HealthCheckIntervalSeconds", Value::Integer(30)),
        ("HealthCheckTimeoutSeconds", Value::Integer(5)),
        ("HealthyThresholdCount", Value::Integer(5)),
        ("UnhealthyThresholdCount", Value::Integer(2)),
        ("HealthCheckPath", Value::text("/health")),
        ("Matcher", Value::Record(vec![("HttpCode", Value::text("200"))])),
        ("LoadBalancerArns", Value::List(vec![Value::text(owner.arn.as_str())])),
        ("TargetType", Value::text("instance")),
        ("ProtocolVersion", Value::text("HTTP1")),
        ("IpAddressType", Value::text("ipv4")),
    ])
}

pub(super) fn listener_value(state: &State, one: &Balancer) -> Value {
    let forward = |group: &Group| {
        Value::Record(vec![
            ("Type", Value::text("forward")),
            ("TargetGroupArn", Value::text(group.arn.as_str())),
            ("Order", Value::Integer(1)),
        ])
    };
    let certificate = format!(
        "arn:aws:acm:{}:{}:certificate/{:016x}",
        state.world.region,
        one.account,
        hash_bytes(state.setup.seed, one.arn.as_bytes())
    );
    Value::Record(vec![
        ("ListenerArn", Value::text(listener_arn(one))),
        ("LoadBalancerArn", Value::text(one.arn.as_str())),
        ("Port", Value::Integer(443)),
        ("Protocol", Value::text("HTTPS")),
        (
            "Certificates",
            Value::List(vec![Value::Record(vec![("CertificateArn", Value::text(certificate))])]),
        ),
        ("SslPolicy", Value::text("ELBSecurityPolicy-TLS13-1-2-2021-06")),
        ("DefaultActions", Value::List(one.groups.iter().take(1).map(forward).collect())),
    ])
}
