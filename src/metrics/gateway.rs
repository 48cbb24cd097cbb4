//! The families of each gateway, and where their samples come from.

use nearmiss_core::detect::{Evaluation, Rule, Severity, State};
use nearmiss_core::diagnose::cause::Cause;
use nearmiss_core::gateway::polling::PollRate;
use nearmiss_core::state::Minutes;
use prometheus::proto::MetricType;

use super::family::{Family, Known, Read};

/// The labels of every series of a gateway, before those of its family.
pub const LABELS: [&str; 4] = ["gateway", "kind", "region", "account"];

/// Every family of a gateway, in the order of the page.
pub const FAMILIES: &[Family<Read>] = &[
    gauge(
        "nearmiss_gateway_up",
        "1 if the gateway's data came when it was last asked for, else 0; also 0 while the latencies of steady traffic are missing.",
        |k| Some(f64::from(u8::from(k.report.is_some()))),
    ),
    gauge(
        "nearmiss_gateway_silent_since_timestamp_seconds",
        "Unix time since which the latencies of steady traffic have been missing: CloudWatch is late, or the traffic has ended. Absent otherwise, and once the gateway counts as idle.",
        |k| Some(number(k.state?.silent_since()?.start())),
    ),
    gauge(
        "nearmiss_timeout_seconds",
        "The timeout that everything is compared with: the load balancer's idle timeout, or the configured one.",
        |k| Some(k.gateway.timeout.seconds),
    ),
    gauge(
        "nearmiss_idle_timeout_seconds",
        "What the load balancer's idle timeout is set to; absent where AWS was not asked for it.",
        |k| k.gateway.timeout.at_aws,
    ),
    gauge(
        "nearmiss_near_seconds",
        "Answers that take longer than this, up to the timeout, are near misses.",
        |k| Some(k.gateway.near_seconds()),
    ),
    gauge(
        "nearmiss_latency_p50_seconds",
        "Median of TargetResponseTime in the newest minute with requests. Percentiles must not be averaged.",
        |k| k.report?.shown.p50,
    ),
    gauge(
        "nearmiss_latency_p99_seconds",
        "99th percentile of TargetResponseTime in the newest minute with requests, over answered requests only: it cannot show requests that timed out. Percentiles must not be averaged.",
        |k| k.report?.shown.p99,
    ),
    gauge(
        "nearmiss_latency_max_seconds",
        "Maximum of TargetResponseTime in the newest minute with requests, over answered requests only.",
        |k| k.report?.shown.maximum,
    ),
    gauge(
        "nearmiss_latency_effective_p99_seconds",
        "99th percentile over all requests of the newest minute with requests, where a 504 counts as at least the timeout. Percentiles must not be averaged.",
        |k| k.report?.shown.effective_p99(k.gateway.timeout.seconds),
    ),
    gauge(
        "nearmiss_headroom_ratio",
        "1 - effective p99 / timeout in the newest minute with requests: what the slowest percent of the requests leaves of the timeout. 0 or below: at the timeout.",
        |k| k.report?.headroom(),
    ),
    gauge(
        "nearmiss_data_timestamp_seconds",
        "Unix time at the end of the newest minute that had data. It stays while there is no traffic, and while CloudWatch is late.",
        |k| Some(number(k.state?.newest_data?.end())),
    ),
    gauge(
        "nearmiss_read_timestamp_seconds",
        "Unix time up to which the gateway's minutes were read and assessed. Gateways that are polled slowly are read every few minutes, and minutes that may be late are waited for.",
        |k| Some(number(k.state?.assess_watermark.start())),
    ),
    gauge(
        "nearmiss_counted_timestamp_seconds",
        "Unix time up to which the gateway's minutes are counted into its counters.",
        |k| Some(number(k.state?.count_watermark.start())),
    ),
    gauge(
        "nearmiss_late_counted_timestamp_seconds",
        "Unix time at which requests were last added to the gateway's counters more than twenty minutes late, because CloudWatch was late or nearmiss caught up: the counters jumped then, and a rate over that moment is not the rate of the time that it spans. Absent if that never happened.",
        |k| Some(number(k.state?.counted_late()?.start())),
    ),
    gauge(
        "nearmiss_gateway_fast_polling",
        "1 if the gateway is polled every minute, because its latest minutes are above what is usual or an episode is open, else 0.",
        |k| Some(f64::from(u8::from(k.report?.rate == PollRate::Fast))),
    ),
    gauge(
        "nearmiss_learning_until_timestamp_seconds",
        "Unix time from which enough will be known of the gateway's usual days to compare with them; absent once it is.",
        |k| Some(number(k.report?.learning_until?.start())),
    ),
    gauge(
        "nearmiss_episode_severity",
        "Severity of the open episode: 0 none, 1 info, 2 warning, 3 critical.",
        |k| {
            let open = k.state?.records.last().map(|r| &r.episode).filter(|e| e.is_open());
            Some(open.map_or(0.0, |episode| level(episode.severity)))
        },
    ),
    counter(
        "nearmiss_requests_total",
        "Requests that a target answered or that ended in 504, each settled minute counted once.",
        |k| Some(count(k.state?.totals.requests)),
    ),
    counter(
        "nearmiss_near_misses_total",
        "Requests answered later than nearmiss_near_seconds and, unless the load balancer itself waits longer, no later than nearmiss_timeout_seconds; each settled minute counted once.",
        |k| Some(count(k.state?.totals.near_misses)),
    ),
    counter(
        "nearmiss_timeouts_total",
        "Requests that the load balancer answered with 504 (HTTPCode_ELB_504_Count), each settled minute counted once.",
        |k| Some(count(k.state?.totals.timeouts)),
    ),
    counter(
        "nearmiss_late_revisions_total",
        "Minutes that CloudWatch changed in the quarter-hour after they were counted: what it adds is added, what it takes away is not. If they rise, raise [poll] settle.",
        |k| Some(count(k.state?.minutes.revised)),
    ),
    Family {
        name: "nearmiss_datapoints_total",
        kind: MetricType::COUNTER,
        help: "One-minute datapoints by state: settled (counted, with requests), idle (counted; CloudWatch said that there was no request), recovered (counted as idle until CloudWatch had requests of them after all, which are counted), lost (CloudWatch no longer had them).",
        labels: &["state"],
        read: Read::Each {
            values: 4,
            labels: |state| vec![["settled", "idle", "recovered", "lost"][state]],
            read: |k, state| {
                let Minutes { settled, idle, recovered, lost, .. } = k.state?.minutes;
                Some(count([settled, idle, recovered, lost][state]))
            },
        },
    },
    Family {
        name: "nearmiss_datapoints_waiting",
        kind: MetricType::GAUGE,
        help: "One-minute datapoints that were read and are not counted yet, by state: provisional (assessed; CloudWatch may still add to them), late (empty after traffic, which may be CloudWatch's delay: waited for).",
        labels: &["state"],
        read: Read::Each {
            values: 2,
            labels: |state| vec![["provisional", "late"][state]],
            read: |k, state| Some(count([k.state?.provisional(), k.state?.waiting()][state])),
        },
    },
    Family {
        name: "nearmiss_latency_seconds",
        kind: MetricType::HISTOGRAM,
        help: "Latency of the requests, each settled minute counted once; a 504 is in the bucket +Inf and enters the sum with the timeout. Bounds are shares of the label timeout, in seconds; a timeout that changes begins a new series. For gateways with histogram = true.",
        labels: &["timeout"],
        read: Read::Latencies,
    },
    Family {
        name: "nearmiss_gateway_info",
        kind: MetricType::GAUGE,
        help: "Always 1; the labels are the gateway's CloudWatch dimension value and the tags that [metrics] tag_labels names, as tag_...; a tag that is missing is an empty label.",
        labels: &["dimension"],
        read: Read::Info,
    },
    detector(
        "nearmiss_detector_value",
        "What the detector compares, in its own unit: near_miss the requests at risk in its window, drift the p99 in seconds, saturation the factor by which the median and the requests in flight exceed what is usual, at_limit the 504s in half an hour, burn_rate how many times faster than allowed the error budget is used, recurring_job the slowest requests in seconds, unreachable the failed connections, blackout the requests of three minutes. Absent while nothing can be said.",
        |evaluation| evaluation.value,
    ),
    detector(
        "nearmiss_detector_threshold",
        "What nearmiss_detector_value is compared with; nearmiss_detector_breaching has the result, which may ask for more than that.",
        |evaluation| Some(evaluation.threshold),
    ),
    detector(
        "nearmiss_detector_breaching",
        "1 if the detector's condition holds, 0 if not. Absent without requests, or while too little is known to compare with.",
        |evaluation| match evaluation.state {
            State::Breaching => Some(1.0),
            State::Ok => Some(0.0),
            State::InsufficientData => None,
        },
    ),
    Family {
        name: "nearmiss_forecast_seconds",
        kind: MetricType::GAUGE,
        help: "Seconds until the timeout is reached (saturation: until the targets are full), as a breaching detector expects it: bound has low, mid and high, always all three. Absent where no forecast is possible.",
        labels: &["detector", "bound"],
        read: Read::Each {
            values: Rule::ALL.len() * BOUNDS.len(),
            labels: |place| {
                let (rule, bound) = (place / BOUNDS.len(), place % BOUNDS.len());
                vec![Rule::ALL[rule].name(), BOUNDS[bound]]
            },
            read: |k, place| {
                let rule = Rule::ALL[place / BOUNDS.len()];
                let forecast = evaluation(k, rule)?.forecast?;
                Some([forecast.low, forecast.mid, forecast.high][place % BOUNDS.len()])
            },
        },
    },
    Family {
        name: "nearmiss_incident_cause",
        kind: MetricType::GAUGE,
        help: "1 for the most likely cause of the gateway's open episode, as its evidence says; `nearmiss diagnose` shows the evidence. Absent where none was found.",
        labels: &["cause"],
        read: Read::Each {
            values: Cause::ALL.len(),
            labels: |cause| vec![Cause::ALL[cause].name()],
            read: |k, cause| {
                let found = k.report?.diagnosis.as_ref()?.cause()?;
                (found == Cause::ALL[cause]).then_some(1.0)
            },
        },
    },
    Family {
        name: "nearmiss_target_group_latency_p99_seconds",
        kind: MetricType::GAUGE,
        help: "99th percentile of a target group's TargetResponseTime in its newest minute, while the gateway is polled fast. Percentiles must not be averaged.",
        labels: &["target_group"],
        read: Read::TargetGroup(|group| group.p99),
    },
    Family {
        name: "nearmiss_target_group_healthy_hosts",
        kind: MetricType::GAUGE,
        help: "Healthy targets of a target group in its newest minute (the minimum over zones), while the gateway is polled fast.",
        labels: &["target_group"],
        read: Read::TargetGroup(|group| group.healthy_hosts),
    },
];

