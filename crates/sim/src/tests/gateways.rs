//! Claims about gateways that are no Application Load Balancers, and about target groups.
//!
//! What `GetMetricData` answers is compared with what is counted here from the requests
//! themselves.

// Counts are whole numbers, and what is published is what was counted.
#![allow(clippy::float_cmp)]

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::library::find;
use crate::server::answer::answer;
use crate::traffic::minute::Minute;
use crate::traffic::request::{Outcome, Request};
use crate::wire::message::Incoming;
use crate::{Setup, Sim, scenarios};

const START: i64 = 1_795_219_200;
const MINUTE_0: i64 = START / 60;
const REGION: &str = "eu-central-1";
/// Microseconds.
const SECOND: u64 = 1_000_000;

fn sim(scenario: &str, faults: &str) -> Sim {
    seeded(scenario, 3, faults)
}

fn seeded(scenario: &str, seed: u64, faults: &str) -> Sim {
    let faults = faults.parse().expect("valid");
    Sim::new(Setup { faults, ..Setup::of(scenario, seed) }).expect("valid")
}

/// A request of an AWS client, signed for a service in a region.
fn request(service: &str, region: &str, method: &str, target: &str) -> Incoming {
    let scope = format!("AWS4-HMAC-SHA256 Credential=A/20261121/{region}/{service}/aws4_request");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Incoming {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: BTreeMap::from([("authorization".to_owned(), scope)]),
        body: Vec::new(),
    }
}

/// Status and body of an answer.
fn send(sim: &Sim, request: &Incoming) -> (u16, String) {
    let outgoing = answer(&sim.state, request);
    (outgoing.status, String::from_utf8_lossy(&outgoing.body).into_owned())
}

/// A `GET` of a REST service, as JSON.
fn get(sim: &Sim, service: &str, target: &str) -> (u16, Json) {
    let (status, body) = send(sim, &request(service, REGION, "GET", target));
    (status, serde_json::from_str(&body).unwrap_or(Json::Null))
}

/// What is asked of `CloudWatch`: namespace, metric, dimensions.
#[derive(Clone, Copy)]
struct Asked<'a>(&'a str, &'a str, &'a [(&'a str, &'a str)]);

/// The whole answer to a query for statistics of each of the script's minutes in a window.
fn points(
    sim: &Sim,
    region: &str,
    asked: Asked,
    statistics: &[&str],
    window: Range<i64>,
) -> (u16, Json) {
    let dimensions: Vec<Json> =
        asked.2.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect();
    let query = |(at, how): (usize, &&str)| {
        json!({"Id": format!("m{at}"), "MetricStat": {"Period": 60, "Stat": how, "Metric": {
            "Namespace": asked.0, "MetricName": asked.1, "Dimensions": dimensions}}})
    };
    let body = json!({
        "MetricDataQueries": statistics.iter().enumerate().map(query).collect::<Vec<_>>(),
        "StartTime": START + window.start * 60, "EndTime": START + window.end * 60,
        "ScanBy": "TimestampAscending",
    });
    let mut request = request("monitoring", region, "POST", "/");
    let target = "GraniteServiceVersion20100801.GetMetricData".to_owned();
    request.headers.insert("x-amz-target".to_owned(), target);
    request.body = body.to_string().into_bytes();
    let (status, body) = send(sim, &request);
    (status, serde_json::from_str(&body).expect("JSON"))
}

/// One statistic by minute of the script.
fn stat(sim: &Sim, asked: Asked, how: &str, window: Range<i64>) -> BTreeMap<i64, f64> {
    let (status, body) = points(sim, REGION, asked, &[how], window);
    assert_eq!(status, 200, "{body}");
    let result = &body["MetricDataResults"][0];
    let list = |name: &str| result[name].as_array().cloned().unwrap_or_default();
    let minute = |time: &Json| time.as_i64().unwrap_or(0) / 60 - MINUTE_0;
    let values = list("Values").into_iter().map(|value| value.as_f64().unwrap_or(f64::NAN));
    list("Timestamps").iter().map(minute).zip(values).collect()
}

/// A sum over a window.
fn sum(sim: &Sim, asked: Asked, window: Range<i64>) -> f64 {
    stat(sim, asked, "Sum", window).values().sum()
}

/// The requests of a part of a gateway that belong to a minute of the script.
fn minute(sim: &Sim, gateway: usize, part: usize, minute: i64) -> Arc<Minute> {
    let one = &sim.state.world().gateways[gateway];
    sim.state.services.minutes.of(&one.sources[part], MINUTE_0 + minute)
}

/// The same as a list.
fn requests(sim: &Sim, gateway: usize, part: usize, at: Range<i64>) -> Vec<Request> {
    let minutes = at.flat_map(|at| {
        let minute = minute(sim, gateway, part, at);
        minute.requests().map(|one| one.0).collect::<Vec<_>>()
    });
    minutes.collect()
}

fn counted(all: &[Request], fits: impl Fn(Request) -> bool) -> f64 {
    all.iter().filter(|one| fits(**one)).count() as f64
}

fn is_timeout(one: Request) -> bool {
    one.outcome == Outcome::TimedOut
}

/// The first minute of the script in which a gateway's requests time out.
fn first_timeout(sim: &Sim, gateway: &str) -> i64 {
    let all = sim.approaches();
    let first = all.iter().filter(|one| one.gateway == gateway).find_map(|one| one.first_timeout);
    first.expect("times out") - MINUTE_0
}

