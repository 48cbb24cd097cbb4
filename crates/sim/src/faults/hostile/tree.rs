//! Hostile answers whose bytes are fine and whose content is not.
//!
//! They are changes to the tree of an answer, so that all protocols say the same
//! wrong thing, each in its own way.

use crate::faults::hostile::{Kind, Names, Points, Token};
use crate::faults::refusals::refusal;
use crate::wire::document::{Reply, Value};
use crate::wire::xml::RAW;

/// A mebibyte of padding.
const MIB: usize = 1_024 * 1_024;
/// Characters of a long name.
const LONG: usize = 10_000;

/// What is known of the call.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// Its running number.
    pub(crate) number: u64,
    pub(crate) action: &'a str,
    pub(crate) caller: &'a str,
    /// Whether the answer is XML, which has no control characters.
    pub(crate) xml: bool,
}

/// The reply after everything that strikes it.
pub(crate) fn spoiled(mut reply: Reply, kinds: &[&Kind], context: Context) -> Reply {
    for kind in kinds {
        reply = match (kind, reply) {
            (Kind::OkError(code), _) => Err(refusal(code, context.action, context.caller)),
            (kind, Ok(value)) => Ok(changed(value, kind, context)),
            (_, failure) => failure,
        };
    }
    reply
}

fn changed(value: Value, kind: &Kind, context: Context) -> Value {
    match kind {
        Kind::Token(token) => endless(value, *token, context),
        Kind::Points(points) => results(value, |list| spoil_points(list, *points)),
        Kind::Code(code) => results(value, |list| set_codes(list, code)),
        Kind::Messages(count) => messages(value, *count, context),
        Kind::Without(name) => without(value, name),
        Kind::Set(name, text) => set(value, name, text),
        Kind::Attribute(key, text) => attribute(value, key, text.as_deref()),
        Kind::Names(names) => named(value, &odd(*names, context.xml)),
        Kind::Huge(mib) => value.with([("SimPadding", Value::Text("x".repeat(mib * MIB)))]),
        Kind::Error(_) | Kind::OkError(_) | Kind::Wire(_) => value,
    }
}

/// The names of the parameters that ask for a further page.
pub(crate) const TOKENS: [&str; 5] = ["NextToken", "nextToken", "Marker", "marker", "position"];

/// Says that there is a further page.
fn endless(value: Value, token: Token, context: Context) -> Value {
    let text = match token {
        Token::Empty => String::new(),
        Token::Same => "sim-again".to_owned(),
        Token::New => format!("sim-{}", context.number),
    };
    let name = match context.action.split(':').next() {
        Some("elasticloadbalancing" | "cloudfront" | "lambda") => "NextMarker",
        // The lists of REST APIs are called in the singular.
        Some("apigateway") if value.field("item").is_some() => "position",
        Some("ecs" | "ec2" | "apigateway" | "vpc-lattice") => "nextToken",
        _ => "NextToken",
    };
    within(value, &mut |fields, top| {
        if top {
            fields.retain(|field| field.0 != name);
            fields.push((name, Value::text(text.as_str())));
        }
    })
}

/// Applies a change to the results of `GetMetricData`.
fn results(mut value: Value, change: impl FnOnce(&mut Vec<Value>)) -> Value {
    if let Value::Record(fields) = &mut value {
        let list = fields.iter_mut().find(|field| field.0 == "MetricDataResults");
        if let Some((_, Value::List(list))) = list {
            change(list);
        }
    }
    value
}

fn spoil_points(list: &mut Vec<Value>, points: Points) {
    match points {
        Points::Fewer => each(list, "Values", |values| drop(values.pop())),
        Points::More => each(list, "Values", |values| values.push(Value::Number(1.0))),
        Points::Value(number) => {
            each(list, "Values", |values| values.fill(Value::Number(number)));
        }
        Points::At(epoch) => each(list, "Timestamps", |times| times.fill(Value::Time(epoch))),
        Points::Shifted(seconds) => each(list, "Timestamps", |times| {
            for time in times {
                if let Value::Time(epoch) = time {
                    *epoch += seconds;
                }
            }
        }),
        Points::UnknownIds => {
            for (at, one) in list.iter_mut().enumerate() {
                put(one, "Id", Value::text(format!("sim{at}")));
            }
        }
        Points::ExtraIds => {
            let mut one = list.first().cloned().unwrap_or(Value::Record(Vec::new()));
            put(&mut one, "Id", Value::text("sim0"));
            list.push(one);
        }
        Points::DuplicateIds => list.extend(list.clone()),
        Points::NoResults => list.clear(),
    }
}

