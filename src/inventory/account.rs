//! An account in a Region, as one identity sees it.
//!
//! If it cannot be read, what was found there before stays watched, and it alone is tried
//! again after a while.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use futures::FutureExt;
use futures::future::BoxFuture;

#[cfg(test)]
use super::Inventory;
use super::catalog::{Catalog, Looked, explicit};
use super::pace::Pace;
use super::target_groups;
use super::timeouts::{ReadTimeout, SlowAnswer, TimeoutReader};
use super::trouble::Trouble;
use crate::config::{Config, Selection};
use crate::edge::aws::{AwsError, Scope, Skew, Usage, region_of, scoped};
use crate::edge::evidence::{PATIENCE, TopologyReader};
use crate::edge::time::Stopwatch;
use crate::source::cloudwatch::{CloudWatch, RateLimiter};
use crate::source::{MetricSource, SelfCheck};
use nearmiss_core::gateway::{Gateway, Identity, Kind};
use nearmiss_core::number::quantity::Span;

/// How long after a failure an account is listed again; then after twice as long, and so on
/// up to the configured time.
const FIRST_RETRY_SECONDS: i64 = 60;

/// An account in a Region, as one identity sees it. A copy of it can be refreshed while the
/// account itself is in use.
#[derive(Debug, Clone)]
pub struct AccountRegion {
    /// Its Region.
    pub region: String,
    /// Its metrics.
    pub metrics: Arc<dyn MetricSource>,
    /// How far this machine's clock is from AWS's there.
    pub skew: Skew,
    /// The gateways that were found there last.
    pub gateways: Vec<Arc<Gateway>>,
    /// What could not be found out last time.
    pub troubles: Vec<Trouble>,
    /// What the config excludes there.
    pub notes: Vec<String>,
    /// Whether its figures mean what nearmiss takes them to mean, as far as that was tried.
    pub self_check: SelfCheck,
    /// How often it was tried.
    pub self_check_attempts: u8,
    /// How its gateways are set up, for a diagnosis.
    pub topology: TopologyReader,
    /// One catalog for each kind that the config selects there.
    catalogs: Vec<Catalog>,
    scope: Scope,
    linked: Option<String>,
    selections: Vec<Selection>,
    /// Whether alerts or labels depend on tags, so that the tags of every gateway are read.
    reads_all_tags: bool,
    /// How often single gateways are asked about.
    pace: Arc<Pace>,
    /// When it was listed last.
    listed: Option<i64>,
    /// How often it failed in a row before that.
    failures: u32,
    /// What could not be found out when it was listed.
    list_troubles: Vec<Trouble>,
    /// Whether everything that the config means was listed.
    is_listed: bool,
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
        let mut limiters: HashMap<Scope, Arc<RateLimiter>> = HashMap::new();
        let mut paces: HashMap<Scope, Arc<Pace>> = HashMap::new();
        let mut accounts = Vec::new();
        for (scope, linked, selections) in by_scope {
            let (own_scope, own_linked) = (scope.clone(), linked.clone());
            let sdk = Box::pin(scoped(base, &scope)).await;
            // A monitoring account reads the metrics of other accounts as itself.
            let reader = match linked {
                Some(_) => Scope { role_arn: None, external_id: None, ..scope },
                None => scope,
            };
            let of_reader = Box::pin(scoped(base, &reader)).await;
            let limiter =
                limiters.entry(reader).or_insert_with(|| Arc::new(RateLimiter::of(&config.quota)));
            let rate = config.quota.describe_calls_per_second;
            let pace =
                paces.entry(own_scope.clone()).or_insert_with(|| Arc::new(Pace::of_daemon(rate)));
            let skew = Skew::default();
            let kinds: BTreeSet<_> = selections.iter().map(|selection| selection.kind).collect();
            accounts.push(Self {
                region: region_of(&sdk),
                metrics: Arc::new(CloudWatch::new(&of_reader, Arc::clone(limiter), linked, &skew)),
                gateways: Vec::new(),
                troubles: Vec::new(),
                notes: Vec::new(),
                self_check: SelfCheck::default(),
                self_check_attempts: 0,
                topology: TopologyReader::new(&sdk, PATIENCE),
                catalogs: kinds.iter().map(|kind| Catalog::new(*kind, &sdk, &skew)).collect(),
                skew,
                scope: own_scope,
                linked: own_linked,
                selections,
                reads_all_tags: config.asks_for_tags(),
                pace: Arc::clone(pace),
                listed: None,
                failures: 0,
                list_troubles: Vec::new(),
                is_listed: false,
            });
        }
        accounts
    }

    /// The one account of this config, whose load balancers are these.
    #[cfg(test)]
    pub(crate) async fn of_inventory(config: &Config, inventory: Arc<dyn Inventory>) -> Self {
        let nobody = crate::edge::aws::testing::sdk(([127, 0, 0, 1], 1).into()).await;
        let mut accounts = Self::of_config(config, &nobody).await;
        let account = accounts.remove(0);
        Self { catalogs: vec![Catalog::of(Kind::Alb, inventory)], ..account }
    }

    /// Takes over what was found in the same place with another config, until the next
    /// refresh.
    pub fn take_over(&mut self, accounts: &mut Vec<Self>) {
        let is_it = |one: &Self| one.scope == self.scope && one.linked == self.linked;
        if let Some(index) = accounts.iter().position(is_it) {
            let before = accounts.swap_remove(index);
            self.gateways = before.gateways;
            self.pace = before.pace;
            for known in before.catalogs {
                let same = self.catalogs.iter_mut().find(|catalog| catalog.kind == known.kind);
                if let Some(catalog) = same {
                    catalog.take_over(known);
                }
            }
        }
    }

    /// The kinds that the config selects there.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.catalogs.iter().map(|catalog| catalog.kind)
    }

    /// Whether the gateway with this key can belong to it.
    #[must_use]
    pub fn may_have(&self, key: &str) -> bool {
        let Identity { region, account, .. } = Identity::of_key(key);
        region == self.region && self.gateways.first().is_none_or(|one| one.id.account == account)
    }

    /// Whether it is time to list again, or the clock was set back.
    #[must_use]
    pub fn is_due(&self, now: i64, every: Span) -> bool {
        let retry = FIRST_RETRY_SECONDS << self.failures.min(20);
        let pause = if self.has_failed() { retry } else { i64::MAX };
        let is_known = |at: i64| (0..pause.min(seconds(every))).contains(&(now - at));
        !self.listed.is_some_and(is_known)
    }

    /// Lists again, and reads the timeouts that are not known or that were read `every` ago,
    /// within `deadline` and as fast as AWS lets it: for a command.
    pub async fn refresh(&mut self, now: i64, deadline: Span, every: Span) -> Usage {
        let watch = Stopwatch::start();
        let mut usage = self.list(now, deadline).await;
        self.pace = Arc::new(Pace::of_command());
        for mut reader in self.timeout_readers() {
            self.queue_timeouts(&mut reader, &[], now, every);
            let left = || deadline.get().saturating_sub(watch.elapsed());
            while let Ok(Some(read)) = tokio::time::timeout(left(), reader.next()).await {
                self.enter_timeout(read, now, &mut usage);
            }
            self.note_stalled(&reader, deadline.get());
        }
        self.follow_timeouts(true);
        usage
    }

    /// Lists again, within `deadline`. What was known before and could not be read again
    /// stays.
    pub async fn list(&mut self, now: i64, deadline: Span) -> Usage {
        let mut usage = Usage::default();
        self.failures = if self.has_failed() { self.failures.saturating_add(1) } else { 0 };
        self.listed = Some(now);
        self.notes.clear();
        self.list_troubles.clear();
        self.is_listed = false;
        if self.region.is_empty() {
            let selections = self.selections.iter();
            let without = |one: &Selection| Trouble::NoRegion { selection: one.to_string() };
            self.list_troubles = selections.map(without).collect();
            self.troubles.clone_from(&self.list_troubles);
        } else {
            self.look(deadline.get(), &mut usage).await;
            self.follow_timeouts(false);
        }
        usage
    }

    /// Whether all of it is known, so that what is missing from it is gone.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_listed && self.unwatched().0 == 0
    }

    /// How many of its gateways are not watched before their timeout is known, and how many
    /// there are, without those that the config describes in full.
    #[must_use]
    pub fn unwatched(&self) -> (usize, usize) {
        let each = self.catalogs.iter().map(Catalog::unwatched);
        each.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    /// Whether a call has failed since it was last listed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.troubles.iter().any(|trouble| matches!(trouble, Trouble::Call { .. }))
    }

    async fn look(&mut self, deadline: Duration, usage: &mut Usage) {
        let watch = Stopwatch::start();
        let mut left = self.catalogs.len();
        let mut is_listed = true;
        for catalog in &mut self.catalogs {
            let selections = self.selections.iter();
            let selections: Vec<&Selection> =
                selections.filter(|s| s.kind == catalog.kind && !s.is_explicit()).collect();
            let share = deadline.saturating_sub(watch.elapsed()) / u32::try_from(left).unwrap_or(1);
            left -= 1;
            if selections.is_empty() {
                catalog.clear();
                continue;
            }
            let looked = catalog.look(&selections, self.reads_all_tags, share, usage).await;
            let Looked { troubles, notes, is_partial } = looked;
            self.list_troubles.extend(troubles);
            self.notes.extend(notes);
            is_listed &= !is_partial;
        }
        self.is_listed = is_listed;
    }

    /// What reads the timeouts of its gateways.
    #[must_use]
    pub fn timeout_readers(&self) -> Vec<TimeoutReader> {
        let each = self.catalogs.iter().enumerate();
        each.map(|(number, catalog)| catalog.timeout_reader(number, &self.pace)).collect()
    }

    /// Has those timeouts read that are not known, or may have changed: because of these
    /// answers, or because they were read `every` ago.
    pub fn queue_timeouts(
        &self,
        reader: &mut TimeoutReader,
        slow: &[SlowAnswer],
        now: i64,
        every: Span,
    ) {
        if let Some(catalog) = self.catalogs.get(reader.catalog()) {
            catalog.queue_timeouts(reader, slow, now, seconds(every));
        }
    }

    /// Enters what was read, or why not. Returns whether gateways are to follow.
    pub fn enter_timeout(&mut self, read: ReadTimeout, now: i64, usage: &mut Usage) -> bool {
        let catalog = self.catalogs.get_mut(read.catalog);
        catalog.is_some_and(|catalog| catalog.enter_timeout(read, now, usage))
    }

    /// Notes that no timeout could be read, where that is so.
    pub fn note_stalled(&mut self, reader: &TimeoutReader, deadline: Duration) {
        if let Some(catalog) = self.catalogs.get_mut(reader.catalog()) {
            catalog.note_stalled(reader, deadline);
        }
    }

    /// Watches the gateways whose timeout is known, with that timeout. `is_over` if no more
    /// is read.
    pub fn follow_timeouts(&mut self, is_over: bool) {
        let whole = self.selections.iter().filter(|s| s.is_explicit());
        let mut gateways: Vec<_> =
            whole.filter_map(|s| explicit(s, &self.region)).map(Arc::new).collect();
        for catalog in &mut self.catalogs {
            catalog.follow_timeouts();
            gateways.extend(catalog.gateways().map(Arc::clone));
        }
        let mut seen = HashSet::new();
        gateways.retain(|gateway| seen.insert((gateway.id.kind, gateway.id.dimension.clone())));
        gateways.sort_by(|a, b| a.id.cmp(&b.id));
        self.gateways = gateways;
        self.note_troubles(is_over);
    }

    /// What could not be found out, as things stand.
    pub fn note_troubles(&mut self, is_over: bool) {
        self.troubles.clone_from(&self.list_troubles);
        let of_timeouts = |catalog: &Catalog| catalog.timeout_troubles(is_over);
        self.troubles.extend(self.catalogs.iter().flat_map(of_timeouts));
    }

    /// Finds the target groups of some gateways, those that were not searched lately.
    pub async fn find_target_groups(
        &mut self,
        is_wanted: impl Fn(&&Arc<Gateway>) -> bool,
        now: i64,
        deadline: Duration,
        usage: &mut Usage,
    ) {
        for (search, used) in
            futures::future::join_all(self.target_group_searches(is_wanted, now, deadline)).await
        {
            usage.add(used);
            self.enter_target_groups(search, now);
        }
    }

    /// Searches for the target groups of some gateways, those that an inventory can be
    /// asked about and was not asked about lately.
    pub fn target_group_searches(
        &self,
        is_wanted: impl Fn(&&Arc<Gateway>) -> bool,
        now: i64,
        deadline: Duration,
    ) -> Vec<BoxFuture<'static, (TargetGroupSearch, Usage)>> {
        let of_one = |(number, catalog): (usize, &Catalog)| {
            let is_asked = |arn: &String| {
                catalog.timeouts.of(arn).is_some() && catalog.target_groups.is_old(arn, now)
            };
            let gateways = self.gateways.iter().filter(|one| one.id.kind == catalog.kind);
            let wanted = gateways.filter(|one| is_wanted(one));
            let arns: Vec<String> =
                wanted.filter_map(|one| one.id.arn()).filter(is_asked).collect();
            (!arns.is_empty()).then(|| {
                let (inventory, pace) = (Arc::clone(&catalog.inventory), Arc::clone(&self.pace));
                let search = target_groups::Found::search(inventory, arns, pace, deadline);
                let entered =
                    move |(found, usage)| (TargetGroupSearch { catalog: number, found }, usage);
                search.map(entered).boxed()
            })
        };
        self.catalogs.iter().enumerate().filter_map(of_one).collect()
    }

    /// Enters what a search found, and returns why it did not find the rest.
    pub fn enter_target_groups(&mut self, search: TargetGroupSearch, now: i64) -> Vec<AwsError> {
        let TargetGroupSearch { catalog, found } = search;
        let catalog = self.catalogs.get_mut(catalog);
        catalog.map_or_else(Vec::new, |catalog| catalog.target_groups.enter(found, now))
    }

    /// The target groups of a gateway whose metrics are read beside its own.
    #[must_use]
    pub fn target_groups(&self, gateway: &Gateway) -> &[String] {
        let catalog = self.catalogs.iter().find(|catalog| catalog.kind == gateway.id.kind);
        let known = catalog.zip(gateway.id.arn());
        known.map_or(&[][..], |(catalog, arn)| catalog.target_groups.of(&arn))
    }
}

/// The target groups that were found for the gateways of one kind.
#[derive(Debug)]
pub struct TargetGroupSearch {
    catalog: usize,
    found: target_groups::Found,
}

/// Makes sure that no two gateways look the same: one that two identities see is watched
/// once, and where two share a kind, name, Region and account (the old and the new load
/// balancer of that name, both given as dimension values), the dimension value becomes the
/// name.
pub fn tell_apart(accounts: &mut [AccountRegion]) {
    let mut keys = HashSet::new();
    let mut names: HashMap<_, u32> = HashMap::new();
    for account in &mut *accounts {
        account.gateways.retain(|gateway| {
            let id = &gateway.id;
            keys.insert((id.kind, id.region.clone(), id.dimension.clone()))
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

fn label(id: &Identity) -> (Kind, String, String, String) {
    (id.kind, id.name.clone(), id.region.clone(), id.account.clone())
}

fn seconds(span: Span) -> i64 {
    i64::try_from(span.get().as_secs()).unwrap_or(i64::MAX)
}
