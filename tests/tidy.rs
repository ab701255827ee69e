//! The house rules that a compiler does not check: which module may know which, file sizes, purpose
//! lines, and words that must not leave the workshop.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, and says where"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Who may use whom, top down. A module may always use itself.
const ARROWS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    (
        "cli",
        &[
            "tui",
            "session",
            "workers",
            "demo",
            "ops",
            "relay",
            "db",
            "embedded",
            "config",
            "telemetry",
            "domain",
        ],
    ),
    ("tui", &["workers", "session", "ops", "db", "config", "domain"]),
    ("session", &["demo", "ops", "db", "embedded", "config", "domain"]),
    ("demo", &["ops", "db", "domain"]),
    ("workers", &["ops", "relay", "db", "domain"]),
    ("ops", &["relay", "db", "domain"]),
    ("relay", &["domain"]),
    ("db", &["domain"]),
    ("embedded", &[]),
    ("config", &["domain"]),
    ("telemetry", &[]),
    ("domain", &[]),
];

/// Inside the console: widgets know no screens, screens know neither each other nor the frame.
const CONSOLE_ARROWS: &[(&str, &[&str])] = &[
    (
        "runtime",
        &[
            "app", "change", "effect", "journal", "route", "screens", "services", "shared", "term",
            "ui",
        ],
    ),
    ("app", &["change", "effect", "journal", "route", "screens", "shared", "ui", "words"]),
    ("change", &["effect", "route", "runtime", "shared", "ui", "words"]),
    ("journal", &["effect", "runtime", "shared", "ui", "words"]),
    ("screens", &["effect", "route", "runtime", "shared", "ui", "words"]),
    ("words", &["shared", "ui"]),
    ("services", &["app", "route", "shared"]),
    ("shared", &["route"]),
    ("effect", &["route", "shared"]),
    ("route", &[]),
    ("term", &["ui"]),
    ("ui", &[]),
];

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut out = vec![];
    let mut open = vec![dir.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                out.push(path);
            }
        }
    }
    assert!(!out.is_empty(), "no sources found below {}", dir.display());
    out.sort();
    out
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// `crate::a::b` and `crate::{a::…, b}` as `["a", "b"]`: the first segment after `prefix`.
fn uses(text: &str, prefix: &str) -> Vec<String> {
    let mut out = vec![];
    for (at, _) in text.match_indices(prefix) {
        let rest = &text[at + prefix.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 1;
            let mut name = String::new();
            let mut wanted = true;
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 1 => {
                        out.push(std::mem::take(&mut name));
                        wanted = true;
                        continue;
                    }
                    ':' if depth == 1 => wanted = false,
                    _ => {}
                }
                if depth == 0 {
                    out.push(std::mem::take(&mut name));
                    break;
                }
                if wanted && depth == 1 && (c.is_alphanumeric() || c == '_') {
                    name.push(c);
                }
            }
        } else {
            out.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    out.retain(|name| !name.is_empty());
    out
}

/// The part of a file that ships: what follows `#[cfg(test)] mod tests {` is not looked at.
fn shipped(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn is_test_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "tests.rs")
        || path.components().any(|part| part.as_os_str() == "tests")
}

fn check(base: &Path, prefix: &str, arrows: &[(&str, &[&str])], wrong: &mut Vec<String>) {
    for path in rust_files(base).iter().filter(|path| !is_test_file(path)) {
        let inside = path.strip_prefix(base).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let module = first.trim_end_matches(".rs");
        if module == "lib" || module == "mod" {
            continue;
        }
        let Some((_, allowed)) = arrows.iter().find(|(name, _)| *name == module) else {
            wrong.push(format!("{}: module {module} is not on the map", path.display()));
            continue;
        };
        for used in uses(&shipped(path), prefix) {
            let known = arrows.iter().any(|(name, _)| *name == used);
            if known && used != module && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{}: {module} must not know {used}", path.display()));
            }
        }
    }
}

