//! What every outgoing connection shares: through which proxy it goes, and whose
//! certificates it trusts.
//!
//! Ground, like [`super::aws`], which makes its connections with it; so does a probe, so
//! that both find the same proxy and say the same about a certificate.

pub mod proxy;
pub mod trust;
pub mod tunnel;

use std::error::Error;

use hyper::Uri;
use tokio::io::{AsyncRead, AsyncWrite};

/// What bytes go over: TCP, or TLS on either of them.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// An error and what caused it, down to the first cause.
pub fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<std::io::Error>() {
        // It returns the cause of the error that it holds, and not that error.
        Some(io) => io.get_ref().map(|held| held as &(dyn Error + 'static)),
        None => error.source(),
    })
}

/// The host of a URL, an IPv6 address without its brackets.
#[must_use]
pub fn host(url: &Uri) -> &str {
    let host = url.host().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Its port, given or the scheme's own.
#[must_use]
pub fn port(url: &Uri) -> u16 {
    let own = if url.scheme_str() == Some("https") { 443 } else { 80 };
    url.port_u16().unwrap_or(own)
}
