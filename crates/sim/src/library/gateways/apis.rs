//! Scenarios of REST APIs and HTTP APIs.

use super::super::{BRIEF, during, on};
use super::{gateway, of, traffic};
use crate::scenario::gateway::{Api, Behind, Kind};
use crate::scenario::plan::{BASE, Part, Plan, Scenario, part};
use crate::scenario::script::{Class, EVER, Incident, QUICK, Script, Step, What, When, Who};

/// A REST API with metrics of the stage alone.
const REST: Api =
    Api { stage: "prod", detailed: false, namesake: false, authorized: false, drafted: None };
/// An HTTP API with the usual stage.
const HTTP: Api = Api { stage: "$default", ..REST };

/// Answers of the API itself, as it gives them to browsers that ask what they may.
const MOCK: Part = Part { behind: Behind::Mock, ..part("OPTIONS /orders", BASE) };

/// A part that a function answers, whose requests the function has as well.
const fn function(name: &'static str, of: &'static str, plan: Plan) -> Part {
    Part { stream: of, behind: Behind::Function(of, None), ..part(name, plan) }
}

/// Parts with these names in which nothing happens, and one that burns slowly.
macro_rules! many {
    ($($name:literal),*) => {
        &[
            $(part($name, Plan { rate: 20.0, ..traffic(29, healthy!(29.0)) }),)*
            part("GET /reports", Plan { rate: 20.0, ..traffic(29, slow_burn!(29.0, 0.5)) }),
        ]
    };
}

/// Methods of a large API.
const MANY: &[Part] = many![
    "GET /accounts",
    "GET /addresses",
    "GET /baskets",
    "GET /brands",
    "GET /campaigns",
    "GET /categories",
    "GET /channels",
    "GET /comments",
    "GET /coupons",
    "GET /currencies",
    "GET /customers",
    "GET /deliveries",
    "GET /discounts",
    "GET /events",
    "GET /exports",
    "GET /favourites",
    "GET /gifts",
    "GET /images",
    "GET /imports",
    "GET /inventory",
    "GET /invoices",
    "GET /labels",
    "GET /languages",
    "GET /locations",
    "GET /messages",
    "GET /notes",
    "GET /offers",
    "GET /orders",
    "GET /packages",
    "GET /payments"
];

