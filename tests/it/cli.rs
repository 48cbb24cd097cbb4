//! The program as a person or a systemd unit starts it.

use std::process::Command;

use crate::program::{ARN, PROGRAM, config, output, text};

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
fn a_period_that_cannot_be_looked_at_is_said_and_exit_code_2() {
    let directory = tempfile::tempdir().unwrap();
    let path = config(directory.path(), "[[gateway]]\nload_balancer = \"checkout\"\n");
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
