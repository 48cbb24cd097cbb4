//! `AWS/ECS` as far as Service Connect publishes in it.
//!
//! The proxy answers 504 after its timeout, which counts as a 5XX of the service.

use crate::faults::options::Sampled;
use crate::metrics::gateways::{Seen, Spot, Values, millis, timed_out};
use crate::traffic::request::Outcome;
use crate::world::Gateway;

/// Name of the cluster.
const CLUSTER: &str = "prod";

/// The service by the name it is found by, alone and with that of the ECS service.
pub(crate) fn spots(one: &Gateway) -> Vec<Spot> {
    let name = ("TargetDiscoveryName", one.name.as_str());
    let service = [name, ("ClusterName", CLUSTER), ("ServiceName", one.name.as_str())];
    vec![Spot::whole([name]), Spot::whole(service)]
}

/// The values of a minute.
pub(crate) fn values(metric: &str, seen: &Seen) -> Values {
    let ones = |fits: &dyn Fn(Outcome) -> bool| vec![(1.0, seen.count(|one| fits(one.outcome)))];
    match metric {
        "TargetResponseTime" => {
            let sampled = seen.options().samples(Sampled::Connect);
            let scale = if seen.options().connect_seconds { 1_000.0 } else { 1.0 };
            let all = seen.requests().filter(|(one, _)| !timed_out(*one) || sampled);
            all.map(|(one, times)| (millis(one.took) / scale, times)).collect()
        }
        "RequestCount" => ones(&|_| true),
        "HTTPCode_Target_2XX_Count" => ones(&|one| one == Outcome::Answered),
        "HTTPCode_Target_5XX_Count" => ones(&|one| one != Outcome::Answered),
        _ => Values::new(),
    }
}
