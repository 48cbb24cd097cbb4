//! Claims about the short scenarios, one for each cause.
//!
//! Each says what the counters show while the fault is on; nothing of the kind may be there
//! before.

use super::{FAILURES, NORMAL, TIMEOUTS};
use crate::{Setup, Sim, Truth};

/// Monday 2026-01-05 09:00 UTC.
const START: i64 = 1_767_603_600;
const MINUTE_0: i64 = START / 60;
const SEEDS: std::ops::RangeInclusive<u64> = 1..=3;

/// Sums over minutes.
#[derive(Debug, Default)]
struct Sum {
    requests: u64,
    timed_out: u64,
    unreachable: u64,
    handshakes: u64,
    stalled: u64,
    near: u64,
    elb_502: u64,
    elb_503: u64,
    rejected: u64,
    target_5xx: u64,
}

fn sim(name: &str, seed: u64) -> Sim {
    Sim::new(Setup { scenario: name.to_owned(), seed, start: START, ..Setup::default() })
        .expect("a valid setup")
}

fn truths(sim: &Sim, minutes: std::ops::Range<i64>) -> Vec<Truth> {
    minutes.filter_map(|minute| sim.truth("site", minute)).collect()
}

fn sum(truths: &[Truth]) -> Sum {
    truths.iter().fold(Sum::default(), |sum, truth| Sum {
        requests: sum.requests + truth.requests,
        timed_out: sum.timed_out + truth.elb_504,
        unreachable: sum.unreachable + truth.connect_failures,
        handshakes: sum.handshakes + truth.handshakes,
        stalled: sum.stalled + truth.stalled,
        near: sum.near + truth.near_misses,
        elb_502: sum.elb_502 + truth.elb_502,
        elb_503: sum.elb_503 + truth.elb_503,
        rejected: sum.rejected + truth.rejected,
        target_5xx: sum.target_5xx + truth.target_5xx,
    })
}

/// Sums before the fault and while it is on; without a fault, the middle counts.
fn halves(scenario: &'static str, seed: u64, minutes: i64) -> (Sum, Sum) {
    let sim = sim(scenario, seed);
    let story = sim.story().swap_remove(0);
    let fault = story.fault_start.unwrap_or(MINUTE_0 + 120);
    assert!((100..=140).contains(&(fault - MINUTE_0)), "{scenario} {seed}");
    let (before, after) = (truths(&sim, MINUTE_0..fault), truths(&sim, fault..MINUTE_0 + minutes));
    (sum(&before), sum(&after))
}

#[test]
fn the_story_of_each_scenario_tells_its_cause() {
    for one in TIMEOUTS.iter().chain(FAILURES).chain(NORMAL) {
        let (kind, word) = one.name.split_once('_').expect("a number and a word");
        for seed in 1..=3 {
            let story = sim(one.name, seed).story().swap_remove(0);
            let cause = kind.starts_with('c').then_some(word);
            assert_eq!((story.cause, story.harmful), (cause, cause.is_some()), "{}", one.name);
            assert_eq!(story.repaired, None);
        }
    }
    assert_eq!((TIMEOUTS.len(), FAILURES.len(), NORMAL.len()), (17, 7, 7));
}

#[test]
fn nothing_fails_before_the_fault_and_nothing_at_all_without_one() {
    for one in TIMEOUTS.iter().chain(FAILURES).chain(NORMAL) {
        for seed in SEEDS {
            let (mut before, after) = halves(one.name, seed, one.minutes);
            if one.name.starts_with('n') {
                before.timed_out += after.timed_out;
                before.elb_502 += after.elb_502;
                before.elb_503 += after.elb_503 + after.rejected;
            }
            let failed = before.timed_out + before.elb_502 + before.elb_503 + before.rejected;
            assert_eq!(failed, 0, "{} {seed}", one.name);
        }
    }
}

