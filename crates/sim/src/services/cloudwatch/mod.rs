//! `CloudWatch` `GetMetricData`.
//!
//! Queries for the same metric, place and period are answered together: one
//! pool of requests per period serves all their statistics. All metrics of one
//! load balancer walk through the window side by side, so that a long window
//! makes each of its minutes once.

pub(crate) mod listing;
pub(crate) mod pages;
pub(crate) mod query;
pub(crate) mod retention;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Mutex;

use crate::catalog::{Metric, Place, Source};
use crate::metrics::resolved::Resolved;
use crate::metrics::view::View;
use crate::parallel;
use crate::parallel::lock;
use crate::rng::{hash, hash_bytes};
use crate::services::Call;
use crate::services::cloudwatch::pages::{Position, Series, page, position};
use crate::services::cloudwatch::query::{Query, queries};
use crate::services::sns::chat_events;
use crate::services::sns::log::Messages;
use crate::statistics::Stat;
use crate::traffic::minutes::Minutes;
use crate::wire::document::{Failure, Reply};
use crate::wire::input::{Input, missing};
use crate::world::World;

/// Datapoints in one answer.
const MAX_POINTS: i64 = 100_800;
/// Minutes times metrics one call may cover, so that no call runs for minutes.
const MAX_WORK: i64 = 5_000_000;

/// Minutes of a window from which on several threads work on it.
const LONG: i64 = 1_440;

/// What metrics are computed from.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    pub(crate) world: &'a World,
    pub(crate) minutes: &'a Minutes,
    pub(crate) messages: &'a Mutex<Messages>,
}

impl<'a> Sources<'a> {
    /// What there is of it at AWS's `now`.
    fn view(self, now: Option<i64>) -> View<'a> {
        View::at(self.world, self.minutes, now)
    }
}

/// The window in epoch minutes, end exclusive.
struct Window {
    from: i64,
    until: i64,
    /// End of the data that already arrived.
    known: i64,
    /// AWS's now, epoch seconds.
    now: Option<i64>,
}

impl Window {
    /// The epoch second from which on points of a period (minutes) are kept.
    fn since(&self, sources: Sources, period: i64) -> i64 {
        let kept = self.now.filter(|_| sources.world.setup.faults.retention);
        kept.map_or(i64::MIN, |now| retention::since(period * 60, now))
    }
}

/// The queries for one metric, place and period.
struct Bundle<'a> {
    metric: &'static Metric,
    resolved: Resolved<'a>,
    /// Indexes of the queries.
    queries: Vec<usize>,
}

/// Bundles by gateway and period (minutes).
type Bundles<'a> = HashMap<(&'a str, i64), Vec<Bundle<'a>>>;

/// Answers `GetMetricData`.
pub(crate) fn get_metric_data(sources: Sources, call: &Call, input: Input) -> Reply {
    let queries = queries(sources.world, input)?;
    let descending = match input.text("ScanBy")? {
        None | Some("TimestampDescending") => true,
        Some("TimestampAscending") => false,
        Some(_) => return Err(Failure::validation("ScanBy must be a known order")),
    };
    let limit = input.integer("MaxDatapoints")?.unwrap_or(MAX_POINTS);
    if !(1..=MAX_POINTS).contains(&limit) {
        let message = format!("MaxDatapoints must be between 1 and {MAX_POINTS}");
        return Err(Failure::validation(message));
    }
    let mark = || fingerprint(sources, input);
    let position = position(input.text("NextToken")?, mark, call.now)?;
    let window = window(sources, input, position)?;
    let returned: Vec<&Query> = queries.iter().filter(|query| query.returned).collect();
    let mut all: Vec<Series> =
        returned.iter().map(|query| Series::new(query.id, query.label)).collect();
    for (query, series) in returned.iter().zip(&mut all) {
        if !may_read(sources, call, query) {
            series.status = "Forbidden";
        }
    }
    compute(sources, call, &returned, &window, &mut all)?;
    if call.region == chat_events::REGION {
        count_chat(sources, call, &returned, &window, &mut all);
    }
    for (index, series) in all.iter_mut().enumerate() {
        if descending {
            series.points.reverse();
        }
        let asked = (returned[index], &window);
        let number = hash(&[call.number, index as u64]);
        spoil(sources, number, asked, descending, series);
    }
    Ok(page(&all, position, limit as usize, mark))
}

/// Whether the caller may read metrics of the account a query asks for.
fn may_read(sources: Sources, call: &Call, query: &Query) -> bool {
    let monitoring = call.account == sources.world.setup.account;
    query
        .account
        .is_none_or(|asked| asked == call.account || (monitoring && sources.world.linked(asked)))
}

fn window(sources: Sources, input: Input, position: Position) -> Result<Window, Failure> {
    let start = input.time("StartTime")?.ok_or_else(|| missing("StartTime"))?;
    let end = input.time("EndTime")?.ok_or_else(|| missing("EndTime"))?;
    if start >= end {
        return Err(Failure::validation(
            "The parameter StartTime must be less than the parameter EndTime.",
        ));
    }
    let until = (end + 59).div_euclid(60);
    let aged = position.now.filter(|_| sources.world.setup.faults.retention);
    let start = aged.map_or(start, |now| retention::rounded(start, now));
    Ok(Window {
        from: start.div_euclid(60),
        now: position.now,
        until,
        known: until - i64::from(sources.world.setup.faults.late),
    })
}

