//! Who the order is, and whether its three sources say the same.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use crate::{
    domain::{age, body::status_name, clock, compare::Agreement, mask, order::Status, text},
    ops::known::Known,
    tui::{
        shared::Shared,
        ui::{pane::pane, theme::Theme},
        words,
    },
};

pub(super) fn view(known: &Known, shared: &Shared, theme: &Theme, frame: &mut Frame, area: Rect) {
    let history = &known.history;
    let newest = known.timeline.at_version(known.timeline.last()).order;
    let order = history.row.as_ref().or(newest.as_ref());
    let id = if area.width >= 76 { history.id.to_string() } else { history.id.short() };
    let mut title = format!("Order {id}   v{}", known.timeline.last());
    if let Some(order) = order {
        if area.width >= 100 {
            let name = order.buyer.as_ref().and_then(|buyer| buyer.name.as_deref()).unwrap_or("?");
            let name =
                if shared.masked { mask::mask_name(name) } else { text::cut(name, 20) };
            let buyer = order.buyer_id.map_or(String::new(), |id| id.short());
            title.push_str(&format!("   buyer {name} {buyer}"));
        }
        title.push_str(&format!("   total {}", order.total));
    }
    let inner = pane(frame, area, theme, &title, "", false);
    let lines = [sources(known, theme), facts(known, theme), verdict(known, shared, theme)];
    for (row, line) in (0..inner.height).zip(lines) {
        frame.render_widget(line, Rect { y: inner.y + row, height: 1, ..inner });
    }
}

/// `row CANCELLED = events CANCELLED = view CANCELLED`
fn sources(known: &Known, theme: &Theme) -> Line<'static> {
    let found = &known.comparison;
    let name = |status: Option<Status>| {
        status.map_or("none".to_owned(), |status| status_name(status).to_uppercase())
    };
    let sign = |agreement: &Agreement| match agreement {
        Agreement::Same => Span::styled(" = ", theme.ok),
        Agreement::Differs { .. } | Agreement::Missing => Span::styled(" ≠ ", theme.danger),
        Agreement::Behind => Span::styled(" … ", theme.warn),
        Agreement::NotExpected(_) | Agreement::Unknown(_) => Span::styled(" ? ", theme.warn),
    };
    let mut spans = vec![
        Span::styled("row ", theme.muted),
        Span::styled(name(found.row), theme.title),
        sign(&found.row_agrees),
        Span::styled("events ", theme.muted),
        Span::styled(name(found.events), theme.title),
        sign(&found.view_agrees),
        Span::styled("view ", theme.muted),
        Span::styled(name(found.view), theme.title),
    ];
    let letters = known.history.letters.len();
    let counts = format!(
        "   {} events  {} messages",
        known.timeline.points().len(),
        known.history.messages.len()
    );
    spans.push(Span::styled(counts, theme.muted));
    if letters > 0 {
        spans.push(Span::styled(format!("  {letters} dead letters"), theme.danger));
    }
    Line::from(spans)
}

/// The clocks, deletion, streams: what else a reader should know before believing the rest.
fn facts(known: &Known, theme: &Theme) -> Line<'static> {
    let history = &known.history;
    let mut spans = vec![];
    let mut tell = |text: String, style| spans.push(Span::styled(format!("{text}   "), style));
    let row = history.row.as_ref().and_then(|row| row.created_at);
    match (clock::of_v7(history.id.0), row) {
        (Some(id), Some(row)) => {
            let apart = (row - id).abs().to_std().unwrap_or_default();
            if apart.as_secs() < 2 {
                tell(format!("clocks agree ({})", age::age(apart)), theme.muted);
            } else {
                tell(format!("id clock and created_at are {} apart", age::age(apart)), theme.warn);
            }
        }
        _ => tell("id carries no clock".to_owned(), theme.muted),
    }
    if history.row.as_ref().is_some_and(|row| row.is_deleted) {
        tell("SOFT-DELETED (row only)".to_owned(), theme.warn);
    }
    let streams: std::collections::BTreeSet<_> =
        history.events.iter().filter_map(|event| event.stream).collect();
    let own = streams.iter().all(|stream| stream.0 == history.id.0);
    match (streams.len(), own) {
        (0, _) => tell("no stream".to_owned(), theme.muted),
        (_, true) => tell("one stream, the order's own".to_owned(), theme.muted),
        (count, false) => tell(format!("events in {count} streams not named like the order"), theme.info),
    }
    if history.events.iter().any(|event| event.archived) {
        tell("archived".to_owned(), theme.info);
    }
    Line::from(spans)
}

/// The one sentence to take away.
fn verdict(known: &Known, shared: &Shared, theme: &Theme) -> Line<'static> {
    let found = &known.comparison;
    let place = |text: String| match found.parts_at {
        Some(version) => {
            let at = known.timeline.point(version).map(|point| {
                shared.zone.local(point.event.at).format(" (%Y-%m-%d %H:%M:%S)").to_string()
            });
            format!("{text}; they part at v{version}{}", at.unwrap_or_default())
        }
        None => text,
    };
    let told = |label: &str, agreement: &Agreement| match agreement {
        Agreement::Same | Agreement::NotExpected(_) => None,
        other => {
            let (words, style) = words::agreement(other, theme);
            Some((place(format!("{label}: {words}")), style))
        }
    };
    let (text, style) = told("orders row", &found.row_agrees)
        .or_else(|| told("summary view", &found.view_agrees))
        .unwrap_or_else(|| ("the three sources say the same".to_owned(), theme.ok));
    Line::styled(text, style)
}
