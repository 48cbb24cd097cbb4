//! What the program prints: harmless to a terminal, and no error when nobody reads it.
//!
//! Names and comments come from elsewhere. What would move the cursor, change colours or
//! reverse text is shown as an escape; in JSON as JSON escapes it, so that a program reads
//! the original.

use std::io::Write;

use serde::Serialize;

/// Prints text; a closed pipe is no error.
pub fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{}", plain(text));
}

/// Prints text with our own colours in it.
pub fn print_coloured(text: &str) {
    let _ = writeln!(std::io::stdout(), "{}", coloured(text));
}

/// Prints JSON, over several lines.
pub fn print_json(value: &impl Serialize) {
    print_json_text(&serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Prints a text that is JSON already.
pub fn print_json_text(json: &str) {
    let _ = writeln!(std::io::stdout(), "{}", escaped(json));
}

/// Prints a line on standard error, beside the result.
pub fn remark(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", plain(text));
}

/// Characters that a terminal would obey instead of showing them.
fn is_order(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (c.is_control() && c != '\n' && c != '\t')
}

fn plain(text: &str) -> String {
    replaced(text, |c| c.escape_unicode().collect())
}

fn escaped(json: &str) -> String {
    // They are inside strings, and all of them have four digits.
    replaced(json, |c| format!("\\u{:04x}", u32::from(c)))
}

fn replaced(text: &str, by: impl Fn(char) -> String) -> String {
    let mut replaced = String::with_capacity(text.len());
    for c in text.chars() {
        if is_order(c) { replaced.push_str(&by(c)) } else { replaced.push(c) }
    }
    replaced
}

/// The same with colours left in: they change nothing but the look.
fn coloured(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = plain(parts.next().unwrap_or_default());
    parts.fold(first, |all, part| {
        let look = part.find(|c: char| !c.is_ascii_digit() && c != ';');
        match look.filter(|end| part[*end..].starts_with('m')) {
            Some(end) => format!("{all}\x1b[{}{}", &part[..=end], plain(&part[end + 1..])),
            None => all + &plain("\x1b[") + &plain(part),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_given_no_orders() {
        let text = "a\tb\n\x1b[2J\x07\r\u{9b}31m\u{202e}é\x1b[31mred\x1b[0m";
        assert_eq!(
            plain(text),
            "a\tb\n\\u{1b}[2J\\u{7}\\u{d}\\u{9b}31m\\u{202e}é\\u{1b}[31mred\\u{1b}[0m"
        );
        assert_eq!(
            coloured(text),
            "a\tb\n\\u{1b}[2J\\u{7}\\u{d}\\u{9b}31m\\u{202e}é\x1b[31mred\x1b[0m"
        );
        assert_eq!(coloured("\x1b[1;31"), "\\u{1b}[1;31");
    }

    #[test]
    fn json_means_the_same_as_before() {
        let json = serde_json::json!({ "comment": "\x1b[31m\u{7f}\u{9b}2J\u{202e}é\n" });
        let printed = escaped(&serde_json::to_string_pretty(&json).unwrap());
        assert!(!printed.chars().any(is_order), "{printed}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), json);
    }
}
