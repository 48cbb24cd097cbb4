//! From the results of a request to snapshots: whole, or what they lack.

use std::collections::HashMap;

use aws_sdk_cloudwatch::types::{MetricDataResult, StatusCode};

use super::Ask;
use super::request::{group_query_id, query_id};
use crate::analysis::gateway::{Detail, Gateway};
use crate::analysis::histogram;
use crate::analysis::signal::{Minute, Signal, Snapshot, TargetGroup};

/// The results of one request, pages merged by id.
pub(super) struct Results(HashMap<String, Merged>);

#[derive(Default)]
struct Merged {
    points: Vec<(Minute, f64)>,
    status: Option<StatusCode>,
    messages: String,
}

impl Results {
    pub(super) fn of(pages: Vec<MetricDataResult>) -> Self {
        let mut merged: HashMap<String, Merged> = HashMap::with_capacity(pages.len());
        for mut result in pages {
            let one = merged.entry(result.id.take().unwrap_or_default()).or_default();
            let minutes = result.timestamps().iter().map(|t| Minute::containing(t.secs()));
            one.points.extend(minutes.zip(result.values().iter().copied()));
            for message in result.messages() {
                one.messages.push_str(": ");
                one.messages.push_str(message.value().unwrap_or_default());
            }
            one.status = result.status_code.take();
        }
        Self(merged)
    }

    /// The whole snapshot of a gateway, or what is missing from it.
    pub(super) fn snapshot(
        &self,
        index: usize,
        ask: &Ask,
        first: Minute,
        end: Minute,
    ) -> Result<Snapshot, String> {
        let gateway = &ask.gateway;
        let rows = || gateway.kind.rows_for(ask.tier, gateway.detail);
        let mut asked: Vec<Signal> = rows().map(|row| row.signal).collect();
        if gateway.detail == Detail::Histogram {
            asked.push(Signal::NearMisses);
        }
        let mut snapshot = Snapshot::quiet(first, end, &asked);
        for row in rows() {
            for (minute, value) in self.complete(&query_id(index, row), row.metric)? {
                snapshot.record(row.signal, *minute, *value);
            }
        }
        if gateway.detail == Detail::Histogram {
            let until = histogram::bound_at(1.0);
            let until = until.filter(|_| !gateway.timeout.is_below_the_load_balancers());
            let near = histogram::bound_at(gateway.near).ok_or("near is no bucket bound")?;
            snapshot.count_near_misses(near, until);
        }
        let groups = ask.target_groups.iter().enumerate();
        let groups = groups.map(|(number, group)| self.target_group(index, number, group, gateway));
        snapshot.target_groups = groups.collect::<Result<_, _>>()?;
        Ok(snapshot)
    }

    /// The newest figures of a target group.
    fn target_group(
        &self,
        index: usize,
        number: usize,
        dimension: &str,
        gateway: &Gateway,
    ) -> Result<TargetGroup, String> {
        let newest = |row: usize, metric: &str| {
            let points = self.complete(&group_query_id(index, number, row), metric)?;
            let newest = points.iter().max_by_key(|(minute, _)| *minute);
            Ok::<_, String>(newest.map(|(_, value)| *value).filter(|value| value.is_finite()))
        };
        let rows = gateway.kind.target_group_rows();
        let mut figures = rows.iter().enumerate().map(|(row, (metric, _))| newest(row, metric));
        let name = dimension.split('/').nth(1).unwrap_or(dimension).to_owned();
        let mut next = || figures.next().transpose().map(Option::flatten);
        Ok(TargetGroup { name, p99: next()?, healthy_hosts: next()? })
    }

    pub(super) fn complete(&self, id: &str, metric: &str) -> Result<&[(Minute, f64)], String> {
        match self.0.get(id) {
            None => Err(format!("no result for {metric}")),
            Some(Merged { status: Some(StatusCode::Complete), points, .. }) => Ok(points),
            Some(Merged { status, messages, .. }) => Err(format!(
                "the result for {metric} is {}{messages}",
                status.as_ref().map_or("without a status", StatusCode::as_str)
            )),
        }
    }
}
