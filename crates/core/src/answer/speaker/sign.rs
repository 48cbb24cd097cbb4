//! What hops leave in answers: one row for each sign, with its source.
//!
//! A body is written by one hop and passed on by all others, while a header may be added by
//! any of them. So what a body says is [`Weight::Proof`], and what a header says is a
//! [`Weight::Hint`] of the author, or only a [`Weight::Trace`] of somebody on the way.
//! `X-Cache: Error from cloudfront` is a trace: it is put on errors of the origin too.

use crate::answer::speaker::hop::Hop;

/// How much a sign says about who wrote an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// The hop was on the way.
    Trace,
    /// The hop may be the author, for want of a better one.
    Guess,
    /// The hop is probably the author.
    Hint,
    /// Nobody else writes this.
    Proof,
}

/// What to look for. Header names are in lower case, values are compared so.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mark {
    /// A header that is there.
    Has(&'static str),
    /// A header whose value contains a text (in lower case).
    Header(&'static str, &'static str),
    /// A body that contains a text.
    Body(&'static str),
    /// A body that contains one text and not another.
    BodyWithout(&'static str, &'static str),
    /// A body that is this text and nothing more.
    WholeBody(&'static str),
    /// A status within these bounds, both inclusive, and a header that is there.
    Status(u16, u16, &'static str),
    /// A header whose value contains a text, with no body to say more.
    Bare(&'static str, &'static str),
    /// A header whose value contains a text, and another header that is there.
    HeaderAnd(&'static str, &'static str, &'static str),
    /// A header that is there, and another one that is not.
    HasWithout(&'static str, &'static str),
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sign {
    pub hop: Hop,
    pub weight: Weight,
    pub mark: Mark,
    pub means: &'static str,
    pub source: &'static str,
}

const ALB: &str =
    "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/header-modification.html";
const ALB_ERRORS: &str = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html";
const APIGW: &str = "https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html";
const CLOUDFRONT: &str = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/troubleshooting-response-errors.html";
const SMITHY: &str = "https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html";
const CLOUDFLARE: &str = "https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/";
const CF_HEADERS: &str = "https://developers.cloudflare.com/fundamentals/reference/http-headers/";
const NGINX: &str =
    "https://github.com/nginx/nginx/blob/master/src/http/ngx_http_special_response.c";
const NGINX_PROXY: &str =
    "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_hide_header";
const ENVOY: &str = "https://github.com/envoyproxy/envoy/blob/main/source/common/router/router.cc";
const ENVOY_HEADERS: &str =
    "https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter";
const ENVOY_SERVER: &str =
    "https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#server";
const HAPROXY: &str = "https://github.com/haproxy/haproxy/blob/master/src/http.c";
const APACHE: &str = "https://github.com/apache/httpd/blob/trunk/modules/http/http_protocol.c";
const VARNISH: &str =
    "https://github.com/varnishcache/varnish-cache/blob/master/bin/varnishd/builtin.vcl";
const FASTLY: &str =
    "https://www.fastly.com/documentation/reference/http/http-headers/X-Served-By/";
const FASTLY_TIMEOUT: &str = "https://www.fastly.com/documentation/reference/vcl/variables/backend-connection/bereq-first-byte-timeout";
const AKAMAI: &str = "https://gist.github.com/andcam/f6355e04d542db0b8a2fa0d722e6866c";
const TRAEFIK: &str = "https://github.com/traefik/traefik/blob/master/pkg/proxy/httputil/proxy.go";
const HEROKU: &str = "https://devcenter.heroku.com/articles/error-pages";
const HEROKU_VIA: &str = "https://devcenter.heroku.com/articles/http-routing#heroku-headers";
const GOOGLE: &str = "https://cloud.google.com/load-balancing/docs/https#target-proxies";
const GUNICORN: &str = "https://github.com/benoitc/gunicorn/blob/master/gunicorn/util.py";
const TRACE_ID: &str = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html";

const fn proof(hop: Hop, mark: Mark, means: &'static str, source: &'static str) -> Sign {
    Sign { hop, weight: Weight::Proof, mark, means, source }
}

const fn hint(hop: Hop, mark: Mark, means: &'static str, source: &'static str) -> Sign {
    Sign { hop, weight: Weight::Hint, mark, means, source }
}

const fn guess(hop: Hop, mark: Mark, means: &'static str, source: &'static str) -> Sign {
    Sign { hop, weight: Weight::Guess, mark, means, source }
}

const fn trace(hop: Hop, mark: Mark, means: &'static str, source: &'static str) -> Sign {
    Sign { hop, weight: Weight::Trace, mark, means, source }
}

/// The hops from the client inwards, as they usually stand.
#[rustfmt::skip]
pub(super) const SIGNS: &[Sign] = &[
    hint(Hop::Cloudflare, Mark::Status(520, 530, "cf-ray"), "only Cloudflare answers 520 to 530", CLOUDFLARE),
    hint(Hop::Cloudflare, Mark::Body("<hr><center>cloudflare"), "Cloudflare's own short page", CLOUDFLARE),
    trace(Hop::Cloudflare, Mark::Body("cf-error-details"), "Cloudflare's page, which also replaces the 502 and 504 of an origin", CLOUDFLARE),
    trace(Hop::Cloudflare, Mark::Has("cf-ray"), "passed Cloudflare", CF_HEADERS),
    proof(Hop::Akamai, Mark::Body("The proxy server did not receive a timely response from the upstream server."), "Akamai's timeout page", AKAMAI),
    hint(Hop::Akamai, Mark::Header("server", "akamaighost"), "Akamai's edge signs what it writes itself", AKAMAI),
    proof(Hop::Fastly, Mark::Body("first byte timeout"), "Fastly's words for an origin that did not answer", FASTLY_TIMEOUT),
    trace(Hop::Fastly, Mark::Header("x-served-by", "cache-"), "passed Fastly", FASTLY),
    trace(Hop::Fastly, Mark::Has("x-fastly-request-id"), "passed Fastly", FASTLY),
    trace(Hop::Google, Mark::Header("via", "1.1 google"), "passed a Google load balancer", GOOGLE),
    proof(Hop::Heroku, Mark::Body("herokucdn.com/error-pages"), "the error page of Heroku's router", HEROKU),
    trace(Hop::Heroku, Mark::Header("via", "vegur"), "passed Heroku's router", HEROKU_VIA),
    proof(Hop::CloudFront, Mark::Body("Generated by cloudfront (CloudFront)"), "CloudFront's own error page", CLOUDFRONT),
    hint(Hop::CloudFront, Mark::Header("server", "cloudfront"), "CloudFront signs what it writes itself", CLOUDFRONT),
    trace(Hop::CloudFront, Mark::Header("x-cache", "error from cloudfront"), "CloudFront got or made an error; it says so for those of the origin too", CLOUDFRONT),
    trace(Hop::CloudFront, Mark::Header("via", "cloudfront.net"), "passed CloudFront", CLOUDFRONT),
    trace(Hop::CloudFront, Mark::Has("x-amz-cf-id"), "passed CloudFront", CLOUDFRONT),
    proof(Hop::ApiGateway, Mark::Body("\"Endpoint request timed out\""), "API Gateway's words for an integration that did not answer", APIGW),
    proof(Hop::ApiGateway, Mark::Body("\"Network error communicating with endpoint\""), "API Gateway's words for an integration it could not talk to", APIGW),
    hint(Hop::ApiGateway, Mark::HeaderAnd("x-amzn-errortype", "internalservererrorexception", "x-amz-apigw-id"), "API Gateway's own error, not the integration's", APIGW),
    trace(Hop::ApiGateway, Mark::Has("x-amz-apigw-id"), "passed an API Gateway REST API", APIGW),
    trace(Hop::ApiGateway, Mark::Has("apigw-requestid"), "passed an API Gateway HTTP API", APIGW),
    guess(Hop::AwsEndpoint, Mark::HasWithout("x-amzn-errortype", "x-amz-apigw-id"), "an error type of AWS: a service, or a Lambda function URL", SMITHY),
    trace(Hop::AwsEndpoint, Mark::HasWithout("x-amzn-requestid", "x-amz-apigw-id"), "an AWS service or function was asked", SMITHY),
    hint(Hop::Alb, Mark::Header("server", "awselb/2.0"), "the load balancer signs what it writes itself", ALB),
    hint(Hop::Alb, Mark::BodyWithout("<center><h1>504 Gateway Time-out</h1></center>", "<hr>"), "the load balancer's page: nginx's, without nginx's name", ALB_ERRORS),
    hint(Hop::Alb, Mark::BodyWithout("<center><h1>502 Bad Gateway</h1></center>", "<hr>"), "the load balancer's page: nginx's, without nginx's name", ALB_ERRORS),
    hint(Hop::Alb, Mark::BodyWithout("<center><h1>503 Service Temporarily Unavailable</h1></center>", "<hr>"), "the load balancer's page: nginx's, without nginx's name", ALB_ERRORS),
    trace(Hop::AwsEndpoint, Mark::HasWithout("x-amzn-trace-id", "x-amz-apigw-id"), "a hop of AWS gave it a trace id", TRACE_ID),
    proof(Hop::Nginx, Mark::Body("<hr><center>nginx"), "nginx's own error page (ingress-nginx has the same)", NGINX),
    guess(Hop::Nginx, Mark::Bare("server", "nginx"), "nginx signs all that passes it, and there is no body to say more", NGINX_PROXY),
    trace(Hop::Nginx, Mark::Header("server", "nginx"), "passed nginx, which signs all that passes it", NGINX_PROXY),
    proof(Hop::Envoy, Mark::WholeBody("upstream request timeout"), "Envoy's words for a route timeout", ENVOY),
    proof(Hop::Envoy, Mark::Body("upstream connect error or disconnect/reset before headers"), "Envoy's words for a lost or refused connection", ENVOY),
    proof(Hop::Envoy, Mark::WholeBody("no healthy upstream"), "Envoy's words for a cluster without a host", ENVOY),
    trace(Hop::Envoy, Mark::Has("x-envoy-upstream-service-time"), "behind Envoy somebody answered: Envoy did not write it", ENVOY_HEADERS),
    guess(Hop::Envoy, Mark::Bare("server", "envoy"), "Envoy signs all that passes it, and there is no body to say more", ENVOY_SERVER),
    trace(Hop::Envoy, Mark::Header("server", "envoy"), "passed Envoy, which signs all that passes it", ENVOY_SERVER),
    proof(Hop::HaProxy, Mark::Body("</h1>\nThe server didn't respond in time."), "HAProxy's words for `timeout server`", HAPROXY),
    proof(Hop::HaProxy, Mark::Body("</h1>\nThe server returned an invalid or incomplete response."), "HAProxy's words for a broken answer", HAPROXY),
    proof(Hop::HaProxy, Mark::Body("</h1>\nNo server is available to handle this request."), "HAProxy's words for a backend without a server", HAPROXY),
    trace(Hop::Fastly, Mark::Header("x-timer", "vs0"), "passed Fastly", FASTLY),
    proof(Hop::Varnish, Mark::Body("<p>Varnish cache server</p>"), "Varnish's own error page", VARNISH),
    trace(Hop::Varnish, Mark::Has("x-varnish"), "passed Varnish", VARNISH),
    proof(Hop::Apache, Mark::Body("The gateway did not receive a timely response\nfrom the upstream server or application."), "Apache's words for `ProxyTimeout`", APACHE),
    proof(Hop::Apache, Mark::Body("The proxy server received an invalid\nresponse from an upstream server."), "Apache's words for a broken answer", APACHE),
    guess(Hop::Apache, Mark::Bare("server", "apache"), "Apache signs it, and there is no body to say more", APACHE),
    trace(Hop::Apache, Mark::Header("server", "apache"), "passed or came from Apache", APACHE),
    guess(Hop::Traefik, Mark::WholeBody("Gateway Timeout"), "the bare words of a proxy written in Go", TRAEFIK),
    guess(Hop::Traefik, Mark::WholeBody("Bad Gateway"), "the bare words of a proxy written in Go", TRAEFIK),
    proof(Hop::Gunicorn, Mark::Body("<h1><p>Internal Server Error</p></h1>"), "gunicorn's own error page", GUNICORN),
    hint(Hop::Application, Mark::Header("server", "gunicorn"), "a Python application behind gunicorn", GUNICORN),
];
