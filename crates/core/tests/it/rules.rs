//! What must fire, and what must not.

use nearmiss_core::alerting::Router;
use nearmiss_core::alerting::episode::TrackedEpisode;
use nearmiss_core::alerting::notification_log::Reason;
use nearmiss_core::assess;
use nearmiss_core::detect::outlook::History;
use nearmiss_core::detect::{Detectors, Rule, Severity, State};
use nearmiss_core::gateway::polling::PollRate;
use nearmiss_core::gateway::signal::Signal;
use nearmiss_core::series::history::{Known, Mark, QuarterHour, QuarterHourStats};
use nearmiss_core::series::snapshot::Snapshot;

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
    // 37.2 s times 1.075 a quarter-hour: about 53 s after five quarter-hours, 60 s after seven.
    assert!((3_000.0..7_000.0).contains(&forecast.mid), "{forecast:?}");
    assert!(forecast.low <= forecast.mid && forecast.mid <= forecast.high);
    assert!(found[0].why.contains("reaches the 60 s timeout in about"), "{}", found[0].why);
}

#[test]
fn always_slow_is_no_drift_and_no_stir() {
    let mut history = history(8, |_, summary| summary.p99 = Some(45.0));
    let snapshot = minutes(|_, set| set(Signal::P99, 45.0));
    let report = report(&snapshot, &mut history, Vec::new());
    assert!(report.evaluations.iter().all(|v| v.state != State::Breaching));
    assert_eq!(report.rate, PollRate::Slow);
}

