//! Each settled minute is counted exactly once, whatever the polls were like.

use nearmiss::analysis::gateway::{Detail, Gateway, Identity, Kind, Timeout};
use nearmiss::analysis::ledger::{Ledger, Totals};
use nearmiss::analysis::signal::{Minute, Signal, Snapshot};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn gateway() -> Gateway {
    let id = Identity {
        name: "web".into(),
        region: "eu-central-1".into(),
        account: String::new(),
        dimension: "app/web/50dc6c495c0c9188".into(),
    };
    let timeout = Timeout { seconds: 60.0, idle_timeout: None };
    Gateway {
        id,
        kind: Kind::Alb,
        timeout,
        near: 0.8,
        detail: Detail::Figures,
        tags: BTreeMap::new(),
    }
}

/// Minute `m` has `m` requests, so that a minute that is missed or counted
/// twice changes the sum.
fn snapshot(first: i64, end: i64) -> Snapshot {
    let mut snapshot = Snapshot::quiet(Minute(first), Minute(end), &Signal::ALL);
    for minute in first..end {
        let requests = f64::from(i32::try_from(minute).unwrap());
        snapshot.record(Signal::Samples, Minute(minute), requests);
        snapshot.record(Signal::NearMisses, Minute(minute), 1.0);
    }
    snapshot
}

#[derive(Debug, Clone)]
enum Step {
    /// A poll this many minutes later.
    Poll(i64),
    /// A poll that got nothing.
    Failed(i64),
    /// The state goes through its file.
    Restart,
    /// The clock goes back and a poll runs.
    Back(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..40i64).prop_map(Step::Poll),
        2 => (0..40i64).prop_map(Step::Failed),
        1 => Just(Step::Restart),
        1 => (0..20i64).prop_map(Step::Back),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #[test]
    fn any_order_of_polls_gaps_and_restarts_counts_each_minute_once(steps in steps()) {
        let (start, window, settles) = (1000i64, 15u32, 1i64);
        let mut ledger = Ledger::starting(Minute(start));
        let mut now = start;
        for step in steps {
            match step {
                Step::Poll(later) => {
                    now += later;
                    let end = now + 1;
                    if ledger.unassessed < Minute(end) {
                        let first = ledger.needs_from(window);
                        let snapshot = snapshot(first.0, end);
                        ledger.unassessed = Minute(end);
                        ledger.count(&gateway(), &snapshot, Minute(end - settles));
                    }
                }
                Step::Failed(later) => now += later,
                Step::Restart => {
                    let text = serde_json::to_string(&ledger).unwrap();
                    ledger = serde_json::from_str(&text).unwrap();
                }
                Step::Back(minutes) => {
                    let end = now + 1 - minutes;
                    ledger.count(&gateway(), &snapshot(end - 20, end), Minute(end - settles));
                }
            }
            let counted: u64 = (start + 1..ledger.uncounted.0).map(|m| u64::try_from(m).unwrap()).sum();
            let minutes = u64::try_from((ledger.uncounted.0 - start - 1).max(0)).unwrap();
            prop_assert_eq!(ledger.totals, Totals { requests: counted, near_misses: minutes, timeouts: 0 });
        }
    }
}

/// What CloudWatch shows at a time when it lags behind by `lag` minutes.
fn published(truth: &[u32], first: i64, end: i64, lag: i64) -> Snapshot {
    let mut snapshot = Snapshot::quiet(Minute(first), Minute(end), &Signal::ALL);
    for minute in first.max(0)..(end - lag) {
        let Some(requests) = usize::try_from(minute).ok().and_then(|m| truth.get(m)) else { break };
        if *requests > 0 {
            snapshot.record(Signal::Samples, Minute(minute), f64::from(*requests));
        }
    }
    snapshot
}

