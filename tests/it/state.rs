//! What is remembered, whoever wrote it and whoever else is there.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use nearmiss::daemon::Daemon;
use nearmiss::edge::exporter::{Exporter, Series};
use nearmiss::edge::time::Stopwatch;
use nearmiss::store::PersistedState;
use nearmiss_core::alerting::Router;
use nearmiss_core::notification::Notification;
use nearmiss_core::render::{Links, Message};
use nearmiss_core::time::Minute;
use serde_json::{Value, json};

use crate::program::{Running, config, output, program, sim, text};
use crate::world::{ALL, START, World, metric, poll};

/// The pointers of all values of a JSON text, one for those that differ only in a number.
fn places(value: &Value, path: &str, seen: &mut BTreeSet<String>, all: &mut Vec<String>) {
    let general: Vec<&str> =
        path.split('/').map(|part| if part.parse::<u32>().is_ok() { "#" } else { part }).collect();
    let general = general.join("/");
    let kind = general.replace("app~1web~1", "app~1*~1").replace("app~1search~1", "app~1*~1");
    if seen.insert(kind.replace("app~1checkout~1", "app~1*~1")) {
        all.push(path.to_owned());
    }
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Array(values) => {
            for (number, value) in values.iter().enumerate() {
                places(value, &format!("{path}/{number}"), seen, all);
            }
        }
        Value::Object(values) => {
            for (key, value) in values {
                places(value, &format!("{path}/{}", escaped(key)), seen, all);
            }
        }
        _ => {}
    }
}

/// Everything that is done with what was remembered, but for asking AWS.
fn use_it(text: &str) {
    let Ok(memory) = PersistedState::of_json(text.as_bytes()) else { return };
    let now = Minute::containing(START).plus(40);
    let exporter = Exporter::new(std::iter::empty()).unwrap();
    for (_, mut ledger) in memory.gateways {
        let desk = Router::plain();
        ledger.skip_to(now.plus(-10));
        ledger.listen(&desk, now);
        for (_, notice) in ledger.due(&desk, now) {
            let _ = Message::of(&Notification::One(notice), &Links::default()).text.len();
        }
        for record in &ledger.records.clone() {
            let series = Series { gateway: &record.gateway, report: None, ledger: Some(&ledger) };
            assert!(exporter.render(&[series]).contains("nearmiss_gateway_up"));
        }
    }
}

/// Each value of a true state, made into something that it is not.
#[tokio::test]
async fn no_value_in_a_state_panics() {
    let world = World::of("slow_burn", 7, "").await;
    let mut daemon = world.daemon(ALL).await;
    poll(&mut daemon, 0..30).await;
    drop(daemon);
    let mut text = Vec::new();
    world.saved().write_json(&mut text).unwrap();
    let state: Value = serde_json::from_slice(&text).unwrap();
    let mut all = Vec::new();
    places(&state, "", &mut BTreeSet::new(), &mut all);
    assert!(all.len() > 60, "{}", all.len());
    let odd = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(0),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(9_007_199_254_740_992_i64),
        json!(1e308),
        json!(-1e308),
        json!(4e-320),
        json!(""),
        json!("\u{1b}[31m\u{202e}"),
        json!("x".repeat(100_000)),
        json!([]),
        json!([[]]),
        json!({}),
        json!({ "": {} }),
    ];
    for place in &all {
        for value in &odd {
            let mut state = state.clone();
            *state.pointer_mut(place).unwrap() = value.clone();
            use_it(&state.to_string());
        }
    }
}

