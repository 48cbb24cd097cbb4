//! What stands beside the code is true.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use nearmiss::config::Config;

use crate::world::{World, poll};

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// What a config says, but for the values that have no default.
fn compared(config: &Config) -> String {
    let Config {
        http,
        metrics,
        poll,
        quota,
        discovery,
        detector,
        alert,
        diagnosis,
        digest,
        watcher,
        control,
        state,
        gateways,
        ..
    } = config;
    let gateway = &gateways[0];
    format!(
        "{http:#?}{metrics:#?}{poll:#?}{quota:#?}{discovery:#?}{detector:#?}{alert:#?}{diagnosis:#?}{digest:#?}{watcher:#?}{control:#?}{state:#?}{:?}{:?}{:?}{:?}{:?}",
        gateway.kind, gateway.timeout, gateway.near, gateway.tags, gateway.exclude
    )
}

#[test]
fn the_example_config_shows_the_defaults() {
    let example = Config::parse(&read("config.example.toml"), Path::new("config.example.toml"));
    let example = example.unwrap_or_else(|error| panic!("{error}"));
    let least = Config::parse("[[gateway]]\nload_balancer = \"web-*\"\n", Path::new("least"));
    assert_eq!(compared(&example), compared(&least.unwrap()));
}

#[test]
fn the_readmes_configs_are_valid() {
    let readme = read("README.md");
    let blocks: Vec<&str> =
        readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!blocks.is_empty(), "the README shows no config");
    // The later ones are added to the first.
    for count in 1..=blocks.len() {
        if let Err(error) = Config::parse(&blocks[..count].concat(), Path::new("README.md")) {
            panic!("{error}");
        }
    }
}

#[test]
fn the_unit_starts_the_program_with_words_that_it_knows() {
    let unit = read("systemd/nearmiss.service");
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let words: Vec<&str> = start.split_whitespace().collect();
    assert_eq!(words[1..], ["run", "--config", "/etc/nearmiss/nearmiss.toml"]);
    assert!(unit.contains("StateDirectory=nearmiss"));
    assert!(unit.contains("RuntimeDirectory=nearmiss"));
    let Config { state, control, .. } =
        Config::parse("[[gateway]]\nload_balancer = \"a\"\n", Path::new("x")).unwrap();
    assert!(state.path.starts_with("/var/lib/nearmiss"));
    assert!(control.socket.starts_with("/run/nearmiss"));
}

/// The page of a daemon that has seen both kinds of trouble.
async fn page() -> String {
    let world = World::of("slow_burn", 7, "").await;
    let mut daemon = world.daemon("[[gateway]]\nload_balancer = \"*\"\nhistogram = true\n").await;
    poll(&mut daemon, 0..40).await;
    String::from_utf8(daemon.page().metrics.to_vec()).unwrap()
}

#[tokio::test]
async fn every_metric_of_the_dashboard_is_on_the_page() {
    let page = page().await;
    let dashboard = read("grafana/nearmiss.json");
    let names: BTreeSet<&str> = dashboard
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("nearmiss_") || word.starts_with("process_"))
        .collect();
    assert!(names.len() > 10, "the dashboard names too few metrics: {names:?}");
    // It takes hours of growth to make one of these; their name is in the documents.
    let (rare, names): (Vec<&str>, Vec<&str>) =
        names.into_iter().partition(|name| *name == "nearmiss_forecast_seconds");
    let documented = read("docs/metrics.md");
    assert!(rare.iter().all(|name| documented.contains(&format!("`{name}`"))), "{rare:?}");
    for name in names {
        let is_it = |line: &str| line.strip_prefix(name).is_some_and(|r| r.starts_with(['{', ' ']));
        assert!(page.lines().any(is_it), "{name} is in the dashboard and not on the page");
    }
}

#[tokio::test]
async fn every_metric_is_documented_in_the_words_of_its_help() {
    let (page, documented) = (page().await, read("docs/metrics.md"));
    let helps: Vec<(&str, &str)> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' '))
        .filter(|(name, _)| name.starts_with("nearmiss_"))
        .collect();
    assert!(helps.len() > 25, "{helps:?}");
    for (name, help) in helps {
        let row = documented.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        assert!(
            row.is_some_and(|row| row.contains(help)),
            "{name}: {help}\nis not in docs/metrics.md"
        );
    }
}
