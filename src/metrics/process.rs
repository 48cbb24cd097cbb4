//! The families that the daemon counts about itself, and those that every process has.
//!
//! The code that counts gets them from a registry of the crate `prometheus`, by these rows;
//! a test compares the two.

use prometheus::proto::MetricType;

use super::family::Family;

/// A family that is counted by code, and read by no table.
pub type Row = Family<()>;

/// What every process exports about itself, as the crate `prometheus` collects it.
pub const COLLECTED: [&str; 7] = [
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_threads",
    "process_virtual_memory_bytes",
];

/// Every family that the daemon counts about itself.
pub const FAMILIES: &[&Row] = &[
    &POLLS,
    &POLL_DURATION,
    &DISCOVERIES,
    &NOTIFICATIONS,
    &PENDING,
    &OLDEST_PENDING,
    &MUTED,
    &SILENCES,
    &DIGEST_SENT,
    &HEARTBEAT,
    &RELOADED,
    &TROUBLE,
    &SELF_CHECK,
    &CLOCK_SKEW,
    &STATE_SAVES,
    &API_CALLS,
    &BILLED_METRICS,
    &LOG_LINES_DROPPED,
    &GATEWAYS,
    &BUILD_INFO,
];

/// Polls.
pub const POLLS: Row = counter(
    "nearmiss_polls_total",
    "Polls by outcome: ok, partial (some gateways without data), failed (no gateway with data).",
    &["outcome"],
);
/// How long polls take.
pub const POLL_DURATION: Row = histogram(
    "nearmiss_poll_duration_seconds",
    "How long a poll takes, from the tick to the saved state.",
    &[],
);
/// Listings of gateways.
pub const DISCOVERIES: Row = counter(
    "nearmiss_discoveries_total",
    "How often load balancers and timeouts were read, by outcome: ok, failed.",
    &["outcome"],
);
/// Notifications that were sent, or could not be.
pub const NOTIFICATIONS: Row = counter(
    "nearmiss_notifications_total",
    "Notifications by receiver (the topic's name, or log) and outcome: delivered, throttled, refused (by the receiver or its permissions), failed. What was not delivered is tried again at the next poll.",
    &["receiver", "outcome"],
);
/// Notifications that wait for their receiver.
pub const PENDING: Row = gauge(
    "nearmiss_notifications_pending",
    "Notifications that were due and could not be delivered yet.",
    &[],
);
/// How long the oldest of them has waited.
pub const OLDEST_PENDING: Row = gauge(
    "nearmiss_notification_oldest_pending_seconds",
    "How long the oldest notification that was due has waited for its receiver; 0 when none waits.",
    &[],
);
/// Episodes whose notifications are muted.
pub const MUTED: Row = gauge(
    "nearmiss_notifications_held",
    "Episodes with a notification that a silence or maintenance window mutes.",
    &[],
);
/// Silences in force.
pub const SILENCES: Row = gauge("nearmiss_silences", "Silences in force.", &[]);
/// When the capacity report was last delivered.
pub const DIGEST_SENT: Row = gauge(
    "nearmiss_digest_last_sent_timestamp_seconds",
    "Unix time at which the capacity report was last delivered, or the daemon first ran; 0 while it is switched off.",
    &[],
);
/// When the last poll began.
pub const HEARTBEAT: Row = gauge(
    "nearmiss_heartbeat_timestamp_seconds",
    "Unix time at which the last poll began whose results are on this page, good or not: if it stands still, the daemon hangs.",
    &[],
);
/// Whether the config could be used.
pub const RELOADED: Row = gauge(
    "nearmiss_config_last_reload_successful",
    "1 if the config could be used when it was last read, else 0: then the one before it is in force.",
    &[],
);
/// The daemon's own trouble.
pub const TROUBLE: Row = gauge(
    "nearmiss_trouble",
    "1 while the daemon itself is in trouble, by theme: data (CloudWatch cannot be read), credentials, discovery, delivery, chat (messages do not reach the channel), state (it cannot be saved), config (a new one cannot be used), clock.",
    &["theme"],
);
/// The results of the self-check.
pub const SELF_CHECK: Row = gauge(
    "nearmiss_self_check",
    "Whether CloudWatch's figures mean what is made of them: 1 yes, 0 no, absent while it could not be tried. counts_add_up: counts within a bound add up to the samples. timeouts_leave_no_sample: a 504 is no latency sample, so that requests are samples plus 504s.",
    &["check"],
);
/// This machine's clock against AWS's.
pub const CLOCK_SKEW: Row = gauge(
    "nearmiss_clock_skew_seconds",
    "Seconds that this machine's clock is ahead of AWS's, by the Date header of its answers; negative if behind, 0 while unknown.",
    &[],
);
/// Saves of the state.
pub const STATE_SAVES: Row = counter(
    "nearmiss_state_saves_total",
    "How often the state file was written, by outcome: ok, failed.",
    &["outcome"],
);
/// AWS API calls.
pub const API_CALLS: Row = counter(
    "nearmiss_api_calls_total",
    "AWS API calls by IAM action and outcome (ok, denied, credentials, clock, throttled, unreachable, refused, failed, incomplete), retries of the SDK not counted.",
    &["action", "outcome"],
);
/// What CloudWatch bills.
pub const BILLED_METRICS: Row = counter(
    "nearmiss_billed_metrics_requested_total",
    "Metrics requested from CloudWatch as it bills them: up to five statistics of one metric in one request are one. Multiply by the price per metric requested.",
    &[],
);
/// Log lines that nobody read.
pub const LOG_LINES_DROPPED: Row = counter(
    "nearmiss_log_lines_dropped_total",
    "Log lines that were dropped because nobody reads standard error.",
    &[],
);
/// How many gateways are watched.
pub const GATEWAYS: Row = gauge("nearmiss_gateways", "Gateways that are watched.", &[]);
/// Which version runs.
pub const BUILD_INFO: Row =
    gauge("nearmiss_build_info", "Always 1; the version is a label.", &["version"]);

const fn counter(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Row {
    Family { name, kind: MetricType::COUNTER, help, labels, read: () }
}

const fn gauge(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Row {
    Family { name, kind: MetricType::GAUGE, help, labels, read: () }
}

const fn histogram(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Row {
    Family { name, kind: MetricType::HISTOGRAM, help, labels, read: () }
}
