//! Why a gateway answers 504 (or 502, or 503): the evidence around a moment, and
//! what follows from it.
//!
//! The evidence is gathered within a deadline, all of its parts at the same time where none
//! needs another; what does not come in time is reported as missing, and the rest is judged
//! all the same.

use std::sync::Arc;

use aws_config::SdkConfig;

use crate::config::Config;
use crate::edge::aws::Usage;
use crate::edge::evidence::{PATIENCE, because};
use crate::edge::time::Clock;
use crate::inventory::{AccountRegion, Trouble, target_group_dimension};
use nearmiss_core::diagnose::evidence::{Evidence, Figures, NotChecked, TargetGroup};
use nearmiss_core::diagnose::{Diagnosis, diagnose};
use nearmiss_core::gateway::Gateway;
use nearmiss_core::gateway::kind::Topology;
use nearmiss_core::suggestion;
use nearmiss_core::time::Minute;

/// How many minutes before the moment are read.
const MINUTES: i64 = 180;
/// How old a minute must be for its figures to be published, seconds.
const SETTLED: i64 = 120;

/// What is to be diagnosed.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The minute after the last one that is read.
    pub end: Minute,
    /// When the trouble began, where that is known.
    pub began: Option<Minute>,
}

/// Why nothing could be diagnosed.
#[derive(Debug, thiserror::Error)]
#[error("{said}")]
pub struct NotFound {
    said: String,
    is_usage: bool,
}

impl NotFound {
    /// Whether there is no such gateway, as opposed to no answer.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        self.is_usage
    }
}

/// Finds a gateway of the config by its name or its dimension value, and diagnoses the
/// three hours before `end`.
///
/// # Errors
/// When the config watches no such gateway.
pub async fn find(
    config: &Config,
    base: &SdkConfig,
    name: &str,
    end: Minute,
    clock: Clock,
) -> Result<Diagnosis, NotFound> {
    let mut accounts = AccountRegion::of_config(config, base).await;
    let deadline = config.poll.deadline;
    let mut usage = Usage::default();
    for account in &mut accounts {
        usage.add(account.refresh(clock.now(), deadline, deadline).await);
    }
    let settled = Minute::containing(clock.now() - SETTLED);
    let moment = Moment { end: end.min(settled), began: None };
    for account in &accounts {
        let is_it =
            |gateway: &&Arc<Gateway>| gateway.id.name == name || gateway.id.dimension == name;
        if let Some(gateway) = account.gateways.iter().find(is_it) {
            if !gateway.id.kind.has_causes() {
                return Err(NotFound { said: without_causes(gateway), is_usage: false });
            }
            return Ok(Box::pin(of(account, gateway, moment, &mut usage)).await);
        }
    }
    let watched = accounts.iter().flat_map(|account| &account.gateways).map(|g| g.id.name.as_str());
    let watched: Vec<&str> = watched.collect();
    let troubles = accounts.iter().flat_map(|account| &account.troubles).map(Trouble::to_string);
    let troubles: Vec<String> = troubles.collect();
    let mut said = format!("the config watches no gateway named \"{name}\"");
    if !watched.is_empty() {
        said += &format!("; {}", suggestion::instead_of(name, watched));
    }
    let is_usage = troubles.is_empty();
    let said = troubles.iter().fold(said, |said, trouble| said + "\n" + trouble);
    Err(NotFound { said, is_usage })
}

fn without_causes(gateway: &Gateway) -> String {
    let words = &gateway.id.kind.spec().words;
    format!(
        "{} is an {}, and nearmiss looks for causes behind load balancers only. Find what is slow {}",
        gateway.id.name, words.title, words.find_slow,
    ) + " half of its timeout."
}

/// The diagnosis of a gateway of an account at a moment.
pub async fn of(
    account: &AccountRegion,
    gateway: &Gateway,
    moment: Moment,
    usage: &mut Usage,
) -> Diagnosis {
    let (evidence, without_figures) = Box::pin(gather(account, gateway, moment, usage)).await;
    let mut diagnosis = diagnose(&evidence);
    diagnosis.not_checked.splice(0..0, without_figures);
    diagnosis
}

/// Everything that is known about a gateway around a moment, and why there are no figures,
/// if there are none.
async fn gather(
    account: &AccountRegion,
    gateway: &Gateway,
    moment: Moment,
    usage: &mut Usage,
) -> (Evidence, Option<NotChecked>) {
    let topology = &account.topology;
    let spec = gateway.id.kind.spec();
    let arn = gateway.id.arn().filter(|_| spec.topology == Topology::LoadBalancer);
    let unread = |what: &str| match spec.topology {
        Topology::LoadBalancer => without_arn(what),
        Topology::Unknown => not_looked_at(what, spec.words.title),
    };
    let ask =
        async |arn: &str| futures::join!(topology.load_balancer(arn), topology.target_groups(arn));
    let (load_balancer, target_groups) = match &arn {
        Some(arn) => ask(arn).await,
        None => (Err(unread("the load balancer")), Err(unread("target groups"))),
    };
    let left_out = target_groups.as_ref().map_or(0, |groups| groups.left_out);
    let mut target_groups = target_groups.map(|groups| groups.read);
    let zones: Vec<String> =
        load_balancer.iter().flat_map(|one| &one.zones).map(|z| z.name.clone()).collect();
    let groups = target_groups.as_deref_mut().unwrap_or_default();
    let known: Vec<TargetGroup> = groups.to_vec();
    let dimension = |group: &TargetGroup| target_group_dimension(&group.arn);
    let dimensions: Vec<String> = by_interest(&known).into_iter().filter_map(dimension).collect();
    let first = moment.end.plus(-MINUTES);
    let figures = account.metrics.figures(
        gateway,
        (&zones, &dimensions),
        (first, moment.end),
        PATIENCE,
        usage,
    );
    let (figures, services, functions, network) = futures::join!(
        figures,
        topology.services(&known),
        topology.functions(&known),
        topology.network(&load_balancer, groups),
    );
    let without_figures = figures.as_ref().err().map(|fault| because("the figures", fault));
    let evidence = Evidence {
        gateway: gateway.id.name.clone(),
        timeout: gateway.timeout.seconds,
        configured_timeout: gateway.timeout.mismatch().map(|_| gateway.timeout.seconds),
        near: gateway.near,
        began: moment.began,
        figures: figures.unwrap_or_else(|_| Figures::between(first, moment.end)),
        load_balancer,
        target_groups,
        left_out,
        network,
        services,
        functions,
    };
    (evidence, without_figures)
}

/// Target groups that get requests first, and of these the ones with unhealthy targets:
/// figures are read for a few only.
fn by_interest(groups: &[TargetGroup]) -> Vec<&TargetGroup> {
    let is_unhealthy = |group: &TargetGroup| {
        group.targets.iter().flatten().any(|target| target.state == "unhealthy")
    };
    let mut groups: Vec<&TargetGroup> = groups.iter().collect();
    groups.sort_by_key(|group| (group.receives == Some(false), !is_unhealthy(group)));
    groups
}

fn not_looked_at(what: &str, title: &str) -> NotChecked {
    NotChecked {
        what: what.to_owned(),
        because: format!("nearmiss does not look at how an {title} is set up"),
        remedy: "compare its figures with those of what it waits for".to_owned(),
    }
}

fn without_arn(what: &str) -> NotChecked {
    NotChecked {
        what: what.to_owned(),
        because: "only its CloudWatch dimension is known".to_owned(),
        remedy: "set load_balancer to its ARN in the config".to_owned(),
    }
}
