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

use crate::chain::Chain;
use crate::chain::figure::{Figure, Limit, Timer};
use crate::chain::finding::{Draft, Finding, Rule, Severity};
use crate::chain::hop::Hop;
use crate::chain::product::Role;

/// The rules, in no order that matters.
const RULES: [fn(&Chain) -> Vec<Draft>; 11] = [
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
pub(super) fn drafts(chain: &Chain) -> Vec<Draft> {
    let mut drafts: Vec<_> = RULES.iter().flat_map(|rule| rule(chain)).collect();
    drafts.sort_by(|Draft { finding: a, .. }, Draft { finding: b, .. }| {
        b.severity.cmp(&a.severity).then(a.at.cmp(&b.at)).then(a.rule.cmp(&b.rule))
    });
    drafts
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

/// How a wait ends: by a timer of a hop, as often as it is tried.
#[derive(Debug, Clone, Copy)]
struct Waiting<'a> {
    at: usize,
    hop: &'a Hop,
    timer: Timer,
    figure: &'a Figure,
    /// How many attempts, one after the other.
    tries: u32,
    /// Who tries again, if not the hop itself.
    trier: Option<(usize, &'a Hop)>,
}

impl<'a> Waiting<'a> {
    fn by(at: usize, hop: &'a Hop, timer: Timer, figure: &'a Figure) -> Self {
        Self { at, hop, timer, figure, tries: 1, trier: None }
    }

    /// Until the first attempt ends.
    fn once(&self) -> Limit {
        self.figure.limit
    }

    /// Until all of them have ended.
    fn all(&self) -> Limit {
        self.figure.limit.times(self.tries)
    }

    /// Whether it ends in a closed connection, after which a caller that tries again
    /// does so, and not in an answer.
    fn closes(&self) -> bool {
        self.trier.is_none()
            && self.timer == Timer::Total
            && self
                .hop
                .product
                .spec(self.timer)
                .is_some_and(|spec| spec.answers.starts_with(CLOSED))
    }

    /// The same wait, seen from outside of a hop that may try again.
    fn through(self, at: usize, hop: &'a Hop) -> Self {
        let tries = if self.closes() { hop.repeated(self.once()) } else { 1 };
        if tries > 1 { Self { tries, trier: Some((at, hop)), ..self } } else { self }
    }

    /// Who tries, and where.
    fn tried_by(&self) -> (usize, &'a Hop) {
        self.trier.unwrap_or((self.at, self.hop))
    }
}

/// What the answers of timers that close the connection begin with.
const CLOSED: &str = "a closed connection";

/// The hop outside of `at` that gives up first on what is behind it; of several,
/// the nearest.
fn least_outside(chain: &Chain, at: usize) -> Option<Waiting<'_>> {
    let outside = chain.hops.iter().enumerate().take(at).rev();
    outside.filter_map(|(at, hop)| patient(at, hop)).min_by_key(Waiting::once)
}

/// What ends a request first behind `at` when nothing is said there any more, all
/// attempts together; of several, the outermost. A hop that only passes bytes on
/// does not count: its end is not the end of any work.
fn least_behind(chain: &Chain, at: usize) -> Option<Waiting<'_>> {
    let behind = chain.hops.iter().enumerate().skip(at + 1).rev();
    let working = behind.filter(|(_, hop)| hop.product.role != Role::Tunnel);
    working.fold(None, |inner: Option<Waiting<'_>>, (at, hop)| {
        let own = |timer| {
            let (timer, figure) = hop.bound(timer)?;
            let tries = if timer == Timer::Read { hop.tried(timer) } else { 1 };
            let ends = figure.limit != Limit::Never;
            ends.then(|| Waiting { tries, ..Waiting::by(at, hop, timer, figure) })
        };
        let inner = inner.map(|waiting| waiting.through(at, hop));
        [own(Timer::Total), own(Timer::Read), inner].into_iter().flatten().min_by_key(Waiting::all)
    })
}

/// The hop behind `at` that ends a statement first.
fn least_statement(chain: &Chain, at: usize) -> Option<Waiting<'_>> {
    let behind = chain.hops.iter().enumerate().skip(at + 1);
    let ending =
        behind.filter_map(|(at, hop)| Some(Waiting::by(at, hop, Timer::Total, hop.statement()?)));
    ending.min_by_key(Waiting::all)
}

/// A hop that gives up on one attempt at some time.
fn patient(at: usize, hop: &Hop) -> Option<Waiting<'_>> {
    let (timer, figure) = hop.finite_patience()?;
    Some(Waiting::by(at, hop, timer, figure))
}

/// `60 s without a byte (default of nginx)`, `29 s in all (config)`,
/// `3 x 30 s = 90 s without a byte (nginx.conf:3)`.
fn waited(waiting: Waiting<'_>) -> String {
    let Figure { limit, scope, origin } = waiting.figure;
    format!("{} {} ({origin})", sum(waiting.tries, *limit), scope.words())
}

/// `60 s`, `3 x 10 s = 30 s`.
fn sum(tries: u32, limit: Limit) -> String {
    match (tries, limit) {
        (_, Limit::Never) => "ever".to_owned(),
        (1, limit) => limit.to_string(),
        (tries, limit) => format!("{tries} x {limit} = {}", limit.times(tries)),
    }
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

/// The hops behind a place that work, and what they do, in the right number.
fn working_behind(chain: &Chain, at: usize, one: &str, many: &str) -> String {
    let behind = chain.hops.iter().skip(at + 1);
    let working = behind.filter(|hop| hop.product.role != Role::Tunnel);
    let names: Vec<_> = working.map(|hop| hop.name.as_str()).collect();
    let verb = if names.len() == 1 { one } else { many };
    format!("{} {verb}", listed(&names))
}

/// Whether a limit is a length at or beyond another one.
fn reaches(limit: Limit, other: Limit) -> bool {
    other != Limit::Never && limit >= other
}
