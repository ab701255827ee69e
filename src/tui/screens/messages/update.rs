//! How the screen answers messages. No IO and no clock.

use std::sync::Arc;

use super::{
    BROKER, BROKER_EVERY, Common, DETAIL, Effects, Filter, HISTORY, InboxView, LIST, LOOK, Listed,
    Msg, PAGE, Pane, Past, Pivot, Request, State, Status, Sub, Ticket, View, archive, errors,
    inbox, outbox_of, relay,
};
use crate::{
    db,
    domain::diagnosis::Subject,
    tui::{
        effect::{Effect, Lane},
        route::Route,
        shared::Shared,
        ui::list::Step,
    },
};

/// Answers one message.
pub fn update(state: &mut State, msg: Msg, shared: &Shared) -> Effects {
    match msg {
        Msg::Common(common) => return common_key(state, common, shared),
        Msg::Typed(_) | Msg::Pasted(_) => {}
        Msg::Scrolled(pane, by) => return scrolled(state, pane, Step::Lines(by), shared),
        Msg::Woken => return refresh(state, shared),
        Msg::Opened(view, at) => return opened(state, &view, at, shared),
        Msg::Clicked(index) => {
            state.pane = Pane::List;
            return moved(state, Step::To(index), shared);
        }
        Msg::Finding(index) => {
            state.pane = Pane::Diagnosis;
            state.finding.index = index;
        }
        Msg::Pivot => {
            state.pivot = match state.pivot {
                None => Some(Pivot::Type),
                Some(Pivot::Type) => Some(Pivot::Destination),
                Some(Pivot::Destination) => Some(Pivot::Outbox),
                Some(Pivot::Outbox) => None,
            };
            state.pane = Pane::List;
            return moved(state, Step::First, shared);
        }
        Msg::Json => {
            state.unfolded = !state.unfolded;
            state.detail_offset = 0;
        }
        Msg::Holder => return holder(state, shared),
        Msg::Inbox(view) => {
            let now = if state.sub == Sub::Inbox { state.inbox.view } else { InboxView::All };
            state.inbox.turn_to(inbox::after(now, view), None);
            state.pivot = None;
            state.filter = None;
            state.pane = Pane::List;
            return show(state, Sub::Inbox, shared);
        }
        Msg::HistoryRange => return state.far.turn(shared).into_iter().collect(),
        Msg::Stored(ticket, result) => {
            return state.far.read(ticket, result, shared).into_iter().collect();
        }
        Msg::ByHour => return inbox::turn(state, shared),
        Msg::Act(act) => return vec![Effect::Change(Box::new(state.matter()), act)],
        Msg::QueueReport(ticket, result) => return looked(state, ticket, result, shared),
        Msg::BrokerReport(told) => {
            if let Some(status) = state.look.value.take() {
                state.look.value = Some(Arc::new(Arc::unwrap_or_clone(status).with_broker(&told)));
            }
            state.told = Some(told);
        }
        Msg::Listed(ticket, result) => return listed(state, ticket, result, shared),
        Msg::Read(ticket, result) => {
            let settled = state.detail.settle(ticket, result, shared.now.instant);
            if settled && std::mem::take(&mut state.telling) {
                return vec![told(state, shared)];
            }
        }
        Msg::Copied(ticket, result) => archive::read(state, ticket, result, shared),
        Msg::Day(ticket, result) => state.inbox.read(ticket, result, shared),
        Msg::Failed(ticket, result) => errors::found(state, ticket, result, shared),
        Msg::Exported(Ok(told)) => return vec![Effect::Tell(told)],
        Msg::Exported(Err(why)) => return vec![Effect::Warn(why)],
    }
    vec![]
}

fn common_key(state: &mut State, common: Common, shared: &Shared) -> Effects {
    match common {
        Common::Step(step) => {
            let pane = state.pane as usize;
            return scrolled(state, pane, step, shared);
        }
        Common::Enter => return enter(state, shared),
        Common::Escape => return escape(state, shared),
        Common::NextPane => state.pane = next_pane(state.pane),
        Common::PreviousPane => state.pane = next_pane(next_pane(state.pane)),
        Common::NextView => return turn(state, 1, shared),
        Common::PreviousView => return turn(state, Sub::ALL.len() - 1, shared),
        Common::Copy => return copy(state),
        Common::CopyLink => {
            let link = state.route().map(|route| route.link(shared.context()));
            let copied = link.map(|text| Effect::Copy { text, what: "link".to_owned() });
            return copied.into_iter().collect();
        }
        Common::Export => {
            let Listed { messages, inbox, kept, .. } = state.rows.clone();
            let errors = state.errors.look.value.clone().filter(|_| state.sub == Sub::Errors);
            let request = Request::Export { messages, inbox, kept, errors };
            return vec![Effect::Run(Lane::Every, request)];
        }
        Common::Refresh => {
            let mut effects = refresh(state, shared);
            // A look into the queues is a delivery for some of them: only when it is asked for.
            if state.sub == Sub::Errors {
                effects.push(ask(state, false, shared));
            }
            return effects;
        }
        Common::Mark | Common::MarkAll | Common::InvertMarks if state.sub == Sub::Errors => {
            errors::mark(state, common);
            if common == Common::Mark {
                return moved(state, Step::Lines(1), shared);
            }
        }
        Common::Explain => state.explaining = !state.explaining,
        Common::Zoom => state.zoomed = !state.zoomed,
        _ => {}
    }
    vec![]
}

