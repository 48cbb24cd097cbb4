//! How long nginx keeps connections to the next hop: only where HTTP allows it.

use nearmiss_core::chain::{Doubt, Limit, Said, Timer, Version};

use super::facts_of;

/// What old nginx does, what new nginx does, and what applies where the version is not
/// known.
type Kept = [Result<u64, Doubt>; 3];

const NONE: Kept = [Ok(0), Ok(0), Ok(0)];
const HEADER: Kept = [Err(Doubt::Header), Err(Doubt::Header), Err(Doubt::Header)];
const TARGET: Kept = [Err(Doubt::Target), Err(Doubt::Target), Err(Doubt::Target)];

/// For this many seconds, whichever version it is.
const fn always(seconds: u64) -> Kept {
    [Ok(seconds), Ok(seconds), Ok(seconds)]
}

/// Only since connections are kept by default.
fn since(seconds: u64) -> Kept {
    let doubt = Doubt::Version {
        before: Limit::seconds(0),
        since: Limit::seconds(seconds),
        version: Version([1, 29, 7]),
    };
    [Ok(0), Ok(seconds), Err(doubt)]
}

fn kept(blocks: &str, location: &str) -> Kept {
    [Some([1, 22, 1]), Some([1, 29, 7]), None].map(|version| {
        let facts = facts_of(blocks, location, version);
        let one = facts.into_iter().find_map(|said| match said {
            Said::Timer(Timer::UpstreamKeepAlive, limit) => Some(Ok(limit.length()?.as_secs())),
            Said::Doubt(Timer::UpstreamKeepAlive, doubt) => Some(Err(doubt)),
            _ => None,
        });
        one.unwrap()
    })
}

const NEW: &str = "proxy_http_version 1.1;";
const CLEAR: &str = "proxy_set_header Connection '';";
const BOTH: &str = "proxy_http_version 1.1; proxy_set_header Connection '';";

/// An upstream block of one server.
fn upstream(more: &str) -> String {
    format!("upstream app {{ server a; {more} }}")
}

fn check(blocks: &str, location: &str, expected: Kept) {
    assert_eq!(kept(blocks, location), expected, "{blocks} {location}");
}

#[test]
fn the_upstream_block_says_for_how_long() {
    let pass = format!("proxy_pass http://app; {BOTH}");
    for (more, expected) in [
        ("keepalive 16;", always(60)),
        ("keepalive 0;", NONE),
        ("keepalive 8; keepalive_requests 1;", NONE),
        ("keepalive 8; keepalive_timeout 0;", NONE),
    ] {
        check(&upstream(more), &pass, expected);
    }
    let four = format!("{} {BOTH}", upstream("keepalive 8; keepalive_timeout 4s;"));
    check(&four, "proxy_pass http://app; ", always(4));
    let nine = format!("{} {BOTH}", upstream("keepalive 8; keepalive_timeout 9s;"));
    check(&nine, "proxy_pass http://app; proxy_set_header Host x;", since(9));
}

#[test]
fn the_version_of_http_and_the_connection_header_decide() {
    let upgraded = "proxy_set_header connection 'upgrade';";
    let keep_alive = "proxy_set_header Connection keep-alive;";
    let close = "proxy_set_header Connection close;";
    let theirs = "proxy_set_header Connection $http_connection;";
    for (keepalive, directives, expected) in [
        ("", String::new(), since(60)),
        ("keepalive 16;", String::new(), since(60)),
        ("keepalive 16;", NEW.to_owned(), since(60)),
        ("keepalive 16;", CLEAR.to_owned(), since(60)),
        ("keepalive 8;", format!("{NEW} {close}"), NONE),
        ("keepalive 8;", format!("{NEW} {upgraded}"), always(60)),
        ("keepalive 8;", "proxy_http_version 1.0;".to_owned(), NONE),
        ("keepalive 8;", format!("proxy_http_version 1.0; {keep_alive}"), always(60)),
        ("keepalive 8;", format!("{NEW} {theirs}"), HEADER),
    ] {
        check(&upstream(keepalive), &format!("proxy_pass http://app; {directives}"), expected);
    }
    let usual = "proxy_set_header Connection $upgraded;";
    for (value, expected) in [("close", NONE), ("''", always(60))] {
        let map = format!("map $http_upgrade $upgraded {{ default upgrade; '' {value}; }}");
        let blocks = format!("{map} {}", upstream("keepalive 8;"));
        check(&blocks, &format!("proxy_pass http://app; {NEW} {usual}"), expected);
    }
}

#[test]
fn each_way_to_pass_on_keeps_them_in_its_own_way() {
    for (location, expected) in [
        (format!("proxy_pass http://other; {BOTH}"), NONE),
        (format!("proxy_pass http://$host; {BOTH}"), TARGET),
        ("fastcgi_pass app;".to_owned(), NONE),
        ("fastcgi_pass app; fastcgi_keep_conn on;".to_owned(), always(60)),
        ("uwsgi_pass app;".to_owned(), NONE),
        ("scgi_pass app;".to_owned(), NONE),
        ("grpc_pass app;".to_owned(), always(60)),
        ("memcached_pass app;".to_owned(), always(60)),
    ] {
        check(&upstream("keepalive 8;"), &location, expected);
    }
    check(&upstream(""), "grpc_pass app;", since(60));
}
