//! Which room may use which: the tables, and the pictures of them in `ARCHITECTURE.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::{
    modules::{Modules, Reference},
    sources::{is_test_file, read, root, rust_files, shipped_text},
};

type Table = &'static [(&'static str, &'static [&'static str])];

/// Who may use whom, top down. A module may always use itself.
const ROOMS: Table = &[
    ("main", &["cli"]),
    (
        "cli",
        &[
            "tui",
            "session",
            "servers",
            "workers",
            "demo",
            "ops",
            "relay",
            "db",
            "embedded",
            "config",
            "telemetry",
            "files",
            "domain",
        ],
    ),
    ("tui", &["workers", "session", "ops", "db", "config", "files", "domain"]),
    ("session", &["demo", "ops", "db", "embedded", "config", "servers", "domain"]),
    ("demo", &["ops", "db", "servers", "domain"]),
    ("workers", &["ops", "relay", "db", "servers", "files", "domain"]),
    ("ops", &["relay", "db", "servers", "files", "domain"]),
    ("relay", &["domain"]),
    ("db", &["servers", "domain"]),
    ("embedded", &[]),
    ("config", &["servers", "files", "domain"]),
    ("servers", &[]),
    ("telemetry", &["files"]),
    ("files", &[]),
    ("domain", &[]),
];

/// Inside the console: widgets know no screens, screens know neither each other nor the frame.
const CONSOLE: Table = &[
    (
        "runtime",
        &[
            "app",
            "change",
            "effect",
            "journal",
            "operations",
            "route",
            "screens",
            "services",
            "shared",
            "term",
            "ui",
        ],
    ),
    (
        "app",
        &[
            "change",
            "effect",
            "journal",
            "operations",
            "route",
            "screens",
            "selection",
            "shared",
            "ui",
            "words",
        ],
    ),
    ("change", &["effect", "route", "selection", "services", "shared", "ui", "words"]),
    ("journal", &["effect", "services", "shared", "ui", "words"]),
    ("operations", &["effect", "selection", "services", "shared", "ui", "words"]),
    ("screens", &["effect", "route", "selection", "services", "shared", "ui", "words"]),
    ("words", &["shared", "ui"]),
    ("services", &["route", "shared"]),
    ("shared", &["route", "ui"]),
    ("effect", &["route", "selection", "shared"]),
    ("selection", &[]),
    ("route", &[]),
    ("term", &["ui"]),
    ("ui", &[]),
];

/// Every reference from one room below `base` to another that the table does not allow.
fn forbidden(modules: &Modules, base: &[&str], table: Table) -> Vec<String> {
    let room = |place: &[String]| -> Option<String> {
        let inside = place.iter().zip(base).all(|(a, b)| a == b);
        place.get(base.len()).filter(|_| inside).cloned()
    };
    let mut wrong = vec![];
    for Reference { from, to, file, line } in &modules.references {
        let (Some(from), Some(to)) = (room(from), room(to)) else { continue };
        let allowed = table.iter().find(|(name, _)| *name == from).map(|(_, allowed)| allowed);
        match allowed {
            None => wrong.push(format!("{}: {from} is not in the table", file.display())),
            Some(allowed) if from != to && !allowed.contains(&to.as_str()) => {
                wrong.push(format!("{}:{line}: {from} must not use {to}", file.display()));
            }
            Some(_) => {}
        }
    }
    wrong
}

#[test]
fn rooms_use_only_what_is_below_them() {
    let modules = Modules::read(&root().join("src"));
    let mut wrong = forbidden(&modules, &[], ROOMS);
    wrong.extend(forbidden(&modules, &["tui"], CONSOLE));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (base, table) in [("", ROOMS), ("tui", CONSOLE)] {
        let named: BTreeSet<_> = table.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(named, children(&root().join("src").join(base)), "rooms below src/{base}");
    }
}

