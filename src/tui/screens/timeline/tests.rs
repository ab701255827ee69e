//! The timeline: what keys and answers do, and how it looks.

use std::time::Duration;

use super::{
    Detail, Entry, Msg, PLAY_STEP, Pane, Pins, Place, Prompt, Request, Show, State, Version,
};
use crate::{
    domain::samples as domain,
    ops::audit::Recorded,
    tui::{
        app,
        effect::Effect,
        route::{Place as _, Route},
        screens::{Screen as _, orders},
        tests::{Desk, attached, copied, frames, runs, samples},
    },
};

fn state(desk: &Desk) -> &State {
    desk.state()
}

fn version(desk: &Desk) -> i64 {
    state(desk).version().0
}

/// What the cursor is on.
fn on(desk: &Desk) -> String {
    match state(desk).entry().unwrap() {
        Entry::Event(point) => format!("v{}", point.version),
        Entry::Message(message) => message.sequence.to_string(),
        Entry::Act(act) => format!("#{}", act.number),
    }
}

/// Asks again and answers what operators did.
fn act(desk: &mut Desk, acts: Vec<Recorded>) {
    desk.effects();
    desk.press("r");
    let asked = desk.effects().into_iter().find_map(|effect| match effect {
        Effect::Run(_, app::Request::Screen(request)) => match request.of::<State>()? {
            Request::Acts { ticket, .. } => Some(*ticket),
            _ => None,
        },
        _ => None,
    });
    desk.timeline(Msg::Acted(asked.unwrap(), Ok(acts)));
}

fn desk() -> Desk {
    Desk::travelling(120, 36, samples::cancelled())
}

/// What stands in the prompt as wrong.
fn wrong(desk: &Desk) -> Option<String> {
    match &state(desk).prompt {
        Some(Prompt::GoTo(_, error)) => error.clone(),
        _ => None,
    }
}

/// Types a target after `t`.
fn go_to(desk: &mut Desk, target: &str) {
    // The prompt stays open while what is in it is wrong.
    desk.press(if state(desk).prompt.is_some() { "ctrl-u" } else { "t" });
    desk.types(target);
    desk.press("enter");
}

fn is_asked(desk: &mut Desk) -> bool {
    let effects = desk.effects();
    let read = |(_, request): &(_, &app::Request)| {
        let app::Request::Screen(request) = request else { return false };
        matches!(request.of::<State>(), Some(Request::Read { .. }))
    };
    runs(&effects).iter().any(read)
}

#[test]
fn a_timeline_opens_at_its_newest_event() {
    let desk = desk();
    assert_eq!(version(&desk), 2);
    assert!(state(&desk).live);
    assert_eq!(state(&desk).place().map(|place| place.route().to_string()), {
        Some(format!("order/{}", samples::cancelled().id))
    });
}

#[test]
fn goes_to_versions_and_times_and_says_what_is_wrong() {
    let mut desk = desk();
    for (target, reached) in [
        ("v1", 1),
        ("2", 2),
        ("09:12:05", 1),
        ("09:41", 2),
        // As the timeline prints them: the whole second.
        ("09:12:04", 1),
        ("2026-11-22T09:40:31", 2),
        ("11-22 09:40:31", 2),
        ("2026-11-22T09:40:31.5", 1),
        ("1h ago", 2),
    ] {
        go_to(&mut desk, target);
        assert_eq!((version(&desk), wrong(&desk)), (reached, None), "{target}");
        assert!(!state(&desk).live);
    }
    for (target, told) in [
        ("v3", "versions go from 1 to 2"),
        ("v0", "versions go from 1 to 2"),
        ("09:12:03", "did not exist then"),
        ("yesterday-ish", ""),
    ] {
        go_to(&mut desk, target);
        let why = wrong(&desk).unwrap_or_else(|| panic!("{target} went through"));
        assert!(why.contains(told) && !why.is_empty(), "{target}: {why}");
        assert_eq!(version(&desk), 2, "{target} moves nothing");
    }
    desk.types("x");
    assert_eq!(wrong(&desk), None, "typing on takes the complaint away");
    // A key is a letter here.
    assert!(!desk.app.quit);
}

