//! One message: envelope, headers, body with personal data covered; or the group under the cursor.

use ratatui::text::Line;

use super::{Context, Detail, Message, Pivot, State};
use crate::{
    domain::{
        report::{Cell, Table},
        text,
    },
    ops::messages::report,
    tui::screens::messages::body,
};

pub(super) fn detail(state: &State, cx: Context<'_>, width: usize) -> Detail {
    let theme = cx.theme;
    let title = match state.detail_of {
        None if state.pivot.is_some() => "Group".to_owned(),
        Some(sequence) => format!("Message seq {sequence}"),
        None => "Message".to_owned(),
    };
    let note = match state.message() {
        Some(message) if message.shown.order.is_some() => "Enter: its order",
        _ if state.pivot.is_some() => "Enter: its messages",
        _ => "",
    };
    let lines = match (state.message(), &state.detail.error, &state.detail.value) {
        (Some(message), ..) => lines(message, cx, width),
        (None, Some(error), _) => {
            vec![Line::styled(text::clean(&error.to_string()).into_owned(), theme.danger)]
        }
        (None, None, Some(None)) => {
            vec![Line::styled("it is gone: delivered or purged", theme.muted)]
        }
        (None, None, _) if state.detail_of.is_some() => {
            vec![Line::styled("Loading …", theme.muted)]
        }
        (None, None, _) if state.pivot.is_some() => group(state, cx, width),
        (None, None, _) => vec![Line::styled("no message is chosen", theme.muted)],
    };
    Detail { title, note, lines }
}

/// What is counted under the cursor, with its name whole.
fn group(state: &State, cx: Context<'_>, width: usize) -> Vec<Line<'static>> {
    let Some(group) = state.group() else {
        return vec![Line::styled("no group is chosen", cx.theme.muted)];
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
    body::fields(&table, cx.shared, cx.theme, width)
}

fn lines(message: &Message, cx: Context<'_>, width: usize) -> Vec<Line<'static>> {
    let Context { shared, theme, unfolded, .. } = cx;
    let mut out = body::fields(&report::envelope(message, shared.now.utc), shared, theme, width);
    for (name, value) in report::parts(message, shared.masked) {
        if !value.is_null() {
            out.push(Line::styled(name, theme.muted));
            out.extend(body::pretty(&value));
        }
    }
    let covered = if shared.masked { ", personal data covered" } else { "" };
    let fold = if unfolded { "J folds" } else { "J unfolds" };
    out.push(Line::styled(format!("body ({fold}{covered})"), theme.muted));
    let value = report::body(message, shared.masked);
    out.extend(body::pretty(&if unfolded { value } else { body::folded(value) }));
    out
}
