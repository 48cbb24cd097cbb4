//! What was measured of a gateway: minutes, quarter-hours, and what they say of other days.

pub mod arrival;
pub mod baseline;
pub mod forecast;
pub mod histogram;
pub mod history;
pub mod recurrence;
pub mod snapshot;
pub mod totals;
pub mod window;
