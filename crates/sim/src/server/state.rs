//! The simulator while it runs: the services, AWS's clock, and what was called how often.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Clock;
use crate::parallel::lock;
use crate::services::Services;
use crate::world::World;

/// Numbers of calls by service, operation and outcome.
type Tally = BTreeMap<(String, String, String), u64>;

/// The running simulator.
pub(crate) struct State {
    pub(crate) services: Services,
    pub(crate) clock: Clock,
    calls: AtomicU64,
    tally: Mutex<Tally>,
}

impl State {
    /// The state of a fresh simulator.
    pub(crate) fn new(world: World) -> Self {
        let faults = &world.setup.faults;
        let held = (faults.slow_ms / 1_000).cast_signed();
        Self {
            clock: Clock::new(faults.clock.unwrap_or(0), held),
            services: Services::new(world),
            calls: AtomicU64::new(0),
            tally: Mutex::default(),
        }
    }

    /// What there is to describe.
    pub(crate) fn world(&self) -> &World {
        &self.services.world
    }

    /// The number of the next call.
    pub(crate) fn next_call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts an answered call.
    pub(crate) fn count(&self, service: &str, operation: &str, outcome: &str) {
        let key = (service.to_owned(), operation.to_owned(), outcome.to_owned());
        *lock(&self.tally).entry(key).or_default() += 1;
    }

    /// Answered calls by service, operation and outcome.
    pub(crate) fn counts(&self) -> Tally {
        lock(&self.tally).clone()
    }
}
