//! How changing answers messages. No IO and no clock.

use crossterm::event::{KeyCode, KeyEvent};

use super::{
    BUYERS, Draft, Effects, Menu, Msg, PLAN, Proposal, Request, Sheet, Stage, State, card, copied,
    menu, refusals, running,
};
use crate::{
    ops::operation::{Kind, PlanError},
    tui::{
        effect::Effect,
        route::Route,
        selection::{MessageSelection, Selection},
        shared::Shared,
        ui::{form::Answer, list::Step, menu as ui_menu, plan_card, remote::Remote},
    },
};

/// Answers one message.
pub fn update(state: &mut State, msg: Msg, shared: &Shared) -> Effects {
    if matches!(msg, Msg::Open(..)) && running::back(state) {
        return vec![];
    }
    match msg {
        Msg::Open(Selection::Order(subject), _) => {
            let subject = subject.map(|subject| *subject);
            open(state, Menu { subject, matter: None, cursor: super::Cursor::default() }, shared);
            vec![]
        }
        Msg::Open(Selection::Messages(matter), kind) => messages(state, matter, kind, shared),
        Msg::Undo => undo(state, shared),
        Msg::Typed(key) => typed(state, key, shared),
        Msg::Pasted(text) => pasted(state, &text, shared),
        Msg::Scrolled(by) => {
            if let Stage::Plan(proposal) = &mut state.stage {
                proposal.card.scroll(by);
            }
            vec![]
        }
        Msg::Clicked(index) => {
            if let Stage::Menu(menu) = &mut state.stage {
                let len = menu::items(menu, shared).len();
                menu.cursor.step(Step::To(index), len);
            }
            vec![]
        }
        Msg::Buyers(ticket, result) => {
            if let Stage::Form(sheet) = &mut state.stage
                && sheet.buyers.settle(ticket, result, shared.now.instant)
            {
                sheet.offer(shared);
            }
            vec![]
        }
        Msg::Planned(ticket, result) => {
            if let Stage::Plan(proposal) = &mut state.stage {
                proposal.plan.settle(ticket, result, shared.now.instant);
            }
            vec![]
        }
        Msg::Progressed(id, progress) => {
            running::progressed(state, id, progress);
            vec![]
        }
        Msg::Ended(id, result) => running::ended(state, id, result),
        Msg::Halted => vec![],
    }
}

/// The menu of what can be done with messages, or at once the form of one operation.
fn messages(
    state: &mut State,
    matter: Box<MessageSelection>,
    kind: Option<Kind>,
    shared: &Shared,
) -> Effects {
    if let Some((spec, entry)) = kind.and_then(menu::line) {
        if let Some((why, rule)) = refusals::of_messages(spec, entry, &matter, shared) {
            return vec![Effect::Warn(format!("{why} ({rule})"))];
        }
        let sheet = Sheet::new((spec, entry), None, Some(matter), shared);
        state.stage = Stage::Form(Box::new(sheet));
        return vec![];
    }
    open(
        state,
        Menu { subject: None, matter: Some(matter), cursor: super::Cursor::default() },
        shared,
    );
    vec![]
}

/// Opens a menu on the first line that can be chosen.
fn open(state: &mut State, mut menu: Menu, shared: &Shared) {
    let items = menu::items(&menu, shared);
    let first = items.iter().position(|item| item.refused.is_none()).unwrap_or(0);
    menu.cursor.step(Step::To(first), items.len());
    state.stage = Stage::Menu(Box::new(menu));
}

fn typed(state: &mut State, key: KeyEvent, shared: &Shared) -> Effects {
    match &mut state.stage {
        Stage::Closed => vec![],
        Stage::Menu(_) => menu_key(state, key, shared),
        Stage::Form(sheet) => {
            let answer = sheet.form.key(key, &shared.keys);
            form_answer(state, answer, shared)
        }
        Stage::Plan(_) => plan_key(state, key, shared),
    }
}

fn menu_key(state: &mut State, key: KeyEvent, shared: &Shared) -> Effects {
    let Stage::Menu(menu) = &mut state.stage else { return vec![] };
    let items = menu::items(menu, shared);
    let index = match (ui_menu::key(key, &shared.keys), key.code) {
        (Some(ui_menu::Ask::Close), _) => {
            state.stage = Stage::Closed;
            return vec![];
        }
        (Some(ui_menu::Ask::Step(step)), _) => {
            menu.cursor.step(step, items.len());
            return vec![];
        }
        (Some(ui_menu::Ask::Open), _) => Some(menu.cursor.index),
        (None, KeyCode::Char(letter)) if key.modifiers.is_empty() => {
            items.iter().position(|item| item.entry.key == letter)
        }
        (None, _) => None,
    };
    let Some((index, item)) = index.and_then(|index| Some((index, items.get(index)?))) else {
        return vec![];
    };
    menu.cursor.step(Step::To(index), items.len());
    if let Some((why, rule)) = &item.refused {
        return vec![Effect::Warn(format!("{why} ({rule})"))];
    }
    let sheet =
        Sheet::new((item.spec, item.entry), menu.subject.take(), menu.matter.take(), shared);
    state.stage = Stage::Form(Box::new(sheet));
    vec![]
}

fn pasted(state: &mut State, text: &str, shared: &Shared) -> Effects {
    match &mut state.stage {
        Stage::Form(sheet) => {
            let answer = sheet.form.paste(text);
            form_answer(state, answer, shared)
        }
        Stage::Plan(proposal) => {
            if proposal.ended.is_none() && state.running.is_none() {
                proposal.card.paste(text);
            }
            vec![]
        }
        Stage::Closed | Stage::Menu(_) => vec![],
    }
}

