//! Scenarios in which something comes again: every few hours, every day, every week.
//!
//! Those that depend on capacity have the same load for every seed, and their queues are
//! first come, first served: a load of (1 + x) times the capacity for t seconds makes the
//! last one wait x t seconds.

use super::{always, during, one_of, scenario, site};
use crate::scenario::host::TASKS;
use crate::scenario::plan::{Plan, Scenario};
use crate::scenario::script::{
    CALM, Class, DAY, EVERY_DAY, Fault, Incident, QUICK, Script, Shown, Step, What, When, Who,
};

/// Every day of a script, its first week, and the days after that.
const ALL: (i64, i64) = (-DAY, DAY);
const WEEK_1: (i64, i64) = (-DAY, 7);
const WEEK_2: (i64, i64) = (7, 14);
const WEEK_3: (i64, i64) = (14, 21);
const LATER: (i64, i64) = (7, DAY);

const THURSDAY: u8 = 0b000_1000;

/// A mix that is the same for every seed, and so even that queues grow the same way as
/// well: 0.34 s of work on average.
const EVEN: &[Class] = &[
    Class { share: 0.97, sigma: 0.4, spread: 0.0, ..QUICK },
    Class { share: 0.03, median: 2.5, sigma: 0.3, spread: 0.0, ..QUICK },
];

/// What happens on these days from this minute on.
const fn at(days: u8, at: i64, length: i64, within: (i64, i64), what: What) -> Step {
    Step { when: When::Clock { days, at, length, wobble: 0, within }, what }
}

/// A cache whose entries all expire at once, every `every` minutes: their pages are
/// rebuilt by everybody who asks, until they are there again.
const fn stampede(every: i64) -> Step {
    Step {
        when: When::Every { every, length: 18, wobble: 6 },
        what: What::Slow(Who::Class(1), &[(0.0, 1.0), (1.0, 88.0), (12.0, 80.0), (17.0, 1.0)]),
    }
}

const CACHED: Script = Script {
    cause: Some("cache_stampede"),
    workers: 64,
    mix: &[
        Class { share: 0.94, ..QUICK },
        Class { share: 0.06, median: 0.6, sigma: 0.35, spread: 0.03, ..QUICK },
    ],
    ..CALM
};

const fn cached(script: &'static Script) -> Plan {
    Plan { rate: 300.0, swing: 0.3, ..site(script) }
}

/// Quiet nights, and from 10:00 to 21:00 288 requests a minute: 1/7.3 of what four
/// targets with three workers can serve.
const DAYTIME: Step = at(
    EVERY_DAY,
    0,
    DAY,
    ALL,
    What::Load(&[(0.0, 0.4), (360.0, 0.4), (600.0, 1.2), (1_260.0, 1.2), (1_440.0, 0.4)]),
);

/// The load balancer with these peaks.
const fn peaked(script: &'static Script) -> Plan {
    Plan { rate: 240.0, swing: 0.0, ..site(script) }
}

const PEAKED: Script = Script { spread: 0.0, workers: 3, mix: EVEN, ..CALM };

/// A peak with this many times the load for three minutes; at 8, 9 and 10 times the last
/// request waits for about 18, 48 and 78 s.
macro_rules! peak {
    ($most:expr) => {
        What::Load(&[(0.0, 1.0), (6.0, 5.5), (7.0, $most), (10.0, $most), (12.0, 4.5), (45.0, 1.0)])
    };
}

/// The minutes of the day at which the peaks begin: seven in the evening, and noon.
const EVENING: i64 = 1_140;
const NOON: i64 = 720;

/// Six targets by day and three by night, of which each can serve 352 requests a
/// minute.
const fn scaled(script: &'static Script) -> Plan {
    Plan { rate: 1_135.0, swing: 0.0, targets: 6, ..site(script) }
}

/// More than three targets can serve from 07:37 on.
const MORNING: Step = at(
    EVERY_DAY,
    0,
    DAY,
    ALL,
    What::Load(&[(0.0, 0.35), (420.0, 0.35), (460.0, 1.0), (1_080.0, 1.0), (1_260.0, 0.35)]),
);

const SCALED: Script = Script { spread: 0.0, workers: 2, mix: EVEN, ..CALM };
const SCALED_IN: Step = always(What::Shown(Shown::ScaledIn));

/// A rolling deployment of four tasks, at half past ten.
const DEPLOYMENT: Step =
    at(EVERY_DAY, 630, 20, ALL, What::Roll { cut: None, race: 0.0, slow: 1.3 });

/// Requests that go to a task which is not there, in two minutes of it.
const fn deployed(within: (i64, i64), what: What) -> Step {
    at(EVERY_DAY, 633, 2, within, what)
}

/// Two incidents on two days running, at different hours.
const TWICE: Script = Script { repaired: Some(1_790), ..CALM };

const INCIDENTS: &[Plan] = &[
    site(&Script {
        cause: Some("hang"),
        steps: &[
            during(0, 45, What::Hang(0.06, 75.0)),
            during(1_750, 1_790, What::Hang(0.06, 75.0)),
        ],
        ..TWICE
    }),
    site(&Script {
        cause: Some("slow_endpoint"),
        workers: 64,
        mix: &[
            Class { share: 0.96, ..QUICK },
            Class { share: 0.04, median: 5.0, sigma: 0.3, spread: 0.03, ..QUICK },
        ],
        steps: &[
            during(0, 45, What::Slow(Who::Class(1), &[(0.0, 4.0), (10.0, 12.0)])),
            during(1_750, 1_790, What::Slow(Who::Class(1), &[(0.0, 4.0), (10.0, 12.0)])),
        ],
        ..TWICE
    }),
    Plan {
        targets: 3,
        swing: 0.3,
        ..site(&Script {
            cause: Some("spike"),
            workers: 2,
            steps: &[
                during(0, 15, What::Load(&[(0.0, 3.3)])),
                during(1_750, 1_765, What::Load(&[(0.0, 3.3)])),
            ],
            ..TWICE
        })
    },
];

