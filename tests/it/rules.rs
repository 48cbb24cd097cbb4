//! What must speak, and what must not.

use nearmiss::analysis::alert::{Reason, Record};
use nearmiss::analysis::assess;
use nearmiss::analysis::detector::{Detectors, Rule, Severity, State};
use nearmiss::analysis::history::{History, Known, Mark, QUARTERS, Quarter, Summary};
use nearmiss::analysis::notify::Desk;
use nearmiss::analysis::signal::{Signal, Snapshot};
use nearmiss::analysis::tier::Tier;

use crate::made_up::{
    NOW, breaching, calm, gateway, history, minutes, ordinary, real, report, rules,
};

#[test]
fn each_rule_speaks_of_its_own_trouble_and_of_no_other() {
    type Change = fn(i64, &mut dyn FnMut(Signal, f64));
    let rows: [(&str, Change, &[Rule]); 8] = [
        ("nothing", |_, _| {}, &[]),
        (
            "a lone 504",
            |age, set| {
                if age == 3 {
                    set(Signal::Timeouts, 1.0);
                }
            },
            &[],
        ),
        (
            "one near miss in a while",
            |age, set| {
                if age % 20 == 0 {
                    set(Signal::NearMisses, 1.0);
                }
            },
            &[],
        ),
        (
            "many near misses",
            |age, set| {
                if age < 5 {
                    set(Signal::NearMisses, 4.0);
                }
            },
            &[Rule::NearMiss],
        ),
        (
            "a few 504s at once",
            |age, set| {
                if age < 3 {
                    set(Signal::Timeouts, 1.0);
                }
            },
            &[Rule::AtLimit],
        ),
        (
            "504s of failed connections",
            |age, set| {
                if age < 5 {
                    set(Signal::Timeouts, 2.0);
                    set(Signal::ConnectionErrors, 2.0);
                }
            },
            &[Rule::Unreachable],
        ),
        (
            "requests and no answer",
            |age, set| {
                if age < 2 {
                    set(Signal::Samples, 0.0);
                }
            },
            &[Rule::Blackout],
        ),
        ("5 % fail", |_, set| set(Signal::Timeouts, 15.0), &[Rule::AtLimit, Rule::BurnRate]),
    ];
    for (trouble, change, expected) in rows {
        assert_eq!(rules(&minutes(change), &mut history(8, |_, _| {})), expected, "{trouble}");
    }
}

#[test]
fn what_happens_at_this_time_every_day_is_usual_also_after_the_clocks_changed() {
    let now = minutes(|age, set| {
        if age < 10 {
            set(Signal::NearMisses, 3.0);
        }
    });
    for (shift, expected) in [(0, vec![]), (4, vec![]), (-4, vec![]), (40, vec![Rule::NearMiss])] {
        let mut history = history(8, |age, summary| {
            if (age + shift) % 96 == 1 || (age + shift) % 96 == 95 {
                summary.near_misses = Some(28.0);
            }
        });
        assert_eq!(rules(&now, &mut history), expected, "shifted by {shift} quarters");
    }
}

#[test]
fn an_outage_last_week_does_not_hide_todays_unless_it_was_called_benign() {
    let now = minutes(|age, set| {
        if age < 10 {
            set(Signal::NearMisses, 3.0);
        }
    });
    for (mark, expected) in
        [(Mark::Usual, vec![]), (Mark::Incident, vec![Rule::NearMiss]), (Mark::Benign, vec![])]
    {
        let mut history = history(8, |age, summary| {
            if age / 96 == 6 {
                summary.near_misses = Some(60.0);
            }
        });
        history.mark(NOW.plus(-7 * 1440), NOW.plus(-6 * 1440), mark);
        history.mark(
            NOW.plus(-7 * 1440),
            NOW.plus(-6 * 1440),
            match mark {
                Mark::Usual => Mark::Usual,
                Mark::Incident | Mark::Benign => Mark::Incident,
            },
        );
        assert_eq!(rules(&now, &mut history), expected, "{mark:?}");
    }
}

