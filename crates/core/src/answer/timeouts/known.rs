//! The timeouts that are well known, each with its source.
//!
//! Only those are here whose end a client can see, and whose default or fixed
//! value is published.

use std::borrow::Cow;

use crate::answer::phase::Phase;
use crate::answer::speaker::Hop;
use crate::answer::timeouts::{Origin, Timeout};

/// Ends before the answer.
const HEAD: &[Phase] = &[Phase::FirstByte];
/// Restarts with every byte, and so ends in the body too.
const SILENCE: &[Phase] = &[Phase::FirstByte, Phase::Body];

const ALB: &str = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html";
const ALB_IDLE: &str = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html";
const REST: &str = "https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html";
const HTTP_API: &str =
    "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html";
const CLOUDFRONT: &str =
    "https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CustomOriginConfig.html";
const CLOUDFRONT_ATTEMPTS: &str =
    "https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_Origin.html";
const CLOUDFRONT_CONNECT: &str =
    "https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_cloudfront.OriginProps.html";
const LAMBDA: &str = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html";
const CLOUDFLARE: &str =
    "https://developers.cloudflare.com/fundamentals/reference/connection-limits/";
const AKAMAI: &str = "https://techdocs.akamai.com/property-mgr/docs/connect-timeout";
const FASTLY: &str = "https://www.fastly.com/documentation/reference/vcl/variables/backend-connection/bereq-first-byte-timeout";
const GOOGLE: &str = "https://cloud.google.com/load-balancing/docs/backend-service#timeout-setting";
const HEROKU: &str = "https://devcenter.heroku.com/articles/request-timeout";
const NGINX_READ: &str =
    "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_read_timeout";
const NGINX_CONNECT: &str =
    "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_connect_timeout";
const INGRESS: &str =
    "https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/configmap/";
const ENVOY: &str = "https://www.envoyproxy.io/docs/envoy/latest/faq/configuration/timeouts";
const APACHE: &str = "https://httpd.apache.org/docs/2.4/mod/mod_proxy.html#proxytimeout";
const GUNICORN: &str = "https://docs.gunicorn.org/en/stable/settings.html#timeout";

/// The well-known timeouts, the ALB's first.
#[rustfmt::skip]
pub static KNOWN: &[Timeout] = &[
    known(Hop::Alb, "connection or TLS timeout", 10.0, Origin::Fixed, &[(Hop::Alb, 504)], HEAD, ALB),
    known(Hop::Alb, "idle_timeout", 60.0, Origin::Default, &[(Hop::Alb, 504)], SILENCE, ALB_IDLE),
    known(Hop::ApiGateway, "integration timeout (REST)", 29.0, Origin::Default, &[(Hop::ApiGateway, 504)], HEAD, REST),
    known(Hop::ApiGateway, "integration timeout (HTTP API)", 30.0, Origin::Fixed, &[(Hop::ApiGateway, 504), (Hop::ApiGateway, 503)], HEAD, HTTP_API),
    known(Hop::CloudFront, "origin response timeout", 30.0, Origin::Default, &[(Hop::CloudFront, 504)], SILENCE, CLOUDFRONT),
    known(Hop::CloudFront, "origin response timeout, 3 x 30 s", 90.0, Origin::Default, &[(Hop::CloudFront, 504)], HEAD, CLOUDFRONT_ATTEMPTS),
    known(Hop::CloudFront, "origin connection timeout, 3 x 10 s", 30.0, Origin::Default, &[(Hop::CloudFront, 504), (Hop::CloudFront, 502)], HEAD, CLOUDFRONT_CONNECT),
    known(Hop::Lambda, "timeout", 3.0, Origin::Default, &[(Hop::Alb, 502), (Hop::ApiGateway, 502)], HEAD, LAMBDA),
    known(Hop::Cloudflare, "Complete TCP Connection", 19.0, Origin::Fixed, &[(Hop::Cloudflare, 522)], HEAD, CLOUDFLARE),
    known(Hop::Cloudflare, "TCP ACK Timeout", 90.0, Origin::Fixed, &[(Hop::Cloudflare, 522)], HEAD, CLOUDFLARE),
    known(Hop::Cloudflare, "Proxy Read Timeout", 120.0, Origin::Default, &[(Hop::Cloudflare, 524)], SILENCE, CLOUDFLARE),
    known(Hop::Cloudflare, "Proxy Write Timeout", 30.0, Origin::Fixed, &[(Hop::Cloudflare, 524)], HEAD, CLOUDFLARE),
    known(Hop::Akamai, "connect timeout", 5.0, Origin::Default, &[(Hop::Akamai, 504)], HEAD, AKAMAI),
    known(Hop::Fastly, "first_byte_timeout", 15.0, Origin::Default, &[(Hop::Fastly, 503)], HEAD, FASTLY),
    known(Hop::Google, "backend service timeout", 30.0, Origin::Default, &[(Hop::Google, 504), (Hop::Google, 502), (Hop::Envoy, 504)], HEAD, GOOGLE),
    known(Hop::Heroku, "request timeout (H12)", 30.0, Origin::Fixed, &[(Hop::Heroku, 503)], HEAD, HEROKU),
    known(Hop::Nginx, "proxy_read_timeout", 60.0, Origin::Default, &[(Hop::Nginx, 504)], SILENCE, NGINX_READ),
    known(Hop::Nginx, "proxy_connect_timeout", 60.0, Origin::Default, &[(Hop::Nginx, 504)], HEAD, NGINX_CONNECT),
    known(Hop::Nginx, "ingress-nginx proxy-connect-timeout", 5.0, Origin::Default, &[(Hop::Nginx, 504)], HEAD, INGRESS),
    known(Hop::Envoy, "route timeout", 15.0, Origin::Default, &[(Hop::Envoy, 504)], HEAD, ENVOY),
    known(Hop::Apache, "ProxyTimeout", 60.0, Origin::Default, &[(Hop::Apache, 504), (Hop::Apache, 502)], SILENCE, APACHE),
    known(Hop::Gunicorn, "timeout", 30.0, Origin::Default, &[(Hop::Nginx, 502), (Hop::Alb, 502), (Hop::Envoy, 503), (Hop::HaProxy, 502)], HEAD, GUNICORN),
];

const fn known(
    hop: Hop,
    name: &'static str,
    seconds: f64,
    origin: Origin,
    answers: &'static [(Hop, u16)],
    phases: &'static [Phase],
    source: &'static str,
) -> Timeout {
    let name = Cow::Borrowed(name);
    Timeout { hop, name, seconds, origin, answers, phases, source: Some(source) }
}
