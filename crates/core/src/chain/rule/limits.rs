//! What a product does not take, and what no request can outlive.

use crate::chain::Chain;
use crate::chain::figure::{Figure, Limit, Origin, Scope, Timer};
use crate::chain::finding::{Draft, Finding, Rule, Severity};
use crate::chain::hop::{Contradiction, Hop};
use crate::chain::product::{Bounds, Role};
use crate::chain::remedy;
use crate::chain::rule::{Waiting, answer, finding, sum};

/// Figures that a product does not take. What AWS itself said, it has taken: a quota was
/// raised.
pub(super) fn out_of_bounds(chain: &Chain) -> Vec<Draft> {
    let hops = chain.hops.iter().enumerate();
    let timers = hops.clone().flat_map(|(at, hop)| {
        hop.figures
            .iter()
            .filter_map(move |(timer, figure)| outside(chain, (at, hop), *timer, figure))
    });
    timers.chain(hops.filter_map(|(at, hop)| too_many_attempts(chain, at, hop))).collect()
}

/// Where the config says other than what was found out.
pub(super) fn config_differs(chain: &Chain) -> Vec<Draft> {
    let hops = chain.hops.iter().enumerate();
    hops.flat_map(|(at, hop)| {
        hop.contradictions.iter().map(move |differs| contradiction(chain, at, hop, differs))
    })
    .collect()
}

/// What nothing can outlive: a request in all, the silence in it where that is
/// less, and a statement.
pub(super) fn ceiling(chain: &Chain) -> Vec<Draft> {
    let total = tightest(chain, Timer::Total, Scope::Request);
    let read = tightest(chain, Timer::Read, Scope::Inactivity);
    let less = |waiting: &Waiting<'_>| total.is_none_or(|total| waiting.all() < total.all());
    let statement = tightest(chain, Timer::Total, Scope::Statement);
    let found = [total, read.filter(less), statement];
    found.into_iter().flatten().map(|waiting| ceiling_of(chain, waiting)).collect()
}

fn outside(
    chain: &Chain,
    (at, hop): (usize, &Hop),
    timer: Timer,
    figure: &Figure,
) -> Option<Draft> {
    let spec = hop.product.spec(timer)?;
    let bounds = spec.bounds?;
    let (min, max) = (Limit::After(bounds.min), Limit::After(bounds.max));
    let taken = matches!(figure.origin, Origin::Aws { .. });
    if taken || (min..=max).contains(&figure.limit) {
        return None;
    }
    let (key, name) = (timer.key(), &hop.name);
    let is_more = figure.limit > max;
    let raisable = bounds.beyond.filter(|_| is_more);
    let severity = if raisable.is_some() { Severity::Weak } else { Severity::Broken };
    let draft = Draft::of(Finding {
        headline: format!("{name} takes {}, not {}", range(bounds), figure.limit),
        text: format!(
            "{key} of {name} is {figure}, but {} takes {}.",
            hop.product.title,
            range(bounds)
        ),
        source: Some(spec.source),
        ..finding(chain, Rule::OutOfBounds, severity, &[at])
    });
    let (nearest, why) = match (min == max, is_more) {
        (true, _) => (max, "the only one that there is"),
        (false, true) => (max, "the most that it takes"),
        (false, false) => (min, "the least that it takes"),
    };
    let more = raisable.map(|how| format!("More than {max} takes {how}."));
    let draft = draft.ended_by([Some(remedy::exactly(hop, timer, nearest, why))]).and(more);
    Some(draft.or(format!("Set {key} of {name} in the chain to what it really is.")))
}

fn range(bounds: Bounds) -> String {
    let (min, max) = (Limit::After(bounds.min), Limit::After(bounds.max));
    if min == max { format!("{max} and nothing else") } else { format!("{min} to {max}") }
}