/// What people see comes from `ops`: screens and verbs know a database's handles, limits, layout and errors, and none
/// of its rows and queries.
#[test]
fn screens_and_verbs_ask_ops_and_not_the_database() {
    let modules = Modules::read(&root().join("src"));
    let mut wrong = vec![];
    for Reference { from, to, file, line } in &modules.references {
        let people = matches!(from.first().map(String::as_str), Some("cli" | "tui"));
        let subject = match to.as_slice() {
            [db, subject, ..] if db == "db" => subject.as_str(),
            _ => continue,
        };
        if people && !["error", "pool", "limits", "layout"].contains(&subject) {
            wrong.push(format!("{}:{line}: uses db::{subject}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each line of the table is above the rooms that it uses, so that no circle can be allowed.
#[test]
fn the_table_of_rooms_goes_down() {
    for (n, (name, allowed)) in ROOMS.iter().enumerate() {
        for used in *allowed {
            let below = ROOMS.iter().skip(n + 1).any(|(other, _)| other == used);
            assert!(below, "{name} uses {used}, which does not stand below it in the table");
        }
    }
}

#[test]
fn screens_do_not_know_each_other() {
    let modules = Modules::read(&root().join("src"));
    let screen = |place: &[String]| match place {
        [tui, screens, screen, ..] if tui == "tui" && screens == "screens" => Some(screen.clone()),
        _ => None,
    };
    for Reference { from, to, file, line } in &modules.references {
        if let (Some(from), Some(to)) = (screen(from), screen(to)) {
            let helper = root().join(format!("src/tui/screens/{to}.rs")).is_file();
            assert!(from == to || helper, "{}:{line}: {from} knows {to}", file.display());
        }
    }
}

/// The screens: their folders.
fn screens() -> BTreeSet<String> {
    let dir = root().join("src/tui/screens");
    let files = rust_files(&dir);
    let folders = files.iter().filter_map(|path| {
        let inside = path.strip_prefix(&dir).unwrap();
        (inside.iter().count() > 1).then(|| inside.iter().next().unwrap())
    });
    folders.map(|name| name.to_string_lossy().into_owned()).collect()
}

/// Everything around the screens treats all of them alike: none is named there, neither as a module nor by the text it
/// is called by. `screens/mod.rs` has one line for each.
#[test]
fn the_root_names_no_screen() {
    let names = screens();
    assert!(names.len() >= 3, "{names:?}");
    let modules = Modules::read(&root().join("src"));
    let screen = |place: &[String]| match place {
        [tui, screens, screen, ..] if tui == "tui" && screens == "screens" => {
            names.get(screen).cloned()
        }
        _ => None,
    };
    for Reference { from, to, file, line } in &modules.references {
        let is_list = file.ends_with("src/tui/screens/mod.rs");
        if let (Some(screen), None, false) = (screen(to), screen(from), is_list) {
            panic!("{}:{line}: names the screen {screen}", file.display());
        }
    }
    let list = read(&root().join("src/tui/screens/mod.rs"));
    for name in &names {
        let lines = list.lines().filter(|line| line.contains(&format!("{name}::")));
        assert_eq!(lines.count(), 1, "{name} has one line in screens/mod.rs");
    }
    let around = [
        "app",
        "change",
        "effect.rs",
        "route.rs",
        "runtime",
        "selection.rs",
        "services",
        "shared.rs",
    ];
    let base = root().join("src/tui");
    let outside = |path: &&PathBuf| {
        let first = path.strip_prefix(&base).unwrap().iter().next().unwrap();
        around.iter().any(|name| first == *name) && !is_test_file(path)
    };
    for path in rust_files(&base).iter().filter(outside) {
        let text = shipped_text(path);
        for name in &names {
            // To operations, messages are a word like any other.
            let is_word = path.strip_prefix(&base).unwrap().starts_with("change");
            let quoted = [format!("\"go.{name}\""), format!("\"{name}\"")];
            for quoted in &quoted[..if is_word { 1 } else { 2 }] {
                assert!(!text.contains(quoted), "{}: says {quoted}", path.display());
            }
        }
    }
}

/// What screens show comes from `ops`, with what was not looked at; of `db` they know its error.
#[test]
fn screens_ask_ops_and_not_the_database() {
    let files = rust_files(&root().join("src/tui/screens"));
    for path in files.iter().filter(|path| !is_test_file(path)) {
        let text = shipped_text(path);
        for (at, found) in text.match_indices("db::") {
            let is_name = text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let rest = &text[at + found.len()..];
            let allowed = is_name || rest.starts_with("Error");
            let end = rest.find('\n').unwrap_or(rest.len());
            assert!(allowed, "{}: uses db::{}", path.display(), &rest[..end]);
        }
    }
}

/// The modules directly below a folder: files and folders, without `mod.rs`, `lib.rs` and tests.
fn children(dir: &Path) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for path in rust_files(dir) {
        let first = path.strip_prefix(dir).unwrap().iter().next().unwrap();
        let name = first.to_string_lossy().trim_end_matches(".rs").to_owned();
        out.insert(name);
    }
    for not in ["lib", "mod", "tests", "samples"] {
        let test_only = not != "samples" || dir.ends_with("domain");
        if test_only {
            out.remove(not);
        }
    }
    out
}

/// The first block after a heading of `ARCHITECTURE.md` that is fenced as `name`.
fn block(name: &str) -> String {
    let map = read(&root().join("ARCHITECTURE.md"));
    let start = map.find(&format!("```text {name}\n"));
    let start = start.unwrap_or_else(|| panic!("ARCHITECTURE.md has no block {name}"));
    let inside = map[start..].split_once('\n').unwrap().1;
    inside.split_once("```").unwrap().0.to_owned()
}

/// A picture of rooms: `name → one, two`, a line for each; `–` stands for none.
fn picture(name: &str) -> Vec<(String, Vec<String>)> {
    let parse = |line: &str| {
        let (room, uses) = line.split_once('→').unwrap_or_else(|| panic!("{name}: {line}"));
        let uses = uses.split("  ").find(|part| !part.trim().is_empty()).unwrap_or_default();
        let uses = uses.split(',').map(str::trim).filter(|used| *used != "–" && !used.is_empty());
        (room.trim().to_owned(), uses.map(str::to_owned).collect())
    };
    block(name).lines().filter(|line| !line.trim().is_empty()).map(parse).collect()
}

#[test]
fn the_pictures_show_the_tables() {
    for (name, table) in [("rooms", ROOMS), ("console", CONSOLE)] {
        let drawn: Vec<(String, BTreeSet<String>)> = picture(name)
            .into_iter()
            .map(|(room, uses)| (room, uses.into_iter().collect()))
            .collect();
        let held: Vec<(String, BTreeSet<String>)> = table
            .iter()
            .map(|(room, uses)| {
                ((*room).to_owned(), uses.iter().map(|used| (*used).to_owned()).collect())
            })
            .collect();
        assert_eq!(drawn, held, "picture {name} in ARCHITECTURE.md and the table in this file");
    }
}

/// The sections of the code map: the rooms in the title, and all names in code type below it.
fn code_map() -> BTreeMap<String, BTreeSet<String>> {
    let map = read(&root().join("ARCHITECTURE.md"));
    let code = map.split("\n## Code map\n").nth(1).expect("a code map");
    let code = code.split("\n## ").next().unwrap();
    let quoted = |text: &str| -> BTreeSet<String> {
        text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let mut out = BTreeMap::new();
    for section in code.split("\n### ").skip(1) {
        let (title, body) = section.split_once('\n').unwrap();
        for room in quoted(title) {
            let room = room.trim_start_matches("src/").trim_end_matches(".rs");
            out.insert(room.to_owned(), quoted(body));
        }
    }
    out
}

/// Whether a name written like a module is one: of this room at any depth, a room, or a path in the repository.
fn is_there(name: &str, room: &Path) -> bool {
    let name = name.trim_end_matches('/');
    name == env!("CARGO_PKG_NAME")
        || root().join(name).exists()
        || ROOMS.iter().any(|(room, _)| name == *room || name == format!("src/{room}"))
        || rust_files(room).iter().any(|file| {
            let module = file.with_extension("");
            module.ends_with(name) || module.parent().is_some_and(|folder| folder.ends_with(name))
        })
}

#[test]
fn the_code_map_names_every_module_and_no_other() {
    let map = code_map();
    let mut wrong = vec![];
    for (room, _) in ROOMS {
        let Some(named) = map.get(*room) else {
            wrong.push(format!("the code map has no section on src/{room}"));
            continue;
        };
        let dir = root().join("src").join(room);
        if !dir.is_dir() {
            continue;
        }
        for child in children(&dir).difference(named) {
            wrong.push(format!("the section on src/{room} does not name `{child}`"));
        }
        let modules = named.iter().filter(|name| {
            name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_/".contains(c))
        });
        for name in modules.filter(|name| !is_there(name, &dir)) {
            wrong.push(format!("the section on src/{room} names `{name}`, which is not there"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
