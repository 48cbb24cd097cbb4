//! The program as a person or a unit starts it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::program::{ARN, PROGRAM, Running, config, get, output, program, sim, text};

#[test]
fn a_wrong_config_is_one_message_and_exit_code_2() {
    let directory = tempfile::tempdir().unwrap();
    let path = config(directory.path(), "[[gateway]]\nload_balancer = \"web\"\nnear = 8\n");
    for command in ["run", "check", "iam-policy"] {
        let out = output(&[command, "--config", &path]);
        assert_eq!(out.status.code(), Some(2), "{command}");
        let message = text(&out.stderr);
        assert!(message.contains("nearmiss.toml:3:8: expected a ratio"), "{message}");
    }
    let out = output(&["check", "--offline", "--config", "/no/such/file"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("because: No such file"), "{}", text(&out.stderr));
}

#[test]
fn an_unknown_scenario_or_fault_is_exit_code_2() {
    for arguments in [
        &["demo", "--scenario", "no-such"][..],
        &["sim", "--scenario", "no-such"],
        &["sim", "--faults", "no-such=1"],
        &["demo", "--speed", "0"],
        &["no-such"],
    ] {
        let out = output(arguments);
        assert_eq!(out.status.code(), Some(2), "{arguments:?}: {}", text(&out.stderr));
    }
}

#[test]
fn the_least_policy_has_what_is_needed_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let path = config(
        directory.path(),
        "[[gateway]]\nload_balancer = \"web-*\"\nregion = \"eu-central-1\"\n\
         [[gateway]]\ntags = { team = \"web\" }\nregion = \"us-east-1\"\n\
         role_arn = \"arn:aws:iam::444455556666:role/nearmiss\"\n\
         [sink.sns]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:nearmiss\"\n",
    );
    let own = output(&["iam-policy", "--config", &path]);
    let role =
        ["iam-policy", "--config", &path, "--role", "arn:aws:iam::444455556666:role/nearmiss"];
    let role = output(&role);
    insta::assert_snapshot!(format!("{}\nROLE\n{}", text(&own.stdout), text(&role.stdout)));

    let explicit = format!(
        "[diagnosis]\nenabled = false\n[[gateway]]\nload_balancer = \"{ARN}\"\ntimeout = \"60s\"\n"
    );
    let path = config(directory.path(), &explicit);
    let policy = text(&output(&["iam-policy", "--config", &path]).stdout);
    assert!(!policy.contains("elasticloadbalancing") && !policy.contains("sns"), "{policy}");
}

#[test]
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
    let json: serde_json::Value =
        serde_json::from_slice(&run(&["--format", "json"]).stdout).unwrap();
    assert_eq!(json["ok"], false);
    assert_eq!(run(&["--offline"]).status.code(), Some(0));
}

#[test]
fn check_without_credentials_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = config(directory.path(), "[[gateway]]\nload_balancer = \"checkout\"\n");
    let out = Command::new(PROGRAM)
        .env_clear()
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .args(["check", "--config", &path])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stdout).contains("-> Give the process credentials"), "{}", text(&out.stdout));
}

