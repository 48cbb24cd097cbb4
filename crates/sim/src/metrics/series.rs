//! A metric of a place in a minute, as a pool of values.
//!
//! This is the join between requests and `CloudWatch`: which requests count, and
//! when AWS reports nothing at all (no traffic, or a counter that stayed zero).

use crate::catalog::Place;
use crate::catalog::{Count, Derived, Metric, Source};
use crate::metrics::view::View;
use crate::statistics::Pool;
use crate::traffic::minute::{Minute, Signs, seconds};
use crate::traffic::request::{Outcome, Request};
use crate::world::{Balancer, World, ZONES};

/// A place resolved to indexes.
pub(crate) struct ResolvedPlace<'a> {
    pub(crate) balancer: &'a Balancer,
    pub(crate) group: Option<usize>,
    pub(crate) zone: Option<usize>,
}

impl World {
    /// The load balancer, group and zone of a place, if the account has them.
    pub(crate) fn resolve(&self, place: &Place, account: &str) -> Option<ResolvedPlace<'_>> {
        let asked = place.get("TargetGroup");
        let balancer = match (place.get("LoadBalancer"), asked) {
            (Some(dimension), _) => self.by_dimension(dimension)?,
            (None, Some(group)) => self
                .balancers
                .iter()
                .find(|one| one.groups.iter().any(|g| g.dimension == *group))?,
            (None, None) => return None,
        };
        if balancer.account != account {
            return None;
        }
        let group = match asked {
            None => None,
            Some(name) => Some(balancer.groups.iter().position(|g| g.dimension == *name)?),
        };
        let zone = match place.get("AvailabilityZone") {
            None => None,
            Some(name) => Some((0..ZONES.len()).find(|index| self.zone(*index) == *name)?),
        };
        Some(ResolvedPlace { balancer, group, zone })
    }
}

