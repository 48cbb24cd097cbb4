//! Small servers that answer as AWS never should, for the tests of their clients.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// The Region of [`sdk`].
pub(crate) const REGION: &str = "eu-central-1";

/// What a server does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    /// Answers with this, and waits for the next request.
    Says(Vec<u8>),
    /// Answers with the first, and then always with the second.
    SaysForEver(Vec<u8>, Vec<u8>),
    /// Answers with this, and closes.
    Breaks(Vec<u8>),
    /// Nothing.
    Waits,
}

/// A request: its number among all, and its text.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) number: usize,
    pub(crate) text: String,
}

/// A server that ends with its test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) async fn new(does: impl Fn(Asked) -> Does + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (does, requests) = (Arc::new(does), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&requests);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&counted), Arc::clone(&does)));
            }
        });
        Self { address, requests }
    }

    /// A server that always answers the same.
    pub(crate) async fn says(answer: Vec<u8>) -> Self {
        Self::new(move |_| Does::Says(answer.clone())).await
    }

    /// How many requests came.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

/// Serves one connection, until the peer closes it.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    requests: Arc<AtomicUsize>,
    does: Arc<impl Fn(Asked) -> Does>,
) {
    while let Some(text) = request(&mut stream).await {
        let number = requests.fetch_add(1, Ordering::Relaxed);
        match does(Asked { number, text }) {
            Does::Says(answer) => {
                if stream.write_all(&answer).await.is_err() {
                    return;
                }
            }
            Does::SaysForEver(head, more) => {
                let mut sent = stream.write_all(&head).await;
                while sent.is_ok() {
                    sent = stream.write_all(&more).await;
                }
                return;
            }
            Does::Breaks(answer) => {
                let _ = stream.write_all(&answer).await;
                return;
            }
            Does::Waits => while matches!(stream.read(&mut [0; 64]).await, Ok(1..)) {},
        }
    }
}

/// A whole request with its body; `None` when there are no more.
async fn request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&bytes).to_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    bytes.extend(body);
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// An answer with a body.
pub(crate) fn answer(status: u16, kind: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// An error of the query protocols.
pub(crate) fn error(status: u16, code: &str, message: &str) -> Vec<u8> {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    );
    answer(status, "text/xml", body)
}

/// A configuration whose AWS is at `address`, with short timeouts: a second for an attempt.
pub(crate) async fn sdk(address: SocketAddr) -> SdkConfig {
    at(super::loader(), &format!("http://{address}")).await
}

/// The same from another base, at a URL.
pub(crate) async fn at(loader: aws_config::ConfigLoader, url: &str) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(1))
        .operation_timeout(Duration::from_secs(20));
    loader
        .region(Region::new(REGION))
        .endpoint_url(url)
        .credentials_provider(Credentials::new("AKIA", "secret", None, None, "test"))
        .timeout_config(timeouts.build())
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
        .load()
        .await
}
