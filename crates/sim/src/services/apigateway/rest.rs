//! REST APIs: stages, resources with their integrations, and what was deployed.
//!
//! `GetResources` tells of the draft, in which a timeout may be another one than in the
//! stage; only `GetExport` tells of that, and only of those that are not the default.

use std::collections::BTreeMap;

use crate::scenario::gateway::{Api, Behind, Kind};
use crate::scenario::plan::Part;
use crate::services::Call;
use crate::services::apigateway::{
    AGE, front, function, function_uri, inner, method, not_found, timeout,
};
use crate::services::gateway_pages::{Pages, present, tag_map};
use crate::wire::document::{Failure, Reply, Value};
use crate::wire::input::Input;
use crate::world::{Balancer, Gateway, Source, World};

/// A stage of every API of the scenario that nobody calls.
const IDLE: &str = "dev";

/// The timeout where none is set, milliseconds.
const USUAL: i64 = 29_000;

/// Pages of APIs and of resources.
const PAGES: Pages = Pages {
    list: "item",
    limit: ("limit", 25, 500),
    cut: false,
    token: ("position", "position"),
    refusal: "BadRequestException",
};

/// A REST API: in front of a load balancer, or one of the scenario.
enum Rest<'a> {
    Front(&'a Balancer),
    Own(&'a Gateway, Api),
}

fn all<'a>(world: &'a World, call: &Call) -> Vec<Rest<'a>> {
    if call.foreign {
        return Vec::new();
    }
    let own = present(world, call, |kind| matches!(kind, Kind::Rest(_)));
    let own = own.into_iter().filter_map(|one| match one.plan.kind {
        Kind::Rest(api) => Some(Rest::Own(one, api)),
        _ => None,
    });
    front::behind(world, call).map(Rest::Front).into_iter().chain(own).collect()
}

fn find<'a>(world: &'a World, call: &Call, input: Input) -> Result<Rest<'a>, Failure> {
    let asked = input.required("restApiId")?;
    let is = |one: &Rest| match one {
        Rest::Front(one) => front::id(world, one, "rest") == asked,
        Rest::Own(one, _) => one.id == asked,
    };
    all(world, call).into_iter().find(is).ok_or_else(|| not_found(call, asked))
}

/// Answers `GetRestApis`.
pub(crate) fn list(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["position", "limit"])?;
    PAGES.cut(input, &all(world, call), |one| value(world, one))
}

/// Answers `GetRestApi`.
pub(crate) fn api(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["restApiId"])?;
    Ok(value(world, &find(world, call, input)?))
}

fn value(world: &World, one: &Rest) -> Value {
    let one = match one {
        Rest::Front(one) => return front::rest_api(world, one),
        Rest::Own(one, _) => one,
    };
    let kind =
        Value::record([("types", Value::list(["REGIONAL"])), ("ipAddressType", "ipv4".into())]);
    Value::record([
        ("id", one.id.as_str().into()),
        ("name", one.name.as_str().into()),
        ("createdDate", Value::Time(world.setup.start - AGE)),
        ("apiKeySource", "HEADER".into()),
        ("endpointConfiguration", kind),
        ("tags", tag_map(one)),
        ("disableExecuteApiEndpoint", false.into()),
        ("rootResourceId", inner(one, "/", 10).into()),
    ])
}

/// Answers `GetStages`, which has no pages.
pub(crate) fn stages(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["restApiId", "deploymentId"])?;
    let all = match find(world, call, input)? {
        Rest::Front(one) => {
            let id = front::id(world, one, "rest");
            vec![stage(world, &id, ("prod", false), Value::Map(Vec::new()))]
        }
        Rest::Own(one, api) => [(IDLE, false), (api.stage, api.detailed)]
            .map(|named| stage(world, &one.id, named, tag_map(one)))
            .into(),
    };
    Ok(Value::record([("item", Value::List(all))]))
}

