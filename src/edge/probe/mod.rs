//! One request to one URL, with the time of each phase.
//!
//! It is polite and bounded: one connection, one GET or HEAD over HTTP/1.1, no
//! retry, no redirect followed, a limit on every wait and on every byte kept. It
//! cannot fail as a function: what went wrong is the outcome that was asked
//! for. One list of [`Timing`]s is written by one stopwatch, so that the phases
//! leave no gap between them.

mod certificate;
mod connect;
mod exchange;
mod outcome;
mod target;
mod tls;
mod watched;

use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use serde::Serialize;
use tokio::net::TcpStream;

pub use connect::Tried;
pub use outcome::{Answer, BodyEnd, Failure, Outcome, Timing, Why};
pub use target::{Resolve, Target, TargetError};
pub use tls::{Secured, Trust};

use crate::analysis::answer::phase::Phase;
use outcome::Run;

/// How to ask. Its default is what a person wants first.
#[derive(Debug, Clone)]
pub struct Options {
    /// GET or HEAD.
    pub method: Method,
    /// For everything. The default is longer than the default idle timeout (60 s)
    /// of an Application Load Balancer, so that its 504 is seen.
    pub timeout: Duration,
    /// For the TCP connection, all addresses together.
    pub connect_timeout: Duration,
    /// Bytes of the body that are read; the connection is closed after them.
    pub most_body: u64,
    /// Sent as they are, instead of ours of the same name.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Addresses to use instead of those of the name servers.
    pub resolve: Vec<Resolve>,
    /// Whom to believe.
    pub trust: Trust,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            method: Method::Get,
            timeout: Duration::from_secs(70),
            connect_timeout: Duration::from_secs(15),
            most_body: 1024 * 1024,
            headers: Vec::new(),
            resolve: Vec::new(),
            trust: Trust::Verified,
        }
    }
}

/// The methods that change nothing, and so may be sent to anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// The answer with its body.
    #[value(name = "GET")]
    Get,
    /// The headers alone.
    #[value(name = "HEAD")]
    Head,
}

/// Asks once, and says what happened. It ends at [`Options::timeout`] at the latest.
pub async fn probe(target: &Target, options: &Options) -> Outcome {
    let mut run = Run::start(options.timeout);
    let failure = ask(target, options, &mut run).await.err();
    run.end(target, options, failure)
}

async fn ask(target: &Target, options: &Options, run: &mut Run) -> Result<(), Failure> {
    let addresses = connect::addresses(target, options, run).await?;
    let stream = connect::connect(&addresses, options, run).await?;
    match target.server_name() {
        None => exchange::exchange(stream, target, options, run).await,
        Some(name) => {
            let stream: tokio_rustls::client::TlsStream<TcpStream> =
                tls::handshake(stream, name, options.trust, run).await?;
            exchange::exchange(stream, target, options, run).await
        }
    }
}

impl Failure {
    fn of(run: &Run, phase: Phase, why: Why) -> Self {
        Self { phase, seconds: run.in_phase(), silent_seconds: run.in_phase(), why, cause: None }
    }

    fn caused(mut self, cause: &dyn std::error::Error) -> Self {
        let causes = std::iter::successors(Some(cause), |cause| cause.source());
        let texts: Vec<String> = causes.map(ToString::to_string).collect();
        self.cause = Some(texts.join(": "));
        self
    }
}
