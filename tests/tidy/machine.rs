//! Names of machines, tools and places that mean nothing to anyone else.

use std::fs;

use crate::sources::{files, root};

/// The names are written in halves, so that this file does not contain them.
#[test]
fn no_name_of_a_private_machine_is_committed() {
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
