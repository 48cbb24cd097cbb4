//! Proxies that people run themselves.

use crate::chain::figure::Timer;
use crate::chain::figure::{Repeats, Source};
use crate::chain::product::{Preset, Product, Retry, Role, Spec, Sureness};
use crate::chain::products::{after, knob};

static NGINX_PROXY: Source = Source {
    document: "nginx, Module ngx_http_proxy_module",
    url: "https://nginx.org/en/docs/http/ngx_http_proxy_module.html",
    read: "2026-11, nginx 1.22 to 1.30",
};

static NGINX_CORE: Source = Source {
    document: "nginx, Module ngx_http_core_module",
    url: "https://nginx.org/en/docs/http/ngx_http_core_module.html",
    read: "2026-11, nginx 1.22 to 1.30",
};

static NGINX_UPSTREAM: Source = Source {
    document: "nginx, Module ngx_http_upstream_module",
    url: "https://nginx.org/en/docs/http/ngx_http_upstream_module.html",
    read: "2026-11, nginx 1.22 to 1.30",
};

static INGRESS_NGINX: Source = Source {
    document: "ingress-nginx, defaults in internal/ingress/controller/config/config.go",
    url: "https://github.com/kubernetes/ingress-nginx/blob/main/internal/ingress/controller/config/config.go",
    read: "2026-11, controller v1.15",
};

static INGRESS_TRIES: Source = Source {
    document: "ingress-nginx, rootfs/etc/nginx/lua/balancer.lua and config.go",
    url: "https://github.com/kubernetes/ingress-nginx/blob/main/rootfs/etc/nginx/lua/balancer.lua",
    read: "2026-11, controller v1.15",
};

static KONG: Source = Source {
    document: "Kong, kong/db/schema/entities/services.lua",
    url: "https://github.com/Kong/kong/blob/master/kong/db/schema/entities/services.lua",
    read: "2026-11, source of 2026-07",
};

static KONG_DEFAULTS: Source = Source {
    document: "Kong, kong/templates/kong_defaults.lua",
    url: "https://github.com/Kong/kong/blob/master/kong/templates/kong_defaults.lua",
    read: "2026-11, source of 2026-07",
};

static TRAEFIK: Source = Source {
    document: "Traefik, pkg/config/dynamic/http_config.go: ForwardingTimeouts",
    url: "https://github.com/traefik/traefik/blob/master/pkg/config/dynamic/http_config.go",
    read: "2026-11, Traefik 3.7",
};

static TRAEFIK_ENTRY: Source = Source {
    document: "Traefik, pkg/config/static/static_config.go: RespondingTimeouts",
    url: "https://github.com/traefik/traefik/blob/master/pkg/config/static/static_config.go",
    read: "2026-11, Traefik 3.7",
};

static CADDY: Source = Source {
    document: "Caddy, modules/caddyhttp/reverseproxy/httptransport.go",
    url: "https://github.com/caddyserver/caddy/blob/master/modules/caddyhttp/reverseproxy/httptransport.go",
    read: "2026-11, Caddy 2.11",
};

static CADDY_APP: Source = Source {
    document: "Caddy, modules/caddyhttp/app.go: defaultIdleTimeout",
    url: "https://github.com/caddyserver/caddy/blob/master/modules/caddyhttp/app.go",
    read: "2026-11, Caddy 2.11",
};

static ISTIO_ROUTE: Source = Source {
    document: "Istio, pilot/pkg/networking/core/route/route.go: setTimeout",
    url: "https://github.com/istio/istio/blob/master/pilot/pkg/networking/core/route/route.go",
    read: "2026-11, Istio 1.30",
};

static ISTIO_MESH: Source = Source {
    document: "Istio, pkg/config/mesh/mesh.go: ConnectTimeout",
    url: "https://github.com/istio/istio/blob/master/pkg/config/mesh/mesh.go",
    read: "2026-11, Istio 1.30",
};

static ISTIO_RETRY: Source = Source {
    document: "Istio, pilot/pkg/networking/core/route/retry/retry.go",
    url: "https://github.com/istio/istio/blob/master/pilot/pkg/networking/core/route/retry/retry.go",
    read: "2026-11, Istio 1.30",
};

static HAPROXY: Source = Source {
    document: "HAProxy Configuration Manual",
    url: "https://docs.haproxy.org/2.6/configuration.html",
    read: "2026-11, HAProxy 2.6",
};

static HAPROXY_RETRIES: Source = Source {
    document: "HAProxy, CONN_RETRIES in defaults.h, and retries in the manual",
    url: "https://github.com/haproxy/haproxy/blob/master/include/haproxy/defaults.h",
    read: "2026-11",
};

static ENVOY: Source = Source {
    document: "Envoy, How do I configure timeouts?",
    url: "https://www.envoyproxy.io/docs/envoy/latest/faq/configuration/timeouts",
    read: "2026-11, Envoy 1.30 and later",
};

