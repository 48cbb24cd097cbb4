//! A new config without a restart, on SIGHUP.
//!
//! A config that cannot be used changes nothing: the last good one stays, and the daemon
//! says so until a good one comes.

use std::ops::Deref;
use std::path::PathBuf;
use std::time::Duration;

use aws_config::SdkConfig;
use tracing::{error, info, warn};

use super::Daemon;
use super::poller::Poller;
use crate::config::{Config, ConfigError};
use crate::edge::aws::Identity;
use crate::edge::time::Deadline;
use nearmiss_core::notification::Component;

/// How long reading a config may take: the file may be on a network.
const READING: Duration = Duration::from_secs(5);

/// The config in force, where it comes from, and whose identity it is used with.
#[derive(Debug)]
pub(super) struct Configured {
    pub(super) config: Config,
    pub(super) path: Option<PathBuf>,
    pub(super) base: SdkConfig,
    /// The identity to look up anew, where `base` uses it.
    pub(super) identity: Option<Identity>,
}

impl Deref for Configured {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.config
    }
}

impl Daemon {
    /// Where to read the config again.
    #[must_use]
    pub fn reading_from(mut self, path: PathBuf) -> Self {
        self.config.path = Some(path);
        self
    }

    /// Whose credentials to read again as well.
    #[must_use]
    pub fn known_as(mut self, identity: Identity) -> Self {
        self.config.identity = Some(identity);
        self
    }

    /// Reads the config again, where it came from a file, and the credentials.
    pub(super) async fn read_config_again(&mut self, now: i64) {
        if let Some(identity) = &self.config.identity {
            identity.read_again();
        }
        let Some(path) = self.config.path.clone() else { return };
        let deadline = Deadline::after(READING, self.commands.stop.clone());
        let read = tokio::task::spawn_blocking(move || Config::load_again(&path));
        if let Some(Ok(config)) = self.serve(now, &deadline, read).await {
            self.reload(config, now).await;
        } else {
            let seconds = READING.as_secs();
            error!("the config was not read within {seconds} s; the last good one stays in force");
        }
    }

    /// Continues with another config. What was counted and notified stays.
    pub async fn reload(&mut self, config: Result<Config, ConfigError>, now: i64) {
        self.publisher.exporter.reloaded.set(i64::from(config.is_ok()));
        let trouble = config.as_ref().err().map(|error| {
            let why = crate::edge::aws::chain(error);
            format!("the config cannot be used, and the last good one stays in force. Correct it, try `nearmiss check --offline`, and reload: {why}")
        });
        self.trouble(Component::Config, trouble, now);
        let Ok(config) = config else { return };
        for (fixed, name) in [
            (config.http.listen == self.config.http.listen, "[http] listen"),
            (config.state == self.config.state, "[state] path"),
            (config.control.socket == self.config.control.socket, "[control] socket"),
            (config.aws == self.config.aws, "[aws] ca_bundle"),
        ] {
            if !fixed {
                warn!("{name} has changed: that takes a restart");
            }
        }
        let base = &self.config.base;
        let Poller { accounts, timeouts, .. } = &mut self.poller;
        timeouts.end(accounts, now);
        self.poller.follow(&config, base).await;
        Box::pin(self.notifier.follow(&config, base)).await;
        Box::pin(self.self_watch.follow(&config, base)).await;
        self.publisher.follow(self.notifier.router.known(), &config.metrics);
        self.config.config = config;
        info!("the config was read again");
    }
}
