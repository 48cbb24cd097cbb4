//! `nearmiss iam-policy`: the least policy that a config needs.

use std::process::ExitCode;

use nearmiss::config::RoleArn;
use nearmiss::policy;

use super::args::ConfigFile;
use super::{Ending, Failure, load};
use crate::output::print_json;

/// Whose policy.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// The policy of this role of the config instead of the daemon's own
    #[arg(long, value_name = "ARN")]
    role: Option<String>,
}

impl Args {
    /// Prints it as JSON.
    pub fn run(self) -> Ending {
        let config = load(&self.config.path)?;
        let role = self.role.map(RoleArn::try_from).transpose().map_err(Failure::Usage)?;
        if let Some(role) = role.as_ref().filter(|role| !policy::roles(&config).contains(role)) {
            let role = role.as_str();
            return Err(Failure::Usage(format!("the config does not name the role {role}")));
        }
        print_json(&policy::policy(&config, role.as_ref()));
        Ok(ExitCode::SUCCESS)
    }
}
