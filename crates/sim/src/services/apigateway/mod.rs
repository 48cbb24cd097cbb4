//! API Gateway: REST APIs and HTTP APIs.
//!
//! Both kinds share the IAM actions and the quotas, and differ in everything else.

pub(crate) mod front;
pub(crate) mod http;
pub(crate) mod rest;

use crate::rng::hash_bytes;
use crate::scenario::gateway::Behind;
use crate::scenario::plan::Part;
use crate::services::Call;
use crate::services::quota::{Quota, Quotas};
use crate::wire::document::{Failure, Reply};
use crate::wire::input::Input;
use crate::world::{Gateway, Source, World};

/// All calls of an account: 10 a second, and 40 at once.
const CONTROL: Quota = Quota { name: "apigateway", burst: 40.0, rate: 10.0 };
/// `GetResources`: 5 in 2 seconds.
const RESOURCES: Quota = Quota { name: "apigateway:resources", burst: 5.0, rate: 2.5 };

/// How many seconds older than the scenario the APIs are.
const AGE: i64 = 60 * 86_400;

/// Answers an operation of this service.
pub(crate) fn answer(world: &World, quotas: &Quotas, call: &Call, input: Input) -> Reply {
    quotas.take(&CONTROL, call)?;
    match call.operation.as_str() {
        "GetRestApis" => rest::list(world, call, input),
        "GetRestApi" => rest::api(world, call, input),
        "GetStages" if input.raw().get("restApiId").is_some() => rest::stages(world, call, input),
        "GetResources" => {
            quotas.take(&RESOURCES, call)?;
            rest::resources(world, call, input)
        }
        "GetExport" => rest::export(world, call, input),
        "GetApis" => http::list(world, call, input),
        "GetApi" => http::api(world, call, input),
        "GetStages" => http::stages(world, call, input),
        "GetIntegrations" => http::integrations(world, call, input),
        "GetRoutes" => http::routes(world, call, input),
        other => Err(Failure::unknown_operation("apigateway", other)),
    }
}

fn not_found(call: &Call, asked: &str) -> Failure {
    let message = format!("Invalid API identifier specified {}:{asked}", call.account);
    Failure::new(404, "NotFoundException", message)
}

/// An id of something inside an API.
fn inner(one: &Gateway, what: &str, count: usize) -> String {
    let number = hash_bytes(0, format!("{}/{what}", one.id).as_bytes());
    let text = format!("{number:016x}");
    text.chars().take(count).collect()
}

/// The timeout of a part in an epoch minute, milliseconds.
fn timeout(part: &Part, source: &Source, minute: i64) -> i64 {
    i64::from(part.timeout(source.timeout(minute))) * 1_000
}

/// Where a function is called by API Gateway.
fn function_uri(world: &World, one: &Gateway, name: &str) -> String {
    let (region, account) = (&world.setup.region, &one.account);
    format!(
        "arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/\
         arn:aws:lambda:{region}:{account}:function:{name}/invocations"
    )
}

/// The function behind a part.
fn function(part: &Part) -> Option<&'static str> {
    match part.behind {
        Behind::Function(name, _) => Some(name),
        _ => None,
    }
}

/// Method and path of a part.
fn method(part: &Part) -> (&'static str, &'static str) {
    part.name.split_once(' ').unwrap_or(("ANY", part.name))
}
