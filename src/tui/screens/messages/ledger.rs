//! The inbox below a list of messages: what consumers did not finish, then what came last.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{InboxView, Msg, Pane, State, Sub, inbox};
use crate::{
    domain::text::thousands,
    ops::messages::report,
    tui::{
        shared::Shared,
        ui::{
            hits::Hits,
            pane::{clipped, pane},
            theme::Theme,
        },
    },
};

/// So many rows are shown.
pub(super) const ROWS: i64 = 4;
/// With them, their header and the frame.
const HEIGHT: u16 = 7;
/// The list above keeps at least so much.
const ENOUGH: u16 = 13;

/// What it takes of `height` lines: nothing where the list needs them, or a message is read.
pub(super) fn height(state: &State, height: u16) -> u16 {
    let beside = matches!(state.sub, Sub::Outbox(_)) && state.focus.pane == Pane::List;
    if beside && state.status().is_some() && height >= HEIGHT + ENOUGH { HEIGHT } else { 0 }
}

pub(super) fn view(
    state: &State,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
    hits: &mut Hits<Msg>,
) {
    let Some(status) = state.status().filter(|_| area.height > 0) else { return };
    let cx = state.context(shared, theme);
    let facts = &status.facts.inbox;
    let (exact, estimated, share) = facts.duplicates();
    let again = match share {
        Some(share) if exact + estimated > 0 => {
            format!(", {} duplicates ({share:.1}%)", thousands(exact + estimated))
        }
        _ => String::new(),
    };
    let title = if facts.is_known() {
        format!("Inbox: {} rows, {} in the last hour{again}", facts.rows, facts.last_hour)
    } else {
        format!("Inbox: {}", facts.rows)
    };
    let note = "U not handled | d again | H by hour";
    let inner = pane(frame, area, theme, &title, note, false);
    let mut lines = vec![Line::styled(inbox::view::HEADER, theme.header)];
    for row in &status.glance {
        lines.push(inbox::view::line(row, Span::raw("  "), true, cx));
    }
    if status.glance.is_empty() {
        lines.push(if facts.is_known() {
            Line::styled(format!("  {}", inbox::view::EMPTY), theme.ok)
        } else {
            Line::styled(format!("  {}", report::NOT_KNOWN), theme.warn)
        });
    }
    for (row, line) in (0..inner.height).zip(lines) {
        clipped(frame, Rect { y: inner.y + row, height: 1, ..inner }, line);
    }
    hits.click(area, Msg::Only(InboxView::All));
}
