//! Prometheus: what the daemon counts about itself, and what goes onto the page.
//!
//! The families are in [`crate::metrics`]; the registry here has those of
//! [`process::FAMILIES`] that are counted by code. What belongs to a gateway is read anew
//! at the end of each poll: absence needs no clean-up, and a gateway that is gone is gone
//! from the page.

mod notifications;

use std::sync::{Arc, Mutex};

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use super::aws::Usage;
use crate::metrics::process::{self, Row};
use crate::metrics::{Known, Options, Page, Samples};
use crate::settings::metrics::Metrics;
use nearmiss_core::alerting::Receiver;
use nearmiss_core::notification::Component;
pub use notifications::Notifications;

/// Bounds of the histogram of how long polls take, seconds.
const POLL_BOUNDS: [f64; 13] =
    [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 50.0, 75.0, 100.0, 150.0];

/// What the daemon counts about itself.
#[derive(Debug)]
pub struct Exporter {
    registry: Registry,
    /// What is on the page besides the figures, and what is left out.
    pub options: Metrics,
    /// Polls by outcome.
    pub polls: IntCounterVec,
    /// How long polls take.
    pub poll_duration: Histogram,
    /// Discoveries by outcome.
    pub discoveries: IntCounterVec,
    /// What was sent, and what waits.
    pub notifications: Notifications,
    /// When the last poll began, seconds since the Unix epoch.
    pub heartbeat: IntGauge,
    /// Whether the config could be used when it was last read.
    pub reloaded: IntGauge,
    trouble: IntGaugeVec,
    /// The results of the self-check, by check.
    pub self_check: IntGaugeVec,
    /// Seconds that this machine's clock is ahead of AWS's.
    pub clock_skew: IntGauge,
    /// Saves of the state, by outcome.
    pub state_saves: IntCounterVec,
    api_calls: IntCounterVec,
    billed_metrics: IntCounter,
    log_lines_dropped: IntCounter,
    gateways: IntGauge,
    /// Pages are written one after the other.
    turn: Arc<Mutex<()>>,
}

/// Outcomes of what either succeeds or fails.
const OUTCOMES: [&str; 2] = ["ok", "failed"];

impl Exporter {
    /// A registry of its own with everything at zero; `receivers` are those that
    /// notifications go to.
    ///
    /// # Errors
    /// Only if two metrics had one name, which does not happen in practice.
    pub fn new<'a>(
        receivers: impl Iterator<Item = &'a Receiver>,
    ) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let version = gauges(&registry, &process::BUILD_INFO)?;
        version.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let exporter = Self {
            options: Metrics::default(),
            polls: counters(&registry, &process::POLLS)?,
            poll_duration: histogram(&registry, &process::POLL_DURATION, &POLL_BOUNDS)?,
            discoveries: counters(&registry, &process::DISCOVERIES)?,
            notifications: Notifications::new(&registry, receivers)?,
            heartbeat: gauge(&registry, &process::HEARTBEAT)?,
            reloaded: gauge(&registry, &process::RELOADED)?,
            trouble: gauges(&registry, &process::TROUBLE)?,
            self_check: gauges(&registry, &process::SELF_CHECK)?,
            clock_skew: gauge(&registry, &process::CLOCK_SKEW)?,
            state_saves: counters(&registry, &process::STATE_SAVES)?,
            api_calls: counters(&registry, &process::API_CALLS)?,
            billed_metrics: counter(&registry, &process::BILLED_METRICS)?,
            log_lines_dropped: counter(&registry, &process::LOG_LINES_DROPPED)?,
            gateways: gauge(&registry, &process::GATEWAYS)?,
            turn: Arc::default(),
            registry,
        };
        exporter.start_at_zero();
        Ok(exporter)
    }

    /// A counter that first appears with a one hides its first increase.
    fn start_at_zero(&self) {
        for outcome in ["ok", "partial", "failed"] {
            let _ = self.polls.with_label_values(&[outcome]);
        }
        for outcome in OUTCOMES {
            let _ = self.discoveries.with_label_values(&[outcome]);
            let _ = self.state_saves.with_label_values(&[outcome]);
        }
        self.reloaded.set(1);
        for component in Component::ALL {
            self.trouble(component, false);
        }
    }

    /// Whether this component of the daemon itself is in trouble.
    pub fn trouble(&self, component: Component, is_there: bool) {
        self.trouble.with_label_values(&[component.name()]).set(i64::from(is_there));
    }

    /// Adds the AWS calls of a poll.
    pub fn record(&self, usage: &Usage) {
        for ((action, outcome), calls) in &usage.calls {
            self.api_calls.with_label_values(&[action, outcome]).inc_by(*calls);
        }
        self.billed_metrics.inc_by(usage.billed_metrics);
    }

    /// Notes how many log lines were dropped since the process began.
    pub fn dropped_log_lines(&self, all: u64) {
        self.log_lines_dropped.inc_by(all.saturating_sub(self.log_lines_dropped.get()));
    }

    /// Counts one thing that either succeeded or failed.
    pub fn outcome<T, E>(counters: &IntCounterVec, result: &Result<T, E>) {
        let outcome = OUTCOMES[usize::from(result.is_err())];
        counters.with_label_values(&[outcome]).inc();
    }

    /// The page of these gateways and of what is counted here, as it is now.
    #[must_use]
    pub fn page<'a>(&self, known: impl Iterator<Item = Known<'a>>) -> Page {
        let options = Options {
            tag_labels: self.options.tag_labels.pairs(),
            dropped: self.options.drop.patterns(),
        };
        let samples = Samples::collect(known, options);
        self.gateways.set(i64::try_from(samples.gateways()).unwrap_or(i64::MAX));
        Page::new(samples.with_process(self.registry.gather(), options), Arc::clone(&self.turn))
    }
}

fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn counter(registry: &Registry, row: &Row) -> Result<IntCounter, prometheus::Error> {
    register(registry, IntCounter::new(row.name, row.help)?)
}

fn counters(registry: &Registry, row: &Row) -> Result<IntCounterVec, prometheus::Error> {
    register(registry, IntCounterVec::new(Opts::new(row.name, row.help), row.labels)?)
}

fn gauge(registry: &Registry, row: &Row) -> Result<IntGauge, prometheus::Error> {
    register(registry, IntGauge::new(row.name, row.help)?)
}

fn gauges(registry: &Registry, row: &Row) -> Result<IntGaugeVec, prometheus::Error> {
    register(registry, IntGaugeVec::new(Opts::new(row.name, row.help), row.labels)?)
}

fn histogram(
    registry: &Registry,
    row: &Row,
    bounds: &[f64],
) -> Result<Histogram, prometheus::Error> {
    let options = HistogramOpts::new(row.name, row.help).buckets(bounds.to_vec());
    register(registry, Histogram::with_opts(options)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Name, type and help of each family, with the labels of a series of it.
    type Shapes = BTreeMap<String, (String, String, Vec<String>)>;

    #[test]
    fn the_registry_has_the_families_of_the_table_and_no_other() {
        let exporter = Exporter::new([Receiver::log()].iter()).unwrap();
        exporter.self_check.with_label_values(&["a"]).set(1);
        exporter.api_calls.with_label_values(&["a", "ok"]).inc();
        let collected: Shapes = exporter
            .registry
            .gather()
            .iter()
            .filter(|family| !process::COLLECTED.contains(&family.name()))
            .map(|family| {
                let labels = family.get_metric()[0].get_label().iter();
                let labels = labels.map(|label| label.name().to_owned()).collect();
                let kind = format!("{:?}", family.get_field_type());
                (family.name().to_owned(), (kind, family.help().to_owned(), labels))
            })
            .collect();
        let table: Shapes = process::FAMILIES
            .iter()
            .map(|row| {
                let mut labels: Vec<String> = row.labels.iter().map(ToString::to_string).collect();
                labels.sort_unstable();
                (row.name.to_owned(), (format!("{:?}", row.kind), row.help.to_owned(), labels))
            })
            .collect();
        assert_eq!(collected, table);
        let process = exporter.registry.gather();
        for name in process::COLLECTED {
            assert!(process.iter().any(|family| family.name() == name), "{name}");
        }
        assert_eq!(process.len(), table.len() + process::COLLECTED.len());
    }
}
