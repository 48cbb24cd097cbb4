//! The causes of 504s that arise behind an established connection.
//!
//! Those in which no connection is established are in [`super::connections`].

use super::connections::{
    DEAD_TARGET, DEPLOY_RACE, NETWORK_ACL, ROUTE, SECURITY_GROUP, TLS_HANDSHAKE,
};
use super::{BRIEF, from, hours, on, one_of, steady};
use crate::scenario::host::{FUNCTION, HOST, Host};
use crate::scenario::plan::{Plan, Scenario};
use crate::scenario::script::Reason;
use crate::scenario::script::{Class, Fault, QUICK, Script, Shown, Step, What, When, Who};

/// A class of 3 % reports that take 6 s.
const REPORTS: &[Class] =
    &[Class { share: 0.97, ..QUICK }, Class { share: 0.03, median: 6.0, sigma: 0.3, ..QUICK }];

/// The everyday mix, the same for every seed, because capacity depends on it.
const EVEN: &[Class] = &[
    Class { share: 0.97, spread: 0.0, ..QUICK },
    Class { share: 0.03, median: 3.0, sigma: 0.5, spread: 0.0, ..QUICK },
];

/// Overloaded targets are restarted now and then, which empties their queues.
const RESTARTS: Step = Step { when: When::Random { every: 25, length: 1 }, what: What::Restart };

const FAIL_OPEN: &[Plan] = &[
    steady(&Script {
        cause: Some("fail_open"),
        steps: &[
            on(What::Strike(Who::All, 0.95, Fault::Hang)),
            from(2, What::Sick(Who::All, Reason::Timeout)),
        ],
        ..BRIEF
    }),
    steady(&Script {
        cause: Some("fail_open"),
        steps: &[
            on(What::Strike(Who::All, 0.7, Fault::Hang)),
            from(2, What::Sick(Who::All, Reason::Failed)),
        ],
        ..BRIEF
    }),
];

