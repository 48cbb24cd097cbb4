//! `CloudWatch` `ListMetrics`.
//!
//! Lists what had a datapoint at some time of the script, so a counter that
//! stayed zero is missing, as at AWS. The list is made once and kept as indexes;
//! a large fleet has hundreds of thousands of entries. Metrics of the chat
//! configurations follow behind it, as far as anything was counted until now.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;

use crate::catalog::gateways::CUSTOM;
use crate::catalog::{self, CHAT_METRICS, METRICS, Metric, NAMESPACES, Namespace, Place, Source};
use crate::metrics::gateways::{GatewayPlace, namespace as space_of, spots};
use crate::metrics::series::ResolvedPlace;
use crate::parallel::lock;
use crate::rng::hash_bytes;
use crate::services::Call;
use crate::services::cloudwatch::Sources;
use crate::services::cloudwatch::query::custom;
use crate::services::sns::chat_events;
use crate::wire::document::{Failure, Reply, Value};
use crate::wire::input::Input;
use crate::world::{Balancer, Gateway, World, ZONES};

/// Metrics per page.
const PAGE: usize = 500;

/// Every metric that ever had a datapoint.
pub(crate) struct Listing {
    balancers: Vec<Entry>,
    gateways: Vec<GatewayEntry>,
}

/// A metric of a gateway (by number) and a place.
struct GatewayEntry {
    gateway: u32,
    namespace: &'static Namespace,
    metric: &'static Metric,
    place: Place,
}

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

/// One listed metric: of a load balancer, another gateway, or a chat configuration.
enum Item<'a> {
    Entry(&'a Entry),
    Gateway(&'a Gateway, &'a GatewayEntry),
    Chat(&'a str, &'static Metric),
}

/// Answers `ListMetrics`.
pub(crate) fn list_metrics(
    sources: Sources,
    listing: &OnceLock<Listing>,
    call: &Call,
    input: Input,
) -> Reply {
    let namespace = input.text("Namespace")?;
    let name = input.text("MetricName")?;
    check_names(sources.world, namespace, name)?;
    if input.text("RecentlyActive")?.is_some_and(|active| active != "PT3H") {
        let message = "The parameter RecentlyActive must be PT3H.";
        return Err(Failure::new(400, "InvalidParameterValue", message)
            .shaped("InvalidParameterValueException"));
    }
    let filters = filters(sources.world, namespace, input)?;
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
    let reach = Reach::new(sources, call, input)?;
    let mut fields = Vec::new();
    let (mut metrics, mut owners) = (Vec::new(), Vec::new());
    let mut found =
        items(sources, listing, call, namespace).enumerate().skip(from).filter(|(_, item)| {
            name.is_none_or(|name| item.name() == name)
                && item.fits(sources, &filters)
                && item.reached(sources, &reach)
        });
    for (_, item) in found.by_ref().take(PAGE) {
        metrics.push(item.value(sources));
        owners.push(Value::text(item.account(sources)));
    }
    if let Some((position, _)) = found.next() {
        fields.push(("NextToken", Value::text(format!("{mark}-{position}"))));
    }
    fields.insert(0, ("Metrics", Value::List(metrics)));
    if reach.linked {
        fields.push(("OwningAccounts", Value::List(owners)));
    }
    Ok(Value::Record(fields))
}

/// Refuses namespaces and metrics AWS does not publish.
fn check_names(world: &World, namespace: Option<&str>, name: Option<&str>) -> Result<(), Failure> {
    let own =
        |space: &str| custom(world, space).any(|one| name.is_none_or(|name| name == one.metric));
    let mut published = world.gateways.iter().filter_map(|one| one.custom.as_ref());
    let anywhere = name.filter(|_| namespace.is_none());
    if namespace.is_some_and(own) || published.any(|one| Some(one.metric.as_str()) == anywhere) {
        return Ok(());
    }
    let unknown = |message| Failure::new(400, "SimUnknownMetric", message);
    let checked = match (namespace, name) {
        (None, None) => Ok(()),
        (Some(namespace), None) => catalog::namespace(namespace).map(drop),
        (Some(namespace), Some(name)) => catalog::find(namespace, name).map(drop),
        (None, Some(name)) => {
            let mut found = NAMESPACES.into_iter().map(|space| space.metric(name));
            match found.find(Result::is_ok) {
                Some(_) => Ok(()),
                None => catalog::find(catalog::NAMESPACE, name).map(drop),
            }
        }
    };
    checked.map_err(unknown)
}

