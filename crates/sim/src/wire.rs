//! From a recognised request to an answer in the protocol it came in.
//!
//! Authentication, faults and dispatch happen here once, so the services only
//! ever see calls that are theirs.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::document::{Failure, Reply, Value};
use super::ending::Ending;
use super::hostile::{self, Kind};
use super::hostile_tree::{Context, TOKENS};
use super::input::Input;
use super::recognise::{Asked, Protocol, SERVICES, recognise, scope};
use super::refusals::refusal;
use super::rng::hash_bytes;
use super::state::{Call, State};
use super::{
    apigateway, cbor, clock, cloudfront, cloudwatch, ec2, ecs, elb, hostile_bytes, hostile_tree,
    lambda, listing, sns, sns_log, sts, xml,
};

/// A request as far as the services care.
pub(super) struct Incoming {
    pub(super) method: String,
    pub(super) path: String,
    /// What stands behind the question mark.
    pub(super) query: String,
    /// Names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

/// An answer ready to be sent.
pub(super) struct Outgoing {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    pub(super) ending: Ending,
    /// How long it is held back, milliseconds.
    pub(super) held: u64,
}

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
pub(super) fn answer(state: &State, request: &Incoming) -> Outgoing {
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
        state.setup.faults.misdated(&state.account(&scope.access_key), &scope.region)
    });
    let date = |now| state.date(now) + (outgoing.held / 1_000).cast_signed() + off;
    outgoing.headers.extend(stamp.now.map(|now| ("date", clock::http_date(date(now)))));
    outgoing.ending = state.setup.faults.ending(state.setup.seed, stamp.number);
    if sns::is_cut(state, stamp.number) && outgoing.ending == Ending::Whole {
        outgoing.ending = Ending::Cut;
    }
    hostile_bytes::spoil(&mut outgoing, &kinds, request);
    outgoing
}

/// What makes the answer hostile.
fn strikes<'a>(state: &'a State, asked: &Asked, stamp: Stamp) -> Vec<&'a Kind> {
    let minute = stamp.now.map(|now| state.scenario_minute(now));
    let action = action(asked.service, &asked.operation);
    let draw = (state.setup.seed, stamp.number);
    hostile::strikes(&state.setup.faults.hostile, draw, &action, minute)
}

/// The reply with the content it is to have.
fn hostile_reply(
    state: &State,
    request: &Incoming,
    asked: &Asked,
    stamp: Stamp,
    kinds: &[&Kind],
    reply: Reply,
) -> Reply {
    let caller = scope(request).map(|scope| state.caller(&scope.access_key)).unwrap_or_default();
    let context = Context {
        number: stamp.number,
        action: &action(asked.service, &asked.operation),
        caller: &caller,
        xml: !matches!(asked.protocol, Protocol::Cbor | Protocol::Json | Protocol::RestJson),
    };
    hostile_tree::spoiled(reply, kinds, context)
}

/// How many milliseconds an answer is held back after it was made.
fn held(state: &State, asked: &Asked) -> u64 {
    let publish = asked.service == "sns" && asked.operation == "Publish";
    if publish { state.setup.faults.sns.slow_ms } else { 0 }
}

fn stamp(state: &State, request: &Incoming) -> Stamp {
    let signed_at = clock::signed_at(request);
    Stamp { signed_at, now: state.now(signed_at), number: state.next_call() }
}

