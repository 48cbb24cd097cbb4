//! Patterns for names, and tags that are asked for by patterns: one kind of pattern for
//! gateways, routes, maintenance windows and silences.
//!
//! A pattern is compiled when it is read, so that an error points at it. Its length
//! and its nesting are bounded, because what compiles it panics beyond a limit of its
//! own; what is within the bounds always compiles.

use std::collections::BTreeMap;
use std::fmt;

use globset::{Glob, GlobMatcher};
use serde::{Deserialize, Serialize};

/// The longest pattern, in bytes: the names of a hundred gateways.
const MAX_BYTES: usize = 4_096;
/// The deepest `{...}` within each other.
const MAX_NESTING: usize = 10;
/// AWS lets a resource have at most this many tags.
const MAX_TAGS: usize = 50;

/// A pattern for names, with `*`, `?`, `[...]` and `{a,b}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(GlobMatcher);

impl Pattern {
    /// Whether a name fits.
    #[must_use]
    pub fn fits(&self, name: &str) -> bool {
        self.0.is_match(name)
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.glob().glob()
    }

    fn compiled(text: &str) -> Result<Self, String> {
        if text.len() > MAX_BYTES {
            return Err(format!(
                "expected a pattern of at most {MAX_BYTES} bytes, found {}",
                text.len()
            ));
        }
        let nesting = nesting(text);
        if nesting > MAX_NESTING {
            return Err(format!(
                "expected a pattern with at most {MAX_NESTING} {{...}} within each other, found {nesting}"
            ));
        }
        match Glob::new(text) {
            Ok(glob) => Ok(Self(glob.compile_matcher())),
            Err(problem) => Err(format!(
                "expected a name or a pattern such as \"web-*\", found \"{text}\": {}",
                problem.kind()
            )),
        }
    }
}

/// The most braces that are open at once. One that is escaped or in a class counts as well:
/// nobody writes ten of them.
fn nesting(text: &str) -> usize {
    let mut open = 0_usize;
    let mut most = 0;
    for c in text.chars() {
        match c {
            '{' => open += 1,
            '}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            return Err("expected a name or a pattern such as \"web-*\", found \"\"".into());
        }
        Self::compiled(&text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.as_str().to_owned()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Tags that must be there, each with a value that fits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, Value>", into = "BTreeMap<String, Value>")]
pub struct Tags(BTreeMap<String, Value>);

/// The pattern of a tag's value, which may be empty: a tag without a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Value(Pattern);

impl Tags {
    /// Whether all of them are among these.
    #[must_use]
    pub fn fit(&self, tags: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|(key, Value(pattern))| tags.get(key).is_some_and(|v| pattern.fits(v)))
    }

    /// Whether none is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These pairs of a key and the pattern of its value.
    ///
    /// # Errors
    /// Which pattern cannot be used and why, or that there are too many.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, String> {
        let values = pairs.into_iter().map(|(key, value)| Ok((key, Value::try_from(value)?)));
        Self::try_from(values.collect::<Result<BTreeMap<_, _>, String>>()?)
    }
}

impl TryFrom<BTreeMap<String, Value>> for Tags {
    type Error = String;

    fn try_from(tags: BTreeMap<String, Value>) -> Result<Self, String> {
        if tags.len() > MAX_TAGS {
            return Err(format!(
                "expected at most {MAX_TAGS} tags, as many as AWS gives a load balancer, found {}",
                tags.len()
            ));
        }
        Ok(Self(tags))
    }
}

impl From<Tags> for BTreeMap<String, Value> {
    fn from(Tags(tags): Tags) -> Self {
        tags
    }
}

impl TryFrom<String> for Value {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Pattern::compiled(&text).map(Self)
    }
}

impl From<Value> for String {
    fn from(Value(pattern): Value) -> Self {
        pattern.into()
    }
}

/// As a person would say it.
impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tags = self.0.iter().map(|(key, Value(pattern))| format!("tag {key}={pattern}"));
        f.write_str(&tags.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Result<Pattern, String> {
        Pattern::try_from(text.to_owned())
    }

    #[test]
    fn what_would_panic_where_it_is_compiled_is_an_error() {
        let nested = format!("{}a{}", "{".repeat(300), "}".repeat(300));
        let error = pattern(&nested).unwrap_err();
        assert!(error.contains("at most 10 {...} within each other, found 300"), "{error}");
        let error = pattern(&"?".repeat(200_000)).unwrap_err();
        assert!(error.contains("at most 4096 bytes, found 200000"), "{error}");
        let error = Tags::new([("team".to_owned(), nested)]).unwrap_err();
        assert!(error.contains("within each other"), "{error}");
    }

    #[test]
    fn a_pattern_at_its_bounds_compiles() {
        for unit in ["?", "*", "[!a-z0-9]", "{a,b}", "é", "[é-中]", "**/", "\\{"] {
            let text = unit.repeat(MAX_BYTES / unit.len());
            // Ten thousand escaped braces are still too many.
            assert_eq!(pattern(&text).is_ok(), unit != "\\{", "{unit}");
        }
        let nested = format!("{}a{}", "{".repeat(MAX_NESTING), "}".repeat(MAX_NESTING));
        assert!(pattern(&nested).unwrap().fits("a"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in r"[\[\]{}!,*?\\/a-cé中^\-&|()$.+ ]{0,60}", name in "[a-c/-]{0,9}") {
            if let Ok(pattern) = pattern(&text) {
                let _ = pattern.fits(&name);
            }
        }
    }

    #[test]
    fn a_tag_is_asked_for_by_the_pattern_of_its_value() {
        let has = BTreeMap::from([
            ("team".to_owned(), "web-eu".to_owned()),
            ("live".into(), String::new()),
        ]);
        let fit = |key: &str, value: &str| {
            Tags::new([(key.to_owned(), value.to_owned())]).unwrap().fit(&has)
        };
        assert!(
            fit("team", "web-*") && fit("team", "web-eu") && fit("live", "") && fit("live", "*")
        );
        assert!(
            !fit("team", "web") && !fit("team", "") && !fit("live", "?*") && !fit("other", "*")
        );
        assert!(Tags::default().fit(&has));
    }
}
