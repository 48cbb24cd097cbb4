//! The command line as people type it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use nearmiss::analysis::notify::Pattern;
use nearmiss::chain::ChainArgs;
use nearmiss::cost::PRICE_PER_1000;
use nearmiss::edge::time::Clock;
use nearmiss::probe::ProbeArgs;
use nearmiss::silence::{self, AddArgs};

const EXAMPLES: &str = "\
Examples:
  nearmiss demo                                  see it work, without an account
  nearmiss iam-policy --config nearmiss.toml     the least policy that it needs
  nearmiss check --config nearmiss.toml          would it work?
  nearmiss cost --config nearmiss.toml           what CloudWatch will charge
  nearmiss report --config nearmiss.toml         how much headroom there is
  nearmiss run --config nearmiss.toml            the daemon

Exit codes: 0 it worked, 1 it did not, 2 the command line or the config is wrong.
AWS credentials and Region come from the standard chain (environment, profile,
role of the instance, task or pod). RUST_LOG=nearmiss=debug says more.";

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

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Watch: poll CloudWatch, export metrics, send alerts
    Run {
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Say whether `run` would work: the config, the identity, each API
    #[command(
        after_help = "Sends nothing, unless --send-test is given. Asks CloudWatch for four metrics per account and Region ($0.00004)."
    )]
    Check {
        #[command(flatten)]
        config: ConfigFile,
        /// Only read the config; ask AWS for nothing
        #[arg(long)]
        offline: bool,
        /// Send a test message to every topic
        #[arg(long, conflicts_with = "offline")]
        send_test: bool,
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
        #[arg(long, default_value_t = PRICE_PER_1000)]
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
        #[arg(long, default_value_t = PRICE_PER_1000)]
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
        /// The config file
        #[arg(
            long,
            value_name = "FILE",
            env = "NEARMISS_CONFIG",
            required_unless_present = "list_products"
        )]
        config: Option<PathBuf>,
        #[command(flatten)]
        chain: ChainArgs,
        /// How to print the result
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Ask a URL once, and say who answered, how long each phase took, and which timeout fits
    Probe(Box<ProbeArgs>),
    /// Keep alerts back for a while, while the daemon runs
    #[command(subcommand)]
    Silence(SilenceCommand),
    /// Say that a gateway's open or last episode is meant to be so, as a nightly job is
    #[command(
        after_help = "Example: nearmiss acknowledge reports --config nearmiss.toml\nIts hours stay an example of what is usual, and it is not told again before it becomes worse."
    )]
    Acknowledge {
        #[command(flatten)]
        config: ConfigFile,
        /// The gateway's name, or a pattern
        #[arg(value_parser = silence::pattern)]
        gateway: Pattern,
        /// How to print the result
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Print the capacity report: headroom, trends, forecasts, what changed
    #[command(
        after_help = "Example: nearmiss report --config nearmiss.toml --days 14 --format markdown\nAsks the running daemon, or CloudWatch where none runs (fourteen days: 5 metrics a gateway, and one for each target group of those with the least headroom; about $0.0001 a gateway)."
    )]
    Report {
        #[command(flatten)]
        config: ConfigFile,
        /// Of so many days, 1 to 14
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=14))]
        days: u32,
        /// How to print the result
        #[arg(long, value_enum, default_value_t = Written::Text)]
        format: Written,
    },
    /// Print the completions of a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// What to do about silences.
#[derive(Subcommand)]
pub enum SilenceCommand {
    /// Keep alerts back for a while
    #[command(
        after_help = "Example: nearmiss silence add 'batch-*' --for 2h --comment 'import of the year' --config nearmiss.toml\nWhat goes on when it ends is told then; what began and ended within it is not."
    )]
    Add {
        #[command(flatten)]
        config: ConfigFile,
        #[command(flatten)]
        silence: AddArgs,
        /// How to print the result
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Show the silences in force
    List {
        #[command(flatten)]
        config: ConfigFile,
        /// How to print the result
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// End a silence now
    Expire {
        /// Which one, as `list` shows it
        id: String,
        #[command(flatten)]
        config: ConfigFile,
        /// How to print the result
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

/// Which config.
#[derive(clap::Args)]
pub struct ConfigFile {
    /// The config file
    #[arg(long = "config", value_name = "FILE", env = "NEARMISS_CONFIG")]
    pub path: PathBuf,
}

/// How a result is printed.
#[derive(Clone, Copy, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

/// How a diagnosis or a report is written.
#[derive(Clone, Copy, ValueEnum)]
pub enum Written {
    Text,
    Json,
    Markdown,
}

/// How log lines look.
#[derive(Clone, Copy, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// When a scenario starts, seconds since the epoch or before now.
#[derive(Clone, Copy)]
pub enum Start {
    At(i64),
    BeforeNow(i64),
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (1.0..=600.0).contains(&speed) => Ok(speed),
        _ => Err("expected a number between 1 and 600".into()),
    }
}

impl Start {
    /// Seconds since the epoch, of a whole minute.
    pub fn resolve(self) -> i64 {
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
