//! Prometheus: the metrics page, rendered once per poll.
//!
//! What belongs to a gateway is a function of its latest report and its ledger,
//! built anew for each page: absence needs no clean-up, and a gateway that is
//! gone is gone from the page. Only what the daemon counts of itself lives in
//! a registry. Both tables below are the whole list of metrics.

mod telling;

use std::fmt::Write as _;

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::{Bucket, Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use super::aws::Usage;
use crate::config::TagLabels;
use nearmiss_core::Report;
use nearmiss_core::alerting::Receiver;
use nearmiss_core::detect::{Evaluation, Severity, State};
use nearmiss_core::gateway::Gateway;
use nearmiss_core::gateway::bounds::bound_seconds;
use nearmiss_core::gateway::polling::PollRate;
use nearmiss_core::notification::Component;
use nearmiss_core::series::forecast::Forecast;
use nearmiss_core::series::snapshot::TargetGroup;
use nearmiss_core::state::{GatewayState, Minutes};
pub use telling::Telling;

/// What the page says of one gateway.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    /// Which gateway.
    pub gateway: &'a Gateway,
    /// Its latest report; `None` when the latest poll did not get its data.
    pub report: Option<&'a Report>,
    /// Its counters and positions.
    pub ledger: Option<&'a GatewayState>,
}

/// One metric of a gateway: its name, type, help, and how to read it.
struct Row {
    name: &'static str,
    kind: MetricType,
    help: &'static str,
    read: fn(&Series) -> Option<f64>,
}

const fn gauge(name: &'static str, help: &'static str, read: fn(&Series) -> Option<f64>) -> Row {
    Row { name, kind: MetricType::GAUGE, help, read }
}

const fn counter(name: &'static str, help: &'static str, read: fn(&Series) -> Option<f64>) -> Row {
    Row { name, kind: MetricType::COUNTER, help, read }
}

