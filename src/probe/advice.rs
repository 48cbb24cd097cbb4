//! What to do next: a sentence for each possible finding.
//!
//! Each names the place to look at, because a person who reads a report wants to act on it.
//! What AWS's documents say of 502, 503 and 504 is at
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html>.

use super::Verdict;
use crate::edge::probe::{Failure, Outcome, Why};
use nearmiss_core::answer::phase::Phase;
use nearmiss_core::answer::speaker::{Hop, Speaker};
use nearmiss_core::answer::timeouts::{Fit, Timeout};

const ASK_EACH: &str = "Ask each hop by itself, from the outside inwards, with --resolve HOST:PORT:ADDRESS: the trouble is behind the last one that fails.";

const PROXY: &str = "A proxy stands between, and this may be its doing: ask again without it, with NO_PROXY='*' before the command.";

pub(super) fn next(
    outcome: &Outcome,
    verdict: Verdict,
    speaker: Option<&Speaker>,
    fits: &[Fit],
    near: &[Timeout],
) -> Vec<&'static str> {
    let mut next = Vec::new();
    if verdict == Verdict::Error {
        let status = outcome.answer.as_ref().map_or(0, |answer| answer.status);
        next.extend(of_error(speaker.and_then(|speaker| speaker.hop), status, fits));
    } else if let Some(failure) = &outcome.failure {
        next.push(of_failure(failure));
    }
    if verdict != Verdict::Answered && outcome.proxy.is_some() {
        next.push(PROXY);
    }
    if !near.is_empty() {
        next.push("Make it faster before it fails: it answered in more than 80 % of the time that it has.");
    }
    if verdict == Verdict::Answered && redirects(outcome) {
        next.push("The redirect was not followed: probe where it points to.");
    }
    if outcome.failure.is_none() && outcome.tried.iter().any(|tried| tried.why.is_some()) {
        next.push(
            "An address of this name takes no connection: some clients meet it. Look at its zone.",
        );
    }
    next
}

fn redirects(outcome: &Outcome) -> bool {
    outcome.answer.as_ref().is_some_and(|answer| answer.location.is_some())
}

fn of_error(hop: Option<Hop>, status: u16, fits: &[Fit]) -> Vec<&'static str> {
    let Some(hop) = hop else {
        return vec![
            "Nobody signed it: it is the application's, or of a hop that hides.",
            ASK_EACH,
        ];
    };
    let connects = fits.first().is_some_and(|fit| fit.timeout.name.contains("onnect"));
    let text = match (hop, status) {
        (Hop::Alb, 504) if connects => {
            "The target took no connection, or no TLS, for 10 s: look at its security group, the network ACL, its listen backlog, and whether it still exists."
        }
        (Hop::Alb, 504) => {
            "Find the request in the access log (elb_status_code 504, target_status_code -) and what was slow behind it. A longer idle timeout only moves the limit."
        }
        (Hop::Alb, 502) => {
            "The target closed the connection or answered nonsense: its keep-alive must be longer than the idle timeout, and a Lambda function must end in time. Look for restarts."
        }
        (Hop::Alb, 503) => {
            "The target group has no registered target, or none that is in use: look at its targets."
        }
        (Hop::ApiGateway, 504) => {
            "Make the integration answer sooner, or let the client fetch the result later. The limit of a Regional or private REST API can be raised."
        }
        (Hop::ApiGateway, _) => {
            "The integration failed or answered in the wrong form: look at the log of the function."
        }
        (Hop::CloudFront, _) => {
            "Look at the origin: does it let CloudFront connect, and does it answer within the origin response timeout (1 to 120 s)?"
        }
        (Hop::Cloudflare, 521..=523) => {
            "The origin took no connection: look at its firewall, and whether it runs."
        }
        (Hop::Cloudflare, 524) => {
            "The origin took the request and did not answer in time: make it faster, or let the client fetch the result later."
        }
        (Hop::Nginx, 504) => {
            "nginx's error log says which: \"upstream timed out ... while connecting to upstream\" or \"... while reading response header from upstream\"."
        }
        (Hop::Nginx, 502) => {
            "nginx's error log says which: \"connect() failed (111: Connection refused)\" or \"upstream prematurely closed connection\"."
        }
        (Hop::Envoy, _) => {
            "Envoy's access log has the reason in %RESPONSE_FLAGS%: UT timed out, UF did not connect, UC was cut off, UH no healthy host."
        }
        (Hop::HaProxy, _) => {
            "HAProxy's log has the reason in the termination state: sH timed out, SC did not connect, SH was cut off."
        }
        (Hop::Heroku, _) => {
            "The router's log has the reason as a code: H12 is a request of more than 30 s."
        }
        (Hop::Gunicorn | Hop::Application, _) => {
            "It is the application's own answer: look at its log."
        }
        _ => "Look at the log of the hop that wrote it, and at what stands behind it.",
    };
    vec![text]
}

fn of_failure(failure: &Failure) -> &'static str {
    match (&failure.why, failure.phase) {
        (Why::NoProxy { .. }, _) => {
            "Correct the variable, or ask directly with NO_PROXY='*' before the command."
        }
        (Why::ProxyRefused { .. }, _) | (_, Phase::Proxy) => {
            "Look at the proxy: does it let this machine reach that host and port?"
        }
        (Why::NameNotFound, _) => {
            "Look at the spelling, and at the DNS record. A deleted load balancer takes its name with it."
        }
        (Why::NameServers, _) => {
            "Look at this machine's resolver and its network; the name may be fine."
        }
        (Why::Refused, _) => {
            "The machine is there, but nobody listens on this port: look at the listener."
        }
        (Why::Unreachable, _) => "Look at the route to it. An IPv6 address needs a way for IPv6.",
        (Why::TimedOut, Phase::Connect) => {
            "Nothing came back: look at the security group, the network ACL and the route. From outside, an internal load balancer looks like this."
        }
        (Why::TimedOut, Phase::Tls) => {
            "It takes connections but does no TLS: look whether this port speaks https."
        }
        (Why::TimedOut, _) => {
            "No hop on the way gave up before us: ask again with a longer --timeout to learn which one does."
        }
        (Why::Reset | Why::ClosedEarly, Phase::Tls) => {
            "It closes TLS connections: look whether this port speaks https, and which versions."
        }
        (Why::Reset | Why::ClosedEarly, _) => {
            "Somebody took the request and hung up: look for a crash, a restart, or a worker that was ended for its slowness."
        }
        (Why::Certificate { .. }, _) => {
            "Renew or correct the certificate. To see what is behind it, ask again with --insecure."
        }
        (Why::Handshake, _) => {
            "Look whether this port speaks https, and at the versions and ciphers of its listener."
        }
        (Why::Malformed, _) => "Look whether this port speaks HTTP, and not https or HTTP/2 alone.",
        (Why::ShortBody { .. }, _) => {
            "The Content-Length is larger than the body, or the sender died. Behind a load balancer, such an answer may become a 504."
        }
        (Why::BrokenBody, _) => {
            "The sender ended in the middle: look for a crash, or a timeout between it and us."
        }
        (Why::BodyStalled, _) => {
            "The sender began and then stopped: look what it waits for. Each hop counts this silence, too."
        }
        (Why::BodyTooSlow, _) => "Ask again with a longer --timeout, or with --method HEAD.",
    }
}
