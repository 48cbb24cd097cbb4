//! From a recognised request to an answer in the protocol it came in.
//!
//! Authentication, faults and dispatch happen here once, so the services only
//! ever see calls that are theirs.

use std::collections::BTreeMap;

use super::document::{Failure, Reply, Value};
use super::ending::Ending;
use super::input::Input;
use super::recognise::{Asked, Protocol, SERVICES, recognise, scope};
use super::rng::hash_bytes;
use super::state::{Call, State};
use super::{cbor, clock, cloudwatch, elb, listing, sns, sts, xml};

/// A request as far as the services care.
pub(super) struct Incoming {
    pub(super) method: String,
    pub(super) path: String,
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
    let reply = serve(state, request, &asked, stamp);
    let outcome = match &reply {
        Ok(_) => "200",
        Err(failure) => failure.code.as_str(),
    };
    let known = !matches!(&reply, Err(failure) if failure.code == "SimUnknownOperation");
    state.count(asked.service, if known { &asked.operation } else { "unknown" }, outcome);
    let mut outgoing = write(request, &asked, &reply, &id);
    outgoing.headers.extend(stamp.now.map(|now| ("date", clock::http_date(now))));
    outgoing.ending = state.setup.faults.ending(state.setup.seed, stamp.number);
    outgoing
}

fn stamp(state: &State, request: &Incoming) -> Stamp {
    let signed_at = clock::signed_at(request);
    let ahead = state.setup.faults.clock.unwrap_or(0);
    let now = state.told_now().or(signed_at.map(|at| at - ahead));
    Stamp { signed_at, now, number: state.next_call() }
}

fn serve(state: &State, request: &Incoming, asked: &Asked, stamp: Stamp) -> Reply {
    if request.method != "POST" {
        let message = format!("method {} is not understood; AWS clients POST", request.method);
        return Err(Failure::new(405, "SimUnknownOperation", message));
    }
    let call = identify(state, request, asked, stamp)?;
    let input = asked.input.as_ref().map_err(Clone::clone)?;
    let input = Input::new(input, asked.protocol == Protocol::Query);
    let action = format!("{}:{}", call.service, call.operation);
    let further = input.raw().get("NextToken").or(input.raw().get("Marker")).is_some();
    let caller = state.caller(&call.access_key);
    let (faults, seed) = (&state.setup.faults, state.setup.seed);
    let minute = call.now.map(|now| (now - state.setup.start).div_euclid(60));
    let refused = minute
        .and_then(|minute| faults.of_minute(minute, &action))
        .or_else(|| faults.of_call(seed, call.number, &action, &caller, further));
    if let Some(failure) = refused {
        return Err(failure);
    }
    match (call.service, call.operation.as_str()) {
        ("cloudwatch", "GetMetricData") => cloudwatch::get_metric_data(state, &call, input),
        ("cloudwatch", "ListMetrics") => listing::list_metrics(state, &call, input),
        ("elasticloadbalancing", _) => elb::answer(state, &call, input),
        ("sns", _) => sns::answer(state, &call, input),
        ("sts", _) => sts::answer(state, &call, input),
        (service, operation) => Err(Failure::unknown_operation(service, operation)),
    }
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
    sns::uuid(hash_bytes(seed, &request.body), hash_bytes(seed ^ 1, &request.body))
}

fn write(request: &Incoming, asked: &Asked, reply: &Reply, id: &str) -> Outgoing {
    let mut headers = vec![("x-amzn-requestid", id.to_owned())];
    let status = reply.as_ref().map_or_else(|failure| failure.status, |_| 200);
    let body = match asked.protocol {
        Protocol::Query => {
            headers.push(("content-type", "text/xml".to_owned()));
            let namespace = SERVICES
                .iter()
                .find(|one| one.prefix == asked.service)
                .map_or("", |one| one.namespace);
            let text = match reply {
                Ok(value) => xml::answer(namespace, &asked.operation, value, id),
                Err(failure) => xml::refusal(namespace, failure, id),
            };
            text.into_bytes()
        }
        protocol => write_typed(request, protocol, reply, &mut headers),
    };
    Outgoing { status, headers, body, ending: Ending::Whole }
}

/// CBOR or JSON, which differ only in the bytes.
fn write_typed(
    request: &Incoming,
    protocol: Protocol,
    reply: &Reply,
    headers: &mut Vec<(&'static str, String)>,
) -> Vec<u8> {
    let is_cbor = protocol == Protocol::Cbor;
    if is_cbor {
        headers.push(("smithy-protocol", "rpc-v2-cbor".to_owned()));
        headers.push(("content-type", "application/cbor".to_owned()));
    } else {
        headers.push(("content-type", "application/x-amz-json-1.0".to_owned()));
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
            error = Value::Record(vec![
                ("__type", Value::text(format!("com.amazonaws.cloudwatch#{shape}"))),
                ("message", Value::text(failure.message.as_str())),
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
