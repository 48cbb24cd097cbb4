//! Claims about what a client reads that looks for the cause of a failure.
//!
//! Requests go the same way as over the wire, signed at a minute of the scenario, and what
//! is described has to agree with what is counted.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::library::scenarios;
use crate::server::answer;
use crate::wire::message::Incoming;
use crate::{Setup, Sim};

/// Monday 2026-01-05 09:00 UTC.
const START: i64 = 1_767_603_600;

fn sim(scenario: &str, seed: u64, faults: &str) -> Sim {
    let faults = faults.parse().expect("valid");
    let scenario = scenario.to_owned();
    Sim::new(Setup { scenario, seed, start: START, faults, ..Setup::default() }).expect("valid")
}

/// Minutes from the scenario's start to its fault.
fn fault(sim: &Sim) -> i64 {
    sim.story()[0].fault_start.map_or(120, |minute| minute - START / 60)
}

/// An answer: status and body.
fn send(sim: &Sim, minute: i64, service: &str, more: &[(&str, &str)], body: &str) -> (u16, String) {
    let now = chrono::DateTime::from_timestamp(START + minute * 60 + 30, 0).expect("in range");
    let scope = format!("Credential=A/20260105/eu-central-1/{service}/aws4_request");
    let mut headers = BTreeMap::from([
        ("authorization".to_owned(), format!("AWS4-HMAC-SHA256 {scope}")),
        ("x-amz-date".to_owned(), now.format("%Y%m%dT%H%M%SZ").to_string()),
    ]);
    headers.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let path = headers.remove("path").unwrap_or_else(|| "/".to_owned());
    let method = if body.is_empty() { "GET" } else { "POST" }.to_owned();
    let (path, query) = path.split_once('?').map_or((path.as_str(), ""), |parts| parts);
    let request = Incoming {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: body.as_bytes().to_vec(),
    };
    let answer = answer::answer(&sim.state, &request);
    (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
}

fn elb(sim: &Sim, minute: i64, body: &str) -> String {
    send(sim, minute, "elasticloadbalancing", &[], &format!("Version=2015-12-01&{body}")).1
}

fn ec2(sim: &Sim, minute: i64, body: &str) -> (u16, String) {
    send(sim, minute, "ec2", &[], &format!("Version=2016-11-15&{body}"))
}

fn ecs(sim: &Sim, minute: i64, operation: &str, body: &Json) -> (u16, Json) {
    let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
    let (status, text) = send(sim, minute, "ecs", &[("x-amz-target", &target)], &body.to_string());
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}")))
}

fn all<'a>(text: &'a str, tag: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    let parts = text.split(open.as_str()).skip(1).collect::<Vec<_>>();
    parts.into_iter().filter_map(|part| part.split(close.as_str()).next()).collect()
}

/// A statistic of the first target group (or the load balancer) in one minute.
fn metric(sim: &Sim, minute: i64, name: &str, stat: &str, group: bool) -> Option<f64> {
    let one = &sim.state.world().balancers[0];
    let mut dimensions = vec![json!({"Name": "LoadBalancer", "Value": one.dimension})];
    if group {
        dimensions.push(json!({"Name": "TargetGroup", "Value": one.groups[0].dimension}));
    }
    let body = json!({
        "StartTime": START + minute * 60, "EndTime": START + minute * 60 + 60,
        "MetricDataQueries": [{"Id": "q", "MetricStat": {"Period": 60, "Stat": stat, "Metric":
            {"Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": dimensions}}}],
    });
    let target = "GraniteServiceVersion20100801.GetMetricData";
    let text = send(sim, 230, "monitoring", &[("x-amz-target", target)], &body.to_string()).1;
    let answer: Json = serde_json::from_str(&text).expect("JSON");
    assert!(answer["MetricDataResults"].is_array(), "{text}");
    answer["MetricDataResults"][0]["Values"][0].as_f64()
}

