//! The order as it was: the state at the cursor, or the difference between two versions.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{Detail, Msg, Pane, Show, State, Version};
use crate::{
    domain::{
        diff::{self, Change, Datum, Field, Kind},
        id::short,
        mask, text,
    },
    ops::analysis::{OrderAnalysis, SnapshotCheck},
    tui::{
        shared::Shared,
        ui::{
            hits::Hits,
            pane::{pane, scrolling},
            theme::Theme,
        },
        words,
    },
};

/// Columns for a field's name.
const FIELD: usize = 15;

pub(super) fn view(
    state: &State,
    known: &OrderAnalysis,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
    hits: &mut Hits<Msg>,
) {
    let (a, b) = state.pair();
    let at = state.version();
    let detail = match state.detail {
        Detail::All => "all fields (D)",
        Detail::Changes => "changes only (D)",
        Detail::Patch => "JSON patch (D)",
    };
    let title = match (state.show, state.skipping) {
        (Show::Diff, _) => format!("Diff {}  v{a} → v{b}", state.pair_name()),
        (Show::State, true) => format!("What if v{at} had not happened (preview)"),
        (Show::State, false) => format!("State at v{at}"),
    };
    let inner = pane(
        frame,
        area,
        theme,
        &title,
        detail,
        state.pane == Pane::State && state.prompt.is_none(),
    );
    let mut lines = match state.detail {
        Detail::Patch => patch(state, known, shared, theme),
        Detail::All | Detail::Changes => fields(state, known, shared, theme, inner.width),
    };
    if state.show == Show::State && state.detail != Detail::Patch {
        lines.extend(others(state, known, theme, usize::from(inner.width)));
    }
    scrolling(frame, inner, hits, 1, lines, state.state_offset);
}

/// The two states compared: what was, what is.
fn changes(state: &State, known: &OrderAnalysis) -> Vec<Change> {
    let at = state.version();
    let line = &known.timeline;
    match (state.show, state.skipping) {
        (Show::Diff, _) => {
            let (a, b) = state.pair();
            line.diff(a, b).unwrap_or_default()
        }
        (Show::State, false) => line.diff(Version((at.0 - 1).max(0)), at).unwrap_or_default(),
        (Show::State, true) => {
            let without = line.without(at);
            diff::diff(line.latest().order(), without.as_ref().and_then(|state| state.order()))
        }
    }
}

fn fields(
    state: &State,
    known: &OrderAnalysis,
    shared: &Shared,
    theme: &Theme,
    width: u16,
) -> Vec<Line<'static>> {
    let column = usize::from(width.saturating_sub(27) / 2).max(8);
    let (left, right) = match (state.show, state.skipping) {
        (Show::Diff, _) => {
            let (a, b) = state.pair();
            (format!("A = v{a}"), format!("B = v{b}"))
        }
        (Show::State, false) => ("before".to_owned(), format!("v{}", state.version())),
        (Show::State, true) => ("now".to_owned(), "without it".to_owned()),
    };
    let mut out = vec![Line::styled(
        format!(
            "{}{}{}",
            text::fit("field", FIELD),
            text::fit(&left, column),
            text::fit(&right, column)
        ),
        theme.header,
    )];
    let changes = changes(state, known);
    let shown = changes.iter().filter(|change| {
        let is_empty = change.before.is_none() && change.after.is_none();
        !is_empty && (state.detail == Detail::All || !change.is_same())
    });
    out.extend(shown.map(|change| field_line(change, shared, theme, column)));
    if out.len() == 1 {
        out.push(Line::styled("nothing differs", theme.muted));
    }
    let doubt =
        known.timeline.at_version(state.version()).and_then(|state| state.uncertain.as_ref());
    if let Some(doubt) = doubt {
        let told = format!("uncertain since v{}: {}", doubt.version, doubt.why);
        out.push(Line::styled(text::cut(&told, usize::from(width)), theme.warn));
    }
    out
}

