//! Claims about answers no AWS would give, over the wire.
//!
//! Times are seconds after the scenario's start, as in [`crate::tests::time`].

use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::io::AsyncReadExt;

use crate::tests::time::{Answer, Room, START, query, room, signed_in};
use crate::wire::cbor;

const DESCRIBE: &str = "Version=2015-12-01&Action=DescribeLoadBalancers";

fn head(service: &str, at: i64) -> String {
    signed_in("eu-central-1", "AKIA", service, Some(at))
}

async fn describe(room: &Room, at: i64, more: &str) -> Answer {
    room.send(&head("elasticloadbalancing", at), &format!("{DESCRIBE}{more}")).await
}

async fn data(room: &Room, at: i64, more: Json) -> Answer {
    let queries = [
        query("a", "RequestCount", "Sum", 60, &room.dimensions(0)),
        query("b", "RequestCount", "Sum", 60, &room.dimensions(1)),
    ];
    let mut body =
        json!({"MetricDataQueries": queries, "StartTime": START, "EndTime": START + 300});
    for (key, value) in more.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    let head = format!(
        "X-Amz-Target: GraniteServiceVersion20100801.GetMetricData\r\n{}",
        head("monitoring", at)
    );
    room.send(&head, &body.to_string()).await
}

/// What comes within a moment, and whether the answer ended in it.
async fn read(room: &Room, at: i64, patience: Duration) -> (Vec<u8>, bool) {
    let mut stream = room.open(&head("elasticloadbalancing", at), DESCRIBE).await;
    let mut seen = Vec::new();
    let mut bytes = vec![0; 65_536];
    let reading = async {
        while seen.len() < 3_000_000 {
            match stream.read(&mut bytes).await {
                Ok(0) | Err(_) => return true,
                Ok(count) => seen.extend_from_slice(&bytes[..count]),
            }
        }
        false
    };
    let ended = tokio::time::timeout(patience, reading).await.unwrap_or(false);
    (seen, ended)
}

