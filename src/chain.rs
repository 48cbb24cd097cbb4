//! `nearmiss chain`: the timeout chains of a config, with what AWS and nginx's own
//! files say of their hops.
//!
//! A figure of the config counts before one that was read, and one that was read before a
//! product's default; what could not be read is listed beside the result.

use std::collections::BTreeMap;
use std::path::PathBuf;

use aws_config::SdkConfig;
use clap::Args;
use serde::Serialize;

use crate::edge::hops::Hops;
use crate::edge::nginx::{Fault as NginxFault, Nginx, Note, Route, Set};
use crate::exit::{COULD_NOT_TELL, FINDING};
use nearmiss_core::chain::{
    Ink, Known, Place, Product, Row, Settings, Severity, Survey, Variant, printable,
    printable_json, text,
};

const EXAMPLES: &str = "\
Examples:
  nearmiss chain --config nearmiss.toml
  nearmiss chain --config nearmiss.toml --nginx /etc/nginx
  (nginx -v; nginx -T) > dump 2>&1; nearmiss chain --config nearmiss.toml --nginx dump
  nearmiss chain --config nearmiss.toml --nginx edge=edge/nginx --nginx api=api/nginx.conf
  nearmiss chain --config nearmiss.toml shop --offline --format json
  nearmiss chain --list-products

A folder elsewhere than where nginx looks for its configuration is taken for a copy:
absolute includes in it are looked for below the folder, and nowhere else.

Exit codes: 0 in order, 1 something is broken or weak, 2 the command line or the
config is wrong, 3 nothing is broken or weak, but something is not known or could
not be read.";

/// At most this many notes of a kind are in the text.
const MAX_REMARKS: usize = 20;
/// The most ways through several nginx hops that are examined together.
const MAX_WAYS: usize = 5_000;

/// What `nearmiss chain` takes beside the config.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct ChainArgs {
    /// Only this chain
    pub name: Option<String>,
    /// Read the timeouts of an nginx hop from this file or folder, or from what `nginx -T`
    /// printed; with several nginx hops HOP=PATH for each
    #[arg(long, value_name = "[HOP=]FILE|DIR")]
    pub nginx: Vec<String>,
    /// Do not ask AWS about the hops that it knows
    #[arg(long)]
    pub offline: bool,
    /// Columns of the drawing
    #[arg(long, default_value_t = 100, value_parser = width)]
    pub width: usize,
    /// List the kinds of hops, their keys and defaults; needs no config
    #[arg(long)]
    pub list_products: bool,
}

fn width(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(width @ 20..=1_000) => Ok(width),
        _ => Err("expected 20 to 1000 columns".to_owned()),
    }
}

/// Why no chain was examined.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// What was asked for does not fit the config.
    #[error("{0}")]
    Wrong(String),
    /// nginx's files cannot be read.
    #[error("cannot read nginx's timeouts")]
    Nginx(#[source] NginxFault),
    /// nginx's files pass no requests on.
    #[error("{0}")]
    Nothing(String),
}

impl ChainError {
    /// Whether the command line or the config is wrong, and not the files.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Wrong(_) => true,
            Self::Nginx(fault) => fault.is_wrong_path(),
            Self::Nothing(_) => false,
        }
    }
}

/// All chains and what was found.
#[derive(Debug, Serialize)]
pub struct Looked {
    /// The chains.
    pub chains: Vec<Survey>,
    /// What could not be read, so findings may be missing.
    pub not_read: Vec<String>,
    /// What is worth knowing about how files were read.
    pub notes: Vec<String>,
}

/// Examines the chains of a config.
///
/// # Errors
/// When there is none, `--nginx` does not fit it, or nginx's files cannot be read.
pub async fn look(
    all: &[Settings],
    args: &ChainArgs,
    sdk: Option<&SdkConfig>,
) -> Result<Looked, ChainError> {
    let wanted = |one: &&Settings| args.name.as_ref().is_none_or(|name| *name == one.name);
    let chains: Vec<&Settings> = all.iter().filter(wanted).collect();
    if chains.is_empty() {
        return Err(ChainError::Wrong(nothing(all, args.name.as_deref())));
    }
    let paths = assigned(&chains, &args.nginx).map_err(ChainError::Wrong)?;
    let files = read(&paths)?;
    let mut looked = Looked { chains: Vec::new(), not_read: Vec::new(), notes: Vec::new() };
    for settings in chains {
        let known = match sdk {
            Some(sdk) => ask(settings, &Hops(sdk), &mut looked.not_read).await,
            None => Vec::new(),
        };
        let variants = ways(settings, &paths, &files).map_err(ChainError::Wrong)?;
        if !paths.is_empty() && !settings.hops.iter().any(|hop| paths.contains_key(&hop.name)) {
            let name = &settings.name;
            looked.notes.push(format!("chain {name} has no hop that --nginx gives files of"));
        }
        looked.chains.push(Survey::of(settings, &known, variants));
    }
    for nginx in files.values() {
        looked.remark(nginx);
    }
    Ok(looked)
}

