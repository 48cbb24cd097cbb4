//! The scenarios there are, as tables.
//!
//! The short ones show one thing in an hour or two. Harmful ones, whose names begin with
//! an h, have a healthy week first and their fault on day 8 about 10:00, unless things
//! grow from the first day on. Benign ones, whose names begin with a b, are as long as it
//! takes to count false alarms per week. The seed moves levels and medians by up to a
//! tenth and the fault by up to twenty minutes.
//!
//! Besides there is one short scenario for each cause of a 504, 502 or 503, whose
//! fault begins about minute 120 and stays, and some in which nothing is wrong. Gateways of
//! other kinds have scenarios in [`gateways`].

mod benign;
mod connections;
mod failures;
mod gateways;
mod harmful;
mod ingress;
mod levels;
mod normal;
mod returning;
mod short;
mod timeouts;

use std::sync::LazyLock;

use benign::BENIGN;
use failures::FAILURES;
use gateways::{APIS, FUNCTIONS, OTHERS};
use harmful::HARMFUL;
use ingress::INGRESS;
use levels::LEVELS;
use normal::NORMAL;
use returning::RETURNING;
use short::SHORT;
use timeouts::TIMEOUTS;

use crate::scenario::host::HOST;
use crate::scenario::plan::{Plan, Scenario, Trouble};
use crate::scenario::script::{CALM, DAY, EVER, Script, Step, What, When};

static ALL: LazyLock<Vec<Scenario>> = LazyLock::new(|| {
    let balancers =
        [SHORT, HARMFUL, BENIGN, RETURNING, LEVELS, TIMEOUTS, FAILURES, NORMAL, INGRESS];
    [balancers.concat(), [FUNCTIONS, APIS, OTHERS].concat()].concat()
});

/// Every scenario there is.
#[must_use]
pub fn scenarios() -> &'static [Scenario] {
    &ALL
}

/// The scenario of this name.
pub(crate) fn find(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

/// Usual load balancer: 6 requests per second with a strong daily curve.
const SITE: Plan = Plan {
    name: "site",
    rate: 360.0,
    swing: 0.6,
    timeout: 60,
    groups: 1,
    targets: 4,
    trouble: Trouble::Script(&CALM),
    host: HOST,
};

const fn scenario(
    name: &'static str,
    summary: &'static str,
    days: i64,
    plans: &'static [Plan],
) -> Scenario {
    let minutes = days * DAY;
    Scenario {
        name,
        summary,
        minutes,
        load_balancers: 1,
        plans,
        network: None,
        gateways: &[],
        fleet: false,
    }
}

/// Minutes of a scenario about one cause.
const HOURS: i64 = 240;

/// A scenario about one cause.
const fn hours(name: &'static str, summary: &'static str, plans: &'static [Plan]) -> Scenario {
    Scenario { minutes: HOURS, ..scenario(name, summary, 1, plans) }
}

/// The load balancer of such a scenario: steady traffic, so that the time of day
/// does not matter.
const STEADY: Plan = Plan { rate: 600.0, swing: 0.1, ..SITE };

/// Its script: whatever happens begins about minute 120.
const BRIEF: Script = Script { pivot: 120, ..CALM };

/// The steady load balancer with a script.
const fn steady(script: &'static Script) -> Plan {
    Plan { trouble: Trouble::Script(script), ..STEADY }
}

/// The plan the seed picks.
const fn one_of(plans: &'static [Plan]) -> Plan {
    Plan { trouble: Trouble::OneOf(plans), ..STEADY }
}

/// Something that is on from the fault's start on.
const fn on(what: What) -> Step {
    from(0, what)
}

/// Something that is on from this many minutes after the fault's start on.
const fn from(minutes: i64, what: What) -> Step {
    Step { when: When::Pivot(minutes, EVER), what }
}

/// Something that is on during these minutes after the fault's start.
const fn during(from: i64, until: i64, what: What) -> Step {
    Step { when: When::Pivot(from, until), what }
}

/// Something that was always so.
const fn always(what: What) -> Step {
    Step { when: When::Pivot(-EVER, EVER), what }
}

/// The usual load balancer with a script.
const fn site(script: &'static Script) -> Plan {
    Plan { trouble: Trouble::Script(script), ..SITE }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_causes;
#[cfg(test)]
mod tests_events;
