//! Claims about AWS's now and the account, over the wire.
//!
//! Every request carries the time it is signed with, as those of a client do;
//! times are seconds after the scenario's start.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::{Setup, SetupError, Sim, Truth};

pub(crate) const START: i64 = 1_795_219_200;
const LINKED: &str = "222222222222";

pub(crate) struct Room {
    pub(crate) sim: Sim,
    address: SocketAddr,
    pub(crate) stop: CancellationToken,
}

/// An answer as text.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or("")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The texts between the tags of this name.
    pub(crate) fn all(&self, tag: &str) -> Vec<&str> {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        let parts = self.body.split(open.as_str()).skip(1);
        parts.filter_map(|part| part.split(close.as_str()).next()).collect()
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{} {}", self.head, self.body))
    }
}

fn setup(scenario: &str, seed: u64, faults: &str) -> Setup {
    Setup { faults: faults.parse().expect("valid"), ..Setup::of(scenario, seed) }
}

pub(crate) async fn room(scenario: &str, faults: &str) -> Room {
    let sim = Sim::new(setup(scenario, 3, faults)).expect("valid");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    let stop = CancellationToken::new();
    tokio::spawn(sim.clone().serve(listener, stop.clone()));
    Room { sim, address, stop }
}

fn date(at: Option<i64>) -> String {
    let time = at.and_then(|at| chrono::DateTime::from_timestamp(START + at, 0));
    time.map(|time| time.format("X-Amz-Date: %Y%m%dT%H%M%SZ\r\n").to_string()).unwrap_or_default()
}

fn signed(key: &str, service: &str, at: Option<i64>) -> String {
    signed_in("eu-central-1", key, service, at)
}

pub(crate) fn signed_in(region: &str, key: &str, service: &str, at: Option<i64>) -> String {
    let scope = format!("Credential={key}/20261121/{region}/{service}/aws4_request");
    format!("Authorization: AWS4-HMAC-SHA256 {scope}\r\n{}", date(at))
}

