//! Small made-up gateways: an ordinary service, and what is changed of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use nearmiss_core::alerting::episode::TrackedEpisode;
use nearmiss_core::detect::outlook::History;
use nearmiss_core::detect::{Detectors, Evaluation, Rule, State};
use nearmiss_core::gateway::signal::Signal;
use nearmiss_core::gateway::{Detail, Gateway, Identity, Kind, Timeout};
use nearmiss_core::series::history::{QuarterHour, QuarterHourStats};
use nearmiss_core::series::snapshot::Snapshot;
use nearmiss_core::time::Minute;
use nearmiss_core::{Report, assess};

/// Half past ten on a Monday.
pub const NOW: Minute = Minute(29_470_230);

/// An Application Load Balancer by its name, with an idle timeout of 60 s.
pub fn named(name: &str) -> Gateway {
    Gateway {
        id: Identity {
            name: name.into(),
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

pub fn gateway(timeout: f64) -> Arc<Gateway> {
    let id = Identity::new(Kind::Alb, "eu-central-1", "", "app/web/1");
    let timeout = Timeout { seconds: timeout, at_aws: None };
    Arc::new(Gateway { id, timeout, near: 0.8, detail: Detail::Figures, tags: BTreeMap::new() })
}

/// A quarter-hour of an ordinary service: 4,500 requests, p99 4 s.
pub fn ordinary() -> QuarterHourStats {
    QuarterHourStats {
        samples: 4_500.0,
        sum: Some(2_000.0),
        p50: Some(0.3),
        p99: Some(4.0),
        maximum: Some(9.0),
        near_misses: Some(0.0),
        timeouts: 0.0,
        connection_errors: Some(0.0),
        timeout: 60.0,
    }
}

/// Days of quarter-hours that end with the one before `NOW`; `f` changes each,
/// given its age in quarter-hours (1 is the newest).
pub fn history(days: i64, f: impl Fn(i64, &mut QuarterHourStats)) -> History {
    let mut history = History::new();
    let running = QuarterHour::containing(NOW.plus(1));
    for age in (1..=days * 96).rev() {
        let mut summary = ordinary();
        f(age, &mut summary);
        history.enter(running.plus(-age), &summary);
    }
    history
}

/// The hour that ends with `NOW`: 300 requests a minute; `f` changes each minute,
/// given its age (0 is the newest).
pub fn minutes(f: impl Fn(i64, &mut dyn FnMut(Signal, f64))) -> Snapshot {
    let mut snapshot = Snapshot::quiet(NOW.plus(-59), NOW.plus(1), &Signal::ALL);
    for age in 0..60 {
        let minute = NOW.plus(-age);
        for (signal, value) in [
            (Signal::P50, 0.3),
            (Signal::P99, 4.0),
            (Signal::Maximum, 8.0),
            (Signal::Samples, 300.0),
            (Signal::RequestCount, 300.0),
            (Signal::HealthyHosts, 4.0),
        ] {
            snapshot.record(signal, minute, value);
        }
        f(age, &mut |signal, value| snapshot.record(signal, minute, value));
    }
    snapshot
}

pub fn calm() -> Snapshot {
    minutes(|_, _| {})
}

pub fn report(snapshot: &Snapshot, history: &mut History, records: Vec<TrackedEpisode>) -> Report {
    assess(&gateway(60.0), &Detectors::default(), 60, records, snapshot, history, NOW).unwrap()
}

pub fn breaching(snapshot: &Snapshot, history: &mut History) -> Vec<Evaluation> {
    let evaluations = report(snapshot, history, Vec::new()).evaluations;
    evaluations.into_iter().filter(|v| v.state == State::Breaching).collect()
}

pub fn rules(snapshot: &Snapshot, history: &mut History) -> Vec<Rule> {
    breaching(snapshot, history).iter().map(|v| v.rule).collect()
}

#[allow(clippy::cast_precision_loss)] // hundreds
pub fn real(count: i64) -> f64 {
    count as f64
}
