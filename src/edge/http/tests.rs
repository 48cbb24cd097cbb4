//! The listener: readiness, what a client accepts, and clients that ask too much.

use std::io::Read as _;

use flate2::read::GzDecoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::metrics::tests::page_of;

struct Server {
    address: std::net::SocketAddr,
    served: watch::Sender<Arc<Served>>,
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
    let (served, receiver) = watch::channel(Arc::default());
    let stop = CancellationToken::new();
    tokio::spawn(serve(listener, receiver, stop.clone()));
    Server { address, served, stop }
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
        server.served.send_replace(Arc::new(Served {
            page: Arc::default(),
            fresh_until: Some(until),
            alive_until: Some(until),
        }));
        let ready = server.get("/readyz").await;
        assert!(ready.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {ready}");
        let alive = server.get("/healthz").await;
        assert!(alive.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {alive}");
    }
}

#[tokio::test]
async fn a_page_comes_in_the_form_that_is_accepted() {
    let server = server().await;
    let page = Arc::new(page_of(300));
    let text = page.rendered().metrics;
    server.served.send_replace(Arc::new(Served { page, ..Served::default() }));
    let open = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    for (accepted, kind, is_compressed) in [
        ("", "text/plain; version=0.0.4", false),
        ("accept-encoding: gzip\r\n", "text/plain; version=0.0.4", true),
        ("accept: application/openmetrics-text\r\n", open, false),
        ("accept: application/openmetrics-text\r\naccept-encoding: gzip\r\n", open, true),
    ] {
        let request = |method| format!("{method} /metrics HTTP/1.1\r\nhost: a\r\n{accepted}\r\n");
        let answer = server.ask_bytes(&request("GET")).await;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let (header, body) = (std::str::from_utf8(&answer[..end]).unwrap(), &answer[end..]);
        for line in [
            "HTTP/1.1 200 OK\r\n",
            &format!("content-type: {kind}\r\n"),
            "vary: accept, accept-encoding\r\n",
            &format!("content-length: {}\r\n", body.len()),
        ] {
            assert!(header.contains(line), "{line} {accepted} {header}");
        }
        assert_eq!(header.contains("content-encoding: gzip\r\n"), is_compressed, "{accepted}");
        let mut whole = Vec::new();
        if is_compressed {
            GzDecoder::new(body).read_to_end(&mut whole).unwrap();
        } else {
            whole.extend_from_slice(body);
        }
        assert!(whole.len() > 2 * 64 * 1024, "it is sent in several pieces");
        assert!(if kind == open { whole.ends_with(b"# EOF\n") } else { whole == text });
        let head = server.ask(&request("HEAD")).await;
        assert!(head.contains(&format!("content-type: {kind}\r\n")), "{head}");
        assert!(head.ends_with("\r\n\r\n") && !head.contains("content-length: 0"), "{head}");
    }
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
    let page = Arc::new(page_of(20_000));
    server.served.send_replace(Arc::new(Served { page, ..Served::default() }));
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

#[test]
fn what_lasts_is_logged_once() {
    let mut refusals = Rarely::default();
    let logged = (0..438).filter(|_| refusals.is_due()).count();
    assert_eq!(logged, 1);
}
