//! The relay beside the console, in a line among the figures, and what it tried as evidence for the diagnosis.

use ratatui::text::{Line, Span};

use super::Status;
use crate::{
    domain::{diagnosis::Tried, text, text::thousands},
    tui::{shared::Shared, ui::theme::Theme},
    workers::relay::Stats,
};

/// Its figures since the console was opened, or what keeps it from working; nothing where there is none.
pub(super) fn line(shared: &Shared, theme: &Theme, width: u16) -> Option<Line<'static>> {
    let stats = shared.relay.as_deref()?;
    let name = Span::styled("relay ", theme.muted);
    if let Some(why) = &stats.trouble {
        let told = format!("cannot deliver: {}", text::clean(why));
        return Some(Line::from(vec![name, Span::styled(told, theme.danger)]));
    }
    if let Some(planted) = &stats.planted {
        let told = format!("{planted} is planted: left alone until demo heal");
        return Some(Line::from(vec![name, Span::styled(told, theme.warn)]));
    }
    let line = |wordy: bool| {
        let mut spans = vec![name.clone()];
        for (at, told) in figures(stats, wordy).into_iter().enumerate() {
            if at > 0 {
                spans.push(Span::raw("  "));
            }
            spans.push(Span::styled(told, if at > 0 { theme.warn } else { theme.text }));
        }
        Line::from(spans)
    };
    let wordy = line(true);
    Some(if wordy.width() > usize::from(width) { line(false) } else { wordy })
}

/// What it delivered, then whatever else there is.
fn figures(stats: &Stats, wordy: bool) -> Vec<String> {
    let number = |number: u64| thousands(i64::try_from(number).unwrap_or(i64::MAX));
    let size = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let held = match stats.poison() {
        0 => "held".to_owned(),
        poison => format!("held ({} poison)", number(size(poison))),
    };
    let (delivered, returned, unknown) = if wordy {
        ("delivered", "no subscriber", "perhaps twice")
    } else {
        ("out", "unheard", "twice?")
    };
    let all = [
        (stats.recorded(), delivered.to_owned()),
        (size(stats.held.len()), held),
        (stats.returned, returned.to_owned()),
        (stats.unknown, unknown.to_owned()),
    ];
    let worth = |(at, (count, _)): &(usize, (u64, String))| *at == 0 || *count > 0;
    let told = all.into_iter().enumerate().filter(worth);
    told.map(|(_, (count, label))| format!("{} {label}", number(count))).collect()
}

/// The same look judged with what the relay tried and could not deliver.
pub(super) fn with_tried(status: Status, shared: &Shared) -> Status {
    let Some(stats) = shared.relay.as_deref() else { return status };
    let tried = stats.held.iter().map(|held| Tried {
        outbox: held.outbox,
        sequence: held.sequence,
        why: held.why.clone(),
        since: held.since,
        attempts: held.attempts,
    });
    status.with_tried(tried.collect())
}
