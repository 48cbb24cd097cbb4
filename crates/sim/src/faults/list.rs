//! The faults there are, each with what it takes and what it does.
//!
//! Apart from [`crate::faults::text`], which reads them, so that whoever looks for a
//! fault has one list: the help of `nearmiss sim` prints it.

/// Name, value and meaning. Minutes are those of the scenario by AWS's now, both
/// ends included; a share is between 0 and 1.
pub(crate) static FAULTS: &[(&str, &str, &str)] = &[
    ("throttle", "SHARE", "calls answered Throttling"),
    ("error500", "SHARE", "calls answered HTTP 500"),
    ("partial", "SHARE", "GetMetricData results without their newest points (PartialData)"),
    ("internal", "SHARE", "GetMetricData results answered InternalError"),
    ("lost_page", "SHARE", "calls for a further page answered HTTP 500"),
    ("denied", "ACTION", "IAM actions that are denied, as in denied=ec2:*,ecs:ListClusters"),
    ("expired", "", "every call is answered ExpiredToken"),
    ("slow_ms", "N", "every answer is held back so many milliseconds"),
    ("clock", "SECONDS", "the client's clock is ahead of AWS's; what is to come has no points"),
    (
        "date",
        "ACCOUNT|REGION:SECONDS",
        "the answers to one account or in one Region are dated wrong",
    ),
    ("late", "N", "no points of the last N minutes before a query's EndTime"),
    (
        "publish",
        "SECONDS[:WHOSE]",
        "points appear so many seconds after the end of their minute; WHOSE is metrics and lb=NAME, \
         each behind a colon, and without it everything",
    ),
    (
        "gap",
        "FROM-TO[:MINUTES][:FILL][:WHOSE]",
        "these minutes have no points until so many minutes (10) after the last of them; FILL is \
         once, oldest, newest or shuffled (one a minute then), or each (that late after each)",
    ),
    (
        "lag",
        "FROM-TO:MINUTES[:FILL][:WHOSE]",
        "in this time what would appear does so many minutes later; when it is over the rest comes \
         in as FILL says",
    ),
    (
        "partly",
        "FROM-TO:SECONDS[:WHOSE]",
        "these minutes have 20 to 80 % of their requests until so many seconds after their end",
    ),
    ("revise", "SHARE", "minutes that are incomplete until 150 s after their end"),
    ("revise_late", "SHARE", "minutes that are incomplete until 7 minutes after their end"),
    ("shuffle", "SHARE", "GetMetricData results whose points are out of order"),
    ("duplicate", "SHARE", "GetMetricData results that repeat some points"),
    ("cut", "SHARE", "answers that break off in the middle"),
    ("stall", "SHARE", "answers that stop in the middle and stay open"),
    (
        "hostile",
        "ACTION/KIND[/WHEN]",
        "answers no AWS would give: to calls of this action (cloudwatch:GetMetricData, \
         elasticloadbalancing:*, *), always, to a SHARE of them or FROM-TO. KIND is hang, slow (a \
         byte a second), endless, cut, stall, empty, malformed, garbage, html, type:TYPE, \
         status:N, redirect[:STATUS], loop[:STATUS], huge[:MIB], error:CODE, ok_error:CODE (HTTP \
         200), token:empty|same|new (pages without end), values:fewer|more|NUMBER (also NaN, inf), \
         times:outside|unaligned|1970|2100|SECONDS, ids:unknown|extra|duplicate|none, \
         messages[:N], code:STATUS_CODE, without:FIELD, set:FIELD=VALUE, attribute:KEY[=VALUE], \
         or names:control|raw|rtl|long",
    ),
    ("expire", "FROM-TO", "every call is answered ExpiredToken"),
    ("down", "FROM-TO", "every call is answered HTTP 503"),
    ("throttled", "FROM-TO", "every GetMetricData is throttled"),
    ("retention", "", "old points are gone, and old times want long periods"),
    (
        "timeout",
        "NAME:MINUTE:SECONDS",
        "the timeout of a load balancer or another gateway becomes another",
    ),
    ("create", "NAME:MINUTE", "a load balancer or another gateway comes into being"),
    ("delete", "NAME:MINUTE", "a load balancer or another gateway is deleted"),
    ("recreate", "NAME:MINUTE", "a load balancer is deleted and created under another ARN"),
    (
        "idle",
        "NAME:MINUTE[:MINUTES]",
        "nobody comes to a load balancer or another gateway for so many minutes, or ever",
    ),
    ("linked", "ACCOUNT", "one more account, which shares its metrics"),
    ("external_id", "TEXT", "what AssumeRole has to bring"),
    ("functions", "N", "how many functions there are, 1 to 2000; the scenario's last is repeated"),
    (
        "trimmed",
        "NAMESPACE",
        "one more namespace that takes TC, PR, TM, TS, WM and IQM; AWS documents them for \
         AWS/ApplicationELB, AWS/ELB and AWS/ApiGateway, and the others refuse them",
    ),
    (
        "sampled",
        "KIND",
        "requests that time out leave a sample of the latency; KIND is integration \
         (IntegrationLatency), http_api (its Latency), cloudfront, lattice, connect or custom, and \
         without it they leave none",
    ),
    ("lattice_dimension", "id|name", "what the dimension Service holds; id unless told otherwise"),
    (
        "lattice_idle",
        "zero|nothing",
        "what VPC Lattice publishes in minutes without requests; zero unless told otherwise",
    ),
    (
        "connect_unit",
        "Milliseconds|Seconds",
        "unit of the response times of ECS Service Connect; Milliseconds unless told otherwise",
    ),
    (
        "origin_statistics",
        "percentiles|all",
        "which statistics OriginLatency has; percentiles unless told otherwise",
    ),
    (
        "custom",
        "NAMESPACE|METRIC|UNIT|raw or sets|NAME=VALUE;NAME=VALUE",
        "another custom metric instead of the scenario's; statistic sets have no percentiles",
    ),
    ("sns_down", "N", "the first N Publish are answered HTTP 500"),
    ("sns_out", "FROM-TO", "every Publish is answered HTTP 503"),
    ("sns_throttle", "SHARE", "Publish answered Throttling"),
    ("sns_error", "SHARE", "Publish answered HTTP 500 and not accepted"),
    ("sns_lost", "SHARE", "Publish accepted and answered HTTP 500"),
    ("sns_cut", "SHARE", "Publish accepted, and the answer breaks off"),
    ("sns_slow_ms", "N", "answers to Publish are held back so many milliseconds"),
    (
        "sns_kms",
        "CODE",
        "how KMS refuses: KMSAccessDenied, KMSDisabled, KMSInvalidState, KMSNotFound, \
         KMSOptInRequired or KMSThrottling",
    ),
    ("sns_deny", "TOPIC", "a topic the caller may not publish to"),
    ("topic", "TOPIC", "one more topic"),
    ("foreign_topic", "ARN", "another account's topic that lets us publish"),
    ("chat_failing", "FROM-TO", "chat messages are not delivered"),
];

/// The names alone, for whoever gave another one.
pub(crate) fn names() -> String {
    FAULTS.iter().map(|fault| fault.0).collect::<Vec<_>>().join(", ")
}

/// The list as text, one fault a paragraph.
#[must_use]
pub fn fault_list() -> String {
    let line = |(name, value, what): &(&str, &str, &str)| {
        let equals = if value.is_empty() { "" } else { "=" };
        format!("  {name}{equals}{value}\n      {what}")
    };
    FAULTS.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FaultError, Faults};

    #[test]
    fn every_fault_of_the_list_is_known() {
        for (name, ..) in FAULTS {
            let read = format!("{name}=!").parse::<Faults>();
            assert!(!matches!(read, Err(FaultError::Unknown(_))), "{name}");
            assert!(fault_list().contains(&format!("  {name}")), "{name}");
        }
        let unknown = "thottle=1".parse::<Faults>().expect_err("unknown");
        assert!(unknown.to_string().ends_with(&names()), "{unknown}");
    }
}
