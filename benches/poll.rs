//! What a poll costs: time, memory and requests, at 1,000 to 100,000 load balancers, when all
//! of them are polled fast, when all are calm, and when a hundred clients scrape.
//!
//! `cargo bench --bench poll` prints the tables of docs/performance.md; names of rows select
//! some of them (`-- fast-1000 calm-10000`). Each row is measured in a process of its own, so
//! that its peak is its own; the daemon is the real one, and the simulator answers from
//! another process, so that its work is not counted. Minutes pass as fast as they are polled.

// A benchmark that cannot run may panic: only its user is affected.
#![allow(clippy::expect_used, clippy::cast_precision_loss)]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use aws_config::Region;
use aws_credential_types::Credentials;
use futures::future::join_all;
use nearmiss::config::Config;
use nearmiss::daemon::Daemon;
use nearmiss::edge::time::Stopwatch;
use nearmiss::edge::{aws, http};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const START: i64 = 1_767_603_600;
/// Minutes that are measured: each gateway is read far back once in twenty.
const MINUTES: u32 = 20;
/// Minutes before that, in which everything becomes known.
const LEARNING: i64 = 65;
/// How many clients scrape at the same moment, and how many times.
const SCRAPERS: usize = 100;
const ROUNDS: usize = 5;

/// What is measured.
#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    scenario: &'static str,
    load_balancers: u32,
}

const ROWS: [Row; 6] = [
    Row { name: "fast-1000", scenario: "fleet_in_trouble", load_balancers: 1_000 },
    Row { name: "fast-10000", scenario: "fleet_in_trouble", load_balancers: 10_000 },
    Row { name: "calm-1000", scenario: "healthy", load_balancers: 1_000 },
    Row { name: "calm-10000", scenario: "healthy", load_balancers: 10_000 },
    Row { name: "calm-100000", scenario: "healthy", load_balancers: 100_000 },
    Row { name: "scraped-10000", scenario: "fleet_in_trouble", load_balancers: 10_000 },
];