#[test]
fn a_p99_that_grows_is_forecast_with_a_range() {
    let mut history = history(8, |age, summary| {
        if age <= 24 {
            summary.p99 = Some(40.0 * 0.93_f64.powf(real(age)));
            summary.maximum = Some(44.0 * 0.93_f64.powf(real(age)));
        }
    });
    let found = breaching(&calm(), &mut history);
    assert_eq!(found.iter().map(|v| v.rule).collect::<Vec<_>>(), [Rule::Drift]);
    let forecast = found[0].forecast.unwrap();
    // 37.2 s times 1.075 a quarter: about 53 s after five quarters, 60 s after seven.
    assert!((3_000.0..7_000.0).contains(&forecast.mid), "{forecast:?}");
    assert!(forecast.low <= forecast.mid && forecast.mid <= forecast.high);
    assert!(found[0].why.contains("reaches the 60 s timeout in about"), "{}", found[0].why);
}

#[test]
fn always_slow_is_no_drift_and_no_stir() {
    let mut history = history(8, |_, summary| summary.p99 = Some(45.0));
    let snapshot = minutes(|_, set| set(Signal::P99, 45.0));
    let report = report(&snapshot, &mut history, Vec::new());
    assert!(report.verdicts.iter().all(|v| v.state != State::Breaching));
    assert_eq!(report.tier, Tier::Calm);
}

#[test]
fn a_growing_queue_is_told_and_a_step_is_not() {
    let queue = |age: i64, summary: &mut Summary| {
        if age <= 6 {
            summary.p50 = Some(0.3 + 0.04 * real(7 - age));
            summary.sum = Some(2_000.0 + 500.0 * real(7 - age));
        }
    };
    assert_eq!(rules(&calm(), &mut history(8, queue)), [Rule::Saturation]);
    let step = |age: i64, summary: &mut Summary| {
        if age <= 2 {
            summary.p50 = Some(1.0);
            summary.sum = Some(9_000.0);
        }
    };
    assert_eq!(rules(&calm(), &mut history(8, step)), []);
}

#[test]
fn known_workers_say_when_they_are_full() {
    let mut detectors = Detectors::default();
    detectors.saturation.workers_per_target = std::num::NonZeroU32::new(4);
    let mut history = history(8, |age, summary| {
        summary.sum = Some(900.0 * (12.0 - 0.25 * real(age.min(20))));
    });
    let report =
        assess(&gateway(60.0), &detectors, 60, Vec::new(), &calm(), &mut history, NOW).unwrap();
    let verdict = report.verdicts.iter().find(|v| v.rule == Rule::Saturation).unwrap();
    assert_eq!(verdict.state, State::Breaching);
    let hours = verdict.forecast.unwrap().mid / 3600.0;
    assert!((2.5..5.0).contains(&hours), "16 workers, 11.75 busy, one more each hour: {hours} h");
}

#[test]
fn a_nightly_job_that_grows_is_told_days_ahead() {
    let night = |slowest: fn(f64) -> f64| {
        move |age: i64, summary: &mut Summary| {
            if age % 96 == 30 {
                summary.maximum = Some(slowest(real(age / 96)));
                summary.near_misses = Some(20.0);
            }
        }
    };
    let mut growing = history(10, night(|ago| 56.0 - 0.8 * ago));
    let found = breaching(&calm(), &mut growing);
    assert_eq!(found.iter().map(|v| v.rule).collect::<Vec<_>>(), [Rule::RecurringJob]);
    assert_eq!(found[0].severity, Severity::Info);
    let days = found[0].forecast.unwrap().mid / 86_400.0;
    assert!((4.0..5.5).contains(&days), "{days}");
    for constant in [night(|_| 56.0), night(|ago| if ago < 3.0 { 56.0 } else { 49.0 })] {
        assert_eq!(rules(&calm(), &mut history(10, constant)), []);
    }
}

#[test]
fn a_new_gateway_learns_and_says_until_when() {
    for (days, learning) in [(0, true), (1, true), (2, true), (3, false), (8, false)] {
        let until = report(&calm(), &mut history(days, |_, _| {}), Vec::new()).learning_until;
        assert_eq!(until.is_some(), learning, "{days} d");
        assert!(until.is_none_or(|until| until > NOW && until.since(NOW) <= 3 * 1440));
    }
    let failing = minutes(|_, set| set(Signal::Timeouts, 15.0));
    let found = rules(&failing, &mut History::new());
    assert!(found.contains(&Rule::AtLimit) && found.contains(&Rule::BurnRate), "{found:?}");
}