/// Everything there is in a namespace, or in both, in the region of the call.
fn items<'a>(
    sources: Sources<'a>,
    listing: &'a OnceLock<Listing>,
    call: &Call,
    namespace: Option<&str>,
) -> impl Iterator<Item = Item<'a>> {
    let asked = |name: &str| namespace.is_none_or(|namespace| namespace == name);
    let listing = listing.get_or_init(|| Listing::new(sources));
    let here = (asked(catalog::NAMESPACE) && !call.foreign).then_some(&listing.balancers);
    let entries = here.into_iter().flatten().map(Item::Entry);
    let (region, foreign) = (call.region.clone(), call.foreign);
    let space = namespace.map(str::to_owned);
    let gateways = listing.gateways.iter().filter_map(move |entry| {
        let gateway = sources.world.gateways.get(entry.gateway as usize)?;
        let here = entry.namespace.region.map_or(!foreign, |only| region == only);
        let asked = space.as_ref().is_none_or(|space| space == space_of(gateway));
        (here && asked).then_some(Item::Gateway(gateway, entry))
    });
    let chat = asked(catalog::CHAT) && call.region == chat_events::REGION;
    let view = sources.view(call.now);
    let seen = |metric: &Metric| {
        let Source::Chat(what) = metric.source else { return false };
        let minutes = lock(sources.messages).chat.minutes(what, i64::MIN..i64::MAX, call.now);
        minutes.keys().any(|minute| view.holds(metric.name, *minute))
    };
    let seen: Vec<&Metric> = CHAT_METRICS.iter().filter(|metric| chat && seen(metric)).collect();
    let names = sources.world.setup.chat_configurations.iter();
    entries.chain(gateways).chain(
        names.flat_map(move |name| {
            seen.clone().into_iter().map(move |metric| Item::Chat(name, metric))
        }),
    )
}

impl<'a> Item<'a> {
    fn name(&self) -> &str {
        match self {
            Self::Entry(entry) => METRICS[usize::from(entry.metric)].name,
            Self::Gateway(one, entry) => {
                one.custom.as_ref().map_or(entry.metric.name, |custom| &custom.metric)
            }
            Self::Chat(_, metric) => metric.name,
        }
    }

