//! The phases of one request, in their order.
//!
//! They are named for what a client waits for, because a timeout on the way can
//! only be seen as a wait: all that happens behind the first hop is in
//! [`Phase::FirstByte`] or [`Phase::Body`].

use std::fmt;

use serde::Serialize;

/// What the client waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The addresses of the name.
    Dns,
    /// A TCP connection to one of them.
    Connect,
    /// A proxy to open the way: its TLS, its own DNS and its own connection.
    Proxy,
    /// The TLS handshake.
    Tls,
    /// The request to leave.
    Send,
    /// The answer's status and headers.
    FirstByte,
    /// The rest of the answer.
    Body,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Dns => "DNS",
            Self::Connect => "TCP connect",
            Self::Proxy => "proxy",
            Self::Tls => "TLS handshake",
            Self::Send => "request sent",
            Self::FirstByte => "first byte",
            Self::Body => "body",
        })
    }
}
