//! The schema of custom notifications of Amazon Q Developer in chat applications.
//!
//! There are two measures: what the service takes, which decides whether a
//! message is delivered, and what a careful publisher sends, which also keeps
//! Slack's limits, adds nothing unknown and cannot ping anyone. The schema is of
//! `docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html`; lengths are
//! Slack's for a header and a section, as AWS publishes none.

use serde_json::{Map, Value as Json};

use crate::services::sns::mrkdwn;

/// Characters of a title.
const TITLE: usize = 250;
/// Characters of a description.
const DESCRIPTION: usize = 3_000;

/// What the value of a key has to be.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Texts,
    /// An object whose values are strings.
    Texted,
    Flag,
    Object,
}

/// Keys of an object and what their values are.
type Keys = [(&'static str, Kind)];

const TOP: &Keys = &[
    ("version", Kind::Text),
    ("source", Kind::Text),
    ("id", Kind::Text),
    ("content", Kind::Object),
    ("metadata", Kind::Object),
];

const CONTENT: &Keys = &[
    ("textType", Kind::Text),
    ("title", Kind::Text),
    ("description", Kind::Text),
    ("nextSteps", Kind::Texts),
    ("keywords", Kind::Texts),
];

const METADATA: &Keys = &[
    ("threadId", Kind::Text),
    ("summary", Kind::Text),
    ("eventType", Kind::Text),
    ("relatedResources", Kind::Texts),
    ("additionalContext", Kind::Texted),
    ("enableCustomActions", Kind::Flag),
];

impl Kind {
    fn fits(self, value: &Json) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Texts => value.as_array().is_some_and(|all| all.iter().all(Json::is_string)),
            Self::Texted => value.as_object().is_some_and(|all| all.values().all(Json::is_string)),
            Self::Flag => value.is_boolean(),
            Self::Object => value.is_object(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Texts => "an array of strings",
            Self::Texted => "an object whose values are strings",
            Self::Flag => "true or false",
            Self::Object => "an object",
        }
    }
}

/// What is wrong with a custom notification: by the schema, by Slack's limits, or
/// because its text could ping someone or break out of its place.
#[must_use]
pub fn problem(text: &str) -> Option<String> {
    notification(text).and_then(|read| careful(&read)).err()
}

/// Whether the service takes this text for a custom notification.
pub(crate) fn supported(text: &str) -> bool {
    notification(text).is_ok()
}

/// Reads what the service takes; unknown keys inside of content and metadata pass.
fn notification(text: &str) -> Result<Json, String> {
    let read: Json = serde_json::from_str(text).map_err(|why| format!("it is no JSON: {why}"))?;
    let top = read.as_object().ok_or("it is no JSON object")?;
    typed(top, "", TOP)?;
    known(top, "", TOP)?;
    for (key, wanted) in [("version", "1.0"), ("source", "custom")] {
        if top.get(key).and_then(Json::as_str) != Some(wanted) {
            return Err(format!("{key} must be \"{wanted}\""));
        }
    }
    let content = part(&read, "content").ok_or("content is missing")?;
    typed(content, "content.", CONTENT)?;
    if !content.contains_key("description") {
        return Err("content.description is missing".to_owned());
    }
    if content.get("textType").is_some_and(|kind| kind != "client-markdown") {
        return Err("content.textType must be \"client-markdown\"".to_owned());
    }
    part(&read, "metadata").map_or(Ok(()), |metadata| typed(metadata, "metadata.", METADATA))?;
    Ok(read)
}

fn part<'a>(read: &'a Json, key: &str) -> Option<&'a Map<String, Json>> {
    read.get(key).and_then(Json::as_object)
}

/// Refuses values of another type than the schema's.
fn typed(object: &Map<String, Json>, at: &str, keys: &Keys) -> Result<(), String> {
    let wrong = |(key, kind): &&(&str, Kind)| object.get(*key).is_some_and(|one| !kind.fits(one));
    match keys.iter().find(wrong) {
        Some((key, kind)) => Err(format!("{at}{key} must be {}", kind.name())),
        None => Ok(()),
    }
}

