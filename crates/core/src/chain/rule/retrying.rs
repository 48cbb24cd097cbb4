//! Attempts add up: in time for whoever waits, and in load for what is behind.

use crate::chain::Chain;
use crate::chain::figure::{Limit, Timer};
use crate::chain::finding::{Draft, Finding, Rule, Severity};
use crate::chain::hop::Hop;
use crate::chain::remedy::{self, Remedy};
use crate::chain::rule::{
    finding, least_behind, least_outside, listed, patient, reaches, sum, waited,
};

/// Where connecting takes as long as a caller waits, all attempts together.
pub(super) fn connects_too_long(chain: &Chain) -> Vec<Draft> {
    calling(chain).filter_map(|(at, hop)| connecting(chain, at, hop)).collect()
}

/// Where the same request is sent several times.
pub(super) fn retries_multiply(chain: &Chain) -> Vec<Draft> {
    let trying: Vec<_> = calling(chain).filter(|(_, hop)| hop.sends() > 1).collect();
    let each = trying.iter().map(|(at, hop)| repeating(chain, *at, hop));
    let late = chain.hops.iter().enumerate().filter_map(|(at, hop)| too_late(chain, at, hop));
    each.chain(late).chain(product(chain, &trying)).collect()
}

/// The hops that call another one.
fn calling(chain: &Chain) -> impl Iterator<Item = (usize, &Hop)> {
    chain.hops.iter().enumerate().take(chain.hops.len().saturating_sub(1))
}

fn connecting(chain: &Chain, at: usize, hop: &Hop) -> Option<Draft> {
    let figure = hop.figures.get(&Timer::Connect)?;
    let outer = least_outside(chain, at)?;
    let tries = hop.tried(Timer::Connect);
    let longest = figure.limit.times(tries);
    if !reaches(longest, outer.once()) {
        return None;
    }
    let sum = sum(tries, figure.limit);
    let (name, caller) = (&hop.name, &outer.hop.name);
    let how = match longest {
        Limit::Never => format!("{name} never gives up connecting ({})", figure.origin),
        Limit::After(_) => format!("{name} gives up connecting after {sum} ({})", figure.origin),
    };
    let draft = Draft::of(Finding {
        headline: format!("{name} connects for {sum}, {caller} waits {}", outer.once()),
        text: format!(
            "{how}, but {caller} gives up after {}: when nothing can be reached behind {name}, it is {caller} that answers, and {name} never says why.",
            waited(outer)
        ),
        source: hop.product.spec(Timer::Connect).map(|spec| spec.source),
        ..finding(chain, Rule::ConnectsTooLong, Severity::Weak, &[outer.at, at])
    });
    let remedies = [
        remedy::shorter(hop, Timer::Connect, outer.once(), hop.connects()),
        fitting(hop, figure.limit, outer.once()),
        remedy::longer(outer.hop, outer.timer, longest),
    ];
    Some(draft.ended_by(remedies).or(format!(
        "Neither {name} nor {caller} can be set so without another finding: look at {name} itself when {caller} answers."
    )))
}

/// As many attempts as fit in, if that is fewer than now.
fn fitting(hop: &Hop, each: Limit, limit: Limit) -> Option<Remedy> {
    let now = hop.connects();
    let (each, limit) = (each.length()?.as_millis().max(1), limit.length()?.as_millis());
    let most = u32::try_from(limit.saturating_sub(1) / each).ok().filter(|most| *most > 0)?;
    (now > 1 && most < now).then(|| remedy::fewer(hop, most))
}

fn repeating(chain: &Chain, at: usize, hop: &Hop) -> Draft {
    let (name, tries) = (&hop.name, hop.sends());
    let which = hop.attempts.as_ref().map_or("requests", |attempts| attempts.which);
    let long = match hop.limit(Timer::Read) {
        Some(read) if read != Limit::Never => format!(" ({})", sum(tries, read)),
        _ => String::new(),
    };
    Draft::of(Finding {
        headline: format!("{name} tries {tries} times"),
        text: format!(
            "{name} sends {which} up to {tries} times when no answer comes{long}, so that what is behind it gets up to {tries} times the load just when it is slow."
        ),
        source: hop.product.retry.map(|retry| retry.source),
        ..finding(chain, Rule::RetriesMultiply, Severity::Ok, &[at])
    })
}

/// A caller that waits for one attempt of what answers first behind it, and not for
/// all of them.
fn too_late(chain: &Chain, at: usize, caller: &Hop) -> Option<Draft> {
    let patience = patient(at, caller)?;
    let inner = least_behind(chain, at)?;
    if inner.once() >= patience.once() || !reaches(inner.all(), patience.once()) {
        return None;
    }
    let (trying, hop) = inner.tried_by();
    let (name, outside, sum) = (&hop.name, &caller.name, sum(inner.tries, inner.once()));
    let each = match inner.trier {
        Some(_) => format!(", each of which {} ends", inner.hop.name),
        None => String::new(),
    };
    let places = if inner.trier.is_some() { vec![at, trying, inner.at] } else { vec![at, trying] };
    let draft = Draft::of(Finding {
        headline: format!("{name} tries for {sum}, {outside} waits {}", patience.once()),
        text: format!(
            "When no answer comes, {name} tries for {sum}{each}, but {outside} gives up after {}: the last attempts are in vain.",
            waited(patience)
        ),
        source: hop.product.retry.map(|retry| retry.source),
        ..finding(chain, Rule::RetriesMultiply, Severity::Weak, &places)
    });
    let least = least_outside(chain, inner.at).map_or(patience.once(), |outer| outer.once());
    let remedies = [
        fitting(hop, inner.once(), patience.once()),
        remedy::shorter(inner.hop, inner.timer, least, hop.connects()),
        remedy::longer(caller, patience.timer, inner.all()),
    ];
    Some(draft.ended_by(remedies).or(format!(
        "Neither {name} nor {outside} can be set so without another finding: let another hop try again."
    )))
}

/// What all attempts of all hops make together.
fn product(chain: &Chain, trying: &[(usize, &Hop)]) -> Option<Draft> {
    let [others @ .., _] = trying else { return None };
    if others.is_empty() {
        return None;
    }
    let places: Vec<_> = trying.iter().map(|(at, _)| *at).collect();
    let names: Vec<_> = trying.iter().map(|(_, hop)| hop.name.as_str()).collect();
    let factors: Vec<_> = trying.iter().map(|(_, hop)| hop.sends().to_string()).collect();
    let all = trying.iter().fold(1_u32, |all, (_, hop)| all.saturating_mul(hop.sends()));
    let last = chain.hops.last().map_or("the last hop", |hop| hop.name.as_str());
    let draft = Draft::of(Finding {
        headline: format!("attempts multiply: {} = {all}", factors.join(" x ")),
        text: format!(
            "{} all try again: one request can reach {last} {} = {all} times.",
            listed(&names),
            factors.join(" x ")
        ),
        ..finding(chain, Rule::RetriesMultiply, Severity::Weak, &places)
    });
    let once: Remedy = others.iter().flat_map(|(_, hop)| remedy::fewer(hop, 1)).collect();
    Some(
        draft
            .ended_by([Some(once)])
            .and(Some("Let one hop try again, the one nearest to what fails.".to_owned())),
    )
}
