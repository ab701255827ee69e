//! How the search answers messages. No IO and no clock.

use crossterm::event::KeyEvent;

use super::{COUNT, Common, Msg, PAGE, PREVIEW, Pane, Request, SEARCH, Start, State};
use crate::{
    domain::{search, zone::Clock},
    tui::{
        effect::Effect,
        route::{Place as _, Route},
        screens::{
            Input,
            listing::{self, Listing as _},
        },
        shared::{Keep, Shared},
        ui::{field::Typed, list::Step},
    },
};

type Effects = Vec<Effect<Request>>;

/// Answers what every screen is told.
pub(super) fn input(state: &mut State, input: Input, shared: &Shared) -> Effects {
    match input {
        Input::Common(common) => return common_key(state, common, shared),
        Input::Typed(key) => return typed(state, key, shared),
        Input::Pasted(text) => {
            state.typing = true;
            state.field.paste(&text);
            return edited(state, shared);
        }
        Input::Scrolled(2, by) => {
            state.explain_offset = Step::Lines(by).scrolled(state.explain_offset);
        }
        Input::Scrolled(0, by) => return moved(state, Step::Lines(by), shared),
        Input::Scrolled(_, by) => {
            state.preview_offset = Step::Lines(by).scrolled(state.preview_offset);
        }
        Input::Woken => return vec![ask(state, Start::Newest, false, shared)],
    }
    vec![]
}

/// Shows what a query finds.
pub(super) fn open(state: &mut State, query: &str, shared: &Shared) -> Effects {
    if state.asked.value.is_some() && query == state.field.text() {
        return vec![];
    }
    state.field.set(query);
    edited(state, shared)
}

/// Answers one message.
pub(super) fn update(state: &mut State, msg: Msg, shared: &Shared) -> Effects {
    match msg {
        Msg::Clicked(index) => {
            state.typing = false;
            state.pane = Pane::List;
            return moved(state, Step::To(index), shared);
        }
        Msg::SearchClicked => state.typing = true,
        Msg::Clear => {
            state.field.set("");
            return edited(state, shared);
        }
        Msg::Found(ticket, result) => {
            return settled(state, ticket, result, shared);
        }
        Msg::Counted(ticket, result) => {
            state.count.settle(ticket, result, shared.now.instant);
        }
        Msg::Previewed(ticket, result) => {
            state.preview.settle(ticket, result, shared.now.instant);
        }
        Msg::Exported(Ok(told)) => return vec![Effect::Tell(told)],
        Msg::Exported(Err(why)) => return vec![Effect::Warn(why)],
    }
    vec![]
}

fn common_key(state: &mut State, common: Common, shared: &Shared) -> Effects {
    match common {
        Common::Step(step) if state.explaining => {
            state.explain_offset = step.scrolled(state.explain_offset);
            vec![]
        }
        Common::Step(step) if state.pane == Pane::Preview => {
            state.preview_offset = step.scrolled(state.preview_offset);
            vec![]
        }
        Common::Step(_) => listing::common(state, common, shared),
        Common::Filter => {
            state.typing = true;
            vec![]
        }
        Common::Escape => {
            if state.explaining {
                state.explaining = false;
            } else if state.zoomed {
                state.zoomed = false;
            } else if state.pane == Pane::Preview {
                state.pane = Pane::List;
            } else if !state.list.unmark() && !state.field.text().is_empty() {
                state.field.set("");
                return edited(state, shared);
            }
            vec![]
        }
        Common::NextPane | Common::PreviousPane => {
            state.pane = if state.pane == Pane::List { Pane::Preview } else { Pane::List };
            preview(state, shared)
        }
        Common::Enter => enter(state),
        Common::Mark | Common::MarkAll | Common::InvertMarks | Common::Copy | Common::Export => {
            listing::common(state, common, shared)
        }
        Common::CopyLink => {
            let place = super::Place { query: state.field.text().to_owned() };
            let text = place.route().link(shared.context());
            vec![Effect::Copy { text, what: "link".to_owned() }]
        }
        Common::Bookmark => {
            state.selected().map(|row| Effect::Keep(Keep::Bookmark(row.id))).into_iter().collect()
        }
        Common::Faults => {
            state.faults_only = !state.faults_only;
            let mut effects = moved(state, Step::First, shared);
            let told = if state.faults_only { "only rows with a fault" } else { "all rows" };
            effects.push(Effect::Tell(told.to_owned()));
            effects
        }
        Common::Refresh => vec![reread(state, shared)],
        Common::Explain => {
            state.explaining = !state.explaining;
            state.explain_offset = 0;
            vec![]
        }
        Common::Zoom => {
            state.zoomed = !state.zoomed;
            vec![]
        }
        Common::Left
        | Common::Right
        | Common::Sort
        | Common::NextView
        | Common::PreviousView
        | Common::NextMatch
        | Common::PreviousMatch => vec![],
    }
}

