//! A small simulator of the AWS services a watcher of gateways talks to.
//!
//! It models requests, not metrics: scenario, seed, gateway and minute
//! determine which requests end how, and every `CloudWatch` statistic is computed
//! from them. That makes it a witness: what a watcher should have noticed is
//! known, including what the metrics hide. A request that times out leaves no
//! latency sample, so percentiles go quiet exactly when things get worse.
//!
//! It has no clock. A query carries its window, so the same question always has
//! the same answer; where AWS's now matters, it is the time the client signed with.
//! The four hours before the start are the healthy baseline, and so are the minutes
//! after the script; before that, nobody came.
//!
//! # What is where
//!
//! Each module uses only those above it in this list; a test of the workspace holds it
//! to that.
//!
//! | module | what it is | uses |
//! |---|---|---|
//! | `rng`, `sorting`, `statistics`, `parallel`, `names`, `timeline` | arithmetic, threads, names AWS accepts, minutes and changes | nothing |
//! | `catalog` | the metrics AWS publishes, and for which dimensions | nothing |
//! | `scenario` | what a scenario can say, as types: plans, scripts, hosts | nothing |
//! | `library` | the scenarios, as tables | `scenario` |
//! | `wire` | requests, answers, protocols: bytes to a tree and back | `rng` |
//! | `clock` | AWS's now | `wire` |
//! | `faults` | what can go wrong at AWS, and how it is read from text | `wire`, `catalog` |
//! | `setup` | what to simulate | `faults` |
//! | `world` | what exists: built once from a setup and a scenario, never changed | `setup`, `scenario` |
//! | `traffic` | the model: which requests end how in which minute | `world`, `scenario` |
//! | `metrics` | what `CloudWatch` makes of the requests, and when it has it | `traffic`, `faults`, `catalog` |
//! | `services` | one module a service: a call to a reply | `metrics`, `world`, `wire` |
//! | `server` | the only way in: who asks, faults, dispatch, bytes, connections | `services` |
//!
//! `rng` and `parallel` are used everywhere. A new operation is a function in its service;
//! a new service is a module in `services`, a line in its `answer`, and its protocol in
//! `wire`; a new scenario is a table in `library`; a new fault is a field of [`Faults`],
//! a line in `faults::list` and one in `faults::text`. A new kind of gateway is a variant of
//! `scenario::gateway::Kind`, a table in `catalog::gateways`, a module in
//! `metrics::gateways`, and its service; its traffic is that of all the others. What AWS
//! documents nowhere is an option in `faults::options`.

// Numbers here are bounded by construction: counts, minutes, microseconds.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)]

mod catalog;
mod clock;
mod faults;
mod library;
mod metrics;
mod names;
mod parallel;
mod rng;
mod scenario;
mod server;
mod services;
mod setup;
mod sorting;
mod statistics;
mod timeline;
mod traffic;
mod wire;
mod world;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use scenario::gateway::Kind;
use server::state::State;
use world::World;

pub use faults::kms::Kms;
pub use faults::list::fault_list;
pub use faults::options;
pub use faults::sns::SnsFaults;
pub use faults::{FaultError, Faults, hostile, late};
pub use library::scenarios;
pub use metrics::summary::Summary;
pub use scenario::plan::Scenario;
pub use services::sns::chat::problem as chat_problem;
pub use services::sns::published::Published;
pub use setup::{Setup, SetupError};
pub use timeline::{Change, Event, Span};
pub use traffic::approach::Approach;
pub use traffic::minute::Truth;
pub use traffic::story::Story;

/// The simulator; clones share everything.
#[derive(Clone)]
pub struct Sim {
    state: Arc<State>,
}

