//! Properties and headers of AMQP messages: as JSON, and without what must not be sent again.

use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, ShortString},
};
use serde_json::{Map, Value, json};

/// The properties a message had before it failed. A user id other than ours would be refused (406).
pub(super) fn without_fault(properties: &BasicProperties, user: &str) -> BasicProperties {
    let mut kept = properties.clone();
    if let Some(headers) = properties.headers() {
        let mut table = FieldTable::default();
        for (name, value) in headers {
            if !tells_of_failure(name.as_str()) {
                table.insert(name.clone(), value.clone());
            }
        }
        kept = kept.with_headers(table);
    }
    let foreign = properties.user_id().as_ref().is_some_and(|id| id.as_str() != user);
    if foreign { without_user(&kept, true) } else { kept }
}

/// Whether the header is added by MassTransit when a message fails for good, or by a quorum queue on delivery.
fn tells_of_failure(name: &str) -> bool {
    name == "MT-Reason"
        || name == "x-delivery-count"
        || name.starts_with("MT-Fault-")
        || name.starts_with("MT-Host-")
}

/// How one text property is set.
type Setter = fn(BasicProperties, ShortString) -> BasicProperties;

/// A property cannot be unset, so all others are copied; the time to live too if it `expires`.
pub(super) fn without_user(properties: &BasicProperties, expires: bool) -> BasicProperties {
    let mut out = BasicProperties::default();
    if let Some(value) = properties.headers() {
        out = out.with_headers(value.clone());
    }
    if let Some(value) = properties.delivery_mode() {
        out = out.with_delivery_mode(*value);
    }
    if let Some(value) = properties.priority() {
        out = out.with_priority(*value);
    }
    if let Some(value) = properties.timestamp() {
        out = out.with_timestamp(*value);
    }
    if let Some(value) = properties.expiration().as_ref().filter(|_| expires) {
        out = out.with_expiration(value.clone());
    }
    let texts: [(&Option<ShortString>, Setter); 7] = [
        (properties.content_type(), BasicProperties::with_content_type),
        (properties.content_encoding(), BasicProperties::with_content_encoding),
        (properties.correlation_id(), BasicProperties::with_correlation_id),
        (properties.reply_to(), BasicProperties::with_reply_to),
        (properties.message_id(), BasicProperties::with_message_id),
        (properties.kind(), BasicProperties::with_type),
        (properties.app_id(), BasicProperties::with_app_id),
    ];
    for (value, set) in texts {
        if let Some(value) = value {
            out = set(out, value.clone());
        }
    }
    out
}

/// A header table as JSON. Bytes that are no text are shown as such.
pub(super) fn table(fields: &FieldTable) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.as_str().to_owned(), plain(value))).collect()
}

fn plain(value: &AMQPValue) -> Value {
    match value {
        AMQPValue::Boolean(value) => json!(value),
        AMQPValue::ShortShortInt(value) => json!(value),
        AMQPValue::ShortShortUInt(value) => json!(value),
        AMQPValue::ShortInt(value) => json!(value),
        AMQPValue::ShortUInt(value) => json!(value),
        AMQPValue::LongInt(value) => json!(value),
        AMQPValue::LongUInt(value) => json!(value),
        AMQPValue::LongLongInt(value) => json!(value),
        AMQPValue::Timestamp(value) => json!(value),
        AMQPValue::Float(value) => json!(value),
        AMQPValue::Double(value) => json!(value),
        AMQPValue::ShortString(text) => json!(text.as_str()),
        AMQPValue::LongString(text) => json!(String::from_utf8_lossy(text.as_bytes())),
        AMQPValue::ByteArray(bytes) => json!(String::from_utf8_lossy(bytes.as_slice())),
        AMQPValue::FieldArray(values) => values.as_slice().iter().map(plain).collect(),
        AMQPValue::FieldTable(fields) => Value::Object(table(fields)),
        AMQPValue::DecimalValue(value) => json!(format!("{value:?}")),
        AMQPValue::Void => Value::Null,
    }
}