const MOMENT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn an_answer_may_hang_crawl_or_never_end_until_the_stop() {
    let room = room(
        "healthy",
        "hostile=*/hang/1-1,hostile=elasticloadbalancing:*/slow/2-2,hostile=*/endless/3-3",
    )
    .await;
    let (hung, ended) = read(&room, 60, MOMENT).await;
    assert!(hung.is_empty() && !ended);
    let (slow, ended) = read(&room, 120, Duration::from_millis(1_300)).await;
    let body = String::from_utf8_lossy(&slow).split_once("\r\n\r\n").map(|parts| parts.1.len());
    assert!(body.is_some_and(|length| (1..=2).contains(&length)) && !ended, "{body:?}");
    let (endless, ended) = read(&room, 180, Duration::from_secs(20)).await;
    let text = String::from_utf8_lossy(&endless);
    assert!(endless.len() >= 3_000_000 && !ended, "{}", endless.len());
    assert!(text.contains("<LoadBalancerName>") && !text.contains("content-length"));
    assert_eq!(describe(&room, 240, "").await.status(), "200", "and it works as before");

    let mut open = Vec::new();
    for at in [60, 120, 180] {
        open.push(room.open(&head("elasticloadbalancing", at), DESCRIBE).await);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    room.stop.cancel();
    for stream in &mut open {
        let mut bytes = vec![0; 65_536];
        let rest = async { while stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {} };
        let ended = tokio::time::timeout(Duration::from_secs(5), rest).await;
        assert!(ended.is_ok(), "the stop did not end it");
    }
}

#[tokio::test]
async fn bodies_and_heads_are_wrong_as_asked() {
    let whole = describe(&room("healthy", "").await, 0, "").await;
    let kinds = "empty malformed garbage html type:text/csv status:503 redirect:307 loop cut";
    let texts: Vec<String> = kinds
        .split(' ')
        .enumerate()
        .map(|(at, kind)| {
            format!("hostile=elasticloadbalancing:DescribeLoadBalancers/{kind}/{at}-{at}")
        })
        .collect();
    let room = room("healthy", &texts.join(",")).await;
    let get = |minute: i64| describe(&room, minute * 60, "");
    let empty = get(0).await;
    assert_eq!((empty.status(), empty.body.as_str()), ("200", ""));
    assert_eq!(empty.header("content-length"), Some("0"));
    let malformed = get(1).await;
    assert_eq!(malformed.body.len(), whole.body.len() / 2);
    assert_eq!(malformed.header("content-length"), Some(malformed.body.len().to_string().as_str()));
    assert_eq!(malformed.body, whole.body[..whole.body.len() / 2]);
    let (garbage, _) = read(&room, 120, MOMENT).await;
    assert!(String::from_utf8(garbage).is_err());
    let html = get(3).await;
    assert!(html.status() == "200" && html.body.contains("<h1>Sign in"));
    assert_eq!(html.header("content-type"), Some("text/html"));
    let typed = get(4).await;
    assert_eq!(typed.header("content-type"), Some("text/csv"));
    assert_eq!(typed.body, whole.body);
    let refused = get(5).await;
    assert_eq!((refused.status(), refused.body.as_str()), ("503", ""));
    let (redirect, again) = (get(6).await, get(7).await);
    assert_eq!(
        (redirect.status(), redirect.header("location")),
        ("307", Some("http://sim/elsewhere/"))
    );
    assert_eq!((again.status(), again.header("location")), ("301", Some("http://sim/")));
    let cut = get(8).await;
    assert!(
        cut.body.len() == whole.body.len() / 2
            && cut.header("content-length") != Some(cut.body.len().to_string().as_str())
    );
    assert_eq!(get(9).await.body, whole.body);
}

#[tokio::test]
async fn pages_without_end_are_all_the_first_one() {
    let text = "hostile=elasticloadbalancing:*/token:new,hostile=cloudwatch:*/token:same";
    let room = room("healthy", text).await;
    let mut markers = Vec::new();
    let mut more = String::new();
    for _ in 0..4 {
        let answer = describe(&room, 0, &more).await;
        assert_eq!(answer.all("LoadBalancerName").len(), 4);
        let marker = answer.all("NextMarker")[0].to_owned();
        more = format!("&Marker={marker}");
        markers.push(marker);
    }
    markers.dedup();
    assert_eq!(markers.len(), 4);
    let first = data(&room, 0, json!({})).await.json();
    let again = data(&room, 0, json!({"NextToken": first["NextToken"]})).await.json();
    assert!(first == again && first["NextToken"] == "sim-again", "{again}");
    let empty = self::room("healthy", "hostile=*/token:empty").await;
    assert_eq!(data(&empty, 0, json!({})).await.json()["NextToken"], "");
    assert_eq!(describe(&empty, 0, "&Marker=").await.all("NextMarker"), [""]);
}

#[tokio::test]
async fn errors_come_in_their_protocols_and_nothing_is_done() {
    let text = "hostile=sns:Publish/error:KMS.AccessDeniedException/1-1,\
                hostile=sns:Publish/without:MessageId/2-2,\
                hostile=cloudwatch:*/error:InvalidSignatureException/3-3,\
                hostile=*/ok_error:AccessDenied/4-4";
    let room = room("healthy", text).await;
    let topic = "arn%3Aaws%3Asns%3Aeu-central-1%3A123456789012%3Anearmiss";
    let body = format!("Version=2010-03-31&Action=Publish&Message=m&TopicArn={topic}");
    let publish = |at: i64| {
        let (room, body) = (&room, &body);
        async move { room.send(&head("sns", at), body).await }
    };
    let refused = publish(60).await;
    assert_eq!((refused.status(), refused.all("Code")), ("400", vec!["KMS.AccessDeniedException"]));
    assert!(room.sim.published().is_empty());
    let mute = publish(120).await;
    assert!(mute.status() == "200" && !mute.body.contains("MessageId"), "{}", mute.body);
    assert_eq!(room.sim.published().len(), 1, "it was accepted");
    let signature = data(&room, 180, json!({})).await;
    assert_eq!(signature.header("x-amzn-errortype"), Some("InvalidSignatureException"));
    assert!(signature.status() == "403" && signature.body.contains("does not match the signature"));
    assert_eq!(describe(&room, 180, "").await.status(), "200");
    let fine = describe(&room, 240, "").await;
    assert_eq!((fine.status(), fine.all("Code")), ("200", vec!["AccessDenied"]));
}

#[tokio::test]
async fn attributes_and_names_are_odd_in_xml_as_well() {
    let text = "hostile=*/attribute:idle_timeout.timeout_seconds=1e400/0-0,\
                hostile=*/attribute:idle_timeout.timeout_seconds/1-1,hostile=*/names:raw/2-2,\
                hostile=*/names:long/3-3,hostile=*/names:control/4-4";
    let room = room("healthy", text).await;
    let arn = room.sim.state.world().balancers[0].arn.clone();
    let attributes = format!("Action=DescribeLoadBalancerAttributes&LoadBalancerArn={arn}");
    let tags = format!("Action=DescribeTags&ResourceArns.member.1={arn}");
    let elb = |at: i64, body: &str| {
        let body = format!("Version=2015-12-01&{body}");
        let room = &room;
        async move { room.send(&head("elasticloadbalancing", at), &body).await.body }
    };
    let key = "<Key>idle_timeout.timeout_seconds</Key><Value>1e400</Value>";
    assert!(elb(0, &attributes).await.contains(key));
    assert!(!elb(60, &attributes).await.contains("idle_timeout"));
    let names = elb(120, "Action=DescribeLoadBalancers").await;
    assert!(names.contains("<LoadBalancerName>storefront&#27;[31m&#7;&#0;"), "{names}");
    assert!(elb(120, &tags).await.contains("<Value>prod&#27;[31m"));
    let long = elb(180, &tags).await;
    assert!(long.len() > 50_000 && long.contains("<Key>xxxx"), "{}", long.len());
    let legal = elb(240, "Action=DescribeLoadBalancers").await;
    assert!(legal.contains("<LoadBalancerName>storefront&#13;\n\t&#155;31m"), "{legal}");
}

#[tokio::test]
async fn a_share_of_the_answers_is_hostile_and_huge_ones_are_valid() {
    let shared = room("healthy", "hostile=*/empty/0.3").await;
    let mut empty = 0;
    for _ in 0..60 {
        empty += usize::from(describe(&shared, 0, "").await.body.is_empty());
    }
    assert!((8..=30).contains(&empty), "{empty}");
    let room = room("healthy", "hostile=cloudwatch:*/huge:3,hostile=*/messages:2000").await;
    let answer = data(&room, 600, json!({})).await;
    assert!(answer.body.len() > 3 * 1_024 * 1_024);
    let answer = answer.json();
    assert_eq!(answer["MetricDataResults"][0]["Values"].as_array().map(Vec::len), Some(5));
    assert_eq!(answer["Messages"].as_array().map(Vec::len), Some(2_000));
}

#[test]
fn odd_numbers_are_eight_bytes_in_cbor() {
    use crate::wire::document::Value;
    for number in [f64::NAN, f64::INFINITY, 1e308, -1.0] {
        let bytes = cbor::write(&Value::Number(number));
        assert_eq!((bytes.len(), bytes[0]), (9, 0xfb));
        let back = f64::from_be_bytes(bytes[1..].try_into().expect("eight"));
        assert_eq!(back.to_bits(), number.to_bits());
    }
}
