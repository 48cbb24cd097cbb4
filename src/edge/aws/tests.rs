//! Calls to servers that are slow, endless, broken, or behind a proxy.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::credential_fn::provide_credentials_fn;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::testing::{Asked, Does, REGION, Server, answer, at, error, sdk, serve};
use super::transport::Http;
use super::*;

const ACTION: &str = "sts:GetCallerIdentity";
const WHO: &str = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/me</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>";

fn good() -> Vec<u8> {
    answer(200, "text/xml", WHO)
}

async fn ask(sdk: &SdkConfig) -> Result<String, AwsError> {
    let answer = aws_sdk_sts::Client::new(sdk).get_caller_identity().send().await;
    let answer = answer.map_err(|error| AwsError::of(ACTION, REGION, &error));
    answer.map(|who| who.arn().unwrap_or_default().to_owned())
}

/// The result of a call to this server.
async fn fault(does: impl Fn(Asked) -> Does + Send + Sync + 'static) -> (AwsError, usize) {
    let server = Server::new(does).await;
    let fault = ask(&sdk(server.address).await).await.unwrap_err();
    (fault, server.requests())
}

#[tokio::test]
async fn kept_connections_that_are_dead_cost_one_attempt() {
    const SIDE_BY_SIDE: usize = 8;
    // The first requests are answered when all have arrived, so that each has a connection;
    // then those connections are black holes, and new ones are not.
    let waiting = Arc::new(tokio::sync::Barrier::new(SIDE_BY_SIDE));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let (opened, requests) = (Arc::clone(&connections), Arc::new(AtomicUsize::new(0)));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let number = opened.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let (waiting, requests) = (Arc::clone(&waiting), Arc::clone(&requests));
            tokio::spawn(async move {
                if number >= SIDE_BY_SIDE {
                    let does = Arc::new(|_| Does::Says(good()));
                    return serve(stream, requests, does).await;
                }
                let _ = stream.read(&mut [0; 4096]).await;
                waiting.wait().await;
                let _ = stream.write_all(&good()).await;
                while matches!(stream.read(&mut [0; 4096]).await, Ok(1..)) {}
            });
        }
    });
    let sdk = sdk(address).await;
    let first = futures::future::join_all((0..SIDE_BY_SIDE).map(|_| ask(&sdk))).await;
    assert!(first.iter().all(Result::is_ok), "{first:?}");
    let then = futures::future::join_all((0..SIDE_BY_SIDE).map(|_| ask(&sdk))).await;
    assert!(then.iter().all(Result::is_ok), "{then:?}");
    let opened = connections.load(std::sync::atomic::Ordering::Relaxed);
    assert!(opened > SIDE_BY_SIDE, "{opened}");
}

#[tokio::test]
async fn an_answer_without_an_end_is_cut_off() {
    let head = b"HTTP/1.1 200 X\r\nContent-Type: text/xml\r\n\r\n".to_vec();
    let endless = |more: Vec<u8>| {
        let head = head.clone();
        move |_| Does::SaysForEver(head.clone(), more.clone())
    };
    let (long, _) = fault(endless(vec![b' '; 1 << 16])).await;
    assert!(long.said.contains("longer than 8192 KiB"), "{long}");
    let (many, _) = fault(endless(b"<a/>".repeat(1 << 14))).await;
    assert!(many.said.contains("more elements"), "{many}");
    assert_eq!((long.problem, many.problem), (ErrorKind::Failed, ErrorKind::Failed));
}

#[tokio::test]
async fn a_slow_answer_is_given_up() {
    let some = answer(200, "text/xml", WHO)[..80].to_vec();
    let stalls = move |_| Does::Says(some.clone());
    for (slow, requests) in <[_; 2]>::from(tokio::join!(fault(|_| Does::Waits), fault(stalls))) {
        assert_eq!((slow.problem, requests), (ErrorKind::Unreachable, 3), "{slow}");
        assert!(slow.said.contains("timed out"), "{slow}");
    }
}

