//! The services whose operations are paths: Lambda, API Gateway, `CloudFront` and VPC Lattice.
//!
//! A path is matched against a table; what stands at a `*` becomes a parameter
//! beside those of the query string.

use serde_json::Value as Json;

use crate::wire::document::Failure;
use crate::wire::input::query;
use crate::wire::message::Incoming;
use crate::wire::protocol::{Protocol, Recognised, asked};

/// Protocol, service, operation, path, and the names of its stars.
type Route = (Protocol, &'static str, &'static str, &'static str, &'static [&'static str]);

static ROUTES: [Route; 20] = [
    lambda("GetFunctionConfiguration", "/2015-03-31/functions/*/configuration", &["FunctionName"]),
    lambda("ListFunctions", "/2015-03-31/functions", &[]),
    lambda("ListTags", "/2017-03-31/tags/*", &["Resource"]),
    cloudfront("ListDistributions", "/2020-05-31/distribution", &[]),
    cloudfront("GetDistributionConfig", "/2020-05-31/distribution/*/config", &["Id"]),
    cloudfront("ListTagsForResource", "/2020-05-31/tagging", &[]),
    cloudfront(
        "GetMonitoringSubscription",
        "/2020-05-31/distributions/*/monitoring-subscription",
        &["DistributionId"],
    ),
    api("GetRestApis", "/restapis", &[]),
    api("GetRestApi", "/restapis/*", &["restApiId"]),
    api("GetResources", "/restapis/*/resources", &["restApiId"]),
    api("GetStages", "/restapis/*/stages", &["restApiId"]),
    api("GetExport", "/restapis/*/stages/*/exports/*", &["restApiId", "stageName", "exportType"]),
    api("GetApis", "/v2/apis", &[]),
    api("GetApi", "/v2/apis/*", &["ApiId"]),
    api("GetStages", "/v2/apis/*/stages", &["ApiId"]),
    api("GetIntegrations", "/v2/apis/*/integrations", &["ApiId"]),
    api("GetRoutes", "/v2/apis/*/routes", &["ApiId"]),
    lattice("ListServices", "/services", &[]),
    lattice("GetService", "/services/*", &["serviceIdentifier"]),
    lattice("ListTagsForResource", "/tags/*", &["resourceArn"]),
];

/// A way to an operation: its name, path, and the names of the stars.
type Way = (&'static str, &'static str, &'static [&'static str]);

const fn lambda(name: &'static str, path: &'static str, stars: &'static [&'static str]) -> Route {
    route(Protocol::RestJson, "lambda", (name, path, stars))
}

const fn cloudfront(
    name: &'static str,
    path: &'static str,
    stars: &'static [&'static str],
) -> Route {
    route(Protocol::RestXml, "cloudfront", (name, path, stars))
}

const fn api(name: &'static str, path: &'static str, stars: &'static [&'static str]) -> Route {
    route(Protocol::RestJson, "apigateway", (name, path, stars))
}

const fn lattice(name: &'static str, path: &'static str, stars: &'static [&'static str]) -> Route {
    route(Protocol::RestJson, "vpc-lattice", (name, path, stars))
}

const fn route(protocol: Protocol, service: &'static str, way: Way) -> Route {
    (protocol, service, way.0, way.1, way.2)
}

/// Where each of these services begins.
static ROOTS: [(Protocol, &str, &str); 7] = [
    (Protocol::RestJson, "lambda", "/2015-03-31/"),
    (Protocol::RestJson, "lambda", "/2017-03-31/"),
    (Protocol::RestXml, "cloudfront", "/2020-05-31/"),
    (Protocol::RestJson, "apigateway", "/restapis"),
    (Protocol::RestJson, "apigateway", "/v2/"),
    (Protocol::RestJson, "vpc-lattice", "/services"),
    (Protocol::RestJson, "vpc-lattice", "/tags/"),
];

/// Recognises a request of one of these services.
pub(crate) fn recognise(request: &Incoming) -> Option<Recognised> {
    let (protocol, service, _) = ROOTS.iter().find(|root| request.path.starts_with(root.2))?;
    let parts: Vec<&str> = request.path.trim_end_matches('/').split('/').collect();
    let found = ROUTES.iter().find_map(|route| Some((route, stars(route.3, &parts)?)));
    let Some((route, values)) = found.filter(|_| request.method == "GET") else {
        let operation = format!("{} {}", request.method, request.path);
        let failure = Failure::unknown_operation(service, &operation);
        return Some(asked(*protocol, service, &operation, Err(failure)));
    };
    let mut input = query(&request.query);
    for (name, value) in route.4.iter().zip(values) {
        input[*name] = Json::from(value);
    }
    Some(asked(route.0, route.1, route.2, Ok(input)))
}

/// What stands at the stars of a pattern, if the path fits it.
fn stars(pattern: &str, parts: &[&str]) -> Option<Vec<String>> {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let fits = pattern.len() == parts.len()
        && pattern.iter().zip(parts).all(|(want, have)| want == have || *want == "*");
    let starred = pattern.iter().zip(parts).filter(|(want, _)| **want == "*");
    fits.then(|| starred.map(|(_, have)| decoded(have)).collect())
}

/// A part of a path without percent signs.
fn decoded(part: &str) -> String {
    // A plus stands for itself in a path, unlike in a form.
    let form = format!("p={}", part.replace('+', "%2B"));
    let mut pairs = form_urlencoded::parse(form.as_bytes());
    pairs.next().map(|pair| pair.1.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_one_part_and_are_decoded() {
        let parts = ["", "2015-03-31", "functions", "arn%3Aaws%3Alambda+x", "configuration"];
        assert_eq!(stars(ROUTES[0].3, &parts), Some(vec!["arn:aws:lambda+x".to_owned()]));
        assert_eq!(stars("/restapis/*", &["", "restapis", "a", "stages"]), None);
    }
}
