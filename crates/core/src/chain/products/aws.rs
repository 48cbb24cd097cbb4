//! Gateways, load balancers and functions of AWS.

use std::time::Duration;

use crate::chain::figure::Source;
use crate::chain::figure::Timer;
use crate::chain::product::{Preset, Product, Role, Spec, Sureness};
use crate::chain::products::{CLI, TERRAFORM, after, knob};

static REST: Source = Source {
    document: "API Gateway API, Integration.timeoutInMillis",
    url: "https://docs.aws.amazon.com/apigateway/latest/api/API_Integration.html",
    read: "2026-11, botocore 1.43",
};

static REST_STREAM: Source = Source {
    document: "API Gateway, Stream the integration response for your proxy integrations",
    url: "https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html",
    read: "2026-11",
};

static SERVICE_CONNECT: Source = Source {
    document: "Amazon ECS API, TimeoutConfiguration",
    url: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TimeoutConfiguration.html",
    read: "2026-11, botocore 1.44",
};

static RDS_PROXY: Source = Source {
    document: "Amazon RDS API, ConnectionPoolConfiguration",
    url: "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ConnectionPoolConfiguration.html",
    read: "2026-11, botocore 1.44",
};

static RDS_PROXY_IDLE: Source = Source {
    document: "Amazon RDS, Creating an RDS Proxy: Idle client connection timeout",
    url: "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-creating.html",
    read: "2026-11",
};

static HTTP_API: Source = Source {
    document: "API Gateway v2 API, Integration.timeoutInMillis",
    url: "https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-integrations-integrationid.html",
    read: "2026-11, botocore 1.43",
};

static ALB: Source = Source {
    document: "Application Load Balancers, Load balancer attributes",
    url: "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html",
    read: "2026-11, botocore 1.43",
};

static ALB_TROUBLE: Source = Source {
    document: "Troubleshoot your Application Load Balancers",
    url: "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html",
    read: "2026-11",
};

static NLB: Source = Source {
    document: "Network Load Balancers, Update the TCP idle timeout",
    url: "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/update-idle-timeout.html",
    read: "2026-11, botocore 1.43",
};

static CLASSIC: Source = Source {
    document: "Classic Load Balancers, Configure the idle connection timeout",
    url: "https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-idle-timeout.html",
    read: "2026-11",
};

static CLASSIC_TROUBLE: Source = Source {
    document: "Troubleshoot a Classic Load Balancer: HTTP errors",
    url: "https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/ts-elb-error-message.html",
    read: "2026-11",
};

static LAMBDA: Source = Source {
    document: "Lambda, Configure Lambda function timeout",
    url: "https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html",
    read: "2026-11, botocore 1.43",
};

const GATEWAY_TIMEOUT: &str = "504 Gateway Timeout";
const CLOSED: &str = "a closed connection";
const IDLE_TIMEOUT: &str =
    "serviceConnectConfiguration.services[].timeout.idleTimeoutSeconds = {s}";
const LEAST: Duration = Duration::from_millis(50);

