//! `nearmiss run`: the daemon.

use std::process::ExitCode;

use nearmiss::daemon::{Daemon, Signals};
use nearmiss::edge::aws;
use nearmiss::edge::time::Clock;

use super::args::ConfigFile;
use super::signals::{reload_on_signal, stop_on_signal, survive_file_size_limit};
use super::{Ending, Failure, load};

/// What to watch.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigFile,
}

impl Args {
    /// Watches until a signal stops it.
    pub async fn run(self) -> Ending {
        let path = self.config.path;
        let config = load(&path)?;
        let asked = aws::base(&config.aws, config.poll.deadline.get()).await;
        let (base, identity) = asked.map_err(|error| Failure::usage(&error))?;
        survive_file_size_limit()?;
        let signals = Signals { stop: stop_on_signal()?, reload: reload_on_signal()? };
        let daemon = Daemon::start(config, &base).await;
        let daemon =
            daemon.map_err(|error| Failure::failed(&error))?.reading_from(path).known_as(identity);
        daemon
            .run(Clock::System, signals, |_| {})
            .await
            .map_err(|error| Failure::failed(&error))?;
        Ok(ExitCode::SUCCESS)
    }
}
