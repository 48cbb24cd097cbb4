//! What the report claims of made-up gateways, and that its forms keep to their limits.

mod forms;
mod scene;

use serde_json::Value;

use crate::capacity::Digest;
use crate::detect::Rule;
use crate::series::history::{Known, QuarterHourStats};
use crate::time::Minute;
use scene::{
    END, Made, answers, bad_afternoon, calm, censored, cut_off, digest, expecting, growing,
    half_unknown, nightly, shorter_before,
};

/// The first gateway of a report in one line.
fn said(digest: &Digest) -> String {
    let report = digest.machine();
    let first = &report["gateways"][0];
    if first.is_null() {
        let fleet = &report["fleet"];
        return format!(
            "comfortable {} idle {} unknown {}",
            fleet["comfortable"], fleet["idle"], fleet["unknown"]
        );
    }
    let peak = &first["usual_peak"];
    format!(
        "headroom {} before {} {} | usual {}{} highest {} | near {} 504s {} | {} of 7 d",
        short(&first["headroom"]),
        short(&first["headroom_before"]),
        first["trend"].as_str().unwrap(),
        if peak["at_least"] == true { ">=" } else { "" },
        short(&peak["p99_seconds"]),
        short(&first["highest"]["p99_seconds"]),
        first["now"]["near_misses"],
        first["now"]["timeouts"],
        short(&first["now"]["known_days"]),
    )
}

fn short(value: &Value) -> String {
    value.as_f64().map_or("-".to_owned(), |figure| format!("{figure:.2}"))
}

fn known(days: impl Fn(i64) -> Known) -> Made {
    Made::new("web", move |day, _| days(day))
}

fn raised() -> Made {
    let mut made = Made::new("web", shorter_before);
    made.timeouts.push((END.plus(-40 * 1440), 30.0));
    made
}

fn unasked(day: i64, quarter_hour: i64) -> Known {
    match growing(day, quarter_hour) {
        Known::Measured(summary) => {
            Known::Measured(QuarterHourStats { near_misses: None, ..summary })
        }
        other => other,
    }
}

fn few(day: i64, quarter_hour: i64) -> Known {
    match day {
        0..7 => Known::Unknown,
        _ => Known::Measured(answers(20.0, if quarter_hour == 40 { 45.0 } else { 2.0 })),
    }
}

#[test]
fn a_gateway_stands_where_its_usual_day_puts_it() {
    let rows = [
        (
            "it grows",
            Made::new("web", growing),
            "headroom 0.28 before 0.57 up | usual 43.00 highest 50.50 | near 144 504s 0 | 7.00 of 7 d",
        ),
        (
            "one bad afternoon",
            Made::new("web", bad_afternoon),
            "headroom 0.95 before 0.95 same | usual 3.00 highest 55.73 | near 2560 504s 80 | 7.00 of 7 d",
        ),
        (
            "a constant job at night",
            Made::new("web", nightly),
            "headroom 0.17 before 0.17 same | usual 50.00 highest 50.00 | near 42 504s 0 | 7.00 of 7 d",
        ),
        (
            "504s censor the p99",
            Made::new("web", censored),
            "headroom 0.00 before 0.00 same | usual >=60.00 highest 60.00 | near 0 504s 2240 | 7.00 of 7 d",
        ),
        (
            "half a week is unknown",
            Made::new("web", half_unknown),
            "comfortable 1 idle 0 unknown 0",
        ),
        ("no traffic", known(|_| Known::Idle), "comfortable 0 idle 1 unknown 0"),
        ("nothing is known", known(|_| Known::Unknown), "comfortable 0 idle 0 unknown 1"),
        ("always calm", Made::new("web", calm), "comfortable 1 idle 0 unknown 0"),
        (
            "a timeout that changed",
            raised(),
            "headroom 0.57 before 0.57 same | usual 26.00 highest 26.00 | near 600 504s 0 | 7.00 of 7 d",
        ),
        (
            "504s cut it off at another timeout",
            Made::new("web", cut_off),
            "headroom 0.32 before 0.50 unknown | usual 41.00 highest 41.00 | near 0 504s 960 | 7.00 of 7 d",
        ),
        (
            "near misses were not asked",
            Made::new("web", unasked),
            "headroom 0.28 before 0.57 up | usual 43.00 highest 50.50 | near null 504s 0 | 7.00 of 7 d",
        ),
        (
            "few requests",
            Made::new("web", few),
            "headroom 0.25 before - unknown | usual 45.00 highest 45.00 | near 0 504s 0 | 7.00 of 7 d",
        ),
    ];
    let found: Vec<String> = rows
        .iter()
        .map(|(name, made, _)| format!("{name}: {}", said(&digest(std::slice::from_ref(made)))))
        .collect();
    let expected: Vec<String> =
        rows.iter().map(|(name, _, said)| format!("{name}: {said}")).collect();
    assert_eq!(found, expected);
}

fn changes(made: &Made) -> Vec<String> {
    let report = digest(std::slice::from_ref(made)).machine();
    report["changes"]["listed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            let words = change.as_object().unwrap().iter().skip(1);
            words
                .map(|(key, value)| format!("{key} {value}"))
                .collect::<Vec<_>>()
                .join(" ")
                .replace('"', "")
        })
        .collect()
}

