//! What the services share: the account, the minutes, the message log, counters.
//!
//! Only three things change while the simulator runs: accepted messages, issued
//! role sessions, and counters. Everything else is a pure function of the setup.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::account::world::{Balancer, World};
use crate::clock;
use crate::metrics::view::View;
use crate::parallel::lock;
use crate::rng::hash_bytes;
use crate::scenario::plan::Scenario;
use crate::services::cloudwatch::listing::Listing;
use crate::services::sns::log::Messages;
use crate::setup::Setup;
use crate::traffic::minute::{Ended, Minute};
use crate::traffic::minutes::Minutes;
use crate::traffic::scene::{Scene, Telling};

/// The simulated account and what happened in it.
pub(crate) struct State {
    pub(crate) setup: Setup,
    pub(crate) scenario: &'static Scenario,
    pub(crate) world: World,
    pub(crate) minutes: Minutes,
    pub(crate) listing: std::sync::OnceLock<Listing>,
    pub(crate) messages: Mutex<Messages>,
    /// Access key -> ARN of the role session it was issued to.
    pub(crate) sessions: Mutex<BTreeMap<String, String>>,
    /// AWS's now, where it was told, epoch seconds.
    now: Mutex<Option<i64>>,
    /// AWS's now after the latest call that brought a time, epoch seconds.
    latest: Mutex<Option<i64>>,
    calls: AtomicU64,
    tally: Mutex<BTreeMap<(String, String, String), u64>>,
}

/// One call, recognised and authenticated as far as that goes.
pub(crate) struct Call {
    pub(crate) service: &'static str,
    pub(crate) operation: String,
    /// The region the call is signed for.
    pub(crate) region: String,
    /// Whether the call is signed for another region than the simulated one.
    pub(crate) foreign: bool,
    pub(crate) access_key: String,
    /// Number of the account the caller belongs to.
    pub(crate) account: String,
    /// Time of the signature, epoch seconds.
    pub(crate) signed_at: Option<i64>,
    /// AWS's now, epoch seconds; like the signature it may be missing.
    pub(crate) now: Option<i64>,
    /// Running number of the call.
    pub(crate) number: u64,
}

impl State {
    /// The state of a fresh simulator.
    pub(crate) fn new(setup: Setup, scenario: &'static Scenario) -> Self {
        let world = World::new(scenario, &setup);
        Self {
            minutes: Minutes::new(setup.start / 60, scenario.minutes),
            scenario,
            world,
            setup,
            listing: std::sync::OnceLock::new(),
            messages: Mutex::default(),
            sessions: Mutex::default(),
            now: Mutex::default(),
            latest: Mutex::default(),
            calls: AtomicU64::new(0),
            tally: Mutex::default(),
        }
    }

    /// Epoch minute of the scenario's minute 0.
    pub(crate) fn start(&self) -> i64 {
        self.setup.start / 60
    }

    /// The scripted epoch minutes.
    pub(crate) fn script(&self) -> std::ops::Range<i64> {
        self.start()..self.start() + self.scenario.minutes
    }

    /// Says what AWS's now is, epoch seconds.
    pub(crate) fn tell_now(&self, now: i64) {
        *lock(&self.now) = Some(now);
    }

    /// AWS's now for a request signed at this time, if either is known.
    pub(crate) fn now(&self, signed_at: Option<i64>) -> Option<i64> {
        if let told @ Some(_) = *lock(&self.now) {
            return told;
        }
        let brought = signed_at? - self.setup.faults.clock.unwrap_or(0);
        let mut latest = lock(&self.latest);
        *latest = Some(clock::later(*latest, brought));
        *latest
    }

    /// The date of an answer to a request made at AWS's `now`: it was held back,
    /// and others may have come in the meantime.
    pub(crate) fn date(&self, now: i64) -> i64 {
        if let Some(told) = *lock(&self.now) {
            return told;
        }
        let held = (self.setup.faults.slow_ms / 1_000).cast_signed();
        clock::later(*lock(&self.latest), now) + held
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
    pub(crate) fn counts(&self) -> BTreeMap<(String, String, String), u64> {
        lock(&self.tally).clone()
    }

    /// ARN of whoever holds this access key.
    pub(crate) fn caller(&self, access_key: &str) -> String {
        let issued = lock(&self.sessions).get(access_key).cloned();
        issued.unwrap_or_else(|| format!("arn:aws:iam::{}:user/simulated", self.setup.account))
    }

    /// Number of the account whoever holds this access key belongs to.
    pub(crate) fn account(&self, access_key: &str) -> String {
        self.caller(access_key).split(':').nth(4).unwrap_or_default().to_owned()
    }

    /// Whether an account shares its metrics with the setup's own.
    pub(crate) fn linked(&self, account: &str) -> bool {
        self.setup.linked.iter().any(|one| one == account)
    }

    /// The epoch minute of a call; without a time it is the scenario's first.
    pub(crate) fn minute(&self, call: &Call) -> i64 {
        call.now.unwrap_or(self.setup.start).div_euclid(60)
    }

    /// What is on at a load balancer in an epoch minute, if it has a tale.
    pub(crate) fn scene(&self, one: &Balancer, minute: i64) -> Option<Scene> {
        let telling = Telling::of(one, self.start())?;
        Some(telling.scene(minute, self.script().contains(&minute)))
    }

    /// An identifier such as `subnet-0123456789abcdef0` that belongs to a name.
    pub(crate) fn short(&self, kind: &str, what: &str) -> String {
        let name = format!("{kind}{what}");
        format!("{kind}-0{:016x}", hash_bytes(self.setup.seed, name.as_bytes()))
    }

    /// What really ended at a load balancer of this name in an epoch minute, and
    /// the idle timeout in seconds; nothing while there was none of this name.
    pub(crate) fn really(&self, name: &str, minute: i64) -> Option<(Arc<Minute>, u32)> {
        let one = self.world.by_name(name, minute)?;
        let requests = View::at(self, None).minute(one, "", minute);
        let requests = requests.unwrap_or_else(|| Arc::new(Minute::new(Ended::default(), 1)));
        Some((requests, self.minutes.timeout(one, minute)))
    }

    /// The minute of the scenario at this epoch second.
    pub(crate) fn scenario_minute(&self, now: i64) -> i64 {
        (now - self.setup.start).div_euclid(60)
    }

    /// ARNs of the topics of this account, which exist only in the simulated region.
    pub(crate) fn topics(&self) -> impl Iterator<Item = String> {
        let begin = format!("arn:aws:sns:{}:{}", self.setup.region, self.setup.account);
        self.setup.topics.iter().map(move |name| format!("{begin}:{name}"))
    }
}