const fn next_pane(pane: Pane) -> Pane {
    match pane {
        Pane::List => Pane::Diagnosis,
        Pane::Diagnosis => Pane::Detail,
        Pane::Detail => Pane::List,
    }
}

/// Enter: a finding leads to its row, a group to its messages, a message to its order.
fn enter(state: &mut State, shared: &Shared) -> Effects {
    if state.pane == Pane::Diagnosis {
        let status = state.status().cloned();
        let finding = status.as_ref().and_then(|status| status.findings.get(state.finding.index));
        let Some(finding) = finding else { return vec![] };
        return match finding.about {
            Some(about) => go(state, about, inbox::of_rule(finding.rule), shared),
            None => vec![Effect::Tell(format!("no single row: {}", finding.next))],
        };
    }
    if let Some(groups) = state.groups() {
        let Some(group) = groups.get(state.cursor.index) else { return vec![] };
        let filter = match (state.pivot, group.key.clone()) {
            (Some(Pivot::Type), Some(kind)) => Some(Filter::Type(kind)),
            (Some(Pivot::Destination), destination) => Some(Filter::Destination(destination)),
            (Some(Pivot::Outbox), Some(key)) => outbox_of(&key).map(Filter::Outbox),
            _ => None,
        };
        state.pivot = None;
        state.filter = filter;
        return show(state, state.sub, shared);
    }
    if state.sub == Sub::Errors {
        return errors::enter(state);
    }
    if state.sub == Sub::Kept {
        return archive::enter(state, shared);
    }
    let read = state.message().filter(|_| state.detail.loading_since().is_none());
    match read.map(|message| message.shown.order) {
        Some(Some(order)) => vec![Effect::Open(Route::Timeline { order, at: None, diff: None })],
        Some(None) => vec![Effect::Warn("its body names no order".to_owned())],
        None => vec![],
    }
}

/// Goes to what a finding is about; in the inbox, to such rows.
fn go(state: &mut State, about: Subject, rows: InboxView, shared: &Shared) -> Effects {
    state.pivot = None;
    state.pane = Pane::List;
    let inbox = |state: &mut State, message| {
        state.filter = None;
        state.inbox.turn_to(rows, message);
        show(state, Sub::Inbox, shared)
    };
    let (sub, filter, sequence) = match about {
        Subject::Message(sequence) => (Sub::Outbox(View::Pending), None, Some(sequence)),
        Subject::Outbox(outbox) => (Sub::Outbox(View::Pending), Some(Filter::Outbox(outbox)), None),
        Subject::Orphans => (Sub::Outbox(View::Orphan), None, None),
        Subject::Expired => (Sub::Outbox(View::Expired), None, None),
        Subject::Undeliverable => (Sub::Outbox(View::Undeliverable), None, None),
        Subject::Inbox(message) => return inbox(state, Some(message)),
        Subject::InboxList => return inbox(state, None),
    };
    let mut effects = vec![];
    if state.sub != sub || state.filter != filter {
        state.filter = filter;
        effects = show(state, sub, shared);
    }
    let at = sequence
        .and_then(|wanted| state.rows.messages.iter().position(|row| row.sequence == wanted));
    match (at, sequence) {
        (Some(at), _) => effects.extend(moved(state, Step::To(at), shared)),
        (None, Some(sequence)) => effects.extend(read(state, Some(sequence), shared)),
        (None, None) => {}
    }
    effects
}

fn escape(state: &mut State, shared: &Shared) -> Effects {
    if state.explaining {
        state.explaining = false;
    } else if state.zoomed {
        state.zoomed = false;
    } else if state.pane != Pane::List {
        state.pane = Pane::List;
    } else if state.sub == Sub::Errors && errors::leave(state) {
        return vec![];
    } else if state.sub == Sub::Inbox && state.inbox.widen() {
        return show(state, Sub::Inbox, shared);
    } else if state.pivot.take().is_some() {
        return moved(state, Step::First, shared);
    } else if state.filter.take().is_some() {
        return show(state, state.sub, shared);
    } else {
        return vec![Effect::Back];
    }
    vec![]
}

