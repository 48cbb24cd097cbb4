//! The protocols and services there are, and what a request asks of one.
//!
//! Below the ways to recognise a request, which are one for each kind of protocol.

use serde_json::Value as Json;

use crate::wire::document::Failure;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
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
    pub(crate) fn lenient(self) -> bool {
        !matches!(self, Self::Cbor | Self::Json)
    }
}

/// What a request asks for.
pub(crate) struct Recognised {
    pub(crate) protocol: Protocol,
    /// IAM prefix of the service.
    pub(crate) service: &'static str,
    pub(crate) operation: String,
    pub(crate) input: Result<Json, Failure>,
}

/// What is asked for, with whatever is wrong about its parameters.
pub(crate) fn asked(
    protocol: Protocol,
    service: &'static str,
    operation: &str,
    input: Result<Json, Failure>,
) -> Recognised {
    let operation = operation.to_owned();
    Recognised { protocol, service, operation, input }
}

/// What identifies a service.
pub(crate) struct Service {
    /// Prefix of its IAM actions.
    pub(crate) prefix: &'static str,
    /// API version in a form.
    pub(crate) version: &'static str,
    /// Name in the credential scope.
    pub(crate) scope: &'static str,
    /// Namespace of its XML.
    pub(crate) namespace: &'static str,
}

/// The services there are.
pub(crate) static SERVICES: [Service; 11] = [
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
    // The first version of the same; its IAM actions bear the name of both.
    Service {
        prefix: "elb",
        version: "2012-06-01",
        scope: "elasticloadbalancing",
        namespace: "http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/",
    },
    Service { prefix: "vpc-lattice", version: "2022-11-30", scope: "vpc-lattice", namespace: "" },
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
