//! What a probe brings back, and the stopwatch that writes it.
//!
//! An [`Outcome`] is plain data: it can be printed, serialized and judged without the
//! connection that it came from. An answer and a failure do not exclude each other, because
//! a body may break after a good head.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Method, Options, Target};
use crate::edge::time::instant;
use nearmiss_core::answer::phase::Phase;

/// One attempt to connect.
#[derive(Debug, Clone, Serialize)]
pub struct Tried {
    /// The address.
    pub address: SocketAddr,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Why it failed; `None` if it did not.
    pub why: Option<Why>,
}

/// Whom to trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Peers with a certificate that this machine's roots vouch for.
    Verified,
    /// Any peer. Says nothing about who that is.
    Anybody,
}

/// How a connection is encrypted.
#[derive(Debug, Clone, Serialize)]
pub struct Secured {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: String,
    /// The cipher suite.
    pub cipher: String,
    /// The protocol agreed upon; `http/1.1` was offered.
    pub alpn: Option<String>,
    /// When the certificate expires (UTC, RFC 3339).
    pub certificate_expires: Option<String>,
    /// Whether the certificate was checked.
    pub trust: Trust,
}

/// Everything that one request showed.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// What was asked for, without its fragment.
    pub url: String,
    /// How it was asked for.
    pub method: Method,
    /// The phases that began, in their order. A phase that was not needed, such as DNS for
    /// an address, is absent.
    pub phases: Vec<Timing>,
    /// From the start to the end, in seconds.
    pub seconds: f64,
    /// Every address that was tried.
    pub tried: Vec<Tried>,
    /// The one that accepted the connection: the proxy's, if there is one between.
    pub address: Option<SocketAddr>,
    /// The proxy in between.
    pub proxy: Option<Via>,
    /// How it is encrypted.
    pub tls: Option<Secured>,
    /// The answer.
    pub answer: Option<Answer>,
    /// What failed.
    pub failure: Option<Failure>,
}

impl Outcome {
    /// How long a phase took, in seconds; `None` if it did not begin.
    #[must_use]
    pub fn seconds_in(&self, phase: Phase) -> Option<f64> {
        self.phases.iter().find(|timing| timing.phase == phase).map(|timing| timing.seconds)
    }
}

/// A proxy between us and the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Via {
    /// Where it is, without user and password.
    pub url: String,
    /// Whether it opened a tunnel (`CONNECT`), so that its own way to the server is the
    /// phase `proxy`. Otherwise it passed the request on, and that is in the first byte.
    pub tunnel: bool,
}

/// One phase on the time line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Timing {
    /// Which phase.
    pub phase: Phase,
    /// When it began, in seconds since the start.
    pub start: f64,
    /// How long it took, in seconds, up to its end or its failure.
    pub seconds: f64,
}

/// An answer's head, and as much of its body as is kept.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The first 64 headers, names in lower case, values up to 512 characters. The
    /// values of cookies are not kept.
    pub headers: Vec<(String, String)>,
    /// How many more headers there were.
    pub headers_left_out: usize,
    /// Where a redirect points. It is not followed.
    pub location: Option<String>,
    /// The first 4 KiB of the body, as text.
    pub body_start: String,
    /// Bytes of the body that were read.
    pub body_bytes: u64,
    /// How the body ended.
    pub body_end: BodyEnd,
}

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyEnd {
    /// As its headers promised.
    Complete,
    /// With our limit on bytes: there is more.
    AtOurLimit,
    /// With a failure.
    Broken,
}

/// Which phase ended badly, when and why.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// The phase.
    pub phase: Phase,
    /// How long it had taken, in seconds.
    pub seconds: f64,
    /// How long nothing had come, in seconds. Differs from `seconds` in a body.
    pub silent_seconds: f64,
    /// The kind of failure.
    pub why: Why,
    /// What the system or the library said.
    pub cause: Option<String>,
}

