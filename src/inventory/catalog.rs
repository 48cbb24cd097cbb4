//! What is known of the gateways of one kind in an account and Region.
//!
//! They are listed once and every selection picks from the list. If AWS cannot be asked,
//! what was found before stays watched.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;

use super::choice::{self, Choice, Match};
use super::pace::Pace;
use super::tags::Tags;
use super::target_groups::TargetGroups;
use super::timeouts::{Faults, ReadTimeout, SlowAnswer, TimeoutReader, Timeouts, Why, late};
use super::trouble::Trouble;
use super::{Inventory, Listed, connect};
use crate::config::{Selection, Selector, TimeoutSetting};
use crate::edge::aws::{AwsError, ErrorKind, Skew, Usage};
use crate::edge::time::Stopwatch;
use nearmiss_core::gateway::{Gateway, Identity, Kind, Timeout};

/// At most this many timeouts that are not known are queued at once: what the daemon reads
/// in five minutes.
const MOST_UNKNOWN: usize = 3_000;

/// The gateways of one kind in one place.
#[derive(Debug, Clone)]
pub(super) struct Catalog {
    pub(super) kind: Kind,
    pub(super) inventory: Arc<dyn Inventory>,
    pub(super) tags: Tags,
    pub(super) timeouts: Timeouts,
    pub(super) target_groups: TargetGroups,
    /// What the config means of what was listed last.
    chosen: Vec<Chosen>,
    /// Those of them that have been deleted since.
    gone: HashSet<String>,
    /// Why timeouts could not be read since then.
    faults: Faults,
    /// Why none of them can be read at present, although no call failed.
    stalled: Option<AwsError>,
}

/// A gateway that the config means.
#[derive(Debug, Clone)]
struct Chosen {
    arn: String,
    /// Where the timeout is the gateway's own it is meaningless until that is known.
    gateway: Arc<Gateway>,
    /// The timeout that the config says, seconds.
    fixed: Option<f64>,
}

/// The result of listing a catalog.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub(super) troubles: Vec<Trouble>,
    /// What the config excludes.
    pub(super) notes: Vec<String>,
    /// Whether something that the config means may be missing.
    pub(super) is_partial: bool,
}

impl Catalog {
    /// Nothing is known yet.
    pub(super) fn new(kind: Kind, sdk: &SdkConfig, skew: &Skew) -> Self {
        Self::of(kind, connect(kind, sdk, skew))
    }

    pub(super) fn of(kind: Kind, inventory: Arc<dyn Inventory>) -> Self {
        Self {
            kind,
            inventory,
            tags: Tags::default(),
            timeouts: Timeouts::default(),
            target_groups: TargetGroups::default(),
            chosen: Vec::new(),
            gone: HashSet::new(),
            faults: Faults::default(),
            stalled: None,
        }
    }

    /// Takes over what was known with another config.
    pub(super) fn take_over(&mut self, before: Self) {
        self.tags = before.tags;
        self.timeouts = before.timeouts;
        self.target_groups = before.target_groups;
        self.chosen = before.chosen;
    }

