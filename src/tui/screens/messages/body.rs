//! Messages as text: fields, bodies, headers, as all sub-views show them.

use chrono::{DateTime, Utc};
use ratatui::text::{Line, Span};
use serde_json::Value;

use crate::{
    domain::{
        report::{Cell, Table},
        text,
    },
    tui::{shared::Shared, ui::theme::Theme, words},
};

/// Columns of a field's name: an id fits beside it at 120 columns.
pub(super) const LABEL: usize = 13;

fn cell(cell: &Cell, shared: &Shared) -> String {
    let moment = |at: DateTime<Utc>| shared.zone.show(at, "%F %T");
    match cell {
        Cell::Text(text) => text::clean(text).into_owned(),
        Cell::Number(number) => number.clone(),
        Cell::Time(at) => moment(at.to_utc()),
        Cell::Flag(flag) => flag.to_string(),
        Cell::None => String::new(),
    }
}

/// A table of names and values, each value over as many lines as it is worth.
pub(super) fn fields(
    table: &Table,
    shared: &Shared,
    theme: &Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let mut out = vec![];
    for row in &table.rows {
        let [Cell::Text(name), value] = row.as_slice() else { continue };
        // Who looks at a message wants to read what is wrong with it whole.
        let style = if name == "poison" { theme.danger } else { theme.text };
        let most =
            if ["poison", "state", "held by", "why"].contains(&name.as_str()) { 6 } else { 2 };
        let told = broken(&cell(value, shared), width.saturating_sub(LABEL).max(8), most);
        for (line, words) in told.into_iter().enumerate() {
            let name = if line == 0 { name.as_str() } else { "" };
            let label = Span::styled(text::fit(name, LABEL), theme.muted);
            out.push(Line::from(vec![label, Span::styled(words, style)]));
        }
    }
    out
}

/// Broken between words, and ids and addresses wherever the room ends.
pub(super) fn broken(told: &str, width: usize, most: usize) -> Vec<String> {
    use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};
    if told.split_whitespace().all(|word| word.width() <= width) {
        return words::wrapped(told, width, most);
    }
    let (mut lines, mut line, mut used) = (vec![], String::new(), 0);
    for letter in text::clean(told).chars() {
        let wide = letter.width().unwrap_or(0);
        if used + wide > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        line.push(letter);
        used += wide;
    }
    lines.push(line);
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            *last = format!("{}…", text::cut(last, width.saturating_sub(1)));
        }
    }
    lines
}

pub(super) fn pretty(value: &Value) -> Vec<Line<'static>> {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.lines().map(|line| Line::raw(text::clean(line).into_owned())).collect()
}

/// Only the message of an envelope; what else is there is told by its number of fields.
pub(super) fn folded(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    if !fields.keys().any(|key| key.eq_ignore_ascii_case("message")) {
        return Value::Object(fields);
    }
    let others = fields.len() - 1;
    let mut out = serde_json::Map::new();
    out.extend(fields.into_iter().filter(|(key, _)| key.eq_ignore_ascii_case("message")));
    out.insert("…".to_owned(), Value::from(format!("{others} more fields of the envelope")));
    Value::Object(out)
}
