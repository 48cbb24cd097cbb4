//! TLS, with a certificate that no machine trusts.
//!
//! `tests/tls` has a certificate for `localhost`, valid for a hundred years, and
//! its key, which is worth nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use nearmiss::edge::probe::{Options, Trust, Why};
use nearmiss_core::answer::phase::Phase;
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::probe::peer::{
    ask, impatient, patient, peer, request, says, says_and_stays, until_closed,
};

pub async fn secure() -> SocketAddr {
    let chain = vec![CertificateDer::from_pem_slice(include_bytes!("../../tls/cert.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../../tls/key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    peer(async move |stream| {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let Ok(mut stream) = acceptor.accept(stream).await else { return };
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        until_closed(&mut stream).await;
    })
    .await
}

#[tokio::test]
async fn a_stranger_is_not_believed() {
    let outcome = ask("https", secure().await, &patient()).await;
    let failure = outcome.failure.unwrap();
    assert_eq!(failure.phase, Phase::Tls);
    assert!(matches!(failure.why, Why::Certificate { .. }), "{failure:?}");
    assert!(outcome.answer.is_none());
}

#[tokio::test]
async fn a_stranger_is_believed_when_told_so() {
    let options = Options { trust: Trust::Anybody, ..patient() };
    let outcome = ask("https", secure().await, &options).await;
    assert!(outcome.failure.is_none(), "{outcome:?}");
    let phases: Vec<Phase> = outcome.phases.iter().map(|timing| timing.phase).collect();
    let all = [Phase::Connect, Phase::Tls, Phase::Send, Phase::FirstByte, Phase::Body];
    assert_eq!(phases, all);
    let tls = outcome.tls.unwrap();
    assert_eq!(tls.version, "TLSv1.3");
    assert_eq!(tls.certificate_expires.as_deref(), Some("2126-10-27T08:16:14Z"));
    assert_eq!(outcome.answer.unwrap().body_start, "ok");
}

#[tokio::test]
async fn https_to_a_port_of_http_is_told() {
    let plain = peer(async |mut stream| {
        let bad = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(bad).await.unwrap();
        until_closed(&mut stream).await;
    })
    .await;
    let failure = ask("https", plain, &patient()).await.failure.unwrap();
    assert_eq!((failure.phase, failure.why), (Phase::Tls, Why::Handshake));

    let silent = says_and_stays("").await;
    let failure = ask("https", silent, &impatient()).await.failure.unwrap();
    assert_eq!((failure.phase, failure.why), (Phase::Tls, Why::TimedOut));
}

#[tokio::test]
async fn http_to_a_port_of_https_is_told() {
    // What OpenSSL and others send: a TLS alert.
    let alert = says("\u{15}\u{3}\u{1}\0\u{2}\u{2}\u{46}").await;
    let failure = ask("http", alert, &patient()).await.failure.unwrap();
    assert_eq!((failure.phase, failure.why), (Phase::FirstByte, Why::Malformed));
}
