//! How long CloudWatch may be late, and how long it keeps minutes.

/// CloudWatch keeps one-minute data for 15 days; what is older than that by the
/// time it is asked for would look empty, so an hour is left.
pub const RETENTION_MINUTES: i64 = (15 * 24 - 1) * 60;

/// How long CloudWatch may add to a minute, and how long a steady traffic that vanished
/// from most of an account is taken for its delay.
pub(super) const LATE_MINUTES: i64 = 240;
