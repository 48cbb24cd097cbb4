//! How the program reads its environment.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::mpsc;

use nearmiss::edge::aws::known_variables;

use crate::program::{PROGRAM, config, program, sim, text};

const GATEWAY: &str = "[[gateway]]\nload_balancer = \"checkout\"\n[state]\npath = \"state.json\"\n";

fn check(path: &str, directory: &Path, set: impl Fn(&mut Command)) -> Output {
    let mut command = program();
    set(&mut command);
    command.current_dir(directory).args(["check", "--config", path]).output().unwrap()
}

/// A proxy that refuses everything, and the first lines of the requests to it.
fn refusing() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, asked) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut lines =
                BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let first = lines.next().unwrap_or_default();
            lines.find(String::is_empty);
            let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
            if tell.send(first).is_err() {
                return;
            }
        }
    });
    (url, asked)
}

#[test]
fn a_variable_that_is_set_but_empty_is_not_set() {
    let (_sim, address) = sim(&["--start", "-10m"]);
    let directory = tempfile::tempdir().unwrap();
    let path = config(directory.path(), GATEWAY);
    let out = check(&path, directory.path(), |command| {
        let needed = [
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_DEFAULT_REGION",
            "AWS_ENDPOINT_URL",
        ];
        let others = known_variables().filter(|name| !needed.contains(name));
        command.envs(others.map(|name| (name, "")));
        command.env("AWS_DEFAULT_REGION", "eu-central-1").env("AWS_ENDPOINT_URL_CLOUDWATCH", "");
        command.env("AWS_ENDPOINT_URL", format!("http://{address}"));
    });
    let said = format!("{}{}", text(&out.stdout), text(&out.stderr));
    assert_eq!(out.status.code(), Some(0), "{said}");
    assert!(!said.contains("WARN") && !said.contains("panicked"), "{said}");
}

#[test]
fn an_empty_endpoint_is_no_endpoint() {
    let (proxy, asked) = refusing();
    let directory = tempfile::tempdir().unwrap();
    let path = config(directory.path(), GATEWAY);
    let out = check(&path, directory.path(), |command| {
        command.env("AWS_ENDPOINT_URL", "").env("HTTPS_PROXY", &proxy);
    });
    assert_eq!(out.status.code(), Some(1), "{}", text(&out.stderr));
    let first = asked.recv().unwrap();
    assert_eq!(first, "CONNECT sts.eu-central-1.amazonaws.com:443 HTTP/1.1");
}

#[test]
fn check_asks_where_the_gateways_are() {
    for (region, host) in [
        ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
        ("ap-southeast-4", "sts.ap-southeast-4.amazonaws.com"),
    ] {
        let (proxy, asked) = refusing();
        let directory = tempfile::tempdir().unwrap();
        let path = config(
            directory.path(),
            &format!("{GATEWAY}[[gateway]]\nload_balancer = \"a\"\nregion = \"{region}\"\n"),
        );
        check(&path, directory.path(), |command| {
            command.env("https_proxy", &proxy).env_remove("AWS_REGION");
        });
        assert_eq!(asked.recv().unwrap(), format!("CONNECT {host}:443 HTTP/1.1"));
        let all: Vec<String> = asked.try_iter().collect();
        assert!(!all.iter().any(|line| line.contains("us-east-1")), "{all:?}");
    }
}

#[test]
fn nonsense_in_a_variable_is_one_message_and_exit_code_2() {
    let directory = tempfile::tempdir().unwrap();
    let path = config(directory.path(), GATEWAY);
    for (name, value) in [
        ("AWS_ENDPOINT_URL", "garbage"),
        ("AWS_ENDPOINT_URL_STS", "localhost:4566"),
        ("AWS_REGION", "eu central"),
        ("AWS_PROFILE", "no-such"),
        ("AWS_RETRY_MODE", "often"),
        ("AWS_MAX_ATTEMPTS", "many"),
        ("AWS_USE_FIPS_ENDPOINT", "perhaps"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "here"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv5"),
        ("AWS_SESSION_TOKEN", "a\nb"),
        ("AWS_CA_BUNDLE", "/no/such/file.pem"),
        ("HTTPS_PROXY", "socks5://127.0.0.1:1"),
        ("https_proxy", "http://me:s3cret@a@b:1"),
    ] {
        let out = check(&path, directory.path(), |command| {
            command.env(name, value);
        });
        let said = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{name}: {said}");
        assert!(said.contains(name) && !said.contains("panicked"), "{name}: {said}");
        assert!(!said.contains("s3cret") && !said.contains("a\nb"), "{name}: {said}");
    }
}

#[test]
fn an_empty_endpoint_keeps_no_version_from_being_said() {
    let out =
        Command::new(PROGRAM).env_clear().env("AWS_ENDPOINT_URL", "").arg("--version").output();
    assert!(out.unwrap().status.success());
}

#[test]
fn a_profile_with_nonsense_is_told_and_one_with_nothing_is_no_setting() {
    const OF_STS: &str = "services = s\n[services s]\nsts =\n";
    let (proxy, _asked) = refusing();
    let directory = tempfile::tempdir().unwrap();
    let path = config(
        directory.path(),
        "[[gateway]]\nload_balancer = \"checkout\"\nregion = \"eu-central-1\"\n",
    );
    let file = directory.path().join("config");
    let nowhere = format!("{OF_STS}  endpoint_url = nowhere\n");
    let empty = format!("{OF_STS}  endpoint_url =\n");
    for (profile, code, says) in [
        (nowhere.as_str(), 2, "endpoint_url of STS"),
        ("endpoint_url = nowhere\n", 2, "endpoint_url of CloudWatch"),
        ("region = eu central\n", 2, "region in the AWS config file: expected a Region"),
        (empty.as_str(), 1, "refused the way to sts.eu-central-1.amazonaws.com"),
    ] {
        std::fs::write(&file, format!("[default]\n{profile}")).unwrap();
        let out = check(&path, directory.path(), |command| {
            command.env("AWS_CONFIG_FILE", &file).env("HTTPS_PROXY", &proxy);
            command.env_remove("AWS_REGION");
        });
        let said = format!("{}{}", text(&out.stdout), text(&out.stderr));
        assert_eq!(out.status.code(), Some(code), "{profile}: {said}");
        assert!(said.contains(says), "{profile}: {said}");
    }
}

#[test]
fn a_ca_bundle_that_cannot_be_used_is_told_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty.pem");
    std::fs::write(&empty, "no certificate").unwrap();
    let tables = |file: &Path| format!("[aws]\nca_bundle = \"{}\"\n{GATEWAY}", file.display());
    for (file, says) in
        [(Path::new("/no/such.pem"), "No such file"), (&empty, "has no certificate")]
    {
        let path = config(directory.path(), &tables(file));
        for arguments in [&["run"][..], &["check"], &["check", "--offline"]] {
            let out = program().args(arguments).args(["--config", &path]).output().unwrap();
            let said = format!("{}{}", text(&out.stdout), text(&out.stderr));
            let code = if arguments.len() == 2 { 1 } else { 2 };
            assert_eq!(out.status.code(), Some(code), "{arguments:?}: {said}");
            assert!(said.contains(says) && said.contains(&file.display().to_string()), "{said}");
        }
    }
    let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls/ca.pem");
    let path = config(directory.path(), &tables(&good));
    let out = program().args(["check", "--offline", "--config", &path]).output().unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stdout));
    assert!(text(&out.stdout).contains("ok      ca_bundle"), "{}", text(&out.stdout));
}
