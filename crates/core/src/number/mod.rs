//! Numbers: counts, shares, statistics, and how they are written for people.

pub mod quantity;
pub mod statistics;

/// A count that CloudWatch sent as a floating-point number. Casting saturates,
/// and what is no number is zero.
#[must_use]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates, see above
pub fn whole(count: f64) -> u64 {
    count.round() as u64
}

/// `part / whole`, or `None` of nothing.
#[must_use]
pub fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

/// Seconds, rounded to a millisecond: CloudWatch reads up to ten decimals, and a bound
/// like 0.8 * 35 must not be spelled 28.000000000000004.
#[must_use]
pub fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
