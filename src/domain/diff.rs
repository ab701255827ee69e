//! What differs between two states of an order, field by field.

use serde_json::{Value, json};

use super::{
    body::{self, status_name},
    mask,
    order::{Line, Order},
};

/// How a field changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Same,
    Changed,
    Added,
    Removed,
}

/// One field in both states. Values are as people read them; none where the field has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub field: String,
    pub a: Option<String>,
    pub b: Option<String>,
    pub kind: Kind,
    /// The values are personal data.
    pub personal: bool,
}

/// Every field of either state, in a fixed order, lines by their id.
#[must_use]
pub fn between(a: Option<&Order>, b: Option<&Order>) -> Vec<Change> {
    let (left, right) = (fields(a), fields(b));
    let mut out: Vec<Change> = vec![];
    let names = left.iter().chain(&right).map(|field| &field.name);
    let mut seen: Vec<&String> = vec![];
    for name in names {
        if seen.contains(&name) {
            continue;
        }
        seen.push(name);
        let find = |fields: &[Field]| {
            fields.iter().find(|field| field.name == *name).and_then(|field| field.value.clone())
        };
        let personal = left.iter().chain(&right).any(|field| field.name == *name && field.personal);
        let (a, b) = (find(&left), find(&right));
        let kind = match (&a, &b) {
            (Some(a), Some(b)) if a == b => Kind::Same,
            (Some(_), Some(_)) => Kind::Changed,
            (None, Some(_)) => Kind::Added,
            (Some(_), None) => Kind::Removed,
            (None, None) => Kind::Same,
        };
        out.push(Change { field: name.clone(), a, b, kind, personal });
    }
    out
}

struct Field {
    name: String,
    value: Option<String>,
    personal: bool,
}

fn fields(order: Option<&Order>) -> Vec<Field> {
    let Some(order) = order else { return vec![] };
    let plain = |name: &str, value: Option<String>| Field {
        name: name.to_owned(),
        value,
        personal: false,
    };
    let covered = |name: &str, value: Option<String>| Field { personal: true, ..plain(name, value) };
    let buyer = order.buyer.clone().unwrap_or_default();
    let time = |at: Option<chrono::DateTime<chrono::Utc>>| {
        at.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    };
    let mut out = vec![
        plain("status", Some(status_name(order.status))),
        plain("total", Some(order.total.to_string())),
        covered("note", order.note.clone()),
        plain("cancel.reason", order.cancel_reason.clone()),
        plain("buyer.id", order.buyer_id.map(|id| id.to_string())),
        covered("buyer.name", buyer.name),
        covered("buyer.street", buyer.street),
        covered("buyer.city", buyer.city),
        covered("buyer.province", buyer.province),
        plain("deleted", Some(order.is_deleted.to_string())),
        plain("created", time(order.created_at)),
        plain("last_modified", time(order.last_modified_at)),
        plain("lines", Some(order.lines.len().to_string())),
    ];
    out.extend(order.lines.iter().map(|line| {
        let value = format!("{} × {} @ {}", line.quantity, line.book.short(), line.price);
        plain(&format!("line {}", line.id.short()), Some(value))
    }));
    out
}

/// The difference as a JSON patch (RFC 6902) over the order as event bodies have it.
#[must_use]
pub fn patch(a: Option<&Order>, b: Option<&Order>) -> Value {
    let body = |order: Option<&Order>| {
        let mut value = order.map_or(Value::Null, body::write_order);
        if let (Some(reason), Some(object)) =
            (order.and_then(|order| order.cancel_reason.clone()), value.as_object_mut())
        {
            object.insert("Reason".to_owned(), Value::String(reason));
        }
        value
    };
    let mut ops = vec![];
    walk("", &body(a), &body(b), &mut ops);
    Value::Array(ops)
}

