//! What to set, to which figure, and where.
//!
//! A suggestion keeps a tenth of distance, stays within what the product takes,
//! and is a whole number of seconds, because most products take no other. It is
//! tried on the chain before it is given: one that would bring a finding is given
//! with what cures that as well, or not at all.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::chain::Chain;
use crate::chain::figure::{Limit, Timer};
use crate::chain::hop::Hop;
use crate::chain::product::{Idle, Knob, Product};
use crate::chain::rule::{self, Draft, Finding, Rule, Severity};

/// How often the rules are asked about one suggestion.
const MOST_TRIALS: usize = 24;
/// Ways out of one finding; more than that nobody compares.
const MOST_ADVICE: usize = 3;
/// More settings than that nobody changes for one finding.
const MOST_STEPS: usize = 4;

/// One thing that can be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// What, in a sentence.
    pub text: String,
    /// The same for programs; empty where it takes a decision.
    pub changes: Vec<Change>,
    /// What to write where; of those for one hop, one is enough.
    pub lines: Vec<Line>,
}

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

/// What is changed of a hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// One of its timers is set.
    Timer(Timer, Limit),
    /// How often it tries is set.
    Attempts(u32),
    /// A timer is removed from the config, so that what was found counts.
    NotInConfig(Timer),
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
    change: Change,
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
    fn words(&self) -> String {
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
    fn lines(&self, chain: &Chain) -> Vec<Line> {
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

/// The findings with what can be done about each, tried on the chain.
pub(super) fn advised(chain: &Chain, drafts: Vec<Draft>) -> Vec<Finding> {
    let before = Marks::of(&drafts);
    let advise = |draft: Draft| {
        let trial =
            Trial { chain, before: &before, rule: draft.finding.rule, hops: &draft.finding.hops };
        let mut found = Vec::<Vec<Step>>::new();
        for remedy in &draft.remedies {
            let mut left = MOST_TRIALS;
            let grown = trial.grown(remedy.clone(), &mut left);
            found.extend(grown.filter(|steps| !found.contains(steps)));
        }
        let found = simplest(found);
        let sets = found.iter().enumerate().map(|(at, steps)| told(chain, steps, at == 0));
        let mut advice: Vec<Advice> = sets.collect();
        let plain = |text: String| Advice { text, changes: Vec::new(), lines: Vec::new() };
        advice.extend(draft.plain.into_iter().map(plain));
        if advice.is_empty() {
            advice.extend(draft.otherwise.map(plain));
        }
        Finding { advice, ..draft.finding }
    };
    drafts.into_iter().map(advise).collect()
}

/// The simplest first, without those that only add to a simpler one.
fn simplest(mut found: Vec<Vec<Step>>) -> Vec<Vec<Step>> {
    found.sort_by_key(Vec::len);
    let mut kept = Vec::<Vec<Step>>::new();
    for steps in found {
        if !kept.iter().any(|simpler| simpler.iter().all(|step| steps.contains(step))) {
            kept.push(steps);
        }
    }
    kept.truncate(MOST_ADVICE);
    kept
}

/// Steps as advice.
fn told(chain: &Chain, steps: &[Step], is_first: bool) -> Advice {
    let changes: Vec<Change> = steps.iter().map(|step| step.change.clone()).collect();
    let text = match (changes.as_slice(), is_first) {
        ([Change { hop, setting: Setting::NotInConfig(timer) }], _) => {
            let remove = if is_first { "Remove" } else { "Or remove" };
            format!("{remove} {} of {hop} from the config: it is read from there.", timer.key())
        }
        (_, true) => format!("Set {}.", listed(steps)),
        (_, false) => format!("Or set {}.", listed(steps)),
    };
    Advice { text, changes, lines: steps.iter().flat_map(|step| step.lines(chain)).collect() }
}

fn listed(steps: &[Step]) -> String {
    steps.iter().map(Step::words).collect::<Vec<_>>().join(", and ")
}

/// A finding that is to end without another one in its place.
struct Trial<'a> {
    chain: &'a Chain,
    before: &'a Marks,
    rule: Rule,
    hops: &'a [String],
}

impl Trial<'_> {
    /// The steps, with those that cure what they would bring. `None` when the
    /// finding does not end so, or another one comes whatever is done.
    fn grown(&self, steps: Vec<Step>, left: &mut usize) -> Option<Vec<Step>> {
        if steps.len() > MOST_STEPS || *left == 0 {
            return None;
        }
        *left -= 1;
        let changed = self.chain.with(steps.iter().map(|step| &step.change));
        let drafts = rule::drafts(&changed);
        let after = Marks::of(&drafts);
        let Some(new) = drafts.iter().find(|draft| self.before.is_new(&after, draft)) else {
            let ends =
                after.weight(self.rule, self.hops) < self.before.weight(self.rule, self.hops);
            return ends.then_some(steps);
        };
        let is_free = |step: &Step| {
            let same = |other: &Step| {
                (&other.change.hop, other.change.key()) == (&step.change.hop, step.change.key())
            };
            !steps.iter().any(same)
        };
        let further = new.remedies.iter().filter(|remedy| remedy.iter().all(is_free));
        further
            .map(|remedy| steps.iter().chain(remedy).cloned().collect())
            .find_map(|steps| self.grown(steps, left))
    }
}

/// What is wrong with a chain, but for words and figures.
struct Marks(BTreeMap<(Rule, Vec<String>), Vec<Severity>>);

impl Marks {
    fn of(drafts: &[Draft]) -> Self {
        let mut marks = BTreeMap::<_, Vec<Severity>>::new();
        for finding in drafts.iter().map(|draft| &draft.finding) {
            if finding.severity > Severity::Ok {
                let key = (finding.rule, finding.hops.clone());
                marks.entry(key).or_default().push(finding.severity);
            }
        }
        for severities in marks.values_mut() {
            severities.sort_unstable_by(|a, b| b.cmp(a));
        }
        Self(marks)
    }

    fn severities(&self, rule: Rule, hops: &[String]) -> &[Severity] {
        self.0.get(&(rule, hops.to_vec())).map_or(&[][..], Vec::as_slice)
    }

    /// Whether something like a draft was not there, or is worse `after`.
    fn is_new(&self, after: &Self, draft: &Draft) -> bool {
        let (rule, hops) = (draft.finding.rule, &draft.finding.hops);
        let (before, after) = (self.severities(rule, hops), after.severities(rule, hops));
        draft.finding.severity > Severity::Ok
            && after.iter().enumerate().any(|(at, now)| before.get(at).is_none_or(|was| now > was))
    }

    /// How many there are of a rule and hops, and how bad.
    fn weight(&self, rule: Rule, hops: &[String]) -> usize {
        let severities = self.severities(rule, hops);
        severities.iter().map(|severity| *severity as usize).sum()
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

/// Whether a product takes so many seconds.
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
