//! `nearmiss check`: would `run` work?
//!
//! A question that cannot be asked is a finding too: the daemon could not ask it either.

use std::process::ExitCode;

use nearmiss::check::{self, Extent};
use nearmiss::edge::time::Clock;

use super::args::{ConfigFile, Format};
use super::{Ending, FINDING, ask_aws, load};
use crate::output::{print, print_json};

/// What to check, and how far.
#[derive(clap::Args)]
pub struct Args {
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
}

impl Args {
    /// Runs the checks, and prints the findings.
    pub async fn run(self) -> Ending {
        let config = load(&self.config.path)?;
        let outcome = if self.offline {
            check::offline(&config)
        } else {
            let extent = if self.send_test { Extent::SendTest } else { Extent::Online };
            check::online(&config, &ask_aws(&config).await?, Clock::System, extent).await
        };
        match self.format {
            Format::Text => print(&outcome.to_string()),
            Format::Json => print_json(&outcome),
        }
        Ok(if outcome.ok { ExitCode::SUCCESS } else { ExitCode::from(FINDING) })
    }
}
