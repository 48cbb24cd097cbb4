//! What is not known, and which key says it.

use crate::chain::Chain;
use crate::chain::figure::{Doubt, Limit, Timer};
use crate::chain::finding::{Draft, Finding, Rule, Severity};
use crate::chain::hop::Hop;
use crate::chain::product::{Preset, Role};
use crate::chain::rule::finding;
use crate::chain::rule::keeping::keepers;

/// Hops that work on a request for nobody knows how long.
pub(super) fn patience_not_known(chain: &Chain) -> Vec<Draft> {
    let asked =
        |(_, hop): &(usize, &Hop)| hop.product.role == Role::Server && hop.patience().is_none();
    let ask = |(at, hop): (usize, &Hop)| {
        let draft = Draft::of(Finding {
            headline: format!("how long {} works on a request is not known", hop.name),
            text: format!(
                "Not known: how long {} works on a request before it gives up.",
                hop.name
            ),
            ..finding(chain, Rule::NotKnown, Severity::Unknown, &[at])
        });
        draft.and(Some(format!(
            "Set total_timeout of {} in the chain, \"off\" if there is none.",
            hop.name
        )))
    };
    chain.hops.iter().enumerate().filter(asked).map(ask).collect()
}

/// Keep-alives of which one side is known and the other is not.
pub(super) fn keep_alive_not_known(chain: &Chain) -> Vec<Draft> {
    let mut found = Vec::new();
    for (at, caller) in chain.hops.iter().enumerate() {
        for (behind, keeper) in keepers(chain, at) {
            found.extend(ask(chain, (at, caller), (behind, keeper)));
        }
    }
    found
}

fn ask(
    chain: &Chain,
    (at, caller): (usize, &Hop),
    (behind, keeper): (usize, &Hop),
) -> Option<Draft> {
    let hold = caller.limit(Timer::UpstreamKeepAlive);
    let kept = keeper.accepts_idle().map(|(_, figure)| figure.limit);
    let reuses = |limit: Limit| limit.length().is_none_or(|length| !length.is_zero());
    match (hold, kept) {
        (Some(hold), None) if reuses(hold) && accepts(keeper) => {
            Some(not_known(chain, &[at, behind], keeper, Timer::KeepAlive, "accepted", hold))
        }
        (None, Some(kept)) if kept.length().is_some() && reuses(kept) && holds(caller) => {
            Some(not_known(chain, &[at, behind], caller, Timer::UpstreamKeepAlive, "opened", kept))
        }
        _ => None,
    }
}

/// Whether a hop accepts connections of which nothing is known.
fn accepts(hop: &Hop) -> bool {
    let none = hop.product.spec(Timer::KeepAlive).is_none();
    hop.product.role == Role::Server && none || unknown(hop, Timer::KeepAlive)
}

/// Whether a hop keeps connections of which nothing is known.
fn holds(hop: &Hop) -> bool {
    unknown(hop, Timer::UpstreamKeepAlive)
}

fn unknown(hop: &Hop, timer: Timer) -> bool {
    let none = hop.product.spec(timer).is_some_and(|spec| spec.preset == Preset::Unknown);
    none || hop.doubts.contains_key(&timer)
}

fn not_known(
    chain: &Chain,
    places: &[usize],
    hop: &Hop,
    timer: Timer,
    how: &str,
    other: Limit,
) -> Draft {
    let (name, key) = (&hop.name, timer.key());
    let note = hop.product.spec(timer).and_then(|spec| spec.note).map(str::to_owned);
    let note = hop.doubts.get(&timer).map(ToString::to_string).or(note);
    let note = note.map_or(String::new(), |note| format!(" ({note})"));
    let side = if timer == Timer::KeepAlive { "longer" } else { "shorter" };
    let other = match other {
        Limit::Never => "as long as it stands".to_owned(),
        Limit::After(_) => other.to_string(),
    };
    let draft = Draft::of(Finding {
        headline: format!("{key} of {name} is not known"),
        text: format!(
            "Not known: how long {name} keeps an idle connection that it {how}{note}. It has to be {side} than {other}, which is what the other side does."
        ),
        source: hop.product.spec(timer).map(|spec| spec.source),
        ..finding(chain, Rule::NotKnown, Severity::Unknown, places)
    });
    let way = match (hop.doubts.get(&timer), hop.product.is_nginx() && !hop.is_read()) {
        (Some(Doubt::Version { .. }), _) => {
            format!(", or version of {name}, which `nginx -v` prints")
        }
        (_, true) => format!(", or give its files with --nginx {name}=PATH"),
        (_, false) => String::new(),
    };
    draft.and(Some(format!("Set {key} of {name} in the chain{way}.")))
}
