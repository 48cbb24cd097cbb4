//! The HTTP listener: hands out the page of the last poll.
//!
//! The first scrape after a poll has the page written, the others cost a reference to
//! bytes. Clients that are slow, endless or many cost nothing else: one request per
//! connection, and limits on the size of the header, the time for everything, and the
//! number of connections. A connection that sends nothing gives way to the next one, and
//! only a page takes one of the places for slow readers, so health and readiness are
//! answered however many clients there are.

mod accept;
mod body;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::time::{Stopwatch, instant};
use crate::metrics::{Format, Page};
use body::Answer;

/// How many connections may not have sent their request yet; the next one takes the place
/// of the oldest.
const MAX_SILENT: usize = 256;
/// Pages that are being sent at once.
const MAX_PAGES: usize = 128;
/// For the header of the request.
const HEADER_TIME: Duration = Duration::from_secs(3);
/// For everything, the answer included.
const CONNECTION_TIME: Duration = Duration::from_secs(30);
/// How long it takes before it is logged again that connections are not accepted.
const LOGGED_AGAIN: Duration = Duration::from_mins(10);
/// A request's header is a line and a few fields.
const HEADER_BYTES: usize = 16 * 1024;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// What is served until the next poll.
#[derive(Debug, Clone, Default)]
pub struct Served {
    /// The metrics.
    pub page: Arc<Page>,
    /// Until when the data counts as fresh; `None` before the first good poll.
    pub fresh_until: Option<Instant>,
    /// Until when the daemon counts as alive, whether polls succeed or not; `None` while it
    /// starts.
    pub alive_until: Option<Instant>,
}

/// Serves until `stop`.
pub async fn serve(
    listener: TcpListener,
    served: watch::Receiver<Arc<Served>>,
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
            served: served.clone(),
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
    /// Adds a connection. `spoke` becomes true when its request has arrived.
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
    served: watch::Receiver<Arc<Served>>,
    /// Whether its request has arrived.
    spoke: Arc<AtomicBool>,
    places: Arc<Semaphore>,
    /// Its place among those that are sent a page, until it ends.
    place: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Visit {
    async fn serve(self, stream: TcpStream) {
        let answer = service_fn(|request: Request<Incoming>| {
            let visit = &self;
            async move { Ok::<_, Infallible>(visit.answer(&request).await) }
        });
        let _ = stream.set_nodelay(true);
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIME)
            .max_buf_size(HEADER_BYTES)
            .keep_alive(false);
        let _ = http.serve_connection(TokioIo::new(stream), answer).await;
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Answer> {
        self.spoke.store(true, Ordering::Relaxed);
        let served = Arc::clone(&self.served.borrow());
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/metrics") => {
                let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
                    return text(StatusCode::SERVICE_UNAVAILABLE, "too many scrapes at once\n");
                };
                *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
                metrics(request.headers(), &served.page).await
            }
            (&Method::HEAD, "/metrics") => {
                page(accept::format(request.headers()), Answer::Whole(Bytes::new()))
            }
            (&Method::GET | &Method::HEAD, path) => answer(path, &served, instant()),
            _ => {
                let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
                refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                refused
            }
        }
    }
}

/// What is logged once, and again after a while.
#[derive(Debug, Default)]
struct Rarely(Option<Stopwatch>);

impl Rarely {
    fn is_due(&mut self) -> bool {
        let is_due = self.0.is_none_or(|logged| logged.elapsed() > LOGGED_AGAIN);
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

fn answer(path: &str, served: &Served, now: Instant) -> Response<Answer> {
    match path {
        "/healthz" => match served.alive_until {
            Some(until) if now > until => {
                text(StatusCode::SERVICE_UNAVAILABLE, "no poll has ended for too long\n")
            }
            _ => text(StatusCode::OK, "ok\n"),
        },
        "/readyz" => match served.fresh_until {
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

/// The page in the format and the coding that the client prefers.
async fn metrics(headers: &HeaderMap, page: &Page) -> Response<Answer> {
    let format = accept::format(headers);
    let Some(made) = page.compressed(format).await else {
        return text(StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be written\n");
    };
    if !accept::takes_gzip(headers) {
        return self::page(format, Answer::unpacked(&made));
    }
    let mut response = self::page(format, Answer::Whole(made.gzip));
    response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response
}

/// A page; its format and coding may depend on what the client accepts.
fn page(format: Format, body: Answer) -> Response<Answer> {
    let mut page = response(StatusCode::OK, HeaderValue::from_static(format.content_type()), body);
    page.headers_mut().insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
    page
}

fn text(status: StatusCode, body: &'static str) -> Response<Answer> {
    response(status, TEXT, Answer::Whole(Bytes::from_static(body.as_bytes())))
}

fn response(status: StatusCode, kind: HeaderValue, body: Answer) -> Response<Answer> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
