//! The syntax of nginx files: words, quotes, comments and blocks. Pure.
//!
//! It follows nginx's own reader (`ngx_conf_read_token`), so that what nginx refuses for
//! its syntax is refused here, at the same place. It knows no directive but those of Lua,
//! whose blocks contain another language.

use std::sync::Arc;

use super::lua;

/// The most wanted directives in one file.
const MAX_DIRECTIVES: usize = 1_000_000;
/// The most words of one directive, such as the names of a server.
const MAX_WORDS: usize = 100_000;
/// How deep blocks may be nested; nginx's own files have four levels.
pub(super) const DEEPEST: usize = 64;

/// A directive, with its block if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// Its name, then its arguments; never empty.
    pub words: Vec<String>,
    /// Where it is written.
    pub place: Place,
    /// What is between its braces.
    pub block: Option<Vec<Self>>,
    /// What is in its place, if it is an include that was followed.
    pub included: Vec<Arc<[Self]>>,
}

impl Directive {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// Its arguments.
    #[must_use]
    pub fn args(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// As it was opened.
    pub file: Arc<str>,
    /// Counted from 1.
    pub line: usize,
}

/// What is wrong at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong, in nginx's words if it has some.
    pub what: String,
}

/// The marks of a template that nginx itself cannot read: the variables of `envsubst`, and
/// the marks of Jinja, Go, consul-template and ERB.
const TEMPLATE_MARKS: [&str; 4] = ["${", "{{", "{%", "<%"];
/// The suffixes of templates' names.
const TEMPLATE_NAMES: [&str; 8] =
    [".ctmpl", ".erb", ".j2", ".jinja", ".jinja2", ".template", ".tmpl", ".tpl"];
/// What to do about a template.
const FILL_IN: &str = "; it looks like a template: give what nginx runs with, such as the output of `nginx -T` in its container";

impl Problem {
    /// A directive that nginx would refuse.
    pub(super) fn at(directive: &Directive, what: String) -> Self {
        Self::of(directive.place.clone(), what, &directive.words.join(" "))
    }

    /// Something that nginx would refuse, with the text around it.
    fn of(place: Place, what: String, text: &str) -> Self {
        let is_template = TEMPLATE_MARKS.iter().any(|mark| text.contains(mark))
            || TEMPLATE_NAMES.iter().any(|end| place.file.ends_with(end));
        Self { place, what: if is_template { what + FILL_IN } else { what } }
    }
}

/// The directives of a block, with those of included files in the place of the include.
#[must_use]
pub fn flat(block: &[Directive]) -> Flat<'_> {
    Flat { open: vec![block.iter()] }
}

/// See [`flat`].
#[derive(Debug, Clone)]
pub struct Flat<'a> {
    open: Vec<std::slice::Iter<'a, Directive>>,
}

impl<'a> Iterator for Flat<'a> {
    type Item = &'a Directive;

    fn next(&mut self) -> Option<&'a Directive> {
        while let Some(innermost) = self.open.last_mut() {
            match innermost.next() {
                None => {
                    self.open.pop();
                }
                Some(directive) if directive.name() == "include" && directive.block.is_none() => {
                    self.open.extend(directive.included.iter().rev().map(|file| file.iter()));
                }
                Some(directive) => return Some(directive),
            }
        }
        None
    }
}

/// Which directives of a block are wanted: its name (empty outside of all blocks) and
/// theirs. What is not wanted is read, and not kept.
pub type Wanted = fn(&str, &str) -> bool;

/// The directives of a file that are wanted; `file` is for the places.
///
/// # Errors
/// The first thing that nginx would not read either.
pub fn parse(text: &str, file: &Arc<str>, wanted: Wanted) -> Result<Vec<Directive>, Problem> {
    let mut reader = Reader { text: text.as_bytes(), at: 0, line: 1, file, wanted, kept: 0 };
    reader.block("", 0)
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Semicolon,
    Open,
    Close,
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
    file: &'a Arc<str>,
    wanted: Wanted,
    kept: usize,
}