#[test]
fn the_metrics_of_forty_target_groups_add_up_to_those_of_their_load_balancer() {
    let sim = sim("ingress", "");
    let one = &sim.state.world().balancers[0];
    let whole = [("LoadBalancer", one.dimension.as_str())];
    let space = "AWS/ApplicationELB";
    for (metric, how) in [
        ("RequestCount", "Sum"),
        ("TargetResponseTime", "SampleCount"),
        ("TargetResponseTime", "Sum"),
        ("TargetResponseTime", "TC(48:60)"),
        ("HTTPCode_Target_2XX_Count", "Sum"),
        ("HTTPCode_Target_5XX_Count", "Sum"),
    ] {
        let all = stat(&sim, Asked(space, metric, &whole), how, 150..153);
        let mut parts: BTreeMap<i64, f64> = BTreeMap::new();
        for group in &one.groups {
            let place =
                [("LoadBalancer", one.dimension.as_str()), ("TargetGroup", &group.dimension)];
            for (at, value) in stat(&sim, Asked(space, metric, &place), how, 150..153) {
                *parts.entry(at).or_default() += value;
            }
        }
        assert!(all.len() == 3 && all.values().any(|value| *value > 0.0), "{metric} {how}");
        for (at, value) in all {
            assert!((value - parts.get(&at).unwrap_or(&0.0)).abs() < 1e-6, "{metric} {how} {at}");
        }
    }
}

#[test]
fn one_target_group_of_an_ingress_dies_slowly_and_the_others_know_nothing_of_it() {
    for seed in 1..=3 {
        let sim = seeded("ingress", seed, "");
        let all = sim.approaches();
        assert_eq!(all.len(), 40);
        let sick: Vec<_> = all.iter().filter(|one| one.cause.is_some()).collect();
        let [sick] = sick[..] else { panic!("{sick:?}") };
        assert!(sick.part.starts_with("k8s-reportin-reportex-"), "{}", sick.part);
        let near = sick.first_near_miss.expect("near") - MINUTE_0;
        let over = sick.first_timeout.expect("over") - MINUTE_0;
        assert!((75..150).contains(&near) && over >= near + 10, "{seed}: {near} {over}");
        let requests: u64 = all.iter().map(|one| one.requests).sum();
        let share = sick.requests as f64 / requests as f64;
        assert!((0.004..0.006).contains(&share), "{seed}: {share}");
        let story = &sim.story()[0];
        assert_eq!(story.first_504, sick.first_timeout);
        let healthy = seeded("ingress_healthy", seed, "").approaches();
        assert!(healthy.iter().all(|one| one.timeouts + one.near_misses == 0));
    }
}

#[test]
fn target_groups_of_the_controller_keep_eight_letters_of_a_service() {
    let sim = sim("ingress", "");
    let one = &sim.state.world().balancers[0];
    let mut names: Vec<&str> = one.groups.iter().map(|group| group.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 40);
    let checkout = names.iter().filter(|name| name.starts_with("k8s-shop-checkout-")).count();
    assert_eq!(checkout, 3, "only tags tell them apart");
    for group in &one.groups {
        assert!(group.name.len() <= 32 && group.name.split('-').count() == 4, "{}", group.name);
        for key in ["elbv2.k8s.aws/cluster", "service.k8s.aws/stack", "ingress.k8s.aws/resource"] {
            assert!(group.tags.iter().any(|tag| tag.0 == key), "{key}");
        }
    }
}

#[test]
fn an_invocation_that_times_out_leaves_a_sample_of_exactly_the_timeout() {
    let sim = sim("lambda_hang", "trimmed=AWS/Lambda");
    let at = first_timeout(&sim, "partner-sync") + 5;
    let name = [("FunctionName", "partner-sync")];
    let ask = |metric, how: &str| {
        stat(&sim, Asked("AWS/Lambda", metric, &name), how, at..at + 1).get(&at).copied()
    };
    let invoked = requests(&sim, 0, 0, at..at + 1).len() as f64;
    assert!(invoked > 100.0);
    assert_eq!(ask("Duration", "SampleCount"), Some(invoked));
    assert_eq!((ask("Duration", "Minimum"), ask("Duration", "Maximum")), (Some(15e3), Some(15e3)));
    assert_eq!(ask("Duration", "TC(12000:14999)"), Some(0.0));
    assert_eq!(ask("Duration", "TC(14999:)"), Some(invoked));
    assert_eq!((ask("Errors", "Sum"), ask("Invocations", "Sum")), (Some(invoked), Some(invoked)));
    let resource = [("FunctionName", "partner-sync"), ("Resource", "partner-sync")];
    let same = stat(&sim, Asked("AWS/Lambda", "Duration", &resource), "Sum", at..at + 1);
    assert_eq!(same.get(&at).copied(), ask("Duration", "Sum"));
    let everything = stat(&sim, Asked("AWS/Lambda", "Invocations", &[]), "Sum", at..at + 1);
    let other = requests(&sim, 1, 0, at..at + 1).len() as f64;
    assert_eq!(everything.get(&at), Some(&(invoked + other)));
}

