//! `AWS/Lambda`.
//!
//! A point has the time at which its invocation began. A timeout is no gap in the latencies: it
//! leaves a sample of exactly the timeout. Attempts that are throttled are no invocations.

use crate::metrics::gateways::{Seen, Spot, Values, millis, shares};
use crate::metrics::view::Owner;
use crate::traffic::request::{Outcome, Request};
use crate::world::Gateway;

/// Microseconds in a minute.
const MINUTE: u64 = 60_000_000;

/// The function, its aliases, and all functions of the account.
pub(crate) fn spots(one: &Gateway) -> Vec<Spot> {
    let function = ("FunctionName", one.name.clone());
    let mut spots = vec![Spot::whole([function.clone()]), Spot::whole::<String, String>([])];
    for (at, part) in one.plan.parts.iter().enumerate() {
        let alias = match part.name {
            "" => one.name.clone(),
            alias => format!("{}:{alias}", one.name),
        };
        let resource = ("Resource", alias);
        let spot = Spot::whole([function.clone(), resource.clone()]);
        spots.push(Spot { part: Some(at), ..spot });
        if !part.name.is_empty() {
            let version = ("ExecutedVersion", (at + 1).to_string());
            let spot = Spot::whole([function.clone(), resource, version]);
            spots.push(Spot { part: Some(at), ..spot });
        }
    }
    spots
}

/// Whether the function was invoked.
fn invoked(request: Request) -> bool {
    request.outcome != Outcome::Rejected
}

/// The values of a minute in which invocations began.
pub(crate) fn values(metric: &str, seen: &Seen) -> Values {
    match metric {
        "Duration" => {
            let invoked = seen.requests().filter(|(one, _)| invoked(*one));
            // Hundredths of a millisecond are what there is.
            let duration = |took| (millis(took) * 100.0).round() / 100.0;
            invoked.map(|(one, times)| (duration(one.took), times)).collect()
        }
        "Invocations" => vec![(1.0, seen.count(invoked))],
        "Errors" => {
            let failed = |one: &Request| invoked(*one) && one.outcome != Outcome::Answered;
            let errors = seen.count(|one| failed(&one));
            vec![(1.0, errors), (0.0, seen.count(invoked) - errors)]
        }
        "Throttles" => shares(seen, |one| !invoked(one), 1.0),
        "ConcurrentExecutions" => concurrent(seen),
        _ => Values::new(),
    }
}

/// At the beginning of each invocation, how many are under way.
fn concurrent(seen: &Seen) -> Values {
    let begun = |minute: &crate::traffic::minute::Minute, shift: u64| -> Vec<(u64, u64)> {
        let invoked = minute.ends().filter(|(one, ..)| invoked(*one));
        invoked.map(|(_, at, end)| (u64::from(at) + shift, end + shift)).collect()
    };
    let back = u64::from(seen.source.longest_timeout().div_ceil(60));
    let owner = Owner::part(seen.gateway, seen.source);
    let mut all = begun(seen.minute, back * MINUTE);
    let own: Vec<u64> = all.iter().map(|one| one.0).collect();
    for (shift, at) in (seen.at - back as i64..seen.at).enumerate() {
        let before = seen.view.minute(owner, "ConcurrentExecutions", at);
        all.extend(before.iter().flat_map(|minute| begun(minute, shift as u64 * MINUTE)));
    }
    let mut ends: Vec<u64> = all.iter().map(|one| one.1).collect();
    let mut starts: Vec<u64> = all.iter().map(|one| one.0).collect();
    ends.sort_unstable();
    starts.sort_unstable();
    let under_way = |at: &u64| {
        let (begun, over) =
            (starts.partition_point(|one| one <= at), ends.partition_point(|one| one <= at));
        ((begun - over) as f64, 1)
    };
    own.iter().map(under_way).collect()
}
