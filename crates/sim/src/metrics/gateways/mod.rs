//! What the other kinds of gateways publish: one module each.
//!
//! A kind says which places its gateways have, each with the parts whose requests count there,
//! and which values a minute of such a part has for a metric. The rest is the same for all.

mod api;
mod classic;
mod connect;
mod custom;
mod distribution;
mod function;
mod lattice;

use std::ops::Range;

use crate::catalog::gateways::{API_GATEWAY, CLASSIC, CLOUD_FRONT, CONTAINERS, LAMBDA, LATTICE};
use crate::catalog::{Metric, Place};
use crate::faults::options::Options;
use crate::metrics::view::{Owner, View};
use crate::scenario::gateway::Kind;
use crate::scenario::plan::Part;
use crate::statistics::Pool;
use crate::traffic::minute::Minute;
use crate::traffic::request::{Outcome, Request};
use crate::world::{Gateway, Source, World, ZONES};

/// A value, and how often there is one like it.
pub(crate) type Values = Vec<(f64, u64)>;

/// A place of a gateway.
pub(crate) struct Spot {
    pub(crate) place: Place,
    /// The only part that counts there, by number; otherwise all do.
    part: Option<usize>,
    /// The only zone, by number.
    zone: Option<usize>,
}

impl Spot {
    /// A place where every request of the gateway counts.
    fn whole<N: Into<String>, V: Into<String>>(
        dimensions: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        Self { place: Place::new(dimensions), part: None, zone: None }
    }
}

/// A minute of a part of a gateway.
pub(crate) struct Seen<'a> {
    view: View<'a>,
    gateway: &'a Gateway,
    part: &'a Part,
    source: &'a Source,
    /// Epoch minute.
    at: i64,
    zone: Option<usize>,
    minute: &'a Minute,
}

impl Seen<'_> {
    /// Its requests, each with how many there are like it.
    fn requests(&self) -> impl Iterator<Item = (Request, u64)> {
        let here =
            |one: &(Request, u64)| self.zone.is_none_or(|zone| usize::from(one.0.zone) == zone);
        self.minute.requests().filter(here)
    }

    /// How many of them fit.
    fn count(&self, fits: impl Fn(Request) -> bool) -> u64 {
        self.requests().filter(|(one, _)| fits(*one)).map(|(_, times)| times).sum()
    }

    /// What limits its requests, seconds.
    fn limit(&self) -> u32 {
        self.view.world.timeout(self.source, self.at)
    }

    fn options(&self) -> &Options {
        &self.view.world.setup.faults.options
    }
}

/// Ones for what fits and zeros for the rest of the requests, as far as there are any.
fn shares(seen: &Seen, fits: impl Fn(Request) -> bool, one: f64) -> Values {
    let (all, fitting) = (seen.count(|_| true), seen.count(fits));
    vec![(one, fitting), (0.0, all - fitting)]
}

/// Whether a request was given up.
fn timed_out(request: Request) -> bool {
    request.outcome.is_504()
}

/// Whether what is behind the gateway answered, perhaps with an error.
fn answered(request: Request) -> bool {
    matches!(request.outcome, Outcome::Answered | Outcome::TargetError)
}

/// Microseconds as milliseconds.
fn millis(micros: u32) -> f64 {
    f64::from(micros) / 1_000.0
}

/// The places of a gateway.
pub(crate) fn spots(world: &World, one: &Gateway) -> Vec<Spot> {
    match one.plan.kind {
        Kind::Function { .. } => function::spots(one),
        Kind::Rest(api) => api::rest_spots(one, api),
        Kind::Http(api) | Kind::Socket(api) => api::http_spots(one, api),
        Kind::Distribution { .. } => distribution::spots(one),
        Kind::Classic { .. } => classic::spots(world, one),
        Kind::Lattice => lattice::spots(world, one),
        Kind::Connect { .. } => connect::spots(one),
        Kind::Custom(_) => custom::spots(one),
    }
}

