//! Servers that work on a request: most never give up on one by themselves.

use crate::chain::figure::Source;
use crate::chain::figure::Timer;
use crate::chain::product::{Knob, Preset, Product, Role, Spec};
use crate::chain::products::{after, knob};

static GUNICORN: Source = Source {
    document: "Gunicorn, Settings",
    url: "https://docs.gunicorn.org/en/stable/settings.html",
    read: "2026-11, Gunicorn 27.0",
};

static UVICORN: Source = Source {
    document: "Uvicorn, Settings",
    url: "https://www.uvicorn.org/settings/",
    read: "2026-11, Uvicorn 0.54",
};

static NODE: Source = Source {
    document: "Node.js, HTTP",
    url: "https://nodejs.org/api/http.html",
    read: "2026-11, Node.js 20 to 26 (nodejs/node#62782)",
};

static PUMA: Source = Source {
    document: "Puma, DSL.rb",
    url: "https://puma.io/puma/Puma/DSL.html",
    read: "2026-11, Puma 5.6 to 7 (puma/puma#3378)",
};

static PHP_FPM: Source = Source {
    document: "PHP, FastCGI Process Manager: Configuration",
    url: "https://www.php.net/manual/en/install.fpm.configuration.php",
    read: "2026-11, PHP 8.2",
};

static TOMCAT: Source = Source {
    document: "Apache Tomcat, The HTTP Connector",
    url: "https://tomcat.apache.org/tomcat-10.1-doc/config/http.html",
    read: "2026-11, Tomcat 10.1.60",
};

static SPRING: Source = Source {
    document: "Spring Boot, Common Application Properties",
    url: "https://docs.spring.io/spring-boot/appendix/application-properties/index.html",
    read: "2026-11, with Tomcat 10.1.60",
};

static GO: Source = Source {
    document: "Go, net/http Server",
    url: "https://pkg.go.dev/net/http#Server",
    read: "2026-11",
};

static JETTY: Source = Source {
    document: "Jetty, AbstractConnector.java and modules/http.mod: idleTimeout",
    url: "https://github.com/jetty/jetty.project/blob/jetty-12.0.x/jetty-core/jetty-server/src/main/java/org/eclipse/jetty/server/AbstractConnector.java",
    read: "2026-11, Jetty 12, source of 2024-10",
};

static UNDERTOW: Source = Source {
    document: "Undertow, Undertow.java: NO_REQUEST_TIMEOUT",
    url: "https://github.com/undertow-io/undertow/blob/main/core/src/main/java/io/undertow/Undertow.java",
    read: "2026-11, source of 2026-06",
};

static UWSGI: Source = Source {
    document: "uWSGI, core/uwsgi.c and plugins/http/http.c: harakiri, http-keepalive",
    url: "https://uwsgi-docs.readthedocs.io/en/latest/Options.html",
    read: "2026-11, source of 2025-09",
};

static PASSENGER: Source = Source {
    document: "Phusion Passenger, standalone: config_options_list.rb and config.erb",
    url: "https://www.phusionpassenger.com/docs/references/config_reference/standalone/",
    read: "2026-11, source of 2024-10",
};

static HYPERCORN: Source = Source {
    document: "Hypercorn, src/hypercorn/config.py",
    url: "https://github.com/pgjones/hypercorn/blob/main/src/hypercorn/config.py",
    read: "2026-11, Hypercorn 0.18",
};

static WAITRESS: Source = Source {
    document: "Waitress, Arguments: channel_timeout",
    url: "https://docs.pylonsproject.org/projects/waitress/en/stable/arguments.html",
    read: "2026-11, source of 2026-03",
};

static IIS: Source = Source {
    document: "IIS, limits element: connectionTimeout",
    url: "https://learn.microsoft.com/en-us/iis/configuration/system.applicationhost/sites/sitedefaults/limits",
    read: "2026-11, IIS 7 to 8.5",
};

static KESTREL: Source = Source {
    document: ".NET, KestrelServerLimits.KeepAliveTimeout",
    url: "https://learn.microsoft.com/en-us/dotnet/api/microsoft.aspnetcore.server.kestrel.core.kestrelserverlimits.keepalivetimeout",
    read: "2026-11",
};

