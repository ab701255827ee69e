//! The modules below `src` and what each of them refers to: `use` items and inline paths, resolved
//! through `crate`, `self`, `super`, child modules and re-exports.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::{
    lex::{Kind, Token, lex, shipped},
    sources::{is_test_file, read, rust_files},
};

/// A module's place: `["ops", "audit", "reads"]`; the crate's root is empty.
pub(crate) type Place = Vec<String>;

/// All modules that ship.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    modules: BTreeMap<Place, Module>,
    pub(crate) references: Vec<Reference>,
}

#[derive(Debug, Default)]
struct Module {
    items: BTreeSet<String>,
    /// Names that `use` brings in, public or not, and where they come from.
    imports: BTreeMap<String, Place>,
    globs: Vec<Place>,
}

/// One place in a source that names another module.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub(crate) from: Place,
    /// The module that defines what is named; re-exports of children are followed.
    pub(crate) to: Place,
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
}

/// A path as written, in the module it was written in.
struct Written {
    module: Place,
    /// Absolute, not yet followed.
    path: Place,
    file: PathBuf,
    line: usize,
}

impl Modules {
    /// Reads every file below `src` that is not a test.
    pub(crate) fn read(src: &Path) -> Self {
        let files = rust_files(src).into_iter().filter(|path| !is_test_file(path));
        Self::of(files.map(|path| {
            let place = place_of(path.strip_prefix(src).unwrap());
            (place, path.clone(), read(&path))
        }))
    }

    pub(crate) fn of(files: impl Iterator<Item = (Place, PathBuf, String)>) -> Self {
        let mut modules = Self::default();
        let files: Vec<_> =
            files.map(|(place, path, text)| (place, path, shipped(lex(&text)))).collect();
        for (place, _, _) in &files {
            modules.modules.insert(place.clone(), Module::default());
        }
        let mut written = vec![];
        for (place, path, tokens) in &files {
            let mut scan = Scan { modules: &mut modules, file: path, tokens, out: &mut written };
            scan.module(place.clone(), 0, tokens.len());
        }
        modules.follow(written);
        modules
    }

    pub(crate) fn contains(&self, place: &[String]) -> bool {
        self.modules.contains_key(place)
    }

    fn follow(&mut self, written: Vec<Written>) {
        self.references = written
            .into_iter()
            .filter_map(|Written { module, path, file, line }| {
                let to = self.resolve(&path, 0)?;
                Some(Reference { from: module, to, file, line })
            })
            .collect();
    }

    /// The module that defines what an absolute path names; `None` for other crates.
    fn resolve(&self, path: &[String], depth: usize) -> Option<Place> {
        let mut at: Place = vec![];
        for (n, name) in path.iter().enumerate() {
            let mut child = at.clone();
            child.push(name.clone());
            if self.modules.contains_key(&child) {
                at = child;
                continue;
            }
            let module = self.modules.get(&at)?;
            if depth > 20 || module.items.contains(name) {
                return Some(at);
            }
            let from = module.imports.get(name).cloned().or_else(|| {
                let given = module.globs.iter().find(|glob| self.gives(glob, name))?;
                Some([given.as_slice(), std::slice::from_ref(name)].concat())
            });
            // What a module re-exports from elsewhere is its own offer: followed only into its children.
            let inside = |from: &Place| from.len() > at.len() && from.starts_with(&at);
            let Some(mut from) = from.filter(|from| inside(from) && *from != path[..=n]) else {
                return Some(at);
            };
            from.extend_from_slice(&path[n + 1..]);
            return self.resolve(&from, depth + 1);
        }
        Some(at)
    }

    fn gives(&self, place: &[String], name: &str) -> bool {
        self.modules.get(place).is_some_and(|module| {
            let child = [place, &[name.to_owned()]].concat();
            module.items.contains(name)
                || module.imports.contains_key(name)
                || self.modules.contains_key(&child)
        })
    }
}

fn place_of(file: &Path) -> Place {
    let mut place: Place =
        file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if ["mod", "lib"].contains(&place.last().map_or("", String::as_str)) {
        place.pop();
    }
    place
}

/// Walks the tokens of one file.
struct Scan<'a> {
    modules: &'a mut Modules,
    file: &'a Path,
    tokens: &'a [Token],
    out: &'a mut Vec<Written>,
}

