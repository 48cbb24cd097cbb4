//! The body of an answer, limited in length.
//!
//! The SDKs read an answer into memory as a whole and then make values of it, each of which
//! is larger than its bytes were: an empty element of XML, CBOR or JSON has one to nine
//! bytes and becomes about a hundred. So both are limited: the bytes, and what they would
//! become. The SDKs' reader of XML also takes half an answer for a whole one, so it is
//! checked whether the root of a good answer is closed.

use std::pin::Pin;
use std::task::{Context, Poll};

use aws_smithy_runtime_api::box_error::BoxError;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

use super::pool::Trial;

/// The limits of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Bytes of the body.
    bytes: u64,
    /// Bytes of memory that its values would take, approximately.
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

/// An answer is too long, or too short.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadBody {
    /// In bytes.
    #[error("the answer is longer than {} KiB, which no answer of AWS is", .0 >> 10)]
    Bytes(u64),
    /// In values.
    #[error("the answer has more elements than an answer of AWS has")]
    Elements,
    /// It is XML that ends early.
    #[error("the answer ends in the middle of its XML")]
    Cut,
}

/// The body of an answer, up to its limits.
pub(super) struct Bounded {
    inner: Incoming,
    limits: Limits,
    read: Limits,
    /// Set for a body that must be whole.
    ends: Option<Ends>,
    trial: Trial,
}

/// The first and the last bytes of a body.
#[derive(Default)]
struct Ends {
    first: Vec<u8>,
    last: Vec<u8>,
}

impl Ends {
    /// The root's name is within this many bytes of either end.
    const LENGTH: usize = 512;

    fn add(&mut self, data: &[u8]) {
        let missing = Self::LENGTH.saturating_sub(self.first.len()).min(data.len());
        self.first.extend(&data[..missing]);
        self.last.extend(&data[data.len().saturating_sub(Self::LENGTH)..]);
        let surplus = self.last.len().saturating_sub(Self::LENGTH);
        self.last.drain(..surplus);
    }

    /// Whether it is XML, and its root is not closed.
    fn is_cut_xml(&self) -> bool {
        let (first, last) =
            (String::from_utf8_lossy(&self.first), String::from_utf8_lossy(&self.last));
        if !first.trim_start().starts_with('<') {
            return false;
        }
        let mut elements = first.split('<').skip(1);
        let root = elements.find(|element| !element.starts_with(['?', '!']));
        let name = root.and_then(|root| root.split(['>', '/', ' ', '\n', '\r', '\t']).next());
        let last = last.trim_end();
        let is_closed = |name: &str| last.ends_with(&format!("</{name}>")) || last.ends_with("/>");
        !name.is_some_and(is_closed)
    }
}

impl Bounded {
    /// A body with these limits.
    pub(super) fn new(inner: Incoming, limits: Limits, mut trial: Trial) -> Self {
        if inner.is_end_stream() {
            trial.succeeded();
        }
        Self { inner, limits, read: Limits { bytes: 0, memory: 0 }, ends: None, trial }
    }

    /// The same, and an error if it is XML that ends early: of errors, whoever writes them,
    /// any part will do.
    pub(super) fn whole(self) -> Self {
        Self { ends: Some(Ends::default()), ..self }
    }

    /// The body has ended.
    fn end(&mut self) -> Result<(), BadBody> {
        self.trial.succeeded();
        let is_cut = self.ends.as_ref().is_some_and(Ends::is_cut_xml);
        if is_cut { Err(BadBody::Cut) } else { Ok(()) }
    }

    fn admit(&mut self, data: &[u8]) -> Result<(), BadBody> {
        if let Some(ends) = &mut self.ends {
            ends.add(data);
        }
        self.read.bytes += data.len() as u64;
        self.read.memory += data.iter().map(|byte| weight(*byte)).sum::<u64>();
        if self.read.bytes > self.limits.bytes {
            Err(BadBody::Bytes(self.limits.bytes))
        } else if self.read.memory > self.limits.memory {
            Err(BadBody::Elements)
        } else {
            Ok(())
        }
    }
}

/// How many bytes of memory the value takes that may begin with this byte: an object of
/// JSON, an element of XML, a map of CBOR.
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
        let checked = match &polled {
            Poll::Ready(None) => self.end(),
            Poll::Ready(Some(Ok(frame))) => {
                let data = frame.data_ref().cloned().unwrap_or_default();
                let admitted = self.admit(&data);
                let is_last = admitted.is_ok() && self.inner.is_end_stream();
                if is_last { self.end() } else { admitted }
            }
            Poll::Ready(Some(Err(_))) | Poll::Pending => Ok(()),
        };
        if let Err(error) = checked {
            return Poll::Ready(Some(Err(error.into())));
        }
        polled.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // The length that it announces may be false, and a reader might allocate for it.
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_without_the_end_of_its_root_is_cut() {
        let long = format!("<A xmlns=\"b\">{}</A>\n", "<c>1</c>".repeat(300));
        let is_cut = |text: &str, step: usize| {
            let mut ends = Ends::default();
            text.as_bytes().chunks(step).for_each(|data| ends.add(data));
            ends.is_cut_xml()
        };
        for (text, expected) in [
            ("<?xml version=\"1.0\"?>\n<A><b>1</b></A>\n", false),
            ("<A/>", false),
            ("", false),
            ("{\"a\": \"<\"}", false),
            (long.as_str(), false),
            (&long[..long.len() / 2], true),
            (&long[..long.len() - 2], true),
            ("<?xml version=\"1.0\"?>", true),
            ("<A><b>1</b>", true),
            ("<", true),
        ] {
            for step in [1, 7, 10_000] {
                assert_eq!(is_cut(text, step), expected, "{text}");
            }
        }
    }
}