fn opened(state: &mut State, view: &str, at: Option<i64>, shared: &Shared) -> Effects {
    let sub = Sub::ALL.into_iter().find(|sub| sub.name() == view).unwrap_or(state.sub);
    let mut effects = vec![];
    if sub != state.sub || state.look.value.is_none() {
        state.filter = None;
        state.pivot = None;
        effects = show(state, sub, shared);
    }
    effects.extend(refresh(state, shared));
    if let Some(sequence) = at {
        effects.extend(go(state, Subject::Message(sequence), InboxView::All, shared));
    }
    effects
}

/// To another list.
fn turn(state: &mut State, by: usize, shared: &Shared) -> Effects {
    let at = Sub::ALL.iter().position(|sub| *sub == state.sub).unwrap_or(0);
    state.filter = None;
    state.pivot = None;
    state.inbox.turn_to(state.inbox.view, None);
    show(state, Sub::ALL[(at + by) % Sub::ALL.len()], shared)
}

/// Empties the list and asks for the first page of this one.
pub(super) fn show(state: &mut State, sub: Sub, shared: &Shared) -> Effects {
    let mut effects = errors::turned(state, sub);
    state.sub = sub;
    state.rows = Listed::default();
    state.cursor = super::Cursor { height: state.cursor.height, ..super::Cursor::default() };
    state.detail.value = None;
    state.detail.abandon();
    state.detail_of = None;
    effects.push(ask(state, false, shared));
    effects
}

pub(super) fn ask(state: &mut State, continues: bool, shared: &Shared) -> Effect<Request> {
    if state.sub == Sub::Errors {
        state.page.abandon();
        let ticket = state.errors.look.begin(shared.now.instant);
        return Effect::Run(errors::LANE, Request::Errors { ticket });
    }
    let ticket = state.page.begin(shared.now.instant);
    state.continues = continues;
    let after = state.rows.messages.last().map(|row| row.key).filter(|_| continues);
    let copy = state.rows.kept.last().map(|row| row.number);
    let before = state.rows.inbox.last().map(|row| row.id).or(copy).filter(|_| continues);
    let (sub, inbox, from, filter) =
        (state.sub, state.inbox.view, state.inbox.from, state.filter.clone());
    Effect::Run(LIST, Request::List { ticket, sub, inbox, from, filter, after, before })
}

/// Looks again; the list too while it is at its first page.
fn refresh(state: &mut State, shared: &Shared) -> Effects {
    let ticket = state.look.begin(shared.now.instant);
    let now = shared.now.instant;
    let history = state.kept_at.is_none_or(|at| now.saturating_duration_since(at) >= HISTORY);
    if history {
        state.kept_at = Some(now);
    }
    let mut effects = vec![Effect::Run(LOOK, Request::Look { ticket, history })];
    if history {
        effects.extend(state.far.ask(shared));
    }
    let Listed { messages, inbox, kept, .. } = &state.rows;
    let first = messages.len().max(inbox.len()).max(kept.len()) <= PAGE;
    if first && state.sub != Sub::Errors && state.page.loading_since().is_none() {
        effects.push(ask(state, false, shared));
    }
    if state.sub == Sub::Inbox {
        effects.extend(state.inbox.ask(shared));
    }
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
    let measured = status.sample();
    if let Some(sample) = measured {
        state.samples.push(sample);
    }
    let mut status = Arc::unwrap_or_clone(status);
    if let Some(kept) = status.kept.take() {
        if let Past::Stored(history) = &kept {
            state.samples.remember(&history.samples);
        }
        state.kept = Some(kept);
    }
    let mut judged = status.with_movement(measured.and_then(|_| state.samples.movement()));
    if let Some(told) = &state.told {
        judged = judged.with_broker(told);
    }
    judged = relay::with_tried(judged, shared);
    let effects = ask_broker(state, &judged, shared);
    let findings = judged.findings.len();
    state.look.value = Some(Arc::new(judged));
    state.finding.index = state.finding.index.min(findings.saturating_sub(1));
    let len = state.len();
    state.cursor.step(Step::Lines(0), len);
    effects
}

/// Now and then, and only where the answer would tell something.
fn ask_broker(state: &mut State, status: &Status, shared: &Shared) -> Effects {
    let now = shared.now.instant;
    let due = state.told_at.is_none_or(|at| now.saturating_duration_since(at) >= BROKER_EVERY);
    if !due || !status.concerns_broker() {
        return vec![];
    }
    state.told_at = Some(now);
    let request =
        Request::Broker { halves: status.facts.inbox.halves.clone(), now: status.facts.now };
    vec![Effect::Run(BROKER, request)]
}

