//! `nearmiss completions`: completions for a shell.

use std::io::Write as _;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::Cli;

/// For which shell.
#[derive(clap::Args)]
pub struct Args {
    /// Which shell
    shell: Shell,
}

impl Args {
    /// Prints them.
    pub fn run(self) -> ExitCode {
        // It would panic on a closed pipe.
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "nearmiss", &mut text);
        let _ = std::io::stdout().write_all(&text);
        ExitCode::SUCCESS
    }
}
