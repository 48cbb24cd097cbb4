//! What a query is about: a place of a load balancer, or of another gateway.

use std::ops::Range;

use crate::catalog::{Metric, NAMESPACE, Place};
use crate::metrics::gateways::GatewayPlace;
use crate::metrics::series::ResolvedPlace;
use crate::metrics::view::View;
use crate::statistics::Pool;
use crate::world::World;

/// A place that exists.
pub(crate) enum Resolved<'a> {
    Balancer(ResolvedPlace<'a>),
    Gateway(GatewayPlace<'a>),
}

impl<'a> Resolved<'a> {
    /// A place in a namespace, if the account has it.
    pub(crate) fn find(
        world: &'a World,
        space: &str,
        place: &Place,
        account: &str,
    ) -> Option<Self> {
        if space == NAMESPACE {
            return world.resolve(place, account).map(Self::Balancer);
        }
        GatewayPlace::find(world, space, place, account).map(Self::Gateway)
    }

    /// What its metrics are read together with.
    pub(crate) fn key(&self) -> &'a str {
        match self {
            Self::Balancer(one) => &one.balancer.arn,
            Self::Gateway(one) => one.key(),
        }
    }

    /// The pooled values of a metric over epoch minutes; empty where AWS reports nothing.
    pub(crate) fn pool(&self, metric: &Metric, view: View, window: Range<i64>) -> Pool {
        match self {
            Self::Balancer(one) => one.pool(metric, view, window),
            Self::Gateway(one) => one.pool(metric, view, window),
        }
    }
}
