//! Load balancers and routers of other clouds.

use crate::chain::figure::Source;
use crate::chain::figure::Timer;
use crate::chain::product::{Product, Role, Spec, Sureness};
use crate::chain::products::{TERRAFORM, after, knob};

static GOOGLE: Source = Source {
    document: "Cloud Load Balancing, Request distribution for external Application Load Balancers",
    url: "https://docs.cloud.google.com/load-balancing/docs/https/request-distribution",
    read: "2026-11",
};

static GOOGLE_BACKEND: Source = Source {
    document: "Compute Engine API, backendServices: timeoutSec",
    url: "https://docs.cloud.google.com/compute/docs/reference/rest/v1/backendServices",
    read: "2026-11",
};

static FRONT_DOOR: Source = Source {
    document: "Azure Front Door, Troubleshoot common issues",
    url: "https://learn.microsoft.com/en-us/azure/frontdoor/troubleshoot-issues",
    read: "2026-11",
};

static APPLICATION_GATEWAY: Source = Source {
    document: "Azure, ApplicationGatewayBackendHttpSettings.requestTimeout",
    url: "https://learn.microsoft.com/en-us/dotnet/api/microsoft.azure.management.network.models.applicationgatewaybackendhttpsettings.requesttimeout",
    read: "2026-11",
};

static HEROKU: Source = Source {
    document: "Heroku Dev Center, Request Timeout",
    url: "https://devcenter.heroku.com/articles/request-timeout",
    read: "2026-11, page of 2024-05-07",
};

static HEROKU_ROUTING: Source = Source {
    document: "Heroku Dev Center, HTTP Routing",
    url: "https://devcenter.heroku.com/articles/http-routing",
    read: "2026-11",
};

const GATEWAY_TIMEOUT: &str = "504 Gateway Timeout";
const CLOSED: &str = "a closed connection";

/// See [`Product::all`](crate::chain::Product::all).
pub(super) static ROWS: &[Product] = &[
    Product::new(
        "google_load_balancer",
        "Google Cloud Application Load Balancer",
        Role::Proxy,
        &[
            Spec::new(Timer::Total, after(30), GATEWAY_TIMEOUT, &GOOGLE_BACKEND)
                .within(1, 2_147_483_647)
                .set(&[
                    knob("gcloud", "gcloud compute backend-services update NAME --timeout={s}s"),
                    knob(TERRAFORM, "google_compute_backend_service: timeout_sec = {s}"),
                ]),
            Spec::new(Timer::KeepAlive, after(610), CLOSED, &GOOGLE)
                .note("global; 600 s for regional ones")
                .within(5, 1_200)
                .set(&[knob(TERRAFORM, "google_compute_target_https_proxy: http_keep_alive_timeout_sec = {s}")]),
            Spec::new(Timer::UpstreamKeepAlive, after(600), CLOSED, &GOOGLE).within(600, 600),
        ],
    )
    .reuses(Sureness::Documented, "502 Bad Gateway", &GOOGLE),
    Product::new(
        "azure_front_door",
        "Azure Front Door",
        Role::Proxy,
        &[
            Spec::new(Timer::Read, after(30), GATEWAY_TIMEOUT, &FRONT_DOOR)
                .within(16, 240)
                .set(&[
                    knob("Azure CLI", "az afd profile update --profile-name NAME --resource-group GROUP --origin-response-timeout-seconds {s}"),
                    knob(TERRAFORM, "azurerm_cdn_frontdoor_profile: response_timeout_seconds = {s}"),
                ]),
            Spec::new(Timer::UpstreamKeepAlive, after(90), CLOSED, &FRONT_DOOR)
                .unconfirmed()
                .within(90, 90),
        ],
    ),
    Product::new(
        "azure_application_gateway",
        "Azure Application Gateway",
        Role::Proxy,
        &[
            Spec::new(Timer::Read, after(20), GATEWAY_TIMEOUT, &APPLICATION_GATEWAY)
                .unconfirmed()
                .within(1, 86_400)
                .set(&[
                    knob("Azure CLI", "az network application-gateway http-settings update --gateway-name NAME --resource-group GROUP --name SETTINGS --timeout {s}"),
                    knob(TERRAFORM, "azurerm_application_gateway: backend_http_settings.request_timeout = {s}"),
                ]),
        ],
    ),
    Product::new(
        "heroku",
        "Heroku's router",
        Role::Proxy,
        &[
            Spec::new(Timer::Connect, after(5), "503 Service Unavailable (H21)", &HEROKU_ROUTING)
                .within(5, 5),
            Spec::new(Timer::Read, after(30), "503 Service Unavailable (H12)", &HEROKU)
                .note("until the first byte; 55 s between bytes")
                .within(30, 30),
            Spec::new(Timer::UpstreamKeepAlive, after(90), CLOSED, &HEROKU_ROUTING)
                .unconfirmed()
                .within(90, 90),
        ],
    ),
];
