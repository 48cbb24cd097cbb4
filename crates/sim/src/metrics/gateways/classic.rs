//! `AWS/ELB`: Classic Load Balancers.
//!
//! Censored as Application Load Balancers are. Behind a TCP listener nobody knows of requests:
//! `Latency` is the time until a connection is established, and there are no codes.

use crate::metrics::gateways::{Seen, Spot, Values, zones};
use crate::rng::hash;
use crate::scenario::gateway::Listeners;
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

/// Whether a request comes through a TCP listener, behind which it is a connection.
fn is_connection(request: Request, listeners: Listeners) -> bool {
    match listeners {
        Listeners::Https => false,
        Listeners::Tcp => true,
        Listeners::Both => {
            let Request { took, zone, target, .. } = request;
            hash(&[u64::from(took), u64::from(zone), u64::from(target)]).is_multiple_of(2)
        }
    }
}

/// Whether it has a code, and a latency of its own.
fn is_request(one: Request, listeners: Listeners) -> bool {
    !is_connection(one, listeners)
}

/// Seconds that count for a request, if any do.
fn latency(one: Request, listeners: Listeners) -> Option<f64> {
    use Outcome::{Closed, Refused, Unreachable};
    if is_connection(one, listeners) {
        let reached = !matches!(one.outcome, Unreachable | Closed | Refused);
        return reached.then(|| connected(one));
    }
    one.outcome.sampled().then(|| seconds(one.took))
}

/// The values of a minute.
pub(crate) fn values(metric: &str, seen: &Seen, listeners: Listeners) -> Values {
    let ones = |fits: &dyn Fn(Outcome) -> bool| vec![(1.0, seen.count(|one| fits(one.outcome)))];
    let coded = |fits: &dyn Fn(Outcome) -> bool| {
        vec![(1.0, seen.count(|one| is_request(one, listeners) && fits(one.outcome)))]
    };
    match metric {
        "Latency" => {
            let all = seen.requests();
            all.filter_map(|(one, times)| Some((latency(one, listeners)?, times))).collect()
        }
        "RequestCount" => ones(&|one| !matches!(one, Outcome::Refused | Outcome::Rejected)),
        "BackendConnectionErrors" => {
            ones(&|one| matches!(one, Outcome::Unreachable | Outcome::Closed))
        }
        "SpilloverCount" => ones(&|one| one == Outcome::Refused),
        "HealthyHostCount" | "UnHealthyHostCount" if seen.count(|_| true) > 0 => {
            let nodes = if seen.zone.is_some() { 1 } else { ZONES.len() as u64 };
            let all = seen.source.targets();
            let ill = (seen.minute.signs.unhealthy.count_ones() as usize).min(all);
            let number = if metric == "HealthyHostCount" { all - ill } else { ill };
            vec![(number as f64, nodes)]
        }
        "HTTPCode_ELB_5XX" => coded(&|one| {
            let own = matches!(one, Outcome::Reset | Outcome::Closed | Outcome::Refused);
            own || one.is_504()
        }),
        "HTTPCode_Backend_2XX" => coded(&|one| matches!(one, Outcome::Answered | Outcome::Stalled)),
        "HTTPCode_Backend_5XX" => coded(&|one| one == Outcome::TargetError),
        _ => Values::new(),
    }
}
