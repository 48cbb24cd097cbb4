//! What is to be said, as it is, and the forms that are made of it.
//!
//! The limits are here. SNS takes 262,144 bytes for all protocols together: the text goes
//! out twice, the machine form five times, and the chat form, which is limited by
//! characters in its own file, once.

use serde_json::{Map, Value, json};

use crate::detect::Severity;
use crate::number::quantity::count;
use crate::render::link::Link;
use crate::render::{SCHEMA, escape, fit};
use crate::time::Minute;

/// SNS takes fewer than 100 characters.
const SUBJECT: usize = 99;
/// One SMS.
const SMS: usize = 140;
/// The text inside a JSON text, bytes.
const TEXT: usize = 20_000;
/// The machine form inside a JSON text, bytes.
pub const MACHINE: usize = 34_000;
/// The longest title, characters.
const TITLE: usize = 300;
/// The longest paragraph, characters.
const PARAGRAPH: usize = 2_000;
/// The longest value of a fact, characters.
const FACT: usize = 256;
/// The longest attribute, characters.
const ATTRIBUTE: usize = 256;
/// At most this many lines of a list are shown in a mail.
pub const LISTED: usize = 40;
/// Where the values of facts begin.
const COLUMN: usize = 15;

/// The picture of what is over, and of what is well.
pub const RESOLVED: &str = ":white_check_mark:";

/// Why something happened.
#[derive(Debug, Clone, Default)]
pub struct Why {
    /// The cause in one line.
    pub headline: String,
    /// What shows it.
    pub evidence: Vec<String>,
}

/// Some lines of a list that may be longer.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// The first of them.
    pub lines: Vec<String>,
    /// How many there are in all.
    pub total: usize,
}

