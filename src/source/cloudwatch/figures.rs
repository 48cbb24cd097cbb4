//! The figures around an incident: of the load balancer, of each zone and of each target
//! group.

use std::time::Duration;

use super::CloudWatch;
use super::request::{Query, Wanted};
use crate::edge::aws::Usage;
use crate::source::Answer;
use nearmiss_core::diagnose::evidence::{Figures, Scope};
use nearmiss_core::gateway::Gateway;
use nearmiss_core::gateway::evidence::{Published, Row};
use nearmiss_core::time::Minute;

/// At most this many target groups have their figures read.
const MAX_TARGET_GROUPS: usize = 10;

impl CloudWatch {
    pub(super) async fn read_figures(
        &self,
        gateway: &Gateway,
        (zones, groups): (&[String], &[String]),
        (first, end): (Minute, Minute),
        deadline: Duration,
        usage: &mut Usage,
    ) -> Answer<Figures> {
        let zones = zones.iter().map(|zone| Scope::Zone(zone.clone()));
        let groups = groups.iter().take(MAX_TARGET_GROUPS);
        let groups = groups.map(|group| Scope::TargetGroup(group.clone()));
        let scopes = [Scope::All].into_iter().chain(zones).chain(groups);
        let asked: Vec<(Scope, &Row)> = scopes
            .flat_map(|scope| {
                let of_scope = gateway.id.kind.spec().evidence.iter();
                let rows = of_scope.filter(|row| is_of(row, &scope));
                rows.map(|row| (scope.clone(), row)).collect::<Vec<_>>()
            })
            .collect();
        let queries = asked.iter().map(|(scope, row)| query(gateway, scope, row)).collect();
        let wanted = [Wanted::of(gateway, first.start(), queries)];
        let (answers, used) = self.read(&wanted, 60, end.start(), deadline).await;
        usage.add(used);
        let points = answers.into_iter().next().unwrap_or_else(|| Ok(Vec::new()))?;
        let mut figures = Figures::between(first, end);
        for ((scope, row), points) in asked.into_iter().zip(points) {
            let scope = named(gateway, scope);
            figures.ask(scope.clone(), row.measure, row.absent);
            for (at, value) in points {
                figures.record(&scope, row.measure, Minute::containing(at), value);
            }
        }
        Ok(figures)
    }
}

fn is_of(row: &Row, scope: &Scope) -> bool {
    match scope {
        Scope::All | Scope::Zone(_) => row.published != Published::TargetGroup,
        Scope::TargetGroup(_) => row.published != Published::Balancer,
    }
}

fn query(gateway: &Gateway, scope: &Scope, row: &Row) -> Query {
    let mut query = Query::of(gateway, row.metric, row.stat);
    match scope {
        Scope::All => {}
        Scope::Zone(zone) => query.zone = Some(zone.clone()),
        Scope::TargetGroup(group) => query.target_group = Some(group.clone()),
    }
    query
}

/// A target group by its name.
fn named(gateway: &Gateway, scope: Scope) -> Scope {
    match (scope, &gateway.id.kind.spec().target_groups) {
        (Scope::TargetGroup(group), Some(metrics)) => {
            Scope::TargetGroup((metrics.name)(&group).to_owned())
        }
        (other, _) => other,
    }
}
