//! Databases and caches, the inner end of a chain.

use crate::chain::figure::Source;
use crate::chain::figure::Timer;
use crate::chain::product::{Preset, Product, Role, Spec};
use crate::chain::products::{after, knob};

static POSTGRES: Source = Source {
    document: "PostgreSQL, Client Connection Defaults",
    url: "https://www.postgresql.org/docs/current/runtime-config-client.html",
    read: "2026-11, PostgreSQL 15",
};

static MYSQL: Source = Source {
    document: "MySQL, Server System Variables",
    url: "https://dev.mysql.com/doc/refman/8.4/en/server-system-variables.html",
    read: "2026-11, MySQL 8",
};

static REDIS: Source = Source {
    document: "Redis, redis.conf",
    url: "https://redis.io/docs/latest/operate/oss_and_stack/management/config-file/",
    read: "2026-11, Redis 7.0",
};

static SQL_SERVER: Source = Source {
    document: "SQL Server, remote query timeout: of no effect on queries that it receives",
    url: "https://learn.microsoft.com/en-us/sql/database-engine/configure-windows/configure-the-remote-query-timeout-server-configuration-option",
    read: "2026-11, page of 2017",
};

static MONGODB: Source = Source {
    document: "MongoDB, defaultMaxTimeMS",
    url: "https://www.mongodb.com/docs/manual/reference/cluster-parameters/defaultMaxTimeMS/",
    read: "2026-11: not read, the page was not to be had",
};

const ERROR: &str = "an error of the query";
const CLOSED: &str = "a closed connection";

/// See [`Product::all`](crate::chain::Product::all).
pub(super) static ROWS: &[Product] = &[
    Product::new(
        "postgres",
        "PostgreSQL",
        Role::Store,
        &[
            Spec::new(Timer::Total, Preset::Never, ERROR, &POSTGRES)
                .per_statement()
                .set(&[knob("PostgreSQL", "ALTER ROLE app SET statement_timeout = '{s}s';")]),
            Spec::new(Timer::KeepAlive, Preset::Never, CLOSED, &POSTGRES)
                .set(&[knob("PostgreSQL", "idle_session_timeout = '{s}s'")]),
        ],
    ),
    Product::new(
        "mysql",
        "MySQL",
        Role::Store,
        &[
            Spec::new(Timer::Total, Preset::Never, ERROR, &MYSQL)
                .per_statement()
                .note("max_execution_time, which bounds SELECT alone")
                .set(&[knob("MySQL", "SET GLOBAL max_execution_time = {ms};")]),
            Spec::new(Timer::KeepAlive, after(28_800), CLOSED, &MYSQL)
                .set(&[knob("MySQL", "SET GLOBAL wait_timeout = {s};")]),
        ],
    ),
    Product::new(
        "redis",
        "Redis",
        Role::Store,
        &[Spec::new(Timer::KeepAlive, Preset::Never, CLOSED, &REDIS)
            .set(&[knob("Redis", "CONFIG SET timeout {s}")])],
    ),
    Product::new(
        "sql_server",
        "SQL Server",
        Role::Store,
        &[
            Spec::new(Timer::Total, Preset::Never, ERROR, &SQL_SERVER)
                .per_statement()
                .note("the server has none; drivers have their own, 30 s in SqlClient")
                .set(&[knob("connection string", "Command Timeout={s}")]),
            Spec::new(Timer::KeepAlive, Preset::Never, CLOSED, &SQL_SERVER).unconfirmed(),
        ],
    ),
    Product::new(
        "mongodb",
        "MongoDB",
        Role::Store,
        &[
            Spec::new(Timer::Total, Preset::Never, ERROR, &MONGODB)
                .per_statement()
                .note("maxTimeMS of an operation, defaultMaxTimeMS of the cluster")
                .unconfirmed()
                .set(&[knob("MongoDB", "db.adminCommand({setClusterParameter: {defaultMaxTimeMS: {readOperations: {ms}}}})")]),
            Spec::new(Timer::KeepAlive, Preset::Never, CLOSED, &MONGODB).unconfirmed(),
        ],
    ),
];
