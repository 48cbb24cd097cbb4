//! A metric of a place in a minute, as a pool of values.
//!
//! This is the join between requests and `CloudWatch`: which requests count, and
//! when AWS reports nothing at all (no traffic, or a counter that stayed zero).

use super::catalog::{Count, Derived, Metric, Source};
use super::minute::{Minute, seconds};
use super::place::Place;
use super::publication::View;
use super::statistics::Pool;
use super::traffic::{Outcome, Request};
use super::world::{Balancer, World, ZONES};

/// A place resolved to indexes.
pub(super) struct Spot<'a> {
    pub(super) balancer: &'a Balancer,
    pub(super) group: Option<usize>,
    pub(super) zone: Option<usize>,
}

impl World {
    /// The load balancer, group and zone of a place, if the account has them.
    pub(super) fn spot(&self, place: &Place, account: &str) -> Option<Spot<'_>> {
        let balancer = match (&place.balancer, &place.group) {
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
        let group = match &place.group {
            None => None,
            Some(name) => Some(balancer.groups.iter().position(|g| g.dimension == *name)?),
        };
        let zone = match &place.zone {
            None => None,
            Some(name) => Some((0..ZONES.len()).find(|index| self.zone(*index) == *name)?),
        };
        Some(Spot { balancer, group, zone })
    }
}

impl Spot<'_> {
    fn holds(&self, request: Request) -> bool {
        self.group.is_none_or(|group| usize::from(request.group) == group)
            && self.zone.is_none_or(|zone| usize::from(request.zone) == zone)
    }

    fn whole(&self) -> bool {
        self.group.is_none() && self.zone.is_none()
    }

    /// The pooled values of a metric over epoch minutes; empty where AWS reports nothing.
    pub(super) fn pool(&self, metric: &Metric, view: View, window: std::ops::Range<i64>) -> Pool {
        let mut values = Vec::new();
        for at in window {
            let minute = view.minute(self.balancer, at);
            if let Some(minute) = minute.filter(|minute| !minute.hidden) {
                self.collect(metric.source, &minute, &mut values);
            }
        }
        Pool::new(values)
    }

    fn collect(&self, source: Source, minute: &Minute, values: &mut Vec<(f64, u64)>) {
        match source {
            Source::Never => {}
            Source::Latency => values.extend(
                minute
                    .requests
                    .iter()
                    .filter(|request| request.outcome.sampled() && self.holds(**request))
                    .map(|request| (seconds(request.took), 1)),
            ),
            Source::Requests(count) => values.push((1.0, self.count(count, minute))),
            Source::Derived(derived) => self.derive(derived, minute, values),
        }
    }

    fn count(&self, what: Count, minute: &Minute) -> u64 {
        let outcomes = counted(what);
        if self.whole() {
            return outcomes.iter().map(|outcome| minute.count(*outcome)).sum();
        }
        let fits = |r: &&Request| self.holds(**r) && outcomes.contains(&r.outcome);
        minute.requests.iter().filter(fits).count() as u64
    }

    fn derive(&self, derived: Derived, minute: &Minute, values: &mut Vec<(f64, u64)>) {
        let requests = self.count(Count::All, minute);
        if minute.requests.is_empty() {
            return;
        }
        let zones = ZONES.len() as u64;
        let nodes = if self.zone.is_some() { 1 } else { zones };
        match derived {
            Derived::HealthyHosts => {
                values.push((self.hosts(!minute.unhealthy) as f64, nodes));
            }
            Derived::UnhealthyHosts => {
                values.push((self.hosts(minute.unhealthy) as f64, nodes));
            }
            Derived::PerTarget if requests > 0 => {
                values.push((requests as f64 / self.hosts(u16::MAX).max(1) as f64, 1));
            }
            Derived::ActiveConnections => {
                values.push((requests as f64 * 1.5 / nodes as f64, nodes));
            }
            Derived::NewConnections => values.push((1.0, requests / 3)),
            Derived::ProcessedBytes => values.push((4_096.0, requests)),
            Derived::ConsumedLcus => values.push((requests as f64 / 60.0 / 25.0, 1)),
            Derived::FailedOpen if minute.unhealthy.count_ones() as usize >= self.registered() => {
                values.push((1.0, requests));
            }
            Derived::PerTarget | Derived::FailedOpen => {}
        }
    }

    /// Registered targets of the first group, the one a tale is about.
    fn registered(&self) -> usize {
        self.balancer.groups.first().map_or(1, |group| group.targets.len().max(1))
    }

    /// Registered targets of the place among those whose bits are set.
    fn hosts(&self, among: u16) -> usize {
        let groups = self.balancer.groups.iter().enumerate();
        groups
            .filter(|(at, _)| self.group.is_none_or(|group| group == *at))
            .flat_map(|(_, group)| group.targets.iter().enumerate())
            .filter(|(at, _)| *at > 15 || among >> at & 1 == 1)
            .filter(|(_, (_, zone))| self.zone.is_none_or(|wanted| wanted == *zone))
            .count()
    }
}

fn counted(what: Count) -> &'static [Outcome] {
    use Outcome::{Abandoned, Answered, Reset, Stalled, TargetError, TimedOut, Unreachable};
    match what {
        Count::All => &[Answered, TargetError, Reset, Unreachable, TimedOut, Stalled, Abandoned],
        Count::Elb504 => &[Unreachable, TimedOut, Stalled],
        Count::Elb502 => &[Reset],
        Count::Elb5xx => &[Reset, Unreachable, TimedOut, Stalled],
        Count::Target2xx => &[Answered, Stalled],
        Count::Target5xx => &[TargetError],
        Count::ConnectionErrors => &[Unreachable],
        Count::Elb4xx => &[Abandoned],
    }
}