/// See [`Product::all`](crate::chain::Product::all).
pub(super) static ROWS: &[Product] = &[
    Product::new(
        "api_gateway_rest",
        "API Gateway REST API",
        Role::Proxy,
        &[Spec::new(Timer::Total, after(29), GATEWAY_TIMEOUT, &REST)
            .raisable(0, 29, "a quota increase, for Regional and private APIs, or responseTransferMode STREAM, which is kind api_gateway_rest_stream")
            .at_least(LEAST)
            .set(&[
                knob(CLI, "aws apigateway update-integration --rest-api-id ID --resource-id ID --http-method METHOD --patch-operations op=replace,path=/timeoutInMillis,value={ms}"),
                knob(TERRAFORM, "aws_api_gateway_integration: timeout_milliseconds = {ms}"),
            ])],
    ),
    Product::new(
        "api_gateway_rest_stream",
        "API Gateway REST API with responseTransferMode STREAM",
        Role::Proxy,
        &[
            Spec::new(Timer::Total, after(29), GATEWAY_TIMEOUT, &REST_STREAM)
                .within(0, 900)
                .at_least(LEAST)
                .set(&[
                    knob(CLI, "aws apigateway update-integration --rest-api-id ID --resource-id ID --http-method METHOD --patch-operations op=replace,path=/timeoutInMillis,value={ms}"),
                    knob(TERRAFORM, "aws_api_gateway_integration: timeout_milliseconds = {ms}"),
                ]),
            Spec::new(Timer::Read, after(300), "a stream that is cut off", &REST_STREAM)
                .note("Regional and private APIs; 30 s at edge-optimised ones")
                .within(30, 300)
                .set(&[knob("API Gateway", "the type of the endpoint: Regional and private have 300 s, edge-optimised 30 s; wanted: {s} s")]),
        ],
    ),
    Product::new(
        "api_gateway_http",
        "API Gateway HTTP API",
        Role::Proxy,
        &[Spec::new(Timer::Total, after(30), "503 or 504", &HTTP_API).within(0, 30).at_least(LEAST).set(&[
            knob(CLI, "aws apigatewayv2 update-integration --api-id ID --integration-id ID --timeout-in-millis {ms}"),
            knob(TERRAFORM, "aws_apigatewayv2_integration: timeout_milliseconds = {ms}"),
        ])],
    ),
    Product::new(
        "api_gateway_websocket",
        "API Gateway WebSocket API",
        Role::Proxy,
        &[Spec::new(Timer::Total, after(29), "an error message", &HTTP_API).within(0, 29).at_least(LEAST).set(&[
            knob(CLI, "aws apigatewayv2 update-integration --api-id ID --integration-id ID --timeout-in-millis {ms}"),
            knob(TERRAFORM, "aws_apigatewayv2_integration: timeout_milliseconds = {ms}"),
        ])],
    ),
    Product::new(
        "alb",
        "Application Load Balancer",
        Role::Proxy,
        &[
            Spec::new(Timer::Connect, after(10), GATEWAY_TIMEOUT, &ALB_TROUBLE).within(10, 10),
            Spec::new(Timer::Read, after(60), GATEWAY_TIMEOUT, &ALB).within(1, 4_000).set(&[
                knob(CLI, "aws elbv2 modify-load-balancer-attributes --load-balancer-arn ARN --attributes Key=idle_timeout.timeout_seconds,Value={s}"),
                knob(TERRAFORM, "aws_lb: idle_timeout = {s}"),
            ]),
            Spec::new(Timer::KeepAlive, after(3_600), CLOSED, &ALB).within(60, 604_800).set(&[
                knob(CLI, "aws elbv2 modify-load-balancer-attributes --load-balancer-arn ARN --attributes Key=client_keep_alive.seconds,Value={s}"),
                knob(TERRAFORM, "aws_lb: client_keep_alive = {s}"),
            ]),
            Spec::new(Timer::UpstreamKeepAlive, Preset::As(Timer::Read), CLOSED, &ALB),
        ],
    )
    .idles()
    .reuses(Sureness::Documented, "502 Bad Gateway", &ALB_TROUBLE),
    Product::new(
        "nlb",
        "Network Load Balancer",
        Role::Tunnel,
        &[Spec::new(Timer::Read, after(350), "a reset connection", &NLB)
            .note("TCP listeners")
            .within(60, 6_000)
            .set(&[
                knob(CLI, "aws elbv2 modify-listener-attributes --listener-arn ARN --attributes Key=tcp.idle_timeout.seconds,Value={s}"),
                knob(TERRAFORM, "aws_lb_listener: tcp_idle_timeout_seconds = {s}"),
            ])],
    )
    .idles(),
    Product::new(
        "classic_elb",
        "Classic Load Balancer",
        Role::Proxy,
        &[
            Spec::new(Timer::Read, after(60), GATEWAY_TIMEOUT, &CLASSIC).within(1, 3_600).set(&[
                knob(CLI, "aws elb modify-load-balancer-attributes --load-balancer-name NAME --load-balancer-attributes '{\"ConnectionSettings\":{\"IdleTimeout\":{s}}}'"),
                knob(TERRAFORM, "aws_elb: idle_timeout = {s}"),
            ]),
            Spec::new(Timer::UpstreamKeepAlive, Preset::As(Timer::Read), CLOSED, &CLASSIC),
        ],
    )
    .idles()
    .reuses(Sureness::Documented, "504 Gateway Timeout", &CLASSIC_TROUBLE),
    Product::new(
        "lambda",
        "Lambda",
        Role::Function,
        &[Spec::new(
            Timer::Total,
            after(3),
            "an error of the function, which a load balancer makes 502 Bad Gateway of",
            &LAMBDA,
        )
        .within(1, 900)
        .set(&[
            knob(CLI, "aws lambda update-function-configuration --function-name NAME --timeout {s}"),
            knob(TERRAFORM, "aws_lambda_function: timeout = {s}"),
        ])],
    ),
    Product::new(
        "ecs_service_connect",
        "ECS Service Connect",
        Role::Proxy,
        &[
            Spec::new(Timer::Total, after(15), GATEWAY_TIMEOUT, &SERVICE_CONNECT)
                .unconfirmed()
                .set(&[
                    knob("ECS service", "serviceConnectConfiguration.services[].timeout.perRequestTimeoutSeconds = {s}"),
                    knob(TERRAFORM, "aws_ecs_service: service_connect_configuration.service.timeout.per_request_timeout_seconds = {s}"),
                ]),
            Spec::new(Timer::KeepAlive, after(300), CLOSED, &SERVICE_CONNECT)
                .note("HTTP, HTTP2 and GRPC; 1 h for TCP")
                .set(&[knob("ECS service", IDLE_TIMEOUT)]),
            Spec::new(Timer::UpstreamKeepAlive, after(300), CLOSED, &SERVICE_CONNECT)
                .note("HTTP, HTTP2 and GRPC; 1 h for TCP")
                .set(&[knob("ECS service", IDLE_TIMEOUT)]),
        ],
    )
    .reuses(Sureness::Possible, "503 Service Unavailable", &SERVICE_CONNECT),
    Product::new(
        "rds_proxy",
        "RDS Proxy",
        Role::Proxy,
        &[
            Spec::new(Timer::Connect, after(120), "an error of the query", &RDS_PROXY)
                .note("until a connection of the pool is free")
                .within(0, 300)
                .set(&[
                    knob(CLI, "aws rds modify-db-proxy-target-group --db-proxy-name NAME --target-group-name default --connection-pool-config ConnectionBorrowTimeout={s}"),
                    knob(TERRAFORM, "aws_db_proxy_default_target_group: connection_pool_config.connection_borrow_timeout = {s}"),
                ]),
            Spec::new(Timer::KeepAlive, after(1_800), CLOSED, &RDS_PROXY_IDLE).set(&[
                knob(CLI, "aws rds modify-db-proxy --db-proxy-name NAME --idle-client-timeout {s}"),
                knob(TERRAFORM, "aws_db_proxy: idle_client_timeout = {s}"),
            ]),
        ],
    ),
];
