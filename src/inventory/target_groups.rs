//! The target groups of gateways that are polled fast: searched for now and then, and only
//! where an inventory can be asked at all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;

use super::pace::{Pace, Purpose};
use super::timeouts::late;
use super::{CONCURRENCY, Inventory, Known};
use crate::edge::aws::{AwsError, ErrorKind, Usage};
use crate::edge::time::Stopwatch;

/// How long a gateway's target groups are valid.
const KEPT_SECONDS: i64 = 900;
/// At most this many target groups of a gateway have their metrics read.
pub const MAX_TARGET_GROUPS: usize = 10;

/// From this many gateways on, all target groups of the account are listed: a page has four
/// hundred of them.
const LISTED_FROM: usize = 20;

/// The dimension values of target groups by the ARN of their gateway.
#[derive(Debug, Clone, Default)]
pub(super) struct TargetGroups(HashMap<String, Known<Vec<String>>>);

/// What a search found, by the ARN of the gateway.
#[derive(Debug)]
pub struct Found(Vec<(String, Result<Vec<String>, AwsError>)>);

impl TargetGroups {
    /// Those of a gateway whose metrics are read beside its own.
    pub(super) fn of(&self, arn: &str) -> &[String] {
        let groups = self.0.get(arn).map_or(&[][..], |known| &known.value);
        &groups[..groups.len().min(MAX_TARGET_GROUPS)]
    }

    /// Whether those of a gateway were not searched for lately.
    pub(super) fn is_old(&self, arn: &str, now: i64) -> bool {
        let known = self.0.get(arn);
        known.is_none_or(|known| !(0..KEPT_SECONDS).contains(&(now - known.read)))
    }

    /// Enters what a search found, and returns why it did not find the rest.
    pub(super) fn enter(&mut self, found: Found, now: i64) -> Vec<AwsError> {
        let mut faults = Vec::new();
        for (arn, answer) in found.0 {
            let known = self.0.entry(arn).or_insert_with(|| Known { value: Vec::new(), read: now });
            known.read = now;
            match answer {
                Ok(value) => known.value = value,
                // What was found before stays; it is asked for again like all.
                Err(fault) => faults.push(fault),
            }
        }
        faults
    }
}

impl Found {
    /// Searches for the target groups of these gateways at this pace, until the deadline: of
    /// many by a list of all, of few one by one. Those that are not asked about by then, or
    /// throttled, are asked about another time.
    pub(super) async fn search(
        inventory: Arc<dyn Inventory>,
        arns: Vec<String>,
        pace: Arc<Pace>,
        deadline: Duration,
    ) -> (Self, Usage) {
        let mut usage = Usage::default();
        let Some(action) = inventory.actions().target_groups else {
            return (Self(Vec::new()), usage);
        };
        let watch = Stopwatch::start();
        let left = || deadline.saturating_sub(watch.elapsed());
        if arns.len() >= LISTED_FROM
            && let Some(found) =
                Self::listed(inventory.as_ref(), &arns, &pace, left() / 2, &mut usage).await
        {
            return (found, usage);
        }
        let calls = arns.into_iter().map(|arn| {
            let (inventory, pace, left) = (&inventory, &pace, &left);
            async move {
                // The last calls need time to be answered.
                let until = left().saturating_sub(deadline / 5);
                tokio::time::timeout(until, pace.admit(Purpose::Unknown)).await.ok()?;
                let mut used = Usage::default();
                let call = inventory.target_groups(Some(&arn), &mut used);
                let answer = tokio::time::timeout(left(), call).await;
                let answer =
                    answer.unwrap_or_else(|_| Err(late(action, inventory.region(), deadline)));
                Some((arn, answer, used))
            }
        });
        let mut answers = futures::stream::iter(calls).buffered(CONCURRENCY);
        let mut found = Vec::new();
        while let Some(answer) = answers.next().await {
            let Some((arn, answer, used)) = answer else { continue };
            usage.add(used);
            let is_throttled =
                answer.as_ref().is_err_and(|fault| fault.problem == ErrorKind::Throttled);
            pace.enter(is_throttled);
            if !is_throttled {
                let answer = answer.map(|mut groups| groups.remove(&arn).unwrap_or_default());
                found.push((arn, answer));
            }
        }
        (Self(found), usage)
    }

    /// The same by a list of all. `None` if that does not end: then there is time left to ask
    /// about some of them.
    async fn listed(
        inventory: &dyn Inventory,
        arns: &[String],
        pace: &Pace,
        deadline: Duration,
        usage: &mut Usage,
    ) -> Option<Self> {
        let listing = inventory.target_groups(None, usage);
        match tokio::time::timeout(deadline, listing).await.ok()? {
            Ok(mut all) => {
                let mut of_one = |arn: &String| {
                    let groups = all.remove(arn).unwrap_or_default();
                    (arn.clone(), Ok(groups))
                };
                Some(Self(arns.iter().map(&mut of_one).collect()))
            }
            Err(fault) if fault.problem == ErrorKind::Throttled => {
                pace.enter(true);
                Some(Self(Vec::new()))
            }
            Err(fault) if fault.problem == ErrorKind::Incomplete => None,
            Err(fault) => {
                Some(Self(arns.iter().map(|arn| (arn.clone(), Err(fault.clone()))).collect()))
            }
        }
    }
}
