//! How long `CloudWatch` keeps points of which period.
//!
//! Points of a minute are kept for 15 days, of five minutes for 63 days, of an
//! hour for 455 days. A query whose period is too short for its age is no error:
//! it has no points there.

const DAY: i64 = 86_400;

/// Age in seconds at which points of a period (seconds) are gone.
fn kept(period: i64) -> i64 {
    match period {
        _ if period % 3_600 == 0 => 455 * DAY,
        _ if period % 300 == 0 => 63 * DAY,
        _ => 15 * DAY,
    }
}

/// The first epoch second from which on points of a period are kept.
pub(crate) fn since(period: i64, now: i64) -> i64 {
    now - kept(period)
}

/// `StartTime` rounded down as AWS does by its age; all in epoch seconds.
pub(crate) fn rounded(start: i64, now: i64) -> i64 {
    let step = match now - start {
        age if age > 63 * DAY => 3_600,
        age if age > 15 * DAY => 300,
        _ => 60,
    };
    start - start.rem_euclid(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_periods_are_kept_longer() {
        let age = |period| (1_000 * DAY - since(period, 1_000 * DAY)) / DAY;
        assert_eq!([60, 120, 300, 900, 3_600, 86_400].map(age), [15, 15, 63, 63, 455, 455]);
    }

    #[test]
    fn old_starts_are_rounded_down_further() {
        let now = 1_000 * DAY;
        let back = |days: i64| now - days * DAY + 34 * 60 + 56;
        assert_eq!(rounded(back(3), now), now - 3 * DAY + 34 * 60);
        assert_eq!(rounded(back(20), now), now - 20 * DAY + 30 * 60);
        assert_eq!(rounded(back(70), now), now - 70 * DAY);
    }
}
