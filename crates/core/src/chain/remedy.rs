//! What would end a finding: changes of settings, in words and as lines to write.

use serde::{Serialize, Serializer};

use crate::chain::Chain;
use crate::chain::figure::{Limit, Timer};
use crate::chain::hop::{Hop, Setting};
use crate::chain::product::{Idle, Knob, Product};

/// What to write in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// For which hop.
    pub hop: String,
    /// The tool or the file.
    pub place: &'static str,
    /// What to write or to run there.
    pub text: String,
}

/// One setting of one hop, changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The hop's name.
    pub hop: String,
    /// What is changed.
    pub setting: Setting,
}

impl Change {
    /// Its key in the config.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self.setting {
            Setting::Timer(timer, _) | Setting::NotInConfig(timer) => timer.key(),
            Setting::Attempts(_) => "attempts",
        }
    }
}

/// `{"hop": "nginx", "key": "read_timeout", "to": 54.0}`; without `to` the key is
/// removed from the config.
impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a, T: Serialize> {
            hop: &'a str,
            key: &'a str,
            to: T,
        }
        let (hop, key) = (self.hop.as_str(), self.key());
        match self.setting {
            Setting::Timer(_, limit) => Shown { hop, key, to: limit }.serialize(serializer),
            Setting::Attempts(count) => Shown { hop, key, to: count }.serialize(serializer),
            Setting::NotInConfig(_) => Shown { hop, key, to: None::<()> }.serialize(serializer),
        }
    }
}

/// A change, and why it is this one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub(super) change: Change,
    why: Why,
}

/// Why a figure is suggested.
#[derive(Debug, Clone, PartialEq)]
enum Why {
    /// It fulfils a condition, as others do: `below 60 s`.
    Example(String),
    /// It is the only one: `the most that it takes`.
    Only(String),
}

/// What would end a finding: changes that are made together.
pub(super) type Remedy = Vec<Step>;

impl Step {
    /// What to change, in words.
    pub(super) fn words(&self) -> String {
        let Change { hop, setting } = &self.change;
        match setting {
            Setting::Timer(timer, limit) => match &self.why {
                Why::Example(than) => format!("{} of {hop} {than}, such as {limit}", timer.key()),
                Why::Only(why) => format!("{} of {hop} to {limit}, {why}", timer.key()),
            },
            Setting::Attempts(count) => format!("attempts of {hop} to {count}"),
            Setting::NotInConfig(timer) => format!("no {} of {hop} in the config", timer.key()),
        }
    }

    /// What to write where.
    pub(super) fn lines(&self, chain: &Chain) -> Vec<Line> {
        let hop = chain.hops.iter().find(|hop| hop.name == self.change.hop);
        let Some(product) = hop.map(|hop| hop.product) else { return Vec::new() };
        let (knobs, marks) = match self.change.setting {
            Setting::Timer(timer, limit) => {
                let milliseconds = limit.length().map_or(0, |length| length.as_millis());
                let knobs = product.spec(timer).map_or(&[][..], |spec| spec.knobs);
                let seconds = (milliseconds / 1_000).to_string();
                (knobs, [("{ms}", milliseconds.to_string()), ("{s}", seconds)])
            }
            Setting::Attempts(count) => {
                let knobs = product.retry.map_or(&[][..], |retry| retry.knobs);
                let less = count.saturating_sub(1).to_string();
                (knobs, [("{n}", count.to_string()), ("{m}", less)])
            }
            Setting::NotInConfig(_) => return Vec::new(),
        };
        let line = |knob: &Knob| Line {
            hop: self.change.hop.clone(),
            place: knob.place,
            text: marks
                .iter()
                .fold(knob.template.to_owned(), |text, (mark, value)| text.replace(mark, value)),
        };
        knobs.iter().map(line).collect()
    }
}

/// A timer made shorter than a limit that `attempts` of it must fit in.
pub(super) fn shorter(hop: &Hop, timer: Timer, limit: Limit, attempts: u32) -> Option<Remedy> {
    let seconds = below(limit, attempts).filter(|s| takes(hop.product, timer, *s))?;
    let together =
        if attempts > 1 { format!(", all {attempts} attempts together") } else { String::new() };
    Some(set(hop, timer, seconds, format!("below {limit}{together}")))
}

/// A timer made longer than a limit.
pub(super) fn longer(hop: &Hop, timer: Timer, limit: Limit) -> Option<Remedy> {
    let seconds = above(limit).filter(|s| takes(hop.product, timer, *s))?;
    Some(set(hop, timer, seconds, format!("above {limit}")))
}

/// Accepted connections kept longer than they are reused.
pub(super) fn outlasting(keeper: &Hop, timer: Timer, hold: Limit) -> Option<Remedy> {
    let seconds = little_above(hold).filter(|s| takes(keeper.product, timer, *s))?;
    Some(set(keeper, timer, seconds, format!("above {hold}")))
}

/// Connections reused for a shorter time than they are kept.
pub(super) fn reused_shorter(caller: &Hop, kept: Limit) -> Option<Remedy> {
    let apart = caller.product.idle == Idle::Upstream;
    apart.then(|| shorter(caller, Timer::UpstreamKeepAlive, kept, 1))?
}

/// Fewer attempts.
pub(super) fn fewer(hop: &Hop, count: u32) -> Remedy {
    vec![Step {
        change: Change { hop: hop.name.clone(), setting: Setting::Attempts(count) },
        why: Why::Only(String::new()),
    }]
}

/// A timer set to what the config says, or to a bound.
pub(super) fn exactly(hop: &Hop, timer: Timer, limit: Limit, why: &str) -> Remedy {
    let change = Change { hop: hop.name.clone(), setting: Setting::Timer(timer, limit) };
    vec![Step { change, why: Why::Only(why.to_owned()) }]
}

/// A timer taken out of the config.
pub(super) fn not_in_config(hop: &Hop, timer: Timer) -> Remedy {
    let change = Change { hop: hop.name.clone(), setting: Setting::NotInConfig(timer) };
    vec![Step { change, why: Why::Only(String::new()) }]
}

fn set(hop: &Hop, timer: Timer, seconds: u64, than: String) -> Remedy {
    let setting = Setting::Timer(timer, Limit::seconds(seconds));
    vec![Step { change: Change { hop: hop.name.clone(), setting }, why: Why::Example(than) }]
}

/// Whether a product takes this many seconds.
fn takes(product: &Product, timer: Timer, seconds: u64) -> bool {
    let length = std::time::Duration::from_secs(seconds);
    let bounds = product.spec(timer).and_then(|spec| spec.bounds);
    product.takes(timer) && bounds.is_none_or(|bounds| (bounds.min..=bounds.max).contains(&length))
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
fn little_above(limit: Limit) -> Option<u64> {
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
            (little_above(limit(60)), Some(65)),
            (little_above(limit(900)), Some(945)),
        ] {
            assert_eq!(said, expected);
        }
    }
}
