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

/// How many gateways are asked about at once: as many as one call takes.
const AT_ONCE: usize = 20;

/// Tags by ARN, of the gateways whose tags are known.
#[derive(Debug, Clone, Default)]
pub(super) struct Tags(HashMap<String, BTreeMap<String, String>>);

impl Tags {
    #[cfg(test)]
    pub(super) fn known(all: &[(&Listed, &[(&str, &str)])]) -> Self {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let of = |(found, tags): &(&Listed, &[(&str, &str)])| {
            (found.arn.clone(), tags.iter().map(owned).collect())
        };
        Self(all.iter().map(of).collect())
    }

    /// The tags of a gateway, where they are known.
    pub(super) fn of(&self, found: &Listed) -> Option<&BTreeMap<String, String>> {
        self.0.get(&found.arn)
    }

    /// How many of these have tags that are not known.
    pub(super) fn unknown(&self, wanted: &[&Listed]) -> usize {
        wanted.iter().filter(|found| self.of(found).is_none()).count()
    }

    /// Reads the tags of those that are `wanted` within `deadline`, and forgets those of
    /// gateways that are not listed. Returns the first fault; what was read in spite of it
    /// counts.
    pub(super) async fn read(
        &mut self,
        inventory: &dyn Inventory,
        list: &[Listed],
        wanted: &[&Listed],
        deadline: Duration,
        usage: &mut Usage,
    ) -> Option<AwsError> {
        let listed: HashSet<&str> = list.iter().map(|found| found.arn.as_str()).collect();
        self.0.retain(|arn, _| listed.contains(arn.as_str()));
        let watch = Stopwatch::start();
        let arns: Vec<String> = wanted.iter().map(|found| found.arn.clone()).collect();
        let calls = arns.chunks(AT_ONCE).map(|some| async move {
            let mut used = Usage::default();
            (some, inventory.tags(some, &mut used).await, used)
        });
        let mut answers = futures::stream::iter(calls).buffered(CONCURRENCY);
        let mut first = None;
        loop {
            let left = deadline.saturating_sub(watch.elapsed());
            let Ok(answer) = tokio::time::timeout(left, answers.next()).await else {
                let (action, region) = (inventory.actions().tags, inventory.region());
                return first.or_else(|| Some(late(action, region, deadline)));
            };
            let Some((some, answer, used)) = answer else { return first };
            usage.add(used);
            match answer {
                Ok(mut tags) => {
                    let each =
                        some.iter().map(|arn| (arn.clone(), tags.remove(arn).unwrap_or_default()));
                    self.0.extend(each);
                }
                Err(fault) if !fault.is_about_what_was_asked() => return Some(fault),
                Err(fault) => first = first.or(Some(fault)),
            }
        }
    }
}
