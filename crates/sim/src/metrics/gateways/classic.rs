//! `AWS/ELB`: Classic Load Balancers.
//!
//! Censored as Application Load Balancers are. Behind a TCP listener nobody knows of requests:
//! `Latency` is the time until a connection is established, and there are no codes.

use crate::metrics::gateways::{Seen, Spot, Values, zones};
use crate::traffic::minute::seconds;
use crate::traffic::request::{Outcome, Request};
use crate::world::{Gateway, World, ZONES};

/// The load balancer, whole and by zone.
pub(crate) fn spots(world: &World, one: &Gateway) -> Vec<Spot> {
    let mut spots = zones(world, "LoadBalancerName", &one.name);
    spots.push(Spot::whole([("LoadBalancerName", one.name.as_str())]));
    spots
}

/// Seconds until a connection to a target is established: a few tenths of a millisecond.
fn connected(request: Request) -> f64 {
    0.000_2 + f64::from(request.took % 1_000) * 1e-6
}

/// The values of a minute.
pub(crate) fn values(metric: &str, seen: &Seen, tcp: bool) -> Values {
    let ones = |fits: &dyn Fn(Outcome) -> bool| vec![(1.0, seen.count(|one| fits(one.outcome)))];
    let reached =
        |one: Outcome| !matches!(one, Outcome::Unreachable | Outcome::Closed | Outcome::Refused);
    match metric {
        "Latency" if tcp => {
            let all = seen.requests().filter(|(one, _)| reached(one.outcome));
            all.map(|(one, times)| (connected(one), times)).collect()
        }
        "Latency" => {
            let all = seen.requests().filter(|(one, _)| one.outcome.sampled());
            all.map(|(one, times)| (seconds(one.took), times)).collect()
        }
        "RequestCount" => ones(&|one| !matches!(one, Outcome::Refused | Outcome::Rejected)),
        "BackendConnectionErrors" => {
            ones(&|one| matches!(one, Outcome::Unreachable | Outcome::Closed))
        }
        "SpilloverCount" => ones(&|one| one == Outcome::Refused),
        "HealthyHostCount" | "UnHealthyHostCount" if seen.count(|_| true) > 0 => {
            let nodes = if seen.zone.is_some() { 1 } else { ZONES.len() as u64 };
            let ill =
                (seen.minute.signs.unhealthy.count_ones() as usize).min(seen.source.targets());
            let well = seen.source.targets() - ill;
            vec![(if metric == "HealthyHostCount" { well } else { ill } as f64, nodes)]
        }
        _ if tcp => Values::new(),
        "HTTPCode_ELB_5XX" => ones(&|one| {
            let own = matches!(one, Outcome::Reset | Outcome::Closed | Outcome::Refused);
            own || one.is_504()
        }),
        "HTTPCode_Backend_2XX" => ones(&|one| matches!(one, Outcome::Answered | Outcome::Stalled)),
        "HTTPCode_Backend_5XX" => ones(&|one| one == Outcome::TargetError),
        _ => Values::new(),
    }
}
