//! `nearmiss demo`: the real daemon against the simulator, at sixty times the speed.
//!
//! Nothing of the daemon is changed for it: it gets a config, an AWS endpoint and a clock.
//! The table shows its reports; the alerts are read back from what the simulator's SNS
//! received, so they are shown as a chat channel would get them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, ConfigError};
use crate::daemon::{Daemon, Event, StartError};
use crate::edge::aws;
use crate::edge::time::Clock;
use nearmiss_core::Report;
use nearmiss_core::detect::Severity;
use nearmiss_core::number::quantity::{count, percent, seconds};
use nearmiss_core::time::Minute;
use nearmiss_sim::{Setup, SetupError, Sim};

const REGION: &str = "eu-central-1";
const ACCOUNT: &str = "111122223333";
/// Monday 2026-01-05, 09:00 UTC: the same for every run, so that one seed tells
/// one story.
const START: i64 = 1_767_603_600;

/// How much longer than planned it may take, on a machine that is too slow.
const GRACE: Duration = Duration::from_secs(30);

/// What to show.
#[derive(Debug, Clone)]
pub struct Demo {
    /// Which scenario of the simulator.
    pub scenario: String,
    /// Its seed.
    pub seed: u64,
    /// Simulated seconds per second.
    pub speed: f64,
    /// Where `/metrics` is served.
    pub listen: String,
    /// When to end, in real time.
    pub lasts: Duration,
}

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The scenario cannot be set up.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A demo is about load balancers.
    #[error(
        "scenario \"{0}\" has no load balancer, and the demo watches nothing else: `nearmiss sim --scenario {0}` serves it for a daemon of yours"
    )]
    NoLoadBalancer(String),
    /// The address is not valid in a config.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The daemon cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There is no port or no temporary directory.
    #[error("cannot prepare the demo")]
    Prepare(#[from] io::Error),
}

impl Demo {
    /// Runs until its time is up or `stop`, and writes to standard output.
    ///
    /// # Errors
    /// When it cannot start.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), DemoError> {
        let sim = Sim::new(Setup {
            scenario: self.scenario.clone(),
            seed: self.seed,
            start: START,
            region: REGION.into(),
            account: ACCOUNT.into(),
            ..Setup::default()
        })?;
        if sim.load_balancers().is_empty() {
            return Err(DemoError::NoLoadBalancer(self.scenario.clone()));
        }
        let aws = TcpListener::bind(("127.0.0.1", 0)).await?;
        let endpoint = format!("http://{}", aws.local_addr()?);
        let directory = tempfile::tempdir()?;
        let config = self.config(directory.path())?;
        // The daemon may be in the middle of a poll when it is stopped.
        let closing = CancellationToken::new();
        let _closes_on_error = closing.clone().drop_guard();
        let serving = tokio::spawn(sim.clone().serve(aws, closing.clone()));

        let daemon = Daemon::start(config, &sdk_config(endpoint).await).await?;
        let mut view = View::new(sim);
        let metrics = daemon.address().map_or_else(String::new, |a| format!("http://{a}/metrics"));
        view.introduce(self, &metrics);
        // The story ends with a minute of the scenario, so that it is the same on a slow
        // machine; the timer is for a machine that is far too slow.
        let (ending, grace) = (stop.clone(), self.lasts + GRACE);
        let timer = tokio::spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(grace) => ending.cancel(),
                () = ending.cancelled() => {}
            }
        });
        let clock = Clock::scaled(START, self.speed);
        let last = self.last_minute();
        let ending = stop.clone();
        let mut now = Minute(0);
        let watch = |event: Event<'_>| {
            if let Event::Minute(reports) = event {
                let minute = reports.first().map(|report| report.reading.minute);
                now = now.max(minute.unwrap_or(now));
            }
            match event {
                _ if !(Minute::containing(START)..=last).contains(&now) => {}
                Event::Minute([]) => {}
                Event::Minute(reports) => view.minute(now, reports),
                Event::Notified => view.alerts(now),
            }
            if now >= last && matches!(event, Event::Notified) {
                ending.cancel();
            }
        };
        daemon.run(clock, stop.into(), watch).await?;
        closing.cancel();
        view.conclude();
        let _ = tokio::join!(serving, timer);
        Ok(())
    }

    /// The newest minute that a poll can see when the time is up: the one under way is not
    /// over, and the one before it is within the delay.
    fn last_minute(&self) -> Minute {
        #[allow(clippy::cast_possible_truncation)] // saturates, and a year is enough
        let simulated = (self.lasts.as_secs_f64() * self.speed).min(3.2e7) as i64;
        Minute::containing(START + simulated).plus(-2)
    }

    fn config(&self, directory: &Path) -> Result<Config, ConfigError> {
        let text = format!(
            r#"
[http]
listen = {listen}
[poll]
calm_every = "1m"
[[gateway]]
load_balancer = "*"
[alert]
resolve_after = "10m"
[sink.sns]
topic_arn = "arn:aws:sns:{REGION}:{ACCOUNT}:nearmiss"
[state]
path = {state}
"#,
            listen = Value::from(self.listen.as_str()),
            state = Value::from(directory.join("state.json").to_string_lossy().as_ref()),
        );
        Config::parse(&text, Path::new("demo"))
    }
}

