//! From the selections of the config to the gateways that are there.
//!
//! One [`AccountRegion`] for each identity and Region: its load balancers are listed
//! once and every selection picks from the list. Idle timeouts, for which AWS
//! wants a call each, are remembered and read again in turns. Where an account
//! cannot be read, what was found there before stays watched, and it alone is
//! tried again after a while.

mod choice;
mod tags;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use futures::StreamExt;

use crate::config::{Config, LoadBalancer, LoadBalancerArn, Selection, TimeoutSetting};
use crate::edge::aws::{AwsError, ErrorKind, Scope, Skew, Usage, region_of, scoped};
use crate::edge::cloudwatch::{CloudWatch, RateLimiter, SelfCheck};
use crate::edge::elb::{self, Elb, Found};
use crate::edge::evidence::{PATIENCE, TopologyReader};
use crate::edge::time::Stopwatch;
use choice::{Choice, Match};
use nearmiss_core::gateway::{Gateway, Identity, Timeout, name_within};
use nearmiss_core::number::quantity::{self, Span};
use tags::Tags;

/// Calls under way at once, per account and Region.
const CONCURRENCY: usize = 8;
/// So many known idle timeouts are read again by one refresh, the oldest first.
const READ_AGAIN: usize = 1000;
/// A failed refresh is tried again after so long, then after twice as long, and
/// so on up to the configured time.
const FIRST_RETRY_SECONDS: i64 = 60;
/// How long a load balancer's target groups are taken for granted.
const TARGET_GROUPS_SECONDS: i64 = 900;
/// Of so many target groups of a load balancer the metrics are read.
pub const MAX_TARGET_GROUPS: usize = 10;

/// An account in a Region, as one identity sees it. A copy of it can look around while
/// the account itself is used.
#[derive(Debug, Clone)]
pub struct AccountRegion {
    /// Its Region.
    pub region: String,
    /// Its metrics.
    pub cloudwatch: CloudWatch,
    /// How far this machine's clock is from its.
    pub skew: Skew,
    /// What was found there last.
    pub gateways: Vec<Arc<Gateway>>,
    /// What could not be found out last.
    pub troubles: Vec<Trouble>,
    /// What the config leaves out there.
    pub notes: Vec<String>,
    /// Whether its figures mean what is made of them, as far as it was tried.
    pub proof: SelfCheck,
    /// How often it was tried.
    pub proof_attempts: u8,
    /// How it is set up, for a diagnosis.
    pub inquiry: TopologyReader,
    elb: Elb,
    scope: Scope,
    linked: Option<String>,
    selections: Vec<Selection>,
    /// Whether alerts or labels go by tags, so that those of every load balancer are read.
    reads_all_tags: bool,
    tags: Tags,
    idle_timeouts: IdleTimeouts,
    target_groups: HashMap<String, Known<Vec<String>>>,
    due: i64,
    failures: u32,
    /// Whether all that the config means was found last.
    is_complete: bool,
}

/// Something that was read, and when (seconds since the Unix epoch).
#[derive(Debug, Clone)]
struct Known<T> {
    value: T,
    read: i64,
}

/// Something that a discovery could not find out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Trouble {
    /// A call failed.
    #[error("{}. {}", said(fault, lost.as_deref()), fault.advice())]
    Call {
        /// Which, and how.
        fault: AwsError,
        /// What is lost by that, where it is less than everything.
        lost: Option<String>,
    },
    /// A selection selects nothing.
    #[error("no Application Load Balancer matches {selection} in {region}; {there}")]
    NoMatch {
        /// The selection.
        selection: String,
        /// Where it looked.
        region: String,
        /// What there is instead.
        there: String,
    },
    /// A selection leaves out everything that it selects.
    #[error(
        "{selection} leaves out everything that it matches in {region} ({names}): nothing is watched by it"
    )]
    AllExcluded {
        /// The selection.
        selection: String,
        /// Where it looked.
        region: String,
        /// What matches and is left out.
        names: String,
    },
    /// Neither the config nor AWS names a Region.
    #[error("no Region for {selection}: set region = \"...\" in its [[gateway]], or AWS_REGION")]
    NoRegion {
        /// The selection.
        selection: String,
    },
}

