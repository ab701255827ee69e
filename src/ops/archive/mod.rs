//! Archived messages in full, as verbs and screen show them.

pub mod report;

use serde_json::Value;
use sqlx::PgConnection;

use crate::{
    db::{
        self,
        archive::{self, ArchivedMessage},
    },
    domain::{
        fault::{Fault, Raw},
        id::OrderId,
        mask,
        report::{Cell, Table},
    },
};

/// A copy with all of it but a very long body's end.
#[derive(Debug, Clone, PartialEq)]
pub struct Whole {
    pub kept: ArchivedMessage,
    pub body: Vec<u8>,
    /// The other columns of its row, or properties and headers of a message from a queue.
    pub rest: Value,
    /// The order that its message names.
    pub order: Option<OrderId>,
}

/// What is long or may be personal.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    pub headers: Value,
    pub properties: Value,
    pub body: Value,
}

/// Reads a copy; nothing where there is none of that number.
pub async fn read(conn: &mut PgConnection, number: i64) -> Result<Option<Whole>, db::Error> {
    let Some(kept) = archive::listed(conn, number).await? else { return Ok(None) };
    let Some((body, rest)) = archive::whole(conn, number).await? else { return Ok(None) };
    let raw = Raw { body, ..Raw::default() };
    let order = Fault::read(&raw).order;
    Ok(Some(Whole { kept, body: raw.body, rest, order }))
}

impl Whole {
    /// Everything but headers, properties and body; when it was put back as a list newer than this knows it.
    #[must_use]
    pub fn fields(&self, listed: &ArchivedMessage) -> Table {
        let mut table = report::fields(listed);
        let mut say = |name: &str, value: String| {
            table.rows.push(vec![Cell::Text(name.to_owned()), Cell::Text(value)]);
        };
        if let Some(order) = self.order {
            say("order", order.to_string());
        }
        // Those that stand above already, or in parts of their own.
        let said =
            ["headers", "properties", "body", "message_id", "message_type", "destination_address"];
        let others = self.rest.as_object().into_iter().flatten();
        for (name, value) in others.filter(|(name, _)| !said.contains(&name.as_str())) {
            let name = match name.as_str() {
                "inbox_message_id" => "consumed",
                "inbox_consumer_id" => "consumer",
                "home" => "came from",
                name => name.trim_end_matches("_id").trim_end_matches("_number"),
            };
            match value {
                Value::Null => {}
                Value::String(text) => say(name, text.clone()),
                other => say(name, other.to_string()),
            }
        }
        table
    }

    /// Headers, properties and body, personal data covered unless it was revealed.
    #[must_use]
    pub fn parts(&self, masked: bool) -> Parts {
        Parts {
            headers: self.part("headers", masked),
            properties: self.part("properties", masked),
            body: mask::json_text(&String::from_utf8_lossy(&self.body), !masked),
        }
    }

    /// An object of AMQP, or the text of an outbox row's column.
    fn part(&self, name: &str, masked: bool) -> Value {
        match &self.rest[name] {
            Value::String(text) => mask::json_text(text, !masked),
            other => mask::covered(other, masked),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;

    fn whole(body: &str, rest: Value) -> Whole {
        let kept = ArchivedMessage {
            number: 7,
            at: DateTime::UNIX_EPOCH,
            operation: None,
            cause: "discarded".to_owned(),
            place: "basket_error".to_owned(),
            message: None,
            kinds: None,
            destination: None,
            bytes: 9,
            returned: None,
        };
        Whole { kept, body: body.as_bytes().to_vec(), rest, order: None }
    }

    #[test]
    fn what_is_personal_is_covered_in_every_part() {
        let rest = json!({
            "key": "85b4", "verdict": "done", "home": null,
            "headers": { "MT-Fault-Message": "no basket of v@example.org", "n": 3 },
            "properties": { "message_id": "7" },
        });
        let body = r#"{"message": {"email": "v@example.org", "orderId": "1"}}"#;
        let copy = whole(body, rest);
        let parts = copy.parts(true);
        assert!(!format!("{parts:?}").contains("@example.org"), "{parts:?}");
        assert_eq!(
            (&parts.headers["n"], &parts.properties["message_id"]),
            (&json!(3), &json!("7"))
        );
        let parts = copy.parts(false);
        assert_eq!(parts.body["message"]["email"], "v@example.org");
        assert_eq!(parts.headers["MT-Fault-Message"], "no basket of v@example.org");
        let fields = format!("{:?}", copy.fields(&copy.kept).rows);
        assert!(fields.contains("verdict") && !fields.contains("home"), "{fields}");
    }

    #[test]
    fn texts_of_an_outbox_row_are_read_and_what_is_no_json_is_covered_whole() {
        let rest = json!({ "message_type": "urn:a", "headers": "{\"a\": \"v@example.org\"}", "properties": null });
        let copy = whole("Vo Chi, 7 High Street", rest);
        let parts = copy.parts(true);
        assert!(!format!("{parts:?}").contains("example.org"), "{parts:?}");
        assert!(!format!("{parts:?}").contains("High Street"), "{parts:?}");
        assert_eq!(copy.parts(false).headers["a"], "v@example.org");
    }
}
