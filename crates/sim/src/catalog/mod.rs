//! What AWS publishes: namespaces, metrics, units, dimensions.
//!
//! The simulator's own list, so that a query for something AWS never publishes
//! fails loudly here instead of staying silently empty. Load balancers and chat
//! configurations are listed here, the other gateways in [`gateways`].

pub(crate) mod gateways;

/// The namespace of the load balancers.
pub(crate) const NAMESPACE: &str = "AWS/ApplicationELB";
/// The namespace of the chat configurations.
pub(crate) const CHAT: &str = "AWS/Chatbot";

/// Bits of the dimension sets of a load balancer.
pub(crate) const LB: u8 = 1;
pub(crate) const AZ: u8 = 2;
pub(crate) const TG: u8 = 4;
pub(crate) const TGAZ: u8 = 8;
pub(crate) const ONLY_TG: u8 = 16;
pub(crate) const ONLY_TG_AZ: u8 = 32;
/// The only one of a chat configuration.
const CONFIGURATION: u8 = 1;

/// A namespace.
#[derive(Debug)]
pub(crate) struct Namespace {
    pub(crate) name: &'static str,
    /// The sets of dimensions there are, their names in order; bit n of a metric's sets is
    /// the set of this number.
    pub(crate) sets: &'static [&'static [&'static str]],
    pub(crate) metrics: &'static [Metric],
    /// Whether AWS documents statistics of trimmed values (TC, PR and their like) for it:
    /// CloudWatch's user guide names API Gateway, Application Load Balancer, EC2, Elastic
    /// Load Balancing, Kinesis and RDS.
    pub(crate) trimmed: bool,
    /// The only Region that has it, if there is one.
    pub(crate) region: Option<&'static str>,
}

/// Every namespace there is.
pub(crate) static NAMESPACES: [&Namespace; 8] = [
    &BALANCERS,
    &CONFIGURATIONS,
    &gateways::LAMBDA,
    &gateways::API_GATEWAY,
    &gateways::CLOUD_FRONT,
    &gateways::CLASSIC,
    &gateways::LATTICE,
    &gateways::CONTAINERS,
];

/// What load balancers publish.
static BALANCERS: Namespace = Namespace {
    name: NAMESPACE,
    sets: &[
        &["LoadBalancer"],
        &["AvailabilityZone", "LoadBalancer"],
        &["LoadBalancer", "TargetGroup"],
        &["AvailabilityZone", "LoadBalancer", "TargetGroup"],
        &["TargetGroup"],
        &["AvailabilityZone", "TargetGroup"],
    ],
    metrics: METRICS,
    trimmed: true,
    region: None,
};

/// What chat configurations publish.
static CONFIGURATIONS: Namespace = Namespace {
    name: CHAT,
    sets: &[&["ConfigurationName"]],
    metrics: CHAT_METRICS,
    trimmed: false,
    region: Some(GLOBAL),
};

/// The Region of services that have no Region.
pub(crate) const GLOBAL: &str = "us-east-1";

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
    /// What a gateway of another kind makes of its requests, by the name of the metric.
    Gateway,
    /// The same, of which AWS calls percentiles alone valid.
    Percentiles,
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
    /// Whether the set of load balancer (and group, and zone) exists for this metric.
    pub(crate) fn has_set(&self, group: bool, zone: bool) -> bool {
        let bit = match (group, zone) {
            (false, false) => LB,
            (false, true) => AZ,
            (true, false) => TG,
            (true, true) => TGAZ,
        };
        self.sets & bit != 0
    }
}

impl Namespace {
    /// The metric of this name; otherwise says what comes nearest.
    pub(crate) fn metric(&self, name: &str) -> Result<&'static Metric, String> {
        self.metrics.iter().find(|metric| metric.name == name).ok_or_else(|| {
            let nearest = self.metrics.iter().min_by_key(|metric| distance(metric.name, name));
            format!(
                "AWS publishes no metric '{name}' in {}; did you mean '{}'?",
                self.name,
                nearest.map_or("", |metric| metric.name)
            )
        })
    }

    /// Whether a metric is published for a set of dimensions, given their names in order.
    pub(crate) fn publishes(&self, metric: &Metric, names: &[&str]) -> bool {
        let number = self.sets.iter().position(|set| *set == names);
        number.is_some_and(|number| metric.sets >> number & 1 == 1)
    }
}

/// The namespace of this name; otherwise says what comes nearest.
pub(crate) fn namespace(name: &str) -> Result<&'static Namespace, String> {
    NAMESPACES.into_iter().find(|one| one.name == name).ok_or_else(|| {
        let nearest = NAMESPACES.into_iter().min_by_key(|one| distance(one.name, name));
        format!(
            "namespace '{name}' is not published here; did you mean '{}'?",
            nearest.map_or(NAMESPACE, |one| one.name)
        )
    })
}

/// Finds a metric; otherwise says what was asked and what comes nearest.
pub(crate) fn find(space: &str, name: &str) -> Result<&'static Metric, String> {
    namespace(space)?.metric(name)
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

/// What a set of dimensions points at: their names and values in the order of the names,
/// which is `CloudWatch`'s.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Place(Vec<(String, String)>);

impl Place {
    /// The place of dimensions in any order.
    pub(crate) fn new<N: Into<String>, V: Into<String>>(
        dimensions: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let named = dimensions.into_iter().map(|(name, value)| (name.into(), value.into()));
        let mut named: Vec<(String, String)> = named.collect();
        named.sort();
        Self(named)
    }

    /// The value of a dimension.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|one| one.0 == name).map(|one| one.1.as_str())
    }

    /// The dimensions in `CloudWatch`'s order.
    pub(crate) fn dimensions(&self) -> &[(String, String)] {
        &self.0
    }

    /// Their names.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.0.iter().map(|one| one.0.as_str()).collect()
    }
}
