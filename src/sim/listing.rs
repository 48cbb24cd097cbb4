//! `CloudWatch` `ListMetrics`.
//!
//! Lists what had a datapoint at some time of the script, so a counter that
//! stayed zero is missing, as at AWS. The list is made once and kept as indexes;
//! a large fleet has hundreds of thousands of entries.

use std::collections::HashMap;
use std::ops::Range;

use super::catalog::{self, METRICS};
use super::document::{Failure, Reply, Value};
use super::input::Input;
use super::place::Place;
use super::publication::View;
use super::rng::hash_bytes;
use super::series::Spot;
use super::state::{Call, State};
use super::world::{Balancer, ZONES};

/// Metrics per page.
const PAGE: usize = 500;

/// Every metric that ever had a datapoint.
pub(super) struct Listing(Vec<Entry>);

struct Entry {
    balancer: u32,
    metric: u16,
    group: Option<u8>,
    zone: Option<u8>,
}

/// Metric, target group and zone by index.
type Seen = (u16, Option<u8>, Option<u8>);

/// One dimension a listed metric has to have.
type Filter<'a> = (&'a str, Option<&'a str>);

/// Answers `ListMetrics`.
pub(super) fn list_metrics(state: &State, call: &Call, input: Input) -> Reply {
    let namespace = input.text("Namespace")?;
    let name = input.text("MetricName")?;
    let unknown = |message| Failure::new(400, "SimUnknownMetric", message);
    if let Some(name) = name {
        catalog::find(namespace.unwrap_or(catalog::NAMESPACE), name).map_err(unknown)?;
    } else if let Some(namespace) = namespace {
        catalog::find(namespace, "RequestCount").map_err(unknown)?;
    }
    if input.text("RecentlyActive")?.is_some_and(|active| active != "PT3H") {
        let message = "The parameter RecentlyActive must be PT3H.";
        return Err(Failure::new(400, "InvalidParameterValue", message)
            .shaped("InvalidParameterValueException"));
    }
    let filters = filters(input)?;
    let mark = mark(input);
    let from = match input.text("NextToken")? {
        None => 0,
        Some(token) => token
            .split_once('-')
            .filter(|(given, _)| *given == mark)
            .and_then(|(_, position)| position.parse().ok())
            .ok_or_else(|| {
                Failure::new(400, "InvalidParameterValue", "The value for NextToken is not valid.")
                    .shaped("InvalidParameterValueException")
            })?,
    };
    let reach = Reach::new(state, call, input)?;
    let mut fields = Vec::new();
    let (mut metrics, mut owners) = (Vec::new(), Vec::new());
    if !call.foreign {
        let listing = state.listing.get_or_init(|| Listing::new(state));
        let mut found = listing.0.iter().enumerate().skip(from).filter(|(_, entry)| {
            name.is_none_or(|name| METRICS[usize::from(entry.metric)].name == name)
                && entry.fits(state, &filters)
                && reach.holds(entry.balancer(state))
        });
        for (_, entry) in found.by_ref().take(PAGE) {
            metrics.push(entry.value(state));
            owners.push(Value::text(entry.balancer(state).account.as_str()));
        }
        if let Some((position, _)) = found.next() {
            fields.push(("NextToken", Value::text(format!("{mark}-{position}"))));
        }
    }
    fields.insert(0, ("Metrics", Value::List(metrics)));
    if reach.linked {
        fields.push(("OwningAccounts", Value::List(owners)));
    }
    Ok(Value::Record(fields))
}

/// Whose metrics are listed.
struct Reach<'a> {
    /// The caller's account.
    account: &'a str,
    /// Whether linked accounts are included.
    linked: bool,
    /// The only account asked for.
    only: Option<&'a str>,
    /// Epoch minute at which a load balancer has to exist or have existed.
    minute: i64,
}

impl<'a> Reach<'a> {
    fn new(state: &State, call: &'a Call, input: Input<'a>) -> Result<Self, Failure> {
        let monitoring = call.account == state.setup.account;
        Ok(Self {
            account: &call.account,
            linked: monitoring && input.flag("IncludeLinkedAccounts")?.unwrap_or(false),
            only: input.text("OwningAccount")?,
            minute: call.now.map_or(i64::MAX, |now| now.div_euclid(60)),
        })
    }

