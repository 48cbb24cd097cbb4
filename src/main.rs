//! Dispatch and exit code.
//!
//! Exit codes: 0 it worked, 1 it did not, 2 the command line or the config is wrong;
//! README.md has what they mean for `diagnose`, `chain` and `probe`.

mod cli;
mod output;

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write as _};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};

use aws_config::SdkConfig;
use clap::{CommandFactory, Parser};
use cli::{Cli, Command, Format, LogFormat, SilenceCommand, Start, Written};
use indicatif::{ProgressBar, ProgressStyle};
use nearmiss::backtest::{Backtest, Period, Said};
use nearmiss::chain::ChainArgs;
use nearmiss::check::Extent;
use nearmiss::config::{Config, Poll, RoleArn};
use nearmiss::daemon::{Daemon, Signals};
use nearmiss::demo::{Demo, DemoError};
use nearmiss::discovery::Account;
use nearmiss::edge::time::Clock;
use nearmiss::edge::{aws, log};
use nearmiss::probe::{self, ProbeArgs};
use nearmiss::report::report;
use nearmiss::silence::{self, Done, SilenceError};
use nearmiss::{chain, check, cost, diagnose, policy};
use nearmiss_core::chain::Ink;
use nearmiss_core::diagnose::Verdict;
use nearmiss_core::gateway::{Detail, Kind};
use nearmiss_core::time::Minute;
use nearmiss_sim::{Faults, Setup, Sim};
use output::{print, print_coloured, print_json, print_json_text, remark};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

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
    if let Some(error) = start_without_empty_variables() {
        eprintln!("{error}");
        return ExitCode::from(2);
    }
    let cli = Cli::parse();
    let quiet = matches!(cli.command, Command::Demo { .. });
    let format = match cli.log_format {
        LogFormat::Text => log::Format::Text,
        LogFormat::Json => log::Format::Json,
    };
    let _written_at_the_end = log::start(format, if quiet { "error" } else { "info" });
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
            remark(&text);
            ExitCode::from(2)
        }
        Err(Failure::Failed(text)) => {
            remark(&text);
            ExitCode::FAILURE
        }
    }
}

/// Starts the program anew without variables of AWS that are set but empty, if there are
/// any: the SDK takes them for values, reads them where it likes, and no safe way leads
/// to take one out of the environment of a program that runs.
fn start_without_empty_variables() -> Option<String> {
    let empty = aws::empty_variables(std::env::vars_os());
    let first = empty.first()?.to_string_lossy().into_owned();
    let mut args = std::env::args_os();
    let mut anew = process::Command::new("/proc/self/exe");
    if let Some(name) = args.next() {
        anew.arg0(name);
    }
    for name in &empty {
        anew.env_remove(name);
    }
    let error = anew.args(args).exec(); // comes back only if it fails
    Some(format!("{first} is set but empty, and cannot be left out here: unset it ({error})"))
}

async fn say_why(config: &Config, name: &str, at: Start, format: Written) -> Ending {
    let base = ask_aws(config).await?;
    let end = Minute::containing(at.resolve());
    let asked = diagnose::find(config, &base, name, end, Clock::System).await;
    let diagnosis = asked.map_err(|error| Failure::usage(&error))?;
    match format {
        Written::Text => print(diagnosis.text().trim_end()),
        Written::Markdown => print(diagnosis.markdown().trim_end()),
        Written::Json => print_json(&diagnosis),
    }
    Ok(ExitCode::from(match diagnosis.verdict {
        Verdict::Healthy => 0,
        Verdict::Findings => 1,
        Verdict::CouldNotTell => 2,
    }))
}

/// Draws chains; what cannot be drawn has an exit code of its own.
async fn draw_chains(config: Option<&Path>, args: &ChainArgs, format: Format) -> Ending {
    match draw_chains_of(config, args, format).await {
        Err(Failure::Failed(text)) => {
            remark(&text);
            Ok(ExitCode::from(chain::COULD_NOT_TELL))
        }
        ending => ending,
    }
}

