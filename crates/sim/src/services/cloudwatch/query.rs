//! The queries of a `GetMetricData` call, checked.
//!
//! Apart from [`crate::services::cloudwatch`], which answers them: what a client may ask is
//! decided before anything is counted.

use std::collections::HashSet;

use crate::catalog::gateways::{CONTAINERS, CUSTOM};
use crate::catalog::{self, Metric, Namespace, Place, Source};
use crate::faults::options::CustomMetric;
use crate::metrics::place;
use crate::rng::hash_bytes;
use crate::statistics::Stat;
use crate::wire::document::Failure;
use crate::wire::input::{Input, missing};
use crate::world::World;

/// Queries in one call.
const MAX_QUERIES: usize = 500;

/// One checked query.
pub(crate) struct Query<'a> {
    pub(crate) id: &'a str,
    pub(crate) label: &'a str,
    pub(crate) namespace: &'static Namespace,
    /// What the namespace is called.
    pub(crate) space: &'a str,
    pub(crate) metric: &'static Metric,
    pub(crate) place: Place,
    /// Minutes.
    pub(crate) period: i64,
    pub(crate) stat: Stat,
    pub(crate) returned: bool,
    /// Where the metric is looked for, if not in the caller's account.
    pub(crate) account: Option<&'a str>,
    /// What is asked, without the id.
    part: Input<'a>,
}

impl Query<'_> {
    /// Hash of what is asked, without the id.
    pub(crate) fn content(&self) -> u64 {
        hash_bytes(0, self.part.raw().to_string().as_bytes())
    }
}

/// Reads the queries of a call.
pub(crate) fn queries<'a>(world: &World, input: Input<'a>) -> Result<Vec<Query<'a>>, Failure> {
    let asked = input.records("MetricDataQueries")?;
    if asked.is_empty() {
        return Err(missing("MetricDataQueries"));
    }
    if asked.len() > MAX_QUERIES {
        return Err(Failure::validation(format!(
            "The collection MetricDataQueries must not have a size greater than {MAX_QUERIES}."
        )));
    }
    let mut seen = HashSet::new();
    let mut queries = Vec::with_capacity(asked.len());
    for (index, one) in asked.into_iter().enumerate() {
        let query = query(world, one, index + 1)?;
        if !seen.insert(query.id) {
            return Err(Failure::validation(format!(
                "The values for parameter id in MetricDataQueries must be unique; '{}' is not.",
                query.id
            )));
        }
        queries.push(query);
    }
    if queries.iter().all(|query| !query.returned) {
        return Err(Failure::validation("At least one query must have ReturnData set to true"));
    }
    Ok(queries)
}

fn query<'a>(world: &World, one: Input<'a>, index: usize) -> Result<Query<'a>, Failure> {
    // Only a refusal says it.
    let at = format_args!("MetricDataQueries.member.{index}");
    let id = one.required("Id")?;
    let letters = id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !id.starts_with(|c: char| c.is_ascii_lowercase()) || !letters || id.len() > 255 {
        return Err(Failure::validation(format!(
            "The value {id} for parameter {at}.Id is not matching the expected pattern \
             ^[a-z][a-zA-Z0-9_]*$"
        )));
    }
    if one.text("Expression")?.is_some() {
        return Err(Failure::validation(format!(
            "{at}.Expression: this simulator answers MetricStat queries only"
        )));
    }
    let part = one.record("MetricStat")?.ok_or_else(|| missing(&format!("{at}.MetricStat")))?;
    let period =
        part.integer("Period")?.ok_or_else(|| missing(&format!("{at}.MetricStat.Period")))?;
    if period < 60 || period % 60 != 0 || period > 86_400 {
        return Err(Failure::validation(format!(
            "{at}.MetricStat.Period must be a multiple of 60 and at most 86400, not {period}"
        )));
    }
    let named = part.required("Stat")?;
    let invalid = || {
        Failure::validation(format!(
            "The value {named} for parameter {at}.MetricStat.Stat is not a valid statistic"
        ))
    };
    let stat = Stat::parse(named).ok_or_else(invalid)?;
    let asked =
        part.record("Metric")?.ok_or_else(|| missing(&format!("{at}.MetricStat.Metric")))?;
    let Asked { namespace, metric, name, place } = asked_metric(world, asked, part.text("Unit")?)?;
    let trimmed = &world.setup.faults.options.trimmed;
    if stat.is_trimmed() && !namespace.trimmed && !trimmed.contains(&namespace.name) {
        return Err(invalid());
    }
    if matches!(metric.source, Source::Chat(_)) && named != "Sum" {
        let message = format!("AWS documents Sum of {}, not {named}", metric.name);
        return Err(Failure::new(400, "SimUnknownMetric", message));
    }
    Ok(Query {
        id,
        label: one.text("Label")?.unwrap_or(name),
        namespace,
        space: asked.required("Namespace")?,
        metric,
        place,
        period: period / 60,
        stat,
        returned: one.flag("ReturnData")?.unwrap_or(true),
        account: one.text("AccountId")?,
        part,
    })
}

/// A metric at a place.
struct Asked<'a> {
    namespace: &'static Namespace,
    metric: &'static Metric,
    name: &'a str,
    place: Place,
}

fn asked_metric<'a>(
    world: &World,
    asked: Input<'a>,
    unit: Option<&str>,
) -> Result<Asked<'a>, Failure> {
    let unknown = |message: String| Failure::new(400, "SimUnknownMetric", message);
    let (space, name) = (asked.required("Namespace")?, asked.required("MetricName")?);
    let mut dimensions = Vec::new();
    for one in asked.records("Dimensions")? {
        let pair = (one.required("Name")?.to_owned(), one.required("Value")?.to_owned());
        if dimensions.iter().any(|(name, _): &(String, String)| *name == pair.0) {
            return Err(Failure::validation(format!("Dimension {} is given twice", pair.0)));
        }
        dimensions.push(pair);
    }
    let custom = custom(world, space).find(|custom| custom.metric == name);
    let (namespace, place) = if custom.is_some() {
        // Other dimensions than those there are, and it is another metric without points.
        (&CUSTOM, Place::new(dimensions))
    } else {
        let namespace = catalog::namespace(space).map_err(unknown)?;
        let metric = namespace.metric(name).map_err(unknown)?;
        (namespace, place::place(namespace, metric, dimensions).map_err(unknown)?)
    };
    let metric = namespace.metric(if custom.is_some() { "" } else { name }).map_err(unknown)?;
    let seconds = world.setup.faults.options.connect_seconds && space == CONTAINERS.name;
    let published = match custom {
        Some(custom) => custom.unit.as_str(),
        None if seconds && metric.unit == "Milliseconds" => "Seconds",
        None => metric.unit,
    };
    match unit {
        Some(unit) if unit != published => {
            Err(unknown(format!("AWS publishes {name} in {published}, not in {unit}")))
        }
        _ => Ok(Asked { namespace, metric, name, place }),
    }
}

/// The custom metrics of a namespace.
pub(crate) fn custom<'a>(world: &'a World, space: &str) -> impl Iterator<Item = &'a CustomMetric> {
    let all = world.gateways.iter().filter_map(|one| one.custom.as_ref());
    all.filter(move |one| one.namespace == space)
}
