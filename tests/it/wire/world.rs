//! A daemon and a simulated AWS, joined by nothing but the wire.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::retry::RetryConfig;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_async::time::TimeSource;
use nearmiss::config::Config;
use nearmiss::config::State;
use nearmiss::daemon::Daemon;
use nearmiss::edge::aws::{self, Skew, Usage};
use nearmiss::inventory::{self, AccountRegion};
use nearmiss::store::{self, PersistedState};
use nearmiss_core::gateway::Kind;
use nearmiss_core::number::quantity::Span;
use nearmiss_core::state::GatewayState;
use nearmiss_core::time::Minute;
use nearmiss_sim::{Published, Setup, Sim};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub const START: i64 = 1_767_603_600; // 2026-01-05T09:00:00Z
pub const REGION: &str = "eu-central-1";
pub const ACCOUNT: &str = "111122223333";

/// How many minutes at the end may not be settled yet.
const OPEN_MINUTES: i64 = 16;

/// An hour passes in a moment, and its requests with it.
const QUOTA: &str = "[quota]\nrequests_per_second = 1000000\ndatapoints_per_second = 1000000000\n";

/// A simulated AWS that ends with the test.
pub struct World {
    pub sim: Sim,
    pub clock: Hands,
    pub base: SdkConfig,
    pub directory: tempfile::TempDir,
    stop: CancellationToken,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A clock that stands where it was set: the SDK signs with it, and the simulator accepts
/// the time that is signed.
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
        tokio::spawn(sim.clone().serve(listener, stop.clone()));
        let base = aws::loader()
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(endpoint)
            .time_source(clock.clone())
            .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
            .load()
            .await;
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("disk")).unwrap();
        Self { sim, clock, base, directory, stop }
    }

    /// The ARN of a load balancer of the scenario: the same, whatever is denied.
    pub async fn arn(name: &str) -> String {
        let open = Self::of("slow_burn", 7, "").await;
        let albs = inventory::connect(Kind::Alb, &open.base, &Skew::default());
        let list = albs.list(&mut Usage::default()).await.unwrap();
        list.into_iter().find(|listed| listed.id.name == name).unwrap().arn
    }

    /// The folder of the state file alone.
    pub fn disk(&self) -> PathBuf {
        self.directory.path().join("disk")
    }

    pub fn state(&self) -> PathBuf {
        self.disk().join("state.json")
    }

    /// A config with the addresses of everything; no quota makes a test wait.
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

    /// What a command finds of this config in a minute of the scenario.
    pub async fn accounts(&self, more: &str, minute: i64) -> Vec<AccountRegion> {
        let now = START + 60 * minute;
        self.clock.set(now);
        let span = Span::seconds(20);
        let mut accounts = AccountRegion::of_config(&self.config(more), &self.base).await;
        for account in &mut accounts {
            account.refresh(now, span, span).await;
        }
        accounts
    }

    /// One poll five seconds into a minute of the scenario, by AWS's clock as well.
    pub async fn poll_at(&self, daemon: &mut Daemon, minute: i64) {
        let now = START + 60 * minute + 5;
        self.clock.set(now);
        daemon.poll(now, &mut |_| {}).await;
    }

    /// Polls at each of these minutes.
    pub async fn poll(&self, daemon: &mut Daemon, minutes: impl IntoIterator<Item = i64>) {
        for minute in minutes {
            self.poll_at(daemon, minute).await;
        }
    }

    /// What was accepted, as a program reads it.
    pub fn published(&self) -> Vec<Value> {
        self.sim.published().iter().map(machine).collect()
    }

    /// When, and the subjects, of the notifications about episodes.
    pub fn told(&self) -> Vec<String> {
        let published = self.sim.published();
        let line = |one: &Published| {
            let machine = machine(one);
            let at = machine["at"].as_str().unwrap_or_default();
            let subject = one.subject.as_deref().unwrap_or_default();
            (machine["kind"] == "episode").then(|| format!("{at} {subject}"))
        };
        published.iter().filter_map(line).collect()
    }

    /// What a receiver that drops duplicates by their id was sent about each episode.
    pub fn heard(&self) -> Heard {
        let mut ids = Vec::new();
        let mut heard = Heard::new();
        for message in self.published() {
            if message["kind"] != "episode" || ids.contains(&message["id"]) {
                continue;
            }
            ids.push(message["id"].clone());
            let said = format!("{} {}", message["reason"], message["severity"]).replace('"', "");
            let episode = message["episode"]["id"].as_str().unwrap().to_owned();
            heard.entry(episode).or_default().push(said);
        }
        heard
    }

    /// The state that was saved last.
    pub fn saved(&self) -> PersistedState {
        store::read(&State { path: self.state() }).unwrap()
    }

    /// The same of each gateway.
    pub fn states(&self) -> BTreeMap<String, GatewayState> {
        self.saved().gateways.into_iter().collect()
    }

    /// What was counted for each gateway, compared with what happened.
    pub fn counts_are_the_truth(&self, case: &str) {
        for (key, state) in self.states() {
            let name = key.split('/').nth(3).unwrap();
            let counted = state.minutes.settled + state.minutes.idle + state.minutes.lost;
            let counted = counted + state.passed_over();
            let first = state.count_watermark.plus(-i64::try_from(counted).unwrap());
            let (mut requests, mut near, mut timeouts) = (0, 0, 0);
            for minute in first.0..state.count_watermark.0 {
                let Some(truth) = self.sim.truth(name, minute) else { continue };
                assert_eq!(truth.requests, truth.samples + truth.elb_504, "{case}: {name}");
                requests += truth.requests;
                near += truth.near_misses;
                timeouts += truth.elb_504;
            }
            let totals = state.totals;
            assert_eq!(
                (totals.requests, totals.near_misses, totals.timeouts),
                (requests, near, timeouts),
                "{case}: {name} from {first} to {}",
                state.count_watermark
            );
            assert!(first.since(Minute::containing(START)) <= 16, "{case}: {name} from {first}");
            assert_eq!(state.minutes.lost, 0, "{case}: {name}");
        }
    }

    /// Every minute before this one of the scenario is counted, but for those that may
    /// still be late.
    pub fn is_counted_up_to(&self, end: i64, case: &str) {
        for (key, state) in self.states() {
            let missing = Minute::containing(START).plus(end).since(state.count_watermark);
            assert!(missing <= OPEN_MINUTES, "{case}: {missing} minutes of {key} are not counted");
        }
    }
}

