//! The p99 of all requests beside what can be computed from CloudWatch's figures, in
//! minutes of 1,000 to 20,000 requests of which a share below 1 % hangs.

use nearmiss_core::series::window::SlowEnd;

use crate::chance::Chance;
use crate::targets::Targets;

/// A class of requests: its share, and median and sigma of its lognormal law.
type Class = (f64, f64, f64);

const TIMEOUT: f64 = 60.0;
/// The share of the minutes in which the estimate must be within 20 % of the truth.
const WITHIN: f64 = 0.95;
/// The shares that hang.
const HANG: [f64; 7] = [0.0005, 0.001, 0.002, 0.0033, 0.005, 0.007, 0.009];
/// Minutes of each share and number of requests.
const MINUTES: usize = 20;

/// Slow ends of one piece.
const SMOOTH: [(&str, &[Class]); 8] = [
    ("a web site", &[(0.97, 0.25, 0.7), (0.03, 3.0, 0.5)]),
    ("reports of 8 s", &[(0.97, 0.25, 0.7), (0.03, 8.0, 0.5)]),
    ("reports of 35 s", &[(0.97, 0.25, 0.7), (0.03, 35.0, 0.5)]),
    ("a heavy tail", &[(1.0, 0.3, 1.35)]),
    ("a language model", &[(1.0, 22.0, 0.35)]),
    ("5 % near the timeout", &[(0.95, 0.25, 0.7), (0.05, 40.0, 0.18)]),
    ("a tenth slow", &[(0.9, 0.5, 1.0), (0.1, 8.0, 0.8)]),
    ("an API", &[(1.0, 0.05, 0.6)]),
];
/// Slow ends that break near one request in a hundred, where one kind of requests ends and a
/// ten times slower one begins. The p99 of the answered requests lies on one side of that
/// gap, the p99 of all on the other, and what CloudWatch gives of the slow end (its p99, its
/// maximum, and what came close to the timeout) is the same wherever between them the slower
/// kind begins. They are measured and printed, so that nobody takes the share above for that
/// of every gateway, and not judged, because no estimate can tell these from slow ends of
/// one piece; only a histogram can.
const BROKEN: [(&str, &[Class]); 2] = [
    ("1 % reports", &[(0.99, 0.25, 0.7), (0.01, 8.0, 0.5)]),
    ("0.5 % near the timeout", &[(0.965, 0.25, 0.7), (0.03, 3.0, 0.5), (0.005, 30.0, 0.2)]),
];

/// What is found, of both kinds of mixes. Only the first is judged: see [`BROKEN`].
pub fn measure(seed: u64, targets: &mut Targets) {
    let share = print("slow ends of one piece", &SMOOTH, seed);
    targets.at_least("share of p99 within 20 %, slow ends of one piece", Some(share), WITHIN);
    print("slow ends that break near 1 %", &BROKEN, seed);
}

/// The share of the minutes that is within 20 % of the truth.
fn print(what: &str, mixes: &[(&str, &[Class])], seed: u64) -> f64 {
    let (mut close, mut all) = (0, 0);
    let mut worst = (1.0, "");
    for (name, classes) in mixes {
        let (within, of) = minutes(classes, seed);
        (close, all) = (close + within, all + of);
        let share = f64::from(within) / f64::from(of);
        worst = if share < worst.0 { (share, *name) } else { worst };
    }
    let share = f64::from(close) / f64::from(all);
    println!(
        "p99 of all requests, {what}: within 20 % in {:.1} % of {all} minutes (least {:.1} %: {})",
        100.0 * share,
        100.0 * worst.0,
        worst.1
    );
    share
}

/// Minutes in which the p99 is within 20 % of the truth, and all.
fn minutes(classes: &[Class], seed: u64) -> (u32, u32) {
    let mut chance = Chance::new(seed);
    let (mut close, mut all) = (0, 0);
    for requests in [1_000, 3_000, 7_000, 20_000] {
        for hang in HANG {
            for _ in 0..MINUTES {
                let Some(is_close) = minute(classes, requests, hang, &mut chance) else { continue };
                close += u32::from(is_close);
                all += 1;
            }
        }
    }
    (close, all)
}

fn minute(classes: &[Class], requests: usize, hang: f64, chance: &mut Chance) -> Option<bool> {
    let mut took: Vec<f64> = (0..requests).map(|_| request(classes, hang, chance)).collect();
    took.sort_by(f64::total_cmp);
    let answered = took.partition_point(|seconds| *seconds <= TIMEOUT);
    let timeouts = (requests - answered) as f64;
    if timeouts >= 0.01 * requests as f64 {
        return None;
    }
    let at = |of: &[f64]| of.get((0.99 * of.len() as f64 - 1e-9).ceil() as usize - 1).copied();
    let truth = at(&took)?.min(TIMEOUT);
    let answers = &took[..answered];
    let near = answered - answers.partition_point(|seconds| *seconds <= 0.8 * TIMEOUT);
    let said = SlowEnd {
        samples: answered as f64,
        near_misses: near as f64,
        timeouts,
        p99: at(answers),
        maximum: answers.last().copied(),
    };
    Some((said.p99_of_all(TIMEOUT)? / truth - 1.0).abs() <= 0.2)
}

fn request(classes: &[Class], hang: f64, chance: &mut Chance) -> f64 {
    if chance.uniform() < hang {
        return f64::INFINITY;
    }
    let mut left = chance.uniform();
    for (share, median, sigma) in classes {
        if left < *share {
            return median * (sigma * chance.normal()).exp();
        }
        left -= share;
    }
    classes[0].1
}