/// What a minute adds to a metric.
fn values(metric: &str, seen: &Seen) -> Values {
    match seen.gateway.plan.kind {
        Kind::Function { .. } => function::values(metric, seen),
        Kind::Rest(_) => api::values(metric, seen, false),
        Kind::Http(_) => api::values(metric, seen, true),
        Kind::Socket(_) => api::socket_values(metric, seen),
        Kind::Distribution { monitored, attempts } => {
            distribution::values(metric, seen, monitored, attempts)
        }
        Kind::Classic { listeners } => classic::values(metric, seen, listeners),
        Kind::Lattice => lattice::values(metric, seen),
        Kind::Connect { .. } => connect::values(metric, seen),
        Kind::Custom(_) => custom::values(seen),
    }
}

/// The namespace a gateway publishes in.
pub(crate) fn namespace(one: &Gateway) -> &str {
    match one.plan.kind {
        Kind::Function { .. } => LAMBDA.name,
        Kind::Rest(_) | Kind::Http(_) | Kind::Socket(_) => API_GATEWAY.name,
        Kind::Distribution { .. } => CLOUD_FRONT.name,
        Kind::Classic { .. } => CLASSIC.name,
        Kind::Lattice => LATTICE.name,
        Kind::Connect { .. } => CONTAINERS.name,
        Kind::Custom(_) => one.custom.as_ref().map_or("", |custom| &custom.namespace),
    }
}

/// A place of gateways, resolved.
pub(crate) struct GatewayPlace<'a> {
    /// Several of them where namesakes share a place.
    members: Vec<(&'a Gateway, Spot)>,
}

impl<'a> GatewayPlace<'a> {
    /// The gateways of an account that publish something in this namespace at this place.
    pub(crate) fn find(
        world: &'a World,
        space: &str,
        place: &Place,
        account: &str,
    ) -> Option<Self> {
        let named = place.get("FunctionName").map(|name| world.called(name));
        let all = named.is_none().then_some(&world.gateways);
        let known = named.into_iter().flatten().chain(all.into_iter().flatten());
        let own = known.filter(|one| one.account == account && namespace(one) == space);
        let found = own.filter_map(|one| {
            let spot = spots(world, one).into_iter().find(|spot| spot.place == *place)?;
            Some((one, spot))
        });
        let members: Vec<(&Gateway, Spot)> = found.collect();
        (!members.is_empty()).then_some(Self { members })
    }

    /// A single gateway's place.
    pub(crate) fn of(one: &'a Gateway, spot: Spot) -> Self {
        Self { members: vec![(one, spot)] }
    }

    /// Whether this gateway is the first that publishes there.
    pub(crate) fn begins_with(&self, one: &Gateway) -> bool {
        self.members.first().is_some_and(|first| std::ptr::eq(first.0, one))
    }

    /// What is asked for together: the name of the first gateway.
    pub(crate) fn key(&self) -> &'a str {
        self.members.first().map_or("", |(one, _)| &one.id)
    }

    /// The pooled values of a metric over epoch minutes; empty where nothing is published.
    pub(crate) fn pool(&self, metric: &Metric, view: View, window: Range<i64>) -> Pool {
        let mut all = Vec::new();
        let mut aggregated = false;
        for (gateway, spot) in &self.members {
            aggregated |= gateway.custom.as_ref().is_some_and(|custom| custom.sets);
            let parts = gateway.parts().enumerate();
            for (_, (part, source)) in
                parts.filter(|(at, _)| spot.part.is_none_or(|one| one == *at))
            {
                for at in window.clone() {
                    let owner = Owner::part(gateway, source);
                    let Some(minute) = view.minute(owner, metric.name, at) else { continue };
                    if minute.signs.hidden {
                        continue;
                    }
                    let (minute, zone) = (&*minute, spot.zone);
                    let seen = Seen { view, gateway, part, source, at, zone, minute };
                    all.extend(values(metric.name, &seen));
                }
            }
        }
        let pool = Pool::new(all);
        if aggregated { pool.aggregated() } else { pool }
    }
}

/// A place in each zone besides those without one.
fn zones(world: &World, name: &'static str, value: &str) -> Vec<Spot> {
    let zone = |at: usize| Spot {
        place: Place::new([("AvailabilityZone", world.zone(at)), (name, value.to_owned())]),
        part: None,
        zone: Some(at),
    };
    (0..ZONES.len()).map(zone).collect()
}
