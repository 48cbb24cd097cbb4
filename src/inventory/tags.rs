//! The tags of gateways, as far as they may be read.
//!
//! Only some gateways depend on them, so a denied call affects only what depends on tags.
//! What was read before stays in force.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use futures::StreamExt;

use super::timeouts::late;
use super::{CONCURRENCY, Inventory, Listed};
use crate::edge::aws::{AwsError, Usage};
use crate::edge::time::Stopwatch;

/// Tags by ARN, of the gateways whose tags are known.
#[derive(Debug, Clone, Default)]
pub(super) struct Tags {
    known: HashMap<String, Known>,
    /// How often tags were read.
    rounds: u64,
}

#[derive(Debug, Clone, Default)]
struct Known {
    tags: BTreeMap<String, String>,
    /// The round in which they were read.
    round: u64,
}

impl Tags {
    #[cfg(test)]
    pub(super) fn known(all: &[(&Listed, &[(&str, &str)])]) -> Self {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let of = |(found, tags): &(&Listed, &[(&str, &str)])| {
            (found.arn.clone(), Known { tags: tags.iter().map(owned).collect(), round: 0 })
        };
        Self { known: all.iter().map(of).collect(), rounds: 0 }
    }

    /// The tags of a gateway, where they are known.
    pub(super) fn of(&self, found: &Listed) -> Option<&BTreeMap<String, String>> {
        self.known.get(&found.arn).map(|known| &known.tags)
    }

    /// How many of these have tags that are not known.
    pub(super) fn unknown(&self, wanted: &[&Listed]) -> usize {
        wanted.iter().filter(|found| self.of(found).is_none()).count()
    }

    /// Reads the tags of those that are `wanted` within `deadline`, and forgets those of
    /// gateways that are not listed: first those that are not known, then those that were
    /// read the longest time ago, so that all have their turn where a call takes few. Returns
    /// the first fault; what was read in spite of it counts.
    pub(super) async fn read(
        &mut self,
        inventory: &dyn Inventory,
        list: &[Listed],
        wanted: &[&Listed],
        deadline: Duration,
        usage: &mut Usage,
    ) -> Option<AwsError> {
        let listed: HashSet<&str> = list.iter().map(|found| found.arn.as_str()).collect();
        self.known.retain(|arn, _| listed.contains(arn.as_str()));
        self.rounds += 1;
        let round = self.rounds;
        let watch = Stopwatch::start();
        let mut arns: Vec<String> = wanted.iter().map(|found| found.arn.clone()).collect();
        arns.sort_by_key(|arn| self.known.get(arn).map(|known| known.round));
        let calls = arns.chunks(inventory.actions().tags_per_call).map(|some| async move {
            let mut used = Usage::default();
            (some, inventory.tags(some, &mut used).await, used)
        });
        let mut answers = futures::stream::iter(calls).buffered(CONCURRENCY);
        let mut first = None;
        loop {
            let left = deadline.saturating_sub(watch.elapsed());
            let Ok(answer) = tokio::time::timeout(left, answers.next()).await else {
                let (action, region) = (inventory.actions().tags, inventory.region());
                // What is known is read again when it is its turn.
                let is_late = self.unknown(wanted) > 0;
                return first.or_else(|| is_late.then(|| late(action, region, deadline)));
            };
            let Some((some, answer, used)) = answer else { return first };
            usage.add(used);
            match answer {
                Ok(mut tags) => {
                    let each = some.iter().map(|arn| {
                        let tags = tags.remove(arn).unwrap_or_default();
                        (arn.clone(), Known { tags, round })
                    });
                    self.known.extend(each);
                }
                Err(fault) if !fault.is_about_what_was_asked() => return Some(fault),
                Err(fault) => first = first.or(Some(fault)),
            }
        }
    }
}
