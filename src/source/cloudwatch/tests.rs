//! What CloudWatch costs when it answers as it never should.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use ciborium::Value;

use super::request::{Query, Wanted};
use super::{Answer, CloudWatch, Points, RateLimiter};
use crate::config::Quotas;
use crate::edge::aws::testing::{Asked, Does, Server, sdk};
use crate::edge::aws::{ErrorKind, Skew, Usage};

/// Load balancers of a small account, and the minutes that are read of each.
const LOAD_BALANCERS: usize = 60;
const MINUTES: i64 = 10;
/// Attempts of the SDK at one request.
const ATTEMPTS: usize = 3;

fn map(pairs: Vec<(&str, Value)>) -> Value {
    Value::Map(pairs.into_iter().map(|(key, value)| (Value::from(key), value)).collect())
}

fn cbor(status: u16, value: &Value) -> Vec<u8> {
    let mut body = Vec::new();
    ciborium::into_writer(value, &mut body).unwrap();
    let head = format!(
        "HTTP/1.1 {status} X\r\nsmithy-protocol: rpc-v2-cbor\r\nContent-Type: application/cbor\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body].concat()
}

fn error(status: u16, code: &str) -> Vec<u8> {
    cbor(status, &map(vec![("__type", code.into()), ("message", "no".into())]))
}

fn page(results: Vec<Value>, token: Option<&str>) -> Vec<u8> {
    let results = ("MetricDataResults", Value::Array(results));
    let token = token.map(|token| ("NextToken", token.into()));
    cbor(200, &map([results].into_iter().chain(token).collect()))
}

fn result(id: &str, status: &str) -> Value {
    let none = || Value::Array(Vec::new());
    map(vec![
        ("Id", id.into()),
        ("StatusCode", status.into()),
        ("Timestamps", none()),
        ("Values", none()),
    ])
}

async fn read(server: &Server) -> (Vec<Answer<Vec<Points>>>, Usage) {
    let fast = NonZeroU32::MAX;
    let quotas =
        Quotas { requests_per_second: fast, datapoints_per_second: fast, ..Quotas::default() };
    let pace = Arc::new(RateLimiter::of(&quotas));
    let cloudwatch = CloudWatch::new(&sdk(server.address).await, pace, None, &Skew::default());
    let wanted = |number: usize| {
        let queries = ["A", "B", "C", "D", "E"].map(|metric| Query::plain(metric, "Sum")).to_vec();
        Wanted::about("AWS/X", ("Y", number.to_string()), 0, queries)
    };
    let wanted: Vec<Wanted> = (0..LOAD_BALANCERS).map(wanted).collect();
    cloudwatch.read(&wanted, 60, MINUTES * 60, Duration::from_secs(30)).await
}

/// The outcome of all answers, and how many requests they took.
async fn all(does: impl Fn(Asked) -> Does + Send + Sync + 'static) -> (ErrorKind, String, usize) {
    let server = Server::new(does).await;
    let (answers, usage) = read(&server).await;
    let faults: Vec<_> = answers.iter().map(|answer| answer.as_ref().unwrap_err()).collect();
    assert_eq!(faults.len(), LOAD_BALANCERS);
    assert!(faults.iter().all(|fault| fault.problem == faults[0].problem), "{faults:?}");
    assert!(usage.billed_metrics <= 300 * server.requests() as u64);
    (faults[0].problem, faults[0].said.clone(), server.requests())
}

#[tokio::test]
async fn what_is_of_the_account_is_asked_once() {
    for (status, code, problem) in [
        (400, "InvalidSignatureException", ErrorKind::Credentials),
        (400, "RequestExpired", ErrorKind::Clock),
        (403, "InvalidAccessKeyId", ErrorKind::Credentials),
        (400, "AccessDeniedException", ErrorKind::Denied),
        (400, "OptInRequired", ErrorKind::Refused),
        (400, "UnknownOperationException", ErrorKind::Refused),
    ] {
        let (found, _, requests) = all(move |_| Does::Says(error(status, code))).await;
        assert_eq!((found, requests), (problem, 1), "{code}");
    }
}

#[tokio::test]
async fn a_service_that_fails_is_not_asked_for_each_load_balancer() {
    // One request, then six smaller ones, which fail alike: not sixty.
    let (problem, _, requests) = all(|_| Does::Says(error(500, "InternalServiceFault"))).await;
    assert_eq!((problem, requests), (ErrorKind::Failed, 7 * ATTEMPTS));
    let (problem, said, requests) = all(|_| Does::Says(cbor(200, &Value::Array(vec![])))).await;
    assert_eq!((problem, requests), (ErrorKind::Failed, 7), "{said}");
}

#[tokio::test]
async fn what_one_load_balancer_is_refused_for_stays_its_own() {
    let server = Server::new(|asked| {
        // The value 7 of a dimension, as CBOR spells it: a text of one byte.
        if asked.text.contains("eValuea7") {
            return Does::Says(error(400, "InvalidParameterValueException"));
        }
        let gateways = asked.text.matches("MetricStat").count() / 5;
        let ids = (0..gateways).flat_map(|g| (0..5).map(move |q| format!("g{g}_{q}")));
        Does::Says(page(ids.map(|id| result(&id, "Complete")).collect(), None))
    })
    .await;
    let (answers, _) = read(&server).await;
    let refused: Vec<usize> = (0..LOAD_BALANCERS).filter(|n| answers[*n].is_err()).collect();
    assert_eq!(refused, [7]);
    assert_eq!(server.requests(), 1 + 6 + 10);
}

#[tokio::test]
async fn a_result_that_is_forbidden_is_a_denial_of_that_one() {
    let server = Server::new(|_| {
        let ids = (0..LOAD_BALANCERS).flat_map(|g| (0..5).map(move |q| format!("g{g}_{q}")));
        let status = |id: &str| if id == "g7_2" { "Forbidden" } else { "Complete" };
        Does::Says(page(ids.map(|id| result(&id, status(&id))).collect(), None))
    })
    .await;
    let (answers, _) = read(&server).await;
    let problems: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].problem, ErrorKind::Denied);
    assert!(problems[0].advice().contains("Allow cloudwatch:GetMetricData"), "{problems:?}");
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn pages_have_an_end() {
    let empty = Server::says(page(vec![], Some(""))).await;
    let (answers, _) = read(&empty).await;
    assert!(answers[0].as_ref().unwrap_err().said.contains("no result for A"), "{answers:?}");
    // Asked in parts, but never for a page after the last one.
    assert!(empty.requests() <= 1 + 6 + LOAD_BALANCERS, "{}", empty.requests());

    let (_, said, requests) = all(|_| Does::Says(page(vec![], Some("again")))).await;
    assert!(said.contains("leads back"), "{said}");
    assert_eq!(requests, 7 * 2);

    let (_, said, requests) =
        all(|asked| Does::Says(page(vec![], Some(&asked.number.to_string())))).await;
    assert!(said.contains("more than the"), "{said}");
    assert!(requests <= 100, "{requests}");
}

#[tokio::test]
async fn more_than_was_asked_for_is_no_answer() {
    let (problem, said, _) = all(|_| {
        let results = (0..1000).map(|n| result(&format!("g{n}_0"), "Complete"));
        Does::Says(page(results.collect(), None))
    })
    .await;
    assert_eq!(problem, ErrorKind::Incomplete);
    assert!(said.contains("1000 results for"), "{said}");
}
