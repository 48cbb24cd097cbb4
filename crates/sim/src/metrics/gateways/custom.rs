//! A metric of response times that somebody publishes himself, raw or as statistic sets.

use crate::faults::options::Sampled;
use crate::metrics::gateways::{Seen, Spot, Values, millis, timed_out};
use crate::world::Gateway;

/// The only place of the metric.
pub(crate) fn spots(one: &Gateway) -> Vec<Spot> {
    let dimensions = one.custom.iter().flat_map(|custom| custom.dimensions.clone());
    vec![Spot::whole(dimensions)]
}

/// The values of a minute, in the unit of the metric.
pub(crate) fn values(seen: &Seen) -> Values {
    let seconds = seen.gateway.custom.as_ref().is_some_and(|custom| custom.unit == "Seconds");
    let scale = if seconds { 1_000.0 } else { 1.0 };
    let sampled = seen.options().samples(Sampled::Custom);
    let all = seen.requests().filter(|(one, _)| !timed_out(*one) || sampled);
    all.map(|(one, times)| (millis(one.took) / scale, times)).collect()
}
