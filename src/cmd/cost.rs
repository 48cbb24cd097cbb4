//! `nearmiss cost`: what CloudWatch will charge.

use std::collections::BTreeMap;
use std::process::ExitCode;

use nearmiss::config::{Config, Poll};
use nearmiss::cost::{self, PRICE_PER_1000};
use nearmiss::edge::time::Clock;
use nearmiss::inventory::AccountRegion;
use nearmiss_core::gateway::{Detail, Kind};

use super::args::{ConfigFile, Format, price};
use super::{Ending, Failure, ask_aws, load};
use crate::output::{print, print_json, remark};

/// Of what, and at which price.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// For this number of gateways; AWS is not asked then
    #[arg(long, value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    gateways: Option<u64>,
    /// Dollars per 1,000 metrics requested
    #[arg(long, default_value_t = PRICE_PER_1000, value_parser = price)]
    price: f64,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Args {
    /// Predicts the cost, and prints it.
    pub async fn run(self) -> Ending {
        let config = load(&self.config.path)?;
        let gateways = match self.gateways {
            Some(gateways) => {
                let dearest = config.gateways.iter().map(|s| (s.kind, s.detail)).max();
                dearest.map(|which| (which, gateways)).into_iter().collect()
            }
            None => count_gateways(&config).await?,
        };
        let prediction = cost::predict(&config.poll, &gateways, self.price);
        match self.format {
            Format::Text => print(&prediction.to_string()),
            Format::Json => print_json(&prediction),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// How many gateways the config selects at present, by how they are read.
async fn count_gateways(config: &Config) -> Result<BTreeMap<(Kind, Detail), u64>, Failure> {
    let base = ask_aws(config).await?;
    let mut gateways = BTreeMap::new();
    for mut account in AccountRegion::of_config(config, &base).await {
        let Poll { deadline, .. } = config.poll;
        account.refresh(Clock::System.now(), deadline, deadline).await;
        let said: Vec<String> = account.troubles.iter().map(ToString::to_string).collect();
        let is_lost = !account.is_complete() || account.gateways.is_empty();
        if is_lost && !said.is_empty() {
            return Err(Failure::Failed(said.join("\n")));
        }
        for text in &said {
            remark(text);
        }
        for gateway in &account.gateways {
            *gateways.entry((gateway.id.kind, gateway.detail)).or_default() += 1;
        }
    }
    Ok(gateways)
}
