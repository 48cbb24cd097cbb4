//! The capacity report, which brings its own words: plain lines, escaped here.

use crate::capacity::Digest;
use crate::detect::Severity;
use crate::render::words::MessageContent;

/// The words of a capacity report.
pub fn words(digest: &Digest) -> MessageContent {
    let title = digest.title();
    let lines = |text: &str| text.lines().map(ToOwned::to_owned).collect();
    // Its first line is the title.
    let text = digest.text();
    let text = text.strip_prefix(&title).unwrap_or(&text);
    let mut words = MessageContent::new("digest", "digest", Severity::Info);
    words.id = digest.id();
    words.thread = "digest".into();
    words.emoji = ":bar_chart:";
    words.at = Some(digest.end());
    words.title = format!("[CAPACITY] {}", title.trim_start_matches("Capacity of "));
    words.paragraphs = lines(text.trim_start());
    words.chat_paragraphs = Some(lines(&digest.chat()));
    words.machine = digest.machine();
    words
}