impl Room {
    pub(crate) async fn open(&self, head: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("listening");
        let (first, length) = ("POST / HTTP/1.1\r\nHost: sim\r\nConnection: close", body.len());
        let request = format!("{first}\r\n{head}Content-Length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await.expect("sent");
        stream
    }

    pub(crate) async fn send(&self, head: &str, body: &str) -> Answer {
        let mut stream = self.open(head, body).await;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("answered");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        Answer { head: head.to_owned(), body: body.to_owned() }
    }

    /// One of the simulator's own pages.
    pub(crate) async fn page(&self, path: &str) -> Json {
        let mut stream = TcpStream::connect(self.address).await.expect("listening");
        let request = format!("GET {path} HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("answered");
        let body = text.split_once("\r\n\r\n").map_or("", |parts| parts.1);
        serde_json::from_str(body).unwrap_or_else(|_| panic!("{text}"))
    }

    pub(crate) async fn form(&self, key: &str, service: &str, at: i64, body: &str) -> Answer {
        let version = match service {
            "elasticloadbalancing" => "2015-12-01",
            "sns" => "2010-03-31",
            _ => "2011-06-15",
        };
        let body = format!("Version={version}&{body}");
        self.send(&signed(key, service, Some(at)), &body).await
    }

    async fn elb(&self, at: i64, body: &str) -> Answer {
        self.form("AKIA", "elasticloadbalancing", at, body).await
    }

    async fn cloudwatch(&self, key: &str, at: Option<i64>, what: &str, body: &Json) -> Answer {
        let head = format!(
            "X-Amz-Target: GraniteServiceVersion20100801.{what}\r\n{}",
            signed(key, "monitoring", at)
        );
        self.send(&head, &body.to_string()).await
    }

    /// The results of queries over seconds `from..until` after the start.
    async fn data(&self, at: Option<i64>, queries: &[Json], from: i64, until: i64) -> Vec<Json> {
        let body = json!({"MetricDataQueries": queries, "ScanBy": "TimestampAscending",
            "StartTime": START + from, "EndTime": START + until});
        let answer = self.cloudwatch("AKIA", at, "GetMetricData", &body).await.json();
        answer["MetricDataResults"].as_array().cloned().unwrap_or_else(|| panic!("{answer}"))
    }

    /// `RequestCount` of the first load balancer by minute.
    async fn counts(&self, at: i64, from: i64, until: i64) -> BTreeMap<i64, f64> {
        let query = [query("q", "RequestCount", "Sum", 60, &self.dimensions(0))];
        points(&self.data(Some(at), &query, from * 60, until * 60).await[0])
    }

    pub(crate) fn dimensions(&self, index: usize) -> Json {
        let one = &self.sim.state.world().balancers[index];
        json!([{"Name": "LoadBalancer", "Value": one.dimension}])
    }

    fn truth(&self, name: &str, minute: i64) -> Truth {
        self.sim.truth(name, START / 60 + minute).expect("known")
    }
}

pub(crate) fn query(id: &str, metric: &str, stat: &str, period: i64, dimensions: &Json) -> Json {
    json!({"Id": id, "MetricStat": {"Period": period, "Stat": stat, "Metric": {
        "Namespace": "AWS/ApplicationELB", "MetricName": metric, "Dimensions": dimensions}}})
}

/// Values by minute of the scenario.
pub(crate) fn points(result: &Json) -> BTreeMap<i64, f64> {
    let numbers = |name: &str| {
        let list = result[name].as_array().cloned().unwrap_or_default();
        list.into_iter().filter_map(|one| one.as_f64()).collect::<Vec<f64>>()
    };
    let minutes = numbers("Timestamps").into_iter().map(|time| (time as i64 - START) / 60);
    minutes.zip(numbers("Values")).collect()
}

#[tokio::test]
async fn an_answer_is_dated_by_the_signature_minus_the_offset() {
    let room = room("healthy", "clock=30").await;
    let answer = room.elb(60, "Action=DescribeLoadBalancers").await;
    assert_eq!(answer.header("date"), Some("Sat, 21 Nov 2026 00:00:30 GMT"));
    let body = "Action=ListTopics&Version=2010-03-31";
    let undated = room.send(&signed("AKIA", "sns", None), body).await;
    assert_eq!((undated.status(), undated.header("date")), ("200", None));
    let role = "Action=AssumeRole&RoleSessionName=me&RoleArn=arn:aws:iam::123456789012:role/r";
    let session = room.form("AKIA", "sts", 60, role).await;
    assert_eq!(session.all("Expiration"), ["2026-11-21T01:00:30Z"]);
}

#[tokio::test]
async fn dates_never_go_back_and_count_how_long_an_answer_was_held_back() {
    let room = room("healthy", "").await;
    let mut dates = Vec::new();
    for at in [10, 15, 12, 3, 16] {
        let answer = room.elb(at, "Action=DescribeLoadBalancers").await;
        dates.push(answer.header("date").unwrap_or("").to_owned());
    }
    let seconds = [10, 15, 15, 15, 16].map(|at| format!("Sat, 21 Nov 2026 00:00:{at} GMT"));
    assert_eq!(dates, seconds);
    let slow = Sim::new(setup("healthy", 3, "slow_ms=2500,clock=5")).expect("valid");
    assert_eq!(slow.state.clock.now(Some(START + 10)), Some(START + 5));
    assert_eq!(slow.state.clock.date(START + 5), START + 7);
}

#[tokio::test]
async fn signatures_out_of_time_are_refused_in_every_protocol() {
    for (faults, first) in [("clock=901", "not yet current"), ("clock=-901", "expired")] {
        let room = room("healthy", faults).await;
        let answer = room.elb(0, "Action=DescribeLoadBalancers").await;
        assert_eq!((answer.status(), answer.all("Code")), ("403", vec!["SignatureDoesNotMatch"]));
        assert!(answer.body.contains(&format!("Signature {first}")), "{}", answer.body);
        assert!(answer.header("date").is_some());
        let answer = room.cloudwatch("AKIA", Some(0), "GetMetricData", &json!({})).await;
        assert_eq!(answer.header("x-amzn-errortype"), Some("InvalidSignatureException"));
    }
    assert_eq!(
        room("healthy", "clock=900").await.elb(0, "Action=DescribeTags").await.status(),
        "400"
    );
}

#[tokio::test]
async fn a_minute_is_published_so_long_after_its_end_by_awss_clock() {
    let room = room("healthy", "publish=90,clock=-20").await;
    let last = room.counts(600 - 21, 0, 60).await.keys().max().copied();
    assert_eq!(last, Some(7), "AWS's now is 599 s, minute 8 ends at 540 s");
    let last = room.counts(630 - 20, 0, 60).await.keys().max().copied();
    assert_eq!(last, Some(8));
    let open = self::room("healthy", "").await;
    assert_eq!(open.counts(0, 0, 60).await.len(), 60);
}

#[tokio::test]
async fn a_minute_reported_low_is_low_in_all_it_says_and_never_falls() {
    let room = room("slow_burn", "revise=0.3,revise_late=0.1").await;
    let lb = room.dimensions(0);
    let queries = [
        query("n", "RequestCount", "Sum", 60, &lb),
        query("s", "TargetResponseTime", "SampleCount", 60, &lb),
        query("t", "HTTPCode_ELB_504_Count", "Sum", 60, &lb),
    ];
    let mut low = [0; 3];
    for minute in 30..60 {
        let truth = room.truth("checkout", minute);
        let mut before = 0.0;
        for (turn, age) in [60, 150, 420].into_iter().enumerate() {
            let now = (minute + 1) * 60 + age;
            let all = room.data(Some(now), &queries, minute * 60, minute * 60 + 60).await;
            let value = |at: usize| points(&all[at]).get(&minute).copied().unwrap_or(0.0);
            assert!((value(0) - value(1) - value(2)).abs() < 1e-9, "minute {minute}");
            assert!(value(0) >= before, "minute {minute}");
            before = value(0);
            low[turn] += u32::from(value(0) < truth.requests as f64);
        }
    }
    assert!((6..=18).contains(&low[0]) && low[1] < low[0] && low[2] == 0, "{low:?}");
}

#[tokio::test]
async fn points_of_an_outage_appear_after_it() {
    let room = room("healthy", "publish=60,gap=5-7,gap=20-21:3").await;
    let missing = |seen: &BTreeMap<i64, f64>, until: i64| -> Vec<i64> {
        (0..until).filter(|minute| !seen.contains_key(minute)).collect()
    };
    assert_eq!(missing(&room.counts(18 * 60 - 1, 0, 60).await, 16), [5, 6, 7]);
    assert!(missing(&room.counts(18 * 60, 0, 60).await, 16).is_empty());
    assert_eq!(missing(&room.counts(25 * 60 - 1, 0, 60).await, 22), [20, 21]);
    assert!(missing(&room.counts(25 * 60, 0, 60).await, 22).is_empty());
}

#[tokio::test]
async fn one_metric_or_one_load_balancer_is_late_and_the_others_are_not() {
    let text = "publish=60,gap=5-7:3:HTTPCode_ELB_504_Count,lag=30-49:20:oldest:TargetResponseTime,\
                gap=10-12:5:lb=web,publish=300:RequestCount:lb=search";
    let room = room("slow_burn", text).await;
    let (lb, web, search) = (room.dimensions(0), room.dimensions(1), room.dimensions(2));
    let queries = [
        query("n", "RequestCount", "Sum", 60, &lb),
        query("s", "TargetResponseTime", "SampleCount", 60, &lb),
        query("t", "HTTPCode_ELB_504_Count", "Sum", 60, &lb),
        query("w", "RequestCount", "Sum", 60, &web),
        query("z", "RequestCount", "Sum", 60, &search),
    ];
    // The newest minute of each, and whether all before it are there.
    let mut last = Vec::new();
    for now in [25, 29, 40, 49, 50, 55, 70] {
        let all = room.data(Some(now * 60), &queries, 0, 3_600).await;
        let newest = [0, 1, 3, 4].map(|at| {
            assert_eq!(all[at]["StatusCode"], "Complete");
            points(&all[at]).keys().max().copied().unwrap_or(-1)
        });
        last.push((now, newest));
    }
    assert_eq!(last[0], (25, [23, 23, 23, 19]));
    assert_eq!(last[1], (29, [27, 27, 27, 23]));
    assert_eq!(last[2], (40, [38, 27, 38, 34]), "what was there stays there");
    assert_eq!(last[3], (49, [47, 27, 47, 43]), "twenty minutes late");
    assert_eq!(last[4], (50, [48, 48, 48, 44]), "new ones are punctual again");
    let holes = |now: i64, at: usize| {
        let (room, queries) = (&room, &queries);
        async move {
            let all = room.data(Some(now * 60), queries, 0, 3_600).await;
            let seen = points(&all[at]);
            (0..now - 1).filter(|minute| !seen.contains_key(minute)).collect::<Vec<_>>()
        }
    };
    assert_eq!(holes(50, 1).await, (29..48).collect::<Vec<_>>(), "one more each minute");
    assert_eq!(holes(55, 1).await, (34..48).collect::<Vec<_>>());
    assert_eq!(holes(70, 1).await, [60, 61, 62, 63, 64, 65, 66, 67, 68], "only the window ends");
    assert_eq!(holes(17, 3).await, [10, 11, 12]);
    assert!(holes(18, 3).await.is_empty() && holes(17, 0).await.is_empty());
}

#[tokio::test]
async fn the_newest_minute_may_be_published_in_part_and_revised_up() {
    let room = room("slow_burn", "publish=30,partly=30-59:150:HTTPCode_ELB_504_Count").await;
    let lb = room.dimensions(0);
    let queries = [
        query("t", "HTTPCode_ELB_504_Count", "Sum", 60, &lb),
        query("n", "RequestCount", "Sum", 60, &lb),
    ];
    let (mut first, mut whole) = (0.0, 0.0);
    for minute in 35..50 {
        let truth = room.truth("checkout", minute);
        let mut counts = Vec::new();
        for age in [30, 149, 150] {
            let now = Some((minute + 1) * 60 + age);
            let all = room.data(now, &queries, minute * 60, minute * 60 + 60).await;
            let value = |at: usize| points(&all[at]).get(&minute).copied().unwrap_or(0.0);
            assert!((value(1) - truth.requests as f64).abs() < 1e-9, "requests are whole");
            counts.push(value(0));
        }
        assert!((counts[0] - counts[1]).abs() < 1e-9 && counts[1] <= counts[2], "{counts:?}");
        assert!((counts[2] - truth.elb_504 as f64).abs() < 1e-9, "{counts:?}");
        (first, whole) = (first + counts[0], whole + counts[2]);
    }
    assert!(first > 0.2 * whole && first < 0.8 * whole, "{first} {whole}");
}

#[tokio::test]
async fn an_account_or_region_may_date_its_answers_wrong() {
    let text = "linked=222222222222,date=222222222222:-400,date=us-east-1:90";
    let room = room("healthy", text).await;
    let there = assume(&room, LINKED, "").await.expect("assumed");
    let body = "Action=DescribeLoadBalancers";
    let dated = |answer: Answer| answer.header("date").unwrap_or("").to_owned();
    let here = dated(room.form("AKIA", "elasticloadbalancing", 600, body).await);
    let linked = dated(room.form(&there, "elasticloadbalancing", 600, body).await);
    let head = signed_in("us-east-1", "AKIA", "elasticloadbalancing", Some(600));
    let east = dated(room.send(&head, &format!("Version=2015-12-01&{body}")).await);
    let want =
        ["00:10:00", "00:03:20", "00:11:30"].map(|time| format!("Sat, 21 Nov 2026 {time} GMT"));
    assert_eq!([here, linked, east], want);
}

#[tokio::test]
async fn nobody_comes_to_an_idle_load_balancer_for_a_while_or_ever() {
    let room = room("slow_burn", "idle=checkout:10:5,idle=web:20").await;
    let seen = room.counts(7_200, 0, 60).await;
    let missing: Vec<i64> = (0..60).filter(|minute| !seen.contains_key(minute)).collect();
    assert_eq!(missing, [10, 11, 12, 13, 14]);
    assert_eq!((room.truth("checkout", 12).requests, room.truth("web", 50).requests), (0, 0));
    assert!(room.truth("web", 19).requests > 0 && room.truth("checkout", 15).requests > 0);
    let names = room.elb(3_000, "Action=DescribeLoadBalancers").await;
    assert_eq!(names.all("LoadBalancerName").len(), 3, "it is still there");
}

#[tokio::test]
async fn disordered_pages_hold_every_point_and_nothing_moves_between_them() {
    let room = room("healthy", "shuffle=1,duplicate=1,publish=0").await;
    let mut body = json!({"StartTime": START, "EndTime": START + 3_600, "MaxDatapoints": 7,
        "MetricDataQueries": [query("q", "RequestCount", "Sum", 60, &room.dimensions(0))]});
    let (mut seen, mut times) = (BTreeMap::new(), Vec::new());
    // Time goes on between the pages, but the pages stay those of the first moment.
    for now in (1_800..).step_by(60) {
        let answer = room.cloudwatch("AKIA", Some(now), "GetMetricData", &body).await.json();
        let result = &answer["MetricDataResults"][0];
        for (minute, value) in points(result) {
            assert!(
                seen.insert(minute, value).is_none_or(|before: f64| (before - value).abs() < 1e-9)
            );
        }
        times.extend(result["Timestamps"].as_array().cloned().unwrap_or_default());
        let Some(token) = answer["NextToken"].as_str() else {
            break;
        };
        body["NextToken"] = Json::from(token);
    }
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), (0..30).collect::<Vec<_>>());
    assert!(times.len() > 30, "{}", times.len());
    let sorted = times.is_sorted_by_key(|time| -time.as_i64().unwrap_or(0));
    assert!(!sorted);
}

