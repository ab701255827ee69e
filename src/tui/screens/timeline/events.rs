//! The list of events, and below it the integration messages.

use ratatui::{
    Frame,
    layout::{
        Constraint::{Fill, Length},
        Layout, Rect,
    },
    text::{Line, Span},
};

use super::{Msg, Pane, Point, State, Version};
use crate::{
    db::messages::Message,
    domain::{age, text},
    ops::known::Known,
    tui::{
        shared::Shared,
        ui::{hits::Hits, pane::pane, theme::Theme},
        words,
    },
};

pub(super) fn view(
    state: &State,
    known: &Known,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
    hits: &mut Hits<Msg>,
) {
    let focused = state.pane == Pane::Events && state.prompt.is_none();
    let (events, messages) = (known.timeline.steps().len(), known.history.messages.len());
    let title = if area.width < 60 && messages > 0 {
        format!("Events {events}, messages {messages}")
    } else {
        "Events and messages".to_owned()
    };
    let note = if state.lanes { "messages hidden (L)" } else { "" };
    let inner = pane(frame, area, theme, &title, note, focused);
    let [head, body] = inner.layout(&Layout::vertical([Length(1), Fill(1)]));
    let local = format!("at ({})", shared.zone);
    let local = text::cut(&local, 15);
    let header = format!("  {:<4} {:<8} {:<16} {local:<15} Δ", "v", "seq", "type");
    frame.render_widget(Line::styled(header, theme.header), head);
    let rows = rows(state, known);
    hits.pane(body, 0, usize::from(body.height));
    // Headings lie between the rows the cursor can be on, so the window is over the drawn lines.
    let at = rows.iter().position(|row| row.index() == Some(state.cursor.index)).unwrap_or(0);
    let height = usize::from(body.height);
    let first = state.cursor.offset.max(at.saturating_sub(height.saturating_sub(1))).min(at);
    for (line, row) in (0..body.height).zip(rows.iter().skip(first)) {
        let place = Rect { y: body.y + line, height: 1, ..body };
        let text = match row {
            Row::Event(_, point) => event_line(point, state, known, shared, theme),
            Row::Message(_, message) => message_line(message, shared, theme, place.width),
            Row::Heading(text) => heading(text, theme, usize::from(place.width)),
        };
        frame.render_widget(text, place);
        if let Some(index) = row.index() {
            if index == state.cursor.index {
                let style = if focused { theme.cursor } else { theme.chosen };
                frame.buffer_mut().set_style(place, style);
            }
            hits.click(place, Msg::Clicked(index));
        }
    }
}

enum Row<'a> {
    Event(usize, &'a Point),
    Message(usize, &'a Message),
    Heading(&'static str),
}

impl Row<'_> {
    const fn index(&self) -> Option<usize> {
        match self {
            Self::Event(index, _) | Self::Message(index, _) => Some(*index),
            Self::Heading(_) => None,
        }
    }
}

fn rows<'a>(state: &State, known: &'a Known) -> Vec<Row<'a>> {
    let points = known.timeline.steps();
    let mut out: Vec<_> =
        points.iter().enumerate().map(|(index, point)| Row::Event(index, point)).collect();
    if points.is_empty() {
        out.push(Row::Heading("no events: the row is all there is"));
    }
    if !state.lanes {
        let messages = &known.history.messages;
        out.push(Row::Heading(if messages.is_empty() {
            "integration messages: none here (delivered or purged)"
        } else {
            "integration messages (not in the stream)"
        }));
        out.extend((points.len()..).zip(messages).map(|(index, message)| Row::Message(index, message)));
    }
    out
}

/// `── integration messages ─────`
fn heading(text: &str, theme: &Theme, width: usize) -> Line<'static> {
    let text = text::cut(&format!("── {text} "), width);
    let rest = width.saturating_sub(unicode_width::UnicodeWidthStr::width(text.as_str()));
    Line::styled(format!("{text}{}", "─".repeat(rest)), theme.muted)
}

fn event_line(
    point: &Point,
    state: &State,
    known: &Known,
    shared: &Shared,
    theme: &Theme,
) -> Line<'static> {
    let event = &point.event;
    let is_cursor = point.version == state.version() && state.cursor.index < known.timeline.steps().len();
    let local = shared.zone.local(event.at).format("%m-%d %H:%M:%S");
    let frozen = if point.frozen { "~" } else { " " };
    let doubt = point.state.uncertain.as_ref().is_some_and(|doubt| doubt.version == point.version);
    let lettered = known.history.letters.iter().any(|letter| letter.event == event.seq);
    let other = event.stream.is_some_and(|stream| stream.0 != known.history.id.0);
    let pin = match state.pins {
        Some((a, _)) if a == point.version => "A",
        Some((_, b)) if b == point.version => "B",
        _ => " ",
    };
    let before = point.version.0.checked_sub(1).and_then(|v| known.timeline.step(Version(v)));
    let step = since(before, point);
    let mark = if is_cursor { ">" } else { " " };
    let style = if doubt { theme.warn } else { theme.text };
    let mut spans = vec![
        Span::styled(format!("{mark}{pin}"), theme.key),
        Span::styled(format!("{:<4} ", point.version.0), theme.accent),
        Span::styled(format!("{:<8} ", event.seq.0), theme.muted),
        Span::styled(text::fit(point.meaning.title(), 16), style),
        Span::styled(format!(" {local}{frozen}"), theme.text),
        Span::styled(text::fit(&step, 8), theme.muted),
    ];
    if doubt {
        spans.push(Span::styled("? ", theme.warn));
    }
    if lettered {
        spans.push(Span::styled("x ", theme.danger));
    }
    if event.archived {
        spans.push(Span::styled("arch ", theme.info));
    }
    if other {
        spans.push(Span::styled("other ", theme.info));
    }
    if let Some(correlation) = &event.correlation_id {
        let end: String = correlation.chars().rev().take(4).collect();
        let end: String = end.chars().rev().collect();
        spans.push(Span::styled(format!("…{}", text::clean(&end)), theme.muted));
    }
    Line::from(spans)
}

/// The time since the event before: `+28m`, `-3s` where stored times run backwards, `0` at first.
fn since(before: Option<&Point>, point: &Point) -> String {
    let Some(before) = before else { return "0".to_owned() };
    let delta = point.event.at - before.event.at;
    let sign = if delta < chrono::TimeDelta::zero() { '-' } else { '+' };
    let length = if delta.abs() < chrono::TimeDelta::seconds(1) {
        format!("{}ms", delta.num_milliseconds().abs())
    } else {
        age::brief(delta)
    };
    format!("{sign}{length}")
}

fn message_line(message: &Message, shared: &Shared, theme: &Theme, width: u16) -> Line<'static> {
    let (words, style) = words::delivery(message, shared, theme);
    let local = shared.zone.local(message.published);
    let roomy = width >= 62;
    let at = if roomy { local.format("%m-%d %H:%M:%S") } else { local.format("%H:%M:%S") };
    let kind = text::fit(&words::contract(&message.kind, 19), 19);
    let mut spans = vec![
        Span::raw(format!("  ↳ {:<7} {kind}", message.sequence)),
        Span::styled(format!(" {at} "), theme.muted),
        Span::styled(words, style),
    ];
    if !message.names_order && width > 70 {
        spans.push(Span::styled(" (same conversation)", theme.muted));
    }
    Line::from(spans)
}
