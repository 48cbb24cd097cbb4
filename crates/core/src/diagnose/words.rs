//! Sentences about figures, the same in all findings: a number, its unit, since when,
//! and what it was before.

use crate::number::quantity::{count, percent, seconds};
use crate::time::Minute;

use crate::diagnose::facts::Facts;
use crate::gateway::evidence::Measure;

/// What a measure is called in a sentence.
#[must_use]
pub fn name(measure: Measure) -> &'static str {
    match measure {
        Measure::Elb504 => "HTTPCode_ELB_504_Count",
        Measure::Elb502 => "HTTPCode_ELB_502_Count",
        Measure::Elb503 => "HTTPCode_ELB_503_Count",
        Measure::ConnectionErrors => "TargetConnectionErrorCount",
        Measure::TlsErrors => "TargetTLSNegotiationErrorCount",
        Measure::Rejected => "RejectedConnectionCount",
        Measure::FailOpen => "UnhealthyRoutingRequestCount",
        Measure::LambdaUserErrors => "LambdaUserError",
        Measure::LambdaInternalErrors => "LambdaInternalError",
        _ => "the count",
    }
}

/// How many requests got an error since the trouble began, and before; empty without any.
#[must_use]
pub fn errors(facts: &Facts, measure: Measure) -> String {
    let tally = facts.tally(measure);
    if tally.now <= 0.0 {
        return String::new();
    }
    let code = match measure {
        Measure::Elb502 => "502",
        Measure::Elb503 => "503",
        _ => "504",
    };
    format!(
        "{} of {} requests ({}) got {code} since {}{}.",
        count(tally.now),
        count(facts.handled_now()),
        percent(facts.as_share(tally.now)),
        facts.since(),
        before(facts, tally.before),
    )
}

/// How many requests were near misses.
#[must_use]
pub fn near_misses(facts: &Facts) -> String {
    let tally = facts.tally(Measure::NearMisses);
    if tally.now <= 0.0 {
        return String::new();
    }
    format!(
        "{} requests took more than {} ({} of the idle timeout of {}){}.",
        count(tally.now),
        seconds(facts.evidence.near * facts.idle),
        percent(facts.evidence.near),
        seconds(facts.idle),
        before(facts, tally.before),
    )
}

/// How often a metric counted.
#[must_use]
pub fn metric(facts: &Facts, measure: Measure) -> String {
    match facts.now(measure) {
        Some(now) if now > 0.0 => {
            format!("{} is {} since {}.", name(measure), count(now), facts.since())
        }
        _ => String::new(),
    }
}

/// What a latency came to, and what it usually was.
#[must_use]
pub fn level(facts: &Facts, measure: Measure, name: &str) -> String {
    match (facts.usual(measure), facts.came_to(measure)) {
        (Some(usual), Some(now)) => {
            format!(
                "{name} of the answered requests came to {}, usually {}.",
                seconds(now),
                seconds(usual)
            )
        }
        (None, Some(now)) => format!("{name} of the answered requests came to {}.", seconds(now)),
        (Some(usual), None) => {
            format!("No request was answered; {name} was {} before.", seconds(usual))
        }
        (None, None) => String::new(),
    }
}

/// How many targets are anomalous.
#[must_use]
pub fn anomalous(facts: &Facts) -> String {
    match facts.came_to(Measure::Anomalous) {
        Some(targets) if targets >= 1.0 => format!("AnomalousHostCount is {}.", count(targets)),
        _ => String::new(),
    }
}

/// How many targets are healthy and unhealthy now.
#[must_use]
pub fn health(facts: &Facts) -> String {
    let state = |measure| facts.state(measure).map_or("unknown".to_owned(), count);
    if !facts.knows(Measure::Healthy) && !facts.knows(Measure::Unhealthy) {
        return String::new();
    }
    format!(
        "HealthyHostCount is {}, UnHealthyHostCount {}.",
        state(Measure::Healthy),
        state(Measure::Unhealthy)
    )
}

/// A time in seconds since the epoch, as the minute it is in.
#[must_use]
pub fn time(unix_seconds: i64) -> Minute {
    Minute::containing(unix_seconds)
}

/// Some names, and how many more there are.
#[must_use]
pub fn list<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    const SHOWN: usize = 4;
    let names: Vec<&String> = names.into_iter().collect();
    let shown: Vec<&str> = names.iter().take(SHOWN).map(|name| name.as_str()).collect();
    let more = names.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

fn before(facts: &Facts, count_before: f64) -> String {
    let minutes = facts.split.before.len();
    if minutes == 0 {
        return String::new();
    }
    format!(
        "; in the {minutes} min before: {} of {}",
        count(count_before),
        count(facts.handled_before())
    )
}
