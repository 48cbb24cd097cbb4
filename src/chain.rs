//! `nearmiss chain`: the timeout chains of a config, with what AWS and nginx's own
//! files say of their hops.
//!
//! A figure of the config counts before one that was read, and one that was read
//! before a product's default; what could not be read is said beside the result.

use std::path::{Path, PathBuf};

use aws_config::SdkConfig;
use clap::Args;
use serde::Serialize;

use crate::analysis::chain::{Chain, Checkup, Ink, Known, Settings, Severity, text};
use crate::edge::hops::Hops;
use crate::edge::nginx::{Fault as NginxFault, Nginx};

const EXAMPLES: &str = "\
Examples:
  nearmiss chain --config nearmiss.toml
  nearmiss chain --config nearmiss.toml --nginx /etc/nginx
  nearmiss chain --config nearmiss.toml shop --offline --format json

Exit codes: 0 in order, 1 something is broken or weak, 2 it could not be read.";

/// What `nearmiss chain` takes beside the config.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct ChainArgs {
    /// Only this chain
    pub name: Option<String>,
    /// Read the timeouts of nginx hops from this file or folder (also what `nginx -T` prints)
    #[arg(long, value_name = "FILE|DIR")]
    pub nginx: Option<PathBuf>,
    /// Do not ask AWS about the hops that it knows
    #[arg(long)]
    pub offline: bool,
    /// Columns of the drawing
    #[arg(long, default_value_t = 100, value_parser = width)]
    pub width: usize,
}

fn width(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(width @ 20..=1_000) => Ok(width),
        _ => Err("expected 20 to 1000 columns".to_owned()),
    }
}

/// Why no chain was looked at.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The config has none, or not this one.
    #[error("{0}")]
    None(String),
    /// nginx's files cannot be read.
    #[error("cannot read nginx's timeouts")]
    Nginx(#[source] NginxFault),
}

/// A chain as one way through it has it.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// Which place of nginx's files it is about, where they name several.
    pub place: Option<String>,
    /// What the rules say.
    #[serde(flatten)]
    pub checkup: Checkup,
}

/// Everything that was looked at.
#[derive(Debug, Serialize)]
pub struct Looked {
    /// The chains.
    pub chains: Vec<Checked>,
    /// What could not be read.
    pub troubles: Vec<String>,
}

/// Looks at the chains of a config.
///
/// # Errors
/// When there is none, or nginx's files cannot be read.
pub async fn look(
    all: &[Settings],
    args: &ChainArgs,
    sdk: Option<&SdkConfig>,
) -> Result<Looked, ChainError> {
    let wanted = |one: &&Settings| args.name.as_ref().is_none_or(|name| *name == one.name);
    let chains: Vec<&Settings> = all.iter().filter(wanted).collect();
    if chains.is_empty() {
        return Err(ChainError::None(nothing(all, args.name.as_deref())));
    }
    let nginx = args.nginx.as_deref().map(Nginx::read).transpose().map_err(ChainError::Nginx)?;
    let mut looked = Looked { chains: Vec::new(), troubles: Vec::new() };
    for settings in chains {
        let known = match sdk {
            Some(sdk) => ask(settings, &Hops(sdk), &mut looked.troubles).await,
            None => Vec::new(),
        };
        looked.chains.extend(ways(settings, &known, nginx.as_ref()));
    }
    if let (Some(nginx), Some(path)) = (&nginx, &args.nginx)
        && nginx.sets().is_empty()
    {
        looked.troubles.push(no_route(path));
    }
    Ok(looked)
}

impl Looked {
    /// The worst that was found.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.chains.iter().map(|one| one.checkup.severity()).max().unwrap_or(Severity::Ok)
    }

    /// For a person.
    #[must_use]
    pub fn text(&self, width: usize, ink: Ink) -> String {
        let mut parts: Vec<String> = Vec::new();
        for one in &self.chains {
            let place = one.place.as_ref().map(|place| format!("nginx: {place}\n"));
            parts.push(place.unwrap_or_default() + text(&one.checkup, width, ink).trim_end());
        }
        parts.extend(self.troubles.iter().map(|trouble| format!("not read: {trouble}")));
        parts.join("\n\n")
    }
}

async fn ask(settings: &Settings, hops: &Hops<'_>, troubles: &mut Vec<String>) -> Vec<Known> {
    let mut known = Vec::new();
    for (at, hop) in settings.hops.iter().enumerate() {
        let Some(id) = &hop.aws else { continue };
        match hops.known(at, hop.product.kind, id).await {
            Ok(some) => known.extend(some),
            Err(fault) => troubles.push(format!("{}: {fault}. {}", hop.name, fault.advice())),
        }
    }
    known
}

/// The chain once for each way through nginx with figures of its own.
fn ways(settings: &Settings, known: &[Known], nginx: Option<&Nginx>) -> Vec<Checked> {
    let at = settings.hops.iter().position(|hop| hop.product.kind == "nginx");
    let sets = nginx.map(Nginx::sets).unwrap_or_default();
    let Some(at) = at.filter(|_| !sets.is_empty()) else {
        return vec![Checked { place: None, checkup: Chain::of(settings, known).check() }];
    };
    let way = |set: &crate::edge::nginx::Set<'_>| {
        let all: Vec<Known> = known.iter().cloned().chain(set.known(at)).collect();
        Checked { place: Some(set.to_string()), checkup: Chain::of(settings, &all).check() }
    };
    sets.iter().map(way).collect()
}

fn nothing(all: &[Settings], name: Option<&str>) -> String {
    let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
    match name {
        Some(name) if !names.is_empty() => {
            format!("no [[chain]] is named \"{name}\"; there are: {}", names.join(", "))
        }
        _ => "the config has no [[chain]]: config.example.toml shows one".to_owned(),
    }
}

fn no_route(path: &Path) -> String {
    format!("{} passes no request on: no proxy_pass or the like in it", path.display())
}