/// Refuses keys the schema does not have.
fn known(object: &Map<String, Json>, at: &str, keys: &Keys) -> Result<(), String> {
    match object.keys().find(|key| keys.iter().all(|(name, _)| name != key)) {
        Some(key) => Err(format!("{at}{key} is not in the schema")),
        None => Ok(()),
    }
}

/// Refuses what the service may take and a careful publisher does not send.
fn careful(read: &Json) -> Result<(), String> {
    for (key, keys) in [("content", CONTENT), ("metadata", METADATA)] {
        part(read, key).map_or(Ok(()), |object| known(object, &format!("{key}."), keys))?;
    }
    for (pointer, limit) in [("/content/title", TITLE), ("/content/description", DESCRIPTION)] {
        let text = read.pointer(pointer).and_then(Json::as_str).unwrap_or_default();
        let length = text.chars().count();
        if length > limit {
            let name = named(pointer);
            return Err(format!("{name} has {length} characters and may have {limit}"));
        }
    }
    harmless(read, "")
}

/// Refuses control characters anywhere and dangerous markup where it is rendered.
fn harmless(value: &Json, pointer: &str) -> Result<(), String> {
    match value {
        Json::String(text) => {
            let lines = pointer == "/content/description";
            if let Some(c) = text.chars().find(|c| c.is_control() && !(lines && *c == '\n')) {
                let code = u32::from(c);
                let name = named(pointer);
                return Err(format!("{name} has the control character U+{code:04X}"));
            }
            match mrkdwn::danger(text).filter(|_| rendered(pointer)) {
                Some(danger) => Err(format!("{} has {danger}", named(pointer))),
                None => Ok(()),
            }
        }
        Json::Array(all) => {
            let mut all = all.iter().enumerate();
            all.try_for_each(|(at, one)| harmless(one, &format!("{pointer}/{at}")))
        }
        Json::Object(all) => {
            all.iter().try_for_each(|(key, one)| harmless(one, &format!("{pointer}/{key}")))
        }
        _ => Ok(()),
    }
}

/// Whether a chat client shows this text as markup.
fn rendered(pointer: &str) -> bool {
    let places =
        ["/content/title", "/content/description", "/content/keywords", "/metadata/summary"];
    places.iter().any(|place| pointer.starts_with(place))
        || pointer.starts_with("/content/nextSteps")
}

