//! Each cause as a fault of a healthy gateway.

use std::collections::BTreeMap;

use crate::diagnose::cause::Cause;
use crate::diagnose::evidence::*;
use crate::diagnose::series::real;
use crate::diagnose::tests::scene::{Dice, Scene, Setting, Shape, address};

/// Evidence of a gateway with this cause.
pub fn with(cause: Cause, setting: Setting) -> Scene {
    let mut scene = Scene::healthy(setting);
    let fault: fn(&mut Scene) = match cause {
        Cause::SlowTarget => slow_target,
        Cause::QueueingTraffic => queueing_traffic,
        Cause::QueueingCapacity => queueing_capacity,
        Cause::BadTarget => bad_target,
        Cause::SlowSubset => slow_subset,
        Cause::Hang => |scene| since(scene, |s| s.silent = 0.1),
        Cause::ContentLength => |scene| since(scene, |s| s.stalled = 0.05),
        Cause::ConnectSecurityGroup => security_group,
        Cause::ConnectNetworkAcl => network_acl,
        Cause::ConnectRoute => route,
        Cause::ConnectDeadTarget => dead_target,
        Cause::DeployRace => deploy_race,
        Cause::TlsHandshake => tls_handshake,
        Cause::LambdaService => lambda_service,
        Cause::LambdaTimeout => lambda_timeout,
        Cause::FailOpen => fail_open,
        Cause::IdleTimeoutLowered => lowered,
        Cause::LoadBalancerLimit => load_balancer_limit,
        Cause::KeepAlive => |scene| since(scene, |s| s.closed = 0.03),
        Cause::DeregistrationDelay => deregistration_delay,
        Cause::TaskKilled => task_killed,
        Cause::EcsStopTimeout => ecs_stop_timeout,
        Cause::NoRegisteredTarget => no_registered_target,
        Cause::UnhealthyTargets => unhealthy_targets,
    };
    fault(&mut scene);
    scene
}

/// Counts all minutes, with a change since the fault.
fn since(scene: &mut Scene, change: impl Fn(&mut Shape)) {
    scene.run(|shape, _| after(shape, &change));
}

/// How many targets the scene has.
fn number(scene: &Scene) -> f64 {
    real(scene.setting.targets)
}

/// By how much shorter the usual latencies are, at a short timeout.
fn scale(scene: &Scene) -> f64 {
    (scene.setting.timeout / 60.0).min(1.0)
}

fn queueing_traffic(scene: &mut Scene) {
    let t = scene.setting.timeout;
    scene.run(|s, _| {
        let age = f64::from(i32::try_from(s.at).unwrap()) + 12.0;
        s.traffic = if age > -5.0 { 1.0 + (0.1 * (age + 5.0)).min(0.9) } else { 1.0 };
        s.delay = (age.max(0.0) * 0.05 * t).min(1.05 * t);
    });
}

/// Half of the targets are gone, or fail their checks.
fn queueing_capacity(scene: &mut Scene) {
    let (k, t, setting) = (number(scene), scene.setting.timeout, scene.setting);
    let is_gone = setting.seed.is_multiple_of(2);
    scene.run(|s, _| {
        if s.at >= -4 {
            s.healthy = (k / 2.0).ceil();
            s.unhealthy = if is_gone { 0.0 } else { k - s.healthy };
            s.delay = ((f64::from(i32::try_from(s.at).unwrap()) + 4.0) * 0.08 * t).min(0.97 * t);
        }
    });
    let half = setting.targets.div_ceil(2);
    if is_gone {
        scene.targets().truncate(half);
    } else {
        unhealthy(scene, setting.targets - half, "Target.FailedHealthChecks", "");
    }
}

fn bad_target(scene: &mut Scene) {
    let k = number(scene);
    since(scene, |s| (s.silent, s.anomalous) = (0.97 / k, 1.0));
    scene.targets()[1].anomalous = Some(true);
}

fn slow_subset(scene: &mut Scene) {
    let (t, scale) = (scene.setting.timeout, scale(scene));
    since(scene, |s| s.slow = (0.08, 0.9 * t / scale, 0.06));
}

/// Nothing is at the address of a target.
fn dead_target(scene: &mut Scene) {
    let k = number(scene);
    since(scene, |s| (s.connect, s.healthy, s.unhealthy) = (1.0 / k, k - 1.0, 1.0));
    unhealthy(scene, 1, "Target.Timeout", "");
    let gone = address(0);
    let interfaces = scene.evidence.network.interfaces.as_mut().unwrap();
    interfaces.retain(|interface| !interface.addresses.contains(&gone));
}

