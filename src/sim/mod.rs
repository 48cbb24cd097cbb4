//! A small simulator of the AWS services a load balancer watcher talks to.
//!
//! It models requests, not metrics: scenario, seed, load balancer and minute
//! determine which requests end how, and every `CloudWatch` statistic is computed
//! from them. That makes it a witness: what a watcher should have noticed is
//! known, including what the metrics hide. A request that times out leaves no
//! latency sample, so percentiles go quiet exactly when things get worse.
//!
//! It has no clock. A query carries its window, so the same question always has
//! the same answer. Minutes before the start are the healthy baseline, and so
//! are the minutes after the script.

// Numbers here are bounded by construction: counts, minutes, microseconds.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)]

mod catalog;
mod cbor;
mod cloudwatch;
mod control;
mod document;
mod elb;
mod elb_view;
mod faults;
mod input;
mod listing;
mod minute;
mod pages;
mod place;
mod queue;
mod recognise;
mod rng;
mod scenario;
mod series;
mod server;
mod sns;
mod sns_rules;
mod state;
mod statistics;
mod sts;
mod traffic;
mod wire;
mod world;
mod xml;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use faults::{FaultError, Faults};
pub use minute::Truth;
pub use scenario::{Scenario, scenarios};

/// Load balancers a simulator may have at most.
const MAX_BALANCERS: usize = 10_000;

/// What to simulate.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Name of a scenario, see [`scenarios`].
    pub scenario: String,
    /// Everything random hangs on it.
    pub seed: u64,
    /// The scenario's minute 0, unix seconds, a multiple of 60.
    pub start: i64,
    /// The only region with anything in it, e.g. `eu-central-1`.
    pub region: String,
    /// Account number, twelve digits.
    pub account: String,
    /// How many load balancers, 1 to 10,000; `None` leaves it to the scenario.
    pub load_balancers: Option<usize>,
    /// What goes wrong on the AWS side.
    pub faults: Faults,
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
        let Some(scenario) = scenario::find(&setup.scenario) else {
            let known: Vec<&str> = scenarios().iter().map(|one| one.name).collect();
            let known = known.join(", ");
            return Err(SetupError::UnknownScenario { name: setup.scenario, known });
        };
        if setup.start <= 0 || setup.start % 60 != 0 || setup.start > 100_000_000_000 {
            return Err(SetupError::BadStart(setup.start));
        }
        let digits = setup.account.bytes().all(|byte| byte.is_ascii_digit());
        if setup.account.len() != 12 || !digits {
            return Err(SetupError::BadAccount(setup.account));
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let region = &setup.region;
        let ends = region.ends_with(|c: char| c.is_ascii_digit());
        if !region.chars().all(plain) || !ends || region.split('-').count() < 3 {
            return Err(SetupError::BadRegion(setup.region));
        }
        match setup.load_balancers {
            Some(count) if !(1..=MAX_BALANCERS).contains(&count) => {
                return Err(SetupError::BadCount(count));
            }
            _ => {}
        }
        Ok(Self { state: Arc::new(state::State::new(setup, scenario)) })
    }

    /// Serves every protocol on this listener until `stop` fires.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        server::serve(self.state, listener, stop).await;
    }

    /// Names of the application load balancers, in the order of the scenario.
    #[must_use]
    pub fn load_balancers(&self) -> Vec<String> {
        self.state.world.balancers.iter().map(|one| one.name.clone()).collect()
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
        let balancer = self.state.world.by_name(load_balancer)?;
        let requests = self.state.minutes.of(balancer, minute);
        Some(requests.truth(minute, balancer.plan.timeout))
    }

    /// Epoch minute of the first 504 of the script at this load balancer.
    #[must_use]
    pub fn first_504(&self, load_balancer: &str) -> Option<i64> {
        let balancer = self.state.world.by_name(load_balancer)?;
        self.state.script().find(|minute| {
            let requests = self.state.minutes.of(balancer, *minute);
            requests.requests.iter().any(|request| request.outcome.is_504())
        })
    }
}
