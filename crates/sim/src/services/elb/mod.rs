//! Elastic Load Balancing v2: describing the account.
//!
//! Read-only operations with the limits, paging and refusals of the real
//! service, so that a client's discovery code meets them here first.

pub(crate) mod attributes;
pub(crate) mod health;
pub(crate) mod view;

use crate::services::Call;
use crate::services::elb::view::{
    balancer_value, group_value, listener_arn, listener_value, rules,
};
use crate::wire::document::{Failure, Reply, Value};
use crate::wire::input::{Input, missing};
use crate::world::World;
use crate::world::{Balancer, Group};

/// Things per page, and ARNs per call.
const MAX_PAGE: i64 = 400;
const MAX_ARNS: usize = 20;

/// Parameters of the operations.
static PARAMETERS: [(&str, &[&str]); 8] = [
    ("DescribeLoadBalancers", &["LoadBalancerArns", "Names", "Marker", "PageSize"]),
    ("DescribeLoadBalancerAttributes", &["LoadBalancerArn"]),
    ("DescribeTags", &["ResourceArns"]),
    (
        "DescribeTargetGroups",
        &["LoadBalancerArn", "TargetGroupArns", "Names", "Marker", "PageSize"],
    ),
    ("DescribeTargetGroupAttributes", &["TargetGroupArn"]),
    ("DescribeTargetHealth", &["TargetGroupArn", "Targets", "Include"]),
    ("DescribeListeners", &["LoadBalancerArn", "ListenerArns", "Marker", "PageSize"]),
    ("DescribeRules", &["ListenerArn", "RuleArns", "Marker", "PageSize"]),
];

/// Answers an operation of this service.
pub(crate) fn answer(world: &World, call: &Call, input: Input) -> Reply {
    let known = PARAMETERS.iter().find(|(operation, _)| *operation == call.operation);
    if let Some((_, known)) = known {
        input.only(known)?;
    }
    match call.operation.as_str() {
        "DescribeLoadBalancers" => describe_balancers(world, call, input),
        "DescribeLoadBalancerAttributes" => describe_attributes(world, call, input),
        "DescribeTags" => describe_tags(world, call, input),
        "DescribeTargetGroups" => describe_groups(world, call, input),
        "DescribeTargetHealth" => describe_health(world, call, input),
        "DescribeTargetGroupAttributes" => describe_group_attributes(world, call, input),
        "DescribeRules" => describe_rules(world, call, input),
        "DescribeListeners" => describe_listeners(world, call, input),
        other => Err(Failure::unknown_operation("elasticloadbalancing", other)),
    }
}

/// What the caller's account has at the time of the call.
fn everything<'a>(world: &'a World, call: &Call) -> Vec<&'a Balancer> {
    if call.foreign {
        return Vec::new();
    }
    let minute = world.minute(call.now);
    let all = world.balancers.iter().chain(&world.network);
    all.filter(|one| one.account == call.account && one.life.contains(&minute)).collect()
}

fn not_found(what: &str) -> Failure {
    let (code, shape, message) = match what {
        "group" => (
            "TargetGroupNotFound",
            "TargetGroupNotFoundException",
            "One or more target groups not found",
        ),
        "rule" => ("RuleNotFound", "RuleNotFoundException", "One or more rules not found"),
        "listener" => {
            ("ListenerNotFound", "ListenerNotFoundException", "One or more listeners not found")
        }
        _ => (
            "LoadBalancerNotFound",
            "LoadBalancerNotFoundException",
            "One or more load balancers not found",
        ),
    };
    Failure::new(400, code, message).shaped(shape)
}

fn by_arn<'a>(world: &'a World, call: &Call, arn: &str) -> Result<&'a Balancer, Failure> {
    if !arn.contains(":loadbalancer/") {
        return Err(Failure::validation(format!("'{arn}' is not a valid load balancer ARN")));
    }
    let mut all = everything(world, call).into_iter();
    all.find(|one| one.arn == arn).ok_or_else(|| not_found("balancer"))
}

