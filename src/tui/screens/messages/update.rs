//! How the frame of the screen answers messages; what is about one list goes to its sub-view. No IO and no clock.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    BROKER, BROKER_EVERY, Common, Effects, Focus, HISTORY, InboxView, Input, LOOK, Msg, Pane, Past,
    Place, Request, State, Status, Step, Sub, SubView, Ticket, relay,
};
use crate::{
    db,
    domain::diagnosis::{Rule, Subject},
    ops::messages::list::{Filter, View},
    tui::{
        effect::Effect,
        route::Place as _,
        screens::{Screen as _, listing},
        shared::Shared,
    },
};

/// Answers what every screen is told. Nothing is typed here.
pub(super) fn input(state: &mut State, input: Input, shared: &Shared) -> Effects {
    match input {
        Input::Common(common) => common_key(state, common, shared),
        Input::Scrolled(0, by) => to_list(state, Common::Step(Step::Lines(by)), shared),
        Input::Scrolled(pane, by) => {
            scrolled(
                state,
                if pane == 1 { Pane::Diagnosis } else { Pane::Detail },
                Step::Lines(by),
            );
            vec![]
        }
        Input::Woken => refresh(state, false, shared),
        Input::Typed(_) | Input::Pasted(_) => vec![],
    }
}

/// Answers one message.
pub(super) fn update(state: &mut State, msg: Msg, shared: &Shared) -> Effects {
    match msg {
        Msg::Clicked(index) => {
            state.focus.pane = Pane::List;
            return in_sub(state, |view, _| view.step(Step::To(index), shared));
        }
        Msg::Finding(index) => {
            state.focus.pane = Pane::Diagnosis;
            state.finding.index = index;
        }
        Msg::Pivot => {
            state.focus.pane = Pane::List;
            return about(state, |state| state.outbox.turn_pivot(shared));
        }
        Msg::Json => {
            state.unfolded = !state.unfolded;
            state.focus.offset = 0;
        }
        Msg::Holder => return state.outbox.holder(shared),
        Msg::Only(view) => {
            state.inbox.turn_by(view, state.sub == Sub::Inbox);
            state.focus.pane = Pane::List;
            return show(state, Sub::Inbox, shared);
        }
        Msg::ByHour => return by_hour(state, shared),
        Msg::HistoryRange => return state.far.turn(shared).into_iter().collect(),
        Msg::Stored(ticket, result) => {
            return state.far.read(ticket, result, shared).into_iter().collect();
        }
        Msg::Act(act) => return vec![Effect::Change(state.selection(), act)],
        Msg::QueueReport(ticket, result) => return looked(state, ticket, result, shared),
        Msg::BrokerReport(told) => {
            if let Some(status) = state.look.value.take() {
                judge(state, Arc::unwrap_or_clone(status).with_broker(&told));
            }
            state.told = Some(told);
        }
        Msg::Outbox(msg) => return about(state, |state| state.outbox.update(msg, shared)),
        Msg::Inbox(msg) => return about(state, |state| state.inbox.update(msg, shared)),
        Msg::ErrorQueues(msg) => {
            return about(state, |state| state.error_queues.update(msg, shared));
        }
        Msg::Archive(msg) => return about(state, |state| state.archive.update(msg, shared)),
        Msg::Exported(Ok(told)) => return vec![Effect::Tell(told)],
        Msg::Exported(Err(why)) => return vec![Effect::Warn(why)],
    }
    vec![]
}

/// Does something to a sub-view; what stands beside the list begins at its top when it is about something else now.
fn about(state: &mut State, work: impl FnOnce(&mut State) -> Effects) -> Effects {
    let before = state.shown().beside();
    let effects = work(state);
    if state.shown().beside() != before {
        state.focus.offset = 0;
    }
    effects
}

/// The same to the one that is shown.
fn in_sub(
    state: &mut State,
    work: impl FnOnce(&mut dyn SubView, &mut Focus) -> Effects,
) -> Effects {
    about(state, |state| {
        let (view, focus) = state.shown_mut();
        work(view, focus)
    })
}

fn to_list(state: &mut State, common: Common, shared: &Shared) -> Effects {
    in_sub(state, |view, _| listing::common(view, common, shared))
}

