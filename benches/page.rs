//! What the metrics page costs at 1,000, 10,000 and 100,000 gateways: what a poll hands
//! over, a page that somebody asks for, and a hundred clients that ask at the same moment.
//!
//! `cargo bench --bench page` prints two tables. The gateways are made up, each with a
//! report of all eight detectors and figures with six digits; nothing is polled. The
//! clients are on a thread of this process, so that their work is counted.

// A benchmark that cannot run may panic: only its user is affected.
#![allow(clippy::expect_used, clippy::cast_precision_loss)]

use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use nearmiss::edge::http::{self, Served};
use nearmiss::edge::time::Stopwatch;
use nearmiss::metrics::{Compressed, Format, Known, Options, Page, Samples};
use nearmiss_core::Report;
use nearmiss_core::detect::{Evaluation, Rule, Severity, State};
use nearmiss_core::gateway::polling::PollRate;
use nearmiss_core::gateway::{Detail, Gateway, Identity, Kind, Timeout};
use nearmiss_core::series::window::Reading;
use nearmiss_core::state::GatewayState;
use nearmiss_core::time::Minute;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const NOW: Minute = Minute(29_460_060);
/// How many clients scrape at the same moment.
const SCRAPERS: usize = 100;
/// What they accept, as a line of the header.
const GZIP: &str = "Accept-Encoding: gzip\r\n";
const PLAIN: &str = "";

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    println!(
        "| gateways | handed over: CPU | memory | made: wall | CPU | memory at the most | kept | page | compressed | unpacked: CPU |\n|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    );
    let fleets = [1_000, 10_000, 100_000].map(Fleet::of);
    for fleet in &fleets {
        println!("{}", runtime.block_on(one_page(fleet)));
    }
    println!(
        "\n| gateways | {SCRAPERS} scrapes at once, page not made: p99 | CPU | made: median | p99 | CPU | uncompressed: p99 | CPU |\n|---:|---:|---:|---:|---:|---:|---:|---:|"
    );
    for fleet in &fleets[..2] {
        println!("{}", runtime.block_on(scrapes(fleet)));
    }
}

/// What is handed over, and a page of it.
async fn one_page(fleet: &Fleet) -> String {
    let (memory, cpu) = (Memory::now(), Cpu::now());
    let samples = fleet.samples();
    let (handed_over, handed_over_memory) = (cpu.spent(), memory.grown());
    let page = Page::new(samples, Arc::default());
    let (memory, cpu, watch) = (Memory::now(), Cpu::now(), Stopwatch::start());
    let made = page.compressed(Format::Text).await.expect("a page");
    let (wall, made_cpu, peak, kept) =
        (watch.elapsed(), cpu.spent(), memory.peak(), memory.grown());
    let cpu = Cpu::now();
    unpack(&made);
    format!(
        "| {} | {handed_over:.0?} | {handed_over_memory:.1} MiB | {wall:.0?} | {made_cpu:.0?} | {peak:.1} MiB | {kept:.1} MiB | {:.1} MiB | {:.2} MiB | {:.0?} |",
        fleet.0.len(),
        made.length as f64 / 1_048_576.0,
        made.gzip.len() as f64 / 1_048_576.0,
        cpu.spent(),
    )
}

fn unpack(page: &Compressed) {
    let (mut part, mut length, mut unpacked) = (vec![0; 64 * 1024], 0, page.unpacked());
    loop {
        match unpacked.read(&mut part).expect("a page") {
            0 => break,
            more => length += more,
        }
    }
    assert_eq!(length, page.length);
}

/// Clients that all ask at once.
async fn scrapes(fleet: &Fleet) -> String {
    let page = Arc::new(Page::new(fleet.samples(), Arc::default()));
    let served = watch::channel(Arc::new(Served { page, ..Served::default() }));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    tokio::spawn(http::serve(listener, served.1, stop.clone()));
    let first = at_once(address, GZIP).await;
    let again = at_once(address, GZIP).await;
    let plain = at_once(address, PLAIN).await;
    stop.cancel();
    format!(
        "| {} | {:.0?} | {:.0?} | {:.0?} | {:.0?} | {:.0?} | {:.0?} | {:.0?} |",
        fleet.0.len(),
        share(&first.0, 99),
        first.1,
        share(&again.0, 50),
        share(&again.0, 99),
        again.1,
        share(&plain.0, 99),
        plain.1,
    )
}

