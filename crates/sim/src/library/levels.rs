//! Scenarios in which a level changes: latency, traffic, or the share that fails.
//!
//! The line between harmful and harmless is a 504 that somebody would get up for: a step
//! that stays below the timeout is none, however high, and neither are a few hundredths of
//! a percent of a very large load balancer.

use super::{always, during, on, one_of, scenario, site};
use crate::scenario::plan::{Plan, Scenario};
use crate::scenario::script::{
    CALM, Class, DAY, DAY_8, EVERY_DAY, Incident, QUICK, Script, Step, WEEKEND, What, When, Who,
};

/// A step of one class (seven to eight times as slow) that leaves 504s out.
const STEP: Script = Script { workers: 64, ..CALM };

/// The everyday mix with another class of reports.
const fn reports(share: f64, median: f64, sigma: f64, most: f64) -> [Class; 2] {
    let report = Class { share, median, sigma, most, spread: 0.03, ..QUICK };
    [Class { share: 1.0 - share, ..QUICK }, report]
}

/// p99 from about 4 s to about 30 s.
const STEPS: &[Plan] = &[
    site(&Script {
        mix: &reports(0.03, 3.5, 0.25, 45.0),
        steps: &[on(What::Slow(Who::Class(1), &[(0.0, 7.6)]))],
        ..STEP
    }),
    Plan {
        timeout: 52,
        ..site(&Script {
            mix: &reports(0.03, 3.7, 0.2, 41.0),
            steps: &[on(What::Slow(Who::Class(1), &[(0.0, 1.0), (3.0, 7.4)]))],
            ..STEP
        })
    },
    // Eight near misses an hour.
    site(&Script {
        mix: &reports(0.05, 3.3, 0.3, 57.0),
        steps: &[on(What::Slow(Who::Class(1), &[(0.0, 7.0)]))],
        ..STEP
    }),
    // One near miss in some hours.
    Plan {
        rate: 900.0,
        ..site(&Script {
            mix: &reports(0.03, 3.6, 0.2, 55.0),
            steps: &[on(What::Slow(Who::Class(1), &[(0.0, 7.5)]))],
            ..STEP
        })
    },
];

/// Everything slower by the same factor, far from the capacity.
const SLOWER: Script =
    Script { workers: 64, mix: &reports(0.03, 3.0, 0.35, f64::INFINITY), ..CALM };

const SLOWER_WORK: &[Plan] = &[
    site(&Script { steps: &[on(What::Slow(Who::All, &[(0.0, 2.5)]))], ..SLOWER }),
    site(&Script { steps: &[on(What::Slow(Who::All, &[(0.0, 1.0), (30.0, 3.5)]))], ..SLOWER }),
    site(&Script { steps: &[during(0, 360, What::Slow(Who::All, &[(0.0, 2.5)]))], ..SLOWER }),
];

/// The everyday mix of a load balancer with very many requests.
const CROWD: &[Class] = &[
    Class { share: 0.97, bundled: true, ..QUICK },
    Class { share: 0.03, median: 3.0, sigma: 0.4, bundled: true, ..QUICK },
];

/// This many requests a minute, of which about six hundred are drawn.
const fn crowd(rate: u32, script: &'static Script) -> Plan {
    Plan { rate: rate as f64, swing: 0.3, targets: 12, ..site(script) }
}

const SMALL_SHARE: Script = Script {
    cause: Some("hang"),
    repaired: Some(240),
    incident: Incident::Objective,
    mix: CROWD,
    ..CALM
};

/// More than an objective of 99.9 % allows, and less than 0.3 %.
const HARMFUL_SHARE: &[Plan] = &[
    crowd(
        100_000,
        &Script { bundle: 160, steps: &[during(0, 240, What::Hang(0.003, 75.0))], ..SMALL_SHARE },
    ),
    crowd(
        300_000,
        &Script {
            cause: Some("slow_endpoint"),
            repaired: Some(420),
            bundle: 500,
            mix: &[
                Class { share: 0.002, median: 2.0, sigma: 0.25, ..QUICK },
                Class { share: 0.968, bundled: true, ..QUICK },
                Class { share: 0.03, median: 3.0, sigma: 0.4, bundled: true, ..QUICK },
            ],
            steps: &[during(0, 420, What::Slow(Who::Class(0), &[(0.0, 1.0), (180.0, 38.0)]))],
            ..SMALL_SHARE
        },
    ),
    crowd(
        1_000_000,
        &Script {
            bundle: 1_600,
            steps: &[during(0, 240, What::Hang(0.001_5, 75.0))],
            ..SMALL_SHARE
        },
    ),
];

