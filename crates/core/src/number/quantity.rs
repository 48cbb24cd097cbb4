//! Numbers with a meaning, and how they are written.
//!
//! The types check themselves when a config is read, so that an error points
//! at the line; the functions are the one way in which a number enters a text.

use serde::{Deserialize, Serialize};

/// A share between 0 and 1, both excluded.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Ratio(f64);

impl Ratio {
    /// The share as a number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Ratio {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, String> {
        if value > 0.0 && value < 1.0 {
            Ok(Self(value))
        } else {
            Err(format!("expected a ratio between 0 and 1 (such as 0.8), found {value}"))
        }
    }
}

impl From<Ratio> for f64 {
    fn from(ratio: Ratio) -> Self {
        ratio.0
    }
}

/// A length of time, written with its unit: `"60s"`, `"1m 30s"`. Above zero and
/// at most 400 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(std::time::Duration);

impl Span {
    /// A span of whole seconds; zero becomes one.
    #[must_use]
    pub fn seconds(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds.max(1)))
    }

    /// As a standard duration.
    #[must_use]
    pub fn get(self) -> std::time::Duration {
        self.0
    }

    /// In whole minutes, rounded up.
    #[must_use]
    pub fn minutes(self) -> i64 {
        i64::try_from(self.0.as_secs().div_ceil(60)).unwrap_or(i64::MAX)
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let most = std::time::Duration::from_hours(400 * 24);
        let span = humantime::parse_duration(&text).map_err(|problem| {
            format!("expected a duration with a unit (such as \"60s\" or \"5m\"), found \"{text}\": {problem}")
        })?;
        if span.is_zero() || span > most {
            return Err(format!(
                "expected a duration above zero and up to 400 days, found \"{text}\""
            ));
        }
        Ok(Self(span))
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        humantime::format_duration(span.0).to_string()
    }
}

/// A count with thousands set apart: `9,812`.
#[must_use]
pub fn count(value: f64) -> String {
    let digits = format!("{:.0}", value.max(0.0));
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share in percent, with two significant digits: `1.3 %`, `0.042 %`, `24 %`. Only
/// nothing is `0 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{} %", telling(share * 100.0))
}

/// Seconds: `48 s`, `50.2 s`, `0.25 s`, `0.0031 s`.
#[must_use]
pub fn seconds(value: f64) -> String {
    let text = match value {
        v if v >= 10.0 => format!("{v:.1}"),
        v if v >= 0.1 => format!("{v:.2}"),
        v => telling(v),
    };
    format!("{} s", trimmed(&text))
}

/// A length of time as a person says it: `20 min`, `3 h`, `4.5 d`. Up to half a
/// day rounded to what a forecast can know.
#[must_use]
pub fn rough_time(seconds: f64) -> String {
    let minutes = seconds / 60.0;
    match minutes {
        m if m < 1.0 => "a minute".to_owned(),
        m if m < 20.0 => format!("{m:.0} min"),
        m if m < 85.0 => format!("{:.0} min", (m / 5.0).round() * 5.0),
        m if m < 1_440.0 => format!("{} h", trimmed(&format!("{:.1}", (m / 30.0).round() / 2.0))),
        m => format!("{} d", trimmed(&format!("{:.1}", m / 1_440.0))),
    }
}

/// Two significant digits, never fewer than all before the point; below a billionth there
/// is nothing to show.
#[must_use]
pub fn telling(value: f64) -> String {
    let before_the_point = value.log10().floor();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 10
    let decimals = (1.0 - before_the_point).clamp(0.0, 10.0) as usize;
    trimmed(&format!("{value:.decimals$}")).to_owned()
}

/// Without zeros that say nothing.
fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_shortly_and_nothing_that_is_there_is_zero() {
        for (said, expected) in [
            (count(0.0), "0"),
            (count(999.0), "999"),
            (count(1_234_567.0), "1,234,567"),
            (percent(0.013_25), "1.3 %"),
            (percent(0.000_42), "0.042 %"),
            (percent(1.0), "100 %"),
            (percent(0.0), "0 %"),
            (percent(0.000_004), "0.0004 %"),
            (percent(1.0 / 1_490_000.0), "0.000067 %"),
            (seconds(48.0), "48 s"),
            (seconds(50.23), "50.2 s"),
            (seconds(0.254), "0.25 s"),
            (seconds(0.0031), "0.0031 s"),
            (seconds(0.0), "0 s"),
            (telling(0.0), "0"),
            (telling(0.04), "0.04"),
            (telling(3.12), "3.1"),
        ] {
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn a_span_has_a_unit_and_a_limit() {
        assert_eq!(Span::try_from("90s".to_owned()).unwrap().minutes(), 2);
        for bad in ["", "60", "0s", "10 years", "-5s", "soon"] {
            assert!(Span::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_ratio_lies_between_its_ends() {
        for bad in [0.0, 1.0, -0.1, f64::NAN, 60.0] {
            assert!(Ratio::try_from(bad).is_err(), "{bad}");
        }
    }
}
