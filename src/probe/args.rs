//! The command line of a probe.

use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use hyper::header::{HeaderName, HeaderValue};

use crate::edge::probe::{Method, Options, Resolve, Target, Trust};
use nearmiss_core::answer::speaker::Hop;
use nearmiss_core::answer::timeouts::Timeout;

const EXAMPLES: &str = "\
Examples:
  nearmiss probe https://shop.example.com/report
  nearmiss probe https://shop.example.com/ --resolve shop.example.com:443:203.0.113.7
  nearmiss probe https://shop.example.com/ --configured alb.idle_timeout=120s --format json

One request over HTTP/1.1, no retry; a redirect is not followed. Sent with
User-Agent: nearmiss/VERSION, unless --header gives another one.
Exit codes: 0 answered below 500, 1 an error of 500 or more or no answer,
2 the command line is wrong, 3 it could not be asked (name not found).";

/// What `nearmiss probe` takes.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct ProbeArgs {
    /// What to ask for: http://... or https://...
    pub url: Target,
    /// How to ask; both change nothing
    #[arg(long, value_enum, ignore_case = true, default_value_t = Method::Get)]
    pub method: Method,
    /// For everything. The default is longer than the default idle timeout of a load balancer (60s)
    #[arg(long, value_name = "DURATION", default_value = "70s", value_parser = length)]
    pub timeout: Duration,
    /// For the TCP connection, all addresses together
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = length)]
    pub connect_timeout: Duration,
    /// How much of the body to read, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1024 * 1024)]
    pub max_body: u64,
    /// Send this header; may be given again
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<Header>,
    /// Use this address for this host and port, as curl does; may be given again
    #[arg(long, value_name = "HOST:PORT:ADDRESS")]
    pub resolve: Vec<Resolve>,
    /// Believe any certificate
    #[arg(short = 'k', long)]
    pub insecure: bool,
    /// A timeout that is set on the way, by hop, name and length; may be given again
    #[arg(long, value_name = "HOP.NAME=DURATION")]
    pub configured: Vec<Configured>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// How to print a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a person.
    Text,
    /// For a program.
    Json,
}

/// One header to send.
#[derive(Debug, Clone)]
pub struct Header(HeaderName, HeaderValue);

/// One timeout of [`ProbeArgs::configured`].
#[derive(Debug, Clone)]
pub struct Configured(Timeout);

impl ProbeArgs {
    /// How to ask.
    #[must_use]
    pub fn options(&self) -> Options {
        Options {
            method: self.method,
            timeout: self.timeout,
            connect_timeout: self.connect_timeout,
            most_body: self.max_body,
            headers: self.headers.iter().map(|Header(n, v)| (n.clone(), v.clone())).collect(),
            resolve: self.resolve.clone(),
            trust: if self.insecure { Trust::Anybody } else { Trust::Verified },
            ..Options::default()
        }
    }

    /// The timeouts that were given as set on the way.
    #[must_use]
    pub fn configured(&self) -> Vec<Timeout> {
        self.configured.iter().map(|Configured(timeout)| timeout.clone()).collect()
    }
}

/// An hour is longer than anybody waits, and far from overflowing a clock.
fn length(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text).map_err(|error| error.to_string())? {
        length if length > Duration::from_hours(1) => Err("at most 1h".to_owned()),
        Duration::ZERO => Err("more than 0s".to_owned()),
        length => Ok(length),
    }
}

impl FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || "expected a header such as Accept: text/html".to_owned();
        let (name, value) = text.split_once(':').ok_or_else(bad)?;
        let name = name.trim().parse().map_err(|_| bad())?;
        let value = HeaderValue::from_str(value.trim()).map_err(|_| bad())?;
        Ok(Self(name, value))
    }
}

impl FromStr for Configured {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || "expected a timeout such as alb.idle_timeout=120s".to_owned();
        let (left, right) = text.rsplit_once('=').ok_or_else(bad)?;
        let (hop, name) = left.split_once('.').ok_or_else(bad)?;
        let hop: Hop = hop.parse()?;
        let length = humantime::parse_duration(right).map_err(|error| error.to_string())?;
        Ok(Self(Timeout::configured(hop, name, length)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        probe: ProbeArgs,
    }

    fn parse(args: &[&str]) -> Result<ProbeArgs, String> {
        let args = ["probe"].iter().chain(args);
        Cli::try_parse_from(args).map(|cli| cli.probe).map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_those_of_the_options() {
        let (given, default) = (parse(&["http://a/"]).unwrap().options(), Options::default());
        assert_eq!(format!("{given:?}"), format!("{default:?}"));
    }

    #[test]
    fn what_is_wrong_says_what_was_expected() {
        for (args, says) in [
            (vec!["a.example"], "http://a.example or https://a.example"),
            (vec!["http://a/", "--timeout", "0s"], "more than 0s"),
            (vec!["http://a/", "--timeout", "2h"], "at most 1h"),
            (vec!["http://a/", "-H", "nonsense"], "Accept: text/html"),
            (vec!["http://a/", "--resolve", "a:80"], "HOST:PORT:ADDRESS"),
            (vec!["http://a/", "--configured", "elb.x=1s"], "none of alb"),
            (vec!["http://a/", "--configured", "alb.x"], "alb.idle_timeout=120s"),
            (vec!["http://a/", "--method", "post"], "possible values: GET, HEAD"),
        ] {
            let error = parse(&args).unwrap_err();
            assert!(error.contains(says), "{args:?}: {error}");
        }
    }
}
