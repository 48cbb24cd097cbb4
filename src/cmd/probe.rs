//! `nearmiss probe`: one request, and who answered it.

use std::process::ExitCode;

use nearmiss::probe::{self, Format, ProbeArgs};

use super::Ending;
use crate::output::{print, print_json};

/// Asks once, and prints the report.
pub async fn run(args: &ProbeArgs) -> Ending {
    let report = probe::run(args).await;
    match args.format {
        Format::Text => print(&report.to_string()),
        Format::Json => print_json(&report),
    }
    Ok(ExitCode::from(report.verdict.exit_code()))
}
