//! Scenarios of Lambda functions.

use super::super::{BRIEF, always, during, on};
use super::{gateway, of, traffic};
use crate::scenario::gateway::Kind;
use crate::scenario::plan::{GatewayPlan, Plan, Scenario, part};
use crate::scenario::script::{Class, EVER, Incident, QUICK, Script, Step, What, When, Who};

/// A function, with half a GiB of memory.
const FUNCTION: Kind = Kind::Function { memory: 512 };

/// A function in which nothing happens.
const CALM: GatewayPlan = gateway("thumbnails", FUNCTION, &[part("", traffic(30, healthy!(30.0)))]);

pub(crate) const FUNCTIONS: &[Scenario] = &[
    of(
        "lambda_healthy",
        "Three functions with timeouts of 30 s, 3 s and 15 minutes; nothing happens.",
        &[
            CALM,
            gateway("token-check", FUNCTION, &[part("", traffic(3, healthy!(3.0)))]),
            gateway(
                "nightly-export",
                FUNCTION,
                &[part("", Plan { rate: 1.5, ..traffic(900, healthy!(900.0)) })],
            ),
        ],
    ),
    of(
        "lambda_slow_burn",
        "4 % of the invocations of report-render grow slower until they reach its timeout of 60 s.",
        &[gateway("report-render", FUNCTION, &[part("", traffic(60, slow_burn!(60.0)))]), CALM],
    ),
    of(
        "lambda_long",
        "The same with a timeout of 15 minutes and ten invocations a minute: points grow for a \
         quarter of an hour.",
        &[gateway(
            "video-encode",
            FUNCTION,
            &[part("", Plan { rate: 10.0, ..traffic(900, slow_burn!(900.0, 0.2)) })],
        )],
    ),
    of(
        "lambda_step",
        "From one minute to the next a tenth of the invocations takes 0.87 timeouts.",
        &[gateway("price-quote", FUNCTION, &[part("", traffic(10, step!(10.0)))]), CALM],
    ),
    of(
        "lambda_hang",
        "For an hour every invocation ends at the timeout of 15 s.",
        &[gateway("partner-sync", FUNCTION, &[part("", traffic(15, hang!(15.0)))]), CALM],
    ),
    of(
        "lambda_cold_starts",
        "Every half hour or so a third of the invocations takes a third of the timeout more for \
         three minutes, because functions start anew; nothing is wrong.",
        &[gateway(
            "search-index",
            FUNCTION,
            &[part(
                "",
                traffic(
                    20,
                    &Script {
                        mix: everyday!(20.0),
                        steps: &[Step {
                            when: When::Random { every: 30, length: 3 },
                            what: What::Wait(0.33, 6.6),
                        }],
                        ..BRIEF
                    },
                ),
            )],
        )],
    ),
    of(
        "lambda_throttled",
        "Twenty-five invocations may be under way at once; five times the load for an hour is \
         more than that, and what is more is throttled.",
        &[gateway(
            "checkout-hook",
            FUNCTION,
            &[part(
                "",
                traffic(
                    20,
                    &Script {
                        cause: Some("concurrency"),
                        repaired: Some(60),
                        workers: 25,
                        mix: &[Class { median: 1.2, sigma: 0.4, ..QUICK }],
                        steps: &[always(What::Limit), during(0, 60, What::Load(&[(0.0, 5.0)]))],
                        ..BRIEF
                    },
                ),
            )],
        )],
    ),
    of(
        "lambda_deleted",
        "thumbnails-old is deleted in minute 120; thumbnails goes on.",
        &[GatewayPlan { name: "thumbnails-old", deleted: Some(120), ..CALM }, CALM],
    ),
    of(
        "lambda_async",
        "One event in fifty is never handled in time from about minute 120 on: it is tried three \
         times, a minute and two minutes apart, and every time ends at the timeout.",
        &[gateway(
            "mail-events",
            FUNCTION,
            &[part(
                "",
                traffic(
                    30,
                    &Script {
                        mix: everyday!(30.0),
                        cause: Some("hang"),
                        incident: Incident::Count,
                        steps: &[always(What::Redeliver(2)), on(What::Hang(0.02, 90.0))],
                        ..BRIEF
                    },
                ),
            )],
        )],
    ),
    of(
        "lambda_aliases",
        "A function with two aliases, which share its metrics; the invocations of the second grow \
         slower until they reach the timeout.",
        &[gateway(
            "catalogue",
            FUNCTION,
            &[
                part("live", traffic(30, healthy!(30.0))),
                part("canary", Plan { rate: 30.0, ..traffic(30, slow_burn!(30.0)) }),
            ],
        )],
    ),
    of(
        "lambda_fleet",
        "Two hundred functions, most with few invocations; one in a hundred burns slowly.",
        &[GatewayPlan { copies: 199, ..CALM }],
    ),
];
