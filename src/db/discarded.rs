//! Messages that were taken out of error queues, kept whole in schema `orderscope`.

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Error;

/// Keeps one, and tells its number. It is durable when the caller's transaction is.
pub async fn keep(
    tx: &mut PgConnection,
    operation: Uuid,
    queue: &str,
    message: Option<Uuid>,
    body: &[u8],
    rest: &Value,
) -> Result<i64, Error> {
    // jsonb knows no U+0000; a header that has one is kept without it.
    let number = sqlx::query_scalar!(
        "INSERT INTO orderscope.kept_messages (operation, cause, place, message_id, body, rest)
         VALUES ($1, 'discarded', $2, $3, $4, $5) RETURNING number",
        operation,
        queue,
        message,
        body,
        without_nul(rest)
    );
    Ok(number.fetch_one(tx).await?)
}

fn without_nul(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('\0', "")),
        Value::Array(values) => values.iter().map(without_nul).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.replace('\0', ""), without_nul(value)))
            .collect(),
        other => other.clone(),
    }
}