fn too_many_attempts(chain: &Chain, at: usize, hop: &Hop) -> Option<Draft> {
    let retry = hop.product.retry?;
    let count = hop.connects();
    if count <= retry.most {
        return None;
    }
    let draft = Draft::of(Finding {
        headline: format!("{} tries at most {} times, not {count}", hop.name, retry.most),
        text: format!(
            "attempts of {} is {count}, but {} tries at most {} times.",
            hop.name, hop.product.title, retry.most
        ),
        source: Some(retry.source),
        ..finding(chain, Rule::OutOfBounds, Severity::Broken, &[at])
    });
    let draft = draft.ended_by([Some(remedy::fewer(hop, retry.most))]);
    Some(draft.or(format!("Set attempts of {} in the chain to what it really is.", hop.name)))
}

fn contradiction(chain: &Chain, at: usize, hop: &Hop, differs: &Contradiction) -> Draft {
    let (key, name) = (differs.timer.key(), &hop.name);
    let draft = Draft::of(Finding {
        headline: format!("config says {}, found {}", differs.config, differs.found.limit),
        text: format!(
            "The config says that {key} of {name} is {}, but it is {}. The chain is checked with the config's figure.",
            differs.config, differs.found
        ),
        ..finding(chain, Rule::ConfigDiffers, Severity::Weak, &[at])
    });
    let as_config = remedy::exactly(hop, differs.timer, differs.config, "as the config says");
    draft.ended_by([Some(remedy::not_in_config(hop, differs.timer)), Some(as_config)])
}

/// The hop whose timer is the shortest of its kind, all attempts together, and
/// ends; of several, the outermost.
fn tightest(chain: &Chain, timer: Timer, scope: Scope) -> Option<Waiting<'_>> {
    let hops = chain.hops.iter().enumerate();
    let ending = hops.filter_map(|(at, hop)| {
        let figure = hop.figures.get(&timer)?;
        let ends = figure.scope == scope && figure.limit != Limit::Never;
        let tries = if timer == Timer::Read { hop.tried(timer) } else { 1 };
        ends.then(|| Waiting { tries, ..Waiting::by(at, hop, timer, figure) })
    });
    ending.min_by_key(Waiting::all)
}

fn ceiling_of(chain: &Chain, waiting: Waiting<'_>) -> Draft {
    let Waiting { at, hop, timer, figure, tries, .. } = waiting;
    let (name, all) = (&hop.name, waiting.all());
    let long = format!("{} ({})", sum(tries, figure.limit), figure.origin);
    let (headline, what) = match figure.scope {
        Scope::Request | Scope::Attempt => (
            format!("no request outlives {all}"),
            format!("No request outlives {long} at {name}, whatever is configured behind it"),
        ),
        Scope::Statement => (
            format!("no statement outlives {all}"),
            format!(
                "No statement outlives {long} at {name}; a request that runs several may last longer"
            ),
        ),
        Scope::Inactivity => (
            format!("no request stays silent for longer than {all}"),
            format!(
                "No request stays silent for longer than {long} at {name}; while bytes come, it may last"
            ),
        ),
    };
    let then = match hop.product.role {
        Role::Client => format!("then {name} gives up"),
        _ => format!("then whoever waits gets {}", answer(hop, timer)),
    };
    Draft::of(Finding {
        headline,
        text: format!("{what}: {then}.{}", raise(hop, timer, figure)),
        source: hop.product.spec(timer).map(|spec| spec.source),
        ..finding(chain, Rule::Ceiling, Severity::Ok, &[at])
    })
}

/// How to get more than a figure that is already the most there is.
fn raise(hop: &Hop, timer: Timer, figure: &Figure) -> String {
    let bounds = hop.product.spec(timer).and_then(|spec| spec.bounds);
    match bounds.filter(|bounds| Limit::After(bounds.max) <= figure.limit) {
        Some(Bounds { beyond: Some(how), .. }) => format!(" More takes {how}."),
        Some(Bounds { beyond: None, .. }) => " It cannot be raised.".to_owned(),
        None => String::new(),
    }
}
