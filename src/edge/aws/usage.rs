//! What was asked of AWS, and what that costs.

use std::collections::BTreeMap;

use super::fault::ErrorKind;

/// How many calls were made, by action and outcome (`ok` or the name of an [`ErrorKind`]),
/// and what CloudWatch will charge for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Calls by (action, outcome).
    pub calls: BTreeMap<(&'static str, &'static str), u64>,
    /// Metrics requested, as CloudWatch bills them.
    pub billed_metrics: u64,
}

impl Usage {
    /// Counts one more call.
    pub fn call(&mut self, action: &'static str, fault: Option<ErrorKind>) {
        *self.calls.entry((action, fault.map_or("ok", ErrorKind::name))).or_default() += 1;
    }

    /// Adds another tally to this one.
    pub fn add(&mut self, other: Self) {
        for (key, calls) in other.calls {
            *self.calls.entry(key).or_default() += calls;
        }
        self.billed_metrics += other.billed_metrics;
    }
}
