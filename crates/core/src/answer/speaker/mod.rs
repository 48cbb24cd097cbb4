//! Who wrote an answer: pure, from what a client can see.
//!
//! Between a client and an application there are hops, and an error says 504 whichever of
//! them gave up. What gives them away are their signs: one table, each row with its source.
//! The author is the hop with the weightiest sign; all others that left one are the path.
//! An answer below 500 is the application's unless a sign shows otherwise, and an answer
//! without any sign has an unknown author, and that is stated.

mod hop;
mod sign;

use serde::Serialize;

pub use hop::Hop;
use sign::{Mark, SIGNS, Sign, Weight};

/// What a client saw.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The status code.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: &'a [(String, String)],
    /// The start of the body.
    pub body: &'a str,
}

/// Who wrote an answer, why that is concluded, and who passed it on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Speaker {
    /// The author; `None` if nobody signed.
    pub hop: Option<Hop>,
    /// How sure that is.
    pub confidence: Confidence,
    /// The signs of the author.
    pub evidence: Vec<Evidence>,
    /// Every hop that left a sign, from the client inwards as they usually stand.
    pub path: Vec<Hop>,
    /// The signs of the hops that passed it on.
    pub traces: Vec<Evidence>,
}

/// How sure a conclusion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Nothing speaks for it but that nothing else does.
    Unknown,
    /// A sign that others might leave too.
    Guess,
    /// A sign that is nearly always right.
    Likely,
    /// Words that nobody else writes, or two signs that agree.
    Certain,
}

/// One sign that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Whose it is.
    pub hop: Hop,
    /// What was seen, as it was seen.
    pub seen: String,
    /// What it means.
    pub means: &'static str,
    /// Where that is written: a URL.
    pub source: &'static str,
}

/// Says who wrote an answer.
#[must_use]
pub fn speaker(seen: &Seen<'_>) -> Speaker {
    let found: Vec<(&Sign, String)> =
        SIGNS.iter().filter_map(|sign| Some((sign, sign.mark.find(seen)?))).collect();
    let author = author(seen, &found);
    let evidence = |(sign, text): &(&Sign, String)| Evidence {
        hop: sign.hop,
        seen: text.clone(),
        means: sign.means,
        source: sign.source,
    };
    let is_author = |sign: &Sign| Some(sign.hop) == author.map(|(hop, _)| hop);
    let (own, others): (Vec<_>, Vec<_>) = found.iter().partition(|(sign, _)| is_author(sign));
    let mut path = Vec::new();
    for (sign, _) in &found {
        if !path.contains(&sign.hop) {
            path.push(sign.hop);
        }
    }
    Speaker {
        hop: author.map(|(hop, _)| hop),
        confidence: author.map_or(Confidence::Unknown, |(_, confidence)| confidence),
        evidence: own.into_iter().map(evidence).collect(),
        path,
        traces: others.into_iter().map(evidence).collect(),
    }
}

fn author(seen: &Seen<'_>, found: &[(&Sign, String)]) -> Option<(Hop, Confidence)> {
    if seen.status < 500 {
        return None;
    }
    let answered_behind =
        seen.headers.iter().any(|(name, _)| name == "x-envoy-upstream-service-time");
    let candidates = found
        .iter()
        .map(|(sign, _)| *sign)
        .filter(|sign| sign.weight > Weight::Trace && !(answered_behind && sign.hop == Hop::Envoy));
    // The last of equals is the innermost: those before it passed it on.
    let best = candidates.clone().max_by_key(|sign| sign.weight)?;
    let agreeing =
        candidates.filter(|sign| sign.hop == best.hop && sign.weight >= Weight::Hint).count();
    let confidence = match best.weight {
        Weight::Proof => Confidence::Certain,
        Weight::Hint if agreeing > 1 => Confidence::Certain,
        Weight::Hint => Confidence::Likely,
        Weight::Guess | Weight::Trace => Confidence::Guess,
    };
    Some((best.hop, confidence))
}

impl Mark {
    /// What of it is there, in the answer's own words.
    fn find(self, seen: &Seen<'_>) -> Option<String> {
        match self {
            Self::Has(name) => shown(seen, name),
            Self::Header(name, text) => said(seen, name, text),
            Self::Bare(name, text) => {
                said(seen, name, text).filter(|_| seen.body.trim().is_empty())
            }
            Self::HeaderAnd(name, text, other) => {
                said(seen, name, text).filter(|_| shown(seen, other).is_some())
            }
            Self::Body(text) => holds(seen.body, text).then(|| quoted(text)),
            Self::BodyWithout(text, other) => {
                (holds(seen.body, text) && !holds(seen.body, other)).then(|| quoted(text))
            }
            Self::WholeBody(text) => (seen.body.trim() == text).then(|| quoted(text)),
            Self::Status(from, to, name) => (from..=to)
                .contains(&seen.status)
                .then(|| shown(seen, name))
                .flatten()
                .map(|_| format!("status {}", seen.status)),
            Self::HasWithout(name, other) => {
                shown(seen, other).map_or_else(|| shown(seen, name), |_| None)
            }
        }
    }
}

/// All values of a header as one line, or nothing.
fn shown(seen: &Seen<'_>, name: &str) -> Option<String> {
    let values: Vec<&str> = seen
        .headers
        .iter()
        .filter(|(header, _)| header == name)
        .map(|(_, value)| value.as_str())
        .collect();
    (!values.is_empty()).then(|| format!("{name}: {}", values.join(", ")))
}

