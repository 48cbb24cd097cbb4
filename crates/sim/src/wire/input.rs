//! Reading the parameters of a call, whatever protocol carried them.
//!
//! Forms, JSON and CBOR all become one JSON-like tree. In a form everything is
//! text, so numbers are read leniently there and strictly elsewhere.

use chrono::DateTime;
use serde_json::{Map, Value as Json};

use crate::wire::document::Failure;

/// Deepest nesting of a form key.
const DEPTH: usize = 12;

/// The parameters, or a part of them.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a> {
    value: &'a Json,
    lenient: bool,
}

fn wrong(name: &str, needs: &str) -> Failure {
    Failure::new(400, "SerializationException", format!("{name} must be {needs}"))
}

impl<'a> Input<'a> {
    /// Parameters of a form (`lenient`) or a typed protocol.
    pub(crate) fn new(value: &'a Json, lenient: bool) -> Self {
        Self { value, lenient }
    }

    /// Refuses parameters other than these; loud on purpose.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Failure> {
        let given = self.value.as_object().into_iter().flat_map(Map::keys);
        let mut given = given.filter(|name| !["Action", "Version"].contains(&name.as_str()));
        match given.find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => {
                let message = format!("The parameter {name} is not recognized; known: {known:?}");
                Err(Failure::new(400, "UnknownParameter", message))
            }
        }
    }

    /// Everything, for hashing.
    pub(crate) fn raw(&self) -> &'a Json {
        self.value
    }

    fn get(&self, name: &str) -> Option<&'a Json> {
        self.value.get(name).filter(|value| !value.is_null())
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>, Failure> {
        self.get(name)
            .map(|value| value.as_str().ok_or_else(|| wrong(name, "a string")))
            .transpose()
    }

    /// A text that has to be there.
    pub(crate) fn required(&self, name: &str) -> Result<&'a str, Failure> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    /// A whole number.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, Failure> {
        let read = |value: &Json| match value.as_str() {
            Some(text) if self.lenient => text.parse().ok(),
            _ => value.as_i64(),
        };
        self.get(name).map(|value| read(value).ok_or_else(|| wrong(name, "an integer"))).transpose()
    }

    /// True or false.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Failure> {
        let read = |value: &Json| match value.as_str() {
            Some(text) if self.lenient => text.parse().ok(),
            _ => value.as_bool(),
        };
        self.get(name).map(|value| read(value).ok_or_else(|| wrong(name, "a boolean"))).transpose()
    }

    /// A time as epoch seconds, rounded down.
    pub(crate) fn time(&self, name: &str) -> Result<Option<i64>, Failure> {
        let read = |value: &Json| match value.as_str() {
            Some(text) if self.lenient => {
                DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp())
            }
            _ => value
                .as_f64()
                .filter(|time| time.is_finite() && time.abs() < 1e11)
                .map(|time| time.floor() as i64),
        };
        self.get(name)
            .map(|value| read(value).ok_or_else(|| wrong(name, "a timestamp")))
            .transpose()
    }

    /// A structure.
    pub(crate) fn record(&self, name: &str) -> Result<Option<Self>, Failure> {
        self.get(name)
            .map(|value| {
                let part = Self { value, ..*self };
                value.is_object().then_some(part).ok_or_else(|| wrong(name, "a structure"))
            })
            .transpose()
    }

    /// The structures of a list; none when the list is absent.
    pub(crate) fn records(&self, name: &str) -> Result<Vec<Self>, Failure> {
        let items = self.items(name)?;
        items
            .iter()
            .map(|value| {
                let part = Self { value, ..*self };
                value.is_object().then_some(part).ok_or_else(|| wrong(name, "a list of structures"))
            })
            .collect()
    }

    /// The texts of a list; none when the list is absent.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<&'a str>, Failure> {
        let items = self.items(name)?;
        items
            .iter()
            .map(|value| value.as_str().ok_or_else(|| wrong(name, "a list of strings")))
            .collect()
    }

    fn items(&self, name: &str) -> Result<&'a [Json], Failure> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Json::Array(items)) => Ok(items),
            Some(Json::String(text)) if self.lenient && text.is_empty() => Ok(&[]),
            Some(_) => Err(wrong(name, "a list")),
        }
    }
}

/// The complaint about a parameter that has to be there.
pub(crate) fn missing(name: &str) -> Failure {
    Failure::validation(format!("The parameter {name} is required"))
}