#[tokio::test]
async fn each_answer_is_one_kind_of_problem() {
    let xml = |body: &str| answer(200, "text/xml", body);
    for (case, bytes, problem, says) in [
        ("denied", error(403, "AccessDenied", "no"), ErrorKind::Denied, "AccessDenied: no"),
        ("no text", xml(""), ErrorKind::Failed, "cannot be read"),
        ("other text", xml("<html>Login</html>"), ErrorKind::Failed, "cannot be read"),
        ("bytes", xml("\u{0}\u{1}<"), ErrorKind::Failed, "cannot be read"),
        ("a portal", answer(302, "text/html", ""), ErrorKind::Unreachable, "HTTP 302"),
        (
            "a firewall",
            answer(403, "text/html", "<h1>Blocked</h1>"),
            ErrorKind::Unreachable,
            "a proxy or a firewall",
        ),
        ("a proxy", answer(407, "text/html", "no"), ErrorKind::Unreachable, "user and a password"),
        ("a gateway", answer(502, "text/html", "no"), ErrorKind::Failed, "HTTP 502"),
        ("no HTTP", b"SSH-2.0-OpenSSH_9\r\n\r\n".to_vec(), ErrorKind::Unreachable, "HTTP"),
        (
            "forged",
            error(400, "A\nB", "ERROR\nall is\u{202e} lost"),
            ErrorKind::Refused,
            "A\\nB: ERROR\\nall is\\u{202e} lost",
        ),
        ("long", error(400, "A", &"x".repeat(10_000)), ErrorKind::Refused, "…"),
        (
            "too long",
            error(400, "A", &"x".repeat(100_000)),
            ErrorKind::Failed,
            "cannot be read: the answer is longer than 64 KiB",
        ),
    ] {
        let (fault, _) = fault(move |_| Does::Breaks(bytes.clone())).await;
        assert_eq!(fault.problem, problem, "{case}: {fault}");
        assert!(fault.said.contains(says), "{case}: {fault}");
        assert!(!fault.to_string().contains(char::is_control), "{case}: {fault}");
        assert!(fault.said.chars().count() < 700, "{case}: {}", fault.said.len());
    }
}

#[tokio::test]
async fn nobody_there_is_told_with_the_address() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let fault = ask(&sdk(address).await).await.unwrap_err();
    assert_eq!(fault.problem, ErrorKind::Unreachable);
    assert!(fault.said.starts_with(&format!("cannot connect to {address}: ")), "{fault}");
    assert!(fault.said.contains("refused"), "{fault}");
}

/// A server with a certificate for `localhost`, and its port.
async fn secure(certificate: &'static [u8]) -> u16 {
    let chain = vec![CertificateDer::from_pem_slice(certificate).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../../../tests/tls/key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let does = Arc::new(|_| Does::Says(good()));
                serve(stream, Arc::default(), does).await;
            });
        }
    });
    port
}

const SIGNED: &[u8] = include_bytes!("../../../tests/tls/cert.pem");
const SELF_SIGNED: &[u8] = include_bytes!("../../../tests/tls/self.pem");

fn tls_file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)
}

async fn through(proxies: Proxies, bundle: Option<&str>, url: &str) -> Result<String, AwsError> {
    let bundle = bundle.map(|name| CaBundle::load(&tls_file(name)).unwrap());
    let http = Http::new(proxies, bundle);
    ask(&at(loader().http_client(http), url).await).await
}

#[tokio::test]
async fn a_ca_bundle_says_who_is_believed() {
    for (certificate, bundle, believed) in [
        (SIGNED, None, false),
        (SIGNED, Some("ca.pem"), true),
        (SIGNED, Some("self.pem"), false),
        (SELF_SIGNED, None, false),
        (SELF_SIGNED, Some("self.pem"), true),
        (SELF_SIGNED, Some("ca.pem"), false),
    ] {
        let url = format!("https://localhost:{}", secure(certificate).await);
        let answer = through(Proxies::default(), bundle, &url).await;
        assert_eq!(answer.is_ok(), believed, "{bundle:?}: {answer:?}");
        if let Err(fault) = answer {
            assert_eq!(fault.problem, ErrorKind::Unreachable);
            assert!(fault.said.contains("self-signed"), "{fault}");
            assert!(fault.advice().contains("ca_bundle"), "{}", fault.advice());
            assert!(!fault.said.contains("CaUsedAsEndEntity"), "{fault}");
        }
    }
    let port = secure(SELF_SIGNED).await;
    let url = format!("https://localhost.localdomain:{port}");
    let other = through(Proxies::default(), Some("self.pem"), &url).await;
    assert!(other.is_err(), "not for another name");
}

/// A proxy that passes everything on to one address, and what was asked of it.
async fn proxy(to: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let text = String::from_utf8_lossy(&head).into_owned();
            noted.lock().unwrap().push(text.clone());
            tokio::spawn(async move {
                let mut behind = TcpStream::connect(to).await.unwrap();
                if text.starts_with("CONNECT ") {
                    stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.unwrap();
                } else {
                    behind.write_all(&head).await.unwrap();
                }
                let _ = copy_bidirectional(&mut stream, &mut behind).await;
            });
        }
    });
    (address, asked)
}

fn all_through(address: SocketAddr) -> Proxies {
    let value = format!("http://me:s3cret@{address}");
    Proxies::from(move |name| (name == "all_proxy").then(|| value.clone()))
}

