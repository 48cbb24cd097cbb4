//! When gateways give up. AWS takes a call for each, so they are kept and read again in
//! turn.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use futures::StreamExt;

use super::{CONCURRENCY, Inventory, Known, Listed};
use crate::edge::aws::{AwsError, Usage};
use crate::edge::time::Stopwatch;
use nearmiss_core::number::quantity;

/// At most this many known timeouts are read again in one refresh, the oldest first.
const READ_AGAIN: usize = 1000;

/// The timeouts of gateways, seconds, by ARN.
#[derive(Debug, Clone, Default)]
pub(super) struct Timeouts(HashMap<String, Known<f64>>);

/// What could not be read.
#[derive(Debug, Default)]
pub(super) struct Unread {
    /// The gateways that have been deleted in the meantime.
    pub(super) gone: HashSet<String>,
    pub(super) faults: Vec<AwsError>,
    /// How many must wait for next time, although nothing failed.
    pub(super) waiting: usize,
}

impl Timeouts {
    pub(super) fn of(&self, arn: &str) -> Option<f64> {
        self.0.get(arn).map(|known| known.value)
    }

    /// Forgets those of gateways that are not listed any more.
    pub(super) fn forget_the_gone(&mut self, list: &[Listed]) {
        let listed: HashSet<&str> = list.iter().map(|one| one.arn.as_str()).collect();
        self.0.retain(|arn, _| listed.contains(arn.as_str()));
    }

    /// Reads those that are not known, and the oldest of the others. Stops at the deadline,
    /// and where the next call would fail as well.
    pub(super) async fn read(
        &mut self,
        inventory: &dyn Inventory,
        arns: &[&str],
        now: i64,
        deadline: Duration,
        usage: &mut Usage,
    ) -> Unread {
        let mut wanted = arns.to_vec();
        wanted.sort_by_key(|arn| self.0.get(*arn).map(|known| known.read));
        let unknown = arns.iter().filter(|arn| self.of(arn).is_none()).count();
        wanted.truncate(unknown.max(READ_AGAIN));
        let action = inventory.actions().timeout;
        let watch = Stopwatch::start();
        let calls =
            wanted.into_iter().map(|arn| async move { (arn, inventory.timeout(arn).await) });
        let mut answers = futures::stream::iter(calls).buffered(CONCURRENCY);
        let mut unread = Unread::default();
        let mut faults = Faults::default();
        // To have read some of many is progress in the time there was; to have read none is
        // a failure.
        let mut without_answer = Some(late(action, inventory.region(), deadline));
        loop {
            let left = deadline.saturating_sub(watch.elapsed());
            let Ok(answer) = tokio::time::timeout(left, answers.next()).await else { break };
            without_answer = None;
            let Some((arn, answer)) = answer else { break };
            usage.call(action, answer.as_ref().err().map(|fault| fault.problem));
            match answer {
                Ok(Some(value)) => {
                    self.0.insert(arn.to_owned(), Known { value, read: now });
                }
                Ok(None) => {
                    self.0.remove(arn);
                    unread.gone.insert(arn.to_owned());
                }
                Err(fault) => {
                    let lost = !fault.is_about_what_was_asked();
                    faults.add(arn, fault);
                    if lost {
                        break;
                    }
                }
            }
        }
        unread.faults = faults.merged().chain(without_answer).collect();
        if unread.faults.is_empty() {
            let is_waiting = |arn: &&&str| self.of(arn).is_none() && !unread.gone.contains(**arn);
            unread.waiting = arns.iter().filter(is_waiting).count();
        }
        unread
    }
}

/// What failed, each kind of failure once.
#[derive(Debug, Default)]
struct Faults(BTreeMap<String, (AwsError, BTreeSet<String>)>);

impl Faults {
    fn add(&mut self, arn: &str, fault: AwsError) {
        let (_, arns) = self.0.entry(fault.to_string()).or_insert_with(|| (fault, BTreeSet::new()));
        arns.insert(arn.to_owned());
    }

    /// Each with the first gateway that it concerns; a number of the others would make a
    /// different text at each poll.
    fn merged(self) -> impl Iterator<Item = AwsError> {
        self.0.into_values().map(|(mut fault, arns)| {
            let others = if arns.len() > 1 { " and others" } else { "" };
            if let Some(arn) = arns.first() {
                fault.said = format!("{} ({arn}{others})", fault.said);
            }
            fault
        })
    }
}

/// A call that was not answered in time.
pub(super) fn late(action: &'static str, region: &str, deadline: Duration) -> AwsError {
    let limit = quantity::seconds(deadline.as_secs_f64());
    AwsError::incomplete(action, region, format!("not done within {limit}"))
}
