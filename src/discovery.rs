//! From the selections of the config to the gateways that are there.
//!
//! One [`Account`] for each identity and Region: its load balancers are listed
//! once and every selection picks from the list. Idle timeouts, for which AWS
//! wants a call each, are remembered and read again in turns. Where an account
//! cannot be read, what was found there before stays watched, and it alone is
//! tried again after a while.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use futures::StreamExt;

use crate::analysis::gateway::{Gateway, Identity, Timeout};
use crate::analysis::quantity::Span;
use crate::config::{Config, LoadBalancer, Selection, TimeoutSetting};
use crate::edge::aws::{Fault, Problem, Scope, Skew, Usage, region_of, scoped};
use crate::edge::cloudwatch::{CloudWatch, Pace, Proof};
use crate::edge::elb::{self, Elb, Found};
use crate::edge::evidence::{Inquiry, PATIENCE};
use crate::edge::time::Stopwatch;

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
pub const MOST_TARGET_GROUPS: usize = 10;

/// An account in a Region, as one identity sees it.
#[derive(Debug)]
pub struct Account {
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
    /// Whether its figures mean what is made of them, as far as it was tried.
    pub proof: Proof,
    /// How often it was tried.
    pub proof_attempts: u8,
    /// How it is set up, for a diagnosis.
    pub inquiry: Inquiry,
    elb: Elb,
    scope: Scope,
    linked: Option<String>,
    selections: Vec<Selection>,
    /// Whether alerts go by tags, so that those of every load balancer are read.
    reads_all_tags: bool,
    idle_timeouts: IdleTimeouts,
    target_groups: HashMap<String, Known<Vec<String>>>,
    due: i64,
    failures: u32,
}

/// Something that was read, and when (seconds since the Unix epoch).
#[derive(Debug)]
struct Known<T> {
    value: T,
    read: i64,
}

/// Something that a discovery could not find out.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// A call failed.
    #[error("{fault}. {}", fault.advice())]
    Call {
        /// Which, and how.
        fault: Fault,
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
    /// Neither the config nor AWS names a Region.
    #[error("no Region for {selection}: set region = \"...\" in its [[gateway]], or AWS_REGION")]
    NoRegion {
        /// The selection.
        selection: String,
    },
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Call { fault }
    }
}

/// A load balancer and the selection that wants it.
struct Match<'a> {
    found: &'a Found,
    selection: &'a Selection,
}

type Tags = HashMap<String, BTreeMap<String, String>>;

impl Account {
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
        let mut paces: HashMap<Scope, Arc<Pace>> = HashMap::new();
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
            let pace = paces.entry(reader).or_insert_with(|| Arc::new(Pace::of(&config.quota)));
            let skew = Skew::default();
            accounts.push(Self {
                region: region_of(&sdk),
                cloudwatch: CloudWatch::new(&metrics, Arc::clone(pace), linked, &skew),
                gateways: Vec::new(),
                troubles: Vec::new(),
                proof: Proof::default(),
                proof_attempts: 0,
                inquiry: Inquiry::new(&sdk, PATIENCE),
                elb: Elb::new(&sdk, &skew),
                skew,
                scope: own_scope,
                linked: own_linked,
                selections,
                reads_all_tags: config.asks_for_tags(),
                idle_timeouts: IdleTimeouts::default(),
                target_groups: HashMap::new(),
                due: i64::MIN,
                failures: 0,
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
            self.target_groups = before.target_groups;
        }
    }

    /// Whether the gateway of this key can be one of its.
    #[must_use]
    pub fn may_have(&self, key: &str) -> bool {
        let mut parts = key.split('/');
        let (region, account) = (parts.next(), parts.next());
        let known = self.gateways.first().map(|gateway| gateway.id.account.as_str());
        region == Some(self.region.as_str()) && (known.is_none() || known == account)
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
        self.due > i64::MIN && !self.has_failed()
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
        if self.selections.iter().any(|s| !s.is_explicit()) {
            let watch = Stopwatch::start();
            let listed = tokio::time::timeout(deadline, self.list(usage)).await;
            let late = |_| Err(self.late(elb::DESCRIBE, deadline));
            match listed.unwrap_or_else(late) {
                Ok((list, tags)) => {
                    let left = deadline.saturating_sub(watch.elapsed());
                    gateways.extend(self.discover(&list, &tags, now, left, usage, troubles).await);
                }
                Err(fault) => {
                    troubles.push(fault.into());
                    gateways.extend(self.gateways.iter().map(Arc::clone));
                }
            }
        }
        let mut seen = HashSet::new();
        gateways.retain(|gateway| seen.insert(gateway.id.dimension.clone()));
        gateways.sort_by(|a, b| a.id.cmp(&b.id));
        self.gateways = gateways;
    }

