//! Links: a runbook, the graph in the CloudWatch console, a dashboard.
//!
//! The runbook and the dashboard are templates of the config. What is filled in is
//! percent-encoded, so that a name stays a part of the URL that it is in.

use serde::{Deserialize, Serialize};

/// A longer URL is left out: no browser needs one, and SNS has a limit.
pub const LONGEST: usize = 2_000;
/// The longest value that is filled in.
const VALUE: usize = 400;
/// What no URL may contain as it is, because mail and Slack end a link there.
const FORBIDDEN: &str = "<>|\"`\\^";

/// A value that a [`Template`] can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placeholder {
    /// The gateway's name.
    Gateway,
    /// Its CloudWatch dimension value.
    Dimension,
    /// Its Region.
    Region,
    /// Its account.
    Account,
    /// The rule that matters most; for the daemon's own troubles their component.
    Rule,
    /// The worst severity.
    Severity,
    /// The most probable cause, or `unknown`.
    Cause,
    /// When it began, in milliseconds since the Unix epoch.
    Began,
    /// When it is sent, in the same unit.
    Now,
}

impl Placeholder {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::Gateway,
        Self::Dimension,
        Self::Region,
        Self::Account,
        Self::Rule,
        Self::Severity,
        Self::Cause,
        Self::Began,
        Self::Now,
    ];

    /// As it is written between braces.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Dimension => "dimension",
            Self::Region => "region",
            Self::Account => "account",
            Self::Rule => "rule",
            Self::Severity => "severity",
            Self::Cause => "cause",
            Self::Began => "began",
            Self::Now => "now",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(Placeholder),
}

/// A URL with placeholders, such as `https://wiki.example.com/504/{rule}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

impl Template {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The URL with these values; `None` where one is missing, or when it is too long
    /// for a message.
    fn filled(&self, value: &dyn Fn(Placeholder) -> Option<String>) -> Option<String> {
        let mut url = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => url.push_str(text),
                Part::Value(placeholder) => url.push_str(&percent_encoded(&value(*placeholder)?)),
            }
        }
        (url.len() <= LONGEST).then_some(url)
    }
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        if host.is_none_or(|host| host.is_empty() || host.starts_with(['/', '?', '#'])) {
            return Err(format!(
                "expected a URL that begins with \"https://\" or \"http://\" and a host, found \"{text}\""
            ));
        }
        let is_bad = |c: &char| !c.is_ascii_graphic() || FORBIDDEN.contains(*c);
        if let Some(bad) = text.chars().find(is_bad) {
            return Err(format!(
                "expected a URL with {bad:?} percent-encoded, found it as it is in \"{text}\""
            ));
        }
        let parts = parts(&text)?;
        Ok(Self { text, parts })
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.text
    }
}

fn parts(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, brace) = rest.split_at(at);
        let Some(inner) = brace.strip_prefix('{') else {
            return Err(format!("expected \"{{\" before the \"}}\" after \"{before}\""));
        };
        let Some((name, after)) = inner.split_once('}').filter(|(name, _)| !name.contains('{'))
        else {
            return Err(format!("expected \"}}\" after \"{{{inner}\" in \"{text}\""));
        };
        parts.extend([Part::Text(before.to_owned()), Part::Value(placeholder(name)?)]);
        rest = after;
    }
    parts.push(Part::Text(rest.to_owned()));
    Ok(parts)
}

fn placeholder(name: &str) -> Result<Placeholder, String> {
    let known = Placeholder::ALL.into_iter().find(|placeholder| placeholder.name() == name);
    known.ok_or_else(|| {
        let all = Placeholder::ALL.map(|placeholder| format!("{{{}}}", placeholder.name()));
        format!("expected one of {}, found {{{name}}}", all.join(", "))
    })
}

/// Everything but letters, digits and `-._~` as `%XX`.
#[must_use]
pub fn percent_encoded(value: &str) -> String {
    let mut encoded = String::new();
    let value: String = value.chars().take(VALUE).collect();
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// The links of the config that go with notifications.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Links {
    /// What to read first.
    pub runbook: Option<Template>,
    /// Where to look.
    pub dashboard: Option<Template>,
}

/// A link of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its name for programs.
    pub key: &'static str,
    /// Its name for people.
    pub label: &'static str,
    /// Where it leads; no longer than [`LONGEST`].
    pub url: String,
}

impl Links {
    /// The links of one message in their order. A template that asks for a value that the
    /// notification does not have is left out.
    #[must_use]
    pub fn of(
        &self,
        console: Option<String>,
        value: impl Fn(Placeholder) -> Option<String>,
    ) -> Vec<Link> {
        let fill = |template: &Option<Template>| template.as_ref()?.filled(&value);
        let console = console.filter(|url| url.len() <= LONGEST);
        [
            ("runbook", "Runbook", fill(&self.runbook)),
            ("console", "CloudWatch", console),
            ("dashboard", "Dashboard", fill(&self.dashboard)),
        ]
        .into_iter()
        .filter_map(|(key, label, url)| Some(Link { key, label, url: url? }))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Result<Template, String> {
        Template::try_from(text.to_owned())
    }

    #[test]
    fn values_stay_a_part_of_their_url() {
        let grafana = "https://g.example.com/d/1?var-lb={dimension}&from={began}&to={now}#{rule}";
        let filled = template(grafana).unwrap().filled(&|placeholder| {
            Some(match placeholder {
                Placeholder::Dimension => "app/a b&c<>|/é".to_owned(),
                other => other.name().to_owned(),
            })
        });
        assert_eq!(
            filled.unwrap(),
            "https://g.example.com/d/1?var-lb=app%2Fa%20b%26c%3C%3E%7C%2F%C3%A9&from=began&to=now#rule"
        );
    }

    #[test]
    fn a_missing_value_or_a_long_url_is_no_link() {
        let runbook = template("https://x.example.com/{gateway}/{gateway}").unwrap();
        assert_eq!(runbook.filled(&|_| None), None);
        assert_eq!(runbook.filled(&|_| Some("<".repeat(10_000))), None);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, error) in [
            (
                "wiki/{rule}",
                "expected a URL that begins with \"https://\" or \"http://\" and a host, found \"wiki/{rule}\"",
            ),
            (
                "javascript:alert(1)",
                "expected a URL that begins with \"https://\" or \"http://\" and a host, found \"javascript:alert(1)\"",
            ),
            (
                "https://",
                "expected a URL that begins with \"https://\" or \"http://\" and a host, found \"https://\"",
            ),
            (
                "https://x/{gatway}",
                "expected one of {gateway}, {dimension}, {region}, {account}, {rule}, {severity}, {cause}, {began}, {now}, found {gatway}",
            ),
            ("https://x/{rule", "expected \"}\" after \"{rule\" in \"https://x/{rule\""),
            ("https://x/{a{rule}", "expected \"}\" after \"{a{rule}\" in \"https://x/{a{rule}\""),
            ("https://x/rule}", "expected \"{\" before the \"}\" after \"https://x/rule\""),
            (
                "https://x/a b",
                "expected a URL with ' ' percent-encoded, found it as it is in \"https://x/a b\"",
            ),
            (
                "https://x/a|b",
                "expected a URL with '|' percent-encoded, found it as it is in \"https://x/a|b\"",
            ),
        ] {
            assert_eq!(template(text).unwrap_err(), error, "{text}");
        }
    }
}