/// Every metric of a gateway without further labels.
const GATEWAY: &[Row] = &[
    gauge(
        "nearmiss_gateway_up",
        "1 if the latest poll got the gateway's data, else 0; also 0 while the latencies of a steady traffic are missing.",
        |s| Some(f64::from(u8::from(s.report.is_some()))),
    ),
    gauge(
        "nearmiss_gateway_silent_since_timestamp_seconds",
        "Unix time since when the latencies of a steady traffic are missing: CloudWatch is late, or the traffic has ended. Absent otherwise, and once the gateway is taken for idle.",
        |s| Some(number(s.ledger?.silent_since()?.start())),
    ),
    gauge(
        "nearmiss_timeout_seconds",
        "The timeout that everything is compared with: the load balancer's idle timeout, or the configured one.",
        |s| Some(s.gateway.timeout.seconds),
    ),
    gauge(
        "nearmiss_idle_timeout_seconds",
        "What the load balancer's idle timeout is set to; absent where it was not asked.",
        |s| s.gateway.timeout.at_aws,
    ),
    gauge(
        "nearmiss_near_seconds",
        "Answers later than this, up to the timeout, are near misses.",
        |s| Some(s.gateway.near_seconds()),
    ),
    gauge(
        "nearmiss_latency_p50_seconds",
        "Median of TargetResponseTime in the shown minute. Percentiles must not be averaged.",
        |s| s.report?.shown.p50,
    ),
    gauge(
        "nearmiss_latency_p99_seconds",
        "99th percentile of TargetResponseTime in the shown minute, over answered requests only: it cannot show requests that timed out. Percentiles must not be averaged.",
        |s| s.report?.shown.p99,
    ),
    gauge(
        "nearmiss_latency_max_seconds",
        "Maximum of TargetResponseTime in the shown minute, over answered requests.",
        |s| s.report?.shown.maximum,
    ),
    gauge(
        "nearmiss_latency_effective_p99_seconds",
        "99th percentile over all requests of the shown minute, where a 504 counts as at least the timeout. Percentiles must not be averaged.",
        |s| s.report?.shown.effective_p99(s.gateway.timeout.seconds),
    ),
    gauge(
        "nearmiss_headroom_ratio",
        "1 - effective p99 / timeout in the shown minute: what the slowest percent of the requests leaves of the timeout. 0 or below: at the timeout.",
        |s| s.report?.headroom(),
    ),
    gauge(
        "nearmiss_data_timestamp_seconds",
        "Unix time at the end of the newest minute that had data. It stays while there is no traffic, and while CloudWatch is late.",
        |s| Some(number(s.ledger?.newest_data?.end())),
    ),
    gauge(
        "nearmiss_read_timestamp_seconds",
        "Unix time up to which the gateway's minutes were read and assessed. Calm gateways are read every few minutes, and minutes that may be late are waited for.",
        |s| Some(number(s.ledger?.assess_watermark.start())),
    ),
    gauge(
        "nearmiss_counted_timestamp_seconds",
        "Unix time up to which the gateway's minutes are counted into its counters.",
        |s| Some(number(s.ledger?.count_watermark.start())),
    ),
    gauge(
        "nearmiss_late_counted_timestamp_seconds",
        "Unix time at which requests were last added to the gateway's counters more than twenty minutes late, because CloudWatch was late or nearmiss caught up: the counters jumped then, and a rate over that moment is not one of the time that it spans. Absent if that never happened.",
        |s| Some(number(s.ledger?.counted_late()?.start())),
    ),
    gauge(
        "nearmiss_gateway_fast_polling",
        "1 if the gateway is read every minute because its latest minutes are above what is usual or an episode is open, else 0.",
        |s| Some(f64::from(u8::from(s.report?.tier == PollRate::Fast))),
    ),
    gauge(
        "nearmiss_learning_until_timestamp_seconds",
        "Unix time from when on enough is known of the gateway's usual days to compare with them; absent once it is.",
        |s| Some(number(s.report?.learning_until?.start())),
    ),
    gauge(
        "nearmiss_episode_severity",
        "Severity of the open episode: 0 none, 1 info, 2 warning, 3 critical.",
        |s| {
            let open = s.ledger?.records.last().map(|r| &r.episode).filter(|e| e.is_open());
            Some(open.map_or(0.0, |episode| level(episode.severity)))
        },
    ),
    counter(
        "nearmiss_requests_total",
        "Requests that a target answered or that ended in 504, each settled minute counted once.",
        |s| Some(count(s.ledger?.totals.requests)),
    ),
    counter(
        "nearmiss_near_misses_total",
        "Requests answered later than nearmiss_near_seconds and, unless the load balancer itself waits longer, no later than nearmiss_timeout_seconds; each settled minute counted once.",
        |s| Some(count(s.ledger?.totals.near_misses)),
    ),
    counter(
        "nearmiss_timeouts_total",
        "Requests that the load balancer answered with 504 (HTTPCode_ELB_504_Count), each settled minute counted once.",
        |s| Some(count(s.ledger?.totals.timeouts)),
    ),
    counter(
        "nearmiss_late_revisions_total",
        "Minutes that CloudWatch changed in the quarter of an hour after they were counted: what it adds is added, what it takes away is not. Should they rise, raise [poll] settle.",
        |s| Some(count(s.ledger?.minutes.revised)),
    ),
];

/// What became of a gateway's minutes, by state.
const MINUTES: (&str, &str) = (
    "nearmiss_datapoints_total",
    "One-minute datapoints by state: settled (counted, with requests), idle (counted; CloudWatch said that there was no request), recovered (of those idle: CloudWatch had requests of them later, which are counted), lost (CloudWatch no longer had them).",
);

/// Which of a gateway's minutes are not counted yet, by state.
const WAITING: (&str, &str) = (
    "nearmiss_datapoints_waiting",
    "One-minute datapoints that were read and are not counted yet, by state: provisional (assessed; CloudWatch may still add to them), late (empty after traffic, which may be CloudWatch's delay: waited for).",
);

fn waiting<'a>(series: &Series<'a>) -> impl Iterator<Item = Metric> + use<'a> {
    let Series { gateway, ledger, .. } = *series;
    let states =
        ledger.map(|ledger| [("provisional", ledger.provisional()), ("late", ledger.waiting())]);
    states.into_iter().flatten().map(|(state, minutes)| {
        let mut labels = labels(gateway);
        labels.push(label("state", state));
        metric(MetricType::GAUGE, labels, count(minutes))
    })
}

