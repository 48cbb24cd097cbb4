//! The documents beside the code are true.

use std::fs;
use std::path::Path;

use nearmiss::config::Config;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// What a config says, except for the values that have no default.
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
