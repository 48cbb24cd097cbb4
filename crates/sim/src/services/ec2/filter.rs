//! Filters of EC2: names of fields, and values with wildcards.
//!
//! A filter names a path through the fields of an answer; a list on the way means
//! any of its items. That makes a filter one line in a table.

use crate::wire::document::{Failure, Value};
use crate::wire::input::Input;

/// Filters and values one request may have.
const MAX_FILTERS: usize = 50;
const MAX_VALUES: usize = 200;

/// The filters of a request: path (or tag) and the patterns one of which fits.
pub(crate) struct Filters<'a>(Vec<(Path<'a>, Vec<&'a str>)>);

enum Path<'a> {
    Field(&'static str),
    Tag(&'a str),
    TagKey,
}

impl<'a> Filters<'a> {
    /// Reads the filters of a request; the table says which there are.
    pub(crate) fn read(input: Input<'a>, known: &[(&str, &'static str)]) -> Result<Self, Failure> {
        let refuse = |message: String| Failure::new(400, "InvalidParameterValue", message);
        let given = input.records("Filter")?;
        if given.len() > MAX_FILTERS {
            return Err(refuse(format!("At most {MAX_FILTERS} filters may be given")));
        }
        let mut filters = Vec::new();
        for one in given {
            one.only(&["Name", "Value"])?;
            let name = one.required("Name")?;
            let values = one.texts("Value")?;
            if values.is_empty() || values.len() > MAX_VALUES {
                return Err(refuse(format!("The filter '{name}' has no values or too many")));
            }
            let field = known.iter().find(|(known, _)| *known == name).map(|(_, path)| *path);
            let path = match (field, name.strip_prefix("tag:")) {
                (Some(path), _) => Path::Field(path),
                (None, Some(tag)) => Path::Tag(tag),
                (None, None) if name == "tag-key" => Path::TagKey,
                (None, None) => return Err(refuse(format!("The filter '{name}' is invalid"))),
            };
            filters.push((path, values));
        }
        Ok(Self(filters))
    }

    /// Whether every filter fits.
    pub(crate) fn hold(&self, one: &Value) -> bool {
        self.0.iter().all(|(path, patterns)| {
            let found = match path {
                Path::Field(path) => texts(one, path),
                Path::TagKey => texts(one, "tagSet/key"),
                Path::Tag(key) => tagged(one, key),
            };
            found.iter().any(|text| patterns.iter().any(|pattern| fits(pattern, text)))
        })
    }
}

/// The values of a tag.
fn tagged(one: &Value, key: &str) -> Vec<String> {
    let Some(Value::List(tags)) = one.field("tagSet") else {
        return Vec::new();
    };
    let own = tags.iter().filter(|tag| texts(tag, "key").iter().any(|text| text == key));
    own.flat_map(|tag| texts(tag, "value")).collect()
}

/// The texts at the end of a path.
pub(crate) fn texts(value: &Value, path: &str) -> Vec<String> {
    match value {
        Value::List(items) | Value::Items(_, items) => {
            items.iter().flat_map(|item| texts(item, path)).collect()
        }
        Value::Record(_) => {
            let (first, rest) = path.split_once('/').unwrap_or((path, ""));
            value.field(first).map(|field| texts(field, rest)).unwrap_or_default()
        }
        Value::Text(text) => vec![text.clone()],
        Value::Integer(number) => vec![number.to_string()],
        Value::Flag(flag) => vec![flag.to_string()],
        _ => Vec::new(),
    }
}

/// Whether a pattern with `*` and `?` fits a text.
fn fits(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = rest.as_str();
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.into_iter().any(|at| fits(rest, &text[at..]))
        }
        Some(wanted) => {
            let mut left = text.chars();
            let same = left.next().is_some_and(|have| wanted == '?' || wanted == have);
            same && fits(rest.as_str(), left.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_with_wildcards_anywhere() {
        for (pattern, text) in
            [("ELB app/*", "ELB app/x/1"), ("*", ""), ("a?c", "abc"), ("a*c*", "abcd")]
        {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        assert!(!fits("ELB", "ELB app") && !fits("a?c", "ac") && !fits("a*b", "abc"));
    }

    #[test]
    fn a_path_goes_through_lists() {
        let group = |id: &str| Value::record([("groupId", id.into())]);
        let one = Value::record([("groupSet", Value::List(vec![group("a"), group("b")]))]);
        assert_eq!(texts(&one, "groupSet/groupId"), ["a", "b"]);
        assert!(texts(&one, "groupSet/groupName").is_empty());
    }
}