impl From<AwsError> for Trouble {
    fn from(fault: AwsError) -> Self {
        Self::Call { fault, lost: None }
    }
}

impl Trouble {
    /// What failed and what is lost by that, without the way out.
    #[must_use]
    pub fn said(&self) -> String {
        match self {
            Self::Call { fault, lost } => said(fault, lost.as_deref()),
            other => other.to_string(),
        }
    }
}

fn said(fault: &AwsError, lost: Option<&str>) -> String {
    lost.map_or_else(|| fault.to_string(), |lost| format!("{fault}. {lost}"))
}

impl AccountRegion {
    /// All accounts and Regions that the config names.
    pub async fn of_config(config: &Config, base: &SdkConfig) -> Vec<Self> {
        let mut by_scope: Vec<(Scope, Option<String>, Vec<Selection>)> = Vec::new();
        for selection in &config.gateways {
            let chain = || Some(region_of(base)).filter(|region| !region.is_empty());
            let scope = Scope {
                region: selection.region.clone().or_else(chain),
                role_arn: selection.role_arn.as_ref().map(|role| role.as_str().to_owned()),
                external_id: selection.external_id.clone(),
            };
            let linked = selection.monitored_account.clone();
            match by_scope.iter_mut().find(|known| known.0 == scope && known.1 == linked) {
                Some((.., selections)) => selections.push(selection.clone()),
                None => by_scope.push((scope, linked, vec![selection.clone()])),
            }
        }
        let mut paces: HashMap<Scope, Arc<RateLimiter>> = HashMap::new();
        let mut accounts = Vec::new();
        for (scope, linked, selections) in by_scope {
            let (own_scope, own_linked) = (scope.clone(), linked.clone());
            let sdk = Box::pin(scoped(base, &scope)).await;
            // A monitoring account reads the metrics of others as itself.
            let reader = match linked {
                Some(_) => Scope { role_arn: None, external_id: None, ..scope },
                None => scope,
            };
            let metrics = Box::pin(scoped(base, &reader)).await;
            let pace =
                paces.entry(reader).or_insert_with(|| Arc::new(RateLimiter::of(&config.quota)));
            let skew = Skew::default();
            accounts.push(Self {
                region: region_of(&sdk),
                cloudwatch: CloudWatch::new(&metrics, Arc::clone(pace), linked, &skew),
                gateways: Vec::new(),
                troubles: Vec::new(),
                notes: Vec::new(),
                proof: SelfCheck::default(),
                proof_attempts: 0,
                inquiry: TopologyReader::new(&sdk, PATIENCE),
                elb: Elb::new(&sdk, &skew),
                skew,
                scope: own_scope,
                linked: own_linked,
                selections,
                reads_all_tags: config.asks_for_tags(),
                tags: Tags::default(),
                idle_timeouts: IdleTimeouts::default(),
                target_groups: HashMap::new(),
                due: i64::MIN,
                failures: 0,
                is_complete: false,
            });
        }
        accounts
    }

    /// Goes on with what was found in the same place by another config, until it is
    /// looked at again.
    pub fn take_over(&mut self, accounts: &mut Vec<Self>) {
        let is_it = |one: &Self| one.scope == self.scope && one.linked == self.linked;
        if let Some(index) = accounts.iter().position(is_it) {
            let before = accounts.swap_remove(index);
            self.gateways = before.gateways;
            self.idle_timeouts = before.idle_timeouts;
            self.tags = before.tags;
            self.target_groups = before.target_groups;
        }
    }

    /// Whether the gateway of this key can be one of its.
    #[must_use]
    pub fn may_have(&self, key: &str) -> bool {
        let Identity { region, account, .. } = Identity::of_key(key);
        region == self.region && self.gateways.first().is_none_or(|one| one.id.account == account)
    }

    /// Whether it is time to look again, or the clock was set back.
    #[must_use]
    pub fn is_due(&self, now: i64, every: Span) -> bool {
        now >= self.due || self.due - now > seconds(every)
    }

