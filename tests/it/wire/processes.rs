//! The daemon as a process: it is killed, sent commands, made to read its config again, and
//! met by a second one.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nearmiss::edge::time::Stopwatch;
use serde_json::Value;

use crate::program::{Running, config, get, output, program, sim, text};

/// How long something is waited for before the test fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// A config, and the AWS that it sees.
struct Place {
    aws: String,
    config: String,
    directory: tempfile::TempDir,
    _sim: Running,
}

/// A daemon that runs, its log, and where its page is.
struct Life {
    process: Running,
    log: mpsc::Receiver<String>,
    address: String,
}

impl Place {
    fn new() -> Self {
        // Twenty-four minutes into the scenario an episode is open.
        let (sim, aws) = sim(&["--scenario", "slow_burn", "--seed", "7", "--start", "-24m"]);
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path(), &text_of(directory.path(), ""));
        Self { aws, config, directory, _sim: sim }
    }

    fn nearmiss(&self, words: &[&str]) -> Command {
        let mut program = program();
        program.env("AWS_ENDPOINT_URL", format!("http://{}", self.aws)).env("USER", "anna");
        program.args(words).args(["--config", &self.config]);
        program
    }

    fn say(&self, words: &[&str]) -> Output {
        self.nearmiss(words).output().unwrap()
    }

    /// Starts a daemon, and waits until it says that it runs.
    fn daemon(&self) -> Life {
        let mut process = Running(self.nearmiss(&["run"]).stderr(Stdio::piped()).spawn().unwrap());
        let lines = BufReader::new(process.0.stderr.take().unwrap()).lines();
        let (tell, log) = mpsc::channel();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).try_for_each(|line| tell.send(line))
        });
        let running = waited_for(&log, "nearmiss is running");
        let address = running.split_once("address=").unwrap().1;
        let address = address.split_whitespace().next().unwrap().to_owned();
        Life { process, log, address }
    }

    fn published(&self) -> usize {
        let published: Value = serde_json::from_str(&get(&self.aws, "/_sim/published")).unwrap();
        published.as_array().map_or(0, Vec::len)
    }
}

impl Life {
    /// Waits until this many polls succeeded.
    fn has_polled(&self, times: u64) {
        let polls = || {
            let page = get(&self.address, "/metrics");
            let of = |line: &&str| line.starts_with("nearmiss_polls_total{outcome=\"ok\"}");
            let line = page.lines().find(of)?.to_owned();
            line.rsplit(' ').next()?.parse::<u64>().ok()
        };
        let waiting = Stopwatch::start();
        while polls().is_none_or(|polls| polls < times) {
            assert!(waiting.elapsed() < PATIENCE, "no {times} polls");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn hup(&self) {
        let id = self.process.0.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    }
}

/// The next line of the log that contains this.
fn waited_for(log: &mpsc::Receiver<String>, what: &str) -> String {
    loop {
        let line = log.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|_| panic!("the log ends without \"{what}\""));
        if line.contains(what) {
            return line;
        }
    }
}

fn text_of(directory: &Path, more: &str) -> String {
    let path = |name: &str| directory.join(name).to_string_lossy().into_owned();
    format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[poll]\nschedule = \"* * * * * *\"\n\
         [[gateway]]\nload_balancer = \"checkout\"\n\
         [sink.sns]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:nearmiss\"\n\
         [state]\npath = {:?}\n[control]\nsocket = {:?}\n{more}",
        path("state.json"),
        path("socket"),
    )
}

