//! An answer's body, which may be so long and no longer.
//!
//! The SDKs read an answer into memory as a whole and then make values of it, each of
//! which is larger than the bytes that it was: an empty element of XML, CBOR or JSON
//! has one to nine bytes and becomes some hundred. So both are limited: the bytes, and
//! what they would become.

use std::pin::Pin;
use std::task::{Context, Poll};

use aws_smithy_runtime_api::box_error::BoxError;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

use super::pool::Trial;

/// What an answer may have at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Bytes of the body.
    bytes: u64,
    /// Bytes of memory that its values would take, roughly.
    memory: u64,
}

impl Limits {
    /// `GetMetricData`: 100,800 points of 20 bytes, and 500 labels.
    pub(super) const METRICS: Self = Self { bytes: 16 << 20, memory: 128 << 20 };
    /// Everything else: a page of 400 load balancers has a megabyte.
    pub(super) const OTHER: Self = Self { bytes: 8 << 20, memory: 128 << 20 };
    /// An error, or credentials.
    pub(super) const SHORT: Self = Self { bytes: 64 << 10, memory: 128 << 20 };
}

/// An answer is too long.
#[derive(Debug, thiserror::Error)]
pub(super) enum TooLong {
    /// In bytes.
    #[error("the answer is longer than {} KiB, which no answer of AWS is", .0 >> 10)]
    Bytes(u64),
    /// In values.
    #[error("the answer has more elements than an answer of AWS has")]
    Elements,
}

/// The body of an answer, up to its limits.
pub(super) struct Bounded {
    inner: Incoming,
    limits: Limits,
    read: Limits,
    trial: Trial,
}

impl Bounded {
    pub(super) fn new(inner: Incoming, limits: Limits, mut trial: Trial) -> Self {
        if inner.is_end_stream() {
            trial.succeeded();
        }
        Self { inner, limits, read: Limits { bytes: 0, memory: 0 }, trial }
    }

    fn admit(&mut self, data: &[u8]) -> Result<(), TooLong> {
        self.read.bytes += data.len() as u64;
        self.read.memory += data.iter().map(|byte| weight(*byte)).sum::<u64>();
        if self.read.bytes > self.limits.bytes {
            Err(TooLong::Bytes(self.limits.bytes))
        } else if self.read.memory > self.limits.memory {
            Err(TooLong::Elements)
        } else {
            Ok(())
        }
    }
}

/// How many bytes of memory the value takes that may begin with this byte: an object
/// of JSON, an element of XML, a map of CBOR.
fn weight(byte: u8) -> u64 {
    match byte {
        b'{' => 2048,
        b'<' => 256,
        0xa0..=0xbf => 160,
        _ => 0,
    }
}

impl Body for Bounded {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        match &polled {
            Poll::Ready(None) => self.trial.succeeded(),
            Poll::Ready(Some(Ok(frame))) => {
                let data = frame.data_ref().cloned().unwrap_or_default();
                if let Err(error) = self.admit(&data) {
                    return Poll::Ready(Some(Err(error.into())));
                }
                if self.inner.is_end_stream() {
                    self.trial.succeeded();
                }
            }
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // What it promises may be a lie, and somebody might make room for it.
        SizeHint::default()
    }
}
