//! `AWS/ApiGateway`: REST APIs, which are known by name, and HTTP APIs, which are by id.
//!
//! `Latency` holds timed-out requests of REST APIs a few milliseconds above the timeout.
//! Whatever is behind the API, its own answers are quick.

use crate::faults::options::Sampled;
use crate::metrics::gateways::{Seen, Spot, Values, answered, millis, timed_out};
use crate::rng::hash;
use crate::scenario::gateway::{Api, Behind, Kind};
use crate::traffic::request::{Outcome, Request};
use crate::world::Gateway;

/// Share of the requests that the API refuses itself.
const REFUSED: f64 = 0.004;

/// Share of the requests for which an authorizer takes many seconds.
const SLOW_AUTHORIZER: f64 = 0.02;

/// The API by name, which namesakes share, with its stage, and perhaps each method.
pub(crate) fn rest_spots(one: &Gateway, api: Api) -> Vec<Spot> {
    // What is not ASCII is left out of a name, and if nothing is left it is the id.
    let plain: String = one.name.chars().filter(char::is_ascii).collect();
    let name = if plain.is_empty() { one.id.clone() } else { plain };
    places(one, api, ("ApiName", &name))
}

/// The API by id, with its stage, and perhaps each route.
pub(crate) fn http_spots(one: &Gateway, api: Api) -> Vec<Spot> {
    places(one, api, ("ApiId", &one.id))
}

fn places(one: &Gateway, api: Api, (kind, name): (&'static str, &str)) -> Vec<Spot> {
    let name = (kind, name.to_owned());
    let stage = ("Stage", api.stage.to_owned());
    let mut spots = vec![Spot::whole([name.clone()]), Spot::whole([name.clone(), stage.clone()])];
    let parts = one.plan.parts.iter().enumerate().filter(|_| api.detailed);
    spots.extend(parts.map(|(at, part)| {
        let (method, resource) = part.name.split_once(' ').unwrap_or(("ANY", part.name));
        let (method, resource) = (method.to_owned(), resource.to_owned());
        let all = [name.clone(), stage.clone(), ("Method", method), ("Resource", resource)];
        Spot { part: Some(at), ..Spot::whole(all) }
    }));
    spots
}

/// A number in 0..1 that belongs to a request.
fn chance(request: Request, kind: u64) -> f64 {
    let Request { took, zone, target, .. } = request;
    crate::rng::unit(hash(&[u64::from(took), u64::from(zone), u64::from(target), kind]))
}

/// Milliseconds an API adds to what is behind it: 2 to 12, and what an authorizer takes.
fn added(seen: &Seen, request: Request) -> f64 {
    let own = 2.0 + (chance(request, 70) * 11.0).floor();
    let asks = matches!(seen.gateway.plan.kind, Kind::Rest(api) if api.authorized);
    if asks && chance(request, 73) < SLOW_AUTHORIZER {
        return own + 5_000.0 + (chance(request, 74) * 10_000.0).floor();
    }
    own
}

/// Whether the API refused the request itself, as one the caller may not make.
fn refused(seen: &Seen, request: Request) -> bool {
    let mock = seen.part.behind == Behind::Mock;
    !mock && request.outcome == Outcome::Answered && chance(request, 71) < REFUSED
}

/// Whether the answer was a 5xx.
fn failed(request: Request) -> bool {
    !matches!(request.outcome, Outcome::Answered | Outcome::Abandoned)
}

/// Whether it was the gateway whose patience ended.
fn given_up(seen: &Seen, request: Request) -> bool {
    timed_out(request) && !matches!(seen.part.behind, Behind::Function(_, Some(_)))
}

/// Milliseconds until the answer, if that is a sample.
fn latency(seen: &Seen, request: Request, http: bool) -> Option<f64> {
    if seen.part.behind == Behind::Mock || refused(seen, request) {
        return Some((chance(request, 72) * 3.0).floor());
    }
    if given_up(seen, request) && http && !seen.options().samples(Sampled::HttpApi) {
        return None;
    }
    Some(millis(request.took).round() + added(seen, request))
}

/// Milliseconds until what is behind the API answered, if that is a sample.
fn integration(seen: &Seen, request: Request) -> Option<f64> {
    if seen.part.behind == Behind::Mock || refused(seen, request) {
        return None;
    }
    let ended = !given_up(seen, request) || seen.options().samples(Sampled::Integration);
    let sampled =
        ended && (answered(request) || request.outcome == Outcome::Reset || timed_out(request));
    sampled.then(|| millis(request.took).round())
}

/// The values of a minute of a method or route.
pub(crate) fn values(metric: &str, seen: &Seen, http: bool) -> Values {
    let each = |value: &dyn Fn(Request) -> Option<f64>| -> Values {
        seen.requests().filter_map(|(one, times)| Some((value(one)?, times))).collect()
    };
    let flag = |fits: bool| Some(f64::from(u8::from(fits)));
    match metric {
        "Latency" => each(&|one| latency(seen, one, http)),
        "IntegrationLatency" => each(&|one| integration(seen, one)),
        "Count" => each(&|_| Some(1.0)),
        "5XXError" => each(&|one| flag(failed(one))),
        "4XXError" => each(&|one| flag(refused(seen, one))),
        // Those of HTTP APIs are counts of what there was.
        "5xx" => each(&|one| failed(one).then_some(1.0)),
        "4xx" => each(&|one| refused(seen, one).then_some(1.0)),
        _ => Values::new(),
    }
}

/// The values of a minute of a WebSocket API: messages and their integrations, and neither
/// requests nor what clients wait.
pub(crate) fn socket_values(metric: &str, seen: &Seen) -> Values {
    let all = seen.requests();
    match metric {
        "MessageCount" => all.map(|(_, times)| (1.0, times)).collect(),
        "IntegrationError" => vec![(1.0, seen.count(failed))],
        "IntegrationLatency" => values(metric, seen, true),
        _ => Values::new(),
    }
}