/// How long each of them took, in order, and the CPU time of all, theirs included.
async fn at_once(address: SocketAddr, accepted: &'static str) -> (Vec<Duration>, Duration) {
    let cpu = Cpu::now();
    let clients = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let clients = (0..SCRAPERS).map(|_| scrape(address, accepted));
        runtime.expect("a runtime").block_on(join_all(clients))
    });
    let clients = tokio::task::spawn_blocking(|| clients.join().expect("scrapes"));
    let mut latencies = clients.await.expect("scrapes");
    latencies.sort_unstable();
    (latencies, cpu.spent())
}

async fn scrape(address: SocketAddr, accepted: &str) -> Duration {
    let watch = Stopwatch::start();
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{accepted}\r\n");
    stream.write_all(request.as_bytes()).await.expect("a request");
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.expect("an answer");
    assert!(start.starts_with(b"HTTP/1.1 200"), "no page");
    // Read and discarded: a hundred uncompressed pages are more than some machines can
    // hold.
    let mut part = vec![0; 256 * 1024];
    while stream.read(&mut part).await.expect("an answer") > 0 {}
    watch.elapsed()
}

fn share(latencies: &[Duration], percent: usize) -> Duration {
    latencies[latencies.len() * percent / 100 - 1]
}

/// Gateways, with what is known of each.
struct Fleet(Vec<(Arc<Gateway>, Report, GatewayState)>);

impl Fleet {
    fn of(gateways: usize) -> Self {
        let mut figures = Figures(12_345);
        let one = |number| {
            let gateway = gateway(number);
            let mut state = GatewayState::starting(NOW);
            state.newest_data = Some(NOW);
            state.totals.requests = number as u64 * 12_345;
            (Arc::clone(&gateway), report(gateway, &mut figures), state)
        };
        Self((0..gateways).map(one).collect())
    }

    fn samples(&self) -> Samples {
        let known = self.0.iter().map(|(gateway, report, state)| Known {
            gateway,
            report: Some(report),
            state: Some(state),
        });
        Samples::collect(known, Options { tag_labels: &[], dropped: &[] })
    }
}

/// Figures between 0 and 1, with six digits.
struct Figures(u64);

impl Figures {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % 1_000_000) as f64 / 1e6
    }
}

fn gateway(number: usize) -> Arc<Gateway> {
    let dimension = format!("app/load-balancer-{number:05}/50dc6c495c0c9188");
    Arc::new(Gateway {
        id: Identity::new(Kind::Alb, "eu-central-1", "111122223333", &dimension),
        timeout: Timeout { seconds: 60.0, at_aws: Some(60.0) },
        near: 0.8,
        detail: Detail::Figures,
        tags: [].into(),
    })
}

fn report(gateway: Arc<Gateway>, figures: &mut Figures) -> Report {
    let shown = Reading {
        minute: NOW,
        p50: Some(figures.next()),
        p99: Some(figures.next() * 10.0),
        maximum: Some(figures.next() * 60.0),
        samples: (figures.next() * 1e4).round(),
        near_misses: 0.0,
        timeouts: 0.0,
        connection_errors: None,
        tls_errors: None,
        request_count: None,
        healthy_hosts: None,
    };
    let evaluations = Rule::ALL.map(|rule| Evaluation {
        rule,
        state: State::Ok,
        severity: Severity::Info,
        value: Some(figures.next()),
        threshold: figures.next(),
        why: String::new(),
        forecast: None,
    });
    Report {
        gateway,
        reading: shown,
        provisional: false,
        shown,
        evaluations: evaluations.into(),
        records: Vec::new(),
        target_groups: Vec::new(),
        diagnosis: None,
        rate: PollRate::Slow,
        learning_until: None,
    }
}

/// The CPU time of this process, user and system, since then.
struct Cpu(Duration);

impl Cpu {
    fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
        let after = stat.rsplit(')').next().unwrap_or_default();
        let ticks = after.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Self(Duration::from_millis(ticks * 10)) // 100 ticks a second
    }

    fn spent(&self) -> Duration {
        Self::now().0.saturating_sub(self.0)
    }
}

/// The resident memory of this process since then, MiB.
struct Memory(f64);

impl Memory {
    fn now() -> Self {
        std::fs::write("/proc/self/clear_refs", "5").expect("Linux"); // the peak begins anew
        Self(Self::read("VmRSS:"))
    }

    fn grown(&self) -> f64 {
        Self::read("VmRSS:") - self.0
    }

    fn peak(&self) -> f64 {
        Self::read("VmHWM:") - self.0
    }

    fn read(which: &str) -> f64 {
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
        let line = status.lines().find(|line| line.starts_with(which)).unwrap_or_default();
        let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok());
        kib.unwrap_or(0.0) / 1024.0
    }
}
