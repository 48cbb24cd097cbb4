//! Made-up gateways with fourteen days of history each.

use std::collections::BTreeMap;

use crate::alerting::episode::{Episode, Evidence, TrackedEpisode};
use crate::capacity::{Bill, Digest, Facts};
use crate::detect::outlook::History;
use crate::detect::{Evaluation, Rule, Severity, State};
use crate::gateway::{Detail, Gateway, Identity, Kind, Timeout};
use crate::series::forecast::Forecast;
use crate::series::history::{Known, QUARTER_HOURS, QuarterHour, QuarterHourStats};
use crate::state::GatewayState;
use crate::time::Minute;

/// Monday, 2026-01-12T00:00Z.
pub const END: Minute = Minute(1_768_176_000 / 60);

/// One gateway and what is known of it.
#[derive(Debug, Clone)]
pub struct Made {
    pub gateway: Gateway,
    pub history: History,
    pub state: GatewayState,
    pub evaluations: Vec<Evaluation>,
    pub timeouts: Vec<(Minute, f64)>,
    pub healthy: Option<(f64, f64)>,
    pub without_data: bool,
}

impl Made {
    /// A gateway with a timeout of 60 s; `quarter_hour` says what each quarter-hour was like:
    /// day 0 to 13 and quarter-hour 0 to 95.
    pub fn new(name: &str, quarter_hour: impl Fn(i64, i64) -> Known) -> Self {
        let mut history = History::new();
        let length = i64::try_from(QUARTER_HOURS).unwrap();
        let first = QuarterHour::containing(END).plus(-length);
        for age in 0..length {
            match quarter_hour(age / 96, age % 96) {
                Known::Unknown => {}
                Known::Idle => history.enter(first.plus(age), &QuarterHourStats::default()),
                Known::Measured(summary) => history.enter(first.plus(age), &summary),
            }
        }
        Self {
            gateway: gateway(name),
            history,
            state: GatewayState::starting(END),
            evaluations: Vec::new(),
            timeouts: Vec::new(),
            healthy: None,
            without_data: false,
        }
    }

    pub fn facts(&self) -> Facts<'_> {
        Facts {
            gateway: &self.gateway,
            history: &self.history,
            state: Some(&self.state),
            evaluations: &self.evaluations,
            timeouts: &self.timeouts,
            healthy: self.healthy,
            without_data: self.without_data,
        }
    }
}

/// The report on a week of these.
pub fn digest(made: &[Made]) -> Digest {
    let facts: Vec<Facts<'_>> = made.iter().map(Made::facts).collect();
    let bill = Bill { billed_metrics: 27_216, dollars: 0.272_16 };
    Digest::of(&facts, END, 7, Some(bill), "monitor-1")
}

pub fn gateway(name: &str) -> Gateway {
    Gateway {
        id: Identity {
            name: name.to_owned(),
            ..Identity::new(
                Kind::Alb,
                "eu-central-1",
                "111122223333",
                &format!("app/{name}/50dc6c495c0c9188"),
            )
        },
        timeout: Timeout { seconds: 60.0, at_aws: Some(60.0) },
        near: 0.8,
        detail: Detail::Figures,
        tags: BTreeMap::new(),
    }
}

/// A quarter-hour of this many answers with this p99 in seconds and no trouble.
pub fn answers(samples: f64, p99: f64) -> QuarterHourStats {
    QuarterHourStats {
        samples,
        sum: Some(samples * 0.3),
        p50: Some(0.2),
        p99: Some(p99),
        maximum: Some(p99 * 1.25),
        near_misses: Some(0.0),
        timeouts: 0.0,
        connection_errors: Some(0.0),
        timeout: 60.0,
    }
}

/// More by day than by night, the most at 14:00.
pub fn traffic(quarter_hour: i64) -> f64 {
    if (32..72).contains(&quarter_hour) {
        if (56..60).contains(&quarter_hour) { 4000.0 } else { 2000.0 }
    } else {
        400.0
    }
}

pub fn calm(_: i64, quarter_hour: i64) -> Known {
    Known::Measured(answers(traffic(quarter_hour), 3.0))
}

/// The answers of the afternoon grow by 2.5 s each day.
pub fn growing(day: i64, quarter_hour: i64) -> Known {
    #[allow(clippy::cast_precision_loss)]
    let p99 = 18.0 + 2.5 * day as f64 + 0.01 * (quarter_hour % 7) as f64;
    let p99 = if (56..60).contains(&quarter_hour) { p99 } else { 3.0 };
    let near_misses = Some(if p99 > 45.0 { 12.0 } else { 0.0 });
    Known::Measured(QuarterHourStats { near_misses, ..answers(traffic(quarter_hour), p99) })
}

/// Thursday of the second week, 13:00 to 17:00.
pub fn bad_afternoon(day: i64, quarter_hour: i64) -> Known {
    if day == 10 && (52..68).contains(&quarter_hour) {
        let bad = answers(2000.0, 55.0);
        return Known::Measured(QuarterHourStats {
            near_misses: Some(160.0),
            timeouts: 5.0,
            ..bad
        });
    }
    calm(day, quarter_hour)
}