fn group_by_arn<'a>(
    world: &'a World,
    call: &Call,
    arn: &str,
) -> Result<(&'a Balancer, &'a Group), Failure> {
    if !arn.contains(":targetgroup/") {
        return Err(Failure::validation(format!("'{arn}' is not a valid target group ARN")));
    }
    let all = everything(world, call).into_iter();
    all.flat_map(|one| one.groups.iter().map(move |group| (one, group)))
        .find(|(_, group)| group.arn == arn)
        .ok_or_else(|| not_found("group"))
}

/// Cuts one page out of a listing.
fn paged<T>(input: Input, name: &'static str, all: &[T], write: impl Fn(&T) -> Value) -> Reply {
    let size = input.integer("PageSize")?.unwrap_or(MAX_PAGE);
    if !(1..=MAX_PAGE).contains(&size) {
        return Err(Failure::validation(format!("PageSize must be between 1 and {MAX_PAGE}")));
    }
    let from = match input.text("Marker")? {
        None => 0,
        Some(marker) => marker
            .strip_prefix("marker-")
            .and_then(|position| position.parse::<usize>().ok())
            .filter(|position| *position < all.len())
            .ok_or_else(|| Failure::validation("The specified marker is not valid"))?,
    };
    let until = (from + size as usize).min(all.len());
    let mut fields = vec![(name, Value::List(all[from..until].iter().map(write).collect()))];
    if until < all.len() {
        fields.push(("NextMarker", Value::text(format!("marker-{until}"))));
    }
    Ok(Value::Record(fields))
}

fn few<'a>(list: Vec<&'a str>, name: &str) -> Result<Vec<&'a str>, Failure> {
    if list.len() > MAX_ARNS {
        return Err(Failure::validation(format!("{name} may hold at most {MAX_ARNS} entries")));
    }
    Ok(list)
}

fn describe_balancers(world: &World, call: &Call, input: Input) -> Reply {
    let names = few(input.texts("Names")?, "Names")?;
    let arns = few(input.texts("LoadBalancerArns")?, "LoadBalancerArns")?;
    if !names.is_empty() && !arns.is_empty() {
        return Err(Failure::validation(
            "Load balancer names and load balancer ARNs cannot be specified at the same time",
        ));
    }
    let all = everything(world, call);
    let chosen: Vec<&Balancer> = if !names.is_empty() {
        let find = |name: &&str| {
            let lost = || {
                let message = format!("Load balancers '[{name}]' not found");
                Failure::new(400, "LoadBalancerNotFound", message)
            };
            all.iter().find(|one| one.name == *name).copied().ok_or_else(lost)
        };
        names.iter().map(find).collect::<Result<_, _>>()?
    } else if !arns.is_empty() {
        arns.iter().map(|arn| by_arn(world, call, arn)).collect::<Result<_, _>>()?
    } else {
        all
    };
    let minute = world.minute(call.now);
    paged(input, "LoadBalancers", &chosen, |one| balancer_value(world, one, minute))
}

fn describe_attributes(world: &World, call: &Call, input: Input) -> Reply {
    let one = by_arn(world, call, input.required("LoadBalancerArn")?)?;
    Ok(attributes::of_balancer(world, one, world.minute(call.now)))
}

fn describe_group_attributes(world: &World, call: &Call, input: Input) -> Reply {
    let (one, _) = group_by_arn(world, call, input.required("TargetGroupArn")?)?;
    Ok(attributes::of_group(&one.source.plan.host))
}

