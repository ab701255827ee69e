//! Words that a newcomer from this field does not understand, or reads as something else. They have been
//! replaced and do not come back: in names, comments and documents.

use std::path::Path;

use crate::{
    lex::{Kind, lex},
    sources::{files, read, root, rust_files},
};

/// A word (its plural too), and what to write instead.
const WORDS: &[(&str, &str)] = &[
    ("anew", "again"),
    ("aside", "the queue inspector, or: removed, apart"),
    ("burn", "the backlog, or: skipped, used up"),
    ("burnt", "skipped"),
    ("deed", "outbox action, operation"),
    ("errand", "operation"),
    ("parcel", "outgoing message"),
    ("shall", "should, must"),
    ("sought", "wanted"),
    ("standstill", "stalled"),
    ("strand", "causal path"),
    ("telling", "progress, reporting"),
    ("twin", "equivalent command line"),
];

/// The same for phrases in comments and documents.
const PHRASES: &[(&str, &str)] = &[
    ("came about", "happened, was done"),
    ("handed back", "returned"),
    ("in vain", "without success"),
    ("what is meant", "what is selected, what is planned"),
    ("on record before", "recorded before"),
];

/// Places that still have some of them: the beginning of a path, and the words. Only to become shorter.
const KNOWN: &[(&str, &[&str])] = &[];

/// A name's parts in lower case: `OutboxAction`, `outbox_action` and `OUTBOX_ACTION` are the same two.
fn parts(name: &str) -> Vec<String> {
    let mut out = vec![];
    for piece in name.split('_') {
        let mut word = String::new();
        let chars: Vec<char> = piece.chars().collect();
        for (n, c) in chars.iter().enumerate() {
            let after_lower = n > 0 && chars[n - 1].is_lowercase();
            let before_lower = n > 0 && chars.get(n + 1).is_some_and(|next| next.is_lowercase());
            if c.is_uppercase() && (after_lower || before_lower) {
                out.push(std::mem::take(&mut word));
            }
            word.extend(c.to_lowercase());
        }
        out.push(word);
    }
    out.retain(|word| !word.is_empty());
    out
}

/// Every unwanted word or phrase with its line.
fn found(path: &Path) -> Vec<(usize, &'static str)> {
    let text = read(path);
    let mut out = vec![];
    let mut look = |line: usize, text: &str, phrases: bool| {
        for (n, text) in text.lines().enumerate() {
            let words: Vec<String> =
                text.split(|c: char| !c.is_alphanumeric() && c != '_').flat_map(parts).collect();
            for (word, _) in WORDS {
                if words.iter().any(|found| found.strip_suffix('s').unwrap_or(found) == *word) {
                    out.push((line + n, *word));
                }
            }
            let text = text.to_lowercase();
            for (phrase, _) in PHRASES.iter().filter(|_| phrases) {
                if text.contains(phrase) {
                    out.push((line + n, *phrase));
                }
            }
        }
    };
    if path.extension().is_some_and(|ext| ext == "rs") {
        for token in lex(&text) {
            match &token.kind {
                Kind::Name(name) => look(token.line, name, false),
                Kind::Comment(comment) => look(token.line, comment, true),
                _ => {}
            }
        }
    } else {
        look(1, &text, true);
    }
    out
}

#[test]
fn words_that_confuse_newcomers_do_not_come_back() {
    let mut paths = vec![];
    for dir in ["src", "tests", "benches"] {
        paths.extend(rust_files(&root().join(dir)));
    }
    let documents = files(&root(), &["target", ".git", "fixtures", "snapshots"]);
    paths.extend(documents.into_iter().filter(|path| path.extension().is_some_and(|e| e == "md")));
    let mut used = vec![];
    let mut wrong = vec![];
    for path in paths.iter().filter(|path| !path.ends_with("tidy/words.rs")) {
        let inside = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        for (line, word) in found(path) {
            let known =
                KNOWN.iter().find(|(at, words)| inside.starts_with(at) && words.contains(&word));
            match known {
                Some((at, _)) => used.push((*at, word)),
                None => {
                    let better = WORDS.iter().chain(PHRASES).find(|(other, _)| *other == word);
                    let better = better.map_or("", |(_, better)| better);
                    wrong.push(format!("{inside}:{line}: {word} (write {better})"));
                }
            }
        }
    }
    for (at, words) in KNOWN {
        for word in words.iter().filter(|word| !used.contains(&(*at, **word))) {
            wrong.push(format!("{at} has no {word} any more: shorten the list of known places"));
        }
    }
    assert!(wrong.is_empty(), "{} places:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn names_are_split_into_words() {
    assert_eq!(parts("OutboxAction"), ["outbox", "action"]);
    assert_eq!(parts("OUTBOX_ACTION"), ["outbox", "action"]);
    assert_eq!(parts("JSONText_of"), ["json", "text", "of"]);
}