    /// Looks again, within `deadline`. What was known before and could not be
    /// read again stays.
    pub async fn refresh(&mut self, now: i64, deadline: Span, every: Span) -> Usage {
        let mut usage = Usage::default();
        let mut troubles = Vec::new();
        self.notes.clear();
        self.is_complete = false;
        if self.region.is_empty() {
            let selections = self.selections.iter();
            troubles.extend(selections.map(|s| Trouble::NoRegion { selection: s.to_string() }));
        } else {
            self.look(now, deadline.get(), &mut usage, &mut troubles).await;
        }
        self.troubles = troubles;
        self.failures = if self.has_failed() { self.failures.saturating_add(1) } else { 0 };
        let retry = FIRST_RETRY_SECONDS << self.failures.saturating_sub(1).min(20);
        let pause = if self.has_failed() { retry } else { i64::MAX };
        self.due = now + pause.min(seconds(every));
        usage
    }

    /// Whether all of it was looked at, so that what is not there is gone.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.is_complete
    }

    /// Whether a call of the last refresh failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.troubles.iter().any(|trouble| matches!(trouble, Trouble::Call { .. }))
    }

    async fn look(
        &mut self,
        now: i64,
        deadline: Duration,
        usage: &mut Usage,
        troubles: &mut Vec<Trouble>,
    ) {
        let explicit = self.selections.iter().filter(|s| s.is_explicit());
        let mut gateways: Vec<_> =
            explicit.filter_map(|s| self.explicit(s)).map(Arc::new).collect();
        self.is_complete = true;
        if self.selections.iter().any(|s| !s.is_explicit()) {
            let watch = Stopwatch::start();
            let listed = tokio::time::timeout(deadline, self.elb.list(usage)).await;
            let late = |_| Err(late(elb::DESCRIBE, &self.region, deadline));
            let listed = listed.unwrap_or_else(late);
            let left = || deadline.saturating_sub(watch.elapsed());
            match listed {
                Ok(list) => {
                    self.read_tags(&list, left() / 2, usage, troubles).await;
                    self.idle_timeouts.forget_the_gone(&list);
                    gateways.extend(self.discover(&list, now, left(), usage, troubles).await);
                }
                Err(fault) => {
                    let named = self.known_without_list(&fault);
                    let lost = (fault.problem == ErrorKind::Denied).then(|| {
                        "Only load balancers that are named by their ARN, or were found before, are watched"
                            .to_owned()
                    });
                    troubles.push(Trouble::Call { fault, lost });
                    gateways.extend(self.discover(&named, now, left(), usage, troubles).await);
                    // What a list that did not come does not name proves nothing.
                    troubles.retain(|trouble| matches!(trouble, Trouble::Call { .. }));
                    self.is_complete = false;
                    gateways.extend(self.gateways.iter().map(Arc::clone));
                }
            }
        }
        let mut seen = HashSet::new();
        gateways.retain(|gateway| seen.insert(gateway.id.dimension.clone()));
        gateways.sort_by(|a, b| a.id.cmp(&b.id));
        self.gateways = gateways;
    }

    /// The load balancers that the config names by their ARN: they need no list, only
    /// their idle timeout.
    fn known_without_list(&self, fault: &AwsError) -> Vec<Found> {
        if fault.problem != ErrorKind::Denied {
            return Vec::new();
        }
        let named = self.selections.iter().filter_map(|selection| match &selection.load_balancer {
            LoadBalancer::Arn(arn) if !selection.is_explicit() => Some(arn),
            _ => None,
        });
        let found = |arn: &LoadBalancerArn| Found {
            name: name_within(&arn.dimension).to_owned(),
            arn: arn.clone(),
        };
        named.map(found).collect()
    }

    /// Reads the tags of those that go by tags. What cannot be read is lost alone.
    async fn read_tags(
        &mut self,
        list: &[Found],
        deadline: Duration,
        usage: &mut Usage,
        troubles: &mut Vec<Trouble>,
    ) {
        let all = self.reads_all_tags;
        let asks = |s: &&Selection| all || s.needs_tags();
        let asking: Vec<&Selection> = self.selections.iter().filter(asks).collect();
        let is_wanted = |found: &&Found| asking.iter().any(|s| choice::names(s, found));
        let wanted: Vec<&Found> = list.iter().filter(is_wanted).collect();
        let place = (&self.elb, self.region.as_str());
        let fault = self.tags.read(place, list, &wanted, deadline, usage).await;
        let unknown = self.tags.unknown(&wanted);
        if unknown > 0 && asking.iter().any(|selection| selection.needs_tags()) {
            self.is_complete = false;
        }
        let effect = (unknown > 0).then(|| self.without_tags(unknown));
        troubles.extend(fault.map(|fault| Trouble::Call { fault, lost: effect }));
    }

    /// What does not work while the tags of so many load balancers are not known.
    fn without_tags(&self, unknown: usize) -> String {
        let mut lost = Vec::new();
        let by_tags = self.selections.iter().filter(|s| !s.tags.is_empty());
        lost.extend(by_tags.map(|selection| format!("{selection} does not find them")));
        if self.selections.iter().any(|s| s.needs_tags() && s.tags.is_empty()) {
            lost.push("exclude does not leave them out by tags".to_owned());
        }
        if self.reads_all_tags {
            lost.push(
                "routes, maintenance windows, silences and labels by tags do not fit them"
                    .to_owned(),
            );
        }
        format!("The tags of {unknown} load balancers are not known: {}", lost.join("; "))
    }

    async fn discover(
        &mut self,
        list: &[Found],
        now: i64,
        deadline: Duration,
        usage: &mut Usage,
        troubles: &mut Vec<Trouble>,
    ) -> Vec<Arc<Gateway>> {
        let Choice { matches, troubles: without, notes } =
            Choice::of(&self.selections, &self.region, list, &self.tags);
        troubles.extend(without);
        self.notes = notes;
        let arns: Vec<&str> = matches.iter().map(|m| m.found.arn.text.as_str()).collect();
        let Unread { gone, mut faults, waiting } =
            self.idle_timeouts.read(&self.elb, &arns, now, deadline, usage).await;
        if waiting > 0 {
            let said = format!("the idle timeouts of {waiting} load balancers are not read yet");
            faults.push(AwsError::incomplete(elb::ATTRIBUTES, &self.region, said));
        }
        let there: Vec<_> = matches.iter().filter(|m| !gone.contains(&m.found.arn.text)).collect();
        let found: Vec<_> =
            there.iter().filter_map(|one| self.gateway(one)).map(Arc::new).collect();
        let without = there.len() - found.len();
        self.is_complete &= without == 0;
        let effect = (without > 0).then(|| format!("{without} load balancers are not watched, because their idle timeout is not known: with timeout = \"60s\" in its [[gateway]] one is watched all the same"));
        let call = |fault| Trouble::Call { fault, lost: effect.clone() };
        troubles.extend(faults.into_iter().map(call));
        found
    }

    /// A gateway with its timeout, if that is known.
    fn gateway(&self, one: &Match) -> Option<Gateway> {
        let Match { found, selection } = one;
        let idle_timeout = self.idle_timeouts.of(&found.arn.text);
        let seconds = match selection.timeout {
            TimeoutSetting::Fixed(span) => span.get().as_secs_f64(),
            TimeoutSetting::Auto => idle_timeout?,
        };
        Some(Gateway {
            id: Identity {
                name: found.name.clone(),
                region: found.arn.region.clone(),
                account: found.arn.account.clone(),
                dimension: found.arn.dimension.clone(),
            },
            kind: selection.kind,
            timeout: Timeout { seconds, idle_timeout },
            near: selection.near.get(),
            detail: selection.detail,
            tags: self.tags.of(found).cloned().unwrap_or_default(),
        })
    }

    /// A gateway that stands in the config as a whole.
    fn explicit(&self, selection: &Selection) -> Option<Gateway> {
        let (account, dimension) = match &selection.load_balancer {
            LoadBalancer::Arn(arn) => (arn.account.clone(), arn.dimension.clone()),
            LoadBalancer::Dimension(value) => {
                (selection.monitored_account.clone().unwrap_or_default(), value.clone())
            }
            LoadBalancer::Name(_) => return None,
        };
        let TimeoutSetting::Fixed(span) = selection.timeout else { return None };
        let name = name_within(&dimension).to_owned();
        Some(Gateway {
            id: Identity { name, region: self.region.clone(), account, dimension },
            kind: selection.kind,
            timeout: Timeout { seconds: span.get().as_secs_f64(), idle_timeout: None },
            near: selection.near.get(),
            detail: selection.detail,
            tags: BTreeMap::new(),
        })
    }

    /// Finds the target groups of some gateways, those that were not looked for lately.
    pub async fn find_target_groups(
        &mut self,
        is_wanted: impl Fn(&&Arc<Gateway>) -> bool,
        now: i64,
        deadline: Duration,
        usage: &mut Usage,
    ) {
        let arns = self.unknown_target_groups(is_wanted, now);
        let (found, used) = self.search_target_groups(arns, deadline).await;
        usage.add(used);
        self.enter_target_groups(found, now);
    }

    /// The load balancers of these gateways, where Elastic Load Balancing may be asked
    /// about their target groups at all and was not for a while.
    #[must_use]
    pub fn unknown_target_groups(
        &self,
        is_wanted: impl Fn(&&Arc<Gateway>) -> bool,
        now: i64,
    ) -> Vec<String> {
        let is_old = |arn: &String| {
            let known = self.target_groups.get(arn);
            known.is_none_or(|known| !(0..TARGET_GROUPS_SECONDS).contains(&(now - known.read)))
        };
        let listed = |arn: &String| self.idle_timeouts.of(arn).is_some();
        let wanted = self.gateways.iter().filter(is_wanted);
        wanted.filter_map(|one| one.id.arn()).filter(|arn| listed(arn) && is_old(arn)).collect()
    }

    /// Looks for the target groups of these load balancers, until the deadline.
    pub fn search_target_groups(
        &self,
        arns: Vec<String>,
        deadline: Duration,
    ) -> impl Future<Output = (TargetGroups, Usage)> + use<> {
        let (elb, region) = (self.elb.clone(), self.region.clone());
        async move {
            let watch = Stopwatch::start();
            let calls = arns.into_iter().map(|arn| {
                let (elb, region) = (&elb, &region);
                async move {
                    let left = deadline.saturating_sub(watch.elapsed());
                    let found = tokio::time::timeout(left, elb.target_groups(&arn)).await;
                    let found =
                        found.unwrap_or_else(|_| Err(late(elb::TARGET_GROUPS, region, deadline)));
                    (arn, found)
                }
            });
            let found: Vec<_> = futures::stream::iter(calls).buffered(CONCURRENCY).collect().await;
            let mut usage = Usage::default();
            for (_, answer) in &found {
                usage.call(elb::TARGET_GROUPS, answer.as_ref().err().map(|fault| fault.problem));
            }
            (TargetGroups(found), usage)
        }
    }

    /// Enters what a search found, and returns why it did not find the rest.
    pub fn enter_target_groups(&mut self, found: TargetGroups, now: i64) -> Vec<AwsError> {
        let mut faults = Vec::new();
        for (arn, answer) in found.0 {
            let value = answer.unwrap_or_else(|fault| {
                faults.push(fault);
                Vec::new()
            });
            self.target_groups.insert(arn, Known { value, read: now });
        }
        faults
    }

    /// The target groups of a gateway whose metrics are read beside its own.
    #[must_use]
    pub fn target_groups(&self, gateway: &Gateway) -> &[String] {
        let known = gateway.id.arn().and_then(|arn| self.target_groups.get(&arn));
        let groups = known.map_or(&[][..], |known| &known.value);
        &groups[..groups.len().min(MAX_TARGET_GROUPS)]
    }
}