#[test]
fn a_point_of_a_function_grows_until_its_last_invocation_is_over() {
    let at = 200;
    let name = [("FunctionName", "video-encode")];
    let asked = Asked("AWS/Lambda", "Duration", &name);
    let whole = sim("lambda_long", "");
    let all: Vec<(u64, u64)> =
        minute(&whole, 0, 0, at).ends().map(|(one, _, end)| (end, u64::from(one.took))).collect();
    assert!(all.iter().any(|(_, took)| *took == 900 * SECOND), "some time out");
    let mut seen = Vec::new();
    for after in [59, 60 + 30, 300, 600, 930, 960 + 30] {
        let now = START + at * 60 + after;
        let sim = sim("lambda_long", "publish=30");
        sim.tell_now(now);
        let found = stat(&sim, asked, "SampleCount", at..at + 1).get(&at).copied();
        let known = all.iter().filter(|(end, _)| *end + 30 * SECOND <= after as u64 * SECOND);
        let known = known.count() as f64;
        let expected = (after >= 90 && known > 0.0).then_some(known);
        assert_eq!(found, expected, "{after} s after the minute began");
        seen.push(found.unwrap_or(0.0));
    }
    assert!(seen.is_sorted() && seen[1] < seen[5], "{seen:?}");
    assert_eq!(seen[5], all.len() as f64);
}

#[test]
fn an_event_that_is_never_handled_in_time_is_three_timeouts_at_their_distances() {
    let sim = sim("lambda_async", "");
    let first = first_timeout(&sim, "mail-events");
    let begun = |at: i64| -> Vec<u64> {
        let minute = minute(&sim, 0, 0, at);
        let late = minute.ends().filter(|(one, ..)| is_timeout(*one));
        late.map(|(_, start, _)| at as u64 * 60 * SECOND + u64::from(start)).collect()
    };
    let all: Vec<u64> = (first..first + 40).flat_map(begun).collect();
    // Each try that is not the last one is followed by another a minute and two minutes
    // after its end.
    let (mut once, mut twice) = (0, 0);
    for start in &all {
        let end = start + 30 * SECOND;
        once += usize::from(all.contains(&(end + 60 * SECOND)));
        twice += usize::from(all.contains(&(end + 120 * SECOND)));
    }
    let events = all.len() as f64 / 3.0;
    assert!(once as f64 > 0.85 * events && (once as f64) < 1.1 * events, "{once} of {events}");
    assert!(twice as f64 > 0.85 * events && (twice as f64) < 1.1 * events, "{twice} of {events}");
}

#[test]
fn no_more_invocations_are_under_way_than_may_be_and_the_rest_is_throttled() {
    let sim = sim("lambda_throttled", "");
    let name = [("FunctionName", "checkout-hook")];
    let spans: Vec<(u64, u64)> = (100..200)
        .flat_map(|at| {
            let begin = at as u64 * 60 * SECOND;
            let minute = minute(&sim, 0, 0, at);
            let invoked = minute.ends().filter(|(one, ..)| one.outcome != Outcome::Rejected);
            invoked
                .map(|(_, start, end)| (begin + u64::from(start), begin + end))
                .collect::<Vec<_>>()
        })
        .collect();
    let most = spans
        .iter()
        .map(|(at, _)| spans.iter().filter(|(start, end)| start <= at && at < end).count())
        .max();
    assert_eq!(most, Some(25));
    let told = stat(&sim, Asked("AWS/Lambda", "ConcurrentExecutions", &name), "Maximum", 105..200);
    assert_eq!(told.values().copied().fold(0.0, f64::max), 25.0);
    let throttled = |window: Range<i64>| sum(&sim, Asked("AWS/Lambda", "Throttles", &name), window);
    let turned = requests(&sim, 0, 0, 0..240);
    let turned = counted(&turned, |one| one.outcome == Outcome::Rejected);
    assert!(throttled(0..95) == 0.0 && throttled(0..240) == turned && turned > 1_000.0, "{turned}");
}

#[test]
fn a_deleted_function_is_gone_from_the_list_and_its_past_stays() {
    let names = |minute: i64| -> Vec<String> {
        let sim = sim("lambda_deleted", "");
        sim.tell_now(START + minute * 60);
        let (status, body) = get(&sim, "lambda", "/2015-03-31/functions/");
        assert_eq!(status, 200);
        let list = body["Functions"].as_array().cloned().unwrap_or_default();
        list.iter().map(|one| one["FunctionName"].as_str().unwrap_or("").to_owned()).collect()
    };
    assert_eq!(names(119), ["thumbnails-old", "thumbnails"]);
    assert_eq!(names(120), ["thumbnails"]);
    let name = [("FunctionName", "thumbnails-old")];
    let asked = Asked("AWS/Lambda", "Invocations", &name);
    let points = stat(&sim("lambda_deleted", ""), asked, "Sum", 110..130);
    assert_eq!(points.keys().copied().collect::<Vec<_>>(), (110..120).collect::<Vec<_>>());
}

