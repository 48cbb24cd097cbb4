//! The scenarios in which nothing goes wrong, though some look like it.

use super::{scenario, site};
use crate::scenario::plan::{Plan, Scenario};
use crate::scenario::script::{
    CALM, Class, DAY, DAY_8, EVER, EVERY_DAY, Incident, MONDAY_TO_FRIDAY, QUICK, SUNDAY, Script,
    Step, WEEKEND, What, When, Who,
};

/// Two weeks.
const LENGTH: i64 = 14;
/// Every day of a script.
const ALL: (i64, i64) = (-DAY, DAY);

/// The nightly job, on days of the script from and until.
const fn nightly(at: i64, within: (i64, i64)) -> Step {
    Step {
        when: When::Clock { days: EVERY_DAY, at, length: 12, wobble: 3, within },
        what: What::Job { count: 30, spacing: 20.0, seconds: 50.0, sigma: 0.03 },
    }
}

/// A rolling deployment of four targets on weekdays.
const fn deployment(at: i64) -> Step {
    Step {
        when: When::Clock { days: MONDAY_TO_FRIDAY, at, length: 20, wobble: 60, within: ALL },
        what: What::Roll { cut: None, race: 0.0, slow: 4.0 },
    }
}

/// A lone request that hangs, once in a day and a half.
const STRAY: Step = Step {
    when: When::Random { every: 2_160, length: 1 },
    what: What::Job { count: 1, spacing: 60.0, seconds: 1_000.0, sigma: 0.1 },
};

