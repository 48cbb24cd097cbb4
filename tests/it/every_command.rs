//! Every command, whatever its arguments and whoever reads its output: a documented exit
//! code, and no panic.
//!
//! The commands and their options are read from the program's own help, so that a new
//! one cannot be forgotten.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nearmiss::edge::time::Stopwatch;

use crate::program::{Running, config, output, program, sim, text};

/// Arguments that make a command do its work; `run`, `sim` and `demo` go on until they are
/// stopped.
const WORK: &[(&str, &[&str])] = &[
    ("run", &["--config", "CONFIG"]),
    ("check", &["--config", "CONFIG"]),
    ("iam-policy", &["--config", "CONFIG"]),
    ("cost", &["--config", "CONFIG"]),
    ("demo", &["--speed", "600"]),
    ("sim", &["--listen", "127.0.0.1:0"]),
    ("backtest", &["--config", "CONFIG", "--from", "-1h"]),
    ("diagnose", &["checkout", "--config", "CONFIG"]),
    ("chain", &["--config", "CONFIG", "--offline"]),
    ("probe", &["http://127.0.0.1:9/"]),
    ("silence add", &["web", "--config", "CONFIG", "--for", "1h"]),
    ("silence list", &["--config", "CONFIG"]),
    ("silence expire", &["1f0c3a9b", "--config", "CONFIG"]),
    ("acknowledge", &["web", "--config", "CONFIG"]),
    ("state export", &["--config", "CONFIG"]),
    ("report", &["--config", "CONFIG"]),
    ("completions", &["bash"]),
];
const ENDLESS: [&str; 3] = ["run", "sim", "demo"];

/// What the program's help says about a command.
struct Help {
    /// Its words: `silence add`.
    command: String,
    text: String,
    /// The options that take a value.
    options: Vec<String>,
}

/// The help of every command that does something, as the program lists them.
fn all(command: &str) -> Vec<Help> {
    let words: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
    let out = output(&words);
    assert_eq!(out.status.code(), Some(0), "{command} --help");
    let text = text(&out.stdout);
    assert!(text.contains("Example"), "{command} --help shows no example:\n{text}");
    let commands = text.split("\nCommands:\n").nth(1).unwrap_or_default();
    let names: Vec<&str> = commands
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "help")
        .collect();
    if !names.is_empty() {
        return names.iter().flat_map(|name| all(format!("{command} {name}").trim())).collect();
    }
    let options = text.lines().filter_map(|line| {
        let (before, after) = line.split_once("--")?;
        let name = after.split([' ', '.']).next()?;
        let is_option = before.trim().is_empty() || before.trim().starts_with('-');
        (is_option && after.contains('<')).then(|| name.to_owned())
    });
    let options = options.collect();
    vec![Help { command: command.to_owned(), text, options }]
}

/// A place where commands can do their work.
struct Place {
    config: String,
    aws: String,
    _directory: tempfile::TempDir,
    _sim: Running,
}

impl Place {
    fn new() -> Self {
        let (sim, aws) = sim(&["--scenario", "slow_burn", "--seed", "7", "--start", "-24m"]);
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
        let config = config(
            directory.path(),
            &format!(
                "[http]\nlisten = \"127.0.0.1:0\"\n[[gateway]]\nload_balancer = \"*\"\n\
                 [state]\npath = {:?}\n[control]\nsocket = {:?}\n\
                 [[chain]]\nname = \"shop\"\n[[chain.hop]]\nkind = \"alb\"\n[[chain.hop]]\nkind = \"nginx\"\n",
                path("state.json"),
                path("socket"),
            ),
        );
        Self { config, aws, _directory: directory, _sim: sim }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = program();
        command.env("AWS_ENDPOINT_URL", format!("http://{}", self.aws));
        // A connection that does not go there goes nowhere.
        command.env("HTTPS_PROXY", "http://127.0.0.1:9").env("AWS_MAX_ATTEMPTS", "1");
        command.args(words.iter().map(|word| word.replace("CONFIG", &self.config)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// The arguments of a command that does its work.
fn work(command: &str) -> Vec<&'static str> {
    let known = WORK.iter().find(|(name, _)| *name == command);
    let (name, words) = known.unwrap_or_else(|| panic!("{command} is new: say how it works"));
    name.split_whitespace().chain(words.iter().copied()).collect()
}

/// Its exit code; a command that goes on for ever is sent a signal to stop.
fn code(child: &mut Child, is_endless: bool) -> Option<i32> {
    let waiting = Stopwatch::start();
    let mut asked = false;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            // The signal may come before it is ready for it.
            let is_stopped = asked && status.signal() == Some(15);
            return if is_stopped { Some(0) } else { status.code() };
        }
        if is_endless && !asked && waiting.elapsed() > Duration::from_millis(150) {
            asked = true;
            let id = child.id().to_string();
            assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        }
        assert!(waiting.elapsed() < Duration::from_mins(1), "it does not end");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs it to its end, reading all that it says.
fn ended(mut command: Command, is_endless: bool, case: &str) -> String {
    let mut child = Running(command.spawn().unwrap());
    let readers = (child.0.stdout.take().unwrap(), child.0.stderr.take().unwrap());
    let (mut out, mut err) = readers;
    let out = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        out.read_to_end(&mut bytes).map(|_| bytes)
    });
    let err = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        err.read_to_end(&mut bytes).map(|_| bytes)
    });
    let code = code(&mut child.0, is_endless);
    let (out, err) = (out.join().unwrap().unwrap(), err.join().unwrap().unwrap());
    let said = String::from_utf8_lossy(&err).into_owned() + &String::from_utf8_lossy(&out);
    assert!(matches!(code, Some(0..=3)), "{case}: exit code {code:?}\n{said}");
    for panic in ["panicked", "stack backtrace"] {
        assert!(!said.contains(panic), "{case}:\n{said}");
    }
    said
}

