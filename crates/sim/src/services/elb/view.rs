//! How load balancers, target groups and listeners look in answers.
//!
//! Apart from [`crate::services::elb`], which decides what is shown at all.

use crate::rng::hash_bytes;
use crate::scenario::host::Host;
use crate::scenario::script::Shown;
use crate::services::vpc::firewall::{GroupRole, group_id};
use crate::services::vpc::network::{Network, Tier};
use crate::wire::document::Value;
use crate::world::World;
use crate::world::{Balancer, Group, ZONES};

/// The account's load balancers are 90 days older than the scenario.
const AGE: i64 = 90 * 86_400;

pub(crate) fn listener_arn(balancer: &Balancer) -> String {
    let base = balancer.arn.replace(":loadbalancer/", ":listener/");
    format!("{base}/{:016x}", hash_bytes(2, balancer.arn.as_bytes()))
}

/// The name clients reach a load balancer by.
pub(crate) fn dns(world: &World, one: &Balancer) -> String {
    let region = &world.setup.region;
    if one.dimension.starts_with("net/") {
        return format!("{}-{}.elb.{region}.amazonaws.com", one.name, one.hex);
    }
    let number = hash_bytes(world.setup.seed, one.hex.as_bytes()) % 2_000_000_000;
    format!("{}-{number}.{region}.elb.amazonaws.com", one.name)
}

pub(crate) fn balancer_value(world: &World, one: &Balancer, minute: i64) -> Value {
    let network = Network::of(world, &one.account);
    let zones = (0..ZONES.len()).map(|zone| {
        Value::record([
            ("ZoneName", world.zone(zone).into()),
            ("SubnetId", network.subnet(Tier::Public, zone).id.into()),
            ("LoadBalancerAddresses", Value::List(Vec::new())),
        ])
    });
    let kind = if one.dimension.starts_with("net/") { "network" } else { "application" };
    let created = match one.life.start {
        i64::MIN => world.setup.start - AGE,
        minute => minute * 60,
    };
    let group = group_id(world, one, GroupRole::Balancer);
    Value::record([
        ("LoadBalancerArn", one.arn.as_str().into()),
        ("DNSName", dns(world, one).into()),
        ("CanonicalHostedZoneId", "Z215JYRZR1TBD5".into()),
        ("CreatedTime", Value::Time(created)),
        ("LoadBalancerName", one.name.as_str().into()),
        ("Scheme", "internet-facing".into()),
        ("VpcId", network.vpc(false).into()),
        ("State", standing(world, one, minute)),
        ("Type", kind.into()),
        ("AvailabilityZones", Value::List(zones.collect())),
        ("SecurityGroups", Value::list([group])),
        ("IpAddressType", "ipv4".into()),
    ])
}

fn standing(world: &World, one: &Balancer, minute: i64) -> Value {
    let scene = world.scene(&one.source, minute);
    let impaired = scene.is_some_and(|scene| scene.shows(|shown| *shown == Shown::Impaired));
    if impaired {
        let reason = "The load balancer does not have the resources it needs to scale";
        return Value::record([("Code", "active_impaired".into()), ("Reason", reason.into())]);
    }
    Value::record([("Code", "active".into())])
}

pub(crate) fn group_value(world: &World, owner: &Balancer, group: &Group) -> Value {
    let value = Value::record([
        ("TargetGroupArn", group.arn.as_str().into()),
        ("TargetGroupName", group.name.as_str().into()),
        ("LoadBalancerArns", Value::list([owner.arn.as_str()])),
        ("TargetType", owner.source.plan.host.target_type().into()),
    ]);
    value.with(checks(&owner.source.plan.host)).with(connection(world, owner))
}

/// The health check; that of a function is switched off.
fn checks(host: &Host) -> Vec<(&'static str, Value)> {
    let (check, lambda) = (&host.check, host.is_lambda());
    let (interval, timeout) = if lambda { (35, 30) } else { (check.interval, check.timeout) };
    let mut fields = vec![
        ("HealthCheckEnabled", Value::Flag(!lambda)),
        ("HealthCheckIntervalSeconds", interval.into()),
        ("HealthCheckTimeoutSeconds", timeout.into()),
        ("HealthyThresholdCount", Value::Integer(5)),
        ("UnhealthyThresholdCount", check.unhealthy.into()),
        ("HealthCheckPath", check.path.into()),
        ("Matcher", Value::record([("HttpCode", check.matcher.into())])),
    ];
    if !lambda {
        let port = check.port.map_or_else(|| "traffic-port".to_owned(), |port| port.to_string());
        fields.push(("HealthCheckProtocol", host.protocol().into()));
        fields.push(("HealthCheckPort", port.into()));
    }
    fields
}

/// How targets are connected to; a function is not.
fn connection(world: &World, owner: &Balancer) -> Vec<(&'static str, Value)> {
    let host = &owner.source.plan.host;
    let Some(port) = host.port() else {
        return Vec::new();
    };
    vec![
        ("Protocol", host.protocol().into()),
        ("Port", Value::Integer(port.into())),
        ("VpcId", Network::of(world, &owner.account).vpc(false).into()),
        ("ProtocolVersion", "HTTP1".into()),
        ("IpAddressType", "ipv4".into()),
    ]
}

/// Forwards to a group, in both ways the service says it.
fn forward(group: &Group) -> Value {
    let tuple = Value::record([
        ("TargetGroupArn", group.arn.as_str().into()),
        ("Weight", Value::Integer(1)),
    ]);
    let stickiness = Value::record([("Enabled", false.into())]);
    let config = Value::record([
        ("TargetGroups", Value::List(vec![tuple])),
        ("TargetGroupStickinessConfig", stickiness),
    ]);
    Value::record([
        ("Type", "forward".into()),
        ("TargetGroupArn", group.arn.as_str().into()),
        ("Order", Value::Integer(1)),
        ("ForwardConfig", config),
    ])
}

/// The rules of a listener with their ARNs: one per further group, and the default.
pub(crate) fn rules(one: &Balancer) -> Vec<(String, Value)> {
    let rule = |(at, group): (usize, &Group)| {
        let base = listener_arn(one).replace(":listener/", ":listener-rule/");
        let arn = format!("{base}/{:016x}", hash_bytes(3, group.arn.as_bytes()));
        let priority = if at == 0 { "default".to_owned() } else { at.to_string() };
        let pattern = Value::record([
            ("Field", "path-pattern".into()),
            ("Values", Value::list([format!("/{}/*", group.name)])),
            (
                "PathPatternConfig",
                Value::record([("Values", Value::list([format!("/{}/*", group.name)]))]),
            ),
        ]);
        let conditions = if at == 0 { Vec::new() } else { vec![pattern] };
        let rule = Value::record([
            ("RuleArn", arn.as_str().into()),
            ("Priority", priority.into()),
            ("Conditions", Value::List(conditions)),
            ("Actions", Value::List(vec![forward(group)])),
            ("IsDefault", (at == 0).into()),
        ]);
        (arn, rule)
    };
    // The default rule comes last.
    let mut all: Vec<_> = one.groups.iter().enumerate().map(rule).collect();
    if !all.is_empty() {
        all.rotate_left(1);
    }
    all
}

pub(crate) fn listener_value(world: &World, one: &Balancer) -> Value {
    let certificate = format!(
        "arn:aws:acm:{}:{}:certificate/{:016x}",
        world.setup.region,
        one.account,
        hash_bytes(world.setup.seed, one.arn.as_bytes())
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
