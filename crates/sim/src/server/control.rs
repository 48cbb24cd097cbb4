//! The simulator's own pages for outside observers, in JSON.
//!
//! They show the ground truth that a watcher is judged by, and what it did.

use serde_json::{Value as Json, json};

use crate::parallel::lock;
use crate::server::state::State;
use crate::services::apigateway::front;
use crate::services::cloudfront;
use crate::traffic::story;
use crate::wire::ending::Ending;
use crate::wire::message::Outgoing;

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
        "/_sim/truth" => match truth(state, query) {
            Ok(body) => (200, body),
            Err(message) => (400, json!({"error": message})),
        },
        _ => (
            404,
            json!({"error": "known pages: /_sim/scenario, /_sim/truth, /_sim/story, /_sim/published, /_sim/attempts, /_sim/requests"}),
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

fn truth(state: &State, query: &str) -> Result<Json, String> {
    let (mut name, mut from, mut to) = (None, None, None);
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        let number = || value.parse::<i64>().map_err(|_| format!("{key} must be epoch seconds"));
        match key.as_ref() {
            "load_balancer" => name = Some(value.to_string()),
            "from" => from = Some(number()?),
            "to" => to = Some(number()?),
            _ => return Err(format!("unknown parameter '{key}'")),
        }
    }
    let name = name.ok_or("load_balancer is missing")?;
    let (from, to) = (from.ok_or("from is missing")?, to.ok_or("to is missing")?);
    let (from, to) = (from.div_euclid(60), to.saturating_add(59).div_euclid(60));
    if to < from || to - from > MAX_SPAN || from.abs() > 1_000_000_000 {
        return Err(format!("the window must be forward and at most {MAX_SPAN} minutes"));
    }
    let minutes = (from..to).map(|minute| {
        let (requests, timeout) = state.services.view().really(&name, minute)?;
        Some(json!(requests.truth(minute, timeout)))
    });
    minutes.collect::<Option<Json>>().ok_or_else(|| format!("no load balancer '{name}'"))
}
