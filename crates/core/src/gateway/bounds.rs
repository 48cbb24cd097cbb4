//! The bounds of latency histograms, as shares of the timeout.

use crate::number::milliseconds;

/// The bucket bounds as shares of the timeout; the last is the timeout.
pub const BOUNDS: [f64; 10] = [0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0];

/// The number of the bound that is this share of the timeout.
#[must_use]
pub fn bound_at(share: f64) -> Option<u8> {
    let place = BOUNDS.iter().position(|bound| (bound - share).abs() < 1e-9)?;
    u8::try_from(place).ok()
}

/// The bound of this number in seconds, as CloudWatch is asked: `TC(:b)` counts
/// what took up to `b`, rounded to a millisecond.
#[must_use]
pub fn bound_seconds(number: u8, timeout: f64) -> f64 {
    milliseconds(BOUNDS.get(usize::from(number)).copied().unwrap_or(1.0) * timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_rise_to_the_timeout_and_are_whole_milliseconds() {
        assert!(BOUNDS.is_sorted() && BOUNDS.last() == Some(&1.0));
        for (number, timeout, seconds) in
            [(0, 60.0, 1.2), (7, 35.0, 28.0), (4, 0.1, 0.035), (9, 3.7, 3.7), (99, 5.0, 5.0)]
        {
            assert_eq!(bound_seconds(number, timeout).to_bits(), f64::to_bits(seconds));
        }
        assert_eq!((bound_at(0.8), bound_at(1.0), bound_at(0.75)), (Some(7), Some(9), None));
    }
}
