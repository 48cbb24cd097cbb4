//! The walls of the house, as `src/lib.rs` describes them.

use std::fs;
use std::path::{Path, PathBuf};

fn files(directory: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(directory)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    assert!(!found.is_empty(), "no files in src/{directory}");
    found
}

fn nobody_says(directory: &str, forbidden: &[&str]) {
    for (path, text) in files(directory) {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            for word in forbidden {
                assert!(!line.contains(word), "{}: {word} in: {line}", path.display());
            }
        }
    }
}

#[test]
fn the_analysis_is_pure() {
    nobody_says(
        "analysis",
        &[
            "tokio",
            "aws_config",
            "aws_sdk",
            "aws_smithy",
            "hyper",
            "prometheus",
            "tracing::",
            "std::fs",
            "std::net::Tcp",
            "std::net::Udp",
            "ToSocketAddrs",
            "std::env",
            "std::thread",
            "::now()",
            ".now()",
            "crate::config",
            "crate::edge",
            "crate::daemon",
            "crate::sim",
        ],
    );
}

#[test]
fn the_simulator_knows_nothing_of_the_rest() {
    nobody_says(
        "sim",
        &["crate::analysis", "crate::config", "crate::edge", "crate::daemon", "crate::discovery"],
    );
    nobody_says("sim", &["SystemTime::now", "Instant::now"]);
}

#[test]
fn an_edge_knows_no_sibling() {
    let edges = ["cloudwatch", "elb", "exporter", "http", "sink", "state"];
    for (path, text) in files("edge") {
        let inside = |edge: &str| {
            path.components().any(|c| c.as_os_str().to_string_lossy().starts_with(edge))
        };
        for edge in edges.iter().filter(|edge| !inside(edge)) {
            for word in [format!("super::{edge}::"), format!("edge::{edge}::")] {
                assert!(!text.contains(&word), "{} knows {edge}", path.display());
            }
        }
        assert!(
            !text.contains("crate::daemon") && !text.contains("crate::sim"),
            "{}",
            path.display()
        );
    }
}

#[test]
fn only_one_file_names_the_scheduler_and_the_clock() {
    for directory in ["analysis", "edge", "sim"] {
        for (path, text) in files(directory) {
            if !path.ends_with("edge/time.rs") {
                assert!(!text.contains("tokio_cron_scheduler::"), "{}", path.display());
            }
        }
    }
}

#[test]
fn every_file_opens_by_saying_what_lives_there() {
    for (path, text) in files("") {
        assert!(text.starts_with("//! "), "{}", path.display());
    }
}
