//! Text from outside, made harmless: names, tags, hosts, evidence.
//!
//! [`line`] takes away what nobody can see and what reorders or breaks lines; the
//! other functions make of such a line what mail, a phone or Slack may show. Nothing
//! is cut in the middle of an escape.

use crate::notification::fingerprint;

/// At most this many marks stand on one letter.
const MAX_MARKS: u32 = 2;
/// The longest name inside a sentence; AWS's have at most 32 characters.
const NAME: usize = 64;
/// The longest identifier.
pub const ID: usize = 256;
/// What stands for what was cut.
const CUT: char = '…';
/// Slack's markup and emoji do not work across it, and no mention begins with it.
const NOTHING: &str = "\u{200b}";

/// One line of visible text of at most this many characters: control characters and line
/// breaks are spaces; zero-width and reordering characters, marks without a letter and
/// towers of marks are gone. Spaces inside stay, so that columns do.
#[must_use]
pub fn line(text: &str, most: usize) -> String {
    let mut marks = MAX_MARKS;
    let visible = text.chars().filter(|c| !is_invisible(*c));
    let plain = visible.map(|c| if c.is_control() || c.is_whitespace() { ' ' } else { c });
    let kept = plain.filter(|c| {
        marks = match c {
            _ if is_mark(*c) => marks + 1,
            ' ' => MAX_MARKS,
            _ => 0,
        };
        !is_mark(*c) || marks <= MAX_MARKS
    });
    let kept: String = kept.take(most.saturating_add(1)).collect();
    shortened(kept.trim_end(), most)
}

/// A name as a part of a sentence.
#[must_use]
pub fn name(text: &str) -> String {
    match line(text.trim_start(), NAME).trim() {
        "" => "(unnamed)".to_owned(),
        name => name.to_owned(),
    }
}

/// An identifier: where it is too long, with a hash of what was cut, so that two of
/// them stay two.
#[must_use]
pub fn id(text: &str) -> String {
    let id = line(text.trim_start(), ID + 1);
    let id = id.trim();
    if id.is_empty() {
        return "-".to_owned();
    }
    if id.chars().count() <= ID {
        return id.to_owned();
    }
    let hash = &fingerprint([text.to_owned()])[..32];
    let kept: String = id.chars().take(ID - hash.len() - 1).collect();
    format!("{kept}~{hash}")
}

/// Printable ASCII on one line, not beginning with a space.
#[must_use]
pub fn ascii(text: &str, most: usize) -> String {
    let mut ascii = String::new();
    for c in line(text, most + 1).chars() {
        match c {
            ' '..='~' => ascii.push(c),
            CUT => ascii.push_str("..."),
            '·' | '–' | '—' | '•' => ascii.push('-'),
            _ if is_mark(c) => {}
            _ => ascii.push('?'),
        }
    }
    let ascii = ascii.trim();
    if ascii.len() <= most {
        return ascii.to_owned();
    }
    let kept: String = ascii.chars().take(most.saturating_sub(3)).collect();
    format!("{}...", kept.trim_end())
}

/// A sentence that Slack shows as it is: special characters escaped, no mention of anybody,
/// no markup and no emoji. At most this many characters after escaping.
#[must_use]
pub fn chat(text: &str, most: usize) -> String {
    escaped(text, most, true)
}

/// The same for a value that is no sentence, such as an ARN: what is markup only in a
/// sentence stays.
#[must_use]
pub fn chat_value(text: &str, most: usize) -> String {
    escaped(text, most, false)
}

fn escaped(text: &str, most: usize, is_sentence: bool) -> String {
    let chars: Vec<char> = line(text, most + 1).chars().collect();
    let mut kept = String::new();
    let mut length = 0;
    let mut end = 0; // where to cut, so that the mark for it still fits
    for index in 0..chars.len() {
        let piece = piece(&chars, index, is_sentence);
        if length < most {
            end = kept.len();
        }
        length += piece.chars().count();
        if length > most {
            kept.truncate(end);
            kept.truncate(kept.trim_end_matches('_').len()); // it would close what it cannot open
            if most > 0 {
                kept.push(CUT);
            }
            return kept;
        }
        kept.push_str(&piece);
    }
    kept
}

/// One character for Slack.
fn piece(chars: &[char], index: usize, is_sentence: bool) -> String {
    let Some(c) = chars.get(index) else { return String::new() };
    let is_word = |index: Option<usize>| {
        index.and_then(|index| chars.get(index)).is_some_and(|c| c.is_alphanumeric())
    };
    match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '@' if !is_date(&chars[index + 1..]) => format!("@{NOTHING}"),
        '*' if is_sentence => "∗".to_owned(),
        '`' if is_sentence => "'".to_owned(),
        '~' if is_sentence => "∼".to_owned(),
        '_' if is_sentence && !(is_word(index.checked_sub(1)) && is_word(Some(index + 1))) => {
            "＿".to_owned()
        }
        ':' if is_sentence && (is_emoji(&chars[index + 1..]) || is_link(&chars[index + 1..])) => {
            format!(":{NOTHING}")
        }
        _ => c.to_string(),
    }
}

