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

use super::{Msg, Pane, State, Sub, chart, diagnosis, ledger, relay, sub::Detail};
use crate::{
    ops::messages::list::View,
    tui::{
        shared::Shared,
        ui::{
            hits::Hits,
            legend,
            list::Look,
            pane::{clipped, pane},
            theme::Theme,
        },
    },
};

/// Below this width panes stand above each other.
const TWO_PANES: u16 = 100;
/// A list of fewer lines has better use for them than a summary.
const TALL: u16 = 12;

/// Draws the screen: diagnosis first, rows second.
pub(super) fn view(
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
        let top = if state.focus.pane == Pane::Diagnosis { 17 } else { 11 };
        let [top, body] =
            area.layout(&Layout::vertical([Length(top.min(area.height / 2)), Fill(1)]));
        let [left, right] = top.layout(&Layout::horizontal([Percentage(50), Fill(1)]));
        chart::view(state, shared, theme, frame, left);
        diagnosis::view(state, theme, frame, right, &mut hits);
        let below = ledger::height(state, body.height);
        let [body, below] = body.layout(&Layout::vertical([Fill(1), Length(below)]));
        ledger::view(state, shared, theme, frame, below, &mut hits);
        let [left, right] = body.layout(&Layout::horizontal([Percentage(57), Fill(1)]));
        list(state, shared, theme, frame, left, &mut hits);
        detail(state, shared, theme, frame, right, &mut hits);
    } else {
        narrow(state, shared, theme, frame, area, &mut hits);
    }
    if state.explaining {
        legend::view(theme, frame, area, state.shown().legend());
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
    match state.focus.pane {
        Pane::List => list(state, shared, theme, frame, area, hits),
        Pane::Diagnosis => diagnosis::view(state, theme, frame, area, hits),
        Pane::Detail => detail(state, shared, theme, frame, area, hits),
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
    match state.focus.pane {
        Pane::List => {
            let [top, body] =
                rest.layout(&Layout::vertical([Length(5.min(rest.height / 2)), Fill(1)]));
            diagnosis::view(state, theme, frame, top, hits);
            list(state, shared, theme, frame, body, hits);
        }
        Pane::Diagnosis | Pane::Detail => only(state, shared, theme, frame, rest, hits),
    }
}

/// The list of the sub-view, with what has to be said about it.
fn list(
    state: &State,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
    hits: &mut Hits<Msg>,
) {
    let (shown, cx) = (state.shown(), state.context(shared, theme));
    let focused = state.focus.pane == Pane::List;
    let inner = pane(frame, area, theme, &shown.title(), &neighbours(state), focused);
    let mut foot = shown.footnotes(cx, inner.width);
    if inner.height >= TALL {
        foot.extend(shown.summary(cx, inner.width));
    }
    let below = u16::try_from(foot.len()).unwrap_or(0).min(inner.height / 3);
    let [head, body, notes] = inner.layout(&Layout::vertical([Length(1), Fill(1), Length(below)]));
    let roomy = inner.width >= shown.roomy();
    frame.render_widget(Line::styled(shown.header(roomy), theme.header), head);
    shown.cursor().draw(
        Look { theme, focused, pane: 0 },
        frame,
        body,
        shown.len(),
        hits,
        |index| shown.is_marked(index),
        Msg::Clicked,
        |index, sign| shown.line(index, sign, roomy, cx),
    );
    if shown.is_empty() {
        clipped(frame, Rect { height: body.height.min(1), ..body }, shown.empty(cx));
    }
    for (line, text) in (0..notes.height).zip(foot) {
        clipped(frame, Rect { y: notes.y + line, height: 1, ..notes }, text);
    }
}

/// Where `<` and `>` lead, with how much is there.
fn neighbours(state: &State) -> String {
    let Some(status) = state.status() else { return "< >".to_owned() };
    let facts = &status.facts;
    let sub = |sub: Sub| match sub {
        Sub::Outbox(View::Pending) => format!("pending {}", facts.pending()),
        Sub::Outbox(View::Orphan) => format!("orphan {}", facts.orphans),
        Sub::Outbox(View::Expired) => format!("expired {}", facts.expired),
        Sub::Outbox(View::Undeliverable) => format!("undeliverable {}", facts.undeliverable),
        Sub::Inbox => format!("inbox {}", facts.inbox.rows),
        Sub::Outbox(View::Delivered) | Sub::ErrorQueues | Sub::Archive => sub.name().to_owned(),
    };
    let at = Sub::ALL.iter().position(|one| *one == state.sub).unwrap_or(0);
    let len = Sub::ALL.len();
    format!("< {} | {} >", sub(Sub::ALL[(at + len - 1) % len]), sub(Sub::ALL[(at + 1) % len]))
}

/// What stands beside the list.
fn detail(
    state: &State,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
    hits: &mut Hits<Msg>,
) {
    let focused = state.focus.pane == Pane::Detail;
    let width = usize::from(area.width.saturating_sub(2));
    let Detail { title, note, lines } = state.shown().detail(state.context(shared, theme), width);
    let inner = pane(frame, area, theme, &title, note, focused);
    let offset = hits.text(inner, 2, lines.len(), state.focus.offset);
    for (row, line) in (0..inner.height).zip(lines.into_iter().skip(offset)) {
        clipped(frame, Rect { y: inner.y + row, height: 1, ..inner }, line);
    }
}
