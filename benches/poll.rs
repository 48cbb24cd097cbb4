//! What one poll costs at 100, 1,000 and 10,000 load balancers - time, memory, requests -
//! and what a scrape of the page costs beside it. Every load balancer is read in every poll
//! (`calm_every = "1m"`).
//!
//! `cargo bench --bench poll` prints two tables. The daemon is the real one; the
//! simulator answers from another process, so that its work is not counted. The
//! scrapers are a hundred clients that scrape at the same moment, again and
//! again, while polls go on; `cargo bench --bench page` has more of the page.

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
const POLLS: i64 = 5;

struct Sim(Child);

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How many clients scrape at the same moment.
const SCRAPERS: usize = 100;
/// How many times they scrape.
const ROUNDS: usize = 5;

fn main() {
    // Cargo passes flags such as --bench; this bench has none of its own.
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    println!(
        "| load balancers | poll, wall | poll, CPU | CPU per load balancer | of it save and hand over the page | requests | billed metrics | resident | per load balancer |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    let empty = resident();
    let mut scrapes = String::new();
    for load_balancers in [100u32, 1_000, 10_000] {
        scrapes += &runtime.block_on(measure(load_balancers, empty));
    }
    println!(
        "\n| load balancers | page | series | compressed | {SCRAPERS} scrapes at once: median | p99 | poll meanwhile, wall |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|\n{scrapes}");
}

async fn measure(load_balancers: u32, empty: f64) -> String {
    let (sim, endpoint) = simulator(load_balancers);
    let directory = tempfile::tempdir().expect("a directory");
    let mut daemon = daemon(&endpoint, directory.path()).await;
    // The first poll discovers; the second finds the simulator warm.
    for minute in 0..2 {
        daemon.poll(START + 60 * minute + 5, &mut |_| {}).await;
    }
    let before =
        [own(&daemon, "nearmiss_api_calls_total"), own(&daemon, "nearmiss_billed_metrics")];
    let (mut wall, mut cpu) = (Vec::new(), Vec::new());
    for minute in 2..2 + POLLS {
        let (watch, before) = (Stopwatch::start(), cpu_time());
        daemon.poll(START + 60 * minute + 5, &mut |_| {}).await;
        wall.push(watch.elapsed());
        cpu.push(cpu_time().saturating_sub(before));
    }
    let after = [own(&daemon, "nearmiss_api_calls_total"), own(&daemon, "nearmiss_billed_metrics")];
    let per_poll = |which: usize| (after[which] - before[which]) / POLLS as f64;
    let idle = {
        let before = cpu_time();
        daemon.poll(START + 60 * (1 + POLLS) + 6, &mut |_| {}).await; // nothing new to read
        cpu_time().saturating_sub(before)
    };
    let memory = resident();
    let median_wall = median(&mut wall);
    let median_cpu = median(&mut cpu);
    println!(
        "| {load_balancers} | {median_wall:.2?} | {median_cpu:.2?} | {:.0?} | {idle:.2?} | {:.0} | {:.0} | {memory:.0} MiB | {:.1} KiB |",
        median_cpu / load_balancers,
        per_poll(0),
        per_poll(1),
        (memory - empty) * 1024.0 / f64::from(load_balancers),
    );
    let page = daemon.page();
    let text = String::from_utf8_lossy(&page.metrics).into_owned();
    let watched = text.matches("nearmiss_gateway_up{").count();
    assert_eq!(watched, load_balancers as usize, "not all load balancers are watched");
    let (mut latencies, mut meanwhile) = scraped(&mut daemon).await;
    drop(sim);
    latencies.sort_unstable();
    format!(
        "| {load_balancers} | {:.1} MiB | {} | {:.2} MiB | {:.0?} | {:.0?} | {:.2?} |\n",
        page.metrics.len() as f64 / 1_048_576.0,
        text.lines().filter(|line| !line.starts_with('#')).count(),
        page.gzip.len() as f64 / 1_048_576.0,
        latencies[latencies.len() / 2],
        latencies[latencies.len() * 99 / 100],
        median(&mut meanwhile),
    )
}

async fn daemon(endpoint: &str, directory: &Path) -> Daemon {
    let base = aws::loader()
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("bench", "bench", None, None, "bench"))
        .endpoint_url(endpoint)
        .load()
        .await;
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[poll]\ncalm_every = \"1m\"\n\
         [quota]\nrequests_per_second = 1000\ndatapoints_per_second = 10000000\n\
         [discovery]\nrefresh = \"1d\"\n\
         [[gateway]]\nload_balancer = \"*\"\ntimeout = \"60s\"\n\
         [state]\npath = \"{}\"\n",
        directory.join("state.json").display()
    );
    let config = Config::parse(&text, Path::new("bench")).expect("a config");
    Daemon::start(config, &base).await.expect("a daemon")
}

/// Scrapes while polls go on: how long each scrape and each poll took.
async fn scraped(daemon: &mut Daemon) -> (Vec<Duration>, Vec<Duration>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let serving = http::serve(listener, daemon.served(), stop.clone());
    tokio::spawn(serving);
    let scrapers = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let mut latencies = Vec::new();
            for _ in 0..ROUNDS {
                latencies.extend(join_all((0..SCRAPERS).map(|_| scrape(address))).await);
            }
            latencies
        })
    });
    let mut polls = Vec::new();
    let mut minute = 2 + POLLS;
    while !scrapers.is_finished() || polls.is_empty() {
        let watch = Stopwatch::start();
        daemon.poll(START + 60 * minute + 5, &mut |_| {}).await;
        polls.push(watch.elapsed());
        minute += 1;
    }
    stop.cancel();
    (scrapers.join().expect("scrapes"), polls)
}

async fn scrape(address: SocketAddr) -> Duration {
    let watch = Stopwatch::start();
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n";
    stream.write_all(request.as_bytes()).await.expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "no page");
    watch.elapsed()
}

/// The sum of the series of one metric that the daemon counts about itself.
fn own(daemon: &Daemon, name: &str) -> f64 {
    let page = daemon.page();
    let text = String::from_utf8_lossy(&page.metrics);
    let values = text.lines().filter(|line| line.starts_with(name));
    values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

fn simulator(load_balancers: u32) -> (Sim, String) {
    let mut child =
        Command::new(std::env::var("SIMULATOR").unwrap_or(env!("CARGO_BIN_EXE_nearmiss").into()))
            .args([
                "sim",
                "--scenario",
                &std::env::var("SCENARIO").unwrap_or("fleet".into()),
                "--seed",
                "1",
                "--listen",
                "127.0.0.1:0",
            ])
            .args([
                "--start",
                "2026-01-05T09:00:00Z",
                "--load-balancers",
                &load_balancers.to_string(),
            ])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the simulator");
    let mut line = String::new();
    let out = child.stdout.take().expect("its output");
    BufReader::new(out).read_line(&mut line).expect("its first line");
    let endpoint = line.trim().trim_start_matches("listening on ").to_owned();
    (Sim(child), endpoint)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// CPU time of this process, user and system.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 =
        after.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10) // 100 ticks a second
}

/// Resident memory of this process, MiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
