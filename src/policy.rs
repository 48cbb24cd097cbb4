//! The least IAM policy that a config needs, as JSON.
//!
//! There is one policy for each identity: the daemon's own, and that of every
//! role which the config makes it assume.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::config::{Config, RoleArn, Selection};
use crate::edge::{cloudwatch, elb, sink};

/// The policy for the daemon's own identity (`None`) or for one of its roles.
#[must_use]
pub fn policy(config: &Config, identity: Option<&RoleArn>) -> Value {
    let selections: Vec<&Selection> =
        config.gateways.iter().filter(|s| s.role_arn.as_ref() == identity).collect();
    let mut statements = reading(&selections);
    if let Some(sns) = config.sink.sns.as_ref().filter(|sns| sns.role_arn.as_ref() == identity) {
        statements.push(json!({
            "Sid": "Notify",
            "Effect": "Allow",
            "Action": [sink::GET_TOPIC, sink::PUBLISH],
            "Resource": sns.topic_arn.as_str(),
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
    of_gateways.chain(config.sink.sns.as_ref().and_then(|sns| sns.role_arn.as_ref())).collect()
}

/// What reading metrics and load balancers takes. None of these actions knows
/// resources; the Region is all that can be narrowed.
fn reading(selections: &[&Selection]) -> Vec<Value> {
    if selections.is_empty() {
        return Vec::new();
    }
    let mut actions = vec![cloudwatch::ACTION];
    if selections.iter().any(|s| !s.is_explicit()) {
        actions.extend([elb::DESCRIBE, elb::ATTRIBUTES]);
    }
    if selections.iter().any(|s| !s.tags.is_empty()) {
        actions.push(elb::TAGS);
    }
    let regions: Option<BTreeSet<&str>> = selections.iter().map(|s| s.region.as_deref()).collect();
    let mut statement = json!({
        "Sid": "Watch",
        "Effect": "Allow",
        "Action": actions,
        "Resource": "*",
    });
    if let Some(regions) = regions {
        statement["Condition"] = json!({ "StringEquals": { "aws:RequestedRegion": regions } });
    }
    vec![statement]
}
