//! The runtime, the log, and the exit code; [`cmd`] has the commands.

mod cmd;
mod output;

use std::os::unix::process::CommandExt;
use std::process::{self, ExitCode};

use clap::Parser;
use cmd::{Cli, Command, Failure, LogFormat};
use nearmiss::edge::{aws, log};
use output::remark;

fn main() -> ExitCode {
    if let Some(error) = start_without_empty_variables() {
        eprintln!("{error}");
        return ExitCode::from(2);
    }
    let cli = Cli::parse();
    let quiet = matches!(cli.command, Command::Demo(_));
    let format = match cli.log_format {
        LogFormat::Text => log::Format::Text,
        LogFormat::Json => log::Format::Json,
    };
    let _written_at_the_end = log::start(format, if quiet { "error" } else { "info" });
    let ending = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let ending = runtime.block_on(cli.command.run());
            // A name lookup cannot be cancelled; nobody waits for it.
            runtime.shutdown_background();
            ending
        }
        Err(error) => Err(Failure::Failed(error.to_string())),
    };
    let (code, text) = match ending {
        Ok(code) => return code,
        Err(Failure::Usage(text)) => (cmd::USAGE, text),
        Err(Failure::Failed(text)) => (cmd::FINDING, text),
        Err(Failure::CouldNotTell(text)) => (cmd::COULD_NOT_TELL, text),
    };
    remark(&text);
    ExitCode::from(code)
}

/// Starts the program anew without variables of AWS that are set but empty, if there are
/// any: the SDK takes them for values and reads them where it likes, and there is no safe
/// way to remove one from the environment of a running program.
fn start_without_empty_variables() -> Option<String> {
    let empty = aws::empty_variables(std::env::vars_os());
    let first = empty.first()?.to_string_lossy().into_owned();
    let mut args = std::env::args_os();
    let mut anew = process::Command::new("/proc/self/exe");
    if let Some(name) = args.next() {
        anew.arg0(name);
    }
    for name in &empty {
        anew.env_remove(name);
    }
    let error = anew.args(args).exec(); // returns only if it fails
    Some(format!("{first} is set but empty, and cannot be left out here: unset it ({error})"))
}