/// The kinds of hops, for a person.
#[must_use]
pub fn products() -> String {
    let rows: Vec<String> = Product::all().map(|product| product.row().to_string()).collect();
    rows.join("\n\n")
}

/// The kinds of hops, for a program.
#[must_use]
pub fn products_json() -> String {
    let rows: Vec<Row> = Product::all().map(Product::row).collect();
    serde_json::to_string_pretty(&rows).unwrap_or_default()
}

impl Looked {
    /// The worst severity that was found.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.chains.iter().map(|survey| survey.severity).max().unwrap_or(Severity::Ok)
    }

    /// The exit code: see the help.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.severity() {
            Severity::Broken | Severity::Weak => FINDING,
            Severity::Ok if self.not_read.is_empty() => 0,
            Severity::Unknown | Severity::Ok => COULD_NOT_TELL,
        }
    }

    /// For a person.
    #[must_use]
    pub fn text(&self, width: usize, ink: Ink) -> String {
        let chains =
            self.chains.iter().map(|survey| text(survey, width, ink).trim_end().to_owned());
        let remarks = [shown("note", &self.notes), shown("not read", &self.not_read)].concat();
        let remarks = (!remarks.is_empty()).then(|| remarks.join("\n"));
        chains.chain(remarks).collect::<Vec<_>>().join("\n\n")
    }

    /// For a program.
    #[must_use]
    pub fn json(&self) -> String {
        printable_json(&serde_json::to_string_pretty(self).unwrap_or_default()).into_owned()
    }

    /// Adds the notes on nginx's files.
    fn remark(&mut self, nginx: &Nginx) {
        let (gaps, notes): (Vec<_>, Vec<_>) = nginx.notes.iter().partition(|note| note.is_gap());
        self.not_read.extend(gaps.into_iter().map(Note::to_string));
        self.notes.extend(notes.into_iter().map(Note::to_string));
        self.notes.sort();
        self.notes.dedup();
    }
}

/// Notes, one line each, the first few of many.
fn shown(what: &str, remarks: &[String]) -> Vec<String> {
    let line = |remark: &String| printable(&format!("{what}: {remark}"));
    let more = remarks.len().saturating_sub(MAX_REMARKS);
    let rest = (more > 0).then(|| format!("{what}: {more} more, which --format json has"));
    remarks.iter().take(MAX_REMARKS).map(line).chain(rest).collect()
}

/// Which path belongs to which nginx hop, by the hop's name.
type Paths = BTreeMap<String, String>;

/// Assigns each path of `--nginx` to a hop.
fn assigned(chains: &[&Settings], given: &[String]) -> Result<Paths, String> {
    let hops = |settings: &Settings| -> Vec<String> {
        let nginx = settings.hops.iter().filter(|hop| hop.product.is_nginx());
        nginx.map(|hop| hop.name.clone()).collect()
    };
    let mut names: Vec<String> = chains.iter().flat_map(|settings| hops(settings)).collect();
    names.sort();
    names.dedup();
    let mut paths = Paths::new();
    for given in given {
        let hop_and_path =
            given.split_once('=').filter(|(name, _)| names.iter().any(|n| n == name));
        let (to, path) = match hop_and_path {
            Some((name, path)) => (vec![name.to_owned()], path),
            None => (unnamed(given, chains, &names, hops)?, given.as_str()),
        };
        for name in to {
            if paths.insert(name.clone(), path.to_owned()).is_some() {
                return Err(format!("--nginx gives the files of hop \"{name}\" twice"));
            }
        }
    }
    Ok(paths)
}