impl Scan<'_> {
    fn name(&self, at: usize) -> Option<&str> {
        self.tokens.get(at).and_then(Token::name)
    }

    fn is(&self, at: usize, sign: char) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is(sign))
    }

    fn is_path(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| token.kind == Kind::Path)
    }

    fn module(&mut self, place: Place, mut at: usize, end: usize) {
        self.modules.modules.entry(place.clone()).or_default();
        let mut depth = 0;
        while at < end {
            match &self.tokens[at].kind {
                Kind::Sign('{') => depth += 1,
                Kind::Sign('}') => depth -= 1,
                Kind::Name(word) => {
                    let word = word.clone();
                    if word == "mod" && self.is(at + 2, '{') {
                        let name = self.name(at + 1).unwrap_or_default().to_owned();
                        let close = self.closing(at + 2);
                        self.module([place.clone(), vec![name]].concat(), at + 3, close);
                        at = close + 1;
                        continue;
                    }
                    if word == "use" && !self.is(at + 1, '<') {
                        at = self.import(&place, vec![], at + 1) + 1;
                        continue;
                    }
                    if depth == 0
                        && ["fn", "struct", "enum", "trait", "type", "const", "static", "union"]
                            .contains(&word.as_str())
                        && let Some(name) = self.name(at + 1)
                    {
                        let name = name.to_owned();
                        self.items(&place).items.insert(name);
                    }
                    if self.is_path(at + 1) && !(at > 0 && self.is_path(at - 1)) {
                        at = self.inline(&place, at);
                        continue;
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }

    fn items(&mut self, place: &Place) -> &mut Module {
        self.modules.modules.entry(place.clone()).or_default()
    }

    fn closing(&self, open: usize) -> usize {
        let mut depth = 0;
        for at in open..self.tokens.len() {
            if self.is(at, '{') {
                depth += 1;
            } else if self.is(at, '}') {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
        }
        self.tokens.len()
    }

    /// One tree of a `use` item after `prefix`; returns the place of what ends it (`;`, `,` or `}`).
    fn import(&mut self, place: &Place, mut prefix: Vec<String>, mut at: usize) -> usize {
        loop {
            if self.is_path(at) {
                at += 1;
            } else if self.is(at, '{') {
                at += 1;
                while !self.is(at, '}') && at < self.tokens.len() {
                    at = self.import(place, prefix.clone(), at);
                    at += usize::from(self.is(at, ','));
                }
                return at + 1;
            } else if self.is(at, '*') {
                if let Some(path) = self.absolute(place, &prefix) {
                    self.items(place).globs.push(path.clone());
                    self.write(place, path, at);
                }
                return at + 1;
            } else if let Some(name) = self.name(at).map(str::to_owned) {
                if name == "as" {
                    let alias = self.name(at + 1).unwrap_or("_").to_owned();
                    self.bind(place, prefix, alias, at);
                    return at + 2;
                }
                if name != "self" || prefix.is_empty() {
                    prefix.push(name);
                }
                at += 1;
                if !self.is_path(at) && self.name(at) != Some("as") {
                    let alias = prefix.last().cloned().unwrap_or_default();
                    self.bind(place, prefix, alias, at - 1);
                    return at;
                }
            } else {
                return at;
            }
        }
    }

    fn bind(&mut self, place: &Place, path: Vec<String>, alias: String, at: usize) {
        if let Some(path) = self.absolute(place, &path) {
            self.items(place).imports.insert(alias, path.clone());
            self.write(place, path, at);
        }
    }

    /// A path in code; returns the place behind it.
    fn inline(&mut self, place: &Place, start: usize) -> usize {
        let mut path = vec![];
        let mut at = start;
        while let Some(name) = self.name(at) {
            path.push(name.to_owned());
            at += 1;
            if !self.is_path(at) {
                break;
            }
            at += 1;
        }
        if let Some(path) = self.absolute(place, &path) {
            self.write(place, path, start);
        }
        at
    }

    /// From the crate's root; `None` for other crates and for names that `use` brought in, which are
    /// counted where they are imported.
    fn absolute(&self, place: &Place, path: &[String]) -> Option<Place> {
        let first = path.first()?.as_str();
        let mut rest = path;
        let mut base = match first {
            "crate" | "orderscope" => vec![],
            "self" | "super" => place.clone(),
            _ => {
                let child = [place.as_slice(), &path[..1]].concat();
                return self.modules.contains(&child).then(|| [place.as_slice(), path].concat());
            }
        };
        if first != "super" {
            rest = &rest[1..];
        }
        while rest.first().is_some_and(|name| name == "super") {
            base.pop();
            rest = &rest[1..];
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    fn write(&mut self, place: &Place, path: Place, at: usize) {
        let line = self.tokens[at.min(self.tokens.len() - 1)].line;
        let file = self.file.to_path_buf();
        self.out.push(Written { module: place.clone(), path, file, line });
    }
}

/// Modules made of texts, for the tests of this test.
#[cfg(test)]
pub(crate) fn sample(files: &[(&str, &str)]) -> Modules {
    Modules::of(
        files.iter().map(|(file, text)| {
            (place_of(Path::new(file)), PathBuf::from(file), (*text).to_owned())
        }),
    )
}

#[test]
fn paths_lead_to_the_module_that_defines_what_they_name() {
    let modules = sample(&[
        ("lib.rs", "pub mod a; pub mod z;"),
        (
            "a/mod.rs",
            "mod b; mod c; pub use b::{inner::Thing, Other as Renamed}; pub use c::*; pub struct Own;",
        ),
        ("a/b/mod.rs", "pub mod inner; pub struct Other;"),
        ("a/b/inner.rs", "pub struct Thing; pub fn f() { super::super::c::g() }"),
        ("a/c.rs", "use super::{Own, self as up}; pub struct Given; pub fn g() {}"),
        (
            "z.rs",
            "use crate::a::{Given, Renamed, self as x, b::{inner::{Thing}}}; fn h() { std::mem::take(1) }",
        ),
    ]);
    let from = |from: &str| -> Vec<String> {
        let from: Place = from.split("::").map(str::to_owned).collect();
        let found = modules.references.iter().filter(|reference| reference.from == from);
        found.map(|reference| reference.to.join("::")).collect()
    };
    assert_eq!(from("a"), ["a::b::inner", "a::b", "a::c"]);
    assert_eq!(from("a::b::inner"), ["a::c"]);
    assert_eq!(from("a::c"), ["a", "a"]);
    assert_eq!(from("z"), ["a::c", "a::b", "a", "a::b::inner"]);
}
