//! The report for programs: seconds, shares of one, and counts as whole numbers;
//! what is not known is null.

use serde_json::{Value, json};

use crate::capacity::fleet::{Busiest, Sums};
use crate::capacity::row::{CapacityRow, Change};
use crate::capacity::week::{Hour, Peak, Week};
use crate::capacity::words::{later, shortened};
use crate::capacity::{Digest, advice, page};
use crate::gateway::Identity;
use crate::number::{ratio, whole};

/// The name of this form; its number rises when a field changes its meaning or goes.
pub const SCHEMA: &str = "nearmiss.report/1";

/// The most characters of any name.
const NAME: usize = 256;
/// The most entries of the lists beside the gateways; the report says how many there are in
/// all.
const LISTED: usize = 1_000;

/// The whole report.
pub fn value(digest: &Digest) -> Value {
    json!({
        "schema": SCHEMA,
        "id": digest.id(),
        "title": digest.title(),
        "headline": digest.headline(),
        "host": digest.host,
        "from": digest.period.from.start().to_string(),
        "to": digest.period.end.start().to_string(),
        "days": digest.days(),
        "fleet": fleet(digest),
        "gateways": digest.close.iter().map(|s| gateway(digest, s)).collect::<Vec<_>>(),
        "to_do": page::steps(digest),
        "forecasts": list(&digest.expected, |s| forecast(digest, s)),
        "open_episodes": list(&digest.open, episode),
        "changes": list(&digest.changes, |(label, what)| change(label, what)),
        "without_data": list(&digest.without_data, |label| json!(label)),
        "partly_known": list(&digest.partly, |(label, days)| {
            json!({ "gateway": label, "known_days": number(*days) })
        }),
        "cost": cost(digest),
    })
}

/// A list with the number of all that there is.
fn list<T>(all: &[T], write: impl Fn(&T) -> Value) -> Value {
    json!({
        "count": all.len(),
        "listed": all.iter().take(LISTED).map(write).collect::<Vec<_>>(),
    })
}

fn fleet(digest: &Digest) -> Value {
    let fleet = &digest.fleet;
    let compared = (fleet.compared > 0).then(|| {
        let (before, now) = fleet.compared_sums;
        json!({ "gateways": fleet.compared, "before": sums(before), "now": sums(now) })
    });
    json!({
        "gateways": fleet.gateways,
        "measured": fleet.measured,
        "came_close": fleet.close,
        "comfortable": fleet.comfortable(),
        "idle": fleet.idle,
        "unknown": fleet.unknown,
        "partly_known": fleet.partly,
        "counts": sums(fleet.sums),
        "near_misses_partly_unknown": fleet.near_unknown > 0,
        "compared": compared,
        "incidents": fleet.trouble.stretches,
        "incident_minutes": fleet.trouble.minutes,
        "busiest_hour": fleet.busiest.as_ref().map(busiest),
    })
}

fn sums(sums: Sums) -> Value {
    json!({
        "requests": whole(sums.requests),
        "near_misses": whole(sums.near_misses),
        "timeouts": whole(sums.timeouts),
    })
}

fn busiest(busiest: &Busiest) -> Value {
    let closest = busiest
        .closest
        .as_ref()
        .map(|(label, found, share)| json!({ "gateway": label, "peak": peak(found, *share) }));
    json!({
        "at": busiest.at.start().to_string(),
        "requests": whole(busiest.requests),
        "closest": closest,
    })
}

fn gateway(digest: &Digest, standing: &CapacityRow) -> Value {
    let CapacityRow { label, id, limits, now, before, .. } = standing;
    let of = |found: Option<Peak>| found.map(|found| peak(&found, standing.share(found)));
    let headroom = |found: Option<Peak>| found.and_then(|p| number(1.0 - standing.share(p)));
    let hour = |hour: Hour| {
        json!({
            "at": hour.at.start().to_string(),
            "requests": whole(hour.requests),
            "peak": of(hour.closest),
        })
    };
    json!({
        "name": label,
        "gateway": identity(id),
        "timeout_seconds": number(limits.now),
        "near_seconds": number(limits.now * standing.near),
        "headroom": headroom(now.typical()),
        "headroom_before": headroom(before.typical()),
        "trend": standing.direction,
        "usual_peak": of(now.typical()),
        "usual_peak_before": of(before.typical()),
        "highest": of(now.highest()),
        "busiest_hour": now.busiest().map(hour),
        "now": counts(now),
        "before": counts(before),
        "incidents": standing.trouble.stretches,
        "incident_minutes": standing.trouble.minutes,
        "without_data": standing.without_data,
        "to_do": advice::of(standing, digest.end),
    })
}

