//! Text in Slack's mrkdwn that does more than it shows.
//!
//! `<`, `>` and `&` are Slack's control characters; text that is not meant as
//! markup writes them as `&lt;`, `&gt;` and `&amp;`. Only links by https are
//! meant here, so whatever else stands between `<` and `>` is found, as is an
//! `@` before a letter, which clients turn into a mention.

/// What a text holds that could ping someone or break out of its place.
pub(crate) fn danger(text: &str) -> Option<String> {
    let mut rest = text;
    while let Some(at) = rest.find(['<', '>']) {
        let tail = &rest[at..];
        let Some(inner) = tail.strip_prefix('<') else {
            return Some("an unescaped '>'".to_owned());
        };
        let Some((inside, after)) = inner.split_once('>') else {
            return Some("an unescaped '<'".to_owned());
        };
        if !is_link(inside) {
            return Some(markup(inside));
        }
        rest = after;
    }
    mention(text)
}

/// Whether `https://...` or `https://...|label` stands between `<` and `>`.
fn is_link(inside: &str) -> bool {
    let (address, label) = inside.split_once('|').map_or((inside, None), |(a, b)| (a, Some(b)));
    let place = address.strip_prefix("https://").unwrap_or_default();
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '<';
    let named = label.is_none_or(|label| {
        !label.trim().is_empty() && !label.contains(['<', '|']) && !label.contains(char::is_control)
    });
    place.starts_with(char::is_alphanumeric) && place.chars().all(plain) && named
}

/// Says what kind of markup stands between `<` and `>`.
fn markup(inside: &str) -> String {
    let kind = match inside.chars().next() {
        Some('!') => "a ping or a command",
        Some('@') => "a mention of a user",
        Some('#') => "a link to a channel",
        _ => return format!("'<{inside}>', which is no link by https and not escaped"),
    };
    format!("'<{inside}>', {kind}")
}

/// An `@` directly before a letter.
fn mention(text: &str) -> Option<String> {
    for (at, _) in text.match_indices('@') {
        let name: String = text[at + 1..].chars().take_while(|c| c.is_alphanumeric()).collect();
        if name.starts_with(char::is_alphabetic) {
            return Some(format!("'@{name}', which may mention someone"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_escaped_text_and_links_by_https_are_harmless() {
        for text in [
            "",
            "*bold* _it_ `code` :warning: a & b",
            "&lt;!channel&gt; 5 &gt; 3",
            "<https://example.com>",
            "<https://example.com/a?b=c&amp;d=%7C#e|a label, 5 %>",
            "a <https://a.example|x>, <https://b.example|y>\nb",
            "5 @ 3, @ 10:00, @5, @",
        ] {
            assert_eq!(danger(text), None, "{text}");
        }
    }

    #[test]
    fn unescaped_brackets_are_found() {
        for text in [
            "a < b",
            "a > b",
            "<",
            "<>",
            "a <b> c",
            "<https://a.example",
            "https://a.example>",
            "<https://a.example|x> >",
            "<http://a.example|x>",
            "<https://>",
            "<https://|x>",
            "<https://a.example|>",
            "<https://a.example| >",
            "<https://a.example|x|y>",
            "<https://a.example b|x>",
            "<https://a.example|<https://b.example>>",
            "<https://a.example|x\ny>",
            "<mailto:a.example|x>",
            "<javascript:x>",
            "<HTTPS://a.example>",
        ] {
            assert!(danger(text).is_some(), "{text}");
        }
    }

    #[test]
    fn pings_and_mentions_are_found() {
        for text in [
            "<!channel>",
            "<!here>",
            "<!everyone>",
            "<!here|here>",
            "<!subteam^S012|ops>",
            "<@U012AB3CD>",
            "<@U012AB3CD|ann>",
            "<#C012AB3CD>",
            "@channel",
            "@here",
            "@everyone",
            "(@ops)",
            "ann@example.com",
            "@é",
            "@@here",
            "<https://a.example|@here>",
        ] {
            assert!(danger(text).is_some(), "{text}");
        }
        assert_eq!(danger("x <!here>").as_deref(), Some("'<!here>', a ping or a command"));
        assert_eq!(danger("a @ops, b").as_deref(), Some("'@ops', which may mention someone"));
    }
}
