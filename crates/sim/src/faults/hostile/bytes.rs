//! Hostile answers whose bytes, head or connection are not as they should be.

use crate::faults::hostile::{Kind, Wire};
use crate::rng::Rng;
use crate::wire::ending::Ending;
use crate::wire::message::{Incoming, Outgoing};

/// What a proxy that wants somebody to sign in says.
const PAGE: &str = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Sign in to \
                    continue</h1></body></html>";
/// Bytes of noise.
const NOISE: usize = 512;

/// Changes an answer to a request by everything that strikes it.
pub(crate) fn spoil(outgoing: &mut Outgoing, kinds: &[&Kind], request: &Incoming) {
    for kind in kinds {
        match kind {
            Kind::OkError(_) => outgoing.status = 200,
            Kind::Wire(wire) => wrong(outgoing, wire, request),
            _ => {}
        }
    }
}

fn wrong(outgoing: &mut Outgoing, wire: &Wire, request: &Incoming) {
    match wire {
        Wire::Hang => outgoing.ending = Ending::Hang,
        Wire::Slow => outgoing.ending = Ending::Slow,
        Wire::Endless => outgoing.ending = Ending::Endless,
        Wire::Cut => outgoing.ending = Ending::Cut,
        Wire::Stall => outgoing.ending = Ending::Stall,
        Wire::Empty => outgoing.body.clear(),
        Wire::Malformed => outgoing.body.truncate(outgoing.body.len() / 2),
        Wire::Garbage => {
            let mut rng = Rng::new(&[110, outgoing.body.len() as u64]);
            outgoing.body = (0..NOISE).map(|_| rng.below(256) as u8).collect();
        }
        Wire::Type(text) => set(outgoing, "content-type", text),
        Wire::Html => {
            outgoing.status = 200;
            set(outgoing, "content-type", "text/html");
            outgoing.body = PAGE.as_bytes().to_vec();
        }
        Wire::Status(status) => answer_only(outgoing, *status),
        Wire::Redirect(status) => redirect(outgoing, *status, &there(request, "/elsewhere")),
        Wire::Loop(status) => redirect(outgoing, *status, &there(request, "")),
    }
}

fn answer_only(outgoing: &mut Outgoing, status: u16) {
    outgoing.status = status;
    outgoing.body.clear();
}

fn redirect(outgoing: &mut Outgoing, status: u16, to: &str) {
    answer_only(outgoing, status);
    set(outgoing, "location", to);
}

/// Where the request went, below another folder.
fn there(request: &Incoming, folder: &str) -> String {
    let host = request.headers.get("host").map_or("127.0.0.1", String::as_str);
    let query = if request.query.is_empty() { "" } else { "?" };
    format!("http://{host}{folder}{}{query}{}", request.path, request.query)
}

fn set(outgoing: &mut Outgoing, name: &'static str, value: &str) {
    outgoing.headers.retain(|header| header.0 != name);
    outgoing.headers.push((name, value.to_owned()));
}
