//! Which check looks for which cause.

use crate::diagnose::cause::Cause;
use crate::diagnose::facts::Facts;
use crate::diagnose::finding::Finding;
use crate::diagnose::{balancer, closing, connection, lambda, latency, queueing, registration};

/// What every check finds, in the order of [`Cause::ALL`].
pub fn findings(facts: &Facts) -> Vec<Finding> {
    Cause::ALL.into_iter().filter_map(|cause| check(cause, facts)).collect()
}

/// What is found of a cause, if anything.
fn check(cause: Cause, facts: &Facts) -> Option<Finding> {
    let check = match cause {
        Cause::SlowTarget => latency::slow_target,
        Cause::QueueingTraffic => queueing::traffic,
        Cause::QueueingCapacity => queueing::capacity,
        Cause::BadTarget => latency::bad_target,
        Cause::SlowSubset => latency::slow_subset,
        Cause::Hang => latency::hang,
        Cause::ConnectSecurityGroup => connection::security_group,
        Cause::ConnectNetworkAcl => connection::network_acl,
        Cause::ConnectRoute => connection::route,
        Cause::ConnectDeadTarget => connection::dead_target,
        Cause::DeployRace => connection::deploy_race,
        Cause::TlsHandshake => connection::tls_handshake,
        Cause::ContentLength => latency::content_length,
        Cause::LambdaService => lambda::service,
        Cause::FailOpen => registration::fail_open,
        Cause::IdleTimeoutLowered => balancer::idle_timeout_lowered,
        Cause::LoadBalancerLimit => balancer::load_balancer_limit,
        Cause::KeepAlive => closing::keep_alive,
        Cause::DeregistrationDelay => closing::deregistration_delay,
        Cause::TaskKilled => closing::task_killed,
        Cause::EcsStopTimeout => closing::ecs_stop_timeout,
        Cause::LambdaTimeout => lambda::timeout,
        Cause::NoRegisteredTarget => registration::no_registered_target,
        Cause::UnhealthyTargets => registration::unhealthy_targets,
    };
    check(facts)
}
