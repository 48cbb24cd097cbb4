//! From a request to its answer.
//!
//! Authentication, faults and dispatch happen here once, so the services only
//! ever see calls that are theirs.

use serde_json::Value as Json;

use crate::clock;
use crate::faults::hostile::tree::{Context, TOKENS};
use crate::faults::hostile::{self, Kind, bytes, tree};
use crate::faults::refusals::refusal;
use crate::rng::hash_bytes;
use crate::rng::uuid;
use crate::server::state::State;
use crate::services::sns;
use crate::services::{Call, account_of};
use crate::wire::document::{Failure, Reply};
use crate::wire::ending::Ending;
use crate::wire::input::Input;
use crate::wire::message::{Incoming, Outgoing};
use crate::wire::protocol::{Protocol, Recognised, SERVICES};
use crate::wire::recognise::{recognise, scope};
use crate::wire::write::write;

/// What a request says about itself before it is understood.
#[derive(Clone, Copy)]
struct Stamp {
    /// Time of the signature, epoch seconds.
    signed_at: Option<i64>,
    /// AWS's now, epoch seconds.
    now: Option<i64>,
    /// Running number of the request.
    number: u64,
}

/// Answers one request of an AWS client.
pub(crate) fn answer(state: &State, request: &Incoming) -> Outgoing {
    let asked = recognise(request);
    let id = request_id(state, request);
    let stamp = stamp(state, request);
    let kinds = strikes(state, &asked, stamp);
    let reply = serve(state, request, &asked, stamp, &kinds);
    let outcome = match &reply {
        Ok(_) => "200",
        Err(failure) => failure.code.as_str(),
    };
    let known = !matches!(&reply, Err(failure) if failure.code == "SimUnknownOperation");
    state.count(asked.service, if known { &asked.operation } else { "unknown" }, outcome);
    let reply = hostile_reply(state, request, &asked, stamp, &kinds, reply);
    let mut outgoing = write(request, &asked, &reply, &id);
    outgoing.held = held(state, &asked);
    let off = scope(request).map_or(0, |scope| {
        state
            .world()
            .setup
            .faults
            .misdated(&account_of(&state.services.caller(&scope.access_key)), &scope.region)
    });
    let date = |now| state.clock.date(now) + (outgoing.held / 1_000).cast_signed() + off;
    outgoing.headers.extend(stamp.now.map(|now| ("date", clock::http_date(date(now)))));
    outgoing.ending = state.world().setup.faults.ending(state.world().setup.seed, stamp.number);
    if sns::is_cut(&state.services.messages, stamp.number) && outgoing.ending == Ending::Whole {
        outgoing.ending = Ending::Cut;
    }
    bytes::spoil(&mut outgoing, &kinds, request);
    outgoing
}

/// What makes the answer hostile.
fn strikes<'a>(state: &'a State, asked: &Recognised, stamp: Stamp) -> Vec<&'a Kind> {
    let minute = stamp.now.map(|now| state.world().scenario_minute(now));
    let action = action(asked.service, &asked.operation);
    let draw = (state.world().setup.seed, stamp.number);
    hostile::strikes(&state.world().setup.faults.hostile, draw, &action, minute)
}

/// The reply with the content it is to have.
fn hostile_reply(
    state: &State,
    request: &Incoming,
    asked: &Recognised,
    stamp: Stamp,
    kinds: &[&Kind],
    reply: Reply,
) -> Reply {
    let caller =
        scope(request).map(|scope| state.services.caller(&scope.access_key)).unwrap_or_default();
    let context = Context {
        number: stamp.number,
        action: &action(asked.service, &asked.operation),
        caller: &caller,
        xml: !matches!(asked.protocol, Protocol::Cbor | Protocol::Json | Protocol::RestJson),
    };
    tree::spoiled(reply, kinds, context)
}

/// How many milliseconds an answer is held back after it was made.
fn held(state: &State, asked: &Recognised) -> u64 {
    let publish = asked.service == "sns" && asked.operation == "Publish";
    if publish { state.world().setup.faults.sns.slow_ms } else { 0 }
}

fn stamp(state: &State, request: &Incoming) -> Stamp {
    let signed_at = clock::signed_at(request);
    Stamp { signed_at, now: state.clock.now(signed_at), number: state.next_call() }
}

fn serve(
    state: &State,
    request: &Incoming,
    asked: &Recognised,
    stamp: Stamp,
    kinds: &[&Kind],
) -> Reply {
    let rest = matches!(asked.protocol, Protocol::RestJson | Protocol::RestXml);
    if request.method != "POST" && !rest {
        let message = format!("method {} is not understood; AWS clients POST", request.method);
        return Err(Failure::new(405, "SimUnknownOperation", message));
    }
    let call = identify(state, request, asked, stamp)?;
    let input = asked.input.as_ref().map_err(Clone::clone)?;
    let first = kinds.iter().any(|kind| matches!(kind, Kind::Token(_))).then(|| untold(input));
    let input = Input::new(first.as_ref().unwrap_or(input), asked.protocol.lenient());
    let action = action(call.service, &call.operation);
    let further = TOKENS.iter().any(|name| input.raw().get(name).is_some());
    let (faults, seed) = (&state.world().setup.faults, state.world().setup.seed);
    let minute = call.now.map(|now| state.world().scenario_minute(now));
    let refused = minute
        .and_then(|minute| faults.of_minute(minute, &action))
        .or_else(|| faults.of_call(seed, call.number, &action, &call.caller, further));
    let asked_for = kinds.iter().find_map(|kind| match kind {
        Kind::Error(code) => Some(refusal(code, &action, &call.caller)),
        _ => None,
    });
    if let Some(failure) = refused.or(asked_for) {
        return Err(failure);
    }
    state.services.answer(&call, input)
}