/// Applies a change to a list of each of these records.
fn each(records: &mut [Value], name: &str, change: impl Fn(&mut Vec<Value>)) {
    for record in records {
        if let Value::Record(fields) = record {
            let list = fields.iter_mut().find(|field| field.0 == name);
            if let Some((_, Value::List(list))) = list {
                change(list);
            }
        }
    }
}

/// Sets a field of a record.
fn put(record: &mut Value, name: &'static str, value: Value) {
    if let Value::Record(fields) = record {
        fields.retain(|field| field.0 != name);
        fields.push((name, value));
    }
}

/// Sets every `StatusCode`; what is forbidden has no points.
fn set_codes(list: &mut [Value], code: &str) {
    if code == "Forbidden" {
        each(list, "Values", Vec::clear);
        each(list, "Timestamps", Vec::clear);
    }
    for one in list {
        put(one, "StatusCode", Value::text(code));
        if code == "Forbidden" {
            let text = "Authentication too complex to retrieve cross region data";
            put(one, "Messages", Value::List(vec![message(code, text)]));
        }
    }
}

fn message(code: &str, text: &str) -> Value {
    Value::record([("Code", code.into()), ("Value", text.into())])
}

/// Messages beside all results and beside the first one.
fn messages(mut value: Value, count: usize, context: Context) -> Value {
    let odd = odd(Names::Raw, context.xml);
    let one = |at: usize| message("SimMessage", &format!("message {at}\nERROR forged: {odd}\r\n"));
    let list = Value::List((0..count).map(one).collect());
    value = results(value, |results| {
        if let Some(first) = results.first_mut() {
            put(first, "Messages", list.clone());
        }
    });
    put(&mut value, "Messages", list);
    value
}

