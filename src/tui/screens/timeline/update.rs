//! How the timeline answers messages. No IO and no clock.

use crossterm::event::KeyEvent;
use uuid::Uuid;

use super::{
    ACTS, At, Common, Detail, Entry, Field, MOST_EVENTS, Msg, PLAY_STEP, Pane, Pins, Place, Prompt,
    READ, Recorded, Request, Show, State, Version,
};
use crate::{
    domain::{
        moment::Moved,
        when::{self, When},
        zone::Clock,
    },
    tui::{
        effect::{Effect, Lane},
        route::Place as _,
        screens::{Input, Screen as _},
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
        Input::Pasted(text) => match &mut state.prompt {
            Some(Prompt::GoTo(field, _) | Prompt::Find(field)) => field.paste(&text),
            None => {}
        },
        Input::Scrolled(pane, by) => scrolled(state, pane, by),
        Input::Woken => return woken(state, shared),
    }
    vec![]
}

/// Answers one message.
pub(super) fn update(state: &mut State, msg: Msg, shared: &Shared) -> Effects {
    match msg {
        Msg::Clicked(index) => {
            state.pane = Pane::Events;
            step(state, Step::To(index));
        }
        Msg::GoTo => state.prompt = Some(Prompt::GoTo(Field::default(), None)),
        Msg::PinA => {
            state.pins.a = Some(state.version());
            return vec![Effect::Tell(state.pinned())];
        }
        Msg::PinB => {
            state.pins.b = Some(state.version());
            return vec![Effect::Tell(state.pinned())];
        }
        Msg::Diff => {
            state.show = if state.show == Show::Diff { Show::State } else { Show::Diff };
            state.state_offset = 0;
        }
        Msg::Detail => {
            state.detail = match state.detail {
                Detail::All => Detail::Changes,
                Detail::Changes => Detail::Patch,
                Detail::Patch => Detail::All,
            };
            state.state_offset = 0;
        }
        Msg::Older => {
            state.more += MOST_EVENTS;
            return ask(state, shared);
        }
        Msg::Play => play(state, shared),
        Msg::Live => {
            state.live = true;
            state.skipping = false;
            state.playing = None;
            go_to(state, state.last());
            state.live = true;
        }
        Msg::Skip => {
            state.skipping = !state.skipping;
            state.show = Show::State;
        }
        Msg::Raw => state.raw = if state.raw.is_some() { None } else { Some(0) },
        Msg::Lanes => {
            let version = state.version();
            state.lanes = !state.lanes;
            state.arrange();
            go_to(state, version);
        }
        Msg::Chain => {
            state.pane = if state.pane == Pane::Chain { Pane::Events } else { Pane::Chain };
            state.raw = None;
        }
        Msg::Read(ticket, result) => read(state, ticket, result, shared),
        Msg::Acted(ticket, result) => acted(state, ticket, result, shared),
        Msg::Exported(Ok(told)) => return vec![Effect::Tell(told)],
        Msg::Exported(Err(why)) => return vec![Effect::Warn(why)],
    }
    vec![]
}

fn common_key(state: &mut State, common: Common, shared: &Shared) -> Effects {
    match common {
        Common::Step(by) => match (&mut state.raw, state.pane) {
            (Some(offset), _) => *offset = by.scrolled(*offset),
            (None, Pane::Chain) => state.chain_offset = by.scrolled(state.chain_offset),
            (None, Pane::State) => state.state_offset = by.scrolled(state.state_offset),
            (None, Pane::Events) => step(state, by),
        },
        Common::Left => {
            // From below an event, back is to that event.
            let is_below = matches!(state.entry(), Some(Entry::Message(_) | Entry::Act(_)));
            let back = i64::from(!is_below);
            go_to(state, Version(state.version().0 - back));
        }
        Common::Right => go_to(state, Version(state.version().0 + 1)),
        Common::Enter => state.raw = if state.raw.is_some() { None } else { Some(0) },
        Common::Escape => return escape(state),
        Common::NextPane => {
            state.pane = match state.pane {
                Pane::Events => Pane::State,
                Pane::State => Pane::Chain,
                Pane::Chain => Pane::Events,
            };
        }
        Common::PreviousPane => {
            state.pane = match state.pane {
                Pane::Events => Pane::Chain,
                Pane::State => Pane::Events,
                Pane::Chain => Pane::State,
            };
        }
        Common::NextView | Common::PreviousView => {
            state.show = if state.show == Show::Diff { Show::State } else { Show::Diff };
        }
        Common::Filter => state.prompt = Some(Prompt::Find(Field::default())),
        Common::NextMatch => return find(state, 1),
        Common::PreviousMatch => return find(state, -1),
        Common::Copy => return copy(state),
        Common::CopyLink => {
            let link = state.place().map(|place| place.route().link(shared.context()));
            let copied = link.map(|text| Effect::Copy { text, what: "link".to_owned() });
            return copied.into_iter().collect();
        }
        Common::Export => {
            let known = state.known().cloned();
            let export = known.map(|known| Effect::Run(Lane::Every, Request::Export { known }));
            return export.into_iter().collect();
        }
        Common::Refresh => return ask(state, shared),
        Common::Explain => state.explaining = !state.explaining,
        Common::Bookmark => {
            return state.order.map(|id| Effect::Keep(Keep::Bookmark(id))).into_iter().collect();
        }
        Common::Zoom => state.zoomed = !state.zoomed,
        Common::Mark | Common::MarkAll | Common::InvertMarks | Common::Sort | Common::Faults => {}
    }
    vec![]
}