impl Sim {
    /// Builds the account of a scenario. Requests are made when asked for.
    ///
    /// # Errors
    ///
    /// When the setup names no known scenario or holds an impossible value.
    pub fn new(setup: Setup) -> Result<Self, SetupError> {
        let setup = setup.with_text();
        let Some(scenario) = library::find(&setup.scenario) else {
            let known: Vec<&str> = scenarios().iter().map(|one| one.name).collect();
            let known = known.join(", ");
            return Err(SetupError::UnknownScenario { name: setup.scenario, known });
        };
        setup.check()?;
        let world = World::new(scenario, setup);
        let changed = world.setup.changes.iter().map(|change| &change.name);
        let late = world.setup.faults.late_points.balancers();
        let known =
            |name: &str| world.by_name(name, 0).is_some() || world.called(name).next().is_some();
        if let Some(name) = changed.chain(late).find(|name| !known(name)) {
            return Err(SetupError::UnknownBalancer(name.clone()));
        }
        let options = &world.setup.faults.options;
        if options.functions.is_some() && !world.has(|kind| matches!(kind, Kind::Function { .. })) {
            return Err(SetupError::NothingToChoose("functions"));
        }
        if options.custom.is_some() && !world.has(|kind| matches!(kind, Kind::Custom(_))) {
            return Err(SetupError::NothingToChoose("custom"));
        }
        Ok(Self { state: Arc::new(State::new(world)) })
    }

    /// Serves every protocol on this listener until `stop` fires.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        server::serve(self.state, listener, stop).await;
    }

    /// Says what time it is at AWS (unix seconds), whatever clients sign with.
    pub fn tell_now(&self, now: i64) {
        self.state.clock.tell(now);
    }

    /// Names of the application load balancers, in the order of the scenario.
    #[must_use]
    pub fn load_balancers(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.state.world().balancers.iter().map(|one| one.name.clone()).collect();
        names.dedup();
        names
    }

    /// Every accepted SNS message, in order.
    #[must_use]
    pub fn published(&self) -> Vec<Published> {
        parallel::lock(&self.state.services.messages).accepted.clone()
    }

    /// How many `Publish` calls reached SNS, by how they ended: `accepted` or `duplicate`,
    /// with `_lost` or `_cut` where the publisher did not learn of it, or the code of the
    /// refusal.
    #[must_use]
    pub fn publish_attempts(&self) -> BTreeMap<String, u64> {
        parallel::lock(&self.state.services.messages).outcomes.clone()
    }

    /// What really happened at a load balancer (by name) in an epoch minute;
    /// `None` if there is no such load balancer.
    #[must_use]
    pub fn truth(&self, load_balancer: &str, minute: i64) -> Option<Truth> {
        let (requests, timeout) = self.state.services.view().really(load_balancer, minute)?;
        Some(requests.truth(minute, timeout))
    }

    /// Names of the gateways that are no application load balancers, in the order of the
    /// scenario.
    #[must_use]
    pub fn gateways(&self) -> Vec<String> {
        self.state.world().gateways.iter().map(|one| one.name.clone()).collect()
    }

    /// What really happened at a part (by number) of a gateway (by name or id) in an epoch
    /// minute; `None` if there is none. Its 504s are the requests that were given up, whatever
    /// the gateway answered; those of a function count where they began.
    #[must_use]
    pub fn gateway_truth(&self, gateway: &str, part: usize, minute: i64) -> Option<Truth> {
        let (requests, timeout) = self.state.services.view().really_of(gateway, part, minute)?;
        Some(requests.truth(minute, timeout))
    }

    /// How every target group and every other gateway approached its timeout.
    #[must_use]
    pub fn approaches(&self) -> Vec<Approach> {
        traffic::approach::all(self.state.world(), &self.state.services.minutes)
    }

    /// What happens in the scenario, one story per load balancer in their order.
    #[must_use]
    pub fn story(&self) -> Vec<Story> {
        traffic::story::all(self.state.world(), &self.state.services.minutes)
    }

    /// What `CloudWatch` reports of a load balancer (by name) over a period of
    /// epoch minutes; `None` if there is no such load balancer.
    #[must_use]
    pub fn summary(&self, load_balancer: &str, minutes: std::ops::Range<i64>) -> Option<Summary> {
        let balancer = self.state.world().by_name(load_balancer, minutes.start)?;
        Some(metrics::summary::of(self.state.services.view(), balancer, minutes))
    }

    /// Epoch minute of the first 504 of the script at this load balancer.
    #[must_use]
    pub fn first_504(&self, load_balancer: &str) -> Option<i64> {
        self.state.world().script().find(|minute| {
            let really = self.state.services.view().really(load_balancer, *minute);
            really.is_some_and(|(minute, _)| minute.timed_out() > 0)
        })
    }
}
