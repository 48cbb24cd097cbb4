//! The causes of 502s and 503s, and of targets that fail their checks.

use super::{BRIEF, during, hours, on, one_of, steady};
use crate::scenario::host::{CHECK, Check, FUNCTION, HOST, Host, TASKS};
use crate::scenario::plan::{Plan, Scenario};
use crate::scenario::script::Reason;
use crate::scenario::script::{Class, Fault, QUICK, Script, Shown, Step, What, When, Who};

/// A tenth of the requests takes 20 to 40 s.
const LONG: &[Class] = &[
    Class { share: 0.9, ..QUICK },
    Class { share: 0.1, median: 28.0, sigma: 0.12, spread: 0.03, ..QUICK },
];

/// A rolling deployment that cuts off after this many seconds.
const fn cutting(at: i64, seconds: f64) -> Step {
    during(at, at + 20, What::Roll { cut: Some(seconds), race: 0.0, slow: 1.0 })
}

/// Deployments that wait 10 s for what is under way.
const SHORT_DELAY: Script = Script {
    cause: Some("deregistration_delay"),
    mix: LONG,
    steps: &[cutting(0, 10.0), cutting(35, 10.0), cutting(70, 10.0)],
    ..BRIEF
};

/// No target for anything.
const NO_TARGET: What = What::Strike(Who::All, 1.0, Fault::Refused);

/// Half of the targets fail their checks, the others are near their limit.
const fn half(steps: &'static [Step]) -> Script {
    Script { cause: Some("unhealthy_targets"), workers: 2, steps, ..BRIEF }
}

pub(crate) const FAILURES: &[Scenario] = &[
    hours(
        "c18_keep_alive",
        "The targets close idle connections before the load balancer does: a few 502s at once, \
         more of them in quiet minutes.",
        &[steady(&Script {
            cause: Some("keep_alive"),
            steps: &[
                on(What::Strike(Who::All, 0.002, Fault::Stale)),
                Step {
                    when: When::Random { every: 40, length: 15 },
                    what: What::Load(&[(0.0, 0.35)]),
                },
            ],
            ..BRIEF
        })],
    ),
    hours(
        "c19_deregistration_delay",
        "The deregistration delay is 10 s and the longest requests take 40 s: 502s around \
         deployments.",
        &[one_of(&[
            Plan { host: Host { delay: 10, ..HOST }, ..steady(&SHORT_DELAY) },
            Plan {
                host: Host { delay: 10, stop_timeout: Some(120), ..TASKS },
                ..steady(&SHORT_DELAY)
            },
        ])],
    ),
    hours(
        "c20_task_killed",
        "Every quarter of an hour a task runs out of memory and is killed with what it works on.",
        &[Plan {
            rate: 900.0,
            host: Host { memory: 512, ..TASKS },
            ..steady(&Script {
                cause: Some("task_killed"),
                mix: &[
                    Class { share: 0.7, ..QUICK },
                    Class { share: 0.3, median: 4.0, sigma: 0.3, ..QUICK },
                ],
                steps: &[on(What::Die { every: 15 })],
                ..BRIEF
            })
        }],
    ),
    hours(
        "c21_ecs_stop_timeout",
        "Containers get 5 s to stop, less than what is under way needs: 502s around deployments.",
        &[Plan {
            host: Host { stop_timeout: Some(5), ..TASKS },
            ..steady(&Script {
                cause: Some("ecs_stop_timeout"),
                mix: LONG,
                steps: &[cutting(0, 5.0), cutting(35, 5.0), cutting(70, 5.0)],
                ..BRIEF
            })
        }],
    ),
    hours(
        "c22_lambda_timeout",
        "A tenth of the calls grows three times as slow and reaches the function's timeout of 3 s.",
        &[Plan {
            host: Host { function_timeout: 3, ..FUNCTION },
            targets: 1,
            ..steady(&Script {
                cause: Some("lambda_timeout"),
                mix: &[
                    Class { share: 0.9, median: 0.2, sigma: 0.3, ..QUICK },
                    Class { share: 0.1, median: 1.3, sigma: 0.12, spread: 0.05, ..QUICK },
                ],
                steps: &[on(What::Slow(Who::Class(1), &[(0.0, 1.0), (10.0, 3.0)]))],
                ..BRIEF
            })
        }],
    ),
    hours(
        "c23_no_registered_target",
        "The target group is empty, or all its targets are stopped.",
        &[one_of(&[
            steady(&Script {
                cause: Some("no_registered_target"),
                steps: &[on(NO_TARGET), on(What::Shown(Shown::Emptied))],
                ..BRIEF
            }),
            steady(&Script {
                cause: Some("no_registered_target"),
                steps: &[on(NO_TARGET), on(What::Shown(Shown::Unused))],
                ..BRIEF
            }),
        ])],
    ),
    hours(
        "c24_unhealthy_targets",
        "Two of four targets fail their checks; the other two answer everything, near their limit.",
        &[one_of(&[
            Plan {
                rate: 470.0,
                host: Host { check: Check { matcher: "204", ..CHECK }, ..HOST },
                ..steady(&half(&[on(What::Sick(Who::Pick(2), Reason::Mismatch))]))
            },
            Plan {
                rate: 470.0,
                host: Host { check: Check { interval: 5, timeout: 2, ..CHECK }, ..TASKS },
                ..steady(&half(&[on(What::Sick(Who::Pick(2), Reason::Timeout))]))
            },
        ])],
    ),
];
