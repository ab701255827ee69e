//! A small lexer for Rust: enough to tell names, punctuation, text and comments apart.

/// One token and the line it starts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) line: usize,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name or keyword; raw names without `r#`.
    Name(String),
    /// `::`.
    Path,
    /// Any other punctuation, one character each.
    Sign(char),
    /// A string, character or number: no path starts in it.
    Literal(String),
    /// A comment with its marks.
    Comment(String),
}

impl Token {
    pub(crate) fn is(&self, sign: char) -> bool {
        self.kind == Kind::Sign(sign)
    }

    pub(crate) fn name(&self) -> Option<&str> {
        match &self.kind {
            Kind::Name(name) => Some(name),
            _ => None,
        }
    }
}

/// All tokens of a file, comments included.
pub(crate) fn lex(text: &str) -> Vec<Token> {
    Lexer { chars: text.chars().collect(), at: 0, line: 1, out: vec![] }.run()
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
    out: Vec<Token>,
}

fn starts_name(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

impl Lexer {
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn run(mut self) -> Vec<Token> {
        while self.at < self.chars.len() {
            let (start, line) = (self.at, self.line);
            let make = self.next();
            let text: String = self.chars[start..self.at].iter().collect();
            self.line += text.matches('\n').count();
            if let Some(make) = make {
                self.out.push(Token { line, kind: make(text) });
            }
        }
        self.out
    }

    /// Moves behind the next token and says what its text is; white space is nothing.
    fn next(&mut self) -> Option<fn(String) -> Kind> {
        let c = self.peek(0);
        match c {
            _ if c.is_whitespace() => {
                self.at += 1;
                return None;
            }
            '/' if self.peek(1) == '/' => {
                self.skip_while(|c| c != '\n');
                return Some(Kind::Comment);
            }
            '/' if self.peek(1) == '*' => {
                self.block_comment();
                return Some(Kind::Comment);
            }
            '"' => self.string(),
            '\'' if self.is_lifetime() => {
                self.at += 1;
                self.skip_while(in_name);
            }
            '\'' => self.character(),
            _ if c.is_ascii_digit() => self.skip_while(in_name),
            _ if starts_name(c) => return Some(self.name_or_prefixed()),
            ':' if self.peek(1) == ':' => {
                self.at += 2;
                return Some(|_| Kind::Path);
            }
            _ => {
                self.at += 1;
                return Some(|text| Kind::Sign(text.chars().next().unwrap_or(' ')));
            }
        }
        Some(Kind::Literal)
    }

    fn skip_while(&mut self, wanted: fn(char) -> bool) {
        while self.at < self.chars.len() && wanted(self.peek(0)) {
            self.at += 1;
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.chars.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => (depth, self.at) = (depth + 1, self.at + 2),
                ('*', '/') => (depth, self.at) = (depth - 1, self.at + 2),
                _ => self.at += 1,
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.at += 1;
        while self.at < self.chars.len() {
            match self.peek(0) {
                '\\' => self.at += 2,
                '"' => {
                    self.at += 1;
                    return;
                }
                _ => self.at += 1,
            }
        }
        self.at = self.chars.len();
    }

    fn is_lifetime(&self) -> bool {
        starts_name(self.peek(1)) && self.peek(2) != '\''
    }

    fn character(&mut self) {
        self.at += if self.peek(1) == '\\' { 3 } else { 2 };
        self.skip_while(|c| c != '\'');
        self.at += 1;
    }

    /// A name, `r#name`, or a text with a prefix: `b"…"`, `b'…'`, `r"…"`, `r#"…"#`.
    fn name_or_prefixed(&mut self) -> fn(String) -> Kind {
        let start = self.at;
        self.skip_while(in_name);
        let name: String = self.chars[start..self.at].iter().collect();
        let raw = ["r", "br", "cr"].contains(&name.as_str());
        let hashes = self.chars[self.at..].iter().take_while(|c| **c == '#').count();
        if raw && self.peek(hashes) == '"' {
            self.at += hashes + 1;
            while self.at < self.chars.len() {
                let closed = self.peek(0) == '"' && (1..=hashes).all(|n| self.peek(n) == '#');
                self.at += if closed { hashes + 1 } else { 1 };
                if closed {
                    break;
                }
            }
            return Kind::Literal;
        }
        if name == "r" && hashes == 1 && starts_name(self.peek(1)) {
            self.at += 1;
            self.skip_while(in_name);
            return |text| Kind::Name(text.trim_start_matches("r#").to_owned());
        }
        match (name.as_str(), self.peek(0)) {
            ("b" | "c", '"') => self.string(),
            ("b", '\'') => self.character(),
            _ => return Kind::Name,
        }
        Kind::Literal
    }
}

/// What ships: comments and everything under `#[cfg(test)]` left out.
pub(crate) fn shipped(tokens: Vec<Token>) -> Vec<Token> {
    let tokens: Vec<Token> =
        tokens.into_iter().filter(|token| !matches!(token.kind, Kind::Comment(_))).collect();
    let mut out = vec![];
    let mut at = 0;
    while at < tokens.len() {
        if is_test_attribute(&tokens[at..]) {
            at = behind_item(&tokens, at + 7);
        } else {
            out.push(tokens[at].clone());
            at += 1;
        }
    }
    out
}

/// `#[cfg(test)]`: seven tokens.
pub(crate) fn is_test_attribute(tokens: &[Token]) -> bool {
    tokens.len() >= 7
        && tokens[0].is('#')
        && tokens[1].is('[')
        && tokens[2].name() == Some("cfg")
        && tokens[3].is('(')
        && tokens[4].name() == Some("test")
        && tokens[5].is(')')
        && tokens[6].is(']')
}

/// The place behind the item that starts at `at`: behind its `;`, or behind its block.
fn behind_item(tokens: &[Token], mut at: usize) -> usize {
    let mut ends_at_semicolon = false;
    let mut depth = 0_i32;
    let mut first = true;
    while at < tokens.len() {
        match &tokens[at].kind {
            Kind::Name(name) if depth == 0 && first => {
                ends_at_semicolon = ["use", "const", "static", "type"].contains(&name.as_str());
                first = ["pub", "async"].contains(&name.as_str());
            }
            Kind::Sign('{' | '(' | '[') => depth += 1,
            Kind::Sign(')' | ']') => depth -= 1,
            Kind::Sign('}') => {
                depth -= 1;
                if depth == 0 && !ends_at_semicolon {
                    return at + 1;
                }
            }
            Kind::Sign(';') if depth == 0 => return at + 1,
            _ => {}
        }
        at += 1;
    }
    at
}

#[test]
fn names_texts_and_comments_are_told_apart() {
    let text = r##"use a::b; // c::d
        fn f<'x>(y: &'x str) { '"'; b'\''; r#"e::f"#; "g\"::h"; r#type::new(1u8) } /* i /* j */ */"##;
    let kinds: Vec<Kind> = lex(text).into_iter().map(|token| token.kind).collect();
    let names: Vec<&str> = kinds
        .iter()
        .filter_map(|kind| match kind {
            Kind::Name(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(names, ["use", "a", "b", "fn", "f", "y", "str", "type", "new"]);
    let comments = kinds.iter().filter(|kind| matches!(kind, Kind::Comment(_))).count();
    assert_eq!(comments, 2);
}

#[test]
fn what_is_under_cfg_test_does_not_ship() {
    let text = "use a; #[cfg(test)] use b::{c}; #[cfg(test)] mod tests { fn d() { e } } fn f() {}";
    let names: Vec<String> =
        shipped(lex(text)).iter().filter_map(|token| token.name().map(str::to_owned)).collect();
    assert_eq!(names, ["use", "a", "fn", "f"]);
}
