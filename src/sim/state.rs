//! What the services share: the account, the minutes, the message log, counters.
//!
//! Only three things change while the simulator runs: accepted messages, issued
//! role sessions, and counters. Everything else is a pure function of the setup.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::listing::Listing;
use super::minute::{Minutes, lock};
use super::scenario::Scenario;
use super::world::World;
use super::{Published, Setup};

/// The simulated account and what happened in it.
pub(super) struct State {
    pub(super) setup: Setup,
    pub(super) scenario: &'static Scenario,
    pub(super) world: World,
    pub(super) minutes: Minutes,
    pub(super) listing: std::sync::OnceLock<Listing>,
    pub(super) messages: Mutex<Messages>,
    /// Access key -> ARN of the role session it was issued to.
    pub(super) sessions: Mutex<BTreeMap<String, String>>,
    calls: AtomicU64,
    tally: Mutex<BTreeMap<(String, String, String), u64>>,
}

/// The log of the topics.
#[derive(Default)]
pub(super) struct Messages {
    pub(super) accepted: Vec<Published>,
    /// `Publish` calls so far, accepted or not.
    pub(super) attempts: u64,
}

/// One call, recognised and authenticated as far as that goes.
pub(super) struct Call {
    pub(super) service: &'static str,
    pub(super) operation: String,
    /// Whether the call is signed for another region than the simulated one.
    pub(super) foreign: bool,
    pub(super) access_key: String,
    /// Time of the signature, epoch seconds.
    pub(super) signed_at: Option<i64>,
    /// Running number of the call.
    pub(super) number: u64,
}

impl State {
    /// The state of a fresh simulator.
    pub(super) fn new(setup: Setup, scenario: &'static Scenario) -> Self {
        let world =
            World::new(scenario, setup.seed, &setup.region, &setup.account, setup.load_balancers);
        Self {
            minutes: Minutes::new(setup.start / 60, scenario.minutes),
            scenario,
            world,
            setup,
            listing: std::sync::OnceLock::new(),
            messages: Mutex::default(),
            sessions: Mutex::default(),
            calls: AtomicU64::new(0),
            tally: Mutex::default(),
        }
    }

    /// Epoch minute of the scenario's minute 0.
    pub(super) fn start(&self) -> i64 {
        self.setup.start / 60
    }

    /// The scripted epoch minutes.
    pub(super) fn script(&self) -> std::ops::Range<i64> {
        self.start()..self.start() + self.scenario.minutes
    }

    /// The number of the next call.
    pub(super) fn next_call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts an answered call.
    pub(super) fn count(&self, service: &str, operation: &str, outcome: &str) {
        let key = (service.to_owned(), operation.to_owned(), outcome.to_owned());
        *lock(&self.tally).entry(key).or_default() += 1;
    }

    /// Answered calls by service, operation and outcome.
    pub(super) fn counts(&self) -> BTreeMap<(String, String, String), u64> {
        lock(&self.tally).clone()
    }

    /// ARN of whoever holds this access key.
    pub(super) fn caller(&self, access_key: &str) -> String {
        let issued = lock(&self.sessions).get(access_key).cloned();
        issued.unwrap_or_else(|| format!("arn:aws:iam::{}:user/simulated", self.setup.account))
    }

    /// ARN of a topic of this account, which exists only in the simulated region.
    pub(super) fn topics(&self) -> [String; 2] {
        ["nearmiss", "nearmiss.fifo"]
            .map(|name| format!("arn:aws:sns:{}:{}:{name}", self.setup.region, self.setup.account))
    }
}