fn typed(state: &mut State, key: KeyEvent, shared: &Shared) -> Effects {
    if shared.keys.action(super::actions::TYPING, key).is_some() {
        return complete(state, shared);
    }
    state.proposals.clear();
    match state.field.key(key, &shared.keys) {
        Typed::Edited => edited(state, shared),
        Typed::Left => {
            state.typing = false;
            vec![]
        }
        Typed::Entered => entered(state, shared),
        Typed::Moved | Typed::Ignored => vec![],
    }
}

/// Enter in the search box: to the list, or straight to the order when it is the only one.
fn entered(state: &mut State, shared: &Shared) -> Effects {
    if state.error.is_some() {
        return vec![];
    }
    state.typing = false;
    state.field.remember();
    let mut effects = vec![];
    if !state.field.text().is_empty() {
        effects.push(Effect::Keep(Keep::Search(state.field.text().to_owned())));
    }
    let is_settled = state.asked.loading_since().is_none();
    let is_only = state.rows.rows.len() == 1 && !state.field.text().is_empty();
    if is_settled && is_only {
        effects.extend(enter(state));
    } else if !is_settled {
        // The answer is on its way; the cursor waits at the top.
        effects.extend(moved(state, Step::First, shared));
    }
    effects
}

/// Tab: fills in the only proposal, or lists them.
fn complete(state: &mut State, shared: &Shared) -> Effects {
    let found = search::complete(state.field.text(), state.field.cursor());
    match found.as_slice() {
        [] => {
            state.proposals.clear();
            vec![]
        }
        [only] => {
            let mut text = state.field.text().to_owned();
            text.replace_range(only.replace.clone(), &only.with);
            state.field.set(&text);
            state.proposals.clear();
            edited(state, shared)
        }
        many => {
            state.proposals = many.iter().map(|completion| completion.with.clone()).collect();
            vec![]
        }
    }
}

/// The text changed: search if it means something, else say where it does not.
fn edited(state: &mut State, shared: &Shared) -> Effects {
    let clock = Clock { now: shared.now.utc, zone: shared.zone };
    let query = search::parse(state.field.text(), &clock).and_then(|query| {
        if shared.masked {
            query.guesses_nothing()?;
        }
        Ok(query)
    });
    match query {
        Ok(query) => {
            state.error = None;
            state.is_other |= state.query != query;
            state.query = query;
            vec![ask(state, Start::Newest, state.typing, shared)]
        }
        Err(error) => {
            state.error = Some(error);
            vec![]
        }
    }
}

/// Reads again what is held around the cursor: the newest page at the top, elsewhere the page in sight.
fn reread(state: &mut State, shared: &Shared) -> Effect<Request> {
    let listed = state.selected().map(|row| row.id);
    let at = state.rows.rows.iter().position(|row| Some(row.id) == listed).unwrap_or(0);
    let first = at.saturating_sub(PAGE / 2);
    let from = match state.rows.rows.get(first) {
        Some(row) if first > 0 || state.rows.before.is_some() => {
            Start::OlderThan(super::above(row))
        }
        _ => Start::Newest,
    };
    let effect = ask(state, from, false, shared);
    state.rereading = true;
    effect
}

