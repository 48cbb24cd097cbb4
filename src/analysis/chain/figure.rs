//! A figure of a hop: how long, and who says so.
//!
//! A figure never travels without its origin: a person who is told that 60 s is
//! too short has to know which file, which answer of AWS or which document to
//! look at.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::product::Source;
use crate::analysis::quantity;

/// The five timers that a hop can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Timer {
    /// Until a connection to the next hop stands.
    #[serde(rename = "connect_timeout")]
    Connect,
    /// Between two reads from the next hop: inactivity, however long the whole
    /// response takes.
    #[serde(rename = "read_timeout")]
    Read,
    /// For the whole request.
    #[serde(rename = "total_timeout")]
    Total,
    /// How long a connection that was accepted may stay idle.
    KeepAlive,
    /// How long an idle connection to the next hop is kept for reuse.
    UpstreamKeepAlive,
}

impl Timer {
    /// All of them, in the order in which people read them.
    pub const ALL: [Self; 5] =
        [Self::Connect, Self::Read, Self::Total, Self::KeepAlive, Self::UpstreamKeepAlive];

    /// Its key in the config.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Connect => "connect_timeout",
            Self::Read => "read_timeout",
            Self::Total => "total_timeout",
            Self::KeepAlive => "keep_alive",
            Self::UpstreamKeepAlive => "upstream_keep_alive",
        }
    }

    /// Its name in a drawing.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Read => "read",
            Self::Total => "total",
            Self::KeepAlive => "keep-alive",
            Self::UpstreamKeepAlive => "upstream keep-alive",
        }
    }
}

/// When a timer fires. A longer limit is greater; none at all is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// After so long. Zero means, of a keep-alive, that nothing is kept.
    After(Duration),
    /// Never: the timer is off.
    Never,
}

impl Limit {
    /// After whole seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self::After(Duration::from_secs(seconds))
    }

    /// The length, unless it is off.
    #[must_use]
    pub fn length(self) -> Option<Duration> {
        match self {
            Self::After(length) => Some(length),
            Self::Never => None,
        }
    }

    /// So many of it, one after the other.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        self.length().map_or(Self::Never, |length| Self::After(length.saturating_mul(count)))
    }
}

/// `60 s`, `250 ms`, `none`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(length) if !length.is_zero() && length.as_millis() < 1_000 => {
                write!(f, "{} ms", length.as_millis())
            }
            Self::After(length) => f.write_str(&quantity::seconds(length.as_secs_f64())),
            Self::Never => f.write_str("none"),
        }
    }
}

/// The number of seconds, or `"never"`.
impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::After(length) => serializer.serialize_f64(length.as_secs_f64()),
            Self::Never => serializer.serialize_str("never"),
        }
    }
}

/// Who says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Our own config.
    Config,
    /// An answer of AWS.
    Aws {
        /// The call, such as `elasticloadbalancing:DescribeLoadBalancerAttributes`.
        call: String,
    },
    /// The product's own configuration file.
    File {
        /// As it was opened.
        path: String,
        /// Counted from 1.
        line: usize,
    },
    /// The product's documentation.
    Default {
        /// The product's name.
        product: &'static str,
        /// Where it stands.
        source: &'static Source,
        /// For which versions, if not for all.
        note: Option<&'static str>,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config => f.write_str("config"),
            Self::Aws { .. } => f.write_str("AWS"),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Default { product, note: None, .. } => write!(f, "default of {product}"),
            Self::Default { product, note: Some(note), .. } => {
                write!(f, "default of {product}; {note}")
            }
        }
    }
}

/// How long, and who says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// How long.
    #[serde(rename = "limit_seconds")]
    pub limit: Limit,
    /// Who says so.
    pub origin: Origin,
}

/// `60 s (default of nginx)`.
impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.limit, self.origin)
    }
}

/// What the caller found out about a hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Which hop, counted from 0 at the client.
    pub hop: usize,
    /// What was found out.
    pub said: Said,
    /// Who says so.
    pub origin: Origin,
}

/// One fact about a hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Said {
    /// One of its timers.
    Timer(Timer, Limit),
    /// How often it tries the next hop, the first time included.
    Attempts(u32),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_ordered_and_said_shortly() {
        let ms = |ms| Limit::After(Duration::from_millis(ms));
        assert!(Limit::Never > Limit::seconds(1_000_000));
        for (limit, words) in [
            (Limit::seconds(60), "60 s"),
            (ms(250), "250 ms"),
            (ms(1_500), "1.5 s"),
            (ms(0), "0 s"),
            (Limit::Never, "none"),
            (Limit::seconds(30).times(3), "90 s"),
            (Limit::Never.times(3), "none"),
        ] {
            assert_eq!(limit.to_string(), words);
        }
    }
}