#[tokio::test]
async fn a_cut_answer_announces_more_than_it_sends() {
    let room = room("healthy", "cut=1").await;
    let answer = room.elb(0, "Action=DescribeLoadBalancers").await;
    let announced: usize =
        answer.header("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
    assert_eq!(answer.body.len(), announced / 2);
    assert!(!answer.body.is_empty());
}

#[tokio::test]
async fn a_stalled_answer_stays_open_until_the_stop() {
    let room = room("healthy", "stall=1").await;
    let head = signed("AKIA", "elasticloadbalancing", Some(0));
    let mut stream = room.open(&head, "Version=2015-12-01&Action=DescribeLoadBalancers").await;
    let mut text = String::new();
    let patience = Duration::from_millis(400);
    let read = tokio::time::timeout(patience, stream.read_to_string(&mut text)).await;
    assert!(read.is_err(), "ended early");
    room.stop.cancel();
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await;
    assert!(read.is_ok(), "the stop did not end it");
}

#[tokio::test]
async fn shares_of_answers_fall_ill_alike_in_two_runs() {
    let (a, b) = (room("healthy", "cut=0.3").await, room("healthy", "cut=0.3").await);
    let mut whole = 0;
    for _ in 0..40 {
        let (one, other) = (
            a.elb(0, "Action=DescribeTargetGroups").await,
            b.elb(0, "Action=DescribeTargetGroups").await,
        );
        assert_eq!((&one.head, &one.body), (&other.head, &other.body));
        whole += usize::from(
            one.body.ends_with('>') && one.body.contains("</DescribeTargetGroupsResponse>"),
        );
    }
    assert!((20..=36).contains(&whole), "{whole}");
}

#[tokio::test]
async fn calls_are_refused_in_their_minutes_and_work_again_later() {
    let room = room("healthy", "expire=2-3,down=5-5,throttled=7-8").await;
    let describe = "Action=DescribeTargetGroups";
    for (minute, code) in
        [(1, None), (2, Some("ExpiredToken")), (3, Some("ExpiredToken")), (4, None)]
    {
        let answer = room.elb(minute * 60 + 59, describe).await;
        assert_eq!(answer.all("Code").first().copied(), code, "minute {minute}");
    }
    let down = room.elb(300, describe).await;
    assert_eq!((down.status(), down.all("Code")), ("503", vec!["ServiceUnavailable"]));
    let query = json!({"MetricDataQueries": [query("q", "RequestCount", "Sum", 60, &room.dimensions(0))],
        "StartTime": START, "EndTime": START + 60});
    let throttled = room.cloudwatch("AKIA", Some(539), "GetMetricData", &query).await;
    assert!(throttled.status() == "400" && throttled.body.contains("Rate exceeded"));
    assert_eq!(room.elb(539, describe).await.status(), "200");
    assert_eq!(room.cloudwatch("AKIA", Some(540), "GetMetricData", &query).await.status(), "200");
}

#[tokio::test]
async fn a_changed_idle_timeout_limits_later_requests_and_truth_says_so() {
    let room = room("slow_burn", "timeout=checkout:20:30,timeout=checkout:40:120").await;
    let arn = room.sim.state.world().balancers[0].arn.clone();
    let body = format!("Action=DescribeLoadBalancerAttributes&LoadBalancerArn={arn}");
    for (minute, timeout) in [(19, "60"), (20, "30"), (39, "30"), (40, "120")] {
        let answer = room.elb(minute * 60, &body).await;
        let key = answer.body.split("idle_timeout.timeout_seconds</Key><Value>").nth(1);
        assert!(key.is_some_and(|rest| rest.starts_with(&format!("{timeout}<"))), "{minute}");
        assert_eq!(room.truth("checkout", minute).idle_timeout.to_string(), timeout);
    }
    let worst = |minute| room.truth("checkout", minute).maximum.unwrap_or(0.0);
    assert!(worst(18) > 45.0 && worst(22) <= 30.0 && worst(42) > 60.0);
    assert!(room.truth("checkout", 22).elb_504 > 0 && room.truth("checkout", 42).elb_504 == 0);
}

#[tokio::test]
async fn load_balancers_come_and_go_and_their_past_stays() {
    let room = room("slow_burn", "create=web:10,delete=search:20,recreate=checkout:30").await;
    let names = |minute: i64| {
        let room = &room;
        async move {
            let answer = room.elb(minute * 60, "Action=DescribeLoadBalancers").await;
            answer.all("LoadBalancerName").join(" ")
        }
    };
    assert_eq!(names(9).await, "checkout search");
    assert_eq!(names(10).await, "checkout web search");
    assert_eq!(names(20).await, "checkout web");
    let world = room.sim.state.world();
    let of = |name: &str| -> Vec<usize> {
        let all = world.balancers.iter().enumerate();
        all.filter(|(_, one)| one.name == name).map(|(at, _)| at).collect()
    };
    let (old, new) = (of("checkout")[0], of("checkout")[1]);
    for (at, minutes) in
        [(of("web")[0], 10..60), (of("search")[0], 0..20), (old, 0..30), (new, 30..60)]
    {
        let query = [query("q", "RequestCount", "Sum", 60, &room.dimensions(at))];
        let seen = points(&room.data(Some(7_200), &query, 0, 3_600).await[0]);
        assert_eq!(seen.keys().copied().collect::<Vec<_>>(), minutes.collect::<Vec<_>>());
    }
    for (minute, lost, found) in [(29, new, old), (30, old, new)] {
        for (at, status) in [(lost, "400"), (found, "200")] {
            let arn = &world.balancers[at].arn;
            let body = format!("Action=DescribeLoadBalancerAttributes&LoadBalancerArn={arn}");
            let answer = room.elb(minute * 60, &body).await;
            assert_eq!(answer.status(), status);
            assert_eq!(answer.body.contains("LoadBalancerNotFound"), status == "400");
        }
    }
    assert_eq!(room.truth("search", 25).requests, 0);
    assert!(room.truth("checkout", 29).requests > 0 && room.truth("checkout", 31).requests > 0);
    assert_eq!(room.sim.load_balancers(), ["checkout", "web", "search"]);
    assert!(Sim::new(setup("healthy", 1, "delete=nobody:5")).is_err());
}

#[tokio::test]
async fn the_own_pages_know_every_life_and_every_account() {
    let text = "linked=222222222222,recreate=web:10,timeout=web:20:90,delete=web:30,cut=1";
    let room = room("slow_burn", text).await;
    let scenario = room.page("/_sim/scenario").await;
    let all = scenario["load_balancers"].as_array().cloned().unwrap_or_default();
    let web: Vec<&Json> = all.iter().filter(|one| one["name"] == "web").collect();
    assert_eq!((all.len(), web.len()), (4, 2));
    assert_eq!((&web[0]["account"], &web[0]["created"]), (&Json::from(LINKED), &Json::Null));
    assert_eq!(web[0]["deleted"], web[1]["created"]);
    assert_eq!(web[1]["deleted"], START + 1_800);
    let path = format!("/_sim/truth?load_balancer=web&from={START}&to={}", START + 1_860);
    let truth = room.page(&path).await;
    let number = |minute: usize, key: &str| truth[minute][key].as_u64().unwrap_or(0);
    assert!(number(9, "requests") > 0 && number(10, "requests") > 0);
    assert_eq!(number(30, "requests"), 0);
    assert_eq!((number(19, "idle_timeout"), number(20, "idle_timeout")), (60, 90));
}

/// Access key of a role in an account, or the refusal.
async fn assume(room: &Room, account: &str, more: &str) -> Result<String, Answer> {
    let body = format!(
        "Action=AssumeRole&RoleSessionName=watch&RoleArn=arn:aws:iam::{account}:role/watcher{more}"
    );
    let answer = room.form("AKIA", "sts", 60, &body).await;
    let key = answer.all("AccessKeyId").first().map(|key| (*key).to_owned());
    key.ok_or(answer)
}

#[tokio::test]
async fn each_account_describes_its_own_and_the_monitoring_one_reads_all() {
    let room = room("healthy", "linked=222222222222,external_id=secret").await;
    for more in ["", "&ExternalId=other"] {
        let refused = assume(&room, LINKED, more).await.expect_err("refused");
        assert_eq!((refused.status(), refused.all("Code")), ("403", vec!["AccessDenied"]));
    }
    assert!(assume(&room, "333333333333", "&ExternalId=secret").await.is_err());
    let there = assume(&room, LINKED, "&ExternalId=secret").await.expect("assumed");
    let here = assume(&room, "123456789012", "&ExternalId=secret").await.expect("assumed");
    for (key, names) in [
        ("AKIA", "storefront media ingest"),
        (here.as_str(), "storefront media ingest"),
        (there.as_str(), "api"),
    ] {
        let body = "Action=DescribeLoadBalancers";
        let answer = room.form(key, "elasticloadbalancing", 60, body).await;
        assert_eq!(answer.all("LoadBalancerName").join(" "), names);
    }
    let who = room.form(&there, "sts", 60, "Action=GetCallerIdentity").await;
    assert_eq!(who.all("Account"), [LINKED]);
    let foreign = format!(
        "Action=DescribeLoadBalancerAttributes&LoadBalancerArn={}",
        room.sim.state.world().balancers[1].arn
    );
    assert!(room.elb(60, &foreign).await.body.contains("LoadBalancerNotFound"));

    let mut queries = vec![query("a", "RequestCount", "Sum", 60, &room.dimensions(1)); 4];
    for (index, account) in
        [None, Some(LINKED), Some("123456789012"), Some("333333333333")].into_iter().enumerate()
    {
        queries[index]["Id"] = Json::from(format!("q{index}"));
        queries[index]["AccountId"] = account.map_or(Json::Null, Json::from);
    }
    let all = room.data(Some(600), &queries, 0, 300).await;
    let found: Vec<usize> = all.iter().map(|one| points(one).len()).collect();
    assert_eq!(found, [0, 5, 0, 0]);
    let status: Vec<&str> = all.iter().filter_map(|one| one["StatusCode"].as_str()).collect();
    assert_eq!(status, ["Complete", "Complete", "Complete", "Forbidden"]);
    assert!(room.truth("api", 3).requests > 0);
}

#[tokio::test]
async fn metrics_of_linked_accounts_are_listed_when_asked_for() {
    let room = room("healthy", "linked=222222222222").await;
    let list = |more: Json| {
        let room = &room;
        async move {
            let mut body = json!({"Namespace": "AWS/ApplicationELB", "MetricName": "RequestCount"});
            for (key, value) in more.as_object().into_iter().flatten() {
                body[key] = value.clone();
            }
            room.cloudwatch("AKIA", Some(60), "ListMetrics", &body).await.json()
        }
    };
    let own = list(json!({})).await;
    assert!(own["OwningAccounts"].is_null());
    assert!(!own.to_string().contains("app/api/") && own.to_string().contains("app/media/"));
    let both = list(json!({"IncludeLinkedAccounts": true})).await;
    assert!(both.to_string().contains("app/api/"));
    let sizes = ["Metrics", "OwningAccounts"].map(|key| both[key].as_array().map(Vec::len));
    assert_eq!(sizes[0], sizes[1]);
    let only = list(json!({"IncludeLinkedAccounts": true, "OwningAccount": LINKED})).await;
    assert!(only.to_string().contains("app/api/") && !only.to_string().contains("app/media/"));
}

#[test]
fn linked_accounts_are_other_accounts() {
    let refused = |faults: &str| Sim::new(setup("healthy", 1, faults)).err();
    let own = "123456789012".to_owned();
    assert_eq!(refused("linked=123456789012"), Some(SetupError::LinkedTwice(own)));
    assert!(refused("linked=222222222222,linked=222222222222").is_some());
    assert_eq!(refused("linked=22"), Some(SetupError::BadAccount("22".to_owned())));
}

#[tokio::test]
async fn old_points_are_gone_and_old_times_want_long_periods() {
    let day = 86_400;
    let lb = room("healthy", "").await.dimensions(0);
    let count = |faults: &'static str, period: i64, age: i64| {
        let query = [query("q", "RequestCount", "Sum", period, &lb)];
        async move {
            let room = room("healthy", faults).await;
            let (from, until) = (-age * day, -age * day + 7_200);
            points(&room.data(Some(0), &query, from, until).await[0]).len()
        }
    };
    assert_eq!(count("retention", 60, 14).await, 120);
    assert_eq!(count("retention", 60, 16).await, 0);
    assert_eq!(count("", 60, 16).await, 120);
    assert_eq!(count("retention", 300, 16).await, 24);
    assert_eq!(count("retention", 300, 64).await, 0);
    assert_eq!(count("retention", 3_600, 64).await, 2);
    assert_eq!(count("retention", 3_600, 456).await, 0);
    // A point exactly as old as allowed is still there.
    assert_eq!(count("retention", 60, 15).await, 120);
}

