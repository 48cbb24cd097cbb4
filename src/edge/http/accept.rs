//! What a client accepts: the format and the coding of a page, by RFC 9110, section 12.5.

use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};

use crate::metrics::Format;

/// The format that the client prefers. OpenMetrics is for clients that name it; one that
/// accepts neither gets Prometheus' own format, as RFC 9110 allows and Prometheus does.
pub(super) fn format(headers: &HeaderMap) -> Format {
    let ranges: Vec<Range> = ranges(headers, &ACCEPT);
    let open =
        quality(&ranges, |range| is_media(range, "application", "openmetrics-text", &["1.0.0"]));
    let text = quality(&ranges, |range| is_media(range, "text", "plain", &["0.0.4"]));
    let (open, is_named) = open.map_or((0, false), |(quality, rank)| (quality, rank >= NAMED));
    let text = text.map_or(0, |(quality, _)| quality);
    if is_named && open > 0 && open >= text { Format::OpenMetrics } else { Format::Text }
}

/// Whether the client prefers the page compressed with gzip.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let codings = ranges(headers, &ACCEPT_ENCODING);
    let of = |names: &[&str]| {
        quality(&codings, |range| match range.name.as_str() {
            "*" => Some(0),
            name => names.contains(&name).then_some(NAMED),
        })
        .map(|(quality, _)| quality)
    };
    // What is not mentioned may be sent as it is, but is not asked for.
    let (gzip, identity) = (of(&["gzip", "x-gzip"]).unwrap_or(0), of(&["identity"]).unwrap_or(0));
    gzip > 0 && gzip >= identity
}

/// The rank of a range that names what it means, and not a group of them.
const NAMED: usize = 2;

/// A member of a list of what is accepted, in lower case.
struct Range {
    name: String,
    parameters: Vec<(String, String)>,
    /// From 0, not at all, to 1,000.
    quality: u16,
}

impl Range {
    /// `None` if it is not well formed.
    fn read(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?.to_owned();
        let (mut parameters, mut quality) = (Vec::new(), 1_000);
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match key.trim() {
                "q" => quality = thousandths(value)?,
                key => parameters.push((key.to_owned(), value.to_owned())),
            }
        }
        Some(Self { name, parameters, quality })
    }
}

/// A weight: 0 to 1, with up to three digits after the point.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    if digits.len() > 3 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    match whole {
        "0" => format!("{digits:0<3}").parse().ok(),
        "1" if digits.bytes().all(|digit| digit == b'0') => Some(1_000),
        _ => None,
    }
}

/// Everything that a header lists, over all of its lines.
fn ranges(headers: &HeaderMap, name: &HeaderName) -> Vec<Range> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).filter_map(Range::read).collect()
}

/// The weight of something, with the rank of the most specific range that matches it: that
/// one decides. `rank` says whether a range matches, and how specific it is.
fn quality(ranges: &[Range], rank: impl Fn(&Range) -> Option<usize>) -> Option<(u16, usize)> {
    let fitting = ranges.iter().filter_map(|range| Some((rank(range)?, range.quality)));
    fitting.max().map(|(rank, quality)| (quality, rank))
}

/// How specific a media range is for a type, if it matches. A version must be one of these;
/// other parameters (`charset`, `escaping`) change nothing about a page.
fn is_media(range: &Range, kind: &str, subtype: &str, versions: &[&str]) -> Option<usize> {
    let version = range.parameters.iter().find(|(key, _)| key == "version");
    match range.name.split_once('/')? {
        ("*", "*") => Some(0),
        (of, "*") if of == kind => Some(1),
        (of, name) if of == kind && name == subtype => match version {
            None => Some(NAMED),
            Some((_, version)) => versions.contains(&version.as_str()).then_some(NAMED + 1),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn headers(name: &HeaderName, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    #[test]
    fn the_format_is_the_one_that_is_liked_best() {
        use Format::{OpenMetrics, Text};
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        let with_protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1";
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (accepted, format) in [
            (prometheus_2, OpenMetrics),
            (prometheus_3, OpenMetrics),
            (with_protobuf, OpenMetrics),
            (browser, Text),
            ("", Text),
            ("*/*", Text),
            ("application/*", Text),
            ("image/png", Text),
            ("text/plain;version=1.0.0", Text),
            ("application/openmetrics-text", OpenMetrics),
            ("Application/OpenMetrics-Text; Version=\"1.0.0\"; charset=utf-8", OpenMetrics),
            ("application/openmetrics-text;version=0.0.1", Text),
            ("application/openmetrics-text;version=2.0.0", Text),
            ("application/openmetrics-text;q=0", Text),
            ("application/openmetrics-text;q=0,*/*", Text),
            ("application/openmetrics-text;q=0.5, text/plain", Text),
            ("application/openmetrics-text;q=0.5, text/*", Text),
            ("application/openmetrics-text;q=0.5, */*;q=0.4", OpenMetrics),
            ("text/plain;q=0, application/openmetrics-text;q=0.001", OpenMetrics),
            ("application/openmetrics-text;q=1.5", Text),
            ("application/openmetrics-text;q=0.1234", Text),
            ("application/openmetrics-text;q=", Text),
        ] {
            assert_eq!(self::format(&headers(&ACCEPT, &[accepted])), format, "{accepted}");
        }
        let lines = headers(&ACCEPT, &["text/plain;q=0.5", "application/openmetrics-text"]);
        assert_eq!(self::format(&lines), OpenMetrics);
        assert_eq!(self::format(&HeaderMap::new()), Text);
    }

    #[test]
    fn gzip_is_for_those_who_would_rather_have_it() {
        for (accepted, is_taken) in [
            ("gzip", true),
            ("GZip", true),
            ("x-gzip", true),
            ("br, gzip;q=1.0", true),
            ("gzip;q=0.5", true),
            ("gzip;q=0.001", true),
            ("*", true),
            ("deflate, *;q=0.5", true),
            ("gzip, identity", true),
            ("gzip;q=0.5, identity;q=0.2", true),
            ("identity;q=0, gzip;q=0.1", true),
            ("", false),
            ("identity", false),
            ("deflate, br", false),
            ("gzip;q=0", false),
            ("gzip;q=0.000", false),
            ("gzip;q=0, *", false),
            ("gzip;q=0.5, identity", false),
            ("gzip;q=0.5, *;q=0.8", false),
            ("*;q=0", false),
            ("gzip;q=2", false),
        ] {
            assert_eq!(takes_gzip(&headers(&ACCEPT_ENCODING, &[accepted])), is_taken, "{accepted}");
        }
        assert!(takes_gzip(&headers(&ACCEPT_ENCODING, &["br", "gzip"])));
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
