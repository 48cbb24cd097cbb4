//! The scenarios in which something goes wrong.
//!
//! Capacity in words: the everyday mix takes 0.41 s of service on average, so a
//! worker serves about 2.4 requests per second.

use super::{scenario, site};
use crate::scenario::plan::{Plan, Scenario};
use crate::scenario::script::{
    CALM, Class, DAY, EVER, EVERY_DAY, Incident, QUICK, Script, Step, What, When, Who,
};

/// A class of 3 % reports that take 8 s.
const REPORTS: &[Class] =
    &[Class { share: 0.97, ..QUICK }, Class { share: 0.03, median: 8.0, sigma: 0.5, ..QUICK }];

/// Something that is on from the fault's start for this many minutes.
const fn fault(minutes: i64, what: What) -> Step {
    Step { when: When::Pivot(0, minutes), what }
}

pub(crate) const HARMFUL: &[Scenario] = &[
    scenario(
        "h01_load_ramp",
        "The load of a single target climbs from half its capacity to 15 % above it within \
         eight hours, stays two hours and falls.",
        9,
        &[Plan {
            rate: 437.0,
            swing: 0.1,
            targets: 1,
            ..site(&Script {
                cause: Some("queueing_traffic"),
                repaired: Some(600),
                workers: 6,
                steps: &[fault(
                    640,
                    What::Load(&[(0.0, 1.0), (480.0, 2.3), (600.0, 2.3), (630.0, 1.0)]),
                )],
                ..CALM
            })
        }],
    ),
    scenario(
        "h02_slow_endpoint_8h",
        "3 % of the requests grow six times as slow within eight hours; repaired four hours later.",
        9,
        &[site(&Script {
            cause: Some("slow_endpoint"),
            repaired: Some(720),
            workers: 64,
            mix: REPORTS,
            steps: &[fault(720, What::Slow(Who::Class(1), &[(0.0, 1.0), (480.0, 6.0)]))],
            ..CALM
        })],
    ),
    scenario(
        "h03_slow_endpoint_24h",
        "3 % of the requests grow six times as slow within a day; repaired eight hours later.",
        10,
        &[site(&Script {
            cause: Some("slow_endpoint"),
            repaired: Some(1_920),
            workers: 64,
            mix: REPORTS,
            steps: &[fault(1_920, What::Slow(Who::Class(1), &[(0.0, 1.0), (1_440.0, 6.0)]))],
            ..CALM
        })],
    ),
    scenario(
        "h04_one_slow_target",
        "One of four targets grows thirty times as slow within five hours; replaced after nine.",
        9,
        &[site(&Script {
            cause: Some("one_slow_target"),
            repaired: Some(540),
            workers: 16,
            steps: &[fault(540, What::Slow(Who::Target(2), &[(0.0, 1.0), (300.0, 30.0)]))],
            ..CALM
        })],
    ),
    scenario(
        "h05_capacity_lost",
        "Every hour one of four targets is lost until one is left; all are back after five hours.",
        9,
        &[Plan {
            rate: 720.0,
            ..site(&Script {
                cause: Some("queueing_capacity_lost"),
                repaired: Some(300),
                workers: 5,
                steps: &[fault(300, What::Up(&[(0, 3), (60, 2), (120, 1)]))],
                ..CALM
            })
        }],
    ),
    scenario(
        "h06_hang",
        "From one minute to the next a tenth of the requests takes 70 s, for two hours.",
        9,
        &[site(&Script {
            cause: Some("hang"),
            repaired: Some(120),
            workers: 400,
            steps: &[fault(120, What::Hang(0.1, 70.0))],
            ..CALM
        })],
    ),
    scenario(
        "h07_connect_failure",
        "For ninety minutes 5 % of the requests find no connection within 10 s.",
        9,
        &[site(&Script {
            cause: Some("connect_failure"),
            repaired: Some(90),
            steps: &[fault(90, What::Unreachable(0.05))],
            ..CALM
        })],
    ),
    scenario(
        "h08_spike",
        "Four times the load for half an hour, more than two targets can serve.",
        9,
        &[Plan {
            targets: 2,
            ..site(&Script {
                cause: Some("spike"),
                repaired: Some(30),
                workers: 3,
                steps: &[fault(30, What::Load(&[(0.0, 4.0)]))],
                ..CALM
            })
        }],
    ),
    scenario(
        "h09_recurring_job",
        "A nightly job of thirty requests grows from 44 s to 66 s each over 16 days.",
        18,
        &[site(&Script {
            cause: Some("recurring_job"),
            pivot: 0,
            incident: Incident::Count,
            steps: &[
                Step {
                    when: When::Clock {
                        days: EVERY_DAY,
                        at: 120,
                        length: 12,
                        wobble: 3,
                        within: (-DAY, DAY),
                    },
                    what: What::Job { count: 30, spacing: 20.0, seconds: 44.0, sigma: 0.05 },
                },
                fault(EVER, What::Slow(Who::Jobs, &[(0.0, 1.0), (23_040.0, 1.5)])),
            ],
            ..CALM
        })],
    ),
    scenario(
        "h10_at_limit",
        "0.5 % of the requests grow from 20 s to 42 s within a day and stay there: a trickle of \
         504s without end.",
        12,
        &[site(&Script {
            cause: Some("at_limit"),
            incident: Incident::Count,
            workers: 64,
            mix: &[
                Class { share: 0.965, ..QUICK },
                Class { share: 0.03, median: 3.0, sigma: 0.5, ..QUICK },
                Class { share: 0.005, median: 20.0, sigma: 0.2, spread: 0.03, ..QUICK },
            ],
            steps: &[fault(EVER, What::Slow(Who::Class(2), &[(0.0, 1.0), (1_440.0, 2.1)]))],
            ..CALM
        })],
    ),
    scenario(
        "h11_growth",
        "The load of a single target grows by 6 % a day until the daily peak exceeds it.",
        16,
        &[Plan {
            rate: 192.0,
            targets: 1,
            ..site(&Script {
                cause: Some("growth"),
                pivot: 0,
                workers: 4,
                // 1.06 to the power of 16.
                steps: &[fault(EVER, What::Load(&[(0.0, 1.0), (23_040.0, 2.540)]))],
                ..CALM
            })
        }],
    ),
    scenario(
        "h12_retry_storm",
        "After 15 minutes of fourfold load clients repeat every 504 three times, which keeps the \
         targets overloaded until they are restarted four hours later.",
        9,
        &[Plan {
            targets: 2,
            ..site(&Script {
                cause: Some("retry_storm"),
                repaired: Some(240),
                workers: 3,
                steps: &[
                    Step { when: When::Pivot(-EVER, EVER), what: What::Retries(3) },
                    fault(15, What::Load(&[(0.0, 4.0)])),
                    Step { when: When::Pivot(240, 241), what: What::Restart },
                ],
                ..CALM
            })
        }],
    ),
    scenario(
        "h13_zone_slow",
        "Requests through one of three zones grow sixty times as slow within five hours; \
         repaired three hours later.",
        9,
        &[Plan {
            targets: 6,
            ..site(&Script {
                cause: Some("zone_slow"),
                repaired: Some(480),
                workers: 64,
                steps: &[fault(480, What::Slow(Who::Zone(1), &[(0.0, 1.0), (300.0, 60.0)]))],
                ..CALM
            })
        }],
    ),
    scenario(
        "h14_timeout_lowered",
        "The idle timeout is lowered from 60 s to 30 s, below what 5 % of the requests need; \
         raised again after six hours.",
        9,
        &[site(&Script {
            cause: Some("timeout_lowered"),
            repaired: Some(360),
            workers: 64,
            mix: &[
                Class { share: 0.95, ..QUICK },
                Class { share: 0.05, median: 27.0, sigma: 0.18, spread: 0.03, ..QUICK },
            ],
            steps: &[fault(360, What::Timeout(30))],
            ..CALM
        })],
    ),
    scenario(
        "h15_client_timeout",
        "3 % of the requests grow six times as slow within eight hours, but clients give up after \
         30 s: 460 instead of 504, and no sample above 30 s.",
        9,
        &[site(&Script {
            cause: Some("client_timeout"),
            repaired: Some(720),
            workers: 64,
            mix: REPORTS,
            steps: &[
                Step { when: When::Pivot(-EVER, EVER), what: What::Patience(30) },
                fault(720, What::Slow(Who::Class(1), &[(0.0, 1.0), (480.0, 6.0)])),
            ],
            ..CALM
        })],
    ),
    scenario(
        "h16_deploy_kills",
        "Rolling deployments, one after another for three hours, cut off what the targets work \
         on: 502, no 504.",
        9,
        &[site(&Script {
            cause: Some("resets_502"),
            repaired: Some(180),
            workers: 64,
            mix: &[
                Class { share: 0.8, ..QUICK },
                Class { share: 0.2, median: 4.0, sigma: 0.3, ..QUICK },
            ],
            steps: &[fault(180, What::Roll { cut: Some(0.0), race: 0.0, slow: 4.0 })],
            ..CALM
        })],
    ),
    scenario(
        "h17_pauses",
        "One of four targets stops every ten minutes, at first for 20 s and 2 s longer every hour; \
         replaced after 32 hours.",
        10,
        &[site(&Script {
            cause: Some("pauses"),
            repaired: Some(1_920),
            workers: 16,
            steps: &[fault(
                1_920,
                What::Pause { target: 1, every: 10, seconds: 20.0, growth: 2.0 },
            )],
            ..CALM
        })],
    ),
    scenario(
        "h18_pool_exhausted",
        "A fifth of the requests waits exactly 30 s for a connection from the pool, for two hours; \
         no 504.",
        9,
        &[site(&Script {
            cause: Some("pool_exhausted"),
            repaired: Some(120),
            steps: &[fault(120, What::Wait(0.2, 30.0))],
            ..CALM
        })],
    ),
    scenario(
        "h19_data_growth",
        "Service times double over three weeks with the rows they read and the load grows 10 % a \
         week, until the daily peak exceeds three targets.",
        16,
        &[Plan {
            targets: 3,
            ..site(&Script {
                cause: Some("growth"),
                pivot: 0,
                workers: 2,
                steps: &[
                    fault(EVER, What::Slow(Who::All, &[(0.0, 1.0), (30_240.0, 2.0)])),
                    fault(EVER, What::Load(&[(0.0, 1.0), (30_240.0, 1.331)])),
                ],
                ..CALM
            })
        }],
    ),
    scenario(
        "h20_fail_open",
        "All targets fail their health checks because of something they share; requests go to \
         them anyway and 40 % hang, for 75 minutes.",
        9,
        &[site(&Script {
            cause: Some("fail_open"),
            repaired: Some(75),
            steps: &[
                fault(75, What::Hang(0.4, 90.0)),
                Step { when: When::Pivot(2, 77), what: What::FailOpen },
            ],
            ..CALM
        })],
    ),
    scenario(
        "h21_body_stalled",
        "4 % of the answers promise more body than they have, for two hours: 504s with small \
         response times.",
        9,
        &[site(&Script {
            cause: Some("body_stalled"),
            repaired: Some(120),
            steps: &[fault(120, What::Stall(0.04))],
            ..CALM
        })],
    ),
];
