//! The chat form: the custom notification of Amazon Q Developer in chat applications
//! (formerly AWS Chatbot), which drops anything else without a word.
//!
//! All that comes from outside is escaped here. The only markup is the program's own: a
//! bold *Why*, a line in italics, and links.

use serde_json::{Map, Value, json};

use crate::render::escape::{ID, chat as sentence, chat_value as value};
use crate::render::link::Link;
use crate::render::words::MessageContent;

/// At most this many lines of a list are shown in a chat channel.
const LISTED_IN_CHAT: usize = 20;
/// Slack cuts a header off after this many characters.
const TITLE: usize = 150;
/// Slack takes this many characters in a section.
const DESCRIPTION: usize = 3_000;
/// The links have at most this many of them; those that do not fit stay in the mail.
const LINKS: usize = 1_600;
/// And the line of facts at most this many.
const GLANCE: usize = 300;
/// The longest paragraph, so that the next has room too.
const PARAGRAPH: usize = 1_000;
/// The longest step, and the most steps.
const STEP: (usize, usize) = (400, 6);
/// The longest keyword and value of the context, and the longest resource.
const KEYWORD: usize = 64;
const CONTEXT: usize = 128;
const RESOURCE: usize = 256;
/// At most this many resources are named.
const RESOURCES: usize = 5;

/// The custom notification.
pub fn chat(words: &MessageContent) -> Value {
    let steps = words.next_steps.iter().take(STEP.1).map(|step| sentence(step, STEP.0));
    let keywords = [words.rule, words.severity.name(), &words.gateway];
    let keywords = keywords.into_iter().map(|word| value(word, KEYWORD));
    let resources = words.resources.iter().take(RESOURCES).map(|r| value(r, RESOURCE));
    let title = sentence(&words.title, TITLE - words.emoji.len() - 1);
    json!({
        "version": "1.0",
        "source": "custom",
        "id": value(&words.id, ID),
        "content": {
            "textType": "client-markdown",
            "title": format!("{} {title}", words.emoji),
            "description": description(words),
            "nextSteps": said(steps),
            "keywords": said(keywords),
        },
        "metadata": {
            "threadId": value(&words.thread, ID),
            "summary": sentence(&words.title, TITLE),
            "eventType": event(words),
            "relatedResources": said(resources),
            "additionalContext": context(words),
        },
    })
}

/// Those that are not empty.
fn said(texts: impl Iterator<Item = String>) -> Vec<String> {
    texts.filter(|text| !text.is_empty()).collect()
}

/// `nearmiss.firing` for an episode; the other kinds name themselves.
fn event(words: &MessageContent) -> String {
    match words.kind {
        "episode" => format!("nearmiss.{}", words.reason),
        kind if kind == words.reason => format!("nearmiss.{kind}"),
        kind => format!("nearmiss.{kind}.{}", words.reason),
    }
}

fn context(words: &MessageContent) -> Map<String, Value> {
    let common = [
        ("kind", words.kind),
        ("reason", words.reason),
        ("severity", words.severity.name()),
        ("rule", words.rule),
        ("gateway", &words.gateway),
    ];
    let own = words.context.iter().map(|(name, text)| (*name, text.as_str()));
    let all = common.into_iter().chain(own).map(|(name, text)| (name, value(text, CONTEXT)));
    let said = all.filter(|(_, text)| !text.is_empty());
    said.map(|(name, text)| (name.to_owned(), text.into())).collect()
}

/// The facts and the links keep their place; what happened has the rest of it.
fn description(words: &MessageContent) -> String {
    let glance = sentence(&words.at_a_glance.join(" · "), GLANCE);
    let glance = if glance.is_empty() { None } else { Some(format!("_{glance}_")) };
    let foot: Vec<String> = glance.into_iter().chain(links(&words.links)).collect();
    let foot = foot.join("\n");
    let mut body = Body { text: String::new(), left: DESCRIPTION - length(&foot) - 1 };
    let paragraphs = words.chat_paragraphs.as_ref().unwrap_or(&words.paragraphs);
    for paragraph in paragraphs {
        body.line("", paragraph);
    }
    for line in words.list.shown(LISTED_IN_CHAT, "• ") {
        body.line("", &line);
    }
    if let Some(why) = &words.why {
        body.line("*Why:* ", &why.headline);
    }
    match (body.text.is_empty(), foot.is_empty()) {
        (true, true) => sentence(&words.title, TITLE),
        (true, false) => foot,
        (false, true) => body.text,
        (false, false) => format!("{}\n{foot}", body.text),
    }
}

/// Lines until there is no room.
struct Body {
    text: String,
    left: usize,
}

impl Body {
    /// A line of the program's own markup and of text from outside, which may be cut.
    fn line(&mut self, markup: &str, text: &str) {
        let before = if self.text.is_empty() { markup.to_owned() } else { format!("\n{markup}") };
        let Some(room) = self.left.checked_sub(length(&before)).filter(|room| *room > 0) else {
            self.left = 0;
            return;
        };
        let text = sentence(text, room.min(PARAGRAPH));
        if !text.is_empty() {
            self.left = room - length(&text);
            self.text.push_str(&before);
            self.text.push_str(&text);
        }
    }
}

/// `<url|label> · <url|label>`, as many as there is room for.
fn links(links: &[Link]) -> Option<String> {
    let mut shown = String::new();
    for link in links {
        let between = if shown.is_empty() { "" } else { " · " };
        let url = link.url.replace('@', "%40").replace('&', "&amp;");
        let link = format!("{between}<{url}|{}>", link.label);
        if length(&shown) + length(&link) <= LINKS {
            shown.push_str(&link);
        }
    }
    (!shown.is_empty()).then_some(shown)
}

fn length(text: &str) -> usize {
    text.chars().count()
}
