//! The library of long scenarios: a table of harmful ones and one of benign ones.
//!
//! Harmful ones have a healthy week first and their fault on day 8 about 10:00,
//! unless things grow from the first day on. Benign ones are as long as it takes
//! to count false alarms per week. The seed moves levels and medians by up to a
//! tenth and the fault by up to twenty minutes.

mod benign;
mod harmful;

pub(super) use benign::BENIGN;
pub(super) use harmful::HARMFUL;

use super::scenario::{Plan, Scenario, Trouble};
use super::tale::{CALM, DAY, Tale};

/// Usual load balancer: 6 requests per second with a strong daily curve.
const SITE: Plan = Plan {
    name: "site",
    rate: 360.0,
    swing: 0.6,
    timeout: 60,
    groups: 1,
    targets: 4,
    trouble: Trouble::Tale(&CALM),
};

const fn scenario(
    name: &'static str,
    summary: &'static str,
    days: i64,
    plans: &'static [Plan],
) -> Scenario {
    let minutes = days * DAY;
    Scenario { name, summary, minutes, load_balancers: 1, plans, network: None, fleet: false }
}

/// The usual load balancer with a tale.
const fn site(tale: &'static Tale) -> Plan {
    Plan { trouble: Trouble::Tale(tale), ..SITE }
}

#[cfg(test)]
mod tests;
