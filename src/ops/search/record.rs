//! The record of searches by names: a local file that only its owner reads. It tells that and when somebody looked,
//! and whether two looked for the same; the words themselves are personal data.

use std::{fmt::Write as _, path::PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    db::Error,
    domain::search::Query,
    ops::{audit::LocalLog, operator::Operator},
};

/// The file's name in the state directory.
pub const FILE: &str = "searches.jsonl";

/// Records a search that asked for words of people, before its answer is shown. Others leave no record.
///
/// # Errors
/// When the file cannot be written: such a search is not answered.
pub async fn recorded(
    file: PathBuf,
    query: &Query,
    found: usize,
    operator: &Operator,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    if !query.asks_for_words() {
        return Ok(());
    }
    let tests: Vec<_> = query.terms.iter().map(|term| (&term.test, term.negated)).collect();
    let mut digest = String::new();
    for byte in Sha256::digest(format!("{tests:?}")) {
        // Writing to a String cannot fail.
        let _ = write!(digest, "{byte:02x}");
    }
    let line = json!({
        "at": at.to_rfc3339_opts(SecondsFormat::Micros, true),
        "operator": operator.name,
        "host": operator.host,
        "role": operator.role,
        "intent": "SearchByName",
        "sha256": digest,
        "found": found,
    });
    // Waits for the disk.
    let written = tokio::task::spawn_blocking(move || LocalLog::new(file).append(&line)).await;
    match written {
        Ok(written) => written.map_err(Error::Unrecorded),
        Err(error) => Err(Error::Unrecorded(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        search::parse,
        zone::{Clock, Zone},
    };

    #[tokio::test]
    async fn a_search_by_name_is_recorded_without_its_words() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE);
        let clock = Clock { now: DateTime::UNIX_EPOCH, zone: Zone::UTC };
        let operator = Operator::new(Some("tam"), "support").unwrap();
        for text in ["buyer:\"Le Thi\"", "status:new", "buyer:\"Le Thi\""] {
            let query = parse(text, &clock).unwrap();
            recorded(file.clone(), &query, 3, &operator, clock.now).await.unwrap();
        }
        let lines = LocalLog::new(file.clone()).lines();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["found"], &lines[0]["operator"]), (&json!(3), &json!("tam")));
        assert_eq!(lines[0]["sha256"], lines[1]["sha256"]);
        assert!(!std::fs::read_to_string(file).unwrap().contains("Thi"));
        let query = parse("buyer:x", &clock).unwrap();
        let nowhere = recorded("/dev/null/x".into(), &query, 0, &operator, clock.now).await;
        assert!(nowhere.unwrap_err().to_string().contains("without a record"));
    }
}
