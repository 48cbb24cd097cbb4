//! Each settled minute is counted exactly once, whatever the polls were like.

use nearmiss::analysis::ledger::{Ledger, Totals};
use nearmiss::analysis::signal::{Minute, Signal, Snapshot};
use proptest::prelude::*;

/// Minute `m` has `m` requests, so that a minute that is missed or counted
/// twice changes the sum.
fn snapshot(first: i64, end: i64) -> Snapshot {
    let mut snapshot = Snapshot::quiet(Minute(first), Minute(end));
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
                        ledger.count(&snapshot, Minute(end - settles));
                    }
                }
                Step::Failed(later) => now += later,
                Step::Restart => {
                    let text = serde_json::to_string(&ledger).unwrap();
                    ledger = serde_json::from_str(&text).unwrap();
                }
                Step::Back(minutes) => {
                    let end = now + 1 - minutes;
                    ledger.count(&snapshot(end - 20, end), Minute(end - settles));
                }
            }
            let counted: u64 = (start + 1..ledger.uncounted.0).map(|m| u64::try_from(m).unwrap()).sum();
            let minutes = u64::try_from((ledger.uncounted.0 - start - 1).max(0)).unwrap();
            prop_assert_eq!(ledger.totals, Totals { requests: counted, near_misses: minutes, timeouts: 0 });
        }
    }
}
