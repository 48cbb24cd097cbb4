//! Every timeout must be longer than what is behind it takes.
//!
//! A hop is compared with the least of all that end a request behind it: whoever
//! ends it first answers, and every hop outside of that one gets the answer. What
//! ends only a statement does not end a request, which may run many.

use std::cmp::Ordering;

use crate::chain::Chain;
use crate::chain::figure::Scope;
use crate::chain::finding::{Draft, Finding, Rule, Severity};
use crate::chain::product::Role;
use crate::chain::remedy;
use crate::chain::rule::{
    Waiting, answer, finding, least_behind, least_outside, least_statement, patient, waited,
    working_behind,
};

/// Pairs of kinds of which no document says who gives up.
const UNDOCUMENTED: [(&str, &str); 1] = [("alb", "lambda")];

/// Where an outer hop gives up first, or at the same moment.
pub(super) fn outer_gives_up_first(chain: &Chain) -> Vec<Draft> {
    let found = pairs(chain).filter_map(|(outer, inner)| compare(chain, outer, inner));
    found.chain(pairs(chain).filter_map(|(outer, inner)| covered(chain, outer, inner))).collect()
}

/// A hop that would give up before the next one behind it, if something further
/// behind did not end everything sooner.
fn covered(chain: &Chain, outer: Waiting<'_>, inner: Waiting<'_>) -> Option<Draft> {
    let between = chain.hops.iter().enumerate().take(inner.at).skip(outer.at + 1);
    let mut working = between.filter(|(_, hop)| hop.product.role != Role::Tunnel);
    let next = working.find_map(|(at, hop)| patient(at, hop))?;
    if inner.all() >= outer.once() || next.once() < outer.once() {
        return None;
    }
    let (name, next_name, inside) = (&outer.hop.name, &next.hop.name, &inner.hop.name);
    Some(Draft::of(Finding {
        headline: format!("only {inside} keeps {name} from giving up before {next_name}"),
        text: format!(
            "{name} gives up after {}, and {next_name} only after {}. It does not come to that as long as {inside} ends a request after {}.",
            waited(outer),
            waited(next),
            waited(inner)
        ),
        ..finding(chain, Rule::OuterGivesUpFirst, Severity::Ok, &[outer.at, next.at, inner.at])
    }))
}

/// Where the whole request is counted outside and the silence behind: the inner
/// timeout is shorter and still does not keep the outer one from firing.
pub(super) fn semantics_differ(chain: &Chain) -> Vec<Draft> {
    let differ = |(outer, inner): &(Waiting<'_>, Waiting<'_>)| {
        let (counts, waits) = (outer.figure.scope, inner.figure.scope);
        (counts, waits) == (Scope::Request, Scope::Inactivity) && inner.all() < outer.once()
    };
    let notified = |(outer, inner): (Waiting<'_>, Waiting<'_>)| {
        let (of, behind) = (outer.once(), inner.once());
        let (name, inside) = (&outer.hop.name, &inner.hop.name);
        Draft::of(Finding {
            headline: format!("{name} counts the whole request, {inside} the silence"),
            text: format!(
                "{name} counts the whole request ({of}), {inside} only the silence between two reads ({behind}): a response that trickles passes {inside} and is cut off by {name}."
            ),
            ..finding(chain, Rule::SemanticsDiffer, Severity::Ok, &[outer.at, inner.at])
        })
    };
    pairs(chain).filter(differ).map(notified).collect()
}

/// Each hop that gives up, with what ends a request first behind it; where nothing
/// does, with what ends a statement.
fn pairs(chain: &Chain) -> impl Iterator<Item = (Waiting<'_>, Waiting<'_>)> {
    let waiting = chain.hops.iter().enumerate().filter_map(|(at, hop)| patient(at, hop));
    waiting.filter_map(|outer| {
        let inner = least_behind(chain, outer.at).or_else(|| least_statement(chain, outer.at))?;
        Some((outer, inner))
    })
}

/// A hop that waits for less than one attempt behind it takes. Where it is all attempts
/// together that take longer, another rule says so.
fn compare(chain: &Chain, outer: Waiting<'_>, inner: Waiting<'_>) -> Option<Draft> {
    let (severity, how) = match outer.once().cmp(&inner.once()) {
        Ordering::Less => (Severity::Broken, "gives up first"),
        Ordering::Equal => (Severity::Weak, "gives up at the same moment"),
        Ordering::Greater => return None,
    };
    let (name, inside) = (&outer.hop.name, &inner.hop.name);
    let is_documented = !UNDOCUMENTED.contains(&(outer.hop.product.kind, inner.hop.product.kind));
    let (severity, headline, text) = if is_documented {
        let (of, behind) = (outer.once(), inner.once());
        let headline = format!("{name} {how}: {of}, {inside} {behind}");
        (severity, headline, story(chain, severity, outer, inner))
    } else {
        let headline = format!("whether {name} waits for {inside} is not documented");
        (Severity::Unknown, headline, not_documented(outer, inner))
    };
    let tries = if inner.tries > 1 { inner.tried_by().1.connects() } else { 1 };
    let draft = Draft::of(Finding {
        headline,
        text,
        source: outer.hop.product.spec(outer.timer).map(|spec| spec.source),
        ..finding(chain, Rule::OuterGivesUpFirst, severity, &[outer.at, inner.at])
    });
    let least = least_outside(chain, inner.at).unwrap_or(outer);
    let remedies = [
        remedy::shorter(inner.hop, inner.timer, least.once(), tries),
        remedy::shorter(inner.hop, inner.timer, outer.once(), tries),
        remedy::longer(outer.hop, outer.timer, inner.all()),
    ];
    Some(draft.ended_by(remedies).or(format!(
        "{name} cannot wait longer: make the work shorter, or let the client ask for its result later."
    )))
}

/// A pair of which no document says who gives up.
fn not_documented(outer: Waiting<'_>, inner: Waiting<'_>) -> String {
    format!(
        "{} works for {}, and {} gives up after {}. AWS says that a load balancer waits for a function until it answers or times out, and does not say whether the idle timeout ends that.",
        inner.hop.name,
        waited(inner),
        outer.hop.name,
        waited(outer)
    )
}

fn story(chain: &Chain, severity: Severity, outer: Waiting<'_>, inner: Waiting<'_>) -> String {
    let (name, inside) = (&outer.hop.name, &inner.hop.name);
    let (of, behind) = (waited(outer), waited(inner));
    let does = match inner.figure.scope {
        Scope::Statement => format!("{inside} ends a statement"),
        Scope::Request | Scope::Attempt | Scope::Inactivity => format!("{inside} does"),
    };
    let work = working_behind(chain, outer.at, "works", "work");
    let begins = if severity == Severity::Weak {
        format!(
            "{name} gives up after {of}, at the same moment as {does}: {behind}. Which of them answers is chance. When it is {name},"
        )
    } else {
        format!("{name} gives up after {of}, before {does}: {behind}. Then")
    };
    match outer.hop.product.role {
        Role::Client => format!("{begins} {work} on for nobody."),
        _ => format!(
            "{begins} whoever waits gets {} from {name}, and {work} on for nobody.",
            answer(outer.hop, outer.timer)
        ),
    }
}
