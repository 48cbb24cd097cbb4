//! Parts of a config that the edges use: how AWS things are named, schedules, quotas.
//!
//! They stand below [`edge`](crate::edge) and [`sink`](crate::sink), and
//! [`config`](crate::config) above both, so that a config is read with the types of the
//! modules that use it. Each value checks its form when it is read.

pub mod metrics;
pub mod names;
pub mod schedule;

use std::num::NonZeroU32;
use std::path::PathBuf;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// `[aws]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Aws {
    /// A PEM file with the certificates to trust instead of this machine's, in all calls to
    /// AWS; `None` for `AWS_CA_BUNDLE`.
    #[serde(deserialize_with = "a_path")]
    pub ca_bundle: Option<PathBuf>,
}

fn a_path<'de, D: Deserializer<'de>>(value: D) -> Result<Option<PathBuf>, D::Error> {
    let text = String::deserialize(value)?;
    if text.is_empty() {
        return Err(D::Error::custom("expected the path of a PEM file, found \"\""));
    }
    Ok(Some(PathBuf::from(text)))
}

/// `[quota]`: what the daemon may use of an account's quotas in each Region. AWS allows 50
/// requests and 180,000 datapoints a second of CloudWatch by default.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// `GetMetricData` requests a second.
    #[serde(deserialize_with = "up_to::<_, 1_000_000>")]
    pub requests_per_second: NonZeroU32,
    /// Datapoints a second that requests could return.
    #[serde(deserialize_with = "up_to::<_, 1_000_000_000>")]
    pub datapoints_per_second: NonZeroU32,
    /// Calls a second about one gateway after the other: its timeout, its target groups.
    /// What is known already is read again at a fifth of this.
    #[serde(deserialize_with = "up_to::<_, 10_000>")]
    pub describe_calls_per_second: NonZeroU32,
}

/// Reads a number from 1 to `MOST`.
fn up_to<'de, D: Deserializer<'de>, const MOST: u32>(from: D) -> Result<NonZeroU32, D::Error> {
    let found = i64::deserialize(from)?;
    let number = u32::try_from(found).ok().filter(|number| *number <= MOST);
    number.and_then(NonZeroU32::new).ok_or_else(|| {
        D::Error::custom(format!("expected a number from 1 to {MOST}, found {found}"))
    })
}

impl Default for Quotas {
    fn default() -> Self {
        let limit = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            requests_per_second: limit(25),
            datapoints_per_second: limit(90_000),
            describe_calls_per_second: limit(10),
        }
    }
}
