//! Masks for personal data, which are shown until an operator reveals it.

use std::borrow::Cow;

use serde_json::Value;

use super::text::clean;

/// Replaces any personal text, whatever its length: the length is information as well.
pub const MASK: &str = "********";

/// Keys of event, message and document bodies that hold personal data, in lower case.
const PERSONAL_KEYS: &[&str] = &[
    "name",
    "fullname",
    "buyername",
    "street",
    "address_street",
    "address_city",
    "address_province",
    "city",
    "province",
    "address",
    "fulladdress",
    "email",
    "note",
    "reason",
    "cancelreason",
    "phone",
];

/// The mask, or nothing where there is nothing to hide.
#[must_use]
pub const fn mask(text: &str) -> &'static str {
    if text.is_empty() { "" } else { MASK }
}

/// `L*** T.` for `Le Thi`: enough to distinguish two rows, too little to identify a person.
#[must_use]
pub fn mask_name(name: &str) -> String {
    let initial = |word: &str| clean(word).chars().next().unwrap_or('*');
    let mut words = name.split_whitespace();
    match (words.next(), words.next_back()) {
        (None, _) => mask(name).to_owned(),
        (Some(only), None) => format!("{}***", initial(only)),
        (Some(first), Some(last)) => format!("{}*** {}.", initial(first), initial(last)),
    }
}

/// The text itself when revealed, else its mask; always clean.
#[must_use]
pub fn veil(text: &str, revealed: bool) -> Cow<'_, str> {
    if revealed { clean(text) } else { Cow::Borrowed(mask(text)) }
}

/// Masks every text and number under a personal key of a body, however deep. Ids stay.
pub fn mask_json(body: &mut Value) {
    mask_under(body, false);
}

fn mask_under(value: &mut Value, personal: bool) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let named = PERSONAL_KEYS.iter().any(|known| key.eq_ignore_ascii_case(known));
                let id = key.eq_ignore_ascii_case("id");
                mask_under(value, named || (personal && !id));
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| mask_under(value, personal)),
        Value::String(text) if personal => mask(text).clone_into(text),
        // A message's body as its row has it: JSON in a text.
        Value::String(text) if text.starts_with(['{', '[']) => {
            if let Ok(mut inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text)
            {
                mask_under(&mut inner, false);
                *text = inner.to_string();
            }
        }
        Value::Number(_) if personal => *value = Value::from(MASK),
        _ => {}
    }
}

/// SQL whose quoted texts are covered: ids, times and numbers stay, JSON is covered
/// under its personal keys, everything else may be personal.
#[must_use]
pub fn masked_sql(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('\'') {
        out.push_str(&rest[..=start]);
        rest = &rest[start + 1..];
        let (literal, after) = literal(rest);
        out.push_str(&veiled(&literal));
        out.push('\'');
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The text up to the quote that ends it (two are one inside), and what follows.
fn literal(text: &str) -> (String, &str) {
    let mut out = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '\'' {
            out.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == '\'') {
            chars.next();
            out.push('\'');
        } else {
            return (out, &text[at + 1..]);
        }
    }
    (out, "")
}

fn veiled(text: &str) -> String {
    let plain = text.is_empty()
        || uuid::Uuid::try_parse(text).is_ok()
        || text.parse::<f64>().is_ok()
        || chrono::DateTime::parse_from_rfc3339(text).is_ok()
        || chrono::DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z").is_ok();
    if plain {
        return text.to_owned();
    }
    match serde_json::from_str::<Value>(text) {
        Ok(mut body) if body.is_object() || body.is_array() => {
            mask_json(&mut body);
            body.to_string().replace('\'', "''")
        }
        _ => MASK.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names() {
        assert_eq!(mask_name("Le Thi"), "L*** T.");
        assert_eq!(mask_name("Nguyen Van An"), "N*** A.");
        assert_eq!(mask_name("Cher"), "C***");
        assert_eq!(mask_name(" "), MASK);
        assert_eq!(mask_name(""), "");
        assert_eq!(mask_name("\u{202E}evil \u{1b}x"), "\\*** ␛.");
    }

    #[test]
    fn texts_show_neither_words_nor_length() {
        assert_eq!(mask("leave at the door"), mask("x"));
        assert_eq!(mask(""), "");
        assert_eq!(veil("a\u{1b}", true), "a␛");
        assert_eq!(veil("a\u{1b}", false), MASK);
    }

    #[test]
    fn rows_and_bodies_inside_texts() {
        let mut row = json!({"address_city": "Hue", "body": "{\"FullName\":\"Le Thi\",\"n\":1}",
            "odd": "{not json", "headers": "[{\"Email\":\"a@b\"}]"});
        mask_json(&mut row);
        assert_eq!(
            row,
            json!({"address_city": MASK, "body": format!("{{\"FullName\":\"{MASK}\",\"n\":1}}"),
                "odd": "{not json", "headers": format!("[{{\"Email\":\"{MASK}\"}}]")})
        );
    }

    #[test]
    fn bodies() {
        let mut body = json!({"Order": {"Id": "1", "Note": "door", "Status": "New",
            "Buyer": {"Id": "2", "Name": "Le Thi", "Address": {"Street": "8 Book Lane", "City": null}}},
            "email": "a@b", "Address": [{"Line": "x"}],
            "items": [{"fullName": "x", "Quantity": 2}]});
        mask_json(&mut body);
        assert_eq!(
            body,
            json!({"Order": {"Id": "1", "Note": MASK, "Status": "New",
                "Buyer": {"Id": "2", "Name": MASK, "Address": {"Street": MASK, "City": null}}},
                "email": MASK, "Address": [{"Line": MASK}],
                "items": [{"fullName": MASK, "Quantity": 2}]})
        );
    }

    #[test]
    fn quoted_texts_are_covered_ids_times_and_numbers_are_not() {
        let id = "019aab5c-2ba6-7b40-9d2a-5e0c4b1f8c41";
        let sql = format!(
            "UPDATE buyers SET name = 'O''Le', n = '7' WHERE id = '{id}' AND at = \
             '2026-11-22T09:12:04Z' AND data = '{{\"Note\":\"x\",\"Id\":\"{id}\"}}'"
        );
        assert_eq!(
            masked_sql(&sql),
            format!(
                "UPDATE buyers SET name = '{MASK}', n = '7' WHERE id = '{id}' AND at = \
                 '2026-11-22T09:12:04Z' AND data = '{{\"Note\":\"{MASK}\",\"Id\":\"{id}\"}}'"
            )
        );
        assert_eq!(masked_sql("it's"), format!("it'{MASK}'"));
        assert_eq!(masked_sql("plain"), "plain");
    }
}
