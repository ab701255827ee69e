//! How the list of bulk operations answers messages. No IO and no clock.

use super::{Cursor, Effect, ITEMS, Msg, Opened, PAGE, Remote, Request, Row, Shared, State, Step};
use crate::{
    ops::operation::{Kind, List},
    tui::selection::{Bulk, MessageSelection, Selection},
};

type Effects = Vec<Effect<Request>>;

/// Answers one message.
pub fn update(state: &mut State, msg: Msg, shared: &Shared) -> Effects {
    match msg {
        Msg::Step(step) => return move_to(state, step, shared),
        Msg::Refresh => {
            let mut effects = state.refresh(shared);
            effects.extend(state.opened.as_mut().map(|opened| look(opened, shared)));
            return effects;
        }
        Msg::Open => {
            let number = state.chosen().map(|(record, _)| record.number);
            if let Some(number) = number.filter(|_| state.opened.is_none()) {
                let mut opened = Opened {
                    number,
                    details: Remote::default(),
                    troubles: false,
                    cursor: Cursor::default(),
                    pages: vec![],
                    upwards: false,
                };
                let effect = look(&mut opened, shared);
                state.opened = Some(opened);
                return vec![effect];
            }
        }
        Msg::Troubles => {
            if let Some(opened) = &mut state.opened {
                opened.troubles = !opened.troubles;
                opened.pages.clear();
                opened.cursor.reset();
                opened.details.value = None;
                return vec![look(opened, shared)];
            }
        }
        Msg::Back if state.opened.is_some() => state.opened = None,
        Msg::Back | Msg::Close => {
            state.opened = None;
            state.listed = false;
        }
        Msg::Steer(kind) => return steer(state, kind),
        Msg::Unlock => return vec![Effect::Unlock],
        Msg::Read(ticket, result) => {
            let chosen = state.rows().get(state.cursor.index).map(|(record, _)| record.number);
            let absent = matches!(result, Ok(None));
            let rows = result.map(Option::unwrap_or_default);
            if state.rows.settle(ticket, rows, shared.now.instant) {
                state.absent = absent;
                // The cursor stays on its operation when others come and go.
                let at = |(record, _): &Row| Some(record.number) == chosen;
                let (found, len) = (state.rows().iter().position(at), state.rows().len());
                state.cursor.follow(found, len);
            }
        }
        Msg::Looked(ticket, number, result) => {
            if let Some(opened) = &mut state.opened
                && opened.number == number
                && opened.details.settle(ticket, result, shared.now.instant)
            {
                let end = std::mem::take(&mut opened.upwards);
                let len = opened.items().len();
                opened.cursor.step(if end { Step::Last } else { Step::Lines(0) }, len);
            }
        }
    }
    vec![]
}

fn steer(state: &State, kind: Kind) -> Effects {
    let Some((record, _)) = state.chosen() else {
        return vec![Effect::Tell("no bulk operation is chosen".to_owned())];
    };
    let operation = Bulk { number: record.number, state: record.state, held: record.held };
    let matter = MessageSelection {
        list: List::Operations,
        operation: Some(operation),
        ..MessageSelection::default()
    };
    vec![Effect::Change(Selection::Messages(Box::new(matter)), Some(kind))]
}

/// Within the page; past its end, to the next page of items, and back over its start.
fn move_to(state: &mut State, step: Step, shared: &Shared) -> Effects {
    let len = state.len();
    let Some(opened) = &mut state.opened else {
        state.cursor.step(step, len);
        return vec![];
    };
    let down = matches!(step, Step::Lines(by) | Step::HalfPages(by) if by > 0);
    let up = matches!(step, Step::Lines(by) | Step::HalfPages(by) if by < 0);
    let is_full = i64::try_from(len).is_ok_and(|len| len >= PAGE);
    match opened.items().last().map(|item| item.ordinal) {
        Some(last) if down && is_full && opened.cursor.index + 1 >= len => {
            opened.pages.push(last);
            opened.cursor.reset();
        }
        _ if up && opened.cursor.index == 0 && !opened.pages.is_empty() => {
            opened.pages.pop();
            opened.upwards = true;
        }
        _ if step == Step::First && !opened.pages.is_empty() => {
            opened.pages.clear();
            opened.cursor.reset();
        }
        _ => {
            opened.cursor.step(step, len);
            return vec![];
        }
    }
    vec![look(opened, shared)]
}

fn look(opened: &mut Opened, shared: &Shared) -> Effect<Request> {
    let ticket = opened.details.begin(shared.now.instant);
    let after = opened.pages.last().copied().unwrap_or(0);
    let Opened { number, troubles, .. } = *opened;
    Effect::Run(ITEMS, Request::Look { ticket, number, troubles, after })
}
