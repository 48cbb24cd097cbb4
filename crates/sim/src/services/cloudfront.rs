//! `CloudFront`: the distributions there are, and one in front of an account's first load
//! balancer. The service is global: it does not matter for which Region a call is signed.

use crate::rng::hash_bytes;
use crate::scenario::gateway::{Behind, Kind};
use crate::services::Call;
use crate::services::elb::view::dns;
use crate::services::gateway_pages::{present, tag_list};
use crate::wire::document::{Failure, Reply, Value};
use crate::wire::input::Input;
use crate::world::{Balancer, Gateway, World};

/// Distributions per page.
const PAGE: i64 = 100;

/// Answers an operation of this service.
pub(crate) fn answer(world: &World, call: &Call, input: Input) -> Reply {
    match call.operation.as_str() {
        "ListDistributions" => list(world, call, input),
        "GetDistributionConfig" => config(world, call, input),
        "ListTagsForResource" => tags(world, call, input),
        "GetMonitoringSubscription" => monitoring(world, call, input),
        other => Err(Failure::unknown_operation("cloudfront", other)),
    }
}

/// A distribution as it is described.
struct Distribution<'a> {
    id: String,
    name: &'a str,
    account: &'a str,
    origins: Vec<Value>,
    /// Id of the first origin.
    first: String,
    gateway: Option<&'a Gateway>,
    /// When it was changed last, epoch seconds.
    changed: i64,
}

/// The distributions of the caller's account at the time of the call.
fn distributions<'a>(world: &'a World, call: &Call) -> Vec<Distribution<'a>> {
    let changed = world.setup.start - 86_400 * 40;
    let front = origin(world, &call.account).map(|one| Distribution {
        id: id(world, one),
        name: &one.name,
        account: &one.account,
        origins: vec![origin_value(&one.name, dns(world, one), Some(30), 3)],
        first: one.name.clone(),
        gateway: None,
        changed,
    });
    let own = present(world, call, |kind| matches!(kind, Kind::Distribution { .. }));
    let minute = world.minute(call.now);
    front.into_iter().chain(own.into_iter().map(|one| of_gateway(one, minute, changed))).collect()
}

fn of_gateway(one: &Gateway, minute: i64, changed: i64) -> Distribution<'_> {
    let attempts = match one.plan.kind {
        Kind::Distribution { attempts, .. } => attempts,
        _ => 3,
    };
    let origins = one.parts().map(|(part, source)| {
        let timeout = (part.behind != Behind::Mock).then(|| source.timeout(minute));
        origin_value(part.name, format!("{}.example.com", part.name), timeout, attempts)
    });
    Distribution {
        id: one.id.clone(),
        name: &one.name,
        account: &one.account,
        origins: origins.collect(),
        first: one.plan.parts.first().map_or("", |part| part.name).to_owned(),
        gateway: Some(one),
        changed,
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

fn arn(one: &Distribution) -> String {
    format!("arn:aws:cloudfront::{}:distribution/{}", one.account, one.id)
}

fn list(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["Marker", "MaxItems"])?;
    let all = distributions(world, call);
    let most = input.integer("MaxItems")?.unwrap_or(PAGE);
    if !(1..=PAGE).contains(&most) {
        let message = format!("The parameter MaxItems must be between 1 and {PAGE}.");
        return Err(Failure::new(400, "InvalidArgument", message));
    }
    // A page begins behind the distribution that the marker names.
    let marker = input.text("Marker")?.unwrap_or_default();
    let from = match all.iter().position(|one| one.id == marker) {
        Some(before) => before + 1,
        None if marker.is_empty() => 0,
        None => {
            let message = "The parameter Marker is invalid.";
            return Err(Failure::new(400, "InvalidArgument", message));
        }
    };
    let page = &all[from..all.len().min(from + most as usize)];
    let more = page.last().filter(|_| from + page.len() < all.len());
    let next = more.map(|last| ("NextMarker", last.id.as_str().into()));
    let items = page.iter().map(summary).collect();
    let list = Value::record([("Marker", marker.into())]).with(next).with([
        ("MaxItems", most.into()),
        ("IsTruncated", more.is_some().into()),
        ("Quantity", (page.len() as i64).into()),
        ("Items", Value::Items("DistributionSummary", items)),
    ]);
    Ok(Value::record([("DistributionList", list)]))
}

fn not_found() -> Failure {
    Failure::new(404, "NoSuchDistribution", "The specified distribution does not exist.")
}

