//! Claims about publishing and what becomes of it, over the wire.
//!
//! Times are seconds after the scenario's start, as in [`crate::tests::time`].

use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::io::AsyncReadExt;

use crate::tests::time::{Answer, Room, START, points, room, signed_in};
use crate::{Setup, SetupError, Sim};

const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:nearmiss";

/// A form out of what it holds.
fn encoded(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

async fn publish_in(room: &Room, region: &str, at: i64, more: &[(&str, &str)]) -> Answer {
    let mut pairs = vec![("Action", "Publish"), ("Version", "2010-03-31")];
    pairs.extend(more);
    room.send(&signed_in(region, "AKIA", "sns", Some(at)), &encoded(&pairs)).await
}

async fn publish(room: &Room, at: i64, topic: &str, message: &str) -> Answer {
    let pairs = [("TopicArn", topic), ("Message", message)];
    publish_in(room, "eu-central-1", at, &pairs).await
}

/// Status and code of a refusal, or just the status.
fn outcome(answer: &Answer) -> (&str, &str) {
    (answer.status(), answer.all("Code").first().copied().unwrap_or(""))
}

async fn attempts(room: &Room) -> Json {
    room.page("/_sim/attempts").await
}

#[tokio::test]
async fn an_outage_of_sns_is_one_of_publishing_alone_and_ends() {
    let room = room("healthy", "sns_out=1-2,sns_out=5-5").await;
    for (minute, want) in [(0, "200"), (1, "503"), (2, "503"), (3, "200"), (5, "503"), (6, "200")] {
        let answer = publish(&room, minute * 60, TOPIC, "m").await;
        assert_eq!(answer.status(), want, "minute {minute}");
    }
    let list = room.form("AKIA", "sns", 420, "Action=ListTopics").await;
    assert_eq!(list.status(), "200");
    let want = json!({"attempts": 6, "outcomes": {"accepted": 3, "ServiceUnavailable": 3}});
    assert_eq!(attempts(&room).await, want);
    let numbers: Vec<u64> = room.sim.published().iter().map(|one| one.attempt).collect();
    assert_eq!(numbers, [1, 4, 6]);
}

#[tokio::test]
async fn an_error_accepts_nothing_and_a_lost_answer_accepts_all_the_same() {
    let error = room("healthy", "sns_error=1").await;
    assert_eq!(outcome(&publish(&error, 0, TOPIC, "m").await), ("500", "InternalError"));
    assert!(error.sim.published().is_empty());
    let lost = room("healthy", "sns_lost=1").await;
    assert_eq!(outcome(&publish(&lost, 0, TOPIC, "m").await), ("500", "InternalError"));
    assert_eq!(outcome(&publish(&lost, 1, TOPIC, "").await), ("400", "InvalidParameter"));
    assert_eq!(lost.sim.published().len(), 1);
    let want = json!({"accepted_lost": 1, "InvalidParameter": 1});
    assert_eq!(attempts(&lost).await["outcomes"], want);
    let busy = room("healthy", "sns_throttle=1").await;
    let answer = publish(&busy, 0, TOPIC, "m").await;
    assert_eq!(outcome(&answer), ("400", "Throttling"));
    assert_eq!(answer.all("Message"), ["Rate exceeded"]);
}

#[tokio::test]
async fn a_cut_answer_belongs_to_an_accepted_message() {
    let room = room("healthy", "sns_cut=1").await;
    let answer = publish(&room, 0, TOPIC, "m").await;
    let announced: usize = answer.header("content-length").map_or(0, |n| n.parse().expect("n"));
    assert!(answer.status() == "200" && answer.body.len() < announced, "{answer:?}");
    assert_eq!(room.sim.published().len(), 1);
    let list = room.form("AKIA", "sns", 0, "Action=ListTopics").await;
    assert_eq!(list.all("TopicArn").len(), 2, "other answers are whole");
    assert_eq!(publish(&room, 0, "x", "m").await.all("Code"), ["InvalidParameter"]);
    assert_eq!(room.sim.publish_attempts().get("accepted_cut"), Some(&1));
}

#[tokio::test]
async fn a_slow_answer_is_held_back_after_the_message_was_accepted() {
    let room = room("healthy", "sns_slow_ms=2500").await;
    let pairs = [("Action", "Publish"), ("TopicArn", TOPIC), ("Message", "m")];
    let body = encoded(&pairs);
    let mut stream = room.open(&signed_in("eu-central-1", "AKIA", "sns", Some(0)), &body).await;
    let mut text = String::new();
    let early =
        tokio::time::timeout(Duration::from_secs(1), stream.read_to_string(&mut text)).await;
    assert!(early.is_err() && room.sim.published().len() == 1);
    assert_eq!(room.form("AKIA", "sns", 0, "Action=ListTopics").await.status(), "200");
    stream.read_to_string(&mut text).await.expect("answered");
    assert!(
        text.contains("200 OK") && text.contains("date: Sat, 21 Nov 2026 00:00:02 GMT"),
        "{text}"
    );
}

#[tokio::test]
async fn a_refusal_may_belong_to_a_topic_a_key_or_a_region() {
    let foreign = "arn:aws:sns:us-east-1:222222222222:alerts";
    let faults = format!("topic=pages,sns_deny=pages,foreign_topic={foreign}");
    let one = room("healthy", &faults).await;
    let pages = TOPIC.replace("nearmiss", "pages");
    let denied = publish(&one, 0, &pages, "m").await;
    assert_eq!(outcome(&denied), ("403", "AuthorizationError"));
    assert!(denied.all("Message")[0].contains(&format!("SNS:Publish on resource: {pages}")));
    assert_eq!(publish(&one, 0, TOPIC, "m").await.status(), "200");
    let wrong = publish(&one, 0, foreign, "m").await;
    assert_eq!(outcome(&wrong), ("400", "InvalidParameter"));
    assert_eq!(wrong.all("Message"), ["Invalid parameter: TopicArn"]);
    for (topic, want) in [
        (foreign, ("200", "")),
        (TOPIC, ("400", "InvalidParameter")),
        ("arn:aws:sns:us-east-1:222222222222:other", ("404", "NotFound")),
    ] {
        let pairs = [("TargetArn", topic), ("Message", "m")];
        let answer = publish_in(&one, "us-east-1", 0, &pairs).await;
        assert_eq!(outcome(&answer), want);
        assert!(want.0 != "400" || answer.all("Message") == ["Invalid parameter: TargetArn"]);
    }
    let kms = room("healthy", "sns_kms=KMSOptInRequired").await;
    assert_eq!(outcome(&publish(&kms, 0, TOPIC, "m").await), ("403", "KMSOptInRequired"));
    assert!(kms.sim.published().is_empty());
}

#[tokio::test]
async fn duplicates_get_the_first_answer_again_for_five_minutes() {
    let room = room("healthy", "").await;
    let topic = format!("{TOPIC}.fifo");
    let send = async |at: i64, group: &str, id: &str| {
        let ids = [("MessageGroupId", group), ("MessageDeduplicationId", id)];
        let pairs = [&[("TopicArn", topic.as_str()), ("Message", id)], &ids[..]].concat();
        let answer = publish_in(&room, "eu-central-1", at, &pairs).await;
        assert_eq!(answer.status(), "200", "{answer:?}");
        (answer.all("MessageId")[0].to_owned(), answer.all("SequenceNumber")[0].to_owned())
    };
    let first = send(0, "g", "1").await;
    let second = send(1, "g", "2").await;
    assert_eq!(send(299, "h", "1").await, first, "the whole topic is searched");
    let third = send(300, "g", "1").await;
    assert!(third.0 != first.0 && first.1 < second.1 && second.1 < third.1);
    let kept = room.page("/_sim/published").await;
    let of = |at: usize, name: &str| kept[at][name].clone();
    assert_eq!((of(2, "attempt"), of(2, "sequence_number")), (json!(4), json!(third.1)));
    assert_eq!(of(2, "accepted_at"), json!(START + 300));
    assert_eq!(attempts(&room).await["outcomes"], json!({"accepted": 3, "duplicate": 1}));
}

#[test]
fn impossible_topics_and_chats_are_refused() {
    let refuse = |faults: &str, change: fn(&mut Setup)| {
        let mut setup = Setup { faults: faults.parse().expect("valid"), ..Setup::of("healthy", 1) };
        change(&mut setup);
        Sim::new(setup).err()
    };
    let same = |_: &mut Setup| {};
    let own = "arn:aws:sns:us-east-1:123456789012:a";
    let bad = |name: &str| Some(SetupError::BadTopic(name.to_owned()));
    assert_eq!(refuse("topic=nearmiss", same), bad("nearmiss"));
    assert_eq!(refuse(&format!("foreign_topic={own}"), same), bad(own));
    assert_eq!(refuse("sns_deny=x", same), Some(SetupError::UnknownTopic("x".to_owned())));
    assert_eq!(refuse("", |one| one.topics.push("a b".to_owned())), bad("a b"));
    let chat = refuse("", |one| one.chat_configurations.push(String::new()));
    assert_eq!(chat, Some(SetupError::BadChat(String::new())));
    assert_eq!(refuse("topic=a,sns_deny=a", same), None);
}

fn asked(id: &str, metric: &str, period: i64, name: &str) -> Json {
    json!({"Id": id, "MetricStat": {"Period": period, "Stat": "Sum", "Metric": {
        "Namespace": "AWS/Chatbot", "MetricName": metric,
        "Dimensions": [{"Name": "ConfigurationName", "Value": name}]}}})
}

/// Asks `CloudWatch` of a region at a time.
async fn cloudwatch(room: &Room, region: &str, at: i64, what: &str, body: &Json) -> Answer {
    let signed = signed_in(region, "AKIA", "monitoring", Some(at));
    let head = format!("X-Amz-Target: GraniteServiceVersion20100801.{what}\r\n{signed}");
    room.send(&head, &body.to_string()).await
}

/// Points of the queries by minute of the scenario; all of them are complete.
async fn counted(room: &Room, region: &str, at: i64, queries: &[Json]) -> Vec<Vec<(i64, f64)>> {
    let body = json!({"MetricDataQueries": queries, "StartTime": START, "EndTime": START + 3_600});
    let answer = cloudwatch(room, region, at, "GetMetricData", &body).await.json();
    let results = answer["MetricDataResults"].as_array().cloned().unwrap_or_default();
    assert_eq!(results.len(), queries.len(), "{answer}");
    assert!(results.iter().all(|one| one["StatusCode"] == "Complete"));
    results.iter().map(|one| points(one).into_iter().collect()).collect()
}

fn notification(description: &str) -> String {
    json!({"version": "1.0", "source": "custom", "content": {"description": description}})
        .to_string()
}

#[tokio::test]
async fn chat_metrics_count_what_a_configuration_got() {
    let room = room("healthy", "chat_failing=3-3,topic=pages").await;
    let fine = notification("near misses");
    let structured = json!({"default": "plain", "https": fine}).to_string();
    publish(&room, 0, TOPIC, &fine).await;
    let pages = TOPIC.replace("nearmiss", "pages");
    let pairs =
        [("TopicArn", pages.as_str()), ("Message", &structured), ("MessageStructure", "json")];
    publish_in(&room, "eu-central-1", 30, &pairs).await;
    publish(&room, 61, TOPIC, &structured).await;
    publish(&room, 180, TOPIC, &fine).await;
    let ids = [("MessageGroupId", "g"), ("MessageDeduplicationId", "1")];
    let fifo = format!("{TOPIC}.fifo");
    let pairs = [&[("TopicArn", fifo.as_str()), ("Message", &fine)], &ids[..]].concat();
    publish_in(&room, "eu-central-1", 180, &pairs).await;
    for _ in 0..12 {
        publish(&room, 240, TOPIC, &fine).await;
    }
    let names = ["EventsProcessed", "UnsupportedEvents", "MessageDeliverySuccess"];
    let more = ["MessageDeliveryFailure", "EventsThrottled"];
    let names = names.iter().chain(&more).enumerate();
    let mut queries: Vec<Json> =
        names.map(|(at, name)| asked(&format!("m{at}"), name, 60, "ops")).collect();
    queries.push(asked("long", "EventsProcessed", 300, "ops"));
    queries.push(asked("other", "EventsProcessed", 60, "other"));
    let got = counted(&room, "us-east-1", 300, &queries).await;
    let want: [&[(i64, f64)]; 7] = [
        &[(0, 2.0), (3, 1.0), (4, 10.0)],
        &[(1, 1.0)],
        &[(0, 2.0), (4, 10.0)],
        &[(3, 1.0)],
        &[(4, 2.0)],
        &[(0, 13.0)],
        &[],
    ];
    assert_eq!(got, want);
    let elsewhere = counted(&room, "eu-central-1", 300, &queries).await;
    assert!(elsewhere.iter().all(Vec::is_empty));
    let body = json!({"Namespace": "AWS/Chatbot", "Dimensions": [{"Name": "ConfigurationName"}]});
    let list = cloudwatch(&room, "us-east-1", 300, "ListMetrics", &body).await.json();
    assert_eq!(list["Metrics"].as_array().map(Vec::len), Some(5), "{list}");
    assert_eq!(list["Metrics"][0]["Dimensions"][0]["Value"], "ops");
    let list = cloudwatch(&room, "eu-central-1", 300, "ListMetrics", &body).await.json();
    assert_eq!(list["Metrics"], json!([]));
}

#[tokio::test]
async fn chat_metrics_are_published_late_and_asked_for_exactly() {
    let room = room("healthy", "publish=90").await;
    publish(&room, 0, TOPIC, &notification("x")).await;
    let query = [asked("q", "EventsProcessed", 60, "ops")];
    assert_eq!(counted(&room, "us-east-1", 149, &query).await, [vec![]]);
    assert_eq!(counted(&room, "us-east-1", 150, &query).await, [vec![(0, 1.0)]]);
    let mut average = query[0].clone();
    average["MetricStat"]["Stat"] = json!("Average");
    let mut dimension = query[0].clone();
    dimension["MetricStat"]["Metric"]["Dimensions"][0]["Name"] = json!("Configuration");
    for wrong in [asked("q", "EventProcessed", 60, "ops"), average, dimension] {
        let body = json!({"MetricDataQueries": [wrong], "StartTime": START, "EndTime": START + 60});
        let answer = cloudwatch(&room, "us-east-1", 150, "GetMetricData", &body).await;
        assert!(answer.status() == "400" && answer.body.contains("SimUnknownMetric"), "{answer:?}");
    }
}