/// The kinds of failure that call for different answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Why {
    /// There is no such name.
    #[error("the name was not found")]
    NameNotFound,
    /// The name servers could not say, or not in time.
    #[error("the name servers gave no answer")]
    NameServers,
    /// Nothing listens there.
    #[error("the connection was refused")]
    Refused,
    /// The network has no route there.
    #[error("the network cannot reach it")]
    Unreachable,
    /// Nothing came back in time.
    #[error("it timed out")]
    TimedOut,
    /// The other side broke the connection (RST).
    #[error("the connection was reset")]
    Reset,
    /// The certificate is not trusted.
    #[error("the certificate is not good: {reason}")]
    Certificate {
        /// What is wrong with it.
        reason: String,
    },
    /// TLS failed before a certificate was judged.
    #[error("the TLS handshake failed")]
    Handshake,
    /// A variable names no usable proxy.
    #[error("no proxy can be used: {reason}")]
    NoProxy {
        /// Which, and why.
        reason: String,
    },
    /// The proxy did not open a tunnel.
    #[error("{reason}")]
    ProxyRefused {
        /// What it did instead.
        reason: String,
    },
    /// The connection was closed (FIN) before the head of an answer was complete.
    #[error("the connection was closed without an answer")]
    ClosedEarly,
    /// The answer is not HTTP/1.1.
    #[error("the answer is not HTTP/1.1")]
    Malformed,
    /// The connection was closed with some of the body missing.
    #[error("the body ended after {got} of {expected} bytes")]
    ShortBody {
        /// What `Content-Length` promised, in bytes.
        expected: u64,
        /// What came, in bytes.
        got: u64,
    },
    /// The connection was closed within a chunked body.
    #[error("the body broke off")]
    BrokenBody,
    /// The body was silent until our time was over.
    #[error("the body stalled")]
    BodyStalled,
    /// The body still came when our time was over.
    #[error("the body was still coming when our time was over")]
    BodyTooSlow,
}

/// Nobody waits longer than this, and a clock cannot count for ever.
pub(super) const LONGEST: Duration = Duration::from_hours(24);

/// The stopwatch and the notes of a probe under way.
#[derive(Debug)]
pub(super) struct Run {
    start: Instant,
    since: Instant,
    deadline: Instant,
    phases: Vec<Timing>,
    pub tried: Vec<Tried>,
    pub address: Option<SocketAddr>,
    pub proxy: Option<Via>,
    pub tls: Option<Secured>,
    pub answer: Option<Answer>,
}

impl Run {
    pub fn start(timeout: Duration) -> Self {
        let start = instant();
        let deadline = start + timeout.min(LONGEST);
        let (phases, tried) = (Vec::new(), Vec::new());
        Self {
            start,
            since: start,
            deadline,
            phases,
            tried,
            address: None,
            proxy: None,
            tls: None,
            answer: None,
        }
    }

    /// When the time for everything is over.
    pub fn deadline(&self) -> tokio::time::Instant {
        self.deadline.into()
    }

    /// Ends a phase, now; the next one begins.
    pub fn done(&mut self, phase: Phase) {
        self.done_at(phase, instant());
    }

    /// Ends a phase at a moment that has passed.
    pub fn done_at(&mut self, phase: Phase, at: Instant) {
        let start = seconds(self.since.duration_since(self.start));
        let at = at.max(self.since);
        self.phases.push(Timing { phase, start, seconds: seconds(at.duration_since(self.since)) });
        self.since = at;
    }

    /// How long the phase under way has taken, in seconds.
    pub fn in_phase(&self) -> f64 {
        seconds(self.since.elapsed())
    }

    pub fn end(mut self, target: &Target, options: &Options, failure: Option<Failure>) -> Outcome {
        if let Some(failure) = &failure {
            self.done(failure.phase);
        }
        Outcome {
            url: target.to_string(),
            method: options.method,
            phases: self.phases,
            seconds: seconds(self.since.duration_since(self.start)),
            tried: self.tried,
            address: self.address,
            proxy: self.proxy,
            tls: self.tls,
            answer: self.answer,
            failure,
        }
    }
}

/// Seconds with microseconds, which is more precise than a network is.
pub(super) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e6
}