    fn account(&self, sources: Sources<'a>) -> &'a str {
        match self {
            Self::Entry(entry) => &entry.balancer(sources).account,
            Self::Gateway(one, _) => &one.account,
            Self::Chat(..) => &sources.world.setup.account,
        }
    }

    fn reached(&self, sources: Sources, reach: &Reach) -> bool {
        match self {
            Self::Entry(entry) => {
                let one = entry.balancer(sources);
                reach.holds(&one.account, &one.life)
            }
            Self::Gateway(one, _) => reach.holds(&one.account, &one.life),
            Self::Chat(..) => reach.has(&sources.world.setup.account),
        }
    }

    fn place(&self, sources: Sources) -> Place {
        match self {
            Self::Entry(entry) => entry.place(sources),
            Self::Gateway(_, entry) => entry.place.clone(),
            Self::Chat(name, _) => Place::new([("ConfigurationName", *name)]),
        }
    }

    fn fits(&self, sources: Sources, filters: &[Filter]) -> bool {
        if filters.is_empty() {
            return true;
        }
        let place = self.place(sources);
        filters.iter().all(|(name, wanted)| {
            place.get(name).is_some_and(|value| wanted.is_none_or(|wanted| wanted == value))
        })
    }

    fn value(&self, sources: Sources) -> Value {
        let namespace = match self {
            Self::Entry(_) => catalog::NAMESPACE,
            Self::Gateway(one, _) => space_of(one),
            Self::Chat(..) => catalog::CHAT,
        };
        let dimension = |(name, value): &(String, String)| {
            Value::record([("Name", name.as_str().into()), ("Value", value.as_str().into())])
        };
        let dimensions = self.place(sources).dimensions().iter().map(dimension).collect();
        Value::record([
            ("Namespace", Value::text(namespace)),
            ("MetricName", Value::text(self.name())),
            ("Dimensions", Value::List(dimensions)),
        ])
    }
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
    fn new(sources: Sources, call: &'a Call, input: Input<'a>) -> Result<Self, Failure> {
        let monitoring = call.account == sources.world.setup.account;
        Ok(Self {
            account: &call.account,
            linked: monitoring && input.flag("IncludeLinkedAccounts")?.unwrap_or(false),
            only: input.text("OwningAccount")?,
            minute: call.now.map_or(i64::MAX, |now| now.div_euclid(60)),
        })
    }

    fn has(&self, account: &str) -> bool {
        (self.linked || account == self.account) && self.only.is_none_or(|only| account == only)
    }

    fn holds(&self, account: &str, life: &Range<i64>) -> bool {
        self.has(account) && life.start <= self.minute
    }
}

fn filters<'a>(
    world: &World,
    namespace: Option<&str>,
    input: Input<'a>,
) -> Result<Vec<Filter<'a>>, Failure> {
    let asked = |space: &str| namespace.is_none_or(|namespace| namespace == space);
    let known: Vec<&str> = NAMESPACES
        .into_iter()
        .filter(|space| asked(space.name))
        .flat_map(|space| space.sets.iter().copied().flatten().copied())
        .collect();
    let published = world.gateways.iter().filter_map(|one| one.custom.as_ref());
    let own: Vec<&str> = published
        .filter(|one| asked(&one.namespace))
        .flat_map(|one| one.dimensions.iter().map(|pair| pair.0.as_str()))
        .collect();
    let mut filters = Vec::new();
    for one in input.records("Dimensions")? {
        let name = one.required("Name")?;
        if !known.contains(&name) && !own.contains(&name) {
            let namespace = namespace.unwrap_or(catalog::NAMESPACE);
            let message = format!("{namespace} has no dimension '{name}'");
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
    fn new(sources: Sources) -> Self {
        let mut known: HashMap<(u64, Range<i64>), Vec<Seen>> = HashMap::new();
        let mut entries = Vec::new();
        for (index, balancer) in sources.world.balancers.iter().enumerate() {
            let seen = known
                .entry((balancer.source.stream, balancer.life.clone()))
                .or_insert_with(|| ever(sources, balancer));
            entries.extend(seen.iter().map(|&(metric, group, zone)| Entry {
                balancer: index as u32,
                metric,
                group,
                zone,
            }));
        }
        let gateways = sources.world.gateways.iter().enumerate();
        let gateways = gateways.flat_map(|(at, one)| published(sources, at, one)).collect();
        Self { balancers: entries, gateways }
    }
}

/// Whether no gateway before this one publishes at a place of it.
fn first(world: &World, one: &Gateway, place: &Place) -> bool {
    if place.dimensions().is_empty() && one.custom.is_none() {
        let same =
            |other: &&Gateway| other.account == one.account && space_of(other) == space_of(one);
        return world.gateways.iter().find(same).is_some_and(|other| std::ptr::eq(other, one));
    }
    let found = GatewayPlace::find(world, space_of(one), place, &one.account);
    found.is_some_and(|found| found.begins_with(one))
}

/// Which metrics of which places of a gateway ever had a datapoint.
fn published(sources: Sources, at: usize, one: &Gateway) -> Vec<GatewayEntry> {
    let space = catalog::namespace(space_of(one)).unwrap_or(&CUSTOM);
    let mut found = Vec::new();
    for metric in space.metrics {
        for spot in spots(sources.world, one) {
            let place = spot.place.clone();
            if one.custom.is_none() && !space.publishes(metric, &place.names()) {
                continue;
            }
            // All functions of an account, and namesakes, are listed with the first of them.
            if !first(sources.world, one, &place) {
                continue;
            }
            let resolved = GatewayPlace::of(one, spot);
            let seen = |minute: i64| {
                resolved.pool(metric, sources.view(None), minute..minute + 1).count() > 0
            };
            if sources.world.script().any(seen) {
                let gateway = at as u32;
                found.push(GatewayEntry { gateway, namespace: space, metric, place });
            }
        }
    }
    found
}

/// Which metrics of which places of a load balancer ever had a datapoint.
fn ever(sources: Sources, balancer: &Balancer) -> Vec<Seen> {
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
    for minute in sources.world.script() {
        open.retain(|&(metric, group, zone)| {
            let resolved = ResolvedPlace {
                balancer,
                group: group.map(usize::from),
                zone: zone.map(usize::from),
            };
            let metric_of = &METRICS[usize::from(metric)];
            let seen = resolved.pool(metric_of, sources.view(None), minute..minute + 1).count() > 0;
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
    fn balancer<'a>(&self, sources: Sources<'a>) -> &'a Balancer {
        &sources.world.balancers[self.balancer as usize]
    }

    fn place(&self, sources: Sources) -> Place {
        let balancer = self.balancer(sources);
        let group = self.group.and_then(|at| balancer.groups.get(usize::from(at)));
        let zone = self.zone.map(|zone| sources.world.zone(usize::from(zone)));
        let named = [
            ("LoadBalancer", Some(balancer.dimension.clone())),
            ("TargetGroup", group.map(|group| group.dimension.clone())),
            ("AvailabilityZone", zone),
        ];
        Place::new(named.into_iter().filter_map(|(name, value)| Some((name, value?))))
    }
}
