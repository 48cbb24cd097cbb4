//! nginx's files that cannot be used: one line each, with the place.

use std::error::Error;

use nearmiss::edge::nginx::Nginx;

use crate::nginx::tree;

fn message(files: &[(&str, &str)]) -> String {
    let folder = tree(files);
    let message = match Nginx::read(folder.path()) {
        Ok(_) => "NO ERROR".to_owned(),
        Err(fault) => {
            let cause = fault.source().map_or(String::new(), |cause| format!(": {cause}"));
            format!("{fault}{cause}")
        }
    };
    message.replace(folder.path().to_str().unwrap(), "DIR")
}

#[test]
fn every_fault_says_where_and_what() {
    let one = |text: &str| message(&[("nginx.conf", text)]);
    let deep = "a { ".repeat(70);
    let messages = [
        message(&[("shop.conf", "")]),
        one("http {\n  server {\n    proxy_pass \"http://a;\n"),
        one("http {\n  proxy_read_timeout 60s\n}\n"),
        one("http {\n  proxy_read_timeout 60s;\n"),
        one("http { }\n}"),
        one("http { proxy_read_timeout 1.5s; }"),
        one("http { proxy_read_timeout; }"),
        one("http {\n proxy_read_timeout 1s;\n proxy_read_timeout 2s;\n}"),
        one("http { keepalive_timeout 75 75 75; }"),
        one("http { upstream a {\n keepalive many;\n} }"),
        one("http { upstream a {\n keepalive_timeout 5s 5s;\n} }"),
        one("http { server {\n proxy_next_upstream_tries -1;\n} }"),
        one("http {\n include snippets/proxy.conf;\n}"),
        one("http { include; }"),
        one("include nginx.conf;"),
        one("http { content_by_lua_block { x = '}' }"),
        one(&deep),
        message(&[
            ("nginx.conf", "include a;"),
            ("a", "http {\n include b; }"),
            ("b", "include c*;"),
            ("c.conf", "\ninclude a;"),
        ]),
        message(&[("nginx.conf", "http { include d; }"), ("d/e", "")]),
        message(&[
            ("nginx.conf", "http {\n include conf.d/*;\n}"),
            ("conf.d/a", "\n\nproxy_read_timeout 5x;"),
        ]),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn includes_have_a_limit() {
    let files: Vec<(String, String)> =
        (0..40).map(|at| (format!("f{at}"), format!("include f{};", at + 1))).collect();
    let mut named: Vec<_> =
        files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    named.push(("nginx.conf", "events {} include f0;"));
    assert_eq!(message(&named), "DIR/f19: more than 20 files that include each other");

    let large = "#".repeat((8 << 20) + 1);
    assert_eq!(message(&[("nginx.conf", &large)]), "DIR/nginx.conf: more than 8 MiB");

    let wide = "http { ".to_owned() + &"include a;".repeat(3_000) + " }";
    assert_eq!(message(&[("nginx.conf", &wide), ("a", "")]), "DIR/a: more than 2000 files");
}