#[test]
fn pins_compare_two_versions() {
    let mut desk = desk();
    desk.press("h A l B");
    assert_eq!(state(&desk).show, Show::State, "a pin only pins");
    assert!(desk.shows("A=v1 B=v2; = compares them"));
    desk.press("=");
    assert_eq!(state(&desk).pair(), (Version(1), Version(2)));
    assert_eq!(state(&desk).show, Show::Diff);
    assert!(desk.shows("Diff A:B  v1 → v2"));
    assert_eq!(state(&desk).place().map(|place| place.route().to_string()), {
        Some(format!("order/{}@2?diff=1:2", samples::cancelled().id))
    });
    desk.press("=");
    assert_eq!(state(&desk).show, Show::State);
    // One pin alone is compared with the cursor, and says so.
    let mut desk = self::desk();
    desk.press("h A");
    assert!(desk.shows("A=v1; B pins the other, = compares it with the cursor"));
    desk.press("l =");
    assert_eq!(state(&desk).pair(), (Version(1), Version(2)));
    assert!(desk.shows("Diff A:cursor  v1 → v2"));
    let mut desk = self::desk();
    desk.press("B h =");
    assert_eq!(state(&desk).pair(), (Version(1), Version(2)));
    assert!(desk.shows("Diff cursor:B  v1 → v2"));
    desk.press("D D D");
    assert_eq!(state(&desk).detail, Detail::All);
}

#[test]
fn an_event_can_be_thought_away() {
    let mut desk = desk();
    desk.press("x");
    assert!(state(&desk).skipping);
    assert!(desk.shows("What if v2 had not happened (preview)"));
    desk.press("x");
    assert!(!state(&desk).skipping);
}

#[test]
fn playing_steps_at_its_deadlines_and_stops_at_the_end() {
    let mut desk = Desk::travelling(120, 36, samples::uncertain());
    desk.press(".");
    assert_eq!(version(&desk), 1, "from the end it starts over");
    let due = desk.app.shared.now.instant + PLAY_STEP;
    assert_eq!(state(&desk).wakes_at(&desk.app.shared), Some(due));
    desk.wait(PLAY_STEP / 2);
    assert_eq!(version(&desk), 1);
    desk.wait(PLAY_STEP / 2);
    assert_eq!(version(&desk), 2);
    desk.wait(PLAY_STEP);
    assert_eq!(version(&desk), 3);
    assert!(state(&desk).playing.is_some());
    desk.wait(PLAY_STEP);
    assert_eq!((version(&desk), state(&desk).playing), (3, None));
    desk.press(". .");
    assert_eq!(state(&desk).playing, None, "the same key stops it");
}

#[test]
fn playing_goes_on_while_the_screen_is_frozen() {
    let mut desk = Desk::travelling(120, 36, samples::uncertain());
    desk.press("f .");
    desk.wait(PLAY_STEP);
    assert_eq!(version(&desk), 2);
}

#[test]
fn live_follows_new_events_and_a_traveller_stays() {
    let mut desk = Desk::travelling(120, 36, samples::new());
    desk.press("r");
    desk.read(samples::cancelled());
    assert_eq!((version(&desk), state(&desk).live), (2, true));
    let mut desk = Desk::travelling(120, 36, samples::cancelled());
    desk.press("h r");
    desk.read(samples::uncertain());
    assert_eq!((version(&desk), state(&desk).live), (1, false));
    desk.press("0");
    assert_eq!((version(&desk), state(&desk).live), (3, true));
}

#[test]
fn a_cursor_on_a_message_stays_on_it_when_an_event_arrives() {
    let mut desk = Desk::travelling(120, 36, samples::cancelled());
    desk.press("j j");
    let on = |desk: &Desk| match state(desk).entry() {
        Some(super::Entry::Message(message)) => Some(message.sequence),
        _ => None,
    };
    assert_eq!(on(&desk), Some(88_204));
    desk.press("r");
    desk.read(samples::hostile());
    assert_eq!(on(&desk), Some(88_204));
}

#[test]
fn a_late_answer_is_dropped_and_an_error_keeps_the_history() {
    let mut desk = desk();
    desk.press("r");
    let late = desk.reading();
    desk.press("r");
    desk.read(samples::uncertain());
    desk.timeline(Msg::Read(late, Ok(None)));
    assert_eq!(state(&desk).last(), Version(3));
    desk.press("h");
    desk.wait(Duration::from_secs(90));
    let ticket = desk.reading();
    desk.timeline(Msg::Read(ticket, Err(samples::lost())));
    assert_eq!((state(&desk).last(), version(&desk)), (Version(3), 2));
    assert!(desk.shows("Not refreshed (what you see is 1m 30s old): cannot reach PostgreSQL"));
}

