//! The command line as people type it.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use chrono::Datelike;
use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use nearmiss::chain::ChainArgs;
use nearmiss::cost::PRICE_PER_1000;
use nearmiss::edge::time::Clock;
use nearmiss::probe::ProbeArgs;
use nearmiss::silence::{self, AddArgs};
use nearmiss_core::pattern::Pattern;

const EXAMPLES: &str = "\
Examples:
  nearmiss demo                                  see it work, without an account
  nearmiss iam-policy --config nearmiss.toml     the least policy that it needs
  nearmiss check --config nearmiss.toml          would it work?
  nearmiss cost --config nearmiss.toml           what CloudWatch will charge
  nearmiss report --config nearmiss.toml         how much headroom there is
  nearmiss run --config nearmiss.toml            the daemon

Exit codes: 0 it worked, 1 it did not, 2 the command line or the config is wrong;
diagnose, chain and probe have their own. AWS credentials and Region come from the standard chain (environment, profile,
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
    #[command(
        after_help = "Example: nearmiss run --config /etc/nearmiss/nearmiss.toml --log-format json\nSIGHUP reads the config again, SIGTERM ends it after the poll under way, a second one at once (exit code 130)."
    )]
    Run {
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Say whether `run` would work: the config, the identity, each API
    #[command(
        after_help = "Examples:\n  nearmiss check --config nearmiss.toml\n  nearmiss check --config nearmiss.toml --offline --format json\n  nearmiss check --config nearmiss.toml --send-test\n\nSends nothing, unless --send-test is given. Asks CloudWatch for four metrics per account and Region ($0.00004)."
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
    #[command(
        after_help = "Examples:\n  nearmiss iam-policy --config nearmiss.toml\n  nearmiss iam-policy --config nearmiss.toml --role arn:aws:iam::444455556666:role/nearmiss"
    )]
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
        #[arg(long, value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
        gateways: Option<u64>,
        /// Dollars per 1,000 metrics requested
        #[arg(long, default_value_t = PRICE_PER_1000, value_parser = price)]
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
        listen: SocketAddr,
        /// End after this time, 1s to 1day
        #[arg(long = "for", value_name = "DURATION", default_value = "90s", value_parser = lasts)]
        lasts: Duration,
    },
    /// Serve a simulated AWS (CloudWatch, Elastic Load Balancing, SNS, STS) for any AWS client
    #[command(
        after_help = "Examples:\n  nearmiss sim --list\n  nearmiss sim --listen 127.0.0.1:4566 --start -10m\n  AWS_ENDPOINT_URL=http://127.0.0.1:4566 aws elbv2 describe-load-balancers"
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
        /// What goes wrong, such as throttle=0.1,partial=0.05; --help lists it all
        #[arg(long, default_value = "", long_help = faults())]
        faults: String,
        /// How to print the list
        #[arg(long, value_enum, default_value_t = Format::Text, requires = "list")]
        format: Format,
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
        #[arg(long, default_value_t = PRICE_PER_1000, value_parser = price)]
        price: f64,
        /// How to print the result
        #[arg(long, value_enum, default_value_t = Format::Text)]
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
    #[command(
        subcommand,
        after_help = "Examples:\n  nearmiss silence add 'batch-*' --for 2h --comment 'import of the year'\n  nearmiss silence list --format json\n  nearmiss silence expire 1f0c3a9b\n\nEach takes --config FILE, or NEARMISS_CONFIG."
    )]
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
    #[command(after_help = "Example: nearmiss completions bash > /etc/bash_completion.d/nearmiss")]
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
        after_help = "Examples:\n  nearmiss silence add 'batch-*' --for 2h --comment 'import of the year' --config nearmiss.toml\n  nearmiss silence add '*' --for 30m --tag 'team=web-*' --rule near_miss --severity warning\n\nA silence that fits no gateway now is set all the same, and says so. What goes on when it ends is told then; what began and ended within it is not."
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
    #[command(after_help = "Example: nearmiss silence list --config nearmiss.toml --format json")]
    List {
        #[command(flatten)]
        config: ConfigFile,
        /// How to print the result
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// End a silence now
    #[command(after_help = "Example: nearmiss silence expire 1f0c3a9b --config nearmiss.toml")]
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

/// What the simulator can do wrong.
fn faults() -> String {
    format!(
        "What goes wrong, separated by commas, such as throttle=0.1,gap=20-25:15. A SHARE is \
         between 0 and 1; FROM-TO and MINUTE are minutes of the scenario, the last one \
         included:\n\n{}\n",
        nearmiss_sim::fault_list()
    )
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (1.0..=600.0).contains(&speed) => Ok(speed),
        _ => Err("expected a number between 1 and 600".into()),
    }
}

fn price(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(price) if (0.0..=1000.0).contains(&price) => Ok(price),
        _ => Err("expected dollars, a number between 0 and 1000".into()),
    }
}

fn lasts(text: &str) -> Result<Duration, String> {
    let lasts = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if (Duration::from_secs(1)..=Duration::from_hours(24)).contains(&lasts) {
        return Ok(lasts);
    }
    Err("expected 1s to 1day".into())
}

/// The years of [`Start`]: nobody has figures of other ones.
const YEARS: RangeInclusive<i32> = 1971..=2199;
/// So far back at the most.
const LONGEST_AGO: Duration = Duration::from_hours(24 * 366 * 10);

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
        if before > LONGEST_AGO {
            return Err("expected at most ten years before now".to_owned());
        }
        return Ok(Start::BeforeNow(i64::try_from(before.as_secs()).unwrap_or(i64::MAX)));
    }
    let time = chrono::DateTime::parse_from_rfc3339(text).map_err(|_| {
        "expected a time such as 2026-01-05T09:00:00Z, or -10m for ten minutes before now"
            .to_owned()
    })?;
    let year = time.to_utc().year();
    if YEARS.contains(&year) {
        return Ok(Start::At(time.timestamp()));
    }
    Err(format!("expected a year from {} to {}, found {year}", YEARS.start(), YEARS.end()))
}
