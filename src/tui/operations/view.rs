//! How the list of bulk operations looks, and one that is looked into.

use ratatui::{
    Frame,
    layout::{
        Constraint::{Fill, Length, Max},
        Layout, Rect,
    },
    style::Style,
    text::{Line, Span},
    widgets::Clear,
};

use super::{Msg, Opened, Row, State, Step, line};
use crate::{
    domain::{age, batch::State as Stands, mask::veil, text},
    ops::operation::batch::{OperationDetails, Record, Settled, report},
    tui::{
        shared::Shared,
        ui::{
            hits::Hits,
            list::Look,
            pane::{clipped, pane},
            theme::Theme,
        },
        words,
    },
};

/// Below this width the columns are narrower.
const ROOMY: u16 = 100;
/// Lines about an operation, and about one that is looked into.
const BRIEF: u16 = 4;
const FULL: u16 = 8;

type Lines = Vec<Line<'static>>;

/// Draws the list over the screen; `over` is the number of its pane.
#[must_use]
pub fn view(
    state: &State,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
    over: usize,
) -> Hits<Msg> {
    let area = area.centered_horizontally(Max(116));
    frame.render_widget(Clear, area);
    let mut hits = Hits::default();
    let look = Look { theme, focused: true, pane: over };
    match &state.opened {
        Some(opened) => items(state, opened, shared, look, frame, area, &mut hits),
        None => list(state, shared, look, frame, area, &mut hits),
    }
    hits
}

fn list(
    state: &State,
    shared: &Shared,
    look: Look<'_>,
    frame: &mut Frame,
    area: Rect,
    hits: &mut Hits<Msg>,
) {
    let theme = look.theme;
    let note = "those that are not over first";
    let inner = pane(frame, area, theme, "Bulk operations", note, true);
    let rows = state.rows();
    if rows.is_empty() {
        let (told, style) = match (&state.rows.error, state.rows.loading_since()) {
            (Some(error), _) => (format!("unknown, not read: {error}"), theme.danger),
            (None, Some(_)) => ("Loading …".to_owned(), theme.muted),
            (None, None) if state.absent => {
                ("none: there is no schema orderscope".to_owned(), theme.muted)
            }
            (None, None) => ("no bulk operation is on record".to_owned(), theme.muted),
        };
        clipped(frame, inner, Line::styled(told, style));
        return;
    }
    let [head, body, _, below] =
        inner.layout(&Layout::vertical([Length(1), Fill(1), Length(1), Length(BRIEF)]));
    let roomy = body.width >= ROOMY;
    clipped(frame, head, Line::styled(columns(roomy), theme.muted));
    let draw = |index: usize, sign| Some(row(rows.get(index)?, theme, sign, roomy));
    let click = |index| Msg::Step(Step::To(index));
    state.cursor.draw(look, frame, body, rows.len(), hits, |_| false, click, draw);
    let mut lines = not_refreshed(state, shared, theme);
    if let Some(row) = state.chosen() {
        lines.extend(about(row, shared, theme, usize::from(below.width)));
    }
    draw_lines(frame, below, lines);
}

