//! Chains, what the rules say of them, and how it reads.

use nearmiss_core::chain::{Ink, Known, Limit, Origin, Said, Settings, Severity, Survey, Timer};
use nearmiss_core::chain::{Tries, text};
use serde_json::{Map, Value, json};

mod documents;
mod properties;

/// A chain from hops in short form: `kind key=value key=value`.
fn survey(hops: &[&str]) -> Survey {
    survey_with(hops, &[])
}

fn survey_with(hops: &[&str], known: &[Known]) -> Survey {
    let hops: Vec<Value> = hops.iter().map(|hop| table(hop)).collect();
    Survey::of(&settings(&hops).unwrap(), known, Vec::new())
}

/// A chain of these hops, as a config would say it.
fn settings(hops: &[Value]) -> serde_json::Result<Settings> {
    serde_json::from_value(json!({ "name": "shop", "hop": hops }))
}

fn table(hop: &str) -> Value {
    let mut words = hop.split(' ');
    let kind = words.next().map(|kind| ("kind".to_owned(), Value::from(kind)));
    let keys = words.map(|word| word.split_once('=').unwrap());
    let keys = keys.map(|(key, value)| {
        let number = value.parse::<u32>().map(Value::from);
        (key.to_owned(), number.unwrap_or_else(|_| Value::from(value)))
    });
    Value::Object(kind.into_iter().chain(keys).collect::<Map<_, _>>())
}

/// What is more than worth knowing: `severity rule hops`.
fn said(survey: &Survey) -> Vec<String> {
    let findings = survey.findings.iter().map(|notified| &notified.finding);
    let alarming = findings.filter(|f| f.severity > Severity::Ok);
    alarming
        .map(|f| format!("{} {} {}", f.severity.name(), f.rule.name(), f.hops.join(">")))
        .collect()
}

fn check(hops: &[&str], expected: &[&str]) {
    assert_eq!(said(&survey(hops)), expected, "{hops:?}");
}

const ENDLESS: &str = "app total_timeout=off keep_alive=100s";
const DONE: &str = "app total_timeout=20s keep_alive=100s";

#[test]
fn each_timeout_is_longer_than_those_behind_it() {
    check(&["alb", DONE], &[]);
    check(
        &["alb", "app total_timeout=90s keep_alive=100s"],
        &["broken outer_gives_up_first alb>app"],
    );
    check(
        &["alb", "app total_timeout=60s keep_alive=100s"],
        &["weak outer_gives_up_first alb>app"],
    );
    check(
        &["client total_timeout=10s", "alb", DONE],
        &["broken outer_gives_up_first client>app", "weak connects_too_long client>alb"],
    );
    check(&["curl", "alb", DONE], &[]);
    check(
        &["api_gateway_rest", "lambda total_timeout=60s"],
        &["broken outer_gives_up_first api_gateway_rest>lambda"],
    );
    check(&["api_gateway_http", "lambda total_timeout=29s"], &[]);
}

#[test]
fn a_hop_of_which_nothing_is_known_is_looked_through() {
    check(
        &["alb", "app keep_alive=100s", "postgres total_timeout=90s"],
        &["broken outer_gives_up_first alb>postgres", "unknown not_known app"],
    );
}

#[test]
fn a_backend_keeps_connections_longer_than_they_are_reused() {
    let app = |keep: &str| format!("app total_timeout=20s keep_alive={keep}");
    for (caller, keep, severity) in [
        ("alb", "5s", "broken"),
        ("alb", "60s", "broken"),
        ("alb", "61s", ""),
        ("alb", "off", ""),
        ("alb", "0s", ""),
        ("classic_elb", "60s", "broken"),
        ("cloudfront read_timeout=60s attempts=1", "5s", "weak"),
        ("cloudfront read_timeout=60s attempts=1", "6s", ""),
        ("cloudflare", "75s", "weak"),
        ("envoy total_timeout=60s", "75s", "broken"),
        ("nginx upstream_keep_alive=60s connect_timeout=5s", "5s", "weak"),
        ("nginx upstream_keep_alive=0s connect_timeout=5s", "5s", ""),
        ("api_gateway_rest", "1s", ""),
    ] {
        let kind = caller.split(' ').next().unwrap();
        let expected = format!("{severity} keep_alive_too_short {kind}>app");
        let expected: &[&str] = if severity.is_empty() { &[] } else { &[&expected] };
        check(&[caller, &app(keep)], expected);
    }
}

