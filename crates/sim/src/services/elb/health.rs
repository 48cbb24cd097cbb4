//! `DescribeTargetHealth`: the words AWS has for the state of a target.

use crate::scenario::host::Kind;
use crate::scenario::script::Reason;
use crate::services::vpc::members::{Member, TargetState, members};
use crate::wire::document::{Failure, Reply, Value};
use crate::wire::input::Input;
use crate::world::Balancer;
use crate::world::World;

/// Answers for a group (by number) of a load balancer in an epoch minute.
pub(crate) fn describe(
    world: &World,
    one: &Balancer,
    at: usize,
    minute: i64,
    input: Input,
) -> Reply {
    let include = include(input)?;
    let all = members(world, one, at, minute);
    let mut wanted = Vec::new();
    for target in input.records("Targets")? {
        target.only(&["Id", "Port", "AvailabilityZone", "QuicServerId"])?;
        wanted.push(target.required("Id")?);
    }
    let shown =
        all.iter().filter(|member| wanted.is_empty() || wanted.contains(&member.id.as_str()));
    let mut list: Vec<Value> =
        shown.map(|member| description(world, one, member, include)).collect();
    // A target that is not registered is not an error: its state says so.
    let strange = wanted.iter().filter(|id| all.iter().all(|member| member.id != **id));
    list.extend(strange.map(|id| unregistered(one, id)));
    Ok(Value::record([("TargetHealthDescriptions", Value::List(list))]))
}

/// What is described besides the health.
#[derive(Clone, Copy)]
struct Include {
    anomalies: bool,
    overrides: bool,
}

fn include(input: Input) -> Result<Include, Failure> {
    let mut include = Include { anomalies: false, overrides: false };
    for word in input.texts("Include")? {
        match word {
            "AnomalyDetection" => include.anomalies = true,
            "All" => include = Include { anomalies: true, overrides: true },
            _ => return Err(Failure::validation(format!("'{word}' is not a known Include"))),
        }
    }
    Ok(include)
}

fn description(world: &World, one: &Balancer, member: &Member, include: Include) -> Value {
    let host = &one.source.plan.host;
    let port = host.port().map(|port| ("Port", Value::Integer(port.into())));
    // Only targets outside the VPC belong to every zone by name.
    let zone = match host.kind {
        Kind::Tasks | Kind::Pods => Some(world.zone(member.zone)),
        Kind::Peered => Some("all".to_owned()),
        Kind::Instances | Kind::Lambda => None,
    };
    let target = Value::record([("Id", member.id.as_str().into())]);
    let target = target.with(port).with(zone.map(|zone| ("AvailabilityZone", zone.into())));
    let check = host.check.port.or(host.port());
    let check = check.map(|port| ("HealthCheckPort", port.to_string().into()));
    let detection = (include.anomalies && !host.is_lambda()).then(|| {
        let result = if member.anomalous { "anomalous" } else { "normal" };
        let fields = [("Result", result.into()), ("MitigationInEffect", "no".into())];
        ("AnomalyDetection", Value::record(fields))
    });
    let none = Value::record([
        ("State", "no_override".into()),
        ("Reason", "AdministrativeOverride.NoOverride".into()),
        ("Description", "No override is currently active on target".into()),
    ]);
    Value::record([("Target", target)])
        .with(check)
        .with([("TargetHealth", health(one, member.state))])
        .with(detection)
        .with(include.overrides.then_some(("AdministrativeOverride", none)))
}

fn unregistered(one: &Balancer, id: &str) -> Value {
    let port = one.source.plan.host.port().map(|port| ("Port", Value::Integer(port.into())));
    let target = Value::record([("Id", id.into())]).with(port);
    let text = "Target is not registered to the target group";
    Value::record([
        ("Target", target),
        ("TargetHealth", words("unused", Some("Target.NotRegistered"), text)),
    ])
}

fn health(one: &Balancer, state: TargetState) -> Value {
    // What targets answer that are not as the check wants them.
    let given = if one.source.plan.host.check.matcher == "200" { 404 } else { 200 };
    let mismatch = format!("Health checks failed with these codes: [{given}]");
    let (word, reason, text) = match state {
        TargetState::Healthy => ("healthy", None, ""),
        TargetState::Unhealthy(Reason::Timeout) => {
            ("unhealthy", Some("Target.Timeout"), "Request timed out")
        }
        TargetState::Unhealthy(Reason::Mismatch) => {
            ("unhealthy", Some("Target.ResponseCodeMismatch"), mismatch.as_str())
        }
        TargetState::Unhealthy(Reason::Failed) => {
            ("unhealthy", Some("Target.FailedHealthChecks"), "Health checks failed")
        }
        TargetState::Draining => (
            "draining",
            Some("Target.DeregistrationInProgress"),
            "Target deregistration is in progress",
        ),
        TargetState::Registering => {
            ("initial", Some("Elb.RegistrationInProgress"), "Target registration is in progress")
        }
        TargetState::Initial => {
            ("initial", Some("Elb.InitialHealthChecking"), "Initial health checks in progress")
        }
        TargetState::Unused => ("unused", Some("Target.InvalidState"), invalid(one)),
        TargetState::Unchecked => (
            "unavailable",
            Some("Target.HealthCheckDisabled"),
            "Health checks are not enabled for this target",
        ),
    };
    words(word, reason, text)
}

fn invalid(one: &Balancer) -> &'static str {
    match one.source.plan.host.kind {
        Kind::Instances => "Target is in the stopped state",
        _ => "Target is in an invalid state",
    }
}

fn words(state: &str, reason: Option<&str>, text: &str) -> Value {
    let reason = reason.map(|reason| ("Reason", reason.into()));
    let text = (!text.is_empty()).then(|| ("Description", text.into()));
    Value::record([("State", state.into())]).with(reason).with(text)
}
