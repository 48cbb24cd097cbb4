//! Commands that ask AWS once, as a person starts them: their output, and their exit codes.

use std::process::Output;

use serde_json::Value;

use super::watched::{BY_TAGS, ROUTE};
use crate::program::{Running, config, get, program, sim, text};

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

    fn lines(&self, gateways: &str) -> Vec<Value> {
        let period = ["--from", START, "--to", "2026-11-09T11:30:00Z", "--format", "json"];
        let out = self.backtest(gateways, &period);
        assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
        let lines = text(&out.stdout);
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

const CONFIG: &str = "[[gateway]]\nload_balancer = \"checkout\"\n";

/// A backtest reads a past that nobody watched, page after page: what is in it does not
/// depend on how CloudWatch sends it.
#[test]
fn a_backtest_says_what_a_daemon_would_have_sent() {
    every_notification_is_a_line_and_the_last_line_sums_up();
    without_elbv2_a_dimension_value_and_a_timeout_are_enough();
    a_disordered_past_says_what_an_orderly_one_does();
    what_cloudwatch_no_longer_keeps_is_said_and_no_alarm();
    a_timeout_that_is_always_passed_is_no_forecast();
}

/// One account, and one question to it: the exit code says what was found there.
#[test]
fn each_command_ends_with_what_it_found() {
    check_names_what_is_missing();
    a_chain_is_read_from_aws_and_drawn_and_its_exit_code_says_whether_it_holds();
    diagnose_ends_with_what_it_found_and_names_what_is_watched();
    what_it_costs_is_known_without_tags();
}

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

fn a_disordered_past_says_what_an_orderly_one_does() {
    let orderly = Past::new("").lines(CONFIG);
    for faults in ["shuffle=1,duplicate=0.5", "throttle=0.2", "cut=0.1,internal=0.1"] {
        assert_eq!(Past::new(faults).lines(CONFIG)[..1], orderly[..1], "{faults}");
    }
}

fn what_cloudwatch_no_longer_keeps_is_said_and_no_alarm() {
    let past = Past::new("");
    let out =
        past.backtest(CONFIG, &["--from", "2020-01-01T00:00:00Z", "--to", "2020-01-01T06:00:00Z"]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(text(&out.stderr).contains("more than 15 days ago"), "{}", text(&out.stderr));
    assert!(text(&out.stdout).contains("0 episodes"), "{}", text(&out.stdout));
}

fn a_timeout_that_is_always_passed_is_no_forecast() {
    let past = Past::new("");
    let lines = past.lines("[[gateway]]\nload_balancer = \"checkout\"\ntimeout = \"1s\"\n");
    let forecasts = lines.iter().filter(|line| line["eta_seconds"].is_object()).count();
    assert_eq!(forecasts, 0, "{lines:?}");
}

fn check_names_what_is_missing() {
    let (_sim, address) = sim(&["--faults", "denied=cloudwatch:GetMetricData"]);
    let directory = tempfile::tempdir().unwrap();
    let path = config(
        directory.path(),
        "[[gateway]]\nload_balancer = \"checkout\"\n[[gateway]]\nload_balancer = \"no-such\"\n\
         [sink.sns]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:no-such\"\n\
         [state]\npath = \"state.json\"\n",
    );
    let endpoint = format!("http://{address}");
    let run = |arguments: &[&str]| {
        program()
            .env("AWS_ENDPOINT_URL", &endpoint)
            .current_dir(directory.path())
            .args(["check", "--config", &path])
            .args(arguments)
            .output()
            .unwrap()
    };
    let out = run(&[]);
    assert_eq!(out.status.code(), Some(1), "{}", text(&out.stdout));
    insta::assert_snapshot!(text(&out.stdout));
    let json: Value = serde_json::from_slice(&run(&["--format", "json"]).stdout).unwrap();
    assert_eq!(json["ok"], false);
    assert_eq!(run(&["--offline"]).status.code(), Some(0));
}

fn a_chain_is_read_from_aws_and_drawn_and_its_exit_code_says_whether_it_holds() {
    let (_sim, address) = sim(&["--scenario", "n01_healthy"]);
    let directory = tempfile::tempdir().unwrap();
    let chain = |behind: &str| {
        format!(
            "[[gateway]]\nload_balancer = \"site\"\n[[chain]]\nname = \"shop\"\n\
             [[chain.hop]]\nkind = \"client\"\ntotal_timeout = \"90s\"\n\
             [[chain.hop]]\nkind = \"alb\"\nload_balancer = \"site\"\n\
             [[chain.hop]]\nkind = \"app\"\n{behind}"
        )
    };
    let run = |text: &str, format: &str| {
        let path = config(directory.path(), text);
        let mut command = program();
        command.env("AWS_ENDPOINT_URL", format!("http://{address}"));
        command.args(["chain", "--config", &path, "--format", format]).output().unwrap()
    };
    let good = run(&chain("total_timeout = \"50s\"\nkeep_alive = \"75s\"\n"), "text");
    assert_eq!(good.status.code(), Some(0), "{}{}", text(&good.stdout), text(&good.stderr));
    let bad = run(&chain("total_timeout = \"80s\"\nkeep_alive = \"15s\"\n"), "json");
    assert_eq!(bad.status.code(), Some(1), "{}", text(&bad.stderr));
    let said: Value = serde_json::from_slice(&bad.stdout).unwrap();
    let rules: Vec<&str> = said["chains"][0]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|finding| finding["rule"].as_str())
        .collect();
    assert!(rules.contains(&"outer_gives_up_first"), "{rules:?}");
    assert!(rules.contains(&"keep_alive_too_short"), "{rules:?}");
    let none = run("[[gateway]]\nload_balancer = \"site\"\n", "text");
    assert_eq!(none.status.code(), Some(2));
    assert!(text(&none.stderr).contains("no [[chain]]"), "{}", text(&none.stderr));
}

fn diagnose_ends_with_what_it_found_and_names_what_is_watched() {
    let (_sim, address) = sim(&["--scenario", "c18_keep_alive", "--start", "-200m"]);
    let directory = tempfile::tempdir().unwrap();
    let path = config(directory.path(), "[[gateway]]\nload_balancer = \"site\"\n");
    let run = |arguments: &[&str]| {
        let mut command = program();
        command.env("AWS_ENDPOINT_URL", format!("http://{address}"));
        command.args(["diagnose", "--config", &path]).args(arguments).output().unwrap()
    };
    let found = run(&["site"]);
    assert_eq!(found.status.code(), Some(1), "{}{}", text(&found.stdout), text(&found.stderr));
    assert!(text(&found.stdout).contains("keep_alive"), "{}", text(&found.stdout));
    let before = run(&["site", "--at", "-120m", "--format", "json"]);
    assert_eq!(before.status.code(), Some(0), "{}", text(&before.stdout));
    assert!(text(&run(&["site", "--format", "markdown"]).stdout).starts_with("# site at"));
    let unknown = run(&["sight"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("there is site"), "{}", text(&unknown.stderr));
}

/// What does not depend on tags does not ask for them, and what counts does not fail
/// because of them.
fn what_it_costs_is_known_without_tags() {
    let denied = "denied=elasticloadbalancing:DescribeTags";
    let (_sim, aws) = sim(&["--scenario", "healthy", "--faults", denied]);
    let directory = tempfile::tempdir().unwrap();
    let cost = |text: &str| {
        let path = config(directory.path(), text);
        let mut command = program();
        command.env("AWS_ENDPOINT_URL", format!("http://{aws}"));
        command.args(["cost", "--config", &path]).output().unwrap()
    };
    let named = "[[gateway]]\nload_balancer = \"*\"\n";
    let by_route = cost(&format!("{named}{ROUTE}"));
    assert_eq!(by_route.status.code(), Some(0), "{}", text(&by_route.stderr));
    assert!(text(&by_route.stderr).contains("elasticloadbalancing:DescribeTags"));
    assert_eq!(text(&cost(named).stderr), "");
    assert_eq!(cost(BY_TAGS).status.code(), Some(1), "how many there are is not known");
}
