//! The line to travel on: events placed by their time, the cursor, the pins, and now.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};
use unicode_width::UnicodeWidthStr;

use super::{Prompt, State};
use crate::{
    domain::{age::Age, id::Version, text, timeline::Step as Point},
    ops::analysis::OrderAnalysis,
    tui::{
        shared::Shared,
        ui::{pane::pane, theme::Theme},
    },
};

pub(super) fn view(
    state: &State,
    known: &OrderAnalysis,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
) {
    let framed = area.height >= 3;
    let inner = if framed {
        let title = "Scrubber   h/l step   t go to time   . play   A/B pin   = diff   0 live";
        let note = match (state.playing.is_some(), state.live) {
            (true, _) => "PLAYING",
            (false, true) => "live",
            (false, false) => "in the past",
        };
        pane(frame, area, theme, title, note, false)
    } else {
        Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area }
    };
    if inner.width < 20 || inner.height == 0 {
        return;
    }
    let row = |at: u16| Rect { y: inner.y + at, height: 1, ..inner };
    if let Some(prompt) = &state.prompt {
        typed(prompt, theme, frame, row(u16::from(framed)));
        if !framed {
            return;
        }
    }
    frame.render_widget(axis(state, known, shared, theme, inner.width), row(0));
    if inner.height > 1 && state.prompt.is_none() {
        frame.render_widget(label(state, known, shared, theme), row(1));
    }
}

fn typed(prompt: &Prompt, theme: &Theme, frame: &mut Frame, area: Rect) {
    let (asks, field, error) = match prompt {
        Prompt::GoTo(field, error) => {
            ("go to (v3, 16:30, 2h ago, 2026-11-22T16:30): ", field, error.as_deref())
        }
        Prompt::Find(field) => ("find in events: ", field, None),
    };
    let width = u16::try_from(asks.width()).unwrap_or(0).min(area.width);
    frame.render_widget(Span::styled(asks, theme.key), Rect { width, ..area });
    let rest = Rect { x: area.x + width, width: area.width - width, ..area };
    let [input, why] = rest.layout(&ratatui::layout::Layout::horizontal([
        ratatui::layout::Constraint::Length(24),
        ratatui::layout::Constraint::Fill(1),
    ]));
    field.draw(frame, input, theme.text, Some(theme.cursor));
    if let Some(error) = error {
        frame.render_widget(Span::styled(error.to_owned(), theme.danger), why);
    }
}

/// Where each event stands on `width` columns: by time, but never on top of the one before as long as
/// there is room; evenly when there are more events than columns for that.
fn columns(points: &[Point], now: chrono::DateTime<chrono::Utc>, width: usize) -> Vec<usize> {
    let (Some(first), true) = (points.first(), width > 0) else { return vec![] };
    let last = width - 1;
    if points.len() * 2 > width {
        let most = points.len().saturating_sub(1).max(1);
        return (0..points.len()).map(|index| index * last / most).collect();
    }
    let start = first.event.at;
    let end = points.iter().map(|point| point.event.at).max().unwrap_or(start).max(now);
    let span = (end - start).num_milliseconds().max(1);
    let mut out: Vec<usize> = vec![];
    let room = i64::try_from(last.saturating_sub(1)).unwrap_or(0);
    for point in points {
        let share = (point.event.at - start).num_milliseconds().clamp(0, span);
        // 128 bits: a span of years times the width still fits.
        let column = i128::from(share) * i128::from(room) / i128::from(span);
        let column = usize::try_from(column).unwrap_or(0);
        let least = out.last().map_or(0, |before| before + 2);
        out.push(column.max(least));
    }
    // Pushed beyond the end, the last ones move back together.
    let mut most = last.saturating_sub(1);
    for column in out.iter_mut().rev() {
        *column = (*column).min(most);
        most = column.saturating_sub(2);
    }
    out
}

