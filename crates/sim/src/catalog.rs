//! What AWS publishes for Application Load Balancers and chat configurations:
//! metrics, units, dimensions.
//!
//! The simulator's own list, so that a query for something AWS never publishes
//! fails loudly here instead of staying silently empty.

/// The namespace of the load balancers.
pub(crate) const NAMESPACE: &str = "AWS/ApplicationELB";
/// The namespace of the chat configurations.
pub(crate) const CHAT: &str = "AWS/Chatbot";

/// Bits of dimension sets.
pub(crate) const LB: u8 = 1;
pub(crate) const AZ: u8 = 2;
pub(crate) const TG: u8 = 4;
pub(crate) const TGAZ: u8 = 8;
pub(crate) const ONLY_TG: u8 = 16;
pub(crate) const ONLY_TG_AZ: u8 = 32;
pub(crate) const CONFIGURATION: u8 = 64;

/// Where a metric's values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Latency samples in seconds.
    Latency,
    /// A 1 per matching request.
    Requests(Count),
    /// A gauge or something derived per minute.
    Derived(Derived),
    /// A 1 per matching event of a chat configuration.
    Chat(Chat),
    /// Published by AWS, but nothing here ever causes it.
    Never,
}

/// Which requests a counter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    All,
    Elb504,
    Elb503,
    Elb502,
    Elb5xx,
    Target2xx,
    Target5xx,
    ConnectionErrors,
    HandshakeErrors,
    Elb4xx,
    Rejected,
    /// The Lambda service did not answer.
    LambdaErrors,
    /// The function failed or took too long.
    FunctionErrors,
}

/// Which events of a chat configuration a counter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chat {
    Processed,
    Throttled,
    Unsupported,
    Delivered,
    Failed,
}

/// Values that are not simply requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Derived {
    HealthyHosts,
    UnhealthyHosts,
    AnomalousHosts,
    PerTarget,
    ActiveConnections,
    NewConnections,
    ProcessedBytes,
    ConsumedLcus,
    /// Used share of what the load balancer can do, percent.
    Capacity,
    /// Requests sent to targets none of which is healthy.
    FailedOpen,
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    /// Bits of the dimension sets it is published for.
    pub(crate) sets: u8,
    pub(crate) source: Source,
}

const fn metric(name: &'static str, unit: &'static str, sets: u8, source: Source) -> Metric {
    Metric { name, unit, sets, source }
}

const fn never(name: &'static str, sets: u8) -> Metric {
    metric(name, "Count", sets, Source::Never)
}

const fn chat(name: &'static str, what: Chat) -> Metric {
    metric(name, "Count", CONFIGURATION, Source::Chat(what))
}

const ALL: u8 = LB | AZ | TG | TGAZ;

/// Every metric of a chat configuration.
pub(crate) static CHAT_METRICS: &[Metric] = &[
    chat("EventsProcessed", Chat::Processed),
    chat("EventsThrottled", Chat::Throttled),
    chat("UnsupportedEvents", Chat::Unsupported),
    chat("MessageDeliverySuccess", Chat::Delivered),
    chat("MessageDeliveryFailure", Chat::Failed),
];

