//! Which protocol, service and operation a request is for.
//!
//! A request names its protocol before anything else is known about it, so that
//! even a refusal reaches the client in the form it can read.

use serde_json::Value as Json;

use crate::wire::cbor;
use crate::wire::document::Failure;
use crate::wire::input::{form, numbered};
use crate::wire::message::Incoming;
use crate::wire::paths;
use crate::wire::protocol::{Protocol, Recognised, SERVICES, asked};

const GRANITE: &str = "GraniteServiceVersion20100801";
const CONTAINERS: &str = "AmazonEC2ContainerServiceV20141113";

/// Recognises a request; what is wrong with its body is kept for the answer.
pub(crate) fn recognise(request: &Incoming) -> Recognised {
    let header = |name: &str| request.headers.get(name).map(String::as_str);
    let prefix = format!("/service/{GRANITE}/operation/");
    if let Some(operation) = request.path.strip_prefix(prefix.as_str()) {
        let input = match header("smithy-protocol") {
            Some("rpc-v2-cbor") => cbor::read(&request.body)
                .map_err(|why| Failure::new(400, "SerializationException", why)),
            other => Err(Failure::new(
                400,
                "SimUnknownOperation",
                format!("this path needs the header smithy-protocol: rpc-v2-cbor, not {other:?}"),
            )),
        };
        return asked(Protocol::Cbor, "cloudwatch", operation, input);
    }
    if let Some(target) = header("x-amz-target") {
        let (service, operation) = target.rsplit_once('.').unwrap_or(("", target));
        let known = [(GRANITE, "cloudwatch"), (CONTAINERS, "ecs")];
        let known = known.iter().find(|(target, _)| *target == service);
        let input = match known {
            Some(_) => serde_json::from_slice(&request.body)
                .map_err(|why| Failure::new(400, "SerializationException", why.to_string())),
            None => Err(Failure::unknown_operation(service, operation)),
        };
        let prefix = known.map_or("cloudwatch", |(_, prefix)| prefix);
        return asked(Protocol::Json, prefix, operation, input);
    }
    paths::recognise(request).unwrap_or_else(|| recognise_form(request))
}

fn recognise_form(request: &Incoming) -> Recognised {
    let input = match request.headers.get("content-encoding").map(String::as_str) {
        None | Some("identity") => form(&request.body),
        Some(other) => Err(Failure::new(
            415,
            "SimUnknownEncoding",
            format!("content-encoding {other} is not understood"),
        )),
    };
    let tree = match input {
        Ok(tree) => tree,
        Err(failure) => return asked(Protocol::Query, "unknown", "unknown", Err(failure)),
    };
    let text = |name: &str| tree.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let (action, version) = (text("Action"), text("Version"));
    let scope = scope(request).map(|scope| scope.service).unwrap_or_default();
    let found = SERVICES.iter().find(|service| service.version == version);
    let service = found
        .or_else(|| SERVICES.iter().find(|service| version.is_empty() && service.scope == scope));
    let Some(service) = service else {
        let failure = Failure::new(
            400,
            "SimUnknownOperation",
            format!(
                "{} {} with Action='{action}' Version='{version}' scope '{scope}' belongs to no \
                 service of this simulator (cloudwatch, elbv2, ec2, sns, sts)",
                request.method, request.path
            ),
        );
        return asked(Protocol::Query, "unknown", &action, Err(failure));
    };
    match service.prefix {
        "ec2" => asked(Protocol::Ec2, "ec2", &action, Ok(numbered(tree))),
        prefix => asked(Protocol::Query, prefix, &action, Ok(tree)),
    }
}

/// Where and for what a request is signed.
pub(crate) struct Scope {
    pub(crate) access_key: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

/// Reads the credential of the signature, if it is complete.
pub(crate) fn scope(request: &Incoming) -> Option<Scope> {
    let header = request.headers.get("authorization")?;
    let (_, rest) = header.split_once("Credential=")?;
    let credential = rest.split([',', ' ']).next()?;
    let parts: Vec<&str> = credential.split('/').collect();
    let [access_key, _, region, service, "aws4_request"] = parts[..] else {
        return None;
    };
    Some(Scope {
        access_key: access_key.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
    })
}
