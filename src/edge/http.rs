//! The HTTP listener: hands out the page that the last poll rendered.
//!
//! A scrape costs a reference to bytes. Clients that are slow, endless or many
//! cost nothing else: one request per connection, limits on the size of the
//! header, the time for everything, and the number of connections.

use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::time::{Clock, Stopwatch};

/// Connections that are served at once; the next ones wait.
const MOST_CONNECTIONS: usize = 256;
/// For the request's header.
const HEADER_TIME: Duration = Duration::from_secs(3);
/// For everything, the answer included.
const CONNECTION_TIME: Duration = Duration::from_secs(30);
/// That connections are not accepted is told again after so long.
const TOLD_AGAIN: Duration = Duration::from_mins(10);
/// A request's header is a line and a few fields.
const HEADER_BYTES: usize = 16 * 1024;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const METRICS: HeaderValue = HeaderValue::from_static(prometheus::TEXT_FORMAT);

/// What is served.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The metrics.
    pub metrics: Bytes,
    /// The same, compressed with gzip: once per poll, and not per scrape.
    pub gzip: Bytes,
    /// Until when the data counts as fresh (seconds since the Unix epoch);
    /// `None` before the first good poll.
    pub fresh_until: Option<i64>,
    /// Until when the daemon counts as alive, poll good or not.
    pub alive_until: Option<i64>,
}

/// Serves until `stop`.
pub async fn serve(
    listener: TcpListener,
    pages: watch::Receiver<Arc<Page>>,
    clock: Clock,
    stop: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut refusals = Rarely::default();
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    if refusals.is_due() {
                        warn!(%error, "cannot accept a connection; if too many files are open, raise LimitNOFILE= of the unit or `ulimit -n`");
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await; // out of descriptors: do not spin
                    continue;
                }
            },
        };
        let pages = pages.clone();
        tokio::spawn(async move {
            let _ = tokio::time::timeout(CONNECTION_TIME, connection(stream, pages, clock)).await;
            drop(slot);
        });
    }
}

/// What is told once, and again after a while.
#[derive(Debug, Default)]
struct Rarely(Option<Stopwatch>);

impl Rarely {
    fn is_due(&mut self) -> bool {
        let is_due = self.0.is_none_or(|told| told.elapsed() > TOLD_AGAIN);
        if is_due {
            self.0 = Some(Stopwatch::start());
        }
        is_due
    }
}

/// Where the listener is, for messages.
#[must_use]
pub fn address(listener: &TcpListener) -> Option<SocketAddr> {
    listener.local_addr().ok()
}

async fn connection(stream: TcpStream, pages: watch::Receiver<Arc<Page>>, clock: Clock) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let page = Arc::clone(&pages.borrow());
        async move { Ok::<_, Infallible>(answer(&request, &page, clock.now())) }
    });
    let _ = stream.set_nodelay(true);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(HEADER_BYTES)
        .keep_alive(false);
    let _ = http.serve_connection(TokioIo::new(stream), answer).await;
}

fn answer(request: &Request<Incoming>, page: &Page, now: i64) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match request.uri().path() {
        "/metrics" => metrics(request, page),
        "/healthz" => match page.alive_until {
            Some(until) if now > until => {
                text(StatusCode::SERVICE_UNAVAILABLE, "no poll has ended for too long\n")
            }
            _ => text(StatusCode::OK, "ok\n"),
        },
        "/readyz" => match page.fresh_until {
            None => text(StatusCode::SERVICE_UNAVAILABLE, "no good poll yet\n"),
            Some(until) if now > until => {
                text(StatusCode::SERVICE_UNAVAILABLE, "the data is stale\n")
            }
            Some(_) => text(StatusCode::OK, "ready\n"),
        },
        "/" => text(
            StatusCode::OK,
            "nearmiss\n\n/metrics  for Prometheus\n/healthz  is it alive\n/readyz   is its data fresh\n",
        ),
        _ => text(StatusCode::NOT_FOUND, "there are /metrics, /healthz and /readyz\n"),
    }
}

fn metrics(request: &Request<Incoming>, page: &Page) -> Response<Full<Bytes>> {
    let takes_gzip = request.headers().get_all(ACCEPT_ENCODING).iter().any(|value| {
        let mut encodings = value.to_str().unwrap_or_default().split(',').map(str::trim);
        encodings.any(|encoding| encoding == "gzip" || encoding.starts_with("gzip;q=1"))
    });
    let (body, encoding) = if takes_gzip && !page.gzip.is_empty() {
        (&page.gzip, Some(HeaderValue::from_static("gzip")))
    } else {
        (&page.metrics, None)
    };
    let mut response = response(StatusCode::OK, METRICS, body.clone());
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = encoding {
        response.headers_mut().insert(CONTENT_ENCODING, encoding);
    }
    response
}

/// Compressed fast rather than small: a page repeats itself so much that the
/// fast way already leaves a few percent of it.
#[must_use]
pub fn gzip(text: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail; an empty result means "not compressed".
    let compressed = encoder.write_all(text).and_then(|()| encoder.finish());
    compressed.unwrap_or_default().into()
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    response(status, TEXT, Bytes::from_static(body.as_bytes()))
}

fn response(status: StatusCode, kind: HeaderValue, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_told_once() {
        let mut refusals = Rarely::default();
        let told = (0..438).filter(|_| refusals.is_due()).count();
        assert_eq!(told, 1);
    }
}
