//! The command line: one file for each command, with its arguments and what it does.
//!
//! A new command is a new file, a line of [`Command`] and one of its `run`.

mod acknowledge;
mod args;
mod backtest;
mod chain;
mod check;
mod completions;
mod cost;
mod demo;
mod diagnose;
mod iam_policy;
mod probe;
mod report;
mod run;
mod signals;
mod silence;
mod sim;
mod state;

use std::path::Path;
use std::process::ExitCode;

use aws_config::SdkConfig;
use clap::{Parser, Subcommand, ValueEnum};

use nearmiss::config::Config;
use nearmiss::edge::aws;
pub use nearmiss::exit::{COULD_NOT_TELL, FINDING, USAGE};
use nearmiss::probe::ProbeArgs;

const EXAMPLES: &str = "\
Examples:
  nearmiss demo                                  see it work, without an account
  nearmiss iam-policy --config nearmiss.toml     the least policy that it needs
  nearmiss check --config nearmiss.toml          would it work?
  nearmiss cost --config nearmiss.toml           what CloudWatch will charge
  nearmiss report --config nearmiss.toml         how much headroom there is
  nearmiss run --config nearmiss.toml            the daemon

Exit codes: 0 it worked, or nothing is wrong; 1 it did not, or something was found;
2 the command line or the config is wrong; 3 it could not be told.
AWS credentials and Region come from the standard chain (environment, profile, role of
the instance, task or pod). RUST_LOG=nearmiss=debug says more.";

/// The result of a command.
pub type Ending = Result<ExitCode, Failure>;

/// A wrong input, something that failed, or a question without an answer.
pub enum Failure {
    /// [`USAGE`]
    Usage(String),
    /// [`FINDING`]
    Failed(String),
    /// [`COULD_NOT_TELL`]
    CouldNotTell(String),
}

impl Failure {
    fn usage(error: &dyn std::error::Error) -> Self {
        Self::Usage(causes(error))
    }

    fn failed(error: &dyn std::error::Error) -> Self {
        Self::Failed(causes(error))
    }

    fn could_not_tell(error: &dyn std::error::Error) -> Self {
        Self::CouldNotTell(causes(error))
    }
}

/// An error and its causes, one line each.
fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}\n  because: {cause}"))
}