async fn draw_chains_of(config: Option<&Path>, args: &ChainArgs, format: Format) -> Ending {
    let Some(config) = config.filter(|_| !args.list_products) else {
        match format {
            Format::Text => print(&chain::products()),
            Format::Json => print_json_text(&chain::products_json()),
        }
        return Ok(ExitCode::SUCCESS);
    };
    let config = load(config)?;
    let sdk = if args.offline { None } else { Some(ask_aws(&config).await?) };
    let looked = chain::look(&config.chains, args, sdk.as_ref()).await;
    let wrong = |error: chain::ChainError| {
        if error.is_usage() { Failure::usage(&error) } else { Failure::failed(&error) }
    };
    let looked = looked.map_err(wrong)?;
    let ink = if std::io::stdout().is_terminal() { Ink::Ansi } else { Ink::Plain };
    match format {
        Format::Text => print_coloured(&looked.text(args.width, ink)),
        Format::Json => print_json_text(&looked.json()),
    }
    Ok(ExitCode::from(looked.exit_code()))
}

async fn probe_once(args: &ProbeArgs) -> Ending {
    let report = probe::run(args).await;
    match args.format {
        probe::Format::Text => print(&report.to_string()),
        probe::Format::Json => print_json(&report),
    }
    Ok(ExitCode::from(report.verdict.exit_code()))
}

async fn silences(command: SilenceCommand) -> Ending {
    match command {
        SilenceCommand::Add { config, silence, format } => {
            heard(silence::add(&load(&config.path)?, silence).await, format)
        }
        SilenceCommand::List { config, format } => {
            heard(silence::list(&load(&config.path)?).await, format)
        }
        SilenceCommand::Expire { id, config, format } => {
            heard(silence::expire(&load(&config.path)?, id).await, format)
        }
    }
}

fn heard(done: Result<Done, SilenceError>, format: Format) -> Ending {
    let done = done.map_err(|error| Failure::failed(&error))?;
    match format {
        Format::Text => print(&done.to_string()),
        Format::Json => print_json(&done),
    }
    Ok(ExitCode::SUCCESS)
}

