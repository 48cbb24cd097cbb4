//! Which protocol, service and operation a request is for.
//!
//! A request names its protocol before anything else is known about it, so that
//! even a refusal reaches the client in the form it can read.

use serde_json::Value as Json;

use super::cbor;
use super::document::Failure;
use super::input::{form, numbered};
use super::paths;
use super::wire::Incoming;

const GRANITE: &str = "GraniteServiceVersion20100801";
const CONTAINERS: &str = "AmazonEC2ContainerServiceV20141113";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Cbor,
    Json,
    Query,
    /// EC2's dialect of the query protocol.
    Ec2,
    RestJson,
    RestXml,
}

impl Protocol {
    /// Whether parameters are text, whatever they mean.
    pub(super) fn lenient(self) -> bool {
        !matches!(self, Self::Cbor | Self::Json)
    }
}

/// What a request asks for.
pub(super) struct Asked {
    pub(super) protocol: Protocol,
    /// IAM prefix of the service.
    pub(super) service: &'static str,
    pub(super) operation: String,
    pub(super) input: Result<Json, Failure>,
}

/// What tells the services apart.
pub(super) struct Service {
    /// Prefix of its IAM actions.
    pub(super) prefix: &'static str,
    /// API version in a form.
    version: &'static str,
    /// Name in the credential scope.
    pub(super) scope: &'static str,
    /// Namespace of its XML.
    pub(super) namespace: &'static str,
}

/// The services there are.
pub(super) static SERVICES: [Service; 9] = [
    Service {
        prefix: "ec2",
        version: "2016-11-15",
        scope: "ec2",
        namespace: "http://ec2.amazonaws.com/doc/2016-11-15/",
    },
    Service { prefix: "ecs", version: "2014-11-13", scope: "ecs", namespace: "" },
    Service { prefix: "lambda", version: "2015-03-31", scope: "lambda", namespace: "" },
    Service { prefix: "apigateway", version: "2015-07-09", scope: "apigateway", namespace: "" },
    Service {
        prefix: "cloudfront",
        version: "2020-05-31",
        scope: "cloudfront",
        namespace: "http://cloudfront.amazonaws.com/doc/2020-05-31/",
    },
    Service {
        prefix: "cloudwatch",
        version: "2010-08-01",
        scope: "monitoring",
        namespace: "http://monitoring.amazonaws.com/doc/2010-08-01/",
    },
    Service {
        prefix: "elasticloadbalancing",
        version: "2015-12-01",
        scope: "elasticloadbalancing",
        namespace: "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
    },
    Service {
        prefix: "sns",
        version: "2010-03-31",
        scope: "sns",
        namespace: "http://sns.amazonaws.com/doc/2010-03-31/",
    },
    Service {
        prefix: "sts",
        version: "2011-06-15",
        scope: "sts",
        namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
    },
];

/// Recognises a request; what is wrong with its body is kept for the answer.
pub(super) fn recognise(request: &Incoming) -> Asked {
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

/// What is asked for, with whatever is wrong about its parameters.
pub(super) fn asked(
    protocol: Protocol,
    service: &'static str,
    operation: &str,
    input: Result<Json, Failure>,
) -> Asked {
    let operation = operation.to_owned();
    Asked { protocol, service, operation, input }
}

fn recognise_form(request: &Incoming) -> Asked {
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
pub(super) struct Scope {
    pub(super) access_key: String,
    pub(super) region: String,
    pub(super) service: String,
}

/// Reads the credential of the signature, if it is complete.
pub(super) fn scope(request: &Incoming) -> Option<Scope> {
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
