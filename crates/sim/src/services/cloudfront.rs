//! `CloudFront`: one distribution in front of an account's first load balancer.

use crate::account::world::Balancer;
use crate::rng::hash_bytes;
use crate::services::elb::view::dns;
use crate::state::{Call, State};
use crate::wire::document::{Failure, Reply, Value};
use crate::wire::input::Input;

/// Answers an operation of this service.
pub(crate) fn answer(state: &State, call: &Call, input: Input) -> Reply {
    match call.operation.as_str() {
        "ListDistributions" => list(state, call, input),
        "GetDistributionConfig" => config(state, call, input),
        other => Err(Failure::unknown_operation("cloudfront", other)),
    }
}

/// The load balancer behind the distribution of an account.
pub(crate) fn origin<'a>(state: &'a State, account: &str) -> Option<&'a Balancer> {
    state.world.balancers.iter().find(|one| one.account == account)
}

/// Id of the distribution in front of a load balancer.
pub(crate) fn id(state: &State, one: &Balancer) -> String {
    format!("E{:013X}", hash_bytes(state.setup.seed, one.arn.as_bytes()) >> 12)
}

fn list(state: &State, call: &Call, input: Input) -> Reply {
    input.only(&["Marker", "MaxItems"])?;
    // The service is global: it does not matter for which region a call is signed.
    let all: Vec<Value> =
        origin(state, &call.account).map(|one| summary(state, one)).into_iter().collect();
    let list = Value::record([
        ("Marker", input.text("Marker")?.unwrap_or_default().into()),
        ("MaxItems", input.integer("MaxItems")?.unwrap_or(100).into()),
        ("IsTruncated", false.into()),
        ("Quantity", (all.len() as i64).into()),
        ("Items", Value::Items("DistributionSummary", all)),
    ]);
    Ok(Value::record([("DistributionList", list)]))
}

fn config(state: &State, call: &Call, input: Input) -> Reply {
    input.only(&["Id"])?;
    let asked = input.required("Id")?;
    let own = origin(state, &call.account).filter(|one| id(state, one) == asked);
    let Some(one) = own else {
        let message = "The specified distribution does not exist.";
        return Err(Failure::new(404, "NoSuchDistribution", message));
    };
    let mut fields = vec![("CallerReference", one.name.as_str().into())];
    fields.extend(settings(state, one));
    Ok(Value::record([("DistributionConfig", Value::Record(fields))]))
}

fn summary(state: &State, one: &Balancer) -> Value {
    let id = id(state, one);
    let mut fields = vec![
        ("Id", id.as_str().into()),
        ("ARN", format!("arn:aws:cloudfront::{}:distribution/{id}", one.account).into()),
        ("Status", "Deployed".into()),
        ("LastModifiedTime", Value::Time(state.setup.start - 86_400 * 40)),
        ("DomainName", format!("d{}.cloudfront.net", id.to_lowercase()).into()),
    ];
    fields.extend(settings(state, one));
    Value::Record(fields)
}

/// A list of the kind that counts itself.
fn counted(item: &'static str, items: Vec<Value>) -> Value {
    let quantity = ("Quantity", Value::Integer(items.len() as i64));
    let items = (!items.is_empty()).then_some(("Items", Value::Items(item, items)));
    Value::record([quantity]).with(items)
}

/// What summary and configuration have in common.
fn settings(state: &State, one: &Balancer) -> Vec<(&'static str, Value)> {
    let behavior = Value::record([
        ("TargetOriginId", one.name.as_str().into()),
        (
            "TrustedSigners",
            counted("AwsAccountNumber", Vec::new()).with([("Enabled", false.into())]),
        ),
        ("ViewerProtocolPolicy", "redirect-to-https".into()),
        ("Compress", true.into()),
        ("CachePolicyId", "4135ea2d-6df8-44a3-9df3-4b5a84be39ad".into()),
    ]);
    let restriction = counted("Location", Vec::new()).with([("RestrictionType", "none".into())]);
    vec![
        ("Aliases", counted("CNAME", Vec::new())),
        ("Origins", counted("Origin", vec![origin_value(state, one)])),
        ("DefaultCacheBehavior", behavior),
        ("CacheBehaviors", counted("CacheBehavior", Vec::new())),
        ("CustomErrorResponses", counted("CustomErrorResponse", Vec::new())),
        ("Comment", one.name.as_str().into()),
        ("PriceClass", "PriceClass_100".into()),
        ("Enabled", true.into()),
        ("ViewerCertificate", Value::record([("CloudFrontDefaultCertificate", true.into())])),
        ("Restrictions", Value::record([("GeoRestriction", restriction)])),
        ("WebACLId", "".into()),
        ("HttpVersion", "http2".into()),
        ("IsIPV6Enabled", true.into()),
        ("Staging", false.into()),
    ]
}

fn origin_value(state: &State, one: &Balancer) -> Value {
    let protocols = counted("SslProtocol", vec!["TLSv1.2".into()]);
    let custom = Value::record([
        ("HTTPPort", Value::Integer(80)),
        ("HTTPSPort", Value::Integer(443)),
        ("OriginProtocolPolicy", "https-only".into()),
        ("OriginSslProtocols", protocols),
        ("OriginReadTimeout", Value::Integer(30)),
        ("OriginKeepaliveTimeout", Value::Integer(5)),
    ]);
    Value::record([
        ("Id", one.name.as_str().into()),
        ("DomainName", dns(state, one).into()),
        ("OriginPath", "".into()),
        ("CustomHeaders", counted("OriginCustomHeader", Vec::new())),
        ("CustomOriginConfig", custom),
        ("ConnectionAttempts", Value::Integer(3)),
        ("ConnectionTimeout", Value::Integer(10)),
        ("OriginShield", Value::record([("Enabled", false.into())])),
        ("OriginAccessControlId", "".into()),
    ])
}