fn config(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["Id"])?;
    let asked = input.required("Id")?;
    let all = distributions(world, call);
    let one = all.iter().find(|one| one.id == asked).ok_or_else(not_found)?;
    let mut fields = vec![("CallerReference", one.name.into())];
    fields.extend(settings(one));
    Ok(Value::record([("DistributionConfig", Value::Record(fields))]))
}

fn tags(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["Resource"])?;
    let asked = input.required("Resource")?;
    let all = distributions(world, call);
    let Some(one) = all.iter().find(|one| arn(one) == asked) else {
        let message = format!("The resource {asked} does not exist.");
        return Err(Failure::new(404, "NoSuchResource", message));
    };
    let tags = one.gateway.map(tag_list).unwrap_or_default();
    Ok(Value::record([("Tags", Value::record([("Items", Value::Items("Tag", tags))]))]))
}

/// Whether the additional metrics of a distribution are paid for; otherwise there is no
/// subscription.
fn monitoring(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["DistributionId"])?;
    let asked = input.required("DistributionId")?;
    let all = distributions(world, call);
    let one = all.iter().find(|one| one.id == asked).ok_or_else(not_found)?;
    let paid = |one: &Gateway| matches!(one.plan.kind, Kind::Distribution { monitored: true, .. });
    if !one.gateway.is_some_and(paid) {
        let message = "A monitoring subscription does not exist for the specified distribution.";
        return Err(Failure::new(404, "NoSuchMonitoringSubscription", message));
    }
    let config = Value::record([("RealtimeMetricsSubscriptionStatus", "Enabled".into())]);
    let subscription = Value::record([("RealtimeMetricsSubscriptionConfig", config)]);
    Ok(Value::record([("MonitoringSubscription", subscription)]))
}

fn summary(one: &Distribution) -> Value {
    let id = &one.id;
    let mut fields = vec![
        ("Id", id.as_str().into()),
        ("ARN", arn(one).into()),
        ("Status", "Deployed".into()),
        ("LastModifiedTime", Value::Time(one.changed)),
        ("DomainName", format!("d{}.cloudfront.net", id.to_lowercase()).into()),
    ];
    fields.extend(settings(one));
    Value::Record(fields)
}

/// A list of the kind that counts itself.
fn counted(item: &'static str, items: Vec<Value>) -> Value {
    let quantity = ("Quantity", Value::Integer(items.len() as i64));
    let items = (!items.is_empty()).then_some(("Items", Value::Items(item, items)));
    Value::record([quantity]).with(items)
}

/// What summary and configuration have in common.
fn settings(one: &Distribution) -> Vec<(&'static str, Value)> {
    let behavior = Value::record([
        ("TargetOriginId", one.first.as_str().into()),
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
        ("Origins", counted("Origin", one.origins.clone())),
        ("DefaultCacheBehavior", behavior),
        ("CacheBehaviors", counted("CacheBehavior", Vec::new())),
        ("CustomErrorResponses", counted("CustomErrorResponse", Vec::new())),
        ("Comment", one.name.into()),
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

/// An origin; one without a timeout is a bucket.
fn origin_value(name: &str, domain: String, timeout: Option<u32>, attempts: u8) -> Value {
    let own = match timeout {
        Some(timeout) => ("CustomOriginConfig", custom(timeout)),
        None => ("S3OriginConfig", Value::record([("OriginAccessIdentity", "".into())])),
    };
    Value::record([
        ("Id", name.into()),
        ("DomainName", domain.into()),
        ("OriginPath", "".into()),
        ("CustomHeaders", counted("OriginCustomHeader", Vec::new())),
        own,
        ("ConnectionAttempts", Value::Integer(attempts.into())),
        ("ConnectionTimeout", Value::Integer(10)),
        ("OriginShield", Value::record([("Enabled", false.into())])),
        ("OriginAccessControlId", "".into()),
    ])
}

fn custom(timeout: u32) -> Value {
    Value::record([
        ("HTTPPort", Value::Integer(80)),
        ("HTTPSPort", Value::Integer(443)),
        ("OriginProtocolPolicy", "https-only".into()),
        ("OriginSslProtocols", counted("SslProtocol", vec!["TLSv1.2".into()])),
        ("OriginReadTimeout", timeout.into()),
        ("OriginKeepaliveTimeout", Value::Integer(5)),
    ])
}
