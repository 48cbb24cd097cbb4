//! The tags of load balancers, as far as they may be read.
//!
//! They decide about some load balancers and not about others, so that a call that is
//! denied loses only what goes by tags. What was read before stays in force.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use futures::StreamExt;

use super::CONCURRENCY;
use crate::edge::aws::{AwsError, Usage};
use crate::edge::elb::{self, Elb, Found};
use crate::edge::time::Stopwatch;

/// So many load balancers are asked about at once, as many as one call takes.
const AT_ONCE: usize = 20;

/// Tags by ARN, of the load balancers whose tags are known.
#[derive(Debug, Clone, Default)]
pub(super) struct Tags(HashMap<String, BTreeMap<String, String>>);

impl Tags {
    #[cfg(test)]
    pub(super) fn known(all: &[(&Found, &[(&str, &str)])]) -> Self {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let of = |(found, tags): &(&Found, &[(&str, &str)])| {
            (found.arn.text.clone(), tags.iter().map(owned).collect())
        };
        Self(all.iter().map(of).collect())
    }

    /// The tags of a load balancer, where they are known.
    pub(super) fn of(&self, found: &Found) -> Option<&BTreeMap<String, String>> {
        self.0.get(&found.arn.text)
    }

    /// Of how many of these they are not known.
    pub(super) fn unknown(&self, wanted: &[&Found]) -> usize {
        wanted.iter().filter(|found| self.of(found).is_none()).count()
    }

    /// Reads those of `wanted` within `deadline`, and forgets those of load balancers
    /// that are not listed. Returns the first fault; what was read all the same counts.
    pub(super) async fn read(
        &mut self,
        (elb, region): (&Elb, &str),
        list: &[Found],
        wanted: &[&Found],
        deadline: Duration,
        usage: &mut Usage,
    ) -> Option<AwsError> {
        let listed: HashSet<&str> = list.iter().map(|found| found.arn.text.as_str()).collect();
        self.0.retain(|arn, _| listed.contains(arn.as_str()));
        let watch = Stopwatch::start();
        let arns: Vec<String> = wanted.iter().map(|found| found.arn.text.clone()).collect();
        let calls = arns.chunks(AT_ONCE).map(|some| async move {
            let mut used = Usage::default();
            (some, elb.tags(some, &mut used).await, used)
        });
        let mut answers = futures::stream::iter(calls).buffered(CONCURRENCY);
        let mut first = None;
        loop {
            let left = deadline.saturating_sub(watch.elapsed());
            let Ok(answer) = tokio::time::timeout(left, answers.next()).await else {
                let said = format!("not done within {} s", deadline.as_secs());
                return first.or_else(|| Some(AwsError::incomplete(elb::TAGS, region, said)));
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
