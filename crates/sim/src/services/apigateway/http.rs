//! HTTP APIs: stages, routes, and integrations. WebSocket APIs are listed among them.

use crate::scenario::gateway::{Api, Behind, Kind};
use crate::services::Call;
use crate::services::apigateway::{AGE, front, function, inner, method, not_found, timeout};
use crate::services::gateway_pages::{Pages, present, tag_map};
use crate::wire::document::{Failure, Reply, Value};
use crate::wire::input::Input;
use crate::wire::xml::iso;
use crate::world::{Balancer, Gateway, World};

/// Pages of everything.
const PAGES: Pages = Pages {
    list: "items",
    limit: ("maxResults", 100, 500),
    cut: false,
    token: ("nextToken", "nextToken"),
    refusal: "BadRequestException",
};

/// An HTTP API: in front of a load balancer, or one of the scenario.
enum Http<'a> {
    Front(&'a Balancer),
    Own(&'a Gateway, Api),
}

fn all<'a>(world: &'a World, call: &Call) -> Vec<Http<'a>> {
    if call.foreign {
        return Vec::new();
    }
    let own = present(world, call, |kind| matches!(kind, Kind::Http(_) | Kind::Socket(_)));
    let own = own.into_iter().filter_map(|one| match one.plan.kind {
        Kind::Http(api) | Kind::Socket(api) => Some(Http::Own(one, api)),
        _ => None,
    });
    front::behind(world, call).map(Http::Front).into_iter().chain(own).collect()
}

fn find<'a>(world: &'a World, call: &Call, input: Input) -> Result<Http<'a>, Failure> {
    let asked = input.required("ApiId")?;
    let is = |one: &Http| match one {
        Http::Front(one) => front::id(world, one, "http") == asked,
        Http::Own(one, _) => one.id == asked,
    };
    all(world, call).into_iter().find(is).ok_or_else(|| not_found(call, asked))
}

/// Answers `GetApis`.
pub(crate) fn list(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["maxResults", "nextToken"])?;
    PAGES.cut(input, &all(world, call), |one| value(world, one))
}

/// Answers `GetApi`.
pub(crate) fn api(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["ApiId"])?;
    Ok(value(world, &find(world, call, input)?))
}

fn value(world: &World, one: &Http) -> Value {
    let one = match one {
        Http::Front(one) => return front::http_api(world, one),
        Http::Own(one, _) => one,
    };
    let (scheme, protocol, route) = match one.plan.kind {
        Kind::Socket(_) => ("wss", "WEBSOCKET", "$request.body.action"),
        _ => ("https", "HTTP", "$request.method $request.path"),
    };
    let region = &world.setup.region;
    let endpoint = format!("{scheme}://{}.execute-api.{region}.amazonaws.com", one.id);
    Value::record([
        ("apiId", one.id.as_str().into()),
        ("apiEndpoint", endpoint.into()),
        ("name", one.name.as_str().into()),
        ("protocolType", protocol.into()),
        ("routeSelectionExpression", route.into()),
        ("apiKeySelectionExpression", "$request.header.x-api-key".into()),
        ("disableExecuteApiEndpoint", false.into()),
        ("createdDate", iso(world.setup.start - AGE).into()),
        ("tags", tag_map(one)),
    ])
}

/// Answers `GetStages`.
pub(crate) fn stages(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["ApiId", "maxResults", "nextToken"])?;
    let (stage, detailed) = match find(world, call, input)? {
        Http::Front(_) => ("$default", false),
        Http::Own(_, api) => (api.stage, api.detailed),
    };
    let settings = Value::record([("detailedMetricsEnabled", detailed.into())]);
    let stage = Value::record([
        ("stageName", stage.into()),
        ("autoDeploy", true.into()),
        ("createdDate", iso(world.setup.start - AGE).into()),
        ("lastUpdatedDate", iso(world.setup.start - AGE / 2).into()),
        ("defaultRouteSettings", settings),
        ("routeSettings", Value::record([])),
        ("tags", Value::Map(Vec::new())),
    ]);
    PAGES.cut(input, &[stage], Clone::clone)
}

/// Answers `GetIntegrations`.
pub(crate) fn integrations(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["ApiId", "maxResults", "nextToken"])?;
    let minute = world.minute(call.now);
    let all: Vec<Value> = match find(world, call, input)? {
        Http::Front(one) => vec![front::http_integration(world, one)],
        Http::Own(one, _) => {
            let parts = one.parts().filter(|(part, _)| part.behind != Behind::Mock);
            parts
                .map(|(part, source)| {
                    let region = &world.setup.region;
                    let (kind, uri, format) = match function(part) {
                        Some(name) => (
                            "AWS_PROXY",
                            format!("arn:aws:lambda:{region}:{}:function:{name}", one.account),
                            "2.0",
                        ),
                        None => ("HTTP_PROXY", "https://backend.example.com/".to_owned(), "1.0"),
                    };
                    Value::record([
                        ("integrationId", inner(one, part.name, 7).into()),
                        ("integrationType", kind.into()),
                        ("integrationMethod", "POST".into()),
                        ("integrationUri", uri.into()),
                        ("connectionType", "INTERNET".into()),
                        ("payloadFormatVersion", format.into()),
                        ("timeoutInMillis", timeout(part, source, minute).into()),
                    ])
                })
                .collect()
        }
    };
    PAGES.cut(input, &all, Clone::clone)
}

/// Answers `GetRoutes`.
pub(crate) fn routes(world: &World, call: &Call, input: Input) -> Reply {
    input.only(&["ApiId", "maxResults", "nextToken"])?;
    let route = |id: String, key: String, target: String| {
        Value::record([
            ("apiKeyRequired", false.into()),
            ("authorizationType", "NONE".into()),
            ("routeId", id.into()),
            ("routeKey", key.into()),
            ("target", format!("integrations/{target}").into()),
        ])
    };
    let all: Vec<Value> = match find(world, call, input)? {
        Http::Front(one) => {
            let target = front::id(world, one, "integration")[..7].to_owned();
            vec![route("a1b2c3d".to_owned(), "$default".to_owned(), target)]
        }
        Http::Own(one, _) => one
            .parts()
            .map(|(part, _)| {
                let (verb, path) = method(part);
                let id = inner(one, &format!("route/{}", part.name), 7);
                route(id, format!("{verb} {path}"), inner(one, part.name, 7))
            })
            .collect(),
    };
    PAGES.cut(input, &all, Clone::clone)
}
