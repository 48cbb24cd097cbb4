//! What gateways other than Application Load Balancers publish.

use super::{GLOBAL, Metric, Namespace, Source, metric};

/// A metric of a gateway.
const fn of(name: &'static str, unit: &'static str, sets: u8) -> Metric {
    metric(name, unit, sets, Source::Gateway)
}

/// AWS publishes it, and nothing here causes it.
const fn never(name: &'static str, unit: &'static str, sets: u8) -> Metric {
    metric(name, unit, sets, Source::Never)
}

/// What somebody publishes himself: the name of the metric, its dimensions and its unit are
/// known to the world alone.
pub(crate) static CUSTOM: Namespace =
    Namespace { name: "", sets: &[], metrics: &[of("", "", 0)], trimmed: true, region: None };

/// A function, its alias or version, and all functions of an account.
const FUNCTIONS: u8 = 0b1111;

/// Functions.
pub(crate) static LAMBDA: Namespace = Namespace {
    name: "AWS/Lambda",
    sets: &[
        &["FunctionName"],
        &["FunctionName", "Resource"],
        &["ExecutedVersion", "FunctionName", "Resource"],
        &[],
    ],
    metrics: &[
        of("Duration", "Milliseconds", FUNCTIONS),
        of("Invocations", "Count", FUNCTIONS),
        of("Errors", "Count", FUNCTIONS),
        of("Throttles", "Count", FUNCTIONS),
        of("ConcurrentExecutions", "Count", FUNCTIONS),
        never("UnreservedConcurrentExecutions", "Count", 0b1000),
        never("PostRuntimeExtensionsDuration", "Milliseconds", FUNCTIONS),
        never("AsyncEventsReceived", "Count", 0b1),
        never("AsyncEventAge", "Milliseconds", 0b1),
        never("AsyncEventsDropped", "Count", 0b1),
        never("DeadLetterErrors", "Count", 0b1),
        never("IteratorAge", "Milliseconds", 0b1),
        never("UrlRequestLatency", "Milliseconds", 0b1),
        never("UrlRequestCount", "Count", 0b1),
        never("Url5xxCount", "Count", 0b1),
    ],
    trimmed: false,
    region: None,
};

/// REST APIs, by name, with stage, with method.
const REST: u8 = 0b111;
/// HTTP APIs, by id, with stage, with route.
const HTTP: u8 = 0b11_1000;

/// REST APIs and HTTP APIs.
pub(crate) static API_GATEWAY: Namespace = Namespace {
    name: "AWS/ApiGateway",
    sets: &[
        &["ApiName"],
        &["ApiName", "Stage"],
        &["ApiName", "Method", "Resource", "Stage"],
        &["ApiId"],
        &["ApiId", "Stage"],
        &["ApiId", "Method", "Resource", "Stage"],
    ],
    metrics: &[
        of("Latency", "Milliseconds", REST | HTTP),
        of("IntegrationLatency", "Milliseconds", REST | HTTP),
        of("Count", "Count", REST | HTTP),
        of("5XXError", "Count", REST),
        of("4XXError", "Count", REST),
        of("5xx", "Count", HTTP),
        of("4xx", "Count", HTTP),
        never("CacheHitCount", "Count", REST),
        never("CacheMissCount", "Count", REST),
        never("DataProcessed", "Bytes", HTTP),
        // Those of WebSocket APIs.
        of("MessageCount", "Count", HTTP),
        of("IntegrationError", "Count", HTTP),
        never("ConnectCount", "Count", HTTP),
        never("ClientError", "Count", HTTP),
        never("ExecutionError", "Count", HTTP),
    ],
    trimmed: true,
    region: None,
};

/// Distributions.
pub(crate) static CLOUD_FRONT: Namespace = Namespace {
    name: "AWS/CloudFront",
    sets: &[&["DistributionId", "Region"]],
    metrics: &[
        of("Requests", "None", 1),
        of("5xxErrorRate", "Percent", 1),
        of("4xxErrorRate", "Percent", 1),
        of("TotalErrorRate", "Percent", 1),
        metric("OriginLatency", "Milliseconds", 1, Source::Percentiles),
        of("504ErrorRate", "Percent", 1),
        of("502ErrorRate", "Percent", 1),
        of("503ErrorRate", "Percent", 1),
        of("CacheHitRate", "Percent", 1),
        never("BytesDownloaded", "None", 1),
        never("BytesUploaded", "None", 1),
    ],
    trimmed: false,
    region: Some(GLOBAL),
};

/// Classic Load Balancers, whole and by zone.
const ELB: u8 = 0b11;

/// Classic Load Balancers.
pub(crate) static CLASSIC: Namespace = Namespace {
    name: "AWS/ELB",
    sets: &[&["LoadBalancerName"], &["AvailabilityZone", "LoadBalancerName"]],
    metrics: &[
        of("Latency", "Seconds", ELB),
        of("RequestCount", "Count", ELB),
        of("HTTPCode_ELB_5XX", "Count", ELB),
        never("HTTPCode_ELB_4XX", "Count", ELB),
        of("HTTPCode_Backend_2XX", "Count", ELB),
        never("HTTPCode_Backend_3XX", "Count", ELB),
        never("HTTPCode_Backend_4XX", "Count", ELB),
        of("HTTPCode_Backend_5XX", "Count", ELB),
        of("BackendConnectionErrors", "Count", ELB),
        of("HealthyHostCount", "Count", ELB),
        of("UnHealthyHostCount", "Count", ELB),
        of("SpilloverCount", "Count", ELB),
        never("SurgeQueueLength", "Count", ELB),
    ],
    trimmed: true,
    region: None,
};

/// VPC Lattice services, whole and by zone.
const SERVICE: u8 = 0b11;

/// VPC Lattice services.
pub(crate) static LATTICE: Namespace = Namespace {
    name: "AWS/VpcLattice",
    sets: &[&["Service"], &["AvailabilityZone", "Service"], &["TargetGroup"]],
    metrics: &[
        of("RequestTime", "Milliseconds", SERVICE | 0b100),
        of("TotalRequestCount", "Count", SERVICE | 0b100),
        of("HTTPCode_2XX_Count", "Count", SERVICE),
        of("HTTPCode_4XX_Count", "Count", SERVICE),
        of("HTTPCode_5XX_Count", "Count", SERVICE),
        of("RequestTimeoutCount", "Count", SERVICE),
        of("ConnectionTimeoutCount", "Count", 0b100),
    ],
    trimmed: false,
    region: None,
};

/// A service that is called through ECS Service Connect, alone or with its service.
const CONNECT: u8 = 0b11;

/// ECS Service Connect.
pub(crate) static CONTAINERS: Namespace = Namespace {
    name: "AWS/ECS",
    sets: &[
        &["TargetDiscoveryName"],
        &["ClusterName", "ServiceName", "TargetDiscoveryName"],
        &["ClusterName", "ServiceName"],
    ],
    metrics: &[
        of("TargetResponseTime", "Milliseconds", CONNECT),
        of("RequestCount", "Count", CONNECT),
        of("HTTPCode_Target_2XX_Count", "Count", CONNECT),
        of("HTTPCode_Target_5XX_Count", "Count", CONNECT),
        never("CPUUtilization", "Percent", 0b100),
        never("MemoryUtilization", "Percent", 0b100),
    ],
    trimmed: false,
    region: None,
};
