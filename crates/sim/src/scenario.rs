//! The scenarios, as data: who serves which load, and what goes wrong when.
//!
//! A scenario is a list of load balancer plans. Times are minutes after the
//! start, latencies are shares of the idle timeout or seconds as stated, so a
//! new story is a new table and not new code. The long ones are in
//! [`super::library`].

use std::sync::LazyLock;

use super::host::{HOST, Host, TASKS};
use super::library;
use super::tale::Tale;

/// One story the simulator can tell.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// The name a [`super::Setup`] asks for.
    pub name: &'static str,
    /// What happens, in one or two sentences.
    pub summary: &'static str,
    /// Length of the scripted part in minutes; afterwards the healthy baseline goes on.
    pub minutes: i64,
    /// How many load balancers the scenario has unless overridden.
    pub load_balancers: usize,
    /// Named plans first; further load balancers repeat the last one.
    pub(super) plans: &'static [Plan],
    /// Name of a network load balancer that only `DescribeLoadBalancers` shows.
    pub(super) network: Option<&'static str>,
    /// Whether load balancers are generated as a fleet instead of from the plans.
    pub(super) fleet: bool,
}

/// One load balancer of a scenario.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) name: &'static str,
    /// Mean requests per minute.
    pub(super) rate: f64,
    /// Relative swing of the load over the day (0 = flat).
    pub(super) swing: f64,
    /// Idle timeout in seconds.
    pub(super) timeout: u32,
    /// Number of target groups (1 or 2) and targets in each.
    pub(super) groups: usize,
    pub(super) targets: usize,
    pub(super) trouble: Trouble,
    /// Where its targets run.
    pub(super) host: Host,
}

/// What goes wrong at a load balancer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Trouble {
    /// Nothing.
    None,
    /// A class of requests (share of all) gets slower along the knots (minute,
    /// median as a share of the timeout; exponential in between) until repaired.
    Growing { share: f64, sigma: f64, knots: &'static [(f64, f64)], repaired: f64 },
    /// This share of the requests to the first target group finds no connection.
    Unreachable { from: i64, until: i64, share: f64 },
    /// This share of the requests is answered 502 within seconds.
    Resets { from: i64, until: i64, share: f64 },
    /// This share of the requests hangs at once, with no slow phase before.
    Hanging { from: i64, until: i64, share: f64 },
    /// The load follows (minute, factor) through targets with few workers.
    Overload {
        load: &'static [(f64, f64)],
        workers: usize,
        /// Median service time in seconds.
        service: f64,
    },
    /// A handful of requests; in every block of minutes one takes most of the timeout.
    Sparse { block: i64 },
    /// A long story with ingredients of its own.
    Tale(&'static Tale),
    /// The seed picks one of these plans.
    OneOf(&'static [Plan]),
}

impl Trouble {
    /// How many requests a bundled one stands for.
    pub(super) fn bundle(self) -> u32 {
        match self {
            Self::Tale(tale) => tale.bundle,
            _ => 1,
        }
    }

    /// Whether something harmful happens.
    pub(super) fn sick(self) -> bool {
        match self {
            Self::None | Self::Sparse { .. } => false,
            Self::Tale(tale) => tale.cause.is_some(),
            Self::OneOf(plans) => plans.iter().any(|plan| plan.trouble.sick()),
            _ => true,
        }
    }
}

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

/// The growing query of `slow_burn`: a slow creep between 80 % and 90 % of the
/// timeout, because a relative spread this small needs that long to show near
/// misses well before the first timeout.
pub(super) const SLOW_BURN: Trouble = Trouble::Growing {
    share: 0.04,
    sigma: 0.04,
    knots: &[(0.0, 0.10), (11.5, 0.66), (14.5, 0.80), (25.0, 0.89), (50.0, 1.12)],
    repaired: 50.0,
};

static ALL: LazyLock<Vec<Scenario>> = LazyLock::new(|| {
    [
        SHORT,
        library::HARMFUL,
        library::BENIGN,
        library::RETURNING,
        library::LEVELS,
        library::TIMEOUTS,
        library::FAILURES,
        library::NORMAL,
    ]
    .concat()
});

static SHORT: &[Scenario] = &[
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
        fleet: true,
    },
];

/// Every scenario there is.
#[must_use]
pub fn scenarios() -> &'static [Scenario] {
    &ALL
}

/// The scenario of this name.
pub(super) fn find(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

/// Value at a minute between (minute, value) knots, exponential in between.
pub(super) fn along(knots: &[(f64, f64)], minute: f64) -> f64 {
    let Some(first) = knots.first() else {
        return 0.0;
    };
    let mut before = *first;
    for &after in knots {
        if minute < after.0 {
            let width = after.0 - before.0;
            if width <= 0.0 {
                return after.1;
            }
            let part = (minute - before.0) / width;
            return before.1 * (after.1 / before.1).powf(part);
        }
        before = after;
    }
    before.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_grow_exponentially_between_knots_and_stay_outside() {
        let knots = [(0.0, 1.0), (10.0, 100.0)];
        assert!((along(&knots, 5.0) - 10.0).abs() < 1e-9);
        assert!((along(&knots, -3.0) - 1.0).abs() < 1e-9);
        assert!((along(&knots, 30.0) - 100.0).abs() < 1e-9);
    }

    #[test]
    fn scenario_names_are_unique_and_every_plan_has_a_name_aws_accepts() {
        for (index, one) in scenarios().iter().enumerate() {
            assert!(scenarios()[..index].iter().all(|other| other.name != one.name));
            assert!(
                one.plans.iter().all(|plan| {
                    plan.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
                })
            );
        }
    }
}
