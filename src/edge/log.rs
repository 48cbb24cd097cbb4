//! The log on standard error: lines that never hold anybody up.
//!
//! A pipe that is full and that nobody reads would stop whoever writes to it. So a
//! thread of its own writes; what it cannot take is dropped and counted.

use std::io::IsTerminal;
use std::sync::OnceLock;

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// So many lines wait for a reader that is slow.
const MAX_WAITING: usize = 4_096;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();

/// Starts the log, with this level unless `RUST_LOG` says otherwise. The last lines are
/// written when the guard is dropped, or given up if nobody reads them.
#[must_use]
pub fn start(format: Format, level: &str) -> WorkerGuard {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        EnvFilter::new(format!("warn,nearmiss={level},aws_config=error,tokio_cron_scheduler=off"))
    });
    let writer = NonBlockingBuilder::default().buffered_lines_limit(MAX_WAITING).lossy(true);
    let (lines, guard) = writer.finish(std::io::stderr());
    let _ = DROPPED.set(lines.error_counter());
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines).with_target(false);
    match format {
        Format::Text => log.with_ansi(std::io::stderr().is_terminal()).init(),
        Format::Json => log.json().flatten_event(true).init(),
    }
    guard
}

/// Lines that were dropped because nobody read them.
#[must_use]
pub fn dropped() -> u64 {
    DROPPED.get().map_or(0, |dropped| dropped.dropped_lines() as u64)
}
