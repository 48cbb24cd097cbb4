//! Attributes of load balancers and target groups: every key, with its value.

use crate::scenario::host::Host;
use crate::wire::document::Value;
use crate::world::Balancer;
use crate::world::World;

/// Keys every load balancer has.
const COMMON: &[(&str, &str)] = &[
    ("access_logs.s3.enabled", "false"),
    ("access_logs.s3.bucket", ""),
    ("access_logs.s3.prefix", ""),
    ("deletion_protection.enabled", "false"),
    ("ipv6.deny_all_igw_traffic", "false"),
    ("load_balancing.cross_zone.enabled", "true"),
    ("zonal_shift.config.enabled", "false"),
];

/// Keys of an application load balancer.
const APPLICATION: &[(&str, &str)] = &[
    ("client_keep_alive.seconds", "3600"),
    ("connection_logs.s3.enabled", "false"),
    ("connection_logs.s3.bucket", ""),
    ("connection_logs.s3.prefix", ""),
    ("health_check_logs.s3.enabled", "false"),
    ("health_check_logs.s3.bucket", ""),
    ("health_check_logs.s3.prefix", ""),
    ("routing.http.desync_mitigation_mode", "defensive"),
    ("routing.http.drop_invalid_header_fields.enabled", "false"),
    ("routing.http.preserve_host_header.enabled", "false"),
    ("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false"),
    ("routing.http.xff_client_port.enabled", "false"),
    ("routing.http.xff_header_processing.mode", "append"),
    ("routing.http2.enabled", "true"),
    ("waf.fail_open.enabled", "false"),
];

/// Keys every target group has.
const GROUP: &[(&str, &str)] = &[
    ("stickiness.enabled", "false"),
    ("stickiness.type", "lb_cookie"),
    ("stickiness.lb_cookie.duration_seconds", "86400"),
    ("stickiness.app_cookie.cookie_name", ""),
    ("stickiness.app_cookie.duration_seconds", "86400"),
    ("target_group_health.dns_failover.minimum_healthy_targets.count", "1"),
    ("target_group_health.dns_failover.minimum_healthy_targets.percentage", "off"),
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1"),
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off"),
];

/// Attributes of a load balancer in an epoch minute.
pub(crate) fn of_balancer(world: &World, one: &Balancer, minute: i64) -> Value {
    if one.dimension.starts_with("net/") {
        let special = ("dns_record.client_routing_policy", "any_availability_zone");
        return attributes(COMMON.iter().copied().chain([special]));
    }
    let timeout = world.timeout(&one.source, minute).to_string();
    let idle = ("idle_timeout.timeout_seconds", timeout.as_str());
    attributes(COMMON.iter().copied().chain([idle]).chain(APPLICATION.iter().copied()))
}

/// Attributes of a target group; a function has neither connections nor zones.
pub(crate) fn of_group(host: &Host) -> Value {
    let delay = host.delay.to_string();
    let cross = if host.cross_zone { "use_load_balancer_configuration" } else { "false" };
    let own: Vec<(&str, &str)> = if host.is_lambda() {
        vec![("lambda.multi_value_headers.enabled", "false")]
    } else {
        vec![
            ("deregistration_delay.timeout_seconds", &delay),
            ("slow_start.duration_seconds", "0"),
            ("load_balancing.algorithm.type", host.algorithm),
            ("load_balancing.algorithm.anomaly_mitigation", "off"),
            ("load_balancing.cross_zone.enabled", cross),
        ]
    };
    attributes(own.into_iter().chain(GROUP.iter().copied()))
}

fn attributes<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    let pair =
        |(key, value): (&str, &str)| Value::record([("Key", key.into()), ("Value", value.into())]);
    Value::record([("Attributes", Value::List(pairs.map(pair).collect()))])
}
