//! What a product does not take, and what no request can outlive.

use super::{Finding, Rule, Severity, answer, finding};
use crate::analysis::chain::Chain;
use crate::analysis::chain::advice::Advice;
use crate::analysis::chain::figure::{Figure, Limit, Origin, Timer};
use crate::analysis::chain::hop::{Contradiction, Hop};
use crate::analysis::chain::product::{Bounds, Role};

/// Figures that a product does not take. What AWS said itself, it has taken: a
/// quota was raised.
pub(super) fn out_of_bounds(chain: &Chain) -> Vec<Finding> {
    let hops = chain.hops.iter().enumerate();
    let timers = hops.clone().flat_map(|(at, hop)| {
        hop.figures
            .iter()
            .filter_map(move |(timer, figure)| outside(chain, (at, hop), *timer, figure))
    });
    timers.chain(hops.filter_map(|(at, hop)| too_many_attempts(chain, at, hop))).collect()
}

/// Where the config says other than what was found out.
pub(super) fn config_differs(chain: &Chain) -> Vec<Finding> {
    let hops = chain.hops.iter().enumerate();
    hops.flat_map(|(at, hop)| {
        hop.contradictions.iter().map(move |differs| contradiction(chain, at, hop, differs))
    })
    .collect()
}

/// What no request can outlive: in all, and without a byte where that is less.
pub(super) fn ceiling(chain: &Chain) -> Vec<Finding> {
    let total = tightest(chain, Timer::Total);
    let read = tightest(chain, Timer::Read);
    let less = |(_, _, figure): &(usize, &Hop, &Figure)| {
        total.is_none_or(|(_, _, total)| figure.limit < total.limit)
    };
    let found = [(Timer::Total, total), (Timer::Read, read.filter(less))];
    found
        .into_iter()
        .filter_map(|(timer, tightest)| Some((timer, tightest?)))
        .map(|(timer, (at, hop, figure))| ceiling_of(chain, at, hop, timer, figure))
        .collect()
}

fn outside(
    chain: &Chain,
    (at, hop): (usize, &Hop),
    timer: Timer,
    figure: &Figure,
) -> Option<Finding> {
    let spec = hop.product.spec(timer)?;
    let bounds = spec.bounds?;
    let (min, max) = (Limit::After(bounds.min), Limit::After(bounds.max));
    let taken = matches!(figure.origin, Origin::Aws { .. });
    if taken || (min..=max).contains(&figure.limit) {
        return None;
    }
    let raisable = bounds.beyond.filter(|_| figure.limit > max);
    let severity = if raisable.is_some() { Severity::Weak } else { Severity::Broken };
    Some(Finding {
        headline: format!("{} takes {}, not {}", hop.name, range(bounds), figure.limit),
        text: format!(
            "{} of {} is {figure}, but {} takes {}.",
            timer.key(),
            hop.name,
            hop.product.title,
            range(bounds)
        ),
        advice: bounds_advice(hop, timer, bounds, raisable),
        source: Some(spec.source),
        ..finding(chain, Rule::OutOfBounds, severity, &[at])
    })
}

fn range(bounds: Bounds) -> String {
    let (min, max) = (Limit::After(bounds.min), Limit::After(bounds.max));
    if min == max { format!("{max} and nothing else") } else { format!("{min} to {max}") }
}

fn bounds_advice(hop: &Hop, timer: Timer, bounds: Bounds, raisable: Option<&str>) -> Vec<Advice> {
    let (key, name) = (timer.key(), &hop.name);
    let mut advice = Vec::new();
    if let Some(how) = raisable {
        advice.push(Advice::of(format!("More than {} takes {how}.", Limit::After(bounds.max))));
    }
    advice.push(Advice::of(format!("Set {key} of {name} in the chain to what it really is.")));
    advice
}

fn too_many_attempts(chain: &Chain, at: usize, hop: &Hop) -> Option<Finding> {
    let retry = hop.product.retry?;
    let count = hop.connects();
    if count <= retry.most {
        return None;
    }
    Some(Finding {
        headline: format!("{} tries at most {} times, not {count}", hop.name, retry.most),
        text: format!(
            "attempts of {} is {count}, but {} tries at most {} times.",
            hop.name, hop.product.title, retry.most
        ),
        advice: vec![Advice::of(format!("Set attempts of {} to 1 to {}.", hop.name, retry.most))],
        source: Some(retry.source),
        ..finding(chain, Rule::OutOfBounds, Severity::Broken, &[at])
    })
}

fn contradiction(chain: &Chain, at: usize, hop: &Hop, differs: &Contradiction) -> Finding {
    let (key, name) = (differs.timer.key(), &hop.name);
    Finding {
        headline: format!("config says {}, found {}", differs.config, differs.found.limit),
        text: format!(
            "The config says that {key} of {name} is {}, but it is {}. The chain is checked with the config's figure.",
            differs.config, differs.found
        ),
        advice: vec![Advice::of(format!(
            "Remove {key} of {name} from the config: it is read from there."
        ))],
        ..finding(chain, Rule::ConfigDiffers, Severity::Weak, &[at])
    }
}

/// The hop whose timer is the shortest of its kind, and ends; of several, the
/// outermost.
fn tightest(chain: &Chain, timer: Timer) -> Option<(usize, &Hop, &Figure)> {
    let figure = |(at, hop)| -> Option<(usize, &Hop, &Figure)> {
        let hop: &Hop = hop;
        hop.figures.get(&timer).map(|figure| (at, hop, figure))
    };
    let known = chain.hops.iter().enumerate().filter_map(figure);
    let ending = known.filter(|(_, _, figure)| figure.limit != Limit::Never);
    ending.min_by_key(|(_, _, figure)| figure.limit)
}

fn ceiling_of(chain: &Chain, at: usize, hop: &Hop, timer: Timer, figure: &Figure) -> Finding {
    let (name, limit) = (&hop.name, figure.limit);
    let headline = if timer == Timer::Total {
        format!("no request outlives {limit}")
    } else {
        format!("no request stays silent for longer than {limit}")
    };
    let what = if timer == Timer::Total {
        format!("No request outlives {figure} at {name}, whatever is configured behind it")
    } else {
        format!(
            "No request stays silent for longer than {figure} at {name}; while bytes come, it may last"
        )
    };
    let then = match hop.product.role {
        Role::Client => format!("then {name} gives up"),
        _ => format!("then whoever waits gets {}", answer(hop, timer)),
    };
    Finding {
        headline,
        text: format!("{what}: {then}.{}", raise(hop, timer, figure)),
        source: hop.product.spec(timer).map(|spec| spec.source),
        ..finding(chain, Rule::Ceiling, Severity::Ok, &[at])
    }
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
