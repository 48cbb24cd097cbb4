//! The capacity report: how much of its timeout each gateway used in a week, where
//! that leads, and what to do first.
//!
//! Pure and small: a function of what is in memory anyway. A gateway is read once
//! (`week`), set beside its week before (`row`) and added up (`fleet`);
//! the rest says it, as text and markdown (`page`), as short lines (`chat`) and
//! as JSON (`machine`). What is not known is said to be not known, and is in no
//! figure as zero. `docs/report.md` defines every figure.

mod advice;
mod chat;
mod fleet;
mod limits;
mod machine;
mod page;
mod period;
mod row;
#[cfg(test)]
mod tests;
mod week;
mod words;
mod write;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::detect::Evaluation;
use crate::gateway::{Gateway, Identity};
use crate::series::history::{QuarterHour, QuarterHours};
use crate::state::GatewayState;
use crate::time::Minute;
use fleet::Fleet;
use period::Period;
use row::{CapacityRow, Change};

pub use machine::SCHEMA;

/// What one gateway's part of the report is made of.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Which gateway, with its present timeout.
    pub gateway: &'a Gateway,
    /// Its last fourteen days.
    pub history: &'a QuarterHours,
    /// Its episodes and stretches of trouble, where they are kept.
    pub state: Option<&'a GatewayState>,
    /// What the detectors say of the latest minute: for their forecasts.
    pub evaluations: &'a [Evaluation],
    /// The timeouts that it had before, as far as known: since when, and how long,
    /// seconds. The present one may be the last of them.
    pub timeouts: &'a [(Minute, f64)],
    /// The mean number of healthy targets in the week before, and now, where known.
    pub healthy: Option<(f64, f64)>,
    /// Whether it has no data at present.
    pub without_data: bool,
}

/// What nearmiss itself cost in the period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bill {
    /// Metrics that CloudWatch bills for its requests.
    pub billed_metrics: u64,
    /// What they cost, US dollars.
    pub dollars: f64,
}

/// The capacity report of some gateways.
#[derive(Debug, Clone, PartialEq)]
pub struct Digest {
    end: Minute,
    period: Period,
    bill: Option<Bill>,
    host: String,
    fleet: Fleet,
    /// Those that came close, least headroom first.
    close: Vec<CapacityRow>,
    /// Those expected to reach their timeout, the soonest first.
    expected: Vec<CapacityRow>,
    /// Those with an open episode, the worst first.
    open: Vec<CapacityRow>,
    /// What changed, by gateway.
    changes: Vec<(String, Change)>,
    /// Gateways without data, by name.
    without_data: Vec<String>,
    /// Gateways of which a part of the period is known, and how many days.
    partly: Vec<(String, f64)>,
}

/// The report, written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Written {
    /// As plain text.
    pub text: String,
    /// As markdown.
    pub markdown: String,
    /// For programs; see [`SCHEMA`].
    pub json: serde_json::Value,
}

impl From<&Digest> for Written {
    fn from(digest: &Digest) -> Self {
        Self { text: digest.text(), markdown: digest.markdown(), json: digest.machine() }
    }
}

impl Digest {
    /// The report on the `days` (1 to 14) that end with the last quarter-hour that is over
    /// at `end`. A history has fourteen days, so that more than seven have little or
    /// nothing to be compared with.
    #[must_use]
    pub fn of(facts: &[Facts<'_>], end: Minute, days: u32, bill: Option<Bill>, host: &str) -> Self {
        let period = Period::ending(end, days);
        let named = named(facts);
        let mut digest = Self {
            end,
            period,
            bill: bill.filter(|bill| bill.dollars.is_finite() && bill.dollars >= 0.0),
            host: words::cut(host),
            fleet: Fleet::default(),
            close: Vec::new(),
            expected: Vec::new(),
            open: Vec::new(),
            changes: Vec::new(),
            without_data: Vec::new(),
            partly: Vec::new(),
        };
        for (label, facts) in &named {
            digest.add(CapacityRow::of(facts, label.clone(), period));
        }
        digest.fleet.find_busiest(&named);
        digest.sort();
        digest
    }

    /// The same for the same end and host.
    #[must_use]
    pub fn id(&self) -> String {
        format!("digest/{}/{}", self.host, self.end)
    }

    /// The minute at the end of which it is made.
    #[must_use]
    pub fn end(&self) -> Minute {
        self.end
    }

    /// One line: what it is, of how many gateways, and of which days.
    #[must_use]
    pub fn title(&self) -> String {
        words::title(self)
    }

    /// One sentence: the week in figures, beside the week before where that is known.
    #[must_use]
    pub fn headline(&self) -> String {
        words::headline(self)
    }

    /// The report as plain text.
    #[must_use]
    pub fn text(&self) -> String {
        write::text(&page::blocks(self))
    }

    /// The report as markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        write::markdown(&page::blocks(self))
    }