#[test]
fn two_thousand_functions_come_in_pages_of_fifty() {
    let sim = sim("lambda_fleet", "functions=2000");
    let (mut names, mut marker) = (Vec::new(), String::new());
    loop {
        let target = format!("/2015-03-31/functions?MaxItems=1000{marker}");
        let (status, body) = get(&sim, "lambda", &target);
        assert_eq!(status, 200, "{body}");
        let page = body["Functions"].as_array().cloned().unwrap_or_default();
        assert!(page.len() == 50 && page.iter().all(|one| one.get("Tags").is_none()));
        names.extend(page.iter().filter_map(|one| one["FunctionName"].as_str().map(str::to_owned)));
        match body["NextMarker"].as_str() {
            Some(next) => marker = format!("&Marker={next}"),
            None => break,
        }
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 2_000);
    assert_eq!(get(&sim, "lambda", "/2015-03-31/functions?Marker=x").0, 400);
    let refused =
        Setup { faults: "functions=5".parse().expect("valid"), ..Setup::of("healthy", 1) };
    assert!(Sim::new(refused).is_err());
}

#[test]
fn trimmed_statistics_are_refused_where_aws_documents_none() {
    let duration = Asked("AWS/Lambda", "Duration", &[("FunctionName", "thumbnails")]);
    for how in ["TC(1:2)", "PR(:1)", "tm99", "IQM"] {
        let (status, body) = points(&sim("lambda_healthy", ""), REGION, duration, &[how], 0..5);
        assert_eq!(status, 400, "{how}");
        let message = body["message"].as_str().unwrap_or("");
        assert!(message.contains(how) && message.contains("is not a valid statistic"), "{message}");
        let chosen = sim("lambda_healthy", "trimmed=AWS/Lambda");
        assert_eq!(points(&chosen, REGION, duration, &[how], 0..5).0, 200);
    }
    let all = ["p99", "p99.9", "Maximum", "SampleCount"];
    assert_eq!(points(&sim("lambda_healthy", ""), REGION, duration, &all, 0..5).0, 200);
    let latency = Asked("AWS/ApiGateway", "Latency", &[("ApiName", "orders-api")]);
    assert_eq!(points(&sim("rest_healthy", ""), REGION, latency, &["TC(1:2)"], 0..5).0, 200);
}

#[test]
fn a_rest_api_records_timeouts_a_few_milliseconds_above_the_timeout() {
    let name = [("ApiName", "partners"), ("Stage", "prod")];
    let plain = sim("rest_hang", "");
    let at = first_timeout(&plain, "partners") + 5;
    let ask = |sim: &Sim, metric, how: &str| {
        stat(sim, Asked("AWS/ApiGateway", metric, &name), how, at..at + 1).get(&at).copied()
    };
    let all = requests(&plain, 0, 0, at..at + 1);
    let count = all.len() as f64;
    assert!(counted(&all, is_timeout) == count && count > 100.0);
    assert_eq!(ask(&plain, "Latency", "SampleCount"), Some(count));
    assert_eq!(ask(&plain, "Latency", "TC(29001:29012)"), Some(count));
    assert_eq!(ask(&plain, "IntegrationLatency", "SampleCount"), None);
    assert_eq!(ask(&plain, "Count", "SampleCount"), Some(count));
    assert_eq!(ask(&plain, "5XXError", "Sum"), Some(count));
    assert_eq!(ask(&plain, "5XXError", "Average"), Some(1.0));
    let sampled = sim("rest_hang", "sampled=integration");
    assert_eq!(ask(&sampled, "IntegrationLatency", "SampleCount"), Some(count));
    assert_eq!(ask(&sampled, "IntegrationLatency", "Maximum"), Some(29e3));
}

#[test]
fn an_api_publishes_its_methods_if_asked_to_and_mocks_have_no_integration() {
    let sim = sim("rest_timeouts", "");
    let one = [("ApiName", "storefront-api"), ("Stage", "prod")];
    let method = [
        ("ApiName", "storefront-api"),
        ("Stage", "prod"),
        ("Method", "OPTIONS"),
        ("Resource", "/orders"),
    ];
    let ask =
        |metric, place: &[(&str, &str)]| sum(&sim, Asked("AWS/ApiGateway", metric, place), 60..70);
    let parts: usize = (0..5).map(|part| requests(&sim, 0, part, 60..70).len()).sum();
    assert_eq!(ask("Count", &one), parts as f64);
    assert_eq!(ask("Count", &method), requests(&sim, 0, 4, 60..70).len() as f64);
    assert_eq!(ask("IntegrationLatency", &method), 0.0);
    let plain = self::sim("rest_healthy", "");
    let place =
        [("ApiName", "orders-api"), ("Stage", "prod"), ("Method", "GET"), ("Resource", "/orders")];
    assert_eq!(sum(&plain, Asked("AWS/ApiGateway", "Count", &place), 60..70), 0.0);
}

#[test]
fn an_authorizer_is_in_the_latency_alone() {
    let sim = sim("rest_authorizer", "");
    let name = [("ApiName", "members")];
    let above = |metric| -> f64 {
        let asked = Asked("AWS/ApiGateway", metric, &name);
        stat(&sim, asked, "TC(29012:)", 0..240).values().sum()
    };
    assert!(above("Latency") > 5.0 && above("IntegrationLatency") == 0.0);
    assert!(requests(&sim, 0, 0, 0..240).into_iter().all(|one| !is_timeout(one)));
}

#[test]
fn metrics_keep_what_is_ascii_of_a_name() {
    let sim = sim("rest_names", "");
    let id = sim.state.world().gateways[1].id.clone();
    for (at, name) in ["bestellungen-fr-kunden", &id].into_iter().enumerate() {
        let count = sum(&sim, Asked("AWS/ApiGateway", "Count", &[("ApiName", name)]), 9..10);
        assert_eq!(count, requests(&sim, at, 0, 9..10).len() as f64);
    }
}