/// A stage of an API: its name, and whether there are metrics of each method.
fn stage(world: &World, id: &str, (name, detailed): (&str, bool), tags: Value) -> Value {
    let settings = Value::record([
        ("metricsEnabled", detailed.into()),
        ("loggingLevel", "OFF".into()),
        ("dataTraceEnabled", false.into()),
        ("throttlingBurstLimit", Value::Integer(5_000)),
        ("throttlingRateLimit", Value::Number(10_000.0)),
        ("cachingEnabled", false.into()),
        ("cacheTtlInSeconds", Value::Integer(300)),
        ("cacheDataEncrypted", false.into()),
    ]);
    let deployed = Value::Time(world.setup.start - AGE / 2);
    Value::record([
        ("deploymentId", id.chars().rev().take(6).collect::<String>().into()),
        ("stageName", name.into()),
        ("cacheClusterEnabled", false.into()),
        ("cacheClusterStatus", "NOT_AVAILABLE".into()),
        ("methodSettings", Value::record([("*/*", settings)])),
        ("tracingEnabled", false.into()),
        ("tags", tags),
        ("createdDate", deployed.clone()),
        ("lastUpdatedDate", deployed),
    ])
}

/// The parts of an API by path, in the order of the paths.
fn paths(one: &Gateway) -> BTreeMap<&'static str, Vec<(&'static Part, &Source)>> {
    let mut paths: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (part, source) in one.parts() {
        paths.entry(method(part).1).or_default().push((part, source));
    }
    paths
}

/// Answers `GetResources`: the draft, with methods and integrations if embedding is asked
/// for.
pub(crate) fn resources(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["restApiId", "position", "limit", "embed"])?;
    let embedded = match input.raw().get("embed") {
        None => false,
        Some(embed) if embed == "methods" => true,
        Some(other) => {
            let message = format!("Invalid embed value: {other}");
            return Err(Failure::new(400, "BadRequestException", message));
        }
    };
    let all = match find(world, call, input)? {
        Rest::Front(one) => front::resources(world, one, embedded),
        Rest::Own(one, api) => {
            let minute = world.minute(call.now);
            let root = Value::record([("id", inner(one, "/", 10).into()), ("path", "/".into())]);
            let written = Written { world, one, api, minute };
            let further = paths(one).into_iter().filter(|(path, _)| *path != "/");
            let further = further.map(|(path, parts)| written.resource(path, &parts, embedded));
            std::iter::once(root).chain(further).collect()
        }
    };
    PAGES.cut(input, &all, Clone::clone)
}

/// An API on its way to the answer.
struct Written<'a> {
    world: &'a World,
    one: &'a Gateway,
    api: Api,
    minute: i64,
}