fn items(
    state: &State,
    opened: &Opened,
    shared: &Shared,
    look: Look<'_>,
    frame: &mut Frame,
    area: Rect,
    hits: &mut Hits<Msg>,
) {
    let theme = look.theme;
    let details = &opened.details;
    let known = details.value.as_ref().map(|(shown, _)| (shown.record.clone(), shown.estimate));
    let row = state.chosen().cloned().or(known);
    let name = row.as_ref().map(|(record, _)| line::name(record)).unwrap_or_default();
    let title = format!("Operation {} {name}", opened.number);
    let note = if opened.troubles { "only what was not done" } else { "every item" };
    let inner = pane(frame, area, theme, &title, note, true);
    let mut lines = not_refreshed(state, shared, theme);
    if let Some(row) = &row {
        lines.extend(about(row, shared, theme, usize::from(inner.width)));
    }
    if let Some((shown, _)) = &details.value {
        lines.extend(reasons(shown, theme));
    }
    let height = u16::try_from(lines.len()).unwrap_or(FULL).min(FULL);
    let [above, head, body, foot] =
        inner.layout(&Layout::vertical([Length(height), Length(1), Fill(1), Length(1)]));
    draw_lines(frame, above, lines);
    let rows = opened.items();
    if rows.is_empty() {
        let (told, style) = match (&details.error, details.loading_since()) {
            (Some(error), _) => (format!("unknown, not read: {error}"), theme.danger),
            (None, Some(_)) => ("Loading …".to_owned(), theme.muted),
            (None, None) if opened.troubles => {
                ("no item was skipped or failed".to_owned(), theme.muted)
            }
            (None, None) => ("no item here".to_owned(), theme.muted),
        };
        clipped(frame, body, Line::styled(told, style));
        return;
    }
    let columns = format!("  {:>9}  {:<8} {}", "#", "outcome", "item, and why not");
    clipped(frame, head, Line::styled(columns, theme.muted));
    let draw = |index: usize, sign| Some(item(rows.get(index)?, theme, sign));
    let click = |index| Msg::Step(Step::To(index));
    opened.cursor.draw(look, frame, body, rows.len(), hits, |_| false, click, draw);
    clipped(frame, foot, Line::styled(pages(opened, shared), theme.muted));
}

fn draw_lines(frame: &mut Frame, area: Rect, lines: Lines) {
    for (y, line) in (area.y..area.bottom()).zip(lines) {
        clipped(frame, Rect { y, height: 1, ..area }, line);
    }
}

/// What is seen is old.
fn not_refreshed(state: &State, shared: &Shared, theme: &Theme) -> Lines {
    let Some(error) = &state.rows.error else { return vec![] };
    let age = state.rows.seen_at.map(|at| words::since(at, shared)).unwrap_or_default();
    let told = format!("not refreshed (what you see is {age} old): {error}");
    vec![Line::styled(text::clean(&told).into_owned(), theme.danger)]
}

/// Which page it is, where there are several; and when it was read.
fn pages(opened: &Opened, shared: &Shared) -> String {
    let is_full = i64::try_from(opened.items().len()).is_ok_and(|len| len >= super::PAGE);
    let age = opened.details.seen_at.map(|at| words::since(at, shared)).unwrap_or_default();
    let read = format!("read {age} ago, R reads again");
    let page = match (opened.pages.len() + 1, is_full) {
        (1, false) => return read,
        (page, true) => format!("page {page}; j at its end: further"),
        (page, false) => format!("page {page}, the last; k at its start: back"),
    };
    format!("{page}; {read}")
}

/// Widths of the columns: operation, state, how far, rate and time left.
const fn widths(roomy: bool) -> (usize, usize, usize, usize) {
    if roomy { (26, 11, 20, 26) } else { (24, 11, 17, 0) }
}

fn columns(roomy: bool) -> String {
    let (name, state, far, pace) = widths(roomy);
    let told = if roomy { "rate and time left" } else { "" };
    format!(
        "  {:<5} {:<name$} {:<state$} {:<far$} {told:<pace$} run by",
        "#", "operation", "state", "done of all"
    )
}

