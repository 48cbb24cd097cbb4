//! Wrong configs: one message each, with the place and what was expected.

use std::path::Path;

use nearmiss::config::Config;

const GATEWAY: &str = "[[gateway]]\nload_balancer = \"web\"\n";

fn message(text: &str) -> String {
    match Config::parse(text, Path::new("nearmiss.toml")) {
        Ok(_) => format!("NO ERROR for:\n{text}"),
        Err(error) => error.to_string(),
    }
}

fn after(text: &str) -> String {
    format!("{GATEWAY}{text}")
}

/// The gateways themselves.
fn of_gateways() -> Vec<String> {
    vec![
        String::new(),
        "gateway = []\n".to_owned(),
        "[[gateway]]\n".to_owned(),
        "[[gateway]]\nload_balancer = 5\n".to_owned(),
        "[[gateway]]\nload_balancer = \"\"\n".to_owned(),
        "[[gateway]]\nload_balancer = \"web-[\"\n".to_owned(),
        "[[gateway]]\nload_balancer = \"net/web/50dc6c495c0c9188\"\n".to_owned(),
        "[[gateway]]\nload_balancer = \"arn:aws:s3:::bucket\"\n".to_owned(),
        "[[gateway]]\nload_balancer = \"arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/web/50dc6c495c0c9188\"\nregion = \"us-east-1\"\n".to_owned(),
        after("kind = \"nlb\"\n"),
        after("near = 8\n"),
        after("near = \"0.8\"\n"),
        after("timeout = 60\n"),
        after("timeout = \"60\"\n"),
        after("timeout = \"never\"\n"),
        after("external_id = \"x\"\n"),
        after("role_arn = \"arn:aws:iam::1:user/x\"\n"),
        after("treshold = 0.8\n"),
    ]
}

/// How often is polled, and who is notified.
fn of_polls_and_routes() -> Vec<String> {
    vec![
        after("[poll]\nschedule = \"* * * * *\"\n"),
        after("[poll]\nschedule = \"0 61 * * * *\"\n"),
        after("[poll]\ndelay = \"3m\"\nsettle = \"2m\"\n"),
        after("[poll]\nsettle = \"2h\"\n"),
        after("[poll]\ncalm_every = \"90s\"\n"),
        after("[quota]\nrequests_per_second = 0\n"),
        after("near = 0.999\n"),
        after("timeout = \"10ms\"\n"),
        after("[sink.sns]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:.fifo\"\n"),
        after("[[route]]\ngateway = \"web-*\"\n"),
        after(
            "[[route]]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:a\"\ngateway = \"web-[\"\n",
        ),
        after(
            "[[route]]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:a\"\nrules = [\"slow\"]\n",
        ),
        after(
            "[[route]]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:a\"\n[sink.sns]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:a\"\nattributes = true\n",
        ),
    ]
}

/// Schedules, detectors and sinks.
fn of_other_tables() -> Vec<String> {
    vec![
        after("[[maintenance]]\nschedule = \"0 0 2 30 2 *\"\nduration = \"2h\"\n"),
        after(
            "[[maintenance]]\nschedule = \"0 0 2 * * SUN\"\nduration = \"2h\"\ntimezone = \"Mars\"\n",
        ),
        after("[[maintenance]]\nschedule = \"0 0 2 * * SUN\"\nduration = \"30days\"\n"),
        after("[digest]\nschedule = \"every Monday\"\n"),
        after("[watcher]\nrole_arn = \"arn:aws:iam::111122223333:role/a\"\n"),
        after("[alert]\nrepeat_interval = \"sometimes\"\n"),
        after("[http]\nlisten = \"9504\"\n"),
        after("[detector.drift]\nhorizon = \"1s\"\n"),
        after("[detector.burn_rate]\nobjective = 1.0\n"),
        after("[detector.saturation]\nworkers_per_target = 0\n"),
        after("[detector.near_miss]\nshare = 0.01\n"),
        after("histogram = true\nnear = 0.75\n"),
        after("monitored_account = \"1\"\n"),
        after("[detector.blackout]\nmin_requests = 0\n"),
        after("[detector.p99]\n"),
        after("[sink.sns]\n"),
        after("[sink.sns]\ntopic_arn = \"nearmiss\"\n"),
        after("[sink.slack]\nurl = \"x\"\n"),
        after("[state]\npath = \"a\"\npath = \"b\"\n"),
        after("[state\n"),
    ]
}

