//! How the log looks.

use ratatui::{
    Frame,
    layout::{Constraint::Max, Rect},
    text::{Line, Span},
    widgets::Clear,
};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::{MOST, State};
use crate::{
    domain::{
        id,
        mask::{covered, veil},
        text,
    },
    ops::audit::Recorded,
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

/// Draws the log over the screen; `over` is the number of its pane.
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
    let records = state.records.value.as_deref().unwrap_or_default();
    if let (Some(offset), Some(record)) = (state.full, records.get(state.cursor.index)) {
        full(record, offset, shared, theme, frame, area, over, hits);
        return;
    }
    let whose = if state.mine { "mine only" } else { "all operators" };
    let title = format!("Operations log, {whose}");
    let inner = pane(frame, area, theme, &title, "", true);
    if records.is_empty() {
        let told = match (&state.records.error, state.records.loading_since()) {
            (Some(error), _) => (format!("not read: {error}"), theme.danger),
            (None, Some(_)) => ("Loading …".to_owned(), theme.muted),
            (None, None) if !state.older.is_empty() => {
                ("nothing older; k goes back".to_owned(), theme.muted)
            }
            (None, None) => ("nothing was recorded yet".to_owned(), theme.muted),
        };
        clipped(frame, inner, Line::styled(told.0, told.1));
        return;
    }
    let foot = foot(state, records.len(), theme, shared);
    let height = inner.height.saturating_sub(u16::from(foot.is_some()));
    let body = Rect { height, ..inner };
    hits.pane(body, over, usize::from(height));
    let visible = state.cursor.visible(usize::from(height), records.len());
    let rows = records.iter().enumerate().skip(visible.start).take(visible.len());
    for (line, (index, record)) in (0..height).zip(rows) {
        let place = Rect { y: body.y + line, height: 1, ..body };
        let is_cursor = index == state.cursor.index;
        clipped(frame, place, row(record, shared, theme, is_cursor, body.width >= ROOMY));
        if index == state.cursor.index {
            frame.buffer_mut().set_style(place, theme.cursor);
        }
    }
    if let Some(foot) = foot {
        clipped(frame, Rect { y: body.bottom(), height: 1.min(inner.height), ..inner }, foot);
    }
}

fn foot(state: &State, shown: usize, theme: &Theme, shared: &Shared) -> Option<Line<'static>> {
    if let Some(error) = &state.records.error {
        let age = state.records.seen_at.map(|at| words::since(at, shared)).unwrap_or_default();
        let told = format!("not refreshed (what you see is {age} old): {error}");
        return Some(Line::styled(told, theme.danger));
    }
    let full = i64::try_from(shown).is_ok_and(|shown| shown >= MOST);
    let told = match (state.older.len() + 1, full) {
        (1, false) => return None,
        (1, true) => "page 1; j at its end goes on to older records".to_owned(),
        (page, true) => {
            format!("page {page}; j at its end: older, k at its start: newer, g: newest")
        }
        (page, false) => format!("page {page}, the last; k at its start: newer, g: newest"),
    };
    Some(Line::styled(told, theme.muted))
}

fn row(
    record: &Recorded,
    shared: &Shared,
    theme: &Theme,
    is_cursor: bool,
    roomy: bool,
) -> Line<'static> {
    let (clock, who, what, whom) =
        if roomy { ("%m-%d %H:%M:%S", 10, 20, 24) } else { ("%m-%d %H:%M", 8, 13, 13) };
    let at = shared.zone.show(record.at, clock);
    let mark = if is_cursor { "> " } else { "  " };
    let reason = record.reason.as_deref().unwrap_or_default();
    Line::from(vec![
        Span::styled(mark, theme.marked),
        Span::styled(format!("#{:<6}", record.number), theme.accent),
        Span::styled(format!("{at} "), theme.muted),
        Span::raw(text::fit(&record.operator, who)),
        Span::raw(" "),
        Span::raw(text::fit(&record.intent, what)),
        Span::raw(" "),
        Span::raw(text::fit(&targets(&record.targets, whom), whom)),
        Span::raw(" "),
        Span::styled(veil(reason, !shared.masked).into_owned(), theme.muted),
    ])
}

