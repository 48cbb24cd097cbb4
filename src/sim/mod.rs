//! A small simulator of the AWS services a load balancer watcher talks to.
//!
//! It models requests, not metrics: scenario, seed, load balancer and minute
//! determine which requests end how, and every `CloudWatch` statistic is computed
//! from them. That makes it a witness: what a watcher should have noticed is
//! known, including what the metrics hide. A request that times out leaves no
//! latency sample, so percentiles go quiet exactly when things get worse.
//!
//! It has no clock. A query carries its window, so the same question always has
//! the same answer; where AWS's now matters, it is the time the client signed with. The four hours before the start are the healthy
//! baseline, and so are the minutes after the script; earlier nobody came.

// Numbers here are bounded by construction: counts, minutes, microseconds.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)]

mod apigateway;
mod blow;
mod catalog;
mod cbor;
mod clock;
mod cloudfront;
mod cloudwatch;
mod control;
mod disorder;
mod document;
mod draft;
mod ec2;
mod ec2_filter;
mod ec2_view;
mod ecs;
mod ecs_service;
mod ecs_tasks;
mod ecs_view;
mod elb;
mod elb_attributes;
mod elb_health;
mod elb_view;
mod ending;
mod fault_text;
mod faults;
mod firewall;
mod fitness;
mod host;
mod input;
mod lambda;
mod library;
mod listing;
mod members;
mod minute;
mod network;
mod pages;
mod parallel;
mod paths;
mod place;
mod publication;
mod queue;
mod recognise;
mod retention;
mod rng;
mod scenario;
mod scene;
mod series;
mod server;
mod sns;
mod sns_rules;
mod stage;
mod state;
mod statistics;
mod story;
mod sts;
mod summary;
mod tale;
mod tasks;
mod timeline;
mod traffic;
mod wire;
mod world;
mod xml;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_diagnosis;
#[cfg(test)]
mod tests_time;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use faults::{FaultError, Faults};
pub use minute::Truth;
pub use publication::Gap;
pub use scenario::{Scenario, scenarios};
pub use story::Story;
pub use summary::Summary;
pub use timeline::{Change, Event, Span};

/// Load balancers a simulator may have at most.
const MAX_BALANCERS: usize = 10_000;

/// What to simulate.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Name of a scenario, see [`scenarios`].
    pub scenario: String,
    /// Everything random hangs on it.
    pub seed: u64,
    /// The scenario's minute 0, unix seconds, a multiple of 60; for the long scenarios
    /// a Monday 00:00 UTC, because some of them are about times of day and weekdays.
    pub start: i64,
    /// The only region with anything in it, e.g. `eu-central-1`.
    pub region: String,
    /// Account number, twelve digits.
    pub account: String,
    /// How many load balancers, 1 to 10,000; `None` leaves it to the scenario.
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
    /// Nothing was recorded earlier than so many minutes before the start: nobody
    /// came then, and asking for a fortnight costs no more than the scenario itself.
    pub recorded: i64,
    /// What goes wrong on the AWS side; may add to the three fields before.
    pub faults: Faults,
}

impl Setup {
    /// The setup with what the text of the faults says about it.
    fn with_text(mut self) -> Self {
        self.linked.append(&mut self.faults.linked);
        self.changes.append(&mut self.faults.changes);
        self.external_id = self.external_id.or(self.faults.external_id.take());
        self
    }

    /// Refuses impossible values.
    fn check(&self) -> Result<(), SetupError> {
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

    /// A scenario as it is, with all its past, for tests.
    #[cfg(test)]
    fn of(scenario: &str, seed: u64) -> Self {
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
    #[error("load_balancers must be between 1 and 10000, not {0}")]
    BadCount(usize),
    /// A linked account is the account itself or named twice.
    #[error("linked account '{0}' is there already")]
    LinkedTwice(String),
    /// A change concerns a load balancer that never exists.
    #[error("no load balancer '{0}' to change")]
    UnknownBalancer(String),
}

/// An SNS message the simulator accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Published {
    /// ARN of the topic.
    pub topic_arn: String,
    /// The subject, if given.
    pub subject: Option<String>,
    /// The message as sent; with structure `json` an object as text.
    pub message: String,
    /// `MessageStructure`, if given.
    pub structure: Option<String>,
    /// Message attributes; binary ones in base64.
    pub attributes: BTreeMap<String, String>,
    /// The id the publisher got.
    pub message_id: String,
    /// `MessageGroupId`, if given.
    pub group_id: Option<String>,
    /// `MessageDeduplicationId`, if given.
    pub deduplication_id: Option<String>,
    /// Unix seconds of the signature, if readable.
    pub signed_at: Option<i64>,
}

/// The simulator; clones share everything.
#[derive(Clone)]
pub struct Sim {
    state: Arc<state::State>,
}

impl Sim {
    /// Builds the account of a scenario. Requests are made when asked for.
    ///
    /// # Errors
    ///
    /// When the setup names no known scenario or holds an impossible value.
    pub fn new(setup: Setup) -> Result<Self, SetupError> {
        let setup = setup.with_text();
        let Some(scenario) = scenario::find(&setup.scenario) else {
            let known: Vec<&str> = scenarios().iter().map(|one| one.name).collect();
            let known = known.join(", ");
            return Err(SetupError::UnknownScenario { name: setup.scenario, known });
        };
        setup.check()?;
        let state = state::State::new(setup, scenario);
        let mut changed = state.setup.changes.iter().map(|change| &change.name);
        if let Some(name) = changed.find(|name| state.world.by_name(name, 0).is_none()) {
            return Err(SetupError::UnknownBalancer(name.clone()));
        }
        Ok(Self { state: Arc::new(state) })
    }

    /// Serves every protocol on this listener until `stop` fires.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        server::serve(self.state, listener, stop).await;
    }

    /// Says what time it is at AWS (unix seconds), whatever clients sign with.
    pub fn tell_now(&self, now: i64) {
        self.state.tell_now(now);
    }

    /// Names of the application load balancers, in the order of the scenario.
    #[must_use]
    pub fn load_balancers(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.state.world.balancers.iter().map(|one| one.name.clone()).collect();
        names.dedup();
        names
    }

    /// Every accepted SNS message, in order.
    #[must_use]
    pub fn published(&self) -> Vec<Published> {
        minute::lock(&self.state.messages).accepted.clone()
    }

    /// What really happened at a load balancer (by name) in an epoch minute;
    /// `None` if there is no such load balancer.
    #[must_use]
    pub fn truth(&self, load_balancer: &str, minute: i64) -> Option<Truth> {
        let (requests, timeout) = self.state.really(load_balancer, minute)?;
        Some(requests.truth(minute, timeout))
    }

    /// What happens in the scenario, one story per load balancer in their order.
    #[must_use]
    pub fn story(&self) -> Vec<Story> {
        story::all(&self.state)
    }

    /// What `CloudWatch` reports of a load balancer (by name) over a period of
    /// epoch minutes; `None` if there is no such load balancer.
    #[must_use]
    pub fn summary(&self, load_balancer: &str, minutes: std::ops::Range<i64>) -> Option<Summary> {
        let balancer = self.state.world.by_name(load_balancer, minutes.start)?;
        Some(summary::of(&self.state, balancer, minutes))
    }

    /// Epoch minute of the first 504 of the script at this load balancer.
    #[must_use]
    pub fn first_504(&self, load_balancer: &str) -> Option<i64> {
        self.state.script().find(|minute| {
            let really = self.state.really(load_balancer, *minute);
            really.is_some_and(|(minute, _)| {
                minute.requests.iter().any(|request| request.outcome.is_504())
            })
        })
    }
}
