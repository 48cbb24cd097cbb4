//! Claims about whole scenarios.
//!
//! They go through the public interface, as any user of the simulator does.

use crate::{Scenario, Setup, SetupError, Sim, scenarios};

const START: i64 = 1_795_219_200;
const MINUTE_0: i64 = START / 60;

fn setup(scenario: &str, seed: u64) -> Setup {
    Setup::of(scenario, seed)
}

/// The short scenarios; those of the library have tests of their own there.
fn short() -> impl Iterator<Item = &'static Scenario> {
    scenarios().iter().filter(|one| one.minutes < 240)
}

fn sim(scenario: &str, seed: u64) -> Sim {
    Sim::new(setup(scenario, seed)).expect("a valid setup")
}

#[test]
fn near_misses_precede_the_first_504_in_slow_burn() {
    for seed in 1..=20 {
        let sim = sim("slow_burn", seed);
        let first = sim.first_504("checkout").expect("slow_burn times out");
        let near = |minute: &i64| {
            let truth = sim.truth("checkout", *minute).expect("known");
            truth.near_misses * 100 >= truth.requests
        };
        let lasting = (MINUTE_0..first).rev().take_while(near).last().unwrap_or(first);
        let (onset, first) = (lasting - MINUTE_0, first - MINUTE_0);
        assert!((12..=18).contains(&onset), "seed {seed}: onset {onset}");
        assert!((25..=32).contains(&first), "seed {seed}: first 504 {first}");
        assert!(first - onset >= 5, "seed {seed}: {onset} to {first}");
        let clean = (-60..onset - 4).all(|minute| {
            sim.truth("checkout", MINUTE_0 + minute).is_some_and(|truth| truth.near_misses == 0)
        });
        assert!(clean, "seed {seed}: near misses long before the onset");
    }
}

#[test]
fn slow_burn_grows_to_several_percent_and_is_repaired() {
    for seed in 1..=10 {
        let sim = sim("slow_burn", seed);
        let share = |minute: i64| {
            let truth = sim.truth("checkout", MINUTE_0 + minute).expect("known");
            truth.elb_504 as f64 / truth.requests as f64
        };
        assert!(share(46) > 0.025, "seed {seed}: {}", share(46));
        let last = (0..90).rev().find(|minute| share(*minute) > 0.0).unwrap_or(0);
        assert!((48..=53).contains(&last), "seed {seed}: last 504 {last}");
        assert_eq!(sim.first_504("web"), None);
        assert_eq!(sim.first_504("search"), None);
    }
}

#[test]
fn censoring_pulls_p99_down_while_504s_go_on() {
    let sim = sim("slow_burn", 1);
    let at = |minute: i64| sim.truth("checkout", MINUTE_0 + minute).expect("known");
    assert!(at(24).p99.is_some_and(|p99| p99 > 48.0) && at(24).elb_504 == 0);
    assert!(at(48).p99.is_some_and(|p99| p99 < 10.0) && at(48).elb_504 > 40);
}

