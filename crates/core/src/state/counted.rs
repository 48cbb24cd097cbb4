//! A minute as it was counted.

use serde::{Deserialize, Serialize};

use crate::series::histogram::Buckets;
use crate::series::totals::Totals;
use crate::time::Minute;

/// A minute as it was counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Counted {
    #[serde(rename = "m")]
    pub(super) minute: Minute,
    /// The timeout that made a near miss, seconds.
    #[serde(rename = "t")]
    pub(super) timeout: f64,
    #[serde(flatten)]
    pub(super) totals: Totals,
    /// Whether it was counted as idle.
    #[serde(rename = "i", default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) idle: bool,
    /// What CloudWatch said of it last, where that is less.
    #[serde(skip)]
    pub(super) seen: Option<Box<Totals>>,
    #[serde(skip)]
    pub(super) buckets: Option<Box<Buckets>>,
}
