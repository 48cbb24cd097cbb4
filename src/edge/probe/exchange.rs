//! The request and its answer.
//!
//! One HTTP/1.1 exchange on a connection of its own (`Connection: close`), so
//! that no earlier request and no pool changes what is measured.

use std::io::ErrorKind;
use std::sync::Arc;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{
    ACCEPT, CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION,
    PROXY_AUTHORIZATION, SET_COOKIE, USER_AGENT,
};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::timeout_at;

use super::outcome::{Answer, BodyEnd, Failure, Run, Why, seconds};
use super::watched::{Marks, Watched};
use super::{Method, Options, Target};
use nearmiss_core::answer::phase::Phase;

const MAX_HEADERS_READ: usize = 256;
const MAX_HEADERS_KEPT: usize = 64;
const MAX_CHARACTERS: usize = 512;
/// Twice what an Application Load Balancer lets a target send (32 KiB).
const HEAD_BYTES: usize = 64 * 1024;
const BODY_KEPT: usize = 4 * 1024;

pub(super) async fn exchange<S>(
    stream: S,
    target: &Target,
    options: &Options,
    run: &mut Run,
) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let marks = Marks::new();
    let stream = TokioIo::new(Watched::new(stream, Arc::clone(&marks)));
    let mut http = http1::Builder::new();
    http.max_buf_size(HEAD_BYTES).max_headers(MAX_HEADERS_READ);
    let (mut sender, connection) = http
        .handshake(stream)
        .await
        .map_err(|error| Failure::of(run, Phase::Send, Why::Malformed).caused(&error))?;
    // Aborted when the set is dropped.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let asked = sender.send_request(request(target, options, run));
    let answer = timeout_at(run.deadline(), asked).await;
    if let Some(sent) = marks.wrote() {
        run.done_at(Phase::Send, sent);
    }
    match answer {
        Ok(Ok(answer)) => {
            run.done(Phase::FirstByte);
            receive(answer, options, &marks, run).await
        }
        Ok(Err(error)) => Err(unanswered(&error, &marks, run)),
        Err(_) => Err(Failure::of(run, waiting_for(&marks), Why::TimedOut)),
    }
}

fn request(target: &Target, options: &Options, run: &Run) -> Request<Empty<Bytes>> {
    let is_passed_on = run.proxy.as_ref().is_some_and(|proxy| !proxy.tunnel);
    let mut request = Request::new(Empty::new());
    *request.method_mut() = match options.method {
        Method::Get => hyper::Method::GET,
        Method::Head => hyper::Method::HEAD,
    };
    *request.uri_mut() = target.uri(is_passed_on);
    let headers = request.headers_mut();
    if let Ok(host) = HeaderValue::from_str(&target.authority()) {
        headers.insert(HOST, host);
    }
    let agent = concat!("nearmiss/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    if is_passed_on
        && let Ok(Some(proxy)) = options.proxies.of(&target.url())
        && let Some(value) = proxy.authorization()
    {
        headers.insert(PROXY_AUTHORIZATION, value.clone());
    }
    let given = HeaderMap::from_iter(options.headers.clone());
    for name in given.keys() {
        headers.remove(name);
    }
    headers.extend(options.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
    request
}

fn waiting_for(marks: &Marks) -> Phase {
    marks.wrote().map_or(Phase::Send, |_| Phase::FirstByte)
}

fn unanswered(error: &hyper::Error, marks: &Marks, run: &Run) -> Failure {
    let why = match kind(error) {
        Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => Why::Reset,
        _ if error.is_parse() => Why::Malformed,
        _ => Why::ClosedEarly,
    };
    Failure::of(run, waiting_for(marks), why).caused(error)
}

/// The system's error, somewhere below.
fn kind(error: &hyper::Error) -> Option<ErrorKind> {
    let first = std::error::Error::source(error);
    std::iter::successors(first, |cause| cause.source())
        .find_map(|cause| cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind))
}

async fn receive(
    answer: Response<Incoming>,
    options: &Options,
    marks: &Marks,
    run: &mut Run,
) -> Result<(), Failure> {
    let (head, mut body) = answer.into_parts();
    let promised = length(&head.headers);
    let mut kept = Vec::new();
    let mut answer = kept_head(head.status.as_u16(), &head.headers);
    let ended = loop {
        if answer.body_bytes >= options.most_body {
            break Ok(BodyEnd::AtOurLimit);
        }
        match timeout_at(run.deadline(), body.frame()).await {
            Ok(None) => break Ok(BodyEnd::Complete),
            Ok(Some(Ok(frame))) => {
                let data = frame.data_ref().map_or(&[][..], |data| data);
                answer.body_bytes += data.len() as u64;
                kept.extend_from_slice(&data[..data.len().min(BODY_KEPT - kept.len())]);
            }
            Ok(Some(Err(error))) => {
                break Err(broken(&error, promised, answer.body_bytes, marks, run));
            }
            Err(_) => break Err(unfinished(marks, run)),
        }
    };
    answer.body_start = String::from_utf8_lossy(&kept).into_owned();
    answer.body_end = *ended.as_ref().unwrap_or(&BodyEnd::Broken);
    run.answer = Some(answer);
    ended.map(|_| run.done(Phase::Body))
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn kept_head(status: u16, headers: &HeaderMap) -> Answer {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let short = |name: &HeaderName, value: &HeaderValue| match *name {
        SET_COOKIE => "(not kept)".to_owned(), // a report is passed around
        _ => text(value).chars().take(MAX_CHARACTERS).collect(),
    };
    let kept = headers.iter().take(MAX_HEADERS_KEPT);
    Answer {
        status,
        headers: kept.map(|(name, value)| (name.as_str().to_owned(), short(name, value))).collect(),
        headers_left_out: headers.len().saturating_sub(MAX_HEADERS_KEPT),
        location: headers.get(LOCATION).map(text),
        body_start: String::new(),
        body_bytes: 0,
        body_end: BodyEnd::Complete,
    }
}

fn broken(
    error: &hyper::Error,
    promised: Option<u64>,
    got: u64,
    marks: &Marks,
    run: &Run,
) -> Failure {
    let why = match (kind(error), promised) {
        (Some(ErrorKind::ConnectionReset), _) => Why::Reset,
        (_, Some(expected)) if got < expected => Why::ShortBody { expected, got },
        _ => Why::BrokenBody,
    };
    silent(Failure::of(run, Phase::Body, why), marks).caused(error)
}

/// Our time is over. Silence for most of the body's time is a stall.
fn unfinished(marks: &Marks, run: &Run) -> Failure {
    let mut failure = silent(Failure::of(run, Phase::Body, Why::BodyTooSlow), marks);
    if failure.silent_seconds > failure.seconds / 2.0 {
        failure.why = Why::BodyStalled;
    }
    failure
}

fn silent(mut failure: Failure, marks: &Marks) -> Failure {
    if let Some(read) = marks.read() {
        failure.silent_seconds = seconds(read.elapsed());
    }
    failure
}
