//! How the list of bulk operations looks.

use ratatui::{
    Frame,
    layout::{
        Constraint::{Fill, Length, Max},
        Layout, Rect,
    },
    text::{Line, Span},
    widgets::Clear,
};

use super::{Row, State, line};
use crate::{
    domain::{age, batch::State as Stands, mask::veil, text},
    ops::operation::batch::{Record, report},
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

/// Below this width the columns are narrower.
const ROOMY: u16 = 100;
/// Lines about the operation under the cursor.
const DETAIL: u16 = 4;

/// Draws the list over the screen; `over` is the number of its pane.
pub fn view<M: Clone>(
    state: &State,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
    over: usize,
    hits: &mut Hits<M>,
) {
    let area = area.centered_horizontally(Max(116));
    frame.render_widget(Clear, area);
    let inner = pane(frame, area, theme, "Bulk operations", "those not over first", true);
    let rows = state.rows();
    if rows.is_empty() {
        let (told, style) = match (&state.rows.error, state.rows.loading_since()) {
            (Some(error), _) => (format!("Not read: {error}"), theme.danger),
            (None, Some(_)) => ("Loading …".to_owned(), theme.muted),
            (None, None) => ("No bulk operation is on record".to_owned(), theme.muted),
        };
        clipped(frame, inner, Line::styled(told, style));
        return;
    }
    let [head, body, detail] =
        inner.layout(&Layout::vertical([Length(1), Fill(1), Length(DETAIL + 1)]));
    let roomy = body.width >= ROOMY;
    clipped(frame, head, Line::styled(columns(roomy), theme.muted));
    hits.pane(body, over, usize::from(body.height));
    let visible = state.cursor.visible(usize::from(body.height), rows.len());
    for (place, index) in (body.y..body.bottom()).zip(visible) {
        let place = Rect { y: place, height: 1, ..body };
        let is_cursor = index == state.cursor.index;
        clipped(frame, place, row(&rows[index], theme, is_cursor, roomy));
        if is_cursor {
            frame.buffer_mut().set_style(place, theme.cursor);
        }
    }
    let Some(record) = state.chosen() else { return };
    let mut lines = about(record, shared, theme, usize::from(detail.width));
    if let Some(error) = &state.rows.error {
        let age = state.rows.seen_at.map(|at| words::since(at, shared)).unwrap_or_default();
        let told = format!("Not refreshed (what you see is {age} old): {error}");
        lines.insert(0, Line::styled(told, theme.danger));
    }
    let below = Rect { y: detail.y + 1, height: detail.height.saturating_sub(1), ..detail };
    for (row, line) in (below.y..below.bottom()).zip(lines) {
        clipped(frame, Rect { y: row, height: 1, ..below }, line);
    }
}

/// Widths of the columns: operation, state, how far, time left.
const fn widths(roomy: bool) -> (usize, usize, usize, usize) {
    if roomy { (28, 13, 26, 10) } else { (23, 12, 19, 7) }
}

fn columns(roomy: bool) -> String {
    let (name, state, far, left) = widths(roomy);
    format!(
        "  {:<5} {:<name$} {:<state$} {:<far$} {:<left$} run or begun by",
        "#", "operation", "state", "done of all", "left"
    )
}

fn row(
    (record, estimate): &Row,
    theme: &Theme,
    is_cursor: bool,
    roomy: bool,
) -> Line<'static> {
    let (name, state, far, left) = widths(roomy);
    let mark = if is_cursor { "> " } else { "  " };
    let over = record.state.is_over();
    let style = match (record.state, record.held) {
        (Stands::Running | Stands::Freezing, true) => theme.accent,
        (Stands::Running | Stands::Freezing | Stands::Stopped, _) => theme.warn,
        _ if over => theme.muted,
        _ => theme.text,
    };
    let figures =
        format!("{} of {}", line::number(record.counts.all()), line::number(record.items));
    let time = estimate.map_or_else(String::new, |known| age::length(known.left));
    Line::from(vec![
        Span::styled(mark, theme.marked),
        Span::styled(format!("{:<5} ", record.number), theme.accent),
        Span::styled(text::fit(&line::name(record), name), if over { theme.muted } else { theme.text }),
        Span::raw(" "),
        Span::styled(text::fit(report::state(record), state), style),
        Span::raw(" "),
        Span::raw(text::fit(&figures, far)),
        Span::raw(" "),
        Span::raw(text::fit(&time, left)),
        Span::raw(" "),
        Span::styled(line::runner(record), theme.muted),
    ])
}

/// What else there is to say of one: its counts, who began it and why, why it stands, what is possible now.
fn about(record: &Record, shared: &Shared, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let at = shared.zone.show(record.created_at, "%Y-%m-%d %H:%M");
    let reason = record.reason.as_deref().unwrap_or("no reason is on record");
    let begun = format!("begun {at} by {}@{}: ", record.operator, record.host);
    let mut lines = vec![
        Line::styled(format!("#{} {}", record.number, report::counted(record)), theme.text),
        Line::from(vec![
            Span::styled(text::clean(&begun).into_owned(), theme.muted),
            Span::raw(veil(reason, !shared.masked).into_owned()),
        ]),
    ];
    if let Some(told) = &record.told {
        let told = format!("{}: {}", report::state(record), text::clean(told));
        lines.extend(words::wrapped(&told, width, 1).into_iter().map(Line::raw));
    }
    let next = match (record.state, record.held) {
        (Stands::Waiting, _) => "a approves it with another database login, c cancels it",
        (Stands::Running | Stands::Freezing, true) => "p pauses it after the batch under way, c ends it then",
        (Stands::Freezing, false) => "c cancels it: its list was never completed",
        (Stands::Done | Stands::Cancelled, _) => "",
        _ => "r goes on with it, c cancels it",
    };
    lines.push(Line::styled(next, theme.muted));
    lines
}