#[test]
fn each_cause_of_a_504_shows_in_its_own_counters() {
    // Share of 504s, of those that found no connection, and of near misses.
    type Shares = (std::ops::Range<f64>, std::ops::Range<f64>, std::ops::Range<f64>);
    const NONE: std::ops::Range<f64> = 0.0..1e-9;
    const ALL: std::ops::Range<f64> = 0.999..1.001;
    let table: [(&'static str, Shares); 17] = [
        ("c01_slow_target", (0.003..0.03, NONE, 0.001..0.01)),
        ("c02_queueing_traffic", (0.001..0.9, NONE, 0.005..0.2)),
        ("c03_queueing_capacity", (0.01..0.95, NONE, 0.005..0.3)),
        ("c04_bad_target", (0.15..0.26, NONE, NONE)),
        ("c05_slow_subset", (0.0..1e-4, NONE, 0.01..0.08)),
        ("c06_hang", (0.07..0.13, NONE, NONE)),
        ("c07_connect_security_group", (0.3..1.1, ALL, NONE)),
        ("c08_connect_network_acl", (0.1..0.36, ALL, NONE)),
        ("c09_connect_route", (0.3..0.36, ALL, NONE)),
        ("c10_connect_dead_target", (0.2..1.1, ALL, NONE)),
        ("c11_deploy_race", (0.002..0.02, ALL, 0.0..1e-4)),
        ("c12_tls_handshake", (0.07..0.13, NONE, NONE)),
        ("c13_content_length", (0.03..0.05, NONE, NONE)),
        ("c14_lambda_service", (0.06..0.1, ALL, NONE)),
        ("c15_fail_open", (0.5..1.1, NONE, NONE)),
        ("c16_idle_timeout_lowered", (0.04..0.06, NONE, 0.0..1e-3)),
        ("c17_load_balancer_limit", (0.01..0.03, NONE, NONE)),
    ];
    for (name, (timed_out, unreachable, near)) in table {
        for seed in SEEDS {
            let sum = halves(name, seed, 240).1;
            let share = |part: u64, all: u64| part as f64 / all.max(1) as f64;
            let found = [
                share(sum.timed_out, sum.requests),
                share(sum.unreachable, sum.timed_out),
                share(sum.near, sum.requests),
            ];
            let fits = timed_out.contains(&found[0])
                && (unreachable.contains(&found[1]) || sum.timed_out == 0)
                && near.contains(&found[2]);
            assert!(fits, "{name} {seed}: {found:?} {sum:?}");
            assert_eq!(sum.handshakes > 0, name.contains("tls"), "{name} {seed}");
            assert_eq!(sum.stalled > 0, name.contains("content"), "{name} {seed}");
            assert_eq!(sum.rejected > 0 && sum.elb_503 > 0, name.contains("limit"), "{name}");
            assert_eq!(sum.elb_502, 0, "{name} {seed}");
        }
    }
}

#[test]
fn other_causes_bring_502s_503s_or_neither() {
    for seed in SEEDS {
        for (name, least, most) in [
            ("c18_keep_alive", 50, 600),
            ("c19_deregistration_delay", 20, 200),
            ("c20_task_killed", 15, 200),
            ("c21_ecs_stop_timeout", 20, 200),
            ("c22_lambda_timeout", 2_000, 20_000),
            ("c23_no_registered_target", 0, 0),
            ("c24_unhealthy_targets", 0, 0),
        ] {
            let sum = halves(name, seed, 240).1;
            assert!((least..=most).contains(&sum.elb_502), "{name} {seed}: {sum:?}");
            assert_eq!(sum.timed_out, 0, "{name} {seed}");
            assert_eq!(sum.elb_503 > 10_000, name.starts_with("c23"), "{name} {seed}");
        }
        let errors = halves("n04_target_errors", seed, 240).1;
        assert!(errors.target_5xx * 100 > 3 * errors.requests);
    }
}

#[test]
fn the_same_seed_tells_the_same_and_another_something_else() {
    for one in TIMEOUTS.iter().chain(FAILURES).chain(NORMAL) {
        let window = MINUTE_0 + 130..MINUTE_0 + 145;
        let (first, other) = (sim(one.name, 7), sim(one.name, 8));
        let told = truths(&first, window.clone());
        let again = sim(one.name, 7);
        let _ = again.truth("site", MINUTE_0 + 200);
        assert_eq!(told, truths(&again, window.clone()), "{}", one.name);
        assert_ne!(told, truths(&other, window), "{}", one.name);
    }
}
