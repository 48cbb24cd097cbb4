//! What to set, to which figure, and where.
//!
//! A suggestion keeps a tenth of distance, stays within what the product takes,
//! and is a whole number of seconds, because most products take no other.

use serde::Serialize;

use super::figure::{Figure, Limit, Timer};
use super::hop::Hop;
use super::product::{Idle, Product, Role};

/// One thing that can be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// What, in a sentence.
    pub text: String,
    /// What to write where; one of the lines is enough.
    pub lines: Vec<Line>,
}

/// What to write in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The tool or the file.
    pub place: &'static str,
    /// What to write or to run there.
    pub text: String,
}

impl Advice {
    /// A sentence alone.
    pub(super) fn of(text: String) -> Self {
        Self { text, lines: Vec::new() }
    }

    /// A sentence with a figure, and where it is set.
    fn set(text: &str, product: &Product, timer: Timer, seconds: u64) -> Self {
        let text = format!("{text}, such as {}.", Limit::seconds(seconds));
        let milliseconds = seconds.saturating_mul(1_000).to_string();
        let knobs = product.spec(timer).map_or(&[][..], |spec| spec.knobs);
        let write = |template: &str| {
            template.replace("{ms}", &milliseconds).replace("{s}", &seconds.to_string())
        };
        let lines = knobs.iter().map(|k| Line { place: k.place, text: write(k.template) });
        Self { text, lines: lines.collect() }
    }
}

/// How to put two timeouts into their order: lower the inner one, or raise the
/// outer one.
pub(super) fn order(
    outer: &Hop,
    (timer, figure): (Timer, &Figure),
    inner: &Hop,
    (inner_timer, inner_figure): (Timer, &Figure),
) -> Vec<Advice> {
    let mut advice = shorter(inner, inner_timer, figure.limit, 1);
    let raised = above(inner_figure.limit).filter(|s| takes(outer.product, timer, *s));
    if let Some(seconds) = raised {
        let before = if advice.is_empty() { "Set" } else { "Or set" };
        let outside = match outer.product.role {
            Role::Client => "",
            _ => ", and first every timeout outside it",
        };
        let text = format!(
            "{before} {} of {} above {}{outside}",
            timer.key(),
            outer.name,
            inner_figure.limit
        );
        advice.push(Advice::set(&text, outer.product, timer, seconds));
    }
    if advice.is_empty() {
        advice.push(Advice::of(format!(
            "{} cannot wait longer: make the work shorter, or let the client ask for its result later.",
            outer.name
        )));
    }
    advice
}

/// How to make a timer shorter than a limit that `attempts` of it must fit in.
pub(super) fn shorter(hop: &Hop, timer: Timer, limit: Limit, attempts: u32) -> Vec<Advice> {
    let Some(seconds) = below(limit, attempts).filter(|s| takes(hop.product, timer, *s)) else {
        return Vec::new();
    };
    let together =
        if attempts > 1 { format!(", all {attempts} attempts together") } else { String::new() };
    let text = format!("Set {} of {} below {limit}{together}", timer.key(), hop.name);
    vec![Advice::set(&text, hop.product, timer, seconds)]
}

/// How to keep accepted connections longer than they are reused, or to reuse
/// them for a shorter time.
pub(super) fn keep(
    caller: &Hop,
    hold: Limit,
    keeper: &Hop,
    (timer, kept): (Timer, Limit),
) -> Vec<Advice> {
    let mut advice = Vec::new();
    if let Some(seconds) = outlasting(hold).filter(|s| takes(keeper.product, timer, *s)) {
        let text = format!("Set {} of {} above {hold}", timer.key(), keeper.name);
        advice.push(Advice::set(&text, keeper.product, timer, seconds));
    }
    let own = Timer::UpstreamKeepAlive;
    let apart = caller.product.idle == Idle::Upstream;
    if let Some(seconds) = below(kept, 1).filter(|s| apart && takes(caller.product, own, *s)) {
        let before = if advice.is_empty() { "Set" } else { "Or set" };
        let text = format!("{before} {} of {} below {kept}", own.key(), caller.name);
        advice.push(Advice::set(&text, caller.product, own, seconds));
    }
    if advice.is_empty() {
        advice.push(Advice::of(format!(
            "Neither {} nor {} can be set so: keep another hop between them.",
            caller.name, keeper.name
        )));
    }
    advice
}

/// Whether a product takes so many seconds.
fn takes(product: &Product, timer: Timer, seconds: u64) -> bool {
    let length = std::time::Duration::from_secs(seconds);
    let bounds = product.spec(timer).and_then(|spec| spec.bounds);
    bounds.is_none_or(|bounds| (bounds.min..=bounds.max).contains(&length))
}

/// Whole seconds, a tenth below a limit that `attempts` of them must fit in.
fn below(limit: Limit, attempts: u32) -> Option<u64> {
    let milliseconds = limit.length()?.as_millis();
    let each = milliseconds * 9 / 10 / u128::from(attempts.max(1)) / 1_000;
    u64::try_from(each).ok().filter(|seconds| *seconds > 0)
}

/// Whole seconds, a tenth above a limit.
fn above(limit: Limit) -> Option<u64> {
    let milliseconds = limit.length()?.as_millis();
    u64::try_from((milliseconds * 11).div_ceil(10_000)).ok()
}

/// Whole seconds, a little above how long connections are reused.
fn outlasting(limit: Limit) -> Option<u64> {
    let seconds = u64::try_from(limit.length()?.as_millis().div_ceil(1_000)).ok()?;
    Some(seconds.saturating_add((seconds / 20).max(5)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_keep_their_distance() {
        let limit = Limit::seconds;
        for (said, expected) in [
            (below(limit(60), 1), Some(54)),
            (below(limit(60), 3), Some(18)),
            (below(limit(29), 1), Some(26)),
            (below(limit(1), 1), None),
            (below(Limit::Never, 1), None),
            (above(limit(60)), Some(66)),
            (above(limit(1)), Some(2)),
            (above(Limit::Never), None),
            (outlasting(limit(60)), Some(65)),
            (outlasting(limit(900)), Some(945)),
        ] {
            assert_eq!(said, expected);
        }
    }
}