/// Every metric of a load balancer.
pub(crate) static METRICS: &[Metric] = &[
    metric("TargetResponseTime", "Seconds", ALL, Source::Latency),
    metric("RequestCount", "Count", ALL, Source::Requests(Count::All)),
    metric("HTTPCode_ELB_504_Count", "Count", LB | AZ, Source::Requests(Count::Elb504)),
    metric("HTTPCode_ELB_502_Count", "Count", LB | AZ, Source::Requests(Count::Elb502)),
    metric("HTTPCode_ELB_5XX_Count", "Count", LB | AZ, Source::Requests(Count::Elb5xx)),
    metric("HTTPCode_Target_2XX_Count", "Count", ALL, Source::Requests(Count::Target2xx)),
    metric("HTTPCode_Target_5XX_Count", "Count", ALL, Source::Requests(Count::Target5xx)),
    metric("TargetConnectionErrorCount", "Count", ALL, Source::Requests(Count::ConnectionErrors)),
    metric("HealthyHostCount", "Count", TG | TGAZ, Source::Derived(Derived::HealthyHosts)),
    metric("UnHealthyHostCount", "Count", TG | TGAZ, Source::Derived(Derived::UnhealthyHosts)),
    metric(
        "RequestCountPerTarget",
        "Count",
        ONLY_TG | ONLY_TG_AZ | TG | TGAZ,
        Source::Derived(Derived::PerTarget),
    ),
    metric("ActiveConnectionCount", "Count", LB | AZ, Source::Derived(Derived::ActiveConnections)),
    metric("NewConnectionCount", "Count", LB | AZ, Source::Derived(Derived::NewConnections)),
    metric("ProcessedBytes", "Bytes", LB | AZ, Source::Derived(Derived::ProcessedBytes)),
    metric("ConsumedLCUs", "Count", LB, Source::Derived(Derived::ConsumedLcus)),
    never("HTTPCode_ELB_500_Count", LB | AZ),
    metric("HTTPCode_ELB_503_Count", "Count", LB | AZ, Source::Requests(Count::Elb503)),
    metric("HTTPCode_ELB_4XX_Count", "Count", LB | AZ, Source::Requests(Count::Elb4xx)),
    never("HTTPCode_ELB_3XX_Count", LB | AZ),
    never("HTTPCode_Target_3XX_Count", ALL),
    never("HTTPCode_Target_4XX_Count", ALL),
    metric(
        "TargetTLSNegotiationErrorCount",
        "Count",
        ALL,
        Source::Requests(Count::HandshakeErrors),
    ),
    never("ClientTLSNegotiationErrorCount", LB | AZ),
    metric("RejectedConnectionCount", "Count", LB | AZ, Source::Requests(Count::Rejected)),
    metric("AnomalousHostCount", "Count", TG | TGAZ, Source::Derived(Derived::AnomalousHosts)),
    never("MitigatedHostCount", TG | TGAZ),
    never("ActiveZonalShiftHostCount", TG | TGAZ),
    metric(
        "UnhealthyRoutingRequestCount",
        "Count",
        TG | TGAZ,
        Source::Derived(Derived::FailedOpen),
    ),
    never("HealthyStateDNS", TG | TGAZ),
    never("HealthyStateRouting", TG | TGAZ),
    never("UnhealthyStateDNS", TG | TGAZ),
    never("UnhealthyStateRouting", TG | TGAZ),
    never("PeakLCUs", LB),
    never("ReservedLCUs", LB),
    metric("CapacityUtilization", "Percent", LB, Source::Derived(Derived::Capacity)),
    metric("IPv6ProcessedBytes", "Bytes", LB | AZ, Source::Never),
    never("IPv6RequestCount", LB | AZ),
    never("RuleEvaluations", LB),
    metric("LambdaInternalError", "Count", ONLY_TG | TG, Source::Requests(Count::LambdaErrors)),
    metric("LambdaUserError", "Count", ONLY_TG | TG, Source::Requests(Count::FunctionErrors)),
    metric("LambdaTargetProcessedBytes", "Bytes", LB, Source::Never),
    never("HTTP_Fixed_Response_Count", LB | AZ),
    never("HTTP_Redirect_Count", LB | AZ),
    never("HTTP_Redirect_Url_Limit_Exceeded_Count", LB | AZ),
    never("GrpcRequestCount", ALL),
    never("NonStickyRequestCount", LB | AZ),
    never("DesyncMitigationMode_NonCompliant_Request_Count", LB | AZ),
    never("DroppedInvalidHeaderRequestCount", AZ),
    never("ForwardedInvalidHeaderRequestCount", AZ),
    never("LowReputationPacketsDropped", LB | AZ),
    never("LowReputationRequestsDenied", LB | AZ),
    never("ExcessiveLowReputationPackets", LB | AZ),
];

impl Metric {
    /// Whether AWS publishes the metric for this set of dimensions.
    pub(crate) fn published_for(&self, place: &Place) -> bool {
        self.sets & place.bit() != 0
    }

    /// Whether the set of load balancer (and group, and zone) exists for this metric.
    pub(crate) fn has_set(&self, group: bool, zone: bool) -> bool {
        let place = Place {
            balancer: Some(String::new()),
            group: group.then(String::new),
            zone: zone.then(String::new),
            ..Place::default()
        };
        self.published_for(&place)
    }
}

/// The metrics of a namespace; otherwise says which namespaces there are.
pub(crate) fn metrics(namespace: &str) -> Result<&'static [Metric], String> {
    match namespace {
        NAMESPACE => Ok(METRICS),
        CHAT => Ok(CHAT_METRICS),
        _ => {
            let nearest = [NAMESPACE, CHAT].into_iter().min_by_key(|one| distance(one, namespace));
            Err(format!(
                "namespace '{namespace}' is not published here; did you mean '{}'?",
                nearest.unwrap_or(NAMESPACE)
            ))
        }
    }
}

/// Finds a metric; otherwise says what was asked and what comes nearest.
pub(crate) fn find(namespace: &str, name: &str) -> Result<&'static Metric, String> {
    let metrics = metrics(namespace)?;
    metrics.iter().find(|metric| metric.name == name).ok_or_else(|| {
        let nearest = metrics.iter().min_by_key(|metric| distance(metric.name, name));
        format!(
            "AWS publishes no metric '{name}' in {namespace}; did you mean '{}'?",
            nearest.map_or("", |metric| metric.name)
        )
    })
}

/// Edit distance, ignoring case.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

/// What a set of dimensions points at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) balancer: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) zone: Option<String>,
    /// Name of a chat configuration, which has nothing to do with the rest.
    pub(crate) configuration: Option<String>,
}

impl Place {
    /// The bit of this set of dimensions.
    pub(crate) fn bit(&self) -> u8 {
        if self.configuration.is_some() {
            return CONFIGURATION;
        }
        match (self.balancer.is_some(), self.group.is_some(), self.zone.is_some()) {
            (true, false, false) => LB,
            (true, false, true) => AZ,
            (true, true, false) => TG,
            (true, true, true) => TGAZ,
            (false, true, false) => ONLY_TG,
            (false, true, true) => ONLY_TG_AZ,
            (false, false, _) => 0,
        }
    }

    /// The dimensions of a place in `CloudWatch`'s order.
    pub(crate) fn dimensions(&self) -> Vec<(&'static str, String)> {
        let parts = [
            ("AvailabilityZone", &self.zone),
            ("ConfigurationName", &self.configuration),
            ("LoadBalancer", &self.balancer),
            ("TargetGroup", &self.group),
        ];
        let named = parts.into_iter();
        named.filter_map(|(name, value)| value.clone().map(|value| (name, value))).collect()
    }
}