fn main() {
    // Cargo passes flags such as --bench.
    let named: Vec<String> = std::env::args().skip(1).filter(|one| !one.starts_with('-')).collect();
    let find = |name: &String| ROWS.into_iter().find(|row| row.name == name);
    if let [only] = &named[..] {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let row = find(only).expect("the name of a row");
        return println!("{}", runtime.block_on(row.measure()));
    }
    println!(
        "| row | until all is known | CPU a poll | wall, longest | requests | billed metrics | peak until all is known | peak | resident |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
    for row in ROWS.iter().filter(|row| named.is_empty() || named.iter().any(|n| n == row.name)) {
        let this = std::env::current_exe().expect("this program");
        let done = Command::new(this).arg(row.name).output().expect("a process of its own");
        print!("{}", String::from_utf8_lossy(&done.stdout));
        eprint!("{}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Row {
    async fn measure(self) -> String {
        let (sim, endpoint) = simulator(self);
        let directory = tempfile::tempdir().expect("a directory");
        let mut daemon = daemon(&endpoint, directory.path()).await;
        let stop = CancellationToken::new();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(http::serve(listener, daemon.served(), stop.clone()));
        let start = Stopwatch::start();
        for minute in 0..LEARNING {
            daemon.poll(START + 60 * minute + 5, &mut |_| {}).await;
        }
        let (mut minute, learned) = (LEARNING, (start.elapsed(), highest()));
        if self.name.starts_with("scraped") {
            return scraped(&mut daemon, address, minute).await;
        }
        let before = [own(address, CALLS).await, own(address, BILLED).await];
        let (used, mut walls) = (cpu_time(), Vec::new());
        for _ in 0..MINUTES {
            let watch = Stopwatch::start();
            minute += 1;
            daemon.poll(START + 60 * minute + 5, &mut |_| {}).await;
            walls.push(watch.elapsed());
            scrape(address).await;
        }
        let used = cpu_time().saturating_sub(used);
        let resident = memory("VmRSS:");
        let after = [own(address, CALLS).await, own(address, BILLED).await];
        let per_poll = |which: usize| (after[which] - before[which]) / f64::from(MINUTES);
        drop(sim);
        stop.cancel();
        format!(
            "| {} | {:.0?} | {:.3?} | {:.2?} | {:.0} | {:.0} | {:.0} MiB | {:.0} MiB | {resident:.0} MiB |",
            self.name,
            learned.0,
            used / MINUTES,
            walls.iter().max().copied().unwrap_or_default(),
            per_poll(0),
            per_poll(1),
            learned.1,
            highest(),
        )
    }
}

const CALLS: &str = "nearmiss_api_calls_total";
const BILLED: &str = "nearmiss_billed_metrics";

async fn daemon(endpoint: &str, directory: &Path) -> Daemon {
    let base = aws::loader()
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("bench", "bench", None, None, "bench"))
        .endpoint_url(endpoint)
        .load()
        .await;
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n\
         [quota]\nrequests_per_second = 1000\ndatapoints_per_second = 10000000\n\
         describe_calls_per_second = 10000\n\
         [discovery]\nrefresh = \"1d\"\n\
         [[gateway]]\nload_balancer = \"*\"\ntimeout = \"60s\"\n\
         [state]\npath = \"{}\"\n",
        directory.join("state.json").display()
    );
    let config = Config::parse(&text, Path::new("bench")).expect("a config");
    Daemon::start(config, &base).await.expect("a daemon")
}

/// A hundred clients scrape at the same moment, again and again, while polls go on.
async fn scraped(daemon: &mut Daemon, address: SocketAddr, from: i64) -> String {
    let scrapers = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let mut latencies = Vec::new();
            for _ in 0..ROUNDS {
                latencies.extend(join_all((0..SCRAPERS).map(|_| timed(address))).await);
            }
            latencies
        })
    });
    let (mut polls, mut minute) = (Vec::new(), from);
    while !scrapers.is_finished() || polls.is_empty() {
        let watch = Stopwatch::start();
        minute += 1;
        daemon.poll(START + 60 * minute + 5, &mut |_| {}).await;
        polls.push(watch.elapsed());
    }
    let mut latencies = scrapers.join().expect("scrapes");
    latencies.sort_unstable();
    polls.sort_unstable();
    format!(
        "{SCRAPERS} scrapes at once: median {:.0?}, p99 {:.0?}; polls meanwhile {:.2?}",
        latencies[latencies.len() / 2],
        latencies[latencies.len() * 99 / 100],
        polls[polls.len() / 2]
    )
}

async fn timed(address: SocketAddr) -> Duration {
    let watch = Stopwatch::start();
    scrape(address).await;
    watch.elapsed()
}

/// The page, compressed as Prometheus asks for it.
async fn scrape(address: SocketAddr) -> Vec<u8> {
    get(address, "Accept-Encoding: gzip\r\n").await
}

async fn get(address: SocketAddr, headers: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request =
        format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "no page");
    answer
}

/// The sum of the series of one metric that the daemon counts about itself, as a client that
/// keeps nothing of the page sees it.
async fn own(address: SocketAddr, name: &str) -> f64 {
    let stream = TcpStream::connect(address).await.expect("a connection");
    let (read, mut write) = stream.into_split();
    // Without chunks: lines stay whole.
    let request = "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n";
    write.write_all(request.as_bytes()).await.expect("a request");
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(read));
    let mut sum = 0.0;
    while let Some(line) = lines.next_line().await.expect("a line") {
        if line.starts_with(name) {
            sum += line.rsplit(' ').next().and_then(|value| value.parse().ok()).unwrap_or(0.0);
        }
    }
    sum
}

struct Sim(Child);

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn simulator(row: Row) -> (Sim, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_nearmiss"))
        .args(["sim", "--scenario", row.scenario, "--seed", "1", "--listen", "127.0.0.1:0"])
        .args(["--start", "2026-01-05T09:00:00Z"])
        .args(["--load-balancers", &row.load_balancers.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the simulator");
    let mut line = String::new();
    let out = child.stdout.take().expect("its output");
    BufReader::new(out).read_line(&mut line).expect("its first line");
    let endpoint = line.trim().trim_start_matches("listening on ").to_owned();
    (Sim(child), endpoint)
}

/// CPU time of this process, user and system.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 =
        after.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10) // 100 ticks a second
}

/// The most memory that was ever resident, MiB.
fn highest() -> f64 {
    memory("VmHWM:")
}

fn memory(what: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with(what)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