/// What load balancers have their idle timeout set to, by ARN.
#[derive(Debug, Clone, Default)]
struct IdleTimeouts(HashMap<String, Known<f64>>);

/// What of the idle timeouts could not be read.
#[derive(Debug, Default)]
struct Unread {
    /// Those of load balancers that have been deleted in the meantime.
    gone: HashSet<String>,
    faults: Vec<AwsError>,
    /// How many must wait for the next time, where nothing failed.
    waiting: usize,
}

impl IdleTimeouts {
    fn of(&self, arn: &str) -> Option<f64> {
        self.0.get(arn).map(|known| known.value)
    }

    /// Forgets those of load balancers that are not listed any more.
    fn forget_the_gone(&mut self, list: &[Found]) {
        let listed: HashSet<&str> = list.iter().map(|found| found.arn.text.as_str()).collect();
        self.0.retain(|arn, _| listed.contains(arn.as_str()));
    }

    /// Reads those that are not known, and the oldest of the others. Stops at
    /// the deadline, and where the next call would fare no better.
    async fn read(
        &mut self,
        elb: &Elb,
        arns: &[&str],
        now: i64,
        deadline: Duration,
        usage: &mut Usage,
    ) -> Unread {
        let mut wanted = arns.to_vec();
        wanted.sort_by_key(|arn| self.0.get(*arn).map(|known| known.read));
        let unknown = arns.iter().filter(|arn| self.of(arn).is_none()).count();
        wanted.truncate(unknown.max(READ_AGAIN));
        let watch = Stopwatch::start();
        let calls = wanted.into_iter().map(|arn| async move { (arn, elb.idle_timeout(arn).await) });
        let mut answers = futures::stream::iter(calls).buffered(CONCURRENCY);
        let mut unread = Unread::default();
        let mut faults = Faults::default();
        // Some of many is how far one gets in the time; none is no answer.
        let mut without_answer = Some(late(elb::ATTRIBUTES, elb.region(), deadline));
        loop {
            let left = deadline.saturating_sub(watch.elapsed());
            let Ok(answer) = tokio::time::timeout(left, answers.next()).await else { break };
            without_answer = None;
            let Some((arn, answer)) = answer else { break };
            usage.call(elb::ATTRIBUTES, answer.as_ref().err().map(|fault| fault.problem));
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
        unread.faults = faults.told().chain(without_answer).collect();
        if unread.faults.is_empty() {
            let is_waiting = |arn: &&&str| self.of(arn).is_none() && !unread.gone.contains(**arn);
            unread.waiting = arns.iter().filter(is_waiting).count();
        }
        unread
    }
}

/// What failed, the same of many once.
#[derive(Debug, Default)]
struct Faults(BTreeMap<String, (AwsError, BTreeSet<String>)>);

impl Faults {
    fn add(&mut self, arn: &str, fault: AwsError) {
        let (_, arns) = self.0.entry(fault.to_string()).or_insert_with(|| (fault, BTreeSet::new()));
        arns.insert(arn.to_owned());
    }