fn minutes<'a>(series: &Series<'a>) -> impl Iterator<Item = Metric> + use<'a> {
    let gateway = series.gateway;
    let states = series.ledger.map(|ledger| {
        let Minutes { settled, idle, recovered, lost, .. } = ledger.minutes;
        [("settled", settled), ("idle", idle), ("recovered", recovered), ("lost", lost)]
    });
    states.into_iter().flatten().map(|(state, minutes)| {
        let mut labels = labels(gateway);
        labels.push(label("state", state));
        metric(MetricType::COUNTER, labels, count(minutes))
    })
}

/// The latency of a gateway's requests.
const HISTOGRAM: (&str, &str) = (
    "nearmiss_latency_seconds",
    "Latency of the requests, each settled minute counted once; a 504 is in the bucket +Inf and enters the sum with the timeout. Bounds are shares of the label timeout, in seconds; a timeout that changes begins a new series. For gateways with histogram = true.",
);

fn histogram(series: &Series) -> Option<Metric> {
    let counted = series.ledger?.histogram?;
    let mut labels = labels(series.gateway);
    labels.push(label("timeout", &counted.timeout.to_string()));
    let mut all = Vec::with_capacity(counted.within.len());
    for (number, within) in (0u8..).zip(counted.within) {
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound_seconds(number, counted.timeout));
        bucket.set_cumulative_count(within);
        all.push(bucket);
    }
    let mut histogram = prometheus::proto::Histogram::default();
    histogram.set_bucket(all);
    histogram.set_sample_count(counted.count);
    histogram.set_sample_sum(counted.sum);
    let mut metric = Metric::from_label(labels);
    metric.set_histogram(histogram);
    Some(metric)
}

/// The gateway's other names, to join with.
const INFO: (&str, &str) = (
    "nearmiss_gateway_info",
    "Always 1; labels have its CloudWatch dimension value, and the tags that [metrics] tag_labels names, as tag_...; a tag that is missing is an empty label.",
);

fn info(series: &Series, tags: &TagLabels) -> Metric {
    let mut labels = labels(series.gateway);
    labels.push(label("dimension", &series.gateway.id.dimension));
    labels.extend(tags.of(&series.gateway.tags).map(|(name, value)| label(name, value)));
    metric(MetricType::GAUGE, labels, 1.0)
}

/// One metric of each detector of a gateway.
struct DetectorRow {
    name: &'static str,
    help: &'static str,
    read: fn(&Evaluation) -> Option<f64>,
}

const DETECTOR: &[DetectorRow] = &[
    DetectorRow {
        name: "nearmiss_detector_value",
        help: "What the detector compares, in its own unit: near_miss the requests at risk in its window, drift the p99 in seconds, saturation the factor by which median and requests in flight pass what is usual, at_limit the 504s in half an hour, burn_rate how many times faster than allowed the error budget is used, recurring_job the slowest requests in seconds, unreachable the failed connections, blackout the requests of three minutes. Absent while nothing can be said.",
        read: |v| v.value,
    },
    DetectorRow {
        name: "nearmiss_detector_threshold",
        help: "What nearmiss_detector_value is compared with; nearmiss_detector_breaching has the result, which may ask for more than that.",
        read: |v| Some(v.threshold),
    },
    DetectorRow {
        name: "nearmiss_detector_breaching",
        help: "1 if the detector's condition holds, 0 if not. Absent without requests, or while too little is known to compare with.",
        read: |v| match v.state {
            State::Breaching => Some(1.0),
            State::Ok => Some(0.0),
            State::InsufficientData => None,
        },
    },
];

/// When a detector expects the timeout to be reached.
const FORECAST: (&str, &str) = (
    "nearmiss_forecast_seconds",
    "Seconds until the timeout is reached (saturation: until the targets are full), as a breaching detector expects it: bound has low, mid and high, always all three. Absent where no forecast is possible.",
);

