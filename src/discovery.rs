//! From the selections of the config to the gateways that are there.
//!
//! One [`Account`] for each identity and Region: its load balancers are listed
//! once and every selection picks from the list. Where an account cannot be
//! read, what was found there before stays watched.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use aws_config::SdkConfig;

use crate::analysis::gateway::{Gateway, Identity, Timeout};
use crate::analysis::quantity::Span;
use crate::config::{Config, LoadBalancer, Selection, TimeoutSetting};
use crate::edge::aws::{Fault, Scope, Usage, region_of, scoped};
use crate::edge::cloudwatch::CloudWatch;
use crate::edge::elb::{self, Elb, Found};

/// An account in a Region, as one identity sees it.
#[derive(Debug)]
pub struct Account {
    /// Its Region.
    pub region: String,
    /// Its metrics.
    pub cloudwatch: CloudWatch,
    /// Its load balancers.
    pub elb: Elb,
    /// What the config wants of it.
    pub selections: Vec<Selection>,
    /// What was found there last.
    pub gateways: Vec<Arc<Gateway>>,
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

impl Account {
    /// All accounts and Regions that the config names.
    pub async fn of_config(config: &Config, base: &SdkConfig) -> Vec<Self> {
        let mut by_scope: Vec<(Scope, Vec<Selection>)> = Vec::new();
        for selection in &config.gateways {
            let chain = || Some(region_of(base)).filter(|region| !region.is_empty());
            let scope = Scope {
                region: selection.region.clone().or_else(chain),
                role_arn: selection.role_arn.as_ref().map(|role| role.as_str().to_owned()),
                external_id: selection.external_id.clone(),
            };
            match by_scope.iter_mut().find(|(known, _)| *known == scope) {
                Some((_, selections)) => selections.push(selection.clone()),
                None => by_scope.push((scope, vec![selection.clone()])),
            }
        }
        let mut accounts = Vec::new();
        for (scope, selections) in by_scope {
            let sdk = scoped(base, &scope).await;
            accounts.push(Self {
                region: region_of(&sdk),
                cloudwatch: CloudWatch::new(&sdk, &config.quota),
                elb: Elb::new(&sdk),
                selections,
                gateways: Vec::new(),
            });
        }
        accounts
    }

    /// Looks again, but no longer than this.
    pub async fn refresh_within(&mut self, deadline: Span) -> (Vec<Trouble>, Usage) {
        let mut usage = Usage::default();
        let region = self.region.clone();
        let refresh = tokio::time::timeout(deadline.get(), self.refresh(&mut usage)).await;
        let troubles = refresh.unwrap_or_else(|_| {
            let said = format!("not done within {}", String::from(deadline));
            vec![Fault::incomplete(elb::DESCRIBE, &region, said).into()]
        });
        (troubles, usage)
    }

