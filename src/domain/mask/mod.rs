//! Masks for personal data, which are shown until an operator reveals it. What is not known is covered: `listed` says
//! what may be seen.

mod listed;
mod words;

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::text::clean;
use listed::{Key, is_key, is_moment, is_short_number};

pub use listed::is_id;
pub use words::{mask_frame, mask_text};

/// Replaces any personal text, whatever its length: the length is information as well.
pub const MASK: &str = "********";

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

/// The same for a column of ids that may hold any text: ids are always shown.
#[must_use]
pub fn veil_id(text: &str, revealed: bool) -> Cow<'_, str> {
    veil(text, revealed || is_id(text))
}

/// A copy of the value, covered when masked.
#[must_use]
pub fn covered(value: &Value, masked: bool) -> Value {
    let mut value = value.clone();
    if masked {
        mask_json(&mut value);
    }
    value
}

/// A stored text as JSON, covered unless revealed. What does not parse is shown when revealed only.
#[must_use]
pub fn json_text(text: &str, revealed: bool) -> Value {
    match serde_json::from_str(text) {
        Ok(mut body) => {
            if !revealed {
                mask_json(&mut body);
            }
            body
        }
        Err(_) => Value::from(veil(text, revealed)),
    }
}

/// Covers a body, however deep, except what is listed. JSON in a text is covered as JSON.
pub fn mask_json(body: &mut Value) {
    mask_under(body, Key::Unknown);
}

fn mask_under(value: &mut Value, key: Key) {
    match value {
        Value::Object(fields) => {
            for (name, mut value) in std::mem::take(fields) {
                let own = match Key::of(&name) {
                    _ if key == Key::Personal => Key::Personal,
                    // What a technical object contains is not technical for that.
                    own => own,
                };
                mask_field(&name, own, &mut value);
                fields.insert(free(fields, name), value);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| mask_under(value, key)),
        Value::String(text) => mask_string(text, key),
        Value::Number(number) if !key.shows_number(&number.to_string()) => {
            *value = Value::from(MASK);
        }
        _ => {}
    }
}

fn mask_field(name: &str, key: Key, value: &mut Value) {
    match value {
        // Faults are told in words that help without what is personal in them.
        Value::String(text) if is_fault(name) && key != Key::Personal => *text = mask_text(text),
        value => mask_under(value, key),
    }
}

/// Whether the value is the text of a fault.
fn is_fault(name: &str) -> bool {
    ["MT-Fault-Message", "exception_message", "ExceptionMessage"].contains(&name)
}

/// The name, covered where it is data, with a number where such a name is there already.
fn free(fields: &Map<String, Value>, name: String) -> String {
    if is_key(&name) {
        return name;
    }
    let mut covered = MASK.to_owned();
    let mut count = 1;
    while fields.contains_key(&covered) {
        count += 1;
        covered = format!("{MASK} {count}");
    }
    covered
}

fn mask_string(text: &mut String, key: Key) {
    if key.shows(text) {
        return;
    }
    *text = match serde_json::from_str(text) {
        // A message's body as its row has it.
        Ok(mut inner @ (Value::Object(_) | Value::Array(_))) => {
            mask_under(&mut inner, key);
            inner.to_string()
        }
        _ => MASK.to_owned(),
    };
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
    if text.is_empty() || is_id(text) || is_moment(text) || is_short_number(text) {
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
mod tests;
