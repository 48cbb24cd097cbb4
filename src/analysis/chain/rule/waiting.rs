//! Every timeout must be longer than those behind it.
//!
//! A hop is compared with the nearest one behind it that gives up at some time;
//! what lies between has no figure, or none that ends.

use std::cmp::Ordering;

use super::{
    Finding, Rule, Severity, answer, finding, inner_patience, waited, with_patience, working_behind,
};
use crate::analysis::chain::Chain;
use crate::analysis::chain::advice;
use crate::analysis::chain::figure::{Figure, Timer};
use crate::analysis::chain::hop::Hop;
use crate::analysis::chain::product::Role;

/// A hop, its place, and the timer and figure by which it gives up.
type Waiting<'a> = (usize, &'a Hop, Timer, &'a Figure);

/// Pairs of kinds of which no document says who gives up.
const UNDOCUMENTED: [(&str, &str); 1] = [("alb", "lambda")];

/// Where an outer hop gives up first, or at the same moment.
pub(super) fn outer_gives_up_first(chain: &Chain) -> Vec<Finding> {
    pairs(chain).filter_map(|(outer, inner)| compare(chain, outer, inner)).collect()
}

/// Where the whole request is counted outside and the silence behind: the inner
/// timeout is shorter and still does not keep the outer one from firing.
pub(super) fn semantics_differ(chain: &Chain) -> Vec<Finding> {
    let differ = |(outer, inner): &(Waiting<'_>, Waiting<'_>)| {
        outer.2 == Timer::Total && inner.2 == Timer::Read && inner.3.limit < outer.3.limit
    };
    let told = |((at, outer, _, of), (behind, inner, _, inf)): (Waiting<'_>, Waiting<'_>)| {
        Finding {
            headline: format!(
                "{} counts the whole request, {} the silence",
                outer.name, inner.name
            ),
            text: format!(
                "{} counts the whole request ({}), {} only the silence between two reads ({}): a response that trickles passes {} and is cut off by {}.",
                outer.name, of.limit, inner.name, inf.limit, inner.name, outer.name
            ),
            ..finding(chain, Rule::SemanticsDiffer, Severity::Ok, &[at, behind])
        }
    };
    pairs(chain).filter(differ).map(told).collect()
}

/// Each hop that gives up, with the nearest behind it that does too.
fn pairs(chain: &Chain) -> impl Iterator<Item = (Waiting<'_>, Waiting<'_>)> {
    let waiting = chain.hops.iter().enumerate().filter_map(|(at, hop)| with_patience(at, hop));
    waiting.filter_map(|outer| Some((outer, inner_patience(chain, outer.0)?)))
}

fn compare(chain: &Chain, outer: Waiting<'_>, inner: Waiting<'_>) -> Option<Finding> {
    let (at, hop, timer, figure) = outer;
    let (behind, inner_hop, inner_timer, inner_figure) = inner;
    let (severity, how) = match figure.limit.cmp(&inner_figure.limit) {
        Ordering::Less => (Severity::Broken, "gives up first"),
        Ordering::Equal => (Severity::Weak, "gives up at the same moment"),
        Ordering::Greater => return None,
    };
    if UNDOCUMENTED.contains(&(hop.product.kind, inner_hop.product.kind)) {
        return Some(undocumented(chain, outer, inner));
    }
    Some(Finding {
        headline: format!(
            "{} {how}: {}, {} {}",
            hop.name, figure.limit, inner_hop.name, inner_figure.limit
        ),
        text: story(chain, severity, outer, inner),
        advice: advice::order(hop, (timer, figure), inner_hop, (inner_timer, inner_figure)),
        source: hop.product.spec(timer).map(|spec| spec.source),
        ..finding(chain, Rule::OuterGivesUpFirst, severity, &[at, behind])
    })
}

/// A pair of which no document says who gives up.
fn undocumented(chain: &Chain, outer: Waiting<'_>, inner: Waiting<'_>) -> Finding {
    let (at, hop, timer, figure) = outer;
    let (behind, inner_hop, inner_timer, inner_figure) = inner;
    Finding {
        headline: format!("whether {} waits for {} is not documented", hop.name, inner_hop.name),
        text: format!(
            "{} works for {}, and {} gives up after {}. AWS says that a load balancer waits for a function until it answers or times out, and does not say whether the idle timeout ends that.",
            inner_hop.name,
            waited(inner_timer, inner_figure),
            hop.name,
            waited(timer, figure)
        ),
        advice: advice::order(hop, (timer, figure), inner_hop, (inner_timer, inner_figure)),
        source: hop.product.spec(timer).map(|spec| spec.source),
        ..finding(chain, Rule::OuterGivesUpFirst, Severity::Unknown, &[at, behind])
    }
}

fn story(chain: &Chain, severity: Severity, outer: Waiting<'_>, inner: Waiting<'_>) -> String {
    let (at, hop, timer, figure) = outer;
    let (_, inner_hop, inner_timer, inner_figure) = inner;
    let name = &hop.name;
    let (of, behind) = (waited(timer, figure), waited(inner_timer, inner_figure));
    let work = working_behind(chain, at, "works", "work");
    let begins = if severity == Severity::Weak {
        format!(
            "{name} gives up after {of}, at the same moment as {}: {behind}. Which of them answers is chance. When it is {name},",
            inner_hop.name
        )
    } else {
        format!("{name} gives up after {of}, before {} does: {behind}. Then", inner_hop.name)
    };
    if hop.product.role == Role::Client {
        format!("{begins} {work} on for nobody.")
    } else {
        format!(
            "{begins} whoever waits gets {} from {name}, and {work} on for nobody.",
            answer(hop, timer)
        )
    }
}
