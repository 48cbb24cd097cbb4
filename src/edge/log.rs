//! The log on standard error: lines that never block anybody.
//!
//! A pipe that is full and that nobody reads would stop whoever writes to it. So a thread
//! of its own writes; what it cannot take is dropped and counted.

use std::io::{self, IsTerminal};
use std::sync::OnceLock;

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// How many lines may wait for a slow reader: each of ten thousand gateways has one when
/// the daemon starts.
const MAX_WAITING: usize = 16_384;

/// The format of lines.
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
#[must_use = "the last lines are written when it is dropped"]
pub fn start(format: Format, level: &str) -> WorkerGuard {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        EnvFilter::new(format!("warn,nearmiss={level},aws_config=error,tokio_cron_scheduler=off"))
    });
    let (lines, guard) = never_blocking(io::stderr(), MAX_WAITING);
    let _ = DROPPED.set(lines.error_counter());
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines).with_target(false);
    match format {
        Format::Text => log.with_ansi(io::stderr().is_terminal()).init(),
        Format::Json => log.json().flatten_event(true).init(),
    }
    guard
}

fn never_blocking(
    writer: impl io::Write + Send + 'static,
    limit: usize,
) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default().buffered_lines_limit(limit).lossy(true).finish(writer)
}

/// Lines that were dropped because nobody read them.
#[must_use]
pub fn dropped() -> u64 {
    DROPPED.get().map_or(0, |dropped| dropped.dropped_lines() as u64)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::mpsc;

    use super::*;

    /// Nobody reads it until the sender is dropped.
    struct Stuck(mpsc::Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_nobody_reads_are_dropped_and_counted() {
        let (reads, stuck) = mpsc::channel();
        let (mut lines, _guard) = never_blocking(Stuck(stuck), 4);
        for _ in 0..100 {
            lines.write_all(b"a line\n").unwrap();
        }
        let dropped = lines.error_counter().dropped_lines();
        assert!((95..=96).contains(&dropped), "{dropped}");
        drop(reads);
    }
}