#[test]
fn namesakes_share_one_series() {
    let sim = sim("rest_namesakes", "");
    let ids: Vec<&str> = sim.state.world().gateways.iter().map(|one| one.id.as_str()).collect();
    assert_ne!(ids[0], ids[1]);
    let both: usize = (0..2).map(|at| requests(&sim, at, 0, 50..55).len()).sum();
    let name = [("ApiName", "public"), ("Stage", "prod")];
    assert_eq!(sum(&sim, Asked("AWS/ApiGateway", "Count", &name), 50..55), both as f64);
}

#[test]
fn an_api_gives_up_on_a_function_that_goes_on() {
    let sim = sim("rest_lambda", "");
    let slow = |gateway: usize| {
        let all = requests(&sim, gateway, 0, 0..238);
        counted(&all, |one| u64::from(one.took) >= 29 * SECOND)
    };
    let (api, function) = (slow(0), slow(1));
    assert!(function > 100.0 && (api - function).abs() <= 12.0, "{api} {function}");
    let failed =
        sum(&sim, Asked("AWS/ApiGateway", "5XXError", &[("ApiName", "documents")]), 0..238);
    let errors = [("FunctionName", "documents-render")];
    let errors = sum(&sim, Asked("AWS/Lambda", "Errors", &errors), 0..238);
    assert!(failed >= api && errors < 0.2 * failed, "{failed} {errors}");
}

#[test]
fn a_function_that_stops_first_is_a_502_that_took_its_own_timeout() {
    let sim = sim("rest_lambda_first", "");
    let at = first_timeout(&sim, "invoices") + 20;
    let name = [("ApiName", "invoices")];
    let ask = |metric, how: &str| {
        stat(&sim, Asked("AWS/ApiGateway", metric, &name), how, 0..238)
            .values()
            .copied()
            .fold(0.0, f64::max)
    };
    assert!(at < 238);
    assert_eq!(ask("IntegrationLatency", "Maximum"), 10e3);
    assert!((10_002.0..=10_012.0).contains(&ask("Latency", "Maximum")));
    let place = [("FunctionName", "invoices-create")];
    let errors = sum(&sim, Asked("AWS/Lambda", "Errors", &place), 0..236);
    let failed = sum(&sim, Asked("AWS/ApiGateway", "5XXError", &name), 0..237);
    assert!(errors > 100.0 && (failed - errors).abs() <= 10.0, "{failed} {errors}");
}

#[test]
fn starts_of_a_function_are_seen_by_its_api_alone() {
    let sim = sim("rest_cold_starts", "trimmed=AWS/Lambda");
    let ask = |space, metric, place: &[(&str, &str)], how: &str| -> f64 {
        stat(&sim, Asked(space, metric, place), how, 0..60).values().sum()
    };
    let api =
        ask("AWS/ApiGateway", "IntegrationLatency", &[("ApiName", "profiles")], "TC(6000:29000)");
    let function =
        ask("AWS/Lambda", "Duration", &[("FunctionName", "profiles-read")], "TC(6000:29000)");
    let invoked = ask("AWS/Lambda", "Invocations", &[("FunctionName", "profiles-read")], "Sum");
    assert!((0.04..0.06).contains(&(api / invoked)) && function < 0.01 * api, "{api} {function}");
}

#[test]
fn an_http_api_is_known_by_its_id_and_hides_timeouts_unless_told_otherwise() {
    let plain = sim("http_hang", "");
    let at = first_timeout(&plain, "webhooks") + 5;
    let id = plain.state.world().gateways[0].id.clone();
    let place = [("ApiId", id.as_str()), ("Stage", "$default")];
    let ask = |sim: &Sim, metric, how: &str| {
        stat(sim, Asked("AWS/ApiGateway", metric, &place), how, at..at + 1).get(&at).copied()
    };
    let count = requests(&plain, 0, 0, at..at + 1).len() as f64;
    assert_eq!(
        (ask(&plain, "5xx", "Sum"), ask(&plain, "Count", "Sum")),
        (Some(count), Some(count))
    );
    assert_eq!(
        (ask(&plain, "Latency", "Sum"), ask(&plain, "IntegrationLatency", "Sum")),
        (None, None)
    );
    let sampled = sim("http_hang", "sampled=http_api");
    assert_eq!(ask(&sampled, "Latency", "TC(30001:30012)"), Some(count));
}

