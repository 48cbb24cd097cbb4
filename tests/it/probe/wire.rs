//! What a plain connection can do, and what the probe calls it.

use std::time::Duration;

use nearmiss::edge::probe::{BodyEnd, Method, Options, Outcome, Why, probe};
use nearmiss_core::answer::phase::Phase;
use tokio::io::AsyncWriteExt;
use tokio::sync::oneshot;

use crate::probe::peer::{
    ask, black_hole, impatient, nobody, patient, peer, request, says, says_and_stays, until_closed,
};

fn phases(outcome: &Outcome) -> Vec<Phase> {
    outcome.phases.iter().map(|timing| timing.phase).collect()
}

fn failed(outcome: &Outcome) -> (Phase, Why) {
    let failure = outcome.failure.as_ref().expect("a failure");
    assert_eq!(outcome.phases.last().map(|timing| timing.phase), Some(failure.phase));
    (failure.phase, failure.why.clone())
}

#[tokio::test]
async fn an_answer_has_its_phases_in_order_and_without_a_gap() {
    let address =
        says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\nSet-Cookie: secret\r\n\r\nok")
            .await;
    let outcome = ask("http", address, &patient()).await;
    assert!(outcome.failure.is_none(), "{outcome:?}");
    let all = [Phase::Connect, Phase::Send, Phase::FirstByte, Phase::Body];
    assert_eq!(phases(&outcome), all);
    let mut end = 0.0;
    for timing in &outcome.phases {
        assert!((timing.start - end).abs() < 2e-6, "{outcome:?}");
        end = timing.start + timing.seconds;
    }
    assert!((outcome.seconds - end).abs() < 2e-6, "{outcome:?}");
    let answer = outcome.answer.unwrap();
    assert_eq!((answer.status, answer.body_start.as_str(), answer.body_bytes), (200, "ok", 2));
    assert_eq!(answer.headers[1], ("x-a".to_owned(), "b".to_owned()));
    assert_eq!(answer.headers[2], ("set-cookie".to_owned(), "(not kept)".to_owned()));
    assert_eq!(outcome.address, Some(address));
}

