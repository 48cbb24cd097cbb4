//! nginx's files that cannot be used: one line each, with the place.

use std::error::Error;

use crate::edge::nginx::Nginx;

use super::tree;

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
        one("http {\n  proxy_read_timeout ${TIMEOUT};\n}"),
        one("http {\n  server {\n    {% if tls %}\n    listen 443;\n    {% endif %}\n  }\n}"),
        one("http {\n  proxy_read_timeout {{ timeout }};\n}"),
        message(&[
            ("nginx.conf", "include a.conf.tmpl;"),
            ("a.conf.tmpl", "> if x then\nhttp { }\n> end\n"),
        ]),
        one(
            "http { upstream a { server b; }\n server { location / { proxy_pass http://A:80; } } }",
        ),
        one("http { server { location / { proxy_pass a; } } }"),
        one("http {\n proxy_http_version 3;\n}"),
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

    let long = "#".repeat((128 << 20) + 1);
    assert_eq!(message(&[("nginx.conf", &long)]), "DIR/nginx.conf: more than 128 MiB in all");

    // 2^18 times a, through files that each include the next one twice.
    let mut doubling: Vec<(String, String)> = (0..18)
        .map(|at| (format!("f{at}"), format!("include f{0}; include f{0};", at + 1)))
        .collect();
    doubling.push(("f18".to_owned(), "proxy_read_timeout 1s;".repeat(20)));
    doubling.push(("nginx.conf".to_owned(), "http { include f0; }".to_owned()));
    let doubling: Vec<_> = doubling.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(message(&doubling), "DIR/f0: more directives than anybody writes");
}

/// Thousands of sites with the same snippets: each file counts once.
#[test]
fn many_sites_with_shared_snippets_are_read() {
    let site =
        "server { server_name s; location / { include proxy/a; include proxy/b; } include tls; }";
    let names: Vec<String> = (0..2_500).map(|at| format!("sites/{at}.conf")).collect();
    let mut files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), site)).collect();
    files.extend([
        ("nginx.conf", "events {} http { include sites/*.conf; }"),
        ("proxy/a", "proxy_pass http://10.0.0.1; proxy_read_timeout 7s;"),
        ("proxy/b", "proxy_set_header Host $host;"),
        ("tls", "ssl_protocols TLSv1.3;"),
    ]);
    let folder = tree(&files);
    let nginx = Nginx::read(folder.path()).unwrap();
    assert_eq!((nginx.routes.len(), nginx.files.len()), (2_500, 2_504));
    assert_eq!(nginx.sets(None).len(), 1);
    assert_eq!(nginx.notes, []);
}

#[test]
fn a_long_file_of_what_cannot_matter_is_read() {
    let denied = "deny 192.0.2.1;\n".repeat(600_000); // 9.6 MB
    let text = format!(
        "http {{ {denied} geo $a {{ {} }} server {{ location / {{ proxy_pass http://a; }} }} }}",
        "192.0.2.1 1;\n".repeat(600_000)
    );
    let folder = tree(&[("nginx.conf", &text)]);
    assert_eq!(Nginx::read(folder.path()).unwrap().routes.len(), 1);
}
