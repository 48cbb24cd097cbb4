//! What people tell and ask the running daemon, process to process.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use nearmiss::edge::time::Stopwatch;
use serde_json::Value;

use crate::program::{Running, config, get, program, sim, text};

/// A daemon, its config, and the AWS that it sees.
struct Place {
    aws: String,
    config: String,
    _directory: tempfile::TempDir,
    _sim: Running,
}

impl Place {
    fn new() -> Self {
        // Twenty-four minutes into the scenario an episode is open.
        let (sim, aws) = sim(&["--scenario", "slow_burn", "--seed", "7", "--start", "-24m"]);
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path(), &text_of(directory.path()));
        Self { aws, config, _directory: directory, _sim: sim }
    }

    fn say(&self, words: &[&str]) -> Output {
        let mut program = program();
        program.env("AWS_ENDPOINT_URL", format!("http://{}", self.aws)).env("USER", "anna");
        program.args(words).args(["--config", &self.config]).output().unwrap()
    }

    /// Starts a daemon and waits until it answers.
    fn daemon(&self) -> Running {
        let mut daemon = program();
        daemon.env("AWS_ENDPOINT_URL", format!("http://{}", self.aws));
        daemon.args(["run", "--config", &self.config]).stderr(Stdio::null());
        let daemon = Running(daemon.spawn().unwrap());
        let waiting = Stopwatch::start();
        while self.say(&["silence", "list"]).status.code() != Some(0) {
            assert!(waiting.elapsed() < Duration::from_mins(1), "no daemon answers");
        }
        daemon
    }

    fn published(&self) -> usize {
        let published: Value = serde_json::from_str(&get(&self.aws, "/_sim/published")).unwrap();
        published.as_array().map_or(0, Vec::len)
    }
}

fn text_of(directory: &Path) -> String {
    let path = |name: &str| directory.join(name).to_string_lossy().into_owned();
    format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[poll]\nschedule = \"* * * * * *\"\n\
         [[gateway]]\nload_balancer = \"checkout\"\n\
         [sink.sns]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:nearmiss\"\n\
         [state]\npath = {:?}\n[control]\nsocket = {:?}\n",
        path("state.json"),
        path("socket"),
    )
}

fn works(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn fails(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    text(&output.stderr)
}

#[test]
fn a_silence_is_heard_survives_sigkill_and_can_be_ended() {
    let place = Place::new();
    let nobody = fails(&place.say(&["silence", "list"]));
    assert!(nobody.contains("no daemon answers on") && nobody.contains("nearmiss run"), "{nobody}");

    let daemon = place.daemon();
    let why = ["--comment", "the import \u{1b}[31mof the year\u{7}"];
    let set = place.say(&[&["silence", "add", "pay-*", "--for", "2h"], &why[..]].concat());
    let set = works(&set);
    let plain = "by anna: the import \\u{1b}[31mof the year\\u{7}";
    assert!(set.contains("pay-* up to critical") && set.contains(plain), "{set}");
    drop(daemon); // SIGKILL
    let _daemon = place.daemon();
    let listed: Value =
        serde_json::from_str(&works(&place.say(&["silence", "list", "--format", "json"]))).unwrap();
    let id =
        listed["silences"][0]["id"].as_str().unwrap_or_else(|| panic!("{listed:#}")).to_owned();
    assert!(set.starts_with(&id), "{set}");
    works(&place.say(&["silence", "expire", &id]));
    let none = works(&place.say(&["silence", "list"]));
    assert_eq!(none.trim(), "no silence is in force");
    let gone = fails(&place.say(&["silence", "expire", &id]));
    assert!(gone.contains("`nearmiss silence list` shows"), "{gone}");
}

/// Nothing of that name is watched, which may be so or a slip.
#[test]
fn a_silence_that_fits_nothing_is_set_and_says_so() {
    let place = Place::new();
    let _daemon = place.daemon();
    let waiting = Stopwatch::start();
    let add = |words: &[&str]| {
        let words = [&["silence", "add", "--for", "2h"], words].concat();
        works(&place.say(&words))
    };
    loop {
        let set: Value = serde_json::from_str(&add(&["chekcout", "--format", "json"])).unwrap();
        assert_eq!(set["silenced"]["gateways"], 0);
        let advice = set["silenced"]["advice"].as_str().unwrap();
        if advice.contains(
            "no gateway that is watched fits it now (did you mean checkout?). It holds for",
        ) {
            break;
        }
        assert!(advice.contains("no gateway is found yet"), "{advice}");
        assert!(waiting.elapsed() < Duration::from_mins(1), "{advice}");
    }
    let set = add(&["nothing-*"]);
    assert!(
        set.contains("\nnote: no gateway that is watched fits it now (there is checkout)."),
        "{set}"
    );
    let set = add(&["check*"]);
    assert!(!set.contains("note:"), "{set}");
    let untold = fails(&place.say(&["silence", "add", "*", "--for", "2h", "--tag", "team=web-*"]));
    assert!(untold.contains("the tags of load balancers are not known"), "{untold}");
}

#[test]
fn what_is_meant_to_be_so_is_said_once() {
    let place = Place::new();
    let _daemon = place.daemon();
    let waiting = Stopwatch::start();
    while place.published() == 0 {
        assert!(waiting.elapsed() < Duration::from_mins(1), "no alert");
    }
    let said = works(&place.say(&["acknowledge", "check*"]));
    assert!(said.contains("checkout: from ") && said.contains("benign"), "{said}");
    let unknown = fails(&place.say(&["acknowledge", "nothing"]));
    let hint = "no gateway of that name is watched: there is checkout";
    assert!(unknown.contains(hint), "{unknown}");
    assert_eq!(place.published(), 1);
}

#[test]
fn a_report_is_the_daemons_or_else_cloudwatchs() {
    let place = Place::new();
    let alone = place.say(&["report", "--days", "1"]);
    let text_alone = works(&alone);
    assert!(text_alone.starts_with("Capacity of 1 gateway, "), "{text_alone}");
    let remarks = text(&alone.stderr);
    for expected in ["no daemon answers on", "CloudWatch bills "] {
        assert!(remarks.contains(expected), "{remarks}");
    }
    let _daemon = place.daemon();
    let theirs = place.say(&["report", "--format", "json"]);
    let report: Value = serde_json::from_str(&works(&theirs)).unwrap();
    assert_eq!(text(&theirs.stderr), "");
    assert_eq!(report["schema"], "nearmiss.report/1");
    let markdown = works(&place.say(&["report", "--format", "markdown"]));
    assert!(markdown.starts_with("# Capacity of 1 gateway"), "{markdown}");
}