impl Written<'_> {
    fn resource(&self, path: &str, parts: &[(&'static Part, &Source)], embedded: bool) -> Value {
        let method = |(part, source): &(&'static Part, &Source)| {
            let value = if embedded { self.method(part, source) } else { Value::record([]) };
            (method(part).0, value)
        };
        Value::record([
            ("id", inner(self.one, path, 6).into()),
            ("parentId", inner(self.one, "/", 10).into()),
            ("pathPart", path.rsplit('/').next().unwrap_or(path).into()),
            ("path", path.into()),
            ("resourceMethods", Value::Record(parts.iter().map(method).collect())),
        ])
    }

    fn method(&self, part: &'static Part, source: &Source) -> Value {
        let (verb, path) = method(part);
        Value::record([
            ("httpMethod", verb.into()),
            ("authorizationType", if self.api.authorized { "CUSTOM" } else { "NONE" }.into()),
            ("apiKeyRequired", false.into()),
            ("methodIntegration", self.integration(part, source, verb, path)),
        ])
    }

    /// An integration of the draft: its timeout may never have been deployed.
    fn integration(&self, part: &Part, source: &Source, verb: &str, path: &str) -> Value {
        let deployed = timeout(part, source, self.minute);
        let timeout = match part.behind {
            Behind::Mock => USUAL,
            _ => self.api.drafted.map_or(deployed, i64::from),
        };
        let mode = if part.behind == Behind::Stream { "STREAM" } else { "BUFFERED" };
        let common = [
            ("type", kind(part).into()),
            ("passthroughBehavior", "WHEN_NO_MATCH".into()),
            ("timeoutInMillis", timeout.into()),
            ("cacheNamespace", inner(self.one, path, 6).into()),
            ("cacheKeyParameters", Value::List(Vec::new())),
        ];
        let called = match (part.behind, function(part)) {
            (Behind::Mock, _) => Vec::new(),
            (_, Some(name)) => vec![
                ("httpMethod", "POST".into()),
                ("uri", function_uri(self.world, self.one, name).into()),
                ("responseTransferMode", mode.into()),
            ],
            (_, None) => vec![
                ("httpMethod", verb.into()),
                ("uri", format!("https://backend.example.com{path}").into()),
                ("connectionType", "INTERNET".into()),
                ("responseTransferMode", mode.into()),
            ],
        };
        Value::record(common).with(called)
    }

    /// A path of what was deployed, with the integrations if they are asked for.
    fn exported(&self, parts: &[(&'static Part, &Source)], integrations: bool) -> Value {
        let operation = |(part, source): &(&'static Part, &Source)| {
            let plain = Value::record([("responses", Value::record([]))]);
            let extension = integrations
                .then(|| ("x-amazon-apigateway-integration", self.deployed(part, source)));
            (lower(method(part).0), plain.with(extension))
        };
        Value::Record(parts.iter().map(operation).collect())
    }

    fn deployed(&self, part: &'static Part, source: &Source) -> Value {
        let (verb, path) = method(part);
        let uri = match function(part) {
            Some(name) => function_uri(self.world, self.one, name),
            None => format!("https://backend.example.com{path}"),
        };
        let timeout = Some(timeout(part, source, self.minute))
            .filter(|timeout| *timeout != USUAL && part.behind != Behind::Mock);
        let verb = if function(part).is_some() { "POST" } else { verb };
        Value::record([
            ("type", kind(part).to_ascii_lowercase().into()),
            ("passthroughBehavior", "when_no_match".into()),
        ])
        .with((part.behind != Behind::Mock).then_some(("httpMethod", verb.into())))
        .with((part.behind != Behind::Mock).then_some(("uri", uri.into())))
        .with(timeout.map(|timeout| ("timeoutInMillis", timeout.into())))
    }
}

/// What kind of integration a part has.
fn kind(part: &Part) -> &'static str {
    match part.behind {
        Behind::Mock => "MOCK",
        Behind::Function(..) => "AWS_PROXY",
        Behind::Servers | Behind::Stream => "HTTP_PROXY",
    }
}

/// A method as an API description has it.
fn lower(verb: &str) -> &'static str {
    let known = [
        ("GET", "get"),
        ("POST", "post"),
        ("PUT", "put"),
        ("DELETE", "delete"),
        ("PATCH", "patch"),
        ("OPTIONS", "options"),
        ("HEAD", "head"),
    ];
    let found = known.iter().find(|one| one.0 == verb);
    found.map_or("x-amazon-apigateway-any-method", |one| one.1)
}

/// Answers `GetExport`: what was deployed to a stage.
pub(crate) fn export(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["restApiId", "stageName", "exportType", "extensions"])?;
    let (one, api) = match find(world, call, input)? {
        Rest::Own(one, api) if [api.stage, IDLE].contains(&input.required("stageName")?) => {
            (one, api)
        }
        _ => {
            let message = "Invalid stage identifier specified";
            return Err(Failure::new(404, "NotFoundException", message));
        }
    };
    let version = match input.required("exportType")? {
        "oas30" => ("openapi", "3.0.1"),
        "swagger" => ("swagger", "2.0"),
        other => {
            let message = format!("No API exporter for type '{other}'");
            return Err(Failure::new(400, "BadRequestException", message));
        }
    };
    let integrations = input.raw().get("extensions").is_some_and(|value| value == "integrations");
    let written = Written { world, one, api, minute: world.minute(call.now) };
    let paths = paths(one).into_iter();
    let paths = paths.map(|(path, parts)| (path, written.exported(&parts, integrations)));
    let info = Value::record([
        ("title", one.name.as_str().into()),
        ("version", "2025-11-06T09:12:44Z".into()),
    ]);
    Ok(Value::record([(version.0, version.1.into()), ("info", info)])
        .with([("paths", Value::Record(paths.collect()))]))
}
