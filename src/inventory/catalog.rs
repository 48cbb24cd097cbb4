//! What is known of the gateways of one kind in an account and Region.
//!
//! They are listed once and every selection picks from the list. If AWS cannot be asked,
//! what was found before stays watched.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;

use super::choice::{self, Choice, Match};
use super::tags::Tags;
use super::target_groups::TargetGroups;
use super::timeouts::{Timeouts, Unread, late};
use super::trouble::Trouble;
use super::{Inventory, Listed, connect};
use crate::config::{Selection, Selector, TimeoutSetting};
use crate::edge::aws::{AwsError, ErrorKind, Skew, Usage};
use crate::edge::time::Stopwatch;
use nearmiss_core::gateway::{Gateway, Identity, Kind, Timeout};

/// The gateways of one kind in one place.
#[derive(Debug, Clone)]
pub(super) struct Catalog {
    pub(super) kind: Kind,
    pub(super) inventory: Arc<dyn Inventory>,
    pub(super) tags: Tags,
    pub(super) timeouts: Timeouts,
    pub(super) target_groups: TargetGroups,
}

/// The result of refreshing a catalog.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub(super) gateways: Vec<Arc<Gateway>>,
    pub(super) troubles: Vec<Trouble>,
    /// What the config excludes.
    pub(super) notes: Vec<String>,
    /// Whether the list did not come: what was found before stays.
    pub(super) keeps_the_rest: bool,
    /// Whether something that the config means may be missing.
    pub(super) is_partial: bool,
}

impl Catalog {
    /// Nothing is known yet.
    pub(super) fn new(kind: Kind, sdk: &SdkConfig, skew: &Skew) -> Self {
        Self {
            kind,
            inventory: connect(kind, sdk, skew),
            tags: Tags::default(),
            timeouts: Timeouts::default(),
            target_groups: TargetGroups::default(),
        }
    }

    /// Takes over what was known with another config.
    pub(super) fn take_over(&mut self, before: Self) {
        self.tags = before.tags;
        self.timeouts = before.timeouts;
        self.target_groups = before.target_groups;
    }

    /// What these selections mean, within `deadline`. `reads_all_tags` where routes or
    /// labels depend on tags.
    pub(super) async fn look(
        &mut self,
        selections: &[&Selection],
        reads_all_tags: bool,
        now: i64,
        deadline: Duration,
        usage: &mut Usage,
    ) -> Looked {
        let mut looked = Looked::default();
        let watch = Stopwatch::start();
        let left = || deadline.saturating_sub(watch.elapsed());
        let listed = tokio::time::timeout(deadline, self.inventory.list(usage)).await;
        let (action, region) = (self.inventory.actions().list, self.inventory.region());
        match listed.unwrap_or_else(|_| Err(late(action, region, deadline))) {
            Ok(list) => {
                let asks = |s: &&&Selection| reads_all_tags || s.needs_tags();
                let asking: Vec<&Selection> = selections.iter().filter(asks).copied().collect();
                let wants = (&asking[..], reads_all_tags);
                self.read_tags(&list, wants, left() / 2, usage, &mut looked).await;
                self.timeouts.forget_the_gone(&list);
                self.choose(selections, &list, now, left(), usage, &mut looked).await;
            }
            Err(fault) => {
                let named = named_by_arn(selections, &fault);
                let several = self.kind.spec().words.several;
                let lost = (fault.problem == ErrorKind::Denied).then(|| {
                    format!("Only {several} that are named by their ARN, or were found before, are watched")
                });
                looked.troubles.push(Trouble::Call { fault, lost });
                self.choose(selections, &named, now, left(), usage, &mut looked).await;
                // What is missing from a list that did not come may still exist.
                looked.troubles.retain(|trouble| matches!(trouble, Trouble::Call { .. }));
                (looked.is_partial, looked.keeps_the_rest) = (true, true);
            }
        }
        looked
    }

    /// Reads the tags of the gateways that need them. What cannot be read affects only
    /// those.
    async fn read_tags(
        &mut self,
        list: &[Listed],
        (asking, all): (&[&Selection], bool),
        deadline: Duration,
        usage: &mut Usage,
        looked: &mut Looked,
    ) {
        let is_wanted = |one: &&Listed| asking.iter().any(|s| choice::names(s, one));
        let wanted: Vec<&Listed> = list.iter().filter(is_wanted).collect();
        let fault = self.tags.read(self.inventory.as_ref(), list, &wanted, deadline, usage).await;
        let unknown = self.tags.unknown(&wanted);
        looked.is_partial |= unknown > 0 && asking.iter().any(|s| s.needs_tags());
        let effect = (unknown > 0).then(|| self.without_tags(asking, all, unknown));
        looked.troubles.extend(fault.map(|fault| Trouble::Call { fault, lost: effect }));
    }

