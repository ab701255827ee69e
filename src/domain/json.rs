//! Fields of JSON objects by name, whatever the case of their keys: stores and serializers write `OrderId`,
//! `orderId` or `order_id` as they are configured, and .NET's readers do not tell capitals from small letters.

use serde_json::{Map, Value};

/// The key as the object spells it: exactly so, or in any other case, with or without underscores.
#[must_use]
pub fn key<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    entry(object, name).map(|(key, _)| key.as_str())
}

/// The value under that key: exactly so, or in any other case, with or without underscores.
#[must_use]
pub fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    entry(object, name).map(|(_, value)| value)
}

/// The same of a value that may be no object.
#[must_use]
pub fn field_of<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    field(value.as_object()?, name)
}

fn entry<'a>(object: &'a Map<String, Value>, name: &str) -> Option<(&'a String, &'a Value)> {
    object.get_key_value(name).or_else(|| object.iter().find(|(key, _)| same(key, name)))
}

/// Whether the names differ by case and underscores only: `order_items` and `OrderItems`.
fn same(one: &str, other: &str) -> bool {
    let letters = |name: &'_ str| -> Vec<u8> {
        name.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase()).collect()
    };
    one.eq_ignore_ascii_case(other) || one.contains('_') && letters(one) == letters(other)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_in_any_case_the_exact_one_first() {
        let body = json!({"order": 1, "Order": 2, "ORDERITEMS": 3});
        assert_eq!(field_of(&body, "Order"), Some(&json!(2)));
        assert_eq!(field_of(&body, "OrderItems"), Some(&json!(3)));
        assert_eq!(field_of(&body, "Note"), None);
        assert_eq!(field_of(&json!({"order_items": 4}), "OrderItems"), Some(&json!(4)));
        assert_eq!(field_of(&json!([1]), "Order"), None);
        assert_eq!(key(body.as_object().unwrap(), "orderItems"), Some("ORDERITEMS"));
    }
}