/// Back one step; from the bare timeline to where the order was found.
fn escape(state: &mut State) -> Effects {
    if state.explaining {
        state.explaining = false;
    } else if state.raw.is_some() {
        state.raw = None;
    } else if state.zoomed {
        state.zoomed = false;
    } else if state.skipping {
        state.skipping = false;
    } else if state.show == Show::Diff {
        state.show = Show::State;
    } else if state.pane != Pane::Events {
        state.pane = Pane::Events;
    } else {
        return vec![Effect::Back];
    }
    vec![]
}

/// Shows an order's history, at a version, comparing two.
pub(super) fn open(state: &mut State, place: Place, shared: &Shared) -> Effects {
    let Place { order, at, diff } = place;
    let is_other = state.order != Some(order);
    if is_other {
        let lanes = state.lanes;
        *state = State { order: Some(order), lanes, live: at.is_none(), ..State::default() };
    }
    if let Some(version) = at {
        state.wanted = Some(version);
        if !is_other {
            go_to(state, version);
        }
    }
    if diff.is_some() {
        state.pins = diff.map_or_else(Pins::default, |(a, b)| Pins { a: Some(a), b: Some(b) });
        state.show = Show::Diff;
    }
    ask(state, shared)
}

/// Reads the history, and what operators did, where that is recorded at all.
fn ask(state: &mut State, shared: &Shared) -> Effects {
    let Some(order) = state.order else { return vec![] };
    let ticket = state.known.begin(shared.now.instant);
    let mut effects = vec![Effect::Run(READ, Request::Read { ticket, order, most: state.most() })];
    if shared.place().is_some_and(|place| place.barred.is_none()) {
        let ticket = state.acts.begin(shared.now.instant);
        effects.push(Effect::Run(ACTS, Request::Acts { ticket, order }));
    }
    effects
}

fn read(
    state: &mut State,
    ticket: super::Ticket,
    result: Result<Option<std::sync::Arc<super::OrderAnalysis>>, crate::db::Error>,
    shared: &Shared,
) {
    let before = state.version();
    let held = match state.entry() {
        Some(entry @ (Entry::Message(_) | Entry::Act(_))) => Some(entry.id().0),
        Some(Entry::Event(_)) | None => None,
    };
    let first = state.known.value.is_none();
    if !state.known.settle(ticket, result, shared.now.instant) || state.known.error.is_some() {
        return;
    }
    state.arrange();
    if let Some(version) = state.wanted.take() {
        go_to(state, version);
    } else if held.is_some() {
        hold(state, held);
    } else if first || state.live {
        go_to(state, state.last());
        state.live = true;
    } else {
        go_to(state, before);
    }
}

/// Takes what operators did.
fn acted(
    state: &mut State,
    ticket: super::Ticket,
    result: Result<Vec<Recorded>, crate::db::Error>,
    shared: &Shared,
) {
    let held = state.entry().map(|entry| entry.id().0);
    if state.acts.settle(ticket, result, shared.now.instant) {
        state.arrange();
        hold(state, held);
    }
}

/// Keeps the cursor on what it was on after the list was arranged again, and what is being read as far as it
/// is scrolled to.
fn hold(state: &mut State, held: Option<Uuid>) {
    let is_held =
        |row: &usize| state.entry_at(*row).is_some_and(|entry| Some(entry.id().0) == held);
    let row = (0..state.len()).find(is_held).unwrap_or(state.cursor.index);
    let len = state.len();
    state.cursor.step(Step::To(row), len);
    state.live = state.version() == state.last() && state.live;
}

fn woken(state: &mut State, shared: &Shared) -> Effects {
    if let Some(at) = state.playing
        && at <= shared.now.instant
    {
        if state.version() >= state.last() {
            state.playing = None;
        } else {
            go_to(state, Version(state.version().0 + 1));
            state.playing = Some(shared.now.instant + PLAY_STEP);
        }
        return vec![];
    }
    ask(state, shared)
}

fn play(state: &mut State, shared: &Shared) {
    if state.playing.take().is_some() {
        return;
    }
    if state.version() >= state.last() {
        go_to(state, state.first());
    }
    state.playing = Some(shared.now.instant + PLAY_STEP);
}