/// Reasons and severities of each episode, by its id.
pub type Heard = BTreeMap<String, Vec<String>>;

/// One message as a program reads it.
pub fn machine(one: &Published) -> Value {
    let message: Value = serde_json::from_str(&one.message).unwrap();
    match one.structure.as_deref() {
        Some("json") => serde_json::from_str(message["sqs"].as_str().unwrap()).unwrap(),
        _ => message,
    }
}

pub const ALL: &str = "[[gateway]]\nload_balancer = \"*\"\n";

/// Whatever else is in the file: every load balancer, with its histogram.
pub const HISTOGRAMS: &str = "[[gateway]]\nload_balancer = \"*\"\nhistogram = true\n";

/// The minutes of a short scenario, to its end.
pub const SCRIPT: std::ops::Range<i64> = 0..115;

/// What is sent of `slow_burn`, seed 7, when nothing fails.
pub const SLOW_BURN: [&str; 3] = [
    "2026-01-05T09:16Z [WARNING] checkout: requests come close to the timeout",
    "2026-01-05T09:38Z [CRITICAL] checkout: requests end in 504",
    "2026-01-05T10:40Z [RESOLVED] checkout: over after 38 min: requests end in 504",
];

/// Its episode.
pub const EPISODE: &str =
    "eu-central-1/111122223333/app/checkout/76b19428c52d2596@2026-01-05T09:14Z";

/// What a receiver is sent of an episode that becomes worse and ends.
pub const WHOLE: [&str; 3] = ["firing warning", "escalated critical", "resolved critical"];

/// The text of the daemon's page.
pub fn page(daemon: &Daemon) -> String {
    String::from_utf8(daemon.page().metrics.to_vec()).unwrap()
}

/// The value of a series on the daemon's page.
pub fn metric(daemon: &Daemon, name: &str, gateway: &str) -> Option<f64> {
    let text = page(daemon);
    let series = text.lines().filter(|line| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{') || rest.starts_with(' '))
    });
    let label = format!("gateway=\"{gateway}\"");
    let mut series = series.filter(|line| gateway.is_empty() || line.contains(&label));
    series.next()?.rsplit(' ').next()?.parse().ok()
}

/// Whether something is wrong with a part of the daemon, by its page.
pub fn trouble(daemon: &Daemon, component: &str) -> Option<f64> {
    metric(daemon, &format!("nearmiss_trouble{{theme=\"{component}\"}}"), "")
}
