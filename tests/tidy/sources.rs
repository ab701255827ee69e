//! The files that the rules are about.

use std::{
    fs,
    path::{Path, PathBuf},
};

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below a folder, the folders in `without` left out.
pub(crate) fn files(dir: &Path, without: &[&str]) -> Vec<PathBuf> {
    let mut out = vec![];
    let mut open = vec![dir.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if without.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() { open.push(path) } else { out.push(path) }
        }
    }
    out.sort();
    out
}

pub(crate) fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut out = files(dir, &[]);
    out.retain(|path| path.extension().is_some_and(|ext| ext == "rs"));
    assert!(!out.is_empty(), "no sources found below {}", dir.display());
    out
}

/// The part of a file that ships: what follows `#[cfg(test)] mod tests {` is not looked at.
pub(crate) fn shipped_text(path: &Path) -> String {
    let text = read(path);
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Files that are compiled for tests only.
pub(crate) fn is_test_file(path: &Path) -> bool {
    path.ends_with("domain/samples.rs")
        || path.file_name().is_some_and(|name| name == "tests.rs")
        || path.strip_prefix(root()).unwrap_or(path).iter().any(|part| part == "tests")
}
