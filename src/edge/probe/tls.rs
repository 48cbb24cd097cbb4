//! The TLS handshake of a probe.
//!
//! The roots are those of the machine, as for every other client on it: a probe that trusts
//! more or less than they do would find other errors than they do.

use std::sync::Arc;

use tokio::time::timeout_at;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, Error};

use super::certificate::expires;
use super::outcome::{Failure, Run, Secured, Trust, Why};
use super::target::Peer;
use crate::edge::net::{Stream, trust};
use nearmiss_core::answer::phase::Phase;

/// With the server.
pub(super) async fn handshake<S: Stream>(
    stream: S,
    name: ServerName<'static>,
    trust: Trust,
    run: &mut Run,
) -> Result<TlsStream<S>, Failure> {
    let stream = secure(stream, name, trust, Phase::Tls, run).await?;
    run.tls = Some(secured(&stream, trust));
    run.done(Phase::Tls);
    Ok(stream)
}

/// With a proxy, which is a part of the way.
pub(super) async fn with_proxy(
    stream: Box<dyn Stream>,
    proxy: &Peer,
    run: &Run,
) -> Result<Box<dyn Stream>, Failure> {
    let name = ServerName::try_from(proxy.host.clone())
        .map_err(|error| Failure::of(run, Phase::Proxy, Why::Handshake).caused(&error))?;
    let stream = secure(stream, name, Trust::Verified, Phase::Proxy, run).await?;
    Ok(Box::new(stream))
}

async fn secure<S: Stream>(
    stream: S,
    name: ServerName<'static>,
    trust: Trust,
    phase: Phase,
    run: &Run,
) -> Result<TlsStream<S>, Failure> {
    let config =
        config(trust).map_err(|error| Failure::of(run, phase, Why::Handshake).caused(&error))?;
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
    match timeout_at(run.deadline(), handshake).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(Failure::of(run, phase, unsecured(&error)).caused(&error)),
        Err(_) => Err(Failure::of(run, phase, Why::TimedOut)),
    }
}

fn config(trust: Trust) -> Result<ClientConfig, Error> {
    let mut config = match trust {
        Trust::Verified => trust::client_config(None)?,
        Trust::Anybody => trust::gullible_config()?,
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn secured<S>(stream: &TlsStream<S>, trust: Trust) -> Secured {
    let session = stream.get_ref().1;
    let text = |value: Option<String>| value.unwrap_or_else(|| "unknown".to_owned());
    let version = session.protocol_version().and_then(|v| v.as_str().map(version));
    let leaf = session.peer_certificates().and_then(|chain| chain.first());
    Secured {
        version: text(version),
        cipher: text(session.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite()))),
        alpn: session.alpn_protocol().map(|alpn| String::from_utf8_lossy(alpn).into_owned()),
        certificate_expires: leaf.and_then(|leaf| expires(leaf)),
        trust,
    }
}

/// rustls says `TLSv1_3`; everybody else says `TLSv1.3`.
fn version(name: &str) -> String {
    name.replace('_', ".")
}

fn unsecured(error: &std::io::Error) -> Why {
    if let Some(certificate) = trust::bad_certificate(error) {
        return Why::Certificate { reason: trust::reason(certificate) };
    }
    let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match error.kind() {
        _ if of_tls.is_some() => Why::Handshake,
        std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe => Why::Reset,
        std::io::ErrorKind::UnexpectedEof => Why::ClosedEarly,
        _ => Why::Handshake,
    }
}
