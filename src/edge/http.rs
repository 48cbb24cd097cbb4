//! The HTTP listener: hands out the page that the last poll rendered.
//!
//! A scrape costs a reference to bytes. Clients that are slow, endless or many
//! cost nothing else: one request per connection, limits on the size of the
//! header, the time for everything, and the number of connections. Whoever says
//! nothing gives way to the next who comes, and only a page takes one of the places
//! for those who read slowly, so that health and readiness are answered however many
//! clients there are.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::time::{Stopwatch, instant};

/// Connections that have not sent their request yet; the next one takes the place of
/// the oldest.
const MAX_SILENT: usize = 256;
/// Pages that are being sent at once.
const MAX_PAGES: usize = 128;
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
    /// Until when the data counts as fresh; `None` before the first good poll.
    pub fresh_until: Option<Instant>,
    /// Until when the daemon counts as alive, poll good or not; `None` while it starts.
    pub alive_until: Option<Instant>,
}

/// Serves until `stop`.
pub async fn serve(
    listener: TcpListener,
    pages: watch::Receiver<Arc<Page>>,
    stop: CancellationToken,
) {
    let mut silent = Silent::default();
    let places = Arc::new(Semaphore::new(MAX_PAGES));
    let mut refusals = Rarely::default();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                if refusals.is_due() {
                    warn!(%error, "cannot accept connections; if too many files are open, raise LimitNOFILE= of the unit or `ulimit -n`");
                }
                tokio::time::sleep(Duration::from_millis(100)).await; // out of descriptors: do not spin
                continue;
            }
        };
        let visit = Visit {
            pages: pages.clone(),
            spoke: Arc::default(),
            places: Arc::clone(&places),
            place: Mutex::default(),
        };
        let spoke = Arc::clone(&visit.spoke);
        let task = tokio::spawn(async move {
            let _ = tokio::time::timeout(CONNECTION_TIME, visit.serve(stream)).await;
        });
        silent.enter(spoke, task.abort_handle());
    }
}

/// The connections that have not sent their request yet, oldest first.
#[derive(Debug, Default)]
struct Silent(VecDeque<(Arc<AtomicBool>, AbortHandle)>);

impl Silent {
    /// One more. `spoke` becomes true when its request is there.
    fn enter(&mut self, spoke: Arc<AtomicBool>, task: AbortHandle) {
        self.0.retain(|(spoke, task)| !spoke.load(Ordering::Relaxed) && !task.is_finished());
        if self.0.len() >= MAX_SILENT
            && let Some((_, oldest)) = self.0.pop_front()
        {
            oldest.abort();
        }
        self.0.push_back((spoke, task));
    }
}

/// One connection.
#[derive(Debug)]
struct Visit {
    pages: watch::Receiver<Arc<Page>>,
    /// Whether its request is there.
    spoke: Arc<AtomicBool>,
    places: Arc<Semaphore>,
    /// Its place among those that are sent a page, until it ends.
    place: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Visit {
    async fn serve(self, stream: TcpStream) {
        let answer = service_fn(|request: Request<Incoming>| {
            let answer = self.answer(&request);
            async move { Ok::<_, Infallible>(answer) }
        });
        let _ = stream.set_nodelay(true);
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIME)
            .max_buf_size(HEADER_BYTES)
            .keep_alive(false);
        let _ = http.serve_connection(TokioIo::new(stream), answer).await;
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        self.spoke.store(true, Ordering::Relaxed);
        let page = Arc::clone(&self.pages.borrow());
        if request.uri().path() == "/metrics" && *request.method() == Method::GET {
            let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
                return text(StatusCode::SERVICE_UNAVAILABLE, "too many scrapes at once\n");
            };
            *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
        }
        answer(request, &page, instant())
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

fn answer(request: &Request<Incoming>, page: &Page, now: Instant) -> Response<Full<Bytes>> {
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