fn states(sim: &Sim, minute: i64) -> Vec<String> {
    let arn = &sim.state.world().balancers[0].groups[0].arn;
    let text = elb(sim, minute, &format!("Action=DescribeTargetHealth&TargetGroupArn={arn}"));
    all(&text, "State").into_iter().map(str::to_owned).collect()
}

#[test]
fn host_counts_agree_with_the_described_health_in_every_scenario_of_a_cause() {
    for one in scenarios().iter().filter(|one| one.minutes == 240 && one.load_balancers > 0) {
        for seed in 1..=3 {
            let sim = sim(one.name, seed, "");
            let fault = fault(&sim);
            for minute in [fault - 30, fault + 1, fault + 5, fault + 11, fault + 30, fault + 80] {
                let states = states(&sim, minute);
                let count =
                    |word: &str| states.iter().filter(|state| *state == word).count() as f64;
                let found = ["HealthyHostCount", "UnHealthyHostCount"]
                    .map(|name| metric(&sim, minute, name, "Minimum", true));
                let here = count("healthy") + count("unhealthy") > 0.0;
                let want = ["healthy", "unhealthy"].map(|word| here.then(|| count(word)));
                assert_eq!(found, want, "{} {seed} {minute}: {states:?}", one.name);
            }
        }
    }
}

#[test]
fn counters_that_only_exist_when_something_happens_are_where_they_belong() {
    for (scenario, name, group) in [
        ("c12_tls_handshake", "TargetTLSNegotiationErrorCount", true),
        ("c07_connect_security_group", "TargetConnectionErrorCount", true),
        ("c14_lambda_service", "LambdaInternalError", true),
        ("c22_lambda_timeout", "LambdaUserError", true),
        ("c15_fail_open", "UnhealthyRoutingRequestCount", true),
        ("c17_load_balancer_limit", "RejectedConnectionCount", false),
        ("c23_no_registered_target", "HTTPCode_ELB_503_Count", false),
        ("c22_lambda_timeout", "HTTPCode_ELB_502_Count", false),
        ("n04_target_errors", "HTTPCode_Target_5XX_Count", false),
    ] {
        let sim = sim(scenario, 2, "");
        let fault = fault(&sim);
        let value = |minute| metric(&sim, minute, name, "Sum", group);
        assert!(value(fault + 40).is_some_and(|count| count > 3.0), "{scenario} {name}");
        let quiet = value(fault - 60).is_none_or(|count| count < 4.0);
        assert!(quiet, "{scenario} {name}");
    }
    let lambda = sim("c14_lambda_service", 1, "");
    let at = fault(&lambda) + 40;
    assert_eq!(metric(&lambda, at, "TargetConnectionErrorCount", "Sum", true), None);
    assert_eq!(metric(&lambda, at, "HealthyHostCount", "Minimum", true), None);
    let empty = sim("c23_no_registered_target", 1, "");
    assert_eq!(metric(&empty, fault(&empty) + 40, "RequestCount", "Sum", false), None);
    // Only where nodes keep to their zone does a healthy group fail open in one.
    let zonal = (1..=3).map(|seed| {
        let acl = sim("c08_connect_network_acl", seed, "");
        let at = fault(&acl) + 40;
        let opened = metric(&acl, at, "UnhealthyRoutingRequestCount", "Sum", true);
        assert_eq!(opened.is_some(), !acl.state.world().balancers[0].source.plan.host.cross_zone);
        opened
    });
    assert_eq!(zonal.flatten().filter(|count| *count > 100.0).count(), 2);
    let bad = sim("c04_bad_target", 1, "");
    let anomalous = |minute| metric(&bad, minute, "AnomalousHostCount", "Maximum", true);
    assert_eq!((anomalous(50), anomalous(fault(&bad) + 9)), (Some(0.0), Some(1.0)));
}

