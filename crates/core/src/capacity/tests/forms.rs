//! The forms of the report: what they look like, and their limits.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use crate::capacity::tests::scene::{
    END, Made, calm, digest, expecting, growing, mixed, nightly, open,
};
use crate::capacity::{Bill, Digest};
use crate::detect::Rule;
use crate::detect::outlook::History;
use crate::series::history::{Known, QuarterHour, QuarterHourStats};
use crate::time::Minute;

#[test]
fn a_mixed_fleet_is_told_in_every_form() {
    let digest = digest(&mixed());
    insta::assert_snapshot!("text", digest.text());
    insta::assert_snapshot!("markdown", digest.markdown());
    insta::assert_snapshot!("chat", digest.chat());
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&digest.machine()).unwrap());
}

#[test]
fn the_document_shows_what_is_rendered() {
    let document = include_str!("../../../../../docs/report.md");
    let example = document.split("```text\n").nth(1).and_then(|rest| rest.split("```").next());
    assert_eq!(example, Some(digest(&mixed()).text().as_str()));
}

#[test]
fn the_order_of_the_facts_does_not_matter() {
    let mut turned = mixed();
    turned.reverse();
    assert_eq!(digest(&turned), digest(&mixed()));
    assert_eq!(digest(&turned).id(), "digest/monitor-1/2026-01-12T00:00Z");
}

#[test]
fn two_thousand_gateways_are_counted_and_twenty_shown() {
    let close = (0..500).map(|i| Made::new(&format!("close-{i:04}"), nightly));
    let made: Vec<Made> = close
        .map(|mut made| {
            made.evaluations.push(expecting(Rule::RecurringJob, [20.0, 30.0, 40.0]));
            made.state.records.push(open(&made.gateway, Rule::RecurringJob, 60));
            made
        })
        .chain((0..1500).map(|i| Made::new(&format!("calm-{i:04}"), calm)))
        .collect();
    let digest = digest(&made);
    let text = digest.text();
    assert!(text.contains("480 more came close. Comfortable: 1,500 gateways."), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("close-")).count(), 20);
    assert!(text.lines().count() < 80, "{text}");
    let report = digest.machine();
    assert_eq!(report["gateways"].as_array().map(Vec::len), Some(500));
    assert_eq!(report["forecasts"]["count"], 500);
    let chat = digest.chat();
    assert!(chat.chars().count() <= 2_500, "{chat}");
    assert!(chat.ends_with("more lines in the whole report."), "{chat}");
}

#[test]
fn names_of_any_length_and_kind_fit() {
    let long = "<&@|`*\n".repeat(1_500);
    let mut made: Vec<Made> = (0..12).map(|_| Made::new(&long, growing)).collect();
    for (i, made) in made.iter_mut().enumerate() {
        made.gateway.id.account = format!("{i:012}");
        made.state.records.push(open(&made.gateway, Rule::Drift, 60));
    }
    let digest = digest(&made);
    assert!(digest.text().lines().all(|line| line.chars().count() < 500), "{}", digest.text());
    let rows = digest.markdown();
    let rows: Vec<&str> = rows.lines().filter(|line| line.starts_with("| ")).collect();
    assert!(rows.iter().all(|row| row.matches(" | ").count() == 8), "{rows:?}");
    assert!(digest.chat().chars().count() <= 2_500);
    assert!(digest.machine().to_string().len() < 100_000);
}

#[test]
fn gateways_of_one_name_are_told_apart() {
    let mut made = vec![Made::new("web", growing), Made::new("web", growing)];
    made[1].gateway.id.region = "us-east-1".into();
    let text = digest(&made).text();
    for label in ["web (eu-central-1 111122223333)", "web (us-east-1 111122223333)"] {
        assert!(text.contains(label), "{text}");
    }
}

#[test]
fn a_report_on_nothing_says_so() {
    let digest = Digest::of(&[], END, 7, None, "monitor-1");
    assert!(digest.headline().starts_with("No requests were seen in 7 days"));
    assert!(digest.chat().lines().count() == 1, "{}", digest.chat());
    assert_eq!(digest.machine()["cost"], Value::Null);
}

fn figure() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 0.0..5_000.0_f64,
        1 => prop_oneof![Just(0.0), Just(f64::NAN), Just(f64::INFINITY), Just(-1.0), Just(1e300)],
    ]
}

fn summary() -> impl Strategy<Value = QuarterHourStats> {
    let figures = (figure(), figure(), figure(), figure(), figure(), figure());
    (figures, proptest::option::of(figure()), figure()).prop_map(
        |((samples, p50, p99, maximum, timeouts, connections), near_misses, timeout)| {
            QuarterHourStats {
                samples,
                sum: Some(samples),
                p50: Some(p50),
                p99: Some(p99),
                maximum: Some(maximum),
                near_misses,
                timeouts,
                connection_errors: Some(connections),
                timeout,
            }
        },
    )
}

/// Every number is finite.
fn check(value: &Value) {
    match value {
        Value::Number(number) => assert!(number.as_f64().is_some_and(f64::is_finite)),
        Value::Array(all) => all.iter().for_each(check),
        Value::Object(all) => all.values().for_each(check),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_gives_a_report_without_nonsense(
        quarter_hours in vec((0..1_400_i64, summary()), 0..120),
        seconds in 0.001..5_000.0_f64,
        older in vec((-30_000..10_i64, figure()), 0..4),
        healthy in proptest::option::of((figure(), figure())),
        dollars in figure(),
        days in 0..40_u32,
        end in prop_oneof![9 => Just(END), 1 => any::<i64>().prop_map(Minute)],
    ) {
        let mut made = Made::new("web", |_, _| Known::Unknown);
        let mut history = History::new();
        for (age, summary) in quarter_hours {
            history.enter(QuarterHour::containing(END).plus(-age), &summary);
        }
        made.history = history;
        made.gateway.timeout.seconds = seconds;
        made.timeouts = older.into_iter().map(|(at, seconds)| (END.plus(at), seconds)).collect();
        made.healthy = healthy;
        let bill = Bill { billed_metrics: u64::MAX, dollars };
        let digest = Digest::of(&[made.facts()], end, days, Some(bill), "monitor-1");
        let report = digest.machine();
        check(&report);
        for gateway in report["gateways"].as_array().unwrap() {
            prop_assert!(!gateway["timeout_seconds"].is_null(), "{gateway}");
            prop_assert!(gateway["now"]["requests"].is_u64(), "{gateway}");
        }
        for form in [digest.text(), digest.markdown(), digest.chat()] {
            for bad in ["NaN", "inf ", "inf.", " -0", "$-"] {
                prop_assert!(!form.contains(bad), "{bad}: {form}");
            }
        }
        prop_assert!(digest.chat().chars().count() <= 2_500);
        prop_assert_eq!(&digest, &Digest::of(&[made.facts()], end, days, Some(bill), "monitor-1"));
    }
}
