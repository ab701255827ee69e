//! A message of a queue, restored from its archived copy: properties and headers are read back from JSON.

use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldArray, FieldTable, LongString, ShortString},
};
use serde_json::{Map, Value};

use super::{Confirmed, Error, QueueInspector, inspector, publisher::short};

/// The copy of a message.
#[derive(Debug, Clone, Copy)]
pub struct Republish<'a> {
    /// By the names of [`Taken::properties`](super::TakenMessage::properties).
    pub properties: &'a Value,
    pub headers: &'a Map<String, Value>,
    pub body: &'a [u8],
}

type Setter = fn(BasicProperties, ShortString) -> BasicProperties;

impl QueueInspector {
    /// Publishes the copy to a queue and waits for the confirm. Its time to live is left out, and its user id, which
    /// the broker would refuse.
    ///
    /// # Errors
    /// When the broker refuses it or the connection breaks; if only the confirm was lost, the message may be there.
    pub async fn put(&self, queue: &str, message: Republish<'_>) -> Result<Confirmed, Error> {
        let sending = self.confirmed().await?;
        let sent =
            inspector::publish(&sending, queue, message.body, message.set(), self.wait).await;
        // The broker closes it with the connection if this fails.
        let _ = inspector::within(self.wait, sending.close(200, short("done"))).await;
        sent
    }
}

impl Republish<'_> {
    fn set(&self) -> BasicProperties {
        const TEXTS: [(&str, Setter); 7] = [
            ("content_type", BasicProperties::with_content_type),
            ("content_encoding", BasicProperties::with_content_encoding),
            ("correlation_id", BasicProperties::with_correlation_id),
            ("reply_to", BasicProperties::with_reply_to),
            ("message_id", BasicProperties::with_message_id),
            ("type", BasicProperties::with_type),
            ("app_id", BasicProperties::with_app_id),
        ];
        let mut out = BasicProperties::default();
        for (name, set) in TEXTS {
            if let Some(text) = self.properties[name].as_str() {
                out = set(out, short(text));
            }
        }
        let byte = |name: &str| self.properties[name].as_u64().and_then(|n| u8::try_from(n).ok());
        if let Some(mode) = byte("delivery_mode") {
            out = out.with_delivery_mode(mode);
        }
        if let Some(priority) = byte("priority") {
            out = out.with_priority(priority);
        }
        if let Some(at) = self.properties["timestamp"].as_u64() {
            out = out.with_timestamp(at);
        }
        // A quorum queue counts deliveries by itself.
        let own = self.headers.iter().filter(|(name, _)| *name != "x-delivery-count");
        let mut headers = FieldTable::default();
        for (name, value) in own {
            headers.insert(short(name), field(value));
        }
        out.with_headers(headers)
    }
}

/// JSON knows fewer types than AMQP: whole numbers come back as long ones, bytes and times as text and numbers.
fn field(value: &Value) -> AMQPValue {
    match value {
        Value::Null => AMQPValue::Void,
        Value::Bool(value) => AMQPValue::Boolean(*value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => AMQPValue::LongLongInt(whole),
            (None, Some(broken)) => AMQPValue::Double(broken),
            (None, None) => AMQPValue::LongString(number.to_string().into()),
        },
        Value::String(text) => AMQPValue::LongString(LongString::from(text.as_str())),
        Value::Array(values) => {
            AMQPValue::FieldArray(FieldArray::from(values.iter().map(field).collect::<Vec<_>>()))
        }
        Value::Object(fields) => {
            let mut table = FieldTable::default();
            for (name, value) in fields {
                table.insert(short(name), field(value));
            }
            AMQPValue::FieldTable(table)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn properties_and_headers_come_back_but_for_what_would_lose_it() {
        let properties = json!({
            "content_type": "application/vnd.masstransit+json", "delivery_mode": 2, "priority": 4,
            "message_id": "7", "timestamp": 12, "expiration": "1000", "user_id": "ordering",
        });
        let headers = json!({
            "MT-Fault-Message": "no basket", "x-delivery-count": 3, "n": -3, "f": 0.5, "yes": true,
            "in": { "a": [1, null] },
        });
        let headers = headers.as_object().unwrap();
        let set = Republish { properties: &properties, headers, body: b"" }.set();
        assert_eq!(
            set.content_type().as_ref().map(ShortString::as_str),
            properties["content_type"].as_str()
        );
        assert_eq!(
            (*set.delivery_mode(), *set.priority(), *set.timestamp()),
            (Some(2), Some(4), Some(12))
        );
        assert!(set.expiration().is_none() && set.user_id().is_none());
        let back = Value::Object(super::super::properties::table(set.headers().as_ref().unwrap()));
        let mut kept = headers.clone();
        kept.remove("x-delivery-count");
        assert_eq!(back, Value::Object(kept));
    }
}
