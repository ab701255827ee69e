//! A difference as a JSON patch (RFC 6902).

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use crate::domain::{body::order_json, mask, order::Order};

/// The operations that turn one order into the other: its `Order` object as event bodies have it,
/// with `CancelReason` added. Personal values are masked unless `revealed`.
#[must_use]
pub fn patch(before: Option<&Order>, after: Option<&Order>, revealed: bool) -> Value {
    let mut ops = Vec::new();
    walk(String::new(), &document(before), &document(after), &mut ops);
    Value::Array(ops.into_iter().map(|op| op.into_json(revealed)).collect())
}

pub(super) fn document(order: Option<&Order>) -> Value {
    let Some(order) = order else { return Value::Null };
    let mut document = order_json(order);
    if let Value::Object(fields) = &mut document {
        fields.insert("CancelReason".to_owned(), json!(order.cancel_reason));
    }
    document
}

struct Op {
    name: &'static str,
    path: String,
    value: Option<Value>,
}

impl Op {
    fn into_json(self, revealed: bool) -> Value {
        let mut fields = Map::new();
        let key = self.path.rsplit('/').next().unwrap_or_default().to_owned();
        fields.insert("op".to_owned(), json!(self.name));
        fields.insert("path".to_owned(), json!(self.path));
        if let Some(value) = self.value {
            let mut keyed = json!({ key.as_str(): value });
            if !revealed {
                mask::mask_json(&mut keyed);
            }
            fields.insert("value".to_owned(), keyed[key.as_str()].take());
        }
        Value::Object(fields)
    }
}

/// The keys are our own and need no escaping.
fn walk(path: String, before: &Value, after: &Value, ops: &mut Vec<Op>) {
    match (before, after) {
        (before, after) if same(before, after) => {}
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in old {
                let path = format!("{path}/{key}");
                match new.get(key) {
                    Some(after) => walk(path, value, after, ops),
                    None => ops.push(Op { name: "remove", path, value: None }),
                }
            }
            for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
                let path = format!("{path}/{key}");
                ops.push(Op { name: "add", path, value: Some(value.clone()) });
            }
        }
        (Value::Array(old), Value::Array(new)) => items(&path, old, new, ops),
        (_, after) => ops.push(Op { name: "replace", path, value: Some(after.clone()) }),
    }
}

/// Items by their ids. From the last to the first, so that places still to be named stay right.
fn items(path: &str, old: &[Value], new: &[Value], ops: &mut Vec<Op>) {
    let find = |items: &[Value], id: &Value| items.iter().find(|item| item["Id"] == *id).cloned();
    for (place, item) in old.iter().enumerate().rev() {
        let path = format!("{path}/{place}");
        match find(new, &item["Id"]) {
            Some(after) => walk(path, item, &after, ops),
            None => ops.push(Op { name: "remove", path, value: None }),
        }
    }
    for item in new.iter().filter(|item| find(old, &item["Id"]).is_none()) {
        ops.push(Op { name: "add", path: format!("{path}/-"), value: Some(item.clone()) });
    }
}

/// 61.4 is 61.40, whatever its digits.
fn same(one: &Value, other: &Value) -> bool {
    let decimal = |value: &Value| Decimal::from_str_exact(&value.to_string()).ok();
    match (one, other) {
        (Value::Number(_), Value::Number(_)) => {
            one == other || decimal(one).is_some_and(|one| Some(one) == decimal(other))
        }
        _ => one == other,
    }
}