/// The story of a demo: all that it prints after the address of its metrics.
fn story(seed: &str) -> String {
    let arguments =
        ["demo", "--scenario", "slow_burn", "--seed", seed, "--speed", "600", "--for", "9s"];
    let out = output(&arguments);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let lines = text(&out.stdout);
    lines.lines().filter(|line| !line.starts_with("metrics: ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_demo_tells_one_story_per_seed_and_ends_by_itself() {
    let [once, again] =
        [(); 2].map(|()| std::thread::spawn(|| story("7"))).map(|t| t.join().unwrap());
    // How far it gets in nine seconds depends on the machine; what it tells does not.
    let alerts = |story: &str| {
        story.lines().filter(|l| l.starts_with("  |")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(alerts(&once), alerts(&again));
    let place = |what: &str| once.find(what).unwrap_or_else(|| panic!("no {what} in {once}"));
    assert!(place("[WARNING] checkout") < place("[CRITICAL] checkout"));
    assert!(once.contains("min before it"), "{once}");
}

/// Where the daemon's log says that it listens.
fn listening(log: &mut impl BufRead) -> String {
    let mut line = String::new();
    while log.read_line(&mut line).unwrap() > 0 {
        if let Some((_, rest)) = line.split_once("address=") {
            return rest.split_whitespace().next().unwrap().to_owned();
        }
        line.clear();
    }
    panic!("the daemon ended without listening");
}

#[test]
fn kill_9_in_the_middle_of_an_episode_tells_nothing_twice() {
    // Twenty-four minutes into the scenario the warning is due at once.
    let (_sim, aws) = sim(&["--scenario", "slow_burn", "--seed", "7", "--start", "-24m"]);
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state.json");
    let path = config(
        directory.path(),
        &format!(
            "[http]\nlisten = \"127.0.0.1:0\"\n[poll]\nschedule = \"* * * * * *\"\n\
             [[gateway]]\nload_balancer = \"checkout\"\n\
             [sink.sns]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:nearmiss\"\n\
             [state]\npath = {state:?}\n"
        ),
    );
    for life in 1..=3 {
        let mut daemon = program();
        daemon.env("AWS_ENDPOINT_URL", format!("http://{aws}")).args(["run", "--config", &path]);
        let mut daemon = Running(daemon.stderr(Stdio::piped()).spawn().unwrap());
        let mut log = BufReader::new(daemon.0.stderr.take().unwrap());
        let address = listening(&mut log);
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let polls = |page: &str| {
            let line = page.lines().find(|l| l.starts_with("nearmiss_polls_total{outcome=\"ok\"}"));
            line.and_then(|l| l.rsplit(' ').next()?.parse::<u64>().ok()).unwrap_or_default()
        };
        let deadline = Duration::from_mins(1);
        let waiting = nearmiss::edge::time::Stopwatch::start();
        while polls(&get(&address, "/metrics")) < 2 {
            assert!(waiting.elapsed() < deadline, "no second poll in life {life}");
            std::thread::yield_now();
        }
        drop(daemon); // SIGKILL
        let published: serde_json::Value =
            serde_json::from_str(&get(&aws, "/_sim/published")).unwrap();
        assert_eq!(published.as_array().map(Vec::len), Some(1), "life {life}: {published:#}");
    }
}

#[test]
fn a_taken_address_and_a_newer_state_are_said_and_exit_code_1() {
    let directory = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let state = directory.path().join("state.json");
    std::fs::write(&state, "{\"version\":99,\"gateways\":{}}").unwrap();
    let file = |listen: &str| {
        let text = format!(
            "[http]\nlisten = \"{listen}\"\n[[gateway]]\nload_balancer = \"a\"\n[state]\npath = {state:?}\n"
        );
        config(directory.path(), &text)
    };
    let address = taken.local_addr().unwrap().to_string();
    let out = output(&["run", "--config", &file(&address)]);
    assert_eq!(out.status.code(), Some(1));
    assert!(
        text(&out.stderr).contains(&format!("cannot listen on {address}")),
        "{}",
        text(&out.stderr)
    );

    let out = output(&["run", "--config", &file("127.0.0.1:0")]);
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).contains("has version 99"), "{}", text(&out.stderr));
    assert!(std::fs::read_to_string(&state).unwrap().contains("99"), "the file is left alone");
}

#[test]
fn completions_and_help_come_for_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let out = output(&["completions", shell]);
        assert!(text(&out.stdout).contains("iam-policy"), "{shell}");
    }
    for command in ["run", "check", "iam-policy", "cost", "demo", "sim", "completions"] {
        assert_eq!(output(&[command, "--help"]).status.code(), Some(0), "{command}");
    }
    assert!(text(&output(&["--help"]).stdout).contains("Examples:"));
}