/// Tables in place of lists, patterns, tags and bounds.
fn of_forms() -> Vec<String> {
    vec![
        "[gateway]\nload_balancer = \"web\"\n".to_owned(),
        after("[route]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:a\"\n"),
        after("[maintenance]\nschedule = \"0 0 2 * * SUN\"\nduration = \"2h\"\n"),
        after("[[poll]]\ndelay = \"1m\"\n"),
        after("[[chain]]\nname = \"a\"\n[chain.hop]\nkind = \"alb\"\n"),
        "gateway = \"web\"\n".to_owned(),
        "[[gateway]]\nload_balancer = \"app/web-*/*\"\n".to_owned(),
        "[[gateway]]\nload_balancer = \"web\"\nregion = \"eu central 1\"\n".to_owned(),
        "[[gateway]]\ntags = { team = [\"web\"] }\n".to_owned(),
        "[[gateway]]\ntags = { team = \"web-[\" }\n".to_owned(),
        after("exclude = \"web-*\"\n"),
        after("exclude = [\"\"]\n"),
        after("exclude = [5]\n"),
        after("exclude = [\"a\", { tag = \"web-[\" }]\n"),
        after("exclude = [{}]\n"),
        after("exclude = [{ tags = { team = \"web-[\" } }]\n"),
        "[[gateway]]\nload_balancer = \"app/web/50dc6c495c0c9188\"\nexclude = [\"web\"]\n"
            .to_owned(),
        after("[metrics]\ntag_labels = \"team\"\n"),
        after("[metrics]\ntag_labels = [\"cost-center\", \"cost_center\"]\n"),
        after("[metrics]\ndrop = [\"nearmiss_detector_valu\"]\n"),
        after("[poll]\nschedule = \"0 * * * * * 2020\"\n"),
        after("[poll]\ndeadline = \"1ms\"\n"),
        after("[digest]\nschedule = \"0 * * * * *\"\n"),
        after("[watcher]\nalive_schedule = \"* * * * * *\"\n"),
        after("[alert]\nresolve_after = \"1ns\"\n"),
        after("[quota]\nrequests_per_second = 4294967295\n"),
        after("[state]\npath = \"\"\n"),
        after(&format!("[[route]]\ntopic_arn = \"{}\"\n", "x".repeat(5_000))),
        after(&format!("{}near = 8\n", " ".repeat(5_000))),
    ]
}

#[test]
fn every_error_says_where_and_what() {
    let cases = [of_gateways(), of_polls_and_routes(), of_other_tables(), of_forms()].concat();
    let messages: Vec<String> = cases.iter().map(|text| message(text)).collect();
    insta::assert_snapshot!(messages.join("\n\n"));
}

#[test]
fn no_file_is_said_with_its_name() {
    let error = Config::load(Path::new("no/such/nearmiss.toml")).unwrap_err();
    assert_eq!(error.to_string(), "cannot read the config file no/such/nearmiss.toml");
}

/// A file that is not text has its place as well.
#[test]
fn bytes_that_are_no_text_are_said_with_their_place() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("nearmiss.toml");
    std::fs::write(&path, b"[[gateway]]\nload_balancer = \"w\xe9b\"\n").unwrap();
    let error = Config::load(&path).unwrap_err().to_string();
    assert!(error.contains("nearmiss.toml:2:19: expected UTF-8, found the byte 0xe9"), "{error}");
}

#[test]
fn what_is_no_config_file_ends_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let error = |path: &Path| nearmiss::edge::aws::chain(&Config::load(path).unwrap_err());
    assert!(error(Path::new("/dev/zero")).ends_with("it is larger than 1 MiB"));
    assert!(error(directory.path()).contains("Is a directory"));
    let fifo = directory.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let again = nearmiss::edge::aws::chain(&Config::load_again(&fifo).unwrap_err());
    assert!(again.contains("it is no regular file"), "{again}");
}

