//! Who the order is, and whether its three sources say the same.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use crate::{
    domain::{
        age,
        compare::{Agreement, RowFact},
        id_timestamp,
        order::Status,
        text::{self, counted},
    },
    ops::analysis::OrderAnalysis,
    tui::{
        shared::Shared,
        ui::{
            pane::{clipped, pane},
            theme::Theme,
        },
        words,
    },
};

pub(super) fn view(
    known: &OrderAnalysis,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
) {
    let history = &known.history;
    let order = history.row.as_ref().or_else(|| known.timeline.latest().order());
    let id = if area.width >= 76 { history.id.to_string() } else { history.id.short() };
    let mut title = format!("Order {id}   v{}", known.timeline.last_version());
    if let Some(order) = order {
        if area.width >= 100 {
            let name = order.buyer.as_ref().and_then(|buyer| buyer.name.as_deref());
            let name = text::cut(&words::name(name, shared), 20);
            let buyer = order.buyer_id.map_or(String::new(), |id| id.short());
            title = format!("{title}   buyer {name} {buyer}");
        }
        title = format!("{title}   total {}", words::total(order));
    }
    let inner = pane(frame, area, theme, &title, "", false);
    let width = usize::from(inner.width);
    let lines =
        [sources(known, theme, width), facts(known, shared, theme), verdict(known, theme, width)];
    // Without room for all three, the verdict is the last to go.
    let lines = if inner.height < 3 {
        [lines[0].clone(), lines[2].clone(), lines[1].clone()]
    } else {
        lines
    };
    for (row, line) in (0..inner.height).zip(lines) {
        clipped(frame, Rect { y: inner.y + row, height: 1, ..inner }, line);
    }
}

/// `row CANCELLED = events CANCELLED = view CANCELLED`
fn sources(known: &OrderAnalysis, theme: &Theme, width: usize) -> Line<'static> {
    let found = &known.comparison;
    let name = |status: Option<Status>| {
        status.map_or("none".to_owned(), |status| status.to_string().to_uppercase())
    };
    let sign = |agreement: &Agreement| {
        Span::styled(format!(" {} ", agreement.sign()), words::sign_style(agreement, theme))
    };
    let mut spans = vec![
        Span::styled("row ", theme.muted),
        Span::styled(name(known.row_status()), theme.title),
        sign(&found.row),
        Span::styled("events ", theme.muted),
        Span::styled(name(known.events_status()), theme.title),
        sign(&found.summary),
        Span::styled("view ", theme.muted),
        Span::styled(name(known.view_status()), theme.title),
    ];
    let letters = known.history.letters.len();
    let counts = format!(
        "   {}  {}",
        counted(known.timeline.steps().len(), "event"),
        counted(known.history.messages.len(), "message")
    );
    let dead = format!("   {}", counted(letters, "dead letter"));
    let used: usize = spans.iter().map(Span::width).sum();
    // The panes below count events and messages as well; nothing else counts the letters.
    if letters == 0 || used + counts.chars().count() + dead.chars().count() <= width {
        spans.push(Span::styled(counts, theme.muted));
    }
    if letters > 0 {
        spans.push(Span::styled(dead, theme.danger));
    }
    Line::from(spans)
}

/// The clocks, deletion, streams: what else a reader should know before believing the rest.
fn facts(known: &OrderAnalysis, shared: &Shared, theme: &Theme) -> Line<'static> {
    let history = &known.history;
    let mut spans = vec![];
    let mut tell = |text: String, style| spans.push(Span::styled(format!("{text}   "), style));
    if let Some(tenant) = &history.tenant {
        tell(format!("tenant {}", text::clean(tenant)), theme.title);
    }
    let row = history.row.as_ref().and_then(|row| row.created_at);
    match (id_timestamp::uuid7_time(history.id.0), row) {
        (Some(id), Some(row)) => {
            let apart = (row - id).abs();
            if apart < chrono::TimeDelta::seconds(2) {
                tell(format!("clocks agree ({})", age::length(apart)), theme.muted);
            } else {
                let apart = age::length(apart);
                tell(format!("id clock and created_at are {apart} apart"), theme.warn);
            }
        }
        _ => tell("id has no timestamp".to_owned(), theme.muted),
    }
    for fact in &known.comparison.facts {
        match fact {
            RowFact::Deleted => tell("SOFT-DELETED (row only)".to_owned(), theme.warn),
            RowFact::Restored => tell("restored (row only)".to_owned(), theme.info),
            RowFact::TouchedAfter(at) => {
                let at = shared.zone.show(*at, "%Y-%m-%d %H:%M:%S");
                tell(format!("row changed later, at {at}"), theme.info);
            }
            RowFact::BuyerMovedOn => tell("buyer's data changed since".to_owned(), theme.muted),
        }
    }
    let streams: std::collections::BTreeSet<_> =
        history.events.iter().filter_map(|event| event.stream).collect();
    let own = streams.iter().all(|stream| stream.0 == history.id.0);
    match (streams.len(), own) {
        (0, _) => tell("no stream".to_owned(), theme.muted),
        (_, true) => tell("one stream, the order's own".to_owned(), theme.muted),
        (count, false) => {
            tell(format!("events in {} named otherwise", counted(count, "stream")), theme.info);
        }
    }
    if history.events.iter().any(|event| event.archived) {
        tell("archived".to_owned(), theme.info);
    }
    Line::from(spans)
}

/// The one sentence to take away.
fn verdict(known: &OrderAnalysis, theme: &Theme, width: usize) -> Line<'static> {
    let found = &known.comparison;
    let steps = known.timeline.steps();
    let illegal = steps.iter().find_map(|step| Some((step, step.after_end?)));
    let (words, style) = if let Some(divergence) = &found.divergence {
        let style = if found.certain { theme.danger } else { theme.warn };
        (divergence.to_string(), style)
    } else if let Some((step, ended)) = illegal {
        let title = step.meaning.title();
        (
            format!("v{} {title} came although the order was {ended} already", step.version),
            theme.danger,
        )
    } else if let Some(doubt) = &known.timeline.latest().uncertain {
        (format!("uncertain since v{}: {}", doubt.version, doubt.why), theme.warn)
    } else if found.row == Agreement::Match && found.summary == Agreement::Match {
        ("the three sources say the same".to_owned(), theme.ok)
    } else {
        let (words, style) = words::agreement(&found.summary, theme);
        (format!("summary view: {words}"), style)
    };
    Line::styled(text::cut(&words, width), style)
}