fn serve(state: &State, request: &Incoming, asked: &Asked, stamp: Stamp, kinds: &[&Kind]) -> Reply {
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
    let caller = state.caller(&call.access_key);
    let (faults, seed) = (&state.setup.faults, state.setup.seed);
    let minute = call.now.map(|now| state.scenario_minute(now));
    let refused = minute
        .and_then(|minute| faults.of_minute(minute, &action))
        .or_else(|| faults.of_call(seed, call.number, &action, &caller, further));
    let asked_for = kinds.iter().find_map(|kind| match kind {
        Kind::Error(code) => Some(refusal(code, &action, &caller)),
        _ => None,
    });
    if let Some(failure) = refused.or(asked_for) {
        return Err(failure);
    }
    match (call.service, call.operation.as_str()) {
        ("cloudwatch", "GetMetricData") => cloudwatch::get_metric_data(state, &call, input),
        ("cloudwatch", "ListMetrics") => listing::list_metrics(state, &call, input),
        ("elasticloadbalancing", _) => elb::answer(state, &call, input),
        ("sns", _) => sns::answer(state, &call, input),
        ("sts", _) => sts::answer(state, &call, input),
        ("ec2", _) => ec2::answer(state, &call, input),
        ("ecs", _) => ecs::answer(state, &call, input),
        ("lambda", _) => lambda::answer(state, &call, input),
        ("cloudfront", _) => cloudfront::answer(state, &call, input),
        ("apigateway", _) => apigateway::answer(state, &call, input),
        (service, operation) => Err(Failure::unknown_operation(service, operation)),
    }
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

/// The IAM action of a call; those of API Gateway are called by the method.
fn action(service: &str, operation: &str) -> String {
    let operation = if service == "apigateway" { "GET" } else { operation };
    format!("{service}:{operation}")
}

/// Checks the signature's form (not its value) and who signed for what.
fn identify(
    state: &State,
    request: &Incoming,
    asked: &Asked,
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
    Ok(Call {
        service: asked.service,
        operation: asked.operation.clone(),
        foreign: scope.region != state.setup.region,
        region: scope.region,
        account: state.account(&scope.access_key),
        access_key: scope.access_key,
        signed_at: stamp.signed_at,
        now: stamp.now,
        number: stamp.number,
    })
}

/// An id out of the request's content, so that equal requests get equal answers.
fn request_id(state: &State, request: &Incoming) -> String {
    let seed = hash_bytes(state.setup.seed, request.path.as_bytes());
    sns_log::uuid(hash_bytes(seed, &request.body), hash_bytes(seed ^ 1, &request.body))
}

fn write(request: &Incoming, asked: &Asked, reply: &Reply, id: &str) -> Outgoing {
    let mut headers = vec![("x-amzn-requestid", id.to_owned())];
    let status = reply.as_ref().map_or_else(|failure| failure.status, |_| 200);
    let body = match asked.protocol {
        Protocol::Query | Protocol::Ec2 | Protocol::RestXml => {
            headers.push(("content-type", "text/xml".to_owned()));
            let text = write_xml(asked, reply, id);
            if asked.protocol == Protocol::RestXml && reply.is_ok() {
                let version = hash_bytes(0, text.as_bytes()) >> 12;
                headers.push(("etag", format!("E{version:013X}")));
            }
            text.into_bytes()
        }
        Protocol::RestJson => write_rest(asked, reply, &mut headers),
        Protocol::Cbor | Protocol::Json => write_typed(request, asked, reply, &mut headers),
    };
    Outgoing { status, headers, body, ending: Ending::Whole, held: 0 }
}

fn write_xml(asked: &Asked, reply: &Reply, id: &str) -> String {
    let service = SERVICES.iter().find(|one| one.prefix == asked.service);
    let namespace = service.map_or("", |one| one.namespace);
    match (asked.protocol, reply) {
        (Protocol::Ec2, Ok(value)) => xml::ec2_answer(namespace, &asked.operation, value, id),
        (Protocol::Ec2, Err(failure)) => xml::ec2_refusal(failure, id),
        (Protocol::RestXml, Ok(value)) => xml::rest_answer(namespace, value),
        (_, Ok(value)) => xml::answer(namespace, &asked.operation, value, id),
        (_, Err(failure)) => xml::refusal(namespace, failure, id),
    }
}

/// JSON of a service of paths, whose errors are named in a header.
fn write_rest(asked: &Asked, reply: &Reply, headers: &mut Vec<(&'static str, String)>) -> Vec<u8> {
    headers.push(("content-type", "application/json".to_owned()));
    let value = match reply {
        Ok(value) => value.clone(),
        Err(failure) => {
            headers.push(("x-amzn-errortype", failure.shape.unwrap_or(&failure.code).to_owned()));
            // A refusal of the doorman and one of Lambda are spelt with a capital.
            let capital = asked.service == "lambda" || failure.status == 403;
            let name = if capital { "Message" } else { "message" };
            Value::record([(name, failure.message.as_str().into())])
        }
    };
    value.to_json().to_string().into_bytes()
}

/// CBOR or JSON, which differ only in the bytes.
fn write_typed(
    request: &Incoming,
    asked: &Asked,
    reply: &Reply,
    headers: &mut Vec<(&'static str, String)>,
) -> Vec<u8> {
    let is_cbor = asked.protocol == Protocol::Cbor;
    if is_cbor {
        headers.push(("smithy-protocol", "rpc-v2-cbor".to_owned()));
        headers.push(("content-type", "application/cbor".to_owned()));
    } else {
        let version = if asked.service == "ecs" { "1.1" } else { "1.0" };
        headers.push(("content-type", format!("application/x-amz-json-{version}")));
    }
    let error;
    let value = match reply {
        Ok(value) => value,
        Err(failure) => {
            let shape = failure.shape.unwrap_or(failure.code.as_str());
            if request.headers.get("x-amzn-query-mode").is_some_and(|mode| mode == "true") {
                let side = if failure.status < 500 { "Sender" } else { "Receiver" };
                headers.push(("x-amzn-query-error", format!("{};{side}", failure.code)));
            }
            if !is_cbor {
                headers.push(("x-amzn-errortype", shape.to_owned()));
            }
            let name = match asked.service {
                "ecs" => shape.to_owned(),
                _ => format!("com.amazonaws.cloudwatch#{shape}"),
            };
            error = Value::record([
                ("__type", name.into()),
                ("message", failure.message.as_str().into()),
            ]);
            &error
        }
    };
    if is_cbor { cbor::write(value) } else { value.to_json().to_string().into_bytes() }
}

#[cfg(test)]
mod tests {
    use super::super::Setup;
    use super::super::scenario::find;
    use super::*;

    fn state() -> State {
        State::new(Setup::of("healthy", 1), find("healthy").expect("exists"))
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