#[test]
fn every_command_is_known_and_its_help_shows_an_example() {
    let all = all("");
    let mut found: Vec<&str> = all.iter().map(|help| help.command.as_str()).collect();
    let mut known: Vec<&str> = WORK.iter().map(|(name, _)| *name).collect();
    found.sort_unstable();
    known.sort_unstable();
    assert_eq!(found, known, "say how a new command works");
    for Help { command, text, .. } in &all {
        assert!(text.contains("Usage:"), "{command}: {text}");
    }
    assert!(text(&output(&["--help"]).stdout).contains("Examples:"));
    for shell in ["bash", "zsh", "fish"] {
        let completions = text(&output(&["completions", shell]).stdout);
        for word in known.iter().flat_map(|command| command.split(' ')) {
            assert!(completions.contains(word), "{shell}: {word}");
        }
    }
}

/// Those that ask AWS something, and those that do not.
#[test]
fn every_command_that_asks_aws_refuses_an_endpoint_that_is_none() {
    const ASK: [&str; 7] = ["run", "check", "cost", "backtest", "diagnose", "report", "chain"];
    let place = Place::new();
    for Help { command, .. } in all("") {
        let mut words = work(&command);
        words.retain(|word| *word != "--offline");
        let asks = ASK.contains(&command.as_str());
        let mut started = place.command(&words);
        started.env("AWS_ENDPOINT_URL", "garbage");
        let said = ended(started, ENDLESS.contains(&command.as_str()), &command);
        let says = said.contains("AWS_ENDPOINT_URL: expected a URL");
        assert_eq!(says, asks, "{command}: {said}");
    }
}

/// Nobody reads its output, or only the first line, or there is no daemon to reach.
#[test]
fn a_closed_pipe_is_no_panic() {
    let place = Place::new();
    for Help { command, .. } in all("") {
        let is_endless = ENDLESS.contains(&command.as_str());
        let words = work(&command);
        for closed in ["output", "output after a line", "error output", "both", "input"] {
            let case = format!("{command}, closed {closed}");
            let mut started = match closed {
                "input" => {
                    let whole = place.command(&words);
                    let mut shell = Command::new("sh");
                    shell.args(["-c", "exec \"$0\" \"$@\" <&-"]).arg(whole.get_program());
                    shell.args(whole.get_args()).env_clear();
                    let set = whole.get_envs().filter_map(|(name, value)| Some((name, value?)));
                    shell.envs(set).stdout(Stdio::piped()).stderr(Stdio::piped());
                    shell
                }
                _ => place.command(&words),
            };
            if closed == "input" {
                ended(started, is_endless, &case);
                continue;
            }
            let mut child = Running(started.spawn().unwrap());
            let (out, err) = (child.0.stdout.take().unwrap(), child.0.stderr.take().unwrap());
            let rest = std::thread::spawn(move || {
                let (mut out, mut err) = (Some(BufReader::new(out)), Some(err));
                if closed == "output after a line" {
                    let _ = out.as_mut().map(|out| out.read_line(&mut String::new()));
                }
                if closed != "error output" {
                    drop(out.take());
                }
                if closed == "error output" || closed == "both" {
                    drop(err.take());
                }
                let mut rest = Vec::new();
                let _ = out.map(|mut out| out.read_to_end(&mut rest));
                let _ = err.map(|mut err| err.read_to_end(&mut rest));
                String::from_utf8_lossy(&rest).into_owned()
            });
            let code = code(&mut child.0, is_endless);
            let said = rest.join().unwrap();
            assert!(matches!(code, Some(0..=3)), "{case}: exit code {code:?}\n{said}");
            assert!(!said.contains("panicked"), "{case}:\n{said}");
        }
    }
}

