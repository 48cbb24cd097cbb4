//! One request to one URL, with the time of each phase.
//!
//! It is polite and bounded: one connection, one GET or HEAD over HTTP/1.1, no retry, no
//! redirect followed, a limit on every wait and on every byte kept; through a proxy where
//! the environment names one, like every client there. It cannot fail as a function: what
//! went wrong is the outcome that was asked for. One list of [`Timing`]s is written by one
//! stopwatch, so the phases leave no gap between them.

mod certificate;
mod connect;
mod exchange;
mod outcome;
mod target;
mod tls;
mod watched;

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use serde::Serialize;
use tokio::time::timeout_at;

pub use outcome::{Answer, BodyEnd, Failure, Outcome, Secured, Timing, Tried, Trust, Via, Why};
pub use target::{Resolve, Target, TargetError};

use super::net::Stream;
use super::net::proxy::{Proxies, Proxy};
use super::net::tunnel::{self, TunnelError};
use nearmiss_core::answer::phase::Phase;
use outcome::Run;
use target::Peer;

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
    /// Sent as they are, instead of our own of the same name.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Addresses to use instead of those of the name servers, and of a proxy.
    pub resolve: Vec<Resolve>,
    /// Proxies to ask through.
    pub proxies: Arc<Proxies>,
    /// Whom to trust.
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
            proxies: Arc::default(),
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

/// Asks once, and returns what happened. It ends at [`Options::timeout`] at the latest.
pub async fn probe(target: &Target, options: &Options) -> Outcome {
    let mut run = Run::start(options.timeout);
    let failure = ask(target, options, &mut run).await.err();
    run.end(target, options, failure)
}

async fn ask(target: &Target, options: &Options, run: &mut Run) -> Result<(), Failure> {
    let stream = match proxy(target, options, run)? {
        None => reach(&target.peer(), options, run).await?,
        Some(proxy) => through(proxy, target, options, run).await?,
    };
    match target.server_name() {
        None => exchange::exchange(stream, target, options, run).await,
        Some(name) => {
            let stream = tls::handshake(stream, name, options.trust, run).await?;
            exchange::exchange(stream, target, options, run).await
        }
    }
}

/// The proxy to ask through. An address given by hand is asked directly.
fn proxy<'a>(
    target: &Target,
    options: &'a Options,
    run: &mut Run,
) -> Result<Option<&'a Proxy>, Failure> {
    if options.resolve.iter().any(|resolve| resolve.address_of(&target.peer()).is_some()) {
        return Ok(None);
    }
    let proxy = options.proxies.of(&target.url()).map_err(|error| {
        Failure::of(run, Phase::Dns, Why::NoProxy { reason: error.to_string() })
    })?;
    run.proxy = proxy.map(|proxy| Via { url: proxy.to_string(), tunnel: target.is_secure() });
    Ok(proxy)
}

async fn reach(peer: &Peer, options: &Options, run: &mut Run) -> Result<Box<dyn Stream>, Failure> {
    let addresses = connect::addresses(peer, options, run).await?;
    let stream = connect::connect(&addresses, options, run).await?;
    Ok(Box::new(stream))
}

async fn through(
    proxy: &Proxy,
    target: &Target,
    options: &Options,
    run: &mut Run,
) -> Result<Box<dyn Stream>, Failure> {
    let peer = Peer::of(proxy.url());
    let mut stream = reach(&peer, options, run).await?;
    let is_secure = proxy.url().scheme_str() == Some("https");
    if is_secure {
        stream = tls::with_proxy(stream, &peer, run).await?;
    }
    if target.is_secure() {
        let url = target.url();
        let opened = timeout_at(run.deadline(), tunnel::open(&mut stream, proxy, &url)).await;
        let refused = |error: TunnelError| {
            let why = Why::ProxyRefused { reason: error.to_string() };
            Failure::of(run, Phase::Proxy, why).caused(&error)
        };
        opened.map_err(|_| Failure::of(run, Phase::Proxy, Why::TimedOut))?.map_err(refused)?;
    }
    if is_secure || target.is_secure() {
        run.done(Phase::Proxy);
    }
    Ok(stream)
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