fn forecasts<'a>(series: &'a Series<'a>) -> impl Iterator<Item = Metric> + 'a {
    let verdicts = series.report.map_or(&[][..], |report| &report.verdicts);
    let expected = verdicts.iter().filter_map(|verdict| Some((verdict.rule, verdict.forecast?)));
    expected.flat_map(|(rule, Forecast { low, mid, high })| {
        [("low", low), ("mid", mid), ("high", high)].map(|(bound, value)| {
            let mut labels = labels(series.gateway);
            labels.push(label("detector", rule.name()));
            labels.push(label("bound", bound));
            metric(MetricType::GAUGE, labels, value)
        })
    })
}

/// The most likely cause of an open episode.
const CAUSE: (&str, &str) = (
    "nearmiss_incident_cause",
    "1 for the most likely cause of the gateway's open episode, as its evidence says; `nearmiss diagnose` shows the evidence. Absent where none was found.",
);

fn cause(series: &Series) -> Option<Metric> {
    let diagnosis = series.report?.diagnosis.as_ref()?;
    let mut labels = labels(series.gateway);
    labels.push(label("cause", diagnosis.cause()?.name()));
    Some(metric(MetricType::GAUGE, labels, 1.0))
}

/// One metric of each target group of a gateway that is polled fast.
struct TargetGroupRow {
    name: &'static str,
    help: &'static str,
    read: fn(&TargetGroup) -> Option<f64>,
}

const TARGET_GROUP: &[TargetGroupRow] = &[
    TargetGroupRow {
        name: "nearmiss_target_group_latency_p99_seconds",
        help: "99th percentile of a target group's TargetResponseTime in its newest minute, while the gateway is polled fast. Percentiles must not be averaged.",
        read: |group| group.p99,
    },
    TargetGroupRow {
        name: "nearmiss_target_group_healthy_hosts",
        help: "Healthy targets of a target group in its newest minute (the minimum over zones), while the gateway is polled fast.",
        read: |group| group.healthy_hosts,
    },
];

/// What the daemon counts of itself.
#[derive(Debug)]
pub struct Exporter {
    registry: Registry,
    /// Polls by outcome.
    pub polls: IntCounterVec,
    /// How long polls take.
    pub poll_duration: Histogram,
    /// Tags of gateways that are labels.
    pub tag_labels: TagLabels,
    /// Discoveries by outcome.
    pub discoveries: IntCounterVec,
    /// What is told, and what waits.
    pub telling: Telling,
    /// When the last poll ended, seconds since the Unix epoch.
    pub heartbeat: IntGauge,
    /// Whether the config could be used when it was read last.
    pub reloaded: IntGauge,
    troubles: IntGaugeVec,
    /// What was proved of CloudWatch's figures, by check.
    pub proofs: IntGaugeVec,
    /// Seconds that this machine's clock is ahead of AWS's.
    pub clock_skew: IntGauge,
    /// State files written, by outcome.
    pub state_saves: IntCounterVec,
    api_calls: IntCounterVec,
    billed_metrics: IntCounter,
    log_lines_dropped: IntCounter,
    gateways: IntGauge,
}

/// Outcomes of what either works or not.
const OUTCOMES: [&str; 2] = ["ok", "failed"];

