//! How Messages looks: a pure function of its state.

use chrono::TimeDelta;
use ratatui::{
    Frame,
    layout::{
        Constraint::{Fill, Length, Percentage},
        Layout, Rect,
    },
    text::{Line, Span},
};

use super::{Msg, Pane, State, Sub, chart, detail, diagnosis, ledger, list, relay};
use crate::tui::{
    shared::Shared,
    ui::{hits::Hits, legend, pane::clipped, theme::Theme},
};

/// Below this width panes stand above each other.
const TWO_PANES: u16 = 100;

/// Draws the screen: diagnosis first, rows second.
pub fn view(
    state: &State,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
) -> Hits<Msg> {
    let mut hits = Hits::default();
    if state.zoomed {
        only(state, shared, theme, frame, area, &mut hits);
    } else if area.width >= TWO_PANES {
        // The pane that is read gets the room.
        let top = if state.pane == Pane::Diagnosis { 17 } else { 11 };
        let [top, body] =
            area.layout(&Layout::vertical([Length(top.min(area.height / 2)), Fill(1)]));
        let [left, right] = top.layout(&Layout::horizontal([Percentage(50), Fill(1)]));
        chart::view(state, shared, theme, frame, left);
        diagnosis::view(state, theme, frame, right, &mut hits);
        let below = ledger::height(state, body.height);
        let [body, below] = body.layout(&Layout::vertical([Fill(1), Length(below)]));
        ledger::view(state, shared, theme, frame, below, &mut hits);
        let [left, right] = body.layout(&Layout::horizontal([Percentage(57), Fill(1)]));
        list::view(state, shared, theme, frame, left, &mut hits);
        detail::view(state, shared, theme, frame, right, &mut hits);
    } else {
        narrow(state, shared, theme, frame, area, &mut hits);
    }
    if state.explaining {
        let rows = match state.sub {
            Sub::Outbox(_) => SENT,
            Sub::Inbox => RECEIVED,
            Sub::Errors => FAILED,
            Sub::Kept => TAKEN,
        };
        legend::view(theme, frame, area, rows);
    }
    hits
}

/// One pane alone.
fn only(
    state: &State,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
    hits: &mut Hits<Msg>,
) {
    match state.pane {
        Pane::List => list::view(state, shared, theme, frame, area, hits),
        Pane::Diagnosis => diagnosis::view(state, theme, frame, area, hits),
        Pane::Detail => detail::view(state, shared, theme, frame, area, hits),
    }
}

/// Figures and one line of bars, the diagnosis, and one pane.
fn narrow(
    state: &State,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
    hits: &mut Hits<Msg>,
) {
    let mut tiles = chart::tiles(state, shared, theme, area.width >= 70);
    tiles.extend(relay::line(shared, theme, area.width));
    let lines = if shared.relay.is_some() { 4 } else { 3 };
    let [figures, rest] = area.layout(&Layout::vertical([Length(lines.min(area.height)), Fill(1)]));
    for (row, line) in (0..figures.height).zip(tiles) {
        clipped(frame, Rect { y: figures.y + row, height: 1, ..figures }, line);
    }
    if figures.height == lines {
        let looks = state.looks();
        let since = looks.first().map_or_else(String::new, |first| {
            let day = chart::length(&looks) >= TimeDelta::hours(24);
            let format = if day { "%m-%d" } else { "%H:%M" };
            format!("since {} ", shared.zone.show(first.at, format))
        });
        let width = usize::from(figures.width).saturating_sub(1 + since.len());
        let bars = chart::sparkline(&looks, width);
        let place = Rect { y: figures.bottom() - 1, height: 1, ..figures };
        let line = vec![Span::styled(since, theme.muted), Span::styled(bars, theme.accent)];
        frame.render_widget(Line::from(line), place);
    }
    match state.pane {
        Pane::List => {
            let [top, body] =
                rest.layout(&Layout::vertical([Length(5.min(rest.height / 2)), Fill(1)]));
            diagnosis::view(state, theme, frame, top, hits);
            list::view(state, shared, theme, frame, body, hits);
        }
        Pane::Diagnosis | Pane::Detail => only(state, shared, theme, frame, rest, hits),
    }
}

/// What `i` tells of the outbox's lists.
const SENT: &[(&str, &str)] = &[
    ("pending", "not recorded as delivered; after a crash up to 100 a worker may be out already"),
    ("delivered", "recorded so, still there; a row that is gone was that or purged"),
    ("orphan", "no outbox and no inbox row owns it: nothing will ever send it"),
    ("expired", "past its expiration time: still sent, with one second to live"),
    ("age", "since it was published (sent_time), which is not delivery"),
    ("next", "at the head of the oldest outbox: the one that a worker takes first"),
    ("POISON", "its own text keeps it from leaving; the diagnosis says what"),
    ("NO DEST", "without a destination, or (BAD) with one nobody can use: undeliverable"),
    ("corr", "end of the correlation id, else of the conversation id"),
    ("in, out", "messages a minute, from looks of our own or stored ones"),
    ("drained", "when the backlog is gone if it goes on so [soonest-latest], or never"),
    ("held by", "whose transaction holds the owner's row now; L looks again"),
    ("relay", "beside this console since it opened; unheard: no queue was bound"),
    ("~ and +", "estimated, and at least; in the diagnosis: what was not looked at"),
];

/// The same of the inbox.
const RECEIVED: &[(&str, &str)] = &[
    ("passes", "receive_count: committed passes, not deliveries; failures leave it at 0"),
    ("again", "received again, nothing changed"),
    ("again?", "the same, or it produced several messages: each is a pass of its own"),
    ("not handled", "no attempt succeeded; a new row is being handled for a minute at most"),
    ("half-done", "handled, its messages not recorded as delivered"),
    ("lag", "from received to delivered; publish latency: from an outbox's creation to delivery"),
    ("exact", "of consumers that produce nothing; estimated: of the others"),
    ("by hour", "H: shades of what came in; + some of it again, ! some of it not done"),
    ("U and d", "only what nobody handled (again: half-done), only what came again; Esc: all"),
    ("~ and +", "estimated, and at least; in the diagnosis: what was not looked at"),
];

/// The same of copies.
const TAKEN: &[(&str, &str)] = &[
    ("quarantined", "taken out of its outbox while it was pending"),
    ("repaired", "as it was before it was repaired; the repaired one leaves as well"),
    ("purged", "removed with its delivered outbox"),
    ("delivered", "delivered by Orderscope's relay, which removed its row (relay.keep_days)"),
    ("discarded", "taken out of an error queue of the broker"),
    (
        "put back",
        "e, n: into an outbox of its own, under its id or another; b: into its error queue",
    ),
];

/// The same of the error queues.
const FAILED: &[(&str, &str)] = &[
    ("count", "messages that failed alike; newest: when the last of them did"),
    ("done", "its consumers have done it: nothing is lost with it"),
    ("wait", "not done: a replay does its work for the first time"),
    ("unkn", "it may be done: a replay may do its work again"),
    ("dupl", "most likely the second of two deliveries: the first may have done it"),
    ("+", "marked with Space (* all, v the others): x replays or discards just these"),
    ("replay", "x: to the queue it came from; of many only what waits"),
    ("discard", "x: out of its queue, a copy kept first; of many only what is done"),
    ("again", "unkn and dupl are replayed one by one only, with more to type"),
];