fn listed(
    state: &mut State,
    ticket: Ticket,
    result: Result<Listed, db::Error>,
    shared: &Shared,
) -> Effects {
    if !state.page.settle(ticket, result, shared.now.instant) || state.page.error.is_some() {
        return vec![];
    }
    let Some(page) = state.page.value.take() else { return vec![] };
    let chosen = state.selected().map(|row| row.sequence);
    let received = state.received().map(|row| row.id);
    let copy = state.copy().map(|row| row.number);
    if state.continues {
        state.rows.messages.extend(page.messages);
        state.rows.inbox.extend(page.inbox);
        state.rows.kept.extend(page.kept);
        (state.rows.more, state.rows.notes) = (page.more, page.notes);
    } else {
        state.rows = page;
    }
    if state.pivot.is_none() {
        // The cursor follows its row; a row that left lets it stay on its line.
        let message = state.rows.messages.iter().position(|row| Some(row.sequence) == chosen);
        let inbox = state.rows.inbox.iter().position(|row| Some(row.id) == received);
        let kept = state.rows.kept.iter().position(|row| Some(row.number) == copy);
        if let Some(at) = message.or(inbox).or(kept) {
            state.cursor.index = at;
        }
    }
    let mut effects = inbox::arrived(state, shared);
    let len = state.len();
    state.cursor.step(Step::Lines(0), len);
    let selected = state.selected().map(|row| row.sequence);
    effects.extend(read(state, selected, shared));
    effects
}

fn scrolled(state: &mut State, pane: usize, step: Step, shared: &Shared) -> Effects {
    match pane {
        0 => return moved(state, step, shared),
        1 => {
            let findings = state.status().map_or(0, |status| status.findings.len());
            state.finding.step(step, findings);
        }
        _ => {
            state.detail_offset = match step {
                Step::Lines(by) => state.detail_offset.saturating_add_signed(by),
                Step::HalfPages(by) => state.detail_offset.saturating_add_signed(by * 10),
                Step::First => 0,
                Step::Last | Step::To(_) => usize::MAX / 2,
            };
        }
    }
    vec![]
}

fn moved(state: &mut State, step: Step, shared: &Shared) -> Effects {
    let len = state.len();
    let before = state.cursor.index;
    state.cursor.step(step, len);
    if matches!(state.sub, Sub::Errors | Sub::Kept) && state.cursor.index != before {
        state.detail_offset = 0;
    }
    if state.pivot.is_some() {
        // What is shown beside groups is the group, not the message before.
        return read(state, None, shared);
    }
    let selected = state.selected().map(|row| row.sequence);
    let mut effects = read(state, selected, shared);
    let near_end = state.cursor.index + PAGE / 2 >= len;
    if near_end && state.rows.more && state.page.loading_since().is_none() {
        effects.push(ask(state, true, shared));
    }
    effects
}

/// Reads the message that the detail shows, if that is not what it shows already.
fn read(state: &mut State, sequence: Option<i64>, shared: &Shared) -> Effects {
    if state.detail_of == sequence {
        return vec![];
    }
    state.telling = false;
    state.detail_of = sequence;
    state.detail_offset = 0;
    state.detail.value = None;
    let Some(sequence) = sequence else {
        state.detail.abandon();
        return vec![];
    };
    let ticket = state.detail.begin(shared.now.instant);
    vec![Effect::Run(DETAIL, Request::Read { ticket, sequence })]
}

/// Reads the message once more, because locks come and go, and tells who holds its owner.
fn holder(state: &mut State, shared: &Shared) -> Effects {
    let Some(sequence) = state.detail_of else { return vec![] };
    state.telling = true;
    let ticket = state.detail.begin(shared.now.instant);
    vec![Effect::Run(DETAIL, Request::Read { ticket, sequence })]
}

fn told(state: &State, shared: &Shared) -> Effect<Request> {
    if let Some(error) = &state.detail.error {
        return Effect::Warn(error.to_string());
    }
    let Some(message) = state.message() else {
        return Effect::Warn("it is gone: delivered or purged".to_owned());
    };
    Effect::Tell(match &message.lock {
        Some(lock) => format!("held by: {}", lock.describe(shared.now.utc)),
        None => format!("{}: nobody holds it", message.shown.delivery),
    })
}

fn copy(state: &State) -> Effects {
    if let Some(kept) = state.copy() {
        let (text, what) = (kept.number.to_string(), "number of the copy".to_owned());
        return vec![Effect::Copy { text, what }];
    }
    if state.sub == Sub::Errors {
        return errors::copy(state);
    }
    let (text, what) = match (state.selected(), state.received(), state.groups()) {
        (Some(row), ..) => (row.message.to_string(), "message id"),
        (_, Some(row), _) => (row.message.to_string(), "message id"),
        (_, _, Some(groups)) => {
            match groups.get(state.cursor.index).and_then(|group| group.key.clone()) {
                Some(key) => (key, "group"),
                None => return vec![],
            }
        }
        _ => return vec![],
    };
    vec![Effect::Copy { text, what: what.to_owned() }]
}
