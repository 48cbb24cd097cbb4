//! The syntax of nginx files: words, quotes, comments and blocks. Pure.
//!
//! It follows nginx's own reader (`ngx_conf_read_token`), so that what nginx
//! refuses for its form is refused here, with the same place. It knows no
//! directive but those of Lua, whose blocks hold another language.

use std::sync::Arc;

use super::lua;

/// Blocks in blocks; nginx's own files have four.
const DEEPEST: usize = 64;

/// A directive, with its block if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// Its name, then its arguments; never empty.
    pub words: Vec<String>,
    /// Where it stands.
    pub place: Place,
    /// What is between its braces.
    pub block: Option<Vec<Self>>,
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
    /// What, in nginx's words where it has some.
    pub what: String,
}

/// The directives of a file; `file` is for the places.
///
/// # Errors
/// The first thing that nginx would not read either.
pub fn parse(text: &str, file: &Arc<str>) -> Result<Vec<Directive>, Problem> {
    let mut reader = Reader { text: text.as_bytes(), at: 0, line: 1, file };
    reader.block(0)
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
}

impl Reader<'_> {
    /// Directives up to the end of the file, or of the block that is open.
    fn block(&mut self, depth: usize) -> Result<Vec<Directive>, Problem> {
        let mut directives = Vec::new();
        let mut words = Vec::new();
        let mut place = self.place();
        loop {
            let Some(token) = self.token()? else { return self.ended(depth, &words, directives) };
            match token {
                Token::Word(word) => {
                    if words.is_empty() {
                        place = self.place();
                    }
                    words.push(word);
                }
                Token::Semicolon if words.is_empty() => return self.unexpected(";"),
                Token::Open if words.is_empty() => return self.unexpected("{"),
                Token::Close if !words.is_empty() || depth == 0 => return self.unexpected("}"),
                Token::Close => return Ok(directives),
                Token::Semicolon => directives.push(Directive {
                    words: std::mem::take(&mut words),
                    place: place.clone(),
                    block: None,
                }),
                Token::Open => {
                    let words = std::mem::take(&mut words);
                    let block = Some(self.inner(&words, depth + 1)?);
                    directives.push(Directive { words, place: place.clone(), block });
                }
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
        self.block(depth)
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

    /// A word in quotes. What follows has to be apart from it.
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
        Err(Problem { place: self.place(), what: what.to_owned() })
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
        match parse(text, &Arc::from("f")) {
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
    fn depth_has_a_limit() {
        let deep = "a { ".repeat(10_000);
        assert!(check(&deep).contains("64 blocks"), "{}", check(&deep));
    }
}
