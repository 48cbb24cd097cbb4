//! nginx's files: which timeouts apply where.

mod faults;
mod files;
mod keeping;
mod properties;

use std::fs;
use std::path::Path;

use nearmiss_core::chain::{
    Ink, Limit, Origin, Repeats, Said, Settings, Survey, Timer, Tries, Variant, Version, text,
};

use crate::edge::nginx::{Nginx, Route, Set};

/// A folder with files, each given by its name and its text.
fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
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

/// `location read_timeout@line`, - where nginx's default applies.
fn reads(nginx: &Nginx) -> Vec<String> {
    let time = |route: &Route| match route.time("read_timeout") {
        Some(time) => format!("{:?}@{}", time.length, time.place.line),
        None => "-".to_owned(),
    };
    nginx.routes.iter().map(|route| format!("{} {}", route.location(), time(route))).collect()
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
    assert_eq!(nginx.files.len(), 6, "each once: {:?}", nginx.files);
    let place = &nginx.routes[1].time("read_timeout").unwrap().place;
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

/// What the first place of some upstream block and location says, with nginx's
/// version where it counts.
fn facts_of(blocks: &str, location: &str, version: Option<[u32; 3]>) -> Vec<Said> {
    let nginx = read(&format!("http {{ {blocks} server {{ location / {{ {location} }} }} }}"));
    let sets = nginx.sets(version.map(Version));
    sets[0].known(0).into_iter().map(|known| known.said).collect()
}

/// How often the servers of an upstream block `app` are tried.
fn tries(servers: &str, location: &str) -> Option<Tries> {
    let facts = facts_of(&format!("upstream app {{ {servers} }}"), location, None);
    facts.into_iter().find_map(|said| match said {
        Said::Attempts(tries) => Some(tries),
        _ => None,
    })
}

const PASS: &str = "proxy_pass http://app/x;";
const TWO: &str = "server 10.0.0.1; server 10.0.0.2;";

#[test]
fn each_address_that_is_up_is_a_try() {
    for (servers, expected) in [
        ("server 10.0.0.1;", Some(1)),
        ("server a; server b;", Some(2)),
        ("server a; server b; server c backup;", Some(3)),
        ("server a; server c backup;", Some(2)),
        ("server a; server b down;", Some(1)),
        ("server a down; server b backup;", Some(1)),
        ("server a down;", None),
        ("server a weight=5; server b max_fails=0;", Some(2)),
        ("server a; server a;", Some(2)),
        ("server unix:/run/a.sock; server [::1]:80;", Some(2)),
        ("zone z 64k; server a resolve;", Some(1)),
        ("ip_hash; server a; server b; server c;", Some(3)),
        ("server 0.0.0.1; balancer_by_lua_block { ngx.say('}') }", None),
        ("state /var/lib/nginx/app.conf;", None),
    ] {
        assert_eq!(tries(servers, PASS).map(|tries| tries.count), expected, "{servers}");
    }
}

#[test]
fn tries_have_bounds_of_their_own() {
    let lua = "server 0.0.0.1; balancer_by_lua_file lua/balancer.lua;";
    let count = |count| Some(Tries::of(count));
    let within = |seconds| Some(Tries { within: Limit::seconds(seconds), ..Tries::of(2) });
    for (servers, directives, expected) in [
        (TWO, "proxy_next_upstream off;", count(1)),
        (TWO, "proxy_next_upstream off timeout;", count(1)),
        (TWO, "proxy_next_upstream error http_502;", count(1)),
        (TWO, "proxy_next_upstream error; proxy_next_upstream timeout;", count(2)),
        (TWO, "proxy_next_upstream_tries 1;", count(1)),
        (TWO, "proxy_next_upstream_tries 5;", count(2)),
        (TWO, "proxy_next_upstream_tries 0;", count(2)),
        (TWO, "proxy_next_upstream_timeout 5s;", within(5)),
        (TWO, "proxy_next_upstream_timeout 0;", count(2)),
        (lua, "proxy_next_upstream_tries 3;", count(3)),
        (lua, "proxy_next_upstream_tries 3; proxy_next_upstream off;", count(1)),
        (lua, "", None),
    ] {
        assert_eq!(tries(servers, &format!("{PASS} {directives}")), expected, "{directives}");
    }
    let all = Tries { which: Some("all requests"), ..Tries::of(2) };
    let any = "proxy_next_upstream error timeout non_idempotent;";
    assert_eq!(tries(TWO, &format!("{PASS} {any}")), Some(all));
}

#[test]
fn attempts_end_with_their_window() {
    // Two servers, 1 s each, 5 s for all: both are tried (nginx 1.22.1, observed).
    for (read, within, expected) in
        [("1s", "5s", 2), ("3s", "5s", 2), ("5s", "5s", 1), ("9s", "5s", 1), ("2500ms", "5s", 2)]
    {
        let location =
            format!("{PASS} proxy_read_timeout {read}; proxy_next_upstream_timeout {within};");
        let nginx = read_http(&format!("upstream app {{ {TWO} }}"), &location);
        let chain = surveyed(&nginx, &["kind = \"alb\"", "kind = \"nginx\"", "kind = \"app\""]);
        assert_eq!(chain.chain.hops[1].sends(), expected, "{read} {within}");
    }
}

#[test]
fn every_way_to_pass_on_has_directives_of_its_own() {
    for way in ["proxy", "fastcgi", "uwsgi", "scgi", "grpc", "memcached"] {
        let scheme = if way == "proxy" { "http://" } else { "" };
        let others = "proxy_read_timeout 1s; fastcgi_read_timeout 1s; uwsgi_read_timeout 1s; scgi_read_timeout 1s; grpc_read_timeout 1s; memcached_read_timeout 1s;";
        let others = others.replace(&format!("{way}_read_timeout 1s;"), "");
        let location = format!(
            "{way}_pass {scheme}app; {way}_read_timeout 9s; {way}_connect_timeout 3s; {way}_next_upstream_tries 2; {others}"
        );
        let three = "upstream app { server a; server b; server c; }";
        let facts = facts_of(three, &location, None);
        assert!(facts.contains(&Said::Timer(Timer::Read, Limit::seconds(9))), "{way}: {facts:?}");
        assert!(
            facts.contains(&Said::Timer(Timer::Connect, Limit::seconds(3))),
            "{way}: {facts:?}"
        );
        // What gRPC sends is POST, which nginx does not send again.
        let repeats = (way == "grpc").then_some(Repeats::Connecting);
        let tries = Tries { repeats, ..Tries::of(2) };
        assert!(facts.contains(&Said::Attempts(tries)), "{way}: {facts:?}");
    }
}

#[test]
fn an_upstream_block_is_found_as_nginx_finds_it() {
    let found = |location: &str| tries(TWO, location).map(|tries| tries.count) == Some(2);
    for location in [
        "proxy_pass http://app;",
        "proxy_pass HTTP://aPP/x?y=1;",
        "proxy_pass https://app?y;",
        "proxy_pass http://app$request_uri;",
        "proxy_pass http://app/$1;",
        "set $to app; proxy_pass http://$to;",
        "set $to app; proxy_pass http://${to}/x;",
        "set $scheme_to http; set $to App; proxy_pass $scheme_to://$to;",
        "grpc_pass app;",
        "grpc_pass grpcs://APP;",
        "uwsgi_pass uwsgi://app;",
        "fastcgi_pass App;",
    ] {
        assert!(found(location), "{location}");
    }
    for (location, expected) in [
        ("proxy_pass http://10.0.0.1:80/app;", Some(1)),
        ("proxy_pass http://apps;", Some(1)),
        ("proxy_pass http://unix:/run/app.sock:/x;", Some(1)),
        ("proxy_pass http://app:8080$request_uri;", Some(1)),
        ("proxy_pass http://$host;", None),
        ("proxy_pass $to;", None),
        ("set $to app; if ($arg_x) { set $to other; } proxy_pass http://$to;", None),
        ("proxy_pass http://$host; proxy_next_upstream_tries 1;", Some(1)),
        ("proxy_pass http://$host; proxy_next_upstream_tries 3;", None),
    ] {
        assert_eq!(tries(TWO, location).map(|tries| tries.count), expected, "{location}");
    }
}

const SHOP: &str = "http {
    keepalive_timeout 65 60;
    upstream app { server 10.0.0.1:8000; server 10.0.0.2:8000; keepalive 16; }
    server {
        server_name shop.example.com www.shop.example.com;
        proxy_http_version 1.1;
        proxy_set_header Connection \"\";
        location / { proxy_pass http://app; }
        location /api/ { proxy_pass http://app; proxy_connect_timeout 3s; proxy_read_timeout 90s; }
        location /reports/ { proxy_pass http://app; proxy_connect_timeout 3s; proxy_read_timeout 1m30s; }
    }
}";

#[test]
fn places_with_the_same_figures_are_one_set() {
    let nginx = read(SHOP);
    let lines = |set: &Set<'_>| set.routes.iter().map(|route| route.place.line).collect::<Vec<_>>();
    assert_eq!(nginx.sets(None).iter().map(lines).collect::<Vec<_>>(), [vec![8], vec![9, 10]]);
}

/// A configuration with one location.
fn read_http(blocks: &str, location: &str) -> Nginx {
    read(&format!("http {{ {blocks} server {{ location / {{ {location} }} }} }}"))
}

/// A chain whose second hop has these files.
fn surveyed(nginx: &Nginx, hops: &[&str]) -> Survey {
    let hops: Vec<String> = hops.iter().map(|hop| format!("[[hop]]\n{hop}\n")).collect();
    let hops = hops.concat();
    let settings: Settings = toml::from_str(&format!("name = \"shop\"\n{hops}")).unwrap();
    let sets = nginx.sets(None);
    let variants = sets.iter().map(|set| {
        let mut known = set.known(1);
        for known in &mut known {
            if let Origin::File { path, .. } = &mut known.origin {
                "nginx.conf".clone_into(path);
            }
        }
        let place = |route: &&Route| nearmiss_core::chain::Place {
            hop: "nginx".to_owned(),
            server: route.server().to_vec(),
            location: route.location().to_owned(),
            target: route.target.clone(),
            file: "nginx.conf".to_owned(),
            line: route.place.line,
        };
        Variant { known, places: set.routes.iter().map(place).collect() }
    });
    Survey::of(&settings, &[], variants.collect())
}

#[test]
fn a_chain_names_the_file_and_the_line_and_each_set_once() {
    let hops = ["kind = \"alb\"", "kind = \"nginx\"", "kind = \"gunicorn\""];
    insta::assert_snapshot!(text(&surveyed(&read(SHOP), &hops), 100, Ink::Plain));
}

#[test]
fn many_sets_are_a_table_and_all_of_them_are_in_the_json() {
    let location =
        |n| format!("location /{n} {{ proxy_pass http://10.0.0.1; proxy_read_timeout {n}s; }}");
    let locations = (1..=300).map(location).collect::<Vec<_>>().concat();
    let nginx = read(&format!("http {{ server {{ {locations} {locations} }} }}"));
    let survey = surveyed(&nginx, &["kind = \"alb\"", "kind = \"nginx\"", "kind = \"app\""]);
    let shown = text(&survey, 100, Ink::Plain);
    assert_eq!(shown.matches("chain shop\n").count(), 1);
    assert!(shown.contains("read 1 s to 300 s"), "{shown}");
    assert!(shown.contains("300 sets of values, the worst first"), "{shown}");
    assert!(shown.lines().count() < 120, "{shown}");
    let json: serde_json::Value = serde_json::to_value(&survey).unwrap();
    let sets = json["sets"].as_array().unwrap();
    assert_eq!(sets.len(), 300);
    assert_eq!(sets[0]["severity"], "broken");
    assert!(sets.iter().all(|set| set["places"].as_array().unwrap().len() == 2));
    let notified = json["findings"].as_array().unwrap();
    let broken: Vec<_> =
        notified.iter().filter(|notified| notified["severity"] == "broken").collect();
    assert_eq!(broken.len(), 240, "one for each timeout above 60 s");
    let unknown: Vec<_> =
        notified.iter().filter(|notified| notified["severity"] == "unknown").collect();
    assert_eq!(unknown[0]["sets"].as_array().unwrap().len(), 300, "said once for all");
}

#[test]
fn the_readers_own_default_is_the_products() {
    let nginx = read(
        "http { server { location / { proxy_pass http://a; } location /b { proxy_read_timeout 61s; proxy_pass http://a; } location /c { proxy_read_timeout 59s; proxy_pass http://a; } } }",
    );
    let sets = nginx.sets(None);
    let order: Vec<_> = sets.iter().map(|set| set.routes[0].location()).collect();
    assert_eq!(order, ["/c", "/", "/b"]);
}

#[test]
fn a_real_configuration_is_read_if_there_is_one() {
    let real = Path::new("/etc/nginx/nginx.conf");
    if real.exists() {
        assert!(Nginx::read(real).unwrap().files.len() > 1);
    }
}