    fn late(&self, action: &'static str, deadline: Duration) -> Fault {
        let said = format!("not done within {} s", deadline.as_secs());
        Fault::incomplete(action, &self.region, said)
    }

    /// Every load balancer, with the tags of those that a selection by tags may
    /// want.
    async fn list(&self, usage: &mut Usage) -> Result<(Vec<Found>, Tags), Fault> {
        let list = self.elb.list(usage).await?;
        let by_tags: Vec<_> = self.selections.iter().filter(|s| !s.tags.is_empty()).collect();
        let all = self.reads_all_tags;
        let wanted = |lb: &&Found| {
            by_tags.iter().any(|s| is_meant(s, lb))
                || (all && self.selections.iter().any(|s| is_meant(s, lb)))
        };
        let arns: Vec<_> = list.iter().filter(wanted).map(|lb| lb.arn.text.clone()).collect();
        let tags = self.elb.tags(&arns, usage).await?;
        Ok((list, tags))
    }

    async fn discover(
        &mut self,
        list: &[Found],
        tags: &Tags,
        now: i64,
        deadline: Duration,
        usage: &mut Usage,
        troubles: &mut Vec<Trouble>,
    ) -> Vec<Arc<Gateway>> {
        let matches = matches(&self.selections, &self.region, list, tags, troubles);
        let arns: Vec<&str> = matches.iter().map(|m| m.found.arn.text.as_str()).collect();
        let Unread { gone, faults, waiting } =
            self.idle_timeouts.read(&self.elb, &arns, now, deadline, usage).await;
        troubles.extend(faults.into_iter().map(Trouble::from));
        if waiting > 0 {
            let said = format!("the idle timeouts of {waiting} load balancers are not read yet");
            troubles.push(Fault::incomplete(elb::ATTRIBUTES, &self.region, said).into());
        }
        let there = matches.iter().filter(|m| !gone.contains(&m.found.arn.text));
        there.filter_map(|one| self.gateway(one, tags)).map(Arc::new).collect()
    }

    /// A gateway with its timeout, if that is known.
    fn gateway(&self, one: &Match, tags: &Tags) -> Option<Gateway> {
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
            tags: tags.get(&found.arn.text).cloned().unwrap_or_default(),
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
        let name = dimension.split('/').nth(1).unwrap_or(&dimension).to_owned();
        Some(Gateway {
            id: Identity { name, region: self.region.clone(), account, dimension },
            kind: selection.kind,
            timeout: Timeout { seconds: span.get().as_secs_f64(), idle_timeout: None },
            near: selection.near.get(),
            detail: selection.detail,
            tags: BTreeMap::new(),
        })
    }