#[test]
fn an_answer_of_ec2_stands_beside_its_request_id_and_lists_items() {
    let sim = sim("n01_healthy", 1, "");
    let (status, text) = ec2(&sim, 10, "Action=DescribeVpcs");
    assert_eq!(status, 200);
    assert!(text.contains(
        "<DescribeVpcsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>"
    ));
    assert!(text.contains("<vpcSet><item><vpcId>vpc-0"), "{text}");
    let (status, text) =
        ec2(&sim, 10, "Action=DescribeSecurityGroups&GroupId.1=sg-00000000000000001");
    assert_eq!(status, 400);
    assert!(text.contains("<Response><Errors><Error><Code>InvalidGroup.NotFound</Code>"), "{text}");
    for (body, code) in [
        (
            "Action=DescribeSubnets&Filter.1.Name=colour&Filter.1.Value.1=red",
            "InvalidParameterValue",
        ),
        ("Action=DescribeSubnets&Colour=red", "UnknownParameter"),
        ("Action=DescribeSubnets&MaxResults=4", "InvalidParameterValue"),
        ("Action=DescribeSubnets&NextToken=x", "InvalidNextToken"),
    ] {
        assert!(ec2(&sim, 10, body).1.contains(&format!("<Code>{code}</Code>")), "{body}");
    }
}

#[test]
fn pages_of_ec2_lose_nothing_and_a_token_belongs_to_its_filters() {
    let sim = sim("n01_healthy", 1, "");
    let page = "Action=DescribeNetworkInterfaces&MaxResults=5";
    let first = ec2(&sim, 10, page).1;
    let token = all(&first, "nextToken")[0].to_owned();
    let second = ec2(&sim, 10, &format!("{page}&NextToken={token}")).1;
    let mut ids = [all(&first, "networkInterfaceId"), all(&second, "networkInterfaceId")].concat();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), all(&second, "nextToken").len()), (7, 0));
    let other = format!("Action=DescribeNetworkInterfaces&MaxResults=6&NextToken={token}");
    assert!(ec2(&sim, 10, &other).1.contains("InvalidNextToken"));
}

#[test]
fn what_is_missing_was_there_before_the_fault() {
    for (scenario, seeds, action, tag, usual) in [
        ("c07_connect_security_group", 3, "DescribeSecurityGroups", "fromPort", None),
        ("c08_connect_network_acl", 3, "DescribeNetworkAcls", "ruleNumber", Some(24)),
        ("c09_connect_route", 2, "DescribeRouteTables", "state", None),
        ("c10_connect_dead_target", 2, "DescribeNetworkInterfaces", "networkInterfaceId", None),
    ] {
        for seed in 1..=seeds {
            let sim = sim(scenario, seed, "");
            let fault = fault(&sim);
            let told = |minute| ec2(&sim, minute, &format!("Action={action}")).1;
            // In this order, because AWS's now does not go back by a minute.
            let (early, before, after) = (told(5), told(fault - 1), told(fault));
            assert_ne!(before, after, "{scenario} {seed}");
            assert_eq!(before, early, "{scenario} {seed}");
            assert!(usual.is_none_or(|usual| all(&early, tag).len() == usual), "{scenario} {seed}");
        }
    }
}

#[test]
fn killed_and_replaced_tasks_say_how_they_ended() {
    let told = |scenario: &str, minutes: i64| {
        let sim = sim(scenario, 1, "");
        let minute = fault(&sim) + minutes;
        let asked = json!({"cluster": "prod", "serviceName": "site", "desiredStatus": "STOPPED"});
        let arns = ecs(&sim, minute, "ListTasks", &asked).1["taskArns"].clone();
        let tasks = json!({"cluster": "prod", "tasks": arns});
        let tasks = ecs(&sim, minute, "DescribeTasks", &tasks).1["tasks"].clone();
        let tasks = tasks.as_array().cloned().unwrap_or_default();
        let of = |task: &Json| {
            let code = task["stopCode"].as_str().unwrap_or("").to_owned();
            (code, task["containers"][0]["exitCode"].as_i64())
        };
        (tasks.len(), tasks.first().map(of))
    };
    let ended = |code: &str, exit| Some((code.to_owned(), Some(exit)));
    assert_eq!(told("c20_task_killed", 31), (3, ended("EssentialContainerExited", 137)));
    assert_eq!(told("c21_ecs_stop_timeout", 30), (4, ended("ServiceSchedulerInitiated", 137)));
    assert_eq!(told("c11_deploy_race", 30), (4, ended("ServiceSchedulerInitiated", 0)));
    assert_eq!(told("c11_deploy_race", -5), (0, None));
}