/// The parameters without the token of a further page: pages without end are all the
/// first one.
fn untold(input: &Json) -> Json {
    let mut input = input.clone();
    if let Some(fields) = input.as_object_mut() {
        fields.retain(|name, _| !TOKENS.contains(&name.as_str()));
    }
    input
}

/// The IAM action of a call; those of API Gateway are called by the method, and both versions
/// of Elastic Load Balancing have the same.
fn action(service: &str, operation: &str) -> String {
    match service {
        "apigateway" => "apigateway:GET".to_owned(),
        "elb" => format!("elasticloadbalancing:{operation}"),
        _ => format!("{service}:{operation}"),
    }
}

/// Checks the signature's form (not its value) and who signed for what.
fn identify(
    state: &State,
    request: &Incoming,
    asked: &Recognised,
    stamp: Stamp,
) -> Result<Call, Failure> {
    if !request.headers.contains_key("authorization") {
        let message = "Request is missing Authentication Token";
        return Err(Failure::new(403, "MissingAuthenticationToken", message));
    }
    let Some(scope) = scope(request) else {
        let message = "Authorization header requires a complete AWS4-HMAC-SHA256 'Credential'";
        return Err(Failure::new(400, "IncompleteSignature", message));
    };
    let expected = SERVICES.iter().find(|service| service.prefix == asked.service);
    if let Some(expected) = expected.filter(|expected| expected.scope != scope.service) {
        let message = format!(
            "Credential should be scoped to correct service: '{}', not '{}'",
            expected.scope, scope.service
        );
        return Err(Failure::new(403, "SignatureDoesNotMatch", message));
    }
    let skew = stamp.signed_at.zip(stamp.now);
    if let Some(failure) = skew.and_then(|(signed, now)| clock::out_of_time(signed, now)) {
        return Err(failure);
    }
    let caller = state.services.caller(&scope.access_key);
    Ok(Call {
        service: asked.service,
        operation: asked.operation.clone(),
        foreign: scope.region != state.world().setup.region,
        region: scope.region,
        account: account_of(&caller),
        caller,
        signed_at: stamp.signed_at,
        now: stamp.now,
        number: stamp.number,
    })
}

/// An id out of the request's content, so that equal requests get equal answers.
fn request_id(state: &State, request: &Incoming) -> String {
    let seed = hash_bytes(state.world().setup.seed, request.path.as_bytes());
    uuid(hash_bytes(seed, &request.body), hash_bytes(seed ^ 1, &request.body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use crate::Setup;
    use crate::library::find;
    use crate::world::World;

    fn state() -> State {
        State::new(World::new(find("healthy").expect("exists"), Setup::of("healthy", 1)))
    }

    fn form(body: &str, service: &str) -> Incoming {
        let scope =
            format!("AWS4-HMAC-SHA256 Credential=A/20261121/eu-central-1/{service}/aws4_request");
        Incoming {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            query: String::new(),
            headers: BTreeMap::from([("authorization".to_owned(), scope)]),
            body: body.as_bytes().to_vec(),
        }
    }

    fn send(request: &Incoming) -> (u16, String) {
        let outgoing = answer(&state(), request);
        (outgoing.status, String::from_utf8_lossy(&outgoing.body).into_owned())
    }

    #[test]
    fn an_unsigned_request_is_refused_in_its_own_protocol() {
        let mut request = form("Action=DescribeLoadBalancers&Version=2015-12-01", "");
        request.headers.clear();
        let (status, body) = send(&request);
        assert_eq!(status, 403);
        assert!(body.contains("<Code>MissingAuthenticationToken</Code>"), "{body}");
    }

    #[test]
    fn a_request_signed_for_another_service_is_refused() {
        let (status, body) = send(&form("Action=ListTopics&Version=2010-03-31", "sts"));
        assert_eq!(status, 403);
        assert!(body.contains("SignatureDoesNotMatch"));
        assert_eq!(send(&form("Action=ListTopics&Version=2010-03-31", "sns")).0, 200);
    }

    #[test]
    fn an_unknown_operation_is_named_loudly() {
        for (body, scope) in [
            ("Action=DescribeEverything&Version=2015-12-01", "elasticloadbalancing"),
            ("Action=DescribeEverything&Version=1999-01-01", "ec2"),
        ] {
            let (status, answer) = send(&form(body, scope));
            assert_eq!(status, 400);
            assert!(
                answer.contains("SimUnknownOperation") && answer.contains("DescribeEverything")
            );
        }
    }

    #[test]
    fn equal_requests_get_equal_bytes() {
        let request =
            form("Action=DescribeTargetGroups&Version=2015-12-01", "elasticloadbalancing");
        assert_eq!(send(&request), send(&request));
    }
}
