//! Proxies that people run themselves.

use super::super::figure::Timer;
use super::super::product::{Preset, Product, Repeats, Retry, Role, Source, Spec, Sureness};
use super::{after, knob};

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

/// See [`super::TABLES`].
pub(super) static ROWS: &[Product] = &[
    Product::new(
        "nginx",
        "nginx",
        Role::Proxy,
        &[
            Spec::new(Timer::Connect, after(60), GATEWAY_TIMEOUT, &NGINX_PROXY)
                .raisable(0, 75, "nothing in nginx: the operating system usually gives up first")
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
        attempts: 1,
        most: u32::MAX,
        repeats: Repeats::Requests,
        which: "requests other than POST, LOCK and PATCH",
        source: &NGINX_PROXY,
    })
    .reuses(Sureness::Possible, BAD_GATEWAY, &NGINX_PROXY),
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
        attempts: 4,
        most: u32::MAX,
        repeats: Repeats::Connecting,
        which: "connection attempts",
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
];