#[tokio::test]
async fn the_request_is_polite_and_one() {
    let (tell, told) = oneshot::channel();
    let address = peer(async move |mut stream| {
        tell.send(request(&mut stream).await).unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    })
    .await;
    let header = |name: &'static str, value| (name.parse().unwrap(), value);
    let headers =
        vec![header("x-a", "1".parse().unwrap()), header("accept", "a/b".parse().unwrap())];
    let options = Options { headers, ..patient() };
    let outcome = probe(&format!("http://{address}/a?b=c#d").parse().unwrap(), &options).await;
    assert_eq!(outcome.answer.unwrap().status, 204);
    assert_eq!(outcome.tried.len(), 1);
    let request = told.await.unwrap();
    assert!(request.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{request}");
    for line in [
        format!("host: {address}\r\n"),
        format!("user-agent: nearmiss/{}\r\n", env!("CARGO_PKG_VERSION")),
        "connection: close\r\n".to_owned(),
        "x-a: 1\r\n".to_owned(),
        "accept: a/b\r\n".to_owned(),
    ] {
        assert_eq!(request.matches(&line).count(), 1, "{request}");
    }
    assert!(!request.contains("*/*"), "{request}");
}

#[tokio::test]
async fn each_way_to_fail_has_its_name() {
    let long = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n5\r\nde";
    let short = Why::ShortBody { expected: 100, got: 3 };
    for (answer, wanted) in [
        ("", (Phase::FirstByte, Why::ClosedEarly)),
        ("HTTP/1.1 200 OK\r\nConte", (Phase::FirstByte, Why::ClosedEarly)),
        ("SSH-2.0-OpenSSH_9.2p1\r\n", (Phase::FirstByte, Why::Malformed)),
        (long, (Phase::Body, short)),
        (chunked, (Phase::Body, Why::BrokenBody)),
    ] {
        let outcome = ask("http", says(answer).await, &patient()).await;
        assert_eq!(failed(&outcome), wanted, "{answer:?} {outcome:?}");
        assert!(outcome.failure.unwrap().cause.is_some());
    }
}

#[tokio::test]
async fn what_does_not_end_ends_with_our_time() {
    for (answer, wanted) in [
        ("", (Phase::FirstByte, Why::TimedOut)),
        ("HTTP/1.1 200 OK\r\n", (Phase::FirstByte, Why::TimedOut)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", (Phase::Body, Why::BodyStalled)),
    ] {
        let outcome = ask("http", says_and_stays(answer).await, &impatient()).await;
        assert_eq!(failed(&outcome), wanted, "{answer:?} {outcome:?}");
        assert!((0.39..5.0).contains(&outcome.seconds), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_body_that_drips_is_slow_and_not_stalled() {
    let address = peer(async move |mut stream| {
        request(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
        stream.write_all(head).await.unwrap();
        let mut drips = tokio::time::interval(Duration::from_millis(20));
        while stream.write_all(b"x").await.is_ok() {
            drips.tick().await;
        }
    })
    .await;
    let outcome = ask("http", address, &impatient()).await;
    assert_eq!(failed(&outcome), (Phase::Body, Why::BodyTooSlow), "{outcome:?}");
    let answer = outcome.answer.unwrap();
    assert!(answer.body_bytes > 3 && answer.body_end == BodyEnd::Broken, "{answer:?}");
}

#[tokio::test]
async fn a_slow_first_byte_is_a_wait_for_the_first_byte() {
    let address = peer(async move |mut stream| {
        request(&mut stream).await;
        tokio::time::sleep(Duration::from_millis(250)).await; // the wait under test
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    })
    .await;
    let outcome = ask("http", address, &patient()).await;
    assert!(outcome.seconds_in(Phase::FirstByte).unwrap() >= 0.24, "{outcome:?}");
    assert!(outcome.seconds_in(Phase::Body).unwrap() < 0.2, "{outcome:?}");
}

#[tokio::test]
async fn a_reset_is_no_close() {
    let address = peer(async move |mut stream| {
        request(&mut stream).await;
        stream.set_zero_linger().unwrap();
    })
    .await;
    let outcome = ask("http", address, &patient()).await;
    assert_eq!(failed(&outcome), (Phase::FirstByte, Why::Reset), "{outcome:?}");
}

#[tokio::test]
async fn nobody_is_refused_and_a_black_hole_times_out() {
    let (_socket, address) = nobody();
    let outcome = ask("http", address, &patient()).await;
    assert_eq!(failed(&outcome), (Phase::Connect, Why::Refused), "{outcome:?}");

    let (_listener, _queued, address) = black_hole("127.0.0.1:0").await;
    let options = Options { connect_timeout: Duration::from_millis(300), ..patient() };
    let outcome = ask("http", address, &options).await;
    assert_eq!(failed(&outcome), (Phase::Connect, Why::TimedOut), "{outcome:?}");
    assert!((0.29..5.0).contains(&outcome.seconds), "{outcome:?}");
}

#[tokio::test]
async fn a_name_that_cannot_be_is_not_found() {
    // A label of more than 63 characters never leaves the machine.
    let url = format!("http://{}.invalid/", "a".repeat(64));
    let outcome = probe(&url.parse().unwrap(), &patient()).await;
    assert_eq!(failed(&outcome).0, Phase::Dns, "{outcome:?}");
    assert!(matches!(failed(&outcome).1, Why::NameNotFound | Why::NameServers), "{outcome:?}");
}

#[tokio::test]
async fn an_address_that_fails_is_told_and_the_next_one_tried() {
    let address = says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let port = address.port();
    let by_hand = |ip| format!("shop.example:{port}:{ip}").parse().unwrap();
    let resolve = vec![by_hand("127.0.0.2"), by_hand("127.0.0.1")];
    let target = format!("http://shop.example:{port}/").parse().unwrap();
    let outcome = probe(&target, &Options { resolve, ..patient() }).await;
    assert_eq!(outcome.answer.as_ref().unwrap().status, 200, "{outcome:?}");
    let tried: Vec<_> = outcome.tried.iter().map(|tried| tried.why.clone()).collect();
    assert_eq!(tried, [Some(Why::Refused), None]);
    assert_eq!(phases(&outcome)[0], Phase::Connect, "no DNS for an address by hand");
}

#[tokio::test]
async fn a_body_has_a_limit_and_a_head_has_none() {
    let address = peer(async move |mut stream| {
        request(&mut stream).await;
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    let outcome = ask("http", address, &Options { most_body: 10_000, ..patient() }).await;
    let answer = outcome.answer.unwrap();
    assert_eq!(answer.body_end, BodyEnd::AtOurLimit);
    assert!((10_000..200_000).contains(&answer.body_bytes), "{}", answer.body_bytes);
    assert_eq!(answer.body_start.len(), 4096);

    let address = says("HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n").await;
    let outcome = ask("http", address, &Options { method: Method::Head, ..patient() }).await;
    assert!(outcome.failure.is_none(), "{outcome:?}");
}

#[tokio::test]
async fn a_redirect_is_told_and_not_followed() {
    let address =
        says("HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n")
            .await;
    let outcome = ask("http", address, &patient()).await;
    let answer = outcome.answer.unwrap();
    assert_eq!(answer.location.as_deref(), Some("http://192.0.2.1/"));
}

#[tokio::test]
async fn ipv6_is_asked_as_well() {
    let Ok(listener) = tokio::net::TcpListener::bind("[::1]:0").await else { return };
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = request(&mut stream).await;
        assert!(head.contains("host: [::1]:"), "{head}");
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        until_closed(&mut stream).await;
    });
    let outcome = ask("http", address, &patient()).await;
    assert_eq!(outcome.answer.unwrap().status, 200);
}

#[tokio::test]
async fn headers_are_bounded() {
    let mut answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n".to_owned();
    for n in 0..100 {
        answer.push_str(&format!("X-{n}: {}\r\n", "v".repeat(600)));
    }
    answer.push_str("\r\n");
    let address = peer(async move |mut stream| {
        request(&mut stream).await;
        let _ = stream.write_all(answer.as_bytes()).await;
        until_closed(&mut stream).await;
    })
    .await;
    let outcome = ask("http", address, &patient()).await;
    let answer = outcome.answer.expect("an answer");
    assert_eq!((answer.headers.len(), answer.headers_left_out), (64, 37));
    assert!(answer.headers.iter().all(|(_, value)| value.len() <= 512));
}

#[tokio::test]
async fn a_name_takes_a_look_up() {
    let address = says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let target = format!("http://localhost:{}/", address.port()).parse().unwrap();
    let outcome = probe(&target, &patient()).await;
    assert_eq!(phases(&outcome)[..2], [Phase::Dns, Phase::Connect], "{outcome:?}");
    assert_eq!(outcome.answer.unwrap().status, 200);
}

#[tokio::test]
async fn a_silent_address_has_its_share_of_the_time_and_no_more() {
    let address = says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let port = address.port();
    let (_listener, _queued, _) = black_hole(&format!("127.0.0.2:{port}")).await;
    let by_hand = |ip| format!("shop.example:{port}:{ip}").parse().unwrap();
    let resolve = vec![by_hand("127.0.0.2"), by_hand("127.0.0.1")];
    let connect_timeout = Duration::from_millis(600);
    let target = format!("http://shop.example:{port}/").parse().unwrap();
    let outcome = probe(&target, &Options { resolve, connect_timeout, ..patient() }).await;
    assert_eq!(outcome.answer.as_ref().map(|answer| answer.status), Some(200), "{outcome:?}");
    assert_eq!(outcome.tried[0].why, Some(Why::TimedOut));
    assert!((0.29..0.59).contains(&outcome.tried[0].seconds), "{outcome:?}");
}

#[tokio::test]
async fn no_length_of_time_is_too_long_to_count() {
    let address = says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let (timeout, connect_timeout) = (Duration::MAX, Duration::MAX);
    let outcome = ask("http", address, &Options { timeout, connect_timeout, ..patient() }).await;
    assert!(outcome.failure.is_none(), "{outcome:?}");
}