static ENVOY_FLAGS: Source = Source {
    document: "Envoy, Access logging: response flag UC",
    url: "https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage",
    read: "2026-11",
};

static PGBOUNCER: Source = Source {
    document: "PgBouncer, config.md",
    url: "https://www.pgbouncer.org/config.html",
    read: "2026-11, PgBouncer 1.25",
};

static HTTPD_CORE: Source = Source {
    document: "Apache HTTP Server, Core features",
    url: "https://httpd.apache.org/docs/2.4/mod/core.html",
    read: "2026-11, httpd 2.4.71",
};

static HTTPD_PROXY: Source = Source {
    document: "Apache HTTP Server, Module mod_proxy",
    url: "https://httpd.apache.org/docs/2.4/mod/mod_proxy.html",
    read: "2026-11, httpd 2.4.71",
};

const GATEWAY_TIMEOUT: &str = "504 Gateway Timeout";
const BAD_GATEWAY: &str = "502 Bad Gateway";
const CLOSED: &str = "a closed connection";
const QUERY: &str = "an error of the query";
const ANNOTATION: &str = "Ingress annotation";
const CONFIG_MAP: &str = "ConfigMap of ingress-nginx";

/// See [`Product::all`](crate::chain::Product::all).
pub(super) static ROWS: &[Product] = &[
    Product::new(
        "nginx",
        "nginx",
        Role::Proxy,
        &[
            Spec::new(Timer::Connect, after(60), GATEWAY_TIMEOUT, &NGINX_PROXY)
                .set(&[knob("nginx", "proxy_connect_timeout {s}s;  # or fastcgi_, uwsgi_, grpc_connect_timeout")]),
            Spec::new(Timer::Read, after(60), GATEWAY_TIMEOUT, &NGINX_PROXY)
                .set(&[knob("nginx", "proxy_read_timeout {s}s;  # or fastcgi_, uwsgi_, grpc_read_timeout")]),
            Spec::new(Timer::KeepAlive, after(75), CLOSED, &NGINX_CORE)
                .set(&[knob("nginx", "keepalive_timeout {s}s;")]),
            Spec::new(Timer::UpstreamKeepAlive, Preset::Unknown, CLOSED, &NGINX_UPSTREAM)
                .note("60 s from nginx 1.29.7 or with keepalive in the upstream block, none otherwise")
                .set(&[knob("nginx", "in the upstream block: keepalive_timeout {s}s;")]),
        ],
    )
    .retries(Retry {
        attempts: None,
        most: u32::MAX,
        repeats: Repeats::Requests,
        which: "requests other than POST, LOCK and PATCH",
        knobs: &[knob("nginx", "proxy_next_upstream_tries {n};  # or fastcgi_, uwsgi_, grpc_")],
        source: &NGINX_PROXY,
    })
    .reuses(Sureness::Possible, BAD_GATEWAY, &NGINX_PROXY)
    .does(&["the operating system may give up connecting sooner: nginx's document names 75 s"]),
    Product::new(
        "haproxy",
        "HAProxy",
        Role::Proxy,
        &[
            Spec::new(Timer::Connect, Preset::Never, "503 Service Unavailable", &HAPROXY)
                .set(&[knob("HAProxy", "timeout connect {s}s")]),
            Spec::new(Timer::Read, Preset::Never, GATEWAY_TIMEOUT, &HAPROXY)
                .set(&[knob("HAProxy", "timeout server {s}s")]),
            Spec::new(Timer::KeepAlive, Preset::Unknown, CLOSED, &HAPROXY)
                .note("timeout http-keep-alive, or else http-request, or else client")
                .set(&[knob("HAProxy", "timeout http-keep-alive {s}s")]),
            Spec::new(Timer::UpstreamKeepAlive, Preset::Unknown, CLOSED, &HAPROXY)
                .note("every pool-purge-delay, 5 s by default, half of the idle connections are closed")
                .set(&[knob("HAProxy", "server ... pool-purge-delay {s}s")]),
        ],
    )
    .retries(Retry {
        attempts: Some(4),
        most: u32::MAX,
        repeats: Repeats::Connecting,
        which: "connection attempts",
        knobs: &[knob("HAProxy", "retries {m}")],
        source: &HAPROXY_RETRIES,
    })
    .reuses(Sureness::Possible, BAD_GATEWAY, &HAPROXY),
    Product::new(
        "envoy",
        "Envoy",
        Role::Proxy,
        &[
            Spec::new(Timer::Connect, after(5), "503 Service Unavailable", &ENVOY)
                .set(&[knob("Envoy", "cluster: connect_timeout: {s}s")]),
            Spec::new(Timer::Read, after(300), GATEWAY_TIMEOUT, &ENVOY)
                .set(&[knob("Envoy", "HTTP connection manager: stream_idle_timeout: {s}s")]),
            Spec::new(Timer::Total, after(15), GATEWAY_TIMEOUT, &ENVOY)
                .set(&[knob("Envoy", "route: timeout: {s}s")]),
            Spec::new(Timer::KeepAlive, after(3_600), CLOSED, &ENVOY)
                .set(&[knob("Envoy", "HTTP connection manager: common_http_protocol_options.idle_timeout: {s}s")]),
            Spec::new(Timer::UpstreamKeepAlive, after(3_600), CLOSED, &ENVOY)
                .set(&[knob("Envoy", "cluster: HttpProtocolOptions.common_http_protocol_options.idle_timeout: {s}s")]),
        ],
    )
    .reuses(Sureness::Documented, "503 Service Unavailable", &ENVOY_FLAGS),
    Product::new(
        "apache",
        "Apache httpd",
        Role::Proxy,
        &[
            Spec::new(Timer::Connect, Preset::As(Timer::Read), "503 Service Unavailable", &HTTPD_PROXY)
                .set(&[knob("Apache httpd", "ProxyPass ... connectiontimeout={s}")]),
            Spec::new(Timer::Read, after(60), "502 or 504", &HTTPD_PROXY)
                .note("the value of Timeout")
                .set(&[knob("Apache httpd", "ProxyTimeout {s}")]),
            Spec::new(Timer::KeepAlive, after(5), CLOSED, &HTTPD_CORE)
                .set(&[knob("Apache httpd", "KeepAliveTimeout {s}")]),
            Spec::new(Timer::UpstreamKeepAlive, Preset::Never, CLOSED, &HTTPD_PROXY)
                .set(&[knob("Apache httpd", "ProxyPass ... ttl={s}")]),
        ],
    )
    .reuses(Sureness::Possible, "502 Proxy Error", &HTTPD_PROXY),
    Product::new(
        "ingress_nginx",
        "ingress-nginx",
        Role::Proxy,
        &[
            Spec::new(Timer::Connect, after(5), GATEWAY_TIMEOUT, &INGRESS_NGINX)
                .set(&[knob(ANNOTATION, "nginx.ingress.kubernetes.io/proxy-connect-timeout: \"{s}\"")]),
            Spec::new(Timer::Read, after(60), GATEWAY_TIMEOUT, &INGRESS_NGINX)
                .set(&[knob(ANNOTATION, "nginx.ingress.kubernetes.io/proxy-read-timeout: \"{s}\"")]),
            Spec::new(Timer::KeepAlive, after(75), CLOSED, &INGRESS_NGINX)
                .set(&[knob(CONFIG_MAP, "keep-alive: \"{s}\"")]),
            Spec::new(Timer::UpstreamKeepAlive, after(60), CLOSED, &INGRESS_NGINX)
                .set(&[knob(CONFIG_MAP, "upstream-keepalive-timeout: \"{s}\"")]),
        ],
    )
    .retries(Retry {
        attempts: Some(3),
        most: u32::MAX,
        repeats: Repeats::Requests,
        which: "requests other than POST, LOCK and PATCH",
        knobs: &[knob(ANNOTATION, "nginx.ingress.kubernetes.io/proxy-next-upstream-tries: \"{n}\"")],
        source: &INGRESS_TRIES,
    })
    .reuses(Sureness::Possible, BAD_GATEWAY, &INGRESS_NGINX),
    Product::new(
        "istio",
        "Istio",
        Role::Proxy,
        &[
            Spec::new(Timer::Connect, after(10), "503 Service Unavailable", &ISTIO_MESH)
                .set(&[knob("DestinationRule", "trafficPolicy.connectionPool.tcp.connectTimeout: {s}s")]),
            Spec::new(Timer::Read, after(300), GATEWAY_TIMEOUT, &ENVOY)
                .note("Envoy's stream_idle_timeout")
                .set(&[knob("EnvoyFilter", "stream_idle_timeout: {s}s")]),
            Spec::new(Timer::Total, Preset::Never, GATEWAY_TIMEOUT, &ISTIO_ROUTE)
                .note("Istio switches Envoy's 15 s off")
                .set(&[knob("VirtualService", "http[].timeout: {s}s")]),
            Spec::new(Timer::KeepAlive, after(3_600), CLOSED, &ENVOY)
                .set(&[knob("EnvoyFilter", "common_http_protocol_options.idle_timeout: {s}s")]),
            Spec::new(Timer::UpstreamKeepAlive, after(3_600), CLOSED, &ENVOY)
                .set(&[knob("DestinationRule", "trafficPolicy.connectionPool.http.idleTimeout: {s}s")]),
        ],
    )
    .retries(Retry {
        attempts: Some(3),
        most: u32::MAX,
        repeats: Repeats::Connecting,
        which: "requests that did not reach the next hop",
        knobs: &[knob("VirtualService", "http[].retries.attempts: {m}")],
        source: &ISTIO_RETRY,
    })
    .reuses(Sureness::Documented, "503 Service Unavailable", &ENVOY_FLAGS),
    Product::new(
        "traefik",
        "Traefik",
        Role::Proxy,
        &[
            Spec::new(Timer::Connect, after(30), GATEWAY_TIMEOUT, &TRAEFIK)
                .set(&[knob("Traefik", "serversTransport.forwardingTimeouts.dialTimeout = \"{s}s\"")]),
            Spec::new(Timer::Read, Preset::Never, GATEWAY_TIMEOUT, &TRAEFIK)
                .note("until the head of the response")
                .set(&[knob("Traefik", "serversTransport.forwardingTimeouts.responseHeaderTimeout = \"{s}s\"")]),
            Spec::new(Timer::KeepAlive, after(180), CLOSED, &TRAEFIK_ENTRY)
                .set(&[knob("Traefik", "entryPoints.NAME.transport.respondingTimeouts.idleTimeout = \"{s}s\"")]),
            Spec::new(Timer::UpstreamKeepAlive, after(90), CLOSED, &TRAEFIK)
                .set(&[knob("Traefik", "serversTransport.forwardingTimeouts.idleConnTimeout = \"{s}s\"")]),
        ],
    )
    .reuses(Sureness::Possible, BAD_GATEWAY, &TRAEFIK)
    .does(&["reading a request with its body: 60 s (respondingTimeouts.readTimeout)"]),
    Product::new(
        "caddy",
        "Caddy",
        Role::Proxy,
        &[
            Spec::new(Timer::Connect, after(3), BAD_GATEWAY, &CADDY)
                .set(&[knob("Caddyfile", "reverse_proxy { transport http { dial_timeout {s}s } }")]),
            Spec::new(Timer::Read, Preset::Never, GATEWAY_TIMEOUT, &CADDY)
                .set(&[knob("Caddyfile", "reverse_proxy { transport http { response_header_timeout {s}s } }")]),
            Spec::new(Timer::KeepAlive, after(300), CLOSED, &CADDY_APP)
                .set(&[knob("Caddyfile", "servers { timeouts { idle {s}s } }")]),
            Spec::new(Timer::UpstreamKeepAlive, after(120), CLOSED, &CADDY)
                .set(&[knob("Caddyfile", "reverse_proxy { transport http { keepalive {s}s } }")]),
        ],
    )
    .reuses(Sureness::Possible, BAD_GATEWAY, &CADDY),
    Product::new(
        "kong",
        "Kong",
        Role::Proxy,
        &[
            Spec::new(Timer::Connect, after(60), GATEWAY_TIMEOUT, &KONG)
                .set(&[knob("Kong service", "connect_timeout: {ms}")]),
            Spec::new(Timer::Read, after(60), GATEWAY_TIMEOUT, &KONG)
                .set(&[knob("Kong service", "read_timeout: {ms}")]),
            Spec::new(Timer::KeepAlive, after(75), CLOSED, &NGINX_CORE)
                .unconfirmed()
                .set(&[knob("kong.conf", "nginx_http_keepalive_timeout = {s}s")]),
            Spec::new(Timer::UpstreamKeepAlive, after(60), CLOSED, &KONG_DEFAULTS)
                .set(&[knob("kong.conf", "upstream_keepalive_idle_timeout = {s}")]),
        ],
    )
    .retries(Retry {
        attempts: Some(6),
        most: 32_768,
        repeats: Repeats::Requests,
        which: "requests other than POST, LOCK and PATCH",
        knobs: &[knob("Kong service", "retries: {m}")],
        source: &KONG,
    })
    .reuses(Sureness::Possible, BAD_GATEWAY, &KONG),
    Product::new(
        "pgbouncer",
        "PgBouncer",
        Role::Proxy,
        &[
            Spec::new(Timer::Connect, after(120), QUERY, &PGBOUNCER)
                .note("query_wait_timeout: until a connection to the server is free")
                .set(&[knob("pgbouncer.ini", "query_wait_timeout = {s}")]),
            Spec::new(Timer::Total, Preset::Never, QUERY, &PGBOUNCER)
                .per_statement()
                .set(&[knob("pgbouncer.ini", "query_timeout = {s}")]),
            Spec::new(Timer::KeepAlive, Preset::Never, CLOSED, &PGBOUNCER)
                .set(&[knob("pgbouncer.ini", "client_idle_timeout = {s}")]),
            Spec::new(Timer::UpstreamKeepAlive, after(600), CLOSED, &PGBOUNCER)
                .set(&[knob("pgbouncer.ini", "server_idle_timeout = {s}")]),
        ],
    ),
];
