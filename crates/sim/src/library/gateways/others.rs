//! Scenarios of distributions, Classic Load Balancers, VPC Lattice, ECS Service Connect and
//! custom metrics, and one with a gateway of every kind.

use super::super::{BRIEF, STEADY, during, on};
use super::{gateway, of, traffic};
use crate::scenario::gateway::{Api, Behind, Custom, Kind, Listeners, Shown};
use crate::scenario::plan::{BASE, GatewayPlan, Part, Plan, Scenario, Trouble, part};
use crate::scenario::script::{Class, EVER, Incident, QUICK, Script, What, Who};

/// A distribution with additional metrics that tries origins three times.
const PAID: Kind = Kind::Distribution { monitored: true, attempts: 3 };
/// A bucket, which has no timeout anybody may set.
const BUCKET: Part = Part { behind: Behind::Mock, ..part("assets", BASE) };
/// A response time that a service measures itself.
const CHECKOUT: Custom = Custom {
    namespace: "Shop/Checkout",
    metric: "ResponseTime",
    dimensions: &[("Environment", "prod"), ("Service", "checkout")],
    unit: "Milliseconds",
    sets: false,
};

/// An API with metrics of its stage alone.
const API: Api =
    Api { stage: "prod", detailed: false, namesake: false, authorized: false, drafted: None };
/// A service of VPC Lattice in which nothing happens.
const LATTICE: GatewayPlan =
    gateway("inventory", Kind::Lattice, &[part("", traffic(60, healthy!(60.0)))]);
/// A service called through Service Connect in which nothing happens.
const CONNECT: GatewayPlan = gateway(
    "ledger",
    Kind::Connect { shown: Shown::Timeout },
    &[part("", traffic(15, healthy!(15.0)))],
);
/// A Classic Load Balancer in which nothing happens.
const CLASSIC: GatewayPlan = gateway(
    "legacy-web",
    Kind::Classic { listeners: Listeners::Https },
    &[part("", Plan { targets: 3, ..traffic(60, healthy!(60.0)) })],
);
/// A custom metric in which nothing happens.
const CUSTOM: GatewayPlan =
    gateway("checkout", Kind::Custom(&CHECKOUT), &[part("", traffic(30, healthy!(30.0)))]);
/// A distribution in which nothing happens.
const SITE: GatewayPlan = gateway("www", PAID, &[part("web", traffic(30, healthy!(30.0))), BUCKET]);

