//! Text from others, made safe for a terminal.
//!
//! Names come from configs, from nginx's files and from paths. In a terminal an
//! escape sequence in them could do anything, a newline could forge a line, and
//! the marks for the direction of writing could show a text in another order.

use std::borrow::Cow;

/// The text with everything that is not visible written out: `\u{1b}`, `\n`.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_visible(c) { out.push(c) } else { out.extend(c.escape_default()) }
    }
    out
}

/// JSON with nothing but visible characters and line breaks: what is not visible
/// is in strings, where it can be escaped.
#[must_use]
pub fn printable_json(json: &str) -> Cow<'_, str> {
    if json.chars().all(|c| is_visible(c) || c == '\n') {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_visible(c) || c == '\n' {
            out.push(c);
        } else {
            let mut units = [0; 2];
            let units = c.encode_utf16(&mut units);
            for unit in units.iter() {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    Cow::Owned(out)
}

/// Whether a character shows as itself: no control character, none that changes the
/// direction or breaks the line, and none that nobody sees.
fn is_visible(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_invisible_is_left() {
        let wild = "a\u{1b}[31m\n\u{202e}\u{7f}\u{9b}\u{200b}\u{2028}ö–✗\u{e0041}";
        let safe = printable(wild);
        assert!(safe.chars().all(is_visible), "{safe:?}");
        assert!(safe.contains("ö–✗") && safe.starts_with("a\\u{1b}[31m\\n"), "{safe}");
    }

    #[test]
    fn json_says_the_same_in_visible_characters() {
        let wild = "a\u{1b}\n\u{202e}\u{7f}\u{9b}\u{e0041}ö";
        let json = serde_json::to_string_pretty(&[wild]).unwrap();
        let safe = printable_json(&json);
        assert!(safe.chars().all(|c| is_visible(c) || c == '\n'), "{safe:?}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&safe).unwrap(), [wild]);
        assert!(matches!(printable_json("{\n}"), Cow::Borrowed(_)));
    }
}
