//! A stream that records when bytes were sent and received.
//!
//! HTTP libraries say when an answer has arrived, but not when the request was sent, nor
//! how long a body has been silent. The marks are numbers without a lock: the connection
//! writes them, the probe reads them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::edge::time::instant;

/// When bytes were last sent and received, in nanoseconds since a start; 0 for never.
#[derive(Debug)]
pub(super) struct Marks {
    start: Instant,
    wrote: AtomicU64,
    read: AtomicU64,
}

impl Marks {
    pub fn new() -> Arc<Self> {
        let (wrote, read) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Self { start: instant(), wrote, read })
    }

    /// When the last byte was sent; `None` if none was.
    pub fn wrote(&self) -> Option<Instant> {
        self.moment(&self.wrote)
    }

    /// When the last byte was received; `None` if none was.
    pub fn read(&self) -> Option<Instant> {
        self.moment(&self.read)
    }

    fn moment(&self, mark: &AtomicU64) -> Option<Instant> {
        match mark.load(Ordering::Relaxed) {
            0 => None,
            nanoseconds => Some(self.start + Duration::from_nanos(nanoseconds)),
        }
    }

    fn note(&self, mark: &AtomicU64) {
        let passed = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        mark.store(passed.max(1), Ordering::Relaxed);
    }
}

/// The stream, with [`Marks`].
#[derive(Debug)]
pub(super) struct Watched<S> {
    inner: S,
    marks: Arc<Marks>,
}

impl<S> Watched<S> {
    pub fn new(inner: S, marks: Arc<Marks>) -> Self {
        Self { inner, marks }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.marks.note(&self.marks.read);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        if matches!(polled, Poll::Ready(Ok(1..))) {
            self.marks.note(&self.marks.wrote);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
