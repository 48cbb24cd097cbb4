//! A connection towards AWS: directly or through a proxy, with TLS where the URL asks
//! for it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use hyper::Uri;
use hyper::header::HeaderValue;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, Error as TlsError};
use tower_service::Service;

use crate::edge::net::proxy::{Proxies, Proxy, ProxyError, is_loopback};
use crate::edge::net::trust::CaBundle;
use crate::edge::net::tunnel::{self, TunnelError};
use crate::edge::net::{Stream, host, port, trust};

/// How long a peer may leave data unacknowledged before it counts as gone, and how long a
/// connection may be silent before it is probed: shorter than an attempt, so that the next
/// one has a new connection.
const SILENCE: Duration = Duration::from_secs(5);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    /// The environment names no usable proxy.
    #[error(transparent)]
    Proxy(ProxyError),
    /// No TCP connection could be made.
    #[error("cannot connect to {to}")]
    Connect { to: String, source: BoxError },
    /// The proxy is of no use.
    #[error("through the proxy {proxy}")]
    Through { proxy: String, source: BoxError },
    /// It opens no tunnel.
    #[error(transparent)]
    Tunnel(#[from] TunnelError),
    /// The certificate is not trusted.
    #[error("the certificate of {to} is not good: {reason}")]
    Certificate { to: String, reason: String },
    /// TLS fails for another reason.
    #[error("no TLS with {to}")]
    Tls { to: String, source: BoxError },
    /// It took too long.
    #[error("no connection to {to} within {} s", limit.as_secs_f64())]
    Late { to: String, limit: Duration },
}

/// Whom to trust. Read when the first connection needs it: a simulator needs no TLS.
#[derive(Debug, Default)]
pub(super) struct Tls {
    bundle: Option<CaBundle>,
    config: OnceLock<Result<Arc<ClientConfig>, TlsError>>,
}

impl Tls {
    /// This bundle, or whom this machine trusts.
    pub(super) fn trusting(bundle: Option<CaBundle>) -> Self {
        Self { bundle, config: OnceLock::new() }
    }

    fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let read = || trust::client_config(self.bundle.as_ref()).map(Arc::new);
        self.config.get_or_init(read).clone()
    }
}

/// Makes connections; a clone makes the same ones.
#[derive(Debug, Clone)]
pub(super) struct Dialer {
    tcp: HttpConnector,
    tls: Arc<Tls>,
    proxies: Arc<Proxies>,
    /// Whether this machine itself is asked without a proxy.
    spares_loopback: bool,
    /// How long everything may take.
    limit: Option<Duration>,
}

impl Dialer {
    pub(super) fn new(
        tls: Arc<Tls>,
        proxies: Arc<Proxies>,
        spares_loopback: bool,
        limit: Option<Duration>,
    ) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(limit); // each address of a name gets its share
        tcp.set_tcp_user_timeout(Some(SILENCE));
        tcp.set_keepalive(Some(SILENCE));
        tcp.set_keepalive_interval(Some(SILENCE));
        Self { tcp, tls, proxies, spares_loopback, limit }
    }

    /// The header that a proxy which passes plain HTTP on expects in each request to `url`.
    pub(super) fn authorization(&self, url: &Uri) -> Option<HeaderValue> {
        let proxy = self.proxy(url).ok().flatten().filter(|_| !is_secure(url));
        proxy.and_then(|proxy| proxy.authorization().cloned())
    }

    fn proxy(&self, url: &Uri) -> Result<Option<&Proxy>, DialError> {
        if self.spares_loopback && is_loopback(url) {
            return Ok(None);
        }
        self.proxies.of(url).map_err(|error| DialError::Proxy(error.clone()))
    }

    async fn dial(&self, url: &Uri) -> Result<Link, DialError> {
        match self.proxy(url)? {
            None => Ok(Link { stream: self.reach(url).await?, absolute: false }),
            Some(proxy) => self.through(proxy, url).await.map_err(|error| DialError::Through {
                proxy: proxy.to_string(),
                source: error.into(),
            }),
        }
    }

    async fn through(&self, proxy: &Proxy, url: &Uri) -> Result<Link, DialError> {
        let mut stream = self.reach(proxy.url()).await?;
        if !is_secure(url) {
            return Ok(Link { stream, absolute: true });
        }
        tunnel::open(&mut stream, proxy, url).await?;
        Ok(Link { stream: self.secure(stream, url).await?, absolute: false })
    }

    /// TCP, with TLS on it where the scheme asks for that.
    async fn reach(&self, url: &Uri) -> Result<Box<dyn Stream>, DialError> {
        let connected = self.tcp.clone().call(url.clone()).await;
        let failed = |error| DialError::Connect { to: to(url), source: Box::new(error) };
        let stream: Box<dyn Stream> = Box::new(connected.map_err(failed)?.into_inner());
        if is_secure(url) { self.secure(stream, url).await } else { Ok(stream) }
    }

    async fn secure(
        &self,
        stream: Box<dyn Stream>,
        url: &Uri,
    ) -> Result<Box<dyn Stream>, DialError> {
        let failed = |source: BoxError| DialError::Tls { to: to(url), source };
        let config = self.tls.config().map_err(|error| failed(error.into()))?;
        let name = ServerName::try_from(host(url).to_owned());
        let name = name.map_err(|error| failed(error.into()))?;
        match TlsConnector::from(config).connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(match trust::bad_certificate(&error).map(trust::reason) {
                Some(reason) => DialError::Certificate { to: to(url), reason },
                None => failed(error.into()),
            }),
        }
    }
}

fn is_secure(url: &Uri) -> bool {
    url.scheme_str() == Some("https")
}

fn to(url: &Uri) -> String {
    format!("{}:{}", url.host().unwrap_or_default(), port(url))
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<Link>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Link>, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        let dialer = self.clone();
        Box::pin(async move {
            let dialled = dialer.dial(&url);
            let link = match dialer.limit {
                None => dialled.await,
                Some(limit) => tokio::time::timeout(limit, dialled)
                    .await
                    .unwrap_or_else(|_| Err(DialError::Late { to: to(&url), limit })),
            };
            link.map(TokioIo::new)
        })
    }
}

/// An established connection.
pub(super) struct Link {
    stream: Box<dyn Stream>,
    /// Whether requests name the whole URL, because a proxy passes them on.
    absolute: bool,
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.absolute)
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