fn describe_tags(world: &World, call: &Call, input: Input) -> Reply {
    let arns = few(input.texts("ResourceArns")?, "ResourceArns")?;
    if arns.is_empty() {
        return Err(missing("ResourceArns"));
    }
    let mut list = Vec::new();
    for arn in arns {
        let tags = if arn.contains(":targetgroup/") {
            &group_by_arn(world, call, arn)?.1.tags
        } else if arn.contains(":listener/") {
            let mut all = everything(world, call).into_iter();
            &all.find(|one| listener_arn(one) == arn).ok_or_else(|| not_found("listener"))?.tags
        } else {
            &by_arn(world, call, arn)?.tags
        };
        let tag = |(key, value): &(String, String)| {
            Value::Record(vec![
                ("Key", Value::text(key.as_str())),
                ("Value", Value::text(value.as_str())),
            ])
        };
        list.push(Value::Record(vec![
            ("ResourceArn", Value::text(arn)),
            ("Tags", Value::List(tags.iter().map(tag).collect())),
        ]));
    }
    Ok(Value::Record(vec![("TagDescriptions", Value::List(list))]))
}

fn describe_groups(world: &World, call: &Call, input: Input) -> Reply {
    let arns = input.texts("TargetGroupArns")?;
    let names = input.texts("Names")?;
    let balancer = input.text("LoadBalancerArn")?;
    let given = [!arns.is_empty(), !names.is_empty(), balancer.is_some()];
    if given.iter().filter(|one| **one).count() > 1 {
        return Err(Failure::validation(
            "Target group ARNs, target group names and a load balancer ARN cannot be specified at the same time",
        ));
    }
    let owners = match balancer {
        Some(arn) => vec![by_arn(world, call, arn)?],
        None => everything(world, call),
    };
    let mut all: Vec<(&Balancer, &Group)> = owners
        .into_iter()
        .flat_map(|one| one.groups.iter().map(move |group| (one, group)))
        .collect();
    if !arns.is_empty() {
        all = arns.iter().map(|arn| group_by_arn(world, call, arn)).collect::<Result<_, _>>()?;
    }
    if !names.is_empty() {
        all.retain(|(_, group)| names.contains(&group.name.as_str()));
        if all.len() < names.len() {
            return Err(not_found("group"));
        }
    }
    paged(input, "TargetGroups", &all, |(owner, group)| group_value(world, owner, group))
}

fn describe_health(world: &World, call: &Call, input: Input) -> Reply {
    let (one, group) = group_by_arn(world, call, input.required("TargetGroupArn")?)?;
    let at = one.groups.iter().position(|own| own.arn == group.arn).unwrap_or(0);
    health::describe(world, one, at, world.minute(call.now), input)
}

fn describe_rules(world: &World, call: &Call, input: Input) -> Reply {
    let arns = input.texts("RuleArns")?;
    let all = everything(world, call).into_iter();
    let owners: Vec<&Balancer> = match (input.text("ListenerArn")?, arns.is_empty()) {
        (Some(arn), true) => {
            let mut all = all.filter(|one| listener_arn(one) == arn);
            vec![all.next().ok_or_else(|| not_found("listener"))?]
        }
        (None, false) => all.collect(),
        _ => return Err(Failure::validation("Specify either a listener or rule ARNs")),
    };
    let mut rules: Vec<(String, Value)> = owners.into_iter().flat_map(rules).collect();
    if !arns.is_empty() {
        rules.retain(|(arn, _)| arns.contains(&arn.as_str()));
        if rules.len() < arns.len() {
            return Err(not_found("rule"));
        }
    }
    paged(input, "Rules", &rules, |(_, rule)| rule.clone())
}

fn describe_listeners(world: &World, call: &Call, input: Input) -> Reply {
    let arns = few(input.texts("ListenerArns")?, "ListenerArns")?;
    let balancer = input.text("LoadBalancerArn")?;
    let owners = match (balancer, arns.is_empty()) {
        (Some(arn), true) => vec![by_arn(world, call, arn)?],
        (None, false) => {
            let all = everything(world, call);
            let find = |arn: &&str| all.iter().copied().find(|one| listener_arn(one) == **arn);
            let found = arns.iter().map(|arn| find(arn).ok_or_else(|| not_found("listener")));
            found.collect::<Result<_, _>>()?
        }
        _ => {
            return Err(Failure::validation("Specify either a load balancer or listener ARNs"));
        }
    };
    paged(input, "Listeners", &owners, |one| listener_value(world, one))
}
