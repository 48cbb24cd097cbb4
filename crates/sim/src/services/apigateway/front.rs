//! One REST API and one HTTP API in front of an account's first load balancer.

use crate::rng::hash_bytes;
use crate::services::Call;
use crate::services::cloudfront::origin;
use crate::services::elb::view::dns;
use crate::wire::document::Value;
use crate::wire::xml::iso;
use crate::world::Balancer;
use crate::world::World;

/// How many seconds older than the scenario the APIs are.
const AGE: i64 = 60 * 86_400;

/// Id of an API (`rest` or `http`) in front of a load balancer.
pub(crate) fn id(world: &World, one: &Balancer, kind: &str) -> String {
    let mut number = hash_bytes(world.setup.seed, format!("{kind}/{}", one.arn).as_bytes());
    let letters = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut id = String::new();
    for _ in 0..10 {
        id.push(char::from(letters[(number % 36) as usize]));
        number /= 36;
    }
    id
}

/// The load balancer of an account that has APIs in front of it.
pub(crate) fn behind<'a>(world: &'a World, call: &Call) -> Option<&'a Balancer> {
    origin(world, &call.account).filter(|_| !call.foreign)
}

/// The REST API.
pub(crate) fn rest_api(world: &World, one: &Balancer) -> Value {
    let id = id(world, one, "rest");
    let kind =
        Value::record([("types", Value::list(["REGIONAL"])), ("ipAddressType", "ipv4".into())]);
    Value::record([
        ("id", id.as_str().into()),
        ("name", format!("{}-rest", one.name).into()),
        ("createdDate", Value::Time(world.setup.start - AGE)),
        ("apiKeySource", "HEADER".into()),
        ("endpointConfiguration", kind),
        ("disableExecuteApiEndpoint", false.into()),
        ("rootResourceId", root(&id).into()),
    ])
}

fn root(api: &str) -> String {
    api.chars().rev().collect()
}

/// The resources of the REST API, with their methods and integrations if `embedded`.
pub(crate) fn resources(world: &World, one: &Balancer, embedded: bool) -> Vec<Value> {
    let id = root(&id(world, one, "rest"));
    let methods = |name: &'static str, timeout: i64| {
        let method = if embedded { method(world, one, name, timeout) } else { Value::record([]) };
        ("resourceMethods", Value::record([(name, method)]))
    };
    let top = Value::record([("id", id.as_str().into()), ("path", "/".into())]);
    let resource = |part: &str, number: char, methods| {
        Value::record([
            ("id", format!("{}{number}", &id[1..]).into()),
            ("parentId", id.as_str().into()),
            ("pathPart", part.into()),
            ("path", format!("/{part}").into()),
            methods,
        ])
    };
    vec![
        top,
        resource("orders", '1', methods("ANY", 29_000)),
        resource("search", '2', methods("GET", 10_000)),
    ]
}

fn method(world: &World, one: &Balancer, name: &str, timeout: i64) -> Value {
    let integration = Value::record([
        ("type", "HTTP_PROXY".into()),
        ("httpMethod", name.into()),
        ("uri", format!("https://{}/", dns(world, one)).into()),
        ("connectionType", "INTERNET".into()),
        ("passthroughBehavior", "WHEN_NO_MATCH".into()),
        ("timeoutInMillis", timeout.into()),
        ("cacheNamespace", root(&id(world, one, "rest")).into()),
        ("cacheKeyParameters", Value::List(Vec::new())),
    ]);
    Value::record([
        ("httpMethod", name.into()),
        ("authorizationType", "NONE".into()),
        ("apiKeyRequired", false.into()),
        ("methodIntegration", integration),
    ])
}

/// The HTTP API.
pub(crate) fn http_api(world: &World, one: &Balancer) -> Value {
    let (id, region) = (id(world, one, "http"), &world.setup.region);
    Value::record([
        ("apiId", id.as_str().into()),
        ("apiEndpoint", format!("https://{id}.execute-api.{region}.amazonaws.com").into()),
        ("name", format!("{}-http", one.name).into()),
        ("protocolType", "HTTP".into()),
        ("routeSelectionExpression", "$request.method $request.path".into()),
        ("apiKeySelectionExpression", "$request.header.x-api-key".into()),
        ("disableExecuteApiEndpoint", false.into()),
        // Unlike the REST APIs' dates this one is written out.
        ("createdDate", iso(world.setup.start - AGE).into()),
    ])
}

/// The integration of the HTTP API.
pub(crate) fn http_integration(world: &World, one: &Balancer) -> Value {
    Value::record([
        ("integrationId", id(world, one, "integration")[..7].into()),
        ("integrationType", "HTTP_PROXY".into()),
        ("integrationMethod", "ANY".into()),
        ("integrationUri", format!("https://{}/", dns(world, one)).into()),
        ("connectionType", "INTERNET".into()),
        ("payloadFormatVersion", "1.0".into()),
        ("timeoutInMillis", Value::Integer(30_000)),
    ])
}
