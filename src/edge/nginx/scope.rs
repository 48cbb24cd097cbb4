//! What holds in a block: nginx's inheritance. Pure.
//!
//! A directive holds in its block and in all blocks in it, wherever in its block
//! it stands, until an inner block has one of the same name. So a block is first
//! read as a whole, and then walked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::syntax::{Directive, Place, Problem};
use super::time;

/// Directives with a time as their first argument, and how many arguments they
/// take at most.
const TIMES: [(&str, usize); 21] = [
    ("proxy_connect_timeout", 1),
    ("proxy_read_timeout", 1),
    ("proxy_send_timeout", 1),
    ("proxy_next_upstream_timeout", 1),
    ("fastcgi_connect_timeout", 1),
    ("fastcgi_read_timeout", 1),
    ("fastcgi_send_timeout", 1),
    ("fastcgi_next_upstream_timeout", 1),
    ("uwsgi_connect_timeout", 1),
    ("uwsgi_read_timeout", 1),
    ("uwsgi_send_timeout", 1),
    ("uwsgi_next_upstream_timeout", 1),
    ("grpc_connect_timeout", 1),
    ("grpc_read_timeout", 1),
    ("grpc_send_timeout", 1),
    ("grpc_next_upstream_timeout", 1),
    ("keepalive_timeout", 2),
    ("keepalive_time", 1),
    ("send_timeout", 1),
    ("client_body_timeout", 1),
    ("client_header_timeout", 1),
];
/// Directives with words, and those with a number.
const WORDS: [&str; 4] =
    ["proxy_next_upstream", "fastcgi_next_upstream", "uwsgi_next_upstream", "grpc_next_upstream"];
const NUMBERS: [&str; 5] = [
    "proxy_next_upstream_tries",
    "fastcgi_next_upstream_tries",
    "uwsgi_next_upstream_tries",
    "grpc_next_upstream_tries",
    "keepalive_requests",
];
/// A time, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Time {
    /// The time.
    pub length: Duration,
    /// Where.
    pub place: Place,
}

/// What holds in a block.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    pub(super) server: Arc<[String]>,
    pub(super) location: String,
    pub(super) times: BTreeMap<&'static str, Time>,
    pub(super) words: BTreeMap<&'static str, (Vec<String>, Place)>,
    pub(super) numbers: BTreeMap<&'static str, (u32, Place)>,
}

impl Scope {
    /// Takes what a block says itself, over what holds around it.
    pub(super) fn enter(&mut self, block: &[Directive]) -> Result<(), Problem> {
        let mut seen = BTreeSet::new();
        for directive in block.iter().filter(|directive| directive.block.is_none()) {
            let known = self.take(directive)?;
            if let Some(name) = known
                && !seen.insert(name)
            {
                return problem(directive, "directive is duplicate");
            }
        }
        Ok(())
    }

    /// What holds where an inner block begins.
    pub(super) fn within(&self, directive: &Directive) -> Self {
        let mut scope = self.clone();
        match directive.name() {
            "location" => {
                if !scope.location.is_empty() {
                    scope.location.push(' ');
                }
                scope.location.push_str(&directive.args().join(" "));
            }
            "server" => scope.server = Arc::default(),
            _ => {}
        }
        scope
    }

    /// Takes a directive, and says its name if it is one that can stand once.
    fn take(&mut self, directive: &Directive) -> Result<Option<&'static str>, Problem> {
        let named = |name: &&&'static str| **name == directive.name();
        if let Some((name, most)) = TIMES.iter().find(|(name, _)| *name == directive.name()) {
            let time = time_of(directive, *most)?;
            self.times.insert(name, time);
            return Ok(Some(name));
        }
        if let Some(name) = NUMBERS.iter().find(named) {
            self.numbers.insert(name, (number(directive)?, directive.place.clone()));
            return Ok(Some(name));
        }
        if let Some(name) = WORDS.iter().find(named) {
            self.words.insert(name, (directive.args().to_vec(), directive.place.clone()));
        }
        if directive.name() == "server_name" {
            self.server = self.server.iter().chain(directive.args()).cloned().collect();
        }
        Ok(None)
    }
}

fn time_of(directive: &Directive, most: usize) -> Result<Time, Problem> {
    let args = directive.args();
    if !(1..=most).contains(&args.len()) {
        return arguments(directive);
    }
    match args.first().and_then(|text| time::parse(text)) {
        Some(length) => Ok(Time { length, place: directive.place.clone() }),
        None => problem(directive, "directive invalid value"),
    }
}

/// The number that a directive gives.
pub(super) fn number(directive: &Directive) -> Result<u32, Problem> {
    match directive.args() {
        [text] | [text, _] if directive.name() == "keepalive" => number_of(directive, text),
        [text] => number_of(directive, text),
        _ => arguments(directive),
    }
}

fn number_of(directive: &Directive, text: &str) -> Result<u32, Problem> {
    match text.parse() {
        Ok(number) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(number),
        _ => problem(directive, "directive invalid value"),
    }
}

/// A directive with more or fewer arguments than it takes.
pub(super) fn arguments<T>(directive: &Directive) -> Result<T, Problem> {
    let what = format!("invalid number of arguments in \"{}\" directive", directive.name());
    Err(Problem { place: directive.place.clone(), what })
}

fn problem<T>(directive: &Directive, what: &str) -> Result<T, Problem> {
    let what = format!("\"{}\" {what}", directive.name());
    Err(Problem { place: directive.place.clone(), what })
}
