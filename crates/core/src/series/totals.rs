//! Counts of requests.

use serde::{Deserialize, Serialize};

/// Counts over all settled minutes since a gateway was first seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Requests that were answered or ended in 504.
    pub requests: u64,
    /// Requests that were answered close to the timeout.
    pub near_misses: u64,
    /// Requests that ended in 504.
    pub timeouts: u64,
}