/// The example, with everything uncommented that it only shows.
fn everything() -> String {
    let example = std::fs::read_to_string("config.example.toml").unwrap();
    let shown = |line: &str| {
        let rest = line.strip_prefix("# ").unwrap_or_default();
        let is_key = rest
            .split_once(" = ")
            .is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
        let is_shown = is_key || (rest.starts_with('[') && rest.ends_with(']'));
        if is_shown { rest.to_owned() } else { line.to_owned() }
    };
    example.lines().map(shown).collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn everything_that_the_example_shows_is_valid() {
    let config = Config::parse(&everything(), Path::new("example"));
    let config = config.unwrap_or_else(|error| panic!("{error}"));
    assert!(!config.chains.is_empty() && !config.routes.is_empty());
    assert!(!config.maintenance.is_empty() && config.watcher.target.is_some());
}

/// Each key with a value of each type that TOML has: the error has its line, its column,
/// and what was expected.
#[test]
fn every_key_with_a_value_of_every_kind() {
    let whole = everything();
    let lines: Vec<&str> = whole.lines().collect();
    let is_key = |line: &&str| {
        let key = line.split_once(" = ").map(|(key, _)| key);
        key.is_some_and(|key| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
    };
    let kinds = [
        "5",
        "-1.5",
        "true",
        "\"x y\"",
        "\"\"",
        "[]",
        "[[1]]",
        "{}",
        "{ a = 1 }",
        "1979-05-27",
        "1979-05-27T07:32:00Z",
        "nan",
        "-inf",
        "9223372036854775807",
    ];
    let mut tried = 0;
    for (number, line) in (1..).zip(&lines).filter(|(_, line)| is_key(line)) {
        let key = line.split_once(" = ").unwrap().0;
        let mut wrong = 0;
        for kind in kinds {
            let changed = format!("{key} = {kind}");
            let mut text = lines.clone();
            text[number - 1] = &changed;
            let Err(error) = Config::parse(&text.join("\n"), Path::new("x")) else { continue };
            let error = error.to_string();
            let value = changed.find(kind).unwrap() + 1;
            let mut place = error.strip_prefix("x:").unwrap().split(':').map(str::parse::<usize>);
            let (line, column) = (place.next().unwrap().unwrap(), place.next().unwrap().unwrap());
            let is_there = line == number && (value..value + kind.len()).contains(&column);
            // An error that depends on other keys is reported for the table.
            let is_of_table = ["\"x y\"", "\"\"", "5", "true", "9223372036854775807"]
                .contains(&kind)
                && !error.contains("invalid type");
            assert!(is_there || is_of_table, "{changed}\n{error}");
            assert!(error.contains("expected"), "{changed}\n{error}");
            wrong += 1;
        }
        assert!(wrong >= 8, "{key}: {wrong} kinds are wrong");
        tried += 1;
    }
    assert!(tried > 60, "{tried}");
}

/// Texts that break parsers.
#[test]
fn no_config_panics() {
    let deep = |open: &str, close: &str, depth: usize| {
        format!("x = {}1{}\n", open.repeat(depth), close.repeat(depth))
    };
    let many = 20_000;
    let mut texts = vec![
        deep("[", "]", many),
        deep("{ a = ", " }", many),
        format!("{}a = 1\n", "a.".repeat(many)),
        format!("[{}a]\n", "a.".repeat(many)),
        "[[gateway.gateway]]\n".repeat(many),
        format!("x = \"{}\"\n", "\\u0041".repeat(many)),
        "\u{feff}".to_owned(),
        "\0".to_owned(),
        "\"".repeat(many),
    ];
    let nested = format!("{}a{}", "{".repeat(300), "}".repeat(300));
    for pattern in
        [nested, "?".repeat(200_000), "[".repeat(300), "\\\\".repeat(3_000), "{a,".repeat(2_000)]
    {
        let patterns = [
            format!("[[gateway]]\nload_balancer = \"{pattern}\"\n"),
            format!("[[gateway]]\ntags = {{ a = \"{pattern}\" }}\n"),
            format!("{GATEWAY}exclude = [\"{pattern}\"]\n"),
            format!("{GATEWAY}exclude = [{{ tags = {{ a = \"{pattern}\" }} }}]\n"),
            format!(
                "{GATEWAY}[[maintenance]]\nschedule = \"0 0 2 * * *\"\nduration = \"1h\"\ngateway = \"{pattern}\"\n"
            ),
            format!(
                "{GATEWAY}[[route]]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:a\"\ngateway = \"{pattern}\"\n"
            ),
        ];
        texts.extend(patterns);
    }
    for value in
        ["584942417355y", "99999999999999999999d", "0s", "-1s", "1e9s", "400days 1ns", "1ns"]
    {
        for key in [
            "[poll]\ndelay",
            "[poll]\ndeadline",
            "[discovery]\nrefresh",
            "[alert]\nresolve_after",
            "[alert]\nrepeat_interval",
            "[diagnosis]\ndeadline",
            "[watcher]\nafter",
            "timeout",
        ] {
            texts.push(format!("{GATEWAY}{key} = \"{value}\"\n"));
        }
    }
    for text in texts {
        if let Err(error) = Config::parse(&text, Path::new("x")) {
            let error = error.to_string();
            assert!(error.starts_with("x:") && error.len() < 3_000, "{error}");
        }
    }
}