    /// Finds the target groups of the gateways that stir, where Elastic Load
    /// Balancing may be asked about them at all and was not for a while.
    pub async fn find_target_groups(
        &mut self,
        stirs: impl Fn(&Gateway) -> bool,
        now: i64,
        deadline: Duration,
        usage: &mut Usage,
    ) -> Vec<Fault> {
        let is_old = |arn: &String| {
            let known = self.target_groups.get(arn);
            known.is_none_or(|known| now - known.read >= TARGET_GROUPS_SECONDS)
        };
        let listed = |arn: &String| self.idle_timeouts.of(arn).is_some();
        let stirring = self.gateways.iter().filter(|gateway| stirs(gateway));
        let arns: Vec<String> = stirring
            .filter_map(|gateway| gateway.id.arn())
            .filter(|arn| listed(arn) && is_old(arn))
            .collect();
        let elb = &self.elb;
        let calls = arns.into_iter().map(|arn| async move {
            let found = tokio::time::timeout(deadline, elb.target_groups(&arn)).await;
            (arn, found)
        });
        let mut answers = futures::stream::iter(calls).buffered(CONCURRENCY);
        let mut faults = Vec::new();
        while let Some((arn, answer)) = answers.next().await {
            let answer = answer.unwrap_or_else(|_| Err(self.late(elb::TARGET_GROUPS, deadline)));
            usage.call(elb::TARGET_GROUPS, answer.as_ref().err().map(|fault| fault.problem));
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
        &groups[..groups.len().min(MOST_TARGET_GROUPS)]
    }
}

/// What load balancers have their idle timeout set to, by ARN.
#[derive(Debug, Default)]
struct IdleTimeouts(HashMap<String, Known<f64>>);

/// What of the idle timeouts could not be read.
#[derive(Debug, Default)]
struct Unread {
    /// Those of load balancers that have been deleted in the meantime.
    gone: HashSet<String>,
    faults: Vec<Fault>,
    /// How many must wait for the next time, where nothing failed.
    waiting: usize,
}

impl IdleTimeouts {
    fn of(&self, arn: &str) -> Option<f64> {
        self.0.get(arn).map(|known| known.value)
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
        let listed: HashSet<&str> = arns.iter().copied().collect();
        self.0.retain(|arn, _| listed.contains(arn.as_str()));
        let mut wanted = arns.to_vec();
        wanted.sort_by_key(|arn| self.0.get(*arn).map(|known| known.read));
        let unknown = arns.len() - self.0.len();
        wanted.truncate(unknown.max(READ_AGAIN));
        let watch = Stopwatch::start();
        let calls = wanted.into_iter().map(|arn| async move { (arn, elb.idle_timeout(arn).await) });
        let mut answers = futures::stream::iter(calls).buffered(CONCURRENCY);
        let mut unread = Unread::default();
        while let Ok(Some((arn, answer))) =
            tokio::time::timeout(deadline.saturating_sub(watch.elapsed()), answers.next()).await
        {
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
                    let lost = is_of_all(&fault);
                    unread.faults.push(fault);
                    if lost {
                        break;
                    }
                }
            }
        }
        if unread.faults.is_empty() {
            unread.waiting = arns.len() - self.0.len() - unread.gone.len();
        }
        unread
    }
}

/// Whether the next call of the same kind would fail alike.
fn is_of_all(fault: &Fault) -> bool {
    let is_denied = matches!(fault.problem, Problem::Denied | Problem::Unreachable);
    is_denied || fault.problem.is_of_the_identity()
}

/// Each load balancer with the first selection that wants it.
fn matches<'a>(
    selections: &'a [Selection],
    region: &str,
    list: &'a [Found],
    tags: &Tags,
    troubles: &mut Vec<Trouble>,
) -> Vec<Match<'a>> {
    let none = BTreeMap::new();
    let mut taken = HashSet::new();
    let mut matches = Vec::new();
    for selection in selections.iter().filter(|s| !s.is_explicit()) {
        let has_tags = |found: &Found| {
            let has = tags.get(&found.arn.text).unwrap_or(&none);
            selection.tags.iter().all(|(key, value)| has.get(key) == Some(value))
        };
        let selected: Vec<_> =
            list.iter().filter(|found| is_meant(selection, found) && has_tags(found)).collect();
        if selected.is_empty() {
            troubles.push(Trouble::NoMatch {
                selection: selection.to_string(),
                region: region.to_owned(),
                there: there_is(list),
            });
        }
        let new = selected.into_iter().filter(|found| taken.insert(&found.arn.text));
        matches.extend(new.map(|found| Match { found, selection }));
    }
    matches
}

/// Makes sure that no two gateways look the same: one that two identities see
/// is watched once, and where two share a name, Region and account (the old and
/// the new one of that name, both given as dimension values), the dimension
/// value is the name.
pub fn tell_apart(accounts: &mut [Account]) {
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

fn is_meant(selection: &Selection, found: &Found) -> bool {
    selection.load_balancer.matches(&found.name, &found.arn.dimension)
}

fn there_is(list: &[Found]) -> String {
    const SHOWN: usize = 5;
    let names: Vec<&str> = list.iter().take(SHOWN).map(|found| found.name.as_str()).collect();
    match list.len() {
        0 => "there is none at all: is it the right account and Region?".to_owned(),
        n if n > SHOWN => format!("there are {} and {} more", names.join(", "), n - SHOWN),
        _ => format!("there are {}", names.join(", ")),
    }
}

fn seconds(span: Span) -> i64 {
    i64::try_from(span.get().as_secs()).unwrap_or(i64::MAX)
}