fn axis(
    state: &State,
    known: &OrderAnalysis,
    shared: &Shared,
    theme: &Theme,
    width: u16,
) -> Line<'static> {
    let width = usize::from(width);
    let points = known.timeline.steps();
    let at = columns(points, shared.now.utc, width);
    let cursor = state.version();
    let (a, b) = state.pair();
    let mut cells: Vec<(char, ratatui::style::Style)> = vec![('┄', theme.muted); width];
    let reached = at.get(usize::try_from(cursor.0 - 1).unwrap_or(0)).copied().unwrap_or(0);
    for cell in cells.iter_mut().take(reached) {
        *cell = ('═', theme.accent);
    }
    let pinned = |version: Version| [state.pins.a, state.pins.b].contains(&Some(version));
    for (point, &column) in points.iter().zip(&at) {
        let style = match &point.state.uncertain {
            Some(doubt) if doubt.version == point.version => theme.warn,
            _ if point.version <= cursor => theme.accent,
            _ => theme.muted,
        };
        let sign = match point.version {
            version if version == cursor => '●',
            version if version == a && pinned(version) => 'A',
            version if version == b && pinned(version) => 'B',
            _ => '○',
        };
        if let Some(cell) = cells.get_mut(column) {
            let is_cursor = point.version == cursor;
            if cell.0 != '●' {
                *cell = (sign, if is_cursor { theme.key } else { style });
            }
        }
    }
    if let Some(end) = cells.last_mut()
        && end.0 == '┄'
    {
        *end = ('▏', theme.muted);
    }
    Line::from(
        cells
            .into_iter()
            .map(|(sign, style)| Span::styled(sign.to_string(), style))
            .collect::<Vec<_>>(),
    )
}

fn label(state: &State, known: &OrderAnalysis, shared: &Shared, theme: &Theme) -> Line<'static> {
    let Some(point) = known.timeline.step(state.version()) else {
        return Line::styled("no events", theme.muted);
    };
    let local = shared.zone.show(point.event.at, "%Y-%m-%d %H:%M:%S");
    let age = Age::of(point.event.at, shared.now.utc);
    let is_ahead = point.event.at > shared.now.utc;
    let ago = if is_ahead { age.to_string() } else { format!("{age} ago") };
    let title = point.meaning.title();
    let mut spans = vec![
        Span::styled(format!("v{} ", point.version), theme.key),
        Span::styled(text::cut(title, 28), theme.title),
        Span::styled(format!("  {local} {}  {ago}", shared.zone), theme.text),
    ];
    if point.frozen {
        spans.push(Span::styled("  (the column's frozen default, not its time)", theme.warn));
    }
    for (name, pin) in [("A", state.pins.a), ("B", state.pins.b)] {
        if let Some(version) = pin {
            spans.push(Span::styled(format!("   {name}=v{version}"), theme.accent));
        }
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{
        event::RecordedEvent,
        id::{EventId, OrderId, SeqId},
        timeline::Timeline,
    };

    fn line(minutes: &[i64]) -> Timeline {
        let start: chrono::DateTime<chrono::Utc> = "2026-11-22T09:00:00Z".parse().unwrap();
        let event = |(number, &minutes): (i64, &i64)| RecordedEvent {
            seq: SeqId(number),
            id: EventId(uuid::Uuid::nil()),
            stream: None,
            version: Version(number),
            kind: String::new(),
            at: start + chrono::TimeDelta::minutes(minutes),
            dotnet_type: None,
            tenant: None,
            correlation_id: None,
            causation_id: None,
            headers: None,
            archived: false,
            body: serde_json::Value::Null,
            binary: false,
            unread: None,
        };
        Timeline::new(OrderId(uuid::Uuid::nil()), (1..).zip(minutes).map(event).collect())
    }

    proptest! {
        #[test]
        fn events_stay_on_the_line_and_in_order(
            minutes in prop::collection::vec(-99_999_i64..9_999_999, 0..80), width in 0_usize..150,
        ) {
            let line = line(&minutes);
            let points = line.steps();
            let at = columns(points, chrono::DateTime::UNIX_EPOCH, width);
            prop_assert!(at.iter().all(|column| *column < width));
            prop_assert!(at.windows(2).all(|pair| pair[0] <= pair[1]));
            if width > 0 {
                prop_assert_eq!(at.len(), points.len());
            }
        }
    }
}
