//! Who is notified.

use serde::{Deserialize, Serialize};

/// Who is told: the ARN of an SNS topic, or the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Receiver(String);

impl Default for Receiver {
    fn default() -> Self {
        Self("log".to_owned())
    }
}

impl Receiver {
    /// The topic with this ARN.
    #[must_use]
    pub fn topic(arn: &str) -> Self {
        Self(arn.to_owned())
    }

    /// Its name: a topic's ARN, or `log`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether programs alone can subscribe to it: a FIFO topic, which reaches
    /// queues and neither channels nor mailboxes.
    #[must_use]
    #[allow(clippy::case_sensitive_file_extension_comparisons)] // it is no file
    pub fn is_for_programs(&self) -> bool {
        self.0.ends_with(".fifo")
    }
}
