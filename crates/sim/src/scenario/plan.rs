//! The parts of a scenario: who serves which load, and what goes wrong when.
//!
//! A scenario is a list of load balancer plans. Times are minutes after the
//! start, latencies are shares of the idle timeout or seconds as stated, so a
//! new story is a new table in [`crate::library`] and not new code.

use crate::scenario::gateway::{Behind, Kind};
use crate::scenario::host::{HOST, Host};
use crate::scenario::script::Script;

/// One story of the simulator.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// The name a [`crate::Setup`] asks for.
    pub name: &'static str,
    /// What happens, in one or two sentences.
    pub summary: &'static str,
    /// Length of the scripted part in minutes; afterwards the healthy baseline goes on.
    pub minutes: i64,
    /// How many load balancers the scenario has unless overridden.
    pub load_balancers: usize,
    /// Named plans first; further load balancers repeat the last one. None, and there are no
    /// load balancers.
    pub(crate) plans: &'static [Plan],
    /// Name of a network load balancer that only `DescribeLoadBalancers` shows.
    pub(crate) network: Option<&'static str>,
    /// What there is besides load balancers.
    pub(crate) gateways: &'static [GatewayPlan],
    /// Whether load balancers are generated as a fleet instead of from the plans.
    pub(crate) fleet: bool,
}

/// One load balancer of a scenario.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    /// Mean requests per minute.
    pub(crate) rate: f64,
    /// Relative swing of the load over the day (0 = flat).
    pub(crate) swing: f64,
    /// Idle timeout in seconds.
    pub(crate) timeout: u32,
    /// Number of target groups (1 or 2) and targets in each.
    pub(crate) groups: usize,
    pub(crate) targets: usize,
    pub(crate) trouble: Trouble,
    /// Where its targets run.
    pub(crate) host: Host,
}

/// One gateway of a scenario.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GatewayPlan {
    /// Its name; two REST APIs may share one.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) parts: &'static [Part],
    /// Minute of the scenario in which it is deleted, if it is.
    pub(crate) deleted: Option<i64>,
    /// How many functions there are like it besides, with less traffic.
    pub(crate) copies: usize,
}

/// A part of a gateway's traffic, which ends after a timeout of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    /// Method and path of an API, name of an origin; else of no account.
    pub(crate) name: &'static str,
    pub(crate) plan: Plan,
    /// Parts with the same address have the same requests, if it is not empty.
    pub(crate) stream: &'static str,
    pub(crate) behind: Behind,
}

/// Everyday traffic of a part, to be changed.
pub(crate) const BASE: Plan = Plan {
    name: "",
    rate: 300.0,
    swing: 0.1,
    timeout: 60,
    groups: 1,
    targets: 1,
    trouble: Trouble::None,
    host: HOST,
};

/// A part that servers answer, with requests of its own.
pub(crate) const fn part(name: &'static str, plan: Plan) -> Part {
    Part { name, plan, stream: "", behind: Behind::Servers }
}

/// What goes wrong at a load balancer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
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
    Script(&'static Script),
    /// The seed picks one of these plans.
    OneOf(&'static [Plan]),
}

impl Trouble {
    /// How many requests a bundled one stands for.
    pub(crate) fn bundle(self) -> u32 {
        match self {
            Self::Script(script) => script.bundle,
            _ => 1,
        }
    }

    /// Whether something harmful happens.
    pub(crate) fn sick(self) -> bool {
        match self {
            Self::None | Self::Sparse { .. } => false,
            Self::Script(script) => script.cause.is_some(),
            Self::OneOf(plans) => plans.iter().any(|plan| plan.trouble.sick()),
            _ => true,
        }
    }
}

/// The growing query of `slow_burn`: a slow creep between 80 % and 90 % of the
/// timeout, because a relative spread this small needs that long to show near
/// misses well before the first timeout.
pub(crate) const SLOW_BURN: Trouble = Trouble::Growing {
    share: 0.04,
    sigma: 0.04,
    knots: &[(0.0, 0.10), (11.5, 0.66), (14.5, 0.80), (25.0, 0.89), (50.0, 1.12)],
    repaired: 50.0,
};

/// A query that takes nine tenths of the timeout, and stays so.
pub(crate) const NEAR_MISSES: Trouble = Trouble::Growing {
    share: 0.04,
    sigma: 0.02,
    knots: &[(0.0, 0.9)],
    repaired: 7.0 * 24.0 * 60.0,
};

/// Value at a minute between (minute, value) knots, exponential in between.
pub(crate) fn along(knots: &[(f64, f64)], minute: f64) -> f64 {
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
}
