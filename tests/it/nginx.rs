//! nginx's files: which timeouts hold where.

use std::fs;
use std::path::Path;

use nearmiss::analysis::chain::{Chain, Ink, Limit, Origin, Said, Timer, text};
use nearmiss::edge::nginx::{Nginx, Route};

use crate::chain_config::settings;

/// A folder with files, each given by its name and its text.
pub(crate) fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn read(text: &str) -> Nginx {
    let folder = tree(&[("nginx.conf", text)]);
    Nginx::read(folder.path()).unwrap()
}

/// `location read_timeout@line`, - where nginx's default holds.
fn reads(nginx: &Nginx) -> Vec<String> {
    let time = |route: &Route| match route.time("read_timeout") {
        Some(time) => format!("{:?}@{}", time.length, time.place.line),
        None => "-".to_owned(),
    };
    nginx.routes.iter().map(|route| format!("{} {}", route.location, time(route))).collect()
}

#[test]
fn an_inner_block_goes_before_an_outer_one_wherever_it_stands() {
    let nginx = read(
        "http {
            server {
                location /a { proxy_pass http://a; }
                location /b {
                    proxy_pass http://b;
                    location /b/c { proxy_pass http://c; proxy_read_timeout 5; }
                    if ($arg_x) { proxy_pass http://d; }
                    proxy_read_timeout 1m30s;
                }
                location /f { fastcgi_pass unix:/run/php.sock; }
                location /g { grpc_pass grpc://g; grpc_read_timeout 1h; }
                location /h { return 204; }
            }
            server { location / { proxy_pass http://e; limit_except GET { proxy_pass http://f; } } }
            proxy_read_timeout 20s;
        }",
    );
    assert_eq!(
        reads(&nginx),
        [
            "/a 20s@15",
            "/b 90s@8",
            "/b /b/c 5s@6",
            "/b 90s@8",
            "/f -",
            "/g 3600s@11",
            "/ 20s@15",
            "/ 20s@15",
        ]
    );
}

#[test]
fn a_part_of_a_configuration_is_read_as_well() {
    assert_eq!(
        reads(&read("server { location / { proxy_pass http://a; } proxy_read_timeout 5s; }")),
        ["/ 5s@1"]
    );
    assert_eq!(reads(&read("location / { proxy_pass http://a; }")), ["/ -"]);
    assert_eq!(reads(&read("proxy_pass http://a; proxy_read_timeout 500ms;")), [" 500ms@1"]);
}

#[test]
fn modules_that_nobody_knows_are_left_alone() {
    let nginx = read(
        "load_module modules/x.so;
        stream { server { listen 1; proxy_pass db:5432; proxy_timeout 10m; } }
        http {
            map $a $b { default 0; '~^x{2}' 1; proxy_pass 2; }
            types { text/html html; }
            init_by_lua_block { local t = { a = \"}\" } }
            more_set_headers 'X: y'; # a comment with { and }
            server { location ~ \\.(gif|jpg)$ { access_by_lua_block { ngx.exit(403) } proxy_pass http://a; } }
        }",
    );
    assert_eq!(reads(&nginx), ["~ \\.(gif|jpg)$ -"]);
}

#[test]
fn includes_are_found_as_nginx_finds_them() {
    let folder = tree(&[
        (
            "nginx.conf",
            "http { include conf.d/*.conf; include timeouts; include sites-*/*; include none-*; }",
        ),
        ("conf.d/b.conf", "server { location /b { include proxy/params; } }"),
        (
            "conf.d/a.conf",
            "server { location /a { include proxy/params; proxy_read_timeout 7s; } }",
        ),
        ("conf.d/.hidden.conf", "server { location /hidden { proxy_pass http://h; } }"),
        ("conf.d/old.conf.bak", "}"),
        ("sites-enabled/shop", "server { location /shop { include proxy/params; } }"),
        ("proxy/params", "proxy_pass http://a;"),
        ("timeouts", "proxy_read_timeout 9s;"),
    ]);
    let nginx = Nginx::read(folder.path()).unwrap();
    assert_eq!(reads(&nginx), ["/a 7s@1", "/b 9s@1", "/shop 9s@1"]);
    assert_eq!(nginx.files.len(), 8);
    let place = &nginx.routes[1].times["proxy_read_timeout"].place;
    assert!(place.file.ends_with("/timeouts"), "{place}");

    let site = Nginx::read(&folder.path().join("sites-enabled/shop")).unwrap();
    assert_eq!(reads(&site), ["/shop -"], "a site finds what is included from the folder above");
}

#[test]
fn what_nginx_printed_is_read_like_its_files() {
    let dump = "nginx: configuration file /etc/nginx/nginx.conf test is successful
# configuration file /etc/nginx/nginx.conf:
http {
    include conf.d/*.conf;
}

# configuration file /etc/nginx/conf.d/shop.conf:
server { location / {
    proxy_read_timeout 90s;
    proxy_pass http://a; } }
";
    let folder = tree(&[("dump.txt", dump)]);
    let nginx = Nginx::read(&folder.path().join("dump.txt")).unwrap();
    assert_eq!(reads(&nginx), ["/ 90s@2"]);
    assert_eq!(nginx.routes[0].place.to_string(), "/etc/nginx/conf.d/shop.conf:3");
}

/// What the first place of some upstream block and location says.
fn facts(upstream: &str, location: &str) -> Vec<Said> {
    let nginx = read(&format!(
        "http {{ upstream app {{ {upstream} }} server {{ location / {{ {location} }} }} }}"
    ));
    nginx.sets()[0].known(0).into_iter().map(|known| known.said).collect()
}

#[test]
fn an_upstream_block_says_how_often_and_how_long() {
    let pass = "proxy_pass http://app/x;";
    let idle = |seconds| Said::Timer(Timer::UpstreamKeepAlive, Limit::seconds(seconds));
    let two = "server a; server b; server c backup; server d down;";
    for (upstream, location, expected) in [
        ("server a;", pass, vec![Said::Attempts(1)]),
        (two, pass, vec![Said::Attempts(2)]),
        (two, "proxy_pass https://app;", vec![Said::Attempts(2)]),
        (two, "proxy_pass http://app:8080;", vec![]),
        (two, "proxy_pass http://$app;", vec![]),
        (two, "grpc_pass app;", vec![Said::Attempts(2)]),
        (two, "proxy_pass http://app; proxy_next_upstream off;", vec![Said::Attempts(1)]),
        (
            two,
            "proxy_pass http://app; proxy_next_upstream error http_502;",
            vec![Said::Attempts(1)],
        ),
        (two, "proxy_pass http://app; proxy_next_upstream_tries 1;", vec![Said::Attempts(1)]),
        (two, "proxy_pass http://app; proxy_next_upstream_tries 5;", vec![Said::Attempts(2)]),
        (two, "proxy_pass http://app; proxy_next_upstream_tries 0;", vec![Said::Attempts(2)]),
        (two, "proxy_pass http://app; proxy_next_upstream_timeout 5s;", vec![]),
        ("server a; keepalive 8;", pass, vec![idle(60), Said::Attempts(1)]),
        ("server a; keepalive 8; keepalive_timeout 4s;", pass, vec![idle(4), Said::Attempts(1)]),
        ("server a; keepalive 0;", pass, vec![idle(0), Said::Attempts(1)]),
        ("zone z 64k; server a resolve;", pass, vec![Said::Attempts(1)]),
    ] {
        assert_eq!(facts(upstream, location), expected, "{upstream} {location}");
    }
}

const SHOP: &str = "http {
    keepalive_timeout 65 60;
    upstream app { server 10.0.0.1:8000; server 10.0.0.2:8000; keepalive 16; }
    server {
        server_name shop.example.com www.shop.example.com;
        location / { proxy_pass http://app; }
        location /api/ { proxy_pass http://app; proxy_connect_timeout 3s; proxy_read_timeout 90s; }
        location /reports/ { proxy_pass http://app; proxy_connect_timeout 3s; proxy_read_timeout 1m30s; }
    }
}";

#[test]
fn places_with_the_same_figures_are_one_set() {
    let nginx = read(SHOP);
    let names = |name: &str| name.split('/').next_back().unwrap().to_owned();
    let sets: Vec<_> = nginx.sets().iter().map(|set| names(&set.to_string())).collect();
    assert_eq!(sets, ["nginx.conf:6)", "nginx.conf:7) and 1 more"]);
}

#[test]
fn a_chain_names_the_file_and_the_line() {
    let folder = tree(&[("nginx.conf", SHOP)]);
    let nginx = Nginx::read(folder.path()).unwrap();
    let chain = "[[chain]]
name = \"shop\"
[[chain.hop]]
kind = \"alb\"
[[chain.hop]]
kind = \"nginx\"
[[chain.hop]]
kind = \"gunicorn\"
";
    let settings = settings(chain).unwrap();
    let set = &nginx.sets()[1];
    let mut known = set.known(1);
    for known in &mut known {
        if let Origin::File { path, .. } = &mut known.origin {
            *path = "nginx.conf".to_owned();
        }
    }
    let checkup = Chain::of(&settings, &known).check();
    insta::assert_snapshot!(text(&checkup, 100, Ink::Plain));
}

#[test]
fn the_readers_own_default_is_the_products() {
    let nginx = read(
        "http { server { location / { proxy_pass http://a; } location /b { proxy_read_timeout 61s; proxy_pass http://a; } location /c { proxy_read_timeout 59s; proxy_pass http://a; } } }",
    );
    let order: Vec<_> = nginx.sets().iter().map(|set| set.routes[0].location.clone()).collect();
    assert_eq!(order, ["/c", "/", "/b"]);
}

#[test]
fn a_real_configuration_is_read_if_there_is_one() {
    let real = Path::new("/etc/nginx/nginx.conf");
    if real.exists() {
        assert!(Nginx::read(real).unwrap().files.len() > 1);
    }
}