    /// Looks again. What could not be found out comes back; what was known
    /// before and could not be read again stays.
    async fn refresh(&mut self, usage: &mut Usage) -> Vec<Trouble> {
        if self.region.is_empty() {
            let selections = self.selections.iter();
            return selections.map(|s| Trouble::NoRegion { selection: s.to_string() }).collect();
        }
        let explicit = self.selections.iter().filter(|s| s.is_explicit());
        let mut gateways: Vec<_> =
            explicit.filter_map(|s| self.explicit(s)).map(Arc::new).collect();
        let mut troubles = Vec::new();
        if self.selections.iter().any(|s| !s.is_explicit()) {
            match self.discover(usage, &mut troubles).await {
                Ok(found) => gateways.extend(found),
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
        troubles
    }

    async fn discover(
        &self,
        usage: &mut Usage,
        troubles: &mut Vec<Trouble>,
    ) -> Result<Vec<Arc<Gateway>>, Fault> {
        let list = self.elb.list(usage).await?;
        let tags = self.tags(&list, usage).await?;
        let matches = self.matches(&list, &tags, troubles);
        let arns: Vec<_> = matches.iter().map(|m| m.found.arn.text.clone()).collect();
        let timeouts = self.elb.idle_timeouts(&arns, usage).await;
        let mut gateways = Vec::with_capacity(matches.len());
        for (one, idle) in matches.iter().zip(timeouts) {
            match self.gateway(one, idle) {
                Ok((gateway, fault)) => {
                    gateways.push(Arc::new(gateway));
                    troubles.extend(fault.map(Trouble::from));
                }
                Err(fault) => troubles.push(fault.into()),
            }
        }
        Ok(gateways)
    }

    async fn tags(
        &self,
        list: &[Found],
        usage: &mut Usage,
    ) -> Result<HashMap<String, BTreeMap<String, String>>, Fault> {
        let by_tags = self.selections.iter().filter(|s| !s.tags.is_empty());
        let candidates: Vec<&Selection> = by_tags.collect();
        let wanted = |lb: &&Found| candidates.iter().any(|s| is_meant(s, lb));
        let arns: Vec<_> = list.iter().filter(wanted).map(|lb| lb.arn.text.clone()).collect();
        self.elb.tags(&arns, usage).await
    }

    /// Each load balancer with the first selection that wants it.
    fn matches<'a>(
        &'a self,
        list: &'a [Found],
        tags: &HashMap<String, BTreeMap<String, String>>,
        troubles: &mut Vec<Trouble>,
    ) -> Vec<Match<'a>> {
        let none = BTreeMap::new();
        let mut taken = HashSet::new();
        let mut matches = Vec::new();
        for selection in self.selections.iter().filter(|s| !s.is_explicit()) {
            let has_tags = |found: &Found| {
                let has = tags.get(&found.arn.text).unwrap_or(&none);
                selection.tags.iter().all(|(key, value)| has.get(key) == Some(value))
            };
            let selected: Vec<_> =
                list.iter().filter(|found| is_meant(selection, found) && has_tags(found)).collect();
            if selected.is_empty() {
                troubles.push(Trouble::NoMatch {
                    selection: selection.to_string(),
                    region: self.region.clone(),
                    there: there_is(list),
                });
            }
            let new = selected.into_iter().filter(|found| taken.insert(&found.arn.text));
            matches.extend(new.map(|found| Match { found, selection }));
        }
        matches
    }

    /// A gateway with its timeout; a fault beside it where the idle timeout
    /// could not be read but is not needed, or is known from before.
    fn gateway(
        &self,
        one: &Match,
        idle: Result<f64, Fault>,
    ) -> Result<(Gateway, Option<Fault>), Fault> {
        let Match { found, selection } = one;
        let (idle, fault) = match idle {
            Ok(idle) => (Some(idle), None),
            Err(fault) => (self.known_idle_timeout(&found.arn.dimension), Some(fault)),
        };
        let seconds = match (selection.timeout, idle) {
            (TimeoutSetting::Fixed(span), _) => span.get().as_secs_f64(),
            (TimeoutSetting::Auto, Some(idle)) => idle,
            (TimeoutSetting::Auto, None) => {
                let unknown =
                    || Fault::incomplete(elb::ATTRIBUTES, &self.region, "no idle timeout".into());
                return Err(fault.unwrap_or_else(unknown));
            }
        };
        let id = Identity {
            name: found.name.clone(),
            region: found.arn.region.clone(),
            account: found.arn.account.clone(),
            dimension: found.arn.dimension.clone(),
        };
        let timeout = Timeout { seconds, idle_timeout: idle };
        Ok((
            Gateway {
                id,
                kind: selection.kind,
                timeout,
                near: selection.near.get(),
                detail: selection.detail,
            },
            fault,
        ))
    }

    fn known_idle_timeout(&self, dimension: &str) -> Option<f64> {
        let known = self.gateways.iter().find(|gateway| gateway.id.dimension == dimension);
        known.and_then(|gateway| gateway.timeout.idle_timeout)
    }

    /// A gateway that stands in the config as a whole.
    fn explicit(&self, selection: &Selection) -> Option<Gateway> {
        let (account, dimension) = match &selection.load_balancer {
            LoadBalancer::Arn(arn) => (arn.account.clone(), arn.dimension.clone()),
            LoadBalancer::Dimension(value) => (String::new(), value.clone()),
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
        })
    }
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
