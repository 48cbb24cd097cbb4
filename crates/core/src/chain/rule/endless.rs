//! Work that nothing ends, although nobody waits for it any more.

use crate::chain::Chain;
use crate::chain::figure::{Figure, Limit, Timer};
use crate::chain::finding::{Draft, Finding, Rule, Severity};
use crate::chain::hop::Hop;
use crate::chain::product::Role;
use crate::chain::remedy;
use crate::chain::rule::{Waiting, finding, least_behind, least_outside, least_statement, waited};

/// Hops without any timeout, behind one that gives up and with none behind them.
pub(super) fn endless(chain: &Chain) -> Vec<Draft> {
    let hops = chain.hops.iter().enumerate();
    hops.filter_map(|(at, hop)| without_end(chain, at, hop)).collect()
}

fn without_end(chain: &Chain, at: usize, hop: &Hop) -> Option<Draft> {
    let (timer, figure) = never(hop)?;
    let works = !matches!(hop.product.role, Role::Client | Role::Tunnel);
    let ends_behind = least_behind(chain, at).or_else(|| least_statement(chain, at)).is_some();
    if !works || ends_behind {
        return None;
    }
    let outer = least_outside(chain, at)?;
    let draft = Draft::of(Finding {
        headline: format!("{} never gives up", hop.name),
        text: story(hop, figure, outer),
        source: hop.product.spec(timer).map(|spec| spec.source),
        at,
        ..finding(chain, Rule::Endless, Severity::Weak, &[outer.at, at])
    });
    let is_set_nowhere = hop.product.spec(timer).is_none_or(|spec| spec.knobs.is_empty());
    let in_code = is_set_nowhere.then(|| {
        format!(
            "{} has no setting for that: bound the work in the application's code, and say so with {} in the chain.",
            hop.product.title,
            timer.key()
        )
    });
    Some(draft.ended_by([remedy::shorter(hop, timer, outer.once(), 1)]).and(in_code))
}

/// The timer of a hop that would end its work, and is off.
fn never(hop: &Hop) -> Option<(Timer, &Figure)> {
    let statement = || {
        let figure = hop.figures.get(&Timer::Total)?;
        (hop.product.role == Role::Store).then_some((Timer::Total, figure))
    };
    let (timer, figure) = hop.patience().or_else(statement)?;
    (figure.limit == Limit::Never).then_some((timer, figure))
}

fn story(hop: &Hop, figure: &Figure, outer: Waiting<'_>) -> String {
    let name = &hop.name;
    let what = match hop.product.role {
        Role::Store => "a statement",
        _ => "a request",
    };
    format!(
        "{name} never gives up on {what} ({}). When {} has given up after {}, {name} goes on, and holds its worker or connection.",
        figure.origin,
        outer.hop.name,
        waited(outer)
    )
}
