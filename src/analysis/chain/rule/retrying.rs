//! Attempts add up: in time for whoever waits, and in load for what is behind.

use super::{Finding, Rule, Severity, finding, listed, outer_patience, reaches, waited};
use crate::analysis::chain::Chain;
use crate::analysis::chain::advice::{self, Advice};
use crate::analysis::chain::figure::{Limit, Timer};
use crate::analysis::chain::hop::Hop;

/// Where connecting takes as long as a caller waits, all attempts together.
pub(super) fn connects_too_long(chain: &Chain) -> Vec<Finding> {
    calling(chain).filter_map(|(at, hop)| connecting(chain, at, hop)).collect()
}

/// Where the same request is sent several times.
pub(super) fn retries_multiply(chain: &Chain) -> Vec<Finding> {
    let trying: Vec<_> = calling(chain).filter(|(_, hop)| hop.sends() > 1).collect();
    let each = trying.iter().map(|(at, hop)| repeating(chain, *at, hop));
    let late = trying.iter().filter_map(|(at, hop)| too_late(chain, *at, hop));
    each.chain(late).chain(product(chain, &trying)).collect()
}

/// The hops that call another one.
fn calling(chain: &Chain) -> impl Iterator<Item = (usize, &Hop)> {
    chain.hops.iter().enumerate().take(chain.hops.len().saturating_sub(1))
}

fn connecting(chain: &Chain, at: usize, hop: &Hop) -> Option<Finding> {
    let figure = hop.figures.get(&Timer::Connect)?;
    let (outside, outer, timer, patience) = outer_patience(chain, at)?;
    let tries = hop.connects();
    let longest = figure.limit.times(tries);
    if !reaches(longest, patience.limit) {
        return None;
    }
    let sum = sum(tries, figure.limit);
    let (name, caller) = (&hop.name, &outer.name);
    let how = match longest {
        Limit::Never => format!("{name} never gives up connecting ({})", figure.origin),
        Limit::After(_) => format!("{name} gives up connecting after {sum} ({})", figure.origin),
    };
    Some(Finding {
        headline: format!("{name} connects for {sum}, {caller} waits {}", patience.limit),
        text: format!(
            "{how}, but {caller} gives up after {}: when nothing can be reached behind {name}, it is {caller} that answers, and {name} never says why.",
            waited(timer, patience)
        ),
        advice: advice::shorter(hop, Timer::Connect, patience.limit, tries),
        source: hop.product.spec(Timer::Connect).map(|spec| spec.source),
        ..finding(chain, Rule::ConnectsTooLong, Severity::Weak, &[outside, at])
    })
}

fn repeating(chain: &Chain, at: usize, hop: &Hop) -> Finding {
    let (name, tries) = (&hop.name, hop.sends());
    let which = hop.product.retry.map_or("requests", |retry| retry.which);
    Finding {
        headline: format!("{name} tries {tries} times"),
        text: format!(
            "{name} sends {which} up to {tries} times when no answer comes, so that what is behind it gets up to {tries} times the load just when it is slow."
        ),
        source: hop.product.retry.map(|retry| retry.source),
        ..finding(chain, Rule::RetriesMultiply, Severity::Ok, &[at])
    }
}

/// A caller that does not wait for all attempts.
fn too_late(chain: &Chain, at: usize, hop: &Hop) -> Option<Finding> {
    let (name, tries, read) = (&hop.name, hop.sends(), hop.limit(Timer::Read)?);
    let (outside, outer, timer, patience) = outer_patience(chain, at)?;
    let bounded = hop.limit(Timer::Total).is_some_and(|total| total < patience.limit);
    if bounded || !reaches(read.times(tries), patience.limit) {
        return None;
    }
    let sum = sum(tries, read);
    Some(Finding {
        headline: format!("{name} tries for {sum}, {} waits {}", outer.name, patience.limit),
        text: format!(
            "When no answer comes, {name} tries for {sum}, but {} gives up after {}: the last attempts are in vain.",
            outer.name,
            waited(timer, patience)
        ),
        advice: vec![Advice::of(format!(
            "Set attempts of {name} to 1, or lower its read_timeout."
        ))],
        source: hop.product.retry.map(|retry| retry.source),
        ..finding(chain, Rule::RetriesMultiply, Severity::Weak, &[outside, at])
    })
}

/// What all attempts of all hops make together.
fn product(chain: &Chain, trying: &[(usize, &Hop)]) -> Option<Finding> {
    if trying.len() < 2 {
        return None;
    }
    let places: Vec<_> = trying.iter().map(|(at, _)| *at).collect();
    let names: Vec<_> = trying.iter().map(|(_, hop)| hop.name.as_str()).collect();
    let factors: Vec<_> = trying.iter().map(|(_, hop)| hop.sends().to_string()).collect();
    let all = trying.iter().fold(1_u32, |all, (_, hop)| all.saturating_mul(hop.sends()));
    let last = chain.hops.last().map_or("the last hop", |hop| hop.name.as_str());
    Some(Finding {
        headline: format!("attempts multiply: {} = {all}", factors.join(" x ")),
        text: format!(
            "{} all try again: one request can reach {last} {} = {all} times.",
            listed(&names),
            factors.join(" x ")
        ),
        advice: vec![Advice::of("Let one hop try again, the one nearest to what fails; set attempts of the others to 1.".to_owned())],
        ..finding(chain, Rule::RetriesMultiply, Severity::Weak, &places)
    })
}

/// `60 s`, `3 x 10 s = 30 s`.
fn sum(tries: u32, limit: Limit) -> String {
    match (tries, limit) {
        (_, Limit::Never) => "ever".to_owned(),
        (1, limit) => limit.to_string(),
        (tries, limit) => format!("{tries} x {limit} = {}", limit.times(tries)),
    }
}
