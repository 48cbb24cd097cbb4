//! A daemon and a simulated AWS, joined by nothing but the wire.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::retry::RetryConfig;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_async::time::TimeSource;
use nearmiss::config::{Config, State};
use nearmiss::daemon::Daemon;
use nearmiss::edge::aws::{self, Skew, Usage};
use nearmiss::edge::elb::Elb;
use nearmiss::store::{self, PersistedState};
use nearmiss_core::state::GatewayState;
use nearmiss_sim::{Setup, Sim, Truth};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const START: i64 = 1_767_603_600; // 2026-01-05T09:00:00Z
pub const REGION: &str = "eu-central-1";
pub const ACCOUNT: &str = "111122223333";

/// An hour passes in a moment, and its requests with it.
const QUOTA: &str = "[quota]\nrequests_per_second = 1000000\ndatapoints_per_second = 1000000000\n";

/// A simulated AWS that ends with the test.
pub struct World {
    pub sim: Sim,
    pub clock: Hands,
    pub base: SdkConfig,
    pub directory: tempfile::TempDir,
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A clock that stands where it was set: the SDK signs with it, and the
/// simulator takes what is signed for the time.
#[derive(Debug, Clone, Default)]
pub struct Hands(Arc<AtomicI64>);

impl Hands {
    pub fn set(&self, now: i64) {
        self.0.store(now, Ordering::Relaxed);
    }
}

impl TimeSource for Hands {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::Relaxed).try_into().unwrap())
    }
}

impl World {
    pub async fn of(scenario: &str, seed: u64, faults: &str) -> Self {
        let faults = faults.parse().unwrap();
        Self::with(Setup { scenario: scenario.into(), seed, faults, ..Setup::default() }).await
    }

    pub async fn with(setup: Setup) -> Self {
        let clock = Hands::default();
        clock.set(START);
        let sim = Sim::new(setup).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let endpoint = format!("http://{address}");
        let stop = CancellationToken::new();
        let serving = tokio::spawn(sim.clone().serve(listener, stop.clone()));
        let base = aws::loader()
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(endpoint)
            .time_source(clock.clone())
            .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
            .load()
            .await;
        Self { sim, clock, base, directory: tempfile::tempdir().unwrap(), address, stop, serving }
    }

    /// From now on the same account is in another scenario: its load balancers
    /// are gone, and others are there.
    pub async fn becomes(&mut self, scenario: &str) {
        self.stop.cancel();
        (&mut self.serving).await.unwrap();
        let setup = Setup { scenario: scenario.into(), ..Setup::default() };
        self.sim = Sim::new(setup).unwrap();
        self.stop = CancellationToken::new();
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.serving = tokio::spawn(self.sim.clone().serve(listener, self.stop.clone()));
    }

    /// The ARN of a load balancer of the scenario: the same, whatever is denied.
    pub async fn arn(&self, name: &str) -> String {
        let open = Self::of("slow_burn", 7, "").await;
        let elb = Elb::new(&open.base, &Skew::default());
        let list = elb.list(&mut Usage::default()).await.unwrap();
        list.into_iter().find(|found| found.name == name).unwrap().arn.text
    }

    pub fn state(&self) -> PathBuf {
        self.directory.path().join("state.json")
    }

    /// What was saved last.
    pub fn saved(&self) -> PersistedState {
        store::read(&State { path: self.state() }).unwrap()
    }

    /// The same of each gateway.
    pub fn saved_gateways(&self) -> BTreeMap<String, GatewayState> {
        self.saved().gateways.into_iter().collect()
    }

    /// A config that names where things are; nobody's quotas are waited for.
    pub fn config(&self, more: &str) -> Config {
        let state = self.state();
        let text = format!(
            "[http]\nlisten = \"127.0.0.1:0\"\n\
             [sink.sns]\ntopic_arn = \"arn:aws:sns:{REGION}:{ACCOUNT}:nearmiss\"\n\
             [alert]\nresolve_after = \"10m\"\n\
             {QUOTA}\
             [state]\npath = \"{}\"\n{more}",
            state.display()
        );
        Config::parse(&text, Path::new("test.toml")).unwrap_or_else(|error| panic!("{error}"))
    }

    pub async fn daemon(&self, more: &str) -> Daemon {
        Daemon::start(self.config(more), &self.base).await.unwrap()
    }

    /// Polls once a minute, as [`poll`] does, with a clock that says so to AWS as well.
    pub async fn poll(&self, daemon: &mut Daemon, minutes: std::ops::Range<i64>) {
        for minute in minutes {
            self.clock.set(START + 60 * minute + 5);
            poll(daemon, minute..minute + 1).await;
        }
    }

    /// Subjects of all that was published, each with the minute it is about.
    pub fn told(&self) -> Vec<String> {
        let published = self.sim.published();
        let line = |one: &nearmiss_sim::Published| {
            let message: serde_json::Value = serde_json::from_str(&one.message).unwrap();
            let machine: serde_json::Value =
                serde_json::from_str(message["sqs"].as_str().unwrap()).unwrap();
            let at = machine["at"].as_str().unwrap().to_owned();
            format!("{at} {}", one.subject.as_deref().unwrap_or_default())
        };
        published.iter().map(line).collect()
    }

    /// The truth of the minutes from `from` to before `end`, added up.
    pub fn truth(&self, load_balancer: &str, from: i64, end: i64) -> (u64, u64, u64) {
        let minutes = (from..end).filter_map(|minute| self.sim.truth(load_balancer, minute));
        minutes.fold((0, 0, 0), |sum, Truth { requests, near_misses, elb_504, .. }| {
            (sum.0 + requests, sum.1 + near_misses, sum.2 + elb_504)
        })
    }
}

pub const ALL: &str = "[[gateway]]\nload_balancer = \"*\"\n";

/// Polls once a minute, five seconds past, over these minutes of the scenario.
pub async fn poll(daemon: &mut Daemon, minutes: std::ops::Range<i64>) {
    for minute in minutes {
        daemon.poll(START + 60 * minute + 5, &mut |_| {}).await;
    }
}

/// The value of a series on the daemon's page.
pub fn metric(daemon: &Daemon, name: &str, gateway: &str) -> Option<f64> {
    let page = daemon.page();
    let text = std::str::from_utf8(&page.metrics).unwrap();
    let series = text.lines().filter(|line| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{') || rest.starts_with(' '))
    });
    let label = format!("gateway=\"{gateway}\"");
    let mut series = series.filter(|line| gateway.is_empty() || line.contains(&label));
    series.next()?.rsplit(' ').next()?.parse().ok()
}
