//! What every source file has to be: short enough to read, with a purpose, finished, in its place.

use std::{collections::BTreeSet, path::Path};

use crate::{
    lex::{Kind, lex},
    sources::{is_test_file, read, root, rust_files, shipped_text},
};

#[test]
fn the_domain_is_pure() {
    let banned =
        ["tokio", "std::fs", "std::env", "Utc::now", "Instant::now", "SystemTime::now", "async fn"];
    for path in rust_files(&root().join("src/domain")) {
        let text = shipped_text(&path);
        for word in banned {
            assert!(!text.contains(word), "{}: {word} in the domain", path.display());
        }
    }
}

#[test]
fn update_and_view_have_no_clock_and_do_nothing() {
    let clocks = ["Instant::now", "Utc::now", "SystemTime::now", "tokio::spawn"];
    let files = rust_files(&root().join("src/tui"));
    for path in files.iter().filter(|path| !is_test_file(path)) {
        let text = shipped_text(path);
        let is_in = |name: &str| path.components().any(|part| part.as_os_str() == name);
        let outside = is_in("runtime") || is_in("services");
        for word in clocks.iter().filter(|_| !outside) {
            assert!(!text.contains(word), "{}: {word} outside the runtime", path.display());
        }
        let waits = text.contains(".await");
        assert!(!waits || outside || is_in("load.rs"), "{}: waits", path.display());
    }
}

/// Where clippy is told to let a clock or a new task pass: the entry, and the console's runtime. Everything else is
/// handed the time, and is started by whoever needs it.
const CLOCKS_AND_TASKS: &[(&str, &[&str])] = &[
    ("cli/clock.rs", &["SystemTime::now"]),
    ("cli/relay.rs", &["tokio::spawn"]),
    ("ops/mod.rs", &["SystemTime::now"]),
    ("tui/runtime/effects.rs", &["tokio::spawn"]),
    ("tui/runtime/signals.rs", &["task::spawn("]),
];

#[test]
fn the_time_is_handed_in_and_tasks_start_in_the_runtime() {
    let words = ["Utc::now", "Local::now", "SystemTime::now", "tokio::spawn", "task::spawn("];
    let base = root().join("src");
    for path in rust_files(&base).iter().filter(|path| !is_test_file(path)) {
        let text = shipped_text(path);
        let inside = path.strip_prefix(&base).unwrap();
        let row = CLOCKS_AND_TASKS.iter().find(|(file, _)| inside == Path::new(file));
        let allowed = row.map_or(&[][..], |(_, allowed)| *allowed);
        for word in words {
            assert_eq!(text.contains(word), allowed.contains(&word), "{}: {word}", path.display());
        }
        let exempt = text.contains("clippy::disallowed_methods");
        let known = !allowed.is_empty() || inside == Path::new("lib.rs");
        assert!(!exempt || known, "{}: is exempt from clippy's list", path.display());
    }
    let listed = read(&root().join("clippy.toml"));
    for path in [
        "chrono::Utc::now",
        "std::time::SystemTime::now",
        "std::time::Instant::now",
        "tokio::spawn",
        "tokio::task::spawn",
    ] {
        assert!(listed.contains(&format!("\"{path}\"")), "clippy.toml does not forbid {path}");
    }
}

#[test]
fn sql_lives_in_db() {
    let base = root().join("src");
    for path in rust_files(&base).iter().filter(|path| !is_test_file(path)) {
        let inside = path.strip_prefix(&base).unwrap();
        // The private server has to prepare itself, and demo data is written by COPY.
        if ["db", "embedded", "demo"].iter().any(|dir| inside.starts_with(dir)) {
            continue;
        }
        let text = shipped_text(path);
        for word in ["sqlx::query", "QueryBuilder", "SELECT ", "INSERT INTO ", "DELETE FROM "] {
            assert!(!text.contains(word), "{}: SQL outside db ({word})", path.display());
        }
    }
}

#[test]
fn files_can_be_read_in_one_sitting_and_say_what_they_are() {
    for path in rust_files(&root().join("src")) {
        let text = read(&path);
        let lines = text.lines().count();
        assert!(lines <= 500 || is_test_file(&path), "{}: {lines} lines", path.display());
        assert!(text.starts_with("//!"), "{}: no purpose line", path.display());
        let texts = lines_of_texts(&text);
        for (number, line) in text.lines().enumerate() {
            // Messages, SQL and checksums read better whole; the formatter sees to the rest.
            let is_text = line.contains('"') || texts.contains(&(number + 1));
            assert!(
                is_text || line.chars().count() <= 120,
                "{}:{}: too long",
                path.display(),
                number + 1
            );
        }
    }
}

/// The lines on which a string begins, continues or ends.
fn lines_of_texts(text: &str) -> BTreeSet<usize> {
    let mut out = BTreeSet::new();
    for token in lex(text) {
        if let Kind::Literal(literal) = &token.kind
            && literal.ends_with(['"', '#'])
        {
            out.extend(token.line..=token.line + literal.matches('\n').count());
        }
    }
    out
}

/// A module with files of its own is a folder with a `mod.rs`.
#[test]
fn a_module_is_a_file_or_a_folder_and_not_both() {
    for dir in ["src", "tests", "benches"] {
        for path in rust_files(&root().join(dir)) {
            let folder = path.with_extension("");
            assert!(
                !folder.is_dir(),
                "{} belongs into {}/mod.rs",
                path.display(),
                folder.display()
            );
        }
    }
}

#[test]
fn nothing_is_left_undone() {
    let banned = ["FIXME", "XXX", "TODO", "todo!(", "unimplemented!("];
    for dir in ["src", "tests", "benches"] {
        for path in rust_files(&root().join(dir)) {
            if path.ends_with("tidy/style.rs") {
                continue;
            }
            let text = read(&path);
            for word in banned {
                assert!(!text.contains(word), "{}: {word}", path.display());
            }
        }
    }
}