/// Each option of each command with values at its limits and beyond them.
#[test]
fn values_at_their_limits_and_beyond_are_no_panic() {
    let place = Place::new();
    let long = "a".repeat(100_000);
    let nested = "{".repeat(300) + "a" + &"}".repeat(300);
    let values = [
        "",
        "0",
        "-1",
        "18446744073709551615",
        "99999999999999999999d",
        "584554049253y",
        "-584554049253y",
        "nan",
        "1e308",
        "9999-12-31T23:59:59Z",
        "1969-12-31T23:59:59Z",
        "127.0.0.1:99999",
        "\u{1b}[31m\u{202e}=",
        &nested,
        &long,
    ];
    for Help { command, options, .. } in all("") {
        let is_endless = ENDLESS.contains(&command.as_str());
        let words = work(&command);
        for option in options.iter().filter(|name| *name != "log-format") {
            let flag = format!("--{option}");
            let mut rest = words.clone();
            if let Some(at) = rest.iter().position(|word| **word == flag) {
                rest.drain(at..at + 2);
            }
            for value in values {
                let given = format!("{flag}={value}");
                let mut all = rest.clone();
                all.push(&given);
                let case: String = format!("{command} {given}").chars().take(120).collect();
                ended(place.command(&all), is_endless, &case);
            }
        }
        // And in the place of its first argument.
        let at = command.split_whitespace().count();
        if words.get(at).is_some_and(|word| !word.starts_with("--")) {
            for value in values {
                let mut all = words.clone();
                all[at] = value;
                let case: String = format!("{command} {value}").chars().take(120).collect();
                ended(place.command(&all), is_endless, &case);
            }
        }
    }
}

#[test]
fn a_limit_is_said_with_what_was_expected() {
    for (words, says) in [
        (
            &["sim", "--start", "9999-12-31T23:59:59Z"][..],
            "expected a year from 1971 to 2199, found 9999",
        ),
        (&["sim", "--start=-11y"], "expected at most ten years before now"),
        (&["demo", "--for", "2days"], "expected 1s to 1day"),
        (&["demo", "--for", "0s"], "expected 1s to 1day"),
        (
            &["cost", "--config", "x", "--price", "nan"],
            "expected dollars, a number between 0 and 1000",
        ),
        (&["cost", "--config", "x", "--gateways", "1000001"], "1000001 is not in 0..=1000000"),
        (&["chain", "--config", "x", "--width", "100000"], "expected 20 to 1000 columns"),
        (&["silence", "add", "web", "--config", "x", "--for", "91days"], "expected 1m to 90days"),
        (
            &["silence", "add", "web", "--config", "x", "--for", "1h", "--tag", "a={"],
            "expected a name or a pattern",
        ),
        (
            &["acknowledge", "{{{{{{{{{{{a}}}}}}}}}}}", "--config", "x"],
            "at most 10 {...} within each other",
        ),
        (&["sim", "--format", "json"], "--list"),
        (&["report"], "--config <FILE>"),
    ] {
        let out = output(words);
        assert_eq!(out.status.code(), Some(2), "{words:?}");
        assert!(text(&out.stderr).contains(says), "{words:?}: {}", text(&out.stderr));
    }
}

/// Variables that are set to nothing, or to nonsense.
#[test]
fn an_odd_environment_is_no_panic() {
    let place = Place::new();
    let names = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CA_BUNDLE",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_STS",
        "AWS_ENDPOINT_URL_SNS",
        "AWS_ENDPOINT_URL_CLOUDWATCH",
        "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_MAX_ATTEMPTS",
        "AWS_RETRY_MODE",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_USE_DUALSTACK_ENDPOINT",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_SDK_UA_APP_ID",
        "RUST_LOG",
        "HOME",
        "COLUMNS",
        "NO_PROXY",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "TZ",
        "LANG",
        "USER",
    ];
    let nonsense = OsString::from_vec(b"\x01%{\xff=".to_vec());
    for name in names {
        // Without an endpoint of its own it would ask the real one.
        let empty = Some(OsString::new()).filter(|_| name != "AWS_ENDPOINT_URL");
        for value in empty.into_iter().chain([nonsense.clone()]) {
            let mut command = place.command(&["cost", "--config", "CONFIG"]);
            command.env(name, &value);
            ended(command, false, &format!("cost with {name}={}", value.display()));
        }
    }
    for Help { command, .. } in all("") {
        let is_endless = ENDLESS.contains(&command.as_str());
        let mut all = place.command(&work(&command));
        // What keeps it off the network stays.
        let is_kept = |name: &str| name == "AWS_ENDPOINT_URL" || name == "HTTPS_PROXY";
        all.envs(names.iter().filter(|name| !is_kept(name)).map(|name| (name, "")));
        ended(all, is_endless, &format!("{command} with empty variables"));
        let mut none = place.command(&work(&command));
        none.env("NEARMISS_CONFIG", &nonsense).env("USER", &nonsense);
        ended(none, is_endless, &format!("{command} with odd variables of its own"));
    }
}
