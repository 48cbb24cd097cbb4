//! `nearmiss report`: the capacity report.

use std::process::ExitCode;

use nearmiss::edge::time::Clock;
use nearmiss::report::report;

use super::args::{ConfigFile, Written};
use super::{Ending, Failure, load};
use crate::output::{print, print_json, remark};

/// Of which days.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// How many days, 1 to 14
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=14))]
    days: u32,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Written::Text)]
    format: Written,
}

impl Args {
    /// Prints it.
    pub async fn run(self) -> Ending {
        let config = load(&self.config.path)?;
        let made = report(&config, self.days, Clock::System).await;
        let made = made.map_err(|error| Failure::failed(&error))?;
        made.remarks.iter().for_each(|text| remark(text));
        match self.format {
            Written::Text => print(made.report.text.trim_end()),
            Written::Markdown => print(made.report.markdown.trim_end()),
            Written::Json => print_json(&made.report.json),
        }
        Ok(ExitCode::SUCCESS)
    }
}