    /// The report in short plain lines for a chat, below its title: at most 2,500 characters,
    /// and how many lines were left out.
    #[must_use]
    pub fn chat(&self) -> String {
        chat::lines(self)
    }

    /// The report for programs; see [`SCHEMA`].
    #[must_use]
    pub fn machine(&self) -> serde_json::Value {
        machine::value(self)
    }

    /// The gateways that came close to their timeout, least headroom first.
    pub fn closest(&self) -> impl Iterator<Item = &Identity> {
        self.close.iter().map(|standing| &standing.id)
    }

    /// The beginning of the period before, of the period, and its end.
    #[must_use]
    pub fn weeks(&self) -> [Minute; 3] {
        [self.period.before().from, self.period.from, self.period.end].map(QuarterHour::start)
    }

    /// How many days it covers.
    fn days(&self) -> u32 {
        self.period.length() / 96
    }

    fn add(&mut self, mut standing: CapacityRow) {
        self.fleet.add(&standing);
        let label = || standing.label.clone();
        self.changes.extend(standing.changes.iter().map(|change| (label(), *change)));
        if standing.without_data {
            self.without_data.push(label());
        }
        if standing.now.known > 0 && !standing.now.is_whole() {
            self.partly.push((label(), standing.now.known_days()));
        }
        standing.now.hours = standing.now.busiest().into_iter().collect();
        standing.before.hours = Vec::new();
        if standing.expected.is_some() {
            self.expected.push(standing.clone());
        }
        if standing.episode.is_some() {
            self.open.push(standing.clone());
        }
        if standing.came_close() {
            self.close.push(standing);
        }
    }

    /// Puts the lists in order; gateways are added by key, which decides what is alike.
    fn sort(&mut self) {
        let usage = |s: &CapacityRow| s.usage().unwrap_or(0.0);
        let highest = |s: &CapacityRow| s.now.highest().map_or(0.0, |peak| s.share(peak));
        self.close
            .sort_by(|a, b| usage(b).total_cmp(&usage(a)).then(highest(b).total_cmp(&highest(a))));
        let soon = |s: &CapacityRow| s.expected.map_or(f64::INFINITY, |e| e.left.mid);
        self.expected.sort_by(|a, b| soon(a).total_cmp(&soon(b)));
        let bad = |s: &CapacityRow| s.episode.as_ref().map(|e| (e.severity, Reverse(e.began)));
        self.open.sort_by_key(|s| Reverse(bad(s)));
    }
}

/// The gateways by key, each with a short name that no other has.
fn named<'f, 'a>(facts: &'f [Facts<'a>]) -> Vec<(String, &'f Facts<'a>)> {
    let mut sorted: Vec<(String, &Facts<'_>)> =
        facts.iter().map(|facts| (facts.gateway.id.key(), facts)).collect();
    sorted.sort_by(|a, b| a.1.gateway.id.name.cmp(&b.1.gateway.id.name).then(a.0.cmp(&b.0)));
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for (_, facts) in &sorted {
        *taken.entry(words::name(&facts.gateway.id)).or_default() += 1;
    }
    let label = |facts: &Facts<'_>| {
        let name = words::name(&facts.gateway.id);
        let is_alone = taken.get(&name).is_none_or(|count| *count == 1);
        if is_alone { name } else { format!("{name} ({})", words::place(&facts.gateway.id)) }
    };
    sorted.into_iter().map(|(_, facts)| (label(facts), facts)).collect()
}
