//! A proxy between the probe and the server.

use std::net::SocketAddr;
use std::sync::Arc;

use nearmiss::edge::net::proxy::Proxies;
use nearmiss::edge::probe::{Options, Outcome, Trust, Via, Why, probe};
use nearmiss::probe::{Report, Verdict};
use nearmiss_core::answer::phase::Phase;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::probe::peer::{nobody, patient, peer, request, says};
use crate::probe::tls::secure;

/// Through a proxy with a user and a password.
fn through(proxy: SocketAddr) -> Options {
    let value = format!("http://me:s3cret@{proxy}");
    let proxies = Proxies::from(move |name| (name == "all_proxy").then(|| value.clone()));
    Options { proxies: Arc::new(proxies), ..patient() }
}

fn phases(outcome: &Outcome) -> Vec<Phase> {
    outcome.phases.iter().map(|timing| timing.phase).collect()
}

#[tokio::test]
async fn a_proxy_passes_http_on_and_is_told_the_whole_url() {
    let (tell, told) = oneshot::channel();
    let proxy = peer(async move |mut stream| {
        tell.send(request(&mut stream).await).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
    })
    .await;
    let target = "http://shop.example:8080/a?b=c#d".parse().unwrap();
    let outcome = probe(&target, &through(proxy)).await;
    let request = told.await.unwrap();
    assert!(request.starts_with("GET http://shop.example:8080/a?b=c HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("host: shop.example:8080\r\n"), "{request}");
    assert!(request.contains("proxy-authorization: Basic bWU6czNjcmV0\r\n"), "{request}");
    let all = [Phase::Connect, Phase::Send, Phase::FirstByte, Phase::Body];
    assert_eq!(phases(&outcome), all, "no name is looked up here");
    let url = format!("http://{proxy}");
    assert_eq!(outcome.proxy, Some(Via { url: url.clone(), tunnel: false }));
    assert_eq!(outcome.address, Some(proxy));
    let report = Report::of(outcome, &[]);
    assert_eq!(report.verdict, Verdict::Answered);
    let text = report.to_string();
    assert!(text.contains(&format!("Via    the proxy {url}\n")), "{text}");
    assert!(text.contains("its own way on is in \"first byte\""), "{text}");
    let json = serde_json::to_string(&report).unwrap();
    assert!(!format!("{text}{json}").contains("s3cret"), "{text}{json}");
}

#[tokio::test]
async fn a_tunnel_is_a_phase_of_its_own_before_tls() {
    let behind = secure().await;
    let (tell, told) = oneshot::channel();
    let proxy = peer(async move |mut stream| {
        tell.send(request(&mut stream).await).unwrap();
        let mut on = TcpStream::connect(behind).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
        let _ = copy_bidirectional(&mut stream, &mut on).await;
    })
    .await;
    let options = Options { trust: Trust::Anybody, ..through(proxy) };
    let outcome = probe(&"https://shop.example/".parse().unwrap(), &options).await;
    let request = told.await.unwrap();
    assert!(request.starts_with("CONNECT shop.example:443 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("Proxy-Authorization: Basic bWU6czNjcmV0\r\n"), "{request}");
    assert_eq!(outcome.answer.as_ref().map(|answer| answer.status), Some(200), "{outcome:?}");
    let all =
        [Phase::Connect, Phase::Proxy, Phase::Tls, Phase::Send, Phase::FirstByte, Phase::Body];
    assert_eq!(phases(&outcome), all);
    let text = Report::of(outcome, &[]).to_string();
    assert!(text.contains("its own way on is in \"proxy\""), "{text}");
}

#[tokio::test]
async fn a_proxy_that_fails_is_told_from_the_server() {
    let https = "https://shop.example/".parse().unwrap();
    for (answer, says_why) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "asks for a user and a password"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "refused the way to shop.example:443: HTTP/1.1 502"),
        ("SSH-2.0-OpenSSH_9\r\n\r\n", "no HTTP proxy"),
        ("", "closed the connection"),
    ] {
        let outcome = probe(&https, &through(says(answer).await)).await;
        let failure = outcome.failure.as_ref().unwrap();
        assert_eq!(failure.phase, Phase::Proxy, "{answer}");
        assert!(matches!(&failure.why, Why::ProxyRefused { reason } if reason.contains(says_why)));
        let report = Report::of(outcome, &[]);
        assert_eq!(report.verdict, Verdict::NoAnswer);
        assert!(report.next.iter().any(|next| next.contains("NO_PROXY='*'")), "{report}");
    }
    let (_socket, closed) = nobody();
    let outcome = probe(&https, &through(closed)).await;
    let failure = outcome.failure.unwrap();
    assert_eq!((failure.phase, failure.why), (Phase::Connect, Why::Refused));
    assert!(outcome.proxy.is_some());
}

#[tokio::test]
async fn no_proxy_and_an_address_by_hand_lead_past_it() {
    let (_socket, closed) = nobody();
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let server = says(ok).await;
    let variables = move |name: &str| match name {
        "http_proxy" => Some(format!("http://{closed}")),
        "no_proxy" => Some("127.0.0.0/8".to_owned()),
        _ => None,
    };
    let options = Options { proxies: Arc::new(Proxies::from(variables)), ..patient() };
    let outcome = probe(&format!("http://{server}/").parse().unwrap(), &options).await;
    assert!(outcome.failure.is_none() && outcome.proxy.is_none(), "{outcome:?}");

    let server = says(ok).await;
    let by_hand = format!("shop.example:{}:127.0.0.1", server.port()).parse().unwrap();
    let options = Options { resolve: vec![by_hand], ..through(closed) };
    let target = format!("http://shop.example:{}/", server.port()).parse().unwrap();
    let outcome = probe(&target, &options).await;
    assert!(outcome.failure.is_none() && outcome.proxy.is_none(), "{outcome:?}");
}

#[tokio::test]
async fn a_variable_that_names_no_proxy_is_told() {
    let proxies = Proxies::from(|name| (name == "HTTPS_PROXY").then(|| "socks5://a:1".into()));
    let options = Options { proxies: Arc::new(proxies), ..patient() };
    let report = Report::of(probe(&"https://a.example/".parse().unwrap(), &options).await, &[]);
    assert_eq!(report.verdict.exit_code(), 3, "{report}");
    assert!(report.headline.contains("HTTPS_PROXY names a SOCKS proxy"), "{report}");
}
