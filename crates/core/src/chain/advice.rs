//! What to set, to which figure, and where.
//!
//! A suggestion keeps a distance of a tenth, stays within what the product takes, and is a
//! whole number of seconds, because most products take no other. It is tried on the chain
//! before it is given: one that would bring a finding is given with what cures that as
//! well, or not at all.

use std::collections::BTreeMap;

use crate::chain::Chain;
use crate::chain::finding::{Advice, Draft, Finding, Rule, Severity};
use crate::chain::hop::Setting;
use crate::chain::remedy::{Change, Step};
use crate::chain::rule;

/// How often the rules are asked about one suggestion.
const MAX_TRIALS: usize = 24;
/// At most this many ways out of one finding: nobody compares more.
const MAX_ADVICE: usize = 3;
/// At most this many settings: nobody changes more for one finding.
const MAX_STEPS: usize = 4;

/// The findings with what can be done about each, tried on the chain.
pub(super) fn findings(chain: &Chain) -> Vec<Finding> {
    let drafts = rule::drafts(chain);
    let before = Marks::of(&drafts);
    let advise = |draft: Draft| {
        let trial =
            Trial { chain, before: &before, rule: draft.finding.rule, hops: &draft.finding.hops };
        let mut found = Vec::<Vec<Step>>::new();
        for remedy in &draft.remedies {
            let mut left = MAX_TRIALS;
            let grown = trial.grown(remedy.clone(), &mut left);
            found.extend(grown.filter(|steps| !found.contains(steps)));
        }
        let found = simplest(found);
        let sets = found.iter().enumerate().map(|(at, steps)| notified(chain, steps, at == 0));
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
    kept.truncate(MAX_ADVICE);
    kept
}

/// Steps as advice.
fn notified(chain: &Chain, steps: &[Step], is_first: bool) -> Advice {
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
        if steps.len() > MAX_STEPS || *left == 0 {
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

/// What is wrong with a chain, without words and figures.
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

    /// How many there are of a rule and hops, and how bad they are.
    fn weight(&self, rule: Rule, hops: &[String]) -> usize {
        let severities = self.severities(rule, hops);
        severities.iter().map(|severity| *severity as usize).sum()
    }
}