fn common_key(state: &mut State, common: Common, shared: &Shared) -> Effects {
    match common {
        Common::Step(_) if state.focus.pane == Pane::List => {
            return to_list(state, common, shared);
        }
        Common::Step(step) => scrolled(state, state.focus.pane, step),
        Common::Enter => return enter(state, shared),
        Common::Escape => return escape(state, shared),
        Common::NextPane => state.focus.pane = next_pane(state.focus.pane),
        Common::PreviousPane => state.focus.pane = next_pane(next_pane(state.focus.pane)),
        Common::NextView => return turn(state, 1, shared),
        Common::PreviousView => return turn(state, Sub::ALL.len() - 1, shared),
        Common::CopyLink => {
            let link = state.place().map(|place| place.route().link(shared.context()));
            let copied = link.map(|text| Effect::Copy { text, what: "link".to_owned() });
            return copied.into_iter().collect();
        }
        Common::Refresh => return refresh(state, true, shared),
        Common::Explain => state.explaining = !state.explaining,
        Common::Zoom => state.zoomed = !state.zoomed,
        Common::Copy | Common::Export | Common::Mark | Common::MarkAll | Common::InvertMarks => {
            return to_list(state, common, shared);
        }
        _ => {}
    }
    vec![]
}

/// A look is compared with one that is not older.
const FRESH: Duration = Duration::from_mins(2);

const fn next_pane(pane: Pane) -> Pane {
    match pane {
        Pane::List => Pane::Diagnosis,
        Pane::Diagnosis => Pane::Detail,
        Pane::Detail => Pane::List,
    }
}

fn scrolled(state: &mut State, pane: Pane, step: Step) {
    match pane {
        Pane::List => {}
        Pane::Diagnosis => {
            let findings = state.status().map_or(0, |status| status.findings.len());
            state.finding.step(step, findings);
        }
        Pane::Detail => state.focus.offset = step.scrolled(state.focus.offset),
    }
}

/// Enter: a finding leads to its row; the rest is for the sub-view to say.
fn enter(state: &mut State, shared: &Shared) -> Effects {
    if state.focus.pane != Pane::Diagnosis {
        return in_sub(state, |view, focus| view.enter(focus, shared));
    }
    let status = state.status().cloned();
    let finding = status.as_ref().and_then(|status| status.findings.get(state.finding.index));
    let Some(finding) = finding else { return vec![] };
    match finding.about {
        Some(about) => go(state, about, rows_of(finding.rule), shared),
        None => vec![Effect::Tell(format!("no single row: {}", finding.next))],
    }
}

/// The inbox rows that a rule is about.
const fn rows_of(rule: Rule) -> InboxView {
    match rule {
        Rule::HalfDone => InboxView::HalfDone,
        Rule::Failing => InboxView::Failing,
        Rule::Duplicates => InboxView::Duplicates,
        _ => InboxView::All,
    }
}

/// Goes to what a finding is about; in the inbox, to such rows.
fn go(state: &mut State, what: Subject, rows: InboxView, shared: &Shared) -> Effects {
    state.focus.pane = Pane::List;
    let inbox = |state: &mut State, message| {
        state.inbox.turn_to(rows, message);
        show(state, Sub::Inbox, shared)
    };
    let (view, filter, sequence) = match what {
        Subject::Message(sequence) => (View::Pending, None, Some(sequence)),
        Subject::Outbox(outbox) => (View::Pending, Some(Filter::Outbox(outbox)), None),
        Subject::Orphans => (View::Orphan, None, None),
        Subject::Expired => (View::Expired, None, None),
        Subject::Undeliverable => (View::Undeliverable, None, None),
        Subject::Inbox(message) => return inbox(state, Some(message)),
        Subject::InboxList => return inbox(state, None),
    };
    let mut effects = vec![];
    let is_listed = state.sub == Sub::Outbox(view) && state.outbox.lists(view, filter.as_ref());
    if is_listed {
        state.outbox.leave_groups();
    } else {
        effects.extend(leave_for(state, Sub::Outbox(view)));
        effects.extend(about(state, |state| state.outbox.list_only(view, filter, shared)));
    }
    if let Some(sequence) = sequence {
        effects.extend(about(state, |state| state.outbox.go_to(sequence, shared)));
    }
    effects
}

fn escape(state: &mut State, shared: &Shared) -> Effects {
    if state.explaining {
        state.explaining = false;
    } else if state.zoomed {
        state.zoomed = false;
    } else if state.focus.pane != Pane::List {
        state.focus.pane = Pane::List;
    } else {
        return in_sub(state, |view, _| view.back(shared).unwrap_or_else(|| vec![Effect::Back]));
    }
    vec![]
}

