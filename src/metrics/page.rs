//! A page that is written when somebody asks, once for all who do.

use std::io::{self, Read as _};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use hyper::body::Bytes;

use super::samples::Samples;
use super::text::Format;

/// A page in one format. Only its compressed form is kept: a few percent of its length, and
/// unpacked faster than it is written.
#[derive(Debug, Clone)]
pub struct Compressed {
    /// The page, compressed with gzip.
    pub gzip: Bytes,
    /// How long it is when it is unpacked, bytes.
    pub length: usize,
}

impl Compressed {
    /// Writes a page. It is compressed for speed rather than size: it is so repetitive that
    /// even the fast level leaves only a few percent of it.
    fn of(samples: &Samples, format: Format) -> io::Result<Self> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let length = samples.write(format, &mut encoder)?;
        let mut gzip = encoder.finish()?;
        gzip.shrink_to_fit();
        Ok(Self { gzip: gzip.into(), length })
    }

    /// What unpacks it, as it is read.
    #[must_use]
    pub fn unpacked(&self) -> Unpacked {
        Unpacked(GzDecoder::new(io::Cursor::new(self.gzip.clone())))
    }
}

/// A page that is unpacked while it is read.
#[derive(Debug)]
pub struct Unpacked(GzDecoder<io::Cursor<Bytes>>);

impl io::Read for Unpacked {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

/// The whole page at once, for tests and measurements.
#[derive(Debug, Clone, Default)]
pub struct Rendered {
    /// In Prometheus' text format.
    pub metrics: Bytes,
    /// The same, compressed with gzip.
    pub gzip: Bytes,
}

type Made = Shared<BoxFuture<'static, Option<Compressed>>>;

/// The page of one poll.
#[derive(Debug, Default)]
pub struct Page {
    samples: Arc<Samples>,
    /// One for each format that somebody asked for.
    made: [OnceLock<Made>; Format::ALL.len()],
    /// One page is written at a time, over all polls.
    turn: Arc<Mutex<()>>,
}

impl Page {
    /// The page of these samples; pages that share a `turn` are written one after the
    /// other.
    #[must_use]
    pub fn new(samples: Samples, turn: Arc<Mutex<()>>) -> Self {
        Self { samples: Arc::new(samples), made: Default::default(), turn }
    }

    /// The page in this format: written and compressed by a thread of its own when it is
    /// first asked for, while the others wait for the same result; `None` if that failed.
    /// It goes on even when nobody waits any more.
    pub async fn compressed(&self, format: Format) -> Option<Compressed> {
        let make = || {
            let (samples, turn) = (Arc::clone(&self.samples), Arc::clone(&self.turn));
            let made = tokio::task::spawn_blocking(move || {
                let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
                Compressed::of(&samples, format).ok()
            });
            made.map(|made| made.ok().flatten()).boxed().shared()
        };
        self.made[format as usize].get_or_init(make).clone().await
    }

    /// The whole page at once; empty if it cannot be written.
    #[must_use]
    pub fn rendered(&self) -> Rendered {
        let Ok(page) = Compressed::of(&self.samples, Format::Text) else {
            return Rendered::default();
        };
        let mut metrics = Vec::with_capacity(page.length);
        match page.unpacked().read_to_end(&mut metrics) {
            Ok(_) => Rendered { metrics: metrics.into(), gzip: page.gzip },
            Err(_) => Rendered::default(),
        }
    }
}
