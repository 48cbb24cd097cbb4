//! `docs/alerts.md` shows messages as they are rendered, and names every field.
//!
//! A block of it that follows `<!-- slack firing -->` or `<!-- mail firing -->` is that
//! message. Where one differs, the document as it should be is written to a file.

use std::fs;
use std::path::Path;

use nearmiss_core::render::Message;
use serde_json::Value;

use super::made;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/alerts.md");
const REPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/report.md");
const EMOJI: [(&str, &str); 5] = [
    (":rotating_light:", "🚨"),
    (":warning:", "⚠️"),
    (":information_source:", "ℹ️"),
    (":white_check_mark:", "✅"),
    (":bar_chart:", "📊"),
];

#[test]
fn the_document_shows_what_is_rendered() {
    let document = fs::read_to_string(DOCUMENT).unwrap();
    let expected = with_messages(&document);
    if document != expected {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("alerts.md");
        fs::write(&path, expected).unwrap();
        panic!("docs/alerts.md shows other messages; {} shows the right ones", path.display());
    }
}

#[test]
fn the_document_names_every_field_and_attribute() {
    let document = fs::read_to_string(DOCUMENT).unwrap();
    for (kind, news) in made::all() {
        let message = super::of(&news);
        let Value::Object(machine) = &message.machine else { panic!("{kind} is no object") };
        let attributes = message.attributes.iter().map(|(name, _)| *name);
        let document = match kind {
            "digest" => document.clone() + &fs::read_to_string(REPORT).unwrap(),
            _ => document.clone(),
        };
        for name in machine.keys().map(String::as_str).chain(attributes) {
            assert!(document.contains(&format!("`{name}`")), "{kind}: {name}");
        }
    }
}

/// The document with every marked block as it should be.
fn with_messages(document: &str) -> String {
    let mut expected = String::new();
    let mut lines = document.lines();
    let mut shown = 0;
    while let Some(line) = lines.next() {
        expected.push_str(line);
        expected.push('\n');
        if let Some(block) = block(line) {
            let opening = lines.next().unwrap_or_default();
            assert_eq!(opening, "```text", "after {line}");
            lines.by_ref().take_while(|line| *line != "```").for_each(drop);
            expected.push_str(&format!("{opening}\n{block}\n```\n"));
            shown += 1;
        }
    }
    assert!(shown >= 12, "only {shown} messages");
    expected
}

fn block(line: &str) -> Option<String> {
    let marker = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?;
    let (form, name) = marker.split_once(' ')?;
    let news = made::all().into_iter().find(|(known, _)| *known == name);
    let message = super::of(&news.unwrap_or_else(|| panic!("no message {name}")).1);
    match form {
        "slack" => Some(slack(&message)),
        "mail" => Some(format!("Subject: {}\n\n{}", message.subject, message.text)),
        _ => panic!("no form {form}"),
    }
}

/// What a channel shows, as far as plain text can.
fn slack(message: &Message) -> String {
    let content = &message.chat["content"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut lines = vec![text(&content["title"])];
    lines.extend(text(&content["description"]).lines().map(unmarked));
    let steps: Vec<String> = content["nextSteps"].as_array().unwrap().iter().map(text).collect();
    lines.extend(steps.iter().zip(1..).map(|(step, n)| format!("  {n}. {step}")));
    let mut shown = lines.join("\n");
    for (name, picture) in EMOJI {
        shown = shown.replace(name, picture);
    }
    for (escape, c) in [("\u{200b}", ""), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")] {
        shown = shown.replace(escape, c);
    }
    shown
}

/// A line without italics and bold, its links as their labels.
fn unmarked(line: &str) -> String {
    let line = line.strip_prefix('_').and_then(|l| l.strip_suffix('_')).unwrap_or(line);
    let mut shown = String::new();
    let mut rest = line;
    while let Some((before, (_, label), after)) = link(rest) {
        shown.push_str(&format!("{before}[{label}]"));
        rest = after;
    }
    format!("{shown}{rest}").replace("*Why:*", "Why:")
}

fn link(text: &str) -> Option<(&str, (&str, &str), &str)> {
    let (before, rest) = text.split_once('<')?;
    let (link, after) = rest.split_once('>')?;
    Some((before, link.split_once('|')?, after))
}
