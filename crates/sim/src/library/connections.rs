//! The causes of 504s in which the load balancer cannot connect within 10 s.
//!
//! Each comes with what AWS describes of it: a rule, a route or an interface that
//! is missing. Where health checks fail as well, targets would leave the rotation
//! and the 504s with them; so every plan says why requests still go there.

use super::{BRIEF, during, from, on, steady};
use crate::scenario::host::{CHECK, Check, HOST, Host, Kind, TASKS};
use crate::scenario::plan::Plan;
use crate::scenario::script::Reason;
use crate::scenario::script::{Acl, Closed, Fault, Script, Shown, What, Who};

/// Checks on a port of their own, which stays open.
const APART: Host = Host { check: Check { port: Some(9_090), ..CHECK }, ..HOST };
/// Nodes send to targets of their own zone only.
const ZONAL: Host = Host { cross_zone: false, ..HOST };
/// Checks that need many failures in a row.
const PATIENT: Host = Host { check: Check { unhealthy: 10, ..CHECK }, ..HOST };

/// All of these requests find no connection.
const fn unreachable(who: Who, share: f64) -> What {
    What::Strike(who, share, Fault::Unreachable)
}

pub(crate) const SECURITY_GROUP: &[Plan] = &[
    // Nobody is admitted: no target is healthy, so all of them get requests.
    Plan {
        targets: 6,
        ..steady(&Script {
            cause: Some("connect_security_group"),
            steps: &[
                on(unreachable(Who::All, 1.0)),
                on(What::Shown(Shown::Closed(Closed::All))),
                from(2, What::Sick(Who::All, Reason::Timeout)),
            ],
            ..BRIEF
        })
    },
    // The checks have a rule of their own.
    Plan {
        targets: 6,
        host: APART,
        ..steady(&Script {
            cause: Some("connect_security_group"),
            steps: &[
                on(unreachable(Who::NodeZone, 1.0)),
                on(What::Shown(Shown::Closed(Closed::Zone))),
            ],
            ..BRIEF
        })
    },
    Plan {
        targets: 6,
        host: Host { kind: Kind::Tasks, ..APART },
        ..steady(&Script {
            cause: Some("connect_security_group"),
            steps: &[
                on(unreachable(Who::Pick(2), 1.0)),
                on(What::Shown(Shown::Closed(Closed::Targets(Who::Pick(2))))),
            ],
            ..BRIEF
        })
    },
];

pub(crate) const NETWORK_ACL: &[Plan] = &[
    // The node of the zone sees no healthy target and sends to them anyway.
    Plan {
        targets: 6,
        host: ZONAL,
        ..steady(&Script {
            cause: Some("connect_network_acl"),
            steps: &[
                on(unreachable(Who::NodeZone, 1.0)),
                on(What::Shown(Shown::Acl(Acl::TargetsOut))),
                from(2, What::Sick(Who::TargetZone, Reason::Timeout)),
            ],
            ..BRIEF
        })
    },
    Plan {
        targets: 6,
        host: ZONAL,
        ..steady(&Script {
            cause: Some("connect_network_acl"),
            steps: &[
                on(unreachable(Who::NodeZone, 1.0)),
                on(What::Shown(Shown::Acl(Acl::BalancerIn))),
                from(2, What::Sick(Who::TargetZone, Reason::Timeout)),
            ],
            ..BRIEF
        })
    },
    // Half of the ports are open: hardly ever do ten checks in a row fail.
    Plan {
        targets: 6,
        host: PATIENT,
        ..steady(&Script {
            cause: Some("connect_network_acl"),
            steps: &[
                on(unreachable(Who::TargetZone, 0.49)),
                on(What::Shown(Shown::Acl(Acl::TargetsHalf))),
            ],
            ..BRIEF
        })
    },
];

/// Targets in another VPC, which belong to no zone of the load balancer.
const fn route(script: &'static Script) -> Plan {
    Plan { targets: 6, host: Host { kind: Kind::Peered, ..HOST }, ..steady(script) }
}

// The nodes of the other zones still find the targets healthy.
pub(crate) const ROUTE: &[Plan] = &[
    route(&Script {
        cause: Some("connect_route"),
        steps: &[
            on(unreachable(Who::NodeZone, 1.0)),
            on(What::Shown(Shown::Unrouted { blackhole: true })),
        ],
        ..BRIEF
    }),
    route(&Script {
        cause: Some("connect_route"),
        steps: &[
            on(unreachable(Who::NodeZone, 1.0)),
            on(What::Shown(Shown::Unrouted { blackhole: false })),
        ],
        ..BRIEF
    }),
];

pub(crate) const DEAD_TARGET: &[Plan] = &[
    // It takes fifty minutes until a target counts as unhealthy.
    Plan {
        host: Host {
            kind: Kind::Pods,
            check: Check { interval: 300, unhealthy: 10, ..CHECK },
            ..HOST
        },
        ..steady(&Script {
            cause: Some("connect_dead_target"),
            steps: &[
                on(What::Shown(Shown::Gone(Who::Nth(0)))),
                during(0, 50, unreachable(Who::Nth(0), 1.0)),
                from(50, What::Sick(Who::Nth(0), Reason::Timeout)),
                from(45, What::Shown(Shown::Gone(Who::Nth(1)))),
                during(45, 95, unreachable(Who::Nth(1), 1.0)),
                from(95, What::Sick(Who::Nth(1), Reason::Timeout)),
                from(90, What::Shown(Shown::Gone(Who::Nth(2)))),
                from(90, unreachable(Who::Nth(2), 1.0)),
            ],
            ..BRIEF
        })
    },
    // No other target is left.
    Plan {
        targets: 2,
        host: Host { kind: Kind::Pods, ..HOST },
        ..steady(&Script {
            cause: Some("connect_dead_target"),
            steps: &[
                on(What::Shown(Shown::Gone(Who::All))),
                on(unreachable(Who::All, 1.0)),
                from(2, What::Sick(Who::All, Reason::Timeout)),
            ],
            ..BRIEF
        })
    },
];

/// A deployment after which targets are still sent requests although they have gone.
const fn hasty(at: i64) -> super::Step {
    during(at, at + 20, What::Roll { cut: None, race: 0.06, slow: 1.0 })
}

pub(crate) const DEPLOY_RACE: Plan = Plan {
    host: TASKS,
    ..steady(&Script {
        cause: Some("deploy_race"),
        steps: &[hasty(0), hasty(35), hasty(70)],
        ..BRIEF
    })
};

pub(crate) const TLS_HANDSHAKE: Plan = Plan {
    host: Host { https: true, ..HOST },
    ..steady(&Script {
        cause: Some("tls_handshake"),
        steps: &[on(What::Strike(Who::All, 0.1, Fault::Handshake))],
        ..BRIEF
    })
};
