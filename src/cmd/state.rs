//! `nearmiss state`: the state, for people and programs.

use std::io::{BufWriter, Write};
use std::process::ExitCode;

use clap::Subcommand;
use nearmiss::store;

use super::args::ConfigFile;
use super::{Ending, Failure, load};

/// What to do with the state.
#[derive(Subcommand)]
pub enum Command {
    /// Print it as JSON, on one line
    #[command(
        after_help = "Examples:\n  nearmiss state export --config nearmiss.toml > state.json\n  nearmiss state export --config nearmiss.toml | jq '.gateways | map_values(.totals)'\n\nReads what was saved last, and changes nothing: the daemon may run or not. Of a damaged file, or one that is older than the last save, it prints nothing but an error (exit code 1). A daemon that finds the JSON at its [state] path takes it over. It is all but the history of each gateway, which a daemon that does not have it reads from CloudWatch."
    )]
    Export {
        #[command(flatten)]
        config: ConfigFile,
    },
}

impl Command {
    /// Runs it.
    pub fn run(self) -> Ending {
        let Self::Export { config } = self;
        let config = load(&config.path)?;
        let state = store::read(&config.state).map_err(|error| Failure::failed(&error))?;
        let mut out = BufWriter::new(std::io::stdout().lock());
        // A closed pipe is no error.
        let _ = state.write_json(&mut out).and_then(|()| writeln!(out)).and_then(|()| out.flush());
        Ok(ExitCode::SUCCESS)
    }
}