/// What was done to: `…8c41` for an id, else a place in the console; what does not fit is counted.
fn targets(targets: &[String], width: usize) -> String {
    let short = |target: &String| target.parse().map_or_else(|_| target.clone(), id::short);
    let all: Vec<_> = targets.iter().map(short).collect();
    let told = |shown: usize| match all.len() - shown {
        0 => all.join(", "),
        rest => format!("{} +{rest}", all[..shown].join(", ")),
    };
    let fits = (1..=all.len()).rev().map(told).find(|told| told.width() <= width);
    match (fits, all.as_slice()) {
        (Some(told), _) => told,
        (None, [first, rest @ ..]) if !rest.is_empty() => {
            let count = format!(" +{}", rest.len());
            format!("{}{count}", text::cut(first, width.saturating_sub(count.len())))
        }
        (None, _) => all.join(", "),
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "the view of one record; all of it is drawn from these"
)]
fn full<M: Clone>(
    record: &Recorded,
    offset: usize,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
    over: usize,
    hits: &mut Hits<M>,
) {
    let title = format!("Record #{}", record.number);
    let inner = pane(frame, area, theme, &title, "j k scroll, Esc goes back", true);
    let lines = lines(record, shared, theme);
    let first = hits.text(inner, over, lines.len(), offset);
    for (row, line) in (0..inner.height).zip(lines.into_iter().skip(first)) {
        clipped(frame, Rect { y: inner.y + row, height: 1, ..inner }, line);
    }
}

fn lines(record: &Recorded, shared: &Shared, theme: &Theme) -> Vec<Line<'static>> {
    let at = shared.zone.show(record.at, "%Y-%m-%d %H:%M:%S%.3f");
    let clean = |words: &str| text::clean(words).into_owned();
    let reason = record.reason.as_deref().unwrap_or_default();
    let mut rows = vec![
        ("at", format!("{at} {}", shared.zone)),
        ("operator", clean(&format!("{}@{}", record.operator, record.host))),
        ("role", clean(&format!("{} (login {})", record.role, record.login))),
        ("intent", clean(&record.intent)),
        ("reason", veil(reason, !shared.masked).into_owned()),
        ("operation", record.operation.to_string()),
    ];
    rows.extend(record.targets.iter().map(|target| ("target", clean(target))));
    if record.erased {
        rows.push(("erased", "values of this record were erased; its digests stay".to_owned()));
    }
    let mut out: Vec<_> = rows
        .into_iter()
        .map(|(label, value)| {
            Line::from(vec![
                Span::styled(format!("{label:<11}"), theme.muted),
                Span::styled(value, theme.text),
            ])
        })
        .collect();
    for (title, value) in [("before", &record.before), ("after", &record.after)] {
        out.push(Line::styled(title, theme.title));
        match value {
            Some(value) => out.extend(json(value, shared).into_iter().map(Line::raw)),
            None => out.push(Line::styled("  nothing", theme.muted)),
        }
    }
    out
}

fn json(value: &Value, shared: &Shared) -> Vec<String> {
    let value = covered(value, shared.masked);
    let pretty = serde_json::to_string_pretty(&value).unwrap_or_default();
    pretty.lines().map(|line| format!("  {}", text::clean(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_that_do_not_fit_are_counted() {
        let ids = |count: u32| -> Vec<String> {
            (1..=count).map(|end| format!("00000000-0000-4000-8000-00000000{end:04x}")).collect()
        };
        for (count, width, expected) in [
            (0, 13, ""),
            (1, 13, "…0001"),
            (2, 13, "…0001, …0002"),
            (2, 11, "…0001 +1"),
            (3, 13, "…0001 +2"),
            (3, 24, "…0001, …0002, …0003"),
            (200, 24, "…0001, …0002, …0003 +197"),
        ] {
            assert_eq!(targets(&ids(count), width), expected, "{count} in {width}");
        }
        let long = ["messages of everything".to_owned(), "orders".to_owned()];
        assert_eq!(targets(&long, 13), "messages … +1");
        assert_eq!(targets(&long[..1], 13), "messages of everything");
    }
}
