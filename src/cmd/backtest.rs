//! `nearmiss backtest`: when nearmiss would have notified over a past period.

use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use nearmiss::backtest::{Backtest, Period, Said, Summary};
use nearmiss::cost::PRICE_PER_1000;
use nearmiss::edge::time::Clock;

use super::args::{ConfigFile, Format, Start, price, start};
use super::{Ending, FINDING, Failure, ask_aws, load};
use crate::output::{print, print_json_text, remark};

/// Of which period.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// From when on: a time (2026-01-05T09:00:00Z), or a duration before now (-14d)
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
}

impl Args {
    /// Prints each notification as it is found, and a summary.
    pub async fn run(self) -> Ending {
        let Self { from, to, price, format, .. } = self;
        let config = &load(&self.config.path)?;
        let clock = Clock::System;
        let period = Period::between(from.resolve(), to.resolve(), clock);
        let period = period.map_err(|error| Failure::usage(&error))?;
        if let Some(caution) = period.caution(clock) {
            remark(&caution);
        }
        let bar = progress_bar();
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
        sum_up(&summary, format);
        Ok(if troubles.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FINDING) })
    }
}

/// Silent unless standard error is a terminal.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    bar.set_style(
        ProgressStyle::with_template("{bar:40} {percent:>3} % of {len} minutes, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar
}

fn sum_up(summary: &Summary, format: Format) {
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
}

fn text_of(said: &Said) -> String {
    let Said { at, gateway, rule, severity, reason, text, .. } = said;
    format!("{at}  {:<9} {severity:<8} {gateway}  {rule}: {text}", reason.name())
}
