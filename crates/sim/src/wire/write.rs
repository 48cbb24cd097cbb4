//! Writes a reply in the protocol its request came in.

use crate::rng::hash_bytes;
use crate::wire::document::{Reply, Value};
use crate::wire::ending::Ending;
use crate::wire::message::{Incoming, Outgoing};
use crate::wire::protocol::{Protocol, Recognised, SERVICES};
use crate::wire::{cbor, xml};

/// The answer to a request; its parts that depend on the time are still missing.
pub(crate) fn write(request: &Incoming, asked: &Recognised, reply: &Reply, id: &str) -> Outgoing {
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

fn write_xml(asked: &Recognised, reply: &Reply, id: &str) -> String {
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
fn write_rest(
    asked: &Recognised,
    reply: &Reply,
    headers: &mut Vec<(&'static str, String)>,
) -> Vec<u8> {
    headers.push(("content-type", "application/json".to_owned()));
    let value = match reply {
        Ok(value) => value.clone(),
        Err(failure) => {
            headers.push(("x-amzn-errortype", failure.shape.unwrap_or(&failure.code).to_owned()));
            // A 403 and a refusal of Lambda are spelt with a capital.
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
    asked: &Recognised,
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