#[test]
fn bursts_of_504s_on_most_days_are_one_lasting_condition() {
    let bursts = |every: i64| {
        move |age: i64, summary: &mut Summary| {
            if age % (96 * every) == 50 {
                summary.timeouts = 20.0;
            }
        }
    };
    assert_eq!(rules(&calm(), &mut history(8, bursts(1))), [Rule::AtLimit]);
    assert_eq!(rules(&calm(), &mut history(8, bursts(4))), []);
}

#[test]
fn an_episode_takes_its_quiet_time_and_silence_never_ends_it() {
    let gateway = gateway(60.0);
    let first = NOW.plus(-59);
    let mut snapshot = Snapshot::quiet(first, first.plus(600), &Signal::ALL);
    for minute in (0..600).map(|m| first.plus(m)) {
        let silent = (80..300).contains(&minute.since(first));
        if !silent {
            snapshot.record(Signal::Samples, minute, 300.0);
            snapshot.record(Signal::P99, minute, 4.0);
        }
        if (30..40).contains(&minute.since(first)) {
            snapshot.record(Signal::NearMisses, minute, 4.0);
        }
    }
    let (mut records, mut told) = (Vec::new(), Vec::new());
    let mut history = history(8, |_, _| {});
    for minute in (0..590).map(|m| first.plus(m)) {
        let report =
            assess(&gateway, &Detectors::default(), 60, records, &snapshot, &mut history, minute);
        records = report.unwrap().records;
        for notice in Desk::plain().tell(&mut records, minute) {
            told.push((notice.reason, minute.since(first)));
        }
    }
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].0 == Reason::Firing && (31..35).contains(&told[0].1), "{told:?}");
    // The last near miss is a quarter of an hour old in minute 54; then 26 quiet
    // minutes pass before the silence, and the rest after it.
    assert!(told[1].0 == Reason::Resolved && told[1].1 >= 300, "{told:?}");
}

#[test]
fn absence_idleness_and_replacement_are_three_things() {
    let mut history = History::new();
    let quarter = Quarter(1_000_000);
    assert_eq!(history.quarter(quarter), Known::Unknown);
    history.enter(quarter, &Summary::default());
    assert_eq!(history.quarter(quarter), Known::Idle);
    history.enter(quarter, &ordinary());
    assert!(matches!(history.quarter(quarter), Known::Measured(s) if s.p99 == Some(4.0)));
    history.enter(quarter.plus(3), &ordinary());
    assert_eq!(history.first_unknown(quarter, quarter.plus(4)), Some(quarter.plus(1)));
    history.enter(quarter.plus(1344), &ordinary());
    assert_eq!(history.quarter(quarter), Known::Unknown, "fourteen days are kept");
    history.enter(quarter, &ordinary());
    assert_eq!(history.quarter(quarter), Known::Unknown, "and not an older one in its place");
}

#[test]
fn a_gateway_fits_in_64_kib() {
    let mut full = history(14, |age, summary| {
        summary.timeouts = 20.0;
        summary.p99 = Some(50.0 - 0.01 * real(age.min(1000)));
    });
    let failing = minutes(|_, set| set(Signal::Timeouts, 15.0));
    let report = report(&failing, &mut full, Vec::new());
    let record = |r: &Record| {
        let words = r.episode.id.capacity() + r.episode.evidence.why.capacity();
        size_of::<Record>() + words + r.episode.rules.len() * 64
    };
    let records: usize = report.records.iter().map(record).sum();
    let most = nearmiss::analysis::alert::MOST_EPISODES;
    assert!(full.bytes() > QUARTERS * 24, "it is full");
    assert!(full.bytes() + most * records <= 64 * 1024, "{} + {most} * {records}", full.bytes());
}

#[test]
fn parameters_have_limits_and_names() {
    for (text, good) in [
        ("{}", true),
        (r#"{"drift":{"horizon":"2h"},"burn_rate":{"objective":0.99}}"#, true),
        (r#"{"saturation":{"workers_per_target":16}}"#, true),
        (r#"{"burn_rate":{"objective":1.5}}"#, false),
        (r#"{"saturation":{"workers_per_target":0}}"#, false),
        (r#"{"drift":{"horizon":"0s"}}"#, false),
        (r#"{"drift":{"min_requests":0}}"#, false),
        (r#"{"timeouts":{}}"#, false),
        (r#"{"at_limit":{"min_count":3}}"#, false),
    ] {
        assert_eq!(serde_json::from_str::<Detectors>(text).is_ok(), good, "{text}");
    }
}
