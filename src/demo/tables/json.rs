//! JSON written straight into a string: millions of bodies are made of a few shapes.

use std::fmt::Write;

use uuid::Uuid;

use super::copy::push_id;
use crate::demo::moment::Moment;

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
    push_id(out, id);
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
