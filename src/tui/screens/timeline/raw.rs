//! The event as it is stored: every column, then the body, personal data covered. Messages and operators'
//! actions likewise.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{Entry, Msg, State};
use crate::{
    domain::{endless, mask, text},
    ops::audit::Recorded,
    tui::{
        shared::Shared,
        ui::{
            hits::Hits,
            pane::{pane, scrolling},
            theme::Theme,
        },
    },
};

pub(super) fn view(
    state: &State,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
    offset: usize,
    hits: &mut Hits<Msg>,
) {
    let (title, lines) = match state.entry() {
        Some(Entry::Event(point)) => {
            (format!("Event v{} as stored", point.version), event(point, shared, theme))
        }
        Some(Entry::Message(message)) => ("Message".to_owned(), message_lines(message, theme)),
        Some(Entry::Act(act)) => {
            (format!("Operation #{} as recorded", act.number), act_lines(act, shared, theme))
        }
        None => ("Nothing".to_owned(), vec![]),
    };
    let inner = pane(frame, area, theme, &title, "h l other events, j k scroll, Esc closes", true);
    scrolling(frame, inner, hits, 2, lines, offset);
}

fn column(theme: &Theme, name: &str, value: &str) -> Line<'static> {
    Line::from(vec![
        Span::styled(text::fit(name, 16), theme.muted),
        Span::raw(text::clean(value).into_owned()),
    ])
}

fn event(point: &super::Point, shared: &Shared, theme: &Theme) -> Vec<Line<'static>> {
    let event = &point.event;
    let none = "-".to_owned();
    let maybe = |value: &Option<String>| value.clone().unwrap_or_else(|| none.clone());
    let id = |value: &Option<String>| {
        let shown = value.as_deref().map(|id| mask::veil_id(id, !shared.masked).into_owned());
        shown.unwrap_or_else(|| none.clone())
    };
    let at = endless::iso(event.at, chrono::SecondsFormat::Micros);
    let frozen = if point.frozen { "  (the column's frozen default)" } else { "" };
    let mut out = vec![
        column(theme, "seq_id", &event.seq.to_string()),
        column(theme, "id", &event.id.to_string()),
        column(theme, "stream_id", &event.stream.map_or(none.clone(), |id| id.to_string())),
        column(theme, "version", &event.version.to_string()),
        column(theme, "type", &event.kind),
        column(theme, "timestamp", &format!("{at}{frozen}")),
        column(theme, "mt_dotnet_type", &maybe(&event.dotnet_type)),
        column(theme, "tenant_id", &maybe(&event.tenant)),
        column(theme, "correlation_id", &id(&event.correlation_id)),
        column(theme, "causation_id", &id(&event.causation_id)),
        column(
            theme,
            "headers",
            &event
                .headers
                .as_ref()
                .map_or(none.clone(), |held| mask::covered(held, shared.masked).to_string()),
        ),
        column(theme, "is_archived", &event.archived.to_string()),
    ];
    if let Some(doubt) = point.state.uncertain.as_ref().filter(|d| d.version == point.version) {
        out.push(Line::styled(format!("not understood: {}", text::clean(&doubt.why)), theme.warn));
    }
    if event.binary {
        out.push(Line::styled(
            "the body is binary (bdata); what follows is Marten's placeholder",
            theme.warn,
        ));
    }
    out.push(Line::styled("data", theme.muted));
    out.extend(json(&event.body, shared));
    out
}

/// A value over several lines, personal data covered.
fn json(value: &serde_json::Value, shared: &Shared) -> Vec<Line<'static>> {
    let value = mask::covered(value, shared.masked);
    let text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.lines().map(|line| Line::raw(text::clean(line).into_owned())).collect()
}

fn act_lines(act: &Recorded, shared: &Shared, theme: &Theme) -> Vec<Line<'static>> {
    let at = act.at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let reason = act.reason.as_deref().map_or("-".into(), |why| mask::veil(why, !shared.masked));
    let mut out = vec![
        column(theme, "audit number", &act.number.to_string()),
        column(theme, "operation", &act.operation.to_string()),
        column(theme, "at", &at),
        column(theme, "what", &act.intent),
        column(theme, "on", &act.targets.join(", ")),
        column(theme, "operator", &format!("{} at {}", act.operator, act.host)),
        column(theme, "role, login", &format!("{}, {}", act.role, act.login)),
        column(theme, "reason", &reason),
    ];
    if act.erased {
        out.push(Line::styled("values of this record were erased", theme.warn));
    }
    for (name, value) in [("before", &act.before), ("after", &act.after)] {
        let Some(value) = value else {
            out.push(column(theme, name, "-"));
            continue;
        };
        out.push(Line::styled(name, theme.muted));
        out.extend(json(value, shared));
    }
    out
}

fn message_lines(message: &crate::ops::history::Message, theme: &Theme) -> Vec<Line<'static>> {
    let maybe = |id: Option<uuid::Uuid>| id.map_or("-".to_owned(), |id| id.to_string());
    vec![
        column(theme, "sequence_number", &message.sequence.to_string()),
        column(theme, "message_id", &message.id.to_string()),
        column(theme, "message_type", &message.kind),
        column(theme, "sent_time", &format!("{} (published; not delivered)", message.published)),
        column(theme, "outbox_id", &message.outbox.map_or("-".to_owned(), |id| id.to_string())),
        column(theme, "conversation_id", &maybe(message.conversation)),
        column(theme, "correlation_id", &maybe(message.correlation)),
        column(theme, "initiator_id", &maybe(message.initiator)),
        column(theme, "destination", message.destination.as_deref().unwrap_or("(none)")),
        column(theme, "last pass", &maybe(message.last_pass)),
    ]
}
