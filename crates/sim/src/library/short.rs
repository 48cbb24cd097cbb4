//! The short scenarios: an hour or two, each with one thing to see.

use crate::scenario::host::{HOST, TASKS};
use crate::scenario::plan::{NEAR_MISSES, Plan, SLOW_BURN, Scenario, Trouble};

const HEALTHY: Plan = Plan {
    name: "web",
    rate: 1_500.0,
    swing: 0.15,
    timeout: 60,
    groups: 1,
    targets: 3,
    trouble: Trouble::None,
    host: HOST,
};

pub(crate) const SHORT: &[Scenario] = &[
    Scenario {
        name: "healthy",
        summary: "Three healthy load balancers with daily traffic; p99 a few seconds.",
        minutes: 60,
        load_balancers: 3,
        plans: &[
            Plan { name: "storefront", groups: 2, swing: 0.4, ..HEALTHY },
            Plan { name: "api", rate: 1_200.0, swing: 0.3, targets: 4, host: TASKS, ..HEALTHY },
            Plan { name: "media", rate: 400.0, swing: 0.5, timeout: 120, ..HEALTHY },
        ],
        network: Some("ingest"),
        gateways: &[],
        fleet: false,
    },
    Scenario {
        name: "slow_burn",
        summary: "In checkout 4 % of the requests grow slower until they reach the idle \
                  timeout: near misses from about minute 15, 504s from about minute 28, \
                  repaired about minute 50.",
        minutes: 70,
        load_balancers: 3,
        plans: &[
            Plan {
                name: "checkout",
                rate: 1_900.0,
                swing: 0.1,
                groups: 2,
                trouble: SLOW_BURN,
                ..HEALTHY
            },
            Plan { ..HEALTHY },
            Plan { name: "search", rate: 1_300.0, ..HEALTHY },
        ],
        network: None,
        gateways: &[],
        fleet: false,
    },
    Scenario {
        name: "traffic_ramp",
        summary: "Load on orders climbs past the capacity of its four targets: requests \
                  queue, all latencies grow, then 504s; the load falls and it recovers.",
        minutes: 70,
        load_balancers: 2,
        plans: &[
            Plan {
                name: "orders",
                rate: 1_200.0,
                swing: 0.0,
                targets: 4,
                trouble: Trouble::Overload {
                    load: &[
                        (0.0, 1.0),
                        (8.0, 1.0),
                        (17.0, 1.63),
                        (40.0, 1.71),
                        (43.0, 0.9),
                        (70.0, 1.0),
                    ],
                    workers: 12,
                    service: 1.3,
                },
                ..HEALTHY
            },
            Plan { ..HEALTHY },
        ],
        network: None,
        gateways: &[],
        fleet: false,
    },
    Scenario {
        name: "connection_failures",
        summary: "From minute 15 to 40 targets of payments refuse nothing but accept \
                  nothing either: 8 % of the requests end as 504 after 10 s while p99 stays low.",
        minutes: 60,
        load_balancers: 2,
        plans: &[
            Plan {
                name: "payments",
                trouble: Trouble::Unreachable { from: 15, until: 40, share: 0.08 },
                ..HEALTHY
            },
            Plan { ..HEALTHY },
        ],
        network: None,
        gateways: &[],
        fleet: false,
    },
    Scenario {
        name: "quiet_night",
        summary: "0 to 6 requests per minute, now and then a single one of about 50 s; \
                  nothing fails.",
        minutes: 120,
        load_balancers: 1,
        plans: &[Plan {
            name: "intranet",
            rate: 1.6,
            swing: 0.0,
            targets: 2,
            trouble: Trouble::Sparse { block: 30 },
            ..HEALTHY
        }],
        network: None,
        gateways: &[],
        fleet: false,
    },
    Scenario {
        name: "quiet_and_busy",
        summary: "Two busy load balancers and two with no to three requests a minute each; \
                  nothing fails.",
        minutes: 120,
        load_balancers: 4,
        plans: &[
            Plan { ..HEALTHY },
            Plan { name: "intranet", rate: 1.2, swing: 0.0, targets: 2, ..HEALTHY },
            Plan { name: "search", rate: 1_300.0, ..HEALTHY },
            Plan { name: "reports", rate: 0.8, swing: 0.0, targets: 2, ..HEALTHY },
        ],
        network: None,
        gateways: &[],
        fleet: false,
    },
    Scenario {
        name: "sudden_hang",
        summary: "From minute 20 to 35 5 % of the requests to reports hang: 504s without \
                  any near miss before, and p99 never moves.",
        minutes: 60,
        load_balancers: 2,
        plans: &[
            Plan {
                name: "reports",
                trouble: Trouble::Hanging { from: 20, until: 35, share: 0.05 },
                ..HEALTHY
            },
            Plan { ..HEALTHY },
        ],
        network: None,
        gateways: &[],
        fleet: false,
    },
    Scenario {
        name: "resets",
        summary: "From minute 15 to 30 targets of accounts close connections under \
                  requests: 3 % answers 502, no 504 at all.",
        minutes: 50,
        load_balancers: 2,
        plans: &[
            Plan {
                name: "accounts",
                trouble: Trouble::Resets { from: 15, until: 30, share: 0.03 },
                ..HEALTHY
            },
            Plan { ..HEALTHY },
        ],
        network: None,
        gateways: &[],
        fleet: false,
    },
    Scenario {
        name: "fleet",
        summary: "Many load balancers with light traffic and different idle timeouts; one \
                  in fifty burns slowly.",
        minutes: 70,
        load_balancers: 50,
        plans: &[Plan { name: "svc", rate: 60.0, ..HEALTHY }],
        network: None,
        gateways: &[],
        fleet: true,
    },
    Scenario {
        name: "fleet_in_trouble",
        summary: "A fleet in which every load balancer has near misses in every minute, for \
                  a week: all of them are polled fast.",
        minutes: 7 * 24 * 60,
        load_balancers: 50,
        plans: &[Plan { name: "svc", rate: 60.0, trouble: NEAR_MISSES, ..HEALTHY }],
        network: None,
        gateways: &[],
        fleet: true,
    },
];