pub(crate) const TIMEOUTS: &[Scenario] = &[
    hours(
        "c01_slow_target",
        "3 % of the requests, those to one endpoint, grow slower until they pass the idle timeout.",
        &[steady(&Script {
            cause: Some("slow_target"),
            mix: REPORTS,
            steps: &[on(What::Slow(Who::Class(1), &[(0.0, 1.0), (60.0, 9.0), (100.0, 14.0)]))],
            ..BRIEF
        })],
    ),
    hours(
        "c02_queueing_traffic",
        "Traffic grows past the capacity of the four targets; everything waits alike.",
        // At any time of day: by night a tenth less would pass without a queue.
        &[Plan {
            rate: 650.0,
            swing: 0.0,
            ..steady(&Script {
                cause: Some("queueing_traffic"),
                workers: 2,
                mix: EVEN,
                steps: &[
                    on(What::Load(&[
                        (0.0, 1.0),
                        (40.0, 2.2),
                        (55.0, 1.5),
                        (75.0, 2.2),
                        (90.0, 1.5),
                        (110.0, 2.2),
                    ])),
                    RESTARTS,
                ],
                ..BRIEF
            })
        }],
    ),
    hours(
        "c03_queueing_capacity",
        "Two of four targets disappear at normal traffic, by failing their checks or by being \
         deregistered; everything waits for the other two.",
        &[one_of(&[
            Plan {
                rate: 680.0,
                ..steady(&Script {
                    cause: Some("queueing_capacity"),
                    workers: 2,
                    mix: EVEN,
                    steps: &[on(What::Up(&[(0, 3), (12, 2)])), RESTARTS],
                    ..BRIEF
                })
            },
            Plan {
                rate: 680.0,
                ..steady(&Script {
                    cause: Some("queueing_capacity"),
                    workers: 2,
                    mix: EVEN,
                    steps: &[
                        on(What::Up(&[(0, 3), (12, 2)])),
                        on(What::Shown(Shown::ScaledIn)),
                        RESTARTS,
                    ],
                    ..BRIEF
                })
            },
        ])],
    ),
    hours(
        "c04_bad_target",
        "One of four targets takes requests and passes its checks, but hardly ever answers.",
        &[Plan {
            host: Host { algorithm: "round_robin", ..HOST },
            ..steady(&Script {
                cause: Some("bad_target"),
                steps: &[
                    on(What::Strike(Who::Pick(1), 0.98, Fault::Hang)),
                    from(3, What::Shown(Shown::Anomalous(Who::Pick(1)))),
                ],
                ..BRIEF
            })
        }],
    ),
    hours(
        "c05_slow_subset",
        "7 % of the requests take 40 to 58 s from one minute to the next; hardly any 504.",
        &[steady(&Script {
            cause: Some("slow_subset"),
            mix: &[
                Class { share: 0.93, ..QUICK },
                Class { share: 0.07, median: 4.0, sigma: 0.06, most: 58.5, spread: 0.03, ..QUICK },
            ],
            steps: &[on(What::Slow(Who::Class(1), &[(0.0, 12.0)]))],
            ..BRIEF
        })],
    ),
    hours(
        "c06_hang",
        "A tenth of the requests, spread over all targets, never gets an answer.",
        &[steady(&Script {
            cause: Some("hang"),
            steps: &[on(What::Strike(Who::All, 0.1, Fault::Hang))],
            ..BRIEF
        })],
    ),
    hours(
        "c07_connect_security_group",
        "The targets' security group stops admitting the load balancer: all of it, one of its \
         subnets, or at two targets.",
        &[one_of(SECURITY_GROUP)],
    ),
    hours(
        "c08_connect_network_acl",
        "The network ACL of a subnet in one zone does not let answers pass to the ephemeral ports \
         of the load balancer.",
        &[one_of(NETWORK_ACL)],
    ),
    hours(
        "c09_connect_route",
        "The load balancer's subnet in one zone has lost its route to the targets' peered VPC.",
        &[one_of(ROUTE)],
    ),
    hours(
        "c10_connect_dead_target",
        "Registered addresses have no network interface any more and still get requests.",
        &[one_of(DEAD_TARGET)],
    ),
    hours(
        "c11_deploy_race",
        "In rolling deployments draining targets whose task is gone get some last requests.",
        &[DEPLOY_RACE],
    ),
    hours(
        "c12_tls_handshake",
        "A tenth of the TLS handshakes with the targets takes longer than 10 s.",
        &[TLS_HANDSHAKE],
    ),
    hours(
        "c13_content_length",
        "4 % of the answers promise more body than they have: 504s with small response times.",
        &[steady(&Script {
            cause: Some("content_length"),
            steps: &[on(What::Stall(0.04))],
            ..BRIEF
        })],
    ),
    hours(
        "c14_lambda_service",
        "The Lambda service does not answer a part of the calls in time.",
        &[Plan {
            host: FUNCTION,
            targets: 1,
            ..steady(&Script {
                cause: Some("lambda_service"),
                steps: &[on(What::Strike(Who::All, 0.08, Fault::Unreachable))],
                ..BRIEF
            })
        }],
    ),
    hours(
        "c15_fail_open",
        "All targets fail their checks and get requests anyway, which they do not answer.",
        &[one_of(FAIL_OPEN)],
    ),
    hours(
        "c16_idle_timeout_lowered",
        "The idle timeout is lowered from 60 s to 20 s, below what 5 % of the requests need.",
        &[steady(&Script {
            cause: Some("idle_timeout_lowered"),
            mix: &[
                Class { share: 0.95, ..QUICK },
                Class { share: 0.05, median: 30.0, sigma: 0.1, spread: 0.03, ..QUICK },
            ],
            steps: &[on(What::Timeout(20))],
            ..BRIEF
        })],
    ),
    hours(
        "c17_load_balancer_limit",
        "Traffic grows faster than the load balancer can: it is impaired, refuses connections and \
         answers some requests itself.",
        &[steady(&Script {
            cause: Some("load_balancer_limit"),
            steps: &[
                on(What::Load(&[(0.0, 1.0), (8.0, 3.0)])),
                from(3, What::Shown(Shown::Impaired)),
                from(3, What::Strike(Who::All, 0.05, Fault::Rejected)),
                from(3, What::Strike(Who::All, 0.02, Fault::Refused)),
                from(3, What::Strike(Who::All, 0.015, Fault::Hang)),
            ],
            ..BRIEF
        })],
    ),
];