impl ResolvedPlace<'_> {
    fn holds(&self, request: Request) -> bool {
        self.group.is_none_or(|group| usize::from(request.group) == group)
            && self.zone.is_none_or(|zone| usize::from(request.zone) == zone)
    }

    fn whole(&self) -> bool {
        self.group.is_none() && self.zone.is_none()
    }

    /// The pooled values of a metric over epoch minutes; empty where AWS reports nothing.
    pub(crate) fn pool(&self, metric: &Metric, view: View, window: std::ops::Range<i64>) -> Pool {
        let mut values = Vec::new();
        for at in window {
            let minute = view.minute(self.balancer.into(), metric.name, at);
            if let Some(minute) = minute.filter(|minute| !minute.signs.hidden) {
                self.collect(metric.source, &minute, &mut values);
            }
        }
        Pool::new(values)
    }

    fn collect(&self, source: Source, minute: &Minute, values: &mut Vec<(f64, u64)>) {
        match source {
            Source::Never | Source::Chat(_) | Source::Gateway | Source::Percentiles => {}
            Source::Latency => {
                values.reserve(minute.weight());
                for (request, times) in minute.samples() {
                    if self.holds(request) {
                        values.push((seconds(request.took), times));
                    }
                }
            }
            Source::Requests(count) => values.push((1.0, self.count(count, minute))),
            Source::Derived(derived) => self.derive(derived, minute, values),
        }
    }

    fn count(&self, what: Count, minute: &Minute) -> u64 {
        let outcomes = counted(what, self.balancer.source.plan.host.is_lambda());
        if self.whole() {
            return outcomes.iter().map(|outcome| minute.count(*outcome)).sum();
        }
        let fits = |one: &(Request, u64)| self.holds(one.0) && outcomes.contains(&one.0.outcome);
        minute.requests().filter(fits).map(|(_, times)| times).sum()
    }

    fn derive(&self, derived: Derived, minute: &Minute, values: &mut Vec<(f64, u64)>) {
        let requests = self.count(Count::All, minute);
        if minute.ended() == 0 {
            return;
        }
        let nodes = if self.zone.is_some() { 1 } else { ZONES.len() as u64 };
        let Hosts { healthy, unhealthy } = self.hosts(&minute.signs);
        let registered = healthy + unhealthy;
        let mut gauge = |number: usize| {
            if registered > 0 {
                values.push((number as f64, nodes));
            }
        };
        match derived {
            Derived::HealthyHosts => gauge(healthy),
            Derived::UnhealthyHosts => gauge(unhealthy),
            Derived::AnomalousHosts => gauge(self.anomalous(&minute.signs)),
            Derived::PerTarget if requests > 0 && registered > 0 => {
                let hosts = if healthy > 0 { healthy } else { registered };
                values.push((requests as f64 / hosts as f64, 1));
            }
            Derived::ActiveConnections => {
                values.push((self.connections(requests, minute) / nodes as f64, nodes));
            }
            Derived::NewConnections => values.push((1.0, requests / 3)),
            Derived::ProcessedBytes => values.push((4_096.0, requests)),
            Derived::ConsumedLcus => values.push((requests as f64 / 60.0 / 25.0, 1)),
            Derived::Capacity => values.push((if minute.signs.impaired { 100.0 } else { 15.0 }, 1)),
            Derived::FailedOpen => values.push((1.0, self.failed_open(minute))),
            Derived::PerTarget => {}
        }
    }

    /// Requests sent to unhealthy targets because there was no healthy one; where
    /// nodes keep to their zone, there may be none in a zone.
    fn failed_open(&self, minute: &Minute) -> u64 {
        let Hosts { healthy, unhealthy } = self.hosts(&minute.signs);
        if healthy == 0 {
            return if unhealthy > 0 { self.count(Count::All, minute) } else { 0 };
        }
        if self.zone.is_some() || self.balancer.source.plan.host.cross_zone {
            return 0;
        }
        let zones = (0..ZONES.len()).map(|zone| ResolvedPlace { zone: Some(zone), ..*self });
        zones.map(|resolved| resolved.failed_open(minute)).sum()
    }

    /// Connections of clients and to targets: some are kept, the others are as
    /// many as there are requests under way.
    fn connections(&self, requests: u64, minute: &Minute) -> f64 {
        let held = minute.requests().filter(|(request, _)| self.holds(*request));
        let seconds: f64 = held.map(|(one, times)| seconds(one.took) * times as f64).sum();
        requests as f64 * 1.5 + 2.0 * seconds / 60.0
    }

    /// Registered targets of the place; a function has none that are checked.
    fn hosts(&self, signs: &Signs) -> Hosts {
        let mut hosts = Hosts { healthy: 0, unhealthy: 0 };
        for (group, at) in self.targets() {
            let bit = |bits: u16| at <= 15 && bits >> at & 1 == 1;
            let ill = if group == 0 { bit(signs.unhealthy) } else { signs.backup_down };
            match (group == 0 && bit(signs.away), ill) {
                (true, _) => {}
                (false, true) => hosts.unhealthy += 1,
                (false, false) => hosts.healthy += 1,
            }
        }
        hosts
    }

    fn anomalous(&self, signs: &Signs) -> usize {
        let odd = |at: usize| at <= 15 && signs.anomalous >> at & 1 == 1;
        self.targets().filter(|(group, at)| *group == 0 && odd(*at)).count()
    }

    /// Targets of the place whose health is counted, by group and number.
    fn targets(&self) -> impl Iterator<Item = (usize, usize)> {
        let checked = !self.balancer.source.plan.host.is_lambda();
        let groups = self.balancer.groups.iter().enumerate().filter(move |_| checked);
        groups.filter(|(at, _)| self.group.is_none_or(|group| group == *at)).flat_map(
            move |(group, one)| {
                let targets = one.targets.iter().enumerate();
                let here = targets.filter(|(_, (_, zone))| self.zone.is_none_or(|z| z == *zone));
                here.map(move |(at, _)| (group, at))
            },
        )
    }
}

/// How many targets are healthy and how many are not.
struct Hosts {
    healthy: usize,
    unhealthy: usize,
}

fn counted(what: Count, lambda: bool) -> &'static [Outcome] {
    use Outcome::{
        Abandoned, Answered, Closed, Handshake, Refused, Rejected, Reset, Stalled, TargetError,
        TimedOut, Unreachable,
    };
    match what {
        Count::All => &[
            Answered,
            TargetError,
            Reset,
            Closed,
            Unreachable,
            TimedOut,
            Stalled,
            Abandoned,
            Handshake,
        ],
        Count::Elb504 => &[Unreachable, TimedOut, Stalled, Handshake],
        Count::Elb503 => &[Refused],
        Count::Elb502 => &[Reset, Closed],
        Count::Elb5xx => &[Reset, Closed, Unreachable, TimedOut, Stalled, Handshake, Refused],
        Count::Target2xx => &[Answered, Stalled],
        Count::Target5xx => &[TargetError],
        Count::ConnectionErrors if !lambda => &[Unreachable, Closed],
        Count::HandshakeErrors if !lambda => &[Handshake],
        Count::LambdaErrors if lambda => &[Unreachable],
        Count::FunctionErrors if lambda => &[Reset],
        Count::ConnectionErrors
        | Count::HandshakeErrors
        | Count::LambdaErrors
        | Count::FunctionErrors => &[],
        Count::Elb4xx => &[Abandoned],
        Count::Rejected => &[Rejected],
    }
}