#[test]
fn what_changed_is_told_and_nothing_else_is() {
    let changed = |timeouts: &[(Minute, f64)], healthy, quarter_hour: fn(i64, i64) -> Known| {
        let mut made = Made::new("web", quarter_hour);
        made.timeouts = timeouts.to_vec();
        made.healthy = healthy;
        made
    };
    let since = |days: i64| {
        move |day: i64, quarter_hour: i64| {
            if day < days { Known::Idle } else { calm(day, quarter_hour) }
        }
    };
    let until = |days: i64, then: Known| {
        move |day: i64, quarter_hour: i64| if day < days { calm(day, quarter_hour) } else { then }
    };
    let long_ago = END.plus(-40 * 1440);
    let rows: Vec<(&str, Made, &[&str])> = vec![
        ("nothing", Made::new("web", calm), &[]),
        (
            "seen in the history",
            changed(&[], None, shorter_before),
            &["change timeout from_seconds 30.0 to_seconds 60.0 at 2026-01-08T12:00Z"],
        ),
        (
            "the older one handed in",
            changed(&[(long_ago, 30.0)], None, shorter_before),
            &["change timeout from_seconds 30.0 to_seconds 60.0 at 2026-01-08T12:00Z"],
        ),
        (
            "both handed in",
            changed(&[(long_ago, 30.0), (END.plus(-2880), 60.0)], None, calm),
            &["change timeout from_seconds 30.0 to_seconds 60.0 at 2026-01-10T00:00Z"],
        ),
        (
            "changed before the week",
            changed(&[(long_ago, 30.0), (END.plus(-20_000), 60.0)], None, calm),
            &[],
        ),
        (
            "fewer targets",
            changed(&[], Some((6.0, 4.0)), calm),
            &["change healthy_targets from 6.0 to 4.0"],
        ),
        ("as many targets", changed(&[], Some((6.0, 5.8)), calm), &[]),
        ("no number of targets", changed(&[], Some((f64::NAN, 4.0)), calm), &[]),
        ("new", Made::new("web", since(10)), &["change new at 2026-01-08T00:00Z"]),
        ("new before the week", Made::new("web", since(5)), &[]),
        (
            "silent",
            Made::new("web", until(7, Known::Idle)),
            &["change silent since 2026-01-05T00:00Z data idle"],
        ),
        (
            "without data",
            Made::new("web", until(10, Known::Unknown)),
            &["change silent since 2026-01-08T00:00Z data unknown"],
        ),
        ("idle on a weekend", Made::new("web", until(12, Known::Idle)), &[]),
        (
            "known from the middle on",
            Made::new("web", |d, q| if d < 10 { Known::Unknown } else { calm(d, q) }),
            &[],
        ),
    ];
    for (name, made, expected) in rows {
        assert_eq!(changes(&made), expected, "{name}");
    }
}

#[test]
fn a_forecast_is_the_soonest_of_the_rules_or_else_the_growth_of_two_weeks() {
    let by = |made: &Made| {
        let report = digest(std::slice::from_ref(made)).machine();
        let first = &report["forecasts"]["listed"][0];
        format!("{} {} {} {}", first["rule"], first["earliest"], first["expected"], first["latest"])
            .replace('"', "")
    };
    let mut ruled = Made::new("web", growing);
    ruled.evaluations.push(expecting(Rule::RecurringJob, [24.0, 48.0, 72.0]));
    ruled.evaluations.push(expecting(Rule::Drift, [1.0, 2.0, 3.0]));
    let mut far = Made::new("web", calm);
    far.evaluations.push(expecting(Rule::Drift, [1.0, 1e12, 1e300]));
    let rows = [
        (Made::new("web", growing), "null 2026-01-12T23:56Z 2026-01-15T09:07Z 2026-01-16T09:27Z"),
        (ruled, "drift 2026-01-12T01:00Z 2026-01-12T02:00Z 2026-01-12T03:00Z"),
        (Made::new("web", bad_afternoon), "null null null null"),
        (Made::new("web", nightly), "null null null null"),
        (Made::new("web", censored), "null null null null"),
        (far, "null null null null"),
    ];
    for (made, expected) in rows {
        assert_eq!(by(&made), expected);
    }
}

#[test]
fn missing_is_never_told_as_zero() {
    let made = [Made::new("dark", |_, _| Known::Unknown), Made::new("half", half_unknown)];
    let text = digest(&made).text();
    assert!(text.contains("1 gateway without data: dark"), "{text}");
    assert!(text.contains("half (3.5 of 7 days)"), "{text}");
    assert!(text.contains("; the 7 days before are not known"), "{text}");
    let mut silent = Made::new("web", calm);
    silent.without_data = true;
    assert!(digest(&[silent]).text().contains("1 gateway without data: web"));
}

#[test]
fn weeks_are_compared_only_over_gateways_known_in_both() {
    let made = [Made::new("half", half_unknown), Made::new("web", bad_afternoon)];
    let headline = digest(&made).headline();
    assert!(headline.contains("over the 1 gateway known in both: "), "{headline}");
    assert!(headline.contains("near misses from 0 to 2,560, 504s from 0 to 80"), "{headline}");
}

#[test]
fn a_day_without_a_full_hour_of_reading_is_known() {
    let late = |day: i64, quarter_hour: i64| {
        if day == 13 && quarter_hour >= 90 { Known::Unknown } else { calm(day, quarter_hour) }
    };
    assert!(!digest(&[Made::new("web", late)]).text().contains("not known"));
}
