//! `nearmiss silence`: muting alerts while the daemon runs.

use clap::Subcommand;
use nearmiss::silence::{self, AddArgs, Done, SilenceError};

use super::args::{ConfigFile, Format};
use super::{Ending, Failure, load};
use crate::output::{print, print_json};

/// What to do about silences.
#[derive(Subcommand)]
pub enum Command {
    /// Mute alerts for a while
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

impl Command {
    /// Sends it to the daemon, and prints the answer.
    pub async fn run(self) -> Ending {
        match self {
            Self::Add { config, silence, format } => {
                heard(silence::add(&load(&config.path)?, silence).await, format)
            }
            Self::List { config, format } => {
                heard(silence::list(&load(&config.path)?).await, format)
            }
            Self::Expire { id, config, format } => {
                heard(silence::expire(&load(&config.path)?, id).await, format)
            }
        }
    }
}

/// Prints the daemon's answer.
pub fn heard(done: Result<Done, SilenceError>, format: Format) -> Ending {
    let done = done.map_err(|error| Failure::failed(&error))?;
    match format {
        Format::Text => print(&done.to_string()),
        Format::Json => print_json(&done),
    }
    Ok(std::process::ExitCode::SUCCESS)
}
