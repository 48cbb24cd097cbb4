//! What to simulate: the account, its topics, its past, and what goes wrong.
//!
//! Apart from the simulator because everything here is checked once, before
//! anything is built of it.

use crate::faults::Faults;
use crate::names::valid_chat;
use crate::names::{topic_arn, valid_topic};
use crate::timeline::Change;

/// Load balancers a simulator may have at most.
const MAX_BALANCERS: usize = 100_000;

/// What to simulate.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Name of a scenario, see [`scenarios`](crate::scenarios).
    pub scenario: String,
    /// Everything random depends on it.
    pub seed: u64,
    /// The scenario's minute 0, unix seconds, a multiple of 60; for the long scenarios
    /// a Monday 00:00 UTC, because some of them are about times of day and weekdays.
    pub start: i64,
    /// The only region with anything in it, e.g. `eu-central-1`.
    pub region: String,
    /// Account number, twelve digits.
    pub account: String,
    /// How many load balancers, 1 to 100,000; `None` leaves it to the scenario.
    pub load_balancers: Option<usize>,
    /// How many target groups each load balancer has; `None` leaves it to the scenario.
    /// The third and all further ones get no requests.
    pub target_groups: Option<usize>,
    /// Accounts that share their metrics with `account`; the load balancers are
    /// dealt out to `account` and these in turn.
    pub linked: Vec<String>,
    /// What `AssumeRole` has to bring as `ExternalId`, if anything.
    pub external_id: Option<String>,
    /// How the account changes during the scenario.
    pub changes: Vec<Change>,
    /// Nothing was recorded earlier than this many minutes before the start: nobody came
    /// then, and asking for a fortnight costs no more than the scenario itself.
    pub recorded: i64,
    /// Names of the SNS topics; those that end in `.fifo` are FIFO topics.
    pub topics: Vec<String>,
    /// ARNs of topics of other accounts whose policy lets `account` publish.
    pub foreign_topics: Vec<String>,
    /// Chat configurations; each subscribes to every standard topic by https.
    pub chat_configurations: Vec<String>,
    /// What goes wrong on the AWS side; may add to some of the fields before.
    pub faults: Faults,
}

impl Setup {
    /// The setup with what the text of the faults says about it.
    pub(crate) fn with_text(mut self) -> Self {
        self.linked.append(&mut self.faults.linked);
        self.changes.append(&mut self.faults.changes);
        self.topics.append(&mut self.faults.sns.topics);
        self.foreign_topics.append(&mut self.faults.sns.foreign_topics);
        self.external_id = self.external_id.or(self.faults.external_id.take());
        self
    }

    /// Refuses impossible values.
    pub(crate) fn check(&self) -> Result<(), SetupError> {
        if self.start <= 0 || self.start % 60 != 0 || self.start > 100_000_000_000 {
            return Err(SetupError::BadStart(self.start));
        }
        for (at, account) in std::iter::once(&self.account).chain(&self.linked).enumerate() {
            let digits = account.bytes().all(|byte| byte.is_ascii_digit());
            if account.len() != 12 || !digits {
                return Err(SetupError::BadAccount(account.clone()));
            }
            if at > 0 && (*account == self.account || self.linked[..at - 1].contains(account)) {
                return Err(SetupError::LinkedTwice(account.clone()));
            }
        }
        self.check_topics()?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let region = &self.region;
        let ends = region.ends_with(|c: char| c.is_ascii_digit());
        if !region.chars().all(plain) || !ends || region.split('-').count() < 3 {
            return Err(SetupError::BadRegion(region.clone()));
        }
        match self.load_balancers {
            Some(count) if !(1..=MAX_BALANCERS).contains(&count) => {
                Err(SetupError::BadCount(count))
            }
            _ => Ok(()),
        }
    }

