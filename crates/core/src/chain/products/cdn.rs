//! Content delivery networks, which are in front of everything else.

use crate::chain::figure::Timer;
use crate::chain::figure::{Repeats, Source};
use crate::chain::product::{Preset, Product, Retry, Role, Spec, Sureness};
use crate::chain::products::{TERRAFORM, after, knob};

static CLOUDFLARE: Source = Source {
    document: "Cloudflare, Connection limits",
    url: "https://developers.cloudflare.com/fundamentals/reference/connection-limits",
    read: "2026-11, page of 2026-07-23",
};

static FASTLY: Source = Source {
    document: "Terraform provider of Fastly, fastly_service_vcl: backend",
    url: "https://registry.terraform.io/providers/fastly/fastly/latest/docs/resources/service_vcl",
    read: "2026-11",
};

static AKAMAI: Source = Source {
    document: "Akamai, Property Manager: Connect Timeout",
    url: "https://techdocs.akamai.com/terraform/docs/timeout",
    read: "2026-11, rule format v2026-01-09",
};

static AKAMAI_CONNECTIONS: Source = Source {
    document: "Akamai, Persistent Connections: Edge to Origin",
    url: "https://techdocs.akamai.com/property-mgr/docs/persistent-connections-edge-to-origin",
    read: "2026-11",
};

static CLOUDFRONT: Source = Source {
    document: "CloudFront API, CustomOriginConfig",
    url: "https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CustomOriginConfig.html",
    read: "2026-11, botocore 1.43",
};

static CLOUDFRONT_ORIGIN: Source = Source {
    document: "CloudFront API, Origin",
    url: "https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_Origin.html",
    read: "2026-11, botocore 1.43",
};

static CLOUDFRONT_BEHAVIOR: Source = Source {
    document: "CloudFront, Request and response behavior for custom origins",
    url: "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html",
    read: "2026-11, with the announcement of 2025-07-30",
};

const GATEWAY_TIMEOUT: &str = "504 Gateway Timeout";
const API: &str = "CloudFront API";
const QUOTA: &str = "a higher CloudFront quota for the origin";

/// See [`Product::all`](crate::chain::Product::all).
pub(super) static ROWS: &[Product] = &[
    Product::new(
        "cloudflare",
        "Cloudflare",
        Role::Proxy,
        &[
            Spec::new(Timer::Connect, after(19), "522", &CLOUDFLARE).within(19, 19),
            Spec::new(Timer::Read, after(120), "524", &CLOUDFLARE)
                .raisable(1, 120, "an Enterprise plan")
                .set(&[knob("Cloudflare API", "PATCH /zones/ZONE/settings/proxy_read_timeout {\"value\": {s}}, Enterprise plans")]),
            Spec::new(Timer::KeepAlive, after(400), "a closed connection", &CLOUDFLARE)
                .within(400, 400),
            Spec::new(Timer::UpstreamKeepAlive, after(900), "520", &CLOUDFLARE).within(900, 900),
        ],
    )
    .reuses(Sureness::Possible, "520", &CLOUDFLARE)
    .does(&[
        "sending a request to the origin: 30 s, then 524 (Proxy Write Timeout)",
        "a packet that the origin does not acknowledge: 90 s, then 522 (TCP ACK Timeout)",
    ]),
    Product::new(
        "cloudfront",
        "CloudFront",
        Role::Proxy,
        &[
            Spec::new(Timer::Connect, after(10), GATEWAY_TIMEOUT, &CLOUDFRONT_ORIGIN)
                .within(1, 10)
                .set(&[
                    knob(API, "UpdateDistribution: ConnectionTimeout = {s}"),
                    knob(TERRAFORM, "aws_cloudfront_distribution: origin.connection_timeout = {s}"),
                ]),
            Spec::new(Timer::Read, after(30), GATEWAY_TIMEOUT, &CLOUDFRONT)
                .raisable(1, 120, QUOTA)
                .set(&[
                    knob(API, "UpdateDistribution: CustomOriginConfig.OriginReadTimeout = {s}"),
                    knob(TERRAFORM, "aws_cloudfront_distribution: origin.custom_origin_config.origin_read_timeout = {s}"),
                ]),
            Spec::new(Timer::Total, Preset::Never, GATEWAY_TIMEOUT, &CLOUDFRONT_ORIGIN).set(&[
                knob(API, "UpdateDistribution: ResponseCompletionTimeout = {s}"),
                knob(TERRAFORM, "aws_cloudfront_distribution: origin.response_completion_timeout = {s}"),
            ]),
            Spec::new(Timer::UpstreamKeepAlive, after(5), "a new connection", &CLOUDFRONT)
                .raisable(1, 120, QUOTA)
                .set(&[
                    knob(API, "UpdateDistribution: CustomOriginConfig.OriginKeepaliveTimeout = {s}"),
                    knob(TERRAFORM, "aws_cloudfront_distribution: origin.custom_origin_config.origin_keepalive_timeout = {s}"),
                ]),
        ],
    )
    .retries(Retry {
        attempts: Some(3),
        most: 3,
        repeats: Repeats::Requests,
        which: "GET and HEAD requests",
        knobs: &[
            knob(API, "UpdateDistribution: ConnectionAttempts = {n}"),
            knob(TERRAFORM, "aws_cloudfront_distribution: origin.connection_attempts = {n}"),
        ],
        source: &CLOUDFRONT_BEHAVIOR,
    })
    .reuses(Sureness::Possible, "502 Bad Gateway", &CLOUDFRONT_BEHAVIOR),
    Product::new(
        "fastly",
        "Fastly",
        Role::Proxy,
        &[
            Spec::new(Timer::Connect, after(1), "503 connect timeout", &FASTLY)
                .set(&[knob(TERRAFORM, "fastly_service_vcl: backend.connect_timeout = {ms}")]),
            Spec::new(Timer::Read, after(15), "503 first byte timeout", &FASTLY)
                .note("until the first byte; 10 s between bytes")
                .set(&[knob(TERRAFORM, "fastly_service_vcl: backend.first_byte_timeout = {ms}")]),
            Spec::new(Timer::UpstreamKeepAlive, Preset::Unknown, "a new connection", &FASTLY)
                .set(&[knob(TERRAFORM, "fastly_service_vcl: backend.keepalive_time = {s}")]),
        ],
    ),
    Product::new(
        "akamai",
        "Akamai",
        Role::Proxy,
        &[
            Spec::new(Timer::Connect, after(5), "an error page of Akamai", &AKAMAI)
                .set(&[knob(TERRAFORM, "akamai_property_rules_builder: timeout { value = \"{s}s\" }")]),
            Spec::new(Timer::Read, after(120), "an error page of Akamai", &AKAMAI)
                .unconfirmed()
                .set(&[knob("Property Manager", "Read Timeout: {s} seconds")]),
            Spec::new(Timer::UpstreamKeepAlive, after(300), "a new connection", &AKAMAI_CONNECTIONS)
                .set(&[knob(TERRAFORM, "akamai_property_rules_builder: persistent_connection { timeout = \"{s}s\" }")]),
        ],
    ),
];
