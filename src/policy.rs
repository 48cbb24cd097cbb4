//! The least IAM policy that a config needs, as JSON.
//!
//! There is one policy for each identity: the daemon's own, and that of every role which
//! the config makes it assume.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::config::{Config, RoleArn, Selection};
use crate::edge::{evidence, hops};
use crate::inventory::{self, Actions};
use crate::sink::AwsAccess;
use crate::source::cloudwatch;
use nearmiss_core::gateway::Kind;

/// The policy for the daemon's own identity (`None`) or for one of its roles.
#[must_use]
pub fn policy(config: &Config, identity: Option<&RoleArn>) -> Value {
    let selections: Vec<&Selection> =
        config.gateways.iter().filter(|s| s.role_arn.as_ref() == identity).collect();
    let mut statements = watching(&selections, config.asks_for_tags());
    let diagnosed = selections.iter().copied().filter(|one| one.kind.has_causes());
    let diagnosed: Vec<&Selection> = diagnosed.collect();
    if config.diagnosis.enabled {
        statements.extend(allow("Diagnose", evidence::ACTIONS, &diagnosed));
    }
    if identity.is_none()
        && config.chains.iter().any(|one| one.hops.iter().any(|h| h.aws.is_some()))
    {
        statements.push(json!({
            "Sid": "Chain",
            "Effect": "Allow",
            "Action": hops::ACTIONS,
            "Resource": "*",
        }));
    }
    let linked: Vec<&Selection> = config.gateways.iter().filter(|s| reads_for(s)).collect();
    if identity.is_none() {
        statements.extend(reading(&linked));
    }
    statements.extend(notifying(config, identity));
    if identity.is_none() && !config.chat_configurations().is_empty() {
        statements.push(json!({
            "Sid": "Chat",
            "Effect": "Allow",
            "Action": cloudwatch::ACTION,
            "Resource": "*",
            "Condition": { "StringEquals": { "aws:RequestedRegion": cloudwatch::CHAT_REGION } },
        }));
    }
    let roles = roles(config);
    if identity.is_none() && !roles.is_empty() {
        statements.push(json!({
            "Sid": "Assume",
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Resource": roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(),
        }));
    }
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// Every role that the config names.
#[must_use]
pub fn roles(config: &Config) -> BTreeSet<&RoleArn> {
    let of_gateways = config.gateways.iter().filter_map(|s| s.role_arn.as_ref());
    of_gateways.chain(sinks(config).filter_map(|sink| sink.role_arn)).collect()
}

/// What the sinks need of AWS.
fn sinks(config: &Config) -> impl Iterator<Item = AwsAccess<'_>> {
    config.targets().filter_map(|target| target.aws())
}

/// What this identity needs for sending to its receivers.
fn notifying(config: &Config, identity: Option<&RoleArn>) -> Vec<Value> {
    let mut resources: BTreeMap<&[&str], BTreeSet<&str>> = BTreeMap::new();
    for sink in sinks(config).filter(|sink| sink.role_arn == identity) {
        resources.entry(sink.actions).or_default().insert(sink.resource);
    }
    let statement = |(number, (actions, resources)): (usize, (&[&str], BTreeSet<&str>))| {
        let sid = if number == 0 { "Notify".to_owned() } else { format!("Notify{number}") };
        json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources })
    };
    resources.into_iter().enumerate().map(statement).collect()
}

/// Whether the daemon's own identity, as a monitoring account, reads the metrics of
/// gateways that a role lists.
fn reads_for(selection: &Selection) -> bool {
    selection.monitored_account.is_some() && selection.role_arn.is_some()
}

/// What listing gateways needs, and reading their metrics in their own account.
fn watching(selections: &[&Selection], all_tags: bool) -> Vec<Value> {
    let mut actions = Vec::new();
    if selections.iter().any(|s| !reads_for(s)) {
        actions.push(cloudwatch::ACTION);
    }
    let listed = selections.iter().filter(|s| !s.is_explicit());
    let kinds: BTreeSet<Kind> = listed.map(|selection| selection.kind).collect();
    for kind in kinds {
        let Actions { list, timeout, tags, target_groups, .. } = inventory::actions(kind);
        actions.extend([*list, *timeout]);
        actions.extend(target_groups);
        let mut of_kind = selections.iter().filter(|selection| selection.kind == kind);
        if all_tags || of_kind.any(|selection| selection.needs_tags()) {
            actions.push(*tags);
        }
    }
    allow("Watch", &actions, selections)
}

/// What reading metrics from a monitoring account needs.
fn reading(selections: &[&Selection]) -> Vec<Value> {
    let actions = if selections.is_empty() { &[][..] } else { &[cloudwatch::ACTION] };
    allow("Read", actions, selections)
}

/// None of these actions supports resource ARNs; the Region is all that can be narrowed.
fn allow(sid: &str, actions: &[&str], selections: &[&Selection]) -> Vec<Value> {
    if actions.is_empty() || selections.is_empty() {
        return Vec::new();
    }
    let regions: Option<BTreeSet<&str>> = selections.iter().map(|s| s.region.as_deref()).collect();
    let mut statement = json!({
        "Sid": sid,
        "Effect": "Allow",
        "Action": actions,
        "Resource": "*",
    });
    if let Some(regions) = regions {
        statement["Condition"] = json!({ "StringEquals": { "aws:RequestedRegion": regions } });
    }
    vec![statement]
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn tags_are_permitted_where_something_goes_by_them() {
        let needs = |text: &str| {
            let config = Config::parse(text, Path::new("x")).unwrap();
            policy(&config, None).to_string().contains(inventory::actions(Kind::Alb).tags)
        };
        let by_name = "[[gateway]]\nload_balancer = \"web-*\"\n";
        let excluding = |what: &str| format!("{by_name}exclude = [{what}]\n");
        assert!(!needs(by_name));
        assert!(!needs(&excluding("\"web-canary\"")));
        assert!(needs(&excluding("{ tags = { env = \"dev\" } }")));
        assert!(needs("[[gateway]]\ntags = { team = \"web-*\" }\n"));
        assert!(needs(&format!("{by_name}[metrics]\ntag_labels = [\"team\"]\n")));
    }
}
