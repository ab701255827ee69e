//! How Orders looks: a pure function of its state.

use ratatui::{
    Frame,
    layout::{
        Constraint::{Fill, Length, Percentage},
        Layout, Rect,
    },
    text::{Line, Span},
};

use super::{Access, Msg, Pane, State, list, preview};
use crate::{
    domain::text,
    tui::{
        shared::Shared,
        ui::{
            hits::Hits,
            legend,
            pane::{pane, scrolling},
            theme::Theme,
        },
        words,
    },
};

/// Below this width the two panes become one, changed with Tab.
const TWO_PANES: u16 = 100;

/// Draws the screen.
pub(super) fn view(
    state: &State,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
) -> Hits<Msg> {
    let mut hits = Hits::default();
    let [search, body] = area.layout(&Layout::vertical([Length(3), Fill(1)]));
    search_box(state, shared, theme, frame, search);
    hits.click(search, Msg::SearchClicked);
    let wide = area.width >= TWO_PANES && !state.zoomed;
    match (wide, state.pane) {
        (true, _) => {
            let [left, right] = body.layout(&Layout::horizontal([Percentage(60), Fill(1)]));
            list::view(state, shared, theme, frame, left, &mut hits);
            preview::view(state, shared, theme, frame, right, &mut hits);
        }
        (false, Pane::List) => list::view(state, shared, theme, frame, body, &mut hits),
        (false, Pane::Preview) => preview::view(state, shared, theme, frame, body, &mut hits),
    }
    if state.explaining {
        explain(state, theme, frame, body, &mut hits);
    }
    hits
}

fn search_box(state: &State, shared: &Shared, theme: &Theme, frame: &mut Frame, area: Rect) {
    let title = if area.width >= TWO_PANES {
        "Search: any id or id tail, buyer, book, note, correlation id, or field:value   (Tab completes, ↑ history)"
    } else {
        "Search: id, tail, buyer, book, note, field:value"
    };
    let inner = pane(frame, area, theme, title, "", state.typing);
    let status = status(state, shared);
    let width = u16::try_from(status.chars().count() + 1).unwrap_or(0);
    let room = inner.width.saturating_sub(width.min(inner.width * 3 / 5));
    let [prompt, input, right] =
        inner.layout(&Layout::horizontal([Length(2), Length(room.saturating_sub(2)), Fill(1)]));
    frame.render_widget(Span::styled("/", theme.key), prompt);
    if state.field.text().is_empty() && !state.typing {
        frame.render_widget(Span::styled("newest orders; press / to search", theme.muted), input);
    } else {
        state.field.draw(frame, input, theme.text, state.typing.then_some(theme.cursor));
        mark_error(state, theme, frame, input);
    }
    let status = text::cut(&status, usize::from(right.width).saturating_sub(1));
    frame.render_widget(Line::styled(format!("{status} "), theme.muted).right_aligned(), right);
}

/// Underlines the part of the query that means nothing, as far as it is in sight.
fn mark_error(state: &State, theme: &Theme, frame: &mut Frame, input: Rect) {
    let Some(error) = &state.error else { return };
    let column = |at: usize| {
        let before = state.field.text().get(..at).unwrap_or_default();
        u16::try_from(unicode_width::UnicodeWidthStr::width(before)).unwrap_or(u16::MAX)
    };
    let (from, to) = (column(error.at.start), column(error.at.end));
    let to = to.max(from.saturating_add(1));
    let area = Rect { x: input.x.saturating_add(from), width: to - from, height: 1, ..input };
    frame.buffer_mut().set_style(area.intersection(input), theme.danger);
}

/// How many, by which way, how fast.
fn status(state: &State, shared: &Shared) -> String {
    if let Some(since) = state.asked.loading_since() {
        let waited = shared.now.instant.saturating_duration_since(since);
        if waited.as_millis() >= 300 {
            return format!("searching {}", words::length(waited));
        }
    }
    let Some(answer) = &state.asked.value else { return String::new() };
    let rows = match &state.count.value {
        Some(count) => list::counted(count),
        None if state.rows.before.is_none() && state.rows.after.is_none() => {
            state.rows.rows.len().to_string()
        }
        None => "many".to_owned(),
    };
    let how = match answer.access {
        Access::Index => "index",
        Access::NewestFirst => "newest first",
    };
    let rows = if rows == "1" { "1 row".to_owned() } else { format!("{rows} rows") };
    format!("{rows}, {how}, {} ms", answer.millis)
}

/// What `i` tells, above what can be searched.
const LEGEND: &[(&str, &str)] = &[
    ("U", "an integration message of the order is not recorded as delivered"),
    ("x", "a dead letter: a projection could not apply one of its events"),
    ("D", "drift: row and summary view differ (the timeline tells where)"),
    ("o", "still New after more than 24 hours"),
    ("s", "soft-deleted: a flag of the row; no event carries it"),
    ("*", "bookmarked (b)"),
    ("+", "marked (Space)"),
    ("id", "the last four digits; the whole id is in the preview, y copies it"),
    ("placed", "the row's created_at, in the zone named in the header"),
    ("total", "the sum of the lines, not what an event or view says"),
    ("rows", "counted exactly up to 10,000, estimated (~) beyond"),
];

fn explain(state: &State, theme: &Theme, frame: &mut Frame, area: Rect, hits: &mut Hits<Msg>) {
    let mut lines = legend::lines(theme, LEGEND);
    lines.push(Line::default());
    lines.push(Line::styled("What can be searched", theme.title));
    lines.extend(crate::domain::search::FIELDS.iter().map(|field| {
        Line::from(vec![
            Span::styled(format!("{:<14}", format!("{}:", field.name)), theme.key),
            Span::raw(field.help),
        ])
    }));
    let inner = legend::window(frame, area, theme, lines.len(), "j k scroll, i or Esc closes");
    scrolling(frame, inner, hits, 2, lines, state.explain_offset);
}
