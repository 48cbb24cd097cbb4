//! The TLS handshake, and what is wrong with a certificate in words.
//!
//! The roots are those of the machine, as for every other client on it: a probe
//! that trusts more or less than they do would find other errors than they do.

use std::sync::Arc;

use serde::Serialize;
use tokio::net::TcpStream;
use tokio::time::timeout_at;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::certificate::expires;
use super::outcome::{Failure, Run, Why};
use crate::analysis::answer::phase::Phase;

/// Whom to believe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Whoever shows a certificate that this machine's roots vouch for.
    Verified,
    /// Whoever answers. Says nothing about who that is.
    Anybody,
}

/// How a connection is encrypted.
#[derive(Debug, Clone, Serialize)]
pub struct Secured {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: String,
    /// The cipher suite.
    pub cipher: String,
    /// The protocol agreed upon; `http/1.1` was offered.
    pub alpn: Option<String>,
    /// When the certificate expires (UTC, RFC 3339).
    pub certificate_expires: Option<String>,
    /// Whether the certificate was checked.
    pub trust: Trust,
}

pub(super) async fn handshake(
    stream: TcpStream,
    name: ServerName<'static>,
    trust: Trust,
    run: &mut Run,
) -> Result<TlsStream<TcpStream>, Failure> {
    let config = config(trust)
        .map_err(|error| Failure::of(run, Phase::Tls, Why::Handshake).caused(&error))?;
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
    match timeout_at(run.deadline(), handshake).await {
        Ok(Ok(stream)) => {
            run.tls = Some(secured(&stream, trust));
            run.done(Phase::Tls);
            Ok(stream)
        }
        Ok(Err(error)) => Err(Failure::of(run, Phase::Tls, unsecured(&error)).caused(&error)),
        Err(_) => Err(Failure::of(run, Phase::Tls, Why::TimedOut)),
    }
}

fn config(trust: Trust) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let mut config = match trust {
        Trust::Verified => builder.with_root_certificates(roots()).with_no_client_auth(),
        Trust::Anybody => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Gullible(provider)))
            .with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// A root that cannot be read is left out: the others may do.
fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn secured(stream: &TlsStream<TcpStream>, trust: Trust) -> Secured {
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
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(error)) => Why::Certificate { reason: reason(error) },
        Some(_) => Why::Handshake,
        None => match error.kind() {
            std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe => Why::Reset,
            std::io::ErrorKind::UnexpectedEof => Why::ClosedEarly,
            _ => Why::Handshake,
        },
    }
}

fn reason(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name".to_owned()
        }
        CertificateError::UnknownIssuer => "nobody whom this machine trusts vouches for it".into(),
        CertificateError::Revoked => "it was revoked".to_owned(),
        other => other.to_string(),
    }
}

/// Believes every certificate, but still checks that the server has its key.
#[derive(Debug)]
struct Gullible(Arc<CryptoProvider>);

impl ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