/// Counts of the known quarter-hours; all null where none is known.
fn counts(week: &Week) -> Value {
    let known = |count: f64| (week.known > 0).then(|| whole(count));
    json!({
        "known_days": number(week.known_days()),
        "requests": known(week.requests),
        "near_misses": week.near_misses().and_then(known),
        "near_misses_partly_unknown": week.near_unknown > 0,
        "near_misses_of_another_timeout": week.near_of_another,
        "timeouts": known(week.timeouts),
        "connection_timeouts": known(week.unreachable),
        "timeout_share": ratio(week.timeouts, week.requests).and_then(number),
    })
}

fn peak(peak: &Peak, share: f64) -> Value {
    json!({
        "at": peak.at.start().to_string(),
        "p99_seconds": number(peak.p99),
        "share_of_timeout": number(share),
        "requests": whole(peak.requests),
        "at_least": peak.at_least,
        "few_requests": peak.is_of_few(),
    })
}

fn forecast(digest: &Digest, standing: &CapacityRow) -> Value {
    let at = |seconds: f64| later(digest.end, seconds).to_string();
    standing.expected.map_or(Value::Null, |expected| {
        json!({
            "gateway": standing.label,
            "rule": expected.rule,
            "earliest": at(expected.left.low),
            "expected": at(expected.left.mid),
            "latest": at(expected.left.high),
        })
    })
}

fn episode(standing: &CapacityRow) -> Value {
    standing.episode.as_ref().map_or(Value::Null, |episode| {
        json!({
            "gateway": standing.label,
            "id": shortened(&episode.id, NAME),
            "began": episode.began.to_string(),
            "severity": episode.severity,
            "rule": episode.evidence.rule,
            "benign": episode.benign,
        })
    })
}

fn change(label: &str, change: &Change) -> Value {
    match change {
        Change::Timeout(changed) => json!({
            "gateway": label,
            "change": "timeout",
            "from_seconds": number(changed.from),
            "to_seconds": number(changed.to),
            "at": changed.at.map(|at| at.to_string()),
        }),
        Change::Healthy(then, now) => json!({
            "gateway": label,
            "change": "healthy_targets",
            "from": number(*then),
            "to": number(*now),
        }),
        Change::New(at) => json!({ "gateway": label, "change": "new", "at": at.to_string() }),
        Change::Silent(at, idle) => json!({
            "gateway": label,
            "change": "silent",
            "since": at.to_string(),
            "data": if *idle { "idle" } else { "unknown" },
        }),
    }
}

fn cost(digest: &Digest) -> Value {
    let (gateways, days) = (digest.fleet.gateways, digest.days());
    digest.bill.map_or(Value::Null, |bill| {
        json!({
            "billed_metrics": bill.billed_metrics,
            "dollars": number(bill.dollars),
            "dollars_per_gateway": page::each(bill.dollars, gateways).and_then(number),
            "two_alarms_per_gateway_dollars": number(page::alarms(gateways, days)),
        })
    })
}

fn identity(id: &Identity) -> Value {
    json!({
        "name": shortened(&id.name, NAME),
        "region": shortened(&id.region, NAME),
        "account": shortened(&id.account, NAME),
        "dimension": shortened(&id.dimension, NAME),
    })
}

/// A figure to the sixth decimal; `None` of what is no number.
fn number(value: f64) -> Option<f64> {
    let rounded = (value * 1e6).round() / 1e6;
    [rounded, value].into_iter().find(|v| v.is_finite())
}