/// Goes to a list, perhaps to one message.
pub(super) fn open(state: &mut State, place: &Place, shared: &Shared) -> Effects {
    let Place { view, at } = place;
    let sub = Sub::ALL.into_iter().find(|sub| sub.name() == view).unwrap_or(state.sub);
    let mut effects = vec![];
    if sub != state.sub || state.look.value.is_none() {
        effects = turn_to(state, sub, shared);
    }
    effects.extend(refresh(state, false, shared));
    if let Some(sequence) = at {
        effects.extend(go(state, Subject::Message(*sequence), InboxView::All, shared));
    }
    effects
}

/// To another list.
fn turn(state: &mut State, by: usize, shared: &Shared) -> Effects {
    let at = Sub::ALL.iter().position(|sub| *sub == state.sub).unwrap_or(0);
    turn_to(state, Sub::ALL[(at + by) % Sub::ALL.len()], shared)
}

/// To a list, with all of it.
fn turn_to(state: &mut State, sub: Sub, shared: &Shared) -> Effects {
    if let Sub::Outbox(view) = sub {
        state.outbox.turn_to(view);
    }
    show(state, sub, shared)
}

/// Empties a list and asks for its first page.
fn show(state: &mut State, sub: Sub, shared: &Shared) -> Effects {
    let mut effects = leave_for(state, sub);
    effects.extend(in_sub(state, |view, _| view.show(shared)));
    effects
}

/// Puts another list on show.
fn leave_for(state: &mut State, sub: Sub) -> Effects {
    let is_other = std::mem::discriminant(&state.sub) != std::mem::discriminant(&sub);
    let effects = if is_other { state.shown_mut().0.leave() } else { vec![] };
    state.sub = sub;
    effects
}

/// Shows the day in place of the sums, or the sums again.
fn by_hour(state: &mut State, shared: &Shared) -> Effects {
    state.inbox.by_hour = !state.inbox.by_hour;
    state.focus.to(if state.inbox.by_hour { Pane::Detail } else { Pane::List });
    let mut effects = vec![];
    if state.sub != Sub::Inbox {
        effects = show(state, Sub::Inbox, shared);
    }
    effects.extend(state.inbox.ask_day(shared));
    effects
}

/// Looks again; the list too, as far as it can be read again.
fn refresh(state: &mut State, by_hand: bool, shared: &Shared) -> Effects {
    let ticket = state.look.begin(shared.now.instant);
    let now = shared.now.instant;
    let history = state.kept_at.is_none_or(|at| now.saturating_duration_since(at) >= HISTORY);
    if history {
        state.kept_at = Some(now);
    }
    // Of what changed in a long time nothing can be said of now.
    let is_fresh = |at: &Instant| now.saturating_duration_since(*at) < FRESH;
    let before = state.look.seen_at.filter(is_fresh).and_then(|_| state.samples.last().copied());
    let mut effects = vec![Effect::Run(LOOK, Request::Look { ticket, history, before })];
    if history {
        effects.extend(state.far.ask(shared));
    }
    effects.extend(in_sub(state, |view, _| view.refresh(by_hand, shared)));
    effects
}

fn looked(
    state: &mut State,
    ticket: Ticket,
    result: Result<Arc<Status>, db::Error>,
    shared: &Shared,
) -> Effects {
    if !state.look.settle(ticket, result, shared.now.instant) || state.look.error.is_some() {
        return vec![];
    }
    let Some(status) = state.look.value.take() else { return vec![] };
    state.samples.push(status.sample());
    let mut status = Arc::unwrap_or_clone(status);
    if let Some(kept) = status.kept.take() {
        if let Past::Stored(history) = &kept {
            state.samples.remember(&history.samples);
        }
        state.kept = Some(kept);
    }
    let mut judged = status.with_movement(state.samples.movement());
    if let Some(told) = &state.told {
        judged = judged.with_broker(told);
    }
    judged = relay::with_tried(judged, shared);
    let effects = ask_broker(state, &judged, shared);
    let findings = judged.findings.len();
    judge(state, judged);
    state.finding.index = state.finding.index.min(findings.saturating_sub(1));
    effects
}

/// Takes a judgement, for the frame and for the sub-views that show a part of it.
fn judge(state: &mut State, status: Status) {
    let status = Arc::new(status);
    state.outbox.looked(&status);
    state.look.value = Some(status);
}

/// Now and then, and only where the answer would tell something.
fn ask_broker(state: &mut State, status: &Status, shared: &Shared) -> Effects {
    let now = shared.now.instant;
    let due = state.told_at.is_none_or(|at| now.saturating_duration_since(at) >= BROKER_EVERY);
    if !due || !status.concerns_broker() {
        return vec![];
    }
    state.told_at = Some(now);
    vec![Effect::Run(BROKER, Request::Broker(status.question()))]
}