fn field_line(change: &Change, shared: &Shared, theme: &Theme, column: usize) -> Line<'static> {
    let hidden = shared.masked && change.field.is_personal();
    let value = |value: &Option<Datum>| match value {
        None => "-".to_owned(),
        Some(datum) if hidden => mask::mask(&datum.to_string()).to_owned(),
        // What makes two ids or times differ stands at their ends, which a cut would take away.
        Some(Datum::Id(id)) if column < 37 => short(*id),
        Some(Datum::Time(time)) if column < 30 => shared.zone.show(*time, "%m-%d %H:%M:%S"),
        Some(datum) => datum.to_string(),
    };
    let (kind, style) = match change.kind() {
        Kind::Same => ("", theme.muted),
        Kind::Changed => ("changed", theme.warn),
        Kind::Added => ("added", theme.ok),
        Kind::Removed => ("removed", theme.danger),
    };
    let kind = if hidden && kind.is_empty() { "masked" } else { kind };
    let quiet = change.is_same();
    Line::from(vec![
        Span::styled(text::fit(&label(change.field), FIELD), theme.muted),
        Span::styled(
            text::fit(&value(&change.before), column.saturating_sub(1)) + " ",
            theme.muted,
        ),
        Span::styled(
            text::fit(&value(&change.after), column.saturating_sub(1)) + " ",
            if quiet { theme.text } else { style },
        ),
        Span::styled(kind, style),
    ])
}

/// A field's name that fits its column: `…0001 price` for `items[…0001].price`.
fn label(field: Field) -> String {
    match field {
        Field::Line(id) => format!("{} line", id.short()),
        Field::LineBook(id) => format!("{} book", id.short()),
        Field::LineQuantity(id) => format!("{} quantity", id.short()),
        Field::LinePrice(id) => format!("{} price", id.short()),
        other => other.to_string(),
    }
}

/// The same moment in the other sources.
fn others(state: &State, known: &OrderAnalysis, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    if state.version() != known.timeline.last_version() || state.skipping {
        return vec![Line::styled("(row and view are only known as they are now: 0)", theme.muted)];
    }
    let found = &known.comparison;
    let line = |label: &str, (words, style): (String, ratatui::style::Style)| {
        let words = text::cut(&words, width.saturating_sub(FIELD));
        Line::from(vec![
            Span::styled(text::fit(label, FIELD), theme.muted),
            Span::styled(words, style),
        ])
    };
    let snapshot = match &known.snapshot {
        SnapshotCheck::None => ("none".to_owned(), theme.muted),
        SnapshotCheck::Agrees(version) => (format!("v{version} = events"), theme.ok),
        SnapshotCheck::Differs(version, fields) => {
            (format!("v{version} ≠ events: {}", fields.join(", ")), theme.danger)
        }
        SnapshotCheck::Unfit(version, why) => {
            (format!("v{version}: {}", text::clean(why)), theme.warn)
        }
    };
    let version = known.history.summary.as_ref().and_then(|summary| summary.version);
    let version = version.map_or(String::new(), |version| format!(" (mt_version {version})"));
    let (view, view_style) = words::agreement(&found.summary, theme);
    vec![
        Line::styled("── same moment in the other sources", theme.muted),
        line("orders row", words::agreement(&found.row, theme)),
        line("summary view", (view + &version, view_style)),
        line("snapshot", snapshot),
    ]
}

fn patch(
    state: &State,
    known: &OrderAnalysis,
    shared: &Shared,
    theme: &Theme,
) -> Vec<Line<'static>> {
    let line = &known.timeline;
    let order = |version: Version| line.at_version(version).and_then(|state| state.order());
    let at = state.version();
    let without = line.without(at);
    let (a, b) = match (state.show, state.skipping) {
        (Show::State, true) => {
            (line.latest().order(), without.as_ref().and_then(|state| state.order()))
        }
        (Show::State, false) => (order(Version((at.0 - 1).max(0))), order(at)),
        (Show::Diff, _) => {
            let (a, b) = state.pair();
            (order(a), order(b))
        }
    };
    let patch = diff::patch(a, b, !shared.masked);
    let text = serde_json::to_string_pretty(&patch).unwrap_or_default();
    text.lines().map(|line| Line::styled(text::clean(line).into_owned(), theme.text)).collect()
}