fn works(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn fails(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    text(&output.stderr)
}

/// Three lives of one daemon, each ended by SIGKILL: no test within one process can show
/// what outlives a process, and how a second one is refused.
#[test]
fn three_lives_of_a_daemon_are_one_story() {
    let place = Place::new();
    let nobody = fails(&place.say(&["silence", "list"]));
    assert!(nobody.contains("no daemon answers on") && nobody.contains("nearmiss run"), "{nobody}");
    a_report_is_cloudwatchs_without_a_daemon(&place);

    let first = place.daemon();
    a_second_daemon_does_not_start(&place, &first);
    a_config_is_read_again_or_left_alone(&place, &first);
    let (id, set) = a_silence_is_set(&place);
    first.has_polled(2);
    assert_eq!(place.published(), 1, "the warning is due at once");
    drop(first); // SIGKILL

    let second = place.daemon();
    a_silence_survives_and_can_be_ended(&place, &id, &set);
    second.has_polled(2);
    assert_eq!(place.published(), 1, "nothing is sent twice");
    drop(second);

    let third = place.daemon();
    third.has_polled(2);
    assert_eq!(place.published(), 1, "nor by the third");
    let files = std::fs::read_dir(place.directory.path()).unwrap().flatten();
    let left: Vec<PathBuf> = files.map(|file| file.path()).collect();
    assert!(!left.iter().any(|path| path.to_string_lossy().contains("tmp.")), "{left:?}");
    what_is_meant_to_be_so_is_said_once(&place);
    a_report_is_the_daemons(&place);
    a_silence_that_fits_nothing_is_set_and_says_so(&place);
    works(&place.say(&["state", "export"]));
    drop(third);
    a_damaged_state_is_one_error(&place);
}

/// Of the file that a kill left, with the bits of whole pages turned, and as it was.
fn a_damaged_state_is_one_error(place: &Place) {
    let file = place.directory.path().join("state.json");
    let whole = std::fs::read(&file).unwrap();
    let saved = works(&place.say(&["state", "export"]));
    let mut damaged = 0;
    for page in (0..whole.len() / 4096).step_by(3) {
        let mut bytes = whole.clone();
        bytes[page * 4096..][..4096].iter_mut().for_each(|byte| *byte ^= 0x10);
        std::fs::write(&file, &bytes).unwrap();
        let out = place.say(&["state", "export"]);
        if out.status.success() {
            assert_eq!(text(&out.stdout), saved, "page {page} is free");
            continue;
        }
        let error = fails(&out);
        damaged += 1;
        let is_one = error.lines().filter(|line| !line.is_empty()).count() == 1;
        assert!(is_one && error.contains("damaged (") && out.stdout.is_empty(), "{error}");
    }
    assert!(damaged > 3, "{damaged}");
}

fn a_second_daemon_does_not_start(place: &Place, first: &Life) {
    let out = output(&["run", "--config", &place.config]);
    assert_eq!(out.status.code(), Some(1));
    let named = format!("in use by the nearmiss with the process id {}: ", first.process.0.id());
    assert!(text(&out.stderr).contains(&named), "{}", text(&out.stderr));
    works(&place.say(&["check"]));
}

/// A config with what once panicked changes nothing.
fn a_config_is_read_again_or_left_alone(place: &Place, life: &Life) {
    let directory = place.directory.path();
    let nested = "{".repeat(300) + "a" + &"}".repeat(300);
    let odd = format!("[[gateway]]\nload_balancer = \"{nested}\"\n");
    config(directory, &text_of(directory, &odd));
    life.hup();
    let said = waited_for(&life.log, "the config cannot be used");
    assert!(said.contains("within each other"), "{said}");
    config(directory, &text_of(directory, ""));
    life.hup();
    waited_for(&life.log, "the config was read again");
    a_second_daemon_does_not_start(place, life);
}

fn a_silence_is_set(place: &Place) -> (String, String) {
    let why = ["--comment", "the import \u{1b}[31mof the year\u{7}"];
    let set = place.say(&[&["silence", "add", "pay-*", "--for", "2h"], &why[..]].concat());
    let set = works(&set);
    let plain = "by anna: the import \\u{1b}[31mof the year\\u{7}";
    assert!(set.contains("pay-* up to critical") && set.contains(plain), "{set}");
    let listed: Value =
        serde_json::from_str(&works(&place.say(&["silence", "list", "--format", "json"]))).unwrap();
    let id = listed["silences"][0]["id"].as_str();
    (id.unwrap_or_else(|| panic!("{listed:#}")).to_owned(), set)
}

fn a_silence_survives_and_can_be_ended(place: &Place, id: &str, set: &str) {
    let listed: Value =
        serde_json::from_str(&works(&place.say(&["silence", "list", "--format", "json"]))).unwrap();
    assert_eq!(listed["silences"][0]["id"], id, "{listed:#}");
    assert!(set.starts_with(id), "{set}");
    works(&place.say(&["silence", "expire", id]));
    let none = works(&place.say(&["silence", "list"]));
    assert_eq!(none.trim(), "no silence is in force");
    let gone = fails(&place.say(&["silence", "expire", id]));
    assert!(gone.contains("`nearmiss silence list` shows"), "{gone}");
}

/// Nothing of that name is watched, which may be intended or a slip.
fn a_silence_that_fits_nothing_is_set_and_says_so(place: &Place) {
    let add = |words: &[&str]| {
        let words = [&["silence", "add", "--for", "2h"], words].concat();
        works(&place.say(&words))
    };
    let set: Value = serde_json::from_str(&add(&["chekcout", "--format", "json"])).unwrap();
    assert_eq!(set["silenced"]["gateways"], 0);
    let advice = set["silenced"]["advice"].as_str().unwrap();
    let slip = "no gateway that is watched fits it now (did you mean checkout?). It holds for";
    assert!(advice.contains(slip), "{advice}");
    let set = add(&["nothing-*"]);
    assert!(
        set.contains("\nnote: no gateway that is watched fits it now (there is checkout)."),
        "{set}"
    );
    let set = add(&["check*"]);
    assert!(!set.contains("note:"), "{set}");
    let unnotified =
        fails(&place.say(&["silence", "add", "*", "--for", "2h", "--tag", "team=web-*"]));
    assert!(unnotified.contains("the tags of load balancers are not known"), "{unnotified}");
}

fn what_is_meant_to_be_so_is_said_once(place: &Place) {
    let said = works(&place.say(&["acknowledge", "check*"]));
    assert!(said.contains("checkout: from ") && said.contains("benign"), "{said}");
    let unknown = fails(&place.say(&["acknowledge", "nothing"]));
    let hint = "no gateway of that name is watched: there is checkout";
    assert!(unknown.contains(hint), "{unknown}");
    assert_eq!(place.published(), 1);
}

fn a_report_is_cloudwatchs_without_a_daemon(place: &Place) {
    let alone = place.say(&["report", "--days", "1"]);
    let shown = works(&alone);
    assert!(shown.starts_with("Capacity of 1 gateway, "), "{shown}");
    let remarks = text(&alone.stderr);
    for expected in ["no daemon answers on", "CloudWatch bills "] {
        assert!(remarks.contains(expected), "{remarks}");
    }
}

fn a_report_is_the_daemons(place: &Place) {
    let theirs = place.say(&["report", "--format", "json"]);
    let report: Value = serde_json::from_str(&works(&theirs)).unwrap();
    assert_eq!(text(&theirs.stderr), "");
    assert_eq!(report["schema"], "nearmiss.report/1");
    let markdown = works(&place.say(&["report", "--format", "markdown"]));
    assert!(markdown.starts_with("# Capacity of 1 gateway"), "{markdown}");
}

/// The story of a demo: the alerts that it prints.
fn story() -> (Vec<String>, String) {
    let arguments =
        ["demo", "--scenario", "slow_burn", "--seed", "7", "--speed", "600", "--for", "9s"];
    let out = output(&arguments);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let shown = text(&out.stdout);
    (shown.lines().filter(|l| l.starts_with("  |")).map(str::to_owned).collect(), shown)
}

/// The program, its simulator and its clock in one process, as a first-time user runs it.
#[test]
fn the_demo_tells_one_story_per_seed_and_ends_by_itself() {
    let [(once, shown), (again, _)] =
        [(); 2].map(|()| std::thread::spawn(story)).map(|t| t.join().unwrap());
    // How far it gets in its time depends on the machine; what it shows does not.
    let both = once.len().min(again.len());
    assert!(both > 0 && once[..both] == again[..both], "{once:#?}\n{again:#?}");
    let place = |what: &str| shown.find(what).unwrap_or_else(|| panic!("no {what} in {shown}"));
    assert!(place("[WARNING] checkout") < place("[CRITICAL] checkout"));
    assert!(shown.contains("min before it"), "{shown}");
}
