//! What every receiver takes, written down: the custom notification of Amazon Q
//! Developer in chat applications, SNS's subject and attributes, one SMS, and the
//! message of all protocols together.
//!
//! Nothing here is taken from the code that makes the messages.

use nearmiss_core::render::Message;
use serde_json::{Map, Value};

/// SNS takes this many bytes.
const SNS: usize = 262_144;

/// Everything that is wrong with a message.
pub fn faults(message: &Message) -> Vec<String> {
    let mut faults = Vec::new();
    subject(&mut faults, &message.subject);
    text(&mut faults, &message.text);
    ensure(&mut faults, message.sms.len() <= 140 && is_ascii(&message.sms), || {
        format!("sms {:?}", message.sms)
    });
    ensure(&mut faults, !message.sms.is_empty(), || "no sms".into());
    notification(&mut faults, &message.chat);
    machine(&mut faults, &message.machine);
    attributes(&mut faults, &message.attributes);
    let bytes = message.per_protocol().len();
    ensure(&mut faults, bytes < SNS, || format!("{bytes} bytes"));
    faults
}

fn ensure(faults: &mut Vec<String>, is_so: bool, fault: impl FnOnce() -> String) {
    if !is_so {
        faults.push(fault());
    }
}

fn is_ascii(text: &str) -> bool {
    text.bytes().all(|b| (b' '..=b'~').contains(&b))
}

fn subject(faults: &mut Vec<String>, subject: &str) {
    let is_good = (1..=99).contains(&subject.len()) && subject.starts_with('[');
    ensure(faults, is_good && is_ascii(subject), || format!("subject {subject:?}"));
}

fn text(faults: &mut Vec<String>, text: &str) {
    ensure(faults, !text.is_empty(), || "no text".into());
    for line in text.lines() {
        ensure(faults, line.chars().all(is_visible), || format!("text {line:?}"));
    }
}

/// Whether a character neither breaks a line, nor hides, nor reorders.
fn is_visible(c: char) -> bool {
    let is_hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}');
    !c.is_control() && !is_hidden
}