fn deploy_race(scene: &mut Scene) {
    scene.run(|s, _| {
        if is_deployment(s.at) {
            s.connect = 0.12;
        }
    });
    deployments(scene, 0);
    let mut gone = scene.targets()[0].clone();
    "10.0.10.200".clone_into(&mut gone.id);
    "draining".clone_into(&mut gone.state);
    scene.targets().push(gone);
}

fn tls_handshake(scene: &mut Scene) {
    since(scene, |s| s.tls = 0.1);
    "HTTPS".clone_into(&mut scene.group().protocol);
}

fn lambda_service(scene: &mut Scene) {
    lambda(scene);
    since(scene, |s| s.lambda_internal = 0.1);
}

fn lambda_timeout(scene: &mut Scene) {
    lambda(scene);
    since(scene, |s| (s.lambda_user, s.slow) = (0.1, (0.2, 2.0, 0.2)));
}

fn fail_open(scene: &mut Scene) {
    let k = number(scene);
    since(scene, |s| (s.silent, s.healthy, s.unhealthy, s.fail_open) = (0.9, 0.0, k, true));
    unhealthy(scene, usize::MAX, "Target.Timeout", "Request timed out");
}

fn load_balancer_limit(scene: &mut Scene) {
    since(scene, |s| (s.rejected, s.silent, s.empty) = (300.0, 0.05, 0.03));
    "active_impaired".clone_into(&mut scene.evidence.load_balancer.as_mut().unwrap().state);
}

/// Long requests that are cut in each deployment.
fn cut(scene: &mut Scene, exit: i32) {
    let (t, scale) = (scene.setting.timeout, scale(scene));
    scene.run(|s, _| {
        s.slow = (0.05, 0.4 * t / scale, 0.15);
        if is_deployment(s.at) {
            s.closed = 0.15;
        }
    });
    deployments(scene, exit);
}

fn deregistration_delay(scene: &mut Scene) {
    cut(scene, 0);
    let value = format!("{:.0}", 0.1 * scene.setting.timeout);
    let attributes = scene.group().attributes.as_mut().unwrap();
    attributes.insert("deregistration_delay.timeout_seconds".to_owned(), value);
}

fn ecs_stop_timeout(scene: &mut Scene) {
    cut(scene, 137);
    let container = Container { name: "app".to_owned(), stop_timeout: Some(2) };
    scene.service().containers = Ok(vec![container]);
}

fn task_killed(scene: &mut Scene) {
    scene.run(|s, _| {
        if is_deployment(s.at) {
            s.closed = 0.15;
        }
    });
    for minute in (0..scene.setting.since).filter(|at| at % 10 == 0) {
        let why = "OutOfMemoryError: Container killed due to memory usage";
        let reason = "Essential container in task exited";
        scene.stop(minute, "EssentialContainerExited", reason, 137, why);
    }
}

fn no_registered_target(scene: &mut Scene) {
    since(scene, |s| (s.empty, s.healthy) = (1.0, 0.0));
    scene.targets().clear();
}

fn unhealthy_targets(scene: &mut Scene) {
    let (k, t) = (number(scene), scene.setting.timeout);
    let half = (k / 2.0).floor();
    since(scene, |s| (s.healthy, s.unhealthy, s.delay) = (k - half, half, 0.01 * t));
    let description = "Health checks failed with these codes: [301]";
    unhealthy(scene, scene.setting.targets / 2, "Target.ResponseCodeMismatch", description);
}

pub fn after(shape: &mut Shape, change: impl Fn(&mut Shape)) {
    if shape.at >= 0 {
        change(shape);
    }
}

/// Two minutes of every ten, since the fault.
fn is_deployment(at: i64) -> bool {
    at >= 0 && at % 10 < 2
}

pub fn deployments(scene: &mut Scene, exit: i32) {
    for minute in (0..scene.setting.since).filter(|at| at % 10 == 0) {
        scene.stop(
            minute,
            "ServiceSchedulerInitiated",
            "Scaling activity initiated by deployment",
            exit,
            "",
        );
    }
}

fn slow_target(scene: &mut Scene) {
    let t = scene.setting.timeout;
    let before = f64::from(i32::try_from(scene.setting.before).unwrap());
    scene.run(|s, _| {
        let scale = (t / 60.0).min(1.0);
        let age = f64::from(i32::try_from(s.at).unwrap()) + before * 0.8;
        let growth = (age.max(0.0) / (before * 0.8)).min(1.4);
        s.slow = (0.05, 3.0 * (0.75 * t / scale / 3.0).powf(growth), 0.15);
    });
}