/// The datapoints of every returned query, oldest first.
fn compute(
    sources: Sources,
    call: &Call,
    queries: &[&Query],
    window: &Window,
    all: &mut [Series],
) -> Result<(), Failure> {
    let bundles = bundles(sources, call, queries, all);
    let metrics: usize = bundles.values().map(Vec::len).sum();
    if (window.until - window.from).saturating_mul(metrics as i64) > MAX_WORK {
        return Err(Failure::validation("The window times the number of metrics is too large"));
    }
    let view = sources.view(window.now);
    for ((_, period), group) in bundles {
        let since = window.since(sources, period);
        let starts = (window.from..window.known).step_by(period as usize);
        let starts: Vec<i64> = starts.filter(|from| from * 60 >= since).collect();
        let long = window.known - window.from > LONG;
        let values = parallel::map(&starts, long, |from| {
            values(&group, queries, view, *from..(from + period).min(window.known))
        });
        for (from, values) in starts.iter().zip(values) {
            for (index, value) in values {
                all[index].points.push((from * 60, value));
            }
        }
    }
    Ok(())
}

/// The datapoints of the chat configurations, oldest first: only those that are not zero.
fn count_chat(
    sources: Sources,
    call: &Call,
    queries: &[&Query],
    window: &Window,
    all: &mut [Series],
) {
    let view = sources.view(window.now);
    for (query, series) in queries.iter().zip(all) {
        let Source::Chat(what) = query.metric.source else { continue };
        let name = query.place.get("ConfigurationName");
        let mut known = sources.world.setup.chat_configurations.iter();
        let exists = known.any(|one| Some(one.as_str()) == name);
        let account = query.account.unwrap_or(&call.account);
        if !exists || account != sources.world.setup.account || series.status == "Forbidden" {
            continue;
        }
        let minutes =
            lock(sources.messages).chat.minutes(what, window.from..window.known, window.now);
        let since = window.since(sources, query.period);
        let mut periods: BTreeMap<i64, f64> = BTreeMap::new();
        let there = |minute: i64| view.holds(query.metric.name, minute);
        for (minute, count) in minutes.into_iter().filter(|(minute, _)| there(*minute)) {
            let start = minute - (minute - window.from) % query.period;
            *periods.entry(start * 60).or_default() += count as f64;
        }
        series.points = periods.into_iter().filter(|(start, _)| *start >= since).collect();
    }
}

/// What the queries of one gateway find in one period (epoch minutes), by
/// index of the query.
fn values(
    group: &[Bundle],
    queries: &[&Query],
    view: View,
    period: Range<i64>,
) -> Vec<(usize, f64)> {
    let mut found = Vec::new();
    for one in group {
        let pool = one.resolved.pool(one.metric, view, period.clone());
        let kept = one.queries.iter().filter(|index| has(view, one.metric, queries[**index].stat));
        let values = kept.map(|&index| (index, queries[index].stat.of(&pool)));
        found.extend(values.filter_map(|(index, value)| Some((index, value?))));
    }
    found
}

/// Whether a metric has a statistic at all.
fn has(view: View, metric: &Metric, stat: Stat) -> bool {
    let all = view.world.setup.faults.options.origin_statistics;
    metric.source != Source::Percentiles || all || stat.is_percentile()
}

/// Puts the queries together whose gateway exists and may be read in the region of the call.
fn bundles<'a>(
    sources: Sources<'a>,
    call: &Call,
    queries: &[&Query],
    all: &[Series],
) -> Bundles<'a> {
    type Same<'a> = (&'a str, &'a str, &'a Place, &'a str, i64);
    let mut together: HashMap<Same, Vec<usize>> = HashMap::new();
    for (index, query) in queries.iter().enumerate() {
        let here = query.namespace.region.map_or(!call.foreign, |region| call.region == region);
        if here && all[index].status != "Forbidden" {
            let account = query.account.unwrap_or(&call.account);
            let key = (query.space, query.metric.name, &query.place, account, query.period);
            together.entry(key).or_default().push(index);
        }
    }
    let mut bundles = Bundles::new();
    for ((space, _, place, account, period), indexes) in together {
        if let Some(resolved) = Resolved::find(sources.world, space, place, account) {
            let key = (resolved.key(), period);
            let metric = queries[indexes[0]].metric;
            bundles.entry(key).or_default().push(Bundle { metric, resolved, queries: indexes });
        }
    }
    bundles
}

/// Applies the faults that hit single results.
fn spoil(
    sources: Sources,
    number: u64,
    (query, window): (&Query, &Window),
    descending: bool,
    series: &mut Series,
) {
    let (faults, seed) = (&sources.world.setup.faults, sources.world.setup.seed);
    if series.status == "Forbidden" {
        return;
    }
    if faults.internal(seed, number) {
        series.points.clear();
        series.status = "InternalError";
        return;
    }
    if !faults.spoils_points() {
        return;
    }
    let content = hash(&[query.content(), window.from as u64, window.until as u64]);
    if let Some(missing) = faults.missing(seed, content) {
        let missing = missing.min(series.points.len());
        if descending {
            series.points.drain(..missing);
        } else {
            series.points.truncate(series.points.len() - missing);
        }
        series.status = "PartialData";
    }
    faults.disorder(seed, content, &mut series.points);
}

/// Hash of everything but the token: a token belongs to its own queries.
fn fingerprint(sources: Sources, input: Input) -> u64 {
    let mut rest = input.raw().clone();
    if let Some(object) = rest.as_object_mut() {
        object.remove("NextToken");
    }
    hash_bytes(sources.world.setup.seed, rest.to_string().as_bytes())
}
