//! What a family of metrics is: one row of a table.

use std::sync::Arc;

use nearmiss_core::Report;
use nearmiss_core::detect::Evaluation;
use nearmiss_core::gateway::Gateway;
use nearmiss_core::series::snapshot::TargetGroup;
use nearmiss_core::state::GatewayState;
use prometheus::proto::MetricType;

/// What is known of one gateway when a poll ends.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Which gateway.
    pub gateway: &'a Arc<Gateway>,
    /// Its latest report; `None` when the latest poll did not get its data.
    pub report: Option<&'a Report>,
    /// Its counters and positions.
    pub state: Option<&'a GatewayState>,
}

/// A family of metrics.
#[derive(Debug, Clone, Copy)]
pub struct Family<R> {
    /// Its name on the page, with the `_total` of a counter.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: MetricType,
    /// What it means, in one line.
    pub help: &'static str,
    /// Its labels; those of a gateway beside the ones that all of its series have.
    pub labels: &'static [&'static str],
    /// Where its samples come from.
    pub read: R,
}

impl<R> Family<R> {
    /// The unit that its name ends with, if any: a base unit of Prometheus.
    #[must_use]
    pub fn unit(&self) -> Option<&'static str> {
        unit(self.name)
    }
}

/// The unit that a family's name ends with.
#[must_use]
pub(super) fn unit(name: &str) -> Option<&'static str> {
    let name = name.strip_suffix("_total").unwrap_or(name);
    let units = ["seconds", "bytes", "ratio"];
    units.into_iter().find(|unit| name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_')))
}

/// Where the samples of a gateway's family come from. Absence is `None`: what is not known
/// is not on the page.
#[derive(Debug, Clone, Copy)]
pub enum Read {
    /// One sample.
    One(fn(&Known) -> Option<f64>),
    /// One for each value of its labels, in their order.
    Each {
        /// How many there are.
        values: usize,
        /// The values of its labels in this place.
        labels: fn(usize) -> Vec<&'static str>,
        /// The sample in this place.
        read: fn(&Known, usize) -> Option<f64>,
    },
    /// One for each detector that judged it.
    Detector(fn(&Evaluation) -> Option<f64>),
    /// One for each of its target groups.
    TargetGroup(fn(&TargetGroup) -> Option<f64>),
    /// The histogram of its latencies.
    Latencies,
    /// Always 1, with its other names and its tags as labels.
    Info,
}