fn named(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn whole() -> Json {
        json!({
            "version": "1.0", "source": "custom", "id": "checkout-1",
            "content": {
                "textType": "client-markdown", "title": ":warning: checkout near its timeout",
                "description": "p99 is *48 s* of 60 s &lt;504 soon&gt;\n<https://example.com/a?b=c|Runbook>",
                "nextSteps": ["Look at <https://example.com>"], "keywords": ["alb", "504"],
            },
            "metadata": {
                "threadId": "checkout", "summary": "near misses", "eventType": "near-miss",
                "relatedResources": ["arn:aws:x"], "additionalContext": {"minute": "5"},
                "enableCustomActions": false,
            },
        })
    }

    /// What is found after putting a value at a place.
    fn found(pointer: &str, value: Json) -> (Option<String>, bool) {
        let mut one = whole();
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let parent = one.pointer_mut(parent).and_then(Json::as_object_mut).expect("an object");
        if value.is_null() {
            parent.remove(key)
        } else {
            parent.insert(key.to_owned(), value)
        };
        let text = one.to_string();
        (problem(&text), supported(&text))
    }

    #[test]
    fn a_whole_and_a_least_notification_are_fine() {
        assert_eq!(problem(&whole().to_string()), None);
        let least = json!({"version": "1.0", "source": "custom", "content": {"description": ""}});
        assert_eq!(problem(&least.to_string()), None);
    }

    #[test]
    fn what_is_not_of_the_schema_is_neither_careful_nor_supported() {
        for (pointer, value, word) in [
            ("/version", json!("2.0"), "version"),
            ("/version", json!(1.0), "version"),
            ("/version", Json::Null, "version"),
            ("/source", json!("aws"), "source"),
            ("/id", json!(5), "id"),
            ("/more", json!("x"), "more"),
            ("/content", Json::Null, "content"),
            ("/content", json!("x"), "content"),
            ("/content/description", Json::Null, "content.description"),
            ("/content/description", json!(["x"]), "content.description"),
            ("/content/title", json!(1), "content.title"),
            ("/content/textType", json!("markdown"), "content.textType"),
            ("/content/nextSteps", json!("x"), "content.nextSteps"),
            ("/content/nextSteps", json!([1]), "content.nextSteps"),
            ("/content/keywords", json!([[]]), "content.keywords"),
            ("/metadata", json!([]), "metadata"),
            ("/metadata/threadId", json!(7), "metadata.threadId"),
            ("/metadata/summary", json!(false), "metadata.summary"),
            ("/metadata/relatedResources", json!("x"), "metadata.relatedResources"),
            ("/metadata/additionalContext", json!({"n": 1}), "metadata.additionalContext"),
            ("/metadata/enableCustomActions", json!("false"), "metadata.enableCustomActions"),
        ] {
            let (problem, supported) = found(pointer, value);
            assert!(
                problem.as_ref().is_some_and(|text| text.contains(word)),
                "{pointer} {problem:?}"
            );
            assert!(!supported, "{pointer}");
        }
        for text in ["", "hello", "[]", "{\"version\":\"1.0\""] {
            assert!(problem(text).is_some() && !supported(text), "{text}");
        }
    }

    #[test]
    fn a_careful_publisher_adds_nothing_and_keeps_the_limits() {
        for (pointer, value, word) in [
            ("/content/more", json!("x"), "content.more is not in the schema"),
            ("/metadata/more", json!("x"), "metadata.more is not in the schema"),
            ("/content/title", json!("é".repeat(251)), "251 characters"),
            ("/content/description", json!("x".repeat(3_001)), "3001 characters"),
        ] {
            let (problem, supported) = found(pointer, value);
            assert!(problem.as_ref().is_some_and(|text| text.contains(word)), "{problem:?}");
            assert!(supported, "{pointer}");
        }
        assert_eq!(found("/content/title", json!("é".repeat(250))).0, None);
        assert_eq!(found("/content/description", json!("x".repeat(3_000))).0, None);
    }

    #[test]
    fn control_characters_are_found_everywhere_but_newlines_in_the_description() {
        for (pointer, value) in [
            ("/content/title", json!("a\nb")),
            ("/content/description", json!("a\tb")),
            ("/content/description", json!("a\r\nb")),
            ("/content/nextSteps", json!(["a", "b\u{7}"])),
            ("/metadata/threadId", json!("a\u{0}")),
            ("/metadata/additionalContext", json!({"k": "\u{1b}[0m"})),
        ] {
            let (problem, supported) = found(pointer, value);
            assert!(problem.is_some_and(|text| text.contains("control character U+")), "{pointer}");
            assert!(supported);
        }
        assert_eq!(found("/content/description", json!("a\n\nb")).0, None);
    }

    #[test]
    fn pings_and_markup_are_found_in_every_rendered_text() {
        for (pointer, value) in [
            ("/content/title", json!("<!channel>")),
            ("/content/description", json!("a <b")),
            ("/content/nextSteps", json!(["ok", "@here"])),
            ("/content/keywords", json!(["<@U012AB3CD>"])),
            ("/metadata/summary", json!("ask @ops")),
        ] {
            let (problem, supported) = found(pointer, value);
            let name = named(pointer);
            assert!(problem.as_ref().is_some_and(|text| text.contains(&name)), "{problem:?}");
            assert!(supported);
        }
        assert_eq!(found("/metadata/threadId", json!("a@b<c>")).0, None);
    }
}