/// Tells you that an AWS load balancer is about to answer 504, before it does.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// How log lines look (on standard error)
    #[arg(long, value_enum, default_value_t = LogFormat::Text, global = true)]
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Watch: poll CloudWatch, export metrics, send alerts
    #[command(
        after_help = "Example: nearmiss run --config /etc/nearmiss/nearmiss.toml --log-format json\nSIGHUP reads the config again, SIGTERM ends it after the poll under way, a second one at once (exit code 130)."
    )]
    Run(run::Args),
    /// Say whether `run` would work: the config, the identity, each API
    #[command(
        after_help = "Examples:\n  nearmiss check --config nearmiss.toml\n  nearmiss check --config nearmiss.toml --offline --format json\n  nearmiss check --config nearmiss.toml --send-test\n\nSends nothing, unless --send-test is given. Asks CloudWatch for four metrics per account and Region ($0.00004)."
    )]
    Check(check::Args),
    /// Print the least IAM policy that a config needs, as JSON
    #[command(
        after_help = "Examples:\n  nearmiss iam-policy --config nearmiss.toml\n  nearmiss iam-policy --config nearmiss.toml --role arn:aws:iam::444455556666:role/nearmiss"
    )]
    IamPolicy(iam_policy::Args),
    /// Predict what CloudWatch will charge
    #[command(
        after_help = "Example: nearmiss cost --config nearmiss.toml --gateways 250\nWithout --gateways it asks Elastic Load Balancing how many there are."
    )]
    Cost(cost::Args),
    /// Show the daemon at work against a simulated AWS; needs no account
    #[command(
        after_help = "Example: nearmiss demo --scenario connection_failures --seed 3 --for 5m"
    )]
    Demo(demo::Args),
    /// Serve a simulated AWS (CloudWatch, Elastic Load Balancing, SNS, STS) for any AWS client
    #[command(
        after_help = "Examples:\n  nearmiss sim --list\n  nearmiss sim --listen 127.0.0.1:4566 --start -10m\n  AWS_ENDPOINT_URL=http://127.0.0.1:4566 aws elbv2 describe-load-balancers"
    )]
    Sim(Box<sim::Args>),
    /// Say what nearmiss would have alerted on over a past period
    #[command(
        after_help = "Example: nearmiss backtest --config nearmiss.toml --from -14d --to -0s\nWith --format json each line is one notification, and the last one the summary."
    )]
    Backtest(backtest::Args),
    /// Say why a gateway answers 504, 502 or 503, now or at a past moment, and what to do
    #[command(
        after_help = "Examples:\n  nearmiss diagnose --config nearmiss.toml web\n  nearmiss diagnose --config nearmiss.toml web --at 2026-01-05T09:30:00Z --format markdown\n\nAsks CloudWatch for some 25 metrics for the load balancer and each zone and target group (about $0.001).\nExit codes: 0 healthy, 1 a cause was found, 3 it could not be told."
    )]
    Diagnose(diagnose::Args),
    /// Draw the timeout chains of the config, and say where they break
    Chain(Box<chain::Args>),
    /// Ask a URL once, and say who answered, how long each phase took, and which timeout fits
    Probe(Box<ProbeArgs>),
    /// Mute alerts for a while, through the running daemon
    #[command(
        subcommand,
        after_help = "Examples:\n  nearmiss silence add 'batch-*' --for 2h --comment 'import of the year'\n  nearmiss silence list --format json\n  nearmiss silence expire 1f0c3a9b\n\nEach takes --config FILE, or NEARMISS_CONFIG."
    )]
    Silence(silence::Command),
    /// Say that a gateway's open or last episode is meant to be so, as a nightly job is
    #[command(
        after_help = "Example: nearmiss acknowledge reports --config nearmiss.toml\nIts hours stay an example of what is usual, and it is not told again before it becomes worse."
    )]
    Acknowledge(acknowledge::Args),
    /// Show what is remembered over restarts: episodes, counters, who was notified
    #[command(
        subcommand,
        after_help = "Example: nearmiss state export --config nearmiss.toml > state.json"
    )]
    State(state::Command),
    /// Print the capacity report: headroom, trends, forecasts, what changed
    #[command(
        after_help = "Example: nearmiss report --config nearmiss.toml --days 14 --format markdown\nAsks the running daemon, or CloudWatch where none runs (fourteen days: 5 metrics a gateway, and one for each target group of those with the least headroom; about $0.0001 a gateway)."
    )]
    Report(report::Args),
    /// Print shell completions
    #[command(after_help = "Example: nearmiss completions bash > /etc/bash_completion.d/nearmiss")]
    Completions(completions::Args),
}

impl Command {
    /// Runs the command.
    pub async fn run(self) -> Ending {
        match self {
            Self::Run(args) => args.run().await,
            Self::Check(args) => args.run().await,
            Self::IamPolicy(args) => args.run(),
            Self::Cost(args) => args.run().await,
            Self::Demo(args) => args.run().await,
            Self::Sim(args) => args.run().await,
            Self::Backtest(args) => args.run().await,
            Self::Diagnose(args) => args.run().await,
            Self::Chain(args) => args.run().await,
            Self::Probe(args) => probe::run(&args).await,
            Self::Silence(args) => args.run().await,
            Self::Acknowledge(args) => args.run().await,
            Self::State(args) => args.run(),
            Self::Report(args) => args.run().await,
            Self::Completions(args) => Ok(args.run()),
        }
    }
}

/// Where AWS is, and who asks it.
async fn ask_aws(config: &Config) -> Result<SdkConfig, Failure> {
    let asked = aws::base(&config.aws, config.poll.deadline.get()).await;
    asked.map(|(base, _)| base).map_err(|error| Failure::usage(&error))
}

fn load(path: &Path) -> Result<Config, Failure> {
    Config::load(path).map_err(|error| Failure::usage(&error))
}
