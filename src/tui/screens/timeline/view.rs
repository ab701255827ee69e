//! How Timeline looks: a pure function of its state.

use ratatui::{
    Frame,
    layout::{
        Constraint::{Fill, Length, Percentage},
        Layout, Rect,
    },
    text::{Line, Span},
    widgets::{Paragraph, Wrap},
};

use super::{Msg, Pane, State, chain_pane, events, head, raw, scrubber, state_pane};
use crate::{
    domain::text,
    tui::{
        shared::Shared,
        ui::{hits::Hits, legend, pane::pane, theme::Theme},
        words,
    },
};

/// Below this width the two panes become one, changed with Tab.
const TWO_PANES: u16 = 100;
/// Below this height the scrubber is one line without a frame.
const TALL: u16 = 26;

/// Draws the screen.
pub(super) fn view(
    state: &State,
    shared: &Shared,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
) -> Hits<Msg> {
    let mut hits = Hits::default();
    let Some(known) = state.known() else {
        nothing(state, theme, frame, area);
        return hits;
    };
    let tall = area.height >= TALL;
    let wide = area.width >= TWO_PANES && !state.zoomed;
    let notes = notes(state, shared, theme, area.width);
    let foot = u16::try_from(notes.len()).unwrap_or(0).min(4);
    let [top, line, body, below] = area.layout(&Layout::vertical([
        Length(if tall { 5 } else { 4 }),
        Length(if tall { 4 } else { 1 }),
        Fill(1),
        Length(foot),
    ]));
    head::view(known, shared, theme, frame, top);
    scrubber::view(state, known, shared, theme, frame, line);
    if let Some(offset) = state.raw {
        raw::view(state, shared, theme, frame, body, offset, &mut hits);
    } else {
        let (body, chain) = if wide && body.height >= chain_pane::ROOMY {
            let rows = Layout::vertical([Fill(1), Length(chain_pane::HEIGHT)]);
            let [body, chain] = body.layout(&rows);
            (body, Some(chain))
        } else {
            (body, None)
        };
        if let Some(chain) = chain {
            chain_pane::view(state, known, shared, theme, frame, chain, &mut hits);
        }
        match (wide, state.pane) {
            (true, Pane::Chain) if chain.is_none() => {
                let [left, right] = body.layout(&Layout::horizontal([Percentage(48), Fill(1)]));
                events::view(state, known, shared, theme, frame, left, &mut hits);
                chain_pane::view(state, known, shared, theme, frame, right, &mut hits);
            }
            (true, _) => {
                let [left, right] = body.layout(&Layout::horizontal([Percentage(48), Fill(1)]));
                events::view(state, known, shared, theme, frame, left, &mut hits);
                state_pane::view(state, known, shared, theme, frame, right, &mut hits);
            }
            (false, Pane::Events) => {
                events::view(state, known, shared, theme, frame, body, &mut hits);
            }
            (false, Pane::Chain) => {
                chain_pane::view(state, known, shared, theme, frame, body, &mut hits);
            }
            (false, Pane::State) => {
                state_pane::view(state, known, shared, theme, frame, body, &mut hits);
            }
        }
    }
    for (row, note) in (0..below.height).zip(notes) {
        frame.render_widget(note, Rect { y: below.y + row, height: 1, ..below });
    }
    if state.explaining {
        legend::view(theme, frame, body, LEGEND);
    }
    hits
}

fn nothing(state: &State, theme: &Theme, frame: &mut Frame, area: Rect) {
    let inner = pane(frame, area, theme, "Timeline", "", false);
    let text = match (&state.order, &state.known.value, &state.known.error) {
        (None, ..) => "No order is chosen yet. Press 2 to search for one, then Enter.".to_owned(),
        (Some(order), Some(None), _) => {
            format!("Nothing here knows order {order}: neither a row, nor a stream, nor an event.")
        }
        (Some(_), _, Some(error)) => format!("Not read: {error}"),
        (Some(order), None, None) => format!("Reading the history of {order} …"),
        (Some(_), Some(Some(_)), None) => String::new(),
    };
    frame.render_widget(
        Paragraph::new(Span::styled(text, theme.muted)).wrap(Wrap { trim: true }),
        inner,
    );
}

/// What went wrong and what was not searched, under the panes.
fn notes(state: &State, shared: &Shared, theme: &Theme, width: u16) -> Vec<Line<'static>> {
    let width = usize::from(width).saturating_sub(1);
    let mut out = vec![];
    if let Some(error) = &state.known.error {
        let seen = state.known.seen_at.unwrap_or(shared.now.instant);
        let age = words::since(seen, shared);
        let told = format!(" Not refreshed (what you see is {age} old): {error}");
        out.push(Line::styled(text::cut(&told, width), theme.danger));
    }
    if let Some(error) = &state.acts.error {
        let told = format!(" operators' actions not read: {error}");
        out.push(Line::styled(text::cut(&told, width), theme.warn));
    }
    if let Some(known) = state.known() {
        out.extend(known.history.coverage.iter().map(|note| {
            Line::styled(text::cut(&format!(" not searched: {note}"), width), theme.warn)
        }));
    }
    out
}

/// What `i` tells.
const LEGEND: &[(&str, &str)] = &[
    ("v", "place in the order's history, by sequence number over all its streams"),
    ("seq", "mt_events.seq_id: the order of writing, with gaps; times are never used for order"),
    ("at", "the stored time; ~ marks the column's frozen default, which says nothing"),
    ("Δ", "since the event before; negative when stored times run backwards"),
    ("corr", "end of the correlation id, the trace that caused the event"),
    ("other", "the event lives in a stream of its own, not in one named like the order"),
    ("?", "an event this program does not understand: the state is uncertain from there on"),
    ("x", "a dead letter: a projection could not apply this event"),
    ("row", "the orders row; deleting and restoring show there only, no event carries them"),
    ("view", "the order summary document; its projection may lag by some events"),
    ("◆", "what an operator did: the audit number, who, and why (masked until R reveals)"),
    ("PENDING", "not recorded as delivered; after a crash it may have been sent all the same"),
];
