//! The simulator's own pages for outside observers, in JSON.
//!
//! They show the ground truth that a watcher is judged by, and what it did.

use std::ops::Range;

use serde_json::{Value as Json, json};

use crate::metrics::gateways::namespace;
use crate::parallel::lock;
use crate::server::state::State;
use crate::services::apigateway::front;
use crate::services::cloudfront;
use crate::traffic::{approach, story};
use crate::wire::ending::Ending;
use crate::wire::message::Outgoing;
use crate::world::Gateway;

/// Minutes one question for the truth may span.
const MAX_SPAN: i64 = 100_000;

/// Answers `GET /_sim/...`.
pub(crate) fn answer(state: &State, path: &str, query: &str) -> Outgoing {
    let (status, body) = match path {
        "/_sim/scenario" => (200, scenario(state)),
        "/_sim/published" => (200, json!(lock(&state.services.messages).accepted)),
        "/_sim/attempts" => (200, attempts(state)),
        "/_sim/requests" => (200, requests(state)),
        "/_sim/story" => (200, json!(story::all(state.world(), &state.services.minutes))),
        "/_sim/approaches" => (200, json!(approach::all(state.world(), &state.services.minutes))),
        "/_sim/truth" => match truth(state, query) {
            Ok(body) => (200, body),
            Err(message) => (400, json!({"error": message})),
        },
        _ => (
            404,
            json!({"error": "known pages: /_sim/scenario, /_sim/truth, /_sim/story, /_sim/approaches, /_sim/published, /_sim/attempts, /_sim/requests"}),
        ),
    };
    Outgoing {
        status,
        headers: vec![("content-type", "application/json".to_owned())],
        body: body.to_string().into_bytes(),
        ending: Ending::Whole,
        held: 0,
    }
}

fn scenario(state: &State) -> Json {
    let seconds = |minute: i64| minute.checked_mul(60);
    let balancers: Vec<Json> = state
        .world()
        .balancers
        .iter()
        .map(|one| {
            json!({
                "name": one.name,
                "arn": one.arn,
                "dimension": one.dimension,
                "target_groups": one.groups.iter().map(|group| &group.dimension).collect::<Vec<_>>(),
                "account": one.account,
                "idle_timeout": one.source.plan.timeout,
                "timeouts": one.source.timeouts.iter().map(|(from, timeout)| (from * 60, timeout)).collect::<Vec<_>>(),
                "created": seconds(one.life.start),
                "deleted": seconds(one.life.end),
                "sick": one.source.plan.trouble.sick(),
            })
        })
        .collect();
    json!({
        "name": state.world().scenario.name,
        "summary": state.world().scenario.summary,
        "minutes": state.world().scenario.minutes,
        "seed": state.world().setup.seed,
        "start": state.world().setup.start,
        "region": state.world().setup.region,
        "account": state.world().setup.account,
        "linked": state.world().setup.linked,
        "topics": state.world().topics().collect::<Vec<_>>(),
        "foreign_topics": state.world().setup.foreign_topics,
        "chat_configurations": state.world().setup.chat_configurations,
        "fronts": fronts(state),
        "load_balancers": balancers,
        "gateways": state.world().gateways.iter().map(gateway).collect::<Vec<_>>(),
    })
}

/// A gateway of another kind.
fn gateway(one: &Gateway) -> Json {
    let parts = one.parts().map(|(part, source)| {
        json!({
            "name": part.name,
            "timeout": source.plan.timeout,
            "sick": source.plan.trouble.sick(),
        })
    });
    let seconds = |minute: i64| minute.checked_mul(60);
    json!({
        "name": one.name,
        "id": one.id,
        "kind": approach::word(one.plan.kind),
        "namespace": namespace(one),
        "account": one.account,
        "created": seconds(one.life.start),
        "deleted": seconds(one.life.end),
        "parts": parts.collect::<Vec<_>>(),
    })
}

/// Ids of what stands in front of the first load balancer.
fn fronts(state: &State) -> Json {
    let one = cloudfront::origin(state.world(), &state.world().setup.account);
    one.map_or(Json::Null, |one| {
        json!({
            "load_balancer": one.name,
            "distribution": cloudfront::id(state.world(), one),
            "rest_api": front::id(state.world(), one, "rest"),
            "http_api": front::id(state.world(), one, "http"),
        })
    })
}

/// `Publish` calls that reached SNS, and how they ended.
fn attempts(state: &State) -> Json {
    let messages = lock(&state.services.messages);
    json!({"attempts": messages.attempts, "outcomes": messages.outcomes})
}

fn requests(state: &State) -> Json {
    let counts = state.counts().into_iter().map(|((service, operation, outcome), count)| {
        json!({"service": service, "operation": operation, "outcome": outcome, "count": count})
    });
    counts.collect()
}

/// Whose truth is asked for.
#[derive(Default)]
struct Whose {
    load_balancer: Option<String>,
    target_group: Option<String>,
    gateway: Option<String>,
    part: usize,
}

fn truth(state: &State, query: &str) -> Result<Json, String> {
    let (mut whose, mut from, mut to) = (Whose::default(), None, None);
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        let number = || value.parse::<i64>().map_err(|_| format!("{key} must be epoch seconds"));
        let text = Some(value.to_string());
        match key.as_ref() {
            "load_balancer" => whose.load_balancer = text,
            "target_group" => whose.target_group = text,
            "gateway" => whose.gateway = text,
            "part" => whose.part = value.parse().map_err(|_| "part must be a number")?,
            "from" => from = Some(number()?),
            "to" => to = Some(number()?),
            _ => return Err(format!("unknown parameter '{key}'")),
        }
    }
    let (from, to) = (from.ok_or("from is missing")?, to.ok_or("to is missing")?);
    let (from, to) = (from.div_euclid(60), to.saturating_add(59).div_euclid(60));
    if to < from || to - from > MAX_SPAN || from.abs() > 1_000_000_000 {
        return Err(format!("the window must be forward and at most {MAX_SPAN} minutes"));
    }
    match (&whose.load_balancer, &whose.gateway) {
        (Some(name), None) => of_balancer(state, name, whose.target_group.as_deref(), from..to),
        (None, Some(name)) => of_gateway(state, name, whose.part, from..to),
        _ => Err("load_balancer is missing, or gateway".to_owned()),
    }
}

fn of_balancer(
    state: &State,
    name: &str,
    group: Option<&str>,
    window: Range<i64>,
) -> Result<Json, String> {
    let minutes = window.map(|minute| {
        let (requests, timeout) = state.services.view().really(name, minute)?;
        let Some(group) = group else {
            return Some(json!(requests.truth(minute, timeout)));
        };
        let groups = &state.world().by_name(name, minute)?.groups;
        let at = groups.iter().position(|one| one.name == group)?;
        Some(json!(requests.of_group(at).truth(minute, timeout)))
    });
    let lost = || match group {
        Some(group) => format!("no load balancer '{name}' with a target group '{group}'"),
        None => format!("no load balancer '{name}'"),
    };
    minutes.collect::<Option<Json>>().ok_or_else(lost)
}

fn of_gateway(state: &State, name: &str, part: usize, window: Range<i64>) -> Result<Json, String> {
    let lost = || format!("no gateway '{name}' with a part {part}");
    let minutes = window.map(|minute| {
        let (requests, timeout) = state.services.view().really_of(name, part, minute)?;
        Some(json!(requests.truth(minute, timeout)))
    });
    minutes.collect::<Option<Json>>().ok_or_else(lost)
}
