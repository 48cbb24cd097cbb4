//! Minutes of gateways, and the newest figures of their target groups.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{CloudWatch, Points, Query, Usage, Wanted};
use crate::source::{Answer, Ask};
use nearmiss_core::gateway::Detail;
use nearmiss_core::gateway::bounds;
use nearmiss_core::gateway::metrics::Leave;
use nearmiss_core::gateway::signal::Signal;
use nearmiss_core::series::snapshot::{Snapshot, TargetGroup};
use nearmiss_core::time::Minute;

/// The minutes of each gateway up to before `end`, in the order of the asks; what could not
/// be read within `deadline` says why.
pub(super) async fn read(
    cloudwatch: &CloudWatch,
    asks: &[Ask],
    end: Minute,
    deadline: Duration,
) -> (Vec<Answer<Snapshot>>, Usage) {
    let wanted: Vec<Wanted> = asks.iter().map(Ask::wanted).collect();
    let (answers, usage) = cloudwatch.read(&wanted, 60, end.start(), deadline).await;
    let snapshot = |(ask, points): (&Ask, Answer<_>)| Ok(ask.snapshot(end, points?));
    (asks.iter().zip(answers).map(snapshot).collect(), usage)
}

impl Ask {
    fn wanted(&self) -> Wanted {
        let gateway = &self.gateway;
        let spec = gateway.id.kind.spec();
        let rows = spec.minute_rows(self.rate, gateway.detail);
        let mut queries: Vec<Query> =
            rows.map(|row| Query::of(gateway, row.metric, row.stat)).collect();
        if self.answers {
            let (metric, stat) = spec.answers;
            queries.push(Query::of(gateway, metric, stat));
        }
        for (group, metrics) in self.target_groups.iter().zip(spec.target_groups.iter().cycle()) {
            queries.extend([metrics.p99, metrics.healthy].map(|(metric, stat)| Query {
                target_group: Some(group.clone()),
                ..Query::plain(metric, stat)
            }));
        }
        let dimension = self.former.as_ref().unwrap_or(&gateway.id.dimension);
        Wanted::under(gateway, dimension, self.from.start(), queries)
    }

    fn snapshot(&self, end: Minute, points: Vec<Points>) -> Snapshot {
        let gateway = &self.gateway;
        let spec = gateway.id.kind.spec();
        let rows: Vec<_> = spec.minute_rows(self.rate, gateway.detail).collect();
        let mut asked: Vec<Signal> = rows.iter().map(|row| row.signal).collect();
        match gateway.detail {
            Detail::Figures => {}
            Detail::Histogram => asked.push(Signal::NearMisses),
            Detail::Percentiles => asked.extend([Signal::NearMisses, Signal::Timeouts]),
        }
        if !self.target_groups.is_empty() {
            asked.push(Signal::HealthyHosts);
        }
        if self.answers {
            asked.push(Signal::Answers);
        }
        let mut snapshot = Snapshot::quiet(self.from, end, &asked);
        let mut points = points.into_iter();
        for (row, points) in rows.iter().zip(points.by_ref()) {
            for (at, value) in points {
                snapshot.record(row.signal, Minute::containing(at), value);
            }
        }
        for (at, value) in self.answers.then(|| points.next()).flatten().unwrap_or_default() {
            snapshot.record(Signal::Answers, Minute::containing(at), value);
        }
        if let Some(near) = bounds::bound_at(gateway.near)
            && gateway.detail == Detail::Histogram
        {
            let until = bounds::bound_at(1.0);
            let until = until.filter(|_| !gateway.timeout.is_below_the_gateways_own());
            snapshot.count_near_misses(near, until);
        }
        if gateway.detail == Detail::Percentiles {
            snapshot.estimate_near_misses(gateway.near_seconds(), gateway.timeout.seconds);
        }
        if spec.timeouts.leave == Leave::SampleAtTimeout {
            snapshot.part_timeouts();
        }
        let mut hosts = Hosts::default();
        for (group, metrics) in self.target_groups.iter().zip(spec.target_groups.iter().cycle()) {
            let (p99, healthy) = (points.next(), points.next());
            hosts.add(healthy.as_deref().unwrap_or_default());
            let name = (metrics.name)(group).to_owned();
            let (p99, healthy_hosts) = (p99.and_then(newest), healthy.and_then(newest));
            snapshot.target_groups.push(TargetGroup { name, p99, healthy_hosts });
        }
        for (minute, healthy) in hosts.of_all(self.target_groups.len()) {
            snapshot.record(Signal::HealthyHosts, minute, healthy);
        }
        snapshot
    }
}

/// Healthy targets by minute: of how many groups, and how many in all.
#[derive(Default)]
struct Hosts(BTreeMap<Minute, (usize, f64)>);

impl Hosts {
    fn add(&mut self, points: &[(i64, f64)]) {
        for (at, value) in points {
            let (groups, hosts) = self.0.entry(Minute::containing(*at)).or_default();
            *groups += 1;
            *hosts += value;
        }
    }

    /// The minutes in which every group has a figure.
    fn of_all(self, groups: usize) -> impl Iterator<Item = (Minute, f64)> {
        let whole = self.0.into_iter().filter(move |(_, (known, _))| *known == groups);
        whole.map(|(minute, (_, hosts))| (minute, hosts))
    }
}

fn newest(points: Points) -> Option<f64> {
    let newest = points.into_iter().max_by_key(|(at, _)| *at);
    newest.map(|(_, value)| value).filter(|value| value.is_finite())
}
