//! What `CloudWatch` makes of the requests: which of them count for a metric, and from
//! when on.
//!
//! Below the service that answers queries, because the simulator's own summaries ask the
//! same.

pub(crate) mod gateways;
pub(crate) mod place;
pub(crate) mod resolved;
pub(crate) mod series;
pub(crate) mod summary;
pub(crate) mod view;