#[test]
fn a_long_history_is_read_from_its_end_and_more_on_demand() {
    let mut long = samples::uncertain();
    long.skipped = 7_000;
    let mut desk = Desk::travelling(120, 36, long);
    assert_eq!((state(&desk).first(), state(&desk).last()), (Version(7_002), Version(7_003)));
    assert_eq!(version(&desk), 7_003);
    desk.press("g g");
    assert_eq!(version(&desk), 7_002);
    desk.press("h");
    assert_eq!(version(&desk), 7_002);
    desk.press("O");
    let asked = runs(&desk.asked).into_iter().rev().find_map(|(_, request)| match request {
        app::Request::Screen(request) => match request.of::<State>()? {
            Request::Read { most, .. } => Some(*most),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(asked, Some(10_000));
    desk.read(samples::uncertain());
    assert_eq!(version(&desk), 3, "its version is not in this history any more");
    desk.press("O");
    assert!(desk.shows("all events of this order are here"));
}

#[test]
fn finds_in_types_metadata_and_bodies_round_the_ends() {
    let mut desk = Desk::travelling(120, 36, samples::uncertain());
    desk.press("/");
    desk.types("GIFT");
    desk.press("enter");
    assert_eq!(version(&desk), 2);
    desk.press("/");
    desk.types("order_");
    desk.press("enter");
    assert_eq!(version(&desk), 3);
    desk.press("n");
    assert_eq!(version(&desk), 1);
    desk.press("N");
    assert_eq!(version(&desk), 3);
    desk.press("/");
    desk.types("nowhere");
    desk.press("enter");
    assert_eq!(version(&desk), 3);
    assert!(desk.shows("\"nowhere\" is in no event of this order"));
    desk.press("/ z esc");
    assert!(state(&desk).prompt.is_none());
}

#[test]
fn escape_goes_back_one_step_at_a_time_and_never_out() {
    let mut desk = desk();
    desk.press("h A = tab z enter i");
    desk.press("esc");
    assert!(!state(&desk).explaining && state(&desk).raw.is_some());
    desk.press("esc");
    assert!(state(&desk).raw.is_none() && state(&desk).zoomed);
    desk.press("esc");
    assert!(!state(&desk).zoomed && state(&desk).show == Show::Diff);
    desk.press("esc");
    assert_eq!((state(&desk).show, state(&desk).pane), (Show::State, Pane::State));
    desk.press("esc");
    assert_eq!(state(&desk).pane, Pane::Events);
    assert!(desk.is_on::<State>());
    desk.press("esc");
    assert!(desk.is_on::<orders::State>());
    desk.press("esc esc esc esc");
    assert!(desk.is_on::<orders::State>() && !desk.app.quit);
}

#[test]
fn enter_shows_the_event_as_stored_and_steps_go_on_inside() {
    let mut desk = desk();
    desk.press("enter");
    assert!(desk.shows("Event v2 as stored"));
    desk.press("j j");
    assert_eq!(state(&desk).raw, Some(2));
    desk.press("h");
    assert!(desk.shows("Event v1 as stored"));
    assert_eq!(state(&desk).raw, Some(0));
    desk.press("enter");
    assert_eq!(state(&desk).raw, None);
}

#[test]
fn copies_what_the_cursor_is_on() {
    let mut desk = desk();
    desk.effects();
    desk.press("h y");
    let event = samples::cancelled().events[0].id.to_string();
    assert_eq!(copied(&desk.effects()), [event]);
    desk.press("j y");
    let message = samples::cancelled().messages[0].id.to_string();
    assert_eq!(copied(&desk.effects()), [message]);
    desk.press("k Y");
    let link = format!("ops://local/order/{}@1", samples::cancelled().id);
    assert_eq!(copied(&desk.effects()), [link]);
}

#[test]
fn what_needs_an_event_says_so_on_a_message() {
    let mut desk = desk();
    desk.press("j j A");
    assert!(desk.shows("the cursor is on a message; go to an event"));
    assert_eq!(state(&desk).pins, Pins::default());
    desk.press("L");
    assert_eq!(version(&desk), 2);
    desk.press("A");
    assert_eq!(state(&desk).pins.a, Some(Version(2)));
}

#[test]
fn a_link_waits_for_the_history() {
    let mut desk = Desk::listing(120, 36);
    let order = samples::cancelled().id;
    let diff = Some((Version(0), Version(1)));
    desk.send(app::Msg::Go(Place { order, at: Some(Version(1)), diff }.route()));
    assert_eq!(state(&desk).place(), Some(Place { order, at: Some(Version(1)), diff }));
    desk.read(samples::cancelled());
    assert_eq!((version(&desk), state(&desk).pair()), (1, (Version(0), Version(1))));
    assert_eq!(state(&desk).show, Show::Diff);
    // A version that does not exist leads to the nearest.
    desk.send(app::Msg::Go(Place { order, at: Some(Version(99)), diff: None }.route()));
    desk.read(samples::cancelled());
    assert_eq!(version(&desk), 2);
}

#[test]
fn another_order_starts_afresh() {
    let mut desk = desk();
    desk.press("h A x L");
    let mut other = samples::new();
    other.id = domain::order().id;
    desk.open(other);
    assert_eq!(
        (state(&desk).pins, state(&desk).skipping, state(&desk).live),
        (Pins::default(), false, true)
    );
    assert!(state(&desk).lanes, "what is shown stays as chosen");
}

#[test]
fn reads_again_by_itself_unless_that_would_disturb() {
    let mut desk = desk();
    let now = desk.app.shared.now.instant;
    let seconds =
        |desk: &Desk| state(desk).wakes_at(&desk.app.shared).map(|at| (at - now).as_secs());
    assert_eq!(seconds(&desk), Some(5));
    desk.app.shared.focused = false;
    assert_eq!(seconds(&desk), Some(20));
    desk.app.shared.focused = true;
    desk.press("f");
    assert_eq!(seconds(&desk), None);
    desk.press("f t");
    assert_eq!(seconds(&desk), None);
    desk.press("esc");
    desk.effects();
    desk.wait(Duration::from_secs(4));
    assert!(!is_asked(&mut desk));
    desk.wait(Duration::from_secs(1));
    assert!(is_asked(&mut desk));
    assert_eq!(seconds(&desk), None, "one question at a time");
}

#[test]
fn looks_as_it_should() {
    let mut desk = Desk::new(120, 36).at(crate::tui::tests::place());
    desk.press("3");
    frames!("nothing_chosen", desk);
    let order = samples::cancelled().id;
    desk.send(app::Msg::Go(Route::order(order)));
    frames!("loading", desk);
    let ticket = desk.reading();
    desk.timeline(Msg::Read(ticket, Ok(None)));
    frames!("unknown", desk);
    let mut desk = self::desk();
    frames!("full", desk);
    desk.wait(Duration::from_secs(90));
    let ticket = desk.reading();
    desk.timeline(Msg::Read(ticket, Err(samples::lost())));
    frames!("failed", desk);
    let mut desk = self::desk();
    desk.press("J");
    frames!("raw", desk);
    let mut desk = self::desk();
    desk.press("h A l B =");
    frames!("diff", desk);
    desk.press("tab D D");
    frames!("patch", desk);
    let mut desk = self::desk();
    desk.press("x");
    frames!("what_if", desk);
    desk.press("tab");
    frames!("what_if_pane", desk);
    let mut desk = self::desk();
    desk.press("t");
    desk.types("v7");
    desk.press("enter");
    frames!("go_to", desk);
    let mut desk = self::desk();
    desk.press("i");
    frames!("explained", desk);
    let mut desk = self::desk();
    desk.press("tab");
    frames!("state", desk);
}

#[test]
fn doubtful_histories_look_doubtful() {
    let mut desk = Desk::travelling(120, 36, samples::uncertain());
    frames!("uncertain", desk);
    let mut desk = Desk::travelling(120, 36, samples::drifted());
    frames!("drifted", desk);
    let mut desk = Desk::travelling(120, 36, samples::bare());
    frames!("bare", desk);
    let mut desk = Desk::travelling(120, 36, samples::long());
    desk.press("ctrl-u");
    frames!("long", desk);
    let mut desk = Desk::listing(120, 36).at(attached());
    desk.open(samples::foreign());
    frames!("attached", desk);
    let mut desk = Desk::travelling(120, 36, samples::hostile());
    desk.app.shared.masked = false;
    frames!("hostile", desk);
    desk.press("h J");
    frames!("hostile_raw", desk);
}

#[test]
fn personal_data_is_covered_everywhere() {
    for keys in ["0", "tab", "D", "D D", "=", "x", "J", "J j j j j j j"] {
        let mut desk = desk();
        for (width, height) in [(80, 24), (120, 36), (200, 60)] {
            desk.resize(width, height);
            desk.press(keys);
            let frame = desk.frame();
            for secret in ["Le Thi", "Book Lane", "4711", "Hue", "changed my mind"] {
                assert!(!frame.contains(secret), "{keys}: {secret}\n{frame}");
            }
        }
    }
}

#[test]
fn fits_every_window() {
    for history in samples::all() {
        let mut desk = Desk::travelling(120, 36, history);
        desk.app.shared.masked = false;
        desk.fits_every_window();
        for keys in [
            "h", "g g", "G", "tab", "C", "k", "C", "=", "D", "D", "=", "x", "J", "j j j", "i",
            "esc esc", "t",
        ] {
            desk.press(keys);
            desk.fits_usual_windows();
        }
        desk.types("yesterday, or some other day that nobody remembers any more 木村");
        desk.press("enter");
        desk.fits_usual_windows();
    }
}

#[test]
fn messages_stand_below_their_events_and_steps_follow_the_eye() {
    let mut desk = desk();
    desk.press("g g");
    let mut seen = vec![];
    for _ in 0..5 {
        seen.push(on(&desk));
        desk.press("j");
    }
    assert_eq!(seen, ["v1", "88071", "v2", "88204", "88204"]);
    // On a message, the version in sight is that of its event; h and l go by events.
    desk.press("k k");
    desk.press("k");
    assert_eq!(version(&desk), 1);
    desk.press("l");
    assert!(
        matches!(state(&desk).entry(), Some(Entry::Event(point)) if point.version == Version(2))
    );
    desk.press("j h");
    assert!(
        matches!(state(&desk).entry(), Some(Entry::Event(point)) if point.version == Version(2))
    );
    desk.press("h");
    assert_eq!(version(&desk), 1);
    // Without that lane only events are left.
    desk.press("j L");
    assert_eq!((version(&desk), state(&desk).len()), (1, 2));
}

#[test]
fn what_operators_did_stands_below_the_messages_of_the_event_before() {
    let mut desk = desk();
    desk.press("g g j");
    assert_eq!(on(&desk), "88071");
    act(&mut desk, samples::records());
    assert_eq!(on(&desk), "88071");
    let mut seen = vec![];
    desk.press("g g");
    for _ in 0..8 {
        seen.push(on(&desk));
        desk.press("j");
    }
    assert_eq!(seen, ["v1", "88071", "#830", "#831", "v2", "88204", "#838", "#838"]);
    // The state in sight is that of the event before; it can be read, not pinned.
    desk.press("k k k k");
    assert_eq!((on(&desk).as_str(), version(&desk)), ("#830", 1));
    desk.press("A");
    assert!(desk.shows("the cursor is on an operator's action; go to an event"));
    desk.effects();
    desk.press("y");
    assert_eq!(copied(&desk.effects()), [samples::records()[2].operation.to_string()]);
    desk.press("J");
    assert_eq!(state(&desk).raw, None, "that is for events");
    desk.press("enter");
    assert!(desk.shows("Operation #830 as recorded"));
    assert!(
        !desk.shows("duplicate") && !desk.shows("leave at the door"),
        "reasons and notes are personal"
    );
    desk.resize(80, 24);
    desk.press("j j");
    // What came meanwhile moves neither the cursor nor what is being read.
    act(&mut desk, samples::records().split_off(1));
    assert_eq!((on(&desk).as_str(), state(&desk).raw), ("#830", Some(2)));
    desk.press("r");
    desk.read(samples::cancelled());
    assert_eq!((on(&desk).as_str(), state(&desk).raw), ("#830", Some(2)));
    desk.resize(120, 36);
    desk.press("esc C");
    assert!(desk.shows("an operator's action; what it wrote has its chain at the event"));
    desk.press("C h");
    assert_eq!(on(&desk), "v1");
    desk.press("j j L");
    assert_eq!((on(&desk).as_str(), state(&desk).len()), ("v1", 2));
    desk.press("L");
    assert_eq!((on(&desk).as_str(), state(&desk).len()), ("v1", 6));
    // Who follows the newest event goes on following it.
    let mut desk = self::desk();
    act(&mut desk, samples::records());
    assert_eq!((on(&desk).as_str(), state(&desk).live), ("v2", true));
    // Without an event there is still what was done.
    let mut desk = Desk::travelling(120, 36, samples::bare());
    act(&mut desk, samples::records());
    assert_eq!((state(&desk).len(), version(&desk)), (3, 0));
    desk.fits_usual_windows();
}

#[test]
fn the_chain_pane_is_reached_by_tab_and_by_its_key() {
    let mut desk = Desk::travelling(80, 24, samples::cancelled());
    desk.press("tab tab");
    assert_eq!(state(&desk).pane, Pane::Chain);
    assert!(state(&desk).cli_equivalent().starts_with("orderscope order chain"));
    let mut frame = desk.frame();
    desk.press("j j j j j j j j");
    frame.push_str(&desk.frame());
    for told in [
        "proven   v2 OrderCancelled ─▶ 88204 …ChangedToCancel",
        "outbox_message.conversation_id = mt_events.correlation_id",
        "inferred caller ┄▶ v2 OrderCancelled",
        "its message lies in a bus outbox",
        "PENDING 4h 21m, behind 88190",
        "absent   outbox …00b3 ─✗ broker",
        "not recorded as delivered; after a crash it may have been sent",
        "unknown  broker ┄? others",
    ] {
        assert!(frame.contains(told), "{told}\n{frame}");
    }
    desk.press("h");
    assert!(desk.shows("inferred v1 OrderPlaced ┄▶ 88071 UserCheckedOut"));
    assert!(desk.shows("delivered +2"));
    desk.press("tab");
    assert_eq!(state(&desk).pane, Pane::Events);
    desk.press("C");
    assert_eq!(state(&desk).pane, Pane::Chain);
    desk.press("j j j j j j j j j j j j");
    assert!(desk.shows("not known"), "the legend stays");
    desk.press("esc");
    assert_eq!(state(&desk).pane, Pane::Events);
}

#[test]
fn chains_look_as_they_should() {
    let mut desk = self::desk();
    desk.press("C");
    frames!("chain", desk);
    desk.press("C h j C");
    frames!("chain_message", desk);
    // Nothing is left of its messages, and of an event nobody knows nothing leaves.
    let mut history = samples::uncertain();
    history.messages.clear();
    history.chain.messages.clear();
    history.chain.unsearched.inbox = Some("inbox_state cannot be read".to_owned());
    let mut desk = Desk::travelling(120, 36, history);
    desk.press("C");
    frames!("chain_gone", desk);
    // A command that came by message and whose own message was never sent.
    let mut desk = Desk::travelling(120, 36, samples::commanded());
    desk.press("C");
    frames!("chain_command", desk);
}

#[test]
fn what_operators_did_stands_between_the_events() {
    let mut desk = Desk::travelling(120, 36, samples::cancelled());
    act(&mut desk, samples::records());
    let frame = desk.frame();
    let frame = &frame[frame.find("Events 2").unwrap()..];
    let place = |text: &str| frame.find(text).unwrap_or_else(|| panic!("no {text} in\n{frame}"));
    let order = ["OrderPlaced", "DeleteOrder", "RestoreOrder", "OrderCancelled", "CancelOrder"];
    let places: Vec<_> = order.iter().map(|text| place(text)).collect();
    assert!(places.is_sorted(), "{places:?}\n{frame}");
    assert!(!desk.shows("changed her mind"), "reasons are personal");
    frames!("acts", desk);
    desk.press("L");
    assert!(!desk.shows("DeleteOrder"));
    desk.press("L");
    desk.app.shared.masked = false;
    desk.resize(200, 40);
    assert!(desk.shows("changed her mind"));
    // Where nothing is recorded, nothing is asked for.
    let mut desk =
        Desk::travelling(120, 36, samples::cancelled()).at(crate::tui::tests::attached());
    desk.effects();
    desk.press("r");
    assert_eq!(crate::tui::tests::runs(&desk.effects()).len(), 1);
}
