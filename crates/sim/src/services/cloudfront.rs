//! `CloudFront`: one distribution in front of an account's first load balancer.

use crate::rng::hash_bytes;
use crate::services::Call;
use crate::services::elb::view::dns;
use crate::wire::document::{Failure, Reply, Value};
use crate::wire::input::Input;
use crate::world::Balancer;
use crate::world::World;

/// Answers an operation of this service.
pub(crate) fn answer(world: &World, call: &Call, input: Input) -> Reply {
    match call.operation.as_str() {
        "ListDistributions" => list(world, call, input),
        "GetDistributionConfig" => config(world, call, input),
        other => Err(Failure::unknown_operation("cloudfront", other)),
    }
}

/// The load balancer behind the distribution of an account.
pub(crate) fn origin<'a>(world: &'a World, account: &str) -> Option<&'a Balancer> {
    world.balancers.iter().find(|one| one.account == account)
}

/// Id of the distribution in front of a load balancer.
pub(crate) fn id(world: &World, one: &Balancer) -> String {
    format!("E{:013X}", hash_bytes(world.setup.seed, one.arn.as_bytes()) >> 12)
}

fn list(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["Marker", "MaxItems"])?;
    // The service is global: it does not matter for which region a call is signed.
    let all: Vec<Value> =
        origin(world, &call.account).map(|one| summary(world, one)).into_iter().collect();
    let list = Value::record([
        ("Marker", input.text("Marker")?.unwrap_or_default().into()),
        ("MaxItems", input.integer("MaxItems")?.unwrap_or(100).into()),
        ("IsTruncated", false.into()),
        ("Quantity", (all.len() as i64).into()),
        ("Items", Value::Items("DistributionSummary", all)),
    ]);
    Ok(Value::record([("DistributionList", list)]))
}

fn config(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["Id"])?;
    let asked = input.required("Id")?;
    let own = origin(world, &call.account).filter(|one| id(world, one) == asked);
    let Some(one) = own else {
        let message = "The specified distribution does not exist.";
        return Err(Failure::new(404, "NoSuchDistribution", message));
    };
    let mut fields = vec![("CallerReference", one.name.as_str().into())];
    fields.extend(settings(world, one));
    Ok(Value::record([("DistributionConfig", Value::Record(fields))]))
}

fn summary(world: &World, one: &Balancer) -> Value {
    let id = id(world, one);
    let mut fields = vec![
        ("Id", id.as_str().into()),
        ("ARN", format!("arn:aws:cloudfront::{}:distribution/{id}", one.account).into()),
        ("Status", "Deployed".into()),
        ("LastModifiedTime", Value::Time(world.setup.start - 86_400 * 40)),
        ("DomainName", format!("d{}.cloudfront.net", id.to_lowercase()).into()),
    ];
    fields.extend(settings(world, one));
    Value::Record(fields)
}

/// A list of the kind that counts itself.
fn counted(item: &'static str, items: Vec<Value>) -> Value {
    let quantity = ("Quantity", Value::Integer(items.len() as i64));
    let items = (!items.is_empty()).then_some(("Items", Value::Items(item, items)));
    Value::record([quantity]).with(items)
}

/// What summary and configuration have in common.
fn settings(world: &World, one: &Balancer) -> Vec<(&'static str, Value)> {
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
        ("Origins", counted("Origin", vec![origin_value(world, one)])),
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

fn origin_value(world: &World, one: &Balancer) -> Value {
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
        ("DomainName", dns(world, one).into()),
        ("OriginPath", "".into()),
        ("CustomHeaders", counted("OriginCustomHeader", Vec::new())),
        ("CustomOriginConfig", custom),
        ("ConnectionAttempts", Value::Integer(3)),
        ("ConnectionTimeout", Value::Integer(10)),
        ("OriginShield", Value::record([("Enabled", false.into())])),
        ("OriginAccessControlId", "".into()),
    ])
}