#[tokio::test]
async fn target_groups_are_described_and_measured_apart() {
    let room = room("healthy", "").await;
    let one = &room.sim.state.world().balancers[0];
    let page = format!("Action=DescribeTargetGroups&LoadBalancerArn={}&PageSize=1", one.arn);
    let first = room.elb(0, &page).await;
    let marker = first.all("NextMarker").first().map(|text| (*text).to_owned()).expect("two pages");
    let second = room.elb(0, &format!("{page}&Marker={marker}")).await;
    assert!(second.all("NextMarker").is_empty());
    let found = [first.all("TargetGroupArn")[0], second.all("TargetGroupArn")[0]];
    assert_eq!(found, [one.groups[0].arn.as_str(), one.groups[1].arn.as_str()]);
    let body = format!("Action=DescribeTargetHealth&TargetGroupArn={}", found[0]);
    assert_eq!(room.elb(0, &body).await.all("State"), ["healthy"; 3]);

    let group = |at: usize| {
        json!([{"Name": "TargetGroup", "Value": one.groups[at].dimension},
            {"Name": "LoadBalancer", "Value": one.dimension}])
    };
    let whole = room.dimensions(0);
    let mut queries = Vec::new();
    for (metric, stat) in [
        ("RequestCount", "Sum"),
        ("TargetResponseTime", "SampleCount"),
        ("HTTPCode_Target_2XX_Count", "Sum"),
    ] {
        for (at, place) in [group(0), group(1), whole.clone()].iter().enumerate() {
            queries.push(query(&format!("q{}_{at}", queries.len()), metric, stat, 300, place));
        }
    }
    queries.push(query("healthy", "HealthyHostCount", "Minimum", 60, &group(0)));
    queries.push(query("unhealthy", "UnHealthyHostCount", "Maximum", 60, &group(0)));
    let all = room.data(Some(0), &queries, 0, 300).await;
    let value = |at: usize| points(&all[at]).get(&0).copied().unwrap_or(-1.0);
    for at in [0, 3, 6] {
        assert!(value(at) > value(at + 1) && value(at + 1) > 0.0);
        assert!((value(at) + value(at + 1) - value(at + 2)).abs() < 1e-9);
    }
    assert!((value(9) - 3.0).abs() < 1e-9 && value(10).abs() < 1e-9);
}