proptest! {
    #[test]
    fn a_cloudwatch_that_lags_behind_is_waited_for(
        truth in prop::collection::vec(0..4u32, 200),
        lags in prop::collection::vec(0..9i64, 200),
    ) {
        let mut ledger = Ledger::starting(Minute(20));
        for now in 21..190i64 {
            let lag = if now < 170 { lags[usize::try_from(now).unwrap()] } else { 0 };
            let first = ledger.needs_from(15);
            let snapshot = published(&truth, first.0, now, lag);
            ledger.unassessed = Minute(now);
            ledger.count(&gateway(), &snapshot, Minute(now - 1));
        }
        let end = usize::try_from(ledger.uncounted.0).unwrap();
        let counted: u64 = truth[21..end].iter().map(|n| u64::from(*n)).sum();
        prop_assert_eq!(ledger.totals.requests, counted);
        prop_assert!(end >= 178, "still waiting at {}", end);
        prop_assert_eq!(ledger.minutes.settled + ledger.minutes.idle, u64::try_from(end - 21).unwrap());
    }
}

/// A minute of which CloudWatch knows only a part until it is `known` minutes old.
#[derive(Debug, Clone)]
struct Revised {
    all: u32,
    first: u32,
    known: i64,
}

fn revised() -> impl Strategy<Value = Revised> {
    (0..50u32, 0..50u32, 0..10i64).prop_map(|(all, first, known)| Revised {
        all,
        first: first.min(all),
        known,
    })
}

proptest! {
    #[test]
    fn what_is_revised_within_ten_minutes_is_counted_in_the_end_over_polls_gaps_and_restarts(
        truth in prop::collection::vec(revised(), 120),
        polls in prop::collection::vec((1..5i64, any::<bool>(), any::<bool>()), 60),
    ) {
        let mut ledger = Ledger::starting(Minute(20));
        let last = 119i64;
        let mut now = 21;
        // In the end a few polls see everything as it is.
        let ending = (0..20).map(|_| (1, false, false));
        for (later, fails, restarts) in polls.into_iter().chain(ending) {
            now += later;
            if restarts {
                ledger = serde_json::from_str(&serde_json::to_string(&ledger).unwrap()).unwrap();
            }
            if fails {
                continue;
            }
            let first = ledger.needs_from(15);
            let mut snapshot = Snapshot::quiet(first, Minute(now), &Signal::ALL);
            for minute in first.0.max(0)..now.min(last) {
                let Revised { all, first, known } = truth[usize::try_from(minute).unwrap()];
                let requests = if now - minute > known { all } else { first };
                snapshot.record(Signal::Samples, Minute(minute), f64::from(requests));
            }
            ledger.unassessed = ledger.unassessed.max(Minute(now));
            ledger.count(&gateway(), &snapshot, Minute(now - 1));
        }
        let end = ledger.uncounted.0.min(last);
        let seen = usize::try_from(end).unwrap();
        let all: u64 = truth[21..seen].iter().map(|m| u64::from(m.all)).sum();
        let minutes = ledger.minutes;
        prop_assert_eq!(minutes.settled + minutes.idle, u64::try_from(ledger.uncounted.0 - 21).unwrap());
        prop_assert_eq!(ledger.totals.requests, all);
    }
}

#[test]
fn what_is_added_after_it_was_counted_is_noticed_and_added_once_and_nothing_is_taken_away() {
    let mut ledger = Ledger::starting(Minute(0));
    let mut snapshot = Snapshot::quiet(Minute(0), Minute(5), &Signal::ALL);
    for minute in 0..5 {
        snapshot.record(Signal::Samples, Minute(minute), 10.0);
    }
    ledger.count(&gateway(), &snapshot, Minute(4));
    assert_eq!((ledger.totals.requests, ledger.minutes.revised), (30, 0));
    for (now, requests, revised) in [(12.0, 32, 1), (12.0, 32, 1), (11.0, 32, 2), (13.0, 33, 3)] {
        snapshot.record(Signal::Samples, Minute(2), now);
        ledger.count(&gateway(), &snapshot, Minute(4));
        assert_eq!((ledger.totals.requests, ledger.minutes.revised), (requests, revised), "{now}");
        let text = serde_json::to_string(&ledger).unwrap();
        ledger = serde_json::from_str(&text).unwrap();
    }
}