#[test]
fn a_websocket_api_is_listed_among_the_others_and_has_no_latency_of_its_own() {
    let sim = sim("http_websocket", "");
    let (_, apis) = get(&sim, "apigateway", "/v2/apis");
    let kinds: Vec<&str> = apis["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["protocolType"].as_str())
        .collect();
    assert_eq!(kinds, ["WEBSOCKET", "HTTP"]);
    let id = sim.state.world().gateways[0].id.clone();
    let place = [("ApiId", id.as_str())];
    let count = |metric| stat(&sim, Asked("AWS/ApiGateway", metric, &place), "SampleCount", 5..6);
    assert!(count("Latency").is_empty() && count("Count").is_empty());
    assert_eq!(count("MessageCount").get(&5), Some(&(requests(&sim, 0, 0, 5..6).len() as f64)));
}

#[test]
fn the_timeout_of_a_function_may_change() {
    let sim = sim("lambda_hang", "timeout=thumbnails:100:1");
    let shown = |minute: i64| {
        sim.tell_now(START + minute * 60);
        let target = "/2015-03-31/functions/thumbnails/configuration";
        get(&sim, "lambda", target).1["Timeout"].as_i64()
    };
    assert_eq!((shown(99), shown(100)), (Some(30), Some(1)));
    let name = [("FunctionName", "thumbnails")];
    let longest = |at: i64| {
        let asked = Asked("AWS/Lambda", "Duration", &name);
        stat(&sim, asked, "Maximum", at..at + 5).values().copied().fold(0.0, f64::max)
    };
    assert!(longest(90) > 1_000.0 && longest(100) == 1_000.0);
}

#[test]
fn get_resources_tells_of_the_draft_and_the_export_of_what_was_deployed() {
    let sim = sim("rest_draft", "");
    let (_, apis) = get(&sim, "apigateway", "/restapis");
    let id = apis["item"][0]["id"].as_str().expect("an API").to_owned();
    let (_, resources) =
        get(&sim, "apigateway", &format!("/restapis/{id}/resources?embed=methods"));
    let draft = &resources["item"][1]["resourceMethods"]["GET"]["methodIntegration"];
    assert_eq!(
        (draft["timeoutInMillis"].as_i64(), draft["type"].as_str()),
        (Some(5_000), Some("HTTP_PROXY"))
    );
    let export = format!("/restapis/{id}/stages/prod/exports/oas30");
    let (_, plain) = get(&sim, "apigateway", &export);
    let (_, full) = get(&sim, "apigateway", &format!("{export}?extensions=integrations"));
    let integration = |export: &Json| {
        export["paths"]["/invoices"]["get"].get("x-amazon-apigateway-integration").cloned()
    };
    assert_eq!(integration(&plain), None);
    let deployed = integration(&full).expect("asked for");
    assert!(deployed.get("timeoutInMillis").is_none(), "the default is not written down");
    let (status, _) = get(&sim, "apigateway", &format!("/restapis/{id}/stages/test/exports/oas30"));
    assert_eq!(status, 404);
}

#[test]
fn resources_come_in_pages_of_twenty_five() {
    let sim = sim("rest_large", "");
    let id = sim.state.world().gateways[0].id.clone();
    let (mut paths, mut position) = (Vec::new(), String::new());
    loop {
        let target = format!("/restapis/{id}/resources?embed=methods{position}");
        let (status, body) = get(&sim, "apigateway", &target);
        assert_eq!(status, 200, "{body}");
        let page = body["item"].as_array().cloned().unwrap_or_default();
        paths.extend(page.iter().filter_map(|one| one["path"].as_str().map(str::to_owned)));
        match body["position"].as_str() {
            Some(next) => position = format!("&position={next}"),
            None => break,
        }
    }
    let mut once = paths.clone();
    once.dedup();
    assert_eq!((paths.len(), once.len()), (32, 32), "thirty-one and the root");
    let (status, _) = get(&sim, "apigateway", &format!("/restapis/{id}/resources?limit=501"));
    assert_eq!(status, 400);
}

#[test]
fn get_resources_may_be_called_five_times_in_two_seconds() {
    let sim = sim("rest_healthy", "");
    sim.tell_now(START);
    // Nothing is signed with a time here, so that AWS's own counts.
    let id = sim.state.world().gateways[0].id.clone();
    let mut codes = (0..6).map(|_| get(&sim, "apigateway", &format!("/restapis/{id}/resources")).0);
    assert!(codes.by_ref().take(5).all(|code| code == 200));
    assert_eq!(codes.next(), Some(429));
    assert_eq!(get(&sim, "apigateway", &format!("/restapis/{id}/stages")).0, 200);
    sim.tell_now(START + 2);
    assert_eq!(get(&sim, "apigateway", &format!("/restapis/{id}/resources")).0, 200);
}

#[test]
fn a_distribution_tries_again_and_publishes_in_one_region() {
    let sim = sim("cloudfront_slow_burn", "");
    let id = sim.state.world().gateways[0].id.clone();
    let place = [("DistributionId", id.as_str()), ("Region", "Global")];
    let at = first_timeout(&sim, "www");
    let window = at..238;
    let ask = |region: &str, metric, how: &str| -> Vec<f64> {
        let asked = Asked("AWS/CloudFront", metric, &place);
        let (_, body) = points(&sim, region, asked, &[how], window.clone());
        let values = body["MetricDataResults"][0]["Values"].as_array().cloned().unwrap_or_default();
        values.iter().filter_map(Json::as_f64).collect()
    };
    assert!(ask(REGION, "Requests", "Sum").is_empty());
    let total = |metric, how: &str| ask("us-east-1", metric, how).iter().sum::<f64>();
    let origin: usize = (0..2).map(|part| requests(&sim, 0, part, window.clone()).len()).sum();
    assert_eq!(total("Requests", "Sum"), 4.0 * origin as f64);
    // Each 504 is a hundred among zeros, and given once more from the cache.
    let gone = total("504ErrorRate", "Sum") / 100.0 / 2.0;
    let tried = counted(&requests(&sim, 0, 0, window.clone()), is_timeout);
    // A tenth is not tried again, and of the rest a quarter is lost thrice.
    assert!((0.2..0.45).contains(&(gone / tried)), "{gone} of {tried}");
    assert!(ask("us-east-1", "OriginLatency", "p100").iter().any(|value| *value > 30e3));
    assert!(ask("us-east-1", "OriginLatency", "SampleCount").is_empty());
    let free = self::sim("cloudfront_unmonitored", "");
    let id = free.state.world().gateways[0].id.clone();
    let place = [("DistributionId", id.as_str()), ("Region", "Global")];
    let asked = |metric| {
        points(&free, "us-east-1", Asked("AWS/CloudFront", metric, &place), &["p50"], 0..5)
    };
    assert!(asked("OriginLatency").1["MetricDataResults"][0]["Values"] == json!([]));
    assert!(asked("Requests").1["MetricDataResults"][0]["Values"] != json!([]));
}

#[test]
fn a_classic_load_balancer_is_censored_and_behind_tcp_it_knows_no_requests() {
    let sim = sim("classic_slow_burn", "");
    let place = [("LoadBalancerName", "legacy-web")];
    let ask = |sim: &Sim, metric, place: &[(&str, &str)], how: &str| -> f64 {
        stat(sim, Asked("AWS/ELB", metric, place), how, 0..240).values().sum()
    };
    let all = requests(&sim, 0, 0, 0..240);
    let late = counted(&all, is_timeout);
    assert!(late > 100.0);
    assert_eq!(ask(&sim, "HTTPCode_ELB_5XX", &place, "Sum"), late);
    assert_eq!(ask(&sim, "Latency", &place, "SampleCount"), all.len() as f64 - late);
    assert_eq!(ask(&sim, "Latency", &place, "TC(60:)"), 0.0);
    let zones = ["a", "b", "c"].map(|zone| {
        let zone = format!("{REGION}{zone}");
        ask(&sim, "RequestCount", &[("AvailabilityZone", &zone), place[0]], "Sum")
    });
    assert_eq!(zones.iter().sum::<f64>(), all.len() as f64);
    let tcp = self::sim("classic_tcp", "");
    let place = [("LoadBalancerName", "legacy-tcp")];
    assert!(
        stat(&tcp, Asked("AWS/ELB", "Latency", &place), "Maximum", 200..240)
            .values()
            .all(|max| *max < 0.01)
    );
    assert_eq!(ask(&tcp, "HTTPCode_ELB_5XX", &place, "Sum"), 0.0);
    let both = self::sim("classic_mixed", "");
    let place = [("LoadBalancerName", "legacy-mixed")];
    let (codes, all) =
        (ask(&both, "HTTPCode_ELB_5XX", &place, "Sum"), requests(&both, 0, 0, 0..240));
    let late = counted(&all, is_timeout);
    assert!(0.0 < codes && codes < late);
    assert!(ask(&both, "Latency", &place, "TC(:0.002)") > 0.4 * all.len() as f64);
}

#[test]
fn lattice_goes_on_with_zeros_and_counts_its_timeouts() {
    let sparse = sim("lattice_sparse", "");
    let id = sparse.state.world().gateways[0].id.clone();
    let place = [("Service", id.as_str())];
    let time =
        |sim: &Sim| stat(sim, Asked("AWS/VpcLattice", "RequestTime", &place), "Maximum", 0..100);
    let quiet = (0..100).filter(|at| requests(&sparse, 0, 0, *at..at + 1).is_empty()).count();
    let zeros = |points: &BTreeMap<i64, f64>| points.values().filter(|max| **max == 0.0).count();
    assert!(quiet > 20 && time(&sparse).len() == 100 && zeros(&time(&sparse)) == quiet);
    let silent = sim("lattice_sparse", "lattice_idle=nothing");
    assert_eq!((time(&silent).len(), zeros(&time(&silent))), (100 - quiet, 0));
    let named = sim("lattice_sparse", "lattice_dimension=name");
    let name = [("Service", "archive")];
    assert!(sum(&named, Asked("AWS/VpcLattice", "TotalRequestCount", &name), 0..100) > 0.0);
    let burn = sim("lattice_slow_burn", "");
    let id = burn.state.world().gateways[0].id.clone();
    let place = [("Service", id.as_str())];
    let late = counted(&requests(&burn, 0, 0, 0..240), is_timeout);
    assert!(late > 100.0);
    assert_eq!(sum(&burn, Asked("AWS/VpcLattice", "RequestTimeoutCount", &place), 0..240), late);
}

#[test]
fn a_timeout_nobody_wrote_down_is_in_force_and_not_shown() {
    for (scenario, shown) in
        [("connect_slow_burn", Some(15)), ("connect_default", None), ("connect_off", Some(0))]
    {
        let sim = sim(scenario, "");
        let mut request = request("ecs", REGION, "POST", "/");
        let target = "AmazonEC2ContainerServiceV20141113.DescribeServices".to_owned();
        request.headers.insert("x-amz-target".to_owned(), target);
        request.body = json!({"cluster": "prod", "services": ["ledger"]}).to_string().into_bytes();
        let body: Json = serde_json::from_str(&send(&sim, &request).1).expect("JSON");
        let connect = &body["services"][0]["deployments"][0]["serviceConnectConfiguration"];
        let timeout = &connect["services"][0]["timeout"]["perRequestTimeoutSeconds"];
        assert_eq!(timeout.as_i64(), shown);
        let place = [("TargetDiscoveryName", "ledger")];
        let all = requests(&sim, 0, 0, 0..240);
        let failed = counted(&all, |one| one.outcome != Outcome::Answered);
        assert_eq!(
            sum(&sim, Asked("AWS/ECS", "HTTPCode_Target_5XX_Count", &place), 0..240),
            failed
        );
        let longest = stat(&sim, Asked("AWS/ECS", "TargetResponseTime", &place), "Maximum", 0..240);
        let longest = longest.values().copied().fold(0.0, f64::max);
        assert_eq!(longest <= 15e3, shown != Some(0), "{longest}");
    }
}

#[test]
fn statistic_sets_have_no_percentiles_and_otherwise_the_same_numbers() {
    let (raw, sets) = (sim("custom_slow_burn", ""), sim("custom_sets", ""));
    let place = [("Environment", "prod"), ("Service", "checkout")];
    let asked = Asked("Shop/Checkout", "ResponseTime", &place);
    let all = requests(&raw, 0, 0, 100..101);
    let samples = counted(&all, |one| !is_timeout(one));
    for how in ["SampleCount", "Sum", "Average", "Minimum", "Maximum"] {
        let (raw, sets) = (stat(&raw, asked, how, 100..101), stat(&sets, asked, how, 100..101));
        assert!(raw == sets && raw.len() == 1, "{how}");
        assert!(how != "SampleCount" || raw[&100] == samples);
    }
    for how in ["p50", "TC(1:2)", "PR(:1)", "tm90"] {
        assert_eq!(stat(&raw, asked, how, 100..101).len(), 1, "{how}");
        assert!(stat(&sets, asked, how, 100..101).is_empty(), "{how}");
    }
    let wrong = Asked("Shop/Checkout", "ResponseTime", &[("Service", "checkout")]);
    assert!(stat(&raw, wrong, "Sum", 100..101).is_empty());
    let other = sim("custom_slow_burn", "custom=My/App|Took|Seconds|raw|Env=x");
    let took = stat(&other, Asked("My/App", "Took", &[("Env", "x")]), "Sum", 100..101);
    let milliseconds = stat(&raw, asked, "Sum", 100..101);
    assert!((took[&100] * 1_000.0 - milliseconds[&100]).abs() < 1e-3);
}

#[test]
fn every_gateway_that_is_to_suffer_does_and_no_other() {
    let of_gateways = |one: &&crate::Scenario| !one.gateways.is_empty();
    let few = scenarios().iter().filter(of_gateways).filter(|one| one.name != "lambda_fleet");
    for (scenario, seed) in few.flat_map(|one| (1..=3).map(move |seed| (one, seed))) {
        let all = seeded(scenario.name, seed, "").approaches();
        for one in all.iter().filter(|one| one.kind != "target_group") {
            let what = (scenario.name, seed, &one.gateway, &one.part);
            let harm = (one.near_misses, one.timeouts);
            match one.cause {
                None => assert_eq!(harm, (0, 0), "{what:?}"),
                Some("concurrency") => assert_eq!(one.timeouts, 0, "{what:?}"),
                Some("slow_endpoint") => {
                    let near = one.first_near_miss.expect("near misses");
                    let over = one.first_timeout.unwrap_or(i64::MAX);
                    let sparse = one.requests < 20_000;
                    assert!(near + 10 < over && (harm.0 > 50 || sparse), "{what:?}: {one:?}");
                }
                Some(_) => assert!(harm.0 == 0 && harm.1 > 50, "{what:?}"),
            }
        }
    }
    assert!(find("every_kind").is_some_and(|one| one.load_balancers == 1));
}

#[test]
fn list_metrics_lists_what_gateways_published() {
    let sim = sim("rest_lambda", "");
    let list = |namespace: &str| {
        let mut request = request("monitoring", REGION, "POST", "/");
        let target = "GraniteServiceVersion20100801.ListMetrics".to_owned();
        request.headers.insert("x-amz-target".to_owned(), target);
        request.body = json!({"Namespace": namespace}).to_string().into_bytes();
        let body: Json = serde_json::from_str(&send(&sim, &request).1).expect("JSON");
        let all = body["Metrics"].as_array().cloned().unwrap_or_default();
        all.iter()
            .map(|one| one["MetricName"].as_str().unwrap_or("").to_owned())
            .collect::<Vec<_>>()
    };
    let api = list("AWS/ApiGateway");
    for name in ["Latency", "IntegrationLatency", "Count", "5XXError", "4XXError"] {
        assert_eq!(api.iter().filter(|one| *one == name).count(), 2, "{name}: by name, with stage");
    }
    assert!(list("AWS/Lambda").contains(&"Duration".to_owned()));
    assert!(list("AWS/ELB").is_empty());
}

#[test]
fn both_versions_of_elastic_load_balancing_are_denied_together() {
    let form = |faults: &str| {
        let mut one = request("elasticloadbalancing", REGION, "POST", "/");
        one.body = b"Action=DescribeLoadBalancers&Version=2012-06-01".to_vec();
        send(&sim("classic_healthy", faults), &one)
    };
    let (status, body) = form("");
    assert!(
        status == 200 && body.contains("<LoadBalancerName>legacy-web</LoadBalancerName>"),
        "{body}"
    );
    let (status, body) = form("denied=elasticloadbalancing:DescribeLoadBalancers");
    assert!(status == 403 && body.contains("elasticloadbalancing:DescribeLoadBalancers"), "{body}");
}
