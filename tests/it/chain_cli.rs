//! `nearmiss chain` as a person types it: its exit codes, the files of nginx hops, and what
//! must not reach a terminal.

use std::process::{Output, Stdio};

use crate::program::{output, program, text, tree};

const GATEWAY: &str = "[[gateway]]\nload_balancer = \"web\"\n";

/// A config with one chain.
fn config(hops: &[&str]) -> String {
    GATEWAY.to_owned() + &chain("shop", hops)
}

fn chain(name: &str, hops: &[&str]) -> String {
    let hop = |hop: &&str| format!("[[chain.hop]]\nkind = {hop}\n");
    let hops: Vec<String> = hops.iter().map(hop).collect();
    format!("[[chain]]\nname = \"{name}\"\n{}", hops.concat())
}

/// The command in a folder with these files; the config is `c.toml`.
fn run(files: &[(&str, &str)], arguments: &[&str]) -> Output {
    let folder = tree(files);
    let mut command = program();
    command.current_dir(folder.path()).args(["chain", "--config", "c.toml", "--offline"]);
    command.args(arguments).output().unwrap()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

const ALB: &str = "\"alb\"";
const NGINX: &str = "\"nginx\"";
const APP: &str = "\"app\"\ntotal_timeout = \"40s\"\nkeep_alive = \"off\"";
const SITE: &str = "server { location / { proxy_pass http://10.0.0.1; proxy_connect_timeout 5s; proxy_read_timeout 50s; } }";

#[test]
fn each_exit_code_means_one_thing() {
    let good = config(&[ALB, APP]);
    assert_eq!(code(&run(&[("c.toml", &good)], &[])), Some(0));
    let weak = config(&[ALB, "\"app\"\ntotal_timeout = \"off\"\nkeep_alive = \"off\""]);
    assert_eq!(code(&run(&[("c.toml", &weak)], &[])), Some(1));
    let broken = config(&[ALB, "\"app\"\ntotal_timeout = \"70s\"\nkeep_alive = \"off\""]);
    assert_eq!(code(&run(&[("c.toml", &broken)], &[])), Some(1));
    let unknown = config(&[ALB, "\"app\""]);
    assert_eq!(code(&run(&[("c.toml", &unknown)], &[])), Some(3));
    let both = config(&[ALB, "\"app\"\ntotal_timeout = \"70s\""]);
    assert_eq!(code(&run(&[("c.toml", &both)], &[])), Some(1), "a finding goes before a gap");

    let nginx = config(&[ALB, NGINX, APP]);
    let with = |conf: &str| run(&[("c.toml", &nginx), ("n/nginx.conf", conf)], &["--nginx", "n"]);
    assert_eq!(code(&with(&format!("http {{ {SITE} }}"))), Some(0));
    for gap in ["http { include none; }", "http {", "http { proxy_read_timeout ${T}; }", ""] {
        let output = with(gap);
        assert_eq!(
            code(&output),
            Some(3),
            "{gap}: {}{}",
            text(&output.stdout),
            text(&output.stderr)
        );
    }
    let gap = with(&format!("http {{ include none; {SITE} }}"));
    assert_eq!(code(&gap), Some(3));
    assert!(
        text(&gap.stdout).contains("not read: n/nginx.conf:1 includes \"none\""),
        "{}",
        text(&gap.stdout)
    );

    for arguments in [
        &["--nginx", "nowhere"][..],
        &["--nginx", "."],
        &["--nginx", "other=n"],
        &["--nginx", "nginx=n", "--nginx", "nginx=n"],
        &["nochain"],
        &["--format", "xml"],
        &["--frobnicate"],
    ] {
        let output = run(&[("c.toml", &nginx), ("n/nginx.conf", "http {}")], arguments);
        assert_eq!(code(&output), Some(2), "{arguments:?}: {}", text(&output.stderr));
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{arguments:?}");
    }
    for config in [GATEWAY, "x", "[[chain]]\nname = \"a\"\n"] {
        assert_eq!(code(&run(&[("c.toml", config)], &[])), Some(2), "{config}");
    }
    let help = text(&output(&["chain", "--help"]).stdout);
    assert!(help.contains("0 in order") && help.contains("3 nothing is"), "{help}");
}

#[test]
fn the_files_of_each_nginx_hop_are_said() {
    let two = config(&["\"nginx\"\nname = \"edge\"", "\"ingress_nginx\"\nname = \"api\"", APP]);
    let site = |seconds: u32| {
        format!(
            "http {{ upstream u {{ server 10.0.0.1; keepalive 0; }} server {{ location / {{ proxy_pass http://u; proxy_connect_timeout 5s; proxy_read_timeout {seconds}s; }} }} }}"
        )
    };
    let (edge, api) = (site(55), site(45));
    let files = [("c.toml", two.as_str()), ("e/nginx.conf", &edge), ("a/nginx.conf", &api)];
    let ambiguous = run(&files, &["--nginx", "e"]);
    assert_eq!(code(&ambiguous), Some(2));
    let message = text(&ambiguous.stderr);
    assert!(message.contains("--nginx edge=e or --nginx api=e"), "{message}");

    let arguments = ["--nginx", "edge=e", "--nginx", "api=a", "--format", "json"];
    let both = run(&files, &arguments);
    let json: serde_json::Value = serde_json::from_slice(&both.stdout).unwrap();
    let hops = json["chains"][0]["chain"]["hops"].as_array().unwrap();
    let reads: Vec<_> =
        hops.iter().map(|hop| &hop["figures"]["read_timeout"]["limit_seconds"]).collect();
    assert_eq!(reads[..2], [55.0, 45.0], "{}", text(&both.stdout));

    let none = config(&[ALB, APP]);
    let none = run(&[("c.toml", &none), ("e/nginx.conf", &edge)], &["--nginx", "e"]);
    assert_eq!(code(&none), Some(2));
    assert!(text(&none.stderr).contains("belongs to no hop"), "{}", text(&none.stderr));

    let mixed = config(&[ALB, NGINX, APP]) + &chain("plain", &[ALB, APP]);
    let mixed = run(&[("c.toml", &mixed), ("e/nginx.conf", &edge)], &["--nginx", "e"]);
    assert!(
        text(&mixed.stdout).contains("note: chain plain has no hop that --nginx gives files of"),
        "{}",
        text(&mixed.stdout)
    );
}

#[test]
fn the_files_of_an_image_are_read_as_its_own() {
    let nginx = config(&[ALB, NGINX, APP]);
    let main =
        "events {} http { include /etc/nginx/mime.types; include /etc/nginx/conf.d/*.conf; }";
    let site = SITE.replace("50s", "300s");
    let files = [
        ("c.toml", nginx.as_str()),
        ("nginx/nginx.conf", main),
        ("nginx/conf.d/default.conf", &site),
    ];
    let output = run(&files, &["--nginx", "nginx/"]);
    let shown = text(&output.stdout);
    assert!(shown.contains("read 300 s (nginx/conf.d/default.conf:1)"), "{shown}");
    assert!(
        shown.contains(
            "note: includes below /etc/nginx were read below nginx, the folder that was given"
        ),
        "{shown}"
    );
}

#[test]
fn the_version_of_nginx_decides_what_it_keeps() {
    let node = "\"node\"\ntotal_timeout = \"40s\"";
    let main = "http { upstream u { server 10.0.0.1; keepalive 16; } server { location / { proxy_pass http://u; proxy_connect_timeout 5s; proxy_read_timeout 50s; } } }";
    let found = |version: &str, dump: &str| {
        let config = config(&[ALB, &format!("\"nginx\"\n{version}"), node]);
        let output =
            run(&[("c.toml", &config), ("dump", dump)], &["--nginx", "dump", "--format", "json"]);
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = json["chains"][0]["findings"].as_array().unwrap().clone();
        let told = findings.iter().filter(|told| told["severity"] != "ok");
        told.map(|told| told["rule"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("version = \"1.22.1\"", main), [""; 0]);
    assert_eq!(found("version = \"1.29.7\"", main), ["keep_alive_too_short"]);
    assert_eq!(found("", main), ["not_known"]);
    let dump = format!(
        "nginx version: nginx/1.28.1\n# configuration file /etc/nginx/nginx.conf:\n{main}\n"
    );
    assert_eq!(found("", &dump), [""; 0]);
}

/// Escape sequences, forged lines, and marks that reverse the text.
const WILD: &str = "a\u{1b}[31m\u{7}b\u{9b}2J\u{202e}c\u{7f}d";

fn is_safe(shown: &str) -> bool {
    !shown.chars().any(|c| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c))
}

#[test]
fn nothing_wild_reaches_the_terminal() {
    let nginx = config(&[ALB, NGINX, APP]);
    let site = format!(
        "server {{ server_name {WILD} '\nBROKEN forged'; location '/{WILD}\nBROKEN forged' {{ proxy_pass http://{WILD}; proxy_read_timeout 90s; }} }}"
    );
    let main = format!("http {{ include {WILD}.conf; include conf.d/*; proxy_read_timeout 5s; }}");
    let name = format!("n/conf.d/{WILD}\nBROKEN forged");
    let files = [
        ("c.toml", nginx.as_str()),
        ("n/nginx.conf", main.as_str()),
        (name.as_str(), site.as_str()),
    ];
    for format in ["text", "json"] {
        let output = run(&files, &["--nginx", "n", "--format", format]);
        let shown = text(&output.stdout);
        assert!(is_safe(&shown) && is_safe(&text(&output.stderr)), "{shown:?}");
        assert!(!shown.lines().any(|line| line.starts_with("BROKEN forged")), "{shown}");
        assert!(shown.contains("90"), "{shown}");
    }
    for main in
        ["http { '\u{1b}[31m\nBROKEN forged_timeout' }", "http { proxy_read_timeout; '\u{1b}x'y; }"]
    {
        let output = run(&[("c.toml", &nginx), ("n/nginx.conf", main)], &["--nginx", "n"]);
        let message = text(&output.stderr);
        assert!(code(&output) == Some(3) && is_safe(&message), "{message:?}");
        assert!(!message.lines().any(|line| line.starts_with("BROKEN")), "{message}");
    }
    let quoted: Vec<String> = WILD.chars().map(|c| format!("\\u{:04x}", c as u32)).collect();
    let quoted = quoted.concat();
    for config in [
        config(&[ALB, &format!("\"app\"\nname = \"{quoted}\"")]),
        config(&[ALB, &format!("\"{quoted}\"")]),
        config(&[ALB, &format!("\"app\"\n\"{quoted}\" = 1")]),
        config(&[ALB, &format!("\"app\"\ntotal_timeout = \"{quoted}\"")]),
    ] {
        let output = run(&[("c.toml", &config)], &[]);
        assert_eq!(code(&output), Some(2));
        assert!(is_safe(&text(&output.stderr)), "{:?}", text(&output.stderr));
    }
    let paths = format!("{WILD}/x");
    for arguments in [&[WILD][..], &["--nginx", WILD], &["--nginx", &paths]] {
        let output = run(&[("c.toml", &nginx)], arguments);
        assert_eq!(code(&output), Some(2));
        assert!(is_safe(&text(&output.stderr)), "{:?}", text(&output.stderr));
    }
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let folder = tree(&[("c.toml", &config(&[ALB, APP]))]);
    for arguments in [&["--format", "json"][..], &["--list-products"], &[]] {
        let mut command = program();
        command.current_dir(folder.path()).args(["chain", "--config", "c.toml", "--offline"]);
        let mut child =
            command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take()); // nobody reads
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!(text(&output.stderr), "");
    }
    // Nobody reads the error either.
    let mut command = program();
    command.current_dir(folder.path()).args(["chain", "--config", "c.toml", "nochain"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(2));
}

#[test]
fn the_kinds_are_listed_without_a_config() {
    let listed = text(&output(&["chain", "--list-products"]).stdout);
    for product in nearmiss_core::chain::Product::all() {
        let head = format!("{}: {}\n", product.kind, product.title);
        assert!(listed.contains(&head), "{head}");
    }
    assert!(listed.contains("  read_timeout         60 s, without a byte"), "{listed}");
    let json = output(&["chain", "--list-products", "--format", "json"]).stdout;
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&json).unwrap();
    let nginx = rows.iter().find(|row| row["kind"] == "nginx").unwrap();
    let keys: Vec<_> = nginx["keys"].as_array().unwrap().iter().map(|key| &key["key"]).collect();
    assert_eq!(
        keys,
        [
            "connect_timeout",
            "read_timeout",
            "keep_alive",
            "upstream_keep_alive",
            "attempts",
            "version"
        ]
    );
    let without = output(&["chain"]);
    assert_eq!(without.status.code(), Some(2));
    assert!(text(&without.stderr).contains("--config"), "{}", text(&without.stderr));
}

/// Cloudflare, a load balancer and nginx, all with their defaults: whatever is advised
/// against the race of keep-alives brings no other finding.
#[test]
fn a_common_chain_of_defaults_gets_no_harmful_advice() {
    let common = config(&["\"cloudflare\"", ALB, NGINX]);
    let output = run(&[("c.toml", &common)], &["--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = json["chains"][0]["findings"].as_array().unwrap();
    let severity = |told: &serde_json::Value| told["severity"].as_str().unwrap().to_owned();
    assert!(findings.iter().all(|told| severity(told) != "broken"), "{findings:#?}");
    let race = findings.iter().find(|told| told["rule"] == "keep_alive_too_short").unwrap();
    assert_eq!(severity(race), "ok");
    let advice = race["advice"].as_array().unwrap();
    assert!(advice.iter().all(|one| one["changes"].as_array().unwrap().is_empty()), "{advice:#?}");
}