pub(crate) const BENIGN: &[Scenario] = &[
    scenario(
        "b01_nightly_job",
        "Every night at 02:00 thirty requests of 50 s, as always.",
        LENGTH,
        &[site(&Script { steps: &[nightly(120, ALL)], ..CALM })],
    ),
    scenario(
        "b02_few_requests",
        "One request every two minutes, a tenth of them with a long tail.",
        LENGTH,
        &[Plan {
            rate: 0.5,
            ..site(&Script {
                incident: Incident::Count,
                mix: &[
                    Class { share: 0.9, median: 0.5, sigma: 1.0, ..QUICK },
                    Class { share: 0.1, median: 8.0, sigma: 0.8, ..QUICK },
                ],
                ..CALM
            })
        }],
    ),
    scenario(
        "b03_daily_curve",
        "A strong daily curve through queues that are never used above 60 %.",
        LENGTH,
        &[site(&Script { workers: 2, ..CALM })],
    ),
    scenario(
        "b04_deployments",
        "Two rolling deployments every weekday; each target is down for two minutes and slow for \
         three.",
        LENGTH,
        &[site(&Script {
            workers: 16,
            mix: &[
                Class { share: 0.97, ..QUICK },
                Class { share: 0.03, median: 3.0, sigma: 0.35, ..QUICK },
            ],
            steps: &[deployment(620), deployment(920)],
            ..CALM
        })],
    ),
    scenario(
        "b05_long_poll",
        "Half of the requests are long polls of about 45 s, at most 58 s.",
        LENGTH,
        &[site(&Script {
            mix: &[
                Class { share: 0.5, ..QUICK },
                Class {
                    share: 0.5,
                    median: 45.0,
                    sigma: 2.0,
                    normal: true,
                    most: 58.0,
                    spread: 0.02,
                    ..QUICK
                },
            ],
            ..CALM
        })],
    ),
    scenario(
        "b06_weekend",
        "At weekends 40 % of the load of a weekday.",
        LENGTH,
        &[site(&Script {
            workers: 4,
            steps: &[Step {
                when: When::Clock { days: WEEKEND, at: 0, length: DAY, wobble: 0, within: ALL },
                what: What::Load(&[(0.0, 0.4)]),
            }],
            ..CALM
        })],
    ),
    scenario(
        "b07_harmless_spikes",
        "Twice the load for 20 minutes every other day, which the targets serve easily.",
        LENGTH,
        &[site(&Script {
            workers: 4,
            steps: &[Step {
                when: When::Random { every: 2 * DAY, length: 20 },
                what: What::Load(&[(0.0, 2.0)]),
            }],
            ..CALM
        })],
    ),
    scenario(
        "b08_stray_504",
        "A single 504 every day and a half.",
        LENGTH,
        &[site(&Script { steps: &[STRAY], ..CALM })],
    ),
    scenario(
        "b09_heavy_tail",
        "One class with a heavy tail: about a dozen 504s a day, spread over it.",
        LENGTH,
        &[Plan {
            rate: 180.0,
            ..site(&Script { mix: &[Class { median: 0.3, sigma: 1.35, ..QUICK }], ..CALM })
        }],
    ),
    scenario(
        "b10_slow_quarter_hour",
        "Once a day everything is six times as slow for a quarter of an hour, with a few real 504s.",
        LENGTH,
        &[site(&Script {
            workers: 64,
            steps: &[Step {
                when: When::Random { every: DAY, length: 15 },
                what: What::Slow(Who::All, &[(0.0, 6.0)]),
            }],
            ..CALM
        })],
    ),
    scenario(
        "b11_language_model",
        "Every answer takes about 22 s and at most 57 s.",
        LENGTH,
        &[Plan {
            rate: 120.0,
            ..site(&Script {
                mix: &[Class { median: 22.0, sigma: 0.35, most: 57.0, ..QUICK }],
                ..CALM
            })
        }],
    ),
    scenario(
        "b12_sunday_job",
        "Every Sunday at 03:00 forty requests of 52 s.",
        15,
        &[site(&Script {
            steps: &[Step {
                when: When::Clock { days: SUNDAY, at: 180, length: 15, wobble: 3, within: ALL },
                what: What::Job { count: 40, spacing: 20.0, seconds: 52.0, sigma: 0.02 },
            }],
            ..CALM
        })],
    ),
    scenario(
        "b13_clock_change",
        "A nightly job of thirty requests of 50 s comes an hour later from day 8 on.",
        LENGTH,
        &[site(&Script { steps: &[nightly(120, (-DAY, 7)), nightly(180, (7, DAY))], ..CALM })],
    ),
    scenario(
        "b14_metric_gap",
        "CloudWatch has no datapoints for 20 minutes, twice; requests go on.",
        LENGTH,
        &[site(&Script {
            steps: &[
                Step { when: When::Pivot(0, 20), what: What::Gap },
                Step { when: When::Pivot(4_700, 4_720), what: What::Gap },
            ],
            ..CALM
        })],
    ),
    scenario(
        "b15_silent_nights",
        "No requests at all from 22:00 to 06:00.",
        LENGTH,
        &[site(&Script {
            workers: 4,
            steps: &[Step {
                when: When::Clock {
                    days: EVERY_DAY,
                    at: 1_320,
                    length: 480,
                    wobble: 5,
                    within: ALL,
                },
                what: What::Load(&[(0.0, 0.0)]),
            }],
            ..CALM
        })],
    ),
    scenario(
        "b16_no_history",
        "A load balancer whose first request comes on day 3 about 10:00.",
        LENGTH,
        &[site(&Script {
            pivot: DAY_8 - 5 * DAY,
            workers: 4,
            steps: &[
                Step { when: When::Pivot(-EVER, 0), what: What::Load(&[(0.0, 0.0)]) },
                Step { when: When::Pivot(0, 180), what: What::Load(&[(0.0, 0.1), (180.0, 1.0)]) },
            ],
            ..CALM
        })],
    ),
    scenario(
        "b17_load_test",
        "Five times the load for an hour, twice, within capacity.",
        LENGTH,
        &[site(&Script {
            workers: 16,
            steps: &[
                Step { when: When::Pivot(0, 60), what: What::Load(&[(0.0, 5.0)]) },
                Step { when: When::Pivot(4_400, 4_460), what: What::Load(&[(0.0, 5.0)]) },
            ],
            ..CALM
        })],
    ),
    scenario(
        "b18_slow_uploads",
        "1 % of the requests are uploads that keep sending for about 100 s, beyond the idle \
         timeout and without a 504.",
        LENGTH,
        &[site(&Script {
            mix: &[
                Class { share: 0.96, ..QUICK },
                Class { share: 0.03, median: 3.0, sigma: 0.5, ..QUICK },
                Class { share: 0.01, median: 100.0, sigma: 0.2, flowing: true, ..QUICK },
            ],
            ..CALM
        })],
    ),
    scenario(
        "b19_timeout_raised",
        "The idle timeout is raised from 60 s to 120 s; 0.5 % of the requests take about 26 s.",
        LENGTH,
        &[site(&Script {
            mix: &[
                Class { share: 0.965, ..QUICK },
                Class { share: 0.03, median: 3.0, sigma: 0.5, ..QUICK },
                Class { share: 0.005, median: 26.0, sigma: 0.2, most: 59.0, spread: 0.03, ..QUICK },
            ],
            steps: &[Step { when: When::Pivot(0, EVER), what: What::Timeout(120) }],
            ..CALM
        })],
    ),
];