/// A constant job of 50 s at 02:00, when there is little else.
pub fn nightly(day: i64, quarter_hour: i64) -> Known {
    if quarter_hour == 8 {
        return Known::Measured(QuarterHourStats { near_misses: Some(6.0), ..answers(60.0, 50.0) });
    }
    calm(day, quarter_hour)
}

/// The same, and it takes 0.9 s longer each night.
pub fn growing_nightly(day: i64, quarter_hour: i64) -> Known {
    #[allow(clippy::cast_precision_loss)]
    let p99 = 41.0 + 0.9 * day as f64;
    let near_misses = Some(if p99 > 48.0 { 4.0 } else { 0.0 });
    match quarter_hour {
        8 => Known::Measured(QuarterHourStats { near_misses, ..answers(120.0, p99) }),
        _ => calm(day, quarter_hour),
    }
}

/// Every afternoon 2 % end in 504, so that the p99 of the answers says nothing.
pub fn censored(day: i64, quarter_hour: i64) -> Known {
    if (56..60).contains(&quarter_hour) {
        return Known::Measured(QuarterHourStats { timeouts: 80.0, ..answers(4000.0, 9.0) });
    }
    calm(day, quarter_hour)
}

/// The newest three and a half days were not read.
pub fn half_unknown(day: i64, quarter_hour: i64) -> Known {
    if day * 96 + quarter_hour >= 7 * 96 + 336 { Known::Unknown } else { calm(day, quarter_hour) }
}

/// The timeout was 30 s until the middle of the second week.
pub fn shorter_before(day: i64, quarter_hour: i64) -> Known {
    let busy = (56..60).contains(&quarter_hour);
    let is_old = day * 96 + quarter_hour < 7 * 96 + 336;
    let p99 = if busy { 26.0 } else { 3.0 };
    let near_misses = Some(if busy && is_old { 50.0 } else { 0.0 });
    let timeout = if is_old { 30.0 } else { 60.0 };
    Known::Measured(QuarterHourStats {
        near_misses,
        timeout,
        ..answers(traffic(quarter_hour), p99)
    })
}

/// 504s cut the answers off at 30 s until the timeout was raised in the second week.
pub fn cut_off(day: i64, quarter_hour: i64) -> Known {
    match (shorter_before(day, quarter_hour), censored(day, quarter_hour)) {
        (Known::Measured(s), Known::Measured(cut)) if s.timeout < 60.0 => {
            Known::Measured(QuarterHourStats { timeout: s.timeout, ..cut })
        }
        (Known::Measured(s), _) if s.p99 > Some(20.0) => Known::Measured(answers(4000.0, 41.0)),
        (known, _) => known,
    }
}

/// A forecast of a rule, hours from the end.
pub fn expecting(rule: Rule, [low, mid, high]: [f64; 3]) -> Evaluation {
    Evaluation {
        rule,
        state: State::Breaching,
        severity: Severity::Warning,
        value: Some(40.0),
        threshold: 60.0,
        why: "It rises.".into(),
        forecast: Forecast::between(low * 3600.0, mid * 3600.0, high * 3600.0),
    }
}

/// An open episode, of a rule and since this many minutes.
pub fn open(gateway: &Gateway, rule: Rule, minutes: i64) -> TrackedEpisode {
    let began = END.plus(-minutes);
    let why = "Requests are slow.".to_owned();
    let evidence = Evidence { rule, why, value: Some(41.0), threshold: 60.0, forecast: None };
    let episode = Episode {
        id: format!("{}@{began}", gateway.id.key()),
        began,
        last_breach: END.plus(-1),
        severity: Severity::Warning,
        rules: BTreeMap::from([(rule, began)]),
        evidence,
        quiet_minutes: 0,
        ended: None,
        abandoned: false,
        benign: false,
        requests: 900,
        near_misses: 30,
        timeouts: 1,
        returns: None,
    };
    TrackedEpisode::unnotified(gateway, episode)
}

/// Six gateways with something to say of each.
pub fn mixed() -> Vec<Made> {
    let mut growing = Made::new("checkout", growing);
    growing.state.records.push(open(&growing.gateway, Rule::NearMiss, 90));
    growing.healthy = Some((6.0, 4.0));
    let mut incident = Made::new("search", bad_afternoon);
    incident.state.enter_incident(END.plus(-4860), END.plus(-4621));
    let mut job = Made::new("reports", growing_nightly);
    job.evaluations.push(expecting(Rule::RecurringJob, [98.0, 170.0, 266.0]));
    let mut raised = Made::new("orders", shorter_before);
    raised.timeouts.push((END.plus(-40 * 1440), 30.0));
    let new = Made::new(
        "beta",
        |day, quarter_hour| if day < 11 { Known::Idle } else { calm(day, quarter_hour) },
    );
    let unknown =
        Made::new(
            "legacy",
            |day, quarter_hour| {
                if day < 7 { calm(day, quarter_hour) } else { Known::Unknown }
            },
        );
    vec![growing, incident, job, raised, new, unknown]
}