/// One notification before it has a form. Nothing in it is escaped.
#[derive(Debug, Clone)]
pub struct MessageContent {
    /// `episode`, `group`, `own`, `alive`, `digest` or `test`.
    pub kind: &'static str,
    /// The same for the same notification.
    pub id: String,
    /// The same for all notifications of one thing.
    pub thread: String,
    /// The minute at which it is sent, where the notification does not say it itself.
    pub at: Option<Minute>,
    /// Why it is sent.
    pub reason: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Whose it is.
    pub gateway: String,
    /// What it is about.
    pub rule: &'static str,
    /// Slack's name of a small picture.
    pub emoji: &'static str,
    /// It begins with `[`.
    pub title: String,
    /// What a phone shows after the title, if not the first paragraph.
    pub in_short: Option<String>,
    /// What happened.
    pub paragraphs: Vec<String>,
    /// What a chat channel gets instead of the paragraphs.
    pub chat_paragraphs: Option<Vec<String>>,
    /// To whom it happened.
    pub list: List,
    /// Why, where that is known.
    pub why: Option<Why>,
    /// What to do.
    pub next_steps: Vec<String>,
    /// A label and its value, for mail.
    pub facts: Vec<(&'static str, String)>,
    /// The most needed of them, for chat.
    pub at_a_glance: Vec<String>,
    /// Where to read on.
    pub links: Vec<Link>,
    /// What is added to the chat form for programs that read it.
    pub context: Vec<(&'static str, String)>,
    /// ARNs.
    pub resources: Vec<String>,
    /// What this kind adds to the machine form.
    pub machine: Value,
}

impl MessageContent {
    /// Words of this kind, to be filled.
    pub fn new(kind: &'static str, reason: &'static str, severity: Severity) -> Self {
        Self {
            kind,
            id: String::new(),
            thread: String::new(),
            at: None,
            reason,
            severity,
            gateway: "nearmiss".to_owned(),
            rule: kind,
            emoji: emoji(severity),
            title: String::new(),
            in_short: None,
            paragraphs: Vec::new(),
            chat_paragraphs: None,
            list: List::default(),
            why: None,
            next_steps: Vec::new(),
            facts: Vec::new(),
            at_a_glance: Vec::new(),
            links: Vec::new(),
            context: Vec::new(),
            resources: Vec::new(),
            machine: Value::Null,
        }
    }

    /// Itself without what a form could stumble over, and with a title that fits in a line.
    pub fn escaped(self) -> Self {
        Self {
            id: escape::id(&self.id),
            thread: escape::id(&self.thread),
            title: escape::line(&self.title, TITLE),
            ..self
        }
    }

    /// The title as one line of ASCII.
    pub fn subject(&self) -> String {
        escape::ascii(&self.title, SUBJECT)
    }

    /// One short line of ASCII.
    pub fn sms(&self) -> String {
        let said = self.in_short.as_ref().or(self.paragraphs.first());
        let said = said.map(|said| format!(". {said}")).unwrap_or_default();
        escape::ascii(&format!("{}{said}", self.title), SMS)
    }

    /// What is not known to be short gives way to the facts and links below it.
    pub fn text(&self) -> String {
        let mut lines = vec![self.title.clone(), String::new()];
        lines.extend(self.paragraphs.iter().map(|text| escape::line(text, PARAGRAPH)));
        lines.extend(self.list.shown(LISTED, "- "));
        if let Some(why) = &self.why {
            lines.extend([String::new(), "Why".to_owned()]);
            let all = std::iter::once(&why.headline).chain(&why.evidence);
            lines.extend(all.map(|text| escape::line(text, PARAGRAPH)));
        }
        if !self.next_steps.is_empty() {
            lines.extend([String::new(), "Next steps".to_owned()]);
            let steps = self.next_steps.iter().zip(1..);
            lines.extend(steps.map(|(step, n)| escape::line(&format!("{n}. {step}"), PARAGRAPH)));
        }
        let facts = self.facts.iter().map(fact);
        let foot: String = facts.chain(self.links.iter().map(link)).collect();
        let foot = format!("\n{foot}");
        let head = within(&format!("{}\n", lines.join("\n")), TEXT.saturating_sub(quoted(&foot)));
        format!("{head}{foot}").trim_end().to_owned()
    }

    /// What programs take.
    pub fn machine(&self) -> Value {
        let mut machine = Map::new();
        let mut add = |name: &str, value: Value| machine.insert(name.to_owned(), value);
        add("schema", SCHEMA.into());
        add("kind", self.kind.into());
        add("id", self.id.as_str().into());
        if let Some(at) = self.at {
            add("at", at.to_string().into());
        }
        add("reason", self.reason.into());
        add("severity", self.severity.name().into());
        add("rule", self.rule.into());
        let links = self.links.iter().map(|link| (link.key.to_owned(), link.url.as_str().into()));
        add("links", Value::Object(links.collect()));
        let left = MACHINE.saturating_sub(fit::bytes(&Value::Object(machine.clone())));
        for (name, value) in fit::fit(&self.details(), left) {
            machine.entry(name).or_insert(value);
        }
        Value::Object(machine)
    }

    fn details(&self) -> Map<String, Value> {
        let mut details = Map::new();
        details.insert("text".to_owned(), self.paragraphs.join("\n").into());
        details.insert("next_steps".to_owned(), json!(self.next_steps));
        if let Value::Object(own) = &self.machine {
            details.extend(own.clone());
        }
        details
    }

    /// What filter policies can ask for.
    pub fn attributes(&self) -> Vec<(&'static str, String)> {
        let attributes = [
            ("severity", self.severity.name()),
            ("gateway", &self.gateway),
            ("rule", self.rule),
            ("reason", self.reason),
            ("id", &self.id),
            ("kind", self.kind),
        ];
        let bounded = |value: &str| match escape::line(value, ATTRIBUTE).trim() {
            "" => "-".to_owned(),
            value => value.to_owned(),
        };
        attributes.map(|(name, value)| (name, bounded(value))).to_vec()
    }
}

impl List {
    /// All of these.
    pub fn of(lines: Vec<String>) -> Self {
        Self { total: lines.len(), lines }
    }

    /// At most this many lines, and how many more there are.
    pub fn shown(&self, most: usize, bullet: &str) -> Vec<String> {
        let line = |line: &String| format!("{bullet}{}", escape::line(line, PARAGRAPH / 4));
        let mut shown: Vec<String> = self.lines.iter().take(most).map(line).collect();
        let more = self.total.saturating_sub(shown.len());
        if more > 0 {
            shown.push(format!("and {} more", number(more)));
        }
        shown
    }
}

fn fact((label, value): &(&'static str, String)) -> String {
    format!("{label:COLUMN$}{}\n", escape::line(value, FACT))
}

fn link(link: &Link) -> String {
    format!("{:COLUMN$}{}\n", link.label, link.url)
}

/// The bytes of a text inside a JSON text.
fn quoted(text: &str) -> usize {
    text.chars().map(quoted_char).sum()
}

fn quoted_char(c: char) -> usize {
    if matches!(c, '"' | '\\' | '\n') { 2 } else { c.len_utf8() }
}

/// As much of a text as takes at most this many bytes inside a JSON text.
fn within(text: &str, most: usize) -> String {
    if quoted(text) <= most {
        return text.to_owned();
    }
    let mut left = most.saturating_sub('…'.len_utf8() + 2);
    let fits = |c: &char| {
        let size = quoted_char(*c);
        let fits = size <= left;
        left = left.saturating_sub(size);
        fits
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{}…\n", kept.trim_end())
}

/// The picture of a severity.
pub fn emoji(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => ":rotating_light:",
        Severity::Warning => ":warning:",
        Severity::Info => ":information_source:",
    }
}

/// A count with thousands set apart.
#[allow(clippy::cast_precision_loss)] // for people; exact up to 2^53
pub fn number(value: impl TryInto<u64>) -> String {
    count(value.try_into().unwrap_or(u64::MAX) as f64)
}

/// A count of things: `1 gateway`, `9,960 gateways`.
pub fn things(value: impl TryInto<u64>, one: &str) -> String {
    let number = number(value);
    let plural = if number == "1" { "" } else { "s" };
    format!("{number} {one}{plural}")
}

/// Minutes as a length of time, exactly: `35 min`, `2 h 10 min`, `1 d 2 h`, in which
/// the smallest unit is rounded down.
pub fn length(minutes: i64) -> String {
    let minutes = minutes.max(0);
    let (days, hours, rest) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
    match (days, hours, rest) {
        (0, 0, _) => format!("{rest} min"),
        (0, _, 0) => format!("{hours} h"),
        (0, ..) => format!("{hours} h {rest} min"),
        (_, 0, _) => format!("{} d", number(days)),
        _ => format!("{} d {hours} h", number(days)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_exact() {
        for (minutes, said) in [
            (-5, "0 min"),
            (35, "35 min"),
            (60, "1 h"),
            (130, "2 h 10 min"),
            (1_440, "1 d"),
            (1_565, "1 d 2 h"),
            (i64::MAX, "6,405,119,470,038,038 d 18 h"),
        ] {
            assert_eq!(length(minutes), said);
        }
    }

    #[test]
    fn a_text_is_cut_by_its_bytes_in_json() {
        for most in 0..60 {
            let cut = within("a\"b\\c\n日本語 and \"more\"\n", most);
            let json = Value::String(cut.clone()).to_string();
            assert!(json.len() - 2 <= most.max(5), "{most}: {json}");
        }
    }
}