fn ask(state: &mut State, from: Start, typed: bool, shared: &Shared) -> Effect<Request> {
    let ticket = state.asked.begin(shared.now.instant);
    state.asked_from = Some(from);
    state.rereading = false;
    let query = state.query.clone();
    Effect::Run(SEARCH, Request::Search { ticket, query, from, typed })
}

type Found = (super::Window<super::Row, super::Key>, super::Answer);

fn settled(
    state: &mut State,
    ticket: super::Ticket,
    result: Result<Found, crate::db::Error>,
    shared: &Shared,
) -> Effects {
    let (page, answer) = match result {
        Ok((page, answer)) => (Some((page, answer.plan.clone())), Ok(answer)),
        Err(error) => (None, Err(error)),
    };
    if !state.asked.settle(ticket, answer, shared.now.instant) {
        return vec![];
    }
    let (Some((page, plan)), Some(from)) = (page, state.asked_from.take()) else { return vec![] };
    let chosen = state.selected().map(|row| row.id);
    let line = state.list.cursor.index.saturating_sub(state.list.cursor.offset);
    let same_text = matches!(from, Start::NewerThan(_) | Start::OlderThan(_));
    let is_other = std::mem::take(&mut state.is_other);
    match from {
        Start::Newest | Start::Oldest => state.rows = page,
        Start::OlderThan(_) if state.rereading => state.rows = page,
        Start::OlderThan(_) => {
            state.rows.append(page, super::key);
        }
        Start::NewerThan(_) => {
            state.rows.prepend(page, super::key);
        }
    }
    // The cursor follows its order, on the same line of the screen, among the rows that are listed.
    let kept = chosen
        .filter(|_| !is_other)
        .and_then(|id| state.visible_rows().position(|row| row.id == id));
    let last = state.len().saturating_sub(1);
    state.list.cursor.index = if from == Start::Oldest { last } else { kept.unwrap_or(0) };
    state.list.cursor.offset = state.list.cursor.index.saturating_sub(line);
    state.list.cursor.step(Step::Lines(0), state.len());
    let mut effects = preview(state, shared);
    if !same_text {
        if state.rows.before.is_none() && state.rows.after.is_none() {
            state.count = super::Remote::default();
        } else {
            let ticket = state.count.begin(shared.now.instant);
            effects.push(Effect::Run(COUNT, Request::Count { ticket, plan }));
        }
    }
    effects
}

pub(super) fn moved(state: &mut State, step: Step, shared: &Shared) -> Effects {
    let len = state.len();
    // The ends of a long answer are pages of their own.
    match step {
        Step::Last if state.rows.after.is_some() => {
            return vec![ask(state, Start::Oldest, false, shared)];
        }
        Step::First if state.rows.before.is_some() => {
            return vec![ask(state, Start::Newest, false, shared)];
        }
        _ => state.list.cursor.step(step, len),
    }
    let mut effects = preview(state, shared);
    if state.asked.loading_since().is_none() {
        let near_end = state.list.cursor.index + PAGE / 2 >= len;
        let near_start = state.list.cursor.index < PAGE / 2;
        let from = match (&state.rows.after, &state.rows.before) {
            (Some(after), _) if near_end => Some(Start::OlderThan(*after)),
            (_, Some(before)) if near_start => Some(Start::NewerThan(*before)),
            _ => None,
        };
        effects.extend(from.map(|from| ask(state, from, false, shared)));
    }
    effects
}

/// Loads what the preview shows, if that is not what it shows already.
fn preview(state: &mut State, shared: &Shared) -> Effects {
    let chosen = state.selected().map(|row| row.id);
    let Some(order) = chosen else {
        state.preview_of = None;
        return vec![];
    };
    if state.preview_of == chosen && state.preview.value.is_some() {
        return vec![];
    }
    state.preview_of = chosen;
    state.preview_offset = 0;
    state.preview.value = None;
    let ticket = state.preview.begin(shared.now.instant);
    vec![Effect::Run(PREVIEW, Request::Preview { ticket, order })]
}

/// To the order under the cursor.
fn enter(state: &State) -> Effects {
    state.selected().map(|row| Effect::Open(Route::order(row.id))).into_iter().collect()
}