pub(crate) const OTHERS: &[Scenario] = &[
    of(
        "cloudfront_healthy",
        "A distribution with a server and a bucket; nothing happens.",
        &[SITE],
    ),
    of(
        "cloudfront_slow_burn",
        "4 % of the requests to the origin grow slower until they reach 30 s; then they are tried \
         again, and half of the further attempts are answered.",
        &[gateway("www", PAID, &[part("web", traffic(30, slow_burn!(30.0))), BUCKET])],
    ),
    of(
        "cloudfront_hang",
        "For an hour no first attempt is answered.",
        &[gateway("www", PAID, &[part("web", traffic(30, hang!(30.0)))])],
    ),
    of(
        "cloudfront_unmonitored",
        "The same growth, and nobody pays for the additional metrics.",
        &[gateway(
            "www",
            Kind::Distribution { monitored: false, attempts: 3 },
            &[part("web", traffic(30, slow_burn!(30.0)))],
        )],
    ),
    of(
        "cloudfront_origins",
        "Two origins with timeouts of 10 s and 60 s, of which there is one latency: every tenth \
         request to the second takes about 20 s, as always.",
        &[gateway(
            "portal",
            PAID,
            &[
                part("web", traffic(10, healthy!(10.0))),
                part(
                    "reports",
                    traffic(
                        60,
                        &Script {
                            mix: &[
                                Class { share: 0.9, ..QUICK },
                                Class { share: 0.1, median: 20.0, sigma: 0.1, ..QUICK },
                            ],
                            ..BRIEF
                        },
                    ),
                ),
            ],
        )],
    ),
    of("classic_healthy", "A Classic Load Balancer; nothing happens.", &[CLASSIC]),
    of(
        "classic_slow_burn",
        "4 % of the requests of a Classic Load Balancer grow slower until they reach 60 s.",
        &[gateway(
            "legacy-web",
            Kind::Classic { listeners: Listeners::Https },
            &[part("", Plan { targets: 3, ..traffic(60, slow_burn!(60.0)) })],
        )],
    ),
    of(
        "classic_tcp",
        "The same behind a TCP listener, where Latency is the time until connected, beside one \
         that is healthy.",
        &[
            gateway(
                "legacy-tcp",
                Kind::Classic { listeners: Listeners::Tcp },
                &[part("", Plan { targets: 3, ..traffic(60, slow_burn!(60.0)) })],
            ),
            CLASSIC,
        ],
    ),
    of(
        "classic_mixed",
        "A Classic Load Balancer with a listener of each sort: half of its latencies are times \
         until connected, while 4 % of all requests grow slower until they reach 60 s.",
        &[gateway(
            "legacy-mixed",
            Kind::Classic { listeners: Listeners::Both },
            &[part("", Plan { targets: 3, ..traffic(60, slow_burn!(60.0)) })],
        )],
    ),
    of("lattice_healthy", "A service of VPC Lattice; nothing happens.", &[LATTICE]),
    of(
        "lattice_slow_burn",
        "4 % of the requests of a service of VPC Lattice grow slower until they reach 60 s.",
        &[gateway("pricing", Kind::Lattice, &[part("", traffic(60, slow_burn!(60.0)))]), LATTICE],
    ),
    of(
        "lattice_sparse",
        "A request every two minutes: zeros in between.",
        &[gateway(
            "archive",
            Kind::Lattice,
            &[part("", Plan { rate: 0.5, ..traffic(60, healthy!(60.0)) })],
        )],
    ),
    of(
        "connect_healthy",
        "A service called through ECS Service Connect; nothing happens.",
        &[CONNECT],
    ),
    of(
        "connect_slow_burn",
        "4 % of the requests grow slower until they reach the 15 s that are written down.",
        &[gateway(
            "ledger",
            Kind::Connect { shown: Shown::Timeout },
            &[part("", traffic(15, slow_burn!(15.0)))],
        )],
    ),
    of(
        "connect_default",
        "The same where no timeout is written down, and 15 s are in force.",
        &[gateway(
            "ledger",
            Kind::Connect { shown: Shown::Nothing },
            &[part("", traffic(15, slow_burn!(15.0)))],
        )],
    ),
    of(
        "connect_off",
        "The same growth where zero is written down: there is no timeout.",
        &[gateway(
            "ledger",
            Kind::Connect { shown: Shown::Zero },
            &[part("", traffic(4_000, slow_burn!(15.0)))],
        )],
    ),
    of("custom_healthy", "A custom metric of raw values; nothing happens.", &[CUSTOM]),
    of(
        "custom_slow_burn",
        "4 % of the requests of a custom metric grow slower until they reach 30 s.",
        &[gateway("checkout", Kind::Custom(&CHECKOUT), &[part("", traffic(30, slow_burn!(30.0)))])],
    ),
    of(
        "custom_sets",
        "The same published as statistic sets, which have no percentiles.",
        &[gateway(
            "checkout",
            Kind::Custom(&Custom { sets: true, ..CHECKOUT }),
            &[part("", traffic(30, slow_burn!(30.0)))],
        )],
    ),
    Scenario {
        load_balancers: 1,
        plans: &[Plan { name: "web", trouble: Trouble::Script(&BRIEF), ..STEADY }],
        ..of(
            "every_kind",
            "One gateway of every kind beside a load balancer; of the functions one burns slowly, \
             and for an hour no request of the HTTP API is answered.",
            &[
                gateway(
                    "render",
                    Kind::Function { memory: 512 },
                    &[part("", traffic(60, slow_burn!(60.0)))],
                ),
                gateway("api", Kind::Rest(API), &[part("GET /items", traffic(29, healthy!(29.0)))]),
                gateway(
                    "app",
                    Kind::Http(Api { stage: "$default", ..API }),
                    &[part("GET /app", traffic(30, hang!(30.0)))],
                ),
                SITE,
                CLASSIC,
                LATTICE,
                CONNECT,
                CUSTOM,
                gateway(
                    "quotes",
                    Kind::Function { memory: 256 },
                    &[part("", traffic(10, step!(10.0)))],
                ),
            ],
        )
    },
];