/// At most 0.03 %.
const HARMLESS_SHARE: &[Plan] = &[
    crowd(
        100_000,
        &Script {
            cause: None,
            bundle: 160,
            steps: &[on(What::Hang(0.000_2, 75.0))],
            ..SMALL_SHARE
        },
    ),
    crowd(
        300_000,
        &Script {
            cause: None,
            bundle: 500,
            steps: &[always(What::Hang(0.000_3, 75.0))],
            ..SMALL_SHARE
        },
    ),
    crowd(
        1_000_000,
        &Script {
            cause: None,
            bundle: 1_600,
            steps: &[during(0, 240, What::Hang(0.000_2, 75.0))],
            ..SMALL_SHARE
        },
    ),
];

/// Two requests a minute that become eleven times as slow within this many minutes.
const fn few(script: &'static Script) -> Plan {
    Plan { rate: 2.0, swing: 0.0, targets: 2, ..site(script) }
}

const FEW: Script = Script {
    cause: Some("slow_endpoint"),
    pivot: DAY_8 + 3 * DAY,
    incident: Incident::Count,
    mix: &[Class { median: 5.0, sigma: 0.35, ..QUICK }],
    ..CALM
};

const FEW_DRIFTING: &[Plan] = &[
    few(&Script {
        repaired: Some(1_320),
        steps: &[during(0, 1_320, What::Slow(Who::All, &[(0.0, 1.0), (960.0, 11.0)]))],
        ..FEW
    }),
    few(&Script {
        repaired: Some(2_160),
        steps: &[during(0, 2_160, What::Slow(Who::All, &[(0.0, 1.0), (1_800.0, 11.0)]))],
        ..FEW
    }),
    few(&Script {
        repaired: Some(3_000),
        steps: &[during(0, 3_000, What::Slow(Who::All, &[(0.0, 1.0), (2_640.0, 11.0)]))],
        ..FEW
    }),
];

/// Every day of a script.
const ALL: (i64, i64) = (-DAY, DAY);

/// Nights of one or two requests a minute.
const NIGHT: Step = Step {
    when: When::Clock { days: EVERY_DAY, at: 1_380, length: 420, wobble: 10, within: ALL },
    what: What::Load(&[(0.0, 0.3), (40.0, 0.006), (380.0, 0.006), (420.0, 0.3)]),
};

pub(crate) const LEVELS: &[Scenario] = &[
    scenario(
        "h24_slower_work",
        "All work becomes three times as slow at low use, and six hours later slower and slower \
         until its tail passes the timeout; nobody ever waits.",
        10,
        &[site(&Script {
            cause: Some("slower_work"),
            repaired: Some(1_200),
            steps: &[during(
                0,
                1_200,
                What::Slow(Who::All, &[(0.0, 3.0), (360.0, 3.0), (960.0, 22.0)]),
            )],
            ..SLOWER
        })],
    ),
    scenario(
        "h25_small_share",
        "0.15 to 0.3 % of the requests of a load balancer with a hundred thousand to a million \
         requests a minute time out for four hours: more than an objective of 99.9 % allows.",
        9,
        &[one_of(HARMFUL_SHARE)],
    ),
    scenario(
        "h27_two_a_minute",
        "Ten days of two requests a minute, then 16, 30 or 44 hours in which they become eleven \
         times as slow and pass the timeout.",
        14,
        &[one_of(FEW_DRIFTING)],
    ),
    scenario(
        "b20_step",
        "On day 8 the p99 steps from about 4 s to about 30 s, with near misses or without, and \
         stays there; no 504.",
        14,
        &[one_of(STEPS)],
    ),
    scenario(
        "b23_slower_work",
        "All work becomes two to four times as slow at low use, for six hours or for ever; nobody \
         waits, no 504.",
        14,
        &[one_of(SLOWER_WORK)],
    ),
    scenario(
        "b24_small_share",
        "0.02 to 0.03 % of the requests of a load balancer with a hundred thousand to a million \
         requests a minute time out: always, from day 8 on, or for four hours. Within an \
         objective of 99.9 %.",
        9,
        &[one_of(HARMLESS_SHARE)],
    ),
    scenario(
        "b27_seasonal_nights",
        "Busy days, weekends half as busy, and nights with none to three requests a minute, among \
         them now and then one of about 48 s; no 504.",
        14,
        &[Plan {
            rate: 240.0,
            swing: 0.0,
            ..site(&Script {
                workers: 8,
                steps: &[
                    NIGHT,
                    Step {
                        when: When::Clock {
                            days: WEEKEND,
                            at: 0,
                            length: DAY,
                            wobble: 0,
                            within: ALL,
                        },
                        what: What::Load(&[(0.0, 0.5)]),
                    },
                    Step {
                        when: When::Random { every: 150, length: 1 },
                        what: What::Job { count: 1, spacing: 60.0, seconds: 48.0, sigma: 0.05 },
                    },
                ],
                ..CALM
            })
        }],
    ),
];
