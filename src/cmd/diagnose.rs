//! `nearmiss diagnose`: why a gateway answers 504, 502 or 503.

use std::process::ExitCode;

use nearmiss::diagnose;
use nearmiss::edge::time::Clock;
use nearmiss_core::diagnose::Verdict;
use nearmiss_core::time::Minute;

use super::args::{ConfigFile, Start, Written, start};
use super::{COULD_NOT_TELL, Ending, FINDING, Failure, ask_aws, load};
use crate::output::{print, print_json};

/// Which gateway, and when.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// Its name, as in the alerts, or its CloudWatch dimension value
    gateway: String,
    /// The moment: a time (2026-01-05T09:00:00Z), or a duration before now (-2h)
    #[arg(long, default_value = "-0s", allow_hyphen_values = true, value_parser = start)]
    at: Start,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Written::Text)]
    format: Written,
}

impl Args {
    /// Diagnoses, and prints the result.
    pub async fn run(self) -> Ending {
        let config = load(&self.config.path)?;
        let base = ask_aws(&config).await?;
        let end = Minute::containing(self.at.resolve());
        let asked = diagnose::find(&config, &base, &self.gateway, end, Clock::System).await;
        let diagnosis = asked.map_err(|error| {
            if error.is_usage() { Failure::usage(&error) } else { Failure::could_not_tell(&error) }
        })?;
        match self.format {
            Written::Text => print(diagnosis.text().trim_end()),
            Written::Markdown => print(diagnosis.markdown().trim_end()),
            Written::Json => print_json(&diagnosis),
        }
        Ok(ExitCode::from(match diagnosis.verdict {
            Verdict::Healthy => 0,
            Verdict::Findings => FINDING,
            Verdict::CouldNotTell => COULD_NOT_TELL,
        }))
    }
}
