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

#[test]
fn every_error_says_where_and_what() {
    let after = |text: &str| format!("{GATEWAY}{text}");
    let cases = [
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
        after("[[route]]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:a\"\ngateway = \"web-[\"\n"),
        after("[[route]]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:a\"\nrules = [\"slow\"]\n"),
        after("[[route]]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:a\"\n[sink.sns]\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:a\"\nattributes = true\n"),
        after("[[maintenance]]\nschedule = \"0 0 2 30 2 *\"\nduration = \"2h\"\n"),
        after("[[maintenance]]\nschedule = \"0 0 2 * * SUN\"\nduration = \"2h\"\ntimezone = \"Mars\"\n"),
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
    ];
    let messages: Vec<String> = cases.iter().map(|text| message(text)).collect();
    insta::assert_snapshot!(messages.join("\n\n"));
}

#[test]
fn no_file_is_said_with_its_name() {
    let error = Config::load(Path::new("no/such/nearmiss.toml")).unwrap_err();
    assert_eq!(error.to_string(), "cannot read the config file no/such/nearmiss.toml");
}
