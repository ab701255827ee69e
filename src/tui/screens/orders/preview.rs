//! What is known of the order under the cursor, without leaving the list.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{Msg, Pane, State};
use crate::{
    domain::{
        age,
        compare::Agreement,
        contract, id_timestamp, mask,
        order::{Order, Status},
        text,
    },
    ops::analysis::OrderAnalysis,
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

pub(super) fn view(
    state: &State,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
    hits: &mut Hits<Msg>,
) {
    let focused = state.pane == Pane::Preview && !state.typing;
    let inner = pane(frame, area, theme, "Preview", "", focused);
    let width = usize::from(inner.width);
    let lines = match (&state.preview.value, &state.preview.error) {
        (Some(Some(known)), _) => lines(known, shared, theme, width),
        (Some(None), _) => vec![Line::styled("This order no longer exists", theme.warn)],
        (None, Some(error)) => {
            vec![Line::styled(text::cut(&error.to_string(), width), theme.danger)]
        }
        (None, None) if state.preview_of.is_some() => vec![Line::styled("Loading …", theme.muted)],
        (None, None) => vec![Line::styled("Select an order", theme.muted)],
    };
    scrolling(frame, inner, hits, 1, lines, state.preview_offset);
}

fn lines(
    known: &OrderAnalysis,
    shared: &Shared,
    theme: &Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let history = &known.history;
    let order = history.row.clone().or_else(|| known.timeline.latest().order().cloned());
    let mut out = vec![Line::styled(history.id.to_string(), theme.accent)];
    out.push(clocks(known, theme));
    if let Some(tenant) = &history.tenant {
        out.push(Line::from(vec![
            Span::styled("tenant  ", theme.muted),
            Span::raw(text::fit(tenant, width.saturating_sub(8))),
        ]));
    }
    out.push(Line::default());
    out.extend(sources(known, theme, width));
    out.push(Line::default());
    if let Some(order) = &order {
        out.extend(contents(order, shared, theme, width));
        out.push(Line::default());
    }
    let steps = known.timeline.steps();
    out.extend(steps.iter().skip(steps.len().saturating_sub(6)).map(|step| {
        let at = shared.zone.show(step.event.at, "%m-%d %H:%M:%S");
        let title = text::fit(step.meaning.title(), 20);
        Line::raw(format!("v{:<4}{title} {at}", step.version.0))
    }));
    out.extend(history.messages.iter().rev().take(4).rev().map(|message| {
        let (words, style) = words::delivery(message, shared, theme);
        Line::from(vec![
            Span::raw(format!("↳ {} ", text::fit(&contract::shortest(&message.kind), 20))),
            Span::styled(words, style),
        ])
    }));
    out.extend(history.letters.iter().map(|letter| {
        let projection = letter.projection.as_deref().unwrap_or("a projection");
        let what = format!("x dead letter at {} in {projection}", letter.event);
        Line::styled(text::cut(&what, width), theme.danger)
    }));
    out.extend(
        history
            .coverage
            .iter()
            .map(|note| Line::styled(text::cut(&note.to_string(), width), theme.warn)),
    );
    out
}

/// Whether the id's clock and the row's say the same.
fn clocks(known: &OrderAnalysis, theme: &Theme) -> Line<'static> {
    let row = known.history.row.as_ref().and_then(|row| row.created_at);
    let (Some(id), Some(row)) = (id_timestamp::uuid7_time(known.history.id.0), row) else {
        return Line::styled("Id has no timestamp", theme.muted);
    };
    let apart = (row - id).abs();
    let shown = id.format("%H:%M:%SZ");
    if apart < chrono::TimeDelta::seconds(2) {
        Line::styled(format!("id clock {shown} = created_at"), theme.muted)
    } else {
        let apart = age::length(apart);
        Line::styled(format!("id clock {shown}, created_at is {apart} off"), theme.warn)
    }
}

fn sources(known: &OrderAnalysis, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let found = &known.comparison;
    let version = known.timeline.last_version();
    let name = |status: Option<Status>| {
        status.map_or("-".to_owned(), |status| status.to_string().to_uppercase())
    };
    let line = |label: &str, says: String, agreement: &Agreement| {
        let (words, style) = words::brief(agreement, theme);
        Line::from(vec![
            Span::styled(format!("{label:<8}"), theme.muted),
            Span::raw(format!("{says:<13} ")),
            Span::styled(words, style),
        ])
    };
    let mut out = vec![
        Line::from(vec![
            Span::styled("events  ", theme.muted),
            Span::raw(format!("v{version} {}", name(known.events_status()))),
        ]),
        line("row", name(known.row_status()), &found.row),
        line("view", name(known.view_status()), &found.summary),
    ];
    if let Some(divergence) = &found.divergence {
        let style = if found.certain { theme.danger } else { theme.warn };
        let words = divergence.to_string();
        out.extend(
            words::wrapped(&words, width, 3).into_iter().map(|line| Line::styled(line, style)),
        );
    }
    out
}

fn contents(order: &Order, shared: &Shared, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let name = order.buyer.as_ref().and_then(|buyer| buyer.name.as_deref());
    let name = words::name(name, shared);
    let buyer = order.buyer_id.map_or(String::new(), |id| id.short());
    let mut out = vec![Line::from(vec![
        Span::styled("buyer   ", theme.muted),
        Span::raw(format!("{} {buyer}", text::cut(&name, 24))),
    ])];
    out.extend(order.lines.iter().take(8).map(|line| {
        let value = line.price.saturating_mul(line.quantity.into());
        let left = format!("{} × book {} @ {}", line.quantity, line.book.short(), line.price);
        let right = value.to_string();
        let gap = width.saturating_sub(left.chars().count() + right.len() + 1);
        Line::raw(format!("{left}{}{right}", " ".repeat(gap)))
    }));
    if order.lines.len() > 8 {
        out.push(Line::styled(format!("… {} more lines", order.lines.len() - 8), theme.muted));
    }
    let total = words::total(order);
    let gap = width.saturating_sub(6 + total.len());
    out.push(Line::styled(format!("total{}{total}", " ".repeat(gap)), theme.title));
    if let Some(note) = &order.note {
        let shown = if shared.masked {
            mask::mask(note).to_owned() + " (masked)"
        } else {
            text::cut(note, width)
        };
        out.push(Line::from(vec![Span::styled("note    ", theme.muted), Span::raw(shown)]));
    }
    if let Some(why) = &order.unread {
        out.extend(
            words::wrapped(why, width, 2).into_iter().map(|line| Line::styled(line, theme.warn)),
        );
    }
    if order.is_deleted {
        out.push(Line::styled("soft-deleted (a flag of the row; no event says so)", theme.warn));
    }
    out
}
