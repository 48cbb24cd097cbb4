//! Times as nginx writes them: `60`, `60s`, `1m30s`, `500ms`, `"1h 30m"`. Pure.
//!
//! The same state machine as nginx's own (`ngx_parse_time`, for values in milliseconds),
//! with its oddities: units from the longest to the shortest, none longer than a week, and
//! a number without a unit counts seconds wherever it is.

use std::time::Duration;

/// How far into the units a value is; each may only be followed by a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Start,
    Weeks,
    Days,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
    /// A space has ended a number without a unit.
    Last,
}

impl Step {
    /// The step of the unit that begins with a byte.
    fn of(byte: u8, next: Option<u8>) -> Option<Self> {
        match (byte, next) {
            (b'w', _) => Some(Self::Weeks),
            (b'd', _) => Some(Self::Days),
            (b'h', _) => Some(Self::Hours),
            (b'm', Some(b's')) => Some(Self::Milliseconds),
            (b'm', _) => Some(Self::Minutes),
            (b's', _) => Some(Self::Seconds),
            (b' ', _) => Some(Self::Last),
            _ => None,
        }
    }

    /// Whether it may come after another one.
    fn follows(self, before: Self) -> bool {
        match self {
            Self::Last => before < Self::Seconds,
            unit => before < unit,
        }
    }

    /// Milliseconds of its unit.
    fn scale(self) -> u64 {
        match self {
            Self::Weeks => 7 * 24 * 3_600_000,
            Self::Days => 24 * 3_600_000,
            Self::Hours => 3_600_000,
            Self::Minutes => 60_000,
            Self::Start | Self::Seconds | Self::Last => 1_000,
            Self::Milliseconds => 1,
        }
    }
}

/// The length, or `None` where nginx says "invalid value".
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.as_bytes();
    let (mut total, mut value, mut step, mut valid) = (0_u64, 0_u64, Step::Start, false);
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte.is_ascii_digit() {
            value = value.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
            valid = true;
            continue;
        }
        let unit = Step::of(byte, rest.first().copied()).filter(|unit| unit.follows(step))?;
        if unit == Step::Milliseconds {
            rest = rest.get(1..).unwrap_or_default();
        }
        total = sum(total, value, unit)?;
        while let [b' ', tail @ ..] = rest {
            rest = tail;
        }
        (value, step) = (0, unit);
    }
    valid.then_some(())?;
    sum(total, value, Step::Last).map(Duration::from_millis)
}

/// Both together, in milliseconds, as far as nginx's signed numbers reach.
fn sum(total: u64, value: u64, unit: Step) -> Option<u64> {
    let sum = total.checked_add(value.checked_mul(unit.scale())?)?;
    i64::try_from(sum).is_ok().then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_nginx_reads_them() {
        for (text, expected) in [
            ("60", Some(60_000)),
            ("60s", Some(60_000)),
            ("1m30s", Some(90_000)),
            ("1m 30s", Some(90_000)),
            ("1m30", Some(90_000)),
            ("500ms", Some(500)),
            ("1s500ms", Some(1_500)),
            ("1h", Some(3_600_000)),
            ("1w1d", Some(8 * 24 * 3_600_000)),
            ("1d 2h 3m 4s 5ms", Some(93_784_005)),
            ("0", Some(0)),
            ("5 5", Some(10_000)),
            ("1s2", Some(3_000)),
            ("1hm", Some(3_600_000)),
            (" 5", Some(5_000)),
            ("9223372036854775", Some(9_223_372_036_854_775_000)),
        ] {
            assert_eq!(parse(text), expected.map(Duration::from_millis), "{text}");
        }
        for text in [
            "",
            " ",
            "s",
            "ms",
            "1.5s",
            "30s1m",
            "1s1s",
            "1M",
            "1y",
            "-1",
            "off",
            "1 minute",
            "1 m",
            "5 5s",
            "1 1 1",
            "99999999999999999999",
            "9223372036854775807",
            "5ms5ms",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