async fn sdk_config(endpoint: String) -> SdkConfig {
    aws::loader()
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new("demo", "demo", None, None, "demo"))
        .endpoint_url(endpoint)
        .use_fips(false)
        .use_dual_stack(false)
        .load()
        .await
}

/// The terminal.
struct View {
    sim: Sim,
    out: io::Stdout,
    /// Redraw in place; otherwise print the table when it has changed.
    redraws: bool,
    table_lines: usize,
    table: String,
    alerts_shown: usize,
    threads: BTreeSet<String>,
    states: Vec<String>,
    first_warning: BTreeMap<String, Minute>,
}

impl View {
    fn new(sim: Sim) -> Self {
        let out = io::stdout();
        Self {
            redraws: out.is_terminal(),
            out,
            sim,
            table_lines: 0,
            table: String::new(),
            alerts_shown: 0,
            threads: BTreeSet::new(),
            states: Vec::new(),
            first_warning: BTreeMap::new(),
        }
    }

    fn introduce(&mut self, demo: &Demo, metrics: &str) {
        self.print(&format!(
            "nearmiss demo: scenario {}, seed {}, {}x speed, ends by itself after {} s\n\
             metrics: {metrics}\n\
             times are the scenario's, in UTC\n",
            demo.scenario,
            demo.seed,
            demo.speed,
            demo.lasts.as_secs(),
        ));
    }

    /// One simulated minute.
    fn minute(&mut self, minute: Minute, reports: &[Report]) {
        let states: Vec<String> = reports.iter().map(state).collect();
        let table = table(minute, reports);
        if self.redraws {
            self.redraw("", table);
        } else if states != self.states || minute.0 % 10 == 0 {
            self.print(&table);
        }
        self.states = states;
        for report in reports.iter().filter(|report| report.open_episode().is_some()) {
            self.first_warning.entry(report.gateway.id.name.clone()).or_insert(minute);
        }
    }

    /// The messages that arrived since the last time.
    fn alerts(&mut self, minute: Minute) {
        let published = self.sim.published();
        let new = &published[self.alerts_shown..];
        let shown: String =
            new.iter().map(|one| chat(&one.message, minute, &mut self.threads)).collect();
        self.alerts_shown = published.len();
        if self.redraws && !shown.is_empty() {
            let table = std::mem::take(&mut self.table);
            self.redraw(&shown, table);
        } else {
            self.print(&shown);
        }
    }

    /// Prints text, and the table again where it was.
    fn redraw(&mut self, text: &str, table: String) {
        let up = self.table_lines;
        let back = if up > 0 { format!("\x1b[{up}A\x1b[J") } else { String::new() };
        self.table_lines = table.lines().count();
        self.print(&format!("{back}{text}{table}"));
        self.table = table;
    }

    /// The truth of the scenario, beside what was alerted on.
    fn conclude(&mut self) {
        let mut text = String::from("\nThe scenario's truth:\n");
        for name in self.sim.load_balancers() {
            let first_504 = self.sim.first_504(&name).map(Minute);
            let warned = self.first_warning.get(&name);
            let line = match (warned, first_504) {
                (Some(warned), Some(first)) if *warned < first => format!(
                    "first 504 at {}, first alert at {}: {} min before it",
                    hour(first),
                    hour(*warned),
                    first.since(*warned)
                ),
                (Some(warned), Some(first)) => format!(
                    "first 504 at {}, first alert at {}: {} min after it",
                    hour(first),
                    hour(*warned),
                    warned.since(first)
                ),
                (Some(warned), None) => format!("no 504; first alert at {}", hour(*warned)),
                (None, Some(first)) => format!("first 504 at {}, no alert so far", hour(first)),
                (None, None) => "no 504, no alert".to_owned(),
            };
            text.push_str(&format!("  {name:<16} {line}\n"));
        }
        self.print(&text);
    }

