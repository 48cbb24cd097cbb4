//! `nearmiss acknowledge`: marks an episode as meant to be so.

use nearmiss::silence;
use nearmiss_core::pattern::Pattern;

use super::args::{ConfigFile, Format};
use super::silence::heard;
use super::{Ending, load};

/// Whose episode.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// The gateway's name, or a pattern
    #[arg(value_parser = silence::pattern)]
    gateway: Pattern,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Args {
    /// Sends it to the daemon, and prints the answer.
    pub async fn run(self) -> Ending {
        let config = load(&self.config.path)?;
        heard(silence::acknowledge(&config, &self.gateway).await, self.format)
    }
}