#[test]
fn arrows_go_down_only() {
    let mut wrong = vec![];
    check(&root().join("src"), "crate::", ARROWS, &mut wrong);
    check(&root().join("src/tui"), "crate::tui::", CONSOLE_ARROWS, &mut wrong);
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn screens_do_not_know_each_other() {
    let base = root().join("src/tui/screens");
    for path in rust_files(&base) {
        let inside = path.strip_prefix(&base).unwrap();
        let Some(own) = inside.parent().and_then(|dir| dir.iter().next()) else { continue };
        for used in uses(&shipped(&path), "screens::") {
            let is_screen = base.join(&used).is_dir();
            let own = own.to_string_lossy();
            assert!(!is_screen || used == own, "{}: knows screen {used}", path.display());
        }
    }
}

#[test]
fn the_domain_is_pure() {
    let banned =
        ["tokio", "std::fs", "std::env", "Utc::now", "Instant::now", "SystemTime::now", "async fn"];
    for path in rust_files(&root().join("src/domain")) {
        let text = shipped(&path);
        for word in banned {
            assert!(!text.contains(word), "{}: {word} in the domain", path.display());
        }
    }
}

#[test]
fn update_and_view_do_nothing() {
    let banned = ["Instant::now", ".await"];
    let files = rust_files(&root().join("src/tui"));
    for path in files.iter().filter(|path| !is_test_file(path)) {
        let text = shipped(path);
        let allowed = path.components().any(|part| {
            ["runtime", "load.rs", "services.rs"].iter().any(|name| part.as_os_str() == *name)
        });
        let macro_file = path.ends_with("screens/mod.rs");
        for word in banned.iter().filter(|_| !allowed && !macro_file) {
            assert!(!text.contains(word), "{}: {word} outside the runtime", path.display());
        }
    }
}

/// Where clippy is told to let a clock or a new task pass: the entry, and the console's runtime. Everything else is
/// handed the time, and started by whoever needs it.
const CLOCKS_AND_TASKS: &[(&str, &[&str])] = &[
    ("cli/clock.rs", &["Utc::now"]),
    ("cli/relay.rs", &["tokio::spawn"]),
    ("tui/runtime/effects.rs", &["tokio::spawn"]),
    ("tui/runtime/signals.rs", &["task::spawn("]),
];

#[test]
fn the_time_is_handed_in_and_tasks_start_in_the_runtime() {
    let words = ["Utc::now", "Local::now", "SystemTime::now", "tokio::spawn", "task::spawn("];
    let base = root().join("src");
    for path in rust_files(&base).iter().filter(|path| !is_test_file(path)) {
        let text = shipped(path);
        let inside = path.strip_prefix(&base).unwrap();
        let row = CLOCKS_AND_TASKS.iter().find(|(file, _)| inside == Path::new(file));
        let allowed = row.map_or(&[][..], |(_, allowed)| *allowed);
        for word in words {
            assert_eq!(text.contains(word), allowed.contains(&word), "{}: {word}", path.display());
        }
        let exempt = text.contains("clippy::disallowed_methods");
        let known = !allowed.is_empty() || inside == Path::new("lib.rs");
        assert!(!exempt || known, "{}: passes clippy's list by", path.display());
    }
    let listed = fs::read_to_string(root().join("clippy.toml")).unwrap();
    for path in ["chrono::Utc::now", "std::time::SystemTime::now", "std::time::Instant::now"] {
        assert!(listed.contains(&format!("\"{path}\"")), "clippy.toml does not forbid {path}");
    }
    for path in ["tokio::spawn", "tokio::task::spawn"] {
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
        let text = shipped(path);
        for word in ["sqlx::query", "QueryBuilder", "SELECT ", "INSERT INTO ", "DELETE FROM "] {
            assert!(!text.contains(word), "{}: SQL outside db ({word})", path.display());
        }
    }
}

#[test]
fn files_can_be_read_in_one_sitting_and_say_what_they_are() {
    for path in rust_files(&root().join("src")) {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        assert!(lines <= 500 || is_test_file(&path), "{}: {lines} lines", path.display());
        assert!(text.starts_with("//!"), "{}: no purpose line", path.display());
        for (number, line) in text.lines().enumerate() {
            // Messages, SQL and checksums read better whole; the formatter sees to the rest.
            let is_text = line.contains('"') || line.ends_with('\\');
            assert!(
                is_text || line.chars().count() <= 120,
                "{}:{}: too long",
                path.display(),
                number + 1
            );
        }
    }
}

#[test]
fn nothing_is_left_undone() {
    let banned = ["FIXME", "XXX", "TODO", "todo!(", "unimplemented!("];
    for dir in ["src", "tests", "benches"] {
        if !root().join(dir).is_dir() {
            continue;
        }
        for path in rust_files(&root().join(dir)).iter().filter(|path| !path.ends_with("tidy.rs")) {
            let text = fs::read_to_string(path).unwrap();
            for word in banned {
                assert!(!text.contains(word), "{}: {word}", path.display());
            }
        }
    }
}

/// What git would commit, without what it ignores.
fn tracked() -> Vec<PathBuf> {
    let mut out = vec![];
    let mut open = vec![root()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if ["target", ".git"].contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() { open.push(path) } else { out.push(path) }
        }
    }
    out
}

/// Names of machines, tools and places that mean nothing outside the workshop. Written in halves, so that
/// this file does not contain them.
#[test]
fn nothing_of_the_workshop_leaves_it() {
    let private = [
        ["/work/", "wt"],
        ["/work/", "main"],
        ["/work/", "shared"],
        ["/work/", "."],
        ["/tmp/", "pg18"],
        ["/root/", "."],
        ["issues ", "show"],
        ["sub", "agent"],
        ["helper ", "session"],
        ["arti", "factory"],
        ["registry", ".internal"],
        ["ORDERSCOPE_", "TOKEN"],
    ];
    let mut seen = 0;
    for path in tracked() {
        // What is not text has no words.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        seen += 1;
        for halves in private {
            let word = halves.concat();
            assert!(!text.contains(&word), "{}: {word}", path.display());
        }
    }
    assert!(seen > 100, "only {seen} files were looked at");
}

#[test]
fn the_map_names_every_module() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let named =
            map.contains(&format!("`src/{name}`")) || map.contains(&format!("`src/{name}.rs`"));
        assert!(named, "ARCHITECTURE.md does not mention src/{name}");
    }
    for part in map.split("`src/").skip(1) {
        let part = part.split('`').next().unwrap();
        assert!(
            root().join("src").join(part).exists()
                || root().join(format!("src/{part}.rs")).exists(),
            "ARCHITECTURE.md mentions src/{part}, which is not there"
        );
    }
}