/// Puts the cursor on a version, as near as there is one.
fn go_to(state: &mut State, version: Version) {
    let first = state.first();
    let version = version.clamp(first, state.last());
    let event = usize::try_from(version.0 - first.0).unwrap_or(0);
    let row = state.row_of(At::Event(event)).unwrap_or(0);
    step(state, Step::To(row));
}

fn step(state: &mut State, by: Step) {
    let (len, before) = (state.len(), state.cursor.index);
    state.cursor.step(by, len);
    state.live = state.version() == state.last() && state.live;
    // What is being read stays where it is scrolled to while the history is read again.
    if state.cursor.index != before {
        state.state_offset = 0;
        state.chain_offset = 0;
        state.raw = state.raw.map(|_| 0);
    }
}

fn scrolled(state: &mut State, pane: usize, by: isize) {
    match (pane, &mut state.raw) {
        (2, Some(offset)) => *offset = offset.saturating_add_signed(by),
        (0, _) => step(state, Step::Lines(by)),
        (3, _) => state.chain_offset = state.chain_offset.saturating_add_signed(by),
        _ => state.state_offset = state.state_offset.saturating_add_signed(by),
    }
}

fn typed(state: &mut State, key: KeyEvent, shared: &Shared) -> Effects {
    match state.prompt.take() {
        Some(Prompt::GoTo(mut field, mut error)) => match field.key(key, &shared.keys) {
            Typed::Left => {}
            Typed::Entered => match target(state, field.text(), shared) {
                Ok((version, clocks)) => {
                    go_to(state, version);
                    state.live = false;
                    return clocks
                        .map(|moved| Effect::Warn(moved.to_string()))
                        .into_iter()
                        .collect();
                }
                Err(why) => state.prompt = Some(Prompt::GoTo(field, Some(why))),
            },
            edited => {
                if edited == Typed::Edited {
                    error = None;
                }
                state.prompt = Some(Prompt::GoTo(field, error));
            }
        },
        Some(Prompt::Find(mut field)) => match field.key(key, &shared.keys) {
            Typed::Left => {}
            Typed::Entered => {
                field.text().clone_into(&mut state.found);
                return find(state, 1);
            }
            _ => state.prompt = Some(Prompt::Find(field)),
        },
        None => {}
    }
    vec![]
}

/// What is typed after `t`: a version (`v3`, `3`), or a time, then the version in force then, and whether clocks were
/// moved over it.
fn target(state: &State, text: &str, shared: &Shared) -> Result<(Version, Option<Moved>), String> {
    let known = state.known().ok_or("nothing is read yet")?;
    let clock = Clock { now: shared.now.utc, zone: shared.zone };
    let day = known.timeline.step(state.version()).map(|p| shared.zone.local(p.event.at).date());
    match when::parse(text, &clock, day).map_err(|error| error.to_string())? {
        When::Version(version) if (1..=state.last().0).contains(&version.0) => Ok((version, None)),
        When::Version(_) => Err(format!("versions go from 1 to {}", state.last())),
        When::Time { at, clocks } => match known.timeline.at_time(at).map(|found| found.version) {
            None | Some(Version(0)) => {
                Err("the order did not exist then; its first event came later".to_owned())
            }
            Some(version) => Ok((version, clocks)),
        },
    }
}

/// The next event whose type, metadata or body has the text, going round at the ends.
fn find(state: &mut State, direction: isize) -> Effects {
    let Some(known) = state.known() else { return vec![] };
    let wanted = state.found.to_lowercase();
    let points = known.timeline.steps();
    let matches = |index: usize| {
        points.get(index).is_some_and(|point| {
            let event = &point.event;
            let metadata = [&event.correlation_id, &event.causation_id];
            let told = |text: &str| text.to_lowercase().contains(&wanted);
            told(&event.kind)
                || metadata.into_iter().flatten().any(|text| told(text))
                || told(&event.body.to_string())
                || told(&event.id.to_string())
        })
    };
    let len = isize::try_from(points.len()).unwrap_or(0);
    let start = isize::try_from(state.version().0 - 1).unwrap_or(0);
    let order = (1..=len).map(|by| (start + by * direction).rem_euclid(len.max(1)).unsigned_abs());
    match order.into_iter().find(|index| matches(*index)) {
        Some(index) => {
            let row = state.row_of(At::Event(index)).unwrap_or(0);
            step(state, Step::To(row));
            vec![]
        }
        None => vec![Effect::Warn(format!("{:?} is in no event of this order", state.found))],
    }
}

fn copy(state: &State) -> Effects {
    let Some((id, what)) = state.entry().map(|entry| entry.id()) else { return vec![] };
    vec![Effect::Copy { text: id.to_string(), what: what.to_owned() }]
}
