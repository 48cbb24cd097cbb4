//! The command line: parse, dispatch, exit code.
//!
//! Exit codes: 0 it worked, 1 it did not, 2 the command line or the config is wrong.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use indicatif::{ProgressBar, ProgressStyle};
use nearmiss::analysis::chain::{Ink, Severity};
use nearmiss::analysis::diagnosis::Verdict;
use nearmiss::analysis::gateway::{Detail, Kind};
use nearmiss::analysis::signal::Minute;
use nearmiss::backtest::{Backtest, Period, Said};
use nearmiss::chain::ChainArgs;
use nearmiss::config::{Config, Poll, RoleArn};
use nearmiss::daemon::Daemon;
use nearmiss::demo::{Demo, DemoError};
use nearmiss::discovery::Account;
use nearmiss::edge::aws;
use nearmiss::edge::time::Clock;
use nearmiss::probe::{self, ProbeArgs};
use nearmiss::sim::{Faults, Setup, Sim};
use nearmiss::{chain, check, cost, diagnose, policy, sim};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

const EXAMPLES: &str = "\
Examples:
  nearmiss demo                                  see it work, without an account
  nearmiss iam-policy --config nearmiss.toml     the least policy that it needs
  nearmiss check --config nearmiss.toml          would it work?
  nearmiss cost --config nearmiss.toml           what CloudWatch will charge
  nearmiss run --config nearmiss.toml            the daemon

Exit codes: 0 it worked, 1 it did not, 2 the command line or the config is wrong.
AWS credentials and Region come from the standard chain (environment, profile,
role of the instance, task or pod). RUST_LOG=nearmiss=debug says more.";

/// Tells you that an AWS load balancer is about to answer 504, before it does.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// How log lines look (on standard error)
    #[arg(long, value_enum, default_value_t = LogFormat::Text, global = true)]
    log_format: LogFormat,
}

