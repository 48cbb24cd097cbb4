//! A new config without a restart, on SIGHUP.
//!
//! A config that cannot be used changes nothing: the last good one stays, and the
//! daemon says so until a good one comes.

use std::path::PathBuf;
use std::sync::Arc;

use aws_config::SdkConfig;
use tracing::{info, warn};

use super::Daemon;
use super::chats::Chats;
use crate::analysis::notify::Theme;
use crate::config::{Config, ConfigError};
use crate::discovery::Account;
use crate::edge::aws::Identity;
use crate::edge::sink::Sinks;

/// Where the config comes from, and whose identity it is used with.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) path: Option<PathBuf>,
    pub(super) base: SdkConfig,
    /// What to find out anew, where the base stands on it.
    pub(super) identity: Option<Identity>,
}

impl Daemon {
    /// Where to read the config again.
    #[must_use]
    pub fn reading_from(mut self, path: PathBuf) -> Self {
        self.origin.path = Some(path);
        self
    }

    /// Whose credentials to read again as well.
    #[must_use]
    pub fn known_as(mut self, identity: Identity) -> Self {
        self.origin.identity = Some(identity);
        self
    }

    /// Reads the config again, where it came from a file, and the credentials.
    pub(super) async fn read_config_again(&mut self, now: i64) {
        if let Some(identity) = &self.origin.identity {
            identity.read_again();
        }
        if let Some(path) = self.origin.path.clone() {
            self.reload(Config::load(&path), now).await;
        }
    }

    /// Goes on with another config. What was counted and told stays.
    pub async fn reload(&mut self, config: Result<Config, ConfigError>, now: i64) {
        self.exporter.reloaded.set(i64::from(config.is_ok()));
        let trouble = config.as_ref().err().map(|error| {
            let why = crate::edge::aws::chain(error);
            format!("the config cannot be used, and the last good one stays in force. Correct it, try `nearmiss check --offline`, and reload: {why}")
        });
        self.trouble(Theme::Config, trouble, now);
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
        let base = &self.origin.base;
        let accounts = Box::pin(Account::of_config(&config, base)).await;
        let mut before = std::mem::replace(&mut self.accounts, accounts);
        self.accounts.iter_mut().for_each(|account| account.take_over(&mut before));
        let sinks = Box::pin(Sinks::connect(config.topics(), config.links.clone(), base)).await;
        self.sinks = Arc::new(sinks);
        self.chats = Box::pin(Chats::connect(config.chat_configurations(), base)).await;
        self.desk = config.desk();
        self.exporter.telling.know(self.desk.known());
        self.config = config;
        info!("the config was read again");
    }
}