/// The bounds of a forecast.
const BOUNDS: [&str; 3] = ["low", "mid", "high"];

type ReadOne = fn(&Known) -> Option<f64>;

const fn gauge(name: &'static str, help: &'static str, read: ReadOne) -> Family<Read> {
    Family { name, kind: MetricType::GAUGE, help, labels: &[], read: Read::One(read) }
}

const fn counter(name: &'static str, help: &'static str, read: ReadOne) -> Family<Read> {
    Family { name, kind: MetricType::COUNTER, help, labels: &[], read: Read::One(read) }
}

const fn detector(
    name: &'static str,
    help: &'static str,
    read: fn(&Evaluation) -> Option<f64>,
) -> Family<Read> {
    let labels = &["detector"];
    Family { name, kind: MetricType::GAUGE, help, labels, read: Read::Detector(read) }
}

/// How this rule judged the gateway; `None` where it is switched off.
pub(super) fn evaluation<'a>(known: &Known<'a>, rule: Rule) -> Option<&'a Evaluation> {
    known.report?.evaluations.iter().find(|evaluation| evaluation.rule == rule)
}

fn level(severity: Severity) -> f64 {
    match severity {
        Severity::Info => 1.0,
        Severity::Warning => 2.0,
        Severity::Critical => 3.0,
    }
}

/// A count as Prometheus has it.
#[allow(clippy::cast_precision_loss)] // Prometheus has no other numbers
pub(super) fn count(value: u64) -> f64 {
    value as f64
}

#[allow(clippy::cast_precision_loss)] // Prometheus has no other numbers
fn number(value: i64) -> f64 {
    value as f64
}