/// Applies a change to the fields of every record; it is passed whether the record is the
/// outermost one.
fn within(
    mut value: Value,
    change: &mut impl FnMut(&mut Vec<(&'static str, Value)>, bool),
) -> Value {
    descend(&mut value, change, true);
    value
}

fn descend(
    value: &mut Value,
    change: &mut impl FnMut(&mut Vec<(&'static str, Value)>, bool),
    top: bool,
) {
    match value {
        Value::Record(fields) => {
            change(fields, top);
            for (_, value) in fields {
                descend(value, change, false);
            }
        }
        Value::List(items) | Value::Items(_, items) => {
            for item in items {
                descend(item, change, false);
            }
        }
        _ => {}
    }
}

fn without(value: Value, name: &str) -> Value {
    within(value, &mut |fields, _| {
        fields.retain(|field| field.0 != name);
        for (_, value) in fields {
            if let Value::Map(entries) = value {
                entries.retain(|entry| entry.0 != name);
            }
        }
    })
}

fn set(value: Value, name: &str, text: &str) -> Value {
    within(value, &mut |fields, _| {
        for (field, value) in fields {
            if let Value::Map(entries) = value {
                let named = entries.iter_mut().filter(|entry| entry.0 == name);
                named.for_each(|entry| text.clone_into(&mut entry.1));
            }
            if *field == name {
                *value = alike(value, text);
            }
        }
    })
}

/// The text as a value of the kind that stands there now, if it can be that.
fn alike(value: &Value, text: &str) -> Value {
    let read = match value {
        Value::Number(_) => text.parse().ok().map(Value::Number),
        Value::Integer(_) => text.parse().ok().map(Value::Integer),
        Value::Time(_) => text.parse().ok().map(Value::Time),
        Value::Flag(_) => text.parse().ok().map(Value::Flag),
        _ => None,
    };
    read.unwrap_or_else(|| Value::text(text))
}

/// Sets or removes the pair of this key in every list of pairs.
fn attribute(value: Value, key: &str, text: Option<&str>) -> Value {
    let meant = |one: &Value| one.field("Key") == Some(&Value::text(key));
    within(value, &mut |fields, _| {
        for (_, value) in fields {
            let Value::List(items) = value else { continue };
            match text {
                None => items.retain(|one| !meant(one)),
                Some(text) => {
                    for one in items.iter_mut().filter(|one| meant(one)) {
                        put(one, "Value", Value::text(text));
                    }
                }
            }
        }
    })
}

/// What is added to names; XML writes the raw ones as references.
fn odd(names: Names, xml: bool) -> String {
    let raw = |c: char| if xml { char::from_u32(RAW + c as u32).unwrap_or(c) } else { c };
    match names {
        Names::Control => "\r\n\t\u{9b}31m\u{9b}2J\u{2028}\u{85}\u{7f}".to_owned(),
        Names::Raw => {
            let begin = ['\u{1b}', '[', '3', '1', 'm', '\u{7}', '\0', '\u{8}'];
            begin.map(|c| if c.is_control() { raw(c) } else { c }).iter().collect()
        }
        Names::Rtl => {
            "\u{202e}\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{645}\u{631}\u{62d}\u{628}\u{627}\u{2066}"
                .to_owned()
        }
        Names::Long => "x".repeat(LONG),
    }
}

/// Adds something to all names, and to values and keys of tags.
fn named(value: Value, odd: &str) -> Value {
    const NAMES: [&str; 2] = ["LoadBalancerName", "TargetGroupName"];
    within(value, &mut |fields, _| {
        for (name, value) in fields {
            match value {
                Value::Text(text) if NAMES.contains(name) => text.push_str(odd),
                Value::List(tags) if *name == "Tags" => {
                    for tag in tags.iter_mut() {
                        if let Some(Value::Text(text)) = tag.field("Value").cloned() {
                            put(tag, "Value", Value::Text(text + odd));
                        }
                    }
                    tags.push(Value::record([("Key", odd.into()), ("Value", odd.into())]));
                }
                _ => {}
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: Context =
        Context { number: 7, action: "cloudwatch:GetMetricData", caller: "me", xml: false };

    fn answer() -> Value {
        let result = |id: &str| {
            Value::record([
                ("Id", id.into()),
                ("Timestamps", Value::List(vec![Value::Time(60), Value::Time(120)])),
                ("Values", Value::List(vec![Value::Number(1.0), Value::Number(2.0)])),
                ("StatusCode", "Complete".into()),
            ])
        };
        Value::record([
            ("MetricDataResults", Value::List(vec![result("a"), result("b")])),
            ("Messages", Value::List(Vec::new())),
        ])
    }

    fn after(kind: &Kind) -> serde_json::Value {
        spoiled(Ok(answer()), &[kind], CONTEXT).expect("an answer").to_json()
    }

    fn points(points: Points) -> serde_json::Value {
        after(&Kind::Points(points))["MetricDataResults"].clone()
    }

    #[test]
    fn points_are_spoilt_in_every_result() {
        let lengths = |kind| {
            let all = points(kind);
            let length = |at: usize, name: &str| all[at][name].as_array().map_or(9, Vec::len);
            [length(0, "Timestamps"), length(0, "Values"), length(1, "Values")]
        };
        assert_eq!(lengths(Points::Fewer), [2, 1, 1]);
        assert_eq!(lengths(Points::More), [2, 3, 3]);
        assert_eq!(points(Points::Value(-1.0))[1]["Values"], serde_json::json!([-1.0, -1.0]));
        assert_eq!(points(Points::Value(f64::NAN))[1]["Values"][0], "NaN");
        assert_eq!(points(Points::Shifted(37))[0]["Timestamps"], serde_json::json!([97, 157]));
        assert_eq!(points(Points::At(0))[0]["Timestamps"], serde_json::json!([0, 0]));
        let ids = |kind| {
            let all = points(kind);
            let all = all.as_array().cloned().unwrap_or_default();
            all.iter().map(|one| one["Id"].as_str().unwrap_or("").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(ids(Points::UnknownIds), ["sim0", "sim1"]);
        assert_eq!(ids(Points::ExtraIds), ["a", "b", "sim0"]);
        assert_eq!(ids(Points::DuplicateIds), ["a", "b", "a", "b"]);
        assert!(ids(Points::NoResults).is_empty());
    }

    #[test]
    fn there_is_always_a_further_page() {
        let token = |token| after(&Kind::Token(token))["NextToken"].clone();
        assert_eq!([Token::Empty, Token::Same, Token::New].map(token), ["", "sim-again", "sim-7"]);
        let context = Context { action: "elasticloadbalancing:DescribeTags", ..CONTEXT };
        let told = spoiled(Ok(answer()), &[&Kind::Token(Token::New)], context).expect("an answer");
        assert_eq!(told.field("NextMarker"), Some(&Value::text("sim-7")));
        let apis = Value::record([("item", Value::List(Vec::new()))]);
        let context = Context { action: "apigateway:GET", ..CONTEXT };
        let told = spoiled(Ok(apis), &[&Kind::Token(Token::Same)], context).expect("an answer");
        assert_eq!(told.field("position"), Some(&Value::text("sim-again")));
    }

    #[test]
    fn codes_and_messages_are_as_asked() {
        let forbidden = after(&Kind::Code("Forbidden".to_owned()));
        let first = &forbidden["MetricDataResults"][0];
        assert_eq!(
            (&first["StatusCode"], first["Values"].as_array().map(Vec::len)),
            (&"Forbidden".into(), Some(0))
        );
        assert!(first["Messages"][0]["Value"].as_str().is_some_and(|text| text.contains("cross")));
        let odd = after(&Kind::Code("Odd".to_owned()));
        assert_eq!(odd["MetricDataResults"][1]["Values"].as_array().map(Vec::len), Some(2));
        let told = after(&Kind::Messages(2_000));
        let count = |list: &serde_json::Value| list.as_array().map(Vec::len);
        assert_eq!(count(&told["Messages"]), Some(2_000));
        assert_eq!(count(&told["MetricDataResults"][0]["Messages"]), Some(2_000));
        let text = told["Messages"][1_999]["Value"].as_str().unwrap_or_default();
        assert!(text.contains("\nERROR") && text.contains('\u{1b}') && text.contains('\0'));
    }

    #[test]
    fn fields_are_left_out_or_set_wherever_they_are() {
        let less = after(&Kind::Without("Timestamps".to_owned()));
        assert!(less["MetricDataResults"][1]["Timestamps"].is_null());
        assert!(less["MetricDataResults"][1]["Values"].is_array());
        let set = after(&Kind::Set("Id".to_owned(), "x".to_owned()));
        assert_eq!(set["MetricDataResults"][1]["Id"], "x");
        let topic = Value::record([(
            "Attributes",
            Value::Map(vec![("Owner".to_owned(), "me".to_owned())]),
        )]);
        let kind = Kind::Set("Owner".to_owned(), "you".to_owned());
        let set = spoiled(Ok(topic), &[&kind], CONTEXT).expect("an answer").to_json();
        assert_eq!(set["Attributes"]["Owner"], "you");
    }

    #[test]
    fn attributes_and_names_are_as_odd_as_asked() {
        let pair =
            |key: &str, value: &str| Value::record([("Key", key.into()), ("Value", value.into())]);
        let told = |name, kind| {
            let list = Value::List(vec![pair("idle", "60"), pair("other", "1")]);
            let value = Value::record([(name, list), ("LoadBalancerName", "web".into())]);
            spoiled(Ok(value), &[&kind], CONTEXT).expect("an answer").to_json()
        };
        for text in ["inf", "-1", "1e400", ""] {
            let kind = Kind::Attribute("idle".to_owned(), Some(text.to_owned()));
            let told = told("Attributes", kind);
            assert_eq!(
                (&told["Attributes"][0]["Value"], &told["Attributes"][1]["Value"]),
                (&text.into(), &"1".into())
            );
        }
        let gone = told("Attributes", Kind::Attribute("idle".to_owned(), None));
        assert_eq!(gone["Attributes"].as_array().map(Vec::len), Some(1));
        let long = told("Tags", Kind::Names(Names::Long));
        let length = |value: &serde_json::Value| value.as_str().map(str::len);
        assert_eq!(length(&long["LoadBalancerName"]), Some(LONG + 3));
        assert_eq!(length(&long["Tags"][1]["Value"]), Some(LONG + 1));
        assert_eq!(length(&long["Tags"][2]["Key"]), Some(LONG));
        let odd = told("Tags", Kind::Names(Names::Raw));
        assert!(odd["LoadBalancerName"].as_str().is_some_and(|name| name.contains("\u{1b}[31m")));
        let rtl = told("Tags", Kind::Names(Names::Rtl));
        assert!(rtl["Tags"][0]["Value"].as_str().is_some_and(|text| text.contains('\u{202e}')));
    }

    #[test]
    fn a_huge_answer_is_valid_and_huge() {
        let told = after(&Kind::Huge(2));
        assert_eq!(told["SimPadding"].as_str().map(str::len), Some(2 * MIB));
        assert_eq!(told["MetricDataResults"].as_array().map(Vec::len), Some(2));
    }
}
