//! From figures and configuration to a cause: what is wrong, why, and what to do next.
//!
//! [`diagnose`] is pure: evidence in, ranked findings out. A cause is named only where
//! the figures show trouble; what is odd in the configuration without trouble is a
//! note. Every check scores itself and all are asked, so that the second candidate is
//! always known. What was not read is stated, never guessed.

mod balancer;
pub mod cause;
mod checks;
mod closing;
mod connection;
pub mod deployments;
pub mod evidence;
pub mod facts;
pub mod finding;
pub mod fix;
mod health_check;
mod lambda;
mod latency;
pub mod network;
mod notes;
mod queueing;
mod registration;
pub mod render;
pub mod rise;
pub mod series;
pub mod split;
#[cfg(test)]
mod tests;
mod wait;
mod words;

use serde::Serialize;

use crate::time::Minute;

use crate::gateway::evidence::Measure;
use cause::Cause;
use evidence::{Evidence, NotChecked, TargetGroup};
use facts::Facts;
use finding::{Confidence, Finding, POSSIBLE};

/// At most this many candidates are named.
const MAX_FINDINGS: usize = 5;
/// Around this idle timeout, seconds, a failed connection and a silent target take as
/// long as each other.
const CONNECT_TIMEOUT: f64 = 10.0;

/// Whether something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing is.
    Healthy,
    /// Something is, and it is likely or certain why.
    Findings,
    /// Something is, and more than one cause is possible; or too little is known; or an
    /// incident is open, and the figures do not show it.
    CouldNotTell,
}

/// A minute as people and machines both read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub Minute);

impl Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What is wrong with one gateway at one moment, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    /// The gateway's name.
    pub gateway: String,
    /// The moment that was looked at.
    pub at: Moment,
    /// Since when, as far as the figures say; `None` without trouble.
    pub since: Option<Moment>,
    /// Whether something is wrong.
    pub verdict: Verdict,
    /// The candidates, the most probable first.
    pub findings: Vec<Finding>,
    /// What would tell the first two apart.
    pub told_apart: Option<String>,
    /// What is not well set up, and no cause.
    pub notes: Vec<String>,
    /// What was not looked at, and what would help.
    pub not_checked: Vec<NotChecked>,
}

impl Diagnosis {
    /// The most probable cause, unless nothing is wrong.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.findings.first().map(|finding| finding.cause)
    }
}

/// What is wrong by this evidence.
#[must_use]
pub fn diagnose(evidence: &Evidence) -> Diagnosis {
    let facts = Facts::of(evidence);
    let findings = ranked(&facts);
    Diagnosis {
        gateway: evidence.gateway.clone(),
        at: Moment(evidence.figures.end()),
        since: (facts.is_trouble() || !findings.is_empty()).then(|| Moment(facts.since())),
        verdict: verdict(&facts, &findings),
        told_apart: told_apart(&facts, &findings),
        notes: notes::notes(&facts, &findings),
        not_checked: not_checked(evidence),
        findings,
    }
}

/// What the checks found, the most probable first; the table's order breaks a tie.
fn ranked(facts: &Facts) -> Vec<Finding> {
    let mut findings = checks::findings(facts);
    findings.retain(|finding| finding.score >= POSSIBLE);
    findings.sort_by(|one, other| other.score.total_cmp(&one.score));
    findings.truncate(MAX_FINDINGS);
    findings
}

fn verdict(facts: &Facts, findings: &[Finding]) -> Verdict {
    match findings.first() {
        Some(first) if first.confidence >= Confidence::Likely => Verdict::Findings,
        Some(_) => Verdict::CouldNotTell,
        None if facts.is_trouble() || !is_seen(facts) || facts.evidence.began.is_some() => {
            Verdict::CouldNotTell
        }
        None => Verdict::Healthy,
    }
}

/// Whether there are figures to call a gateway healthy by: there were requests, and errors
/// would have been seen.
fn is_seen(facts: &Facts) -> bool {
    let errors = [Measure::Elb502, Measure::Elb503, Measure::Elb504];
    let would_show = errors.iter().all(|measure| facts.knows(*measure));
    would_show && facts.handled_now() + facts.handled_before() > 0.0
}

fn told_apart(facts: &Facts, findings: &[Finding]) -> Option<String> {
    let [first, second, ..] = findings else { return None };
    let (first, second) = (first.cause, second.cause);
    let mut text = format!(
        "It is {} if {}; it is {} if {}.",
        first.name(),
        first.telltale(),
        second.name(),
        second.telltale()
    );
    if (facts.idle - CONNECT_TIMEOUT).abs() <= 2.0 && facts.excess(Measure::Elb504) > 0.0 {
        text.push_str(" The idle timeout is about the 10 s of the connection timeout, so that the time to a 504 tells nothing here; TargetConnectionErrorCount does.");
    }
    Some(text)
}

/// Every part that was not read, each once.
fn not_checked(evidence: &Evidence) -> Vec<NotChecked> {
    let network = &evidence.network;
    let mut missing: Vec<NotChecked> = [
        evidence.load_balancer.as_ref().err(),
        evidence.target_groups.as_ref().err(),
        network.security_groups.as_ref().err(),
        network.subnets.as_ref().err(),
        network.acls.as_ref().err(),
        network.route_tables.as_ref().err(),
        network.vpc_blocks.as_ref().err(),
        network.interfaces.as_ref().err(),
        evidence.services.as_ref().err(),
        evidence.functions.as_ref().err(),
    ]
    .into_iter()
    .flatten()
    .cloned()
    .collect();
    missing.extend(evidence.load_balancer.iter().filter_map(|one| one.attributes.clone().err()));
    for group in evidence.target_groups.as_deref().unwrap_or_default() {
        missing.extend(group.attributes.as_ref().err().cloned());
        missing.extend(group.targets.as_ref().err().cloned());
    }
    for service in evidence.services.as_deref().unwrap_or_default() {
        missing.extend(service.containers.as_ref().err().cloned());
        missing.extend(service.stopped.as_ref().err().cloned());
    }
    missing.sort_unstable();
    missing.dedup();
    missing.extend(too_many(evidence));
    missing
}

/// What of many target groups was left out.
fn too_many(evidence: &Evidence) -> Vec<NotChecked> {
    let read = evidence.target_groups.as_deref().map_or(0, <[TargetGroup]>::len);
    let with_figures = series::groups_with_figures(evidence);
    let left = |left: usize, all: usize, what: &str, most: usize, first: &str| {
        (left > 0).then(|| NotChecked {
            what: format!("{what}{left} of {all} target groups"),
            because: format!("no more than {most} are looked at, {first} first"),
            remedy: "compare them in the console if nothing else explains the errors".to_owned(),
        })
    };
    let groups = left(
        evidence.left_out,
        read + evidence.left_out,
        "",
        read,
        "those that listeners forward to",
    );
    let figures = left(
        if with_figures > 0 { read.saturating_sub(with_figures) } else { 0 },
        read,
        "figures of ",
        with_figures,
        "those with unhealthy targets",
    );
    groups.into_iter().chain(figures).collect()
}
