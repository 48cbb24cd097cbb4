//! Bodies of answers, including those that never become complete.
//!
//! A cut body announces more bytes than it has and closes the connection; a
//! stalled one says nothing more until the client leaves, the server stops or
//! ten minutes are over.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio_util::sync::CancellationToken;

/// How long a cut waits, so that what was written before it gets out.
const CUT_AFTER: Duration = Duration::from_millis(20);
/// How long a stalled answer stays open at most.
const STALL: Duration = Duration::from_mins(10);

/// How far an answer gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Whole,
    /// Half of the body, then the connection closes.
    Cut,
    /// Half of the body, then nothing.
    Stall,
}

/// The body of an answer.
pub(super) struct Answer {
    /// Bytes still to be sent.
    rest: Bytes,
    /// Bytes announced and not yet sent.
    announced: u64,
    /// What goes by before the body breaks off, if it does.
    wait: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Answer {
    /// A body with this ending; `stop` cuts every wait short.
    pub(super) fn new(body: Vec<u8>, ending: Ending, stop: CancellationToken) -> Self {
        let mut rest = Bytes::from(body);
        let announced = rest.len() as u64;
        let pause = match ending {
            Ending::Whole => return Self { rest, announced, wait: None },
            Ending::Cut => CUT_AFTER,
            Ending::Stall => STALL,
        };
        rest.truncate(rest.len() / 2);
        let wait = async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        };
        Self { rest, announced, wait: Some(Box::pin(wait)) }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            self.announced -= rest.len() as u64;
            return Poll::Ready(Some(Ok(Frame::data(rest))));
        }
        let Some(wait) = self.wait.as_mut() else {
            return Poll::Ready(None);
        };
        let broken = || Some(Err(io::Error::from(io::ErrorKind::ConnectionAborted)));
        wait.as_mut().poll(context).map(|()| broken())
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.wait.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}