/// Fourteen days of a gateway are five metrics once; after that they are known.
#[tokio::test]
async fn a_restart_reads_only_the_history_that_was_missed() {
    let world = World::of("healthy", 7, "").await;
    let billed =
        |daemon: &Daemon| metric(daemon, "nearmiss_billed_metrics_requested_total", "").unwrap();
    let mut costs = Vec::new();
    for life in 0..3 {
        let mut daemon = world.daemon(ALL).await;
        world.poll(&mut daemon, 5 * life..5 * life + 3).await;
        costs.push(billed(&daemon));
    }
    let gateways = f64::from(u32::try_from(world.saved().gateways.len()).unwrap());
    assert!(costs[1] <= costs[0] - 5.0 * gateways, "{costs:?}");
    assert!(costs[2] <= costs[0] - 5.0 * gateways, "{costs:?}");
}

/// A daemon whose log says that it runs, and the rest of its log.
fn running(words: &[&str], aws: &str) -> (Running, BufReader<std::process::ChildStderr>) {
    let mut daemon = program();
    daemon.env("AWS_ENDPOINT_URL", format!("http://{aws}")).args(words).stderr(Stdio::piped());
    let mut daemon = Running(daemon.spawn().unwrap());
    let mut log = BufReader::new(daemon.0.stderr.take().unwrap());
    wait_for(&mut log, "nearmiss is running");
    (daemon, log)
}

fn wait_for(log: &mut impl BufRead, what: &str) -> String {
    let mut line = String::new();
    let waiting = Stopwatch::start();
    while log.read_line(&mut line).unwrap() > 0 && waiting.elapsed() < Duration::from_mins(1) {
        if line.contains(what) {
            return line;
        }
        line.clear();
    }
    panic!("the log ends without \"{what}\"");
}

#[test]
fn a_second_daemon_on_the_same_state_does_not_start() {
    let (_sim, aws) = sim(&["--scenario", "healthy"]);
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state.json");
    let text_of = |more: &str| {
        format!(
            "[http]\nlisten = \"127.0.0.1:0\"\n[[gateway]]\nload_balancer = \"*\"\n[state]\npath = {state:?}\n{more}"
        )
    };
    let path = config(directory.path(), &text_of(""));
    let (first, mut log) = running(&["run", "--config", &path], &aws);
    let refused = || {
        let out = output(&["run", "--config", &path]);
        assert_eq!(out.status.code(), Some(1));
        text(&out.stderr)
    };
    let named = format!("in use by the nearmiss with the process id {}: ", first.0.id());
    let said = refused();
    assert!(said.contains(&named), "{said}");

    // A config with what once panicked changes nothing, and neither does a good one.
    let hup = || {
        let id = first.0.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    };
    let nested = "{".repeat(300) + "a" + &"}".repeat(300);
    config(directory.path(), &text_of(&format!("[[gateway]]\nload_balancer = \"{nested}\"\n")));
    hup();
    let said = wait_for(&mut log, "the config cannot be used");
    assert!(said.contains("within each other"), "{said}");
    config(directory.path(), &text_of(""));
    hup();
    wait_for(&mut log, "the config was read again");
    assert!(refused().contains(&named));

    let out = program()
        .env("AWS_ENDPOINT_URL", format!("http://{aws}"))
        .args(["check", "--config", &path])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stdout));

    drop(first); // SIGKILL
    let (_second, _log) = running(&["run", "--config", &path], &aws);
    let files: Vec<_> = std::fs::read_dir(directory.path()).unwrap().flatten().collect();
    let left = files.iter().filter(|file| file.file_name().to_string_lossy().contains("tmp"));
    assert_eq!(left.count(), 0, "{files:?}");
}

#[test]
fn a_state_that_is_no_file_ends_it_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let path = config(
        directory.path(),
        &format!(
            "[http]\nlisten = \"127.0.0.1:0\"\n[[gateway]]\nload_balancer = \"a\"\n[state]\npath = {fifo:?}\n"
        ),
    );
    let out = output(&["run", "--config", &path]);
    assert_eq!(out.status.code(), Some(1));
    assert!(
        text(&out.stderr).contains("is a FIFO, and must be a regular file"),
        "{}",
        text(&out.stderr)
    );
}