impl Reader<'_> {
    /// Directives up to the end of the file, or of the block that is open.
    fn block(&mut self, name: &str, depth: usize) -> Result<Vec<Directive>, Problem> {
        let mut directives = Vec::new();
        let mut words = Vec::new();
        let mut place = self.place();
        loop {
            let Some(token) = self.token()? else { return self.ended(depth, &words, directives) };
            let block = match token {
                Token::Word(word) => {
                    if words.is_empty() {
                        place = self.place();
                    }
                    words.push(word);
                    if words.len() > MAX_WORDS {
                        return self.problem(&format!("more than {MAX_WORDS} words"));
                    }
                    continue;
                }
                Token::Semicolon if words.is_empty() => return self.unexpected(";"),
                Token::Open if words.is_empty() => return self.unexpected("{"),
                Token::Close if !words.is_empty() || depth == 0 => return self.unexpected("}"),
                Token::Close => return Ok(directives),
                Token::Semicolon => None,
                Token::Open => Some(self.inner(&words, depth + 1)?),
            };
            let words = std::mem::take(&mut words);
            if words.first().is_some_and(|first| (self.wanted)(name, first)) {
                self.kept += 1;
                if self.kept > MAX_DIRECTIVES {
                    return self.problem(&format!("more than {MAX_DIRECTIVES} directives"));
                }
                let included = Vec::new();
                directives.push(Directive { words, place: place.clone(), block, included });
            }
        }
    }

    fn ended(
        &self,
        depth: usize,
        words: &[String],
        directives: Vec<Directive>,
    ) -> Result<Vec<Directive>, Problem> {
        if !words.is_empty() {
            return self.problem("unexpected end of file, expecting \";\" or \"}\"");
        }
        if depth > 0 {
            return self.problem("unexpected end of file, expecting \"}\"");
        }
        Ok(directives)
    }

    fn inner(&mut self, words: &[String], depth: usize) -> Result<Vec<Directive>, Problem> {
        if depth > DEEPEST {
            return self.problem(&format!("more than {DEEPEST} blocks in each other"));
        }
        if words.first().is_some_and(|name| name.ends_with("_by_lua_block")) {
            return self.lua().map(|()| Vec::new());
        }
        self.block(words.first().map_or("", String::as_str), depth)
    }

    fn token(&mut self) -> Result<Option<Token>, Problem> {
        self.skip_space();
        let Some(byte) = self.peek() else { return Ok(None) };
        match byte {
            b';' => Ok(Some(self.punctuation(Token::Semicolon))),
            b'{' => Ok(Some(self.punctuation(Token::Open))),
            b'}' => Ok(Some(self.punctuation(Token::Close))),
            b'"' | b'\'' => self.quoted(byte).map(Some),
            _ => self.bare().map(Some),
        }
    }

    fn punctuation(&mut self, token: Token) -> Token {
        self.bump();
        token
    }

    /// Past white space and comments.
    fn skip_space(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {
                    self.bump();
                }
                b'#' => self.skip_line(),
                _ => return,
            }
        }
    }

    fn skip_line(&mut self) {
        while self.peek().is_some_and(|byte| byte != b'\n') {
            self.bump();
        }
    }

    /// A word in quotes. What follows must be separated from it.
    fn quoted(&mut self, quote: u8) -> Result<Token, Problem> {
        self.bump();
        let mut word = Vec::new();
        loop {
            match self.bump() {
                None => return self.problem("unexpected end of file, expecting \";\" or \"}\""),
                Some(byte) if byte == quote => break,
                Some(b'\\') => self.escape(&mut word),
                Some(byte) => word.push(byte),
            }
        }
        match self.peek() {
            None | Some(b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{' | b')') => {
                Ok(Token::Word(text_of(&word)))
            }
            Some(byte) => self.unexpected(&text_of(&[byte])),
        }
    }

    /// A word without quotes: to the next space, `;` or `{`. A `${` belongs to it.
    fn bare(&mut self) -> Result<Token, Problem> {
        let mut word = Vec::new();
        while let Some(byte) = self.peek() {
            let variable = byte == b'{' && word.last() == Some(&b'$');
            if matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b';') || byte == b'{' && !variable {
                return Ok(Token::Word(text_of(&word)));
            }
            self.bump();
            if byte == b'\\' { self.escape(&mut word) } else { word.push(byte) }
        }
        self.problem("unexpected end of file, expecting \";\" or \"}\"")
    }

    /// What follows a backslash.
    fn escape(&mut self, word: &mut Vec<u8>) {
        match self.bump() {
            Some(byte @ (b'"' | b'\'' | b'\\')) => word.push(byte),
            Some(b't') => word.push(b'\t'),
            Some(b'r') => word.push(b'\r'),
            Some(b'n') => word.push(b'\n'),
            Some(other) => word.extend([b'\\', other]),
            None => word.push(b'\\'),
        }
    }

    /// Past a block of Lua, whose strings and comments may hold braces.
    fn lua(&mut self) -> Result<(), Problem> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = lua::length(rest);
        (0..length.unwrap_or(rest.len())).for_each(|_| {
            self.bump();
        });
        match length {
            Some(_) => Ok(()),
            None => self.problem("unexpected end of file in a Lua block, expecting \"}\""),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn bump(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        self.line += usize::from(byte == b'\n');
        Some(byte)
    }

    fn place(&self) -> Place {
        Place { file: Arc::clone(self.file), line: self.line }
    }

    fn unexpected<T>(&self, what: &str) -> Result<T, Problem> {
        self.problem(&format!("unexpected \"{what}\""))
    }

    fn problem<T>(&self, what: &str) -> Result<T, Problem> {
        Err(Problem::of(self.place(), what.to_owned(), &self.lines_here()))
    }

    /// The line that is being read and the one before it, on which a token may have begun.
    fn lines_here(&self) -> String {
        let before = self.text.get(..self.at).unwrap_or_default();
        let mut starts = before.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
        let start = starts.nth(1).map_or(0, |(at, _)| at);
        let after = self.text.get(self.at..).unwrap_or_default();
        let end = after.iter().position(|byte| *byte == b'\n').unwrap_or(after.len());
        text_of(self.text.get(start..self.at + end).unwrap_or_default())
    }
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(directives: &[Directive]) -> String {
        let one = |directive: &Directive| {
            let inner = directive.block.as_ref().map(|block| format!(" {{{}}}", shown(block)));
            format!("{}{}", directive.words.join("|"), inner.unwrap_or_default())
        };
        directives.iter().map(one).collect::<Vec<_>>().join(" ; ")
    }

    fn check(text: &str) -> String {
        match parse(text, &Arc::from("f"), |_, _| true) {
            Ok(directives) => shown(&directives),
            Err(problem) => format!("{}: {}", problem.place.line, problem.what),
        }
    }

    #[test]
    fn it_reads_as_nginx_does() {
        for (text, expected) in [
            ("", ""),
            ("# nothing\n", ""),
            ("a b  c;", "a|b|c"),
            ("a{b;}", "a {b}"),
            ("a { b; c { d e; } }", "a {b ; c {d|e}}"),
            ("a \"b c\" 'd\\'e';", "a|b c|d'e"),
            ("a b#c; # d", "a|b#c"),
            ("a ${b}c;", "a|${b}c"),
            ("a \\.php$ \"\\n\";", "a|\\.php$|\n"),
            ("if ($a = \"b\") { c; }", "if|($a|=|b|) {c}"),
            ("a }b;", "1: unexpected \"}\""),
            ("a b}c;", "a|b}c"),
            ("a;\n;", "2: unexpected \";\""),
            ("{", "1: unexpected \"{\""),
            ("a {\nb;", "2: unexpected end of file, expecting \"}\""),
            ("a\nb", "2: unexpected end of file, expecting \";\" or \"}\""),
            ("a \"b", "1: unexpected end of file, expecting \";\" or \"}\""),
            ("a \"b\"c;", "1: unexpected \"c\""),
            ("}", "1: unexpected \"}\""),
        ] {
            assert_eq!(check(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_wanted_is_read_and_left_out() {
        let wanted: Wanted = |block, name| block != "geo" && name != "deny";
        let text = "deny 1.2.3.4; http { geo $a { 1.2.3.4 1; } b; deny all; } c { deny; }";
        let found = parse(text, &Arc::from("f"), wanted).unwrap();
        assert_eq!(shown(&found), "http {geo|$a {} ; b} ; c {}");
        assert!(parse("deny { ; }", &Arc::from("f"), wanted).is_err());
    }

    #[test]
    fn included_directives_stand_in_the_place_of_the_include() {
        let read = |text| parse(text, &Arc::from("f"), |_, _| true).unwrap();
        let mut main = read("a; include x; d;");
        let mut x = read("b; include y;");
        x[1].included = vec![read("c;").into(), read("").into()];
        main[1].included = vec![x.into()];
        let names: Vec<_> = flat(&main).map(Directive::name).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
    }

    #[test]
    fn depth_has_a_limit() {
        let deep = "a { ".repeat(10_000);
        assert!(check(&deep).contains("64 blocks"), "{}", check(&deep));
    }
}
