//! A figure of a hop: how long, and who says so.
//!
//! A figure never travels without its origin: whoever reads that 60 s is too short has to
//! know which file, which answer of AWS or which document to look at.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::number::quantity;

/// The five timers that a hop can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Timer {
    /// Until a connection to the next hop is established.
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

    /// What it bounds, where a product says nothing else.
    #[must_use]
    pub const fn scope(self) -> Scope {
        match self {
            Self::Connect => Scope::Attempt,
            Self::Total => Scope::Request,
            Self::Read | Self::KeepAlive | Self::UpstreamKeepAlive => Scope::Inactivity,
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

/// What a timer bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// A whole request, however many parts it has.
    Request,
    /// One attempt of several.
    Attempt,
    /// One statement, of which a request may run many.
    Statement,
    /// The time in which nothing moves, however long the whole takes.
    Inactivity,
}

impl Scope {
    /// What a duration that is bounded is called: `60 s without a byte`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Request => "in all",
            Self::Attempt => "for an attempt",
            Self::Statement => "for a statement",
            Self::Inactivity => "without a byte",
        }
    }
}

/// When a timer fires. A longer limit is greater; none at all is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// After this long. Zero means, of a keep-alive, that nothing is kept.
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

    /// This many of it, one after the other.
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
    /// The config of nearmiss.
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
        /// Whether the figure was seen in its source.
        confirmed: bool,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config => f.write_str("config"),
            Self::Aws { .. } => f.write_str("AWS"),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Default { product, note, confirmed, .. } => {
                write!(f, "default of {product}")?;
                note.map_or(Ok(()), |note| write!(f, "; {note}"))?;
                if *confirmed { Ok(()) } else { f.write_str("; not confirmed") }
            }
        }
    }
}

/// How long, of what, and who says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// How long.
    #[serde(rename = "limit_seconds")]
    pub limit: Limit,
    /// What it bounds.
    pub scope: Scope,
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
    /// How often it tries the next hop.
    Attempts(Tries),
    /// One of its timers depends on something that is not known.
    Doubt(Timer, Doubt),
}

/// How often a hop tries the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tries {
    /// The first time included.
    pub count: u32,
    /// No attempt begins later than that after the first one.
    pub within: Limit,
    /// What is tried again, if that is not what the product usually does.
    pub repeats: Option<Repeats>,
    /// Which requests, if not those of the product.
    pub which: Option<&'static str>,
}

impl Tries {
    /// This many, and as the product does it.
    #[must_use]
    pub const fn of(count: u32) -> Self {
        Self { count, within: Limit::Never, repeats: None, which: None }
    }
}

/// Why a timer is not known although its files were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Doubt {
    /// It is different from some version on.
    Version {
        /// What it was before.
        before: Limit,
        /// What it is since.
        since: Limit,
        /// Since this version.
        version: Version,
    },
    /// The `Connection` header that it sends depends on the request.
    Header,
    /// Where it passes requests on to depends on the request.
    Target,
}

/// `none before 1.29.7, 60 s since`
impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = |limit: &Limit| match limit.length() {
            Some(length) if length.is_zero() => "none".to_owned(),
            _ => limit.to_string(),
        };
        match self {
            Self::Version { before, since, version } => {
                write!(f, "{} before version {version}, {} since", kept(before), kept(since))
            }
            Self::Header => f.write_str("the Connection header that it sends is a variable"),
            Self::Target => f.write_str("where it passes requests on to is a variable"),
        }
    }
}

impl Serialize for Doubt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A version of three numbers, such as `1.28.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub [u32; 3]);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([major, minor, patch]) = self;
        write!(f, "{major}.{minor}.{patch}")
    }
}

/// Reads `1.28.0` and what programs print of it: `nginx/1.28.0 (Ubuntu)`,
/// `openresty/1.27.1.2`.
impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.rsplit('/').next().and_then(|text| text.split_whitespace().next());
        let mut parts = number.unwrap_or_default().split('.');
        let mut part = || parts.next()?.parse().ok();
        match (part(), part(), part()) {
            (Some(major), Some(minor), Some(patch)) => Ok(Self([major, minor, patch])),
            _ => Err("expected a version of three numbers, such as \"1.28.0\"".to_owned()),
        }
    }
}

/// A document that has a figure.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Its name.
    pub document: &'static str,
    /// Where it stands.
    pub url: &'static str,
    /// When it was read, or for which version.
    pub read: &'static str,
}

/// `nginx, Module ngx_http_proxy_module (2026-11), https://...`
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}), {}", self.document, self.read, self.url)
    }
}

/// What is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeats {
    /// Connecting only.
    Connecting,
    /// The request itself, when nothing was answered in time.
    Requests,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_programs_print_them() {
        for (text, expected) in [
            ("1.28.0", Some([1, 28, 0])),
            ("nginx/1.22.1", Some([1, 22, 1])),
            ("nginx/1.18.0 (Ubuntu)", Some([1, 18, 0])),
            ("openresty/1.27.1.2", Some([1, 27, 1])),
            ("1.29", None),
            ("", None),
            ("1.x.2", None),
        ] {
            assert_eq!(text.parse().ok(), expected.map(Version), "{text}");
        }
        assert!(
            Version([1, 29, 7]) > Version([1, 29, 6]) && Version([2, 0, 0]) > Version([1, 99, 0])
        );
    }

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