/// The same, if a value contains the text.
fn said(seen: &Seen<'_>, name: &str, text: &str) -> Option<String> {
    shown(seen, name).filter(|line| line[name.len()..].to_lowercase().contains(text))
}

/// Whatever the line ends are.
fn holds(body: &str, text: &str) -> bool {
    body.contains(text) || body.replace("\r\n", "\n").contains(text)
}

fn quoted(text: &str) -> String {
    format!("the body has: {}", text.replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, headers: &[(&str, &str)], body: &str) -> Speaker {
        let headers: Vec<(String, String)> =
            headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        speaker(&Seen { status, headers: &headers, body })
    }

    const ALB: &str = "<html>\r\n<head><title>504 Gateway Time-out</title></head>\r\n<body>\r\n\
        <center><h1>504 Gateway Time-out</h1></center>\r\n</body>\r\n</html>\r\n";
    const NGINX: &str = "<html>\r\n<head><title>504 Gateway Time-out</title></head>\r\n<body>\r\n\
        <center><h1>504 Gateway Time-out</h1></center>\r\n<hr><center>nginx/1.22.1</center>\r\n";

    type Row<'a> = (u16, &'a [(&'a str, &'a str)], &'a str, Option<Hop>, Confidence);

    const CLOUDFRONT: (&str, &str) = ("via", "1.1 12aa3f.cloudfront.net (CloudFront)");
    const MISSED: (&str, &str) = ("x-cache", "Error from cloudfront");
    const API_GATEWAY: &[(&str, &str)] = &[
        ("x-amzn-errortype", "InternalServerErrorException"),
        ("x-amz-apigw-id", "K2G9wEbUoAMEvag="),
        CLOUDFRONT,
        MISSED,
    ];
    const CLOUDFLARE: &[(&str, &str)] = &[("cf-ray", "8-FRA"), ("server", "cloudflare")];
    const ENVOY: &[(&str, &str)] = &[("server", "envoy")];
    const ENVOY_ASKED: &[(&str, &str)] =
        &[("server", "envoy"), ("x-envoy-upstream-service-time", "30001")];
    const HAPROXY: &str =
        "<html><body><h1>504 Gateway Time-out</h1>\nThe server didn't respond in time.\n";
    const TIMED_OUT: &str = "{\"message\": \"Endpoint request timed out\"}";
    const INTERNAL: &str = "{\"message\": \"Internal server error\"}";
    const GENERATED: &str = "Generated by cloudfront (CloudFront)";

    #[test]
    fn the_author_is_named_by_his_signs() {
        use Confidence::{Certain, Guess, Likely, Unknown};
        let rows: &[Row<'_>] = &[
            (504, &[("server", "awselb/2.0")], ALB, Some(Hop::Alb), Certain),
            (504, &[("server", "awselb/2.0")], "", Some(Hop::Alb), Likely),
            (504, &[], ALB, Some(Hop::Alb), Likely),
            (504, &[CLOUDFRONT, MISSED], ALB, Some(Hop::Alb), Likely),
            (504, &[("server", "nginx/1.22.1")], NGINX, Some(Hop::Nginx), Certain),
            (504, &[("server", "nginx")], "", Some(Hop::Nginx), Guess),
            (504, &[("server", "nginx")], "{\"error\": 1}", None, Unknown),
            (504, API_GATEWAY, TIMED_OUT, Some(Hop::ApiGateway), Certain),
            (502, API_GATEWAY, INTERNAL, Some(Hop::ApiGateway), Likely),
            (504, &[CLOUDFRONT, MISSED], GENERATED, Some(Hop::CloudFront), Certain),
            (524, CLOUDFLARE, "x", Some(Hop::Cloudflare), Likely),
            (504, &[("cf-ray", "8-FRA")], "<div id=\"cf-error-details\">", None, Unknown),
            (504, ENVOY, "upstream request timeout", Some(Hop::Envoy), Certain),
            (504, ENVOY_ASKED, "", None, Unknown),
            (504, &[], HAPROXY, Some(Hop::HaProxy), Certain),
            (504, &[], "Gateway Timeout", Some(Hop::Traefik), Guess),
            (500, &[("server", "gunicorn")], "{}", Some(Hop::Application), Likely),
            (504, &[], "sorry", None, Unknown),
            (200, &[("server", "awselb/2.0")], "ok", None, Unknown),
        ];
        for (status, headers, body, hop, confidence) in rows {
            let speaker = check(*status, headers, body);
            let got = (speaker.hop, speaker.confidence);
            assert_eq!(got, (*hop, *confidence), "{status} {headers:?} {body}");
        }
    }

    #[test]
    fn who_passed_it_on_is_the_path() {
        let headers = [("via", "1.1 x.cloudfront.net (CloudFront)"), ("server", "nginx")];
        let speaker = check(504, &headers, ALB);
        assert_eq!(speaker.path, [Hop::CloudFront, Hop::Alb, Hop::Nginx]);
        assert_eq!(speaker.traces.len(), 2);
        assert!(speaker.evidence.iter().all(|evidence| evidence.source.starts_with("https://")));
    }

    #[test]
    fn every_row_has_a_source_and_a_meaning() {
        for sign in SIGNS {
            assert!(sign.source.starts_with("https://"), "{sign:?}");
            assert!(!sign.means.is_empty(), "{sign:?}");
        }
    }
}
