//! The target groups of gateways that are polled fast: searched for now and then, and only
//! where an inventory can be asked at all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;

use super::timeouts::late;
use super::{CONCURRENCY, Inventory, Known};
use crate::edge::aws::{AwsError, Usage};
use crate::edge::time::Stopwatch;

/// How long a gateway's target groups are valid.
const KEPT_SECONDS: i64 = 900;
/// At most this many target groups of a gateway have their metrics read.
pub const MAX_TARGET_GROUPS: usize = 10;

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
    /// Searches for the target groups of these gateways, until the deadline.
    pub(super) async fn search(
        inventory: Arc<dyn Inventory>,
        arns: Vec<String>,
        deadline: Duration,
    ) -> (Self, Usage) {
        let mut usage = Usage::default();
        let Some(action) = inventory.actions().target_groups else {
            return (Self(Vec::new()), usage);
        };
        let watch = Stopwatch::start();
        let calls = arns.into_iter().map(|arn| {
            let inventory = &inventory;
            async move {
                let left = deadline.saturating_sub(watch.elapsed());
                let found = tokio::time::timeout(left, inventory.target_groups(&arn)).await;
                let found =
                    found.unwrap_or_else(|_| Err(late(action, inventory.region(), deadline)));
                (arn, found)
            }
        });
        let found: Vec<_> = futures::stream::iter(calls).buffered(CONCURRENCY).collect().await;
        for (_, answer) in &found {
            usage.call(action, answer.as_ref().err().map(|fault| fault.problem));
        }
        (Self(found), usage)
    }
}
