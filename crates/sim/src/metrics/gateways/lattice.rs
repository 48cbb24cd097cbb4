//! `AWS/VpcLattice`: services of VPC Lattice.
//!
//! It goes on publishing zeros where nobody comes, and nobody knows whether times are among
//! them.

use crate::faults::options::Sampled;
use crate::metrics::gateways::{Seen, Spot, Values, millis, timed_out, zones};
use crate::traffic::request::{Outcome, Request};
use crate::world::{Gateway, World};

/// The service, whole and by zone, and its target group.
pub(crate) fn spots(world: &World, one: &Gateway) -> Vec<Spot> {
    let named = world.setup.faults.options.lattice_named;
    let value = if named { &one.name } else { &one.id };
    let mut spots = zones(world, "Service", value);
    spots.push(Spot::whole([("Service", value.as_str())]));
    spots.push(Spot::whole([("TargetGroup", one.id.replace("svc-", "tg-"))]));
    spots
}

fn failed(one: Request) -> bool {
    timed_out(one) || matches!(one.outcome, Outcome::TargetError | Outcome::Reset | Outcome::Closed)
}

/// The values of a minute.
pub(crate) fn values(metric: &str, seen: &Seen) -> Values {
    let ones = |fits: &dyn Fn(Request) -> bool| {
        let count = seen.count(fits);
        match count {
            0 if seen.options().lattice_silent => Values::new(),
            0 => vec![(0.0, 1)],
            _ => vec![(1.0, count)],
        }
    };
    let kept = |one: Request| !timed_out(one) || seen.options().samples(Sampled::Lattice);
    match metric {
        "RequestTime" if seen.count(|_| true) == 0 => ones(&|_| false),
        "RequestTime" => {
            let all = seen.requests().filter(|(one, _)| kept(*one));
            all.map(|(one, times)| (millis(one.took), times)).collect()
        }
        "TotalRequestCount" => ones(&|_| true),
        "HTTPCode_2XX_Count" => ones(&|one| one.outcome == Outcome::Answered),
        "HTTPCode_4XX_Count" => ones(&|_| false),
        "HTTPCode_5XX_Count" => ones(&failed),
        "RequestTimeoutCount" => ones(&|one| one.outcome == Outcome::TimedOut),
        "ConnectionTimeoutCount" => ones(&|one| one.outcome == Outcome::Unreachable),
        _ => Values::new(),
    }
}