#[test]
fn a_growing_queue_is_told_and_a_step_is_not() {
    let queue = |age: i64, summary: &mut QuarterHourStats| {
        if age <= 6 {
            summary.p50 = Some(0.3 + 0.04 * real(7 - age));
            summary.sum = Some(2_000.0 + 500.0 * real(7 - age));
        }
    };
    assert_eq!(rules(&calm(), &mut history(8, queue)), [Rule::Saturation]);
    let step = |age: i64, summary: &mut QuarterHourStats| {
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
    let verdict = report.evaluations.iter().find(|v| v.rule == Rule::Saturation).unwrap();
    assert_eq!(verdict.state, State::Breaching);
    let hours = verdict.forecast.unwrap().mid / 3600.0;
    assert!((2.5..5.0).contains(&hours), "16 workers, 11.75 busy, one more each hour: {hours} h");
}

#[test]
fn a_nightly_job_that_grows_is_told_days_ahead() {
    let night = |slowest: fn(f64) -> f64| {
        move |age: i64, summary: &mut QuarterHourStats| {
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
fn bursts_that_are_over_are_no_trouble_however_many_days_had_one() {
    let bursts = |age: i64, summary: &mut QuarterHourStats| {
        if age % 96 == 50 {
            summary.timeouts = 20.0;
        }
    };
    assert_eq!(rules(&calm(), &mut history(8, bursts)), []);
}

#[test]
fn what_rises_every_morning_is_no_drift_after_a_step() {
    // Twice as slow at the end of a day as at its beginning.
    let course = |age: i64, seconds: f64| seconds * (1.0 + real((96 - age).rem_euclid(96)) / 96.0);
    let slow = |seconds: f64, summary: &mut QuarterHourStats| {
        summary.p99 = Some(seconds);
        summary.maximum = Some(1.1 * seconds);
    };
    let mut steps = history(10, |age, summary| {
        let step = if age <= 2 * 96 { 1.5 } else { 1.0 };
        slow(course(age, 12.0 * step), summary);
    });
    assert_eq!(rules(&calm(), &mut steps), []);
    let mut drifts = history(10, |age, summary| {
        slow(course(age, 5.0 * 1.05_f64.powf(real((24 - age).max(0)))), summary);
    });
    assert_eq!(rules(&calm(), &mut drifts), [Rule::Drift]);
}

#[test]
fn a_p99_that_has_jumped_is_no_drift() {
    for at in 1..24 {
        let mut history = history(8, |age, summary| {
            if age <= at {
                summary.p99 = Some(30.0 + real(age % 3));
                summary.maximum = Some(40.0);
            }
        });
        assert_eq!(rules(&calm(), &mut history), [], "{at} quarters ago");
    }
}

#[test]
fn a_long_window_counts_what_is_not_known_of_it_as_good() {
    let failing = minutes(|age, set| set(Signal::Timeouts, if age < 55 { 2.5 } else { 0.0 }));
    let burns = |history: &mut History| rules(&failing, history).contains(&Rule::BurnRate);
    assert!(!burns(&mut History::new()), "0.83 % for 55 minutes, and nothing is known before");
    let four_hours = |age: i64, summary: &mut QuarterHourStats| {
        if (5..=20).contains(&age) {
            summary.timeouts = 40.0;
        }
    };
    assert!(burns(&mut history(1, four_hours)), "five hours of 0.85 %");
    // The same with a gap of two hours, of which nothing is known.
    let mut gap = History::new();
    let running = QuarterHour::containing(NOW.plus(1));
    for age in (1..=30).rev().filter(|age| !(8..=18).contains(age)) {
        let mut summary = ordinary();
        four_hours(age, &mut summary);
        gap.enter(running.plus(-age), &summary);
    }
    assert!(!burns(&mut gap), "of six hours two are known");
}

#[test]
fn a_burn_rate_says_what_it_counts_over_which_windows() {
    // None in the last minutes, and many fifteen minutes ago.
    let failing = minutes(|age, set| set(Signal::Timeouts, if age == 10 { 90.0 } else { 0.0 }));
    let mut before = history(8, |age, summary| {
        if age <= 24 {
            summary.timeouts = 40.0;
        }
    });
    let found = breaching(&failing, &mut before);
    let why = &found.iter().find(|v| v.rule == Rule::BurnRate).unwrap().why;
    assert!(
        why.starts_with("890 of 108,890 requests (0.82 %) in 6 h ended in 504, 8.2x what"),
        "{why}"
    );
    assert!(why.contains(", and 90 of 9,090 requests (0.99 %) in 30 min: at the rate"), "{why}");
    assert!(why.contains("no slower than usual (slowest p99 of a minute 4 s)"), "{why}");
}

#[test]
fn a_few_504s_of_a_million_are_no_limit_and_no_outage() {
    for signals in [&[Signal::Timeouts][..], &[Signal::Timeouts, Signal::ConnectionErrors]] {
        let large = minutes(|age, set| {
            set(Signal::Samples, 50_000.0);
            if age < 12 && age % 2 == 0 {
                for signal in signals {
                    set(*signal, 1.0);
                }
            }
        });
        assert_eq!(rules(&large, &mut history(8, |_, _| {})), [], "{signals:?}");
    }
}

#[test]
fn no_text_says_that_nothing_is_something() {
    for requests in [1.0, 20.0, 300.0, 50_000.0, 1e7] {
        for failed in [0.0, 1.0, 3.0, 40.0] {
            for near in [0.0, 2.0, 60.0] {
                let snapshot = minutes(|age, set| {
                    set(Signal::Samples, if age < 30 { requests } else { 0.0 });
                    set(Signal::Timeouts, failed);
                    set(Signal::NearMisses, near);
                    set(Signal::P50, 0.0);
                });
                let histories = [History::new(), history(1, |_, _| {}), history(8, |_, _| {})];
                for mut history in histories {
                    for verdict in breaching(&snapshot, &mut history) {
                        for word in ["NaN", "inf", "(0 %)"] {
                            assert!(!verdict.why.contains(word), "{word}: {}", verdict.why);
                        }
                    }
                }
            }
        }
    }
}

/// Two requests a minute, with this many near misses within the hour.
fn two_a_minute(near: i64) -> Snapshot {
    minutes(move |age, set| {
        set(Signal::Samples, 2.0);
        set(Signal::RequestCount, 2.0);
        set(Signal::NearMisses, if age % 13 == 0 && age < 13 * near { 1.0 } else { 0.0 });
    })
}

#[test]
fn of_few_requests_three_are_enough_where_there_were_none_in_many_days() {
    let nights = |often: bool| {
        move |age: i64, summary: &mut QuarterHourStats| {
            summary.samples = 30.0;
            summary.near_misses = Some(if often && age % 5 == 0 { 1.0 } else { 0.0 });
        }
    };
    assert_eq!(rules(&two_a_minute(2), &mut history(10, nights(false))), []);
    let found = breaching(&two_a_minute(3), &mut history(10, nights(false)));
    assert_eq!(found.iter().map(|v| v.rule).collect::<Vec<_>>(), [Rule::NearMiss]);
    let why = &found[0].why;
    assert!(why.starts_with("3 of 120 requests in 60 min (2.5 %, and surely 0.85 %"), "{why}");
    assert!(why.contains("Traffic in these 60 min is normal"), "{why}");
    // What is usual, or not known, does not fire.
    assert_eq!(rules(&two_a_minute(3), &mut history(10, nights(true))), []);
    assert_eq!(rules(&two_a_minute(3), &mut history(1, nights(false))), []);
}

#[test]
fn work_that_takes_longer_is_no_queue() {
    let slower = |p50: f64, p99: f64| {
        move |age: i64, summary: &mut QuarterHourStats| {
            if age <= 6 {
                summary.p50 = Some(p50);
                summary.p99 = Some(p99);
                summary.maximum = Some(2.0 * p99);
                summary.sum = Some(2_000.0 * p50 / 0.3);
            }
        }
    };
    assert_eq!(rules(&calm(), &mut history(8, slower(0.75, 10.0))), [], "2.5 times as slow");
    assert_eq!(
        rules(&calm(), &mut history(8, slower(0.75, 4.5))),
        [Rule::Saturation],
        "0.45 s later, slow or fast"
    );
    let idle = |age: i64, summary: &mut QuarterHourStats| {
        slower(0.75, 4.5)(age, summary);
        summary.sum = summary.sum.map(|sum| sum / 10.0);
    };
    assert_eq!(rules(&calm(), &mut history(8, idle)), [], "half a request in flight");
}

#[test]
fn a_job_is_a_warning_when_its_next_run_may_fail() {
    let night = |slowest: fn(f64) -> f64| {
        move |age: i64, summary: &mut QuarterHourStats| {
            if age % 96 == 30 {
                let ago = real(age / 96);
                // A minute's difference from one night to the next.
                let scatter = if age / 96 % 2 == 0 { 0.4 } else { -0.4 };
                summary.maximum = Some(slowest(ago) + scatter);
                summary.near_misses = Some(20.0);
            }
        }
    };
    for (slowest, severity) in [
        ((|ago| 50.0 - 1.5 * ago) as fn(f64) -> f64, Severity::Info),
        (|ago| 57.0 - 1.5 * ago, Severity::Warning),
    ] {
        let found = breaching(&calm(), &mut history(10, night(slowest)));
        let job = found.iter().find(|v| v.rule == Rule::RecurringJob).unwrap();
        assert_eq!(job.severity, severity, "{}", job.why);
    }
}

#[test]
fn slow_is_what_is_near_the_timeout_or_more_than_usual() {
    let failing = |p99: f64| {
        minutes(move |_, set| {
            set(Signal::Timeouts, 15.0);
            set(Signal::P99, p99);
        })
    };
    let says = |timeout: f64, p99: f64, history: &mut History| {
        let detectors = Detectors::default();
        let report =
            assess(&gateway(timeout), &detectors, 60, Vec::new(), &failing(p99), history, NOW);
        let evaluations = report.unwrap().evaluations;
        evaluations.into_iter().find(|v| v.rule == Rule::AtLimit).unwrap().why
    };
    let slow = says(120.0, 91.9, &mut History::new());
    assert!(slow.contains("slow as well (slowest p99 of a minute 91.9 s)"), "{slow}");
    let slow = says(60.0, 12.0, &mut history(8, |_, _| {}));
    assert!(
        slow.contains("slow as well (slowest p99 of a minute 12 s; usual: up to 4 s)"),
        "{slow}"
    );
    let usual = says(60.0, 45.0, &mut history(8, |_, summary| summary.p99 = Some(45.0)));
    assert!(usual.contains("no slower than usual (slowest p99 of a minute 45 s)"), "{usual}");
}

#[test]
fn a_spike_is_more_than_a_few_requests() {
    let failing = |requests: f64| {
        minutes(move |age, set| {
            set(Signal::Samples, if age < 5 { requests } else { 0.2 });
            set(Signal::Timeouts, if age == 0 { 3.0 } else { 0.0 });
        })
    };
    let few = rules_and_words(&failing(0.0), 8, 4.0);
    assert!(
        few.contains("Traffic is low: 3 requests in 5 min, what is usual at this time is 1.3"),
        "{few}"
    );
    let many = rules_and_words(&failing(300.0), 8, 1_000.0);
    assert!(
        many.contains("Traffic in these 5 min is 4.5x what is usual at this time: a spike."),
        "{many}"
    );
}

/// What `at_limit` says, where a quarter-hour usually has this many requests.
fn rules_and_words(snapshot: &Snapshot, days: i64, usual: f64) -> String {
    let found = breaching(snapshot, &mut history(days, |_, summary| summary.samples = usual));
    found.into_iter().find(|v| v.rule == Rule::AtLimit).unwrap().why
}

#[test]
fn an_incident_every_day_never_becomes_usual() {
    let now = minutes(|age, set| set(Signal::Timeouts, if age < 5 { 10.0 } else { 0.0 }));
    let mut history = history(14, |age, summary| {
        if age % 96 <= 4 || age % 96 >= 92 {
            summary.timeouts = 50.0;
        }
    });
    for day in 1..=14 {
        let same = NOW.plus(-day * 1440);
        history.mark(same.plus(-180), same.plus(120), Mark::Incident);
    }
    let found = breaching(&now, &mut history);
    let limit = found.iter().find(|v| v.rule == Rule::AtLimit).unwrap();
    assert!(limit.why.contains("no day was without trouble"), "{}", limit.why);
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
    let (mut records, mut notified) = (Vec::new(), Vec::new());
    let mut history = history(8, |_, _| {});
    for minute in (0..590).map(|m| first.plus(m)) {
        let report =
            assess(&gateway, &Detectors::default(), 60, records, &snapshot, &mut history, minute);
        records = report.unwrap().records;
        for notice in Router::plain().replay(&mut records, minute) {
            notified.push((notice.reason, minute.since(first)));
        }
    }
    assert_eq!(notified.len(), 2, "{notified:?}");
    assert!(notified[0].0 == Reason::Firing && (31..35).contains(&notified[0].1), "{notified:?}");
    // The last near miss is fifteen minutes old in minute 54; then 26 quiet minutes pass
    // before the silence, and the rest after it.
    assert!(notified[1].0 == Reason::Resolved && notified[1].1 >= 300, "{notified:?}");
}

#[test]
fn absence_idleness_and_replacement_are_three_things() {
    let mut history = History::new();
    let quarter_hour = QuarterHour(1_000_000);
    assert_eq!(history.quarter_hour(quarter_hour), Known::Unknown);
    history.enter(quarter_hour, &QuarterHourStats::default());
    assert_eq!(history.quarter_hour(quarter_hour), Known::Idle);
    history.enter(quarter_hour, &ordinary());
    assert!(matches!(history.quarter_hour(quarter_hour), Known::Measured(s) if s.p99 == Some(4.0)));
    history.enter(quarter_hour.plus(3), &ordinary());
    assert_eq!(
        history.first_unknown(quarter_hour, quarter_hour.plus(4)),
        Some(quarter_hour.plus(1))
    );
    history.enter(quarter_hour.plus(1344), &ordinary());
    assert_eq!(history.quarter_hour(quarter_hour), Known::Unknown, "fourteen days are kept");
    history.enter(quarter_hour, &ordinary());
    assert_eq!(
        history.quarter_hour(quarter_hour),
        Known::Unknown,
        "and not an older one in its place"
    );
}

#[test]
fn a_gateway_fits_in_48_kib() {
    let mut full = history(14, |age, summary| {
        summary.timeouts = 20.0;
        summary.p99 = Some(50.0 - 0.01 * real(age.min(1000)));
    });
    let failing = minutes(|_, set| set(Signal::Timeouts, 15.0));
    let report = report(&failing, &mut full, Vec::new());
    let record = |r: &TrackedEpisode| {
        let words = r.episode.id.capacity() + r.episode.evidence.why.capacity();
        size_of::<TrackedEpisode>() + words + r.episode.rules.len() * 64
    };
    let records: usize = report.records.iter().map(record).sum();
    let most = nearmiss_core::alerting::episode::MAX_EPISODES;
    assert!(full.first_unknown(full.quarter_hours().next().unwrap(), QuarterHour(0)).is_none());
    assert!(full.bytes() <= 16 * 1024, "{}", full.bytes());
    assert!(full.bytes() + most * records <= 48 * 1024, "{} + {most} * {records}", full.bytes());
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
