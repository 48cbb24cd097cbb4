//! `nearmiss demo`: the daemon at work against a simulated AWS.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use nearmiss::demo::{Demo, DemoError};

use super::signals::stop_on_signal;
use super::{Ending, Failure};

/// What to show.
#[derive(clap::Args)]
pub struct Args {
    /// What happens; `nearmiss sim --list` shows all
    #[arg(long, default_value = "slow_burn")]
    scenario: String,
    /// The same seed tells the same story
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Simulated seconds per second
    #[arg(long, default_value_t = 60.0, value_parser = speed)]
    speed: f64,
    /// Where /metrics is served; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// End after this time, 1s to 1day
    #[arg(long = "for", value_name = "DURATION", default_value = "90s", value_parser = lasts)]
    lasts: Duration,
}

impl Args {
    /// Runs it until its time is over.
    pub async fn run(self) -> Ending {
        let Self { scenario, seed, speed, listen, lasts } = self;
        let demo = Demo { scenario, seed, speed, listen: listen.to_string(), lasts };
        Box::pin(demo.run(stop_on_signal()?)).await.map_err(|error| match error {
            DemoError::Setup(_) | DemoError::NoLoadBalancer(_) | DemoError::Config(_) => {
                Failure::usage(&error)
            }
            DemoError::Start(_) | DemoError::Prepare(_) => Failure::failed(&error),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (1.0..=600.0).contains(&speed) => Ok(speed),
        _ => Err("expected a number between 1 and 600".into()),
    }
}

fn lasts(text: &str) -> Result<Duration, String> {
    let lasts = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if (Duration::from_secs(1)..=Duration::from_hours(24)).contains(&lasts) {
        return Ok(lasts);
    }
    Err("expected 1s to 1day".into())
}