/// A proxy's idle timeout is also how long it waits, and Cloudflare's figure is fixed:
/// what nobody can set is only worth knowing.
#[test]
fn a_race_that_nobody_can_end_is_only_worth_knowing() {
    let app = "app total_timeout=20s keep_alive=100s";
    check(&["cloudflare", "alb", app], &[]);
    let survey = survey(&["cloudflare", "alb", app]);
    let race =
        survey.findings.iter().find(|notified| notified.finding.hops == ["cloudflare", "alb"]);
    assert!(race.unwrap().finding.text.contains("closes a connection that was idle for 60 s"));
    check(&["envoy total_timeout=60s", "alb", app], &["broken keep_alive_too_short envoy>alb"]);
}

#[test]
fn a_load_balancer_of_bytes_is_looked_through() {
    check(
        &["cloudflare", "nlb", "nginx keep_alive=1000s upstream_keep_alive=0s", DONE],
        &["weak keep_alive_too_short cloudflare>nlb"],
    );
    let edge = "nginx upstream_keep_alive=0s connect_timeout=5s";
    check(
        &["envoy total_timeout=200s upstream_keep_alive=80s", "nlb", edge, DONE],
        &["broken keep_alive_too_short envoy>nginx"],
    );
    check(
        &[
            "alb",
            "nlb",
            "nginx upstream_keep_alive=0s connect_timeout=5s read_timeout=400s",
            ENDLESS,
        ],
        &[
            "broken outer_gives_up_first alb>nginx",
            "broken outer_gives_up_first nlb>nginx",
            "weak endless alb>app",
        ],
    );
}

#[test]
fn work_without_an_end_is_named() {
    check(
        &["alb", "uvicorn keep_alive=65s", "postgres"],
        &["weak endless alb>uvicorn", "weak endless alb>postgres"],
    );
    check(&["alb", "uvicorn keep_alive=65s", "postgres total_timeout=30s"], &[]);
    check(&["curl", "go_net_http", "postgres"], &[]);
}

/// Whoever ends a request first answers: everybody outside of it gets the answer in time.
#[test]
fn a_hop_is_compared_with_what_ends_first_behind_it() {
    let app = "keep_alive=off";
    check(
        &[
            "client total_timeout=30s",
            "alb",
            "envoy total_timeout=15s",
            &format!("go_net_http {app}"),
            "postgres total_timeout=5s",
        ],
        &[],
    );
    check(&["alb", "nginx read_timeout=90s upstream_keep_alive=0s connect_timeout=5s", DONE], &[]);
    check(
        &[
            "client total_timeout=30s",
            "alb",
            "nginx read_timeout=20s upstream_keep_alive=0s connect_timeout=5s",
            ENDLESS,
        ],
        &["weak endless nginx>app"],
    );
    check(
        &[
            "client total_timeout=15s",
            "alb",
            "nginx read_timeout=20s upstream_keep_alive=0s connect_timeout=5s",
            ENDLESS,
        ],
        &["broken outer_gives_up_first client>nginx", "weak endless client>app"],
    );
    // Connecting is not ended by what cannot be reached; the least outside counts.
    check(
        &[
            "client total_timeout=30s",
            "alb",
            "nginx read_timeout=25s upstream_keep_alive=0s connect_timeout=40s",
            DONE,
        ],
        &["weak connects_too_long client>nginx"],
    );
}

/// A request may run many statements.
#[test]
fn what_bounds_a_statement_does_not_bound_a_request() {
    check(
        &[
            "client total_timeout=30s",
            "alb",
            "app total_timeout=off keep_alive=off",
            "postgres total_timeout=5s",
        ],
        &["broken outer_gives_up_first client>alb"],
    );
    check(
        &["alb", "app total_timeout=off keep_alive=off", "postgres total_timeout=90s"],
        &["broken outer_gives_up_first alb>postgres"],
    );
    let survey =
        survey(&["alb", "app total_timeout=off keep_alive=off", "postgres total_timeout=5s"]);
    assert_eq!(said(&survey), [""; 0]);
    let texts: Vec<_> =
        survey.findings.iter().map(|notified| notified.finding.text.as_str()).collect();
    assert!(texts.iter().any(|text| text.starts_with("No statement outlives 5 s (config) at postgres; a request that runs several may last longer")), "{texts:#?}");
    assert!(!texts.iter().any(|text| text.starts_with("No request outlives")), "{texts:#?}");
}

