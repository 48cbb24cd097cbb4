//! A JSON value of limited size, whatever is in it.
//!
//! Programs would rather have a text cut than no message: what is too large is
//! shortened evenly, step by step, until it fits.

use serde_json::{Map, Value};

use crate::render::escape::shortened;

/// The longest text, and the longest list, of each step.
const STEPS: [(usize, usize); 5] = [(4_000, 500), (1_200, 200), (400, 60), (120, 20), (40, 8)];
/// No value lies deeper.
const DEPTH: usize = 8;

/// The bytes of a value as JSON inside a JSON text, as SNS gets it.
#[must_use]
pub fn bytes(value: &Value) -> usize {
    let json = value.to_string();
    json.bytes().map(|b| if matches!(b, b'"' | b'\\') { 2 } else { 1 }).sum::<usize>() + 2
}

/// The same value, or as much of it as fits into this many bytes; empty when not even its
/// skeleton does.
#[must_use]
pub fn fit(value: &Map<String, Value>, most: usize) -> Map<String, Value> {
    for (length, items) in STEPS {
        let cut = Value::Object(cut_object(value, length, items, DEPTH));
        if bytes(&cut) <= most
            && let Value::Object(cut) = cut
        {
            return cut;
        }
    }
    Map::new()
}

fn cut(value: &Value, length: usize, items: usize, depth: usize) -> Value {
    match value {
        Value::Array(_) | Value::Object(_) if depth == 0 => Value::Null,
        Value::String(text) => Value::String(shortened(text, length)),
        Value::Array(list) => {
            list.iter().take(items).map(|item| cut(item, length, items, depth - 1)).collect()
        }
        Value::Object(object) => Value::Object(cut_object(object, length, items, depth - 1)),
        other => other.clone(),
    }
}

/// The names of fields are the program's own and few: there are never fewer than 40 of
/// them.
fn cut_object(
    object: &Map<String, Value>,
    length: usize,
    items: usize,
    depth: usize,
) -> Map<String, Value> {
    let fields = object.iter().take(items.max(40));
    fields
        .map(|(name, value)| (shortened(name, length), cut(value, length, items, depth)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn what_fits_stays() {
        let small = object(&json!({"a": 1, "b": ["x", {"c": null}]}));
        assert_eq!(fit(&small, 1_000), small);
    }

    #[test]
    fn what_is_too_large_is_cut_evenly() {
        let large = object(&json!({"n": 7, "a": "\u{0}".repeat(9_000), "b": vec!["\"y"; 9_000]}));
        let cut = fit(&large, 4_000);
        assert_eq!(cut["n"], 7);
        assert!(!cut["a"].as_str().unwrap().is_empty() && !cut["b"].as_array().unwrap().is_empty());
        assert!(bytes(&Value::Object(cut)) <= 4_000);
    }

    #[test]
    fn bytes_are_those_of_a_text_in_a_text() {
        for value in [json!("a\"b\\\n\u{1}é"), json!({"a": [1, "x"]}), json!(null)] {
            assert_eq!(bytes(&value), Value::String(value.to_string()).to_string().len());
        }
    }
}
