//! Arguments that several commands have.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use chrono::Datelike;
use clap::ValueEnum;
use nearmiss::edge::time::Clock;

/// Which config.
#[derive(clap::Args)]
pub struct ConfigFile {
    /// The config file
    #[arg(long = "config", value_name = "FILE", env = "NEARMISS_CONFIG")]
    pub path: PathBuf,
}

/// How a result is printed.
#[derive(Clone, Copy, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

/// How a diagnosis or a report is written.
#[derive(Clone, Copy, ValueEnum)]
pub enum Written {
    Text,
    Json,
    Markdown,
}

/// When a scenario starts, seconds since the epoch or before now.
#[derive(Clone, Copy)]
pub enum Start {
    At(i64),
    BeforeNow(i64),
}

pub fn price(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(price) if (0.0..=1000.0).contains(&price) => Ok(price),
        _ => Err("expected dollars, a number between 0 and 1000".into()),
    }
}

/// The years that [`Start`] allows: there is no data of others.
const YEARS: RangeInclusive<i32> = 1971..=2199;
/// How far back a time may be at most.
const LONGEST_AGO: Duration = Duration::from_hours(24 * 366 * 10);

impl Start {
    /// Seconds since the epoch, at a whole minute.
    pub fn resolve(self) -> i64 {
        let seconds = match self {
            Self::At(seconds) => seconds,
            Self::BeforeNow(seconds) => Clock::System.now() - seconds,
        };
        seconds - seconds.rem_euclid(60)
    }
}

/// A time, or how long before now.
pub fn start(text: &str) -> Result<Start, String> {
    if let Some(before) = text.strip_prefix('-') {
        let before = humantime::parse_duration(before).map_err(|error| error.to_string())?;
        if before > LONGEST_AGO {
            return Err("expected at most ten years before now".to_owned());
        }
        return Ok(Start::BeforeNow(i64::try_from(before.as_secs()).unwrap_or(i64::MAX)));
    }
    let time = chrono::DateTime::parse_from_rfc3339(text).map_err(|_| {
        "expected a time such as 2026-01-05T09:00:00Z, or -10m for ten minutes before now"
            .to_owned()
    })?;
    let year = time.to_utc().year();
    if YEARS.contains(&year) {
        return Ok(Start::At(time.timestamp()));
    }
    Err(format!("expected a year from {} to {}, found {year}", YEARS.start(), YEARS.end()))
}