impl Exporter {
    /// A registry of its own with everything at zero; `receivers` are those that
    /// notifications go to.
    ///
    /// # Errors
    /// Never in practice: only if two metrics had one name.
    pub fn new<'a>(
        receivers: impl Iterator<Item = &'a Receiver>,
    ) -> Result<Self, prometheus::Error> {
        let registry = registry()?;
        let counter = |name, help| register(&registry, IntCounter::new(name, help)?);
        let counters = |name, help, labels: &[&str]| own_counters(&registry, name, help, labels);
        let gauges = |name, help, labels: &[&str]| {
            register(&registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
        };
        let gauge = |name, help| own_gauge(&registry, name, help);
        let exporter = Self {
            tag_labels: TagLabels::default(),
            polls: counters(
                "nearmiss_polls_total",
                "Polls by outcome: ok, partial (some gateways without data), failed (no gateway with data).",
                &["outcome"],
            )?,
            poll_duration: register(&registry, Histogram::with_opts(poll_duration())?)?,
            discoveries: counters(
                "nearmiss_discoveries_total",
                "Times that load balancers and timeouts were read, by outcome: ok, failed.",
                &["outcome"],
            )?,
            telling: Telling::new(&registry, receivers)?,
            heartbeat: gauge(
                "nearmiss_heartbeat_timestamp_seconds",
                "Unix time at which the last poll began whose results are on this page, good or not: should it stand still, the daemon hangs.",
            )?,
            reloaded: gauge(
                "nearmiss_config_last_reload_successful",
                "1 if the config could be used when it was read last, else 0: then the one before it is in force.",
            )?,
            troubles: gauges(
                "nearmiss_trouble",
                "1 while the daemon itself is in trouble, by theme: data (CloudWatch cannot be read), credentials, discovery, delivery, chat (messages do not reach the channel), state (it cannot be saved), config (a new one cannot be used), clock.",
                &["theme"],
            )?,
            proofs: gauges(
                "nearmiss_self_check",
                "Whether CloudWatch's figures mean what is made of them: 1 yes, 0 no, absent while it could not be tried. counts_add_up: counts within a bound add up to the samples. timeouts_leave_no_sample: a 504 is no latency sample, so that requests are samples plus 504s.",
                &["check"],
            )?,
            clock_skew: gauge(
                "nearmiss_clock_skew_seconds",
                "Seconds that this machine's clock is ahead of AWS's, by the Date header of its answers; negative if behind, 0 while unknown.",
            )?,
            state_saves: counters(
                "nearmiss_state_saves_total",
                "Times that the state file was written, by outcome: ok, failed.",
                &["outcome"],
            )?,
            api_calls: counters(
                "nearmiss_api_calls_total",
                "AWS API calls by IAM action and outcome (ok, denied, credentials, clock, throttled, unreachable, refused, failed, incomplete), retries of the SDK not counted.",
                &["action", "outcome"],
            )?,
            billed_metrics: counter(
                "nearmiss_billed_metrics_requested_total",
                "Metrics requested from CloudWatch as it bills them: up to five statistics of one metric in one request are one. Multiply by the price per metric requested.",
            )?,
            log_lines_dropped: counter(
                "nearmiss_log_lines_dropped_total",
                "Log lines that were dropped because nobody reads standard error.",
            )?,
            gateways: gauge("nearmiss_gateways", "Gateways that are watched.")?,
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
        for theme in Component::ALL {
            self.trouble(theme, false);
        }
    }

    /// Whether the daemon itself is in trouble.
    pub fn trouble(&self, theme: Component, is_there: bool) {
        self.troubles.with_label_values(&[theme.name()]).set(i64::from(is_there));
    }

    /// Adds what the AWS calls of a poll amounted to.
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

    /// Counts one thing that either worked or not.
    pub fn outcome<T, E>(counters: &IntCounterVec, result: &Result<T, E>) {
        let outcome = OUTCOMES[usize::from(result.is_err())];
        counters.with_label_values(&[outcome]).inc();
    }

    /// The whole page in Prometheus' text format.
    #[must_use]
    pub fn render(&self, all: &[Series]) -> String {
        self.gateways.set(i64::try_from(all.len()).unwrap_or(i64::MAX));
        let mut page = String::new();
        for row in GATEWAY {
            let metrics = all
                .iter()
                .filter_map(|s| Some(metric(row.kind, labels(s.gateway), (row.read)(s)?)));
            append(&mut page, row.name, row.help, row.kind, metrics.collect());
        }
        let minutes = all.iter().flat_map(minutes).collect();
        append(&mut page, MINUTES.0, MINUTES.1, MetricType::COUNTER, minutes);
        let waiting = all.iter().flat_map(waiting).collect();
        append(&mut page, WAITING.0, WAITING.1, MetricType::GAUGE, waiting);
        let histograms = all.iter().filter_map(histogram).collect();
        append(&mut page, HISTOGRAM.0, HISTOGRAM.1, MetricType::HISTOGRAM, histograms);
        let infos = all.iter().map(|series| info(series, &self.tag_labels)).collect();
        append(&mut page, INFO.0, INFO.1, MetricType::GAUGE, infos);
        for row in DETECTOR {
            let metrics = all.iter().flat_map(|s| detector_metrics(row, s));
            append(&mut page, row.name, row.help, MetricType::GAUGE, metrics.collect());
        }
        let forecasts = all.iter().flat_map(forecasts).collect();
        append(&mut page, FORECAST.0, FORECAST.1, MetricType::GAUGE, forecasts);
        let causes = all.iter().filter_map(cause).collect();
        append(&mut page, CAUSE.0, CAUSE.1, MetricType::GAUGE, causes);
        for row in TARGET_GROUP {
            let metrics = all.iter().flat_map(|s| target_group_metrics(row, s));
            append(&mut page, row.name, row.help, MetricType::GAUGE, metrics.collect());
        }
        let own = self.registry.gather();
        encode(&mut page, &own);
        page
    }
}

/// A registry with what every process has to say of itself.
fn registry() -> Result<Registry, prometheus::Error> {
    let registry = Registry::new();
    registry.register(Box::new(ProcessCollector::for_self()))?;
    let build = Opts::new("nearmiss_build_info", "Always 1; the version is a label.");
    let build = register(&registry, IntGaugeVec::new(build, &["version"])?)?;
    build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    Ok(registry)
}

fn own_counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, prometheus::Error> {
    register(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

fn own_gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    register(registry, IntGauge::new(name, help)?)
}

fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn poll_duration() -> HistogramOpts {
    let options = HistogramOpts::new(
        "nearmiss_poll_duration_seconds",
        "How long a poll takes, from the tick to the saved state.",
    );
    options.buckets(vec![0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 50.0, 75.0, 100.0, 150.0])
}

fn detector_metrics<'a>(
    row: &'a DetectorRow,
    series: &'a Series,
) -> impl Iterator<Item = Metric> + 'a {
    let verdicts = series.report.map_or(&[][..], |report| &report.verdicts);
    verdicts.iter().filter_map(|verdict| {
        let mut labels = labels(series.gateway);
        labels.push(label("detector", verdict.rule.name()));
        Some(metric(MetricType::GAUGE, labels, (row.read)(verdict)?))
    })
}

