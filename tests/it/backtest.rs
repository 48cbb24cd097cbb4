//! `nearmiss backtest` over the wire: what it says, and what it refuses.

use std::process::Output;

use serde_json::Value;

use crate::program::{Running, config, get, output, program, sim, text};

/// The scenario's first minute.
const START: &str = "2026-11-09T09:00:00Z";

/// A simulator in the past, and the directory with a config.
struct Past {
    _sim: Running,
    address: String,
    directory: tempfile::TempDir,
}

impl Past {
    fn new(faults: &str) -> Self {
        let (sim, address) = sim(&["--start", START, "--faults", faults]);
        Self { _sim: sim, address, directory: tempfile::tempdir().unwrap() }
    }

    /// The output of a backtest with a config, and these arguments.
    fn backtest(&self, text: &str, arguments: &[&str]) -> Output {
        let path = config(self.directory.path(), text);
        program()
            .env("AWS_ENDPOINT_URL_CLOUDWATCH", format!("http://{}", self.address))
            .env("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", format!("http://{}", self.address))
            .args(["backtest", "--config", &path, "--price", "0.01"])
            .args(arguments)
            .output()
            .unwrap()
    }

    fn lines(&self, text: &str) -> Vec<Value> {
        let period = ["--from", START, "--to", "2026-11-09T11:30:00Z", "--format", "json"];
        let out = self.backtest(text, &period);
        assert_eq!(out.status.code(), Some(0), "{}", crate::program::text(&out.stderr));
        let lines = crate::program::text(&out.stdout);
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

const CONFIG: &str = "[[gateway]]\nload_balancer = \"checkout\"\n";

#[test]
fn every_notification_is_a_line_and_the_last_line_sums_up() {
    let past = Past::new("");
    let mut lines = past.lines(CONFIG);
    let summary = lines.pop().unwrap();
    let keys: Vec<&String> = lines[0].as_object().unwrap().keys().collect();
    let expected = [
        "at",
        "gateway",
        "rule",
        "severity",
        "reason",
        "episode",
        "eta_seconds",
        "value",
        "threshold",
        "text",
    ];
    assert_eq!(keys, expected);
    let told: Vec<_> = lines.iter().map(|l| (&l["reason"], &l["rule"], &l["severity"])).collect();
    let shown = serde_json::json!([told, lines[0], summary]);
    insta::assert_snapshot!(serde_json::to_string_pretty(&shown).unwrap());
    assert_eq!(past.lines(CONFIG)[..lines.len()], lines, "the same past says the same");
}

#[test]
fn without_elbv2_a_dimension_value_and_a_timeout_are_enough() {
    let (_sim, address) = sim(&["--start", START]);
    let scenario: Value = serde_json::from_str(&get(&address, "/_sim/scenario")).unwrap();
    let all = scenario["load_balancers"].as_array().unwrap().iter();
    let mut dimensions = all.filter_map(|one| one["dimension"].as_str());
    let dimension = dimensions.find(|d| d.starts_with("app/checkout/")).unwrap();
    let past = Past::new("denied=elasticloadbalancing:DescribeLoadBalancers");
    let named = past.lines(&format!(
        "[[gateway]]\nload_balancer = \"{dimension}\"\ntimeout = \"60s\"\nregion = \"eu-central-1\"\n"
    ));
    let looked_up = Past::new("").lines(CONFIG);
    assert_eq!(named.len(), looked_up.len());
    for (a, b) in named.iter().zip(&looked_up) {
        assert_eq!((&a["at"], &a["rule"], &a["text"]), (&b["at"], &b["rule"], &b["text"]));
    }
}

#[test]
fn a_disordered_past_says_what_an_orderly_one_does() {
    let orderly = Past::new("").lines(CONFIG);
    for faults in ["shuffle=1,duplicate=0.5", "throttle=0.2", "cut=0.1,internal=0.1"] {
        assert_eq!(Past::new(faults).lines(CONFIG)[..1], orderly[..1], "{faults}");
    }
}

#[test]
fn a_period_that_cannot_be_looked_at_is_said_and_exit_code_2() {
    let directory = tempfile::tempdir().unwrap();
    let path = config(directory.path(), CONFIG);
    for (from, to, message) in [
        ("2026-11-09T10:00:00Z", "2026-11-09T09:00:00Z", "--to must be later than --from"),
        ("2026-11-09T10:00:00Z", "2026-11-09T10:00:00Z", "--to must be later than --from"),
        ("2026-11-09T10:00:00Z", "2199-01-01T00:00:00Z", "in the future"),
        ("2026-11-09T10:00:00Z", "2999-01-01T00:00:00Z", "a year from 1971 to 2199"),
        ("yesterday", "-0s", "expected a time"),
        ("2026-13-09T10:00:00Z", "-0s", "expected a time"),
    ] {
        let out = output(&["backtest", "--config", &path, "--from", from, "--to", to]);
        let error = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{from} {to}: {error}");
        assert!(error.contains(message), "{from} {to}: {error}");
        assert!(out.stdout.is_empty());
    }
}

#[test]
fn what_cloudwatch_no_longer_keeps_is_said_and_no_alarm() {
    let past = Past::new("");
    let out =
        past.backtest(CONFIG, &["--from", "2020-01-01T00:00:00Z", "--to", "2020-01-01T06:00:00Z"]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(text(&out.stderr).contains("more than 15 days ago"), "{}", text(&out.stderr));
    assert!(text(&out.stdout).contains("0 episodes"), "{}", text(&out.stdout));
}

#[test]
fn a_timeout_that_is_always_passed_is_no_forecast() {
    let past = Past::new("");
    let lines = past.lines("[[gateway]]\nload_balancer = \"checkout\"\ntimeout = \"1s\"\n");
    let forecasts = lines.iter().filter(|line| line["eta_seconds"].is_object()).count();
    assert_eq!(forecasts, 0, "{lines:?}");
}