#[tokio::test]
async fn https_goes_through_a_tunnel_and_http_as_a_whole_url() {
    let port = secure(SIGNED).await;
    let (address, asked) = proxy(([127, 0, 0, 1], port).into()).await;
    let url = format!("https://localhost:{port}");
    let answer = through(all_through(address), Some("ca.pem"), &url).await;
    assert!(answer.is_ok(), "{answer:?}");
    let head = asked.lock().unwrap().remove(0);
    assert!(head.starts_with(&format!("CONNECT localhost:{port} HTTP/1.1\r\n")), "{head}");
    assert!(head.contains("Proxy-Authorization: Basic bWU6czNjcmV0\r\n"), "{head}");

    let plain = Server::says(good()).await;
    let (address, asked) = proxy(plain.address).await;
    let url = format!("http://aws.example:{}", plain.address.port());
    let answer = through(all_through(address), None, &url).await;
    assert!(answer.is_ok(), "{answer:?}");
    let head = asked.lock().unwrap().remove(0).to_lowercase();
    assert!(head.starts_with(&format!("post {url}/ http/1.1\r\n")), "{head}");
    assert!(head.contains("proxy-authorization: basic bwu6cznjcmv0\r\n"), "{head}");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_without_its_password() {
    let server = Server::says(b"HTTP/1.1 403 Forbidden\r\n\r\n".to_vec()).await;
    let url = "https://sts.eu-central-1.amazonaws.com";
    let fault = through(all_through(server.address), None, url).await.unwrap_err();
    let start = format!("through the proxy http://{}: the proxy refused", server.address);
    assert!(fault.said.starts_with(&start), "{fault}");
    assert!(!fault.said.contains("s3cret"), "{fault}");
    assert!(fault.advice().contains("NO_PROXY"), "{}", fault.advice());
}

#[tokio::test]
async fn credentials_of_this_machine_are_fetched_without_a_proxy() {
    let server = Server::says(good()).await;
    let (address, asked) = proxy(server.address).await;
    let http = Http::new(all_through(address), None).for_credentials();
    let url = format!("http://{}", server.address);
    ask(&at(loader().http_client(http), &url).await).await.unwrap();
    assert!(asked.lock().unwrap().is_empty());
}

/// An identity whose keys are those in `keys`, in a configuration that asks `server`.
async fn known(
    server: &Server,
    keys: &Arc<Mutex<Vec<&'static str>>>,
    file: &Path,
) -> (SdkConfig, Identity) {
    let http = Http::new(Proxies::default(), None);
    let keys = Arc::clone(keys);
    let make = move || {
        let key = keys.lock().unwrap().first().copied();
        let known = key.map(|key| Credentials::new(key, "secret", None, None, "test"));
        std::future::ready(SharedCredentialsProvider::new(provide_credentials_fn(move || {
            std::future::ready(known.clone().ok_or_else(|| CredentialsError::not_loaded("nothing")))
        })))
    };
    let identity = Identity::new(make, vec![file.to_owned()], http.refusals());
    let base = at(loader().http_client(http), &format!("http://{}", server.address)).await;
    let base =
        base.to_builder().credentials_provider(SharedCredentialsProvider::new(identity.clone()));
    (base.identity_cache(identity.clone()).build(), identity)
}

/// A server that accepts only one key.
async fn taking(key: Arc<Mutex<&'static str>>) -> Server {
    Server::new(move |asked| {
        let key = *key.lock().unwrap();
        Does::Says(if asked.text.contains(&format!("Credential={key}/")) {
            good()
        } else {
            error(403, "ExpiredToken", "The security token included in the request is expired")
        })
    })
    .await
}

#[tokio::test]
async fn an_identity_is_found_out_anew_when_aws_refuses_it() {
    let directory = tempfile::tempdir().unwrap();
    let (taken, keys) = (Arc::new(Mutex::new("OLD")), Arc::new(Mutex::new(vec!["OLD"])));
    let server = taking(Arc::clone(&taken)).await;
    let (sdk, _) = known(&server, &keys, &directory.path().join("none")).await;
    ask(&sdk).await.unwrap();
    *keys.lock().unwrap() = vec!["NEW"];
    ask(&sdk).await.unwrap();
    *taken.lock().unwrap() = "NEW";
    let fault = ask(&sdk).await.unwrap_err();
    assert_eq!(fault.problem, ErrorKind::Credentials);
    ask(&sdk).await.unwrap();
}

#[tokio::test]
async fn an_identity_is_found_out_anew_when_a_file_has_changed_or_somebody_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("credentials");
    let (taken, keys) = (Arc::new(Mutex::new("OLD")), Arc::new(Mutex::new(vec!["OLD"])));
    let server = taking(Arc::clone(&taken)).await;
    let (sdk, identity) = known(&server, &keys, &file).await;
    ask(&sdk).await.unwrap();
    let asked = server.requests();

    (*keys.lock().unwrap(), *taken.lock().unwrap()) = (vec!["NEW"], "NEW");
    std::fs::write(&file, "new").unwrap();
    ask(&sdk).await.unwrap();
    assert_eq!(server.requests(), asked + 1, "before AWS refuses the old one");

    (*keys.lock().unwrap(), *taken.lock().unwrap()) = (vec!["NEWER"], "NEWER");
    identity.read_again();
    ask(&sdk).await.unwrap();
    assert_eq!(server.requests(), asked + 2);

    keys.lock().unwrap().clear();
    identity.read_again();
    ask(&sdk).await.unwrap();
    assert_eq!(server.requests(), asked + 3, "what is known stays where nothing better is");
}