static KESTREL_REQUESTS: Source = Source {
    document: "ASP.NET Core, Request timeouts middleware",
    url: "https://learn.microsoft.com/en-us/aspnet/core/performance/timeouts",
    read: "2026-11, ASP.NET Core 8 and later",
};

const CLOSED: &str = "a closed connection";
const OWN: &str = "an error of the application";
const KILLED: &str = "a closed connection, because the worker is killed";
const NODE_ALSO: &[&str] = &[
    "server.setTimeout bounds the time in which nothing moves on a socket, and no request; off",
    "server.requestTimeout bounds receiving a request, and not answering it; 300 s",
];
const GATEWAY_TIMEOUT: &str = "504 Gateway Timeout";
const NODE_NOTE: &str = "up to Node.js 25; 65 s from 26";
const NODE_KEEP_ALIVE: &[Knob] = &[knob("Node.js", "server.keepAliveTimeout = {ms};")];
const NODE_SPECS: &[Spec] = &[
    Spec::new(Timer::Total, Preset::Never, OWN, &NODE),
    Spec::new(Timer::KeepAlive, after(5), CLOSED, &NODE).note(NODE_NOTE).set(NODE_KEEP_ALIVE),
];

/// See [`Product::all`](crate::chain::Product::all).
pub(super) static ROWS: &[Product] = &[
    Product::new(
        "gunicorn",
        "Gunicorn",
        Role::Server,
        &[
            Spec::new(Timer::Total, after(30), KILLED, &GUNICORN)
                .note("sync workers; with others it bounds no single request")
                .set(&[knob("Gunicorn", "--timeout {s}")]),
            Spec::new(Timer::KeepAlive, after(2), CLOSED, &GUNICORN)
                .note("sync workers keep none")
                .set(&[knob("Gunicorn", "--keep-alive {s}")]),
        ],
    ),
    Product::new(
        "uvicorn",
        "Uvicorn",
        Role::Server,
        &[
            Spec::new(Timer::Total, Preset::Never, OWN, &UVICORN),
            Spec::new(Timer::KeepAlive, after(5), CLOSED, &UVICORN)
                .set(&[knob("Uvicorn", "--timeout-keep-alive {s}")]),
        ],
    ),
    Product::new("node", "Node.js", Role::Server, NODE_SPECS).does(NODE_ALSO),
    Product::new("express", "Express", Role::Server, NODE_SPECS).does(NODE_ALSO),
    Product::new(
        "puma",
        "Puma",
        Role::Server,
        &[
            Spec::new(Timer::Total, Preset::Never, OWN, &PUMA),
            Spec::new(Timer::KeepAlive, after(20), CLOSED, &PUMA)
                .note("before Puma 7; 65 s since")
                .set(&[knob("Puma", "persistent_timeout {s}")]),
        ],
    ),
    Product::new(
        "php_fpm",
        "PHP-FPM",
        Role::Function,
        &[Spec::new(
            Timer::Total,
            Preset::Never,
            "a closed connection, which nginx makes 502 of",
            &PHP_FPM,
        )
        .set(&[knob("PHP-FPM", "request_terminate_timeout = {s}s")])],
    ),
    Product::new(
        "tomcat",
        "Tomcat",
        Role::Server,
        &[
            Spec::new(Timer::Total, Preset::Never, OWN, &TOMCAT),
            Spec::new(Timer::KeepAlive, after(20), CLOSED, &TOMCAT)
                .note("connectionTimeout of the server.xml that it ships with; 60 s without")
                .set(&[knob("Tomcat", "<Connector keepAliveTimeout=\"{ms}\">")]),
        ],
    ),
    Product::new(
        "spring_boot",
        "Spring Boot",
        Role::Server,
        &[
            Spec::new(Timer::Total, Preset::Never, OWN, &SPRING),
            Spec::new(Timer::KeepAlive, after(60), CLOSED, &SPRING)
                .note("with its embedded Tomcat")
                .set(&[knob("Spring Boot", "server.tomcat.keep-alive-timeout={s}s")]),
        ],
    ),
    Product::new(
        "go_net_http",
        "Go net/http",
        Role::Server,
        &[
            Spec::new(Timer::Total, Preset::Never, "503 Service Unavailable", &GO)
                .set(&[knob("Go", "http.TimeoutHandler(handler, {s}*time.Second, \"timeout\")")]),
            Spec::new(Timer::KeepAlive, Preset::Never, CLOSED, &GO)
                .note("unless IdleTimeout or ReadTimeout is set")
                .set(&[knob("Go", "http.Server{IdleTimeout: {s} * time.Second}")]),
        ],
    ),
    Product::new(
        "kestrel",
        "Kestrel",
        Role::Server,
        &[
            Spec::new(Timer::Total, Preset::Never, GATEWAY_TIMEOUT, &KESTREL_REQUESTS).set(&[
                knob(
                    "ASP.NET Core",
                    "RequestTimeoutPolicy { Timeout = TimeSpan.FromSeconds({s}) }",
                ),
            ]),
            Spec::new(Timer::KeepAlive, after(130), CLOSED, &KESTREL).set(&[knob(
                "Kestrel",
                "serverOptions.Limits.KeepAliveTimeout = TimeSpan.FromSeconds({s});",
            )]),
        ],
    ),
    Product::new(
        "jetty",
        "Jetty",
        Role::Server,
        &[
            Spec::new(Timer::Total, Preset::Never, OWN, &JETTY),
            Spec::new(Timer::KeepAlive, after(30), CLOSED, &JETTY)
                .set(&[knob("Jetty", "jetty.http.idleTimeout={ms}")]),
        ],
    ),
    Product::new(
        "undertow",
        "Undertow",
        Role::Server,
        &[
            Spec::new(Timer::Total, Preset::Never, OWN, &UNDERTOW),
            Spec::new(Timer::KeepAlive, after(60), CLOSED, &UNDERTOW)
                .note("idle without a request; WildFly and Quarkus have settings of their own")
                .set(&[knob(
                    "Undertow",
                    "setServerOption(UndertowOptions.NO_REQUEST_TIMEOUT, {ms})",
                )]),
        ],
    ),
    Product::new(
        "uwsgi",
        "uWSGI",
        Role::Server,
        &[
            Spec::new(Timer::Total, Preset::Never, KILLED, &UWSGI)
                .set(&[knob("uWSGI", "harakiri = {s}")]),
            Spec::new(Timer::KeepAlive, after(0), CLOSED, &UWSGI)
                .note("its HTTP router; kept only with http-keepalive"),
        ],
    ),
    Product::new(
        "passenger",
        "Phusion Passenger",
        Role::Server,
        &[
            Spec::new(Timer::Total, Preset::Never, KILLED, &PASSENGER)
                .note("max_request_time, Enterprise only")
                .set(&[knob("Passenger", "passenger start --max-request-time {s}")]),
            Spec::new(Timer::KeepAlive, after(60), CLOSED, &PASSENGER)
                .note("Standalone; else that of nginx or httpd"),
        ],
    ),
    Product::new(
        "hypercorn",
        "Hypercorn",
        Role::Server,
        &[
            Spec::new(Timer::Total, Preset::Never, OWN, &HYPERCORN),
            Spec::new(Timer::KeepAlive, after(5), CLOSED, &HYPERCORN)
                .set(&[knob("Hypercorn", "--keep-alive {s}")]),
        ],
    ),
    Product::new(
        "waitress",
        "Waitress",
        Role::Server,
        &[
            Spec::new(Timer::Total, Preset::Never, OWN, &WAITRESS),
            Spec::new(Timer::KeepAlive, after(120), CLOSED, &WAITRESS)
                .set(&[knob("Waitress", "--channel-timeout={s}")]),
        ],
    ),
    Product::new(
        "iis",
        "IIS",
        Role::Server,
        &[
            Spec::new(Timer::Total, Preset::Unknown, OWN, &IIS)
                .note("110 s for ASP.NET on the .NET Framework, executionTimeout; none for others")
                .unconfirmed()
                .set(&[knob("web.config", "<httpRuntime executionTimeout=\"{s}\" />")]),
            Spec::new(Timer::KeepAlive, after(120), CLOSED, &IIS).set(&[knob(
                "IIS",
                "appcmd set site NAME /limits.connectionTimeout:{s}  (as hh:mm:ss)",
            )]),
        ],
    ),
    Product::new("app", "the application", Role::Server, &[]),
];
