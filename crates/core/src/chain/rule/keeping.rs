//! Whoever accepts connections must keep them longer than whoever reuses them.
//!
//! If not, a request is sent into a connection that is just being closed. A hop
//! that passes bytes on is looked through: both it and the one behind it can
//! close the connection.

use crate::chain::Chain;
use crate::chain::figure::{Figure, Limit, Timer};
use crate::chain::finding::{Draft, Finding, Rule, Severity};
use crate::chain::hop::Hop;
use crate::chain::product::{Role, Sureness};
use crate::chain::remedy;
use crate::chain::rule::finding;

/// Where connections are closed before their caller stops reusing them.
pub(super) fn keep_alive_too_short(chain: &Chain) -> Vec<Draft> {
    let mut found = Vec::new();
    for (at, caller) in chain.hops.iter().enumerate() {
        for (behind, keeper) in keepers(chain, at) {
            found.extend(compare(chain, (at, caller), (behind, keeper)));
        }
    }
    found
}

/// The hops that can close a connection of the hop at `at`: the next one, and
/// the one behind it as long as bytes are only passed on.
pub(super) fn keepers(chain: &Chain, at: usize) -> impl Iterator<Item = (usize, &Hop)> {
    let tunnel = |at: usize| chain.hops.get(at).is_some_and(|h| h.product.role == Role::Tunnel);
    let behind = chain.hops.iter().enumerate().skip(at + 1);
    let reached = behind.take_while(move |(place, _)| *place == at + 1 || tunnel(place - 1));
    reached.filter(move |_| !tunnel(at))
}

fn compare(
    chain: &Chain,
    (at, caller): (usize, &Hop),
    (behind, keeper): (usize, &Hop),
) -> Option<Draft> {
    let hold = caller.figures.get(&Timer::UpstreamKeepAlive)?;
    let (timer, kept) = keeper.accepts_idle()?;
    if nothing(kept.limit) || kept.limit > hold.limit {
        return None;
    }
    if (hold.limit, kept.limit) == (Limit::Never, Limit::Never) {
        return None;
    }
    // The idle timeout of a proxy is also how long it waits for an answer.
    let is_apart = timer == Timer::KeepAlive || keeper.product.role == Role::Tunnel;
    let longer = is_apart.then(|| remedy::outlasting(keeper, timer, hold.limit)).flatten();
    let shorter = remedy::reused_shorter(caller, kept.limit);
    let can_be_set = longer.is_some() || shorter.is_some();
    let severity = match caller.product.reuse.map(|reuse| reuse.sureness) {
        Some(Sureness::Documented) => Severity::Broken,
        Some(Sureness::Possible) | None if can_be_set => Severity::Weak,
        Some(Sureness::Possible) | None => Severity::Ok,
    };
    let draft = Draft::of(Finding {
        headline: format!(
            "{} closes idle connections after {}, {} reuses them for {}",
            keeper.name,
            kept.limit,
            caller.name,
            reused(hold.limit)
        ),
        text: story(caller, hold, keeper, kept),
        source: caller.product.reuse.map(|reuse| reuse.source),
        ..finding(chain, Rule::KeepAliveTooShort, severity, &[at, behind])
    });
    Some(draft.ended_by([longer, shorter]).or(format!(
        "Neither {} nor {} can be set so without another finding: keep another hop between them, or see that what is sent can be sent again.",
        caller.name, keeper.name
    )))
}

fn story(caller: &Hop, hold: &Figure, keeper: &Hop, kept: &Figure) -> String {
    let begins = format!(
        "{} closes a connection that was idle for {kept}; {} keeps it for reuse for {} ({}).",
        keeper.name,
        caller.name,
        reused(hold.limit),
        hold.origin
    );
    let ends = match caller.product.reuse {
        Some(reuse) if reuse.sureness == Sureness::Documented => {
            format!("ends in {} from {}", reuse.answers, caller.name)
        }
        Some(reuse) => format!(
            "ends in {} from {}, unless it is one that can be tried again",
            reuse.answers, caller.name
        ),
        None => "fails, unless it is tried again".to_owned(),
    };
    format!("{begins} A request sent into a connection that is just being closed {ends}.")
}

/// Whether connections are not kept at all.
fn nothing(limit: Limit) -> bool {
    limit.length().is_some_and(|length| length.is_zero())
}

fn reused(limit: Limit) -> String {
    match limit {
        Limit::Never => "as long as it stands".to_owned(),
        Limit::After(_) => limit.to_string(),
    }
}