async fn dispatch(command: Command) -> Ending {
    match command {
        Command::Run { config } => run(config.path).await,
        Command::Check { config, offline, send_test, format } => {
            let extent = match (offline, send_test) {
                (true, _) => Extent::Offline,
                (false, true) => Extent::SendTest,
                (false, false) => Extent::Online,
            };
            check_config(&load(&config.path)?, extent, format).await
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
            draw_chains(config.as_deref(), &chain, format).await
        }
        Command::Probe(args) => probe_once(&args).await,
        Command::Silence(command) => silences(command).await,
        Command::Acknowledge { config, gateway, format } => {
            heard(silence::acknowledge(&load(&config.path)?, &gateway).await, format)
        }
        Command::Report { config, days, format } => {
            print_report(&load(&config.path)?, days, format).await
        }
        Command::Demo { scenario, seed, speed, listen, lasts } => {
            let listen = listen.to_string();
            let demo = Demo { scenario, seed, speed, listen, lasts };
            Box::pin(demo.run(stop_on_signal()?)).await.map_err(|error| match error {
                DemoError::Setup(_) | DemoError::Config(_) => Failure::usage(&error),
                DemoError::Start(_) | DemoError::Prepare(_) => Failure::failed(&error),
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Sim { list: true, format, .. } => {
            list_scenarios(format);
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
            // It would panic where nobody reads.
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "nearmiss", &mut text);
            let _ = std::io::stdout().write_all(&text);
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn list_scenarios(format: Format) {
    let all = nearmiss_sim::scenarios();
    match format {
        Format::Text => {
            let line = |s: &nearmiss_sim::Scenario| format!("{:<22} {}", s.name, s.summary);
            print(&all.iter().map(line).collect::<Vec<_>>().join("\n"));
        }
        Format::Json => {
            let one = |s: &nearmiss_sim::Scenario| serde_json::json!({ "name": s.name, "summary": s.summary });
            print_json(&all.iter().map(one).collect::<Vec<_>>());
        }
    }
}

async fn run(path: PathBuf) -> Ending {
    let config = load(&path)?;
    let asked = aws::base(&config.aws, config.poll.deadline.get()).await;
    let (base, identity) = asked.map_err(|error| Failure::usage(&error))?;
    let signals = Signals { stop: stop_on_signal()?, reload: reload_on_signal()? };
    let daemon = Daemon::start(config, &base).await;
    let daemon =
        daemon.map_err(|error| Failure::failed(&error))?.reading_from(path).known_as(identity);
    daemon.run(Clock::System, signals, |_| {}).await.map_err(|error| Failure::failed(&error))?;
    Ok(ExitCode::SUCCESS)
}

async fn check_config(config: &Config, extent: Extent, format: Format) -> Ending {
    let outcome = match extent {
        Extent::Offline => check::offline(config),
        Extent::Online | Extent::SendTest => {
            check::online(config, &ask_aws(config).await?, Clock::System, extent).await
        }
    };
    match format {
        Format::Text => print(&outcome.to_string()),
        Format::Json => print_json(&outcome),
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
        Format::Json => print_json(&prediction),
    }
    Ok(ExitCode::SUCCESS)
}

async fn print_report(config: &Config, days: u32, format: Written) -> Ending {
    let made = report(config, days, Clock::System).await;
    let made = made.map_err(|error| Failure::failed(&error))?;
    made.remarks.iter().for_each(|text| remark(text));
    match format {
        Written::Text => print(made.report.text.trim_end()),
        Written::Markdown => print(made.report.markdown.trim_end()),
        Written::Json => print_json(&made.report.json),
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
        remark(&caution);
    }
    let bar = ProgressBar::new(0); // silent unless standard error is a terminal
    bar.set_style(
        ProgressStyle::with_template("{bar:40} {percent:>3} % of {len} minutes, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let tell = |said: &Said| {
        bar.suspend(|| match format {
            Format::Text => print(&text_of(said)),
            Format::Json => print_json_text(&serde_json::to_string(said).unwrap_or_default()),
        });
    };
    let progress = |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    };
    let base = ask_aws(config).await?;
    let backtest = Backtest { config, period, price_per_1000: price };
    let (summary, troubles) = backtest.run(&base, clock, tell, progress).await;
    bar.finish_and_clear();
    for trouble in &troubles {
        remark(trouble);
    }
    match format {
        Format::Text => print(&format!(
            "{} gateways, {} minutes ({} with requests), {} episodes; {} metrics billed, ${:.2}",
            summary.gateways,
            summary.minutes,
            summary.minutes_with_requests,
            summary.episodes,
            summary.billed_metrics,
            summary.dollars
        )),
        Format::Json => print_json_text(&serde_json::json!({ "summary": summary }).to_string()),
    }
    if summary.minutes_with_requests == 0 {
        remark("insufficient data: CloudWatch has no minute with requests in that time");
    }
    Ok(if troubles.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text_of(said: &Said) -> String {
    let Said { at, gateway, rule, severity, reason, text, .. } = said;
    format!("{at}  {:<9} {severity:<8} {gateway}  {rule}: {text}", reason.name())
}

/// How many gateways the config selects at present, by how they are read.
async fn count_gateways(config: &Config) -> Result<BTreeMap<(Kind, Detail), u64>, Failure> {
    let base = ask_aws(config).await?;
    let mut gateways = BTreeMap::new();
    for mut account in Account::of_config(config, &base).await {
        let Poll { deadline, .. } = config.poll;
        account.refresh(Clock::System.now(), deadline, deadline).await;
        let said: Vec<String> = account.troubles.iter().map(ToString::to_string).collect();
        let is_lost = !account.is_known() || account.gateways.is_empty();
        if is_lost && !said.is_empty() {
            return Err(Failure::Failed(said.join("\n")));
        }
        for text in &said {
            remark(text);
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
    print_json(&policy);
    Ok(ExitCode::SUCCESS)
}

async fn simulate(setup: Setup, listen: SocketAddr) -> Ending {
    let stop = stop_on_signal()?;
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
    sim.serve(listener, stop).await;
    Ok(ExitCode::SUCCESS)
}

fn minutes_after(minute: i64, start: i64) -> String {
    let at = nearmiss_core::time::Minute(minute);
    format!("{at}, minute {} of the scenario", minute - start / 60)
}

/// Where AWS is, and who asks it.
async fn ask_aws(config: &Config) -> Result<SdkConfig, Failure> {
    let asked = aws::base(&config.aws, config.poll.deadline.get()).await;
    asked.map(|(base, _)| base).map_err(|error| Failure::usage(&error))
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
        process::exit(130);
    });
    Ok(stop)
}

/// Speaks at each SIGHUP.
fn reload_on_signal() -> Result<mpsc::Receiver<()>, Failure> {
    let mut hup = signal(SignalKind::hangup()).map_err(|error| Failure::failed(&error))?;
    let (send, reload) = mpsc::channel(1);
    tokio::spawn(async move { while hup.recv().await.is_some() && send.send(()).await.is_ok() {} });
    Ok(reload)
}

/// An error and its causes, one line each.
fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}\n  because: {cause}"))
}