pub(crate) const APIS: &[Scenario] = &[
    of(
        "rest_healthy",
        "A REST API with two methods and answers of its own; nothing happens.",
        &[gateway(
            "orders-api",
            Kind::Rest(REST),
            &[
                part("GET /orders", traffic(29, healthy!(29.0))),
                part("POST /orders", traffic(29, healthy!(29.0))),
                MOCK,
            ],
        )],
    ),
    of(
        "rest_slow_burn",
        "4 % of the requests of GET /reports grow slower until they reach 29 s.",
        &[gateway(
            "orders-api",
            Kind::Rest(REST),
            &[
                part("GET /orders", traffic(29, healthy!(29.0))),
                part("GET /reports", traffic(29, slow_burn!(29.0))),
                MOCK,
            ],
        )],
    ),
    of(
        "rest_step",
        "From one minute to the next a tenth of the requests takes 0.87 timeouts.",
        &[gateway("quotes", Kind::Rest(REST), &[part("GET /quotes", traffic(29, step!(29.0)))])],
    ),
    of(
        "rest_hang",
        "For an hour every request ends with 504 after 29 s.",
        &[gateway(
            "partners",
            Kind::Rest(REST),
            &[part("ANY /{proxy+}", traffic(29, hang!(29.0)))],
        )],
    ),
    of(
        "rest_timeouts",
        "Three timeouts in one stage, 29 s, 10 s and 3 s, with metrics of each method; what has \
         10 s grows slower until it reaches them.",
        &[gateway(
            "storefront-api",
            Kind::Rest(Api { detailed: true, ..REST }),
            &[
                part("GET /reports", traffic(29, healthy!(60.0))),
                part("GET /search", traffic(10, slow_burn!(10.0))),
                part("POST /cart", traffic(3, healthy!(3.0))),
                Part {
                    behind: Behind::Stream,
                    ..part("GET /events", traffic(300, healthy!(300.0)))
                },
                MOCK,
            ],
        )],
    ),
    of(
        "rest_namesakes",
        "Two REST APIs of the same name and stage, whose metrics are one series; the requests of \
         the second grow slower until they reach its timeout.",
        &[
            gateway("public", Kind::Rest(REST), &[part("GET /v1", traffic(29, healthy!(29.0)))]),
            gateway(
                "public",
                Kind::Rest(Api { namesake: true, ..REST }),
                &[part("GET /v2", traffic(29, slow_burn!(29.0)))],
            ),
        ],
    ),
    of(
        "rest_large",
        "A REST API of thirty-one paths, which are more than a page holds; one of them, with a \
         thirtieth of the requests, grows slower until it reaches 29 s.",
        &[gateway("platform", Kind::Rest(REST), MANY)],
    ),
    of(
        "rest_draft",
        "The draft has timeouts of 5 s that were never deployed; in the stage 29 s are in force.",
        &[gateway(
            "billing",
            Kind::Rest(Api { drafted: Some(5_000), ..REST }),
            &[part("GET /invoices", traffic(29, healthy!(60.0)))],
        )],
    ),
    of(
        "rest_authorizer",
        "An authorizer that takes 5 to 15 s for one request in fifty, which Latency holds and \
         IntegrationLatency does not: more than 29 s, and no error.",
        &[gateway(
            "members",
            Kind::Rest(Api { authorized: true, ..REST }),
            &[part(
                "GET /members",
                traffic(
                    29,
                    &Script {
                        mix: &[
                            Class { share: 0.95, ..QUICK },
                            Class { share: 0.05, median: 20.0, sigma: 0.03, spread: 0.0, ..QUICK },
                        ],
                        ..BRIEF
                    },
                ),
            )],
        )],
    ),
    of(
        "rest_names",
        "REST APIs with names that are not ASCII, of which the metrics keep what is; nothing \
         happens.",
        &[
            gateway(
                "bestellungen-f\u{fc}r-kunden",
                Kind::Rest(REST),
                &[part("GET /kunden", traffic(29, healthy!(29.0)))],
            ),
            gateway(
                "\u{6ce8}\u{6587}",
                Kind::Rest(REST),
                &[part("GET /orders", traffic(29, healthy!(29.0)))],
            ),
        ],
    ),
    of(
        "rest_lambda",
        "A function with a timeout of a minute behind a REST API, which gives up first: 504s of \
         the API while most of the invocations succeed.",
        &[
            gateway(
                "documents",
                Kind::Rest(REST),
                &[function("POST /documents", "documents-render", traffic(29, slow_burn!(29.0)))],
            ),
            gateway(
                "documents-render",
                FUNCTION,
                &[invoked("documents-render", traffic(60, slow_burn!(29.0)))],
            ),
        ],
    ),
    of(
        "rest_lambda_first",
        "A function with a timeout of 10 s behind a REST API: its timeouts are 502s of the API.",
        &[
            gateway(
                "invoices",
                Kind::Rest(REST),
                &[Part {
                    behind: Behind::Function("invoices-create", Some(29)),
                    ..function("POST /invoices", "invoices-create", traffic(10, slow_burn!(10.0)))
                }],
            ),
            gateway(
                "invoices-create",
                FUNCTION,
                &[invoked("invoices-create", traffic(10, slow_burn!(10.0)))],
            ),
        ],
    ),
    of(
        "rest_cold_starts",
        "Starts of a function last 6 s, which its API sees and its own durations do not; nothing \
         is wrong.",
        &[
            gateway(
                "profiles",
                Kind::Rest(REST),
                &[function(
                    "GET /profiles",
                    "profiles-read",
                    traffic(29, &Script { mix: everyday!(29.0), steps: &[cold(6.0)], ..BRIEF }),
                )],
            ),
            gateway(
                "profiles-read",
                FUNCTION,
                &[invoked(
                    "profiles-read",
                    traffic(30, &Script { mix: everyday!(29.0), steps: &[cold(0.0)], ..BRIEF }),
                )],
            ),
        ],
    ),
    of(
        "http_healthy",
        "An HTTP API with two routes; nothing happens.",
        &[gateway(
            "mobile",
            Kind::Http(HTTP),
            &[
                part("GET /feed", traffic(30, healthy!(30.0))),
                part("POST /likes", traffic(30, healthy!(30.0))),
            ],
        )],
    ),
    of(
        "http_websocket",
        "A WebSocket API, which is listed beside an HTTP API and has no latency of its own; \
         nothing happens.",
        &[
            gateway(
                "chat",
                Kind::Socket(Api { stage: "prod", ..HTTP }),
                &[part("POST $default", traffic(29, healthy!(29.0)))],
            ),
            gateway("mobile", Kind::Http(HTTP), &[part("GET /feed", traffic(30, healthy!(30.0)))]),
        ],
    ),
    of(
        "http_slow_burn",
        "4 % of the requests of GET /history grow slower until they reach 30 s; each route has \
         metrics of its own.",
        &[gateway(
            "mobile",
            Kind::Http(Api { detailed: true, ..HTTP }),
            &[
                part("GET /feed", traffic(30, healthy!(30.0))),
                part("GET /history", traffic(30, slow_burn!(30.0))),
            ],
        )],
    ),
    of(
        "http_hang",
        "For an hour every request ends with 503 after 30 s.",
        &[gateway("webhooks", Kind::Http(HTTP), &[part("POST /hooks", traffic(30, hang!(30.0)))])],
    ),
    of(
        "http_lambda",
        "A function of 20 s behind an HTTP API of 20 s: whose timeout is first is chance, so the \
         API's is; its requests grow slower.",
        &[
            gateway(
                "uploads",
                Kind::Http(HTTP),
                &[function("POST /uploads", "uploads-scan", traffic(20, slow_burn!(20.0)))],
            ),
            gateway(
                "uploads-scan",
                FUNCTION,
                &[invoked("uploads-scan", traffic(20, slow_burn!(20.0)))],
            ),
        ],
    ),
];

/// A function behind an API.
const FUNCTION: Kind = Kind::Function { memory: 512 };

/// The invocations of a function by an API, which has the same requests.
const fn invoked(name: &'static str, plan: Plan) -> Part {
    Part { stream: name, ..part("", plan) }
}

/// One request in twenty waits for a start of the function that lasts this many seconds.
const fn cold(seconds: f64) -> Step {
    Step { when: When::Pivot(-EVER, EVER), what: What::Wait(0.05, seconds) }
}