fn attributes(faults: &mut Vec<String>, attributes: &[(&'static str, String)]) {
    let names: Vec<&str> = attributes.iter().map(|(name, _)| *name).collect();
    ensure(faults, names == ["severity", "gateway", "rule", "reason", "id", "kind"], || {
        format!("attributes {names:?}")
    });
    for (name, value) in attributes {
        let is_good = (1..=256).contains(&value.chars().count()) && value.chars().all(is_visible);
        ensure(faults, is_good, || format!("attribute {name}={value:?}"));
    }
}

fn machine(faults: &mut Vec<String>, machine: &Value) {
    let text = |name: &str| machine[name].as_str().unwrap_or_default();
    ensure(faults, text("schema") == "nearmiss.notification/1", || "schema".into());
    let kinds = ["episode", "group", "own", "alive", "digest", "test"];
    ensure(faults, kinds.contains(&text("kind")), || format!("kind {:?}", text("kind")));
    for field in ["id", "reason", "severity", "rule"] {
        ensure(faults, !text(field).is_empty(), || format!("machine has no {field}"));
    }
    ensure(faults, machine["links"].is_object(), || "links".into());
    for link in machine["links"].as_object().into_iter().flat_map(Map::values) {
        ensure(faults, link.as_str().is_some_and(is_url), || format!("link {link}"));
    }
}

fn is_url(url: &str) -> bool {
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    is_web && url.bytes().all(|b| b.is_ascii_graphic() && !b"<>|\"`\\{}".contains(&b))
}

/// The custom notification of Amazon Q Developer: these keys, these types.
fn notification(faults: &mut Vec<String>, chat: &Value) {
    keys(faults, chat, &["version", "source", "id", "content", "metadata"]);
    ensure(faults, chat["version"] == "1.0" && chat["source"] == "custom", || "version".into());
    string(faults, &chat["id"], 256);
    let content = &chat["content"];
    keys(faults, content, &["textType", "title", "description", "nextSteps", "keywords"]);
    ensure(faults, content["textType"] == "client-markdown", || "textType".into());
    title(faults, &content["title"]);
    description(faults, &content["description"]);
    strings(faults, &content["nextSteps"], 6, 400);
    strings(faults, &content["keywords"], 5, 64);
    let metadata = &chat["metadata"];
    let names = ["threadId", "summary", "eventType", "relatedResources", "additionalContext"];
    keys(faults, metadata, &names);
    string(faults, &metadata["threadId"], 256);
    string(faults, &metadata["summary"], 150);
    string(faults, &metadata["eventType"], 64);
    strings(faults, &metadata["relatedResources"], 5, 256);
    let pairs = metadata["additionalContext"].as_object();
    ensure(faults, pairs.is_some_and(|p| !p.is_empty() && p.len() <= 12), || "context".into());
    pairs.into_iter().flatten().for_each(|(_, value)| string(faults, value, 128));
}

fn keys(faults: &mut Vec<String>, value: &Value, names: &[&str]) {
    let found: Vec<&str> =
        value.as_object().map(|o| o.keys().map(String::as_str).collect()).unwrap_or_default();
    ensure(faults, found == names, || format!("keys {found:?}, not {names:?}"));
}

fn strings(faults: &mut Vec<String>, value: &Value, most: usize, length: usize) {
    let list = value.as_array();
    ensure(faults, list.is_some_and(|l| l.len() <= most), || format!("list {value}"));
    list.into_iter().flatten().for_each(|item| string(faults, item, length));
}

fn string(faults: &mut Vec<String>, value: &Value, most: usize) {
    let text = value.as_str().unwrap_or_default();
    let length = text.chars().count();
    ensure(faults, (1..=most).contains(&length), || format!("{length} characters: {text:?}"));
    ensure(faults, is_plain(text), || format!("not escaped: {text:?}"));
}

/// `:emoji: [TAG] …`
fn title(faults: &mut Vec<String>, value: &Value) {
    string(faults, value, 150);
    let title = value.as_str().unwrap_or_default();
    let rest = title.strip_prefix(':').and_then(|rest| rest.split_once(": ["));
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    ensure(faults, rest.is_some_and(|(name, _)| is_name(name)), || format!("title {title:?}"));
    ensure(faults, rest.is_some_and(|(_, rest)| is_unmarked(rest)), || format!("title {title:?}"));
}

/// Lines without markup, except for the program's own.
fn description(faults: &mut Vec<String>, value: &Value) {
    let text = value.as_str().unwrap_or_default();
    let length = text.chars().count();
    ensure(faults, (1..=3_000).contains(&length), || format!("description of {length}"));
    for line in text.split('\n') {
        let rest = line.strip_prefix("*Why:* ").unwrap_or(line);
        let rest = rest.strip_prefix('_').and_then(|r| r.strip_suffix('_')).unwrap_or(rest);
        let rest = without_links(rest);
        ensure(faults, rest.as_deref().is_some_and(|r| is_plain(r) && is_unmarked(r)), || {
            format!("description {line:?}")
        });
    }
}

/// A line less its `<https://…|label>`; `None` when one of them is broken.
fn without_links(text: &str) -> Option<String> {
    let mut left = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('<') {
        let (link, after) = link.split_once('>')?;
        let (url, label) = link.split_once('|')?;
        let is_good = is_url(url) && ["Runbook", "CloudWatch", "Dashboard"].contains(&label);
        is_good.then_some(())?;
        left.push_str(before);
        rest = after;
    }
    left.push_str(rest);
    Some(left)
}

/// No mention, no bare special character, no half escape, nothing invisible but what
/// breaks a mention or an emoji.
fn is_plain(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    let is_kept_apart = |(i, c): (usize, &char)| {
        is_visible(*c) || (*c == '\u{200b}' && i > 0 && matches!(chars[i - 1], '@' | ':'))
    };
    let pings = chars.windows(2).any(|two| two[0] == '@' && two[1].is_alphabetic());
    let unescaped = ["&amp;", "&lt;", "&gt;"].iter().fold(text.to_owned(), |t, e| t.replace(e, ""));
    chars.iter().enumerate().all(is_kept_apart) && !pings && !unescaped.contains(['<', '>', '&'])
}

/// Nothing bold, in italics, struck out, code or emoji.
fn is_unmarked(text: &str) -> bool {
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    let italic = words.clone().any(|word| word.starts_with('_') || word.ends_with('_'));
    let parts: Vec<&str> = text.split(':').collect();
    let in_name = |c: char| c.is_alphanumeric() || "_+-'".contains(c);
    let inner = parts.get(1..parts.len().saturating_sub(1)).unwrap_or_default();
    let emoji = inner.iter().any(|part| !part.is_empty() && part.chars().all(in_name));
    !text.contains(['*', '`', '~']) && !italic && !emoji
}
