//! Elastic Load Balancing of the first version: Classic Load Balancers.

use crate::rng::hash_bytes;
use crate::scenario::gateway::{Kind, Listeners};
use crate::services::Call;
use crate::services::gateway_pages::{Pages, present, tag_list};
use crate::wire::document::{Failure, Reply, Value};
use crate::wire::input::{Input, missing};
use crate::world::{Gateway, World, ZONES};

/// Names per call of `DescribeTags`.
const MAX_NAMES: usize = 20;
/// How many seconds older than the scenario the load balancers are.
const AGE: i64 = 3_000 * 86_400;

/// Pages of load balancers.
const PAGES: Pages = Pages {
    list: "LoadBalancerDescriptions",
    limit: ("PageSize", 400, 400),
    cut: false,
    token: ("Marker", "NextMarker"),
    refusal: "ValidationError",
};

/// Answers an operation of this service.
pub(crate) fn answer(world: &World, call: &Call, input: Input) -> Reply {
    match call.operation.as_str() {
        "DescribeLoadBalancers" => describe(world, call, input),
        "DescribeLoadBalancerAttributes" => attributes(world, call, input),
        "DescribeTags" => tags(world, call, input),
        other => Err(Failure::unknown_operation("elasticloadbalancing 2012-06-01", other)),
    }
}

fn all<'a>(world: &'a World, call: &Call) -> Vec<&'a Gateway> {
    if call.foreign {
        return Vec::new();
    }
    present(world, call, |kind| matches!(kind, Kind::Classic { .. }))
}

fn find<'a>(world: &'a World, call: &Call, name: &str) -> Result<&'a Gateway, Failure> {
    all(world, call).into_iter().find(|one| one.name == name).ok_or_else(|| {
        let message = format!("There is no ACTIVE Load Balancer named '{name}'");
        Failure::new(400, "LoadBalancerNotFound", message)
    })
}

fn describe(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["LoadBalancerNames", "Marker", "PageSize"])?;
    let names = input.texts("LoadBalancerNames")?;
    let chosen = match names[..] {
        [] => all(world, call),
        _ => names.iter().map(|name| find(world, call, name)).collect::<Result<_, _>>()?,
    };
    PAGES.cut(input, &chosen, |one| value(world, one))
}

fn value(world: &World, one: &Gateway) -> Value {
    let listeners = match one.plan.kind {
        Kind::Classic { listeners } => listeners,
        _ => Listeners::Https,
    };
    let number = hash_bytes(world.setup.seed, one.name.as_bytes());
    let dns =
        format!("{}-{}.{}.elb.amazonaws.com", one.name, number % 2_000_000_000, world.setup.region);
    let instance = |at: usize| {
        let id = hash_bytes(number, format!("{at}").as_bytes());
        Value::record([("InstanceId", format!("i-0{id:016x}").into())])
    };
    let targets = one.sources.first().map_or(1, crate::world::Source::targets);
    let target = if listeners == Listeners::Tcp { "TCP:8443" } else { "HTTP:8080/health" };
    let check = Value::record([
        ("Target", target.into()),
        ("Interval", Value::Integer(30)),
        ("Timeout", Value::Integer(5)),
        ("UnhealthyThreshold", Value::Integer(2)),
        ("HealthyThreshold", Value::Integer(10)),
    ]);
    let zones = Value::list((0..ZONES.len()).map(|zone| world.zone(zone)));
    Value::record([
        ("LoadBalancerName", one.name.as_str().into()),
        ("DNSName", dns.as_str().into()),
        ("CanonicalHostedZoneName", dns.as_str().into()),
        ("CanonicalHostedZoneNameID", "Z215JYRZR1TBD5".into()),
        ("ListenerDescriptions", Value::List(described(listeners))),
        ("AvailabilityZones", zones),
        ("Instances", Value::List((0..targets).map(instance).collect())),
        ("HealthCheck", check),
        ("CreatedTime", Value::Time(world.setup.start - AGE)),
        ("Scheme", "internet-facing".into()),
    ])
}

/// The listeners as they are described.
fn described(listeners: Listeners) -> Vec<Value> {
    let one = |front: &str, port: i64, back: &str, inner: i64| {
        let listener = Value::record([
            ("Protocol", front.into()),
            ("LoadBalancerPort", Value::Integer(port)),
            ("InstanceProtocol", back.into()),
            ("InstancePort", Value::Integer(inner)),
        ]);
        Value::record([("Listener", listener), ("PolicyNames", Value::List(Vec::new()))])
    };
    match listeners {
        Listeners::Https => vec![one("HTTPS", 443, "HTTP", 8_080)],
        Listeners::Tcp => vec![one("TCP", 443, "TCP", 8_443)],
        Listeners::Both => vec![one("HTTPS", 443, "HTTP", 8_080), one("TCP", 8_883, "TCP", 1_883)],
    }
}

fn attributes(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["LoadBalancerName"])?;
    let one = find(world, call, input.required("LoadBalancerName")?)?;
    let draining = Value::record([("Enabled", true.into()), ("Timeout", Value::Integer(300))]);
    let timeout = one.timeout(world.minute(call.now));
    let desync = Value::record([
        ("Key", "elb.http.desyncmitigationmode".into()),
        ("Value", "defensive".into()),
    ]);
    let all = Value::record([
        ("CrossZoneLoadBalancing", Value::record([("Enabled", true.into())])),
        ("AccessLog", Value::record([("Enabled", false.into())])),
        ("ConnectionDraining", draining),
        ("ConnectionSettings", Value::record([("IdleTimeout", timeout.into())])),
        ("AdditionalAttributes", Value::List(vec![desync])),
    ]);
    Ok(Value::record([("LoadBalancerAttributes", all)]))
}

fn tags(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["LoadBalancerNames"])?;
    let names = input.texts("LoadBalancerNames")?;
    if names.is_empty() {
        return Err(missing("LoadBalancerNames"));
    }
    if names.len() > MAX_NAMES {
        let message = format!("LoadBalancerNames may hold at most {MAX_NAMES} entries");
        return Err(Failure::validation(message));
    }
    let described = names.into_iter().map(|name| {
        let one = find(world, call, name)?;
        let tags = Value::List(tag_list(one));
        Ok(Value::record([("LoadBalancerName", name.into()), ("Tags", tags)]))
    });
    let described = described.collect::<Result<Vec<Value>, Failure>>()?;
    Ok(Value::record([("TagDescriptions", Value::List(described))]))
}
