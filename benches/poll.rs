//! What one poll costs at 1,000 and 10,000 load balancers: time, and memory.
//! Every load balancer is read in every poll, as if something stirred in each.
//!
//! `cargo bench --bench poll` prints a table. The daemon is the real one; the
//! simulator answers from another process, so that its work is not counted.

// A benchmark that cannot run has nobody to tell but its reader.
#![allow(clippy::expect_used, clippy::cast_precision_loss)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use aws_config::Region;
use aws_credential_types::Credentials;
use nearmiss::config::Config;
use nearmiss::daemon::Daemon;
use nearmiss::edge::aws;
use nearmiss::edge::time::Stopwatch;

const START: i64 = 1_767_603_600;
const POLLS: i64 = 5;

struct Sim(Child);

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() {
    // Cargo passes flags such as --bench; this bench has none of its own.
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    println!(
        "| load balancers | poll, wall | poll, CPU | CPU per load balancer (decode, assess, render) | page | resident | per load balancer |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|");
    let empty = resident();
    for load_balancers in [1_000u32, 10_000] {
        runtime.block_on(measure(load_balancers, empty));
    }
}

async fn measure(load_balancers: u32, empty: f64) {
    let (sim, endpoint) = simulator(load_balancers);
    let directory = tempfile::tempdir().expect("a directory");
    let base = aws::loader()
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("bench", "bench", None, None, "bench"))
        .endpoint_url(endpoint)
        .load()
        .await;
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[poll]\ncalm_every = \"1m\"\n\
         [quota]\nrequests_per_second = 1000\ndatapoints_per_second = 10000000\n\
         [discovery]\nrefresh = \"1d\"\n[[gateway]]\nload_balancer = \"*\"\n\
         [state]\npath = \"{}\"\n",
        directory.path().join("state.json").display()
    );
    let config = Config::parse(&text, Path::new("bench")).expect("a config");
    let mut daemon = Daemon::start(config, &base).await.expect("a daemon");
    // The first poll discovers; the second finds the simulator warm.
    for minute in 0..2 {
        daemon.poll(START + 60 * minute + 5, &mut |_| {}).await;
    }
    let (mut wall, mut cpu) = (Vec::new(), Vec::new());
    for minute in 2..2 + POLLS {
        let (watch, before) = (Stopwatch::start(), cpu_time());
        daemon.poll(START + 60 * minute + 5, &mut |_| {}).await;
        wall.push(watch.elapsed());
        cpu.push(cpu_time().saturating_sub(before));
    }
    let page = daemon.page().metrics.len();
    let watched =
        String::from_utf8_lossy(&daemon.page().metrics).matches("nearmiss_gateway_up{").count();
    assert_eq!(watched, load_balancers as usize, "not all load balancers are watched");
    let memory = resident();
    println!(
        "| {load_balancers} | {:.2?} | {:.2?} | {:.0?} | {:.1} MiB | {memory:.0} MiB | {:.1} KiB |",
        median(&mut wall),
        median(&mut cpu),
        median(&mut cpu) / load_balancers,
        page as f64 / 1_048_576.0,
        (memory - empty) * 1024.0 / f64::from(load_balancers),
    );
    drop(sim);
}

fn simulator(load_balancers: u32) -> (Sim, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_nearmiss"))
        .args(["sim", "--scenario", "fleet", "--seed", "1", "--listen", "127.0.0.1:0"])
        .args(["--start", "2026-01-05T09:00:00Z", "--load-balancers", &load_balancers.to_string()])
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
