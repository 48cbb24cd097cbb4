//! Where the targets of a load balancer run, and how its target groups are set up.
//!
//! Only settings that AWS shows and that stay the same for a whole story; what
//! changes in its course is a step of the script. A plan takes [`HOST`] and changes
//! what its story needs.

/// What kind of targets there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// EC2 instances, registered by id.
    Instances,
    /// Tasks of an ECS service, registered by address.
    Tasks,
    /// Addresses inside the VPC that nobody but their owner keeps up to date.
    Pods,
    /// Addresses in a peered VPC.
    Peered,
    /// A Lambda function.
    Lambda,
}

/// The settings of a load balancer's target groups.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Host {
    pub(crate) kind: Kind,
    /// Whether the targets speak TLS.
    pub(crate) https: bool,
    /// Whether every node sends to the targets of every zone.
    pub(crate) cross_zone: bool,
    /// How a target is chosen.
    pub(crate) algorithm: &'static str,
    /// Deregistration delay, seconds.
    pub(crate) delay: u32,
    pub(crate) check: Check,
    /// Namespace and name of the Kubernetes service behind each target group, if the AWS Load
    /// Balancer Controller made them.
    pub(crate) services: &'static [(&'static str, &'static str)],
    /// `stopTimeout` of the containers, seconds, if set.
    pub(crate) stop_timeout: Option<u32>,
    /// Memory of a container or function, MiB.
    pub(crate) memory: u32,
    /// Timeout of the Lambda function, seconds.
    pub(crate) function_timeout: u32,
}

/// How the health of targets is checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Check {
    /// A port of its own; otherwise the traffic port.
    pub(crate) port: Option<u16>,
    pub(crate) path: &'static str,
    pub(crate) matcher: &'static str,
    /// Seconds between two checks, and how long one may take.
    pub(crate) interval: u32,
    pub(crate) timeout: u32,
    /// Checks in a row until a target is unhealthy.
    pub(crate) unhealthy: u32,
}

/// Instances behind everyday settings.
pub(crate) const HOST: Host = Host {
    kind: Kind::Instances,
    https: false,
    cross_zone: true,
    algorithm: "round_robin",
    delay: 300,
    check: CHECK,
    services: &[],
    stop_timeout: None,
    memory: 1_024,
    function_timeout: 30,
};

/// The everyday health check.
pub(crate) const CHECK: Check =
    Check { port: None, path: "/health", matcher: "200", interval: 30, timeout: 5, unhealthy: 2 };

/// Tasks of an ECS service.
pub(crate) const TASKS: Host = Host { kind: Kind::Tasks, ..HOST };

/// A Lambda function.
pub(crate) const FUNCTION: Host = Host { kind: Kind::Lambda, ..HOST };

impl Host {
    /// `instance`, `ip` or `lambda`.
    pub(crate) fn target_type(&self) -> &'static str {
        match self.kind {
            Kind::Instances => "instance",
            Kind::Lambda => "lambda",
            Kind::Tasks | Kind::Pods | Kind::Peered => "ip",
        }
    }

    /// Port the targets listen on; a function has none.
    pub(crate) fn port(&self) -> Option<u16> {
        match (self.kind, self.https) {
            (Kind::Lambda, _) => None,
            (_, true) => Some(8_443),
            (_, false) => Some(8_080),
        }
    }

    /// Protocol the load balancer speaks with the targets.
    pub(crate) fn protocol(&self) -> &'static str {
        if self.https { "HTTPS" } else { "HTTP" }
    }

    /// Whether the targets are a Lambda function.
    pub(crate) fn is_lambda(&self) -> bool {
        self.kind == Kind::Lambda
    }
}
