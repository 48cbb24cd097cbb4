//! Minutes of gateways, and the newest figures of their target groups.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Answer, CloudWatch, Points, Query, Usage, Wanted};
use nearmiss_core::gateway::polling::PollRate;
use nearmiss_core::gateway::signal::Signal;
use nearmiss_core::gateway::{Detail, Gateway};
use nearmiss_core::gateway::{bounds, name_within};
use nearmiss_core::series::snapshot::{Snapshot, TargetGroup};
use nearmiss_core::time::Minute;

/// Which minutes of which gateway.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Which gateway.
    pub gateway: Arc<Gateway>,
    /// The dimension value that it had before it was made anew, where that is asked for
    /// in the place of its own.
    pub former: Option<String>,
    /// The first minute that is needed.
    pub from: Minute,
    /// Which of its signals.
    pub tier: PollRate,
    /// Whether targets' answers are asked for too: see [`Signal::Answers`].
    pub answers: bool,
    /// The dimension values of its target groups, where they are asked for too.
    pub target_groups: Vec<String>,
}

impl CloudWatch {
    /// The minutes of each gateway up to before `end`, in the order of the asks;
    /// what could not be read within `deadline` says why.
    pub async fn minutes(
        &self,
        asks: &[Ask],
        end: Minute,
        deadline: Duration,
    ) -> (Vec<Answer<Snapshot>>, Usage) {
        let wanted: Vec<Wanted> = asks.iter().map(Ask::wanted).collect();
        let (answers, usage) = self.read(&wanted, 60, end.start(), deadline).await;
        let snapshot = |(ask, points): (&Ask, Answer<_>)| Ok(ask.snapshot(end, points?));
        (asks.iter().zip(answers).map(snapshot).collect(), usage)
    }
}

impl Ask {
    fn wanted(&self) -> Wanted {
        let Gateway { kind, detail, .. } = *self.gateway;
        let rows = kind.rows_for(self.tier, detail);
        let mut queries: Vec<Query> =
            rows.map(|row| Query::of(row.metric, row.stat.spelled_for(&self.gateway))).collect();
        if self.answers {
            let (metric, stat) = kind.answers_row();
            queries.push(Query::of(metric, stat));
        }
        for group in &self.target_groups {
            queries.extend(kind.target_group_rows().iter().map(|(metric, stat)| Query {
                target_group: Some(group.clone()),
                zone: None,
                ..Query::of(metric, *stat)
            }));
        }
        let mut wanted = Wanted::of(&self.gateway, self.from.start(), queries);
        if let Some(former) = &self.former {
            wanted.dimension.1.clone_from(former);
        }
        wanted
    }

    fn snapshot(&self, end: Minute, points: Vec<Points>) -> Snapshot {
        let gateway = &self.gateway;
        let rows: Vec<_> = gateway.kind.rows_for(self.tier, gateway.detail).collect();
        let mut asked: Vec<Signal> = rows.iter().map(|row| row.signal).collect();
        if gateway.detail == Detail::Histogram {
            asked.push(Signal::NearMisses);
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
            let until = until.filter(|_| !gateway.timeout.is_below_the_load_balancers());
            snapshot.count_near_misses(near, until);
        }
        let mut hosts = Hosts::default();
        for group in &self.target_groups {
            let (p99, healthy) = (points.next(), points.next());
            hosts.add(healthy.as_deref().unwrap_or_default());
            let name = name_within(group).to_owned();
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

    /// The minutes in which every group said how many it has.
    fn of_all(self, groups: usize) -> impl Iterator<Item = (Minute, f64)> {
        let whole = self.0.into_iter().filter(move |(_, (known, _))| *known == groups);
        whole.map(|(minute, (_, hosts))| (minute, hosts))
    }
}

fn newest(points: Points) -> Option<f64> {
    let newest = points.into_iter().max_by_key(|(at, _)| *at);
    newest.map(|(_, value)| value).filter(|value| value.is_finite())
}
