//! Bodies of answers, including those that never become complete.
//!
//! A cut body announces more bytes than it has and closes the connection; a
//! stalled one says nothing more, a slow one hardly anything, and an endless one
//! goes on until the client leaves. Whatever never ends by itself does so when the
//! server stops or ten minutes are over.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio_util::sync::CancellationToken;

/// How long a cut waits, so that what was written before it gets out.
const CUT_AFTER: Duration = Duration::from_millis(20);
/// How long an answer that never ends stays open at most.
const LONGEST: Duration = Duration::from_mins(10);
/// How long a slow answer waits before each byte.
const PACE: Duration = Duration::from_secs(1);
/// What an endless body goes on with.
static FILLER: [u8; 65_536] = [b' '; 65_536];

/// How far an answer gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Whole,
    /// Half of the body, then the connection closes.
    Cut,
    /// Half of the body, then nothing.
    Stall,
    /// A byte of the body a second.
    Slow,
    /// The body except for its last byte, and then blanks for ever.
    Endless,
    /// Nothing at all.
    Hang,
}

/// Something that ends at some time.
type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The body of an answer.
pub(crate) struct Answer {
    /// Bytes still to be sent.
    rest: Bytes,
    /// Bytes announced and not yet sent; an endless body announces none.
    announced: Option<u64>,
    /// When the body breaks off, if it does.
    end: Option<Wait>,
    /// What goes by before each byte, if anything.
    pace: Option<Wait>,
    stop: CancellationToken,
}

impl Answer {
    /// A body with this ending; `stop` cuts every wait short.
    pub(crate) fn new(body: Vec<u8>, ending: Ending, stop: CancellationToken) -> Self {
        let mut rest = Bytes::from(body);
        let mut announced = Some(rest.len() as u64);
        let (mut end, mut pace) = (None, None);
        match ending {
            Ending::Whole => {}
            Ending::Cut => {
                rest.truncate(rest.len() / 2);
                end = Some(pause(stop.clone(), CUT_AFTER));
            }
            Ending::Stall | Ending::Hang => {
                rest.truncate(rest.len() / 2);
                end = Some(pause(stop.clone(), LONGEST));
            }
            Ending::Slow => {
                end = Some(pause(stop.clone(), LONGEST));
                pace = Some(pause(stop.clone(), PACE));
            }
            Ending::Endless => {
                rest.truncate(rest.len().saturating_sub(1));
                announced = None;
                end = Some(pause(stop.clone(), LONGEST));
            }
        }
        Self { rest, announced, end, pace, stop }
    }

    /// The next bytes there are.
    fn next(&mut self, context: &mut Context<'_>) -> Poll<Bytes> {
        let Some(pace) = &mut self.pace else {
            return Poll::Ready(std::mem::take(&mut self.rest));
        };
        if pace.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.pace = Some(pause(self.stop.clone(), PACE));
        Poll::Ready(self.rest.split_to(1.min(self.rest.len())))
    }
}

/// Ends after a time, or when the server stops.
fn pause(stop: CancellationToken, time: Duration) -> Wait {
    Box::pin(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(time) => {}
        }
    })
}

/// Ends when an answer that never comes does not come any more.
pub(crate) fn never(stop: CancellationToken) -> Wait {
    pause(stop, LONGEST)
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let over = self.end.as_mut().is_some_and(|end| end.as_mut().poll(context).is_ready());
        if over {
            return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::ConnectionAborted))));
        }
        if !self.rest.is_empty() {
            return self.next(context).map(|bytes| {
                self.announced = self.announced.map(|left| left - bytes.len() as u64);
                Some(Ok(Frame::data(bytes)))
            });
        }
        match (self.announced, &self.end) {
            (None, _) => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&FILLER))))),
            (Some(left), Some(_)) if left > 0 => Poll::Pending,
            _ => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.announced == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
