//! `nearmiss chain`: the timeout chains of a config, and where they break.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use nearmiss::chain::{self, ChainArgs, ChainError};
use nearmiss_core::chain::Ink;

use super::args::Format;
use super::{Ending, Failure, ask_aws, load};
use crate::output::{print, print_coloured, print_json_text};

/// Which chains, and how to draw them.
#[derive(clap::Args)]
pub struct Args {
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
}

impl Args {
    /// Draws them.
    pub async fn run(self) -> Ending {
        let Self { config, chain: args, format } = &self;
        let Some(config) = config.as_deref().filter(|_| !args.list_products) else {
            match format {
                Format::Text => print(&chain::products()),
                Format::Json => print_json_text(&chain::products_json()),
            }
            return Ok(ExitCode::SUCCESS);
        };
        let config = load(config)?;
        let sdk = if args.offline { None } else { Some(ask_aws(&config).await?) };
        let looked = chain::look(&config.chains, args, sdk.as_ref())
            .await
            .map_err(|error| failure(&error))?;
        let ink = if std::io::stdout().is_terminal() { Ink::Ansi } else { Ink::Plain };
        match format {
            Format::Text => print_coloured(&looked.text(args.width, ink)),
            Format::Json => print_json_text(&looked.json()),
        }
        Ok(ExitCode::from(looked.exit_code()))
    }
}

fn failure(error: &ChainError) -> Failure {
    if error.is_usage() { Failure::usage(error) } else { Failure::could_not_tell(error) }
}