    /// Refuses topics that cannot be or are there twice, and unknown ones to deny.
    fn check_topics(&self) -> Result<(), SetupError> {
        for (at, topic) in self.topics.iter().enumerate() {
            if !valid_topic(topic) || self.topics[..at].contains(topic) {
                return Err(SetupError::BadTopic(topic.clone()));
            }
        }
        for (at, arn) in self.foreign_topics.iter().enumerate() {
            let owner = topic_arn(arn).map(|parts| parts.account);
            let own = owner.is_none_or(|owner| owner == self.account);
            if own || self.foreign_topics[..at].contains(arn) {
                return Err(SetupError::BadTopic(arn.clone()));
            }
        }
        let foreign = self.foreign_topics.iter().filter_map(|arn| topic_arn(arn));
        let mut names: Vec<&str> = foreign.map(|parts| parts.name).collect();
        names.extend(self.topics.iter().map(String::as_str));
        let mut denied = self.faults.sns.deny.iter();
        if let Some(name) = denied.find(|name| !names.contains(&name.as_str())) {
            return Err(SetupError::UnknownTopic(name.clone()));
        }
        let bad = |name: &&String| !valid_chat(name);
        match self.chat_configurations.iter().find(bad) {
            Some(name) => Err(SetupError::BadChat(name.clone())),
            None => Ok(()),
        }
    }

    /// A scenario as it is, with all its past, for tests.
    #[cfg(test)]
    pub(crate) fn of(scenario: &str, seed: u64) -> Self {
        Self {
            scenario: scenario.to_owned(),
            seed,
            start: 1_795_219_200,
            account: "123456789012".to_owned(),
            recorded: i64::MAX / 2,
            ..Self::default()
        }
    }
}

/// Healthy traffic in one account from a Monday morning on.
impl Default for Setup {
    fn default() -> Self {
        Self {
            scenario: "healthy".to_owned(),
            seed: 1,
            start: 1_767_603_600, // 2026-01-05T09:00:00Z
            region: "eu-central-1".to_owned(),
            account: "111122223333".to_owned(),
            load_balancers: None,
            target_groups: None,
            topics: vec!["nearmiss".to_owned(), "nearmiss.fifo".to_owned()],
            foreign_topics: Vec::new(),
            chat_configurations: vec!["ops".to_owned()],
            faults: Faults::default(),
            linked: Vec::new(),
            external_id: None,
            changes: Vec::new(),
            recorded: 240,
        }
    }
}

/// Why a setup was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// No scenario has this name.
    #[error("unknown scenario '{name}'; known: {known}")]
    UnknownScenario {
        /// What was asked for.
        name: String,
        /// The names there are, separated by commas.
        known: String,
    },
    /// The start is not a whole minute after 1970.
    #[error("start must be positive unix seconds and a multiple of 60, not {0}")]
    BadStart(i64),
    /// The account is not twelve digits.
    #[error("account must be twelve digits, not '{0}'")]
    BadAccount(String),
    /// The region does not look like one.
    #[error("region must look like eu-central-1, not '{0}'")]
    BadRegion(String),
    /// Too few or too many load balancers.
    #[error("load_balancers must be between 1 and 100000, not {0}")]
    BadCount(usize),
    /// A linked account is the account itself or named twice.
    #[error("linked account '{0}' is there already")]
    LinkedTwice(String),
    /// An option concerns gateways the scenario has none of.
    #[error("the scenario has nothing that '{0}' could concern")]
    NothingToChoose(&'static str),
    /// A change or a fault concerns a load balancer that never exists.
    #[error("there is no load balancer '{0}'")]
    UnknownBalancer(String),
    /// A topic's name or ARN is impossible, there already, or the ARN is no other account's.
    #[error(
        "'{0}' must be a topic's name, or for another account's topic an ARN such as \
         arn:aws:sns:eu-central-1:222222222222:alerts, and be given once"
    )]
    BadTopic(String),
    /// Publishing is denied to a topic that does not exist.
    #[error("no topic '{0}' to deny")]
    UnknownTopic(String),
    /// The name of a chat configuration is impossible.
    #[error("a chat configuration is named by letters, digits, - and _, not '{0}'")]
    BadChat(String),
}