fn target_group_metrics<'a>(
    row: &'a TargetGroupRow,
    series: &'a Series,
) -> impl Iterator<Item = Metric> + 'a {
    let groups = series.report.map_or(&[][..], |report| &report.target_groups);
    groups.iter().filter_map(|group| {
        let mut labels = labels(series.gateway);
        labels.push(label("target_group", &group.name));
        Some(metric(MetricType::GAUGE, labels, (row.read)(group)?))
    })
}

fn append(page: &mut String, name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) {
    if metrics.is_empty() {
        return;
    }
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    encode(page, &[family]);
}

fn encode(page: &mut String, families: &[MetricFamily]) {
    if let Err(error) = TextEncoder::new().encode_utf8(families, page) {
        // A comment keeps the rest of the page readable.
        let _ = writeln!(page, "# {error}");
    }
}

fn labels(gateway: &Gateway) -> Vec<LabelPair> {
    let id = &gateway.id;
    vec![
        label("gateway", &id.name),
        label("kind", gateway.id.kind.name()),
        label("region", &id.region),
        label("account", &id.account),
    ]
}

fn label(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}

fn metric(kind: MetricType, labels: Vec<LabelPair>, value: f64) -> Metric {
    let mut metric = Metric::from_label(labels);
    if kind == MetricType::COUNTER {
        let mut counter = Counter::default();
        counter.set_value(value);
        metric.set_counter(counter);
    } else {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
    }
    metric
}

fn level(severity: Severity) -> f64 {
    match severity {
        Severity::Info => 1.0,
        Severity::Warning => 2.0,
        Severity::Critical => 3.0,
    }
}

#[allow(clippy::cast_precision_loss)] // Prometheus knows no other number
fn count(value: u64) -> f64 {
    value as f64
}

#[allow(clippy::cast_precision_loss)] // Prometheus knows no other number
fn number(value: i64) -> f64 {
    value as f64
}