fn form_answer(state: &mut State, answer: Answer, shared: &Shared) -> Effects {
    let Stage::Form(sheet) = &mut state.stage else { return vec![] };
    match answer {
        Answer::Left => {
            state.stage = Stage::Closed;
            vec![Effect::Stop("change.buyers")]
        }
        Answer::Edited(name) => {
            sheet.check();
            if name == "buyer" { search(sheet, shared) } else { vec![] }
        }
        Answer::Done => {
            let draft = sheet.check();
            let complete = sheet.form.is_complete();
            let Some(draft) = draft.filter(|_| complete) else { return vec![] };
            let Stage::Form(sheet) = std::mem::take(&mut state.stage) else { return vec![] };
            propose(state, draft, Some(sheet), shared)
        }
        Answer::Moved | Answer::Ignored => vec![],
    }
}

/// Looks for buyers while someone types.
fn search(sheet: &mut Sheet, shared: &Shared) -> Effects {
    if !sheet.searches() || sheet.form.picked("buyer").is_some() {
        return vec![];
    }
    let text = sheet.form.text("buyer").trim().to_owned();
    if text.chars().count() < 2 {
        sheet.buyers.abandon();
        sheet.buyers.value = None;
        sheet.form.offer("buyer", vec![], "two letters or more are searched".to_owned());
        return vec![Effect::Stop("change.buyers")];
    }
    let ticket = sheet.buyers.begin(shared.now.instant);
    vec![Effect::Run(BUYERS, Request::Buyers { ticket, text })]
}

/// Asks for a plan and shows its card.
fn propose(state: &mut State, draft: Draft, sheet: Option<Box<Sheet>>, shared: &Shared) -> Effects {
    let mut proposal = Proposal {
        draft,
        sheet,
        plan: Remote::default(),
        card: plan_card::State::default(),
        confirmed: String::new(),
        ended: None,
    };
    let effect = ask(&mut proposal, shared);
    state.stage = Stage::Plan(Box::new(proposal));
    vec![effect]
}

fn ask(proposal: &mut Proposal, shared: &Shared) -> Effect<Request> {
    proposal.plan.value = None;
    proposal.plan.error = None;
    proposal.ended = None;
    proposal.confirmed.clear();
    proposal.card = plan_card::State::default();
    let ticket = proposal.plan.begin(shared.now.instant);
    Effect::Run(PLAN, Request::Plan { ticket, draft: proposal.draft.clone() })
}

fn undo(state: &mut State, shared: &Shared) -> Effects {
    let Some((title, operation)) = state.reversible.last().cloned() else { return vec![] };
    let draft = Draft { operation, reason: Some(format!("takes back: {title}")), reverses: true };
    propose(state, draft, None, shared)
}

fn plan_key(state: &mut State, key: KeyEvent, shared: &Shared) -> Effects {
    if running::stoppable(state).is_some() {
        return running::key(state, key, shared);
    }
    let is_running = state.running.is_some();
    let Stage::Plan(proposal) = &mut state.stage else { return vec![] };
    let runnable = proposal
        .plan
        .value
        .as_ref()
        .filter(|plan| {
            let open = !is_running && proposal.ended.is_none() && proposal.plan.error.is_none();
            open && !plan.is_blocked() && shared.writable().is_ok()
        })
        .cloned();
    let word = runnable.as_ref().map(|plan| plan.confirmation.phrase.clone());
    let answer = proposal.card.key(key, word.as_deref(), &shared.keys);
    match answer {
        plan_card::Answer::Left => left(state),
        plan_card::Answer::Run => match runnable {
            Some(plan) => running::begin(state, plan),
            None => vec![],
        },
        plan_card::Answer::Copy => match &proposal.plan.value {
            Some(_) if card::hidden(&proposal.draft, shared).is_some() => {
                vec![Effect::Warn("the command holds personal data: R reveals it".to_owned())]
            }
            _ => copied(proposal).into_iter().collect(),
        },
        // The same operation again, by its id: it is not run twice.
        plan_card::Answer::Again if is_unresolved(proposal) => {
            match (proposal.plan.value.clone(), shared.writable()) {
                (Some(plan), Ok(())) => running::begin(state, plan),
                (_, writable) => writable.err().map(warn).into_iter().collect(),
            }
        }
        plan_card::Answer::Again if !is_running && !succeeded(proposal) => {
            vec![ask(proposal, shared)]
        }
        plan_card::Answer::Unlock if shared.writable().is_err() => vec![Effect::Unlock],
        plan_card::Answer::Entered if succeeded(proposal) => {
            let found =
                proposal.plan.value.as_ref().and_then(|plan| plan.request.operation.order());
            state.stage = Stage::Closed;
            let at = |order| Effect::Open(Route::order(order));
            found.map(at).into_iter().collect()
        }
        plan_card::Answer::Again
        | plan_card::Answer::Unlock
        | plan_card::Answer::Leave
        | plan_card::Answer::Entered
        | plan_card::Answer::Stays => vec![],
    }
}

fn warn(why: &str) -> Effect<Request> {
    Effect::Warn(why.to_owned())
}

const fn is_unresolved(proposal: &Proposal) -> bool {
    matches!(proposal.ended, Some(Err(PlanError::Unresolved { .. })))
}

const fn succeeded(proposal: &Proposal) -> bool {
    matches!(proposal.ended, Some(Ok(_)))
}

/// Esc on the card: back to the form, unless something runs or has run.
fn left(state: &mut State) -> Effects {
    let Stage::Plan(proposal) = std::mem::take(&mut state.stage) else { return vec![] };
    let Proposal { sheet, ended, .. } = *proposal;
    let back = sheet.filter(|_| state.running.is_none() && !matches!(ended, Some(Ok(_))));
    if let Some(sheet) = back {
        state.stage = Stage::Form(sheet);
    }
    vec![Effect::Stop("change.plan")]
}
