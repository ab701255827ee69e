//! Differences by hand, and applied to any two states.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::domain::{
    order::Buyer,
    samples::{self, any_order, line, order},
};

/// Lines in the order of their ids, and a buyer of whom nothing is known left out.
fn plain(order: Option<Order>) -> Option<Order> {
    order.map(|mut order| {
        order.lines.sort_by_key(|line| line.id);
        order.buyer = order.buyer.filter(|buyer| *buyer != Buyer::default());
        order
    })
}

fn differing(before: Option<&Order>, after: Option<&Order>) -> Vec<(String, String)> {
    diff(before, after)
        .iter()
        .filter(|change| !change.is_same())
        .map(|change| (change.field.to_string(), change.kind().to_string()))
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn a_cancellation() {
    let before = order();
    let mut after = order();
    after.status = Status::Cancelled;
    after.cancel_reason = Some("changed my mind".to_owned());
    after.last_modified_at = Some(samples::at("2026-11-22T09:40:31Z"));
    assert_eq!(
        differing(Some(&before), Some(&after)),
        pairs(&[("status", "changed"), ("cancel.reason", "added"), ("last_modified", "added")])
    );
    assert!(diff(Some(&before), Some(&after)).iter().any(Change::is_same));
}

#[test]
fn lines_are_told_apart_by_id() {
    let before = order();
    let mut after = order();
    after.lines = vec![line(2, 5, "33.00"), line(3, 1, "9.99")];
    assert_eq!(
        differing(Some(&before), Some(&after)),
        pairs(&[
            ("items[…0001]", "removed"),
            ("items[…0002].quantity", "changed"),
            ("items[…0003]", "added"),
        ])
    );
}

#[test]
fn a_scale_is_no_difference() {
    let before = order();
    let mut after = order();
    after.total = "61.4000".parse().unwrap();
    assert!(differing(Some(&before), Some(&after)).is_empty());
    assert_eq!(patch(Some(&before), Some(&after), true), Value::Array(Vec::new()));
}

#[test]
fn a_difference_taken_from_another_state_is_refused() {
    let mut other = order();
    other.lines.clear();
    let mut after = order();
    after.lines[0].quantity = 9;
    let changes = diff(Some(&order()), Some(&after));
    let other = apply(Some(other), &changes).unwrap_err();
    assert_eq!(other.field, Field::LineQuantity(after.lines[0].id));
    assert!(apply(None, &changes).is_err());
}

#[test]
fn a_patch_masks_what_is_personal() {
    let mut after = order();
    after.note = Some("ring twice".to_owned());
    after.status = Status::Completed;
    let masked = patch(Some(&order()), Some(&after), false).to_string();
    assert_eq!(
        masked,
        r#"[{"op":"replace","path":"/Status","value":"Completed"},{"op":"replace","path":"/Note","value":"********"}]"#
    );
    assert!(patch(Some(&order()), Some(&after), true).to_string().contains("ring twice"));
    let added = patch(None, Some(&after), false).to_string();
    assert!(!added.contains("ring twice") && !added.contains("Le Thi"), "{added}");
}

/// The little of RFC 6902 that we write.
fn patched(mut document: Value, ops: &Value) -> Value {
    for op in ops.as_array().unwrap() {
        let path = op["path"].as_str().unwrap();
        let value = op.get("value").cloned();
        if path.is_empty() {
            document = value.unwrap();
            continue;
        }
        let (parent, key) = path.rsplit_once('/').unwrap();
        match (document.pointer_mut(parent).unwrap(), op["op"].as_str().unwrap()) {
            (Value::Array(items), "add") if key == "-" => items.push(value.unwrap()),
            (Value::Array(items), "remove") => drop(items.remove(key.parse().unwrap())),
            (Value::Object(fields), "add" | "replace") => {
                assert_eq!(fields.contains_key(key), op["op"] == "replace", "{op}");
                fields.insert(key.to_owned(), value.unwrap());
            }
            (Value::Object(fields), "remove") => drop(fields.remove(key).unwrap()),
            (parent, op) => panic!("{op} on {parent}"),
        }
    }
    document
}

/// Items by id, and numbers by value.
fn comparable(mut document: Value) -> Value {
    if let Some(Value::Array(items)) = document.get_mut("OrderItems") {
        items.sort_by_key(|item| item["Id"].to_string());
        for item in items {
            comparable_number(&mut item["Price"]);
        }
    }
    if document.is_object() {
        comparable_number(&mut document["TotalPrice"]);
    }
    document
}

fn comparable_number(number: &mut Value) {
    let digits: Decimal = number.to_string().parse().unwrap();
    *number = Value::String(digits.normalize().to_string());
}

proptest! {
    #[test]
    fn apply_undoes_nothing_and_misses_nothing(
        before in proptest::option::of(any_order()),
        after in proptest::option::of(any_order()),
    ) {
        let changes = diff(before.as_ref(), after.as_ref());
        prop_assert_eq!(plain(apply(before.clone(), &changes).unwrap()), plain(after.clone()));
        let nothing = diff(after.as_ref(), after.as_ref());
        prop_assert!(nothing.iter().all(Change::is_same));
    }

    #[test]
    fn a_patch_leads_from_one_to_the_other(
        before in proptest::option::of(any_order()),
        after in proptest::option::of(any_order()),
    ) {
        let (from, to) = (patch::document(before.as_ref()), patch::document(after.as_ref()));
        let patch = patch(before.as_ref(), after.as_ref(), true);
        prop_assert_eq!(comparable(patched(from, &patch)), comparable(to));
    }
}