    fn holds(&self, one: &Balancer) -> bool {
        (self.linked || one.account == self.account)
            && self.only.is_none_or(|only| one.account == only)
            && one.life.start <= self.minute
    }
}

fn filters(input: Input<'_>) -> Result<Vec<Filter<'_>>, Failure> {
    let mut filters = Vec::new();
    for one in input.records("Dimensions")? {
        let name = one.required("Name")?;
        if !["LoadBalancer", "TargetGroup", "AvailabilityZone"].contains(&name) {
            let message = format!("{} has no dimension '{name}'", catalog::NAMESPACE);
            return Err(Failure::new(400, "SimUnknownMetric", message));
        }
        filters.push((name, one.text("Value")?));
    }
    Ok(filters)
}

fn mark(input: Input) -> String {
    let mut rest = input.raw().clone();
    if let Some(object) = rest.as_object_mut() {
        object.remove("NextToken");
    }
    format!("{:016x}", hash_bytes(1, rest.to_string().as_bytes()))
}

impl Listing {
    fn new(state: &State) -> Self {
        let mut known: HashMap<(u64, Range<i64>), Vec<Seen>> = HashMap::new();
        let mut entries = Vec::new();
        for (index, balancer) in state.world.balancers.iter().enumerate() {
            let seen = known
                .entry((balancer.stream, balancer.life.clone()))
                .or_insert_with(|| ever(state, balancer));
            entries.extend(seen.iter().map(|&(metric, group, zone)| Entry {
                balancer: index as u32,
                metric,
                group,
                zone,
            }));
        }
        Self(entries)
    }
}

/// Which metrics of which places of a load balancer ever had a datapoint.
fn ever(state: &State, balancer: &Balancer) -> Vec<Seen> {
    let groups = (0..balancer.groups.len() as u8).map(Some);
    let zones: Vec<Option<u8>> =
        std::iter::once(None).chain((0..ZONES.len() as u8).map(Some)).collect();
    let mut open = Vec::new();
    for group in std::iter::once(None).chain(groups) {
        for &zone in &zones {
            let valid = METRICS
                .iter()
                .enumerate()
                .filter(|(_, metric)| metric.has_set(group.is_some(), zone.is_some()));
            open.extend(valid.map(|(at, _)| (at as u16, group, zone)));
        }
    }
    let mut found = Vec::new();
    for minute in state.script() {
        open.retain(|&(metric, group, zone)| {
            let spot =
                Spot { balancer, group: group.map(usize::from), zone: zone.map(usize::from) };
            let metric_of = &METRICS[usize::from(metric)];
            let seen = spot.pool(metric_of, View::at(state, None), minute..minute + 1).count() > 0;
            if seen {
                found.push((metric, group, zone));
            }
            !seen
        });
    }
    found.sort_unstable();
    found
}

impl Entry {
    fn balancer<'a>(&self, state: &'a State) -> &'a Balancer {
        &state.world.balancers[self.balancer as usize]
    }

    fn place(&self, state: &State) -> Place {
        let balancer = self.balancer(state);
        let group = self.group.and_then(|at| balancer.groups.get(usize::from(at)));
        Place {
            balancer: Some(balancer.dimension.clone()),
            group: group.map(|group| group.dimension.clone()),
            zone: self.zone.map(|zone| state.world.zone(usize::from(zone))),
        }
    }

    fn fits(&self, state: &State, filters: &[Filter]) -> bool {
        if filters.is_empty() {
            return true;
        }
        let dimensions = self.place(state).dimensions();
        filters.iter().all(|(name, wanted)| {
            dimensions
                .iter()
                .any(|(have, value)| have == name && wanted.is_none_or(|wanted| wanted == value))
        })
    }

    fn value(&self, state: &State) -> Value {
        let dimension = |(name, value): (&str, String)| {
            Value::Record(vec![("Name", Value::text(name)), ("Value", Value::text(value))])
        };
        let dimensions = self.place(state).dimensions().into_iter().map(dimension).collect();
        Value::Record(vec![
            ("Namespace", Value::text(catalog::NAMESPACE)),
            ("MetricName", Value::text(METRICS[usize::from(self.metric)].name)),
            ("Dimensions", Value::List(dimensions)),
        ])
    }
}