/// Whether a date follows, as in an episode's id: nobody has a name like that.
fn is_date(rest: &[char]) -> bool {
    let form = "dddd-dd-ddT".chars();
    rest.len() >= 11
        && rest.iter().zip(form).all(|(c, form)| match form {
            'd' => c.is_ascii_digit(),
            other => *c == other,
        })
}

/// Whether what follows a colon makes it an address, which Slack would link.
fn is_link(rest: &[char]) -> bool {
    rest.starts_with(&['/', '/'])
}

/// Whether what follows a colon is a name and another colon.
fn is_emoji(rest: &[char]) -> bool {
    let in_name = |c: &char| c.is_alphanumeric() || "_+-'`".contains(*c);
    let length = rest.iter().take_while(|c| in_name(c)).count();
    length > 0 && rest.get(length) == Some(&':')
}

/// At most this many characters, the last of them a mark when there were more.
#[must_use]
pub fn shortened(text: &str, most: usize) -> String {
    if text.len() <= most || text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}{CUT}", kept.trim_end())
}

/// Whether it shows nothing, or changes the order of what is around it.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether it is drawn onto the character before it.
fn is_mark(c: char) -> bool {
    matches!(c,
        '\u{0300}'..='\u{036f}' | '\u{0483}'..='\u{0489}' | '\u{0591}'..='\u{05bd}'
        | '\u{0610}'..='\u{061a}' | '\u{064b}'..='\u{065f}' | '\u{0e47}'..='\u{0e4e}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
        | '\u{302a}'..='\u{302f}' | '\u{3099}'..='\u{309a}' | '\u{fe20}'..='\u{fe2f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_can_see_is_gone() {
        for (text, shown) in [
            ("checkout", "checkout"),
            ("a\r\nb\tc\u{0}d\u{2028}e", "a  b c d e"),
            ("pay\u{202e}tuo\u{2066}x\u{2069}", "paytuox"),
            ("a\u{200b}\u{200d}\u{feff}b", "ab"),
            ("\u{0301}a", "a"),
            ("x \u{0301}y", "x y"),
            ("e\u{0301}", "e\u{0301}"),
            ("e\u{0301}\u{0302}\u{0303}\u{0304}", "e\u{0301}\u{0302}"),
            ("a  b   ", "a  b"),
        ] {
            assert_eq!(line(text, 100), shown, "{text:?}");
        }
        assert_eq!(line("abcdef", 4), "abc…");
        assert_eq!(name(" \u{202e}\n"), "(unnamed)");
        assert_eq!(name(&"x".repeat(10_000)).chars().count(), NAME);
    }

    #[test]
    fn slack_shows_what_is_written() {
        for (text, shown) in [
            ("<!here> & more", "&lt;!here&gt; &amp; more"),
            ("@channel", "@\u{200b}channel"),
            ("@24x7-oncall", "@\u{200b}24x7-oncall"),
            ("https://evil.example", "https:\u{200b}//evil.example"),
            ("web@2026-01-05T09:19Z", "web@2026-01-05T09:19Z"),
            ("*bold* `code` ~gone~", "∗bold∗ 'code' ∼gone∼"),
            ("_x_ near_miss", "＿x＿ near_miss"),
            (":fire: 09:19Z", ":\u{200b}fire: 09:19Z"),
            (":`:", ":\u{200b}':"),
        ] {
            assert_eq!(chat(text, 100), shown, "{text:?}");
        }
        assert_eq!(chat_value("arn:aws:x_", 100), "arn:aws:x_");
    }

    #[test]
    fn no_escape_is_cut() {
        for most in 0..40 {
            let cut = chat("a&b<c>d@e&&&<<<>>>", most);
            assert!(cut.chars().count() <= most, "{most}: {cut}");
            let rest = cut.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
            assert!(!rest.contains('&'), "{most}: {cut}");
        }
        assert_eq!(chat("abc", 3), "abc");
        assert_eq!(chat("abcd", 3), "ab…");
        assert_eq!(chat("a_bcd", 3), "a…");
        assert_eq!(chat("a&b", 5), "a…");
        assert_eq!(chat("a&b", 7), "a&amp;b");
    }

    #[test]
    fn long_identifiers_stay_different() {
        let (one, other) = ("x".repeat(300) + "1", "x".repeat(300) + "2");
        assert_ne!(id(&one), id(&other));
        assert_eq!(id(&one).chars().count(), ID);
        assert_eq!(id("\n"), "-");
    }

    #[test]
    fn a_phone_gets_ascii() {
        assert_eq!(ascii(" größer… ", 20), "gr??er...");
        assert_eq!(ascii("abcdefgh", 6), "abc...");
    }
}
