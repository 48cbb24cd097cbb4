//! A chain with all the sets of values that hold in it.
//!
//! nginx passes requests on in many places with figures of their own. The chain is
//! checked with each set of them, and what is said of several is said once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::chain::finding::{Finding, Rule, Severity};
use crate::chain::hop::Hop;
use crate::chain::settings::Settings;
use crate::chain::{Chain, Checkup, Known};

/// A place of a hop's own files, such as a location of nginx.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The hop's name.
    pub hop: String,
    /// The names of its server, the first one first.
    pub server: Vec<String>,
    /// Which requests, in the words of the file; empty where it says nothing.
    pub location: String,
    /// Where they are passed on to, as written.
    pub target: String,
    /// The file.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
}

/// What holds in some places.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// The figures.
    pub known: Vec<Known>,
    /// The places.
    pub places: Vec<Place>,
}

/// A set of values, and how good the chain is with them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Set {
    /// Its number, from 1 for the worst.
    pub set: usize,
    /// The worst that is found with it.
    pub severity: Severity,
    /// The hops that they are values of.
    pub hops: Vec<Hop>,
    /// Where they hold.
    pub places: Vec<Place>,
}

/// A finding, and the sets that it is about.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Told {
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
    /// The numbers of the sets; empty where there are none.
    pub sets: Vec<usize>,
}

/// A chain with everything that is said of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Survey {
    /// The worst of all findings.
    pub severity: Severity,
    /// The chain, with the values of the first set where there are several.
    pub chain: Chain,
    /// The sets of values of its files, the worst first; empty without files.
    pub sets: Vec<Set>,
    /// What is said, the worst first.
    pub findings: Vec<Told>,
}

impl Survey {
    /// Checks a chain with `known` and with each of the variants.
    #[must_use]
    pub fn of(settings: &Settings, known: &[Known], variants: Vec<Variant>) -> Self {
        if variants.is_empty() {
            let Checkup { chain, findings } = Chain::of(settings, known).check();
            let notified = |finding| Told { finding, sets: Vec::new() };
            return Self::new(chain, Vec::new(), findings.into_iter().map(notified).collect());
        }
        let check = |variant: Variant| {
            let all: Vec<Known> = known.iter().cloned().chain(variant.known).collect();
            (Chain::of(settings, &all).check(), variant.places)
        };
        let mut checked: Vec<_> = variants.into_iter().map(check).collect();
        checked.sort_by_cached_key(|(checkup, _)| Reverse(weight(&checkup.findings)));
        let chain = checked.first().map(|(checkup, _)| checkup.chain.clone());
        let mut sets = Vec::with_capacity(checked.len());
        let mut said = Said::default();
        for (set, (Checkup { chain, findings }, places)) in (1..).zip(checked) {
            let named: BTreeSet<&str> = places.iter().map(|place| place.hop.as_str()).collect();
            let hops = chain.hops.into_iter().filter(|hop| named.contains(hop.name.as_str()));
            sets.push(Set { set, severity: worst(&findings), hops: hops.collect(), places });
            for finding in findings {
                said.add(finding, set);
            }
        }
        Self::new(chain.unwrap_or_else(|| Chain::of(settings, known)), sets, said.sorted())
    }

    fn new(chain: Chain, sets: Vec<Set>, findings: Vec<Told>) -> Self {
        let severities = findings.iter().map(|notified| notified.finding.severity);
        let severity = severities.max().unwrap_or(Severity::Ok);
        Self { severity, chain, sets, findings }
    }
}

/// How many findings of each severity, the worst first.
pub(super) fn weight(findings: &[Finding]) -> [usize; 3] {
    [Severity::Broken, Severity::Weak, Severity::Unknown]
        .map(|severity| findings.iter().filter(|finding| finding.severity == severity).count())
}

fn worst(findings: &[Finding]) -> Severity {
    findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok)
}

/// What was said of all sets, each once.
#[derive(Default)]
struct Said {
    all: Vec<Told>,
    by_text: BTreeMap<(Rule, String), Vec<usize>>,
}

impl Said {
    fn add(&mut self, finding: Finding, set: usize) {
        let alike = self.by_text.entry((finding.rule, finding.text.clone())).or_default();
        let same = |place: &&usize| self.all.get(**place).is_some_and(|t| t.finding == finding);
        let known = alike.iter().find(same).copied();
        if let Some(notified) = known.and_then(|place| self.all.get_mut(place)) {
            notified.sets.push(set);
        } else {
            alike.push(self.all.len());
            self.all.push(Told { finding, sets: vec![set] });
        }
    }

    /// The worst first, then from the client inwards.
    fn sorted(mut self) -> Vec<Told> {
        self.all.sort_by_key(|notified| {
            (Reverse(notified.finding.severity), notified.finding.at, notified.finding.rule)
        });
        self.all
    }
}
