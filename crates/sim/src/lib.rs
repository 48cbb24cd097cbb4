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
mod chat;
mod chat_events;
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
mod fault_list;
mod fault_text;
mod faults;
mod firewall;
mod fitness;
mod host;
pub mod hostile;
mod hostile_bytes;
mod hostile_tree;
mod input;
mod lambda;
pub mod late;
mod library;
mod listing;
mod members;
mod minute;
mod mrkdwn;
mod network;
mod pages;
mod parallel;
mod paths;
mod place;
mod publication;
mod query;
mod queue;
mod recognise;
mod refusals;
mod retention;
mod rng;
mod scenario;
mod scene;
mod series;
mod server;
mod setup;
mod sns;
mod sns_faults;
mod sns_log;
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
mod tests_hostile;
#[cfg(test)]
mod tests_sns;
#[cfg(test)]
mod tests_time;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use chat::problem as chat_problem;
pub use fault_list::fault_list;
pub use faults::{FaultError, Faults};
pub use minute::Truth;
pub use scenario::{Scenario, scenarios};
pub use setup::{Setup, SetupError};
pub use sns_faults::{Kms, SnsFaults};
pub use sns_log::Published;
pub use story::Story;
pub use summary::Summary;
pub use timeline::{Change, Event, Span};

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
        let changed = state.setup.changes.iter().map(|change| &change.name);
        let late = state.setup.faults.late_points.balancers();
        if let Some(name) = changed.chain(late).find(|name| state.world.by_name(name, 0).is_none())
        {
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

    /// How many `Publish` calls reached SNS, by how they ended: `accepted` or `duplicate`,
    /// with `_lost` or `_cut` where the publisher was not told, or the code of the refusal.
    #[must_use]
    pub fn publish_attempts(&self) -> BTreeMap<String, u64> {
        minute::lock(&self.state.messages).outcomes.clone()
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
            really.is_some_and(|(minute, _)| minute.timed_out() > 0)
        })
    }
}
