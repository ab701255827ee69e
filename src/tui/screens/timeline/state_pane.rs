//! The order as it was: the state at the cursor, or the difference between two versions.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{Detail, Msg, Pane, Show, State, Version};
use crate::{
    domain::{
        diff::{self, Change, Kind},
        mask, text,
    },
    ops::known::{Known, SnapshotCheck},
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
    let (a, b) = state.pair();
    let at = state.version();
    let detail = match state.detail {
        Detail::All => "all fields (D)",
        Detail::Changes => "changes only (D)",
        Detail::Patch => "JSON patch (D)",
    };
    let title = match (state.show, state.skipping) {
        (Show::Diff, _) => format!("Diff A:B  v{a} → v{b}"),
        (Show::State, true) => format!("What if v{at} had not happened (preview)"),
        (Show::State, false) => format!("State at v{at}"),
    };
    let inner =
        pane(frame, area, theme, &title, detail, state.pane == Pane::State && state.prompt.is_none());
    hits.pane(inner, 1, usize::from(inner.height));
    let mut lines = match state.detail {
        Detail::Patch => patch(state, known, shared, theme),
        Detail::All | Detail::Changes => fields(state, known, shared, theme, inner.width),
    };
    if state.show == Show::State && state.detail != Detail::Patch {
        lines.extend(others(state, known, theme));
    }
    let room = usize::from(inner.height);
    let offset = state.state_offset.min(lines.len().saturating_sub(room));
    for (row, line) in (0..inner.height).zip(lines.into_iter().skip(offset)) {
        frame.render_widget(line, Rect { y: inner.y + row, height: 1, ..inner });
    }
}

/// The two states compared: what was, what is.
fn changes(state: &State, known: &Known) -> Vec<Change> {
    let at = state.version();
    let line = &known.timeline;
    match (state.show, state.skipping) {
        (Show::Diff, _) => {
            let (a, b) = state.pair();
            line.diff(a, b)
        }
        (Show::State, false) => line.diff(Version((at.0 - 1).max(0)), at),
        (Show::State, true) => {
            let (with, without) = (line.at_version(line.last()), line.without(at));
            diff::between(with.order.as_ref(), without.order.as_ref())
        }
    }
}

fn fields(
    state: &State,
    known: &Known,
    shared: &Shared,
    theme: &Theme,
    width: u16,
) -> Vec<Line<'static>> {
    let column = usize::from(width.saturating_sub(26) / 2).max(8);
    let (left, right) = match (state.show, state.skipping) {
        (Show::Diff, _) => {
            let (a, b) = state.pair();
            (format!("A = v{a}"), format!("B = v{b}"))
        }
        (Show::State, false) => ("before".to_owned(), format!("v{}", state.version())),
        (Show::State, true) => ("now".to_owned(), "without it".to_owned()),
    };
    let mut out = vec![Line::styled(
        format!("{}{}{}", text::fit("field", 14), text::fit(&left, column), text::fit(&right, column)),
        theme.header,
    )];
    let changes = changes(state, known);
    let shown = changes.iter().filter(|change| {
        let is_empty = change.a.is_none() && change.b.is_none();
        !is_empty && (state.detail == Detail::All || change.kind != Kind::Same)
    });
    out.extend(shown.map(|change| field_line(change, shared, theme, column)));
    if out.len() == 1 {
        out.push(Line::styled("nothing differs", theme.muted));
    }
    let doubt = known.timeline.at_version(state.version()).uncertain;
    if let Some(doubt) = doubt {
        let told = format!("uncertain since v{}: {}", doubt.version, doubt.why);
        out.push(Line::styled(text::cut(&told, usize::from(width)), theme.warn));
    }
    out
}

fn field_line(change: &Change, shared: &Shared, theme: &Theme, column: usize) -> Line<'static> {
    let hidden = shared.masked && change.personal;
    let value = |value: &Option<String>| match value {
        None => "-".to_owned(),
        Some(text) if hidden => mask::mask(text).to_owned(),
        Some(text) => text.clone(),
    };
    let (kind, style) = match change.kind {
        Kind::Same => ("", theme.muted),
        Kind::Changed => ("changed", theme.warn),
        Kind::Added => ("added", theme.ok),
        Kind::Removed => ("removed", theme.danger),
    };
    let kind = if hidden && kind.is_empty() { "masked" } else { kind };
    let quiet = change.kind == Kind::Same;
    Line::from(vec![
        Span::styled(text::fit(&change.field, 14), theme.muted),
        Span::styled(text::fit(&value(&change.a), column.saturating_sub(1)) + " ", theme.muted),
        Span::styled(
            text::fit(&value(&change.b), column.saturating_sub(1)) + " ",
            if quiet { theme.text } else { style },
        ),
        Span::styled(kind, style),
    ])
}

/// The same moment in the other sources.
fn others(state: &State, known: &Known, theme: &Theme) -> Vec<Line<'static>> {
    if state.version() != known.timeline.last() || state.skipping {
        return vec![Line::styled("(row and view are only known as they are now: 0)", theme.muted)];
    }
    let found = &known.comparison;
    let line = |label: &str, (words, style): (String, ratatui::style::Style)| {
        Line::from(vec![Span::styled(text::fit(label, 14), theme.muted), Span::styled(words, style)])
    };
    let snapshot = match &known.snapshot {
        SnapshotCheck::None => ("none".to_owned(), theme.muted),
        SnapshotCheck::Agrees { version } => {
            (format!("v{version}, folds to the same state"), theme.ok)
        }
        SnapshotCheck::Differs { version } => {
            (format!("v{version}, folds to ANOTHER state"), theme.danger)
        }
        SnapshotCheck::Unreadable { version, why } => {
            (format!("v{version}, unreadable: {}", text::clean(why)), theme.warn)
        }
    };
    let version = known.history.summary.as_ref().and_then(|summary| summary.version);
    let version = version.map_or(String::new(), |version| format!(" (mt_version {version})"));
    let (view, view_style) = words::agreement(&found.view_agrees, theme);
    vec![
        Line::styled("── same moment in the other sources", theme.muted),
        line("orders row", words::agreement(&found.row_agrees, theme)),
        line("summary view", (view + &version, view_style)),
        line("snapshot", snapshot),
    ]
}

fn patch(state: &State, known: &Known, shared: &Shared, theme: &Theme) -> Vec<Line<'static>> {
    let (a, b) = match (state.show, state.skipping) {
        (Show::State, true) => {
            let with = known.timeline.at_version(known.timeline.last());
            (with.order, known.timeline.without(state.version()).order)
        }
        (Show::State, false) => {
            let at = state.version();
            let before = known.timeline.at_version(Version((at.0 - 1).max(0)));
            (before.order, known.timeline.at_version(at).order)
        }
        (Show::Diff, _) => {
            let (a, b) = state.pair();
            (known.timeline.at_version(a).order, known.timeline.at_version(b).order)
        }
    };
    let mut patch = diff::patch(a.as_ref(), b.as_ref());
    if shared.masked {
        diff::mask_patch(&mut patch);
    }
    let text = serde_json::to_string_pretty(&patch).unwrap_or_default();
    text.lines().map(|line| Line::styled(text::clean(line).into_owned(), theme.text)).collect()
}
