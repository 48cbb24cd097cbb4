//! Gateways that are no Application Load Balancers: what a scenario says of each.
//!
//! The traffic of a gateway is that of its parts, each with a [`Plan`] as a load balancer
//! has one: how many requests, how long they take, what happens, and after which time they
//! are given up. What kind of gateway it is decides what AWS describes and publishes of it.

use crate::scenario::host::HOST;
use crate::scenario::plan::{Plan, Trouble};

/// One gateway of a scenario.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GatewayPlan {
    /// Its name; two REST APIs may share one.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) parts: &'static [Part],
    /// Minute of the scenario in which it is deleted, if it is.
    pub(crate) deleted: Option<i64>,
    /// How many functions there are like it besides, with less traffic.
    pub(crate) copies: usize,
}

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
    /// A `CloudFront` distribution; its parts are its origins.
    Distribution {
        /// Whether its additional metrics are paid for.
        monitored: bool,
        /// How often an origin is tried.
        attempts: u8,
    },
    /// A Classic Load Balancer.
    Classic {
        /// Whether its listener is one of TCP.
        tcp: bool,
    },
    /// A service of VPC Lattice.
    Lattice,
    /// An ECS service that others call through Service Connect.
    Connect {
        /// Whether its timeout is written down; otherwise Envoy's default is in force.
        explicit: bool,
    },
    /// A metric somebody publishes himself.
    Custom(&'static Custom),
}

/// An API of API Gateway.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Api {
    pub(crate) stage: &'static str,
    /// Whether there are metrics of each method or route.
    pub(crate) detailed: bool,
    /// Whether another API before it has the same name.
    pub(crate) namesake: bool,
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

/// A part of a gateway's traffic, which ends after a timeout of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    /// Method and path of an API, name of an origin; else of no account.
    pub(crate) name: &'static str,
    pub(crate) plan: Plan,
    /// Parts with the same address have the same requests, if it is not empty.
    pub(crate) stream: &'static str,
    pub(crate) behind: Behind,
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

/// Everyday traffic of a part, to be changed.
pub(crate) const BASE: Plan = Plan {
    name: "",
    rate: 300.0,
    swing: 0.1,
    timeout: 60,
    groups: 1,
    targets: 1,
    trouble: Trouble::None,
    host: HOST,
};

/// A part that servers answer, with requests of its own.
pub(crate) const fn part(name: &'static str, plan: Plan) -> Part {
    Part { name, plan, stream: "", behind: Behind::Servers }
}
