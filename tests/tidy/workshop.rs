//! Words that mean nothing outside the place where this was made.

use std::fs;

use crate::sources::{files, root};

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
    for path in files(&root(), &["target", ".git"]) {
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
