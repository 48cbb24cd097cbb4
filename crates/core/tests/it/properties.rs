//! Nothing that CloudWatch can say makes a panic or a made-up number.

use nearmiss_core::alerting::Router;
use nearmiss_core::alerting::notification_log::Reason;
use nearmiss_core::assess;
use nearmiss_core::detect::outlook::History;
use nearmiss_core::detect::{Detectors, State};
use nearmiss_core::gateway::signal::Signal;
use nearmiss_core::notification::Notification;
use nearmiss_core::render::{Links, Message};
use nearmiss_core::series::history::{Mark, QuarterHour, QuarterHourStats};
use nearmiss_core::series::snapshot::Snapshot;
use nearmiss_core::time::Minute;
use proptest::prelude::*;

use crate::made_up::{NOW, calm, gateway, report};

/// Anything a number can be. Drawn and then chosen from: of a union of strategies each
/// takes a generator of its own, which is most of what thousands of numbers cost.
fn absurd() -> impl Strategy<Value = f64> {
    (0_u8..8, 0.0..1.0_f64, prop::num::f64::ANY).prop_map(|(kind, share, any)| match kind {
        0..=3 => share * 100.0,
        4 | 5 => share * 1e6,
        6 => 0.0,
        _ => any,
    })
}

fn summary() -> impl Strategy<Value = QuarterHourStats> {
    let some = || (0_u8..5, absurd()).prop_map(|(kind, value)| (kind < 4).then_some(value));
    let timeouts = (0_u8..4, absurd()).prop_map(|(kind, value)| if kind < 3 { 0.0 } else { value });
    let timeout = (0_u8..5, absurd()).prop_map(|(kind, value)| match kind {
        0..=2 => 60.0,
        3 => 30.0,
        _ => value,
    });
    (absurd(), some(), some(), some(), some(), some(), timeouts, some(), timeout).prop_map(
        |(samples, sum, p50, p99, maximum, near_misses, timeouts, connection_errors, timeout)| {
            QuarterHourStats {
                samples,
                sum,
                p50,
                p99,
                maximum,
                near_misses,
                timeouts,
                connection_errors,
                timeout,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// However soon one follows the other, and whoever was notified of it: no two episodes
    /// have one id, and no minute belongs to two.
    #[test]
    fn no_two_episodes_are_one(
        bursts in prop::collection::vec(any::<bool>(), 60),
        resolve_after in 1_u32..12,
    ) {
        let mut snapshot = Snapshot::quiet(NOW.plus(-119), NOW.plus(1), &Signal::ALL);
        for minute in -119..=0 {
            snapshot.record(Signal::Samples, NOW.plus(minute), 900.0);
            let bad = usize::try_from(minute + 59).is_ok_and(|minute| bursts[minute]);
            let timeouts = if bad { 100.0 } else { 0.0 };
            snapshot.record(Signal::Timeouts, NOW.plus(minute), timeouts);
        }
        let (mut history, gateway, router) = (History::new(), gateway(60.0), Router::plain());
        let mut records = Vec::new();
        let mut ends: Vec<Minute> = Vec::new();
        for minute in (-59..=0).map(|minute| NOW.plus(minute)) {
            let detectors = Detectors::default();
            let report =
                assess(&gateway, &detectors, resolve_after, records, &snapshot, &mut history, minute);
            records = report.unwrap().records;
            for notice in router.replay(&mut records, minute) {
                let episode = &notice.episode;
                if notice.reason == Reason::Firing {
                    prop_assert!(ends.iter().all(|end| *end < episode.began), "{ends:?} {episode:?}");
                }
                ends.extend(episode.ended);
            }
        }
    }

    /// Holes, duplicates, nonsense, a timeout that changed, one below every latency:
    /// no panic, and no forecast that is not a range of finite seconds.
    #[test]
    fn nothing_makes_up_a_number(
        quarter_hours in prop::collection::vec((1_i64..1400, summary()), 0..400),
        points in prop::collection::vec((0_usize..10, -5_i64..65, absurd()), 0..600),
        timeout in prop_oneof![Just(60.0), Just(0.001), Just(4000.0), 0.1..100.0_f64],
        marks in prop::collection::vec((0_i64..20_000, 0_i64..3_000), 0..5),
        workers in prop::option::of(1_u32..64),
    ) {
        let mut history = History::new();
        let running = QuarterHour::containing(NOW.plus(1));
        for (age, summary) in &quarter_hours {
            history.enter(running.plus(-age), summary);
        }
        for (age, length) in marks {
            history.mark(NOW.plus(-age - length), NOW.plus(-age), Mark::Incident);
        }
        let mut snapshot = Snapshot::quiet(NOW.plus(-59), NOW.plus(1), &Signal::ALL);
        for (signal, age, value) in points {
            snapshot.record(Signal::ALL[signal], NOW.plus(-age), value);
        }
        let mut detectors = Detectors::default();
        detectors.saturation.workers_per_target = workers.and_then(std::num::NonZeroU32::new);
        let gateway = gateway(timeout);
        let mut records = Vec::new();
        for minute in [NOW.plus(-1), NOW] {
            let report =
                assess(&gateway, &detectors, 60, records, &snapshot, &mut history, minute);
            let Some(report) = report else { return Ok(()) };
            for verdict in &report.evaluations {
                prop_assert!(verdict.value.is_none_or(f64::is_finite), "{verdict:?}");
                prop_assert!(verdict.threshold.is_finite(), "{verdict:?}");
                prop_assert_eq!(verdict.why.is_empty(), verdict.state != State::Breaching);
                prop_assert!(!verdict.why.contains("NaN") && !verdict.why.contains("inf "), "{}", &verdict.why);
                if let Some(f) = verdict.forecast {
                    prop_assert!(f.low >= 0.0 && f.low <= f.mid && f.mid <= f.high && f.high.is_finite(), "{f:?}");
                }
            }
            records = report.records;
            for notice in Router::plain().replay(&mut records, minute) {
                let message = Message::of(&Notification::One(notice), &Links::default());
                prop_assert!(message.subject.len() <= 99);
            }
        }
    }

    /// The outlook is a cache: with or without it the evaluations are the same.
    #[test]
    fn what_is_kept_changes_nothing(
        quarter_hours in prop::collection::vec((1_i64..1344, summary()), 0..200),
    ) {
        let mut kept = History::new();
        let running = QuarterHour::containing(NOW.plus(1));
        kept.enter(running.plus(-1), &QuarterHourStats::default());
        for (index, (age, summary)) in quarter_hours.iter().enumerate() {
            kept.enter(running.plus(-age), summary);
            if index % 50 == 0 {
                let _ = report(&calm(), &mut kept, Vec::new());
            }
        }
        let mut fresh = History::new();
        fresh.enter(running.plus(-1), &QuarterHourStats::default());
        for (age, summary) in &quarter_hours {
            fresh.enter(running.plus(-age), summary);
        }
        let _ = report(&calm(), &mut kept, Vec::new());
        let again = report(&calm(), &mut kept, Vec::new());
        prop_assert_eq!(again.evaluations, report(&calm(), &mut fresh, Vec::new()).evaluations);
    }
}
