//! One load balancer that serves a whole cluster: an ingress group of forty services.

use super::{BRIEF, STEADY, hours};
use crate::scenario::host::{HOST, Host, Kind};
use crate::scenario::plan::{Plan, Scenario, Trouble};
use crate::scenario::script::{Class, EVER, Incident, QUICK, Script, Step, What, When, Who};

/// Namespaces and services; the names of some differ only after their eighth letter.
const SERVICES: &[(&str, &str)] = &[
    ("shop", "checkout-api"),
    ("shop", "checkout-worker"),
    ("shop", "checkout-admin"),
    ("shop", "cart"),
    ("shop", "catalogue"),
    ("shop", "catalogue-search"),
    ("shop", "recommendations"),
    ("shop", "reviews"),
    ("shop", "wishlist"),
    ("shop", "storefront"),
    ("payments", "payments-api"),
    ("payments", "payments-hooks"),
    ("payments", "payments-ledger"),
    ("payments", "refunds"),
    ("payments", "invoices"),
    ("payments", "fraud-score"),
    ("logistics", "shipments"),
    ("logistics", "tracking"),
    ("logistics", "warehouse"),
    ("logistics", "returns"),
    ("identity", "login"),
    ("identity", "tokens"),
    ("identity", "profiles"),
    ("reporting", "report-export"),
    ("reporting", "report-viewer"),
    ("reporting", "dashboards"),
    ("platform", "feature-flags"),
    ("platform", "notifications"),
    ("platform", "mailer"),
    ("platform", "webhooks"),
    ("platform", "media"),
    ("platform", "thumbnails"),
    ("partners", "partner-api"),
    ("partners", "partner-sync"),
    ("partners", "feeds"),
    ("internal", "backoffice"),
    ("internal", "support-desk"),
    ("internal", "audit-log"),
    ("internal", "status"),
    ("internal", "docs"),
];

/// How many services there are.
const COUNT: usize = SERVICES.len();
/// The service that dies slowly (`report-export`), and its share of the requests.
const SICK: usize = 23;
const SHARE: f64 = 0.005;

/// A class of requests for each service, the first ones the busiest: shares fall as those of
/// words in a text do.
const MIX: [Class; COUNT] = {
    let mut all = [QUICK; COUNT];
    let mut sum = 0.0;
    let mut at = 0;
    while at < COUNT {
        all[at].share = 1.0 / (at as f64 + 3.0);
        all[at].median = 0.06 + 0.03 * (at % 11) as f64;
        all[at].group = at as u8;
        if at != SICK {
            sum += all[at].share;
        }
        at += 1;
    }
    at = 0;
    while at < COUNT {
        all[at].share *= (1.0 - SHARE) / sum;
        at += 1;
    }
    all[SICK].share = SHARE;
    all[SICK].median = 6.0;
    all[SICK].sigma = 0.12;
    all[SICK].spread = 0.02;
    all
};

/// Pods behind a load balancer of the controller.
const PODS: Host = Host { kind: Kind::Pods, services: SERVICES, ..HOST };

const CLUSTER: Plan = Plan {
    name: "k8s-shop-5d41402abc",
    rate: 3_000.0,
    groups: COUNT,
    targets: 2,
    host: PODS,
    ..STEADY
};

pub(crate) const INGRESS: &[Scenario] = &[
    hours(
        "ingress",
        "An ingress group of forty services behind one load balancer; report-export, which has \
         0.5 % of the requests, grows slower within two hours until they reach the timeout.",
        &[Plan {
            trouble: Trouble::Script(&Script {
                cause: Some("slow_endpoint"),
                pivot: 60,
                incident: Incident::Count,
                mix: &MIX,
                steps: &[Step {
                    when: When::Pivot(0, EVER),
                    what: What::Slow(
                        Who::Class(SICK),
                        &[(0.0, 1.0), (40.0, 6.0), (110.0, 9.2), (150.0, 11.0)],
                    ),
                }],
                ..BRIEF
            }),
            ..CLUSTER
        }],
    ),
    hours(
        "ingress_healthy",
        "The same forty services, and nothing happens.",
        &[Plan { trouble: Trouble::Script(&Script { mix: &MIX, ..BRIEF }), ..CLUSTER }],
    ),
];
