//! What applies in a block: nginx's inheritance. Pure.
//!
//! A directive applies in its block and in all blocks in it, wherever in its block it is,
//! until an inner block has one of the same name. So a block is first read as a whole, and
//! then walked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::pass::Pass;
use super::syntax::{Directive, Place, Problem, flat};
use super::time;

/// Directives with a time that every way of passing requests on has, such as
/// `proxy_read_timeout`, without their prefix.
const PASS_TIMES: [&str; 4] =
    ["connect_timeout", "read_timeout", "send_timeout", "next_upstream_timeout"];
/// As above, with a number.
const PASS_NUMBERS: [&str; 1] = ["next_upstream_tries"];
/// As above, with words.
const PASS_WORDS: [&str; 1] = ["next_upstream"];
/// Other directives with a time as their first argument.
const TIMES: [&str; 5] = [
    KEEPALIVE_TIMEOUT,
    "keepalive_time",
    "send_timeout",
    "client_body_timeout",
    "client_header_timeout",
];
/// Other directives with a number.
const NUMBERS: [&str; 1] = ["keepalive_requests"];
/// Directives with one of a few words.
const CHOICES: [(&str, &[&str]); 2] =
    [("proxy_http_version", &["1.0", "1.1", "2"]), ("fastcgi_keep_conn", &["on", "off"])];
/// The only time with a second argument, which goes into a header.
pub(super) const KEEPALIVE_TIMEOUT: &str = "keepalive_timeout";
/// Blocks that are walked, and directives that are read as well.
const READ: [&str; 14] = [
    "events",
    "http",
    "if",
    "include",
    "keepalive",
    "limit_except",
    "location",
    "map",
    "proxy_set_header",
    "server",
    "server_name",
    "set",
    "state",
    "upstream",
];
/// Blocks with words of their own, none of which is about time.
const TABLES: [&str; 4] = ["charset_map", "geo", "split_clients", "types"];

/// Whether a directive in a block can matter here.
pub(super) fn wanted(block: &str, name: &str) -> bool {
    let read = || {
        READ.contains(&name)
            || Key::of(name).is_some()
            || CHOICES.iter().any(|(choice, _)| *choice == name)
            || Pass::of(name).is_some()
            || name.starts_with("balancer_by_lua")
    };
    block == "map" || !TABLES.contains(&block) && read()
}

/// A directive with a time, a number or words: its prefix, if that is a way of passing
/// requests on, and the rest of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key(Option<Pass>, &'static str);

impl Key {
    fn of(name: &str) -> Option<Self> {
        Self::among(name, &PASS_TIMES, &TIMES)
            .or_else(|| Self::among(name, &PASS_NUMBERS, &NUMBERS))
            .or_else(|| Self::among(name, &PASS_WORDS, &[]))
    }

    fn among(name: &str, ends: &[&'static str], whole: &[&'static str]) -> Option<Self> {
        let plain = whole.iter().find(|whole| **whole == name).map(|whole| Self(None, whole));
        plain.or_else(|| {
            let (pass, end) = Pass::split(name)?;
            ends.iter().find(|known| **known == end).map(|end| Self(Some(pass), end))
        })
    }
}

/// A time, and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Time {
    /// The time.
    pub length: Duration,
    /// Where.
    pub place: Place,
}

/// What applies in a block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) server: Arc<[String]>,
    pub(super) location: String,
    times: BTreeMap<Key, Time>,
    words: BTreeMap<Key, (Vec<String>, Place)>,
    numbers: BTreeMap<Key, (u32, Place)>,
    choices: BTreeMap<&'static str, (String, Place)>,
    /// The `Connection` header that is sent on; nginx's own if it is not set.
    pub(super) connection: Option<(String, Place)>,
    /// What `set` gives to variables; nothing if that depends on the request.
    variables: BTreeMap<String, Option<String>>,
}

impl Scope {
    /// Takes what a block says itself, over what applies around it.
    pub(super) fn enter(&mut self, block: &[Directive]) -> Result<(), Problem> {
        let mut seen = BTreeSet::new();
        let mut sets_headers = false;
        for directive in flat(block).filter(|directive| directive.block.is_none()) {
            if directive.name() == "proxy_set_header" {
                self.header(directive, !sets_headers);
                sets_headers = true;
            } else if let Some(key) = self.take(directive, &seen)?
                && !seen.insert(key)
                && !PASS_WORDS.contains(&key.1)
            {
                return problem(directive, "directive is duplicate");
            }
        }
        for conditional in flat(block).filter(|directive| directive.name() == "if") {
            let inner = conditional.block.as_deref().unwrap_or_default();
            flat(inner).for_each(|directive| self.set(directive, |_| None));
        }
        Ok(())
    }

    /// What applies where an inner block begins.
    pub(super) fn within(&self, directive: &Directive) -> Self {
        let mut scope = self.clone();
        match directive.name() {
            "location" => {
                if !scope.location.is_empty() {
                    scope.location.push(' ');
                }
                scope.location.push_str(&directive.args().join(" "));
            }
            "server" => scope.server = Arc::default(),
            _ => {}
        }
        scope
    }

    /// A time, such as `read_timeout` of a way, or `keepalive_timeout` without one.
    pub(super) fn time(&self, pass: Option<Pass>, name: &str) -> Option<&Time> {
        self.times.iter().find(|(key, _)| key.0 == pass && key.1 == name).map(|(_, time)| time)
    }

