//! Where notifications go. What no sink has taken was not said.

mod log;
mod sns;

use aws_config::SdkConfig;

use super::aws::{Fault, Usage};
use crate::analysis::Notice;
use crate::analysis::message::Message;
use crate::config;
pub use sns::{GET_TOPIC, PUBLISH, SnsTopic};

/// A receiver of notifications.
#[derive(Debug)]
pub enum Sink {
    /// The program's log.
    Log,
    /// An SNS topic.
    Sns(SnsTopic),
}

impl Sink {
    /// The sinks that the config asks for: SNS, or else the log.
    pub async fn from_config(sinks: &config::Sinks, base: &SdkConfig) -> Self {
        match &sinks.sns {
            Some(sns) => Self::Sns(SnsTopic::connect(sns, base).await),
            None => Self::Log,
        }
    }

    /// Its name in metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Sns(_) => "sns",
        }
    }

    /// Delivers one notification.
    ///
    /// # Errors
    /// When the receiver did not take it.
    pub async fn send(&self, notice: &Notice, usage: &mut Usage) -> Result<(), Fault> {
        if let Self::Sns(topic) = self {
            topic.publish(&Message::of(notice), usage).await?;
        }
        log::write(notice);
        Ok(())
    }
}
