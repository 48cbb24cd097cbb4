//! The HTTP side: connections, limits, and panics that stay where they happen.
//!
//! Answers are computed on blocking threads: they are pure computation, and a
//! panic there ends one answer instead of the server.

pub(crate) mod answer;
pub(crate) mod control;
pub(crate) mod state;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming as Body;
use hyper::header::{HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::server::state::State;
use crate::wire::ending::{Answer, Ending, never};
use crate::wire::message::{Incoming, Outgoing};

/// Bytes of a request body.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// Connections at the same time.
const MAX_CONNECTIONS: usize = 512;
/// Answers computed at the same time.
const MAX_WORKING: usize = 8;
/// How long open answers may take after the stop.
const GRACE: Duration = Duration::from_secs(2);

struct Shared {
    state: Arc<State>,
    working: Semaphore,
    stop: CancellationToken,
}

/// Serves until `stop` fires.
pub(crate) async fn serve(state: Arc<State>, listener: TcpListener, stop: CancellationToken) {
    let shared =
        Arc::new(Shared { state, working: Semaphore::new(MAX_WORKING), stop: stop.clone() });
    let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let permit = tokio::select! {
            () = stop.cancelled() => break,
            permit = Arc::clone(&free).acquire_owned() => permit,
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                // A head and a body are two writes; waiting for the first one's
                // acknowledgement would cost 40 ms each time.
                let _ = stream.set_nodelay(true);
                let (shared, stop) = (Arc::clone(&shared), stop.clone());
                open.spawn(async move {
                    connection(shared, stream, stop).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "accept failed");
                tokio::task::yield_now().await;
            }
        }
    }
    drop(listener);
    let all = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, all).await.is_err() {
        open.shutdown().await;
    }
}

async fn connection(shared: Arc<Shared>, stream: TcpStream, stop: CancellationToken) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(handle(shared, request).await) }
    });
    // hyper's own Date header would bring the wall clock into the answers.
    let served = hyper::server::conn::http1::Builder::new()
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(served);
    let result = tokio::select! {
        result = served.as_mut() => result,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.as_mut().await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "connection ended");
    }
}

async fn handle(shared: Arc<Shared>, request: Request<Body>) -> Response<Answer> {
    let slow = shared.state.world().setup.faults.slow_ms;
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let is_control = path.starts_with("/_sim/");
    if slow > 0 && !is_control {
        tokio::time::sleep(Duration::from_millis(slow)).await;
    }
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
        return plain(&shared.stop, 413, "the body is larger than 4 MiB or broke off");
    };
    let headers = parts.headers.iter().filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    });
    let incoming = Incoming {
        method: parts.method.as_str().to_owned(),
        path,
        query: query.clone(),
        headers: headers.collect(),
        body: body.to_bytes().to_vec(),
    };
    let Ok(permit) = shared.working.acquire().await else {
        return plain(&shared.stop, 503, "shutting down");
    };
    let state = Arc::clone(&shared.state);
    let work = tokio::task::spawn_blocking(move || {
        if is_control {
            control::answer(&state, &incoming.path, &query)
        } else {
            answer::answer(&state, &incoming)
        }
    });
    let done = work.await;
    drop(permit);
    match done {
        Ok(outgoing) => {
            if outgoing.held > 0 {
                tokio::time::sleep(Duration::from_millis(outgoing.held)).await;
            }
            if outgoing.ending == Ending::Hang {
                never(shared.stop.clone()).await;
                return plain(&shared.stop, 503, "this answer was never to come");
            }
            respond(&shared.stop, outgoing)
        }
        Err(error) => {
            tracing::error!(%error, "an answer panicked");
            plain(&shared.stop, 500, "the simulator failed while answering; this is a bug in it")
        }
    }
}

fn respond(stop: &CancellationToken, outgoing: Outgoing) -> Response<Answer> {
    let body = Answer::new(outgoing.body, outgoing.ending, stop.clone());
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(outgoing.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in outgoing.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn plain(stop: &CancellationToken, status: u16, text: &str) -> Response<Answer> {
    let outgoing = Outgoing {
        status,
        headers: vec![
            ("content-type", "text/plain".to_owned()),
            ("connection", "close".to_owned()),
        ],
        body: text.as_bytes().to_vec(),
        ending: Ending::Whole,
        held: 0,
    };
    respond(stop, outgoing)
}
