//! Work that nothing ends, although nobody waits for it any more.

use super::{Finding, Rule, Severity, finding, inner_patience, outer_patience, waited};
use crate::analysis::chain::Chain;
use crate::analysis::chain::advice::{self, Advice};
use crate::analysis::chain::figure::{Figure, Limit, Timer};
use crate::analysis::chain::hop::Hop;
use crate::analysis::chain::product::Role;

/// Hops without any timeout, behind one that gives up and with none behind them.
pub(super) fn endless(chain: &Chain) -> Vec<Finding> {
    let hops = chain.hops.iter().enumerate();
    hops.filter_map(|(at, hop)| without_end(chain, at, hop)).collect()
}

fn without_end(chain: &Chain, at: usize, hop: &Hop) -> Option<Finding> {
    let (timer, figure) = hop.patience().filter(|(_, figure)| figure.limit == Limit::Never)?;
    let works = !matches!(hop.product.role, Role::Client | Role::Tunnel);
    if !works || inner_patience(chain, at).is_some() {
        return None;
    }
    let (outside, outer, outer_timer, patience) = outer_patience(chain, at)?;
    Some(Finding {
        headline: format!("{} never gives up", hop.name),
        text: story(hop, figure, outer, &waited(outer_timer, patience)),
        advice: ended(hop, timer, patience.limit),
        source: hop.product.spec(timer).map(|spec| spec.source),
        at,
        ..finding(chain, Rule::Endless, Severity::Weak, &[outside, at])
    })
}

fn story(hop: &Hop, figure: &Figure, outer: &Hop, waited: &str) -> String {
    let name = &hop.name;
    let what = match hop.product.role {
        Role::Store => "a query",
        _ => "a request",
    };
    format!(
        "{name} never gives up on {what} ({}). When {} has given up after {waited}, {name} goes on, and holds its worker or connection.",
        figure.origin, outer.name
    )
}

fn ended(hop: &Hop, timer: Timer, limit: Limit) -> Vec<Advice> {
    let mut advice = advice::shorter(hop, timer, limit, 1);
    if hop.product.spec(timer).is_none_or(|spec| spec.knobs.is_empty()) {
        advice.push(Advice::of(format!(
            "{} has no setting for that: bound the work in the application's code, and say so with {} in the chain.",
            hop.product.title,
            timer.key()
        )));
    }
    advice
}
