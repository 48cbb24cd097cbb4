//! The rules of SNS for what may be published.
//!
//! Apart from [`crate::services::sns`] because they are plain checks of text, without any
//! account behind them.

use std::collections::BTreeMap;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::wire::document::Failure;
use crate::wire::input::Input;

pub(crate) fn invalid(what: &str) -> Failure {
    Failure::new(400, "InvalidParameter", format!("Invalid parameter: {what}"))
}

/// Less than 100 printable ASCII characters, not beginning with a space.
pub(crate) fn valid_subject(subject: &str) -> bool {
    !subject.is_empty()
        && subject.len() < 100
        && subject.bytes().all(|byte| (0x20..0x7f).contains(&byte))
        && !subject.starts_with(' ')
}

pub(crate) fn check_fifo(
    fifo: bool,
    group: Option<&str>,
    deduplication: Option<&str>,
) -> Result<(), Failure> {
    let fits = |id: Option<&str>| {
        id.is_none_or(|id| {
            (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
        })
    };
    if !fits(group) {
        return Err(invalid("MessageGroupId"));
    }
    if !fits(deduplication) {
        return Err(invalid("MessageDeduplicationId"));
    }
    match (fifo, group, deduplication) {
        (true, None, _) => Err(invalid("The MessageGroupId parameter is required for FIFO topics")),
        (true, _, None) => Err(invalid(
            "The topic should either have ContentBasedDeduplication enabled or \
             MessageDeduplicationId provided explicitly",
        )),
        (false, _, Some(_)) => Err(invalid(
            "MessageDeduplicationId Reason: The request includes a parameter that is valid for \
             FIFO topics only",
        )),
        _ => Ok(()),
    }
}

/// A JSON message is an object with a text `default` and no key twice.
pub(crate) fn check_structure(message: &str) -> Result<(), Failure> {
    let mut reader = serde_json::Deserializer::from_str(message);
    let keys = reader.deserialize_map(Keys).and_then(|keys| reader.end().map(|()| keys));
    let problem = match keys {
        Err(_) => "JSON message body failed to parse",
        Ok(keys) if keys.duplicate => "Duplicate keys in JSON message body",
        Ok(keys) if !keys.default => "No default entry in JSON message body",
        Ok(_) => return Ok(()),
    };
    Err(invalid(&format!("Message Structure - {problem}")))
}

#[derive(Default)]
struct Found {
    default: bool,
    duplicate: bool,
}

struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Found;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        let mut found = Found::default();
        let mut seen = std::collections::HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == "default" {
                found.default = map.next_value::<serde_json::Value>()?.is_string();
            } else {
                map.next_value::<IgnoredAny>()?;
            }
            found.duplicate |= !seen.insert(key);
        }
        Ok(found)
    }
}

/// The attributes and how many bytes they add to the message.
pub(crate) fn attributes(input: Input) -> Result<(BTreeMap<String, String>, usize), Failure> {
    let wrong = |reason: &str| {
        Failure::new(400, "ParameterValueInvalid", format!("Invalid message attribute: {reason}"))
    };
    let (mut all, mut size) = (BTreeMap::new(), 0);
    for entry in input.records("MessageAttributes")? {
        let name = entry.required("Name")?;
        let value = entry.record("Value")?.ok_or_else(|| wrong("it has no value"))?;
        let kind = value.required("DataType")?;
        if !valid_name(name) {
            return Err(wrong(&format!("the name '{name}' is not allowed")));
        }
        let text = match kind.split('.').next() {
            Some("Binary") => value.text("BinaryValue")?,
            Some("String" | "Number") => value.text("StringValue")?,
            _ => {
                return Err(wrong(&format!("the type '{kind}' of '{name}' is not known")));
            }
        };
        let text = text.filter(|text| !text.is_empty()).ok_or_else(|| {
            wrong(&format!("'{name}' must have a non-empty value of type {kind}"))
        })?;
        let number = text.parse::<f64>().is_ok_and(|number| number.abs() <= 1e9);
        if kind.starts_with("Number") && !number {
            return Err(wrong(&format!("'{name}' is not a number")));
        }
        if kind == "String.Array" && !text.trim_start().starts_with('[') {
            return Err(wrong(&format!("'{name}' is not an array")));
        }
        size += name.len() + kind.len() + text.len();
        if all.insert(name.to_owned(), text.to_owned()).is_some() {
            return Err(wrong(&format!("'{name}' is given twice")));
        }
    }
    Ok((all, size))
}

fn valid_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    (1..=256).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
        && !lower.starts_with("aws.")
        && !lower.starts_with("amazon.")
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_structured_message_needs_a_text_default_and_unique_keys() {
        assert!(check_structure(r#"{"default":"x","https":{"a":1},"n":1}"#).is_ok());
        for bad in [r#"{"https":"x"}"#, r#"{"default":1}"#, "[]", "x", r#"{"default":"a"} x"#] {
            assert!(check_structure(bad).is_err(), "{bad}");
        }
        let twice = check_structure(r#"{"default":"x","a":"1","a":"2"}"#);
        assert!(twice.is_err_and(|failure| failure.message.contains("Duplicate")));
    }

    #[test]
    fn subjects_are_short_printable_ascii() {
        assert!(valid_subject(&"x".repeat(99)));
        for bad in ["", " x", "a\nb", "é", "\u{7f}"] {
            assert!(!valid_subject(bad), "{bad:?}");
        }
        assert!(!valid_subject(&"x".repeat(100)));
    }

    #[test]
    fn a_fifo_topic_needs_both_ids_and_a_standard_topic_takes_no_deduplication() {
        assert!(check_fifo(true, Some("g"), Some("d")).is_ok());
        assert!(check_fifo(true, None, Some("d")).is_err());
        assert!(check_fifo(true, Some("g"), None).is_err());
        assert!(check_fifo(false, Some("g"), None).is_ok());
        assert!(check_fifo(false, None, Some("d")).is_err());
    }

    #[test]
    fn attribute_names_follow_the_rules() {
        assert!(valid_name("near_miss.state-1"));
        for bad in ["", ".a", "a.", "a..b", "AWS.x", "amazon.x", "a b"] {
            assert!(!valid_name(bad), "{bad}");
        }
    }
}
