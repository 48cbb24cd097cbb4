//! Gateways that look as if something were wrong with them, and nothing is.

use crate::diagnose::evidence::*;
use crate::diagnose::tests::faults::{after, deployments, lambda};
use crate::diagnose::tests::scene::{Scene, Setting, target_group};
use crate::gateway::evidence::Measure;

/// The names of gateways with which nothing is wrong.
pub const HEALTHY: [&str; 9] = [
    "plain",
    "deploys",
    "long_poll",
    "own_errors",
    "spike",
    "lambda",
    "backup",
    "growth",
    "config",
];

/// Evidence of such a gateway.
pub fn without(name: &str, setting: Setting) -> Scene {
    let mut scene = Scene::healthy(Setting { is_known: false, ..setting });
    let (t, scale) = (setting.timeout, (setting.timeout / 60.0).min(1.0));
    match name {
        "deploys" => {
            scene.run(|_, _| {});
            deployments(&mut scene, 0);
            "draining".clone_into(&mut scene.targets()[0].state);
        }
        "long_poll" => scene.run(|s, _| s.slow = (0.3, 0.85 * t / scale, 0.03)),
        "own_errors" => scene.run(|s, _| after(s, |s| s.own_errors = 0.2)),
        "spike" => scene.run(|s, _| after(s, |s| s.traffic = 2.5)),
        "lambda" => {
            lambda(&mut scene);
            scene.run(|_, _| {});
        }
        "backup" => {
            scene.run(|_, _| {});
            let mut backup = target_group("backup", 2);
            backup.receives = Some(false);
            for target in backup.targets.as_mut().unwrap() {
                "unhealthy".clone_into(&mut target.state);
                "Target.Timeout".clone_into(&mut target.reason);
            }
            scene.evidence.target_groups.as_mut().unwrap().push(backup);
            let group = Scope::TargetGroup("backup".to_owned());
            let figures = &mut scene.evidence.figures;
            figures.ask(group.clone(), Measure::Unhealthy, Some(2.0));
            figures.ask(group, Measure::Healthy, Some(0.0));
        }
        "growth" => scene.run(|s, _| after(s, |s| s.slow = (0.03, 5.0, 0.3))),
        "config" => {
            scene.run(|_, _| {});
            scene
                .evidence
                .network
                .security_groups
                .as_mut()
                .unwrap()
                .get_mut("sg-web")
                .unwrap()
                .ingress
                .clear();
        }
        _ => scene.run(|_, _| {}),
    }
    scene
}
