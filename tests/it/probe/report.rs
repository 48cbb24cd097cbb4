//! From an answer to a report: the verdict, the timeout, the words.

use std::time::Duration;

use nearmiss::edge::probe::{Options, Outcome};
use nearmiss::probe::{Report, Verdict};
use nearmiss_core::answer::phase::Phase;
use nearmiss_core::answer::speaker::{Confidence, Hop};
use nearmiss_core::answer::timeouts::Timeout;

use crate::probe::peer::{ask, impatient, nobody, patient, says, says_and_stays};

const ALB: &str = "HTTP/1.1 504 Gateway Time-out\r\nServer: awselb/2.0\r\nContent-Type: text/html\r\n\
    Content-Length: 132\r\nConnection: close\r\n\r\n<html>\r\n<head><title>504 Gateway Time-out</title></head>\r\n\
    <body>\r\n<center><h1>504 Gateway Time-out</h1></center>\r\n</body>\r\n</html>\r\n";

/// As if the first byte had come this late. Nobody has 60 s for a test.
fn later(mut outcome: Outcome, seconds: f64) -> Outcome {
    for timing in &mut outcome.phases {
        match timing.phase {
            Phase::FirstByte => timing.seconds += seconds,
            Phase::Body => timing.start += seconds,
            _ => {}
        }
    }
    outcome.seconds += seconds;
    outcome
}

#[tokio::test]
async fn a_load_balancer_that_gave_up_is_named_with_its_timeout() {
    let outcome = later(ask("http", says(ALB).await, &patient()).await, 60.03);
    let report = Report::of(outcome, &[]);
    assert_eq!(report.verdict, Verdict::Error);
    assert_eq!(report.verdict.exit_code(), 1);
    let speaker = report.speaker.as_ref().unwrap();
    assert_eq!((speaker.hop, speaker.confidence), (Some(Hop::Alb), Confidence::Certain));
    let text = report.to_string();
    for line in [
        "504 after 60 s, written by Application Load Balancer.\n",
        "This fits Application Load Balancer idle_timeout: 60 s (the default).\n",
        "##############################\n",
        "  server: awselb/2.0\n",
        "\nNext\n  Find the request in the access log",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["verdict"], "error");
    assert_eq!(json["speaker"]["hop"], "alb");
    assert_eq!(json["fits"][0]["name"], "idle_timeout");
    assert_eq!(json["answer"]["status"], 504);
    assert_eq!(json["phases"][2]["phase"], "first_byte");
}

#[tokio::test]
async fn a_quick_504_fits_nothing() {
    let report = Report::of(ask("http", says(ALB).await, &patient()).await, &[]);
    assert!(report.fits.is_empty(), "{:?}", report.fits);
}

#[tokio::test]
async fn a_good_answer_close_to_a_timeout_is_a_near_miss() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let idle = [Timeout::configured(Hop::Alb, "idle_timeout", Duration::from_mins(1))];
    for (waited, near) in [(47.0, 0), (48.5, 1), (59.0, 1), (60.5, 0)] {
        let outcome = later(ask("http", says(ok).await, &patient()).await, waited);
        let report = Report::of(outcome, &idle);
        assert_eq!(report.verdict.exit_code(), 0);
        assert_eq!(report.near.len(), near, "{waited}");
    }
}

#[tokio::test]
async fn a_report_says_what_happened_in_its_first_line() {
    let (_socket, refuses) = nobody();
    let broken = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc";
    let missing = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    let nobody_signed = "HTTP/1.1 503 Sorry\r\nContent-Length: 0\r\n\r\n";
    let rows: [(_, Options, _, _); 5] = [
        (refuses, patient(), 1, "No answer: the connection was refused, after "),
        (
            says_and_stays("").await,
            impatient(),
            1,
            "No answer: we stopped waiting for the first byte after ",
        ),
        (says(broken).await, patient(), 1, ", but the body ended after 3 of 100 bytes."),
        (says(missing).await, patient(), 0, ": it answered."),
        (says(nobody_signed).await, patient(), 1, ", and nobody signed it."),
    ];
    for (address, options, code, line) in rows {
        let report = Report::of(ask("http", address, &options).await, &[]);
        assert!(report.headline.contains(line), "{}", report.headline);
        assert_eq!(report.verdict.exit_code(), code, "{}", report.headline);
        assert_eq!(report.next.is_empty(), code == 0, "{report}");
    }
}

#[tokio::test]
async fn a_terminal_is_not_obeyed() {
    let evil = "HTTP/1.1 302 Found\r\nLocation: /a\u{9b}31m\r\nContent-Length: 0\r\n\r\n";
    let text = Report::of(ask("http", says(evil).await, &patient()).await, &[]).to_string();
    assert!(text.contains("/a"), "{text}");
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
}