fn walk(path: &str, a: &Value, b: &Value, ops: &mut Vec<Value>) {
    if a == b {
        return;
    }
    let (Some(left), Some(right)) = (a.as_object(), b.as_object()) else {
        ops.push(json!({"op": "replace", "path": path, "value": b}));
        return;
    };
    let below = |key: &str| format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
    for key in left.keys().filter(|key| !right.contains_key(*key)) {
        ops.push(json!({"op": "remove", "path": below(key)}));
    }
    for (key, value) in right {
        match left.get(key) {
            Some(old) => walk(&below(key), old, value, ops),
            None => ops.push(json!({"op": "add", "path": below(key), "value": value})),
        }
    }
}

/// Covers personal values in a patch: those under a personal key, and those whose path ends in one.
pub fn mask_patch(patch: &mut Value) {
    for op in patch.as_array_mut().into_iter().flatten() {
        let path = op["path"].as_str().unwrap_or_default();
        let key = path.rsplit('/').next().unwrap_or_default().to_owned();
        let mut wrapped = json!({ key.clone(): op["value"].take() });
        mask::mask_json(&mut wrapped);
        let value = wrapped[&key].take();
        if op["op"] == "remove" {
            if let Some(op) = op.as_object_mut() {
                op.remove("value");
            }
        } else {
            op["value"] = value;
        }
    }
}

/// Puts a patch made by [`patch`] onto the first of its two orders.
///
/// # Errors
/// The operation that does not fit.
pub fn apply(order: Option<&Order>, patch: &Value) -> Result<Value, String> {
    let mut value = order.map_or(Value::Null, body::write_order);
    if let (Some(order), Some(object)) = (order, value.as_object_mut())
        && let Some(reason) = &order.cancel_reason
    {
        object.insert("Reason".to_owned(), Value::String(reason.clone()));
    }
    for op in patch.as_array().into_iter().flatten() {
        let wrong = || format!("the operation {op} does not fit");
        let path = op["path"].as_str().ok_or_else(wrong)?;
        if path.is_empty() {
            value = op["value"].clone();
            continue;
        }
        let (parent, key) = path.rsplit_once('/').ok_or_else(wrong)?;
        let key = key.replace("~1", "/").replace("~0", "~");
        let object =
            value.pointer_mut(parent).and_then(Value::as_object_mut).ok_or_else(wrong)?;
        if op["op"] == "remove" {
            object.remove(&key);
        } else {
            object.insert(key, op["value"].clone());
        }
    }
    Ok(value)
}

/// Whether two sets of lines say the same, whatever their order and ids.
#[must_use]
pub fn same_lines(a: &[Line], b: &[Line]) -> bool {
    let sorted = |lines: &[Line]| {
        let key = |line: &Line| (line.book, line.quantity, line.price.normalize());
        let mut lines: Vec<_> = lines.iter().map(key).collect();
        lines.sort_unstable();
        lines
    };
    sorted(a) == sorted(b)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::body::tests::any_order;

    proptest! {
        #[test]
        fn a_patch_leads_from_one_to_the_other(
            a in proptest::option::of(any_order()), b in proptest::option::of(any_order()),
        ) {
            let patch = patch(a.as_ref(), b.as_ref());
            let made = apply(a.as_ref(), &patch).unwrap();
            prop_assert_eq!(made, b.as_ref().map_or(Value::Null, body::write_order));
        }

        #[test]
        fn an_order_does_not_differ_from_itself(a in any_order()) {
            prop_assert!(between(Some(&a), Some(&a)).iter().all(|change| change.kind == Kind::Same));
            prop_assert_eq!(patch(Some(&a), Some(&a)), Value::Array(vec![]));
            prop_assert!(same_lines(&a.lines, &a.lines));
        }

        #[test]
        fn from_nothing_everything_is_added(a in any_order()) {
            let changes = between(None, Some(&a));
            prop_assert!(changes.iter().all(|c| c.a.is_none() && c.kind != Kind::Changed));
        }
    }
}
