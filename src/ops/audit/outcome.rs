//! What became of what an entry records, in words.

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Recorded;
use crate::db::{self, Db, audit};

/// How an operation ended that had been recorded when it began.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    pub operation: Uuid,
    /// The audit number of that entry.
    pub number: i64,
    pub after: Value,
}

/// The endings of these entries, as far as they are on record.
///
/// # Errors
/// When the log cannot be read.
pub async fn endings(
    db: &Db,
    entries: &[Recorded],
    stop: &CancellationToken,
) -> Result<Vec<Ending>, db::Error> {
    let begun: Vec<_> = entries.iter().filter(|entry| begins(entry)).collect();
    if begun.is_empty() {
        return Ok(vec![]);
    }
    let ids: Vec<_> = begun.iter().map(|entry| entry.operation).collect();
    let found = db.read("audit", stop, async |conn| audit::endings(conn, &ids).await).await?;
    Ok(found
        .into_iter()
        .map(|(operation, number, after)| Ending { operation, number, after })
        .collect())
}

/// Whether it was recorded before anything was done: work with the broker. What was selected is its value.
fn begins(entry: &Recorded) -> bool {
    let broker = ["ReplayErrors", "DiscardErrors", "RestoreErrors", "DrainOutbox"];
    broker.contains(&&*entry.intent)
        && entry.after.as_ref().is_some_and(|after| after.get("ended").is_none())
}

/// What became of it; none where the entry says nothing of that.
#[must_use]
pub fn outcome(entry: &Recorded, endings: &[Ending]) -> Option<String> {
    let after = entry.after.as_ref()?;
    if begins(entry) {
        let ending = endings.iter().find(|ending| ending.operation == entry.operation);
        return Some(ending.map_or_else(
            || "no end is on record: it was killed, or still runs".to_owned(),
            |ending| format!("{}; see {}", became(&ending.after), ending.number),
        ));
    }
    match after.get("told").and_then(Value::as_str) {
        Some(told) => Some(told.to_owned()),
        None if after.get("ended").is_some() => Some(became(after)),
        None => None,
    }
}

/// `done 3, left 1, stopped: the broker went away`
fn became(after: &Value) -> String {
    let (state, fields) = match &after["became"] {
        Value::String(state) => (Some(state.clone()), after.as_object()),
        became => (None, became.as_object()),
    };
    let figures = fields.into_iter().flatten().filter_map(|(name, value)| match value {
        Value::Array(list) if !list.is_empty() => Some(format!("{name} {}", list.len())),
        Value::Number(number)
            if !matches!(name.as_str(), "operation" | "ended") && number.as_i64() != Some(0) =>
        {
            Some(format!("{name} {number}"))
        }
        Value::String(text) if name == "stopped" => Some(format!("stopped: {text}")),
        _ => None,
    });
    let words: Vec<_> = state.into_iter().chain(figures).collect();
    if words.is_empty() { "nothing was done".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(intent: &str, after: Value) -> Recorded {
        Recorded {
            number: 7,
            operation: Uuid::from_u128(1),
            at: chrono::DateTime::UNIX_EPOCH,
            operator: "mai".to_owned(),
            host: "desk".to_owned(),
            role: "support".to_owned(),
            login: "mai".to_owned(),
            intent: intent.to_owned(),
            targets: vec![],
            reason: None,
            before: None,
            after: Some(after),
            erased: false,
        }
    }

    #[test]
    fn it_is_told_what_became_of_every_kind_of_entry() {
        let ended = |became: Value| json!({ "ended": Uuid::from_u128(1), "became": became });
        let done = ended(json!({ "done": ["a", "b"], "left": [], "stopped": "it was enough" }));
        let ending = Ending { operation: Uuid::from_u128(1), number: 8, after: done.clone() };
        let begun = entry("ReplayErrors", json!([{ "key": "a" }]));
        for (entry, endings, told) in [
            (entry("CancelOrder", json!({ "told": "it is" })), vec![], Some("it is")),
            (entry("UnlockWrites", Value::Null), vec![], None),
            (begun.clone(), vec![], Some("no end is on record: it was killed, or still runs")),
            (begun, vec![ending], Some("done 2, stopped: it was enough; see 8")),
            (entry("ReplayErrors", done), vec![], Some("done 2, stopped: it was enough")),
            (
                entry("DrainOutbox", ended(json!({ "delivered": 0 }))),
                vec![],
                Some("nothing was done"),
            ),
            (
                entry(
                    "PurgeInbox",
                    json!({ "ended": 1, "operation": 3, "became": "done", "done": 5 }),
                ),
                vec![],
                Some("done, done 5"),
            ),
        ] {
            assert_eq!(outcome(&entry, &endings).as_deref(), told, "{entry:?}");
        }
    }
}
