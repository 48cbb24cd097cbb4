//! Where to ask: a URL that this probe can ask, and addresses given by hand.
//!
//! A [`Target`] that exists can be asked. A URL with a password is refused, because it
//! would be in every report.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use hyper::Uri;
use tokio_rustls::rustls::pki_types::ServerName;
use url::{Host, Url};

use crate::edge::net;

/// A URL of http or https with a host.
#[derive(Debug, Clone)]
pub struct Target {
    url: Url,
    host: Host<String>,
    port: u16,
    uri: Uri,
    server_name: Option<ServerName<'static>>,
}

/// Why a text is no [`Target`] or no [`Resolve`].
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// It has no scheme.
    #[error("{0} has no scheme: write http://{0} or https://{0}")]
    Scheme(String),
    /// It is no URL.
    #[error("{text} is not a URL")]
    Parse {
        /// What was given.
        text: String,
        /// What is wrong with it.
        source: url::ParseError,
    },
    /// It has another scheme.
    #[error("{0}: is neither http nor https, and nothing else can be probed")]
    OtherScheme(String),
    /// It has a user or a password.
    #[error("the URL has a user or a password: leave them out, and use --header")]
    Credentials,
    /// Its host cannot be in a certificate, or its path cannot be sent.
    #[error("{0} cannot be asked for")]
    Unaskable(String),
    /// It is not HOST:PORT:ADDRESS.
    #[error("{0} is not HOST:PORT:ADDRESS, such as example.com:443:192.0.2.7")]
    Resolve(String),
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let mut url = parse(text)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(TargetError::OtherScheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::Credentials);
        }
        url.set_fragment(None);
        let unaskable = || TargetError::Unaskable(text.to_owned());
        let host = url.host().ok_or_else(unaskable)?.to_owned();
        let port = url.port_or_known_default().ok_or_else(unaskable)?;
        let path = url[url::Position::BeforePath..].to_owned();
        let uri = Uri::try_from(path).map_err(|_| unaskable())?;
        let server_name = (url.scheme() == "https").then(|| name(&host)).transpose();
        let server_name = server_name.map_err(|()| unaskable())?;
        Ok(Self { url, host, port, uri, server_name })
    }
}

fn parse(text: &str) -> Result<Url, TargetError> {
    // `localhost:8080` parses as a URL of the scheme `localhost`.
    if !text.contains("://") {
        return Err(TargetError::Scheme(text.to_owned()));
    }
    Url::parse(text).map_err(|source| TargetError::Parse { text: text.to_owned(), source })
}

fn name(host: &Host<String>) -> Result<ServerName<'static>, ()> {
    match host {
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|_| ()),
        Host::Ipv4(address) => Ok(ServerName::from(IpAddr::from(*address))),
        Host::Ipv6(address) => Ok(ServerName::from(IpAddr::from(*address))),
    }
}

impl Target {
    /// The port, given or the scheme's own.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Which end is asked, if no proxy is.
    pub(super) fn peer(&self) -> Peer {
        let host = match &self.host {
            Host::Domain(name) => name.clone(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        Peer { host, port: self.port }
    }

    /// The value of the header `Host`: with the port only where it is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> String {
        match self.url.port() {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.to_string(),
        }
    }

    /// What is in the request's first line: the path, and for a proxy that passes the
    /// request on the whole URL.
    pub(super) fn uri(&self, is_passed_on: bool) -> Uri {
        if is_passed_on { self.url() } else { self.uri.clone() }
    }

    pub(super) fn url(&self) -> Uri {
        let whole = Uri::builder().scheme(self.url.scheme()).authority(self.authority());
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        // Its parts were checked when it was read.
        whole.path_and_query(path).build().unwrap_or_default()
    }

    pub(super) fn is_secure(&self) -> bool {
        self.server_name.is_some()
    }

    pub(super) fn server_name(&self) -> Option<ServerName<'static>> {
        self.server_name.clone()
    }
}

/// One end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peer {
    /// A name, or an address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Peer {
    pub(super) fn of(url: &Uri) -> Self {
        Self { host: net::host(url).to_owned(), port: net::port(url) }
    }

    /// The address, if the host is one.
    pub(super) fn literal(&self) -> Option<SocketAddr> {
        let address: IpAddr = self.host.parse().ok()?;
        Some((address, self.port).into())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

/// An address to use for a host and a port, as curl's `--resolve` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolve {
    host: String,
    to: SocketAddr,
}

impl Resolve {
    /// The address, if this one is meant.
    pub(super) fn address_of(&self, peer: &Peer) -> Option<SocketAddr> {
        let meant = self.host.eq_ignore_ascii_case(&peer.host) && self.to.port() == peer.port;
        meant.then_some(self.to)
    }
}

impl FromStr for Resolve {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let bad = || TargetError::Resolve(text.to_owned());
        let mut parts = text.splitn(3, ':');
        let (Some(host), Some(port), Some(address)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(bad());
        };
        let address = address.trim_start_matches('[').trim_end_matches(']');
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let port: u16 = port.parse().map_err(|_| bad())?;
        Ok(Self { host: host.to_owned(), to: (address, port).into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_knows_its_port_and_its_host_header() {
        for (text, port, authority, uri) in [
            ("http://a.example", 80, "a.example", "/"),
            ("https://a.example/x?y=1#z", 443, "a.example", "/x?y=1"),
            ("https://a.example:8443/", 8443, "a.example:8443", "/"),
            ("http://[::1]:81/x", 81, "[::1]:81", "/x"),
            ("http://192.0.2.7/a b", 80, "192.0.2.7", "/a%20b"),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!(target.port(), port, "{text}");
            assert_eq!(target.authority(), authority, "{text}");
            assert_eq!(target.uri(false).to_string(), uri, "{text}");
            let whole = format!("{}://{authority}{uri}", text.split(':').next().unwrap());
            assert_eq!(target.uri(true).to_string(), whole, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_asked_says_why() {
        for (text, says) in [
            ("localhost:80", "has no scheme"),
            ("ftp://a.example/", "neither http nor https"),
            ("http://", "is not a URL"),
            ("http://a.example:99999/", "is not a URL"),
            ("http://me:secret@a.example/", "--header"),
        ] {
            let error = text.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn an_address_by_hand_is_for_one_host_and_port() {
        let target: Target = "https://A.example/".parse().unwrap();
        for (text, address) in [
            ("a.example:443:192.0.2.7", Some("192.0.2.7:443")),
            ("a.example:443:[2001:db8::1]", Some("[2001:db8::1]:443")),
            ("a.example:443:2001:db8::1", Some("[2001:db8::1]:443")),
            ("a.example:80:192.0.2.7", None),
            ("b.example:443:192.0.2.7", None),
        ] {
            let resolve: Resolve = text.parse().unwrap();
            assert_eq!(
                resolve.address_of(&target.peer()),
                address.map(|a| a.parse().unwrap()),
                "{text}"
            );
        }
        for text in ["a.example", "a.example:443", "a.example:x:192.0.2.7", "a.example:443:b"] {
            assert!(text.parse::<Resolve>().is_err(), "{text}");
        }
    }
}