#[test]
fn a_deployment_is_in_progress_and_then_completed() {
    let sim = sim("c11_deploy_race", 1, "");
    let fault = fault(&sim);
    let deployments = |minute| {
        let asked = json!({"cluster": "prod", "services": ["site"]});
        let service = ecs(&sim, minute, "DescribeServices", &asked).1["services"][0].clone();
        let list = service["deployments"].as_array().cloned().unwrap_or_default();
        let first = list[0]["rolloutState"].as_str().unwrap_or("").to_owned();
        (list.len(), first, list[0]["createdAt"].as_i64().unwrap_or(0))
    };
    assert_eq!(deployments(fault - 1).0, 1);
    let began = START + fault * 60;
    assert_eq!(deployments(fault + 7), (2, "IN_PROGRESS".to_owned(), began));
    assert_eq!(deployments(fault + 20), (1, "COMPLETED".to_owned(), began));
    assert_eq!(states(&sim, fault), ["draining", "initial", "healthy", "healthy", "healthy"]);
    assert_eq!(states(&sim, fault + 3), ["healthy"; 4]);
}

#[test]
fn paths_are_answered_and_refused_in_their_own_words() {
    let sim = sim("n06_lambda", 1, "denied=apigateway:*");
    let get = |service: &str, path: &str| send(&sim, 10, service, &[("path", path)], "");
    let (status, text) = get("lambda", "/2015-03-31/functions/site/configuration");
    assert!(status == 200 && text.contains("\"Timeout\":30"), "{text}");
    let (status, text) = get("lambda", "/2015-03-31/functions/other/configuration");
    assert!(status == 404 && text.starts_with("{\"Message\":\"Function not found: arn:"), "{text}");
    let (status, text) = get("apigateway", "/restapis/abc");
    assert!(status == 403 && text.contains("apigateway:GET"), "{text}");
    let (status, text) = get("cloudfront", "/2020-05-31/distribution");
    assert_eq!((status, all(&text, "OriginReadTimeout")), (200, vec!["30"]));
    let (status, text) = get("cloudfront", "/2020-05-31/distribution/E1/config");
    assert!(status == 404 && text.contains("<Code>NoSuchDistribution</Code>"), "{text}");
    let (status, text) = get("lambda", "/2015-03-31/event-source-mappings");
    assert!(status == 400 && text.contains("GET /2015-03-31/event-source"), "{text}");
}

#[test]
fn every_scenario_describes_itself_and_a_healthy_one_has_only_healthy_targets() {
    for one in scenarios().iter().filter(|one| one.load_balancers > 0) {
        let sim = sim(one.name, 1, "");
        let states = states(&sim, 1);
        let lambda = sim.state.world().balancers[0].source.plan.host.is_lambda();
        let word = if lambda { "unavailable" } else { "healthy" };
        assert!(states.iter().all(|state| state == word), "{}: {states:?}", one.name);
        for action in [
            "DescribeInstances",
            "DescribeNetworkInterfaces",
            "DescribeSecurityGroups",
            "DescribeSubnets",
            "DescribeNetworkAcls",
            "DescribeRouteTables",
            "DescribeVpcs",
        ] {
            assert_eq!(ec2(&sim, 1, &format!("Action={action}")).0, 200, "{} {action}", one.name);
        }
    }
}
