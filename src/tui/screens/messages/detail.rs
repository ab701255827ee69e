//! One message: envelope, headers, body with personal data covered; or, in the inbox, the consumers.

use chrono::{DateTime, Utc};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};
use serde_json::Value;

use super::{Message, Msg, Pane, Pivot, State, Sub, archive, errors, inbox};
use crate::{
    domain::{
        report::{Cell, Table},
        text,
    },
    ops::messages::report::{body, envelope},
    tui::{
        shared::Shared,
        ui::{
            hits::Hits,
            pane::{clipped, pane},
            theme::Theme,
        },
        words,
    },
};

/// Columns of a field's name: an id fits beside it at 120 columns.
pub(super) const LABEL: usize = 13;

pub(super) fn view(
    state: &State,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
    hits: &mut Hits<Msg>,
) {
    let focused = state.pane == Pane::Detail;
    let is_inbox = state.sub == Sub::Inbox && state.detail_of.is_none();
    let title = match state.detail_of {
        _ if is_inbox && state.inbox.by_hour => "Received by hour".to_owned(),
        _ if is_inbox => "Consumers".to_owned(),
        None if state.sub == Sub::Errors => state.errors.heading(state.cursor.index),
        None if state.pivot.is_some() => "Group".to_owned(),
        Some(sequence) => format!("Message seq {sequence}"),
        None if state.sub == Sub::Kept => match state.copy() {
            Some(kept) => format!("Copy {}", kept.number),
            None => "Copy".to_owned(),
        },
        None => "Message".to_owned(),
    };
    let note = match state.message() {
        Some(message) if message.shown.order.is_some() => "Enter: its order",
        _ if state.sub == Sub::Kept && archive::order(state).is_some() => "Enter: its order",
        _ if state.pivot.is_some() => "Enter: its messages",
        _ if is_inbox && state.inbox.by_hour => "H: sums",
        _ if is_inbox => "H: by hour",
        _ if state.errors.order(state.cursor.index).is_some() && state.sub == Sub::Errors => {
            "Enter: its order"
        }
        _ => "",
    };
    let inner = pane(frame, area, theme, &title, note, focused);
    let width = usize::from(inner.width);
    let lines = if is_inbox {
        if state.inbox.by_hour {
            inbox::by_hour(state, shared, theme, width)
        } else {
            inbox::consumers(state, theme, width)
        }
    } else {
        match (state.message(), &state.detail.error, &state.detail.value) {
            (Some(message), ..) => lines(message, state, shared, theme, width),
            (None, Some(error), _) => {
                vec![Line::styled(text::clean(&error.to_string()).into_owned(), theme.danger)]
            }
            (None, None, Some(None)) => {
                vec![Line::styled("it is gone: delivered or purged", theme.muted)]
            }
            (None, None, _) if state.detail_of.is_some() => {
                vec![Line::styled("reading …", theme.muted)]
            }
            (None, None, _) if state.sub == Sub::Errors => {
                errors::view::detail(state, shared, theme, width)
            }
            (None, None, _) if state.pivot.is_some() => group(state, shared, theme, width),
            (None, None, _) if state.sub == Sub::Kept => {
                archive::detail(state, shared, theme, width)
            }
            (None, None, _) => vec![Line::styled("no message is chosen", theme.muted)],
        }
    };
    let offset = hits.text(inner, 2, lines.len(), state.detail_offset);
    for (row, line) in (0..inner.height).zip(lines.into_iter().skip(offset)) {
        clipped(frame, Rect { y: inner.y + row, height: 1, ..inner }, line);
    }
}

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

/// What is counted under the cursor, with its name whole.
fn group(state: &State, shared: &Shared, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let group = state.groups().and_then(|groups| groups.get(state.cursor.index));
    let Some(group) = group else {
        return vec![Line::styled("no group is chosen", theme.muted)];
    };
    let name = match state.pivot {
        Some(Pivot::Type) => "type",
        Some(Pivot::Outbox) => "outbox",
        Some(Pivot::Destination) | None => "destination",
    };
    let rows = [
        (name, Cell::Text(group.key.clone().unwrap_or_else(|| "(none)".to_owned()))),
        ("messages", Cell::number(group.messages)),
        ("oldest", group.oldest.map_or(Cell::None, Cell::time)),
    ];
    let rows = rows.into_iter().map(|(name, cell)| vec![Cell::Text(name.to_owned()), cell]);
    let table = Table { columns: vec!["field", "value"], rows: rows.collect() };
    fields(&table, shared, theme, width)
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

fn lines(
    message: &Message,
    state: &State,
    shared: &Shared,
    theme: &Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let mut out = fields(&envelope(message, shared.now.utc), shared, theme, width);
    for (name, stored) in [
        ("headers", &message.shown.content.headers),
        ("properties", &message.shown.content.properties),
    ] {
        let Some(stored) = stored else { continue };
        out.push(Line::styled(name, theme.muted));
        match serde_json::from_str::<Value>(stored) {
            Ok(value) => out.extend(pretty(&value)),
            Err(_) => out.push(Line::styled(text::clean(stored).into_owned(), theme.danger)),
        }
    }
    let covered = if shared.masked { ", personal data covered" } else { "" };
    let fold = if state.unfolded { "J folds" } else { "J unfolds" };
    out.push(Line::styled(format!("body ({fold}{covered})"), theme.muted));
    let value = body(message, shared.masked);
    out.extend(pretty(&if state.unfolded { value } else { folded(value) }));
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