/// Reads a form body into a tree: `A.member.1.B=x` is the B of the first of A.
pub(crate) fn form(body: &[u8]) -> Result<Json, Failure> {
    let malformed = |message: String| Failure::new(400, "MalformedQueryString", message);
    let mut root = Json::Object(Map::new());
    for (key, value) in form_urlencoded::parse(body) {
        let path: Vec<&str> = key.split('.').collect();
        if path.len() > DEPTH {
            return Err(malformed(format!("{key} is nested too deeply")));
        }
        insert(&mut root, &path, &value)
            .map_err(|()| malformed(format!("{key} is given twice or contradicts another key")))?;
    }
    Ok(fold(root))
}

/// The same for EC2, whose lists are numbered without a word: `A.1.B=x`.
pub(crate) fn numbered(node: Json) -> Json {
    match node {
        Json::Object(object) if !object.is_empty() => {
            let number = |key: &String| key.parse::<u32>().ok();
            if object.keys().all(|key| number(key).is_some()) {
                let mut items: Vec<(Option<u32>, Json)> = object
                    .into_iter()
                    .map(|(key, value)| (number(&key), numbered(value)))
                    .collect();
                items.sort_by_key(|item| item.0);
                return items.into_iter().map(|item| item.1).collect();
            }
            object.into_iter().map(|(key, value)| (key, numbered(value))).collect()
        }
        Json::Array(items) => items.into_iter().map(numbered).collect(),
        other => other,
    }
}

/// The parameters of a query string; a name given twice is a list.
pub(crate) fn query(text: &str) -> Json {
    let mut tree = Map::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        let value = Json::from(value.as_ref());
        match tree.get_mut(name.as_ref()) {
            Some(Json::Array(items)) => items.push(value),
            Some(first) => *first = Json::Array(vec![first.take(), value]),
            None => drop(tree.insert(name.into_owned(), value)),
        }
    }
    Json::Object(tree)
}

fn insert(node: &mut Json, path: &[&str], text: &str) -> Result<(), ()> {
    let Json::Object(object) = node else {
        return Err(());
    };
    match path {
        [] => Err(()),
        [last] => match object.insert((*last).to_owned(), Json::from(text)) {
            None => Ok(()),
            Some(_) => Err(()),
        },
        [first, rest @ ..] => {
            let next = object.entry(*first).or_insert_with(|| Json::Object(Map::new()));
            insert(next, rest, text)
        }
    }
}

/// Turns `{member: {1: a, 2: b}}` and the same with `entry` into lists.
fn fold(node: Json) -> Json {
    let Json::Object(object) = node else {
        return node;
    };
    let mut entries: Vec<(String, Json)> = object.into_iter().collect();
    if let [(name, Json::Object(items))] = entries.as_mut_slice() {
        let numbered = items.keys().all(|key| key.parse::<u32>().is_ok());
        if (name == "member" || name == "entry") && numbered {
            let mut items: Vec<(u32, Json)> = std::mem::take(items)
                .into_iter()
                .map(|(key, value)| (key.parse().unwrap_or(0), fold(value)))
                .collect();
            items.sort_by_key(|item| item.0);
            return items.into_iter().map(|item| item.1).collect();
        }
    }
    Json::Object(entries.into_iter().map(|(key, value)| (key, fold(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_becomes_lists_and_structures() {
        let body =
            b"Action=X&A.member.2.N=b&A.member.1.N=a&M.entry.1.Name=k&M.entry.1.Value.T=v&E=";
        let tree = form(body).expect("valid");
        assert_eq!(tree["A"][0]["N"], "a");
        assert_eq!(tree["A"][1]["N"], "b");
        assert_eq!(tree["M"][0]["Value"]["T"], "v");
        assert!(Input::new(&tree, true).texts("E").is_ok_and(|list| list.is_empty()));
    }

    #[test]
    fn contradicting_form_keys_are_refused() {
        assert!(form(b"A=1&A=2").is_err());
        assert!(form(b"A=1&A.B=2").is_err());
        assert!(form(b"a.b.c.d.e.f.g.h.i.j.k.l.m.n=1").is_err());
    }

    #[test]
    fn numbers_in_text_count_only_in_forms() {
        let tree = serde_json::json!({"n": "7", "t": "2026-11-21T00:00:30Z", "e": 90.9});
        assert_eq!(Input::new(&tree, true).integer("n"), Ok(Some(7)));
        assert!(Input::new(&tree, false).integer("n").is_err());
        assert_eq!(Input::new(&tree, true).time("t"), Ok(Some(1_795_219_230)));
        assert_eq!(Input::new(&tree, false).time("e"), Ok(Some(90)));
    }
}