fn unhealthy(scene: &mut Scene, number: usize, reason: &str, description: &str) {
    for target in scene.targets().iter_mut().take(number) {
        "unhealthy".clone_into(&mut target.state);
        reason.clone_into(&mut target.reason);
        description.clone_into(&mut target.description);
    }
}

pub fn lambda(scene: &mut Scene) {
    let group = scene.group();
    group.kind = TargetKind::Lambda;
    group.protocol.clear();
    group.port = None;
    group.attributes = Ok(BTreeMap::new());
    let arn = "arn:aws:lambda:eu-central-1:123456789012:function:price".to_owned();
    let target = Target { id: arn.clone(), state: "healthy".to_owned(), ..Target::default() };
    group.targets = Ok(vec![target]);
    scene.evidence.functions = Ok(vec![Function { name: "price".to_owned(), arn, timeout: 3 }]);
    scene.evidence.services = Ok(vec![]);
}

/// The rule is gone, or its block covers one zone only; of all targets, or half.
fn security_group(scene: &mut Scene) {
    let mut dice = Dice(scene.setting.seed ^ 3);
    let (part, by_block) = (dice.chance(0.5), dice.chance(0.5));
    let share = if part || by_block { 0.5 } else { 1.0 };
    let k = f64::from(u32::try_from(scene.setting.targets).unwrap());
    scene.run(|s, _| {
        after(s, |s| {
            s.connect = share;
            if share > 0.9 {
                (s.healthy, s.unhealthy, s.fail_open) = (0.0, k, true);
            }
        });
    });
    if share > 0.9 {
        unhealthy(scene, usize::MAX, "Target.Timeout", "Request timed out");
    }
    let groups = scene.evidence.network.security_groups.as_mut().unwrap();
    let mut shut = groups["sg-web"].clone();
    shut.ingress[0].groups.clear();
    if by_block {
        shut.ingress[0].blocks = vec!["10.0.0.0/24".to_owned()];
    }
    groups.insert("sg-new".to_owned(), shut);
    let interfaces = scene.evidence.network.interfaces.as_mut().unwrap();
    let tasks = interfaces.iter_mut().filter(|interface| !interface.is_node).enumerate();
    for (index, task) in tasks.filter(|(index, _)| by_block || !part || index % 2 == 0) {
        let _ = index;
        task.security_groups = vec!["sg-new".to_owned()];
    }
}

/// No answers out of one of the targets' subnets, or none in to one of the nodes'.
fn network_acl(scene: &mut Scene) {
    let is_target = Dice(scene.setting.seed ^ 5).chance(0.5);
    scene.run(|s, _| after(s, |s| s.connect = 0.5));
    let name = if is_target { "acl-private-b" } else { "acl-public-b" };
    let acls = scene.evidence.network.acls.as_mut().unwrap();
    for entry in acls.get_mut(name).unwrap().entries.iter_mut().filter(|e| e.allow) {
        if entry.egress == is_target {
            (entry.protocol, entry.ports) = (6, Some((80, 443)));
        }
    }
}

/// Targets in a peered VPC, of which the route is gone in one zone.
fn route(scene: &mut Scene) {
    let is_blackhole = Dice(scene.setting.seed ^ 9).chance(0.5);
    scene.run(|s, _| after(s, |s| s.connect = 0.5));
    for (index, target) in scene.targets().iter_mut().enumerate() {
        target.id = format!("10.9.0.{}", 10 + index);
        target.zone = Some("all".to_owned());
    }
    scene.evidence.network.interfaces.as_mut().unwrap().retain(|interface| interface.is_node);
    let tables = scene.evidence.network.route_tables.as_mut().unwrap();
    let route = |destination: &str, target: &str, is_blackhole| Route {
        destination: destination.to_owned(),
        target: target.to_owned(),
        is_blackhole,
    };
    tables.get_mut("rtb-public-a").unwrap().push(route("10.9.0.0/16", "pcx-1", false));
    tables.get_mut("rtb-public-b").unwrap().push(if is_blackhole {
        route("10.9.0.0/16", "pcx-0", true)
    } else {
        route("0.0.0.0/0", "igw-1", false)
    });
}

fn lowered(scene: &mut Scene) {
    let t = scene.setting.timeout;
    let scale = (t / 60.0).min(1.0);
    scene.run(|s, _| {
        s.slow = (0.06, 0.55 * t / scale, 0.12);
        after(s, |s| s.idle = t / 3.0);
    });
    let balancer = scene.evidence.load_balancer.as_mut().unwrap();
    let value = format!("{:.0}", t / 3.0);
    balancer.attributes.as_mut().unwrap().insert("idle_timeout.timeout_seconds".to_owned(), value);
}