    /// What does not work while the tags of this many gateways are not known.
    fn without_tags(&self, asking: &[&Selection], all: bool, unknown: usize) -> String {
        let mut lost = Vec::new();
        let by_tags = asking.iter().filter(|s| !s.tags.is_empty());
        lost.extend(by_tags.map(|selection| format!("{selection} does not find them")));
        if asking.iter().any(|s| s.needs_tags() && s.tags.is_empty()) {
            lost.push("exclude does not leave them out by tags".to_owned());
        }
        if all {
            lost.push(
                "routes, maintenance windows, silences and labels by tags do not fit them"
                    .to_owned(),
            );
        }
        let several = self.kind.spec().words.several;
        format!("The tags of {unknown} {several} are not known: {}", lost.join("; "))
    }

    async fn choose(
        &mut self,
        selections: &[&Selection],
        list: &[Listed],
        now: i64,
        deadline: Duration,
        usage: &mut Usage,
        looked: &mut Looked,
    ) {
        let inventory = self.inventory.as_ref();
        let (region, words) = (inventory.region(), &self.kind.spec().words);
        let Choice { matches, troubles, notes } = Choice::of(selections, region, list, &self.tags);
        looked.troubles.extend(troubles);
        looked.notes.extend(notes);
        let arns: Vec<&str> = matches.iter().map(|m| m.listed.arn.as_str()).collect();
        let Unread { gone, mut faults, waiting } =
            self.timeouts.read(inventory, &arns, now, deadline, usage).await;
        if waiting > 0 {
            let said =
                format!("the {}s of {waiting} {} are not read yet", words.timeout, words.several);
            faults.push(AwsError::incomplete(inventory.actions().timeout, region, said));
        }
        let there: Vec<_> = matches.iter().filter(|m| !gone.contains(&m.listed.arn)).collect();
        let found: Vec<_> =
            there.iter().filter_map(|one| self.gateway(one)).map(Arc::new).collect();
        let without = there.len() - found.len();
        looked.is_partial |= without > 0;
        let effect = (without > 0).then(|| {
            format!(
                "{without} {} are not watched, because their {} is not known: with timeout = \"60s\" in its [[gateway]] one is watched all the same",
                words.several, words.timeout
            )
        });
        let call = |fault| Trouble::Call { fault, lost: effect.clone() };
        looked.troubles.extend(faults.into_iter().map(call));
        looked.gateways.extend(found);
    }

    /// A gateway with its timeout, if that is known.
    fn gateway(&self, one: &Match) -> Option<Gateway> {
        let Match { listed, selection } = one;
        let at_aws = self.timeouts.of(&listed.arn);
        let seconds = match selection.timeout {
            TimeoutSetting::Fixed(span) => span.get().as_secs_f64(),
            TimeoutSetting::Auto => at_aws?,
        };
        Some(Gateway {
            id: listed.id.clone(),
            timeout: Timeout { seconds, at_aws },
            near: selection.near.get(),
            detail: selection.detail,
            tags: self.tags.of(listed).cloned().unwrap_or_default(),
        })
    }
}

/// A gateway that the config describes in full.
pub(super) fn explicit(selection: &Selection, region: &str) -> Option<Gateway> {
    let (account, dimension) = match &selection.selector {
        Selector::Arn(arn) => (arn.account.as_str(), &arn.dimension),
        Selector::Dimension(value) => {
            (selection.monitored_account.as_deref().unwrap_or_default(), value)
        }
        Selector::Name(_) => return None,
    };
    let TimeoutSetting::Fixed(span) = selection.timeout else { return None };
    Some(Gateway {
        id: Identity::new(selection.kind, region, account, dimension),
        timeout: Timeout { seconds: span.get().as_secs_f64(), at_aws: None },
        near: selection.near.get(),
        detail: selection.detail,
        tags: BTreeMap::new(),
    })
}

/// The gateways that the config names by their ARN: they need no list, only their timeout.
fn named_by_arn(selections: &[&Selection], fault: &AwsError) -> Vec<Listed> {
    if fault.problem != ErrorKind::Denied {
        return Vec::new();
    }
    let named = selections.iter().filter_map(|selection| match &selection.selector {
        Selector::Arn(arn) => Some(Listed {
            id: Identity::new(arn.kind, &arn.region, &arn.account, &arn.dimension),
            arn: arn.text.clone(),
        }),
        _ => None,
    });
    named.collect()
}