    /// Each with the first of those that it concerns; the number of the others would make
    /// another text of it at each poll.
    fn told(self) -> impl Iterator<Item = AwsError> {
        self.0.into_values().map(|(mut fault, arns)| {
            let others = if arns.len() > 1 { " and others" } else { "" };
            if let Some(arn) = arns.first() {
                fault.said = format!("{} ({arn}{others})", fault.said);
            }
            fault
        })
    }
}

/// The target groups of load balancers, by ARN, as a search found them.
#[derive(Debug)]
pub struct TargetGroups(Vec<(String, Result<Vec<String>, AwsError>)>);

fn late(action: &'static str, region: &str, deadline: Duration) -> AwsError {
    AwsError::incomplete(
        action,
        region,
        format!("not done within {}", quantity::seconds(deadline.as_secs_f64())),
    )
}

/// Makes sure that no two gateways look the same: one that two identities see
/// is watched once, and where two share a name, Region and account (the old and
/// the new one of that name, both given as dimension values), the dimension
/// value is the name.
pub fn tell_apart(accounts: &mut [AccountRegion]) {
    let mut keys = HashSet::new();
    let mut names: HashMap<_, u32> = HashMap::new();
    for account in &mut *accounts {
        account.gateways.retain(|gateway| {
            keys.insert((gateway.id.region.clone(), gateway.id.dimension.clone()))
        });
        for gateway in &account.gateways {
            *names.entry(label(&gateway.id)).or_default() += 1;
        }
    }
    for gateway in accounts.iter_mut().flat_map(|account| &mut account.gateways) {
        if names.get(&label(&gateway.id)).is_some_and(|n| *n > 1) {
            let gateway = Arc::make_mut(gateway);
            gateway.id.name.clone_from(&gateway.id.dimension);
        }
    }
}

fn label(id: &Identity) -> (String, String, String) {
    (id.name.clone(), id.region.clone(), id.account.clone())
}

fn seconds(span: Span) -> i64 {
    i64::try_from(span.get().as_secs()).unwrap_or(i64::MAX)
}