    fn print(&mut self, text: &str) {
        // A closed pipe must not end the daemon.
        let _ = self.out.write_all(text.as_bytes());
        let _ = self.out.flush();
    }
}

fn table(minute: Minute, reports: &[Report]) -> String {
    let mut text = format!(
        "{}  {:<16} {:>8} {:>8} {:>9} {:>9} {:>8}  {}\n",
        hour(minute),
        "GATEWAY",
        "TIMEOUT",
        "P99",
        "HEADROOM",
        "NEAR/MIN",
        "504/MIN",
        "STATE"
    );
    for report in reports {
        let timeout = report.gateway.timeout.seconds;
        let p99 = report.shown.effective_p99(timeout);
        let p99 = p99.map_or_else(
            || "-".into(),
            |p| if p >= timeout { "timeout".into() } else { seconds(p) },
        );
        let headroom = report.headroom().map_or_else(|| "-".into(), |h| percent(h.max(0.0)));
        text.push_str(&format!(
            "       {:<16} {:>8} {p99:>8} {headroom:>9} {:>9} {:>8}  {}\n",
            report.gateway.id.name,
            seconds(timeout),
            count(report.reading.near_misses),
            count(report.reading.timeouts),
            state(report),
        ));
    }
    text
}

fn state(report: &Report) -> String {
    match report.open_episode() {
        None if report.reading.requests() > 0.0 => "ok".into(),
        None => "no traffic".into(),
        Some(episode) if episode.quiet_minutes > 0 => format!("{} (quiet)", episode.severity),
        Some(episode) => match episode.severity {
            Severity::Critical => "CRITICAL".into(),
            Severity::Warning => "WARNING".into(),
            Severity::Info => "info".into(),
        },
    }
}

fn hour(minute: Minute) -> String {
    minute.utc().format("%H:%M").to_string()
}

/// A message as a chat channel shows it.
fn chat(message: &str, minute: Minute, threads: &mut BTreeSet<String>) -> String {
    let by_protocol: Value = serde_json::from_str(message).unwrap_or_default();
    let chat: Value = by_protocol["https"]
        .as_str()
        .and_then(|t| serde_json::from_str(t).ok())
        .unwrap_or_default();
    let text = |value: &Value| readable(value.as_str().unwrap_or_default());
    let thread = text(&chat["metadata"]["threadId"]);
    let place = if threads.insert(thread) { "#alerts" } else { "#alerts, in the thread" };
    let mut lines = vec![
        format!("{place} - Amazon Q Developer  {}", hour(minute)),
        text(&chat["content"]["title"]),
    ];
    lines.extend(text(&chat["content"]["description"]).lines().map(str::to_owned));
    let steps = chat["content"]["nextSteps"].as_array().into_iter().flatten();
    lines.extend(steps.enumerate().map(|(i, step)| format!("  {}. {}", i + 1, text(step))));
    let wrapped: Vec<String> = lines.iter().flat_map(|line| wrapped(line)).collect();
    format!("\n  | {}\n\n", wrapped.join("\n  | "))
}

/// Emoji and escapes as a chat client shows them.
fn readable(text: &str) -> String {
    [
        (":warning:", "⚠"),
        (":rotating_light:", "🚨"),
        (":white_check_mark:", "✅"),
        (":information_source:", "ℹ"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// Lines of at most 96 characters, broken at spaces.
fn wrapped(line: &str) -> Vec<String> {
    let indent: String = line.chars().take_while(|c| *c == ' ').collect();
    let hang = if indent.is_empty() { String::new() } else { format!("{indent}   ") };
    let mut lines = vec![indent.clone()];
    for word in line.split_whitespace() {
        let last = lines.last().map_or(0, |l| l.chars().count());
        if last + word.chars().count() >= 96 {
            lines.push(hang.clone());
        }
        if let Some(last) = lines.last_mut() {
            if !last.trim().is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}