    /// `proxy_next_upstream` or the like.
    pub(super) fn next_upstream(&self, pass: Pass) -> Option<&(Vec<String>, Place)> {
        self.words.get(&Key(Some(pass), PASS_WORDS[0]))
    }

    /// `proxy_next_upstream_tries` or the like.
    pub(super) fn tries(&self, pass: Pass) -> Option<&(u32, Place)> {
        self.numbers.get(&Key(Some(pass), PASS_NUMBERS[0]))
    }

    /// `keepalive_requests`
    pub(super) fn requests(&self) -> Option<&(u32, Place)> {
        self.numbers.get(&Key(None, NUMBERS[0]))
    }

    /// `proxy_http_version` or `fastcgi_keep_conn`.
    pub(super) fn choice(&self, name: &str) -> Option<&(String, Place)> {
        self.choices.get(name)
    }

    /// A text with what `set` gave to its variables, as far as that is known.
    pub(super) fn resolved(&self, text: &str) -> String {
        let mut parts = text.split('$');
        let mut resolved = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = variable(part);
            match self.variables.get(name) {
                Some(Some(value)) => resolved.extend([value, rest]),
                _ => resolved.extend(["$", part]),
            }
        }
        resolved
    }

    /// Takes a directive, and returns its key if it may be there only once.
    fn take(
        &mut self,
        directive: &Directive,
        seen: &BTreeSet<Key>,
    ) -> Result<Option<Key>, Problem> {
        let name = directive.name();
        if let Some(key) = Key::among(name, &PASS_TIMES, &TIMES) {
            self.times.insert(key, time_of(directive)?);
            return Ok(Some(key));
        }
        if let Some(key) = Key::among(name, &PASS_NUMBERS, &NUMBERS) {
            self.numbers.insert(key, (number(directive)?, directive.place.clone()));
            return Ok(Some(key));
        }
        if let Some(key) = Key::among(name, &PASS_WORDS, &[]) {
            // Several in one block add up.
            let before = self.words.remove(&key).filter(|_| seen.contains(&key));
            let mut words = before.map(|(words, _)| words).unwrap_or_default();
            words.extend_from_slice(directive.args());
            self.words.insert(key, (words, directive.place.clone()));
            return Ok(Some(key));
        }
        if let Some((choice, words)) = CHOICES.iter().find(|(choice, _)| *choice == name) {
            let [word] = directive.args() else { return arguments(directive) };
            if !words.contains(&word.as_str()) {
                return problem(directive, "directive invalid value");
            }
            self.choices.insert(choice, (word.clone(), directive.place.clone()));
            return Ok(Some(Key(None, choice)));
        }
        if name == "server_name" {
            self.server = self.server.iter().chain(directive.args()).cloned().collect();
        }
        self.set(directive, |value| Some(value.to_owned()));
        Ok(None)
    }

    /// A block with a header of its own sends none of those around it.
    fn header(&mut self, directive: &Directive, is_first: bool) {
        if is_first {
            self.connection = None;
        }
        if let [name, value] = directive.args()
            && name.eq_ignore_ascii_case("connection")
        {
            self.connection = Some((value.clone(), directive.place.clone()));
        }
    }

    fn set(&mut self, directive: &Directive, value_of: fn(&str) -> Option<String>) {
        if let ("set", [name, value]) = (directive.name(), directive.args())
            && let Some(name) = name.strip_prefix('$')
        {
            let value = self.resolved(value);
            let known = value_of(&value).filter(|value| !value.contains('$'));
            self.variables.insert(name.to_owned(), known);
        }
    }
}

/// The name of the variable that a text begins with, after its `$`, and what
/// follows it.
fn variable(text: &str) -> (&str, &str) {
    if let Some(inner) = text.strip_prefix('{') {
        return inner.split_once('}').unwrap_or_default();
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split_at(text.find(|c| !is_name(c)).unwrap_or(text.len()))
}

fn time_of(directive: &Directive) -> Result<Time, Problem> {
    let args = directive.args();
    let most = if directive.name() == KEEPALIVE_TIMEOUT { 2 } else { 1 };
    if !(1..=most).contains(&args.len()) {
        return arguments(directive);
    }
    match args.first().and_then(|text| time::parse(text)) {
        Some(length) => Ok(Time { length, place: directive.place.clone() }),
        None => problem(directive, "directive invalid value"),
    }
}

/// The number that a directive gives.
pub(super) fn number(directive: &Directive) -> Result<u32, Problem> {
    match directive.args() {
        [text] | [text, _] if directive.name() == "keepalive" => number_of(directive, text),
        [text] => number_of(directive, text),
        _ => arguments(directive),
    }
}

fn number_of(directive: &Directive, text: &str) -> Result<u32, Problem> {
    match text.parse() {
        Ok(number) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(number),
        _ => problem(directive, "directive invalid value"),
    }
}

/// A directive with more or fewer arguments than it takes.
pub(super) fn arguments<T>(directive: &Directive) -> Result<T, Problem> {
    let what = format!("invalid number of arguments in \"{}\" directive", directive.name());
    Err(Problem::at(directive, what))
}

fn problem<T>(directive: &Directive, what: &str) -> Result<T, Problem> {
    Err(Problem::at(directive, format!("\"{}\" {what}", directive.name())))
}
