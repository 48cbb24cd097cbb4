//! The listener: readiness, and clients that want too much.

use std::sync::Arc;
use std::time::Duration;

use nearmiss::edge::http::{Page, gzip, serve};
use nearmiss::edge::time::instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

struct Server {
    address: std::net::SocketAddr,
    pages: watch::Sender<Arc<Page>>,
    stop: CancellationToken,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn server() -> Server {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (pages, receiver) = watch::channel(Arc::new(Page::default()));
    let stop = CancellationToken::new();
    tokio::spawn(serve(listener, receiver, stop.clone()));
    Server { address, pages, stop }
}

impl Server {
    async fn ask(&self, request: &str) -> String {
        String::from_utf8(self.ask_bytes(request).await).unwrap()
    }

    async fn ask_bytes(&self, request: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answer
    }

    async fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await
    }
}

#[tokio::test]
async fn it_is_ready_while_the_data_is_fresh() {
    let server = server().await;
    assert!(server.get("/readyz").await.starts_with("HTTP/1.1 503"), "before the first poll");
    assert!(server.get("/healthz").await.starts_with("HTTP/1.1 200"), "it is starting");
    let now = instant();
    for (until, status) in [(now + Duration::from_hours(1), "200"), (now, "503")] {
        server.pages.send_replace(Arc::new(Page {
            metrics: "a_metric 1\n".into(),
            gzip: gzip(b"a_metric 1\n"),
            fresh_until: Some(until),
            alive_until: Some(until),
        }));
        let ready = server.get("/readyz").await;
        assert!(ready.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {ready}");
        let alive = server.get("/healthz").await;
        assert!(alive.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {alive}");
    }
    for (accepted, compressed) in [("gzip", true), ("br, gzip;q=1.0", true), ("gzip;q=0", false)] {
        let request =
            format!("GET /metrics HTTP/1.1\r\nhost: a\r\naccept-encoding: {accepted}\r\n\r\n");
        let answer = server.ask_bytes(&request).await;
        let is_gzip = answer.windows(2).any(|pair| pair == [0x1f, 0x8b]);
        assert_eq!(is_gzip, compressed, "{accepted}");
        let said = String::from_utf8_lossy(&answer).contains("content-encoding: gzip");
        assert_eq!(said, compressed, "{accepted}");
    }
    let page = server.get("/metrics").await;
    assert!(page.contains("content-type: text/plain; version=0.0.4"), "{page}");
    assert!(page.ends_with("a_metric 1\n"), "{page}");
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let server = server().await;
    assert!(server.get("/").await.contains("/metrics"));
    assert!(server.get("/nothing").await.starts_with("HTTP/1.1 404"));
    let post = server.ask("POST /metrics HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n").await;
    assert!(post.starts_with("HTTP/1.1 405"), "{post}");
}

#[tokio::test]
async fn an_endless_header_is_cut_off() {
    let server = server().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let flood = async {
        stream.write_all(b"GET / HTTP/1.1\r\n").await?;
        loop {
            stream.write_all(b"x-more: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n").await?;
        }
        #[allow(unreachable_code)]
        Ok::<_, std::io::Error>(())
    };
    let ended = tokio::time::timeout(Duration::from_secs(10), flood).await;
    assert!(ended.is_ok_and(|result| result.is_err()), "the server took it all");
}

#[tokio::test]
async fn clients_that_say_nothing_give_way_to_those_who_ask() {
    let server = server().await;
    let mut silent = Vec::new();
    for _ in 0..600 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    assert!(server.get("/healthz").await.starts_with("HTTP/1.1 200"));
    let mut end = [0u8; 64];
    let first = silent.first_mut().unwrap();
    let read = tokio::time::timeout(Duration::from_secs(1), first.read(&mut end)).await;
    assert!(read.is_ok(), "the oldest is still there after its place was needed");
}

#[tokio::test]
async fn clients_that_never_read_their_page_hold_up_no_health_check() {
    let server = server().await;
    let metrics = "a_metric 1\n".repeat(1_000_000).into();
    server.pages.send_replace(Arc::new(Page { metrics, ..Page::default() }));
    let mut full = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        full.push((stream, first));
    }
    let of = |status: &[u8]| full.iter().filter(|(_, first)| first.ends_with(status)).count();
    assert_eq!((of(b"200"), of(b"503")), (128, 172), "pages at once, and who must come again");
    assert!(server.get("/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(server.get("/readyz").await.starts_with("HTTP/1.1 503 "));
    full.clear();
    let answered = async {
        while !server.get("/metrics").await.starts_with("HTTP/1.1 200") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let answered = tokio::time::timeout(Duration::from_secs(10), answered).await;
    assert!(answered.is_ok(), "places are free again once their clients are gone");
}
