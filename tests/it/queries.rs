//! The checked queries are those of the sources, and a fresh database of the newest version answers them as
//! `.sqlx/` says: columns, parameters, what may be null.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{
    AssertSqlSafe, Column, Connection, Either, Executor, PgConnection, SqlSafeStr, TypeInfo,
};

use crate::support::postgres::managed;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Name and content of every file in `.sqlx/`.
fn kept() -> Vec<(String, Value)> {
    let mut out: Vec<_> = fs::read_dir(root().join(".sqlx"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, serde_json::from_str(&text).unwrap())
        })
        .collect();
    out.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(out.len() > 10, "only {} checked queries", out.len());
    out
}

/// Every string literal of the sources, as the compiler reads it.
fn literals() -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let mut open = vec![root().join("src")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for (at, _) in text.match_indices("sqlx::query") {
            let rest = &text[at..];
            let call = rest.find('(').map(|open| &rest[..open]);
            if !call.is_some_and(|call| call.ends_with('!')) {
                continue;
            }
            out.extend(literal(rest));
        }
    }
    out
}

/// The first string literal of a text.
fn literal(text: &str) -> Option<String> {
    let start = text.find('"')?;
    if text[..start].ends_with("r#") {
        let end = text[start..].find("\"#")?;
        return Some(text[start + 1..start + end].to_owned());
    }
    let mut out = String::new();
    let mut chars = text[start + 1..].chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Some(out),
            '\\' => match chars.next()? {
                '\n' => while chars.next_if(|c| c.is_whitespace()).is_some() {},
                other => out.push(other),
            },
            c => out.push(c),
        }
    }
    None
}

#[test]
fn every_file_belongs_to_a_query_and_every_query_has_its_file() {
    let sources = literals();
    let mut files = BTreeSet::new();
    for (name, file) in kept() {
        let query = file["query"].as_str().unwrap().to_owned();
        let hash = format!("{:x}", Sha256::digest(query.as_bytes()));
        assert_eq!(name, format!("query-{hash}.json"), "the name is the hash of the query");
        assert!(sources.contains(&query), "{name}: no query of the sources says\n{query}");
        files.insert(query);
    }
    let without: Vec<_> = sources.difference(&files).collect();
    assert!(without.is_empty(), "not in .sqlx (CONTRIBUTING.md says how): {without:#?}");
}

#[tokio::test]
async fn a_fresh_database_answers_as_the_files_say() {
    let options = managed().await;
    let mut conn = PgConnection::connect_with(&options).await.unwrap();
    for (name, file) in kept() {
        let query = file["query"].as_str().unwrap().to_owned();
        let described = conn
            .describe(AssertSqlSafe(query.clone()).into_sql_str())
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}\n{query}"));
        let kept = &file["describe"];
        let columns: Vec<_> = kept["columns"].as_array().unwrap().iter().collect();
        assert_eq!(columns.len(), described.columns().len(), "{name}: columns\n{query}");
        for (index, column) in columns.iter().enumerate() {
            let now = &described.columns()[index];
            assert_eq!(column["name"], now.name(), "{name}: column {index}\n{query}");
            let kind = type_name(&column["type_info"]);
            assert_eq!(kind, shown(now.type_info()), "{name}: column {index}\n{query}");
            // What an outer join may leave empty depends on the plan; there the query itself says it.
            let said = now.name().split(':').next().unwrap().ends_with(['?', '!']);
            let nullable = kept["nullable"][index].as_bool();
            if said {
                continue;
            }
            assert_eq!(nullable, described.nullable(index), "{name}: column {index}\n{query}");
        }
        let parameters = match described.parameters().unwrap() {
            Either::Left(types) => types.iter().map(shown).collect::<Vec<_>>(),
            Either::Right(count) => panic!("{name}: {count} parameters of no type"),
        };
        let expected = kept["parameters"]["Left"].as_array().unwrap();
        let expected: Vec<_> = expected.iter().map(type_name).collect();
        assert_eq!(expected, parameters, "{name}: parameters\n{query}");
    }
}

/// `Int8` and `TextArray` as the files have them, in one spelling with PostgreSQL's own names.
fn type_name(kept: &Value) -> String {
    kept.as_str().unwrap_or_else(|| panic!("{kept} is no plain type")).to_lowercase()
}

fn shown(info: &sqlx::postgres::PgTypeInfo) -> String {
    let name = info.name().to_lowercase();
    match name.strip_suffix("[]") {
        Some(element) => format!("{element}array"),
        None => name,
    }
}
