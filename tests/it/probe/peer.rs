//! Servers that do one thing, mostly wrong.
//!
//! Each listens on a port of the system's choice, serves one connection, and ends
//! with its test.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use nearmiss::edge::probe::{Options, Outcome, probe};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Serves the first connection.
pub async fn peer<F, R>(serve: F) -> SocketAddr
where
    F: FnOnce(TcpStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve(stream).await;
    });
    address
}

/// Answers with these bytes and closes.
pub async fn says(answer: &'static str) -> SocketAddr {
    peer(async move |mut stream| {
        request(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await
}

/// Answers with these bytes, and then keeps the connection.
pub async fn says_and_stays(answer: &'static str) -> SocketAddr {
    peer(async move |mut stream| {
        request(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
        until_closed(&mut stream).await;
    })
    .await
}

/// The head of a request.
pub async fn request<S: AsyncReadExt + Unpin>(stream: &mut S) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Waits for the peer to close the connection.
pub async fn until_closed<S: AsyncReadExt + Unpin>(stream: &mut S) {
    while matches!(stream.read(&mut [0; 1024]).await, Ok(1..)) {}
}

/// An address where nothing listens; nobody else can take it while the socket lives.
pub fn nobody() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// An address whose queue is full, so that nothing comes back.
pub async fn black_hole(at: &str) -> (TcpListener, Vec<TcpStream>, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(at.parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    let patience = Duration::from_millis(300);
    while let Ok(stream) = tokio::time::timeout(patience, TcpStream::connect(address)).await {
        queued.push(stream.unwrap());
        assert!(queued.len() < 20, "the queue does not fill");
    }
    (listener, queued, address)
}

/// Timeouts for tests: what must end by itself has 10 s, what must not has 0.4 s.
pub fn patient() -> Options {
    Options { timeout: Duration::from_secs(10), ..Options::default() }
}

/// See [`patient`].
pub fn impatient() -> Options {
    Options { timeout: Duration::from_millis(400), ..Options::default() }
}

/// Asks for `/`.
pub async fn ask(scheme: &str, address: SocketAddr, options: &Options) -> Outcome {
    probe(&format!("{scheme}://{address}/").parse().unwrap(), options).await
}
