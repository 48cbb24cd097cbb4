//! The body of an answer: bytes that are shared, or a page that is unpacked as it is sent.

use std::convert::Infallible;
use std::io::Read as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};

use crate::metrics::{Compressed, Unpacked};

/// How many bytes are unpacked at once: what a slow client makes us hold.
const CHUNK: usize = 64 * 1024;

/// What is sent.
#[derive(Debug)]
pub(super) enum Answer {
    /// Bytes that many share.
    Whole(Bytes),
    /// A page for a client that does not accept it compressed, and how much of it is left.
    Unpacked(Box<Unpacked>, u64),
}

impl Answer {
    /// The page as it is when it is not compressed.
    pub(super) fn unpacked(page: &Compressed) -> Self {
        Self::Unpacked(Box::new(page.unpacked()), page.length as u64)
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = match &mut *self {
            Self::Whole(bytes) => std::mem::take(bytes),
            Self::Unpacked(page, left) => {
                let mut chunk = Vec::with_capacity(CHUNK);
                // What was compressed here can be unpacked; if not, the page ends early,
                // which its length reveals.
                let _ = page.by_ref().take(CHUNK as u64).read_to_end(&mut chunk);
                *left = left.saturating_sub(chunk.len() as u64);
                chunk.into()
            }
        };
        Poll::Ready((!chunk.is_empty()).then(|| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.size_hint().exact() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Unpacked(_, left) => *left,
        })
    }
}