#[test]
fn every_request_ends_once_and_a_504_leaves_no_sample() {
    for scenario in short() {
        let sim = sim(scenario.name, 5);
        for name in sim.load_balancers().iter().take(8) {
            for minute in 0..60 {
                let truth = sim.truth(name, MINUTE_0 + minute).expect("known");
                assert_eq!(truth.samples + truth.elb_504, truth.requests);
                let limit = f64::from(truth.idle_timeout);
                assert!(truth.maximum.is_none_or(|maximum| maximum <= limit));
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_truth_in_any_order() {
    for scenario in short() {
        let (a, b, other) = (sim(scenario.name, 9), sim(scenario.name, 9), sim(scenario.name, 10));
        let name = a.load_balancers().swap_remove(0);
        let forward: Vec<_> = (-5..60).map(|m| a.truth(&name, MINUTE_0 + m)).collect();
        let mut backward: Vec<_> = (-5..60).rev().map(|m| b.truth(&name, MINUTE_0 + m)).collect();
        backward.reverse();
        assert_eq!(forward, backward, "{}", scenario.name);
        let another: Vec<_> = (-5..60).map(|m| other.truth(&name, MINUTE_0 + m)).collect();
        assert_ne!(forward, another, "{}", scenario.name);
    }
}

#[test]
fn queueing_raises_the_median_then_times_out_then_recovers() {
    for seed in 1..=10 {
        let sim = sim("traffic_ramp", seed);
        let first = sim.first_504("orders").expect("traffic_ramp times out") - MINUTE_0;
        assert!((24..=43).contains(&first), "seed {seed}: {first}");
        let median = |minute: i64| {
            sim.truth("orders", MINUTE_0 + minute).and_then(|truth| truth.median).unwrap_or(0.0)
        };
        assert!(median(first) > 5.0 * median(2), "seed {seed}");
        assert!(median(60) < 2.0 * median(2), "seed {seed}");
        let after = sim.truth("orders", MINUTE_0 + 60).expect("known");
        assert_eq!(after.elb_504, 0);
    }
}

#[test]
fn connection_failures_bring_504s_without_latency() {
    for seed in 1..=10 {
        let sim = sim("connection_failures", seed);
        assert_eq!(sim.first_504("payments"), Some(MINUTE_0 + 15));
        for minute in 15..60 {
            let truth = sim.truth("payments", MINUTE_0 + minute).expect("known");
            assert_eq!(truth.elb_504, truth.connect_failures);
            assert_eq!(truth.near_misses, 0);
            assert!(truth.p99.is_some_and(|p99| p99 < 10.0));
            assert_eq!(truth.elb_504 > 0, minute <= 40, "seed {seed}, minute {minute}");
        }
    }
}

#[test]
fn a_quiet_night_has_empty_minutes_lone_slow_requests_and_no_504() {
    for seed in 1..=20 {
        let sim = sim("quiet_night", seed);
        let truths: Vec<_> = (0..240).filter_map(|m| sim.truth("intranet", MINUTE_0 + m)).collect();
        assert!(truths.iter().all(|truth| truth.elb_504 == 0 && truth.requests <= 13));
        assert!(truths.iter().any(|truth| truth.requests == 0));
        let near: u64 = truths.iter().map(|truth| truth.near_misses).sum();
        assert!((7..=9).contains(&near), "seed {seed}: {near}");
        let crowded = truths.windows(15).any(|w| w.iter().map(|t| t.near_misses).sum::<u64>() > 1);
        assert!(!crowded, "seed {seed}");
    }
}

#[test]
fn healthy_load_balancers_stay_far_from_their_timeouts() {
    for seed in 1..=5 {
        let sim = sim("healthy", seed);
        for name in sim.load_balancers() {
            for minute in (-1_440..1_440).step_by(7) {
                let truth = sim.truth(&name, MINUTE_0 + minute).expect("known");
                assert_eq!((truth.elb_504, truth.near_misses), (0, 0));
                assert!(truth.p99.is_some_and(|p99| p99 < 0.2 * f64::from(truth.idle_timeout)));
            }
        }
    }
}

#[test]
fn a_sudden_hang_has_no_near_misses_and_resets_have_no_504() {
    let hang = sim("sudden_hang", 3);
    assert!(hang.first_504("reports").is_some());
    let near = |m| hang.truth("reports", MINUTE_0 + m).map_or(1, |truth| truth.near_misses);
    assert_eq!((0..60).map(near).sum::<u64>(), 0);
    let resets = sim("resets", 3);
    assert_eq!(resets.first_504("accounts"), None);
    assert!(resets.truth("accounts", MINUTE_0 + 20).is_some_and(|truth| truth.elb_502 > 0));
}

#[test]
fn exactly_the_sick_members_of_a_fleet_time_out() {
    let sim = Sim::new(Setup { load_balancers: Some(100), ..setup("fleet", 4) }).expect("valid");
    let sick: Vec<String> =
        sim.load_balancers().into_iter().filter(|name| sim.first_504(name).is_some()).collect();
    assert_eq!(sick, ["svc-00007", "svc-00057"]);
}

#[test]
fn impossible_setups_are_refused() {
    let refuse = |change: fn(&mut Setup)| {
        let mut one = setup("healthy", 1);
        change(&mut one);
        Sim::new(one).err()
    };
    let unknown = refuse(|one| one.scenario = "nope".to_owned());
    assert!(unknown.is_some_and(|error| error.to_string().contains("slow_burn")));
    assert_eq!(refuse(|one| one.start = 61), Some(SetupError::BadStart(61)));
    assert_eq!(refuse(|one| one.load_balancers = Some(0)), Some(SetupError::BadCount(0)));
    assert!(refuse(|one| one.region = "Frankfurt".to_owned()).is_some());
    assert!(refuse(|one| one.account = "12".to_owned()).is_some());
}

/// One request over a plain connection; status line and body.
async fn post(address: std::net::SocketAddr, head: &str, body: &str) -> (String, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("listening");
    let request = format!(
        "POST / HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n{head}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or("").to_owned();
    assert!(!head.to_ascii_lowercase().contains("\r\ndate:"), "a clock got in");
    (status, body.to_owned())
}

#[tokio::test]
async fn metrics_over_the_wire_equal_the_truth_and_the_server_ends_with_the_stop() {
    let sim = sim("slow_burn", 2);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    let stop = tokio_util::sync::CancellationToken::new();
    let server = tokio::spawn(sim.clone().serve(listener, stop.clone()));
    let dimension = &sim.state.world().balancers[0].dimension;
    let query = |id: &str, stat: &str| {
        serde_json::json!({"Id": id, "MetricStat": {"Period": 60, "Stat": stat, "Metric": {
            "Namespace": "AWS/ApplicationELB", "MetricName": "TargetResponseTime",
            "Dimensions": [{"Name": "LoadBalancer", "Value": dimension}]}}})
    };
    let body = serde_json::json!({
        "MetricDataQueries": [query("near", "TC(48:60)"), query("n", "SampleCount")],
        "StartTime": START + 1_200, "EndTime": START + 1_260,
    });
    let head = "X-Amz-Target: GraniteServiceVersion20100801.GetMetricData\r\nAuthorization: \
                AWS4-HMAC-SHA256 Credential=A/20261121/eu-central-1/monitoring/aws4_request\r\n";
    let (status, answer) = post(address, head, &body.to_string()).await;
    assert!(status.contains("200"), "{status} {answer}");
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    let truth = sim.truth("checkout", MINUTE_0 + 20).expect("known");
    let value = |at: usize| answer["MetricDataResults"][at]["Values"][0].as_f64();
    assert_eq!(value(0), Some(truth.near_misses as f64));
    assert_eq!(value(1), Some(truth.samples as f64));
    assert!(post(address, "", "x").await.0.contains("403"));
    let _idle = tokio::net::TcpStream::connect(address).await.expect("listening");
    stop.cancel();
    server.await.expect("ends without panic");
}