pub(crate) const RETURNING: &[Scenario] = &[
    scenario(
        "h22_cache_stampede",
        "From day 8 on a cache expires every three, four or six hours: its pages take up to a \
         minute, and for ten to twenty minutes some end in 504.",
        14,
        &[one_of(&[
            cached(&Script { steps: &[stampede(180)], ..CACHED }),
            cached(&Script { steps: &[stampede(240)], ..CACHED }),
            cached(&Script { steps: &[stampede(360)], ..CACHED }),
        ])],
    ),
    scenario(
        "h23_weekly_peak",
        "Every Thursday at 19:00 a peak that is higher each week, eight to ten times the load: a \
         short queue in the first week, one of most of a minute in the second, 504s in the third.",
        22,
        &[peaked(&Script {
            cause: Some("growth"),
            pivot: 10 * DAY + 1_100,
            repaired: Some(7 * DAY + 120),
            steps: &[
                DAYTIME,
                at(THURSDAY, EVENING, 45, WEEK_1, peak!(8.0)),
                at(THURSDAY, EVENING, 45, WEEK_2, peak!(8.6)),
                at(THURSDAY, EVENING, 45, WEEK_3, peak!(10.0)),
            ],
            ..PEAKED
        })],
    ),
    scenario(
        "h26_two_incidents",
        "Incidents of 20 to 60 minutes on day 8 and 29 hours later on day 9, then nothing more.",
        15,
        &[one_of(INCIDENTS)],
    ),
    scenario(
        "h28_daily_peak",
        "Every day at noon a peak; from day 8 on requests queue at it until some end in 504.",
        14,
        &[peaked(&Script {
            cause: Some("queueing_traffic"),
            pivot: 7 * DAY + 690,
            steps: &[
                DAYTIME,
                at(EVERY_DAY, NOON, 45, WEEK_1, peak!(7.0)),
                at(EVERY_DAY, NOON, 45, LATER, peak!(9.6)),
            ],
            ..PEAKED
        })],
    ),
    scenario(
        "h29_daily_deploy",
        "A rolling deployment every day at 10:30; from day 8 on 5 % of the requests find no \
         connection for two minutes of it and end in 504.",
        14,
        &[Plan {
            host: TASKS,
            ..site(&Script {
                cause: Some("deploy_race"),
                incident: Incident::Count,
                pivot: 7 * DAY + 600,
                steps: &[
                    DEPLOYMENT,
                    deployed(LATER, What::Strike(Who::All, 0.05, Fault::Unreachable)),
                ],
                ..CALM
            })
        }],
    ),
    scenario(
        "b21_weekly_peak",
        "Every Thursday at 19:00 six or eight times the load for some minutes, with a short \
         queue or none; no 504.",
        22,
        &[one_of(&[
            peaked(&Script {
                steps: &[DAYTIME, at(THURSDAY, EVENING, 45, ALL, peak!(6.0))],
                ..PEAKED
            }),
            peaked(&Script {
                steps: &[DAYTIME, at(THURSDAY, EVENING, 45, ALL, peak!(8.0))],
                ..PEAKED
            }),
        ])],
    ),
    scenario(
        "b22_autoscaler_lag",
        "Every morning the load triples within forty minutes, and three further targets come five \
         to ten minutes after those of the night are full: a short queue, no 504.",
        8,
        &[one_of(&[
            scaled(&Script {
                steps: &[
                    MORNING,
                    SCALED_IN,
                    at(EVERY_DAY, 1_320, 587, ALL, What::Up(&[(0, 3), (581, 4), (584, 5)])),
                ],
                ..SCALED
            }),
            scaled(&Script {
                steps: &[
                    MORNING,
                    SCALED_IN,
                    at(EVERY_DAY, 1_320, 586, ALL, What::Up(&[(0, 3), (582, 4), (584, 5)])),
                ],
                ..SCALED
            }),
        ])],
    ),
    scenario(
        "b25_daily_deploy",
        "A rolling deployment every day at 10:30, in which for two minutes 2 % of the requests \
         find nobody listening: a dozen 502s and connection errors a day, no 504.",
        14,
        &[Plan {
            host: TASKS,
            ..site(&Script {
                steps: &[DEPLOYMENT, deployed(ALL, What::Strike(Who::All, 0.02, Fault::Closed))],
                ..CALM
            })
        }],
    ),
    scenario(
        "b26_tenfold_bursts",
        "Ten times the load for ten minutes every five hours, which the targets serve easily.",
        14,
        &[Plan {
            rate: 150.0,
            ..site(&Script {
                workers: 32,
                steps: &[Step {
                    when: When::Random { every: 300, length: 12 },
                    what: What::Load(&[(0.0, 1.0), (1.0, 10.0), (11.0, 10.0), (12.0, 1.0)]),
                }],
                ..CALM
            })
        }],
    ),
];