#[test]
fn attempts_add_up() {
    check(
        &["client total_timeout=60s", "cloudfront", ENDLESS],
        &["weak retries_multiply client>cloudfront", "weak endless cloudfront>app"],
    );
    check(&["client total_timeout=60s", "cloudfront", DONE], &[]);
    check(&["client total_timeout=100s", "cloudfront", ENDLESS], &["weak endless cloudfront>app"]);
    check(
        &["client total_timeout=25s", "cloudfront read_timeout=21s total_timeout=24s", DONE],
        &["weak connects_too_long client>cloudfront"],
    );
    let tries = "nginx attempts=2 upstream_keep_alive=0s connect_timeout=5s read_timeout=25s";
    check(
        &["cloudfront", tries, ENDLESS],
        &[
            "weak retries_multiply cloudfront>nginx",
            "weak retries_multiply cloudfront>nginx",
            "weak endless nginx>app",
        ],
    );
    check(
        &["alb", "haproxy read_timeout=30s keep_alive=65s upstream_keep_alive=0s", DONE],
        &["weak connects_too_long alb>haproxy"],
    );
}

/// A worker that is killed closes the connection, and whoever tries again does.
#[test]
fn a_closed_connection_is_tried_again() {
    let nginx = "nginx attempts=3 upstream_keep_alive=0s connect_timeout=5s read_timeout=60s";
    check(&["alb", nginx, "gunicorn", "redis"], &["weak retries_multiply alb>nginx>gunicorn"]);
    let survey = survey(&["alb", nginx, "gunicorn", "redis"]);
    let notified = survey
        .findings
        .iter()
        .find(|notified| notified.finding.severity == Severity::Weak)
        .unwrap();
    assert!(
        notified
            .finding
            .text
            .contains("nginx tries for 3 x 30 s = 90 s, each of which gunicorn ends"),
        "{}",
        notified.finding.text
    );
    check(&["alb", nginx, DONE], &[]);
}

/// The window in which attempts begin bounds them too.
#[test]
fn attempts_end_with_their_window() {
    let window = |seconds| Known {
        hop: 1,
        said: Said::Attempts(Tries { within: Limit::seconds(seconds), ..Tries::of(3) }),
        origin: Origin::File { path: "nginx.conf".into(), line: 1 },
    };
    let hops = ["alb", "nginx upstream_keep_alive=0s connect_timeout=5s read_timeout=25s", ENDLESS];
    for (seconds, weak) in [(10, false), (25, false), (26, false), (51, true)] {
        let survey = survey_with(&hops, &[window(seconds)]);
        let late = said(&survey).iter().any(|said| said.contains("retries_multiply alb>nginx"));
        assert_eq!(late, weak, "{seconds}: {:?}", said(&survey));
    }
}

#[test]
fn what_a_product_does_not_take_is_refused() {
    check(&["cloudfront read_timeout=150s", DONE], &["weak out_of_bounds cloudfront"]);
    check(&["cloudfront connect_timeout=30s", DONE], &["broken out_of_bounds cloudfront"]);
    check(&["cloudfront attempts=5", DONE], &["broken out_of_bounds cloudfront"]);
    check(
        &["alb read_timeout=5000s", "app total_timeout=20s keep_alive=off"],
        &["broken out_of_bounds alb"],
    );
    check(&["alb connect_timeout=5s", DONE], &["broken out_of_bounds alb"]);
    check(&["api_gateway_rest total_timeout=60s", DONE], &["weak out_of_bounds api_gateway_rest"]);
    check(
        &["api_gateway_http total_timeout=31s", DONE],
        &["broken out_of_bounds api_gateway_http"],
    );
    check(
        &["alb", "lambda total_timeout=901s"],
        &["broken out_of_bounds lambda", "unknown outer_gives_up_first alb>lambda"],
    );
}

#[test]
fn what_is_not_known_is_asked_for() {
    check(&["alb", "app"], &["unknown not_known alb>app", "unknown not_known app"]);
    check(
        &["alb", "nginx read_timeout=30s connect_timeout=5s", "node"],
        &["weak endless nginx>node", "unknown not_known nginx>node"],
    );
    let survey = survey(&["alb", "nginx read_timeout=30s connect_timeout=5s", "node"]);
    let advice = &survey
        .findings
        .iter()
        .find(|t| t.finding.severity == Severity::Unknown)
        .unwrap()
        .finding
        .advice;
    assert!(advice[0].text.contains("--nginx nginx=PATH"), "{advice:?}");
    let doubt = nearmiss_core::chain::Doubt::Version {
        before: Limit::seconds(0),
        since: Limit::seconds(60),
        version: nearmiss_core::chain::Version([1, 29, 7]),
    };
    let read = Known {
        hop: 1,
        said: Said::Doubt(Timer::UpstreamKeepAlive, doubt),
        origin: Origin::Config,
    };
    let survey =
        survey_with(&["alb", "nginx read_timeout=30s connect_timeout=5s", "node"], &[read]);
    let unknown =
        &survey.findings.iter().find(|t| t.finding.severity == Severity::Unknown).unwrap().finding;
    assert!(unknown.text.contains("(none before version 1.29.7, 60 s since)"), "{}", unknown.text);
    assert!(
        unknown.advice[0].text.contains("or version of nginx")
            && !unknown.advice[0].text.contains("--nginx"),
        "{unknown:?}"
    );
}