#[derive(Subcommand)]
enum Command {
    /// Watch: poll CloudWatch, export metrics, send alerts
    Run {
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Say whether `run` would work: the config, the identity, each API
    #[command(
        after_help = "Sends no notification. Asks CloudWatch for four metrics per account and Region ($0.00004)."
    )]
    Check {
        #[command(flatten)]
        config: ConfigFile,
        /// Only read the config; ask AWS for nothing
        #[arg(long)]
        offline: bool,
        /// How to print the result
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Print the least IAM policy that a config needs, as JSON
    IamPolicy {
        #[command(flatten)]
        config: ConfigFile,
        /// The policy of this role of the config instead of the daemon's own
        #[arg(long, value_name = "ARN")]
        role: Option<String>,
    },
    /// Predict what CloudWatch will charge
    #[command(
        after_help = "Example: nearmiss cost --config nearmiss.toml --gateways 250\nWithout --gateways it asks Elastic Load Balancing how many there are."
    )]
    Cost {
        #[command(flatten)]
        config: ConfigFile,
        /// For so many gateways; AWS is not asked then
        #[arg(long)]
        gateways: Option<u64>,
        /// Dollars per 1,000 metrics requested
        #[arg(long, default_value_t = 0.01)]
        price: f64,
        /// How to print the result
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Show the daemon at work against a simulated AWS; needs nothing
    #[command(
        after_help = "Example: nearmiss demo --scenario connection_failures --seed 3 --for 5m"
    )]
    Demo {
        /// What happens; `nearmiss sim --list` shows all
        #[arg(long, default_value = "slow_burn")]
        scenario: String,
        /// The same seed tells the same story
        #[arg(long, default_value_t = 7)]
        seed: u64,
        /// Simulated seconds per second
        #[arg(long, default_value_t = 60.0, value_parser = speed)]
        speed: f64,
        /// Where /metrics is served; port 0 takes a free one
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: String,
        /// End after this time
        #[arg(long = "for", value_name = "DURATION", default_value = "90s", value_parser = humantime::parse_duration)]
        lasts: Duration,
    },
    /// Serve a simulated AWS (CloudWatch, Elastic Load Balancing, SNS, STS) for any AWS client
    #[command(
        after_help = "Example: nearmiss sim --listen 127.0.0.1:4566 --start -10m\n         AWS_ENDPOINT_URL=http://127.0.0.1:4566 aws elbv2 describe-load-balancers"
    )]
    Sim {
        /// List the scenarios
        #[arg(long)]
        list: bool,
        /// What happens
        #[arg(long, default_value = "slow_burn")]
        scenario: String,
        /// The same seed answers the same
        #[arg(long, default_value_t = 7)]
        seed: u64,
        /// Where to serve; port 0 takes a free one
        #[arg(long, default_value = "127.0.0.1:4566")]
        listen: SocketAddr,
        /// When the scenario starts: a time (2026-01-05T09:00:00Z), or so long before now (-10m)
        #[arg(long, default_value = "-0s", allow_hyphen_values = true, value_parser = start)]
        start: Start,
        /// The Region of everything in it
        #[arg(long, default_value = "eu-central-1")]
        region: String,
        /// Its account
        #[arg(long, default_value = "111122223333")]
        account: String,
        /// How many load balancers, where the scenario lets one choose
        #[arg(long)]
        load_balancers: Option<usize>,
        /// What goes wrong, such as throttle=0.1,partial=0.05
        #[arg(long, default_value = "")]
        faults: String,
    },
    /// Say what nearmiss would have said over a past period
    #[command(
        after_help = "Example: nearmiss backtest --config nearmiss.toml --from -14d --to -0s\nWith --format json each line is one notification, and the last one the summary."
    )]
    Backtest {
        #[command(flatten)]
        config: ConfigFile,
        /// From when on: a time (2026-01-05T09:00:00Z), or so long before now (-14d)
        #[arg(long, allow_hyphen_values = true, value_parser = start)]
        from: Start,
        /// Until when, likewise
        #[arg(long, default_value = "-0s", allow_hyphen_values = true, value_parser = start)]
        to: Start,
        /// Dollars per 1,000 metrics requested
        #[arg(long, default_value_t = 0.01)]
        price: f64,
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Say why a gateway answers 504, 502 or 503, now or at a past moment, and what to do
    #[command(
        after_help = "Examples:\n  nearmiss diagnose --config nearmiss.toml web\n  nearmiss diagnose --config nearmiss.toml web --at 2026-01-05T09:30:00Z --format markdown\n\nAsks CloudWatch for some 25 metrics for the load balancer and each zone and target group (about $0.001).\nExit codes: 0 healthy, 1 a cause was found, 2 it could not be told."
    )]
    Diagnose {
        #[command(flatten)]
        config: ConfigFile,
        /// Its name, as in the alerts, or its CloudWatch dimension value
        gateway: String,
        /// The moment: a time (2026-01-05T09:00:00Z), or so long before now (-2h)
        #[arg(long, default_value = "-0s", allow_hyphen_values = true, value_parser = start)]
        at: Start,
        /// How to print the result
        #[arg(long, value_enum, default_value_t = Written::Text)]
        format: Written,
    },
    /// Draw the timeout chains of the config, and say where they break
    Chain {
        #[command(flatten)]
        config: ConfigFile,
        #[command(flatten)]
        chain: ChainArgs,
        /// How to print the result
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Ask a URL once, and say who answered, how long each phase took, and which timeout fits
    Probe(Box<ProbeArgs>),
    /// Print the completions of a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

#[derive(clap::Args)]
struct ConfigFile {
    /// The config file
    #[arg(long = "config", value_name = "FILE", env = "NEARMISS_CONFIG")]
    path: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// How a diagnosis is written.
#[derive(Clone, Copy, ValueEnum)]
enum Written {
    Text,
    Json,
    Markdown,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// When a scenario starts, seconds since the epoch or before now.
#[derive(Clone, Copy)]
enum Start {
    At(i64),
    BeforeNow(i64),
}

/// What a command has to say about itself at the end.
type Ending = Result<ExitCode, Failure>;

/// A wrong input, or something that did not work.
enum Failure {
    Usage(String),
    Failed(String),
}

impl Failure {
    fn usage(error: &dyn std::error::Error) -> Self {
        Self::Usage(causes(error))
    }

    fn failed(error: &dyn std::error::Error) -> Self {
        Self::Failed(causes(error))
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let quiet = matches!(cli.command, Command::Demo { .. });
    log(cli.log_format, if quiet { "error" } else { "info" });
    let ending = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let ending = runtime.block_on(dispatch(cli.command));
            // A lookup of a name cannot be called off; nobody waits for it.
            runtime.shutdown_background();
            ending
        }
        Err(error) => Err(Failure::failed(&error)),
    };
    match ending {
        Ok(code) => code,
        Err(Failure::Usage(text)) => {
            eprintln!("{text}");
            ExitCode::from(2)
        }
        Err(Failure::Failed(text)) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

async fn say_why(config: &Config, name: &str, at: Start, format: Written) -> Ending {
    let base = aws::loader().load().await;
    let end = Minute::containing(at.resolve());
    let asked = diagnose::find(config, &base, name, end, Clock::System).await;
    let diagnosis = asked.map_err(|error| Failure::usage(&error))?;
    let text = match format {
        Written::Text => diagnosis.text(),
        Written::Markdown => diagnosis.markdown(),
        Written::Json => serde_json::to_string_pretty(&diagnosis).unwrap_or_default(),
    };
    println!("{}", text.trim_end());
    Ok(ExitCode::from(match diagnosis.verdict {
        Verdict::Healthy => 0,
        Verdict::Findings => 1,
        Verdict::CouldNotTell => 2,
    }))
}

async fn draw_chains(config: &Config, args: &ChainArgs, format: Format) -> Ending {
    let sdk = if args.offline { None } else { Some(aws::loader().load().await) };
    let looked = chain::look(&config.chains, args, sdk.as_ref()).await;
    let looked = looked.map_err(|error| Failure::usage(&error))?;
    let ink = if std::io::stdout().is_terminal() { Ink::Ansi } else { Ink::Plain };
    let text = match format {
        Format::Text => looked.text(args.width, ink),
        Format::Json => serde_json::to_string_pretty(&looked).unwrap_or_default(),
    };
    println!("{text}");
    let is_wrong = looked.severity() >= Severity::Weak;
    Ok(if is_wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn probe_once(args: &ProbeArgs) -> Ending {
    let report = probe::run(args).await;
    let text = match args.format {
        probe::Format::Text => report.to_string(),
        probe::Format::Json => serde_json::to_string_pretty(&report).unwrap_or_default(),
    };
    // A closed pipe is no error.
    let _ = writeln!(std::io::stdout(), "{text}");
    Ok(ExitCode::from(report.verdict.exit_code()))
}

async fn dispatch(command: Command) -> Ending {
    match command {
        Command::Run { config } => run(load(&config.path)?).await,
        Command::Check { config, offline, format } => {
            check_config(&load(&config.path)?, offline, format).await
        }
        Command::Cost { config, gateways, price, format } => {
            predict_cost(&load(&config.path)?, gateways, price, format).await
        }
        Command::Backtest { config, from, to, price, format } => {
            backtest(&load(&config.path)?, (from, to), price, format).await
        }
        Command::IamPolicy { config, role } => print_policy(&load(&config.path)?, role),
        Command::Diagnose { config, gateway, at, format } => {
            say_why(&load(&config.path)?, &gateway, at, format).await
        }
        Command::Chain { config, chain, format } => {
            draw_chains(&load(&config.path)?, &chain, format).await
        }
        Command::Probe(args) => probe_once(&args).await,
        Command::Demo { scenario, seed, speed, listen, lasts } => {
            let demo = Demo { scenario, seed, speed, listen, lasts };
            Box::pin(demo.run(stop_on_signal()?)).await.map_err(|error| match error {
                DemoError::Setup(_) | DemoError::Config(_) => Failure::usage(&error),
                DemoError::Start(_) | DemoError::Prepare(_) => Failure::failed(&error),
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Sim { list: true, .. } => {
            let list: Vec<_> =
                sim::scenarios().iter().map(|s| format!("{:<22} {}", s.name, s.summary)).collect();
            print(&list.join("\n"));
            Ok(ExitCode::SUCCESS)
        }
        Command::Sim {
            scenario,
            seed,
            listen,
            start,
            region,
            account,
            load_balancers,
            faults,
            ..
        } => {
            let faults: Faults = faults.parse().map_err(|error| Failure::usage(&error))?;
            let start = start.resolve();
            let account = Setup { account, region, ..Setup::default() };
            let setup = Setup { scenario, seed, start, load_balancers, faults, ..account };
            simulate(setup, listen).await
        }
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "nearmiss", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn run(config: Config) -> Ending {
    let base = aws::loader().load().await;
    let stop = stop_on_signal()?;
    let daemon = Daemon::start(config, &base).await;
    let daemon = daemon.map_err(|error| Failure::failed(&error))?;
    daemon.run(Clock::System, stop, |_| {}).await.map_err(|error| Failure::failed(&error))?;
    Ok(ExitCode::SUCCESS)
}

async fn check_config(config: &Config, offline: bool, format: Format) -> Ending {
    let outcome = if offline {
        check::offline(config)
    } else {
        check::online(config, &aws::loader().load().await, Clock::System).await
    };
    match format {
        Format::Text => print(&outcome.to_string()),
        Format::Json => print(&serde_json::to_string_pretty(&outcome).unwrap_or_default()),
    }
    Ok(if outcome.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn predict_cost(
    config: &Config,
    gateways: Option<u64>,
    price: f64,
    format: Format,
) -> Ending {
    let gateways = match gateways {
        Some(gateways) => {
            let dearest = config.gateways.iter().map(|s| (s.kind, s.detail)).max();
            dearest.map(|which| (which, gateways)).into_iter().collect()
        }
        None => count_gateways(config).await?,
    };
    let prediction = cost::predict(&config.poll, &gateways, price);
    match format {
        Format::Text => print(&prediction.to_string()),
        Format::Json => print(&serde_json::to_string_pretty(&prediction).unwrap_or_default()),
    }
    Ok(ExitCode::SUCCESS)
}

async fn backtest(
    config: &Config,
    (from, to): (Start, Start),
    price: f64,
    format: Format,
) -> Ending {
    let clock = Clock::System;
    let period = Period::between(from.resolve(), to.resolve(), clock);
    let period = period.map_err(|error| Failure::usage(&error))?;
    if let Some(caution) = period.caution(clock) {
        eprintln!("{caution}");
    }
    let bar = ProgressBar::new(0); // silent unless standard error is a terminal
    bar.set_style(
        ProgressStyle::with_template("{bar:40} {percent:>3} % of {len} minutes, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let tell = |said: &Said| {
        let line = match format {
            Format::Text => text_of(said),
            Format::Json => serde_json::to_string(said).unwrap_or_default(),
        };
        bar.suspend(|| print(&line));
    };
    let progress = |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    };
    let base = aws::loader().load().await;
    let backtest = Backtest { config, period, price_per_1000: price };
    let (summary, troubles) = backtest.run(&base, clock, tell, progress).await;
    bar.finish_and_clear();
    for trouble in &troubles {
        eprintln!("{trouble}");
    }
    print(&match format {
        Format::Text => format!(
            "{} gateways, {} minutes ({} with requests), {} episodes; {} metrics billed, ${:.2}",
            summary.gateways,
            summary.minutes,
            summary.minutes_with_requests,
            summary.episodes,
            summary.billed_metrics,
            summary.dollars
        ),
        Format::Json => serde_json::json!({ "summary": summary }).to_string(),
    });
    if summary.minutes_with_requests == 0 {
        eprintln!("insufficient data: CloudWatch has no minute with requests in that time");
    }
    Ok(if troubles.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text_of(said: &Said) -> String {
    let Said { at, gateway, rule, severity, reason, text, .. } = said;
    format!("{at}  {:<9} {severity:<8} {gateway}  {rule}: {text}", reason.name())
}

/// How many gateways the config selects at present, by how they are read.
async fn count_gateways(config: &Config) -> Result<BTreeMap<(Kind, Detail), u64>, Failure> {
    let base = aws::loader().load().await;
    let mut gateways = BTreeMap::new();
    for mut account in Account::of_config(config, &base).await {
        let Poll { deadline, .. } = config.poll;
        account.refresh(Clock::System.now(), deadline, deadline).await;
        if let Some(trouble) = account.troubles.first() {
            return Err(Failure::Failed(trouble.to_string()));
        }
        for gateway in &account.gateways {
            *gateways.entry((gateway.kind, gateway.detail)).or_default() += 1;
        }
    }
    Ok(gateways)
}

fn print_policy(config: &Config, role: Option<String>) -> Ending {
    let role = role.map(RoleArn::try_from).transpose().map_err(Failure::Usage)?;
    if let Some(role) = role.as_ref().filter(|role| !policy::roles(config).contains(role)) {
        return Err(Failure::Usage(format!("the config does not name the role {}", role.as_str())));
    }
    let policy = policy::policy(config, role.as_ref());
    print(&serde_json::to_string_pretty(&policy).unwrap_or_default());
    Ok(ExitCode::SUCCESS)
}

async fn simulate(setup: Setup, listen: SocketAddr) -> Ending {
    let start = setup.start;
    let sim = Sim::new(setup).map_err(|error| Failure::usage(&error))?;
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .map_err(|error| Failure::Failed(format!("cannot listen on {listen}: {error}")))?;
    let address = listener.local_addr().map_err(|error| Failure::failed(&error))?;
    print(&format!("listening on http://{address}"));
    for name in sim.load_balancers().iter().take(20) {
        let first =
            sim.first_504(name).map_or_else(|| "none".to_owned(), |m| minutes_after(m, start));
        print(&format!("{name:<24} first 504: {first}"));
    }
    sim.serve(listener, stop_on_signal()?).await;
    Ok(ExitCode::SUCCESS)
}

fn minutes_after(minute: i64, start: i64) -> String {
    let at = nearmiss::analysis::signal::Minute(minute);
    format!("{at}, minute {} of the scenario", minute - start / 60)
}

fn load(path: &Path) -> Result<Config, Failure> {
    Config::load(path).map_err(|error| Failure::usage(&error))
}

/// Fires on SIGTERM and SIGINT; a second one ends the process at once.
fn stop_on_signal() -> Result<CancellationToken, Failure> {
    let stop = CancellationToken::new();
    let fire = stop.clone();
    let mut term = signal(SignalKind::terminate()).map_err(|error| Failure::failed(&error))?;
    let mut int = signal(SignalKind::interrupt()).map_err(|error| Failure::failed(&error))?;
    tokio::spawn(async move {
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        fire.cancel();
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        std::process::exit(130);
    });
    Ok(stop)
}

fn log(format: LogFormat, level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        EnvFilter::new(format!("warn,nearmiss={level},aws_config=error,tokio_cron_scheduler=off"))
    });
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    match format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

/// Prints a line; a closed pipe is no error.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// An error and its causes, one line each.
fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}\n  because: {cause}"))
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (1.0..=600.0).contains(&speed) => Ok(speed),
        _ => Err("expected a number between 1 and 600".into()),
    }
}

impl Start {
    fn resolve(self) -> i64 {
        let seconds = match self {
            Self::At(seconds) => seconds,
            Self::BeforeNow(seconds) => Clock::System.now() - seconds,
        };
        seconds - seconds.rem_euclid(60)
    }
}

fn start(text: &str) -> Result<Start, String> {
    if let Some(before) = text.strip_prefix('-') {
        let before = humantime::parse_duration(before).map_err(|error| error.to_string())?;
        return Ok(Start::BeforeNow(i64::try_from(before.as_secs()).unwrap_or(i64::MAX)));
    }
    let time = chrono::DateTime::parse_from_rfc3339(text);
    time.map(|time| Start::At(time.timestamp())).map_err(|_| {
        "expected a time such as 2026-01-05T09:00:00Z, or -10m for ten minutes before now"
            .to_owned()
    })
}
