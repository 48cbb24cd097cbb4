//! Gateways that are no Application Load Balancers: what a scenario says of each.
//!
//! The traffic of a gateway is that of its parts, see [`crate::scenario::plan::Part`]. What kind
//! of gateway it is decides what AWS describes and publishes of it.

/// What kind of gateway there is, with what AWS describes of it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A Lambda function.
    Function {
        /// Memory, MiB.
        memory: u32,
    },
    /// A REST API of API Gateway with one stage.
    Rest(Api),
    /// An HTTP API of API Gateway with one stage.
    Http(Api),
    /// A WebSocket API, which the service lists among the HTTP APIs.
    Socket(Api),
    /// A `CloudFront` distribution; its parts are its origins.
    Distribution {
        /// Whether its additional metrics are paid for.
        monitored: bool,
        /// How often an origin is tried.
        attempts: u8,
    },
    /// A Classic Load Balancer.
    Classic {
        /// What it listens for.
        listeners: Listeners,
    },
    /// A service of VPC Lattice.
    Lattice,
    /// An ECS service that others call through Service Connect.
    Connect {
        /// What is written down of its timeout.
        shown: Shown,
    },
    /// A metric somebody publishes himself.
    Custom(&'static Custom),
}

/// What a Classic Load Balancer listens for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listeners {
    Https,
    Tcp,
    /// Both, each with half of the traffic.
    Both,
}

/// What a service of Service Connect says of its timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// The timeout.
    Timeout,
    /// Nothing: the proxy's default is in force.
    Nothing,
    /// Zero: there is none.
    Zero,
}

/// An API of API Gateway.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Api {
    pub(crate) stage: &'static str,
    /// Whether there are metrics of each method or route.
    pub(crate) detailed: bool,
    /// Whether another API before it has the same name.
    pub(crate) namesake: bool,
    /// Whether an authorizer of its own is asked first, now and then for many seconds.
    pub(crate) authorized: bool,
    /// What the draft says of every timeout, milliseconds, if it was never deployed.
    pub(crate) drafted: Option<u32>,
}

/// A custom metric of response times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Custom {
    pub(crate) namespace: &'static str,
    pub(crate) metric: &'static str,
    pub(crate) dimensions: &'static [(&'static str, &'static str)],
    /// `Seconds` or `Milliseconds`.
    pub(crate) unit: &'static str,
    /// Whether it is published as statistic sets, which have no percentiles.
    pub(crate) sets: bool,
}

/// What answers the requests of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// Servers of some kind.
    Servers,
    /// The function of this name. If its timeout is the shorter one, that is the plan's, and
    /// the API has this one, seconds.
    Function(&'static str, Option<u32>),
    /// Nothing: the API answers itself.
    Mock,
    /// Servers whose answers are streamed, which have other timeouts.
    Stream,
}
