//! Short scenarios in which nothing is wrong, next to those with a cause.

use super::{BRIEF, always, during, hours, steady};
use crate::scenario::host::{FUNCTION, TASKS};
use crate::scenario::plan::{Plan, Scenario};
use crate::scenario::script::{Class, EVER, Fault, QUICK, Script, Shown, Step, What, Who};

/// A rolling deployment that nobody notices.
const fn smooth(at: i64) -> Step {
    during(at, at + 20, What::Roll { cut: None, race: 0.0, slow: 1.3 })
}

pub(crate) const NORMAL: &[Scenario] = &[
    hours("n01_healthy", "Everyday traffic.", &[steady(&BRIEF)]),
    hours(
        "n02_deployments",
        "Three rolling deployments with draining targets and without errors.",
        &[Plan {
            host: TASKS,
            ..steady(&Script { steps: &[smooth(-60), smooth(0), smooth(50)], ..BRIEF })
        }],
    ),
    hours(
        "n03_long_poll",
        "A fifth of the requests are long polls of about 50 s, as always.",
        &[steady(&Script {
            mix: &[
                Class { share: 0.8, ..QUICK },
                Class {
                    share: 0.2,
                    median: 50.0,
                    sigma: 1.0,
                    normal: true,
                    most: 58.0,
                    spread: 0.01,
                    ..QUICK
                },
            ],
            ..BRIEF
        })],
    ),
    hours(
        "n04_target_errors",
        "The targets answer 6 % of the requests with a 5xx of their own; the load balancer adds \
         none.",
        &[steady(&Script {
            steps: &[during(0, EVER, What::Strike(Who::All, 0.06, Fault::Error))],
            ..BRIEF
        })],
    ),
    hours(
        "n05_spike",
        "Twice the traffic for half an hour, within capacity.",
        &[steady(&Script {
            workers: 8,
            steps: &[during(0, 30, What::Load(&[(0.0, 2.0)]))],
            ..BRIEF
        })],
    ),
    hours(
        "n06_lambda",
        "A Lambda function serves everything.",
        &[Plan { host: FUNCTION, targets: 1, ..steady(&BRIEF) }],
    ),
    hours(
        "n07_backup_group",
        "The targets of a backup group, which gets no requests, fail their checks.",
        &[Plan {
            groups: 2,
            ..steady(&Script { steps: &[always(What::Shown(Shown::BackupDown))], ..BRIEF })
        }],
    ),
];
