//! Scenarios of gateways that are no Application Load Balancers, a few hours each.
//!
//! Whatever happens begins about minute 120, moved by the seed. The shapes are the same for
//! all kinds, as shares of the timeout `$t` in seconds: what grows gets from a tenth of it
//! beyond it, and what steps stops below it.

/// Everyday requests: 3 % take about a tenth of the timeout.
macro_rules! everyday {
    ($t:expr) => {
        &[
            Class { share: 0.97, median: 0.004 * $t, sigma: 0.5, ..QUICK },
            Class { share: 0.03, median: 0.1 * $t, sigma: 0.2, spread: 0.03, ..QUICK },
        ]
    };
}

/// Nothing happens.
macro_rules! healthy {
    ($t:expr) => {
        &Script { mix: everyday!($t), ..BRIEF }
    };
}

/// 4 % of the requests grow slower until they reach the timeout, which takes about two hours.
macro_rules! slow_burn {
    ($t:expr) => {
        slow_burn!($t, 0.04)
    };
    ($t:expr, $share:expr) => {
        &Script {
            cause: Some("slow_endpoint"),
            pivot: 60,
            incident: Incident::Count,
            mix: &[
                Class { share: 1.0 - $share, median: 0.004 * $t, sigma: 0.5, ..QUICK },
                Class { share: $share, median: 0.1 * $t, sigma: 0.06, spread: 0.02, ..QUICK },
            ],
            steps: &[during(
                0,
                EVER,
                What::Slow(Who::Class(1), &[(0.0, 1.0), (40.0, 7.0), (100.0, 9.0), (140.0, 11.0)]),
            )],
            ..BRIEF
        }
    };
}

/// From one minute to the next a tenth of the requests takes 0.87 timeouts, and stays so.
macro_rules! step {
    ($t:expr) => {
        &Script {
            cause: Some("slow_endpoint"),
            incident: Incident::Count,
            mix: &[
                Class { share: 0.9, median: 0.004 * $t, sigma: 0.5, ..QUICK },
                Class { share: 0.1, median: 0.3 * $t, sigma: 0.04, spread: 0.01, ..QUICK },
            ],
            steps: &[on(What::Slow(Who::Class(1), &[(0.0, 2.9)]))],
            ..BRIEF
        }
    };
}

/// From one minute to the next no request is answered, for an hour.
macro_rules! hang {
    ($t:expr) => {
        &Script {
            cause: Some("hang"),
            repaired: Some(60),
            mix: everyday!($t),
            steps: &[during(0, 60, What::Hang(1.0, 3.0 * $t))],
            ..BRIEF
        }
    };
}

mod apis;
mod functions;
mod others;

pub(crate) use apis::APIS;
pub(crate) use functions::FUNCTIONS;
pub(crate) use others::OTHERS;

use crate::scenario::gateway::Kind;
use crate::scenario::plan::{BASE, GatewayPlan, Part, Plan, Scenario, Trouble};
use crate::scenario::script::Script;

use super::hours;

/// A scenario of these gateways alone.
const fn of(
    name: &'static str,
    summary: &'static str,
    gateways: &'static [GatewayPlan],
) -> Scenario {
    Scenario { load_balancers: 0, gateways, ..hours(name, summary, &[]) }
}

/// A gateway with these parts.
const fn gateway(name: &'static str, kind: Kind, parts: &'static [Part]) -> GatewayPlan {
    GatewayPlan { name, kind, parts, deleted: None, copies: 0 }
}

/// Traffic of 300 requests a minute that are given up after this many seconds.
const fn traffic(timeout: u32, script: &'static Script) -> Plan {
    Plan { timeout, trouble: Trouble::Script(script), ..BASE }
}
