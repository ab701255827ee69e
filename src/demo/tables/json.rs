//! JSON written directly into a string: millions of bodies have only a few shapes.

use std::fmt::Write;

use uuid::Uuid;

use crate::demo::moment::{Moment, push_padded};

/// A string in quotes.
pub fn push_text(out: &mut String, text: &str) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if u32::from(control) < 0x20 => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// A string or null.
pub fn push_optional(out: &mut String, text: Option<&str>) {
    match text {
        Some(text) => push_text(out, text),
        None => out.push_str("null"),
    }
}

/// An id in quotes.
pub fn push_uuid(out: &mut String, id: Uuid) {
    out.push('"');
    out.push_str(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
    out.push('"');
}

/// A moment in quotes, or null.
pub fn push_moment(out: &mut String, at: Option<Moment>) {
    match at {
        Some(at) => {
            out.push('"');
            at.push_json(out);
            out.push('"');
        }
        None => out.push_str("null"),
    }
}

/// A decimal number with two places, from hundredths: `12.50`.
pub fn push_money(out: &mut String, cents: u64) {
    push_number(out, cents / 100);
    out.push('.');
    push_padded(out, i64::try_from(cents % 100).unwrap_or_default(), 2);
}

/// A whole number.
pub fn push_number(out: &mut String, number: u64) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{number}");
}
