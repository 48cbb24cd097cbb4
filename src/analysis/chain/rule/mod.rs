//! The rules: one pure function each, from a chain to what it says of it.
//!
//! A finding names every hop that it depends on. So a figure that becomes known
//! can bring findings about its own hop and take findings away, and never makes
//! something else look worse.

mod endless;
mod keeping;
mod limits;
mod retrying;
mod unknown;
mod waiting;

use serde::Serialize;

use super::Chain;
use super::advice::Advice;
use super::figure::{Figure, Limit, Timer};
use super::hop::Hop;
use super::product::{Role, Source};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is wrong; it is worth knowing.
    Ok,
    /// A figure is missing, so that nothing can be said.
    Unknown,
    /// Something goes wrong for some requests, or in vain.
    Weak,
    /// The order is wrong: requests fail for no other reason.
    Broken,
}

impl Severity {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Weak => "weak",
            Self::Broken => "broken",
        }
    }
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A hop gives up before the one behind it does.
    OuterGivesUpFirst,
    /// Connections are closed that a caller still wants to reuse.
    KeepAliveTooShort,
    /// A figure that the product does not take.
    OutOfBounds,
    /// The config says other than what was found out.
    ConfigDiffers,
    /// Connecting takes longer than the caller waits.
    ConnectsTooLong,
    /// Attempts take longer than the caller waits, or multiply.
    RetriesMultiply,
    /// Nothing ends the work that nobody waits for any more.
    Endless,
    /// A figure is missing.
    NotKnown,
    /// What no request can outlive.
    Ceiling,
    /// One counts the whole request, the other the silence in it.
    SemanticsDiffer,
}

impl Rule {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OuterGivesUpFirst => "outer_gives_up_first",
            Self::KeepAliveTooShort => "keep_alive_too_short",
            Self::OutOfBounds => "out_of_bounds",
            Self::ConfigDiffers => "config_differs",
            Self::ConnectsTooLong => "connects_too_long",
            Self::RetriesMultiply => "retries_multiply",
            Self::Endless => "endless",
            Self::NotKnown => "not_known",
            Self::Ceiling => "ceiling",
            Self::SemanticsDiffer => "semantics_differ",
        }
    }
}

/// One thing to say about a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub rule: Rule,
    /// How bad it is.
    pub severity: Severity,
    /// The hops that it depends on, by name, client first.
    pub hops: Vec<String>,
    /// The hop that it is drawn under, counted from 0 at the client.
    pub at: usize,
    /// A few words with the figures, for a drawing.
    pub headline: String,
    /// The whole story, in one or two sentences.
    pub text: String,
    /// What to do, the best first.
    pub advice: Vec<Advice>,
    /// Where the fact behind it stands.
    pub source: Option<&'static Source>,
}

/// The rules, in no order that matters.
const RULES: [fn(&Chain) -> Vec<Finding>; 11] = [
    waiting::outer_gives_up_first,
    waiting::semantics_differ,
    keeping::keep_alive_too_short,
    limits::out_of_bounds,
    limits::config_differs,
    limits::ceiling,
    retrying::connects_too_long,
    retrying::retries_multiply,
    endless::endless,
    unknown::patience_not_known,
    unknown::keep_alive_not_known,
];

/// What all rules say: the worst first, then from the client inwards.
pub(super) fn findings(chain: &Chain) -> Vec<Finding> {
    let mut findings: Vec<_> = RULES.iter().flat_map(|rule| rule(chain)).collect();
    findings.sort_by(|a, b| {
        b.severity.cmp(&a.severity).then(a.at.cmp(&b.at)).then(a.rule.cmp(&b.rule))
    });
    findings
}

/// A finding about some hops, by their places.
fn finding(chain: &Chain, rule: Rule, severity: Severity, places: &[usize]) -> Finding {
    let name = |at: &usize| Some(chain.hops.get(*at)?.name.clone());
    Finding {
        rule,
        severity,
        hops: places.iter().filter_map(name).collect(),
        at: places.iter().copied().min().unwrap_or_default(),
        headline: String::new(),
        text: String::new(),
        advice: Vec::new(),
        source: None,
    }
}

/// The nearest hop outside of `at` that gives up at some time.
fn outer_patience(chain: &Chain, at: usize) -> Option<(usize, &Hop, Timer, &Figure)> {
    let mut outside = chain.hops.iter().enumerate().take(at).rev();
    outside.find_map(|(place, hop)| with_patience(place, hop))
}

/// The nearest hop behind `at` that gives up at some time. One that only passes
/// bytes on does not count: its end is not the end of any work.
fn inner_patience(chain: &Chain, at: usize) -> Option<(usize, &Hop, Timer, &Figure)> {
    let behind = chain.hops.iter().enumerate().skip(at + 1);
    let mut behind = behind.filter(|(_, hop)| hop.product.role != Role::Tunnel);
    behind.find_map(|(place, hop)| with_patience(place, hop))
}

fn with_patience(place: usize, hop: &Hop) -> Option<(usize, &Hop, Timer, &Figure)> {
    hop.finite_patience().map(|(timer, figure)| (place, hop, timer, figure))
}

/// `60 s without a byte (default of nginx)`, `29 s in all (config)`.
fn waited(timer: Timer, figure: &Figure) -> String {
    let how = if timer == Timer::Total { "in all" } else { "without a byte" };
    format!("{} {how} ({})", figure.limit, figure.origin)
}

/// What whoever waits outside gets when a timer of a hop fires.
fn answer(hop: &Hop, timer: Timer) -> &'static str {
    match (hop.product.spec(timer), hop.product.role) {
        (Some(spec), _) => spec.answers,
        (None, Role::Store) => "an error of the query",
        (None, _) => "an error",
    }
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

/// The hops behind a place, and what they do, in the right number.
fn working_behind(chain: &Chain, at: usize, one: &str, many: &str) -> String {
    let names: Vec<_> = chain.hops.iter().skip(at + 1).map(|hop| hop.name.as_str()).collect();
    let verb = if names.len() == 1 { one } else { many };
    format!("{} {verb}", listed(&names))
}

/// Whether a limit is a length at or beyond another one.
fn reaches(limit: Limit, other: Limit) -> bool {
    other != Limit::Never && limit >= other
}
