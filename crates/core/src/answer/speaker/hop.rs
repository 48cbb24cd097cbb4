//! The hops that an answer can come from.
//!
//! One table has what each is called, by people and by programs, so that the
//! command line, the report and the JSON agree.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A kind of hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hop {
    /// An Application Load Balancer.
    Alb,
    /// Amazon API Gateway.
    ApiGateway,
    /// Amazon `CloudFront`.
    CloudFront,
    /// AWS Lambda, behind a load balancer or an API.
    Lambda,
    /// An endpoint of AWS itself, such as a Lambda function URL.
    AwsEndpoint,
    /// Cloudflare.
    Cloudflare,
    /// Fastly.
    Fastly,
    /// Akamai.
    Akamai,
    /// A Google Cloud load balancer.
    Google,
    /// The router of Heroku.
    Heroku,
    /// nginx, or what is built on it, such as the ingress-nginx of Kubernetes.
    Nginx,
    /// Envoy, or what is built on it, such as Istio.
    Envoy,
    /// `HAProxy`.
    HaProxy,
    /// The Apache HTTP Server.
    Apache,
    /// Varnish.
    Varnish,
    /// A proxy written in Go, such as Traefik.
    Traefik,
    /// gunicorn, which runs Python applications.
    Gunicorn,
    /// The application, or a hop that leaves no trace.
    Application,
}

const NAMES: [(Hop, &str, &str); 18] = [
    (Hop::Alb, "alb", "Application Load Balancer"),
    (Hop::ApiGateway, "api_gateway", "API Gateway"),
    (Hop::CloudFront, "cloudfront", "CloudFront"),
    (Hop::Lambda, "lambda", "Lambda"),
    (Hop::AwsEndpoint, "aws_endpoint", "AWS endpoint"),
    (Hop::Cloudflare, "cloudflare", "Cloudflare"),
    (Hop::Fastly, "fastly", "Fastly"),
    (Hop::Akamai, "akamai", "Akamai"),
    (Hop::Google, "google", "Google load balancer"),
    (Hop::Heroku, "heroku", "Heroku router"),
    (Hop::Nginx, "nginx", "nginx"),
    (Hop::Envoy, "envoy", "Envoy"),
    (Hop::HaProxy, "haproxy", "HAProxy"),
    (Hop::Apache, "apache", "Apache"),
    (Hop::Varnish, "varnish", "Varnish"),
    (Hop::Traefik, "traefik", "Go proxy such as Traefik"),
    (Hop::Gunicorn, "gunicorn", "gunicorn"),
    (Hop::Application, "application", "application"),
];

impl Hop {
    /// How programs call it.
    #[must_use]
    pub fn key(self) -> &'static str {
        self.names().0
    }

    fn names(self) -> (&'static str, &'static str) {
        let found = NAMES.iter().find(|(hop, ..)| *hop == self);
        found.map_or(("", ""), |(_, key, name)| (key, name))
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.names().1)
    }
}

impl Serialize for Hop {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key())
    }
}

impl FromStr for Hop {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = NAMES.iter().find(|(_, key, _)| *key == text).map(|(hop, ..)| *hop);
        found.ok_or_else(|| {
            let keys: Vec<&str> = NAMES.iter().map(|(_, key, _)| *key).collect();
            format!("{text} is none of {}", keys.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_leads_back_to_its_hop() {
        for (hop, key, name) in NAMES {
            assert_eq!(key.parse(), Ok(hop));
            assert_eq!((hop.key(), hop.to_string().as_str()), (key, name));
        }
        assert!("elb".parse::<Hop>().unwrap_err().contains("alb, api_gateway"));
    }
}
