//! XML answers of the query protocol.
//!
//! In the query protocol lists are `<member>` elements and maps are `<entry>`
//! elements with key and value, in EC2's dialect lists are `<item>` elements, and
//! in the XML of REST services every list has a name for its items.

use chrono::DateTime;

use crate::wire::document::number_text;
use crate::wire::document::{Failure, Value};

/// A control character plus this is written as a reference, which XML 1.0 forbids: for
/// answers that are meant to be wrong.
pub(crate) const RAW: u32 = 0xe000;

const PROLOGUE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// A whole answer of an operation.
pub(crate) fn answer(namespace: &str, operation: &str, value: &Value, request_id: &str) -> String {
    let mut out = String::with_capacity(1_024);
    out.push_str(&format!("<{operation}Response xmlns=\"{namespace}\">"));
    element(&mut out, &format!("{operation}Result"), value, "member");
    out.push_str("<ResponseMetadata><RequestId>");
    escape(&mut out, request_id);
    out.push_str("</RequestId></ResponseMetadata>");
    out.push_str(&format!("</{operation}Response>"));
    out
}

/// A whole refusal.
pub(crate) fn refusal(namespace: &str, failure: &Failure, request_id: &str) -> String {
    let kind = if failure.status < 500 { "Sender" } else { "Receiver" };
    let mut out = format!("<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{kind}</Type><Code>");
    escape(&mut out, &failure.code);
    out.push_str("</Code><Message>");
    escape(&mut out, &failure.message);
    out.push_str("</Message></Error><RequestId>");
    escape(&mut out, request_id);
    out.push_str("</RequestId></ErrorResponse>");
    out
}

/// A whole answer of EC2: the fields stand beside the id of the request.
pub(crate) fn ec2_answer(namespace: &str, operation: &str, value: &Value, id: &str) -> String {
    let mut out = String::from(PROLOGUE);
    out.push_str(&format!("<{operation}Response xmlns=\"{namespace}\"><requestId>"));
    escape(&mut out, id);
    out.push_str("</requestId>");
    content(&mut out, value, "item");
    out.push_str(&format!("</{operation}Response>"));
    out
}

/// A whole refusal of EC2.
pub(crate) fn ec2_refusal(failure: &Failure, request_id: &str) -> String {
    let mut out = format!("{PROLOGUE}<Response><Errors><Error><Code>");
    escape(&mut out, &failure.code);
    out.push_str("</Code><Message>");
    escape(&mut out, &failure.message);
    out.push_str("</Message></Error></Errors><RequestID>");
    escape(&mut out, request_id);
    out.push_str("</RequestID></Response>");
    out
}

/// A whole answer of a REST service: the only field of the value is the document.
pub(crate) fn rest_answer(namespace: &str, value: &Value) -> String {
    let mut out = String::from(PROLOGUE);
    if let Value::Record(fields) = value {
        for (name, value) in fields {
            out.push_str(&format!("<{name} xmlns=\"{namespace}\">"));
            content(&mut out, value, "member");
            out.push_str(&format!("</{name}>"));
        }
    }
    out
}

fn element(out: &mut String, name: &str, value: &Value, item: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
    content(out, value, item);
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

fn content(out: &mut String, value: &Value, item: &str) {
    match value {
        Value::Text(text) => escape(out, text),
        Value::Number(number) => out.push_str(&number_text(*number)),
        Value::Integer(number) => out.push_str(&number.to_string()),
        Value::Flag(flag) => out.push_str(&flag.to_string()),
        Value::Time(epoch) => out.push_str(&iso(*epoch)),
        Value::List(items) => {
            for one in items {
                element(out, item, one, item);
            }
        }
        Value::Items(name, items) => {
            for one in items {
                element(out, name, one, item);
            }
        }
        Value::Record(fields) => {
            for (name, value) in fields {
                element(out, name, value, item);
            }
        }
        Value::Map(entries) => {
            for (key, value) in entries {
                out.push_str("<entry><key>");
                escape(out, key);
                out.push_str("</key><value>");
                escape(out, value);
                out.push_str("</value></entry>");
            }
        }
    }
}

/// Epoch seconds as `2026-11-21T00:00:00Z`.
pub(crate) fn iso(epoch: i64) -> String {
    DateTime::from_timestamp(epoch, 0)
        .map(|time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}

fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' | '\u{7f}'..='\u{9f}' => out.push_str(&format!("&#{};", c as u32)),
            '\n' | '\t' => out.push(c),
            // XML 1.0 has no way to write other control characters.
            c if c.is_control() => out.push('\u{fffd}'),
            c => match (c as u32).checked_sub(RAW).filter(|raw| *raw < 0x20) {
                Some(raw) => out.push_str(&format!("&#{raw};")),
                None => out.push(c),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_escaped() {
        let value = Value::Record(vec![("A", Value::text("<&>\"\u{1}\u{9b}\u{e01b}"))]);
        let xml = answer("urn:x", "Do", &value, "id");
        assert!(xml.contains("<A>&lt;&amp;&gt;&quot;\u{fffd}&#155;&#27;</A>"), "{xml}");
        assert_eq!([f64::INFINITY, f64::NAN, 1.5].map(number_text), ["Infinity", "NaN", "1.5"]);
    }

    #[test]
    fn lists_are_members_and_maps_are_entries() {
        let value = Value::Record(vec![
            ("L", Value::List(vec![Value::Integer(1)])),
            ("M", Value::Map(vec![("k".to_owned(), "v".to_owned())])),
        ]);
        let xml = answer("urn:x", "Do", &value, "id");
        assert!(xml.contains("<L><member>1</member></L>"));
        assert!(xml.contains("<M><entry><key>k</key><value>v</value></entry></M>"));
    }

    #[test]
    fn times_are_iso_8601_in_utc() {
        assert_eq!(iso(0), "1970-01-01T00:00:00Z");
    }
}