/// The hops that a path without a name means: the only nginx hop of each chain.
fn unnamed(
    given: &str,
    chains: &[&Settings],
    names: &[String],
    hops: impl Fn(&Settings) -> Vec<String>,
) -> Result<Vec<String>, String> {
    let given = printable(given);
    if names.is_empty() {
        let kinds = "kind = \"nginx\" or \"ingress_nginx\"";
        return Err(format!(
            "--nginx {given} belongs to no hop: no chain that is looked at has one of {kinds}"
        ));
    }
    if let Some((name, _)) = given.split_once('=')
        && !PathBuf::from(&given).exists()
    {
        return Err(format!("no nginx hop is named \"{name}\"; there are: {}", names.join(", ")));
    }
    match chains.iter().find(|settings| hops(settings).len() > 1) {
        Some(settings) => Err(format!(
            "chain \"{}\" has several nginx hops: say whose files they are, with {}",
            settings.name,
            hops(settings)
                .iter()
                .map(|n| format!("--nginx {n}={given}"))
                .collect::<Vec<_>>()
                .join(" or ")
        )),
        None => Ok(names.to_vec()),
    }
}

/// Reads each path once.
fn read(paths: &Paths) -> Result<BTreeMap<String, Nginx>, ChainError> {
    let mut files = BTreeMap::new();
    for path in paths.values() {
        if !files.contains_key(path) {
            let nginx = Nginx::read(&PathBuf::from(path)).map_err(ChainError::Nginx)?;
            if nginx.routes.is_empty() {
                return Err(ChainError::Nothing(no_route(path, &nginx)));
            }
            files.insert(path.clone(), nginx);
        }
    }
    Ok(files)
}

async fn ask(settings: &Settings, hops: &Hops<'_>, not_read: &mut Vec<String>) -> Vec<Known> {
    let mut known = Vec::new();
    for (at, hop) in settings.hops.iter().enumerate() {
        let Some(id) = &hop.aws else { continue };
        match hops.known(at, hop.product.kind, id).await {
            Ok(some) => known.extend(some),
            Err(fault) => not_read.push(format!("{}: {fault}. {}", hop.name, fault.advice())),
        }
    }
    known
}

/// The chain's figures on each way through its nginx hops.
fn ways(
    settings: &Settings,
    paths: &Paths,
    files: &BTreeMap<String, Nginx>,
) -> Result<Vec<Variant>, String> {
    let mut ways = Vec::<Variant>::new();
    for (at, hop) in settings.hops.iter().enumerate().filter(|(_, hop)| hop.product.is_nginx()) {
        let Some(nginx) = paths.get(&hop.name).and_then(|path| files.get(path)) else { continue };
        let variant = |set: &Set<'_>| Variant {
            known: set.known(at),
            places: set.routes.iter().map(|route| place(&hop.name, route)).collect(),
        };
        let own: Vec<Variant> = nginx.sets(hop.version).iter().map(variant).collect();
        if own.is_empty() {
            continue;
        }
        if !ways.is_empty() && ways.len() * own.len() > MAX_WAYS {
            return Err(format!(
                "the nginx hops of chain \"{}\" have more than {MAX_WAYS} sets of values together: give the files of one of them at a time",
                settings.name
            ));
        }
        ways = if ways.is_empty() { own } else { combined(&ways, &own) };
    }
    Ok(ways)
}

/// Every combination of the one with the other.
fn combined(outer: &[Variant], inner: &[Variant]) -> Vec<Variant> {
    let both = |one: &Variant, other: &Variant| Variant {
        known: one.known.iter().chain(&other.known).cloned().collect(),
        places: one.places.iter().chain(&other.places).cloned().collect(),
    };
    outer.iter().flat_map(|one| inner.iter().map(move |other| both(one, other))).collect()
}

fn place(hop: &str, route: &Route) -> Place {
    Place {
        hop: hop.to_owned(),
        server: route.server().iter().map(|name| printable(name)).collect(),
        location: printable(route.location()),
        target: printable(&route.target),
        file: route.place.file.to_string(),
        line: route.place.line,
    }
}

/// Why nginx's files have no timeouts: what was read, and what was not.
fn no_route(path: &str, nginx: &Nginx) -> String {
    let count = nginx.files.len();
    let files = if count == 1 { "file that was" } else { "files that were" };
    let notes: Vec<String> = nginx.notes.iter().map(|note| format!("\n  {note}")).collect();
    format!(
        "{} passes no request on: no proxy_pass or the like in the {count} {files} read{}",
        printable(path),
        notes.concat()
    )
}

fn nothing(all: &[Settings], name: Option<&str>) -> String {
    let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
    match name {
        Some(name) if !names.is_empty() => {
            let name = printable(name);
            format!("no [[chain]] is named \"{name}\"; there are: {}", names.join(", "))
        }
        _ => "the config has no [[chain]]: config.example.toml shows one".to_owned(),
    }
}