    /// Lists what these selections mean, within `deadline`. `reads_all_tags` where routes
    /// or labels depend on tags.
    pub(super) async fn look(
        &mut self,
        selections: &[&Selection],
        reads_all_tags: bool,
        deadline: Duration,
        usage: &mut Usage,
    ) -> Looked {
        let mut looked = Looked::default();
        (self.faults, self.stalled) = (Faults::default(), None);
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
                self.chosen = self.choose(selections, &list, &mut looked);
            }
            Err(fault) => {
                let named = named_by_arn(selections, &fault);
                let several = self.kind.spec().words.several;
                let lost = (fault.problem == ErrorKind::Denied).then(|| {
                    format!("Only {several} that are named by their ARN, or were found before, are watched")
                });
                looked.troubles.push(Trouble::Call { fault, lost });
                let mut chosen = self.choose(selections, &named, &mut looked);
                let again: HashSet<String> = chosen.iter().map(|one| one.arn.clone()).collect();
                let before = std::mem::take(&mut self.chosen).into_iter();
                chosen.extend(before.filter(|one| !again.contains(&one.arn)));
                self.chosen = chosen;
                // What is missing from a list that did not come may still exist.
                looked.troubles.retain(|trouble| matches!(trouble, Trouble::Call { .. }));
                looked.is_partial = true;
            }
        }
        self.timeouts.keep(&self.chosen.iter().map(|one| one.arn.clone()).collect());
        looked
    }

    /// Means nothing any more.
    pub(super) fn clear(&mut self) {
        self.chosen.clear();
        self.timeouts.keep(&HashSet::new());
        (self.faults, self.stalled) = (Faults::default(), None);
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

    fn choose(
        &self,
        selections: &[&Selection],
        list: &[Listed],
        looked: &mut Looked,
    ) -> Vec<Chosen> {
        let region = self.inventory.region();
        let Choice { matches, troubles, notes } = Choice::of(selections, region, list, &self.tags);
        looked.troubles.extend(troubles);
        looked.notes.extend(notes);
        matches.iter().map(|one| self.chosen(one)).collect()
    }

    fn chosen(&self, Match { listed, selection }: &Match) -> Chosen {
        let fixed = match selection.timeout {
            TimeoutSetting::Fixed(span) => Some(span.get().as_secs_f64()),
            TimeoutSetting::Auto => None,
        };
        let at_aws = self.timeouts.of(&listed.arn);
        let gateway = Gateway {
            id: listed.id.clone(),
            timeout: Timeout { seconds: fixed.or(at_aws).unwrap_or_default(), at_aws },
            near: selection.near.get(),
            detail: selection.detail,
            tags: self.tags.of(listed).cloned().unwrap_or_default(),
        };
        Chosen { arn: listed.arn.clone(), gateway: Arc::new(gateway), fixed }
    }

    /// The gateways that can be watched: those whose timeout is known.
    pub(super) fn gateways(&self) -> impl Iterator<Item = &Arc<Gateway>> {
        self.chosen.iter().filter(|one| self.has_timeout(one)).map(|one| &one.gateway)
    }

    fn has_timeout(&self, one: &Chosen) -> bool {
        one.fixed.is_some() || self.timeouts.of(&one.arn).is_some()
    }

    /// How many gateways are not watched before their timeout is known, and how many there
    /// are.
    pub(super) fn unwatched(&self) -> (usize, usize) {
        let all = self.chosen.len();
        if self.timeouts.len() == all {
            return (0, all);
        }
        (self.chosen.iter().filter(|one| !self.has_timeout(one)).count(), all)
    }

    /// Reads its timeouts, as the catalog with this number in its account.
    pub(super) fn timeout_reader(&self, number: usize, pace: &Arc<Pace>) -> TimeoutReader {
        TimeoutReader::new(number, &self.inventory, pace)
    }

    /// Has those timeouts read that are not known, or may have changed: because of these
    /// answers, or because `every` seconds have passed. What cannot be read waits for the
    /// next list.
    pub(super) fn queue_timeouts(
        &self,
        reader: &mut TimeoutReader,
        slow: &[SlowAnswer],
        now: i64,
        every: i64,
    ) {
        if self.faults.are_of_all() {
            return reader.queue([]);
        }
        let passed = slow.iter().filter(|answer| self.timeouts.is_passed(answer, now));
        let passed = passed.map(|answer| (answer.arn.clone(), Why::Passed));
        let old = self.timeouts.old(now, every).into_iter().map(|arn| (arn, Why::Old));
        let wanted = passed.chain(self.unknown_timeouts()).chain(old);
        reader.queue(wanted.filter(|(arn, _)| !self.faults.contains(arn)));
    }

    /// Those that are not known, first those of gateways that wait for it.
    fn unknown_timeouts(&self) -> impl Iterator<Item = (String, Why)> {
        let is_unknown = |one: &&Chosen| self.timeouts.of(&one.arn).is_none();
        let has_any = self.timeouts.len() < self.chosen.len();
        let unknown = self.chosen.iter().filter(move |_| has_any).filter(is_unknown);
        let (fixed, own): (Vec<_>, Vec<_>) = unknown.partition(|one| one.fixed.is_some());
        let own = own.into_iter().map(|one| (one.arn.clone(), Why::NotWatched));
        own.chain(fixed.into_iter().map(|one| (one.arn.clone(), Why::NotKnown))).take(MOST_UNKNOWN)
    }

    /// Enters a timeout that was read, or why not. Returns whether gateways are to follow.
    pub(super) fn enter_timeout(&mut self, read: ReadTimeout, now: i64, usage: &mut Usage) -> bool {
        read.count(self.inventory.actions().timeout, usage);
        let ReadTimeout { arn, why, outcome, .. } = read;
        match outcome {
            Ok(value) => {
                let is_new = self.timeouts.enter(&arn, value, why, now);
                if value.is_none() {
                    self.gone.insert(arn);
                }
                is_new || value.is_none()
            }
            Err(fault) => {
                // What is throttled is asked again, and what is known stays.
                if fault.problem != ErrorKind::Throttled {
                    self.faults.add(&arn, fault);
                }
                false
            }
        }
    }

    /// Gives each gateway the timeout that was read.
    pub(super) fn follow_timeouts(&mut self) {
        let gone = std::mem::take(&mut self.gone);
        self.chosen.retain(|one| !gone.contains(&one.arn));
        for one in &mut self.chosen {
            let at_aws = self.timeouts.of(&one.arn);
            let timeout = Timeout { seconds: one.fixed.or(at_aws).unwrap_or_default(), at_aws };
            if one.gateway.timeout != timeout {
                Arc::make_mut(&mut one.gateway).timeout = timeout;
            }
        }
    }

    /// Notes that no timeout could be read, where that is so.
    pub(super) fn note_stalled(&mut self, reader: &TimeoutReader, deadline: Duration) {
        self.stalled = reader.without_answer(deadline);
    }

    /// What is to be reported about timeouts. `is_over` if those that are not known now are
    /// not read any more.
    pub(super) fn timeout_troubles(&self, is_over: bool) -> Vec<Trouble> {
        let (words, (unwatched, _)) = (&self.kind.spec().words, self.unwatched());
        let mut faults: Vec<_> = self.faults.merged().chain(self.stalled.clone()).collect();
        if is_over && faults.is_empty() && unwatched > 0 {
            let said =
                format!("the {}s of {unwatched} {} are not read yet", words.timeout, words.several);
            let (action, region) = (self.inventory.actions().timeout, self.inventory.region());
            faults.push(AwsError::incomplete(action, region, said));
        }
        // While others are being read, a number would be another one at each poll.
        let goes_on = !is_over && self.stalled.is_none() && !self.faults.are_of_all();
        let has_failed = |one: &Chosen| !self.has_timeout(one) && self.faults.contains(&one.arn);
        let effect = match unwatched {
            0 => None,
            _ if goes_on => self.chosen.iter().any(has_failed).then(|| {
                format!("Without their {} {} are not watched", words.timeout, words.several)
            }),
            _ => Some(format!(
                "{unwatched} {} are not watched, because their {} is not known",
                words.several, words.timeout
            )),
        };
        let way_out = "with timeout = \"60s\" in its [[gateway]] one is watched all the same";
        let effect = effect.map(|effect| format!("{effect}: {way_out}"));
        let call = |fault| Trouble::Call { fault, lost: effect.clone() };
        faults.into_iter().map(call).collect()
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
