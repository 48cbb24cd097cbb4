//! `nearmiss sim`: a simulated AWS for any client.

use std::net::SocketAddr;
use std::process::ExitCode;

use nearmiss_core::time::Minute;
use nearmiss_sim::{Faults, Scenario, Setup, Sim};

use super::args::{Format, Start, start};
use super::signals::stop_on_signal;
use super::{Ending, Failure};
use crate::output::{print, print_json};

/// What happens in it, and where it is served.
#[derive(clap::Args)]
pub struct Args {
    /// List the scenarios
    #[arg(long)]
    list: bool,
    /// What happens
    #[arg(long, default_value = "slow_burn")]
    scenario: String,
    /// The same seed answers the same
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Where to serve; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:4566")]
    listen: SocketAddr,
    /// When the scenario starts: a time (2026-01-05T09:00:00Z), or a duration before now (-10m)
    #[arg(long, default_value = "-0s", allow_hyphen_values = true, value_parser = start)]
    start: Start,
    /// The Region of everything in it
    #[arg(long, default_value = "eu-central-1")]
    region: String,
    /// Its account
    #[arg(long, default_value = "111122223333")]
    account: String,
    /// How many load balancers, where the scenario lets one choose
    #[arg(long)]
    load_balancers: Option<usize>,
    /// What goes wrong, such as throttle=0.1,partial=0.05; --help lists it all
    #[arg(long, default_value = "", long_help = faults())]
    faults: String,
    /// How to print the list
    #[arg(long, value_enum, default_value_t = Format::Text, requires = "list")]
    format: Format,
}

impl Args {
    /// Serves it until a signal stops it, or lists the scenarios.
    pub async fn run(self) -> Ending {
        if self.list {
            list_scenarios(self.format);
            return Ok(ExitCode::SUCCESS);
        }
        let faults: Faults = self.faults.parse().map_err(|error| Failure::usage(&error))?;
        let Self { scenario, seed, listen, region, account, load_balancers, .. } = self;
        let start = self.start.resolve();
        let of_account = Setup { account, region, ..Setup::default() };
        let setup = Setup { scenario, seed, start, load_balancers, faults, ..of_account };
        simulate(setup, listen).await
    }
}

fn list_scenarios(format: Format) {
    let all = nearmiss_sim::scenarios();
    match format {
        Format::Text => {
            let line = |s: &Scenario| format!("{:<22} {}", s.name, s.summary);
            print(&all.iter().map(line).collect::<Vec<_>>().join("\n"));
        }
        Format::Json => {
            let one = |s: &Scenario| serde_json::json!({ "name": s.name, "summary": s.summary });
            print_json(&all.iter().map(one).collect::<Vec<_>>());
        }
    }
}

async fn simulate(setup: Setup, listen: SocketAddr) -> Ending {
    let stop = stop_on_signal()?;
    let start = setup.start;
    let sim = Sim::new(setup).map_err(|error| Failure::usage(&error))?;
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .map_err(|error| Failure::Failed(format!("cannot listen on {listen}: {error}")))?;
    let address = listener.local_addr().map_err(|error| Failure::failed(&error))?;
    print(&format!("listening on http://{address}"));
    for name in sim.load_balancers().iter().take(20) {
        let first =
            sim.first_504(name).map_or_else(|| "none".to_owned(), |m| minutes_after(m, start));
        print(&format!("{name:<24} first 504: {first}"));
    }
    sim.serve(listener, stop).await;
    Ok(ExitCode::SUCCESS)
}

fn minutes_after(minute: i64, start: i64) -> String {
    let at = Minute(minute);
    format!("{at}, minute {} of the scenario", minute - start / 60)
}

/// The help on faults that the simulator can inject.
fn faults() -> String {
    format!(
        "What goes wrong, separated by commas, such as throttle=0.1,gap=20-25:15. A SHARE is \
         between 0 and 1; FROM-TO and MINUTE are minutes of the scenario, the last one \
         included:\n\n{}\n",
        nearmiss_sim::fault_list()
    )
}