fn row((record, estimate): &Row, theme: &Theme, sign: Span<'static>, roomy: bool) -> Line<'static> {
    let (name, state, far, pace) = widths(roomy);
    let plain = if record.state.is_over() { theme.muted } else { theme.text };
    let figures =
        format!("{} of {}", line::number(record.counts.all()), line::number(record.items));
    let told = estimate.map_or_else(String::new, |estimate| {
        format!("{}/min, {}", line::number(estimate.per_minute), age::length(estimate.left))
    });
    Line::from(vec![
        sign,
        Span::styled(format!("{:<5} ", record.number), theme.accent),
        Span::styled(text::fit(&line::name(record), name), plain),
        Span::raw(" "),
        Span::styled(text::fit(report::state(record), state), style(record, theme)),
        Span::raw(" "),
        Span::raw(text::fit(&figures, far)),
        Span::raw(" "),
        Span::raw(text::fit(&told, pace)),
        Span::raw(" "),
        Span::styled(line::runner(record), theme.muted),
    ])
}

fn style(record: &Record, theme: &Theme) -> Style {
    match (record.state, record.held) {
        (Stands::Running | Stands::Freezing, true) => theme.accent,
        (Stands::Running | Stands::Freezing | Stands::Stopped, _) => theme.warn,
        (state, _) if state.is_over() => theme.muted,
        _ => theme.text,
    }
}

fn item(item: &Settled, theme: &Theme, sign: Span<'static>) -> Line<'static> {
    let (outcome, style) = match item.outcome.as_deref() {
        Some("done") => ("done", theme.ok),
        Some("failed") => ("failed", theme.danger),
        Some(other) => (other, theme.warn),
        None => ("-", theme.muted),
    };
    let key = report::key(&item.key);
    let why = item.told.as_deref().map_or_else(String::new, |why| format!("{why}  "));
    Line::from(vec![
        sign,
        Span::styled(format!("{:>9}  ", line::number(item.ordinal.unsigned_abs())), theme.accent),
        Span::styled(text::fit(outcome, 8), style),
        Span::raw(" "),
        Span::styled(text::clean(&why).into_owned(), theme.warn),
        Span::raw(text::clean(&key).into_owned()),
    ])
}

/// What else there is to say of one: its counts, who began it and why, why it stands, what is possible now.
fn about((record, estimate): &Row, shared: &Shared, theme: &Theme, width: usize) -> Lines {
    let at = shared.zone.show(record.created_at, "%Y-%m-%d %H:%M");
    let reason = record.reason.as_deref().unwrap_or("no reason is on record");
    let begun = format!("begun {at} by {}@{}: ", record.operator, record.host);
    let pace = estimate.map_or_else(String::new, |estimate| format!("; {estimate}"));
    let mut lines = vec![
        Line::styled(format!("{}{pace}", report::counted(record)), theme.text),
        Line::from(vec![
            Span::styled(text::clean(&begun).into_owned(), theme.muted),
            Span::raw(veil(reason, !shared.masked).into_owned()),
        ]),
    ];
    if let Some(told) = &record.told {
        let told = format!("{}: {told}", report::state(record));
        lines.extend(words::wrapped(&told, width, 1).into_iter().map(Line::raw));
    }
    let next = match (record.state, record.held) {
        (Stands::Waiting, _) => "a approves it with another database login, c cancels it",
        (Stands::Running, true) => "p pauses it after the batch under way, c ends it then",
        (Stands::Freezing, true) => "its list is written now",
        (Stands::Freezing, false) => "c cancels it: its list was never completed",
        (Stands::Done | Stands::Cancelled, _) => return lines,
        _ => "r goes on with it, c cancels it",
    };
    lines.push(Line::styled(next, theme.muted));
    lines
}

/// What came later, and why items were not done.
fn reasons(shown: &OperationDetails, theme: &Theme) -> Lines {
    let mut lines: Lines = vec![];
    match shown.arrived {
        Some(arrived) => lines.push(Line::styled(
            format!("arrived since: {}, not included", line::number(arrived)),
            theme.muted,
        )),
        None if shown.record.state.is_over() => {}
        None => {
            lines.push(Line::styled("arrived since: unknown, counting took too long", theme.warn));
        }
    }
    let told = shown.troubles.iter().map(|(outcome, why, count)| {
        let told = format!("{} {outcome}: {why}", line::number(*count));
        Line::styled(text::clean(&told).into_owned(), theme.warn)
    });
    lines.extend(told);
    lines
}