#[test]
fn the_config_goes_before_aws_and_aws_before_the_default() {
    let idle = |seconds| Known {
        hop: 0,
        said: Said::Timer(Timer::Read, Limit::seconds(seconds)),
        origin: Origin::Aws { call: "elasticloadbalancing:DescribeLoadBalancerAttributes".into() },
    };
    let app = "app total_timeout=70s keep_alive=200s";
    assert_eq!(said(&survey_with(&["alb", app], &[idle(120)])), [""; 0]);
    assert_eq!(said(&survey_with(&["alb read_timeout=120s", app], &[idle(120)])), [""; 0]);
    assert_eq!(
        said(&survey_with(&["alb read_timeout=120s", app], &[idle(30)])),
        ["weak config_differs alb"]
    );
    assert_eq!(
        said(&survey_with(&["alb", app], &[idle(65), idle(120)])),
        ["broken outer_gives_up_first alb>app"]
    );
}

#[test]
fn what_aws_says_it_has_taken() {
    let raised = Known {
        hop: 0,
        said: Said::Timer(Timer::Total, Limit::seconds(60)),
        origin: Origin::Aws { call: "apigateway:GetIntegration".into() },
    };
    assert_eq!(said(&survey_with(&["api_gateway_rest", DONE], &[raised])), [""; 0]);
}

#[test]
fn attempts_of_the_config_go_first_as_well() {
    let tries =
        |count| Known { hop: 0, said: Said::Attempts(Tries::of(count)), origin: Origin::Config };
    let count = |hop: &str, known: &[Known]| {
        survey_with(&[hop, DONE], known).chain.hops[0].attempts.as_ref().map(|a| a.count)
    };
    assert_eq!(count("cloudfront", &[]), Some(3));
    assert_eq!(count("cloudfront", &[tries(2)]), Some(2));
    assert_eq!(count("cloudfront attempts=1", &[tries(2)]), Some(1));
    assert_eq!(count("alb", &[]), None);
}

fn classic() -> Survey {
    survey(&["client total_timeout=100s", "alb", "nginx read_timeout=90s", "gunicorn", "postgres"])
}

#[test]
fn a_usual_chain_reads_well() {
    insta::assert_snapshot!(text(&classic(), 100, Ink::Plain));
}

#[test]
fn a_chain_of_services_reads_well() {
    let survey =
        survey(&["browser", "cloudfront", "api_gateway_rest", "lambda total_timeout=60s", "mysql"]);
    insta::assert_snapshot!(text(&survey, 80, Ink::Plain));
}

#[test]
fn a_chain_from_outside_reads_well() {
    let survey = survey(&["cloudflare", "nlb", "nginx name=edge", "express name=api", "redis"]);
    insta::assert_snapshot!(text(&survey, 100, Ink::Plain));
}

#[test]
fn a_chain_of_defaults_reads_well() {
    let survey =
        survey(&["client total_timeout=50s", "alb", "nginx upstream_keep_alive=0s", "app"]);
    insta::assert_snapshot!(text(&survey, 100, Ink::Plain));
}

#[test]
fn a_chain_in_order_says_so() {
    let survey = survey(&["alb", "kestrel total_timeout=50s", "postgres total_timeout=40s"]);
    assert_eq!(survey.severity, Severity::Ok);
    insta::assert_snapshot!(text(&survey, 100, Ink::Plain));
}

#[test]
fn programs_get_the_same() {
    let json = serde_json::to_string_pretty(&survey(&["alb", "node", "redis"])).unwrap();
    insta::assert_snapshot!(json);
}

#[test]
fn colours_change_no_words() {
    let colourful = text(&classic(), 100, Ink::Ansi);
    let plain = ["31", "33", "36", "0"]
        .iter()
        .fold(colourful.clone(), |text, code| text.replace(&format!("\u{1b}[{code}m"), ""));
    assert_ne!(plain, colourful);
    assert_eq!(plain, text(&classic(), 100, Ink::Plain));
}

#[test]
fn lines_are_as_short_as_asked_for() {
    for width in [60, 80, 120] {
        for line in text(&classic(), width, Ink::Plain).lines() {
            let copied = line.starts_with(&" ".repeat(14)) || line.contains("https://");
            assert!(line.chars().count() <= width || copied, "{width}: {line}");
        }
    }
}
